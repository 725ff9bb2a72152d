//! The other doors over HTTP: Loki, Elasticsearch, Zipkin, Prometheus remote write.
//!
//! Each takes the path that OTLP takes: credentials first, the body under the byte budget, inflated, and then,
//! translated by the crate `doors`, handed to `ingest` as an OTLP request. Success is answered once that is durable
//! (I1); a refusal that is to be sent again is 429 or 503 with `Retry-After`, and nothing of it is stored. What is
//! turned away record by record is said in the protocol's own form: per item by Elasticsearch, as 400 with a sentence
//! by the others, whose clients do not send again then, and the rest is stored (I10).
//!
//! A browser's preflight is answered where something is sent, as on OTLP's paths: it shows no credentials, and none are asked.

mod elasticsearch;
mod loki;
mod remote_write;
mod zipkin;

use ::doors::{DoorError, Limits, Translation, TurnedAway};
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use otlp::Encoding;

use super::body::{Received, drain, inflate, read_http, store};
use super::counters::{Outcome, Protocol};
use super::error::EdgeError;
use super::http_edge::{outcome, preflight, refusal_headers};
use super::media::Coding;
use super::{Edge, content_length, tenant_header};

/// What a request asks of which protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Door {
    LokiPush,
    /// What Loki's clients ask for before they push.
    LokiProbe(&'static str),
    /// A bulk request, with the index that the path names.
    Bulk(Option<String>),
    /// What Elasticsearch's clients ask for before they send.
    Probe(::doors::elasticsearch::Probe),
    Zipkin,
    RemoteWrite,
}

/// The path below which Elasticsearch is found too, for clients that share the port with others.
const ELASTICSEARCH: &str = "/elasticsearch";

/// The door of a normalised path; nothing where it is none's.
pub(super) fn door(method: &Method, path: &str) -> Option<Door> {
    match path {
        "/loki/api/v1/push" => return Some(Door::LokiPush),
        "/api/v2/spans" => return Some(Door::Zipkin),
        "/api/v1/write" => return Some(Door::RemoteWrite),
        _ => {}
    }
    if let Some(answer) = loki::probe(method, path) {
        return Some(Door::LokiProbe(answer));
    }
    elasticsearch::door(method, path)
}

impl Door {
    fn protocol(&self) -> Protocol {
        match self {
            Door::LokiPush | Door::LokiProbe(_) => Protocol::Loki,
            Door::Bulk(_) | Door::Probe(_) => Protocol::Elasticsearch,
            Door::Zipkin => Protocol::Zipkin,
            Door::RemoteWrite => Protocol::RemoteWrite,
        }
    }

    /// The methods that send; none where nothing is sent.
    fn methods(&self) -> &'static [Method] {
        match self {
            Door::LokiProbe(_) | Door::Probe(_) => &[],
            Door::Bulk(_) => &[Method::POST, Method::PUT],
            _ => &[Method::POST],
        }
    }
}

/// Answers a request.
pub(super) async fn serve(edge: &Edge, door: Door, request: Request) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    if request.method() == Method::OPTIONS {
        return preflight(edge, door.methods(), origin.as_ref());
    }
    let answered = match &door {
        Door::LokiProbe(body) => return loki::answer_probe(edge, body),
        Door::Probe(probe) => return elasticsearch::answer_probe(edge, probe, request).await,
        _ => sent(edge, &door, request).await,
    };
    match answered {
        Ok(mut answer) => {
            // An answer of 400 here is partial: the rest is stored.
            edge.settings.counters.count(door.protocol(), Outcome::Stored);
            edge.settings.cors.apply(origin.as_ref(), answer.headers_mut());
            answer
        }
        Err(error) => refuse(edge, &door, origin.as_ref(), error),
    }
}

