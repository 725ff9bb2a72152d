//! Answers about services: rate, errors and durations, operations, the map.
//!
//! Vocabulary: a *call* is a span of kind server or consumer, or one without a parent: what a service was asked to do.
//! A *step* is one of the equal pieces of time that a series is cut into; `null` in a list of durations means that a
//! step had no call. Times at which something was last seen are to the second, rounded down; a step is a minute at
//! least.

use serde::{Deserialize, Serialize};

use crate::answers::{Completeness, Stats};
use crate::records::UnixNano;

/// Rate, errors and durations of some calls. Durations are nanoseconds, within 5 % of the exact percentile.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Red {
    /// Calls.
    pub calls: u64,
    /// Calls with status error.
    pub errors: u64,
    /// Median duration; absent without calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_nano: Option<u64>,
    /// 95th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_nano: Option<u64>,
    /// 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_nano: Option<u64>,
}

/// RED over time, a value a step; [`StepRange`] says which steps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RedSeries {
    /// Calls of each step.
    pub calls: Vec<u64>,
    /// Failed calls of each step.
    pub errors: Vec<u64>,
    /// Median duration of each step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub p50_nano: Vec<Option<u64>>,
    /// 95th percentile of each step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub p95_nano: Vec<Option<u64>>,
    /// 99th percentile of each step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub p99_nano: Vec<Option<u64>>,
}

/// The steps that the series of an answer have in common.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StepRange {
    /// Width of a step.
    pub step_nano: UnixNano,
    /// Start of the first step.
    pub start_unix_nano: UnixNano,
    /// End of the last step.
    pub end_unix_nano: UnixNano,
}

/// A failed span, or a log record of severity error or worse.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ErrorSample {
    /// When.
    pub time_unix_nano: UnixNano,
    /// Operation, for a span.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub operation: String,
    /// `exception.type`, where one is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub exception_type: String,
    /// Status message, exception message or log body.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Trace it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Span it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
}

/// One service in the list.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ServiceSummary {
    /// `service.name`.
    pub name: String,
    /// Spans in the range, of every kind.
    pub span_count: u64,
    /// Spans with status error, of every kind.
    pub error_count: u64,
    /// Log records in the range.
    pub log_count: u64,
    /// Newest record of spans and logs, in the range; of series where it has only those.
    pub last_seen_unix_nano: UnixNano,
    /// Its calls.
    #[serde(default)]
    pub red: Red,
    /// Its calls over time: calls, errors, p99; the answer's `steps` says when.
    #[serde(default)]
    pub series: RedSeries,
    /// Distinct instances (`service.instance.id`, else pod, else host) among its records.
    #[serde(default)]
    pub instance_count: u64,
    /// The newest failed span in the range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_error: Option<ErrorSample>,
}

/// Services seen.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ServicesAnswer {
    /// By name.
    pub services: Vec<ServiceSummary>,
    /// Steps of the series.
    #[serde(default)]
    pub steps: StepRange,
    /// What the answer cost.
    pub stats: Stats,
    /// Whether it is all.
    #[serde(flatten)]
    pub completeness: Completeness,
}

/// One operation of a service: calls of one span name and kind.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OperationSummary {
    /// Span name.
    pub name: String,
    /// Span kind, as OTLP numbers them.
    #[serde(default)]
    pub kind: i32,
    /// Spans of this name and kind, whether calls or not.
    pub red: Red,
    /// Over time: calls, errors, p99.
    #[serde(default)]
    pub series: RedSeries,
    /// Newest span.
    pub last_seen_unix_nano: UnixNano,
}

/// What a service does.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OperationsAnswer {
    /// The service.
    pub service: String,
    /// By calls, most first.
    pub operations: Vec<OperationSummary>,
    /// Whether there are more operations than the limit lets through.
    #[serde(default)]
    pub truncated: bool,
    /// Steps of the series.
    #[serde(default)]
    pub steps: StepRange,
    /// What the answer cost.
    pub stats: Stats,
    /// Whether it is all.
    #[serde(flatten)]
    pub completeness: Completeness,
}

/// One process of a service.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Instance {
    /// `service.instance.id`, else the pod, else the host; empty where the resource has none of them.
    pub id: String,
    /// `service.version`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// `k8s.pod.name`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pod: String,
    /// `host.name`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// Language of the SDK (`telemetry.sdk.language`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sdk_language: String,
    /// Spans in the range.
    pub span_count: u64,
    /// Log records in the range.
    pub log_count: u64,
    /// Newest record.
    pub last_seen_unix_nano: UnixNano,
}

/// One service in full.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ServiceAnswer {
    /// The service.
    pub service: String,
    /// Its calls.
    pub red: Red,
    /// Its calls over time, with p50, p95 and p99.
    pub series: RedSeries,
    /// Steps of the series.
    pub steps: StepRange,
    /// Its instances, newest first.
    pub instances: Vec<Instance>,
    /// Its newest failed spans, newest first.
    pub latest_errors: Vec<ErrorSample>,
    /// Newest record of spans and logs, in the range; where it has none, of all.
    pub last_seen_unix_nano: UnixNano,
    /// What the answer cost.
    pub stats: Stats,
    /// Whether it is all.
    #[serde(flatten)]
    pub completeness: Completeness,
}

/// A place in the map.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MapNode {
    /// Unique in the answer: the service's name, or `kind:name` for what sends no telemetry of its own.
    pub id: String,
    /// What to show.
    pub name: String,
    /// `service`, `database`, `queue` or `external`.
    pub kind: String,
    /// Calls it was asked for, by its own spans; by its callers' where it has none.
    pub red: Red,
}

/// Who calls whom.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MapEdge {
    /// Id of the calling node.
    pub source: String,
    /// Id of the called node.
    pub target: String,
    /// The calls, timed where they were answered; where the target has no spans, by the caller.
    pub red: Red,
}

/// Services and what they call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ServiceMapAnswer {
    /// By id; services without any edge too.
    pub nodes: Vec<MapNode>,
    /// By source, then target.
    pub edges: Vec<MapEdge>,
    /// What the answer cost.
    pub stats: Stats,
    /// Whether it is all.
    #[serde(flatten)]
    pub completeness: Completeness,
}
