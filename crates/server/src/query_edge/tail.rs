//! The live tail as server-sent events.
//!
//! An event is `event: logs`, its `data` an [`api::TailEvent`], its `id` the place to go on from: a browser sends it
//! back as `Last-Event-ID`, everybody else may as `from=`. Silence is broken by comments, which carry the place too, so
//! that a listener of rare records need not go far back. What is not read is not made: a slow client holds its own
//! stream up and nothing else.

use std::convert::Infallible;
use std::sync::Arc;

use api::paths;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use query::{LogTail, LogTailStream, TailStep};

use super::Edge;
use super::handlers::{Answer, parameters};
use super::problem::Refusal;

/// Most records from before that a stream may begin with.
const LAST_MAX: usize = 1000;

/// When a browser connects again, in milliseconds.
const RETRY_MILLIS: u32 = 1000;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(super) async fn tail(State(edge): State<Arc<Edge>>, uri: Uri, headers: HeaderMap) -> Answer {
    let parameters = parameters(&uri, paths::LOGS_TAIL)?;
    // A browser that connects again asks with the address it had at first: its header counts.
    let resumed = match headers.get(LAST_EVENT_ID).filter(|id| !id.is_empty()) {
        Some(id) => {
            Some(id.to_str().map_err(|_| Refusal::bad_request("Last-Event-ID is no place of ours"))?.to_owned())
        }
        None => parameters.text("from"),
    };
    let ask = LogTail {
        query: parameters.text("query").unwrap_or_default(),
        last: parameters.count("last", 0, LAST_MAX)?,
        from: resumed,
    };
    let tail = edge.query.tail_logs(&edge.settings.tenant, ask).await?;
    let first = Bytes::from(format!("retry: {RETRY_MILLIS}\nid: {}\n: listening\n\n", tail.place()));
    let chunks = stream::unfold((Some(first), tail), next_chunk);
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that gather an answer before they pass it on would hold events back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

type Left = (Option<Bytes>, LogTailStream);

async fn next_chunk((first, mut tail): Left) -> Option<(Result<Bytes, Infallible>, Left)> {
    let chunk = match first {
        Some(first) => first,
        None => chunk(&tail.next().await?),
    };
    Some((Ok(chunk), (None, tail)))
}

fn chunk(step: &TailStep) -> Bytes {
    match step {
        TailStep::Heartbeat { place } => format!("id: {place}\n: heartbeat\n\n").into(),
        TailStep::Event { event, place } => {
            let mut text = format!("event: logs\nid: {place}\ndata: ").into_bytes();
            // JSON has no line breaks outside of strings and writes those inside as \n; nothing else ends a line.
            if let Err(error) = serde_json::to_writer(&mut text, event) {
                tracing::error!(%error, "an event is not JSON");
            }
            text.extend_from_slice(b"\n\n");
            text.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use api::TailEvent;
    use serde_json::json;

    use super::*;

    #[test]
    fn steps_are_events() {
        let heartbeat = TailStep::Heartbeat { place: "1.2.0".into() };
        assert_eq!(chunk(&heartbeat), "id: 1.2.0\n: heartbeat\n\n");
        let mut event = TailEvent { dropped: 3, ..TailEvent::default() };
        event.logs.push(api::LogRecord { body: json!("a\nb\r"), ..api::LogRecord::default() });
        let text = chunk(&TailStep::Event { event: event.clone(), place: "1.3.0".into() });
        let text = std::str::from_utf8(&text).expect("a text");
        let data = text.strip_prefix("event: logs\nid: 1.3.0\ndata: ").and_then(|rest| rest.strip_suffix("\n\n"));
        let data = data.expect(text);
        assert!(!data.contains(['\n', '\r']), "{data}");
        assert_eq!(serde_json::from_str::<TailEvent>(data).expect("JSON"), event);
    }
}
