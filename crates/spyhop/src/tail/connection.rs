//! The request for a live tail, and the events of its answer.

use std::collections::VecDeque;
use std::time::Duration;

use api::{Problem, paths};
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::events::{EventReader, ServerEvent};
use crate::failure::Failure;

/// How long the server may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(40);
/// Silence after which the server counts as gone; it says something every 15 s unless it is set up otherwise.
const SILENCE_MAX: Duration = Duration::from_secs(90);
/// Longest refusal that is read.
const PROBLEM_BYTES_MAX: usize = 64 * 1024;

/// Why there is no event.
#[derive(Debug)]
pub(super) enum Lost {
    /// The server is not there, or asks to come later.
    Away(String),
    /// The question is wrong, and stays wrong.
    Refused(String),
}

/// What is asked for, and how far it has come.
pub(super) struct Source {
    client: Client<HttpConnector, Empty<Bytes>>,
    endpoint: String,
    query: String,
    last: u32,
    place: Option<String>,
}

impl Source {
    pub(super) fn new(endpoint: &str, query: &str, last: u32) -> Result<Source, Failure> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let uri: Option<Uri> = endpoint.parse().ok();
        if uri.is_none_or(|uri| uri.scheme_str() != Some("http") || uri.host().is_none()) {
            return Err(Failure::usage(format!(
                "--endpoint is '{endpoint}': write the address of the API such as http://127.0.0.1:4319"
            )));
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(Duration::from_secs(10)));
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Source { client, endpoint, query: query.to_owned(), last, place: None })
    }

    /// Remembers what has been printed.
    pub(super) fn go_on_from(&mut self, place: Option<String>) {
        self.place = place.or(self.place.take());
    }

    fn uri(&self) -> String {
        let mut uri = format!("{}{}?query={}", self.endpoint, paths::LOGS_TAIL, percent_encoded(&self.query));
        if self.last > 0 {
            uri.push_str(&format!("&last={}", self.last));
        }
        uri
    }
}

/// An answer that goes on.
pub(super) struct Connection {
    body: Incoming,
    reader: EventReader,
    ready: VecDeque<ServerEvent>,
}

impl Connection {
    pub(super) async fn open(source: &Source) -> Result<Connection, Lost> {
        let mut request = Request::get(source.uri()).header(header::ACCEPT, "text/event-stream");
        if let Some(place) = &source.place {
            request = request.header("last-event-id", place);
        }
        let request = request.body(Empty::new()).map_err(|error| Lost::Refused(error.to_string()))?;
        let endpoint = &source.endpoint;
        let away =
            |reason: &str| Lost::Away(format!("{endpoint} does not answer ({reason}): is 'spyhop serve' running?"));
        let answer = tokio::time::timeout(ANSWER_MAX, source.client.request(request)).await;
        let answer = answer.map_err(|_| away("in time"))?.map_err(|error| away(&root_cause(&error)))?;
        let status = answer.status();
        if status != StatusCode::OK {
            let body = Limited::new(answer.into_body(), PROBLEM_BYTES_MAX).collect().await;
            let body = body.map(|body| body.to_bytes()).unwrap_or_default();
            let detail = serde_json::from_slice::<Problem>(&body).map(|problem| problem.detail).unwrap_or_default();
            let sentence = format!("{endpoint} refused the live tail ({}): {detail}", status.as_u16());
            return Err(match status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
                true => Lost::Away(sentence),
                false => Lost::Refused(sentence),
            });
        }
        Ok(Connection { body: answer.into_body(), reader: EventReader::default(), ready: VecDeque::new() })
    }

    /// The next event.
    pub(super) async fn next(&mut self) -> Result<ServerEvent, Lost> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            let lost = |reason: &str| Lost::Away(format!("the connection is lost ({reason})"));
            let frame = tokio::time::timeout(SILENCE_MAX, self.body.frame()).await;
            let frame = frame.map_err(|_| lost("the server is silent"))?.ok_or_else(|| lost("the server ended it"))?;
            let frame = frame.map_err(|error| lost(&root_cause(&error)))?;
            if let Some(bytes) = frame.data_ref() {
                let events = self.reader.add(bytes);
                self.ready.extend(events.map_err(|_| Lost::Refused("an event is longer than any of ours".into()))?);
            }
        }
    }
}

/// The innermost reason, which names what happened.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_endpoints() {
        let mut source =
            Source::new("http://127.0.0.1:4319/", "service:a b&é", 0).map_err(|f| f.sentence).expect("valid");
        assert_eq!(source.uri(), "http://127.0.0.1:4319/api/v1/logs/tail?query=service%3Aa%20b%26%C3%A9");
        source.last = 7;
        assert!(source.uri().ends_with("&last=7"));
        source.go_on_from(Some("1.2.3".into()));
        source.go_on_from(None);
        assert_eq!(source.place.as_deref(), Some("1.2.3"));
        assert!(Source::new("127.0.0.1:4319", "", 0).is_err() && Source::new("https://x", "", 0).is_err());
    }
}
