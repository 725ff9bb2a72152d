//! Answers in gzip, for clients that accept it and are not on this machine.
//!
//! Level 1 makes JSON of records about a tenth of its size at some 200 MB a second. Over a network that pays from a few
//! packets on; on loopback it never does, so a client there gets its answer as it is, whatever it accepts. The live tail
//! is left alone: its events must not wait for a block to fill.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Body as _;

use super::Edge;
use super::ui_files::accepts;

/// The address of whoever asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerAddress(pub(crate) SocketAddr);

/// Bytes compressed before the next answer has its turn.
const PIECE_BYTES: usize = 64 * 1024;

/// Media types of answers that are worth it.
const MEDIA_TYPES: [&str; 2] = ["application/json", "application/x-ndjson"];

pub(super) async fn compressed(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let is_wanted = accepts(request.headers(), "gzip") && is_remote(request.extensions().get::<PeerAddress>());
    let answer = next.run(request).await;
    if !(is_wanted && pays(&answer, edge.settings.compress_bytes_min)) {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, gzip(body))
}

fn is_remote(peer: Option<&PeerAddress>) -> bool {
    peer.is_some_and(|PeerAddress(address)| !address.ip().to_canonical().is_loopback())
}

fn pays(answer: &Response, bytes_min: usize) -> bool {
    let headers: &HeaderMap = answer.headers();
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // A body of unknown length is one of rows as they are written, of which there are many.
    let bytes = answer.body().size_hint().exact().unwrap_or(u64::MAX);
    answer.status() == StatusCode::OK
        && MEDIA_TYPES.contains(&media_type)
        && !headers.contains_key(header::CONTENT_ENCODING)
        && bytes >= bytes_min as u64
}

struct Gzip {
    input: BodyDataStream,
    /// What has been taken from the input and is not compressed yet.
    pending: Bytes,
    /// None once the end has been written.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

fn gzip(body: Body) -> Body {
    let encoder = GzEncoder::new(Vec::with_capacity(PIECE_BYTES), Compression::new(1));
    let state = Gzip { input: body.into_data_stream(), pending: Bytes::new(), encoder: Some(encoder) };
    Body::from_stream(stream::unfold(state, |mut state| async move {
        let chunk = state.next().await.transpose()?;
        Some((chunk, state))
    }))
}

impl Gzip {
    /// The next compressed bytes; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, axum::Error> {
        loop {
            let Some(encoder) = &mut self.encoder else { return Ok(None) };
            if self.pending.is_empty() {
                match self.input.next().await {
                    Some(chunk) => self.pending = chunk?,
                    None => {
                        let rest = self.encoder.take().map(GzEncoder::finish).transpose().map_err(axum::Error::new)?;
                        return Ok(rest.map(Bytes::from));
                    }
                }
                continue;
            }
            let piece = self.pending.split_to(self.pending.len().min(PIECE_BYTES));
            encoder.write_all(&piece).map_err(axum::Error::new)?;
            if !encoder.get_ref().is_empty() {
                return Ok(Some(std::mem::take(encoder.get_mut()).into()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[tokio::test]
    async fn what_is_compressed_is_the_answer() {
        for bytes in [0, 1, 1_000, PIECE_BYTES, 1_000_000] {
            let plain: Vec<u8> = (0..bytes).map(|at| b'a' + (at % 7 * (at % 11)) as u8 % 26).collect();
            let body = axum::body::to_bytes(gzip(Body::from(plain.clone())), usize::MAX).await.expect("a body");
            let mut read = Vec::new();
            GzDecoder::new(&body[..]).read_to_end(&mut read).expect("gzip");
            assert_eq!(read, plain);
            assert!(bytes < 1_000 || body.len() < bytes / 2);
        }
    }

    #[test]
    fn only_large_answers_to_other_machines_are() {
        let peer = |text: &str| PeerAddress(format!("{text}:5").parse().expect("an address"));
        for (address, expect) in
            [("127.0.0.1", false), ("[::1]", false), ("[::ffff:127.0.0.1]", false), ("10.1.2.3", true)]
        {
            assert_eq!(is_remote(Some(&peer(address))), expect, "{address}");
        }
        assert!(!is_remote(None));
        let answer = |media_type: &'static str, bytes: usize| {
            let mut answer = Response::new(Body::from(vec![b'x'; bytes]));
            answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
            answer
        };
        assert!(pays(&answer("application/json", 100), 100) && !pays(&answer("application/json", 99), 100));
        assert!(!pays(&answer("text/event-stream", 100), 100) && !pays(&answer("application/wasm", 100), 100));
        let mut problem = answer("application/json", 100);
        *problem.status_mut() = StatusCode::NOT_FOUND;
        assert!(!pays(&problem, 100));
    }
}
