//! Ask by trace id, get everything: at once, from files, and after a kill.

use anyhow::Result;
use serde_json::{Value, json};
use testkit::proto::common::v1::{AnyValue, any_value};
use testkit::proto::logs::v1::LogRecord;
use testkit::proto::metrics::v1::{Exemplar, Histogram, HistogramDataPoint, Metric, exemplar, metric};
use testkit::proto::resource::v1::Resource;
use testkit::proto::trace::v1::{Span, Status, span};
use testkit::proto::{ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest};
use testkit::proto::{logs, metrics, trace};
use testkit::{
    Client, Logs, Metrics, Payload, Server, ServerSettings, Signal, Traces, now_unix_nano, string_attribute,
};

use crate::TestResult;

const TRACE: [u8; 16] = *b"\x9f\x3c\x1b\x7a\x5d\x2e\x4c\x08\xb6\xa1\xf0\xd4\xc3\xb2\xe2\x1a";
const TRACE_HEX: &str = "9f3c1b7a5d2e4c08b6a1f0d4c3b2e21a";
const ROOT: [u8; 8] = [1; 8];
const CHILD: [u8; 8] = [2; 8];

#[tokio::test]
async fn one_request_returns_spans_logs_and_exemplars() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let now = now_unix_nano();
    send_noise(&client, now).await?;
    send_trace(&client, now).await?;
    let at_once = view(&client).await?;
    check_view(&at_once, now);
    server.compact_now().await?;
    assert_eq!(view(&client).await?, at_once, "after compaction");
    send_noise(&client, now).await?;
    server.restart().await?;
    assert_eq!(view(&client).await?, at_once, "after kill -9");
    Ok(())
}

#[tokio::test]
async fn a_trace_that_arrives_in_parts_is_whole() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let (id, request) = Traces::new(11, now_unix_nano()).trace_of(90);
    for resource in request.resource_spans {
        let part = ExportTraceServiceRequest { resource_spans: vec![resource] };
        assert_eq!(client.send(&Payload::protobuf(Signal::Traces, &part)).await?.status, 200);
        server.compact_now().await?;
    }
    let path = format!("{}/{}", api::paths::TRACES, hex(&id));
    let answer: api::TraceAnswer = client.get_json(&path).await?;
    assert_eq!(answer.spans.len(), 90);
    assert!(answer.completeness.complete);
    let sorted = answer.spans.windows(2).all(|pair| pair[0].start_time_unix_nano <= pair[1].start_time_unix_nano);
    assert!(sorted, "spans come by start time");
    // The same with every resource once.
    let shared: api::TraceAnswer = client.get_json(&format!("{path}?shared=true")).await?;
    assert!(!shared.resources.is_empty() && shared.resources.len() < 90, "{}", shared.resources.len());
    for (short, long) in shared.spans.iter().zip(&answer.spans) {
        assert_eq!(short.resource, api::Resource::default());
        assert_eq!(shared.resource(&short.resource, short.resource_ref), &long.resource);
        assert_eq!(shared.scope(&short.scope, short.scope_ref), &long.scope);
        assert_eq!((&short.attributes, &short.span_id), (&long.attributes, &long.span_id));
    }
    assert_eq!(client.get(&format!("{path}?shared=maybe")).await?.status, 400);
    Ok(())
}

/// The answer without what may differ between two of them.
async fn view(client: &Client) -> Result<Value> {
    let mut answer: Value = client.get_json(&format!("{}/{TRACE_HEX}", api::paths::TRACES)).await?;
    let parts = answer.as_object_mut().expect("an answer is an object");
    assert_eq!(parts.remove("complete"), Some(json!(true)));
    assert!(parts.remove("stats").is_some());
    parts.remove("last_seen");
    Ok(answer)
}

fn check_view(view: &Value, now: i64) {
    let spans = view["spans"].as_array().expect("spans");
    assert_eq!(spans.len(), 2, "{view:#}");
    let (root, child) = (&spans[0], &spans[1]);
    assert_eq!(root["name"], "GET /orders");
    assert_eq!(root.get("parent_span_id"), None);
    assert_eq!(root["span_id"], "0101010101010101");
    assert_eq!(root["start_time_unix_nano"], (now - 500_000_000).to_string());
    assert_eq!(root["end_time_unix_nano"], (now - 400_000_000).to_string());
    assert_eq!(root["resource"]["attributes"]["service.name"], "shop");
    assert_eq!(root["attributes"]["http.route"], "/orders");
    assert_eq!(child["resource"]["attributes"]["service.name"], "stock");
    assert_eq!(child["parent_span_id"], "0101010101010101");
    assert_eq!(child["status"], json!({"code": 2, "message": "out of stock"}));
    assert_eq!(child["events"][0]["name"], "exception");
    assert_eq!(child["events"][0]["attributes"]["exception.type"], "OutOfStock");
    assert_eq!(child["links"][0]["span_id"], "0303030303030303");
    let logs = view["logs"].as_array().expect("logs");
    assert_eq!(logs.len(), 2, "{view:#}");
    assert_eq!(logs[0]["body"], "order received");
    assert_eq!(logs[0]["span_id"], "0101010101010101");
    assert_eq!(logs[0]["severity_number"], 9);
    assert_eq!(logs[1]["resource"]["attributes"]["service.name"], "stock");
    let exemplars = view["exemplars"].as_array().expect("exemplars");
    assert_eq!(exemplars.len(), 1, "{view:#}");
    assert_eq!(exemplars[0]["metric"], "order.duration");
    assert_eq!(exemplars[0]["value"], 0.1);
    assert_eq!(exemplars[0]["service_name"], "shop");
    assert_eq!(exemplars[0]["span_id"], "0101010101010101");
}

