//! The ingest ledger: what was received, stored, sent again and rejected, by service and signal; exact, and the same
//! after kill -9 and after compaction.

use std::time::Duration;

use api::{IngestAnswer, ServiceIngest};
use testkit::proto::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest, common, logs, metrics, resource,
    trace,
};
use testkit::{Client, Message, Payload, Server, ServerSettings, Signal, now_unix_nano, string_attribute};

use crate::TestResult;

/// Records of the two services of a request; one of the first service's is bad.
const RECORDS: [usize; 2] = [600, 400];
const BAD: usize = 321;
const MARK: &str = "the one that is \u{1b}bad";

fn of_service(name: &str) -> Option<resource::v1::Resource> {
    let attributes = vec![string_attribute("service.name", name)];
    Some(resource::v1::Resource { attributes, ..Default::default() })
}

fn text(text: &str) -> Option<common::v1::AnyValue> {
    let value = common::v1::any_value::Value::StringValue(text.to_owned());
    Some(common::v1::AnyValue { value: Some(value) })
}

/// Log records, one of them beyond the year 2262.
fn log_request(services: &[String; 2]) -> ExportLogsServiceRequest {
    let now = now_unix_nano() as u64;
    let resource_logs = services.iter().zip(RECORDS).enumerate().map(|(at, (service, count))| {
        let record = |number: usize| {
            let is_bad = at == 0 && number == BAD;
            logs::v1::LogRecord {
                time_unix_nano: if is_bad { u64::MAX } else { now + number as u64 },
                body: text(if is_bad { MARK } else { "fine" }),
                ..Default::default()
            }
        };
        let log_records = (0..count).map(record).collect();
        let scope_logs = vec![logs::v1::ScopeLogs { log_records, ..Default::default() }];
        logs::v1::ResourceLogs { resource: of_service(service), scope_logs, ..Default::default() }
    });
    ExportLogsServiceRequest { resource_logs: resource_logs.collect() }
}

