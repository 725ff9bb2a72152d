//! Two Node services with the JSON-over-HTTP exporters, one of them gzipping, seen through the API.
//!
//! A proxy stands between them and the server and keeps what passes, so that the test can say what the SDK really
//! sends: JSON in chunked bodies. OpenTelemetry for JavaScript exports no exemplars yet, so its metrics join a trace
//! by the resource they share.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use testkit::{Client, Server, ServerSettings, free_port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::TestResult;

/// Most bytes that the proxy keeps.
const SEEN_BYTES_MAX: usize = 8 << 20;

/// A proxy to one address that keeps what clients have sent. Ends with the test.
struct Wire {
    url: String,
    seen: Arc<Mutex<Vec<u8>>>,
    task: JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Wire {
    async fn to(target: &str) -> Result<Wire> {
        let target = target.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let url = format!("http://{}", listener.local_addr()?);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = seen.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(pass(client, target.clone(), kept.clone()));
            }
        });
        Ok(Wire { url, seen, task })
    }

    /// How often these bytes have passed, letters of either case.
    fn count(&self, words: &str) -> usize {
        let seen = self.seen.lock().map(|seen| seen.to_ascii_lowercase()).unwrap_or_default();
        seen.windows(words.len()).filter(|window| *window == words.as_bytes()).count()
    }
}

async fn pass(client: TcpStream, target: String, seen: Arc<Mutex<Vec<u8>>>) {
    let Ok(server) = TcpStream::connect(&target).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            if let Ok(mut seen) = seen.lock()
                && seen.len() < SEEN_BYTES_MAX
            {
                seen.extend_from_slice(&buffer[..length]);
            }
            if to_server.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
        let _ = to_server.shutdown().await;
    };
    let down = async {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    tokio::join!(up, down);
}

