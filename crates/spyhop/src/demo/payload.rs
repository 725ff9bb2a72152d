//! OTLP/JSON of what the shop made.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::gauges::{BOUNDS, Metric, MetricKind, Point, PointValue};
use super::journey::{Attributes, Log, Pod, Span, Value};
use super::shop::{CLUSTER, NAMESPACE, SERVICES, Service};

const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";

/// An export request for traces.
pub(super) fn traces(spans: &[Span]) -> Vec<u8> {
    let resources = by_pod(
        spans,
        |span| span.pod,
        |pod, spans| {
            json!({
                "resource": resource(pod),
                "scopeSpans": [{ "scope": scope(pod), "spans": spans.iter().map(|span| self::span(span)).collect::<Vec<_>>() }],
                "schemaUrl": SCHEMA_URL,
            })
        },
    );
    bytes(&json!({ "resourceSpans": resources }))
}

/// An export request for logs.
pub(super) fn logs(logs: &[Log]) -> Vec<u8> {
    let resources = by_pod(
        logs,
        |log| log.pod,
        |pod, logs| {
            json!({
                "resource": resource(pod),
                "scopeLogs": [{ "scope": { "name": SERVICES[pod.service].name }, "logRecords": logs.iter().map(|log| self::log(log)).collect::<Vec<_>>() }],
                "schemaUrl": SCHEMA_URL,
            })
        },
    );
    bytes(&json!({ "resourceLogs": resources }))
}

/// An export request for metrics that count from `start_unix_nano` on.
pub(super) fn metrics(metrics: &[Metric], start_unix_nano: i64) -> Vec<u8> {
    let resources = by_pod(
        metrics,
        |metric| metric.pod,
        |pod, metrics| {
            let metrics: Vec<Json> = metrics.iter().map(|metric| self::metric(metric, start_unix_nano)).collect();
            json!({ "resource": resource(pod), "scopeMetrics": [{ "scope": scope(pod), "metrics": metrics }], "schemaUrl": SCHEMA_URL })
        },
    );
    bytes(&json!({ "resourceMetrics": resources }))
}

fn bytes(json: &Json) -> Vec<u8> {
    json.to_string().into_bytes()
}

fn by_pod<T>(items: &[T], pod: impl Fn(&T) -> Pod, write: impl Fn(Pod, &[&T]) -> Json) -> Vec<Json> {
    let mut pods: BTreeMap<Pod, Vec<&T>> = BTreeMap::new();
    for item in items {
        pods.entry(pod(item)).or_default().push(item);
    }
    pods.iter().map(|(pod, items)| write(*pod, items)).collect()
}

fn resource(Pod { service, pod }: Pod) -> Json {
    let Service { name, version, language, pods, .. } = &SERVICES[service];
    let (pod, node) = pods[pod.min(pods.len() - 1)];
    let pairs = [
        ("service.name", *name),
        ("service.namespace", NAMESPACE),
        ("service.version", *version),
        ("service.instance.id", pod),
        ("telemetry.sdk.name", "opentelemetry"),
        ("telemetry.sdk.language", *language),
        ("deployment.environment.name", "production"),
        ("k8s.cluster.name", CLUSTER),
        ("k8s.namespace.name", NAMESPACE),
        ("k8s.deployment.name", *name),
        ("k8s.pod.name", pod),
        ("k8s.node.name", node),
        ("host.name", node),
    ];
    let attributes: Vec<Json> =
        pairs.iter().map(|(key, text)| json!({ "key": key, "value": { "stringValue": text } })).collect();
    json!({ "attributes": attributes })
}

fn scope(pod: Pod) -> Json {
    json!({ "name": SERVICES[pod.service].scope, "version": "0.60.0" })
}

fn attributes(attributes: &Attributes) -> Vec<Json> {
    let value = |value: &Value| match value {
        Value::Text(text) => json!({ "stringValue": text }),
        Value::Int(number) => json!({ "intValue": number.to_string() }),
    };
    attributes.iter().map(|(key, text)| json!({ "key": key, "value": value(text) })).collect()
}

fn trace_id(id: u128) -> String {
    format!("{id:032x}")
}

fn span_id(id: u64) -> String {
    format!("{id:016x}")
}

