//! P: paths, methods, ports, and the forms of HTTP that OTLP clients speak.

use std::io::Write;

use testkit::raw::{chunked, request};
use testkit::{Server, ServerSettings, Signal, raw};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::rows::{Body, Expect, Table, log_json, log_protobuf};
use crate::TestResult;

const JSON: (&str, &str) = ("Content-Type", "application/json");
const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");

#[tokio::test]
async fn paths_methods_and_ports() -> TestResult {
    let settings = ServerSettings::default().with("SPYHOP_OTLP_PATH_PREFIX", "/otlp");
    let server = Server::start(settings).await?;
    let [grpc, http, _] = server.ports();
    let mut table = Table::new("P");
    for signal in ["traces", "metrics", "logs"] {
        for port in [http, grpc] {
            let path = format!("/v1/{signal}");
            let row = format!("P1 P6 empty protobuf to {path} on {port}");
            table.row(&row, port, &request("POST", &path, &[PROTOBUF], b""), Expect::PROTOBUF).await;
            let row = format!("P1 P6 empty JSON to {path} on {port}");
            table.row(&row, port, &request("POST", &path, &[JSON], b"{}"), Expect::JSON).await;
        }
    }
    let nowhere = Expect::new(404, Body::Status("/v1/logs")).with(&[("content-type", "application/json")]);
    for path in ["/v1development/profiles", "/v1/profiles", "/", "/v1/log", "/v1/logs/x", "/v2/logs"] {
        table.row(&format!("P2 P4 {path}"), http, &request("POST", path, &[JSON], b"{}"), nowhere).await;
    }
    let nowhere =
        Expect::new(404, Body::StatusProtobuf("/v1/traces")).with(&[("content-type", "application/x-protobuf")]);
    table.row("P4 in protobuf", http, &request("POST", "/", &[PROTOBUF], b""), nowhere).await;
    let post_only = Expect::new(405, Body::Status("POST")).with(&[("allow", "POST, OPTIONS")]);
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        table.row(&format!("P3 {method}"), http, &request(method, "/v1/logs", &[], b""), post_only).await;
    }
    for path in ["//v1/logs", "/v1/logs/", "/v1//logs", "/otlp/v1/logs", "/v1/logs?a=b"] {
        let sent = request("POST", path, &[JSON], &log_json("p5"));
        table.row(&format!("P5 {path}"), http, &sent, Expect::JSON).await;
    }
    table.finish()
}

#[tokio::test]
async fn every_form_of_http_that_clients_speak() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let mut table = Table::new("P7");
    let body = log_json("p7 chunked");
    for bytes in [1, 7, 4096] {
        let sent = request("POST", "/v1/logs", &[JSON, ("Transfer-Encoding", "chunked")], &chunked(&body, bytes));
        table.row(&format!("P7 chunks of {bytes}"), http, &sent, Expect::JSON).await;
    }
    let upgrade = [JSON, ("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABk")];
    let sent = request("POST", "/v1/logs", &upgrade, &log_json("p7 upgrade"));
    table.row("P7 an offer to upgrade is ignored", http, &sent, Expect::JSON).await;
    table.note("P7 100-continue", continues(http).await);
    table.note("P7 two requests on one connection", keeps_alive(http).await);
    let client = server.client();
    // The gRPC client of the fixture speaks HTTP/2 with prior knowledge.
    let answer = client.grpc_call("/v1/logs", &[("content-type", "application/json")], log_json("p7 h2c")).await?;
    table.note(
        "P7 HTTP/2 with prior knowledge",
        match answer.status.as_u16() {
            200 if answer.text() == "{}" => Ok(()),
            other => Err(anyhow::anyhow!("{other}: {}", answer.text())),
        },
    );
    let stored = client.sql_count("select count(*) from logs where body like 'p7%'").await?;
    table.note("P7 all of it is stored", if stored == 8 { Ok(()) } else { Err(anyhow::anyhow!("{stored}")) });
    let lower = Signal::Logs.path().to_uppercase();
    let nowhere = Expect::new(404, Body::Status("/v1/logs"));
    table.row("P4 paths have their case", http, &request("POST", &lower, &[JSON], b"{}"), nowhere).await;
    table.finish()
}

/// A client that waits for "100 Continue" gets it before it sends a byte of its body.
async fn continues(port: u16) -> anyhow::Result<()> {
    let body = log_protobuf(b"p7 continue");
    let mut head = Vec::new();
    write!(head, "POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n")?;
    write!(head, "Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len())?;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(&head).await?;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    stream.write_all(&body).await?;
    let answer = raw::read_answer(&mut stream).await?;
    anyhow::ensure!(answer.interim == Some(100), "no interim answer");
    Expect::PROTOBUF.check(&answer)
}

async fn keeps_alive(port: u16) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    for number in 0..2 {
        let body = log_json(&format!("p7 alive {number}"));
        stream.write_all(&request("POST", "/v1/logs", &[JSON], &body)).await?;
        Expect::JSON.check(&raw::read_answer(&mut stream).await?)?;
    }
    Ok(())
}
