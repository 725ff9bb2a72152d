//! Messages as OTLP/JSON, with what the mapping leaves open chosen at random: the order of members, numbers or
//! strings, defaults written or left out, either spelling of keys.

use std::fmt::Display;

use fastrand::Rng;
use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, MetricsData, NumberDataPoint,
    SummaryDataPoint, exemplar, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, TracesData};

use crate::otlp_json::base64;

/// An object being written.
struct Object<'a> {
    rng: &'a mut Rng,
    members: Vec<String>,
}

impl<'a> Object<'a> {
    fn new(rng: &'a mut Rng) -> Object<'a> {
        Object { rng, members: Vec::new() }
    }

    fn raw(&mut self, key: &str, json: impl Display) -> &mut Self {
        let key = if self.rng.u8(..10) == 0 { snake_case(key) } else { key.to_owned() };
        let space = if self.rng.u8(..10) == 0 { " \n\t" } else { "" };
        self.members.push(format!("\"{key}\":{space}{json}"));
        self
    }

    /// Whether to write a member that has its default.
    fn anyway(&mut self) -> bool {
        self.rng.u8(..4) == 0
    }

    fn text(&mut self, key: &str, value: &str) -> &mut Self {
        if !value.is_empty() || self.anyway() { self.raw(key, quoted(value)) } else { self }
    }

    fn number<T: Display + PartialEq + Default>(&mut self, key: &str, value: T) -> &mut Self {
        if value == T::default() && !self.anyway() {
            return self;
        }
        let json = number(self.rng, value);
        self.raw(key, json)
    }

    fn double(&mut self, key: &str, value: f64) -> &mut Self {
        let json = double(self.rng, value);
        self.raw(key, json)
    }

    fn id(&mut self, key: &str, id: &[u8]) -> &mut Self {
        let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let hex = if self.rng.bool() { hex.to_uppercase() } else { hex };
        self.text(key, &hex)
    }

    fn list<T>(&mut self, key: &str, items: &[T], item: impl Fn(&mut Rng, &T) -> String) -> &mut Self {
        if items.is_empty() && !self.anyway() {
            return self;
        }
        let json = list(self.rng, items, item);
        self.raw(key, json)
    }

    fn end(&mut self) -> String {
        if self.rng.u8(..6) == 0 {
            self.members.push(r#""unknownField":{"a":[1,{"b":null}],"c":"}"}"#.into());
        }
        self.rng.shuffle(&mut self.members);
        format!("{{{}}}", self.members.join(","))
    }
}

fn snake_case(key: &str) -> String {
    key.chars().flat_map(|c| c.is_uppercase().then_some('_').into_iter().chain(c.to_lowercase())).collect()
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("texts are JSON")
}

fn number(rng: &mut Rng, value: impl Display) -> String {
    if rng.bool() { format!("\"{value}\"") } else { value.to_string() }
}

fn double(rng: &mut Rng, value: f64) -> String {
    match value {
        value if value.is_nan() => "\"NaN\"".into(),
        f64::INFINITY => "\"Infinity\"".into(),
        f64::NEG_INFINITY => "\"-Infinity\"".into(),
        value => number(rng, format!("{value:?}")),
    }
}

fn list<T>(rng: &mut Rng, items: &[T], item: impl Fn(&mut Rng, &T) -> String) -> String {
    let items: Vec<String> = items.iter().map(|one| item(rng, one)).collect();
    format!("[{}]", items.join(","))
}

/// A value.
pub fn any_value(rng: &mut Rng, value: &AnyValue) -> String {
    let mut object = Object::new(rng);
    match &value.value {
        None => {}
        Some(Value::StringValue(text)) => drop(object.raw("stringValue", quoted(text))),
        Some(Value::BoolValue(value)) => drop(object.raw("boolValue", value)),
        Some(Value::IntValue(value)) => {
            let json = number(object.rng, value);
            object.raw("intValue", json);
        }
        Some(Value::DoubleValue(value)) => drop(object.double("doubleValue", *value)),
        Some(Value::BytesValue(bytes)) => {
            let mut text = base64(bytes);
            if object.rng.bool() {
                text = text.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned();
            }
            object.raw("bytesValue", quoted(&text));
        }
        Some(Value::ArrayValue(array)) => {
            let json = Object::new(object.rng).list("values", &array.values, any_value).end();
            object.raw("arrayValue", json);
        }
        Some(Value::KvlistValue(entries)) => {
            let json = Object::new(object.rng).list("values", &entries.values, key_value).end();
            object.raw("kvlistValue", json);
        }
        // Of profiles alone: elsewhere it counts as absent.
        Some(Value::StringValueStrindex(_)) => {}
    }
    object.end()
}

fn key_value(rng: &mut Rng, entry: &KeyValue) -> String {
    let mut object = Object::new(rng);
    object.text("key", &entry.key);
    if let Some(value) = &entry.value {
        let json = any_value(object.rng, value);
        object.raw("value", json);
    }
    object.end()
}

fn entity_ref(rng: &mut Rng, entity: &EntityRef) -> String {
    let text = |_: &mut Rng, text: &String| quoted(text);
    Object::new(rng)
        .text("schemaUrl", &entity.schema_url)
        .text("type", &entity.r#type)
        .list("idKeys", &entity.id_keys, text)
        .list("descriptionKeys", &entity.description_keys, text)
        .end()
}

fn resource(rng: &mut Rng, resource: &Resource) -> String {
    Object::new(rng)
        .list("attributes", &resource.attributes, key_value)
        .number("droppedAttributesCount", resource.dropped_attributes_count)
        .list("entityRefs", &resource.entity_refs, entity_ref)
        .end()
}

fn scope(rng: &mut Rng, scope: &InstrumentationScope) -> String {
    Object::new(rng)
        .text("name", &scope.name)
        .text("version", &scope.version)
        .list("attributes", &scope.attributes, key_value)
        .number("droppedAttributesCount", scope.dropped_attributes_count)
        .end()
}

/// A level of the envelope: the origin's own member, the list below, the schema url.
fn level<O, T>(
    rng: &mut Rng,
    (name, origin, origin_json): (&str, &Option<O>, impl Fn(&mut Rng, &O) -> String),
    (list_name, items, item): (&str, &[T], impl Fn(&mut Rng, &T) -> String),
    schema_url: &str,
) -> String {
    let mut object = Object::new(rng);
    if let Some(origin) = origin {
        let json = origin_json(object.rng, origin);
        object.raw(name, json);
    }
    object.list(list_name, items, item).text("schemaUrl", schema_url).end()
}

fn event(rng: &mut Rng, event: &Event) -> String {
    Object::new(rng)
        .number("timeUnixNano", event.time_unix_nano)
        .text("name", &event.name)
        .list("attributes", &event.attributes, key_value)
        .number("droppedAttributesCount", event.dropped_attributes_count)
        .end()
}

fn link(rng: &mut Rng, link: &Link) -> String {
    Object::new(rng)
        .id("traceId", &link.trace_id)
        .id("spanId", &link.span_id)
        .text("traceState", &link.trace_state)
        .list("attributes", &link.attributes, key_value)
        .number("droppedAttributesCount", link.dropped_attributes_count)
        .number("flags", link.flags)
        .end()
}

fn span(rng: &mut Rng, span: &Span) -> String {
    let mut object = Object::new(rng);
    if let Some(status) = &span.status {
        let mut inner = Object::new(object.rng);
        let json = inner.text("message", &status.message).number("code", status.code).end();
        object.raw("status", json);
    }
    object
        .id("traceId", &span.trace_id)
        .id("spanId", &span.span_id)
        .text("traceState", &span.trace_state)
        .id("parentSpanId", &span.parent_span_id)
        .number("flags", span.flags)
        .text("name", &span.name)
        .number("kind", span.kind)
        .number("startTimeUnixNano", span.start_time_unix_nano)
        .number("endTimeUnixNano", span.end_time_unix_nano)
        .list("attributes", &span.attributes, key_value)
        .number("droppedAttributesCount", span.dropped_attributes_count)
        .list("events", &span.events, event)
        .number("droppedEventsCount", span.dropped_events_count)
        .list("links", &span.links, link)
        .number("droppedLinksCount", span.dropped_links_count)
        .end()
}

/// Spans.
pub fn traces(rng: &mut Rng, data: &TracesData) -> String {
    Object::new(rng)
        .list("resourceSpans", &data.resource_spans, |rng, level_above| {
            let scopes = |rng: &mut Rng, scope_spans: &_| {
                let opentelemetry_proto::tonic::trace::v1::ScopeSpans { scope: origin, spans, schema_url } =
                    scope_spans;
                level(rng, ("scope", origin, scope), ("spans", spans, span), schema_url)
            };
            let own = ("resource", &level_above.resource, resource);
            level(rng, own, ("scopeSpans", &level_above.scope_spans, scopes), &level_above.schema_url)
        })
        .end()
}

fn log_record(rng: &mut Rng, record: &LogRecord) -> String {
    let mut object = Object::new(rng);
    if let Some(body) = &record.body {
        let json = any_value(object.rng, body);
        object.raw("body", json);
    }
    object
        .number("timeUnixNano", record.time_unix_nano)
        .number("observedTimeUnixNano", record.observed_time_unix_nano)
        .number("severityNumber", record.severity_number)
        .text("severityText", &record.severity_text)
        .list("attributes", &record.attributes, key_value)
        .number("droppedAttributesCount", record.dropped_attributes_count)
        .number("flags", record.flags)
        .id("traceId", &record.trace_id)
        .id("spanId", &record.span_id)
        .text("eventName", &record.event_name)
        .end()
}

/// Log records.
pub fn logs(rng: &mut Rng, data: &LogsData) -> String {
    Object::new(rng)
        .list("resourceLogs", &data.resource_logs, |rng, level_above| {
            let scopes = |rng: &mut Rng, scope_logs: &_| {
                let opentelemetry_proto::tonic::logs::v1::ScopeLogs { scope: origin, log_records, schema_url } =
                    scope_logs;
                level(rng, ("scope", origin, scope), ("logRecords", log_records, log_record), schema_url)
            };
            let own = ("resource", &level_above.resource, resource);
            level(rng, own, ("scopeLogs", &level_above.scope_logs, scopes), &level_above.schema_url)
        })
        .end()
}

fn exemplar(rng: &mut Rng, exemplar: &Exemplar) -> String {
    let mut object = Object::new(rng);
    match exemplar.value {
        Some(exemplar::Value::AsDouble(value)) => drop(object.double("asDouble", value)),
        Some(exemplar::Value::AsInt(value)) => {
            let json = number(object.rng, value);
            object.raw("asInt", json);
        }
        None => {}
    }
    object
        .list("filteredAttributes", &exemplar.filtered_attributes, key_value)
        .number("timeUnixNano", exemplar.time_unix_nano)
        .id("traceId", &exemplar.trace_id)
        .id("spanId", &exemplar.span_id)
        .end()
}

/// What points of every kind have.
fn point<'a>(rng: &'a mut Rng, attributes: &[KeyValue], start: u64, time: u64, flags: u32) -> Object<'a> {
    let mut object = Object::new(rng);
    object
        .list("attributes", attributes, key_value)
        .number("startTimeUnixNano", start)
        .number("timeUnixNano", time)
        .number("flags", flags);
    object
}

fn number_point(rng: &mut Rng, from: &NumberDataPoint) -> String {
    let mut object = point(rng, &from.attributes, from.start_time_unix_nano, from.time_unix_nano, from.flags);
    match from.value {
        Some(number_data_point::Value::AsDouble(value)) => drop(object.double("asDouble", value)),
        Some(number_data_point::Value::AsInt(value)) => {
            let json = number(object.rng, value);
            object.raw("asInt", json);
        }
        None => {}
    }
    object.list("exemplars", &from.exemplars, exemplar).end()
}

fn optional(object: &mut Object<'_>, key: &str, value: Option<f64>) {
    if let Some(value) = value {
        object.double(key, value);
    }
}

fn histogram_point(rng: &mut Rng, from: &HistogramDataPoint) -> String {
    let mut object = point(rng, &from.attributes, from.start_time_unix_nano, from.time_unix_nano, from.flags);
    optional(&mut object, "sum", from.sum);
    optional(&mut object, "min", from.min);
    optional(&mut object, "max", from.max);
    object
        .number("count", from.count)
        .list("bucketCounts", &from.bucket_counts, |rng, count| number(rng, count))
        .list("explicitBounds", &from.explicit_bounds, |rng, bound| double(rng, *bound))
        .list("exemplars", &from.exemplars, exemplar)
        .end()
}

fn buckets(object: &mut Object<'_>, key: &str, buckets: &Option<Buckets>) {
    if let Some(buckets) = buckets {
        let json = Object::new(object.rng)
            .number("offset", buckets.offset)
            .list("bucketCounts", &buckets.bucket_counts, |rng, count| number(rng, count))
            .end();
        object.raw(key, json);
    }
}

fn exp_histogram_point(rng: &mut Rng, from: &ExponentialHistogramDataPoint) -> String {
    let mut object = point(rng, &from.attributes, from.start_time_unix_nano, from.time_unix_nano, from.flags);
    optional(&mut object, "sum", from.sum);
    optional(&mut object, "min", from.min);
    optional(&mut object, "max", from.max);
    buckets(&mut object, "positive", &from.positive);
    buckets(&mut object, "negative", &from.negative);
    object
        .number("count", from.count)
        .number("scale", from.scale)
        .number("zeroCount", from.zero_count)
        .double("zeroThreshold", from.zero_threshold)
        .list("exemplars", &from.exemplars, exemplar)
        .end()
}

fn summary_point(rng: &mut Rng, from: &SummaryDataPoint) -> String {
    let mut object = point(rng, &from.attributes, from.start_time_unix_nano, from.time_unix_nano, from.flags);
    object
        .number("count", from.count)
        .double("sum", from.sum)
        .list("quantileValues", &from.quantile_values, |rng, value| {
            Object::new(rng).double("quantile", value.quantile).double("value", value.value).end()
        })
        .end()
}

fn metric(rng: &mut Rng, from: &Metric) -> String {
    let mut object = Object::new(rng);
    let mut inner = Object::new(object.rng);
    let (key, json) = match &from.data {
        None => ("", String::new()),
        Some(metric::Data::Gauge(data)) => ("gauge", inner.list("dataPoints", &data.data_points, number_point).end()),
        Some(metric::Data::Sum(data)) => (
            "sum",
            inner
                .list("dataPoints", &data.data_points, number_point)
                .number("aggregationTemporality", data.aggregation_temporality)
                .raw("isMonotonic", data.is_monotonic)
                .end(),
        ),
        Some(metric::Data::Histogram(data)) => (
            "histogram",
            inner
                .list("dataPoints", &data.data_points, histogram_point)
                .number("aggregationTemporality", data.aggregation_temporality)
                .end(),
        ),
        Some(metric::Data::ExponentialHistogram(data)) => (
            "exponentialHistogram",
            inner
                .list("dataPoints", &data.data_points, exp_histogram_point)
                .number("aggregationTemporality", data.aggregation_temporality)
                .end(),
        ),
        Some(metric::Data::Summary(data)) => {
            ("summary", inner.list("dataPoints", &data.data_points, summary_point).end())
        }
    };
    if !key.is_empty() {
        object.raw(key, json);
    }
    object
        .text("name", &from.name)
        .text("description", &from.description)
        .text("unit", &from.unit)
        .list("metadata", &from.metadata, key_value)
        .end()
}

/// Metrics of every kind.
pub fn metrics(rng: &mut Rng, data: &MetricsData) -> String {
    Object::new(rng)
        .list("resourceMetrics", &data.resource_metrics, |rng, level_above| {
            let scopes = |rng: &mut Rng, scope_metrics: &_| {
                let opentelemetry_proto::tonic::metrics::v1::ScopeMetrics { scope: origin, metrics, schema_url } =
                    scope_metrics;
                level(rng, ("scope", origin, scope), ("metrics", metrics, metric), schema_url)
            };
            let own = ("resource", &level_above.resource, resource);
            level(rng, own, ("scopeMetrics", &level_above.scope_metrics, scopes), &level_above.schema_url)
        })
        .end()
}
