//! N3–N5: who may send and ask, decided before a body is read.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use testkit::raw::{exchange, grpc_frame, read_answer, request};
use testkit::{Answer, Server, ServerSettings, Signal};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::rows::{Body, Expect, Table, header_bytes, log_json, log_protobuf};
use crate::TestResult;

/// Secrets that must be seen nowhere.
const SEND: &str = "canary-send-7f3a";
const READ: &str = "canary-read-19c2";
const PASSWORD: &str = "canary-pass:word";

const JSON: (&str, &str) = ("Content-Type", "application/json");

fn settings() -> ServerSettings {
    ServerSettings::default()
        .with("SPYHOP_AUTH_INGEST_TOKENS", format!("other,{SEND}"))
        .with("SPYHOP_AUTH_API_TOKENS", READ)
        .with("SPYHOP_AUTH_BASIC", format!("ann:{PASSWORD}"))
        .with("SPYHOP_AUTH_HEADER", "X-Api-Key")
        .with("SPYHOP_OTLP_CORS_ORIGINS", "https://shop.example")
        .with("SPYHOP_LOG", "debug")
}

fn basic(user: &str) -> String {
    format!("Basic {}", STANDARD.encode(user))
}

/// What is shown, in words; the header and its value; what comes of it when sending.
fn shown() -> Vec<(&'static str, &'static str, String, u16)> {
    vec![
        ("a token", "Authorization", format!("Bearer {SEND}"), 200),
        ("a token, other letter case", "authorization", format!("bearer {SEND}"), 200),
        ("a token in the header for it", "x-api-key", SEND.to_owned(), 200),
        ("a user", "Authorization", basic(&format!("ann:{PASSWORD}")), 200),
        ("a token as a password", "Authorization", basic(&format!("anybody:{SEND}")), 200),
        ("an unknown token", "Authorization", "Bearer nobody".to_owned(), 401),
        ("half a token", "Authorization", format!("Bearer {}", &SEND[..8]), 401),
        ("a wrong password", "Authorization", basic("ann:wrong"), 401),
        ("no base64", "Authorization", "Basic %%%".to_owned(), 401),
        ("percent-encoded as in the environment", "Authorization", format!("Bearer%20{SEND}"), 401),
        ("another header", "X-Token", SEND.to_owned(), 401),
        ("a token that may read", "Authorization", format!("Bearer {READ}"), 403),
        ("a token that may read, in the header for it", "X-Api-Key", READ.to_owned(), 403),
    ]
}

