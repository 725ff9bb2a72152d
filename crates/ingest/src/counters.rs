//! What ingest has done, as the status file and the ledger show it.

use std::collections::BTreeMap;

use model::Signal;
use serde::{Deserialize, Serialize};

/// Counts of one signal since the process began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignalCounters {
    /// Requests answered with success, resends included.
    pub requests: u64,
    /// Records in requests that were read, resends not included.
    pub received: u64,
    /// Records stored.
    pub stored: u64,
    /// Requests that were resends of one stored before.
    pub duplicate_requests: u64,
    /// Records in those.
    pub duplicate: u64,
    /// Records not stored, by the name of the reason.
    pub rejected: BTreeMap<String, u64>,
    /// Requests refused for good: unreadable or too large.
    pub invalid_requests: u64,
}

/// Why requests are refused although they may be all right. Clients send them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No room in the byte budget or the queue.
    Overloaded,
    /// A tenant or a service sends more than it may.
    OverRate,
    /// The journal holds as much as it may; compact is behind.
    Backlog,
    /// The disk is down to its reserve.
    DiskReserve,
    /// The journal or the catalog could not be written.
    Journal,
    /// The process is ending.
    Stopping,
}

impl Refusal {
    /// What a client is told: no paths, no internals.
    pub fn message(self) -> &'static str {
        match self {
            Refusal::Overloaded => "this server takes in as much as it can hold; send again later",
            Refusal::OverRate => "more is sent than a limit of rate allows; send again later",
            Refusal::Backlog => "too much is waiting to be compacted; send again later",
            Refusal::DiskReserve => "the disk is nearly full; send again later",
            Refusal::Journal => "records cannot be made durable at the moment; send again later",
            Refusal::Stopping => "this server is stopping; send again later",
        }
    }
}

/// What ingest has done since it began, and what it is at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IngestCounters {
    /// By signal.
    pub signals: BTreeMap<Signal, SignalCounters>,
    /// Requests refused retryably, by reason.
    pub refused: BTreeMap<Refusal, u64>,
    /// Commits made durable.
    pub commits: u64,
    /// Requests in them.
    pub commit_requests: u64,
    /// Nanoseconds spent reading requests into columns.
    pub decode_nanos: u64,
    /// Nanoseconds spent making commits durable.
    pub append_nanos: u64,
    /// Commits that could not be made durable.
    pub journal_failures: u64,
    /// The last of them, in words, and when (Unix nanoseconds).
    pub last_error: Option<(String, i64)>,
    /// Why exports are refused at the moment.
    pub refusing: Option<Refusal>,
    /// Bytes of requests in flight.
    pub inflight_bytes: u64,
    /// Bytes of segments not flushed to files yet.
    pub backlog_bytes: u64,
    /// Bytes free on the disk.
    pub free_bytes: u64,
    /// Requests that would be recognised if they were sent again.
    pub digest_entries: u64,
    /// How far back that reaches, in seconds.
    pub digest_reach_seconds: u64,
    /// Whether their number, not their age, bounds the window.
    pub digest_bound_by_entries: bool,
}

impl IngestCounters {
    pub(crate) fn signal(&mut self, signal: Signal) -> &mut SignalCounters {
        self.signals.entry(signal).or_default()
    }
}
