//! Services, their operations, and who calls whom: out of spans that arrive in parts, in whatever place they lie.

use anyhow::{Context, Result};
use serde_json::Value;
use testkit::proto::common::v1::KeyValue;
use testkit::proto::resource::v1::Resource;
use testkit::proto::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use testkit::proto::{ExportMetricsServiceRequest, ExportTraceServiceRequest};
use testkit::{Client, Logs, Metrics, Payload, Server, ServerSettings, Signal, now_unix_nano, string_attribute};

use crate::TestResult;

const ORDERS: u64 = 30;
/// Every so many orders the database fails.
const FAILS: u64 = 5;
/// A name that a path has to encode.
const MAIL: &str = "mail/worker é";
const MAIL_PATH: &str = "mail%2Fworker%20%C3%A9";
const MILLISECOND: u64 = 1_000_000;

/// A span of an order: its number within the trace, its parent's, kind, name, and milliseconds it takes.
fn one(
    order: u64,
    start: u64,
    (id, parent): (u8, u8),
    kind: i32,
    name: &str,
    millis: u64,
    what: &[(&str, &str)],
) -> Span {
    let span_id = |id: u8| if id == 0 { Vec::new() } else { [&[id; 7][..], &[order as u8]].concat() };
    let start = start + order * 1_000 * MILLISECOND + u64::from(id) * MILLISECOND;
    Span {
        trace_id: [&[7; 15][..], &[order as u8 + 1]].concat(),
        span_id: span_id(id),
        parent_span_id: span_id(parent),
        name: name.to_owned(),
        kind,
        start_time_unix_nano: start,
        end_time_unix_nano: start + millis * MILLISECOND,
        attributes: what.iter().map(|(key, value)| string_attribute(key, value)).collect(),
        ..Default::default()
    }
}

fn failed(mut span: Span) -> Span {
    span.status = Some(Status { code: 2, message: String::new() });
    span.events = vec![span::Event {
        name: "exception".to_owned(),
        time_unix_nano: span.end_time_unix_nano,
        attributes: vec![
            string_attribute("exception.type", "psycopg.OperationalError"),
            string_attribute("exception.message", "server closed the connection"),
        ],
        ..Default::default()
    }];
    span
}

fn request(service: &str, spans: Vec<Span>) -> Payload {
    let attributes: Vec<KeyValue> = vec![
        string_attribute("service.name", service),
        string_attribute("service.version", "1.2.3"),
        string_attribute("k8s.pod.name", &format!("{}-0", &service[..4])),
        string_attribute("telemetry.sdk.language", "rust"),
    ];
    let resource = Resource { attributes, ..Default::default() };
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() }];
    Payload::protobuf(Signal::Traces, &ExportTraceServiceRequest { resource_spans })
}

fn front(start: u64) -> Payload {
    let of = |order: u64| {
        let what = [("server.address", "checkout.internal")];
        [one(order, start, (1, 0), 2, "GET /checkout", 100, &[]), one(order, start, (2, 1), 3, "POST", 80, &what)]
    };
    request("front", (0..ORDERS).flat_map(of).collect())
}

fn checkout(start: u64) -> Payload {
    let of = |order: u64| {
        let database = one(
            order,
            start,
            (4, 3),
            3,
            "SELECT shop",
            20,
            &[("db.system.name", "postgresql"), ("db.namespace", "shop"), ("server.address", "db1")],
        );
        let queue = [("messaging.system", "kafka"), ("messaging.destination.name", "orders")];
        [
            one(order, start, (3, 2), 2, "POST /orders", 60, &[]),
            if order.is_multiple_of(FAILS) { failed(database) } else { database },
            one(order, start, (5, 3), 4, "orders publish", 5, &queue),
            // As instrumentation of yesterday names it.
            one(order, start, (6, 3), 3, "POST /charge", 40, &[("net.peer.name", "pay.example.com")]),
        ]
    };
    request("checkout", (0..ORDERS).flat_map(of).collect())
}

