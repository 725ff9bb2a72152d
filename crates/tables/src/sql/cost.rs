//! What a SQL question has read, counted by its tables and readers.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters shared by the tables of one session.
#[derive(Debug, Default)]
pub struct SqlCost {
    pub(crate) bytes: AtomicU64,
    pub(crate) files_total: AtomicU64,
    pub(crate) files_scanned: AtomicU64,
    pub(crate) files_pruned_by_time: AtomicU64,
    pub(crate) journal_rows: AtomicU64,
}

impl SqlCost {
    pub(crate) fn count(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }

    /// The cost so far; rows are for the caller to add, from the plan's metrics.
    pub fn to_cost(&self) -> crate::Cost {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        crate::Cost {
            bytes_scanned: read(&self.bytes),
            files_total: read(&self.files_total),
            files_scanned: read(&self.files_scanned),
            files_pruned_by_time: read(&self.files_pruned_by_time),
            journal_rows: read(&self.journal_rows),
            ..crate::Cost::default()
        }
    }
}
