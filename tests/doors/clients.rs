//! Every door with a client that was made for it: all that it sent is there at once, from files, and after kill -9.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testkit::{Client, Server, ServerSettings, free_port};

use crate::TestResult;
use crate::e2e::program;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("doors")
}

/// Runs a client to its end, without blocking the test's runtime, and returns what it printed.
async fn run(mut command: Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = tokio::task::spawn_blocking(move || command.output()).await?.with_context(|| shown.clone())?;
    ensure!(output.status.success(), "{shown}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A client of `clients.py`; nothing where there is no Python, and then the test says so.
fn python(test: &str, arguments: &[&str]) -> Option<Command> {
    let Some(python) = program("SPYHOP_TEST_PYTHON") else {
        testkit::skip(test, "there is no Python with the clients' packages");
        return None;
    };
    let mut command = Command::new(python);
    command.arg(folder().join("clients.py")).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
    Some(command)
}

/// The rows of a SQL answer as one JSON text.
async fn rows(client: &Client, query: &str) -> Result<String> {
    Ok(serde_json::to_string(&client.sql(query).await?.rows)?)
}

/// Checks a query at once, from files, and after kill -9.
async fn check_thrice(server: &mut Server, query: &str, expect: &str) -> TestResult {
    let client = server.client();
    assert_eq!(rows(&client, query).await?, expect, "at once");
    server.compact_now().await?;
    assert_eq!(rows(&client, query).await?, expect, "from files");
    server.restart().await?;
    assert_eq!(rows(&client, query).await?, expect, "after kill -9");
    Ok(())
}

const LINES: &str = "select service_name, severity_text, severity_number, body from logs order by time, body";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loki_from_python_in_json() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let Some(command) = python("doors::clients::loki_from_python_in_json", &["loki", &http.to_string()]) else {
        return Ok(());
    };
    run(command).await?;
    let expect = r#"[["python-loki","info",9,"a cart was opened"],["python-loki","error",17,"a cart was lost"]]"#;
    check_thrice(&mut server, LINES, expect).await?;
    let answer = server.client().get("/api/v1/logs?query=resource.region%3Aeu%20opened").await?.text();
    ensure!(answer.contains("a cart was opened") && answer.contains("shop.cart"), "a search finds it: {answer}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loki_from_node_in_json_and_protobuf() -> TestResult {
    let Some(node) = program("SPYHOP_TEST_NODE") else {
        testkit::skip("doors::clients::loki_from_node_in_json_and_protobuf", "there is no Node.js 20");
        return Ok(());
    };
    let mut server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    for form in ["json", "protobuf"] {
        let mut command = Command::new(&node);
        command.arg(folder().join("winston.js")).args([&http.to_string(), form]);
        run(command).await?;
    }
    let query = "select service_name, severity_text, count(*) from logs group by 1, 2 order by 1, 2";
    let expect = r#"[["winston-json","info",1],["winston-json","warn",1],["winston-protobuf","info",1],["winston-protobuf","warn",1]]"#;
    check_thrice(&mut server, query, expect).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn elasticsearch_from_python() -> TestResult {
    let settings = ServerSettings::default().with("SPYHOP_AUTH_INGEST_TOKENS", "a-key");
    let mut server = Server::start(settings).await?;
    let [_, http, _] = server.ports();
    let arguments = ["elasticsearch", &http.to_string(), "a-key"];
    let Some(command) = python("doors::clients::elasticsearch_from_python", &arguments) else { return Ok(()) };
    run(command).await?;
    wait_for_ledger(&server.client(), r#""unsupported":1"#).await?;
    let query = "select service_name, severity_text, count(*), count(distinct body) from logs group by 1, 2 order by 3";
    let expect = r#"[["python-elastic",null,1,1],["python-elastic","info",1000,1000]]"#;
    check_thrice(&mut server, query, expect).await?;
    let client = server.client();
    let trace = client.get("/api/v1/traces/4bf92f3577b34da6a3ce929d0e0e4736").await?.text();
    ensure!(
        trace.contains("order 999 was placed") || trace.contains("order 1"),
        "the trace has its lines: {trace:.500}"
    );
    let found = client.get("/api/v1/logs?query=order.number%3A77").await?.text();
    ensure!(found.contains("order 77 was placed") && found.contains("shop.orders"), "a search finds it: {found}");
    Ok(())
}

/// Waits until the ledger, which is told every second, says this.
async fn wait_for_ledger(client: &Client, part: &str) -> TestResult {
    let mut ledger = String::new();
    for _ in 0..50 {
        ledger = client.get("/api/v1/ingest").await?.text();
        if ledger.contains(part) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the ledger lacks {part}: {ledger}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zipkin_from_python() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let Some(command) = python("doors::clients::zipkin_from_python", &["zipkin", &http.to_string()]) else {
        return Ok(());
    };
    let trace = run(command).await?;
    let query = "select service_name, name, kind, status_code, status_message from spans order by name";
    let expect = r#"[["python-zipkin","charge",1,null,null],["python-zipkin","checkout",2,2,"card refused"]]"#;
    check_thrice(&mut server, query, expect).await?;
    let view: api::TraceAnswer = server.client().get_json(&format!("{}/{trace}", api::paths::TRACES)).await?;
    let root = view.spans.iter().find(|span| span.name == "checkout").context("no root")?;
    let child = view.spans.iter().find(|span| span.name == "charge").context("no child")?;
    assert_eq!(child.parent_span_id.as_deref(), Some(root.span_id.as_str()));
    assert_eq!(root.attributes["http.method"], "POST");
    assert!(child.events.iter().any(|event| event.name == "card asked"), "{:?}", child.events);
    Ok(())
}

const POINTS: &str = "select points.metric, value, type, monotonic, service_name from points join series using (series_id) order by 1, 2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn remote_write_1_from_python() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let arguments = ["remote_write", &http.to_string()];
    let Some(command) = python("doors::clients::remote_write_1_from_python", &arguments) else { return Ok(()) };
    run(command).await?;
    let of = |value: &str| format!(r#"["orders_total",{value},"sum",true,"python-prometheus"]"#);
    let (one, two, five) = (of("1.0"), of("2.0"), of("5.0"));
    let expect = format!(r#"[["carts_open",3.5,"gauge",null,"python-prometheus"],{one},{two},{five}]"#);
    check_thrice(&mut server, POINTS, &expect).await
}

/// Prometheus' own client library is in Go, and so is the only client of version 2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn remote_write_2_from_go() -> TestResult {
    let test = "doors::clients::remote_write_2_from_go";
    let source = folder().join("remote_write_v2");
    let (out, go) = (tempfile::tempdir()?, "go");
    let client = out.path().join("client");
    let mut build = Command::new(go);
    build.args(["build", "-o"]).arg(&client).arg(".").current_dir(&source).env("GOFLAGS", "-mod=readonly");
    if Command::new(go).arg("version").output().is_err() {
        testkit::skip(test, "there is no Go, and Prometheus' client for remote write 2 is in Go");
        return Ok(());
    }
    if let Err(error) = run(build).await {
        testkit::skip(test, &format!("Prometheus' client cannot be built here: {error:#}"));
        return Ok(());
    }
    let mut server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let mut command = Command::new(&client);
    command.arg(http.to_string());
    run(command).await?;
    let of = |value: &str| format!(r#"["payments_total",{value},"sum",true,"go-prometheus"]"#);
    check_thrice(&mut server, POINTS, &format!("[{},{}]", of("7.0"), of("9.0"))).await?;
    let client = server.client();
    let histogram = "select count, sum, scale, zero_count, positive_offset, positive_counts from exp_histograms";
    assert_eq!(rows(&client, histogram).await?, "[[6,4.5,1,1,-1,[1,2,0,2]]]");
    let trace: api::TraceAnswer =
        client.get_json(&format!("{}/4bf92f3577b34da6a3ce929d0e0e4736", api::paths::TRACES)).await?;
    assert_eq!(trace.exemplars.len(), 1, "its exemplar is in the trace");
    Ok(())
}

/// A server with both syslog ports.
async fn syslog_server() -> Result<(Server, u16, u16)> {
    let (tcp, udp) = (free_port()?, free_port()?);
    let settings = ServerSettings::default()
        .with("SPYHOP_SYSLOG_TCP_ADDRESS", format!("127.0.0.1:{tcp}"))
        .with("SPYHOP_SYSLOG_UDP_ADDRESS", format!("127.0.0.1:{udp}"));
    Ok((Server::start(settings).await?, tcp, udp))
}

/// Waits until so many log records are there: nobody answers syslog.
pub(crate) async fn wait_for(client: &Client, count: i64) -> TestResult {
    for _ in 0..100 {
        if client.sql_count("select count(*) from logs").await? >= count {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let found = client.sql_count("select count(*) from logs").await?;
    anyhow::bail!("{found} records instead of {count}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syslog_from_python() -> TestResult {
    let test = "doors::clients::syslog_from_python";
    let (mut server, tcp, udp) = syslog_server().await?;
    let (tcp, udp) = (tcp.to_string(), udp.to_string());
    for arguments in
        [["syslog", &tcp, "tcp", "newline"], ["syslog", &tcp, "tcp", "octets"], ["syslog", &udp, "udp", ""]]
    {
        let Some(command) = python(test, &arguments) else { return Ok(()) };
        run(command).await?;
    }
    wait_for(&server.client(), 6).await?;
    let query = "select service_name, severity_number, body, count(*) from logs group by 1, 2, 3 order by 1";
    let of = |app: &str| format!(r#"["python-{app}",13,"the shop is open",2]"#);
    let expect = format!("[{},{},{}]", of("tcp-newline"), of("tcp-octets"), of("udp-"));
    check_thrice(&mut server, query, &expect).await?;
    let found = server.client().get("/api/v1/logs?query=resource.host.name%3Ashop-1&limit=1").await?.text();
    ensure!(found.contains("syslog.structured_data.shop@32473.region"), "its structured data: {found}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syslog_from_logger() -> TestResult {
    if Command::new("logger").arg("--version").output().is_err() {
        testkit::skip("doors::clients::syslog_from_logger", "there is no logger of util-linux");
        return Ok(());
    }
    let (server, tcp, udp) = syslog_server().await?;
    let forms: [(u16, &[&str]); 4] = [
        (tcp, &["--tcp", "--rfc3164"]),
        (tcp, &["--tcp", "--rfc5424", "--octet-count"]),
        (udp, &["--udp", "--rfc5424"]),
        (udp, &["--udp", "--rfc3164"]),
    ];
    for (port, arguments) in forms {
        let mut command = Command::new("logger");
        command.args(["--server", "127.0.0.1", "--port", &port.to_string(), "--priority", "local3.err"]);
        command.args(["--tag", "deploy"]).args(arguments).arg("the deploy failed");
        run(command).await?;
    }
    wait_for(&server.client(), 4).await?;
    let query = "select service_name, severity_number, body, count(*) from logs group by 1, 2, 3";
    assert_eq!(rows(&server.client(), query).await?, r#"[["deploy",17,"the deploy failed",4]]"#);
    let now = "select count(*) from logs where abs(to_unixtime(time) - to_unixtime(now())) < 86400 * 2";
    assert_eq!(server.client().sql_count(now).await?, 4, "times without a year are of today");
    Ok(())
}