/// Consumers have no parent: they are linked to what they take.
fn mail(start: u64) -> Payload {
    let queue = [("messaging.system", "kafka"), ("messaging.destination.name", "orders")];
    let of = |order: u64| Span {
        trace_id: [&[9; 15][..], &[order as u8 + 1]].concat(),
        ..one(order, start, (8, 0), 5, "orders process", 30, &queue)
    };
    request(MAIL, (0..ORDERS).map(of).collect())
}

/// An answer without what may differ between two of the same.
async fn answer(client: &Client, path: &str) -> Result<Value> {
    let mut answer: Value = client.get_json(path).await?;
    answer.as_object_mut().context("an object")?.remove("stats");
    assert_eq!(answer["complete"], true, "{path}: {answer}");
    Ok(answer)
}

fn paths(start: u64) -> Vec<String> {
    let range = format!("start={}&end={}", start + 4_321 * MILLISECOND, start + 20_000 * MILLISECOND);
    let mut paths = Vec::new();
    for range in ["", &range] {
        paths.push(format!("{}?{range}", api::paths::SERVICES));
        paths.push(format!("{}?{range}", api::paths::SERVICE_MAP));
        for name in ["front", "checkout", MAIL_PATH] {
            paths.push(format!("{}?{range}&steps=20", api::paths::SERVICE.replace("{name}", name)));
            paths.push(format!("{}?{range}", api::paths::OPERATIONS.replace("{name}", name)));
        }
    }
    paths
}

async fn answers(client: &Client, start: u64) -> Result<Vec<Value>> {
    let mut answers = Vec::new();
    for path in paths(start) {
        answers.push(answer(client, &path).await?);
    }
    Ok(answers)
}

#[tokio::test]
async fn services_operations_and_map_are_the_same_wherever_spans_lie() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    // Some minutes ago, at a whole minute: what is asked for has an end.
    let start = (now_unix_nano() as u64 / 60_000_000_000 - 5) * 60_000_000_000;
    for payload in [front(start), checkout(start), mail(start)] {
        assert_eq!(client.send(&payload).await?.status, 200);
        if payload.body == front(start).body {
            // Callers in a file of their own, what they called in the journal.
            server.compact_now().await?;
        }
    }
    check(&client).await?;
    let at_first = answers(&client, start).await?;
    server.compact_now().await?;
    check(&client).await?;
    for (round, delete) in [("in two files", false), ("without sidecars", true)] {
        if delete {
            server.kill_group()?;
            assert!(!server.files(".rlp").is_empty());
            for path in [".rlp", ".blm", ".tix"].iter().flat_map(|kind| server.files(kind)) {
                std::fs::remove_file(path)?;
            }
            server.launch()?;
            server.wait_until_ready().await?;
        }
        for ((path, found), first) in paths(start).iter().zip(answers(&client, start).await?).zip(&at_first) {
            assert_eq!(&found, first, "{round}: {path}");
        }
    }
    Ok(())
}

