//! Every bound of the crate, with its default.

use std::time::Duration;

/// Bounds on lines and on the records they are put together to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineLimits {
    /// Bytes of a line; a longer one becomes several records, each marked with its place.
    pub line_bytes_max: usize,
    /// Lines of one record; a stack trace that goes on begins another.
    pub group_lines_max: usize,
    /// Bytes of one record that is put together from lines.
    pub group_bytes_max: usize,
    /// Silence after which a record that might go on is taken as complete.
    pub group_idle: Duration,
}

impl Default for LineLimits {
    fn default() -> Self {
        LineLimits {
            line_bytes_max: 256 << 10,
            group_lines_max: 1_000,
            group_bytes_max: 256 << 10,
            group_idle: Duration::from_millis(500),
        }
    }
}

/// Bounds on one export request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Records of a request.
    pub records_max: usize,
    /// Bytes of a request before compression; one record may go beyond.
    pub bytes_max: usize,
    /// Age of the oldest record at which the request is sent, however small.
    pub age_max: Duration,
}

impl Default for BatchLimits {
    fn default() -> Self {
        BatchLimits { records_max: 2_048, bytes_max: 1 << 20, age_max: Duration::from_secs(1) }
    }
}

/// Bounds on sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendLimits {
    /// Bytes of requests that wait or are on their way, as they go over the wire.
    pub spool_bytes_max: usize,
    /// Requests on their way at once.
    pub requests_max: usize,
    /// Longest wait for the answer to one attempt.
    pub timeout: Duration,
    /// First wait before a request is sent again; it grows with every attempt, up to `retry_wait_max`.
    pub retry_wait: Duration,
    /// Longest wait before a request is sent again where the server names none.
    pub retry_wait_max: Duration,
    /// Longest wait that is granted to a server that names one.
    pub retry_after_max: Duration,
    /// Time that what is left has to be sent once the input has ended.
    pub grace: Duration,
}

impl Default for SendLimits {
    fn default() -> Self {
        SendLimits {
            spool_bytes_max: 64 << 20,
            requests_max: 4,
            timeout: Duration::from_secs(10),
            retry_wait: Duration::from_millis(250),
            retry_wait_max: Duration::from_secs(5),
            retry_after_max: Duration::from_secs(60),
            grace: Duration::from_secs(5),
        }
    }
}