/// Spans, one of them without a span id.
fn trace_request(services: &[String; 2]) -> ExportTraceServiceRequest {
    let now = now_unix_nano() as u64;
    let resource_spans = services.iter().zip(RECORDS).enumerate().map(|(at, (service, count))| {
        let span = |number: usize| {
            let is_bad = at == 0 && number == BAD;
            trace::v1::Span {
                trace_id: (number as u128 + 1).to_be_bytes().to_vec(),
                span_id: if is_bad { Vec::new() } else { (number as u64 + 1).to_be_bytes().to_vec() },
                name: if is_bad { MARK } else { "fine" }.to_owned(),
                start_time_unix_nano: now,
                end_time_unix_nano: now + 1000,
                ..Default::default()
            }
        };
        let spans = (0..count).map(span).collect();
        let scope_spans = vec![trace::v1::ScopeSpans { spans, ..Default::default() }];
        trace::v1::ResourceSpans { resource: of_service(service), scope_spans, ..Default::default() }
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }
}

/// Points of a gauge, one of them without a time.
fn metric_request(services: &[String; 2]) -> ExportMetricsServiceRequest {
    let now = now_unix_nano() as u64;
    let resource_metrics = services.iter().zip(RECORDS).enumerate().map(|(at, (service, count))| {
        let point = |number: usize| {
            let is_bad = at == 0 && number == BAD;
            metrics::v1::NumberDataPoint {
                attributes: vec![string_attribute("mark", if is_bad { MARK } else { "fine" })],
                time_unix_nano: if is_bad { 0 } else { now + number as u64 },
                value: Some(metrics::v1::number_data_point::Value::AsInt(number as i64)),
                ..Default::default()
            }
        };
        let gauge = metrics::v1::Gauge { data_points: (0..count).map(point).collect() };
        let data = Some(metrics::v1::metric::Data::Gauge(gauge));
        let metric = metrics::v1::Metric { name: "queue.length".to_owned(), data, ..Default::default() };
        let scope_metrics = vec![metrics::v1::ScopeMetrics { metrics: vec![metric], ..Default::default() }];
        metrics::v1::ResourceMetrics { resource: of_service(service), scope_metrics, ..Default::default() }
    });
    ExportMetricsServiceRequest { resource_metrics: resource_metrics.collect() }
}

/// What the ledger says, once it says that so many records came again.
async fn ledger(client: &Client, query: &str, duplicate: u64) -> anyhow::Result<IngestAnswer> {
    let path = format!("{}?{query}", api::paths::INGEST);
    let mut answer = IngestAnswer::default();
    for _ in 0..100 {
        answer = client.get_json(&path).await?;
        if answer.services.iter().map(|row| row.duplicate).sum::<u64>() >= duplicate {
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("fewer than {duplicate} duplicates: {:?}", answer.services)
}

/// What must stay the same, whenever it is asked: the steps reach to now.
fn figures(answer: &IngestAnswer) -> Vec<ServiceIngest> {
    let rows = answer.services.iter().cloned();
    rows.map(|row| ServiceIngest { received_by_step: vec![row.received_by_step.iter().sum()], ..row }).collect()
}

fn row<'a>(answer: &'a IngestAnswer, service: &str) -> anyhow::Result<&'a ServiceIngest> {
    let found = answer.services.iter().find(|row| row.service == service);
    found.ok_or_else(|| anyhow::anyhow!("no row of {service} in {:?}", answer.services))
}

/// Sends a request by every way there is, twice each; gives the names of its services.
async fn send_all(client: &Client, signal: Signal) -> anyhow::Result<Vec<[String; 2]>> {
    let mut sent = Vec::new();
    for way in ["protobuf", "json", "grpc"] {
        let services = ["cart", "shop"].map(|name| format!("{name} {} {way}", signal.path()));
        let payload = match signal {
            Signal::Logs if way == "json" => Payload::json(signal, &testkit::logs_json(&log_request(&services))),
            Signal::Traces if way == "json" => Payload::json(signal, &testkit::traces_json(&trace_request(&services))),
            Signal::Metrics if way == "json" => {
                Payload::json(signal, &testkit::metrics_json(&metric_request(&services)))
            }
            Signal::Logs => Payload::protobuf(signal, &log_request(&services)),
            Signal::Traces => Payload::protobuf(signal, &trace_request(&services)),
            Signal::Metrics => Payload::protobuf(signal, &metric_request(&services)),
        };
        for _ in 0..2 {
            let answer = match way {
                "grpc" => client.grpc_call(signal.grpc_path(), &[], testkit::raw::grpc_frame(0, &payload.body)).await?,
                _ => client.send(&payload).await?,
            };
            anyhow::ensure!(answer.status == 200, "{signal:?} {way}: {} {}", answer.status, answer.text());
        }
        sent.push(services);
    }
    Ok(sent)
}

#[tokio::test]
async fn one_bad_record_in_a_thousand_is_counted_explained_and_shown() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let mut sent = Vec::new();
    for (signal, name, reason, explanation) in [
        (Signal::Logs, "logs", "time_out_of_range", "a time lies beyond the year 2262"),
        (Signal::Traces, "traces", "invalid_span_id", "the span id is not 8 bytes or is all zeros"),
        (Signal::Metrics, "metrics", "time_missing", "the data point has no time"),
    ] {
        sent.extend(send_all(&client, signal).await?.into_iter().map(|services| (services, name, reason, explanation)));
    }
    let records = (RECORDS[0] + RECORDS[1]) as u64;
    let before = ledger(&client, "", sent.len() as u64 * records).await?;
    assert_eq!(before.services.len(), sent.len() * 2);
    assert!(before.completeness.complete, "{:?}", before.completeness);
    for (services, signal, reason, explanation) in &sent {
        let [cart, shop] = RECORDS.map(|count| count as u64);
        let bad = row(&before, &services[0])?;
        let counts = (bad.received, bad.stored, bad.duplicate, bad.rejected);
        assert_eq!((bad.signal.as_str(), counts), (*signal, (2 * cart, cart - 1, cart, 1)), "{services:?}");
        assert_eq!(bad.reasons.len(), 1);
        assert_eq!((bad.reasons[0].reason.as_str(), bad.reasons[0].explanation.as_str()), (*reason, *explanation));
        let samples = &bad.reasons[0].samples;
        assert_eq!(samples.len(), 1, "a resend is no other record: {samples:?}");
        let record = &samples[0].record;
        assert!(record.contains(r"the one that is \u001bbad"), "{record}");
        assert!(*signal != "metrics" || record.contains("queue.length"), "{record}");
        let good = row(&before, &services[1])?;
        assert_eq!((good.received, good.stored, good.duplicate, good.rejected), (2 * shop, shop, shop, 0));
        assert!(good.reasons.is_empty());
        assert_eq!(good.received_by_step.iter().sum::<u64>(), good.received);
    }

    server.kill_group()?;
    server.restart().await?;
    let after_kill = ledger(&server.client(), "", 0).await?;
    assert_eq!(figures(&after_kill), figures(&before), "after kill -9");
    server.compact_now().await?;
    let after_compaction = ledger(&server.client(), "", 0).await?;
    assert_eq!(figures(&after_compaction), figures(&before), "from files");
    // A request sent once more: what is kept and what is new add up.
    send_all(&server.client(), Signal::Logs).await?;
    let more = ledger(&server.client(), "", sent.len() as u64 * records + 3 * records).await?;
    let cart = row(&more, "cart /v1/logs json")?;
    assert_eq!((cart.received, cart.stored, cart.rejected), (4 * RECORDS[0] as u64, 2 * RECORDS[0] as u64 - 2, 2));
    assert_eq!(cart.reasons[0].samples.len(), 2);
    server.restart().await?;
    server.compact_now().await?;
    assert_eq!(figures(&ledger(&server.client(), "", 0).await?), figures(&more), "after another kill and flush");
    Ok(())
}

