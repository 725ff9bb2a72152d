//! OTLP over gRPC: the unary `Export` of the three services, framed here (`docs/adr/0001-grpc-framing.md`).
//!
//! A call is one HTTP/2 request whose body is one length-prefixed message. An answer is the same with the status in
//! trailers; an error is headers alone ("trailers-only"). Refusals that a client should retry carry `RetryInfo`
//! twice: in `grpc-status-details-bin`, where the standard has it, and in `google.rpc.retryinfo-bin`, the only place
//! where the Python exporter looks.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use base64::Engine;
// Without padding, as gRPC writes binary metadata.
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use http_body_util::{BodyExt, Full};
use model::Signal;
use otlp::Encoding;

use super::body::{Received, export, inflate, read_grpc};
use super::counters::{Outcome, Protocol};
use super::error::EdgeError;
use super::http_edge::outcome;
use super::media::{self, CODINGS, Coding};
use super::{Edge, tenant_header};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const RETRY_INFO: HeaderName = HeaderName::from_static("google.rpc.retryinfo-bin");

/// Answers a request whose content type says gRPC.
pub(super) async fn serve(edge: &Edge, request: Request) -> Response {
    if request.version() != Version::HTTP_2 {
        let mut answer = Response::new(Body::from("gRPC needs HTTP/2\n"));
        *answer.status_mut() = StatusCode::HTTP_VERSION_NOT_SUPPORTED;
        return answer;
    }
    let deadline = timeout(request.headers());
    let is_counted = request.uri().path() != HEALTH;
    let signal = signal_of(&request);
    let called = match deadline {
        Some(deadline) => {
            let called = tokio::time::timeout(deadline, call(edge, request)).await;
            called.unwrap_or(Err(EdgeError::Deadline))
        }
        None => call(edge, request).await,
    };
    if is_counted {
        let outcome = called.as_ref().map_or_else(outcome, |_| Outcome::Stored);
        edge.settings.counters.count(Protocol::Grpc, outcome);
        if let Err(error) = &called {
            edge.settings.counters.count_refusal(signal, error);
        }
    }
    called.map_or_else(|error| failure(&error), |message| success(&message))
}

/// Refuses a call before a byte of its message is read.
pub(super) fn refuse(edge: &Edge, request: &Request, error: EdgeError) -> Response {
    edge.settings.counters.count(Protocol::Grpc, outcome(&error));
    edge.settings.counters.count_refusal(signal_of(request), &error);
    failure(&error)
}

/// The method of gRPC's own health service that load balancers and probes call.
pub(super) const HEALTH: &str = "/grpc.health.v1.Health/Check";

async fn call(edge: &Edge, request: Request) -> Result<Bytes, EdgeError> {
    let called = check(&request)?;
    let message = read_message(edge, request).await?;
    match called {
        Called::Export(signal) => export(edge, signal, Encoding::Protobuf, message).await,
        Called::Health => health(edge, &message.bytes),
    }
}

/// The one message of a call, inflated.
async fn read_message(edge: &Edge, request: Request) -> Result<Received, EdgeError> {
    let headers = request.headers();
    let coding = media::coding(headers.get(GRPC_ENCODING)).map_err(EdgeError::Coding)?;
    let message = read_grpc(edge, request.into_body()).await?;
    let coding = match (message.compressed, coding) {
        (false, _) => Coding::Identity,
        (true, Coding::Identity) => {
            return Err(EdgeError::Framing("the message is flagged compressed but grpc-encoding names no coding"));
        }
        (true, named) => named,
    };
    inflate(edge, coding, message.received).await
}

/// `HealthCheckResponse { status }` to `HealthCheckRequest { service }`: SERVING (1) while exports are taken in,
/// NOT_SERVING (2) otherwise. The empty name means the whole server.
fn health(edge: &Edge, request: &[u8]) -> Result<Bytes, EdgeError> {
    let service = match request {
        [] => "",
        [0x0a, length, name @ ..] if name.len() == usize::from(*length) => str::from_utf8(name).unwrap_or("?"),
        _ => "?",
    };
    let is_known = |signal: &str| service == format!("opentelemetry.proto.collector.{signal}");
    if !service.is_empty() && !EXPORT_SERVICES.into_iter().any(|(name, _)| is_known(name)) {
        return Err(EdgeError::UnknownService);
    }
    Ok(Bytes::from_static(if edge.ingest.ready() { &[0x08, 1] } else { &[0x08, 2] }))
}

/// What a call asks for.
enum Called {
    Export(Signal),
    Health,
}

/// What is called, where it can be taken at all.
fn check(request: &Request) -> Result<Called, EdgeError> {
    let format = media::grpc_format(request.headers()).unwrap_or_default();
    if !(format.is_empty() || format.eq_ignore_ascii_case("proto")) {
        return Err(EdgeError::Unimplemented("messages must be protobuf".to_owned()));
    }
    if request.method() != Method::POST {
        return Err(EdgeError::Unimplemented("a call is a POST".to_owned()));
    }
    if let Some(name) = tenant_header(request.headers()) {
        return Err(EdgeError::Invalid(format!("metadata {name} is not supported yet: this server has one tenant")));
    }
    method(request.uri().path()).ok_or_else(|| {
        let path: String = request.uri().path().chars().take(120).collect();
        EdgeError::Unimplemented(format!("{path} is not served here; OTLP traces, metrics and logs are"))
    })
}

