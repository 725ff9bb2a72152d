//! Requests, encoded before the clock starts.
//!
//! A run's records lie in the past that ends now, as they would have come in at [`RECORDS_PER_SECOND`]; points lie
//! fifteen seconds apart. So ten million records are an hour of a middling cluster, whatever the speed of the replay.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use testkit::{Logs, Message, Metrics, Random, Signal, Traces, now_unix_nano};

/// Threads of the generated services: a number for each record, as tests have it, would be an index term for each.
const THREADS: usize = 64;
/// How many ids are kept to ask for.
const SAMPLES: usize = 64;
/// Spans and log records a second, in the records' own time.
pub const RECORDS_PER_SECOND: usize = 2_800;
/// Records come so many seconds late at most: SDKs and Collectors send every few seconds.
const LATE_SECONDS: f64 = 5.0;
/// Seconds between two points of a series.
const POINT_SECONDS: i64 = 15;
/// Log records whose words are counted to choose what to ask for.
const WORDS_OF: usize = 100_000;

/// One signal's requests, as they go over the wire.
pub struct Requests {
    http: Arc<Vec<Bytes>>,
    bytes: u64,
    /// Trace ids to ask for, as hex; empty for metrics.
    pub trace_ids: Vec<String>,
    /// Words of log records to ask for; empty for other signals.
    pub words: Option<Words>,
}

/// Words of log bodies, and in how many records of a million they are.
pub struct Words {
    /// In about one record of a thousand.
    pub medium: (String, usize),
    /// In about one record of ten.
    pub common: (String, usize),
}

/// What makes the records of a run.
struct Generators {
    traces: Traces,
    logs: Logs,
    metrics: Metrics,
    start_unix_nano: i64,
}

impl Generators {
    fn new(records: usize, seed: u64) -> Generators {
        let now = now_unix_nano();
        let seconds = (records / RECORDS_PER_SECOND) as i64;
        let start_unix_nano = now - seconds * 1_000_000_000;
        let mut metrics = Metrics::new(seed, now).every(POINT_SECONDS);
        let rounds = (records / metrics.series()) as i64;
        metrics.set_now(now - rounds * POINT_SECONDS * 1_000_000_000);
        Generators {
            traces: Traces::new(seed, start_unix_nano).in_threads(THREADS).within(LATE_SECONDS),
            logs: Logs::new(seed, start_unix_nano).in_threads(THREADS).within(LATE_SECONDS),
            metrics,
            start_unix_nano,
        }
    }

    /// Moves to the time of the record with this number.
    fn at(&mut self, record: usize) {
        let now = self.start_unix_nano + (record as i64 * 1_000_000_000) / RECORDS_PER_SECOND as i64;
        self.traces.set_now(now);
        self.logs.set_now(now);
    }
}

impl Requests {
    /// Encodes `records` records, `batch` a request, each compressed if `gzip`.
    pub fn encode(signal: Signal, records: usize, batch: usize, seed: u64, gzip: bool) -> Requests {
        let mut make = Generators::new(records, seed);
        let mut random = Random::new(seed);
        let mut trace_ids = Vec::new();
        let (mut http, mut bytes, mut left) = (Vec::with_capacity(records / batch + 1), 0, records);
        let every = (records / batch / SAMPLES).max(1);
        while left > 0 {
            let count = batch.min(left);
            make.at(records - left);
            left -= count;
            let body = match signal {
                Signal::Traces => {
                    let request = if batch < 64 { make.traces.sdk_request(count) } else { make.traces.request(count) };
                    if http.len() % every == 0 {
                        let spans = &random.pick(&request.resource_spans).scope_spans[0].spans;
                        trace_ids.push(spans[0].trace_id.iter().map(|byte| format!("{byte:02x}")).collect());
                    }
                    request.encode_to_vec()
                }
                // One record in a million says what no other does.
                Signal::Logs if http.len() == records / batch / 2 => {
                    left += count - 1;
                    make.logs.line("quarrelsome zebra at gate 17").encode_to_vec()
                }
                Signal::Logs => make.logs.request(count).encode_to_vec(),
                Signal::Metrics => make.metrics.request(count).encode_to_vec(),
            };
            bytes += body.len() as u64;
            http.push(http_request(signal, &body, gzip));
        }
        let words = (signal == Signal::Logs).then(|| words(seed));
        Requests { http: Arc::new(http), bytes, trace_ids, words }
    }

    /// Every request with its HTTP head.
    pub fn http(&self) -> Arc<Vec<Bytes>> {
        self.http.clone()
    }

    /// Bytes of all bodies before compression.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Words that are as frequent as medium and common terms are meant to be.
fn words(seed: u64) -> Words {
    let mut logs = Logs::new(seed, now_unix_nano());
    let mut records_with: BTreeMap<String, usize> = BTreeMap::new();
    for body in logs.bodies(WORDS_OF) {
        let mut of_record: Vec<&str> =
            body.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() > 2).collect();
        of_record.sort_unstable();
        of_record.dedup();
        for word in of_record {
            *records_with.entry(word.to_ascii_lowercase()).or_default() += 1;
        }
    }
    let nearest = |one_in: f64| {
        let wanted = WORDS_OF as f64 / one_in;
        let off = |records: usize| (records as f64 / wanted).ln().abs();
        let found = records_with.iter().min_by(|a, b| off(*a.1).total_cmp(&off(*b.1)));
        found.map(|(word, records)| (word.clone(), records * (1_000_000 / WORDS_OF))).unwrap_or_default()
    };
    Words { medium: nearest(1_000.0), common: nearest(10.0) }
}

fn http_request(signal: Signal, body: &[u8], gzip: bool) -> Bytes {
    let compressed = gzip.then(|| testkit::gzip(body));
    let body = compressed.as_deref().unwrap_or(body);
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-protobuf\r\n{}content-length: {}\r\n\r\n",
        signal.path(),
        if gzip { "content-encoding: gzip\r\n" } else { "" },
        body.len()
    );
    let mut request = Vec::with_capacity(head.len() + body.len());
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(body);
    request.into()
}
