//! Random messages with every field of OTLP set now and then, the same for the same generator.

use fastrand::Rng;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, metric,
    number_data_point, summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};

/// Times of the records lie in the hours before this one, in Unix nanoseconds.
pub const ARRIVAL: i64 = 1_795_289_400_000_000_000;

const KEYS: &[&str] = &[
    "http.request.method",
    "http.response.status_code",
    "url.path",
    "db.query.text",
    "thread.id",
    "service.name",
    "host.name",
    "k8s.pod.name",
    "custom",
    "custom",
    "",
    "$bytes",
    "$kvlist",
    "with \"quotes\" and \\",
    "ключ",
    "a.b.c",
];

const TEXTS: &[&str] = &[
    "",
    "GET",
    "checkout",
    "a longer text with more than a few words in it",
    "quote \" backslash \\ slash / newline \n tab \t nul \0 delete \u{7f}",
    "Ünïcödé 😀 \u{2028} \u{ffff}",
    "{\"json\":[1]}",
    "$double",
];

fn text(rng: &mut Rng) -> String {
    rng.choice(TEXTS).map(|text| text.to_string()).unwrap_or_default()
}

fn double(rng: &mut Rng) -> f64 {
    let some = [0.0, -0.0, 1.0, -1.5, 1e300, 5e-324, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1];
    if rng.bool() { some[rng.usize(..some.len())] } else { (rng.f64() - 0.5) * 1e6 }
}

/// A double of a field without presence, where prost leaves out negative zero too.
fn plain_double(rng: &mut Rng) -> f64 {
    double(rng) + 0.0
}

fn integer(rng: &mut Rng) -> i64 {
    match rng.u8(..4) {
        0 => rng.i64(..),
        1 => i64::MIN,
        2 => i64::MAX,
        _ => rng.i64(-100..600),
    }
}

fn count(rng: &mut Rng) -> u64 {
    if rng.u8(..8) == 0 { rng.u64(..) } else { rng.u64(..1000) }
}

fn small(rng: &mut Rng) -> u32 {
    if rng.u8(..3) == 0 { rng.u32(..) } else { 0 }
}

fn time(rng: &mut Rng) -> u64 {
    if rng.u8(..6) == 0 { 0 } else { ARRIVAL as u64 - rng.u64(..10_000_000_000_000) }
}

fn id(rng: &mut Rng, length: usize) -> Vec<u8> {
    (0..length).map(|_| rng.u8(1..)).collect()
}

/// An id, sometimes absent, zero or of a wrong length.
fn loose_id(rng: &mut Rng, length: usize) -> Vec<u8> {
    match rng.u8(..6) {
        0 => vec![],
        1 => vec![0; length],
        _ => id(rng, length),
    }
}

fn some<T>(rng: &mut Rng, max: usize, mut make: impl FnMut(&mut Rng) -> T) -> Vec<T> {
    (0..rng.usize(..=max)).map(|_| make(rng)).collect()
}

/// A value of any kind, nested a few levels deep.
pub fn any_value(rng: &mut Rng, depth: usize) -> AnyValue {
    let value = match rng.u8(..if depth < 3 { 12 } else { 9 }) {
        0 => None,
        1 => Some(Value::BoolValue(rng.bool())),
        2 | 3 => Some(Value::IntValue(integer(rng))),
        4 => Some(Value::DoubleValue(double(rng))),
        5 => Some(Value::BytesValue(some(rng, 5, |rng| rng.u8(..)))),
        6..=8 => Some(Value::StringValue(text(rng))),
        9 | 10 => Some(Value::ArrayValue(ArrayValue { values: some(rng, 3, |rng| any_value(rng, depth + 1)) })),
        _ => Some(Value::KvlistValue(KeyValueList { values: some(rng, 3, |rng| key_value(rng, depth + 1)) })),
    };
    AnyValue { value }
}

fn key_value(rng: &mut Rng, depth: usize) -> KeyValue {
    let key = rng.choice(KEYS).map(|key| key.to_string()).unwrap_or_default();
    KeyValue { key, value: Some(any_value(rng, depth)), key_strindex: 0 }
}

