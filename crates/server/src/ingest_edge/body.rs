//! Reads a request's body under the byte budget, inflates it and hands it to `ingest`.
//!
//! The budget grows with what has arrived, never with what a client announces, so a client that announces much and
//! sends nothing holds nothing. Inflating is bounded by what the budget already covers; where that is too little,
//! the budget grows and the body is inflated again, rather than memory taken first and counted later.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use ingest::{Admission, ExportRequest};
use model::Signal;
use otlp::Encoding;
use tokio::time::Instant;

use super::Edge;
use super::error::EdgeError;
use super::media::Coding;

/// Bytes the budget grows by at least, so that a long body does not ask for every chunk.
const GROW_BYTES_MIN: usize = 64 * 1024;
/// Compressed bodies from this size on are inflated on a blocking thread.
const INLINE_INFLATE_BYTES_MAX: usize = 256 * 1024;
/// First guess of how far a body inflates; OTLP in gzip does so 8 to 15 times.
const INFLATE_RATIO_GUESS: usize = 16;

/// A body in memory, covered by the budget.
pub(super) struct Received {
    pub(super) bytes: Bytes,
    admission: Admission,
    /// Bytes the admission covers.
    covered: usize,
    /// Bytes of the body as it came.
    pub(super) wire_bytes: usize,
}

impl Received {
    /// Takes room until so many bytes are covered.
    pub(super) async fn cover(&mut self, bytes: usize) -> Result<(), EdgeError> {
        match bytes.saturating_sub(self.covered) {
            0 => Ok(()),
            more => self.grow(more).await,
        }
    }

    async fn grow(&mut self, more: usize) -> Result<(), EdgeError> {
        self.admission.grow(more).await?;
        self.covered += more;
        Ok(())
    }
}

/// Bytes of a block; a body longer than one is in one piece only once it is whole.
const BLOCK_BYTES: usize = 64 * 1024;

/// Keeps chunks, without a copy while there is only one, else in blocks: a buffer that doubles would hold up to twice
/// what has arrived, and the budget knows of no more than that.
#[derive(Default)]
struct Gathered {
    only: Bytes,
    blocks: Vec<BytesMut>,
    length: usize,
}

impl Gathered {
    fn push(&mut self, chunk: Bytes) {
        if self.length == 0 {
            self.length = chunk.len();
            self.only = chunk;
            return;
        }
        let only = std::mem::take(&mut self.only);
        self.append(&only);
        self.append(&chunk);
        self.length += chunk.len();
    }

    fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.blocks.last().map_or(0, |block| BLOCK_BYTES.saturating_sub(block.len()));
            if room == 0 {
                self.blocks.push(BytesMut::with_capacity(bytes.len().min(BLOCK_BYTES)));
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if let Some(block) = self.blocks.last_mut() {
                block.extend_from_slice(now);
            }
            bytes = later;
        }
    }

    fn length(&self) -> usize {
        self.length
    }

    fn finish(mut self) -> Bytes {
        match self.blocks.len() {
            0 => self.only,
            1 => self.blocks.remove(0).freeze(),
            _ => {
                let mut whole = BytesMut::with_capacity(self.length);
                // Each block is given back as soon as it is copied.
                for block in self.blocks {
                    whole.extend_from_slice(&block);
                }
                whole.freeze()
            }
        }
    }
}

/// A body on its way in.
struct Reader<'a> {
    edge: &'a Edge,
    body: Body,
    admission: Admission,
    covered: usize,
    taken: usize,
    /// When the whole body must have arrived.
    deadline: Instant,
}

