//! The ingest ledger: what became of everything that was sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::answers::{Completeness, Stats};
use crate::records::UnixNano;
use crate::services::StepRange;

/// Counts of one signal since ingest started.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SignalCounts {
    /// Records received.
    pub received: u64,
    /// Records stored.
    pub stored: u64,
    /// Records of resent requests, not stored again.
    pub duplicate: u64,
    /// Records rejected, by reason.
    pub rejected: BTreeMap<String, u64>,
}

/// What ingest has done, and where to send to; the Connect page turns on it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct IngestStatus {
    /// By signal (`traces`, `logs`, `metrics`), since ingest started.
    pub signals: BTreeMap<String, SignalCounts>,
    /// When ingest started.
    #[serde(default)]
    pub started_unix_nano: UnixNano,
    /// Requests refused for load or a failing disk.
    pub refused_requests: u64,
    /// Requests refused for any reason, by signal, since ingest started.
    #[serde(default)]
    pub refusals: Vec<RefusalCount>,
    /// How far back a request that is sent again is recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_window: Option<DigestWindow>,
    /// Address of OTLP over gRPC, `host:port`.
    pub otlp_grpc_address: String,
    /// Address of OTLP over HTTP, `host:port`.
    pub otlp_http_address: String,
    /// Whether any record is stored at all, now or from earlier runs.
    pub has_data: bool,
}

/// Requests of one signal that were refused for one reason.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RefusalCount {
    /// `traces`, `logs` or `metrics`.
    pub signal: String,
    /// Name of the reason.
    pub reason: String,
    /// Status that it is answered with over HTTP.
    pub status: u16,
    /// How many requests.
    pub count: u64,
}

/// How far back a request that is sent again is recognised.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DigestWindow {
    /// How wide the window is now: `seconds_max`, or less where there are too many requests for that.
    pub seconds: u64,
    /// How wide it is at most.
    pub seconds_max: u64,
    /// Requests in it.
    pub entries: u64,
    /// How many there are at most.
    pub entries_max: u64,
    /// What bounds it now: `time` or `entries`.
    pub bound: String,
}

/// A record that was rejected.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RejectedSample {
    /// When it arrived.
    pub time_unix_nano: UnixNano,
    /// Its JSON, as far as it could be read; where that is long, cut, with `…` at the end. Control characters are
    /// escaped.
    pub record: String,
}

/// Records of one service and signal that were rejected for one reason.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RejectedReason {
    /// Name of the reason.
    pub reason: String,
    /// The reason in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub explanation: String,
    /// How many records.
    pub count: u64,
    /// The newest of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<RejectedSample>,
}

/// What became of the records of one service and signal: what was received was stored, is a duplicate, or was rejected.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ServiceIngest {
    /// `service.name`.
    pub service: String,
    /// `traces`, `logs` or `metrics`.
    pub signal: String,
    /// Records received.
    pub received: u64,
    /// Records stored.
    pub stored: u64,
    /// Records of resent requests, not stored again.
    pub duplicate: u64,
    /// Records rejected.
    pub rejected: u64,
    /// When the last of them arrived.
    pub last_received_unix_nano: UnixNano,
    /// Records received in each step.
    pub received_by_step: Vec<u64>,
    /// Records rejected, by reason, the most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<RejectedReason>,
}

/// The ledger: what became of records by service and signal, in a range of arrival times. It holds the fields of
/// [`IngestStatus`] too, each by itself: whoever reads the one can read the other.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct IngestAnswer {
    /// As [`IngestStatus::signals`].
    pub signals: BTreeMap<String, SignalCounts>,
    /// As [`IngestStatus::started_unix_nano`].
    #[serde(default)]
    pub started_unix_nano: UnixNano,
    /// As [`IngestStatus::refused_requests`].
    pub refused_requests: u64,
    /// As [`IngestStatus::refusals`].
    #[serde(default)]
    pub refusals: Vec<RefusalCount>,
    /// As [`IngestStatus::digest_window`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_window: Option<DigestWindow>,
    /// As [`IngestStatus::otlp_grpc_address`].
    pub otlp_grpc_address: String,
    /// As [`IngestStatus::otlp_http_address`].
    pub otlp_http_address: String,
    /// As [`IngestStatus::has_data`].
    pub has_data: bool,
    /// By service and signal.
    pub services: Vec<ServiceIngest>,
    /// The steps; together they are the range that was counted: the one asked for, widened to whole steps.
    pub steps: StepRange,
    /// Since when the ledger counts: what arrived before is not in it, or not all.
    pub counted_since_unix_nano: UnixNano,
    /// What the answer cost.
    pub stats: Stats,
    /// Whether it is all.
    #[serde(flatten)]
    pub completeness: Completeness,
}

impl IngestAnswer {
    /// The same with these counts since ingest started.
    #[must_use]
    pub fn with_status(self, status: IngestStatus) -> IngestAnswer {
        IngestAnswer {
            signals: status.signals,
            started_unix_nano: status.started_unix_nano,
            refused_requests: status.refused_requests,
            refusals: status.refusals,
            digest_window: status.digest_window,
            otlp_grpc_address: status.otlp_grpc_address,
            otlp_http_address: status.otlp_http_address,
            has_data: status.has_data,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_reads_as_a_status() {
        let status = IngestStatus {
            signals: [("logs".to_owned(), SignalCounts { received: 3, ..SignalCounts::default() })].into(),
            started_unix_nano: UnixNano(5),
            refused_requests: 7,
            refusals: vec![RefusalCount { status: 413, ..RefusalCount::default() }],
            digest_window: Some(DigestWindow { seconds: 600, ..DigestWindow::default() }),
            otlp_grpc_address: "a:1".to_owned(),
            otlp_http_address: "b:2".to_owned(),
            has_data: true,
        };
        let answer = serde_json::to_string(&IngestAnswer::default().with_status(status.clone())).expect("JSON");
        assert_eq!(serde_json::from_str::<IngestStatus>(&answer).expect("a status"), status);
    }
}