/// Up to eight attributes, keys twice among them.
pub fn attributes(rng: &mut Rng) -> Vec<KeyValue> {
    some(rng, 8, |rng| key_value(rng, 0))
}

fn resource(rng: &mut Rng) -> Option<Resource> {
    let entity_refs = some(rng, 2, |rng| EntityRef {
        schema_url: text(rng),
        r#type: text(rng),
        id_keys: some(rng, 2, text),
        description_keys: some(rng, 2, text),
    });
    (rng.u8(..5) > 0).then(|| Resource {
        attributes: attributes(rng),
        dropped_attributes_count: small(rng),
        entity_refs,
    })
}

fn scope(rng: &mut Rng) -> Option<InstrumentationScope> {
    (rng.u8(..5) > 0).then(|| InstrumentationScope {
        name: text(rng),
        version: text(rng),
        attributes: attributes(rng),
        dropped_attributes_count: small(rng),
    })
}

fn event(rng: &mut Rng) -> Event {
    Event {
        time_unix_nano: time(rng),
        name: text(rng),
        attributes: attributes(rng),
        dropped_attributes_count: small(rng),
    }
}

fn link(rng: &mut Rng) -> Link {
    Link {
        trace_id: loose_id(rng, 16),
        span_id: loose_id(rng, 8),
        trace_state: text(rng),
        attributes: attributes(rng),
        dropped_attributes_count: small(rng),
        flags: small(rng),
    }
}

fn span(rng: &mut Rng) -> Span {
    Span {
        trace_id: id(rng, 16),
        span_id: id(rng, 8),
        trace_state: text(rng),
        parent_span_id: loose_id(rng, 8),
        flags: small(rng),
        name: text(rng),
        kind: rng.i32(-1..8),
        start_time_unix_nano: time(rng),
        end_time_unix_nano: time(rng),
        attributes: attributes(rng),
        dropped_attributes_count: small(rng),
        events: some(rng, 2, event),
        dropped_events_count: small(rng),
        links: some(rng, 2, link),
        dropped_links_count: small(rng),
        status: rng.bool().then(|| Status { message: text(rng), code: rng.i32(-1..5) }),
    }
}

/// Spans.
pub fn traces(rng: &mut Rng) -> TracesData {
    let scope_spans =
        |rng: &mut Rng| ScopeSpans { scope: scope(rng), spans: some(rng, 4, span), schema_url: text(rng) };
    let resource_spans = some(rng, 3, |rng| ResourceSpans {
        resource: resource(rng),
        scope_spans: some(rng, 3, scope_spans),
        schema_url: text(rng),
    });
    TracesData { resource_spans }
}

fn log_record(rng: &mut Rng) -> LogRecord {
    LogRecord {
        time_unix_nano: time(rng),
        observed_time_unix_nano: time(rng),
        severity_number: rng.i32(-1..30),
        severity_text: text(rng),
        body: (rng.u8(..5) > 0).then(|| any_value(rng, 0)),
        attributes: attributes(rng),
        dropped_attributes_count: small(rng),
        flags: small(rng),
        trace_id: loose_id(rng, 16),
        span_id: loose_id(rng, 8),
        event_name: text(rng),
    }
}

/// Log records.
pub fn logs(rng: &mut Rng) -> LogsData {
    let scope_logs =
        |rng: &mut Rng| ScopeLogs { scope: scope(rng), log_records: some(rng, 4, log_record), schema_url: text(rng) };
    let resource_logs = some(rng, 3, |rng| ResourceLogs {
        resource: resource(rng),
        scope_logs: some(rng, 3, scope_logs),
        schema_url: text(rng),
    });
    LogsData { resource_logs }
}

fn exemplar(rng: &mut Rng) -> Exemplar {
    Exemplar {
        filtered_attributes: attributes(rng),
        time_unix_nano: time(rng),
        span_id: loose_id(rng, 8),
        trace_id: loose_id(rng, 16),
        value: match rng.u8(..5) {
            0 => None,
            1 | 2 => Some(exemplar::Value::AsDouble(double(rng))),
            _ => Some(exemplar::Value::AsInt(integer(rng))),
        },
    }
}

fn point_time(rng: &mut Rng) -> u64 {
    time(rng).max(1)
}

