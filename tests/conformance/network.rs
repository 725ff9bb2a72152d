//! N: slow clients, browsers, tenants, shutdown.

use std::time::{Duration, Instant};

use testkit::raw::{exchange, read_answer, request};
use testkit::{Server, ServerSettings};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::rows::{Body, Expect, Table, log_json};
use crate::TestResult;

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[tokio::test]
async fn slow_clients_are_let_go() -> TestResult {
    let settings = ServerSettings::default()
        .with("SPYHOP_SERVER_IDLE_TIMEOUT", "3s")
        .with("SPYHOP_SERVER_BODY_IDLE_TIMEOUT", "1s");
    let server = Server::start(settings).await?;
    let [_, http, _] = server.ports();
    let sent = request("POST", "/v1/logs", &[JSON], &log_json("n1"));
    for (what, keep) in [("nothing", 0), ("half a head", 30), ("half a body", sent.len() - 5)] {
        let mut stream = TcpStream::connect(("127.0.0.1", http)).await?;
        stream.write_all(&sent[..keep]).await?;
        let begun = Instant::now();
        // An answer that says so, or a closed connection: either way the place is free again.
        let outcome = tokio::time::timeout(Duration::from_secs(8), read_answer(&mut stream)).await;
        assert!(outcome.is_ok(), "{what}: still open after {:?}", begun.elapsed());
        if let Ok(Ok(answer)) = outcome {
            assert_eq!(answer.status, 408, "{what}");
        }
    }
    Expect::JSON.check(&exchange(http, &sent).await?)?;
    Ok(())
}

#[tokio::test]
async fn browsers_of_allowed_origins_may_send() -> TestResult {
    let origin = "https://shop.example";
    let settings = ServerSettings::default().with("SPYHOP_OTLP_CORS_ORIGINS", origin);
    let server = Server::start(settings).await?;
    let [_, http, _] = server.ports();
    let mut table = Table::new("N5");
    let preflight = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type"),
    ];
    let allowed = Expect::new(204, Body::Empty).with(&[
        ("access-control-allow-origin", "https://shop.example"),
        ("access-control-allow-methods", "POST"),
        ("access-control-allow-headers", "content-encoding"),
        ("access-control-max-age", ""),
        ("vary", "origin"),
    ]);
    table.row("preflight", http, &request("OPTIONS", "/v1/logs", &preflight, b""), allowed).await;
    let answered = |status, body| {
        Expect::new(status, body).with(&[("access-control-allow-origin", "https://shop.example"), ("vary", "origin")])
    };
    let sent = request("POST", "/v1/logs", &[JSON, ("Origin", origin)], &log_json("n5"));
    table.row("success", http, &sent, answered(200, Body::Exactly("{}"))).await;
    let wrong = request("POST", "/v1/logs", &[JSON, ("Origin", origin)], b"[]");
    table.row("errors carry the headers too", http, &wrong, answered(400, Body::Status(""))).await;
    let foreign = exchange(http, &request("OPTIONS", "/v1/logs", &[("Origin", "https://evil.example")], b"")).await?;
    let silent = foreign.header("access-control-allow-origin").is_none();
    table.note("other origins get nothing", if silent { Ok(()) } else { Err(anyhow::anyhow!("{foreign:?}")) });
    let credentials = exchange(http, &sent).await?.header("access-control-allow-credentials").is_some();
    table.note("never with credentials", if credentials { Err(anyhow::anyhow!("allowed")) } else { Ok(()) });
    let tenant = [JSON, ("X-Scope-OrgID", "other")];
    let refused = Expect::new(400, Body::Status("tenant"));
    table
        .row("a tenant header is refused", http, &request("POST", "/v1/logs", &tenant, &log_json("n3")), refused)
        .await;
    table.finish()
}

#[tokio::test]
async fn at_shutdown_what_is_in_flight_is_answered() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let mut waiting = Vec::new();
    for number in 0..20 {
        let sent = request("POST", "/v1/logs", &[JSON], &log_json(&format!("x10 {number}")));
        let mut stream = TcpStream::connect(("127.0.0.1", http)).await?;
        stream.write_all(&sent[..sent.len() - 3]).await?;
        waiting.push((stream, sent));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    testkit::terminate(server.id()?)?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut stored = 0;
    for (mut stream, sent) in waiting {
        stream.write_all(&sent[sent.len() - 3..]).await?;
        let answer = read_answer(&mut stream).await?;
        assert!(matches!(answer.status, 200 | 503), "X10: {answer:?}");
        stored += i64::from(answer.status == 200);
    }
    server.restart().await?;
    assert_eq!(server.client().sql_count("select count(*) from logs").await?, stored, "X10: answered is stored");
    assert!(stored > 0, "X10: requests in flight at SIGTERM are finished");
    Ok(())
}
