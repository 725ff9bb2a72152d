//! OTLP requests, protobuf and JSON, straight into columns.
//!
//! Vocabulary: a *walker* reads one encoding and knows nothing of columns' layout; a *table* holds the columns
//! of one `model::Table` while they grow; a *head* gathers the numbers of one record until it ends; the *origin*
//! is the resource and scope of the records being read; *notes* say what was wrong without being fatal.
//! [`TenantBuffer`] owns the tables of one tenant, and [`TenantBuffer::freeze`] turns them into Arrow batches.
//!
//! Invariants:
//! - Both walkers call the same table functions, so the same message gives the same rows in either encoding.
//! - A request that cannot be read leaves nothing behind; a bad record costs itself (I10).
//! - No field of OTLP is lost or changed (I11), except: ids of a wrong length (dropped, the record kept, but a
//!   span is rejected), bytes that are no UTF-8 in a text (U+FFFD), values nested deeper than
//!   `model::attributes::DEPTH_MAX` (empty), and what [`DecodeLimits`] cuts. Each is counted or warned of.
//! - Nothing recurses deeper than `DEPTH_MAX`, and nothing grows beyond a multiple of the request's bytes.

mod any_value;
mod attributes;
mod buffer;
mod census;
mod columns;
mod dictionary;
mod envelope;
mod freeze;
mod json;
mod json_any_value;
mod json_fields;
mod json_logs;
mod json_metrics;
mod json_number;
mod json_traces;
mod logs;
mod metrics;
mod notes;
mod origin;
mod pb_logs;
mod pb_metrics;
mod pb_traces;
mod points;
mod promotion;
mod response;
mod sample;
mod sample_shapes;
mod tally;
mod traces;
mod wire;

pub use buffer::{Appended, TenantBuffer};
pub use census::count_records;
pub use notes::{RejectReason, Warning};
pub use response::{response_body, status_body};
pub use tally::{Rejected, ServiceTally};

/// How a request is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `application/x-protobuf`, and gRPC.
    Protobuf,
    /// `application/json`: OTLP's own mapping.
    Json,
}

/// Bounds on what one request may become. What is cut is counted, it never rejects a record or a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Attributes of one record, event, link, exemplar, resource or scope; more are counted as dropped.
    pub attributes_max: u32,
    /// Bytes of one text or bytes value; longer ones are cut.
    pub value_bytes_max: usize,
    /// Records of one request, with the events, links, exemplars and quantiles in them; more refuse the request.
    pub records_max: usize,
    /// Series remembered as written to the current segment; beyond it they are written again.
    pub series_seen_max: usize,
    /// Bytes of the sample of a rejected record; 0 keeps none.
    pub sample_bytes_max: usize,
    /// Samples a second of one service, signal and reason.
    pub samples_per_second_max: u32,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        DecodeLimits {
            attributes_max: 131_072,
            value_bytes_max: 16 << 20,
            records_max: 4_000_000,
            series_seen_max: 1_000_000,
            sample_bytes_max: 1024,
            samples_per_second_max: 3,
        }
    }
}

/// Why a request was not appended, or a buffer not frozen.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The body is not what its content type says; never worth a retry.
    #[error("the body is no valid OTLP request: {what}{}", at.map(|at| format!(" at byte {at}")).unwrap_or_default())]
    Malformed {
        /// What is wrong with it.
        what: &'static str,
        /// Where, in bytes of the body, if known.
        at: Option<usize>,
    },
    /// The body holds more than one request may; never worth a retry.
    #[error("the request is too large: {0}")]
    TooLarge(&'static str),
    /// The buffer holds enough already: freeze it and append again.
    #[error("the buffer is full")]
    BufferFull,
    /// Arrow refused the columns, which is a defect of this crate.
    #[error("columns could not be frozen: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
}

/// Why a walker stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Malformed(&'static str),
    TooManyRecords,
}
