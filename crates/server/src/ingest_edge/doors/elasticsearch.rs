//! Elasticsearch: bulk requests, and the questions that its clients ask before them.

use std::time::Instant;

use ::doors::elasticsearch::{self, Probe};
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, Method, StatusCode, header};
use ingest::Admission;

use super::{Door, ELASTICSEARCH, make_durable, receive, translate};
use crate::ingest_edge::Edge;
use crate::ingest_edge::body::drain;
use crate::ingest_edge::error::EdgeError;
use crate::ingest_edge::media;

/// Clients send nothing to a server that does not show this.
const PRODUCT: (HeaderName, &str) = (HeaderName::from_static("x-elastic-product"), "Elasticsearch");

/// The door of a path; both at the root and below a prefix.
pub(super) fn door(method: &Method, path: &str) -> Option<Door> {
    let path = match path.strip_prefix(ELASTICSEARCH) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
        _ => path,
    };
    match path.strip_suffix("/_bulk") {
        Some("") => return Some(Door::Bulk(None)),
        Some(index) => {
            let index = index.strip_prefix('/').filter(|index| !index.contains('/'))?;
            return Some(Door::Bulk(Some(index.to_owned())));
        }
        None => {}
    }
    elasticsearch::probe(method.as_str(), path).map(Door::Probe)
}

pub(super) async fn answer_probe(edge: &Edge, probe: &Probe, request: Request) -> Response {
    // Templates and policies have a body, which nobody keeps.
    drain(edge, request.into_body()).await;
    json(StatusCode::from_u16(probe.status).unwrap_or_default(), probe.body)
}

fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json"), PRODUCT], body.into()).into_response()
}

/// A refusal of a whole request.
pub(super) fn refusal(error: &EdgeError) -> Response {
    let status = error.http_status();
    let kind = match status {
        StatusCode::TOO_MANY_REQUESTS => "es_rejected_execution_exception",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable_shards_exception",
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "security_exception",
        StatusCode::BAD_REQUEST => "illegal_argument_exception",
        _ => "exception",
    };
    json(status, elasticsearch::error_answer(status.as_u16(), kind, &error.to_string()))
}

/// A bulk request: whatever its content type is called, its lines are JSON.
pub(super) async fn bulk(
    edge: &Edge,
    index: Option<String>,
    parts: &Parts,
    body: &mut Option<Body>,
) -> Result<Response, EdgeError> {
    let began = Instant::now();
    let coding = media::coding(parts.headers.get(header::CONTENT_ENCODING)).map_err(EdgeError::Coding)?;
    let mut received = receive(edge, parts, body, coding).await?;
    let read = move |body: &[u8], limits: &_| elasticsearch::translate(index.as_deref(), body, limits);
    let mut bulk = translate(edge, &mut received, read).await?;
    let answer = elasticsearch::bulk_answer(&bulk, began.elapsed().as_millis());
    bulk.items = Vec::new();
    // Before anything is stored: afterwards the answer must be given, whatever room there is.
    let room = match answer.len() {
        0..ANSWER_BYTES_FREE => None,
        length => Some(edge.ingest.admit(length).await?),
    };
    make_durable(edge, &mut bulk.translation, received).await?;
    Ok(json(StatusCode::OK, Bytes::from_owner(Answer { bytes: answer, _room: room })))
}

/// Bytes of an answer that are not counted; those of the head of a request are not either.
const ANSWER_BYTES_FREE: usize = 16 * 1024;

/// An answer, which may be longer than what it answers, and its room in the byte budget until it is written.
struct Answer {
    bytes: Vec<u8>,
    _room: Option<Admission>,
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