#[tokio::test]
async fn a_range_and_a_service_can_be_asked_for() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    send_all(&client, Signal::Logs).await?;
    let one = ledger(&client, "service=shop%20/v1/logs%20grpc", 400).await?;
    assert_eq!(one.services.len(), 1);
    let now = ledger(&client, "start=-15m&end=now&steps=3", 0).await?;
    assert_eq!((now.services.len(), now.steps.step_nano.0), (6, 600_000_000_000), "{:?}", now.steps);
    assert!(now.steps.start_unix_nano.0 <= now_unix_nano() - 900_000_000_000);
    assert!(now.completeness.complete, "nothing can have arrived before the folder was made: {:?}", now.completeness);
    assert!(now.counted_since_unix_nano.0 > now_unix_nano() - 900_000_000_000);
    let earlier = ledger(&client, "end=-1h", 0).await?;
    assert!(earlier.services.is_empty(), "{:?}", earlier.services);
    for (query, part) in [("start=now&end=-1h", "before 'start'"), ("steps=0", "from 1 to"), ("servce=a", "servce")] {
        let refused = client.get(&format!("{}?{query}", api::paths::INGEST)).await?;
        assert_eq!(refused.status, 400);
        assert!(refused.text().contains(part), "{}", refused.text());
    }
    let status: serde_json::Value = client.get_json(&format!("{}?status_only=true", api::paths::INGEST)).await?;
    assert!(status["services"].is_null() && status["has_data"] == true, "{status}");
    Ok(())
}

