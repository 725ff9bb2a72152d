//! Sends export requests over HTTP, and sends again when the server asks to wait or is away for a moment.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::failure::Failure;

/// How long one request is sent again before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Wait before the next try where the server names none.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends to one endpoint.
pub(crate) struct Sender {
    client: Client<HttpConnector, Full<Bytes>>,
    endpoint: String,
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

impl Sender {
    pub(crate) fn new(endpoint: &str) -> Result<Sender, Failure> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let uri: Option<Uri> = endpoint.parse().ok();
        if uri.is_none_or(|uri| uri.scheme_str() != Some("http") || uri.host().is_none()) {
            let sentence =
                format!("--endpoint is '{endpoint}': write the address of OTLP/HTTP such as http://127.0.0.1:4318");
            return Err(Failure::usage(sentence));
        }
        Ok(Sender { client: Client::builder(TokioExecutor::new()).build_http(), endpoint })
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
    /// The server is away, or asks to wait, for longer than patience lasts.
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
                Err(reason) => (PAUSE, reason),
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

    async fn try_send(&self, path: &str, body: Bytes) -> Result<(StatusCode, Option<u64>, String), String> {
        let request = Request::post(format!("{}{path}", self.endpoint))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        let answer = self.client.request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let retry_after = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body =
            Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|error| error.to_string())?;
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
        assert!(Sender::new("http://127.0.0.1:4318/").is_ok());
        assert!(Sender::new("https://x:4318").is_err());
        assert!(Sender::new("localhost:4318").is_err());
    }
}
