//! I11: what was sent can be read back from the rows, every field of it.

use fastrand::Rng;
use model::attributes::{AnyValue as Any, parse, parse_key_values};
use model::{Signal, Table};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint, SummaryDataPoint, exemplar, metric,
    number_data_point, summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use otlp::Encoding;
use prost::Message;
use schema::{PROMOTED, PromotedType, UNKNOWN_SERVICE};

use testkit::random_otlp as generate;

use super::rows::{Columns, boolean, bytes, double, double_list, int, structs, text, unsigned, unsigned_list};
use super::{batch, decode};

fn any(value: Any) -> AnyValue {
    let value = match value {
        Any::Empty => None,
        Any::Bool(value) => Some(Value::BoolValue(value)),
        Any::Int(value) => Some(Value::IntValue(value)),
        Any::Double(value) => Some(Value::DoubleValue(value)),
        Any::String(text) => Some(Value::StringValue(text)),
        Any::Bytes(bytes) => Some(Value::BytesValue(bytes)),
        Any::Array(values) => Some(Value::ArrayValue(ArrayValue { values: values.into_iter().map(any).collect() })),
        Any::KeyValueList(entries) => Some(Value::KvlistValue(KeyValueList { values: key_values(entries) })),
    };
    AnyValue { value }
}

fn key_values(entries: Vec<(String, Any)>) -> Vec<KeyValue> {
    entries.into_iter().map(|(key, value)| KeyValue { key, value: Some(any(value)), key_strindex: 0 }).collect()
}

/// Order among attributes is not kept, order among equal keys is.
fn sorted(mut attributes: Vec<KeyValue>) -> Vec<KeyValue> {
    attributes.sort_by(|left, right| left.key.cmp(&right.key));
    attributes
}

fn attributes_of(columns: &impl Columns, row: usize) -> Vec<KeyValue> {
    let json = text(columns, "attributes", row).unwrap_or("{}".into());
    key_values(parse_key_values(&json).expect("canonical"))
}

fn record_attributes(columns: &impl Columns, row: usize) -> Vec<KeyValue> {
    let mut attributes = attributes_of(columns, row);
    for promoted in PROMOTED {
        let value = match promoted.kind {
            PromotedType::Int => int(columns, promoted.column, row).map(Value::IntValue),
            _ => text(columns, promoted.column, row).map(Value::StringValue),
        };
        if let Some(value) = value {
            assert!(attributes.iter().all(|entry| entry.key != promoted.key), "promoted keys occur once");
            let value = Some(AnyValue { value: Some(value) });
            attributes.push(KeyValue { key: promoted.key.into(), value, key_strindex: 0 });
        }
    }
    sorted(attributes)
}

/// A member of a canonical resource or scope.
fn take(members: &mut Vec<(String, Any)>, name: &str) -> Option<Any> {
    let at = members.iter().position(|(key, _)| key == name)?;
    Some(members.remove(at).1)
}

fn take_text(members: &mut Vec<(String, Any)>, name: &str) -> String {
    take(members, name)
        .map(|value| if let Any::String(text) = value { text } else { panic!("text") })
        .unwrap_or_default()
}

fn take_attributes(members: &mut Vec<(String, Any)>) -> Vec<KeyValue> {
    let entries = take(members, "attributes").map(|value| match value {
        Any::KeyValueList(entries) => entries,
        _ => panic!("attributes"),
    });
    sorted(key_values(entries.unwrap_or_default()))
}

fn take_count(members: &mut Vec<(String, Any)>) -> u32 {
    take(members, "dropped_attributes_count")
        .map_or(0, |v| if let Any::Int(count) = v { count as u32 } else { panic!() })
}

/// The members of a canonical resource or scope.
fn members(json: Option<String>) -> Vec<(String, Any)> {
    parse_key_values(&json.unwrap_or("{}".into())).expect("canonical")
}

