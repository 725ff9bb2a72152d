//! What bounds compaction.

use std::time::Duration;

/// Bounds and waits of the compactor.
#[derive(Debug, Clone)]
pub struct CompactLimits {
    /// Journal bytes one flush takes, unless a single segment has more. Memory is about three times this.
    pub flush_bytes_max: u64,
    /// Segments one flush takes.
    pub flush_segments_max: usize,
    /// How far before its arrival a row may lie; older rows go to the partition of that time.
    pub retention: Duration,
    /// How far after its arrival a row may lie; later rows go to the partition of that time.
    pub future: Duration,
    /// How long consumed segments and replaced files are kept: longer than the digest window and than any query.
    pub grace: Duration,
    /// How often the catalog is asked for work.
    pub poll: Duration,
    /// How often what is past its grace is looked for.
    pub reap_interval: Duration,
    /// How long to wait after a failure before the next try.
    pub retry_after: Duration,
}

impl Default for CompactLimits {
    fn default() -> Self {
        CompactLimits {
            flush_bytes_max: 64 * 1024 * 1024,
            flush_segments_max: 64,
            retention: Duration::from_secs(30 * 24 * 3600),
            future: Duration::from_secs(600),
            grace: Duration::from_secs(15 * 60),
            poll: Duration::from_millis(200),
            reap_interval: Duration::from_secs(60),
            retry_after: Duration::from_secs(2),
        }
    }
}
