//! D: the other doors over HTTP: what they answer, what they refuse, and that they share what OTLP has.

use std::time::Duration;

use anyhow::{Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use testkit::coding::{gzip_zeros, snappy_block};
use testkit::raw::{RawAnswer, exchange, request};
use testkit::{Server, ServerSettings, gzip};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::doors_shared::{
    DOORS, JSON, NDJSON, PROTOBUF, PROTOBUF_2, SNAPPY, bulk, loki_json, loki_protobuf, sample, write_1, write_2, zipkin,
};
use super::rows::{Body, Expect, Table, field};
use crate::TestResult;

const GZIP: (&str, &str) = ("Content-Encoding", "gzip");

type Headers<'a> = &'a [(&'a str, &'a str)];

/// Sends a request and checks status and a part of the body.
async fn check(port: u16, sent: &[u8], status: u16, part: &str) -> Result<RawAnswer> {
    let answer = exchange(port, sent).await?;
    ensure!(answer.status == status, "status {} instead of {status}: {}", answer.status, answer.text());
    ensure!(answer.text().contains(part), "{:?} lacks {part:?}", answer.text());
    for leak in ["/tmp", "::", "Err(", "src/"] {
        ensure!(!answer.text().contains(leak), "{:?} shows internals", answer.text());
    }
    Ok(answer)
}

/// A method, a path, headers, a body, the status of the answer and a part of it.
type Row<'a> = (&'a str, &'a str, Headers<'a>, Vec<u8>, u16, &'a str);

async fn rows(table: &mut Table, port: u16, rows: &[Row<'_>]) {
    for (method, path, headers, body, status, part) in rows {
        let outcome = check(port, &request(method, path, headers, body), *status, part).await;
        let shown: String = String::from_utf8_lossy(body).chars().take(60).collect();
        table.note(&format!("D {method} {path} {headers:?} {shown}"), outcome.map(drop));
    }
}

fn noted(is_right: bool, found: impl std::fmt::Debug) -> Result<()> {
    if is_right { Ok(()) } else { Err(anyhow::anyhow!("{found:?}")) }
}

/// Requests of at most 20 MiB, so that bombs need not be large.
fn small_requests() -> ServerSettings {
    ServerSettings::default().with("SPYHOP_INGEST_REQUEST_BYTES_MAX", "20MiB")
}

/// A snappy block that says that 4 GiB will come out.
const LIES: [u8; 7] = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0];

#[tokio::test]
async fn loki() -> TestResult {
    let server = Server::start(small_requests()).await?;
    let [grpc, http, _] = server.ports();
    let mut table = Table::new("D Loki");
    let push = "/loki/api/v1/push";
    let bad = br#"{"streams":[{"stream":{"app":"a"},"values":[["1795514400000000001","good"],["soon","bad"]]}]}"#;
    let deep = [b"{\"streams\":".to_vec(), vec![b'['; 100_000]].concat();
    rows(
        &mut table,
        http,
        &[
            ("POST", push, &[JSON], loki_json(1), 204, ""),
            ("POST", push, &[JSON, GZIP], gzip(&loki_json(2)), 204, ""),
            ("POST", push, &[PROTOBUF], loki_protobuf(3), 204, ""),
            ("POST", push, &[PROTOBUF, SNAPPY], loki_protobuf(4), 204, ""),
            ("POST", push, &[], loki_protobuf(5), 204, ""),
            (
                "POST",
                "//loki/api/v1/push/",
                &[("Content-Type", "application/json; charset=utf-8")],
                loki_json(6),
                204,
                "",
            ),
            ("POST", push, &[JSON], b"{}".to_vec(), 204, ""),
            ("POST", push, &[JSON], bad.to_vec(), 400, "1 of 2 entries are not stored: the time of an entry"),
            ("POST", push, &[JSON], b"{".to_vec(), 400, "no JSON push"),
            ("POST", push, &[JSON], deep, 400, "no JSON push"),
            ("POST", push, &[PROTOBUF], b"{}".to_vec(), 400, "snappy"),
            ("POST", push, &[PROTOBUF], snappy_block(&[0x0a, 9]), 400, "no push request"),
            ("POST", push, &[PROTOBUF], LIES.to_vec(), 413, "over the limit"),
            ("POST", push, &[JSON, GZIP], gzip_zeros(21 << 20), 413, "over the limit"),
            ("POST", push, &[("Content-Type", "text/plain")], loki_json(1), 415, "content type must be"),
            ("POST", push, &[JSON, ("Content-Encoding", "br")], loki_json(1), 415, "coding 'br'"),
            ("POST", push, &[JSON, ("X-Scope-OrgID", "a")], loki_json(1), 400, "one tenant"),
            ("GET", push, &[], vec![], 405, "use POST"),
            ("GET", "/ready", &[], vec![], 200, "ready"),
            ("GET", "/loki/api/v1/status/buildinfo", &[], vec![], 200, "version"),
        ],
    )
    .await;
    let other = check(grpc, &request("POST", push, &[JSON], &loki_json(7)), 204, "").await;
    table.note("D on the other port too", other.map(drop));
    let method = exchange(http, &request("GET", push, &[], b"")).await?;
    table.note("D the method is named", noted(method.header("allow") == Some("POST, OPTIONS"), &method));
    let count = server.client().sql_count("select count(*) from logs where service_name in ('cart', 'a')").await?;
    table.note("D what was good is stored, once", noted(count == 8, count));
    table.finish()
}

#[tokio::test]
async fn elasticsearch() -> TestResult {
    let server = Server::start(small_requests()).await?;
    let [_, http, _] = server.ports();
    let mut table = Table::new("D Elasticsearch");
    let mixed = b"{\"create\":{}}\n{\"message\":\"m\"}\n{\"delete\":{\"_id\":\"1\"}}\n{\"index\":{}}\n[\n".to_vec();
    let long = [b"{\"create\":{}}\n{\"message\":\"".to_vec(), vec![b'x'; 17 << 20], b"\"}\n".to_vec()].concat();
    let many = b"{\"index\":{}}\n{}\n".repeat(50_001);
    rows(
        &mut table,
        http,
        &[
            ("POST", "/_bulk", &[NDJSON], bulk(1), 200, r#""errors":false"#),
            ("PUT", "/_bulk", &[JSON], bulk(2), 200, r#""status":201"#),
            ("POST", "/shop/_bulk?refresh=true", &[], bulk(3), 200, r#""_index":"a""#),
            ("POST", "/elasticsearch/_bulk", &[NDJSON, GZIP], gzip(&bulk(4)), 200, r#""errors":false"#),
            ("POST", "/elasticsearch/shop/_bulk", &[NDJSON], mixed, 200, r#"{"took":"#),
            ("POST", "/_bulk", &[NDJSON], long, 200, "longer than 16777216 bytes"),
            ("POST", "/_bulk", &[NDJSON], many, 413, "50000 items"),
            ("POST", "/_bulk", &[NDJSON], vec![], 400, "request body is required"),
            ("POST", "/_bulk", &[NDJSON], b"{\"create\":{}}\n".to_vec(), 400, "no document"),
            ("POST", "/_bulk", &[NDJSON], b"what\n".to_vec(), 400, "malformed action"),
            ("POST", "/_bulk", &[NDJSON, GZIP], gzip_zeros(21 << 20), 413, "over the limit"),
            ("GET", "/_bulk", &[], vec![], 405, "use POST"),
            ("GET", "/", &[], vec![], 200, "You Know, for Search"),
            ("GET", "/elasticsearch/", &[], vec![], 200, r#""number":"8"#),
            ("GET", "/_license", &[], vec![], 200, "active"),
            ("GET", "/_xpack", &[], vec![], 200, "basic"),
            ("GET", "/_cluster/health", &[], vec![], 200, "green"),
            ("PUT", "/_index_template/shop", &[JSON], b"{}".to_vec(), 200, "acknowledged"),
            ("GET", "/_ilm/policy/shop", &[], vec![], 200, "{}"),
            ("GET", "/_ingest/pipeline/shop", &[], vec![], 200, "{}"),
            ("POST", "/shop/_search", &[JSON], b"{}".to_vec(), 404, "/v1/logs"),
        ],
    )
    .await;
    for sent in [request("GET", "/", &[], b""), request("POST", "/_bulk", &[NDJSON], b"what\n")] {
        let answer = exchange(http, &sent).await?;
        table.note(
            "D the product is shown",
            noted(answer.header("x-elastic-product") == Some("Elasticsearch"), &answer),
        );
    }
    let items =
        exchange(http, &request("POST", "/_bulk", &[NDJSON], b"{\"create\":{}}\n{}\n{\"delete\":{}}\n")).await?;
    let items: serde_json::Value = serde_json::from_slice(&items.body)?;
    let statuses = (items["items"][0]["create"]["status"].as_u64(), items["items"][1]["delete"]["status"].as_u64());
    table.note("D per item", noted(statuses == (Some(201), Some(400)) && items["errors"] == true, &items));
    let client = server.client();
    let count = client.sql_count("select count(*) from logs where body like 'line%' or body = 'm'").await?;
    table.note("D what was good is stored", noted(count == 5, count));
    // Without a time of their own two documents are two, however alike.
    for _ in 0..2 {
        exchange(http, &request("POST", "/_bulk", &[NDJSON], b"{\"create\":{}}\n{\"message\":\"timeless\"}\n")).await?;
    }
    let count = client.sql_count("select count(*) from logs where body = 'timeless' and time_absent").await?;
    table.note("D no time is no time, and no resend", noted(count == 2, count));
    table.finish()
}

#[tokio::test]
async fn zipkin_spans() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let mut table = Table::new("D Zipkin");
    let path = "/api/v2/spans";
    let mixed = br#"[{"traceId":"1","id":"1","timestamp":1795514400000001},{"traceId":"0","id":"1"}]"#.to_vec();
    rows(
        &mut table,
        http,
        &[
            ("POST", path, &[JSON], zipkin(1), 202, ""),
            ("POST", path, &[], zipkin(2), 202, ""),
            ("POST", path, &[JSON, GZIP], gzip(&zipkin(3)), 202, ""),
            ("POST", path, &[JSON], b"[]".to_vec(), 202, ""),
            ("POST", path, &[JSON], mixed, 400, "1 of 2 spans are not stored: traceId"),
            ("POST", path, &[JSON], b"{}".to_vec(), 400, "no list of spans"),
            ("POST", path, &[JSON], vec![b'['; 100_000], 400, "no list of spans"),
            ("POST", path, &[PROTOBUF], vec![], 415, "version 2 in JSON"),
            ("GET", path, &[], vec![], 405, "use POST"),
        ],
    )
    .await;
    let count = server.client().sql_count("select count(*) from spans").await?;
    table.note("D what was good is stored", noted(count == 4, count));
    table.finish()
}

#[tokio::test]
async fn remote_write() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let mut table = Table::new("D remote write");
    let path = "/api/v1/write";
    let unknown = ("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v3.Request");
    let first = ("Content-Type", "application/x-protobuf;proto=prometheus.WriteRequest");
    let name = field(0x0a, &[field(0x0a, b"__name__"), field(0x12, b"up")].concat());
    let good = field(0x12, &sample(4.0, 1_795_514_400_001));
    let mixed = snappy_block(&field(0x0a, &[name, good, field(0x12, &sample(5.0, 0))].concat()));
    rows(
        &mut table,
        http,
        &[
            ("POST", path, &[PROTOBUF, SNAPPY], write_1(1), 204, ""),
            ("POST", path, &[first], write_1(2), 204, ""),
            ("POST", path, &[PROTOBUF_2, SNAPPY], write_2(3), 204, ""),
            (
                "POST",
                path,
                &[PROTOBUF, SNAPPY],
                mixed.clone(),
                400,
                "1 of 2 records are not stored: a sample has no time",
            ),
            ("POST", path, &[PROTOBUF_2, SNAPPY], snappy_block(&[0x22, 9]), 400, "io.prometheus.write.v2.Request"),
            ("POST", path, &[PROTOBUF, SNAPPY], b"no snappy".to_vec(), 400, "snappy"),
            ("POST", path, &[PROTOBUF, SNAPPY], LIES.to_vec(), 413, "over the limit"),
            ("POST", path, &[unknown, SNAPPY], write_1(1), 415, "proto=prometheus.WriteRequest"),
            ("POST", path, &[JSON], b"{}".to_vec(), 415, "application/x-protobuf"),
            ("POST", path, &[PROTOBUF, ("Content-Encoding", "br")], write_1(1), 415, "coding 'br'"),
            ("GET", path, &[], vec![], 405, "use POST"),
        ],
    )
    .await;
    let written = |answer: &RawAnswer| {
        ["samples", "histograms", "exemplars"].map(|kind| {
            answer.header(&format!("x-prometheus-remote-write-{kind}-written")).unwrap_or("none").to_owned()
        })
    };
    let answer = exchange(http, &request("POST", path, &[PROTOBUF_2, SNAPPY], &write_2(9))).await?;
    table.note("D what was written is said", noted(written(&answer) == ["1", "0", "0"], &answer));
    let partial = exchange(http, &request("POST", path, &[PROTOBUF, SNAPPY], &mixed)).await?;
    table.note("D of what is partial too, also when resent", noted(written(&partial) == ["1", "0", "0"], &partial));
    let count = server.client().sql_count("select count(*) from points where metric = 'up'").await?;
    table.note("D what was good is stored, once", noted(count == 5, count));
    table.finish()
}

#[tokio::test]
async fn resends_are_recognised_and_acknowledged_is_durable() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let mut table = Table::new("D resends");
    let sum = "select (select count(*) from logs) + (select count(*) from spans) + (select count(*) from points)";
    for when in ["first", "again", "after kill -9"] {
        let [_, http, _] = server.ports();
        for door in &DOORS {
            let sent = request("POST", door.path, door.headers, &(door.body)(42));
            let answer = check(http, &sent, door.success, "").await;
            table.note(&format!("D {} {when}", door.name), answer.map(drop));
        }
        // Version 1 and 2 of remote write say the same here, and so do Loki's two forms.
        let count = server.client().sql_count(sum).await?;
        table.note(&format!("D stored once, {when}"), noted(count == 4, count));
        server.kill_group()?;
        server.restart().await?;
    }
    table.finish()
}

#[tokio::test]
async fn rates_are_shared_and_refused_in_words() -> TestResult {
    let settings = ServerSettings::default()
        .with("SPYHOP_LIMITS_TENANT_RECORDS_PER_SECOND", "1")
        .with("SPYHOP_LIMITS_BURST", "2s");
    let server = Server::start(settings).await?;
    let [_, http, _] = server.ports();
    let mut table = Table::new("D rates");
    let lines: String = (0..300).map(|line| format!(r#",["1795514400000000{line:03}","line"]"#)).collect();
    let large = format!(r#"{{"streams":[{{"stream":{{"app":"a"}},"values":[{}]}}]}}"#, &lines[1..]);
    let sent = request("POST", "/loki/api/v1/push", &[JSON], large.as_bytes());
    table.note("D a burst is let in", check(http, &sent, 204, "").await.map(drop));
    for door in &DOORS {
        let sent = request("POST", door.path, door.headers, &(door.body)(1));
        let outcome = check(http, &sent, 429, "tenant 'default' sends more than 1 records a second").await;
        let retry = outcome.as_ref().ok().and_then(|answer| answer.header("retry-after")).map(str::to_owned);
        table.note(&format!("D {}", door.name), outcome.map(drop));
        let seconds = retry.as_deref().and_then(|value| value.parse::<u64>().ok());
        table.note(&format!("D {} says when", door.name), noted(seconds.is_some_and(|s| (1..=5).contains(&s)), retry));
    }
    let count = server.client().sql_count("select count(*) from logs").await?;
    table.note("D refused is not stored", noted(count == 300, count));
    tokio::time::sleep(Duration::from_millis(100)).await;
    table.finish()
}

#[tokio::test]
async fn overload_is_shared_and_refused_in_words() -> TestResult {
    let settings = ServerSettings::default()
        .with("SPYHOP_INGEST_REQUEST_BYTES_MAX", "900KiB")
        // So small that it has no reserve for small requests.
        .with("SPYHOP_INGEST_INFLIGHT_BYTES_MAX", "1800KiB")
        .with("SPYHOP_INGEST_ADMISSION_WAIT", "300ms");
    let server = Server::start(settings).await?;
    let [_, http, _] = server.ports();
    let mut table = Table::new("D overload");
    // Uploads through one door that stall just before their end hold nearly the whole budget.
    let upload = request("POST", "/loki/api/v1/push", &[JSON], &vec![b' '; 910_000]);
    let mut stalled = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(("127.0.0.1", http)).await?;
        stream.write_all(&upload[..upload.len() - 10]).await?;
        stalled.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for door in &DOORS {
        let sent = request("POST", door.path, door.headers, &(door.body)(1));
        let outcome = check(http, &sent, 429, "send again later").await;
        let retry = outcome.as_ref().ok().and_then(|answer| answer.header("retry-after")).map(str::to_owned);
        table.note(&format!("D {}", door.name), outcome.map(drop));
        table.note(&format!("D {} says when", door.name), noted(retry.as_deref() == Some("2"), retry));
    }
    drop(stalled);
    tokio::time::sleep(Duration::from_millis(300)).await;
    for door in &DOORS {
        let sent = request("POST", door.path, door.headers, &(door.body)(1));
        table.note(&format!("D {} is let in then", door.name), check(http, &sent, door.success, "").await.map(drop));
    }
    table.finish()
}

#[tokio::test]
async fn small_requests_pass_stalled_uploads_by() -> TestResult {
    let server = Server::start(ServerSettings::default().with("SPYHOP_INGEST_INFLIGHT_BYTES_MAX", "128MiB")).await?;
    let [_, http, _] = server.ports();
    let mut table = Table::new("D reserve");
    let upload = request("POST", "/_bulk", &[NDJSON], &vec![b' '; 60 << 20]);
    let mut stalled = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(("127.0.0.1", http)).await?;
        // The second finds no room before its end, and is no longer read.
        let sent = stream.write_all(&upload[..upload.len() - 10]);
        let _ = tokio::time::timeout(Duration::from_secs(2), sent).await;
        stalled.push(stream);
    }
    for door in &DOORS {
        let sent = request("POST", door.path, door.headers, &(door.body)(1));
        table.note(&format!("D {}", door.name), check(http, &sent, door.success, "").await.map(drop));
    }
    drop(stalled);
    table.finish()
}

#[tokio::test]
async fn credentials_are_shared() -> TestResult {
    let settings = ServerSettings::default().with("SPYHOP_AUTH_INGEST_TOKENS", "send-key");
    let server = Server::start(settings).await?;
    let [_, http, _] = server.ports();
    let mut table = Table::new("D credentials");
    let basic = format!("Basic {}", STANDARD.encode("tenant:send-key"));
    let api_key = format!("ApiKey {}", STANDARD.encode("id:send-key"));
    for door in &DOORS {
        let body = (door.body)(1);
        for (shown, status) in [
            (None, 401),
            (Some("Bearer wrong"), 401),
            (Some("Bearer send-key"), door.success),
            (Some(&basic), door.success),
            (Some(&api_key), door.success),
        ] {
            let mut headers = door.headers.to_vec();
            headers.extend(shown.map(|value: &str| ("Authorization", value)));
            let part = if status == 401 { "credentials" } else { "" };
            let answer = check(http, &request("POST", door.path, &headers, &body), status, part).await;
            table.note(&format!("D {} {shown:?}", door.name), answer.map(drop));
        }
    }
    let probe = exchange(http, &request("GET", "/", &[], b"")).await?;
    let is_refused = probe.status == 401 && probe.header("x-elastic-product").is_some();
    table.note("D a probe shows nothing either", noted(is_refused, &probe));
    let metrics = exchange(server.ports()[2], &request("GET", "/metrics", &[], b"")).await?.text();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let metrics =
        exchange(server.ports()[2], &request("GET", "/metrics", &[], b"")).await.map_or(metrics, |a| a.text());
    let is_counted = metrics.contains(r#"spyhop_door_requests_total{role="ingest",door="zipkin",outcome="denied"} 2"#);
    table.note("D counted by door", noted(is_counted, "no such line"));
    table.row("D OTLP still is", http, &request("POST", "/v1/logs", &[JSON], b"{}"), Expect::new(401, Body::Any)).await;
    table.finish()
}

#[tokio::test]
async fn browsers_of_allowed_origins_may_send() -> TestResult {
    let settings = ServerSettings::default()
        .with("SPYHOP_OTLP_CORS_ORIGINS", "https://shop.example")
        .with("SPYHOP_AUTH_INGEST_TOKENS", "send-key");
    let server = Server::start(settings).await?;
    let [_, http, _] = server.ports();
    let mut table = Table::new("D browsers");
    let origin = ("Origin", "https://shop.example");
    let asked =
        [origin, ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization")];
    let other = [("Origin", "https://evil.example"), asked[1]];
    let known = ("access-control-allow-origin", Some("https://shop.example"));
    for door in &DOORS {
        let (methods, allow) =
            if door.path == "/_bulk" { ("POST, PUT", "POST, PUT, OPTIONS") } else { ("POST", "POST, OPTIONS") };
        let shown = [door.headers, &[origin, ("Authorization", "Bearer send-key")]].concat();
        let unknown = [door.headers, &[origin]].concat();
        for (what, method, headers, body, status, expect) in [
            ("a preflight shows no credentials", "OPTIONS", &asked[..], vec![], 204, known),
            (
                "its methods are the door's",
                "OPTIONS",
                &asked,
                vec![],
                204,
                ("access-control-allow-methods", Some(methods)),
            ),
            ("they are named without a browser too", "OPTIONS", &[], vec![], 204, ("allow", Some(allow))),
            ("other origins get nothing", "OPTIONS", &other, vec![], 204, ("access-control-allow-origin", None)),
            ("then it is sent", "POST", &shown, (door.body)(1), door.success, known),
            ("a refusal can be read", "POST", &unknown, (door.body)(1), 401, known),
        ] {
            let answer = check(http, &request(method, door.path, headers, &body), status, "").await;
            let noted = answer.and_then(|answer| noted(answer.header(expect.0) == expect.1, &answer));
            table.note(&format!("D {} {what}", door.name), noted);
        }
    }
    table.finish()
}