/// A Node service, ended with the test.
struct Service {
    child: Child,
    url: Client,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    fn start(node: &Path, wire: &Wire, name: &str, compression: &str, ports: &[u16]) -> Result<Service> {
        let child = Command::new(node)
            .args(["--require", "./telemetry.js", &format!("{name}.js")])
            .args(ports.iter().map(u16::to_string))
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("node_app"))
            .env("OTEL_SERVICE_NAME", name)
            .env("OTEL_RESOURCE_ATTRIBUTES", format!("service.instance.id={name}-7,deployment.environment.name=test"))
            .env("OTEL_NODE_RESOURCE_DETECTORS", "env,process")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &wire.url)
            .env("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
            .env("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}.js"))?;
        // The first port of a service is its own; the test kit's client is for servers with three, so it gets it thrice.
        Ok(Service { child, url: Client::new(ports[0], ports[0], ports[0]) })
    }

    async fn wait_until_it_answers(&mut self) -> TestResult {
        for _ in 0..300 {
            if self.url.get("/ping").await.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the Node service ended with {status}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the Node service does not answer")
    }

    /// Asks it to end, which sends what is left.
    async fn stop(&mut self) -> Result<ExitStatus> {
        Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().context("cannot run kill")?;
        for _ in 0..150 {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the Node service does not end: are its exporters waiting for an answer?")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_node_services_are_one_trace_over_json() -> TestResult {
    let node = crate::e2e::program("SPYHOP_TEST_NODE");
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_app/node_modules").is_dir();
    let Some(node) = node.filter(|_| installed) else {
        testkit::skip("e2e::node_app", "there is no Node.js with OpenTelemetry's packages");
        return Ok(());
    };
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let wire = Wire::to(client.otlp_http_url()).await?;
    let (front, back) = (free_port()?, free_port()?);
    let mut stock = Service::start(&node, &wire, "stock", "none", &[back])?;
    let mut storefront = Service::start(&node, &wire, "storefront", "gzip", &[front, back])?;
    stock.wait_until_it_answers().await?;
    storefront.wait_until_it_answers().await?;
    let mut traces = Vec::new();
    for item in ["teapot", "lamp", "kettle"] {
        let answer: Value = storefront.url.post("/orders", &json!({ "item": item })).await?.json()?;
        assert_eq!(answer["ordered"], item != "lamp", "{answer}");
        traces.push(answer["trace_id"].as_str().context("the app returns its trace id")?.to_owned());
    }
    for service in [&mut storefront, &mut stock] {
        assert!(service.stop().await?.success(), "what is left could not be sent");
    }
    check_wire(&wire);
    check_ordered(&client, &traces[0], "at once").await?;
    check_refused(&client, &traces[1]).await?;
    check_metrics(&client).await?;
    server.compact_now().await?;
    check_ordered(&client, &traces[0], "from files").await?;
    check_metrics(&client).await?;
    server.restart().await?;
    check_ordered(&client, &traces[0], "after kill -9").await
}

/// The exporters did what this test is for.
fn check_wire(wire: &Wire) {
    let requests: usize = ["/v1/traces", "/v1/logs", "/v1/metrics"]
        .map(|path| {
            let count = wire.count(&format!("post {path} http/1.1"));
            assert!(count >= 2, "{count} requests to {path}, at least one from each service");
            count
        })
        .iter()
        .sum();
    assert_eq!(wire.count("content-type: application/json"), requests);
    assert_eq!(wire.count("transfer-encoding: chunked"), requests);
    let gzipped = wire.count("content-encoding: gzip");
    assert!(gzipped > 0 && gzipped < requests, "{gzipped} of {requests} requests are gzipped");
    eprintln!("{requests} requests, all JSON in chunked bodies, {gzipped} gzipped");
}

async fn check_ordered(client: &Client, id: &str, when: &str) -> TestResult {
    let answer: api::TraceAnswer = client.get_json(&format!("{}/{id}", api::paths::TRACES)).await?;
    assert!(answer.completeness.complete, "{when}: {:?}", answer.completeness);
    let find = |service: &str, kind: i32| {
        let is = |span: &&api::Span| span.resource.attributes["service.name"] == service && span.kind == kind;
        answer.spans.iter().find(is).with_context(|| format!("{when}: no span of kind {kind} of {service}"))
    };
    assert_eq!(answer.spans.len(), 4, "{when}: {:?}", answer.spans);
    let (root, call) = (find("storefront", 2)?, find("storefront", 3)?);
    let (served, looked) = (find("stock", 2)?, find("stock", 1)?);
    assert_eq!(root.parent_span_id, None, "{when}");
    for (child, parent) in [(call, root), (served, call), (looked, served)] {
        assert_eq!(child.parent_span_id.as_deref(), Some(parent.span_id.as_str()), "{when}: {child:?}");
    }
    assert_eq!(root.attributes["url.path"], "/orders", "{when}: {:?}", root.attributes);
    assert_eq!(call.attributes["http.response.status_code"], 200, "{when}: {:?}", call.attributes);
    assert_eq!((looked.scope.name.as_str(), looked.scope.version.as_str()), ("stock.shelves", "1.2.0"), "{when}");
    assert_eq!(looked.events[0].name, "counted", "{when}");
    assert_eq!(looked.events[0].attributes["count"], 12, "{when}");
    let mut lines: Vec<(&str, &str)> = Vec::new();
    for record in &answer.logs {
        assert_eq!(record.trace_id.as_deref(), Some(id), "{when}: {record:?}");
        lines.push((record.body.as_str().unwrap_or_default(), record.span_id.as_deref().unwrap_or_default()));
    }
    let expect = [
        ("order for teapot received", root.span_id.as_str()),
        ("12 of teapot on the shelf", looked.span_id.as_str()),
        ("order for teapot placed", root.span_id.as_str()),
    ];
    assert_eq!(lines, expect, "{when}: lines in order of time, each with its span");
    let received = &answer.logs[0];
    assert_eq!((received.severity_number, received.severity_text.as_str()), (9, "info"), "{when}");
    assert_eq!(received.attributes["order"], json!({"item": "teapot", "count": 1}), "{when}");
    // One resource for all that a process sends: the log's is the span's.
    assert_eq!(received.resource, root.resource, "{when}");
    assert_eq!(root.resource.attributes["service.instance.id"], "storefront-7", "{when}");
    assert!(answer.last_seen.contains_key("metrics"), "{when}: {:?}", answer.last_seen);
    Ok(())
}

async fn check_refused(client: &Client, id: &str) -> TestResult {
    let answer: api::TraceAnswer = client.get_json(&format!("{}/{id}", api::paths::TRACES)).await?;
    let failed = answer.spans.iter().find(|span| span.kind == 1).context("no span by hand")?;
    assert_eq!((failed.status.code, failed.status.message.as_str()), (2, "no lamp on the shelf"));
    let error = answer.logs.iter().find(|record| record.severity_number == 17).context("no error was logged")?;
    assert_eq!(error.body, "lamp cannot be delivered");
    assert_eq!(error.attributes["exception.type"], "Error");
    let stack = error.attributes["exception.stacktrace"].as_str().unwrap_or_default();
    assert!(stack.contains("storefront.js"), "{error:?}");
    Ok(())
}

async fn check_metrics(client: &Client) -> TestResult {
    let last = |metric: &str| {
        format!(
            "select sum(v) from (select series_id, last_value(coalesce(cast(value_int as double), value) order by time) \
             as v from points where metric = '{metric}' group by series_id) t"
        )
    };
    for (metric, expect) in [("orders.placed", 2.0), ("carts.open", 1.0)] {
        let answer = client.sql(&last(metric)).await?;
        assert_eq!(answer.rows[0][0].as_f64(), Some(expect), "{metric}: {:?}", answer.rows);
    }
    for (metric, instance) in [("order.duration", "storefront-7"), ("stock.lookup.items", "stock-7")] {
        let joined = format!("select count(*) from series where metric = '{metric}' and resource like '%{instance}%'");
        assert!(client.sql_count(&joined).await? > 0, "{metric} has the resource of {instance}'s spans");
        let points = format!("select count(*) from histograms where metric = '{metric}'");
        assert!(client.sql_count(&points).await? > 0, "{metric}");
    }
    Ok(())
}