#[tokio::test]
async fn ten_thousand_services_are_bounded_and_still_add_up() -> TestResult {
    let settings = ServerSettings::default()
        .with("SPYHOP_LEDGER_SERVICES_MAX", "100")
        .with("SPYHOP_LEDGER_SAMPLES_MAX", "2")
        .with("SPYHOP_LEDGER_SAMPLE_BYTES_MAX", "200");
    let server = Server::start(settings).await?;
    let client = server.client();
    for request in 0..100 {
        let resource_logs = (0..100).map(|number| {
            let record = |time: u64| logs::v1::LogRecord {
                time_unix_nano: time,
                body: text(&"a long text ".repeat(100)),
                ..Default::default()
            };
            let log_records = vec![record(now_unix_nano() as u64), record(u64::MAX)];
            let scope_logs = vec![logs::v1::ScopeLogs { log_records, ..Default::default() }];
            let service = format!("service {}", request * 100 + number);
            logs::v1::ResourceLogs { resource: of_service(&service), scope_logs, ..Default::default() }
        });
        let request = ExportLogsServiceRequest { resource_logs: resource_logs.collect() };
        let answer = client.send(&Payload::protobuf(Signal::Logs, &request)).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let check = async |when: &str| -> TestResult {
        let raw = client.get(api::paths::INGEST).await?;
        let answer: IngestAnswer = raw.json()?;
        assert_eq!(answer.services.len(), 101, "{when}");
        let sum = |of: fn(&ServiceIngest) -> u64| answer.services.iter().map(of).sum::<u64>();
        assert_eq!((sum(|row| row.received), sum(|row| row.stored), sum(|row| row.rejected)), (20_000, 10_000, 10_000));
        let reasons = answer.services.iter().flat_map(|row| &row.reasons);
        assert_eq!(reasons.clone().map(|reason| reason.count).sum::<u64>(), 10_000);
        let samples: Vec<_> = reasons.flat_map(|reason| &reason.samples).collect();
        assert!(samples.iter().all(|sample| sample.record.len() <= 200 && sample.record.ends_with('…')));
        assert!(
            !samples.is_empty() && samples.len() <= 2 * 101 && raw.body.len() < 200_000,
            "{} bytes",
            raw.body.len()
        );
        Ok(())
    };
    check("from the journal").await?;
    server.compact_now().await?;
    check("from what is kept").await
}

#[tokio::test]
async fn refusals_and_the_digest_window_are_told() -> TestResult {
    let settings = ServerSettings::default()
        .with("SPYHOP_INGEST_REQUEST_BYTES_MAX", "1MiB")
        .with("SPYHOP_JOURNAL_DIGEST_ENTRIES_MAX", "3");
    let server = Server::start(settings).await?;
    let client = server.client();
    let status = || client.get_json::<IngestAnswer>(api::paths::INGEST);
    let mut window = None;
    for _ in 0..100 {
        window = status().await?.digest_window;
        if window.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let window = window.ok_or_else(|| anyhow::anyhow!("ingest has not said how far back it looks"))?;
    assert_eq!((window.seconds, window.seconds_max, window.bound.as_str()), (600, 600, "time"));
    let json =
        |signal, body: &str| Payload { body: body.as_bytes().to_vec().into(), ..Payload::json(signal, &().into()) };
    let large = format!(r#"{{"resourceLogs":[{{"x":"{}"}}]}}"#, "x".repeat(2 << 20));
    let refused = [
        (json(Signal::Logs, &large), 413),
        (json(Signal::Traces, "{"), 400),
        (json(Signal::Traces, r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}"#), 400),
    ];
    for (payload, expect) in &refused {
        assert_eq!(client.send(payload).await?.status, *expect);
    }
    for number in 0..5 {
        let body = format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"{}","body":{{"stringValue":"{number}"}}}}]}}]}}]}}"#,
            now_unix_nano()
        );
        assert_eq!(client.send(&json(Signal::Logs, &body)).await?.status, 200);
    }
    let expect = [("logs", "too_large", 413), ("traces", "every_record_rejected", 400), ("traces", "malformed", 400)];
    for _ in 0..100 {
        let answer = status().await?;
        let refusals = &answer.refusals;
        let mut found: Vec<_> =
            refusals.iter().map(|each| (each.signal.as_str(), each.reason.as_str(), each.status)).collect();
        found.sort_unstable();
        let window = answer.digest_window.clone().unwrap_or_default();
        if found == expect && window.bound == "entries" {
            assert!(refusals.iter().all(|refusal| refusal.count == 1), "{refusals:?}");
            assert!(window.entries <= 3 && window.entries_max == 3 && window.seconds < 600, "{window:?}");
            let rejected = row(&answer, "unknown_service");
            assert!(rejected.is_ok(), "a request of which nothing could be stored is in the ledger too");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("not told: {:?}", status().await?)
}

#[tokio::test]
async fn an_empty_ledger_is_an_answer() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let empty = ExportLogsServiceRequest::default().encode_to_vec();
    let payload =
        Payload { body: empty.into(), ..Payload::protobuf(Signal::Logs, &ExportLogsServiceRequest::default()) };
    assert_eq!(server.client().send(&payload).await?.status, 200);
    let answer = ledger(&server.client(), "", 0).await?;
    assert!(answer.services.is_empty() && answer.completeness.complete);
    assert!(answer.counted_since_unix_nano.0 > 0 && answer.steps.step_nano.0 > 0);
    Ok(())
}
