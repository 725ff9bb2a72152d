//! What the compactor tells about itself, for its status file.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// How compaction stands. Times are Unix nanoseconds, counters count since the start of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompactStatus {
    /// Lease epoch of this compactor; 0 until it holds the lease.
    pub lease_epoch: u64,
    /// Sealed segments that wait for a flush.
    pub segments_waiting: u64,
    /// Their bytes.
    pub bytes_waiting: u64,
    /// When the last flush was committed.
    pub last_flush_unix_nano: Option<i64>,
    /// Flushes committed.
    pub flushes: u64,
    /// Rows they wrote.
    pub rows_flushed: u64,
    /// Bytes of Parquet they wrote.
    pub bytes_written: u64,
    /// Wall time they took, in microseconds.
    pub flush_micros: u64,
    /// Merges committed.
    pub merges: u64,
    /// Files they read.
    pub files_merged: u64,
    /// Rows they wrote.
    pub rows_merged: u64,
    /// Bytes of Parquet they wrote.
    pub bytes_merged: u64,
    /// Wall time they took, in microseconds.
    pub merge_micros: u64,
    /// Hours of a tenant that are over and whose small files are not merged yet.
    pub hours_waiting: u64,
    /// Whether merges wait because the disk is nearly full.
    pub merges_held: bool,
    /// Files removed by retention.
    pub files_expired: u64,
    /// Rows in them.
    pub rows_expired: u64,
    /// Whether retention deletes nothing because the clock jumped.
    pub retention_held: bool,
    /// Segments and files deleted after their grace.
    pub reaped: u64,
    /// Damaged segments, out of the live set, their files kept: number and what is wrong.
    pub quarantined: Vec<(String, String)>,
    /// Live segments that cannot be read now: number and why. They are tried again.
    pub blocked: Vec<(String, String)>,
    /// Parquet files that the catalog does not know; they are left alone.
    pub strange_files: Vec<String>,
    /// What went wrong last, until something goes right.
    pub last_error: Option<String>,
}

/// Shows the status of a running compactor. Clones show the same.
#[derive(Debug, Clone, Default)]
pub struct StatusHandle(Arc<Mutex<CompactStatus>>);

impl StatusHandle {
    /// How it stands now.
    pub fn read(&self) -> CompactStatus {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut CompactStatus)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
