//! How many requests the edge answered, by protocol and outcome, and what it refused, by signal and reason. What became
//! of records is counted by `ingest`.

use std::sync::atomic::{AtomicU64, Ordering};

use api::RefusalCount;
use model::Signal;

use super::error::EdgeError;

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
    refusals: [[AtomicU64; Reason::ALL.len()]; Signal::ALL.len()],
    bytes_wire: AtomicU64,
    bytes_inflated: AtomicU64,
}

/// Why a request was refused, as the ledger names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Overloaded = 0,
    OverRate = 1,
    Backlog = 2,
    DiskReserve = 3,
    Journal = 4,
    Stopping = 5,
    Unauthenticated = 6,
    Forbidden = 7,
    Malformed = 8,
    EveryRecordRejected = 9,
    TooLarge = 10,
    UnsupportedMediaType = 11,
    TooSlow = 12,
    DeadlinePassed = 13,
    NotThere = 14,
    Method = 15,
}

impl Reason {
    /// Each with its name and the status it is answered with over HTTP.
    const ALL: [(&'static str, u16); 16] = [
        ("overloaded", 429),
        ("over_rate", 429),
        ("backlog", 503),
        ("disk_reserve", 503),
        ("journal", 503),
        ("stopping", 503),
        ("unauthenticated", 401),
        ("forbidden", 403),
        ("malformed", 400),
        ("every_record_rejected", 400),
        ("too_large", 413),
        ("unsupported_media_type", 415),
        ("too_slow", 408),
        ("deadline_passed", 504),
        ("not_there", 404),
        ("method_not_allowed", 405),
    ];
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

    /// Counts a refusal of an export of this signal.
    pub(super) fn count_refusal(&self, signal: Option<Signal>, error: &EdgeError) {
        if let Some(signal) = signal {
            self.refusals[signal as usize][error.reason() as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests that were refused, by signal and reason; those that never were are left out.
    pub fn refusals(&self) -> Vec<RefusalCount> {
        let all = Signal::ALL.into_iter().zip(&self.refusals).flat_map(|(signal, counts)| {
            Reason::ALL.into_iter().zip(counts).map(move |((reason, status), count)| RefusalCount {
                signal: signal.name().to_owned(),
                reason: reason.to_owned(),
                status,
                count: count.load(Ordering::Relaxed),
            })
        });
        all.filter(|refusal| refusal.count > 0).collect()
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ingest::Refusal;

    use super::*;
    use crate::credentials::Denied;

    #[test]
    fn refusals_are_counted_under_the_status_they_are_answered_with() {
        let retry_after = Duration::from_secs(1);
        let unavailable = |reason| EdgeError::Unavailable { retry_after, reason };
        let text = || "x".to_owned();
        let check = |error: EdgeError, expect: &str| {
            let (name, status) = Reason::ALL[error.reason() as usize];
            assert_eq!((name, status), (expect, error.http_status().as_u16()), "{error:?}");
        };
        check(EdgeError::Overloaded { retry_after }, "overloaded");
        check(EdgeError::OverRate { retry_after, message: text() }, "over_rate");
        check(unavailable(Refusal::Backlog), "backlog");
        check(unavailable(Refusal::DiskReserve), "disk_reserve");
        check(unavailable(Refusal::Journal), "journal");
        check(unavailable(Refusal::Stopping), "stopping");
        check(EdgeError::Denied(Denied::Missing), "unauthenticated");
        check(EdgeError::Denied(Denied::MayNotSend), "forbidden");
        check(EdgeError::Invalid(text()), "malformed");
        check(EdgeError::Framing("x"), "malformed");
        check(EdgeError::Rejected(text()), "every_record_rejected");
        check(EdgeError::TooLarge(text()), "too_large");
        check(EdgeError::MediaType, "unsupported_media_type");
        check(EdgeError::Coding(text()), "unsupported_media_type");
        check(EdgeError::Stalled, "too_slow");
        check(EdgeError::Deadline, "deadline_passed");
        check(EdgeError::Unimplemented(text()), "not_there");
        check(EdgeError::Method, "method_not_allowed");
    }

    #[test]
    fn refusals_are_counted_by_signal() {
        let counters = EdgeCounters::default();
        counters.count_refusal(Some(Signal::Logs), &EdgeError::MediaType);
        counters.count_refusal(Some(Signal::Logs), &EdgeError::MediaType);
        counters.count_refusal(None, &EdgeError::NotFound);
        let expect = RefusalCount {
            signal: "logs".to_owned(),
            reason: "unsupported_media_type".to_owned(),
            status: 415,
            count: 2,
        };
        assert_eq!(counters.refusals(), [expect]);
    }
}