async fn check(client: &Client) -> TestResult {
    let services: api::ServicesAnswer = client.get_json(api::paths::SERVICES).await?;
    let names: Vec<&str> = services.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["checkout", "front", MAIL]);
    let checkout = &services.services[0];
    assert_eq!((checkout.span_count, checkout.error_count), (4 * ORDERS, ORDERS / FAILS));
    assert_eq!((checkout.red.calls, checkout.red.errors, checkout.instance_count), (ORDERS, 0, 1));
    assert_eq!(checkout.series.calls.iter().sum::<u64>(), ORDERS);
    let is_near = |found: Option<u64>, millis: u64| {
        found.is_some_and(|nanos| (nanos as f64 / (millis * MILLISECOND) as f64 - 1.0).abs() < 0.05)
    };
    assert!(is_near(checkout.red.p50_nano, 60) && is_near(checkout.red.p99_nano, 60), "{:?}", checkout.red);
    let error = checkout.latest_error.as_ref().context("the database failed")?;
    assert_eq!(error.exception_type, "psycopg.OperationalError");
    assert_eq!((error.operation.as_str(), error.message.as_str()), ("SELECT shop", "server closed the connection"));

    let path = api::paths::SERVICE.replace("{name}", "checkout");
    let detail: api::ServiceAnswer = client.get_json(&path).await?;
    assert_eq!(detail.latest_errors.len() as u64, ORDERS / FAILS);
    assert_eq!(detail.latest_errors.first(), Some(error));
    assert_eq!(detail.instances.len(), 1);
    let instance = &detail.instances[0];
    assert_eq!(
        (instance.id.as_str(), instance.version.as_str(), instance.sdk_language.as_str()),
        ("chec-0", "1.2.3", "rust")
    );

    let path = format!("{}?limit=2", api::paths::OPERATIONS.replace("{name}", "checkout"));
    let operations: api::OperationsAnswer = client.get_json(&path).await?;
    let names: Vec<(&str, i32)> = operations.operations.iter().map(|one| (one.name.as_str(), one.kind)).collect();
    assert_eq!((names, operations.truncated), (vec![("POST /charge", 3), ("POST /orders", 2)], true));

    let map: api::ServiceMapAnswer = client.get_json(api::paths::SERVICE_MAP).await?;
    let edges: Vec<(&str, &str, u64, u64)> =
        map.edges.iter().map(|edge| (&*edge.source, &*edge.target, edge.red.calls, edge.red.errors)).collect();
    let expect = [
        ("checkout", "database:postgresql/shop", ORDERS, ORDERS / FAILS),
        ("checkout", "external:pay.example.com", ORDERS, 0),
        ("checkout", "queue:kafka/orders", ORDERS, 0),
        ("front", "checkout", ORDERS, 0),
        ("queue:kafka/orders", MAIL, ORDERS, 0),
    ];
    assert_eq!(edges, expect);
    assert!(is_near(map.edges[3].red.p95_nano, 60), "timed where it is answered: {:?}", map.edges[3]);
    let kinds: Vec<(&str, &str)> = map.nodes.iter().map(|node| (&*node.id, &*node.kind)).collect();
    assert!(kinds.contains(&("database:postgresql/shop", "database")) && kinds.contains(&("front", "service")));
    let focused: api::ServiceMapAnswer = client.get_json(&format!("{}?service=front", api::paths::SERVICE_MAP)).await?;
    let nodes: Vec<&str> = focused.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!((nodes, focused.edges.len()), (vec!["checkout", "front"], 1));
    Ok(())
}

#[tokio::test]
async fn services_without_spans_are_listed_and_unknown_ones_are_not_found() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let now = now_unix_nano();
    client.send(&Payload::protobuf(Signal::Logs, &Logs::new(1, now).line("only logs"))).await?;
    // The generator goes on to the next service after some thousand points, so that one sends metrics alone.
    let mut metrics = Metrics::new(2, now);
    for _ in 0..4 {
        let request: ExportMetricsServiceRequest = metrics.request(640);
        client.send(&Payload::protobuf(Signal::Metrics, &request)).await?;
    }
    for round in ["journal", "files"] {
        let services: api::ServicesAnswer = client.get_json(api::paths::SERVICES).await?;
        let has = |with_logs: bool| {
            services.services.iter().any(|one| one.span_count == 0 && (one.log_count > 0) == with_logs)
        };
        assert!(has(true) && has(false), "{round}: {:?}", services.services);
        for service in &services.services {
            assert!(service.last_seen_unix_nano.0 > now - 3_600_000_000_000, "{round}: {service:?}");
            let path = api::paths::OPERATIONS.replace("{name}", &service.name);
            let operations: api::OperationsAnswer = client.get_json(&path).await?;
            assert!(operations.operations.is_empty(), "{round}");
        }
        for path in [api::paths::SERVICE, api::paths::OPERATIONS] {
            let answer = client.get(&path.replace("{name}", "no%20such")).await?;
            assert_eq!(answer.status, 404, "{round}");
            assert!(answer.text().contains("'no such'"), "{round}: {}", answer.text());
        }
        server.compact_now().await?;
    }
    Ok(())
}