#[tokio::test]
async fn only_who_may_send_sends() -> TestResult {
    let server = Server::start(settings()).await?;
    let [_, http, api] = server.ports();
    let mut table = Table::new("N3 sending");
    let denied = Expect::new(401, Body::Status("credentials")).with(&[
        ("www-authenticate", "Basic realm=\"spyhop\""),
        ("content-type", "application/json"),
        ("connection", "close"),
    ]);
    let in_protobuf = Expect::new(401, Body::StatusProtobuf("credentials")).with(&[("www-authenticate", "Basic")]);
    table.row("nothing shown", http, &request("POST", "/v1/logs", &[JSON], &log_json("x")), denied).await;
    let protobuf = ("Content-Type", "application/x-protobuf");
    table.row("in protobuf", http, &request("POST", "/v1/logs", &[protobuf], &log_protobuf(b"x")), in_protobuf).await;
    table.row("on any path", http, &request("POST", "/no/such", &[JSON], b""), denied).await;
    table.row("whatever the method", http, &request("GET", "/v1/logs", &[], b""), denied).await;
    let mut stored = 0;
    for (what, name, value, status) in shown() {
        let expect = match status {
            200 => Expect::JSON,
            401 => denied,
            _ => Expect::new(status, Body::Status("may ask, but not send")),
        };
        stored += i64::from(status == 200);
        let sent = request("POST", "/v1/logs", &[JSON, (name, &value)], &log_json(what));
        table.row(what, http, &sent, expect).await;
        let frame = grpc_frame(0, &log_protobuf(format!("grpc {what}").as_bytes()));
        let name = name.to_ascii_lowercase();
        let call = server.client().grpc_call(Signal::Logs.grpc_path(), &[(&name, &value)], frame).await?;
        stored += i64::from(status == 200);
        table.note(&format!("{what}, as metadata"), check_call(&call, status));
    }
    let call = server.client().grpc_call(Signal::Logs.grpc_path(), &[], grpc_frame(0, &log_protobuf(b"x"))).await?;
    table.note("nothing shown, as metadata", check_call(&call, 401));
    let health = server.client().grpc_call("/grpc.health.v1.Health/Check", &[], grpc_frame(0, b"")).await?;
    let is_right = health.header("grpc-status") == Some("0");
    table.note("gRPC health is open", if is_right { Ok(()) } else { Err(anyhow::anyhow!("{health:?}")) });
    for path in ["/livez", "/readyz"] {
        table.row(&format!("{path} is open"), http, &request("GET", path, &[], b""), Expect::new(200, Body::Any)).await;
    }
    let origin = ("Origin", "https://shop.example");
    let preflight = Expect::new(204, Body::Empty).with(&[
        ("access-control-allow-origin", "https://shop.example"),
        ("access-control-allow-headers", "authorization"),
    ]);
    table.row("N5 a preflight needs none", http, &request("OPTIONS", "/v1/logs", &[origin], b""), preflight).await;
    let readable =
        Expect::new(401, Body::Status("credentials")).with(&[("access-control-allow-origin", "https://shop.example")]);
    table.row("N5 a browser can read why", http, &request("POST", "/v1/logs", &[JSON, origin], b"{}"), readable).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let metrics = exchange(api, &request("GET", "/metrics", &[], b"")).await?.text();
    for protocol in ["http", "grpc"] {
        let denied = metrics
            .lines()
            .find(|line| line.contains(r#"outcome="denied""#) && line.contains(&format!("protocol=\"{protocol}\"")))
            .and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        let outcome = if denied > Some(5) { Ok(()) } else { Err(anyhow::anyhow!("{denied:?}")) };
        table.note(&format!("N7 {protocol}: it is counted"), outcome);
    }
    let count = exchange(api, &ask(&format!("Bearer {READ}"), "select count(*) from logs")).await?;
    let expect = format!("[[{stored}]]");
    let is_right = count.text().contains(&expect);
    table.note(
        "what is refused is not stored",
        if is_right { Ok(()) } else { Err(anyhow::anyhow!("{}", count.text())) },
    );
    table.finish()
}

fn check_call(answer: &Answer, status: u16) -> Result<()> {
    let expect = match status {
        200 => "0",
        401 => "16",
        _ => "7",
    };
    ensure!(answer.header("grpc-status") == Some(expect), "{answer:?}");
    ensure!(answer.header("google.rpc.retryinfo-bin").is_none(), "not to be sent again");
    let details = header_bytes(answer.header("grpc-status-details-bin"));
    ensure!(details.is_empty() == (status == 200), "{details:?}");
    Ok(())
}

fn ask(authorization: &str, query: &str) -> Vec<u8> {
    let body = serde_json::json!({ "query": query }).to_string();
    request("POST", "/api/v1/sql", &[JSON, ("Authorization", authorization)], body.as_bytes())
}

#[tokio::test]
async fn credentials_are_looked_at_before_the_body() -> TestResult {
    let server = Server::start(settings()).await?;
    let [grpc, http, api] = server.ports();
    let mut table = Table::new("N3 before the body");
    for (what, port, path) in
        [("OTLP", http, "/v1/logs"), ("the other port", grpc, "/v1/logs"), ("SQL", api, "/api/v1/sql")]
    {
        let length = ("Content-Length", "60000000");
        let begun = Instant::now();
        let answer = exchange(port, &request("POST", path, &[JSON, length], b"")).await;
        let is_right =
            answer.as_ref().is_ok_and(|answer| answer.status == 401) && begun.elapsed() < Duration::from_secs(1);
        table.note(&format!("{what}: at once"), if is_right { Ok(()) } else { Err(anyhow::anyhow!("{answer:?}")) });
        let waiting = request("POST", path, &[JSON, length, ("Expect", "100-continue")], b"");
        let answer = exchange(port, &waiting).await?;
        let is_right = (answer.status, answer.interim) == (401, None);
        table.note(&format!("{what}: no 100"), if is_right { Ok(()) } else { Err(anyhow::anyhow!("{answer:?}")) });
        // A client that first sends everything still gets to read why.
        let large = request("POST", path, &[JSON], &vec![b' '; 20_000_000]);
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(&large).await.map_err(|error| anyhow::anyhow!("{what}: the upload was cut: {error}"))?;
        let answer = read_answer(&mut stream).await?;
        let outcome = Expect::new(401, Body::Any).with(&[("www-authenticate", "Basic")]).check(&answer);
        table.note(&format!("{what}: after 20 MB"), outcome);
    }
    table.finish()
}

#[tokio::test]
async fn only_who_may_ask_is_answered_and_secrets_are_seen_nowhere() -> TestResult {
    let server = Server::start(settings()).await?;
    let [_, http, api] = server.ports();
    let mut table = Table::new("N3 asking");
    for path in ["/", "/api/v1/logs", "/api/v1/openapi.json", "/api/v1/ingest", "/api/v1/nothing", "/assets/x.js"] {
        let answer = exchange(api, &request("GET", path, &[], b"")).await?;
        let challenges: Vec<&str> = (answer.headers.iter())
            .filter(|(name, _)| name == "www-authenticate")
            .map(|(_, value)| value.split(' ').next().unwrap_or_default())
            .collect();
        let is_right = answer.status == 401 && challenges == ["Basic", "Bearer"];
        table.note(&format!("{path} is closed"), if is_right { Ok(()) } else { Err(anyhow::anyhow!("{answer:?}")) });
    }
    for path in ["/livez", "/readyz", "/metrics"] {
        table.row(&format!("{path} is open"), api, &request("GET", path, &[], b""), Expect::new(200, Body::Any)).await;
    }
    for (what, value, status) in [
        ("a token", format!("Bearer {READ}"), 200),
        ("a browser with a token", basic(&format!("anybody:{READ}")), 200),
        ("a user", basic(&format!("ann:{PASSWORD}")), 200),
        ("a token that may send", format!("Bearer {SEND}"), 403),
        ("a wrong password", basic("ann:x"), 401),
    ] {
        let sent = request("GET", "/api/v1/ingest", &[("Authorization", &value)], b"");
        table.row(what, api, &sent, Expect::new(status, Body::Any)).await;
        table.row(&format!("{what}, SQL"), api, &ask(&value, "select 1"), Expect::new(status, Body::Any)).await;
    }
    let metrics = exchange(api, &request("GET", "/metrics", &[], b"")).await?.text();
    exchange(http, &request("POST", "/v1/logs", &[JSON, ("Authorization", &format!("Bearer {SEND}"))], b"[]")).await?;
    let shown = server.run(&["config", "show"]).await?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let is_right = shown.contains("# auth.basic = ***") && shown.contains("auth.header = \"X-Api-Key\"");
    table.note("config show says that they are set", if is_right { Ok(()) } else { Err(anyhow::anyhow!("{shown}")) });
    let mut seen = vec![("config show", shown), ("the log", server.log()), ("metrics", metrics)];
    for file in server.files(".json") {
        seen.push(("a status file", std::fs::read_to_string(file).unwrap_or_default()));
    }
    for (place, text) in seen {
        let leak = [SEND, READ, PASSWORD].into_iter().find(|secret| text.contains(secret));
        table.note(
            &format!("no secret in {place}"),
            leak.map_or(Ok(()), |secret| Err(anyhow::anyhow!("{secret}: {text}"))),
        );
    }
    table.finish()
}

#[tokio::test]
async fn tokens_come_from_files_and_the_demo_sends_them() -> TestResult {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tokens");
    std::fs::write(&file, format!("first\n{SEND}\n"))?;
    let server =
        Server::start(ServerSettings::default().with("SPYHOP_AUTH_INGEST_TOKENS_FILE", file.display().to_string()))
            .await?;
    let endpoint = server.client().otlp_http_url().to_owned();
    let demo = ["demo", "--endpoint", &endpoint, "--seconds", "1", "--history-minutes", "0", "--rate", "50"];
    let refused = server.run(&demo).await?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("401") && said.contains("credentials are missing"), "{said}");
    let mut command = server.command(&demo);
    command.env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer%20{SEND}"));
    let sent = testkit::run_command(command).await?;
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    // No one is asked for credentials to ask, since there are none.
    assert!(server.client().sql_count("select count(*) from spans").await? > 0);
    Ok(())
}
