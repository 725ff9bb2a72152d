//! The request for a live tail, and the events of its answer.

use std::collections::VecDeque;
use std::time::Duration;

use api::{Problem, paths};
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use stdout::{HttpClient, StdoutError, Tls};

use super::TailArguments;
use super::events::{EventReader, ServerEvent};
use crate::failure::Failure;

/// Variable of the environment with headers to send, for what is not to stand in a command line.
const HEADERS_VARIABLE: &str = "SPYHOP_API_HEADERS";
/// How long connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
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
    client: HttpClient,
    endpoint: String,
    headers: HeaderMap,
    query: String,
    last: u32,
    place: Option<String>,
}

impl Source {
    pub(super) fn new(arguments: &TailArguments) -> Result<Source, Failure> {
        let endpoint = arguments.endpoint.trim_end_matches('/').to_owned();
        let uri: Option<Uri> = endpoint.parse().ok();
        if uri.is_none_or(|uri| !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none()) {
            return Err(Failure::usage(format!(
                "--endpoint is '{endpoint}': write the address of the API such as http://127.0.0.1:4319"
            )));
        }
        let usage = |error: StdoutError| Failure::usage(error.to_string());
        let mut headers = HeaderMap::new();
        let of_variable = std::env::var(HEADERS_VARIABLE).unwrap_or_default();
        headers.extend(stdout::headers(HEADERS_VARIABLE, &of_variable).map_err(usage)?);
        for pair in &arguments.headers {
            headers.extend(stdout::headers("--header", pair).map_err(usage)?);
        }
        let tls = Tls::resolve(&endpoint, &arguments.tls.flags(), "", &|name| std::env::var(name).ok());
        let client = stdout::http_client(&tls.map_err(usage)?, CONNECT_MAX);
        let (query, last) = (arguments.query.clone(), arguments.last);
        Ok(Source { client, endpoint, headers, query, last, place: None })
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
        let mut request = request.body(Full::default()).map_err(|error| Lost::Refused(error.to_string()))?;
        request.headers_mut().extend(source.headers.clone());
        let endpoint = &source.endpoint;
        let away =
            |reason: &str| Lost::Away(format!("{endpoint} does not answer ({reason}): is 'spyhop serve' running?"));
        let answer = tokio::time::timeout(ANSWER_MAX, source.client.request(request)).await;
        let answer = answer.map_err(|_| away("in time"))?.map_err(|error| match stdout::tls_reason(&error) {
            Some(reason) => Lost::Refused(format!("{endpoint}: {reason}")),
            None => away(&stdout::in_words(&error)),
        })?;
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
            let frame = frame.map_err(|error| lost(&stdout::in_words(&error)))?;
            if let Some(bytes) = frame.data_ref() {
                let events = self.reader.add(bytes);
                self.ready.extend(events.map_err(|_| Lost::Refused("an event is longer than any of ours".into()))?);
            }
        }
    }
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
        let new = |endpoint: &str, query: &str, headers: &[&str]| {
            let headers = headers.iter().map(|pair| (*pair).to_owned()).collect();
            let (endpoint, query) = (endpoint.to_owned(), query.to_owned());
            Source::new(&TailArguments { endpoint, query, headers, ..TailArguments::default() }).map_err(|f| f.sentence)
        };
        let mut source =
            new("http://127.0.0.1:4319/", "service:a b&é", &["a=1", "authorization=Bearer%20b"]).expect("valid");
        assert_eq!(source.headers["authorization"], "Bearer b");
        assert_eq!(source.uri(), "http://127.0.0.1:4319/api/v1/logs/tail?query=service%3Aa%20b%26%C3%A9");
        source.last = 7;
        assert!(source.uri().ends_with("&last=7"));
        source.go_on_from(Some("1.2.3".into()));
        source.go_on_from(None);
        assert_eq!(source.place.as_deref(), Some("1.2.3"));
        assert!(new("127.0.0.1:4319", "", &[]).is_err() && new("ftp://x", "", &[]).is_err());
        assert!(new("http://x", "", &["no pair"]).is_err_and(|sentence| sentence.contains("--header")));
    }
}
