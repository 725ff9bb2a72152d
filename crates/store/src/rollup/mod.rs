//! `.rlp`: what a file holds, counted by minute, so that no row need be read for it.
//!
//! Of log records: how many by instance and severity. Of spans: how many by service, name and kind, how many failed and
//! how long they took ([`OperationRollup`]); how many by instance, and the newest failed one; and who called whom, with
//! the spans whose callers lie in other files ([`MapRollup`]). Times are kept to the second.
//!
//! Invariants:
//! - A scan of the same rows through the same builders gives the same counts, buckets and samples (I9).
//! - What a file tells apart is bounded ([`RollupLimits`]): beyond, it has no such counts, and is scanned; of the map
//!   the rarest pairs go, and it says how many calls that are.
//! - Reading is bounded by the bytes, and everything is read once before a rollup is used: what is damaged reads as
//!   absent.
//!
//! Bytes: the envelope of sidecars, with a kind (0 logs, 1 spans), the number of rows, and the parts, each with its
//! length; numbers are coded in bits (`bits`).

mod bits;
mod cells;
mod durations;
mod hash;
mod instances;
mod links;
mod logs;
mod map;
mod operations;
mod rows;
mod targets;
#[cfg(test)]
mod tests;

pub use cells::{Cell, MINUTE_NANOS, minute_of};
pub use durations::{DurationHistogram, duration_bucket};
pub use instances::RollupInstance;
pub use links::{LinkedSpan, REACH_MINUTES, SpanLinks, is_within_reach};
pub use logs::{LogCell, LogRollup, LogRollupBuilder, SeverityCounts};
pub use map::{CallPair, DanglingSpan, MapBuilder, MapRollup};
pub use operations::{FailedRow, InstanceCell, Operation, OperationBuilder, OperationRollup};
pub use targets::{CallTarget, TargetKind};

use arrow::array::RecordBatch;
use model::TimeRange;

use crate::sidecar;

const MAGIC: [u8; 4] = *b"SRLP";
const VERSION: u16 = 1;
const LOGS: u8 = 0;
const SPANS: u8 = 1;

/// How much a rollup tells apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupLimits {
    /// Services, names and kinds of spans.
    pub operations_max: usize,
    /// Instances of all services.
    pub instances_max: usize,
    /// Pairs of caller and called.
    pub pairs_max: usize,
    /// Spans whose parents lie in other files.
    pub dangling_max: usize,
}

impl Default for RollupLimits {
    fn default() -> RollupLimits {
        RollupLimits { operations_max: 10_000, instances_max: 10_000, pairs_max: 4_000, dangling_max: 2_000 }
    }
}

impl RollupLimits {
    /// No bound: for rows that are bounded themselves.
    pub const NONE: RollupLimits = RollupLimits {
        operations_max: usize::MAX,
        instances_max: usize::MAX,
        pairs_max: usize::MAX,
        dangling_max: usize::MAX,
    };
}

/// What a file of spans holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanRollup {
    rows: u64,
    operations: Option<OperationRollup>,
    map: MapRollup,
}

impl SpanRollup {
    /// Rows of the file it was made from.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Counts by operation and by instance; none where there are too many to tell apart.
    pub fn operations(&self) -> Option<&OperationRollup> {
        self.operations.as_ref()
    }

    /// Calls between services.
    pub fn map(&self) -> &MapRollup {
        &self.map
    }

    /// Bytes in memory.
    pub fn memory_bytes(&self) -> usize {
        let operations = self.operations.as_ref().map_or(0, OperationRollup::memory_bytes);
        size_of::<SpanRollup>() + operations + self.map.memory_bytes()
    }

    /// The content of a `.rlp` file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = begin(SPANS, self.rows);
        let operations = self.operations.as_ref().map(OperationRollup::write).unwrap_or_default();
        for part in [operations, self.map.write()] {
            bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&part);
        }
        sidecar::seal(bytes)
    }

    /// Reads the content of a `.rlp` file of spans; `None` for anything else, a damaged one above all.
    pub fn from_bytes(bytes: &[u8]) -> Option<SpanRollup> {
        let (rows, mut rest) = body(bytes, SPANS)?;
        let mut part = || {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let (part, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = after;
            Some(part)
        };
        let operations = match part()? {
            [] => None,
            bytes => Some(OperationRollup::read(bytes)?),
        };
        let map = MapRollup::read(part()?)?;
        rest.is_empty().then_some(SpanRollup { rows, operations, map })
    }
}

/// Counts all rows of a file of spans, batch by batch in row order.
#[derive(Debug, Default)]
pub struct SpanRollupBuilder {
    rows: u64,
    operations: OperationBuilder,
    map: MapBuilder,
}

impl SpanRollupBuilder {
    /// Columns it looks at.
    pub fn columns() -> Vec<&'static str> {
        let mut columns = [&OperationBuilder::COLUMNS[..], &SpanLinks::COLUMNS].concat();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Adds the next rows of the file.
    pub fn push(&mut self, batch: &RecordBatch) {
        let before = self.rows;
        self.operations.push(batch, &TimeRange::ALL, |row| before + row as u64);
        self.map.push(batch);
        self.rows += batch.num_rows() as u64;
    }

    /// The counts.
    pub fn finish(self, limits: &RollupLimits) -> SpanRollup {
        SpanRollup { rows: self.rows, operations: self.operations.finish(limits), map: self.map.finish(limits) }
    }
}

impl LogRollup {
    /// The content of a `.rlp` file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = begin(LOGS, self.rows);
        bytes.extend_from_slice(&self.write());
        sidecar::seal(bytes)
    }

    /// Reads the content of a `.rlp` file of logs; `None` for anything else, a damaged one above all.
    pub fn from_bytes(bytes: &[u8]) -> Option<LogRollup> {
        let (rows, rest) = body(bytes, LOGS)?;
        LogRollup::read(rows, rest)
    }
}

fn begin(kind: u8, rows: u64) -> Vec<u8> {
    let mut bytes = sidecar::begin(MAGIC, VERSION);
    bytes.push(kind);
    bytes.extend_from_slice(&rows.to_le_bytes());
    bytes
}

/// Rows, and what follows.
fn body(bytes: &[u8], kind: u8) -> Option<(u64, &[u8])> {
    let rest = sidecar::body(bytes, MAGIC, VERSION)?.strip_prefix(&[kind])?;
    let (rows, rest) = rest.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*rows), rest))
}
