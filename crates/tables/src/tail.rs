//! The journal's tail, decoded once and kept: each segment is read on from where the last question stopped.
//!
//! Commits are small when traffic is, so the rows of one tenant and table are joined into chunks of some thousand
//! rows as they come. A chunk remembers where in the segment it ends: when a crash has cut the segment shorter than
//! what was read, everything of it is dropped and read again up to the sealed length.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use catalog::{Segment, SegmentState};
use journal::{End, SegmentReader};
use model::{SegmentId, Table, TenantId};

use crate::error::TablesError;

/// Rows a chunk is filled up to before the next one begins.
const CHUNK_ROWS: usize = 8192;

/// Small pieces that are joined at once.
const PIECES_MAX: usize = 32;

/// Bytes that a column of a batch costs besides its values.
pub(crate) const COLUMN_BYTES: usize = 160;

/// Some rows of one tenant and table that are in the journal.
#[derive(Debug)]
pub struct TailChunk {
    /// The rows; columns that are all null may be absent.
    pub batch: RecordBatch,
    /// Earliest time.
    pub min_time: i64,
    /// Latest time.
    pub max_time: i64,
    bytes: usize,
}

impl TailChunk {
    /// Bytes in memory, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What the tail holds for one tenant, and why that may not be all.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    pub(crate) chunks: [Vec<Arc<TailChunk>>; Table::ALL.len()],
    pub(crate) incomplete_because: Vec<String>,
}

/// Rows of one tenant and table in one segment.
#[derive(Default)]
struct Rows {
    /// Joined as far as they are going to be.
    chunks: Vec<Arc<TailChunk>>,
    /// Single commits' rows, not joined yet.
    pieces: Vec<Arc<TailChunk>>,
}

/// What has been read of one segment.
#[derive(Default)]
struct SegmentTail {
    reader: Option<SegmentReader>,
    /// Where the next commit would begin; 0 before the first reading.
    offset: u64,
    /// Sealed, and read to its end.
    is_complete: bool,
    rows: HashMap<(TenantId, Table), Rows>,
    bytes: usize,
    damage: Vec<String>,
}

/// The decoded rows of live segments.
pub(crate) struct TailCache {
    folder: PathBuf,
    bytes_max: usize,
    segments: Mutex<HashMap<SegmentId, Arc<Mutex<SegmentTail>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TailCache {
    pub(crate) fn new(folder: PathBuf, bytes_max: usize) -> TailCache {
        TailCache { folder, bytes_max, segments: Mutex::default() }
    }

    /// Reads these segments on to their present ends. Blocks.
    ///
    /// The newest are read first: where the budget does not hold all, it is the oldest rows that are left out.
    pub(crate) fn read(&self, tenant: &TenantId, listed: &[Segment]) -> Result<Tail, TablesError> {
        let entries = self.entries(listed);
        let mut tail = Tail::default();
        let mut bytes = 0;
        for (segment, entry) in entries.iter().rev() {
            let mut entry = lock(entry);
            let left = self.bytes_max.saturating_sub(bytes);
            let fits = entry.read_on(&self.folder, segment, left)?;
            bytes += entry.bytes;
            if !fits {
                // What does not fit is not kept either, or the next question would find the cache over its bound.
                *entry = SegmentTail::default();
                let limit = self.bytes_max >> 20;
                tail.incomplete_because.push(format!(
                    "the journal's tail is larger than the {limit} MiB kept for queries: records received before \
                     the newest of them are missing until they are compacted"
                ));
                self.forget_before(segment.id);
                break;
            }
            tail.incomplete_because.extend(entry.damage.iter().cloned());
            for ((owner, table), rows) in entry.rows.iter().filter(|((owner, _), _)| owner == tenant) {
                debug_assert_eq!(owner, tenant);
                let chunks = &mut tail.chunks[usize::from(table.number())];
                chunks.extend(rows.pieces.iter().chain(&rows.chunks).cloned());
            }
        }
        Ok(tail)
    }

    /// The entries of the listed segments in number order; those of others are dropped.
    fn entries<'a>(&self, listed: &'a [Segment]) -> Vec<(&'a Segment, Arc<Mutex<SegmentTail>>)> {
        let mut segments = lock(&self.segments);
        let newest = listed.iter().map(|segment| segment.id).max();
        // A question pinned to an older snapshot must not drop what newer ones have read.
        segments.retain(|id, _| Some(*id) > newest || listed.iter().any(|segment| segment.id == *id));
        listed.iter().map(|segment| (segment, Arc::clone(segments.entry(segment.id).or_default()))).collect()
    }

    fn forget_before(&self, id: SegmentId) {
        lock(&self.segments).retain(|kept, _| *kept > id);
    }
}