/// Checks what can be refused before a byte of the body is read, then lets the door take it.
async fn sent(edge: &Edge, door: &Door, request: Request) -> Result<Response, EdgeError> {
    let (parts, body) = request.into_parts();
    let mut body = Some(body);
    let checked = match (door.methods().contains(&parts.method), tenant_header(&parts.headers)) {
        (false, _) => Err(EdgeError::Method),
        (true, Some(name)) => {
            Err(EdgeError::Invalid(format!("header {name} is not supported yet: this server has one tenant")))
        }
        (true, None) => Ok(()),
    };
    let answered = match checked {
        Ok(()) => take(edge, door, &parts, &mut body).await,
        Err(error) => Err(error),
    };
    // Who waits for "100 Continue" has sent nothing, and reading would tell it to.
    if answered.is_err()
        && let Some(body) = body.take()
        && !parts.headers.contains_key(header::EXPECT)
    {
        drain(edge, body).await;
    }
    answered
}

async fn take(edge: &Edge, door: &Door, parts: &Parts, body: &mut Option<Body>) -> Result<Response, EdgeError> {
    match door {
        Door::LokiPush => loki::push(edge, parts, body).await,
        Door::Bulk(index) => elasticsearch::bulk(edge, index.clone(), parts, body).await,
        Door::Zipkin => zipkin::spans(edge, parts, body).await,
        Door::RemoteWrite => remote_write::write(edge, parts, body).await,
        // Answered before.
        Door::LokiProbe(_) | Door::Probe(_) => Err(EdgeError::NotFound),
    }
}

/// Refuses a request in the form of its protocol.
pub(super) fn refuse(edge: &Edge, door: &Door, origin: Option<&HeaderValue>, error: EdgeError) -> Response {
    edge.settings.counters.count(door.protocol(), outcome(&error));
    let mut answer = match door.protocol() {
        Protocol::Elasticsearch => elasticsearch::refusal(&error),
        _ => text(error.http_status(), &error.to_string()),
    };
    refusal_headers(&error, door.methods(), answer.headers_mut());
    edge.settings.cors.apply(origin, answer.headers_mut());
    answer
}

/// An answer that is a sentence.
fn text(status: StatusCode, sentence: &str) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, format!("{sentence}\n")).into_response()
}

/// Reads and inflates a body; taking it out of its place says that nothing is left to be drained.
async fn receive(edge: &Edge, parts: &Parts, body: &mut Option<Body>, coding: Coding) -> Result<Received, EdgeError> {
    let body = body.take().unwrap_or_default();
    // As much from the start as a small request needs for its translation too: more than the start is not to be had
    // where large uploads stall.
    let start = SMALL_BYTES.min(edge.settings.request_bytes_max as u64);
    let received = read_http(edge, body, content_length(&parts.headers).map(|length| length.max(start))).await?;
    let received = inflate(edge, coding, received).await?;
    edge.settings.counters.count_bytes(received.wire_bytes, received.bytes.len());
    Ok(received)
}

/// Bodies from this size on are translated on a blocking thread.
const INLINE_TRANSLATE_BYTES_MAX: usize = 256 * 1024;
/// First guess of how much longer OTLP is than what it is translated from.
const GROWTH_GUESS: usize = 2;
/// Least bytes that a translation is given.
const REQUEST_BYTES_MIN: usize = 16 * 1024;
/// Bytes of the byte budget that every request has from the start.
const SMALL_BYTES: u64 = 64 * 1024;

