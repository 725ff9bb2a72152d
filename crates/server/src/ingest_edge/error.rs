//! What can go wrong with an export, and how each protocol says so.
//!
//! The two tables here decide whether a client sends again: over HTTP only 429, 502, 503 and 504 are retried, over
//! gRPC `UNAVAILABLE`, and `RESOURCE_EXHAUSTED` where it carries `RetryInfo`. Messages are for a developer who reads a
//! client's log: no paths, no internals.

use std::time::Duration;

use http::StatusCode;
use ingest::{ExportError, Refusal};

use super::counters::Reason;
use crate::credentials::Denied;

/// gRPC status codes used here.
pub(super) mod code {
    pub(in crate::ingest_edge) const INVALID_ARGUMENT: i32 = 3;
    pub(in crate::ingest_edge) const DEADLINE_EXCEEDED: i32 = 4;
    pub(in crate::ingest_edge) const NOT_FOUND: i32 = 5;
    pub(in crate::ingest_edge) const PERMISSION_DENIED: i32 = 7;
    pub(in crate::ingest_edge) const RESOURCE_EXHAUSTED: i32 = 8;
    pub(in crate::ingest_edge) const UNIMPLEMENTED: i32 = 12;
    pub(in crate::ingest_edge) const INTERNAL: i32 = 13;
    pub(in crate::ingest_edge) const UNAVAILABLE: i32 = 14;
    pub(in crate::ingest_edge) const UNAUTHENTICATED: i32 = 16;
}