impl SegmentTail {
    /// Reads on to the segment's end; false where more than `bytes_max` would have to be kept.
    fn read_on(&mut self, folder: &Path, segment: &Segment, bytes_max: usize) -> Result<bool, TablesError> {
        let end = match segment.state {
            SegmentState::Listed => End::Live,
            SegmentState::Sealed => End::Sealed(segment.length),
        };
        if segment.state == SegmentState::Sealed && self.offset > segment.length {
            *self = SegmentTail::default();
        }
        if self.is_complete {
            return Ok(self.bytes <= bytes_max);
        }
        if self.reader.is_none() {
            let reader = SegmentReader::open(&journal::segment_path(folder, segment.id))?;
            self.offset = reader.start();
            self.reader = Some(reader);
        }
        let Some(reader) = self.reader.take() else { return Ok(true) };
        let outcome = self.take_commits(&reader, end, bytes_max);
        match segment.state {
            // A sealed segment is never read again, so its file need not stay open.
            SegmentState::Sealed if matches!(outcome, Ok(true)) => self.is_complete = true,
            _ => self.reader = Some(reader),
        }
        outcome
    }

    fn take_commits(&mut self, reader: &SegmentReader, end: End, bytes_max: usize) -> Result<bool, TablesError> {
        let mut commits = reader.read_from(self.offset, end)?;
        for commit in commits.by_ref() {
            let commit = commit?;
            for part in commit.parts() {
                let batch = match part.decode() {
                    Ok(batch) => batch,
                    Err(error) => {
                        self.damage.push(format!("a commit of journal segment {} is damaged: {error}", reader.id()));
                        continue;
                    }
                };
                let (min_time, max_time) = part.time_range();
                let bytes = part.bytes() + batch.num_columns() * COLUMN_BYTES;
                let chunk = TailChunk { batch, min_time, max_time, bytes };
                self.bytes += bytes;
                self.add(part.tenant(), part.table(), chunk);
            }
            self.offset = commit.end();
            if self.bytes > bytes_max {
                return Ok(false);
            }
        }
        self.offset = commits.offset();
        let damaged = commits.damage().iter().map(|damage| {
            format!("journal segment {} is damaged from byte {} to {}", damage.segment, damage.start, damage.end)
        });
        self.damage.extend(damaged);
        Ok(self.bytes <= bytes_max)
    }

    fn add(&mut self, tenant: &TenantId, table: Table, chunk: TailChunk) {
        let rows = self.rows.entry((tenant.clone(), table)).or_default();
        rows.pieces.push(Arc::new(chunk));
        let pending: usize = rows.pieces.iter().map(|piece| piece.batch.num_rows()).sum();
        if rows.pieces.len() < PIECES_MAX && pending < CHUNK_ROWS {
            return;
        }
        // A chunk that is not full takes part again, so that a slow trickle does not leave many small ones.
        if rows.chunks.last().is_some_and(|last| last.batch.num_rows() + pending <= CHUNK_ROWS)
            && let Some(last) = rows.chunks.pop()
        {
            rows.pieces.insert(0, last);
        }
        let before: usize = rows.pieces.iter().map(|piece| piece.bytes).sum();
        match join(table, &rows.pieces) {
            Some(joined) => {
                self.bytes = self.bytes.saturating_sub(before) + joined.bytes;
                rows.pieces.clear();
                rows.chunks.push(Arc::new(joined));
            }
            // They cannot be joined (a dictionary grew too large): they stay as they are.
            None => rows.chunks.append(&mut rows.pieces),
        }
    }
}

/// The rows of all pieces as one chunk.
fn join(table: Table, pieces: &[Arc<TailChunk>]) -> Option<TailChunk> {
    let batches: Vec<RecordBatch> = pieces.iter().map(|piece| piece.batch.clone()).collect();
    let batch = join_rows(table, &batches)?;
    let columns = batch.num_columns() * COLUMN_BYTES;
    let values: usize = pieces.iter().map(|piece| piece.bytes - piece.batch.num_columns() * COLUMN_BYTES).sum();
    Some(TailChunk {
        batch,
        min_time: pieces.iter().map(|piece| piece.min_time).min()?,
        max_time: pieces.iter().map(|piece| piece.max_time).max()?,
        bytes: values + columns,
    })
}

/// The rows of all batches as one batch with memory of its own; none where a dictionary would grow too large.
pub(crate) fn join_rows(table: Table, batches: &[RecordBatch]) -> Option<RecordBatch> {
    let schema = store::union_schema(table, batches).ok()?;
    let mut conformed: Vec<RecordBatch> =
        batches.iter().map(|batch| store::conform(batch, &schema)).collect::<Result<_, _>>().ok()?;
    if let [only] = &conformed[..] {
        // Joining one batch would share its memory.
        conformed.push(only.slice(0, 0));
    }
    concat_batches(&schema, &conformed).ok()
}
