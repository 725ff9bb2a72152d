//! The requests as OTLP/JSON: ids in hex, 64-bit integers as strings, enums as numbers, bytes in base64.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, HistogramDataPoint, Metric, NumberDataPoint, exemplar, metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{Span, span};
use serde_json::{Value, json};

/// A trace request.
pub fn traces_json(request: &ExportTraceServiceRequest) -> Value {
    let resources = request.resource_spans.iter().map(|by_resource| {
        let scopes = by_resource.scope_spans.iter().map(|by_scope| {
            let spans: Vec<Value> = by_scope.spans.iter().map(span_json).collect();
            json!({"scope": scope(&by_scope.scope), "spans": spans, "schemaUrl": by_scope.schema_url})
        });
        let scopes: Vec<Value> = scopes.collect();
        json!({"resource": resource(&by_resource.resource), "scopeSpans": scopes, "schemaUrl": by_resource.schema_url})
    });
    json!({"resourceSpans": resources.collect::<Vec<_>>()})
}

/// A log request.
pub fn logs_json(request: &ExportLogsServiceRequest) -> Value {
    let resources = request.resource_logs.iter().map(|by_resource| {
        let scopes = by_resource.scope_logs.iter().map(|by_scope| {
            let records = by_scope.log_records.iter().map(|record| {
                json!({
                    "timeUnixNano": record.time_unix_nano.to_string(),
                    "observedTimeUnixNano": record.observed_time_unix_nano.to_string(),
                    "severityNumber": record.severity_number,
                    "severityText": record.severity_text,
                    "body": record.body.as_ref().map(any),
                    "attributes": attributes(&record.attributes),
                    "droppedAttributesCount": record.dropped_attributes_count,
                    "flags": record.flags,
                    "traceId": hex(&record.trace_id),
                    "spanId": hex(&record.span_id),
                    "eventName": record.event_name,
                })
            });
            let records: Vec<Value> = records.collect();
            json!({"scope": scope(&by_scope.scope), "logRecords": records, "schemaUrl": by_scope.schema_url})
        });
        let scopes: Vec<Value> = scopes.collect();
        json!({"resource": resource(&by_resource.resource), "scopeLogs": scopes, "schemaUrl": by_resource.schema_url})
    });
    json!({"resourceLogs": resources.collect::<Vec<_>>()})
}

/// A metric request; exponential histograms and summaries are not written.
pub fn metrics_json(request: &ExportMetricsServiceRequest) -> Value {
    let resources = request.resource_metrics.iter().map(|by_resource| {
        let scopes = by_resource.scope_metrics.iter().map(|by_scope| {
            let metrics: Vec<Value> = by_scope.metrics.iter().map(metric_json).collect();
            json!({"scope": scope(&by_scope.scope), "metrics": metrics, "schemaUrl": by_scope.schema_url})
        });
        let scopes: Vec<Value> = scopes.collect();
        json!({"resource": resource(&by_resource.resource), "scopeMetrics": scopes})
    });
    json!({"resourceMetrics": resources.collect::<Vec<_>>()})
}

fn span_json(span: &Span) -> Value {
    json!({
        "traceId": hex(&span.trace_id),
        "spanId": hex(&span.span_id),
        "parentSpanId": hex(&span.parent_span_id),
        "traceState": span.trace_state,
        "flags": span.flags,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": span.start_time_unix_nano.to_string(),
        "endTimeUnixNano": span.end_time_unix_nano.to_string(),
        "attributes": attributes(&span.attributes),
        "droppedAttributesCount": span.dropped_attributes_count,
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
        "links": span.links.iter().map(link).collect::<Vec<_>>(),
        "status": span.status.as_ref().map(|status| json!({"code": status.code, "message": status.message})),
    })
}

fn event(event: &span::Event) -> Value {
    json!({
        "timeUnixNano": event.time_unix_nano.to_string(),
        "name": event.name,
        "attributes": attributes(&event.attributes),
    })
}

fn link(link: &span::Link) -> Value {
    json!({
        "traceId": hex(&link.trace_id),
        "spanId": hex(&link.span_id),
        "flags": link.flags,
        "attributes": attributes(&link.attributes),
    })
}

