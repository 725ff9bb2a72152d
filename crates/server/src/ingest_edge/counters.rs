//! How many requests the edge answered, by protocol and outcome. What became of records is counted by `ingest`.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::status::{Metric, MetricKind, Sample};

/// How a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Protocol {
    Grpc,
    Http,
    Loki,
    Elasticsearch,
    Zipkin,
    RemoteWrite,
}

/// OTLP's two, and the other doors.
const PROTOCOLS: [&str; 6] = ["grpc", "http", "loki", "elasticsearch", "zipkin", "remote_write"];
const OTLP_PROTOCOLS: usize = 2;
const OUTCOMES: [&str; 5] = ["stored", "refused", "invalid", "too_large", "denied"];

/// Requests answered, by protocol and outcome, and bytes taken in. Cheap to count, shared by reference.
#[derive(Debug, Default)]
pub struct EdgeCounters {
    requests: [[AtomicU64; 5]; PROTOCOLS.len()],
    bytes_wire: AtomicU64,
    bytes_inflated: AtomicU64,
}

/// What became of a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    Stored = 0,
    /// Refused so that the client sends again.
    Refused = 1,
    Invalid = 2,
    TooLarge = 3,
    /// Without credentials that may send.
    Denied = 4,
}

impl EdgeCounters {
    pub(super) fn count(&self, protocol: Protocol, outcome: Outcome) {
        self.requests[protocol as usize][outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_bytes(&self, wire: usize, inflated: usize) {
        self.bytes_wire.fetch_add(wire as u64, Ordering::Relaxed);
        self.bytes_inflated.fetch_add(inflated as u64, Ordering::Relaxed);
    }

    /// The counts as metrics of the status file.
    pub fn metrics(&self) -> Vec<Metric> {
        let samples = |label: &str, from: usize, to: usize| {
            let mut samples = Vec::new();
            for (protocol, outcomes) in PROTOCOLS[from..to].iter().zip(&self.requests[from..to]) {
                for (outcome, count) in OUTCOMES.iter().zip(outcomes) {
                    let labels = [(label, *protocol), ("outcome", *outcome)];
                    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
                    samples.push(Sample { labels, value: count.load(Ordering::Relaxed) as f64 });
                }
            }
            samples
        };
        let total = |name: &str, help: &str, count: &AtomicU64| {
            Metric::plain(name, help, MetricKind::Counter, count.load(Ordering::Relaxed) as f64)
        };
        vec![
            Metric {
                name: "spyhop_otlp_requests_total".to_owned(),
                help: "OTLP export requests answered.".to_owned(),
                kind: MetricKind::Counter,
                samples: samples("protocol", 0, OTLP_PROTOCOLS),
            },
            Metric {
                name: "spyhop_door_requests_total".to_owned(),
                help: "Requests of other protocols than OTLP answered.".to_owned(),
                kind: MetricKind::Counter,
                samples: samples("door", OTLP_PROTOCOLS, PROTOCOLS.len()),
            },
            total("spyhop_otlp_wire_bytes_total", "Bytes of bodies as received.", &self.bytes_wire),
            total("spyhop_otlp_inflated_bytes_total", "Bytes of bodies inflated.", &self.bytes_inflated),
        ]
    }
}
