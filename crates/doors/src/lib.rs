//! Other doors: bodies of foreign protocols in, one OTLP request out.
//!
//! Vocabulary: a *door* is a protocol that is not OTLP; a *foreign body* is what its client sent, inflated; an
//! *envelope* gathers records under their resource and scope; a *translation* is one OTLP protobuf request and what
//! was *turned away*: records that the body held and that cannot be stored, each with its reason.
//!
//! ```text
//! loki | elasticsearch | zipkin | remote_write | syslog ─▶ drafts ─▶ envelope ─▶ OTLP bytes ─▶ the path of OTLP
//! ```
//!
//! Invariants:
//! - Pure: bytes in, bytes out, no clock, no memory of earlier bodies. The same body gives the same request, so that a
//!   body that is sent again is recognised as OTLP is. Syslog is the exception: it has no answer and so no resends, and
//!   every record gets the moment it was received.
//! - A record without a time of its own stays without one.
//! - A bad record costs itself (I10). What is stored is what the `otlp` crate accepts, so that all that is turned away is
//!   known here and can be said in the protocol's own answer.
//! - Bounded (I7): no tree of the body is built; what is written is bounded by [`Limits`], and nothing recurses deeper
//!   than `serde_json` does, 128 levels.
//! - No value is lost (I11): what has no place in OTLP becomes an attribute under its own name.

mod any_value;
#[cfg(test)]
mod bad_input;
pub mod elasticsearch;
mod envelope;
mod error;
mod ids;
pub mod loki;
pub mod remote_write;
mod severity;
pub mod syslog;
mod turned_away;
pub mod zipkin;

pub use error::DoorError;
pub use turned_away::{Reason, TurnedAway};

use model::Signal;

/// Bounds on a translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that the OTLP request may have; more is [`DoorError::Full`].
    pub request_bytes_max: usize,
    /// Items of one bulk request, each of which is answered for; more is [`DoorError::TooLarge`].
    pub items_max: usize,
    /// Bytes of one document, and fields in it; a larger one is turned away.
    pub document_bytes_max: usize,
    /// See above.
    pub document_fields_max: usize,
    /// Buckets of one native histogram, empty ones between filled ones included; a larger one is turned away.
    pub buckets_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            request_bytes_max: 64 << 20,
            items_max: 50_000,
            document_bytes_max: 16 << 20,
            document_fields_max: 10_000,
            buckets_max: 16_384,
        }
    }
}

/// What a foreign body has become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// Which signal it is.
    pub signal: Signal,
    /// An OTLP export request in protobuf.
    pub request: Vec<u8>,
    /// Records in it.
    pub records: u32,
    /// Records of the body that are not in it.
    pub turned_away: TurnedAway,
}
