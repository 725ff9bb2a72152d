//! Sends requests over OTLP/HTTP and sends them again as OTLP has it.
//!
//! Sent again are requests without an answer and those answered 429, 502, 503 or 504, always as the same bytes. Other
//! answers are final: the records are counted, and the server's reason is said once a minute.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request as HttpRequest, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use otlp_wire::{Fields, Value as Field};
use serde_json::Value;

use crate::client::{HttpClient, http_client, in_words};
use crate::endpoint::Endpoint;
use crate::limits::SendLimits;
use crate::spool::{Form, Request};
use crate::times::{self, Clock};

/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Longest part of a server's message that is repeated.
const MESSAGE_CHARS_MAX: usize = 300;

/// What an answer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Stored, but for so many records, with the server's reason.
    Taken { rejected: u64, message: String },
    /// Send again, after this long where the server says so.
    Again { wait: Option<Duration>, reason: String },
    /// Never send again.
    Refused { reason: String },
}

/// Sends to one endpoint.
#[derive(Debug)]
pub(crate) struct Sender {
    client: HttpClient,
    endpoint: Endpoint,
    limits: SendLimits,
}

impl Sender {
    pub(crate) fn new(endpoint: Endpoint, limits: SendLimits) -> Sender {
        Sender { client: http_client(&endpoint.tls, limits.timeout), endpoint, limits }
    }

    pub(crate) fn address(&self) -> String {
        self.endpoint.uri.to_string()
    }

    /// One attempt.
    pub(crate) async fn attempt(&self, request: &Request, now: i64) -> Verdict {
        let timeout = self.endpoint.timeout.unwrap_or(self.limits.timeout);
        match tokio::time::timeout(timeout, self.exchange(request)).await {
            Ok(Ok((status, headers, body))) => verdict(status, &headers, &body, request.records, now, &self.limits),
            Ok(Err(reason)) => Verdict::Again { wait: None, reason },
            Err(_) => Verdict::Again { wait: None, reason: format!("no answer within {} ms", timeout.as_millis()) },
        }
    }