/// Translates a body; the budget covers what comes out before it does. What is longer than guessed is translated again
/// with more room, as bodies are inflated.
async fn translate<T, F>(edge: &Edge, received: &mut Received, translate: F) -> Result<T, EdgeError>
where
    T: Send + 'static,
    F: Fn(&[u8], &Limits) -> Result<T, DoorError> + Clone + Send + 'static,
{
    let bytes_max = edge.settings.request_bytes_max;
    let length = received.bytes.len();
    let mut allowed = length.saturating_mul(GROWTH_GUESS).max(REQUEST_BYTES_MIN).min(bytes_max.max(1));
    loop {
        // Twice: records are gathered first, and copied into the request then.
        received.cover(length + 2 * allowed).await?;
        let limits = Limits { request_bytes_max: allowed, ..Limits::default() };
        let translated = if length < INLINE_TRANSLATE_BYTES_MAX {
            translate(&received.bytes, &limits)
        } else {
            let (bytes, translate) = (received.bytes.clone(), translate.clone());
            let task = tokio::task::spawn_blocking(move || translate(&bytes, &limits));
            task.await.map_err(|_| EdgeError::Invalid("the body could not be read".to_owned()))?
        };
        match translated {
            Ok(translated) => return Ok(translated),
            Err(DoorError::Full) if allowed < bytes_max => allowed = allowed.saturating_mul(4).min(bytes_max),
            Err(error @ (DoorError::Full | DoorError::TooLarge(_))) => {
                return Err(EdgeError::TooLarge(error.to_string()));
            }
            Err(error @ DoorError::Malformed(_)) => return Err(EdgeError::Invalid(error.to_string())),
        }
    }
}

/// Makes a translation durable; what was turned away is counted in the ledger with it.
async fn make_durable(edge: &Edge, translation: &mut Translation, mut received: Received) -> Result<(), EdgeError> {
    received.bytes = std::mem::take(&mut translation.request).into();
    let turned_away = ledger(&translation.turned_away);
    let is_empty = translation.records == 0;
    match store(edge, translation.signal, Encoding::Protobuf, received, turned_away).await {
        Ok(body) => {
            if !body.is_empty() {
                tracing::debug!(answer = %String::from_utf8_lossy(&body), "a translated request was stored with remarks");
            }
            Ok(())
        }
        // Of a request without a record that can be stored the ledger knows now; the door says why.
        Err(EdgeError::Rejected(_)) if is_empty => Ok(()),
        Err(error) => Err(error),
    }
}

fn ledger(turned_away: &TurnedAway) -> Vec<(&'static str, u32)> {
    turned_away.by_reason().map(|(reason, count)| (reason.name(), count)).collect()
}

/// What a door without answers per record says of a translation that is stored: nothing, or 400 and a sentence.
fn outcome_of(translation: &Translation, noun: &str, success: StatusCode) -> Response {
    match translation.turned_away.count() {
        0 => success.into_response(),
        count => {
            let of = translation.records.saturating_add(count);
            text(StatusCode::BAD_REQUEST, &translation.turned_away.sentence(noun, of))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_their_doors() {
        let check = |method: Method, path: &str, expect: Option<&str>| {
            let found = door(&method, path).map(|door| format!("{door:?}"));
            let starts = found.as_deref().unwrap_or_default().starts_with(expect.unwrap_or_default());
            assert!(found.is_some() == expect.is_some() && starts, "{method} {path}: {found:?}");
        };
        check(Method::POST, "/loki/api/v1/push", Some("LokiPush"));
        check(Method::GET, "/loki/api/v1/push", Some("LokiPush"));
        check(Method::GET, "/ready", Some("LokiProbe"));
        check(Method::POST, "/ready", None);
        check(Method::GET, "/loki/api/v1/status/buildinfo", Some("LokiProbe"));
        check(Method::POST, "/_bulk", Some("Bulk(None)"));
        check(Method::POST, "/logs-a.b/_bulk", Some("Bulk(Some(\"logs-a.b\"))"));
        check(Method::PUT, "/elasticsearch/_bulk", Some("Bulk(None)"));
        check(Method::PUT, "/elasticsearch/a/_bulk", Some("Bulk(Some(\"a\"))"));
        check(Method::GET, "", Some("Probe"));
        check(Method::POST, "", None);
        check(Method::HEAD, "/elasticsearch", Some("Probe"));
        check(Method::GET, "/elasticsearch/_license", Some("Probe"));
        check(Method::GET, "/a/b/_bulk", None);
        check(Method::POST, "/a/_search", None);
        check(Method::POST, "/api/v2/spans", Some("Zipkin"));
        check(Method::POST, "/api/v1/write", Some("RemoteWrite"));
        check(Method::POST, "/v1/logs", None);
    }
}
