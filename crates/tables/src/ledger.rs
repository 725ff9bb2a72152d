//! The ledger of one tenant: the catalog's history of it, and on top what the receipts of live segments say.
//!
//! Both are read at one catalog number, so that every receipt is counted once (I2), and of live segments everything
//! acknowledged before the question is there (I5). Of a segment that is appended to, only what is new is read; what is
//! known of segments is kept between questions, up to [`BYTES_MAX`].

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catalog::{Segment, SegmentState};
use journal::{Damage, End, HourLedgers, Ledger, LedgerLimits, SegmentReader};
use model::{Hour, SegmentId, SequenceNumber, TenantId};

use crate::engine::Engine;
use crate::error::TablesError;
use crate::scan::Deadline;

/// Bytes of what is known of segments.
const BYTES_MAX: usize = 32 << 20;

/// What a reading of the ledger was of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRead {
    /// The catalog number.
    pub sequence: SequenceNumber,
    /// Since when the ledger counts, Unix nanoseconds.
    pub since: i64,
    /// Whether nothing can have arrived before.
    pub is_whole: bool,
    /// Hours that the history had something of.
    pub hours: u64,
    /// Bytes of it.
    pub bytes: u64,
    /// Why something may be missing.
    pub incomplete_because: Vec<String>,
}

/// What is known of one segment's receipts.
#[derive(Default)]
struct SegmentLedger {
    reader: Option<SegmentReader>,
    /// Where the next commit would begin.
    offset: u64,
    /// Sealed, and read as such.
    is_complete: bool,
    hours: HourLedgers,
    damage: Vec<String>,
}

/// What is known of live segments' receipts.
pub(crate) struct LedgerCache {
    folder: PathBuf,
    limits: LedgerLimits,
    segments: Mutex<HashMap<SegmentId, Arc<Mutex<SegmentLedger>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LedgerCache {
    pub(crate) fn new(folder: PathBuf, limits: LedgerLimits) -> LedgerCache {
        LedgerCache { folder, limits, segments: Mutex::default() }
    }

    /// What the receipts of these segments say of a tenant, by hour; and what of them cannot be read. Blocks.
    fn read(
        &self,
        tenant: &TenantId,
        listed: &[Segment],
        deadline: &Deadline,
    ) -> Result<(BTreeMap<Hour, Ledger>, Vec<String>), TablesError> {
        let mut hours: BTreeMap<Hour, Ledger> = BTreeMap::new();
        let mut damage = Vec::new();
        let mut bytes = 0;
        for (segment, entry) in self.entries(listed) {
            deadline.check()?;
            let mut entry = lock(&entry);
            entry.read_on(&self.folder, segment, &self.limits)?;
            damage.extend(entry.damage.iter().cloned());
            for ((owner, hour), ledger) in &entry.hours.0 {
                bytes += ledger.bytes();
                if owner == tenant {
                    hours.entry(*hour).or_default().merge(ledger, &self.limits);
                }
            }
            if bytes > BYTES_MAX {
                *entry = SegmentLedger::default();
            }
        }
        Ok((hours, damage))
    }

    /// The entries of the listed segments in number order; those of others are dropped.
    fn entries<'a>(&self, listed: &'a [Segment]) -> Vec<(&'a Segment, Arc<Mutex<SegmentLedger>>)> {
        let mut segments = lock(&self.segments);
        let newest = listed.iter().map(|segment| segment.id).max();
        // A question pinned to an older number must not drop what newer ones have read.
        segments.retain(|id, _| Some(*id) > newest || listed.iter().any(|segment| segment.id == *id));
        listed.iter().map(|segment| (segment, Arc::clone(segments.entry(segment.id).or_default()))).collect()
    }
}

impl SegmentLedger {
    fn read_on(
        &mut self,
        folder: &std::path::Path,
        segment: &Segment,
        limits: &LedgerLimits,
    ) -> Result<(), TablesError> {
        if self.is_complete {
            return Ok(());
        }
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => {
                let reader = SegmentReader::open(&journal::segment_path(folder, segment.id))?;
                (self.offset, self.hours) = (reader.start(), HourLedgers::default());
                reader
            }
        };
        if segment.state == SegmentState::Sealed {
            let (hours, damage) = HourLedgers::of_sealed(&reader, segment.length, limits)?;
            let damage = damage.iter().map(words).collect();
            *self = SegmentLedger { hours, damage, is_complete: true, ..SegmentLedger::default() };
            return Ok(());
        }
        let mut commits = reader.read_from(self.offset, End::Live)?;
        for commit in commits.by_ref() {
            let commit = commit?;
            self.hours.add(commit.arrival_unix_nano(), &commit.receipts(), limits);
            self.offset = commit.end();
        }
        self.offset = commits.offset();
        self.damage.extend(commits.damage().iter().map(words));
        self.reader = Some(reader);
        Ok(())
    }
}

fn words(damage: &Damage) -> String {
    format!("journal segment {} is damaged from byte {} to {}", damage.segment, damage.start, damage.end)
}

impl Engine {
    /// Gives the ledger of each hour, from one to another and both inside, in which something of the tenant arrived, in
    /// order. It reads files between its steps: run it on a thread that may block.
    ///
    /// # Errors
    /// [`TablesError::Missing`] where a segment is gone: ask again. [`TablesError::Stopped`]; the catalog's and the
    /// system's errors.
    pub async fn ledger(
        &self,
        tenant: &TenantId,
        (first, last): (Hour, Hour),
        deadline: &Deadline,
        mut found: impl FnMut(Hour, &Ledger),
    ) -> Result<LedgerRead, TablesError> {
        let cache = &self.inner.ledger;
        let mut history = self.inner.catalog.ledger(tenant, first, last).await?;
        let (mut live, incomplete_because) = cache.read(tenant, &history.segments, deadline)?;
        live.retain(|hour, _| (first..=last).contains(hour));
        let (sequence, since, is_whole) = (history.sequence, history.since, history.is_whole);
        let mut read = LedgerRead { sequence, since, is_whole, hours: 0, bytes: 0, incomplete_because };
        loop {
            deadline.check()?;
            let page = history.next().await?;
            if page.is_empty() {
                break;
            }
            for (hour, content) in page {
                (read.hours, read.bytes) = (read.hours + 1, read.bytes + content.len() as u64);
                let mut ledger = Ledger::parse(hour, &content).unwrap_or_else(|| {
                    read.incomplete_because.push(format!("what is kept of the hour {} cannot be read", hour.0));
                    Ledger::default()
                });
                while let Some(earlier) = live.first_entry().filter(|entry| *entry.key() < hour) {
                    let (hour, ledger) = earlier.remove_entry();
                    found(hour, &ledger);
                }
                if let Some(more) = live.remove(&hour) {
                    ledger.merge(&more, &cache.limits);
                }
                found(hour, &ledger);
            }
        }
        live.iter().for_each(|(hour, ledger)| found(*hour, ledger));
        Ok(read)
    }
}