fn take_texts(members: &mut Vec<(String, Any)>, name: &str) -> Vec<String> {
    match take(members, name) {
        Some(Any::Array(values)) => {
            values.into_iter().map(|value| if let Any::String(text) = value { text } else { panic!() }).collect()
        }
        _ => vec![],
    }
}

fn resource_of(json: Option<String>) -> (Resource, String) {
    let mut members = members(json);
    let refs = match take(&mut members, "entity_refs") {
        Some(Any::Array(values)) => values,
        _ => vec![],
    };
    let entity_refs = refs.into_iter().map(|entity| {
        let Any::KeyValueList(mut members) = entity else { panic!("entity") };
        EntityRef {
            schema_url: take_text(&mut members, "schema_url"),
            r#type: take_text(&mut members, "type"),
            id_keys: take_texts(&mut members, "id_keys"),
            description_keys: take_texts(&mut members, "description_keys"),
        }
    });
    let resource = Resource {
        entity_refs: entity_refs.collect(),
        attributes: take_attributes(&mut members),
        dropped_attributes_count: take_count(&mut members),
    };
    (resource, take_text(&mut members, "schema_url"))
}

fn scope_of(json: Option<String>) -> (InstrumentationScope, String) {
    let mut members = members(json);
    let scope = InstrumentationScope {
        name: take_text(&mut members, "name"),
        version: take_text(&mut members, "version"),
        attributes: take_attributes(&mut members),
        dropped_attributes_count: take_count(&mut members),
    };
    (scope, take_text(&mut members, "schema_url"))
}

/// Where a record came from, to compare: resource, scope, and their schema urls.
fn sent_origin(
    resource: &Option<Resource>,
    resource_url: &str,
    scope: &Option<InstrumentationScope>,
    scope_url: &str,
) -> String {
    let mut resource = resource.clone().unwrap_or_default();
    resource.attributes = sorted(resource.attributes);
    let mut scope = scope.clone().unwrap_or_default();
    scope.attributes = sorted(scope.attributes);
    format!("{:?}", ((resource, resource_url), (scope, scope_url)))
}

fn read_origin(columns: &impl Columns, row: usize) -> String {
    let resource = resource_of(text(columns, "resource", row));
    let named = resource.0.attributes.iter().rfind(|entry| {
        entry.key == "service.name" && matches!(entry.value, Some(AnyValue { value: Some(Value::StringValue(_)) }))
    });
    let name = match named.and_then(|entry| entry.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(name)) if !name.is_empty() => name.clone(),
        _ => UNKNOWN_SERVICE.into(),
    };
    assert_eq!(text(columns, "service_name", row), Some(name));
    format!("{:?}", (resource, scope_of(text(columns, "scope", row))))
}

/// An id as storage keeps it: absent, zero and malformed are one.
fn id(bytes: Vec<u8>, length: usize) -> Vec<u8> {
    if bytes.len() == length && bytes.iter().any(|byte| *byte != 0) { bytes } else { vec![] }
}

fn count(columns: &impl Columns, name: &str, row: usize) -> u32 {
    int(columns, name, row).unwrap_or(0) as u32
}

fn wire_time(columns: &impl Columns, name: &str, row: usize) -> u64 {
    if boolean(columns, "time_absent", row) == Some(true) {
        return 0;
    }
    int(columns, name, row).unwrap_or(0) as u64
}

fn read_events(columns: &impl Columns, row: usize) -> Vec<Event> {
    let Some(events) = structs(columns, "events", row) else { return vec![] };
    let event = |row| Event {
        time_unix_nano: int(&events, "time", row).expect("required") as u64,
        name: text(&events, "name", row).expect("required"),
        attributes: sorted(attributes_of(&events, row)),
        dropped_attributes_count: count(&events, "dropped_attributes_count", row),
    };
    (0..arrow::array::Array::len(&events)).map(event).collect()
}