async fn send_noise(client: &Client, now: i64) -> TestResult {
    let payloads = [
        Payload::protobuf(Signal::Traces, &Traces::new(7, now).request(300)),
        Payload::protobuf(Signal::Logs, &Logs::new(8, now).request(300)),
        Payload::protobuf(Signal::Metrics, &Metrics::new(9, now).request(300)),
    ];
    for payload in &payloads {
        assert_eq!(client.send(payload).await?.status, 200);
    }
    Ok(())
}

async fn send_trace(client: &Client, now: i64) -> TestResult {
    for payload in [
        Payload::protobuf(Signal::Traces, &spans(now)),
        Payload::protobuf(Signal::Logs, &log_records(now)),
        Payload::protobuf(Signal::Metrics, &histogram(now)),
    ] {
        let answer = client.send(&payload).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    Ok(())
}

fn resource(service: &str) -> Option<Resource> {
    Some(Resource { attributes: vec![string_attribute("service.name", service)], ..Default::default() })
}

fn spans(now: i64) -> ExportTraceServiceRequest {
    let root = Span {
        trace_id: TRACE.to_vec(),
        span_id: ROOT.to_vec(),
        name: "GET /orders".to_owned(),
        kind: 2,
        start_time_unix_nano: (now - 500_000_000) as u64,
        end_time_unix_nano: (now - 400_000_000) as u64,
        attributes: vec![string_attribute("http.route", "/orders")],
        ..Default::default()
    };
    let event = span::Event {
        time_unix_nano: (now - 450_000_000) as u64,
        name: "exception".to_owned(),
        attributes: vec![string_attribute("exception.type", "OutOfStock")],
        ..Default::default()
    };
    let child = Span {
        span_id: CHILD.to_vec(),
        parent_span_id: ROOT.to_vec(),
        name: "SELECT stock".to_owned(),
        kind: 3,
        start_time_unix_nano: (now - 480_000_000) as u64,
        end_time_unix_nano: (now - 450_000_000) as u64,
        events: vec![event],
        links: vec![span::Link { trace_id: vec![9; 16], span_id: vec![3; 8], ..Default::default() }],
        status: Some(Status { code: 2, message: "out of stock".to_owned() }),
        ..root.clone()
    };
    let of = |service, span| trace::v1::ResourceSpans {
        resource: resource(service),
        scope_spans: vec![trace::v1::ScopeSpans { spans: vec![span], ..Default::default() }],
        schema_url: String::new(),
    };
    ExportTraceServiceRequest { resource_spans: vec![of("shop", root), of("stock", child)] }
}

fn log_records(now: i64) -> ExportLogsServiceRequest {
    let of = |service, body: &str, span: [u8; 8], offset: i64| logs::v1::ResourceLogs {
        resource: resource(service),
        scope_logs: vec![logs::v1::ScopeLogs {
            log_records: vec![LogRecord {
                time_unix_nano: (now - offset) as u64,
                severity_number: 9,
                severity_text: "INFO".to_owned(),
                body: Some(AnyValue { value: Some(any_value::Value::StringValue(body.to_owned())) }),
                trace_id: TRACE.to_vec(),
                span_id: span.to_vec(),
                ..Default::default()
            }],
            ..Default::default()
        }],
        schema_url: String::new(),
    };
    let first = of("shop", "order received", ROOT, 490_000_000);
    let second = of("stock", "no item left", CHILD, 470_000_000);
    ExportLogsServiceRequest { resource_logs: vec![first, second] }
}

fn histogram(now: i64) -> ExportMetricsServiceRequest {
    let exemplar = Exemplar {
        time_unix_nano: (now - 400_000_000) as u64,
        trace_id: TRACE.to_vec(),
        span_id: ROOT.to_vec(),
        value: Some(exemplar::Value::AsDouble(0.1)),
        ..Default::default()
    };
    let point = HistogramDataPoint {
        time_unix_nano: now as u64,
        count: 1,
        sum: Some(0.1),
        bucket_counts: vec![0, 1],
        explicit_bounds: vec![0.05],
        exemplars: vec![exemplar],
        ..Default::default()
    };
    let data = Histogram { data_points: vec![point], aggregation_temporality: 2 };
    let metric = Metric {
        name: "order.duration".to_owned(),
        unit: "s".to_owned(),
        data: Some(metric::Data::Histogram(data)),
        ..Default::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![metrics::v1::ResourceMetrics {
            resource: resource("shop"),
            scope_metrics: vec![metrics::v1::ScopeMetrics { metrics: vec![metric], ..Default::default() }],
            schema_url: String::new(),
        }],
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
