//! Two Flask services, instrumented as guides write it, seen through the API.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use testkit::{Client, Server, ServerSettings, free_port};

use crate::TestResult;

/// A Python service, ended with the test.
pub(super) struct Service {
    child: Child,
    url: Client,
}

impl Drop for Service {
    fn drop(&mut self) {
        // The group, so that what runs it goes with it.
        let _ = testkit::kill_group(self.child.id());
        let _ = self.child.wait();
    }
}

impl Service {
    pub(super) fn start(
        python: &Path,
        server: &Server,
        protocol: &str,
        script: &str,
        ports: &[u16],
    ) -> Result<Service> {
        Service::spawn(Command::new(python), server, protocol, script, ports)
    }

    /// Starts the service by a command that the script and its arguments follow.
    pub(super) fn spawn(
        mut command: Command,
        server: &Server,
        protocol: &str,
        script: &str,
        ports: &[u16],
    ) -> Result<Service> {
        let client = server.client();
        let endpoint = if protocol == "grpc" { client.otlp_grpc_url() } else { client.otlp_http_url() };
        let child = command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python_app").join(script))
            .args(ports.iter().map(u16::to_string))
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            .env("OTEL_EXPORTER_OTLP_INSECURE", "true")
            .env("OTEL_PROPAGATORS", "tracecontext,baggage,b3multi")
            .env("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {script}"))?;
        // The first port of a service is its own; the test kit's client is for servers with three, so it gets it thrice.
        Ok(Service { child, url: Client::new(ports[0], ports[0], ports[0]) })
    }

    /// Asks it to end, as an orchestrator does, and returns its exit code.
    pub(super) async fn terminate(&mut self) -> Result<Option<i32>> {
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        for _ in 0..200 {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the service does not end")
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        for _ in 0..100 {
            if let Ok(answer) = self.url.post(path, body).await {
                return answer.json();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the Python service does not answer")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_flask_services_are_one_trace_over_grpc() -> TestResult {
    orders_are_one_trace("grpc").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_flask_services_are_one_trace_over_http() -> TestResult {
    orders_are_one_trace("http/protobuf").await
}

async fn orders_are_one_trace(protocol: &str) -> TestResult {
    let Some(python) = crate::e2e::program("SPYHOP_TEST_PYTHON") else {
        testkit::skip("e2e::python_app", "there is no Python with OpenTelemetry's packages");
        return Ok(());
    };
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let (front, back) = (free_port()?, free_port()?);
    let stock = Service::start(&python, &server, protocol, "stock.py", &[back])?;
    let storefront = Service::start(&python, &server, protocol, "storefront.py", &[front, back])?;
    stock.post("/flush", &json!({})).await?;
    let mut trace = Value::Null;
    for item in ["teapot", "lamp", "kettle", "teapot"] {
        let answer = storefront.post("/orders", &json!({"item": item})).await?;
        assert_eq!(answer["ordered"], item != "lamp", "{answer}");
        if item == "teapot" {
            trace = answer["trace_id"].clone();
        }
    }
    for service in [&storefront, &stock] {
        service.post("/flush", &json!({})).await?;
    }
    let trace = trace.as_str().context("the app returns its trace id")?;
    check_trace(&client, trace, "at once").await?;
    check_metrics(&client).await?;
    server.compact_now().await?;
    check_trace(&client, trace, "from files").await?;
    server.restart().await?;
    check_trace(&client, trace, "after kill -9").await?;
    check_metrics(&client).await
}

async fn check_trace(client: &Client, id: &str, when: &str) -> TestResult {
    let answer: api::TraceAnswer = client.get_json(&format!("{}/{id}", api::paths::TRACES)).await?;
    assert!(answer.completeness.complete, "{when}: {:?}", answer.completeness);
    let service = |resource: &api::Resource| resource.attributes["service.name"].as_str().map(str::to_owned);
    let spans_of = |name: &str| {
        answer.spans.iter().filter(|span| service(&span.resource).as_deref() == Some(name)).collect::<Vec<_>>()
    };
    let (front, back) = (spans_of("storefront"), spans_of("stock"));
    assert!(front.len() >= 2, "{when}: server and client span of the storefront: {front:?}");
    assert!(back.len() >= 2, "{when}: server and database span of the stock service: {back:?}");
    let root = front.iter().find(|span| span.parent_span_id.is_none()).context("no root")?;
    assert_eq!((root.name.as_str(), root.kind), ("POST /orders", 2), "{when}");
    assert_eq!(root.attributes["http.route"], "/orders", "{when}: {:?}", root.attributes);
    let call = front.iter().find(|span| span.kind == 3).context("no client span")?;
    let served = back.iter().find(|span| span.kind == 2).context("no server span")?;
    assert_eq!(served.parent_span_id.as_deref(), Some(call.span_id.as_str()), "{when}: context did not travel");
    let database = back.iter().any(|span| span.attributes.keys().any(|key| key.starts_with("db.")));
    assert!(database, "{when}: no database span: {back:?}");
    let lines: Vec<String> =
        answer.logs.iter().map(|record| record.body.as_str().unwrap_or_default().to_owned()).collect();
    for line in ["order for teapot received", "12 of teapot on the shelf", "order for teapot placed"] {
        assert!(lines.iter().any(|found| found == line), "{when}: no {line:?} in {lines:?}");
    }
    let received = answer.logs.iter().find(|record| record.body == "order for teapot received").context("no line")?;
    assert_eq!(received.attributes["order.item"], "teapot", "{when}");
    assert_eq!(received.severity_number, 9, "{when}");
    assert_eq!(received.scope.name, "storefront.orders", "{when}");
    let metrics: Vec<&str> = answer.exemplars.iter().map(|exemplar| exemplar.metric.as_str()).collect();
    assert!(metrics.contains(&"order.duration"), "{when}: exemplars of {metrics:?}");
    assert!(answer.exemplars.iter().all(|exemplar| !exemplar.service_name.is_empty()), "{when}");
    Ok(())
}

async fn check_metrics(client: &Client) -> TestResult {
    let last = |metric: &str| {
        format!(
            "select sum(v) from (select max_by_time as v from (select series_id, \
             last_value(coalesce(cast(value_int as double), value) order by time) as max_by_time \
             from points where metric = '{metric}' group by series_id) t) u"
        )
    };
    for (metric, expect) in [("orders.placed", 3.0), ("carts.open", 1.0)] {
        let answer = client.sql(&last(metric)).await?;
        assert_eq!(answer.rows[0][0].as_f64(), Some(expect), "{metric}: {:?}", answer.rows);
    }
    let kind = client.sql("select distinct type, monotonic from series where metric = 'carts.open'").await?;
    assert_eq!(kind.rows.len(), 1, "{:?}", kind.rows);
    assert_eq!(kind.rows[0][1], false, "an up-down counter is not monotonic: {:?}", kind.rows);
    assert!(client.sql_count("select count(*) from histograms where metric = 'order.duration'").await? > 0);
    let failed = client.sql_count("select count(*) from logs where body like 'lamp cannot be delivered%'").await?;
    assert_eq!(failed, 1);
    Ok(())
}