fn read_links(columns: &impl Columns, row: usize) -> Vec<Link> {
    let Some(links) = structs(columns, "links", row) else { return vec![] };
    let link = |row| Link {
        trace_id: bytes(&links, "trace_id", row).unwrap_or_default(),
        span_id: bytes(&links, "span_id", row).unwrap_or_default(),
        trace_state: text(&links, "trace_state", row).unwrap_or_default(),
        attributes: sorted(attributes_of(&links, row)),
        dropped_attributes_count: count(&links, "dropped_attributes_count", row),
        flags: count(&links, "flags", row),
    };
    (0..arrow::array::Array::len(&links)).map(link).collect()
}

fn read_span(columns: &impl Columns, row: usize) -> Span {
    let start = wire_time(columns, "start_time", row);
    Span {
        trace_id: bytes(columns, "trace_id", row).expect("required"),
        span_id: bytes(columns, "span_id", row).expect("required"),
        trace_state: text(columns, "trace_state", row).unwrap_or_default(),
        parent_span_id: bytes(columns, "parent_span_id", row).unwrap_or_default(),
        flags: count(columns, "flags", row),
        name: text(columns, "name", row).expect("required"),
        kind: int(columns, "kind", row).unwrap_or(0) as i32,
        start_time_unix_nano: start,
        end_time_unix_nano: (start as i64 + int(columns, "duration_nanos", row).expect("required")) as u64,
        attributes: record_attributes(columns, row),
        dropped_attributes_count: count(columns, "dropped_attributes_count", row),
        events: read_events(columns, row),
        dropped_events_count: count(columns, "dropped_events_count", row),
        links: read_links(columns, row),
        dropped_links_count: count(columns, "dropped_links_count", row),
        status: Some(Status {
            message: text(columns, "status_message", row).unwrap_or_default(),
            code: int(columns, "status_code", row).unwrap_or(0) as i32,
        }),
    }
}

fn sent_span(mut span: Span) -> Span {
    span.attributes = sorted(span.attributes);
    span.parent_span_id = id(span.parent_span_id, 8);
    span.status.get_or_insert_default();
    for event in &mut span.events {
        event.attributes = sorted(std::mem::take(&mut event.attributes));
    }
    for link in &mut span.links {
        link.attributes = sorted(std::mem::take(&mut link.attributes));
        link.trace_id = id(std::mem::take(&mut link.trace_id), 16);
        link.span_id = id(std::mem::take(&mut link.span_id), 8);
    }
    span
}

#[test]
fn spans_come_back_as_they_were_sent() {
    let mut rng = Rng::with_seed(1);
    for _ in 0..300 {
        let data = generate::traces(&mut rng);
        let (appended, batches) = decode(Signal::Traces, Encoding::Protobuf, &data.encode_to_vec()).expect("valid");
        let mut row = 0;
        for level in data.resource_spans {
            for scope in level.scope_spans {
                let origin = sent_origin(&level.resource, &level.schema_url, &scope.scope, &scope.schema_url);
                for span in scope.spans {
                    let batch = batch(&batches, Table::Spans);
                    assert_eq!(format!("{:?}", read_span(batch, row)), format!("{:?}", sent_span(span)));
                    assert_eq!(read_origin(batch, row), origin);
                    row += 1;
                }
            }
        }
        assert_eq!(appended.stored as usize, row);
    }
}

fn read_log(columns: &impl Columns, row: usize) -> LogRecord {
    let body = text(columns, "body", row);
    let body = match int(columns, "body_type", row) {
        None => body.map(|text| AnyValue { value: Some(Value::StringValue(text)) }),
        Some(7) => Some(AnyValue { value: None }),
        Some(_) => Some(any(parse(&body.expect("a body of another type")).expect("canonical"))),
    };
    LogRecord {
        time_unix_nano: wire_time(columns, "time", row),
        observed_time_unix_nano: int(columns, "observed_time", row).unwrap_or(0) as u64,
        severity_number: int(columns, "severity_number", row).unwrap_or(0) as i32,
        severity_text: text(columns, "severity_text", row).unwrap_or_default(),
        body,
        attributes: record_attributes(columns, row),
        dropped_attributes_count: count(columns, "dropped_attributes_count", row),
        flags: count(columns, "flags", row),
        trace_id: bytes(columns, "trace_id", row).unwrap_or_default(),
        span_id: bytes(columns, "span_id", row).unwrap_or_default(),
        event_name: text(columns, "event_name", row).unwrap_or_default(),
    }
}