fn number_point(rng: &mut Rng) -> NumberDataPoint {
    let value = match rng.u8(..5) {
        0 => None,
        1 | 2 => Some(number_data_point::Value::AsDouble(double(rng))),
        _ => Some(number_data_point::Value::AsInt(integer(rng))),
    };
    NumberDataPoint {
        attributes: attributes(rng),
        start_time_unix_nano: time(rng),
        time_unix_nano: point_time(rng),
        exemplars: some(rng, 2, exemplar),
        flags: u32::from(value.is_none()),
        value,
    }
}

fn histogram_point(rng: &mut Rng) -> HistogramDataPoint {
    let bounds = rng.usize(..5);
    let has_buckets = rng.bool();
    HistogramDataPoint {
        attributes: attributes(rng),
        start_time_unix_nano: time(rng),
        time_unix_nano: point_time(rng),
        count: count(rng),
        sum: rng.bool().then(|| double(rng)),
        bucket_counts: if has_buckets { (0..=bounds).map(|_| count(rng)).collect() } else { vec![] },
        explicit_bounds: if has_buckets { (0..bounds).map(|at| at as f64 * 2.5).collect() } else { vec![] },
        exemplars: some(rng, 2, exemplar),
        flags: small(rng),
        min: rng.bool().then(|| double(rng)),
        max: rng.bool().then(|| double(rng)),
    }
}

fn buckets(rng: &mut Rng) -> Option<Buckets> {
    rng.bool().then(|| Buckets { offset: rng.i32(-3..3), bucket_counts: some(rng, 4, count) })
}

fn exp_histogram_point(rng: &mut Rng) -> ExponentialHistogramDataPoint {
    ExponentialHistogramDataPoint {
        attributes: attributes(rng),
        start_time_unix_nano: time(rng),
        time_unix_nano: point_time(rng),
        count: count(rng),
        sum: rng.bool().then(|| double(rng)),
        scale: rng.i32(-10..20),
        zero_count: count(rng),
        positive: buckets(rng),
        negative: buckets(rng),
        flags: small(rng),
        exemplars: some(rng, 2, exemplar),
        min: rng.bool().then(|| double(rng)),
        max: rng.bool().then(|| double(rng)),
        zero_threshold: plain_double(rng),
    }
}

fn summary_point(rng: &mut Rng) -> SummaryDataPoint {
    SummaryDataPoint {
        attributes: attributes(rng),
        start_time_unix_nano: time(rng),
        time_unix_nano: point_time(rng),
        count: count(rng),
        sum: plain_double(rng),
        quantile_values: some(rng, 3, |rng| ValueAtQuantile { quantile: plain_double(rng), value: plain_double(rng) }),
        flags: small(rng),
    }
}

fn metric(rng: &mut Rng) -> Metric {
    let aggregation_temporality = rng.i32(1..4);
    let data = match rng.u8(..6) {
        0 => None,
        1 => Some(metric::Data::Gauge(Gauge { data_points: some(rng, 3, number_point) })),
        2 => Some(metric::Data::Sum(Sum {
            data_points: some(rng, 3, number_point),
            aggregation_temporality,
            is_monotonic: rng.bool(),
        })),
        3 => Some(metric::Data::Histogram(Histogram {
            data_points: some(rng, 3, histogram_point),
            aggregation_temporality,
        })),
        4 => Some(metric::Data::ExponentialHistogram(ExponentialHistogram {
            data_points: some(rng, 3, exp_histogram_point),
            aggregation_temporality,
        })),
        _ => Some(metric::Data::Summary(Summary { data_points: some(rng, 3, summary_point) })),
    };
    Metric { name: text(rng), description: text(rng), unit: text(rng), metadata: attributes(rng), data }
}

/// Metrics of every kind.
pub fn metrics(rng: &mut Rng) -> MetricsData {
    let scope_metrics =
        |rng: &mut Rng| ScopeMetrics { scope: scope(rng), metrics: some(rng, 3, metric), schema_url: text(rng) };
    let resource_metrics = some(rng, 2, |rng| ResourceMetrics {
        resource: resource(rng),
        scope_metrics: some(rng, 2, scope_metrics),
        schema_url: text(rng),
    });
    MetricsData { resource_metrics }
}