    async fn exchange(&self, request: &Request) -> Result<(StatusCode, HeaderMap, Bytes), String> {
        let (uri, content_type) = match request.form {
            Form::Logs => (self.endpoint.uri.clone(), "application/x-protobuf"),
            Form::Native(path) => (self.endpoint.uri_of(path), "application/json"),
        };
        let mut post = HttpRequest::post(uri)
            .header(header::CONTENT_TYPE, content_type)
            .header(header::USER_AGENT, concat!("spyhop/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(request.body.clone()))
            .map_err(|error| error.to_string())?;
        if self.endpoint.gzip {
            post.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        post.headers_mut().extend(self.endpoint.headers.clone());
        let answer = self.client.request(post).await.map_err(|error| in_words(&error))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        // An answer that breaks off behind its head has said what counts.
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Ok((head.status, head.headers, body))
    }

    /// How long to wait before attempt `attempt` (from 1), where the server did not say; `chance` lies in [0, 1).
    pub(crate) fn wait(&self, attempt: u32, asked: Option<Duration>, chance: f64) -> Duration {
        wait(&self.limits, attempt, asked, chance)
    }
}

fn wait(limits: &SendLimits, attempt: u32, asked: Option<Duration>, chance: f64) -> Duration {
    if let Some(asked) = asked {
        return asked.min(limits.retry_after_max);
    }
    let doubled = limits.retry_wait.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(limits.retry_wait_max);
    // Half of it is chance, so that many apps do not come back at once.
    doubled.mul_f64(0.5 + chance / 2.0)
}

fn verdict(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    records: u64,
    now: i64,
    limits: &SendLimits,
) -> Verdict {
    match status.as_u16() {
        200..=299 => {
            let (rejected, message) = partial_success(body);
            Verdict::Taken { rejected: rejected.min(records), message }
        }
        429 | 502 | 503 | 504 => {
            let wait = headers.get(header::RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, now));
            Verdict::Again { wait: wait.map(|wait| wait.min(limits.retry_after_max)), reason: said(status, body) }
        }
        _ => Verdict::Refused { reason: said(status, body) },
    }
}

/// Seconds, or the date until when to wait.
fn retry_after(text: &str, now: i64) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = times::of_text(text, Clock { now, zone: 0 })?;
    Some(Duration::from_nanos(u64::try_from(until.saturating_sub(now)).unwrap_or(0)))
}

/// Records that were rejected, and why, of an `ExportLogsServiceResponse` or any signal's answer in JSON.
fn partial_success(body: &[u8]) -> (u64, String) {
    if let Ok(answer) = serde_json::from_slice::<Value>(body) {
        let partial = &answer["partialSuccess"];
        // A 64-bit number is a text in OTLP/JSON.
        let count = |name| match &partial[name] {
            Value::String(digits) => digits.parse().unwrap_or(0),
            other => other.as_u64().unwrap_or(0),
        };
        let counts: [u64; 3] = ["rejectedLogRecords", "rejectedSpans", "rejectedDataPoints"].map(count);
        return (counts.iter().sum(), shortened(partial["errorMessage"].as_str().unwrap_or_default()));
    }
    let (mut rejected, mut message) = (0, String::new());
    for (number, field) in Fields(body).readable() {
        let (1, Field::Bytes(partial)) = (number, field) else { continue };
        for (number, field) in Fields(partial).readable() {
            match (number, field) {
                (1, Field::Varint(count)) => rejected = i64::try_from(count).unwrap_or(0).max(0) as u64,
                (2, Field::Bytes(text)) => message = shortened(&String::from_utf8_lossy(text)),
                _ => {}
            }
        }
    }
    (rejected, message)
}

/// Status and message of an error: the body is a `google.rpc.Status`, or a text.
fn said(status: StatusCode, body: &[u8]) -> String {
    let in_json =
        serde_json::from_slice::<Value>(body).ok().and_then(|body| Some(body["message"].as_str()?.to_owned()));
    let message = in_json.or_else(|| {
        Fields(body).readable().find_map(|(number, field)| match (number, field) {
            (2, Field::Bytes(text)) => std::str::from_utf8(text).ok().map(str::to_owned),
            _ => None,
        })
    });
    let text =
        message.or_else(|| std::str::from_utf8(body).ok().map(|text| text.trim().to_owned())).unwrap_or_default();
    match text.is_empty() {
        true => status.to_string(),
        false => format!("{status}: {}", shortened(&text)),
    }
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use otlp_wire::{put_bytes, put_message, put_number};

    use super::*;

    const LIMITS: SendLimits = SendLimits {
        spool_bytes_max: 1,
        requests_max: 1,
        timeout: Duration::from_secs(1),
        retry_wait: Duration::from_millis(100),
        retry_wait_max: Duration::from_secs(1),
        retry_after_max: Duration::from_secs(60),
        grace: Duration::from_secs(1),
    };

    #[test]
    fn what_is_sent_again() {
        let check = |status: u16, retry_after: Option<&str>, expect: &str| {
            let mut headers = HeaderMap::new();
            if let Some(text) = retry_after {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_str(text).expect("a header"));
            }
            let status = StatusCode::from_u16(status).expect("a status");
            let found = match verdict(status, &headers, b"", 10, 1_795_289_400_000_000_000, &LIMITS) {
                Verdict::Taken { .. } => "taken".to_owned(),
                Verdict::Again { wait, .. } => format!("again {wait:?}"),
                Verdict::Refused { .. } => "refused".to_owned(),
            };
            assert_eq!(found, expect, "{status}");
        };
        check(200, None, "taken");
        check(202, None, "taken");
        for status in [429, 502, 503, 504] {
            check(status, None, "again None");
            check(status, Some("2"), "again Some(2s)");
        }
        check(503, Some("Sat, 21 Nov 2026 19:30:05 GMT"), "again Some(5s)");
        check(503, Some("Sat, 21 Nov 2026 19:29:00 GMT"), "again Some(0ns)");
        check(503, Some("9999"), "again Some(60s)");
        check(503, Some("soon"), "again None");
        for status in [301, 400, 401, 403, 404, 408, 413, 415, 500] {
            check(status, Some("1"), "refused");
        }
    }

    #[test]
    fn waits_grow_to_a_bound() {
        let check = |attempt, asked, chance, expect: u64| {
            assert_eq!(wait(&LIMITS, attempt, asked, chance), Duration::from_millis(expect), "{attempt}");
        };
        check(1, None, 0.0, 50);
        check(1, None, 1.0, 100);
        check(2, None, 1.0, 200);
        check(5, None, 1.0, 1000);
        check(4000, None, 1.0, 1000);
        check(1, Some(Duration::from_secs(7)), 0.5, 7000);
        check(1, Some(Duration::from_secs(700)), 0.5, 60_000);
    }

    #[test]
    fn answers_are_read() {
        let mut body = Vec::new();
        put_message(&mut body, 1, |out| {
            put_number(out, 1, 3);
            put_bytes(out, 2, b"3 records: too\nlong");
        });
        assert_eq!(partial_success(&body), (3, "3 records: toolong".to_owned()));
        assert_eq!(partial_success(b""), (0, String::new()));
        let json = br#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too long"}}"#;
        assert_eq!(partial_success(json), (3, "too long".to_owned()));
        assert_eq!(partial_success(b"{}"), (0, String::new()));
        assert_eq!(said(StatusCode::NOT_FOUND, br#"{"code":5,"message":"no"}"#), "404 Not Found: no");
        assert_eq!(partial_success(b"\xff\xff"), (0, String::new()));
        let mut status = Vec::new();
        put_number(&mut status, 1, 3);
        put_bytes(&mut status, 2, b"unknown path");
        assert_eq!(said(StatusCode::NOT_FOUND, &status), "404 Not Found: unknown path");
        assert_eq!(said(StatusCode::NOT_FOUND, b"nothing here\n"), "404 Not Found: nothing here");
        assert_eq!(said(StatusCode::NOT_FOUND, b""), "404 Not Found");
    }
}