#[test]
fn log_records_come_back_as_they_were_sent() {
    let mut rng = Rng::with_seed(2);
    for _ in 0..300 {
        let data = generate::logs(&mut rng);
        let (appended, batches) = decode(Signal::Logs, Encoding::Protobuf, &data.encode_to_vec()).expect("valid");
        let mut row = 0;
        for level in data.resource_logs {
            for scope in level.scope_logs {
                let origin = sent_origin(&level.resource, &level.schema_url, &scope.scope, &scope.schema_url);
                for mut record in scope.log_records {
                    record.attributes = sorted(record.attributes);
                    record.trace_id = id(record.trace_id, 16);
                    record.span_id = id(record.span_id, 8);
                    let batch = batch(&batches, Table::Logs);
                    assert_eq!(format!("{:?}", read_log(batch, row)), format!("{record:?}"));
                    assert_eq!(read_origin(batch, row), origin);
                    row += 1;
                }
            }
        }
        assert_eq!(appended.stored as usize, row);
    }
}

/// Reads the tables of metrics from the top, a row at a time.
struct MetricReader<'a> {
    batches: &'a [(Table, arrow::array::RecordBatch)],
    next: [usize; 8],
    next_exemplar: usize,
}

impl MetricReader<'_> {
    fn exemplars(&mut self, sent: &[Exemplar], point_time: i64, series_id: u64) -> Vec<Exemplar> {
        let mut read = Vec::new();
        for _ in sent {
            let (columns, row) = (batch(self.batches, Table::Exemplars), self.next_exemplar);
            self.next_exemplar += 1;
            assert_eq!(unsigned(columns, "series_id", row), Some(series_id));
            let own_time = int(columns, "point_time", row).inspect(|time| assert_eq!(*time, point_time)).is_some();
            let time = int(columns, "time", row).expect("required");
            assert!(own_time || time == point_time);
            let as_double = double(columns, "value", row).map(exemplar::Value::AsDouble);
            read.push(Exemplar {
                filtered_attributes: sorted(attributes_of(columns, row)),
                time_unix_nano: if own_time { time as u64 } else { 0 },
                span_id: bytes(columns, "span_id", row).unwrap_or_default(),
                trace_id: bytes(columns, "trace_id", row).unwrap_or_default(),
                value: as_double.or_else(|| int(columns, "value_int", row).map(exemplar::Value::AsInt)),
            });
        }
        read
    }

    /// The head of the next point of a table and the series row it belongs to.
    fn head(&mut self, table: Table) -> (usize, u64, usize) {
        let row = self.next[usize::from(table.number())];
        self.next[usize::from(table.number())] += 1;
        let series_id = unsigned(batch(self.batches, table), "series_id", row).expect("required");
        let series = batch(self.batches, Table::Series);
        let series_row = (0..series.num_rows()).find(|row| unsigned(series, "series_id", *row) == Some(series_id));
        (row, series_id, series_row.expect("every series is described"))
    }
}

fn sent_exemplars(exemplars: &[Exemplar]) -> Vec<Exemplar> {
    let normal = |exemplar: &Exemplar| Exemplar {
        filtered_attributes: sorted(exemplar.filtered_attributes.clone()),
        trace_id: id(exemplar.trace_id.clone(), 16),
        span_id: id(exemplar.span_id.clone(), 8),
        ..exemplar.clone()
    };
    exemplars.iter().map(normal).collect()
}

