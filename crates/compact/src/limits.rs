//! What bounds compaction.

use std::time::Duration;

use journal::LedgerLimits;
use model::{Signal, Table};

/// How long records of each signal are kept, by their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Log records.
    pub logs: Duration,
    /// Spans.
    pub traces: Duration,
    /// Points of every kind, their series and exemplars.
    pub metrics: Duration,
}

impl Keep {
    /// The same for every signal.
    pub fn all(duration: Duration) -> Keep {
        Keep { logs: duration, traces: duration, metrics: duration }
    }

    /// How long rows of this table are kept.
    pub fn of(&self, table: Table) -> Duration {
        match table.signal() {
            Signal::Logs => self.logs,
            Signal::Traces => self.traces,
            Signal::Metrics => self.metrics,
        }
    }

    /// The longest of them.
    pub fn longest(&self) -> Duration {
        self.logs.max(self.traces).max(self.metrics)
    }
}

/// Bounds and waits of the compactor.
#[derive(Debug, Clone)]
pub struct CompactLimits {
    /// Journal bytes one flush takes, unless a single segment has more. Memory is about three times this.
    pub flush_bytes_max: u64,
    /// Segments one flush takes.
    pub flush_segments_max: usize,
    /// How far before its arrival a row may lie; older rows go to the partition of that time.
    pub past: Duration,
    /// How far after its arrival a row may lie; later rows go to the partition of that time.
    pub future: Duration,
    /// How long rows are kept.
    pub keep: Keep,
    /// How long after its end, and after the last flush into it, the small files of an hour are merged.
    pub close_after: Duration,
    /// A file of so many rows or more is final: no merge touches it.
    pub final_rows: u64,
    /// Bytes one merge reads, once they are decoded; at least two files that fit. Memory is about twice this.
    pub merge_bytes_max: u64,
    /// Files one merge reads.
    pub merge_files_max: usize,
    /// Free disk space below which merges wait: it serves catalog, flush and retention.
    pub disk_reserve_bytes: u64,
    /// How long consumed segments and replaced files are kept: longer than the digest window and than any query.
    pub grace: Duration,
    /// How much the ledger tells apart; what query tells apart, too.
    pub ledger: LedgerLimits,
    /// How long the ledger's history is kept.
    pub ledger_keep: Duration,
    /// How often the catalog is asked for work.
    pub poll: Duration,
    /// How often what is past its grace is looked for.
    pub reap_interval: Duration,
    /// How often manifests that nothing needs any more are looked for.
    pub prune_interval: Duration,
    /// How long to wait after a failure before the next try.
    pub retry_after: Duration,
}

impl Default for CompactLimits {
    fn default() -> Self {
        CompactLimits {
            flush_bytes_max: 64 * 1024 * 1024,
            flush_segments_max: 64,
            past: Duration::from_secs(30 * 24 * 3600),
            future: Duration::from_secs(600),
            keep: Keep::all(Duration::from_secs(30 * 24 * 3600)),
            close_after: Duration::from_secs(600),
            final_rows: 128 * 1024,
            merge_bytes_max: 128 * 1024 * 1024,
            merge_files_max: 64,
            disk_reserve_bytes: 256 * 1024 * 1024,
            grace: Duration::from_secs(15 * 60),
            ledger: LedgerLimits::default(),
            ledger_keep: Duration::from_secs(14 * 24 * 3600),
            poll: Duration::from_millis(200),
            reap_interval: Duration::from_secs(60),
            prune_interval: Duration::from_secs(600),
            retry_after: Duration::from_secs(2),
        }
    }
}
