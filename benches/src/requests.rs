//! Requests, encoded before the clock starts.

use bytes::Bytes;
use testkit::{Logs, Message, Metrics, Random, Signal, Traces, now_unix_nano};

/// Threads of the generated services: a number for each record, as tests have it, would be an index term for each.
const THREADS: usize = 64;
/// How many ids are kept to ask for.
const SAMPLES: usize = 64;

/// One signal's requests, as they go over the wire.
pub struct Requests {
    http: std::sync::Arc<Vec<Bytes>>,
    bytes: u64,
    /// Trace ids to ask for, as hex; empty for metrics.
    pub trace_ids: Vec<String>,
}

impl Requests {
    /// Encodes `records` records, `batch` a request.
    pub fn encode(signal: Signal, records: usize, batch: usize, seed: u64) -> Requests {
        let now = now_unix_nano();
        let (mut traces, mut logs, mut metrics) = (
            Traces::new(seed, now).in_threads(THREADS),
            Logs::new(seed, now).in_threads(THREADS),
            Metrics::new(seed, now),
        );
        let mut random = Random::new(seed);
        let mut trace_ids = Vec::new();
        let (mut http, mut bytes, mut left) = (Vec::with_capacity(records / batch + 1), 0, records);
        let every = (records / batch / SAMPLES).max(1);
        while left > 0 {
            let count = batch.min(left);
            left -= count;
            let body = match signal {
                Signal::Traces => {
                    let request = if batch < 64 { traces.sdk_request(count) } else { traces.request(count) };
                    if http.len() % every == 0 {
                        let spans = &random.pick(&request.resource_spans).scope_spans[0].spans;
                        trace_ids.push(spans[0].trace_id.iter().map(|byte| format!("{byte:02x}")).collect());
                    }
                    request.encode_to_vec()
                }
                // One record in a million says what no other does.
                Signal::Logs if http.len() == records / batch / 2 => {
                    left += count - 1;
                    logs.line("quarrelsome zebra at gate 17").encode_to_vec()
                }
                Signal::Logs => logs.request(count).encode_to_vec(),
                Signal::Metrics => metrics.request(count).encode_to_vec(),
            };
            bytes += body.len() as u64;
            http.push(http_request(signal, &body));
        }
        Requests { http: std::sync::Arc::new(http), bytes, trace_ids }
    }

    /// Every request with its HTTP head.
    pub fn http(&self) -> std::sync::Arc<Vec<Bytes>> {
        self.http.clone()
    }

    /// Bytes of all bodies.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn http_request(signal: Signal, body: &[u8]) -> Bytes {
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        signal.path(),
        body.len()
    );
    let mut request = Vec::with_capacity(head.len() + body.len());
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(body);
    request.into()
}