fn same<T: std::fmt::Debug>(read: T, sent: T) {
    assert_eq!(format!("{read:?}"), format!("{sent:?}"));
}

fn check_number(reader: &mut MetricReader<'_>, mut sent: NumberDataPoint) -> usize {
    let (row, series_id, series_row) = reader.head(Table::Points);
    let columns = batch(reader.batches, Table::Points);
    let time = int(columns, "time", row).expect("required");
    let as_double = double(columns, "value", row).map(number_data_point::Value::AsDouble);
    sent.attributes = sorted(sent.attributes);
    sent.exemplars = sent_exemplars(&sent.exemplars);
    let read = NumberDataPoint {
        attributes: attributes_of(batch(reader.batches, Table::Series), series_row),
        start_time_unix_nano: int(columns, "start_time", row).unwrap_or(0) as u64,
        time_unix_nano: time as u64,
        exemplars: reader.exemplars(&sent.exemplars, time, series_id),
        flags: count(columns, "flags", row),
        value: as_double.or_else(|| int(columns, "value_int", row).map(number_data_point::Value::AsInt)),
    };
    same(read, sent);
    series_row
}

fn check_histogram(reader: &mut MetricReader<'_>, mut sent: HistogramDataPoint) -> usize {
    let (row, series_id, series_row) = reader.head(Table::Histograms);
    let columns = batch(reader.batches, Table::Histograms);
    let time = int(columns, "time", row).expect("required");
    sent.attributes = sorted(sent.attributes);
    sent.exemplars = sent_exemplars(&sent.exemplars);
    let read = HistogramDataPoint {
        attributes: attributes_of(batch(reader.batches, Table::Series), series_row),
        start_time_unix_nano: int(columns, "start_time", row).unwrap_or(0) as u64,
        time_unix_nano: time as u64,
        count: unsigned(columns, "count", row).expect("required"),
        sum: double(columns, "sum", row),
        bucket_counts: unsigned_list(columns, "bucket_counts", row),
        explicit_bounds: double_list(columns, "explicit_bounds", row),
        exemplars: reader.exemplars(&sent.exemplars, time, series_id),
        flags: count(columns, "flags", row),
        min: double(columns, "min", row),
        max: double(columns, "max", row),
    };
    same(read, sent);
    series_row
}

fn check_exp_histogram(reader: &mut MetricReader<'_>, mut sent: ExponentialHistogramDataPoint) -> usize {
    let (row, series_id, series_row) = reader.head(Table::ExpHistograms);
    let columns = batch(reader.batches, Table::ExpHistograms);
    let time = int(columns, "time", row).expect("required");
    sent.attributes = sorted(sent.attributes);
    sent.exemplars = sent_exemplars(&sent.exemplars);
    let buckets = |offset, counts| {
        int(columns, offset, row)
            .map(|offset| Buckets { offset: offset as i32, bucket_counts: unsigned_list(columns, counts, row) })
    };
    let read = ExponentialHistogramDataPoint {
        attributes: attributes_of(batch(reader.batches, Table::Series), series_row),
        start_time_unix_nano: int(columns, "start_time", row).unwrap_or(0) as u64,
        time_unix_nano: time as u64,
        count: unsigned(columns, "count", row).expect("required"),
        sum: double(columns, "sum", row),
        scale: int(columns, "scale", row).expect("required") as i32,
        zero_count: unsigned(columns, "zero_count", row).unwrap_or(0),
        positive: buckets("positive_offset", "positive_counts"),
        negative: buckets("negative_offset", "negative_counts"),
        flags: count(columns, "flags", row),
        exemplars: reader.exemplars(&sent.exemplars, time, series_id),
        min: double(columns, "min", row),
        max: double(columns, "max", row),
        zero_threshold: double(columns, "zero_threshold", row).unwrap_or(0.0),
    };
    same(read, sent);
    series_row
}

