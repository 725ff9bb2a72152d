//! Errors of the query edge as RFC 9457 problems.

use std::time::Duration;

use api::Problem;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use query::QueryError;

use crate::credentials::Denied;

/// An error on its way to a client.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    status: StatusCode,
    detail: String,
    position: Option<usize>,
    retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Refusal {
        Refusal { status, detail: detail.into(), position: None, retry_after: None }
    }

    /// The request is wrong and stays wrong.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, detail)
    }

    #[cfg(test)]
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }
}

/// A request without credentials that may ask.
pub(super) fn denied(denied: Denied) -> Refusal {
    let status = if denied.is_unauthenticated() { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
    Refusal::new(status, denied.to_string())
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Invalid { message, position } => Refusal { position, ..Refusal::bad_request(message) },
            QueryError::TooLarge { message } => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message),
            QueryError::Timeout => Refusal::new(
                StatusCode::GATEWAY_TIMEOUT,
                "the query ran out of time: narrow its time range or filter more",
            ),
            QueryError::Busy { retry_after } => Refusal {
                retry_after: Some(retry_after),
                ..Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many queries are running: ask again in a moment")
            },
            QueryError::TailsBusy { streams_max, retry_after } => Refusal {
                retry_after: Some(retry_after),
                ..Refusal::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!(
                        "{streams_max} live tails are open, as many as may be: close one, try again later, or raise \
                         SPYHOP_QUERY_TAIL_STREAMS_MAX"
                    ),
                )
            },
            QueryError::Internal(reason) => {
                tracing::error!(%reason, "a query failed");
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the query failed inside the server; its log says why")
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            position: self.position,
        };
        let mut answer = Response::new(serde_json::to_vec(&problem).unwrap_or_default().into());
        *answer.status_mut() = self.status;
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs_f64().ceil().max(1.0) as u64));
        }
        answer
    }
}
