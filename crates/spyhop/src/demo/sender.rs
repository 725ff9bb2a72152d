//! Sends export requests over HTTP, and sends again when the server asks to wait or is away for a moment. Credentials
//! come from `OTEL_EXPORTER_OTLP_HEADERS`, as for every OTLP exporter: `authorization=Bearer%20token`. Client and TLS
//! are those of `stdout`.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use stdout::{HttpClient, Tls};

use crate::failure::Failure;
use crate::tls_arguments::TlsArguments;

/// Variable of the environment that holds headers to send.
const HEADERS_VARIABLE: &str = "OTEL_EXPORTER_OTLP_HEADERS";
/// How long one request is sent again before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Wait before the next try where the server names none.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest wait for a connection, and for an answer.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// See above; a server that is busy may take its time.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends to one endpoint.
pub(crate) struct Sender {
    client: HttpClient,
    endpoint: String,
    headers: HeaderMap,
}

/// What became of a request in the end.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// Stored; the answer's body.
    Taken(String),
    /// Refused for good; status and words.
    Refused(String),
}

/// What an answer asks for.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Taken,
    Again(Duration),
    Refused,
}

/// Why there is no answer.
enum Trouble {
    /// It may be over in a moment.
    Passing(String),
    /// It lasts until somebody changes something.
    Lasting(String),
}

impl Trouble {
    fn of(error: &(dyn std::error::Error + 'static)) -> Trouble {
        match stdout::tls_reason(error) {
            Some(reason) => Trouble::Lasting(reason),
            None => Trouble::Passing(stdout::in_words(error)),
        }
    }
}

impl Sender {
    pub(crate) fn new(endpoint: &str, tls: &TlsArguments) -> Result<Sender, Failure> {
        let text = std::env::var(HEADERS_VARIABLE).unwrap_or_default();
        let headers = stdout::headers(HEADERS_VARIABLE, &text).map_err(|error| Failure::usage(error.to_string()))?;
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let uri: Option<Uri> = endpoint.parse().ok();
        if uri.is_none_or(|uri| !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none()) {
            let sentence =
                format!("--endpoint is '{endpoint}': write the address of OTLP/HTTP such as http://127.0.0.1:4318");
            return Err(Failure::usage(sentence));
        }
        let tls = Tls::resolve(&endpoint, &tls.flags(), "", &|name| std::env::var(name).ok());
        let tls = tls.map_err(|error| Failure::usage(error.to_string()))?;
        Ok(Sender { client: stdout::http_client(&tls, CONNECT_MAX), endpoint, headers })
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends one request until it is taken.
    pub(super) async fn send(&self, path: &str, body: Vec<u8>) -> Result<(), Failure> {
        match self.deliver(path, body).await? {
            Delivery::Taken(_) => Ok(()),
            Delivery::Refused(said) => {
                Err(Failure::new(format!("{}{path} refused the shop's telemetry: {said}", self.endpoint)))
            }
        }
    }

    /// Sends one request until it is taken or refused.
    ///
    /// # Errors
    /// The server is away, or asks to wait, for longer than patience lasts; or there is no TLS with it.
    pub(crate) async fn deliver(&self, path: &str, body: Vec<u8>) -> Result<Delivery, Failure> {
        let body = Bytes::from(body);
        let begun = tokio::time::Instant::now();
        loop {
            let (wait, said) = match self.try_send(path, body.clone()).await {
                Ok((status, retry_after, text)) => match verdict(status, retry_after) {
                    Verdict::Taken => return Ok(Delivery::Taken(text)),
                    Verdict::Refused => return Ok(Delivery::Refused(format!("{status} {text}"))),
                    Verdict::Again(wait) => (wait, format!("{status} {text}")),
                },
                Err(Trouble::Passing(reason)) => (PAUSE, reason),
                Err(Trouble::Lasting(reason)) => {
                    return Err(Failure::new(format!("nothing can be sent to {}: {reason}", self.endpoint)));
                }
            };
            if begun.elapsed() >= PATIENCE {
                return Err(Failure::new(format!(
                    "{} took nothing for a minute ({said}): is 'spyhop serve' running?",
                    self.endpoint
                )));
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn try_send(&self, path: &str, body: Bytes) -> Result<(StatusCode, Option<u64>, String), Trouble> {
        let exchange = tokio::time::timeout(ANSWER_MAX, self.exchange(path, body)).await;
        exchange.unwrap_or_else(|_| Err(Trouble::Passing(format!("no answer within {} s", ANSWER_MAX.as_secs()))))
    }

    async fn exchange(&self, path: &str, body: Bytes) -> Result<(StatusCode, Option<u64>, String), Trouble> {
        let mut request = Request::post(format!("{}{path}", self.endpoint))
            .body(Full::new(body))
            .map_err(|error| Trouble::Lasting(error.to_string()))?;
        request.headers_mut().extend(self.headers.clone());
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = self.client.request(request).await.map_err(|error| Trouble::of(&error))?;
        let status = answer.status();
        let retry_after = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| Trouble::Passing(error.to_string()))?;
        let text = String::from_utf8_lossy(&body.to_bytes()).chars().take(300).collect();
        Ok((status, retry_after, text))
    }
}

/// Only these statuses are sent again, as OTLP has it.
fn verdict(status: StatusCode, retry_after_seconds: Option<u64>) -> Verdict {
    match status.as_u16() {
        200..=299 => Verdict::Taken,
        429 | 502 | 503 | 504 => {
            Verdict::Again(retry_after_seconds.map_or(PAUSE, Duration::from_secs).min(Duration::from_secs(30)))
        }
        _ => Verdict::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_again() {
        let check = |status: u16, retry_after, expect| {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(verdict(status, retry_after), expect, "{status}");
        };
        check(200, None, Verdict::Taken);
        check(429, Some(2), Verdict::Again(Duration::from_secs(2)));
        check(503, None, Verdict::Again(PAUSE));
        check(503, Some(9999), Verdict::Again(Duration::from_secs(30)));
        check(400, None, Verdict::Refused);
        check(500, Some(1), Verdict::Refused);
    }

    #[test]
    fn endpoints() {
        let check = |endpoint: &str, expect: bool| {
            assert_eq!(Sender::new(endpoint, &TlsArguments::default()).is_ok(), expect, "{endpoint}");
        };
        check("http://127.0.0.1:4318/", true);
        check("localhost:4318", false);
        check("ftp://x", false);
        check("https://", false);
    }
}