fn span(span: &Span) -> Json {
    let mut json = json!({
        "traceId": trace_id(span.trace_id),
        "spanId": span_id(span.span_id),
        "flags": 1,
        "name": span.name,
        "kind": span.kind as i32,
        "startTimeUnixNano": span.start_unix_nano.to_string(),
        "endTimeUnixNano": span.end_unix_nano.to_string(),
        "attributes": attributes(&span.attributes),
    });
    if let Some(parent) = span.parent_span_id {
        json["parentSpanId"] = span_id(parent).into();
    }
    if let Some(sent) = span.link {
        json["links"] = json!([{ "traceId": trace_id(span.trace_id), "spanId": span_id(sent), "flags": 1 }]);
    }
    let Some(error) = &span.error else { return json };
    json["status"] = json!({ "code": 2, "message": error.message });
    if error.is_own {
        let exception: Attributes = vec![
            ("exception.type", Value::Text(error.exception.to_owned())),
            ("exception.message", Value::Text(error.message.clone())),
            ("exception.stacktrace", Value::Text(error.stacktrace.to_owned())),
        ];
        let time = (span.end_unix_nano - 20_000).max(span.start_unix_nano).to_string();
        json["events"] = json!([{ "timeUnixNano": time, "name": "exception", "attributes": attributes(&exception) }]);
    }
    json
}

fn log(log: &Log) -> Json {
    let severity = match log.severity {
        0..=4 => "TRACE",
        5..=8 => "DEBUG",
        9..=12 => "INFO",
        13..=16 => "WARN",
        17..=20 => "ERROR",
        _ => "FATAL",
    };
    json!({
        "timeUnixNano": log.time_unix_nano.to_string(),
        "observedTimeUnixNano": log.time_unix_nano.to_string(),
        "severityNumber": log.severity,
        "severityText": severity,
        "body": { "stringValue": log.body },
        "attributes": attributes(&log.attributes),
        "flags": 1,
        "traceId": trace_id(log.trace_id),
        "spanId": span_id(log.span_id),
    })
}

fn metric(metric: &Metric, start_unix_nano: i64) -> Json {
    let points: Vec<Json> = metric.points.iter().map(|point| self::point(point, metric, start_unix_nano)).collect();
    let mut json = json!({ "name": metric.name, "unit": metric.unit, "description": metric.description });
    match metric.kind {
        MetricKind::Counter => {
            json["sum"] = json!({ "aggregationTemporality": 2, "isMonotonic": true, "dataPoints": points })
        }
        MetricKind::UpDownCounter => {
            json["sum"] = json!({ "aggregationTemporality": 2, "isMonotonic": false, "dataPoints": points })
        }
        MetricKind::Gauge => json["gauge"] = json!({ "dataPoints": points }),
        MetricKind::Histogram => json["histogram"] = json!({ "aggregationTemporality": 2, "dataPoints": points }),
    }
    json
}

fn point(point: &Point, metric: &Metric, start_unix_nano: i64) -> Json {
    let number = |text: &str| text.parse::<u16>().is_ok();
    let attributes: Vec<Json> = point
        .attributes
        .iter()
        .map(|(key, text)| match number(text) {
            true => json!({ "key": key, "value": { "intValue": text } }),
            false => json!({ "key": key, "value": { "stringValue": text } }),
        })
        .collect();
    let mut json = json!({ "attributes": attributes, "timeUnixNano": metric.time_unix_nano.to_string() });
    if metric.kind != MetricKind::Gauge {
        json["startTimeUnixNano"] = start_unix_nano.to_string().into();
    }
    match &point.value {
        PointValue::Int(value) => json["asInt"] = value.to_string().into(),
        PointValue::Double(value) => json["asDouble"] = (*value).into(),
        PointValue::Histogram(histogram) => {
            json["count"] = histogram.counts.iter().sum::<u64>().to_string().into();
            json["sum"] = histogram.sum.into();
            json["min"] = histogram.min.into();
            json["max"] = histogram.max.into();
            json["bucketCounts"] = histogram.counts.iter().map(u64::to_string).collect();
            json["explicitBounds"] = BOUNDS.to_vec().into();
            let exemplars = histogram.exemplars.iter().map(|exemplar| {
                json!({
                    "timeUnixNano": exemplar.time_unix_nano.to_string(),
                    "asDouble": exemplar.value,
                    "traceId": trace_id(exemplar.trace_id),
                    "spanId": span_id(exemplar.span_id),
                })
            });
            json["exemplars"] = exemplars.collect();
        }
    }
    json
}