fn metric_json(metric: &Metric) -> Value {
    let mut out = json!({"name": metric.name, "unit": metric.unit, "description": metric.description});
    let (kind, data) = match &metric.data {
        Some(Data::Gauge(gauge)) => ("gauge", json!({"dataPoints": numbers(&gauge.data_points)})),
        Some(Data::Sum(sum)) => (
            "sum",
            json!({
                "dataPoints": numbers(&sum.data_points),
                "aggregationTemporality": sum.aggregation_temporality,
                "isMonotonic": sum.is_monotonic,
            }),
        ),
        Some(Data::Histogram(histogram)) => (
            "histogram",
            json!({
                "dataPoints": histogram.data_points.iter().map(histogram_point).collect::<Vec<_>>(),
                "aggregationTemporality": histogram.aggregation_temporality,
            }),
        ),
        _ => return out,
    };
    out[kind] = data;
    out
}

fn numbers(points: &[NumberDataPoint]) -> Vec<Value> {
    points
        .iter()
        .map(|point| {
            let mut out = json!({
                "attributes": attributes(&point.attributes),
                "startTimeUnixNano": point.start_time_unix_nano.to_string(),
                "timeUnixNano": point.time_unix_nano.to_string(),
                "exemplars": exemplars(&point.exemplars),
                "flags": point.flags,
            });
            match point.value {
                Some(number_data_point::Value::AsDouble(value)) => out["asDouble"] = json!(value),
                Some(number_data_point::Value::AsInt(value)) => out["asInt"] = json!(value.to_string()),
                None => {}
            }
            out
        })
        .collect()
}

fn histogram_point(point: &HistogramDataPoint) -> Value {
    json!({
        "attributes": attributes(&point.attributes),
        "startTimeUnixNano": point.start_time_unix_nano.to_string(),
        "timeUnixNano": point.time_unix_nano.to_string(),
        "count": point.count.to_string(),
        "sum": point.sum,
        "bucketCounts": point.bucket_counts.iter().map(u64::to_string).collect::<Vec<_>>(),
        "explicitBounds": point.explicit_bounds,
        "exemplars": exemplars(&point.exemplars),
    })
}

fn exemplars(list: &[Exemplar]) -> Vec<Value> {
    list.iter()
        .map(|exemplar| {
            let mut out = json!({
                "timeUnixNano": exemplar.time_unix_nano.to_string(),
                "traceId": hex(&exemplar.trace_id),
                "spanId": hex(&exemplar.span_id),
                "filteredAttributes": attributes(&exemplar.filtered_attributes),
            });
            match exemplar.value {
                Some(exemplar::Value::AsDouble(value)) => out["asDouble"] = json!(value),
                Some(exemplar::Value::AsInt(value)) => out["asInt"] = json!(value.to_string()),
                None => {}
            }
            out
        })
        .collect()
}

fn resource(resource: &Option<Resource>) -> Value {
    resource.as_ref().map_or(Value::Null, |resource| json!({"attributes": attributes(&resource.attributes)}))
}

fn scope(scope: &Option<InstrumentationScope>) -> Value {
    scope.as_ref().map_or(Value::Null, |scope| json!({"name": scope.name, "version": scope.version}))
}

fn attributes(list: &[KeyValue]) -> Vec<Value> {
    list.iter().map(|entry| json!({"key": entry.key, "value": entry.value.as_ref().map(any)})).collect()
}

fn any(value: &AnyValue) -> Value {
    match &value.value {
        None => json!({}),
        Some(Any::StringValue(text)) => json!({"stringValue": text}),
        Some(Any::BoolValue(value)) => json!({"boolValue": value}),
        Some(Any::IntValue(value)) => json!({"intValue": value.to_string()}),
        Some(Any::DoubleValue(value)) => json!({"doubleValue": value}),
        Some(Any::BytesValue(bytes)) => json!({"bytesValue": base64(bytes)}),
        Some(Any::ArrayValue(array)) => {
            json!({"arrayValue": {"values": array.values.iter().map(any).collect::<Vec<_>>()}})
        }
        Some(Any::KvlistValue(list)) => json!({"kvlistValue": {"values": attributes(&list.values)}}),
        Some(_) => Value::Null,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Standard base64, padded.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let index = (word >> (18 - 6 * digit)) & 63;
            out.push(if digit <= chunk.len() { char::from(DIGITS[index as usize]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads() {
        let check = |bytes: &[u8], expect: &str| assert_eq!(base64(bytes), expect);
        check(b"", "");
        check(b"a", "YQ==");
        check(b"ab", "YWI=");
        check(b"abc", "YWJj");
    }
}
