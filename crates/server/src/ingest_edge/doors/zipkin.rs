//! Zipkin's spans.

use ::doors::zipkin;
use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{StatusCode, header};

use super::{make_durable, outcome_of, receive, translate};
use crate::ingest_edge::Edge;
use crate::ingest_edge::error::EdgeError;
use crate::ingest_edge::media;

pub(super) async fn spans(edge: &Edge, parts: &Parts, body: &mut Option<Body>) -> Result<Response, EdgeError> {
    let is_json = media::media(&parts.headers).is_some_and(|media| media.encoding == otlp::Encoding::Json);
    if parts.headers.contains_key(header::CONTENT_TYPE) && !is_json {
        return Err(EdgeError::OtherMediaType("application/json: spans are taken as Zipkin's version 2 in JSON"));
    }
    let coding = media::coding(parts.headers.get(header::CONTENT_ENCODING)).map_err(EdgeError::Coding)?;
    let mut received = receive(edge, parts, body, coding).await?;
    let mut translation = translate(edge, &mut received, zipkin::translate).await?;
    make_durable(edge, &mut translation, received).await?;
    Ok(outcome_of(&translation, "spans", StatusCode::ACCEPTED))
}