impl<'a> Reader<'a> {
    /// Begins with room for `expected` bytes, or for one step where that is unknown or more.
    async fn start(edge: &'a Edge, body: Body, expected: Option<usize>) -> Result<Reader<'a>, EdgeError> {
        let deadline = Instant::now() + edge.settings.request_time_max;
        let covered = expected.unwrap_or(GROW_BYTES_MIN).min(GROW_BYTES_MIN);
        let admission = edge.ingest.admit(covered).await?;
        Ok(Reader { edge, body, admission, covered, taken: 0, deadline })
    }

    /// The next bytes, covered by the budget before the chunk after them is asked for; `None` at the end.
    async fn chunk(&mut self, bytes_max: usize) -> Result<Option<Bytes>, EdgeError> {
        loop {
            let silent_at = Instant::now() + self.edge.settings.body_idle_timeout;
            let frame = tokio::time::timeout_at(silent_at.min(self.deadline), self.body.frame());
            let Some(frame) = frame.await.map_err(|_| self.late(silent_at))? else { return Ok(None) };
            let frame = frame.map_err(|_| EdgeError::Invalid("the body ended early".to_owned()))?;
            let Ok(chunk) = frame.into_data() else { continue };
            if chunk.is_empty() {
                continue;
            }
            self.taken += chunk.len();
            if self.taken > bytes_max {
                return Err(too_large(bytes_max));
            }
            if self.taken > self.covered {
                let more = (self.taken - self.covered).max(GROW_BYTES_MIN.min(bytes_max - self.covered));
                self.admission.grow(more).await?;
                self.covered += more;
            }
            return Ok(Some(chunk));
        }
    }

    /// Which of the two waits was over first.
    fn late(&self, silent_at: Instant) -> EdgeError {
        if silent_at < self.deadline {
            EdgeError::Stalled
        } else {
            EdgeError::Slow(self.edge.settings.request_time_max)
        }
    }

    fn finish(self, bytes: Bytes) -> Received {
        Received { wire_bytes: bytes.len(), bytes, admission: self.admission, covered: self.covered }
    }
}

fn too_large(bytes_max: usize) -> EdgeError {
    EdgeError::TooLarge(format!("the request is over the limit of {bytes_max} bytes"))
}

/// Reads a whole HTTP body.
pub(super) async fn read_http(edge: &Edge, body: Body, announced: Option<u64>) -> Result<Received, EdgeError> {
    let bytes_max = edge.settings.request_bytes_max;
    if announced.is_some_and(|length| length > bytes_max as u64) {
        drain(edge, body).await;
        return Err(too_large(bytes_max));
    }
    let mut reader = Reader::start(edge, body, announced.map(|length| length as usize)).await?;
    let mut gathered = Gathered::default();
    loop {
        match reader.chunk(bytes_max).await {
            Ok(Some(chunk)) => gathered.push(chunk),
            Ok(None) => return Ok(reader.finish(gathered.finish())),
            Err(error) => {
                drop(gathered);
                let Reader { body, admission, .. } = reader;
                drop(admission);
                if !matches!(error, EdgeError::Stalled | EdgeError::Slow(_)) {
                    drain(edge, body).await;
                }
                return Err(error);
            }
        }
    }
}

/// Reads on without keeping anything, a while, so that an HTTP/1 client that is still sending gets to read the
/// answer instead of a reset connection.
pub(super) async fn drain(edge: &Edge, mut body: Body) {
    let mut left = edge.settings.request_bytes_max;
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    // A client that sends slower than this learns from the closed connection.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(5), read).await;
}

/// A gRPC message and whether it is compressed.
pub(super) struct Message {
    pub(super) received: Received,
    pub(super) compressed: bool,
}

const PREFIX_BYTES: usize = 5;

/// Reads the one message of a unary call: a byte that says whether it is compressed, its length in four, itself.
pub(super) async fn read_grpc(edge: &Edge, body: Body) -> Result<Message, EdgeError> {
    let bytes_max = edge.settings.request_bytes_max;
    let mut reader = Reader::start(edge, body, None).await?;
    let mut gathered = Gathered::default();
    while gathered.length() < PREFIX_BYTES {
        let chunk = reader.chunk(PREFIX_BYTES + bytes_max).await?;
        gathered.push(chunk.ok_or(EdgeError::Framing("the call ended before its message"))?);
    }
    let mut start = gathered.finish();
    let prefix = start.split_to(PREFIX_BYTES);
    let compressed = match prefix[0] {
        0 => false,
        1 => true,
        _ => return Err(EdgeError::Framing("the message's compressed flag is neither 0 nor 1")),
    };
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
    if length > bytes_max {
        return Err(too_large(bytes_max));
    }
    let mut gathered = Gathered::default();
    gathered.push(start);
    while gathered.length() < length {
        let chunk = reader.chunk(PREFIX_BYTES + length).await;
        let chunk = chunk.map_err(|error| match error {
            EdgeError::TooLarge(_) => EdgeError::Framing(ONE_MESSAGE),
            other => other,
        })?;
        gathered.push(chunk.ok_or(EdgeError::Framing("the call ended within its message"))?);
    }
    if gathered.length() > length {
        return Err(EdgeError::Framing(ONE_MESSAGE));
    }
    Ok(Message { received: reader.finish(gathered.finish()), compressed })
}

const ONE_MESSAGE: &str = "a unary call has one message";

/// Inflates a body; the budget covers what comes out before it does.
pub(super) async fn inflate(edge: &Edge, coding: Coding, mut received: Received) -> Result<Received, EdgeError> {
    let Coding::Named(name) = coding else { return Ok(received) };
    let bytes_max = edge.settings.request_bytes_max;
    let wire_bytes = received.wire_bytes;
    let mut allowed = (wire_bytes.saturating_mul(INFLATE_RATIO_GUESS)).clamp(GROW_BYTES_MIN, bytes_max.max(1));
    loop {
        let needed = (wire_bytes + allowed).saturating_sub(received.covered);
        if needed > 0 {
            received.grow(needed).await?;
        }
        match decompress(name, received.bytes.clone(), allowed).await {
            Ok(inflated) => {
                received.bytes = inflated;
                return Ok(received);
            }
            Err(EdgeError::TooLarge(_)) if allowed < bytes_max => {
                allowed = allowed.saturating_mul(4).min(bytes_max);
            }
            Err(EdgeError::TooLarge(_)) => return Err(too_large(bytes_max)),
            Err(error) => return Err(error),
        }
    }
}

async fn decompress(name: &'static str, bytes: Bytes, bytes_max: usize) -> Result<Bytes, EdgeError> {
    if bytes.len() < INLINE_INFLATE_BYTES_MAX {
        return Ok(ingest::decompress(name, &bytes, bytes_max)?.into());
    }
    let task = tokio::task::spawn_blocking(move || ingest::decompress(name, &bytes, bytes_max));
    match task.await {
        Ok(result) => Ok(result?.into()),
        Err(_) => Err(EdgeError::Invalid("the body could not be inflated".to_owned())),
    }
}

/// Hands an inflated body to `ingest`; success means durable (I1).
pub(super) async fn export(
    edge: &Edge,
    signal: Signal,
    encoding: Encoding,
    received: Received,
) -> Result<Bytes, EdgeError> {
    edge.settings.counters.count_bytes(received.wire_bytes, received.bytes.len());
    store(edge, signal, encoding, received, Vec::new()).await
}

/// Hands a body to `ingest` that another protocol's was translated to, with the records that were turned away.
pub(super) async fn store(
    edge: &Edge,
    signal: Signal,
    encoding: Encoding,
    received: Received,
    turned_away: Vec<(&'static str, u32)>,
) -> Result<Bytes, EdgeError> {
    let Received { bytes, admission, .. } = received;
    let tenant = edge.settings.tenant.clone();
    let request = ExportRequest { tenant, signal, encoding, body: bytes, admission, turned_away };
    Ok(edge.ingest.export(request).await?.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_become_one_piece() {
        let check = |lengths: &[usize], blocks: usize| {
            let mut gathered = Gathered::default();
            let mut expect = Vec::new();
            for (number, length) in lengths.iter().enumerate() {
                let chunk = vec![number as u8 + 1; *length];
                expect.extend_from_slice(&chunk);
                gathered.push(chunk.into());
                assert_eq!(gathered.length(), expect.len(), "{lengths:?}");
            }
            assert_eq!(gathered.blocks.len(), blocks, "{lengths:?}");
            assert!(gathered.blocks.iter().all(|block| block.len() <= BLOCK_BYTES), "{lengths:?}");
            assert_eq!(gathered.finish(), expect, "{lengths:?}");
        };
        check(&[], 0);
        check(&[7], 0);
        check(&[0, 7], 0);
        check(&[1_000_000], 0);
        check(&[7, 1], 1);
        check(&[BLOCK_BYTES - 1, 1], 1);
        check(&[BLOCK_BYTES, 1], 2);
        check(&[3 * BLOCK_BYTES + 5, 2 * BLOCK_BYTES], 6);
    }
}