/// Why an export was not stored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum EdgeError {
    #[error("this server takes in as much as it can hold; send again later")]
    Overloaded { retry_after: Duration },
    #[error("{}", .reason.message())]
    Unavailable { retry_after: Duration, reason: Refusal },
    #[error("{message}")]
    OverRate { retry_after: Duration, message: String },
    #[error("{0}")]
    Denied(#[from] Denied),
    #[error("{0}")]
    Invalid(String),
    /// Every record was rejected; the ledger counts them.
    #[error("{0}")]
    Rejected(String),
    #[error("{0}")]
    TooLarge(String),
    #[error("content type must be application/x-protobuf or application/json")]
    MediaType,
    #[error("content type must be {0}")]
    OtherMediaType(&'static str),
    #[error("coding '{0}' is not understood; use one of gzip, zstd, deflate, snappy, identity")]
    Coding(String),
    #[error("the body took longer than {} s to arrive", .0.as_secs())]
    Slow(Duration),
    #[error("the body stopped arriving")]
    Stalled,
    #[error("the call's deadline has passed")]
    Deadline,
    #[error("{0}")]
    Framing(&'static str),
    #[error("{0}")]
    Unimplemented(String),
    #[error("nothing here: OTLP is received at POST /v1/traces, /v1/metrics and /v1/logs")]
    NotFound,
    #[error("method not allowed: use POST")]
    Method,
    #[error("no service of this name; OTLP's three are served")]
    UnknownService,
}

impl EdgeError {
    /// The HTTP status of the answer.
    pub(super) fn http_status(&self) -> StatusCode {
        match self {
            EdgeError::Overloaded { .. } | EdgeError::OverRate { .. } => StatusCode::TOO_MANY_REQUESTS,
            EdgeError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            EdgeError::Invalid(_) | EdgeError::Rejected(_) | EdgeError::Framing(_) => StatusCode::BAD_REQUEST,
            EdgeError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            EdgeError::MediaType | EdgeError::OtherMediaType(_) | EdgeError::Coding(_) => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            EdgeError::Stalled | EdgeError::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            EdgeError::Denied(denied) if denied.is_unauthenticated() => StatusCode::UNAUTHORIZED,
            EdgeError::Denied(_) => StatusCode::FORBIDDEN,
            EdgeError::Deadline => StatusCode::GATEWAY_TIMEOUT,
            EdgeError::NotFound | EdgeError::Unimplemented(_) | EdgeError::UnknownService => StatusCode::NOT_FOUND,
            EdgeError::Method => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// The gRPC status of the answer; also the code in a Status body over HTTP.
    pub(super) fn grpc_code(&self) -> i32 {
        match self {
            EdgeError::Overloaded { .. } | EdgeError::Unavailable { .. } => code::UNAVAILABLE,
            EdgeError::Invalid(_) | EdgeError::Rejected(_) | EdgeError::MediaType | EdgeError::OtherMediaType(_) => {
                code::INVALID_ARGUMENT
            }
            EdgeError::TooLarge(_) | EdgeError::OverRate { .. } => code::RESOURCE_EXHAUSTED,
            EdgeError::Denied(denied) if denied.is_unauthenticated() => code::UNAUTHENTICATED,
            EdgeError::Denied(_) => code::PERMISSION_DENIED,
            EdgeError::Stalled | EdgeError::Slow(_) | EdgeError::Deadline => code::DEADLINE_EXCEEDED,
            EdgeError::Framing(_) => code::INTERNAL,
            EdgeError::UnknownService => code::NOT_FOUND,
            EdgeError::Coding(_) | EdgeError::Unimplemented(_) | EdgeError::NotFound | EdgeError::Method => {
                code::UNIMPLEMENTED
            }
        }
    }

    /// The name it is counted under.
    pub(super) fn reason(&self) -> Reason {
        match self {
            EdgeError::Overloaded { .. } => Reason::Overloaded,
            EdgeError::Unavailable { reason, .. } => match reason {
                Refusal::Overloaded => Reason::Overloaded,
                Refusal::OverRate => Reason::OverRate,
                Refusal::Backlog => Reason::Backlog,
                Refusal::DiskReserve => Reason::DiskReserve,
                Refusal::Journal => Reason::Journal,
                Refusal::Stopping => Reason::Stopping,
            },
            EdgeError::OverRate { .. } => Reason::OverRate,
            EdgeError::Denied(denied) if denied.is_unauthenticated() => Reason::Unauthenticated,
            EdgeError::Denied(_) => Reason::Forbidden,
            EdgeError::Invalid(_) | EdgeError::Framing(_) => Reason::Malformed,
            EdgeError::Rejected(_) => Reason::EveryRecordRejected,
            EdgeError::TooLarge(_) => Reason::TooLarge,
            EdgeError::MediaType | EdgeError::OtherMediaType(_) | EdgeError::Coding(_) => Reason::UnsupportedMediaType,
            EdgeError::Slow(_) | EdgeError::Stalled => Reason::TooSlow,
            EdgeError::Deadline => Reason::DeadlinePassed,
            EdgeError::Unimplemented(_) | EdgeError::NotFound | EdgeError::UnknownService => Reason::NotThere,
            EdgeError::Method => Reason::Method,
        }
    }

    /// When to send again, in whole seconds from 1, where sending again is right.
    pub(super) fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            EdgeError::Overloaded { retry_after }
            | EdgeError::Unavailable { retry_after, .. }
            | EdgeError::OverRate { retry_after, .. } => Some(retry_after.as_secs_f64().ceil().max(1.0) as u64),
            _ => None,
        }
    }
}

impl From<ExportError> for EdgeError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Overloaded { retry_after } => EdgeError::Overloaded { retry_after },
            ExportError::Unavailable { retry_after, reason } => EdgeError::Unavailable { retry_after, reason },
            ExportError::OverRate { retry_after, message } => EdgeError::OverRate { retry_after, message },
            ExportError::Invalid { message } => EdgeError::Invalid(message),
            ExportError::Rejected { message } => EdgeError::Rejected(message),
            ExportError::TooLarge { message } => EdgeError::TooLarge(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_send_again_exactly_where_they_should() {
        let check = |error: EdgeError, http: u16, grpc: i32, retry: Option<u64>| {
            assert_eq!(error.http_status().as_u16(), http, "{error:?}");
            assert_eq!(error.grpc_code(), grpc, "{error:?}");
            assert_eq!(error.retry_after_seconds(), retry, "{error:?}");
            let retryable_http = matches!(http, 429 | 502 | 503 | 504);
            let retryable_grpc = grpc == code::UNAVAILABLE
                || (grpc == code::RESOURCE_EXHAUSTED && retry.is_some())
                || error == EdgeError::Deadline;
            assert_eq!(retryable_http, retryable_grpc, "{error:?}");
        };
        let half = Duration::from_millis(500);
        check(EdgeError::Overloaded { retry_after: half }, 429, 14, Some(1));
        let reason = Refusal::DiskReserve;
        check(EdgeError::Unavailable { retry_after: Duration::from_millis(1200), reason }, 503, 14, Some(2));
        check(EdgeError::Invalid("x".to_owned()), 400, 3, None);
        check(EdgeError::Rejected("x".to_owned()), 400, 3, None);
        check(EdgeError::TooLarge("x".to_owned()), 413, 8, None);
        check(EdgeError::MediaType, 415, 3, None);
        check(EdgeError::OtherMediaType("application/json"), 415, 3, None);
        check(EdgeError::Coding("br".to_owned()), 415, 12, None);
        check(EdgeError::Stalled, 408, 4, None);
        check(EdgeError::Slow(Duration::from_secs(60)), 408, 4, None);
        check(EdgeError::OverRate { retry_after: half, message: "x".to_owned() }, 429, 8, Some(1));
        check(EdgeError::Denied(Denied::Missing), 401, 16, None);
        check(EdgeError::Denied(Denied::Unknown), 401, 16, None);
        check(EdgeError::Denied(Denied::MayNotSend), 403, 7, None);
        check(EdgeError::Deadline, 504, 4, None);
        check(EdgeError::Framing("x"), 400, 13, None);
        check(EdgeError::NotFound, 404, 12, None);
        check(EdgeError::Method, 405, 12, None);
    }
}
