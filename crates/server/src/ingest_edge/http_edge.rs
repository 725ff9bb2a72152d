//! OTLP over HTTP: `POST /v1/{traces,logs,metrics}`, protobuf and JSON.

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use model::Signal;

use super::body::{drain, export, inflate, read_http};
use super::counters::{Outcome, Protocol};
use super::error::EdgeError;
use super::media::{self, CODINGS, Media};
use super::{Edge, content_length, empty, normalised, tenant_header};

/// The method that sends OTLP.
const METHODS: &[Method] = &[Method::POST];

/// Answers a request on a normalised path; everything that is no OTLP path gets a 404 that names the valid ones.
pub(super) async fn serve(edge: &Edge, path: &str, request: Request) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let media = media::media(request.headers());
    let signal = signal_of(path);
    if signal.is_some() && request.method() == Method::OPTIONS {
        return preflight(edge, METHODS, origin.as_ref());
    }
    let mut answer = match exported(edge, signal, media, request).await {
        Ok(body) => {
            edge.settings.counters.count(Protocol::Http, Outcome::Stored);
            response(StatusCode::OK, media.unwrap_or(media::JSON), body)
        }
        Err(error) => {
            edge.settings.counters.count(Protocol::Http, outcome(&error));
            edge.settings.counters.count_refusal(signal, &error);
            refusal(&error, media.unwrap_or(media::JSON))
        }
    };
    edge.settings.cors.apply(origin.as_ref(), answer.headers_mut());
    answer
}

/// The signal that is received at a normalised path.
fn signal_of(path: &str) -> Option<Signal> {
    Signal::ALL.into_iter().find(|signal| path.strip_prefix("/v1/") == Some(signal.name()))
}

async fn exported(
    edge: &Edge,
    signal: Option<Signal>,
    media: Option<Media>,
    request: Request,
) -> Result<Bytes, EdgeError> {
    let (parts, body) = request.into_parts();
    let checked = check(signal, media, &parts.method, &parts.headers);
    let (signal, media, coding) = match checked {
        Ok(checked) => checked,
        Err(error) => {
            // Who waits for "100 Continue" has sent nothing, and reading would tell it to.
            if !parts.headers.contains_key(header::EXPECT) {
                drain(edge, body).await;
            }
            return Err(error);
        }
    };
    let received = read_http(edge, body, content_length(&parts.headers)).await?;
    let received = inflate(edge, coding, received).await?;
    export(edge, signal, media.encoding, received).await
}

/// Everything that can be refused before a byte of the body is read.
fn check(
    signal: Option<Signal>,
    media: Option<Media>,
    method: &Method,
    headers: &HeaderMap,
) -> Result<(Signal, Media, media::Coding), EdgeError> {
    let signal = signal.ok_or(EdgeError::NotFound)?;
    if method != Method::POST {
        return Err(EdgeError::Method);
    }
    if let Some(name) = tenant_header(headers) {
        return Err(EdgeError::Invalid(format!("header {name} is not supported yet: this server has one tenant")));
    }
    let media = media.ok_or(EdgeError::MediaType)?;
    let coding = media::coding(headers.get(header::CONTENT_ENCODING)).map_err(EdgeError::Coding)?;
    Ok((signal, media, coding))
}

fn response(status: StatusCode, media: Media, body: Bytes) -> Response {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media.content_type));
    answer
}

fn refusal(error: &EdgeError, media: Media) -> Response {
    let body = otlp::status_body(media.encoding, error.grpc_code(), &error.to_string());
    let mut answer = response(error.http_status(), media, body.into());
    refusal_headers(error, METHODS, answer.headers_mut());
    answer
}

/// Adds to an answer what its error says in headers; `methods` are those that send on its path.
pub(super) fn refusal_headers(error: &EdgeError, methods: &[Method], headers: &mut HeaderMap) {
    if let Some(seconds) = error.retry_after_seconds() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    match error {
        EdgeError::Method => allow(methods, headers),
        EdgeError::Coding(_) => drop(headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(CODINGS))),
        EdgeError::TooLarge(_) | EdgeError::Stalled | EdgeError::Slow(_) => close(headers),
        EdgeError::Denied(denied) => {
            denied.challenge(headers);
            close(headers);
        }
        _ => {}
    }
}

/// Says that the connection ends here: the rest of the request is not read.
fn close(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
}

/// Refuses a request before a byte of its body is read.
pub(super) fn refuse(edge: &Edge, request: &Request, error: EdgeError) -> Response {
    let signal = signal_of(&normalised(request.uri().path(), &edge.settings.path_prefix));
    edge.settings.counters.count(Protocol::Http, outcome(&error));
    edge.settings.counters.count_refusal(signal, &error);
    let mut answer = refusal(&error, media::media(request.headers()).unwrap_or(media::JSON));
    edge.settings.cors.apply(request.headers().get(header::ORIGIN), answer.headers_mut());
    answer
}

/// Answers an OPTIONS request on a path where these methods send.
pub(super) fn preflight(edge: &Edge, methods: &[Method], origin: Option<&HeaderValue>) -> Response {
    let mut answer = Response::new(empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    allow(methods, answer.headers_mut());
    if let Ok(methods) = HeaderValue::from_str(&listed(methods)) {
        edge.settings.cors.apply_preflight(origin, methods, answer.headers_mut());
    }
    answer
}

/// Says what a path takes: the methods that send, and a browser's question whether it may.
fn allow(methods: &[Method], headers: &mut HeaderMap) {
    if let Ok(value) = HeaderValue::from_str(&format!("{}, OPTIONS", listed(methods))) {
        headers.insert(header::ALLOW, value);
    }
}

fn listed(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}

pub(super) fn outcome(error: &EdgeError) -> Outcome {
    match error {
        EdgeError::TooLarge(_) => Outcome::TooLarge,
        EdgeError::Denied(_) => Outcome::Denied,
        error if error.retry_after_seconds().is_some() => Outcome::Refused,
        _ => Outcome::Invalid,
    }
}