/// Services with an `Export`, behind `opentelemetry.proto.collector.`.
const EXPORT_SERVICES: [(&str, Signal); 3] = [
    ("trace.v1.TraceService", Signal::Traces),
    ("logs.v1.LogsService", Signal::Logs),
    ("metrics.v1.MetricsService", Signal::Metrics),
];

fn method(path: &str) -> Option<Called> {
    if path == HEALTH {
        return Some(Called::Health);
    }
    let service = path.strip_prefix("/opentelemetry.proto.collector.")?.strip_suffix("/Export")?;
    EXPORT_SERVICES.into_iter().find(|(name, _)| *name == service).map(|(_, signal)| Called::Export(signal))
}

/// The signal of the service that is called.
fn signal_of(request: &Request) -> Option<Signal> {
    match method(request.uri().path()) {
        Some(Called::Export(signal)) => Some(signal),
        _ => None,
    }
}

/// The `grpc-timeout` of a call: up to eight digits and a unit.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

fn success(message: &[u8]) -> Response {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.extend_from_slice(message);
    let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
    let body = Full::new(frame.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut answer = Response::new(Body::new(body));
    common_headers(answer.headers_mut());
    answer
}

fn failure(error: &EdgeError) -> Response {
    let mut answer = Response::new(Body::empty());
    let headers = answer.headers_mut();
    common_headers(headers);
    let message = error.to_string();
    headers.insert(GRPC_STATUS, HeaderValue::from(error.grpc_code()));
    if let Ok(text) = HeaderValue::from_str(&percent_encoded(&message)) {
        headers.insert(GRPC_MESSAGE, text);
    }
    let retry_info = error.retry_after_seconds().map(retry_info);
    let details = status_details(error.grpc_code(), &message, retry_info.as_deref());
    if let Ok(value) = HeaderValue::from_str(&STANDARD_NO_PAD.encode(&details)) {
        headers.insert(GRPC_STATUS_DETAILS, value);
    }
    if let Some(Ok(value)) = retry_info.map(|info| HeaderValue::from_str(&STANDARD_NO_PAD.encode(&info))) {
        headers.insert(RETRY_INFO, value);
    }
    answer
}

fn common_headers(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static(CODINGS));
}

/// `google.rpc.RetryInfo { retry_delay: { seconds } }`.
fn retry_info(seconds: u64) -> Vec<u8> {
    let mut delay = vec![0x08];
    put_varint(&mut delay, seconds);
    let mut info = Vec::new();
    put_field(&mut info, 1, &delay);
    info
}

/// `google.rpc.Status { code, message, details }`.
fn status_details(code: i32, message: &str, retry_info: Option<&[u8]>) -> Vec<u8> {
    let mut status = vec![0x08];
    put_varint(&mut status, code as u64);
    put_field(&mut status, 2, message.as_bytes());
    if let Some(info) = retry_info {
        let mut any = Vec::new();
        put_field(&mut any, 1, b"type.googleapis.com/google.rpc.RetryInfo");
        put_field(&mut any, 2, info);
        put_field(&mut status, 3, &any);
    }
    status
}

fn put_field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Text as `grpc-message` has it: printable ASCII but `%`, the rest percent-encoded.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_info_is_byte_exact() {
        assert_eq!(retry_info(2), [0x0a, 0x02, 0x08, 0x02]);
        assert_eq!(status_details(3, "x", None), [0x08, 0x03, 0x12, 0x01, 0x78]);
        let details = status_details(14, "x", Some(&retry_info(2)));
        assert_eq!(details[..6], [0x08, 0x0e, 0x12, 0x01, 0x78, 0x1a]);
        assert!(details.ends_with(&[0x12, 0x04, 0x0a, 0x02, 0x08, 0x02]));
    }

    #[test]
    fn messages_are_percent_encoded() {
        assert_eq!(percent_encoded("50% of größe\n"), "50%25 of gr%C3%B6%C3%9Fe%0A");
    }

    #[test]
    fn timeouts() {
        let check = |text: &'static str, expect: Option<Duration>| {
            let headers =
                HeaderMap::from_iter([(HeaderName::from_static("grpc-timeout"), HeaderValue::from_static(text))]);
            assert_eq!(timeout(&headers), expect, "{text}");
        };
        check("10S", Some(Duration::from_secs(10)));
        check("1m", Some(Duration::from_millis(1)));
        check("99999999H", Some(Duration::from_secs(99_999_999 * 3600)));
        check("999999999S", None);
        check("S", None);
        check("5", None);
        check("-5S", None);
    }
}
