//! The live tail: log records as they are stored, in the order they were acknowledged.
//!
//! Vocabulary: a *stream* is one listener; the *feed* is what all streams of a tenant share: it reads the journal once,
//! keeps the latest pieces, and lives as long as somebody listens. A stream that is *behind* the pieces kept reads the
//! journal by itself until it is not. To *replay* is to give a stream that comes back what it has missed.
//!
//! Invariants: a stream gives each matching record once, in the order of the journal, whatever moves to files
//! meanwhile, and a new stream goes on from any place an earlier one has named. What is left out because it comes too
//! fast is counted. Memory is bounded by the pieces kept and one reading a stream (I7); a stream does nothing while
//! nobody takes from it, and nothing runs while there is no stream.

mod feed;
mod last;
mod select;
mod stream;

use std::time::Duration;

pub use stream::{LogTailStream, TailStep};

pub(crate) use feed::Feeds;
pub(crate) use last::last;
pub(crate) use stream::{Beginning, Listener};

/// Bounds of the live tail.
#[derive(Debug, Clone)]
pub struct TailLimits {
    /// Streams open at once.
    pub streams_max: usize,
    /// Records a second and stream; a burst may be as large.
    pub records_per_second_max: usize,
    /// Records that a stream which comes back is given before it is held to the rate.
    pub replay_records_max: usize,
    /// Records from before its start that a stream may ask for.
    pub last_records_max: usize,
    /// Bytes of the latest pieces, kept for all streams of a tenant together.
    pub feed_bytes_max: usize,
    /// Time between two events of a stream.
    pub event_interval: Duration,
    /// Silence after which a stream shows that it lives.
    pub heartbeat_interval: Duration,
}

impl Default for TailLimits {
    fn default() -> TailLimits {
        TailLimits {
            streams_max: 64,
            records_per_second_max: 500,
            replay_records_max: 10_000,
            last_records_max: 1_000,
            feed_bytes_max: 32 << 20,
            event_interval: Duration::from_millis(100),
            heartbeat_interval: Duration::from_secs(15),
        }
    }
}

/// A question for records to come.
#[derive(Debug, Clone, Default)]
pub struct LogTail {
    /// In the filter language.
    pub query: String,
    /// How many matching records from before to begin with.
    pub last: usize,
    /// Where to go on: the place an earlier stream's event had. Then `last` does not count.
    pub from: Option<String>,
}
