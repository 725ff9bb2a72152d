//! Telemetry records as answers show them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// A time in Unix nanoseconds; a decimal string in JSON, as OTLP/JSON has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixNano(pub i64);

impl fmt::Display for UnixNano {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for UnixNano {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UnixNano {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(UnixNano).map_err(serde::de::Error::custom)
    }
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What produced a record.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Resource {
    /// Attributes in native JSON.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// Attributes the sender dropped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_attributes_count: u32,
    /// Schema URL of the resource.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub schema_url: String,
}

/// The instrumentation scope of a record.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Scope {
    /// Name of the library.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Version of the library.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Attributes in native JSON.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// Schema URL of the scope's records.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub schema_url: String,
}

/// One log record.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LogRecord {
    /// Event time, else observed time, else arrival.
    pub time_unix_nano: UnixNano,
    /// When the collection system saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_time_unix_nano: Option<UnixNano>,
    /// 1 to 24 as OpenTelemetry numbers severities; 0 where unknown.
    #[serde(default)]
    pub severity_number: i32,
    /// Severity as the source wrote it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub severity_text: String,
    /// A text, or the native JSON of a structured body.
    #[serde(default)]
    pub body: Value,
    /// Name that makes the record an event.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub event_name: String,
    /// Trace the record belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Span the record belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// W3C trace flags.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub flags: u32,
    /// Attributes in native JSON.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// Attributes the sender dropped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_attributes_count: u32,
    /// What produced the record.
    #[serde(default)]
    pub resource: Resource,
    /// The library that wrote it.
    #[serde(default)]
    pub scope: Scope,
    /// Instead of `resource`, in an answer that lists each once: its position in `resources`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_ref: Option<usize>,
    /// Instead of `scope`, in an answer that lists each once: its position in `scopes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_ref: Option<usize>,
    /// Identity for deep links: 16 hex digits of the record's hash and its ordinal among equals.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
}

/// Outcome of a span.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Status {
    /// 0 unset, 1 ok, 2 error.
    #[serde(default)]
    pub code: i32,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// One span.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Span {
    /// Id of the trace.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace_id: String,
    /// Id of the span.
    pub span_id: String,
    /// Id of its parent; absent for a root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<String>,
    /// W3C trace state.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace_state: String,
    /// Flags as OTLP has them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub flags: u32,
    /// Operation.
    pub name: String,
    /// 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    #[serde(default)]
    pub kind: i32,
    /// When it began.
    pub start_time_unix_nano: UnixNano,
    /// When it ended.
    pub end_time_unix_nano: UnixNano,
    /// Outcome.
    #[serde(default)]
    pub status: Status,
    /// Attributes in native JSON.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// Attributes the sender dropped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_attributes_count: u32,
    /// What happened during it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// Events the sender dropped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_events_count: u32,
    /// Spans it points at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Links the sender dropped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_links_count: u32,
    /// What produced the span.
    #[serde(default)]
    pub resource: Resource,
    /// The library that made it.
    #[serde(default)]
    pub scope: Scope,
    /// Instead of `resource`, in an answer that lists each once: its position in `resources`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_ref: Option<usize>,
    /// Instead of `scope`, in an answer that lists each once: its position in `scopes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_ref: Option<usize>,
}

/// Something that happened during a span.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub time_unix_nano: UnixNano,
    /// What.
    pub name: String,
    /// Attributes in native JSON.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// Attributes the sender dropped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_attributes_count: u32,
}

/// A pointer from a span to another.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Link {
    /// Trace pointed at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Span pointed at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// W3C trace state.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace_state: String,
    /// Flags as OTLP has them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub flags: u32,
    /// Attributes in native JSON.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// Attributes the sender dropped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_attributes_count: u32,
}

/// A sample of a metric that names the trace it came from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Exemplar {
    /// Name of the metric.
    pub metric: String,
    /// When it was recorded.
    pub time_unix_nano: UnixNano,
    /// The sample: an integer or a double.
    pub value: Value,
    /// Trace it was recorded in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Span it was recorded in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// Attributes that the metric's view dropped.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// Service whose metric it is.
    #[serde(default)]
    pub service_name: String,
    /// Unit of the metric, where its series is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
}
