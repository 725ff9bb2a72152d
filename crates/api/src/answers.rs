//! Answers of the endpoints.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::records::{Exemplar, LogRecord, Resource, Scope, Span, UnixNano};

/// What an answer cost.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Rows whose values were looked at, in files and journal.
    pub rows_scanned: u64,
    /// Bytes read from files, sidecars included.
    pub bytes_scanned: u64,
    /// Live files of the tables asked about.
    pub files_total: u64,
    /// Files opened.
    pub files_scanned: u64,
    /// Files skipped because no row of theirs lies in the time range.
    pub files_pruned_by_time: u64,
    /// Files skipped by their trace-id bloom or text index.
    pub files_pruned_by_index: u64,
    /// What narrowed or spared the scan: `none`, or of `bloom`, `text` and `rollup` those that did, joined by `+`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub index_used: String,
    /// Rows read from the journal's tail.
    pub journal_rows: u64,
    /// Catalog sequence number the answer is pinned to.
    pub snapshot: u64,
    /// Time spent in the server.
    pub elapsed_ms: f64,
}

/// Whether an answer holds everything it was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Completeness {
    /// True when nothing is missing.
    pub complete: bool,
    /// Why something may be missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete_because: Vec<String>,
}

impl Completeness {
    /// Complete where there is no reason against it.
    pub fn of(incomplete_because: Vec<String>) -> Completeness {
        Completeness { complete: incomplete_because.is_empty(), incomplete_because }
    }
}

impl Default for Completeness {
    fn default() -> Self {
        Completeness::of(Vec::new())
    }
}

/// Everything known of one trace.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TraceAnswer {
    /// Id asked for.
    pub trace_id: String,
    /// Whether spans came without attributes, events and links, because the question said `brief_above` and there are
    /// more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub brief: bool,
    /// Its spans, by start time.
    pub spans: Vec<Span>,
    /// Log records that carry the id, by time.
    pub logs: Vec<LogRecord>,
    /// Metric exemplars that carry the id, by time.
    pub exemplars: Vec<Exemplar>,
    /// Where the question said `shared=true`: every resource once, which `resource_ref` of spans and logs points into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// As `resources`: every scope once, which `scope_ref` points into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<Scope>,
    /// Newest time seen of each signal (`traces`, `logs`, `metrics`), so that a reader can tell what may still arrive.
    pub last_seen: BTreeMap<String, UnixNano>,
    /// What the answer cost.
    pub stats: Stats,
    /// Whether it is all.
    #[serde(flatten)]
    pub completeness: Completeness,
}

impl TraceAnswer {
    /// The resource of one of the answer's records, in whichever form the answer has it.
    pub fn resource<'a>(&'a self, own: &'a Resource, reference: Option<usize>) -> &'a Resource {
        reference.and_then(|at| self.resources.get(at)).unwrap_or(own)
    }

    /// The scope of one of the answer's records, in whichever form the answer has it.
    pub fn scope<'a>(&'a self, own: &'a Scope, reference: Option<usize>) -> &'a Scope {
        reference.and_then(|at| self.scopes.get(at)).unwrap_or(own)
    }
}

/// One trace in a list.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TraceSummary {
    /// Id.
    pub trace_id: String,
    /// Service of the root span, or of the earliest span while the root is missing.
    pub root_service: String,
    /// Name of the root span, or of the earliest span.
    pub root_name: String,
    /// Whether a span without parent was found.
    pub has_root: bool,
    /// Start of the earliest span.
    pub start_time_unix_nano: UnixNano,
    /// Latest end minus earliest start.
    pub duration_nano: UnixNano,
    /// Spans found.
    pub span_count: u64,
    /// Spans with status error.
    pub error_count: u64,
    /// Services and their span counts.
    pub services: BTreeMap<String, u64>,
}

/// Recent traces.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TraceSearchAnswer {
    /// Newest first.
    pub traces: Vec<TraceSummary>,
    /// Where the next page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// What the answer cost.
    pub stats: Stats,
    /// Whether it is all.
    #[serde(flatten)]
    pub completeness: Completeness,
}

/// Log records found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LogSearchAnswer {
    /// In the direction asked for.
    pub logs: Vec<LogRecord>,
    /// Where the next page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// What the answer cost.
    pub stats: Stats,
    /// Whether it is all.
    #[serde(flatten)]
    pub completeness: Completeness,
}

/// Counts in one step of time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HistogramBucket {
    /// First nanosecond of the step.
    pub time_unix_nano: UnixNano,
    /// Records by severity: `unknown`, `trace`, `debug`, `info`, `warn`, `error`, `fatal`. Zeros are left out.
    pub counts: BTreeMap<String, u64>,
}

/// Log records over time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HistogramAnswer {
    /// Width of a step.
    pub step_nano: UnixNano,
    /// Start of the first step.
    pub start_unix_nano: UnixNano,
    /// End of the last step.
    pub end_unix_nano: UnixNano,
    /// Steps in order, empty ones included.
    pub buckets: Vec<HistogramBucket>,
    /// Records in all.
    pub total: u64,
    /// What the answer cost.
    pub stats: Stats,
    /// Whether it is all.
    #[serde(flatten)]
    pub completeness: Completeness,
}

/// A question in SQL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SqlRequest {
    /// One SELECT over `logs`, `spans`, `points`, `histograms`, `exp_histograms`, `summaries`, `exemplars`, `series`.
    pub query: String,
    /// Most rows to return; the server's cap where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A column of a SQL answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Arrow type, as DataFusion prints it.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Rows of a SQL answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SqlAnswer {
    /// Columns in order.
    pub columns: Vec<Column>,
    /// A value a column; times as RFC 3339 texts, ids as hex, 64-bit integers as JSON integers.
    pub rows: Vec<Vec<Value>>,
    /// Whether the row limit cut the answer.
    #[serde(default)]
    pub truncated: bool,
    /// What the answer cost.
    pub stats: Stats,
    /// Whether it is all.
    #[serde(flatten)]
    pub completeness: Completeness,
}

/// New log records, as one event of the live tail sends them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TailEvent {
    /// Oldest first.
    pub logs: Vec<LogRecord>,
    /// Records that matched since the last event and were left out, because they came faster than they may be sent.
    #[serde(default)]
    pub dropped: u64,
    /// Why records may be missing, where they may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete_because: Vec<String>,
}

/// An error, by RFC 9457.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Problem {
    /// `about:blank`, or a page that explains the kind of error.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Short name of the error.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What was wrong and what to do.
    #[serde(default)]
    pub detail: String,
    /// Byte offset in the query where parsing stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
}