fn check_summary(reader: &mut MetricReader<'_>, mut sent: SummaryDataPoint) -> usize {
    let (row, _, series_row) = reader.head(Table::Summaries);
    let columns = batch(reader.batches, Table::Summaries);
    sent.attributes = sorted(sent.attributes);
    let quantiles = double_list(columns, "quantiles", row).into_iter();
    let values = double_list(columns, "quantile_values", row);
    let read = SummaryDataPoint {
        attributes: attributes_of(batch(reader.batches, Table::Series), series_row),
        start_time_unix_nano: int(columns, "start_time", row).unwrap_or(0) as u64,
        time_unix_nano: int(columns, "time", row).expect("required") as u64,
        count: unsigned(columns, "count", row).expect("required"),
        sum: double(columns, "sum", row).expect("always written"),
        quantile_values: quantiles.zip(values).map(|(quantile, value)| ValueAtQuantile { quantile, value }).collect(),
        flags: count(columns, "flags", row),
    };
    same(read, sent);
    series_row
}

#[test]
fn data_points_come_back_as_they_were_sent() {
    let mut rng = Rng::with_seed(3);
    for _ in 0..300 {
        let data = generate::metrics(&mut rng);
        let (_, batches) = decode(Signal::Metrics, Encoding::Protobuf, &data.encode_to_vec()).expect("valid");
        let mut reader = MetricReader { batches: &batches, next: [0; 8], next_exemplar: 0 };
        for level in data.resource_metrics {
            for scope in level.scope_metrics {
                let origin = sent_origin(&level.resource, &level.schema_url, &scope.scope, &scope.schema_url);
                for metric in scope.metrics {
                    let Some(data) = metric.data else { continue };
                    let (kind, temporality, monotonic, series_rows): (_, _, _, Vec<usize>) = match data {
                        metric::Data::Gauge(data) => {
                            let points = data.data_points.into_iter();
                            ("gauge", None, None, points.map(|point| check_number(&mut reader, point)).collect())
                        }
                        metric::Data::Sum(data) => {
                            let points = data.data_points.into_iter();
                            let rows = points.map(|point| check_number(&mut reader, point)).collect();
                            ("sum", Some(data.aggregation_temporality), Some(data.is_monotonic), rows)
                        }
                        metric::Data::Histogram(data) => {
                            let points = data.data_points.into_iter();
                            let rows = points.map(|point| check_histogram(&mut reader, point)).collect();
                            ("histogram", Some(data.aggregation_temporality), None, rows)
                        }
                        metric::Data::ExponentialHistogram(data) => {
                            let points = data.data_points.into_iter();
                            let rows = points.map(|point| check_exp_histogram(&mut reader, point)).collect();
                            ("exponential_histogram", Some(data.aggregation_temporality), None, rows)
                        }
                        metric::Data::Summary(data) => {
                            let points = data.data_points.into_iter();
                            ("summary", None, None, points.map(|point| check_summary(&mut reader, point)).collect())
                        }
                    };
                    for row in series_rows {
                        let series = batch(&batches, Table::Series);
                        assert_eq!(text(series, "metric", row).as_deref(), Some(metric.name.as_str()));
                        assert_eq!(text(series, "unit", row).unwrap_or_default(), metric.unit);
                        assert_eq!(text(series, "description", row).unwrap_or_default(), metric.description);
                        assert_eq!(text(series, "type", row).as_deref(), Some(kind));
                        assert_eq!(int(series, "temporality", row).map(|value| value as i32), temporality);
                        assert_eq!(boolean(series, "monotonic", row), monotonic);
                        let metadata = text(series, "metadata", row).unwrap_or("{}".into());
                        let metadata = key_values(parse_key_values(&metadata).expect("canonical"));
                        same(metadata, sorted(metric.metadata.clone()));
                        assert_eq!(read_origin(series, row), origin);
                    }
                }
            }
        }
    }
}
