//! Names of earlier semantic conventions and today's are one field, whichever a sender uses and whoever asks.

use testkit::proto::common::v1::{AnyValue, KeyValue, any_value};
use testkit::proto::logs::v1::LogRecord;
use testkit::proto::resource::v1::Resource;
use testkit::proto::trace::v1::Span;
use testkit::proto::{ExportLogsServiceRequest, ExportTraceServiceRequest, logs, trace};
use testkit::{Client, Logs, Payload, Server, ServerSettings, Signal, Traces, now_unix_nano, string_attribute};

use super::search::encoded;
use crate::TestResult;

/// The same fields under their names of yesterday and of today.
const FIELDS: [(&str, &str, &str); 5] = [
    ("http.method", "http.request.method", "PURGE"),
    ("http.url", "url.full", "https://shop.example/cart"),
    ("db.operation", "db.operation.name", "UPSERT"),
    ("net.peer.name", "server.address", "db.internal"),
    ("code.function", "code.function.name", "Cart.empty"),
];

fn int(key: &str, value: i64) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::IntValue(value)) };
    KeyValue { key: key.to_owned(), value: Some(value), ..Default::default() }
}

/// An app that has moved on, or not.
struct App {
    service: &'static str,
    is_new: bool,
    time: i64,
}

impl App {
    fn name(&self, names: (&'static str, &'static str)) -> &'static str {
        if self.is_new { names.1 } else { names.0 }
    }

    fn resource(&self) -> Option<Resource> {
        let environment = self.name(("deployment.environment", "deployment.environment.name"));
        let attributes = vec![string_attribute("service.name", self.service), string_attribute(environment, "blue")];
        Some(Resource { attributes, ..Default::default() })
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let texts = FIELDS.iter().map(|(old, new, value)| string_attribute(self.name((old, new)), value));
        texts.chain([int(self.name(("http.status_code", "http.response.status_code")), 507)]).collect()
    }

    async fn send(&self, client: &Client) -> TestResult {
        let record = LogRecord {
            time_unix_nano: self.time as u64,
            body: Some(AnyValue { value: Some(any_value::Value::StringValue("a request".to_owned())) }),
            attributes: self.attributes(),
            ..Default::default()
        };
        let records = ExportLogsServiceRequest {
            resource_logs: vec![logs::v1::ResourceLogs {
                resource: self.resource(),
                scope_logs: vec![logs::v1::ScopeLogs { log_records: vec![record], ..Default::default() }],
                ..Default::default()
            }],
        };
        let span = Span {
            trace_id: vec![if self.is_new { 2 } else { 1 }; 16],
            span_id: vec![1; 8],
            name: "a request".to_owned(),
            start_time_unix_nano: self.time as u64,
            end_time_unix_nano: self.time as u64 + 1_000,
            attributes: self.attributes(),
            ..Default::default()
        };
        let spans = ExportTraceServiceRequest {
            resource_spans: vec![trace::v1::ResourceSpans {
                resource: self.resource(),
                scope_spans: vec![trace::v1::ScopeSpans { spans: vec![span], ..Default::default() }],
                ..Default::default()
            }],
        };
        for payload in [Payload::protobuf(Signal::Logs, &records), Payload::protobuf(Signal::Traces, &spans)] {
            assert_eq!(client.send(&payload).await?.status, 200);
        }
        Ok(())
    }
}

/// Services whose records match, of logs and of traces.
async fn found(client: &Client, query: &str) -> anyhow::Result<(Vec<String>, Vec<String>, api::Stats)> {
    let query = encoded(query);
    let logs: api::LogSearchAnswer = client.get_json(&format!("{}?query={query}", api::paths::LOGS)).await?;
    let traces: api::TraceSearchAnswer = client.get_json(&format!("{}?query={query}", api::paths::TRACES)).await?;
    let service = |record: &api::LogRecord| record.resource.attributes["service.name"].as_str().map(str::to_owned);
    let mut of_logs: Vec<String> = logs.logs.iter().filter_map(service).collect();
    let mut of_traces: Vec<String> = traces.traces.into_iter().map(|trace| trace.root_service).collect();
    of_logs.sort();
    of_traces.sort();
    Ok((of_logs, of_traces, logs.stats))
}

#[tokio::test]
async fn old_and_new_names_find_the_same_records() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let now = now_unix_nano();
    let (mut logs, mut traces) = (Logs::new(41, now), Traces::new(42, now));
    for _ in 0..4 {
        client.send(&Payload::protobuf(Signal::Logs, &logs.request(1_000))).await?;
        client.send(&Payload::protobuf(Signal::Traces, &traces.request(500))).await?;
    }
    App { service: "old-shop", is_new: false, time: now }.send(&client).await?;
    App { service: "new-shop", is_new: true, time: now + 1 }.send(&client).await?;
    let both = vec!["new-shop".to_owned(), "old-shop".to_owned()];
    for round in ["journal", "files"] {
        for (old, new, value) in FIELDS {
            for name in [old, new] {
                let (of_logs, of_traces, stats) = found(&client, &format!("{name}:\"{value}\"")).await?;
                assert_eq!((&of_logs, &of_traces), (&both, &both), "{round}: {name}");
                if round == "files" {
                    // The index rules out blocks by the value, whatever the name.
                    assert_eq!(stats.index_used, "text", "{name}");
                    assert!(stats.rows_scanned < 2_000, "{name}: {stats:?}");
                }
            }
        }
        for query in [
            "http.status_code:>506",
            "http.response.status_code:507",
            "http.method:purge http.response.status_code:>=500",
            "deployment.environment:blue",
            "deployment.environment.name:blue",
            "resource.deployment.environment:blue",
        ] {
            let (of_logs, of_traces, _) = found(&client, query).await?;
            assert_eq!((&of_logs, &of_traces), (&both, &both), "{round}: {query}");
        }
        let (of_logs, ..) = found(&client, "code.function:Cart.empty -http.request.method:PURGE").await?;
        assert!(of_logs.is_empty(), "{round}: {of_logs:?}");
        // What is shown is what was sent.
        let path = format!("{}?query={}", api::paths::LOGS, encoded("http.request.method:PURGE service:old-shop"));
        let shown: api::LogSearchAnswer = client.get_json(&path).await?;
        let attributes = &shown.logs[0].attributes;
        assert_eq!(attributes["http.method"], "PURGE", "{round}");
        assert!(!attributes.contains_key("http.request.method"), "{round}: {attributes:?}");
        server.compact_now().await?;
    }
    Ok(())
}
