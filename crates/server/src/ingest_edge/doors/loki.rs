//! Loki's push and the few questions that its clients ask before it.

use ::doors::loki::{self, Encoding};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Method, StatusCode, header};

use super::{make_durable, outcome_of, receive, text, translate};
use crate::ingest_edge::Edge;
use crate::ingest_edge::error::EdgeError;
use crate::ingest_edge::media::{self, Coding};

const BUILD_INFO: &str =
    r#"{"version":"3.5.0","revision":"spyhop","branch":"","buildUser":"","buildDate":"","goVersion":""}"#;

const READY: &str = "ready\n";

/// What a client is told before it pushes.
pub(super) fn probe(method: &Method, path: &str) -> Option<&'static str> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match path {
        "/loki/api/v1/status/buildinfo" if reads => Some(BUILD_INFO),
        "/ready" | "/loki/ready" if reads => Some(READY),
        _ => None,
    }
}

pub(super) fn answer_probe(edge: &Edge, body: &'static str) -> Response {
    if body == READY && !edge.ingest.ready() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "not ready: pushes are refused");
    }
    let content_type = if body.starts_with('{') { "application/json" } else { "text/plain" };
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// A push: JSON where its content type says so, else protobuf in snappy, whatever it says of its coding.
pub(super) async fn push(edge: &Edge, parts: &Parts, body: &mut Option<Body>) -> Result<Response, EdgeError> {
    let coding = media::coding(parts.headers.get(header::CONTENT_ENCODING)).map_err(EdgeError::Coding)?;
    let (encoding, coding) = match media::media(&parts.headers).map(|media| media.encoding) {
        Some(otlp::Encoding::Json) => (Encoding::Json, coding),
        None if parts.headers.contains_key(header::CONTENT_TYPE) => return Err(EdgeError::MediaType),
        _ => (Encoding::Protobuf, if coding == Coding::Identity { Coding::Named("snappy") } else { coding }),
    };
    let mut received = receive(edge, parts, body, coding).await?;
    let mut translation =
        translate(edge, &mut received, move |body, limits| loki::translate(encoding, body, limits)).await?;
    make_durable(edge, &mut translation, received).await?;
    Ok(outcome_of(&translation, "entries", StatusCode::NO_CONTENT))
}
