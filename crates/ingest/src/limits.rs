//! Bounds of ingest.

use std::time::Duration;

use otlp::DecodeLimits;

use crate::rates::RateLimits;

/// Bounds of ingest (I7). Beyond each of them there is a refusal that clients understand.
#[derive(Debug, Clone)]
pub struct IngestLimits {
    /// Longest body of a request, inflated.
    pub request_bytes_max: usize,
    /// Bytes of all requests in flight, as they came and inflated, from the first byte to the answer.
    pub inflight_bytes_max: usize,
    /// How long a request waits for room before it is refused.
    pub admission_wait: Duration,
    /// After how long a refused client is to send again.
    pub retry_after: Duration,
    /// How much a tenant and a service may send a second.
    pub rates: RateLimits,
    /// Requests waiting for a commit.
    pub queue_requests_max: usize,
    /// Requests of one commit.
    pub commit_requests_max: usize,
    /// A commit takes no more requests once their bodies are longer than this.
    pub commit_body_bytes_max: usize,
    /// Bytes of segments not flushed to files yet; beyond it exports are refused until compact has caught up.
    pub journal_bytes_max: u64,
    /// Bytes of disk kept free for catalog, flush and retention; below it exports are refused.
    pub disk_reserve_bytes: u64,
    /// How often the catalog is asked for requests to flush.
    pub poll_interval: Duration,
    /// Bounds of what one request may become.
    pub decode: DecodeLimits,
}

impl Default for IngestLimits {
    fn default() -> IngestLimits {
        IngestLimits {
            request_bytes_max: 64 * 1024 * 1024,
            inflight_bytes_max: 256 * 1024 * 1024,
            admission_wait: Duration::from_secs(5),
            retry_after: Duration::from_secs(2),
            rates: RateLimits::default(),
            queue_requests_max: 4096,
            commit_requests_max: 1024,
            commit_body_bytes_max: 8 * 1024 * 1024,
            journal_bytes_max: 4 * 1024 * 1024 * 1024,
            disk_reserve_bytes: 256 * 1024 * 1024,
            poll_interval: Duration::from_millis(250),
            decode: DecodeLimits::default(),
        }
    }
}
