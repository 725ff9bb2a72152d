//! X: what is refused, for good or for now.

use std::time::Duration;

use testkit::raw::{exchange, grpc_frame, request};
use testkit::{Message, Server, ServerSettings, Signal, proto};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::rows::{Body, Expect, Table, header_bytes, log_json, log_protobuf};
use crate::TestResult;

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];
const PROTOBUF: [(&str, &str); 1] = [("Content-Type", "application/x-protobuf")];

#[tokio::test]
async fn what_cannot_be_decoded_is_refused_for_good() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let client = server.client();
    let mut table = Table::new("X1");
    let refused = Expect::new(400, Body::Status("")).with(&[("content-type", "application/json")]);
    for body in ["1234", "", "{", "[]", "{} x", "null", "{}{}", "\"text\"", "{\"resourceLogs\":[1]}", "{\"a\":}"] {
        for signal in ["logs", "traces", "metrics"] {
            let body = body.replace(
                "resourceLogs",
                match signal {
                    "logs" => "resourceLogs",
                    "traces" => "resourceSpans",
                    _ => "resourceMetrics",
                },
            );
            let sent = request("POST", &format!("/v1/{signal}"), &JSON, body.as_bytes());
            table.row(&format!("X1 JSON {body:?} to {signal}"), http, &sent, refused).await;
        }
    }
    let refused = Expect::new(400, Body::StatusProtobuf("")).with(&[("content-type", "application/x-protobuf")]);
    let broken: [&[u8]; 6] = [
        &[0x0a, 0x05, 0x12, 0x03, 0x12, 0x01, 0xff],
        &[0x0a],
        &[0x0a, 0xff],
        &[0x0a, 0x7f, 0x00],
        &[0xff; 16],
        &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    ];
    for body in broken {
        table.row(&format!("X1 {body:02x?}"), http, &request("POST", "/v1/logs", &PROTOBUF, body), refused).await;
        let answer = client.grpc_call(Signal::Logs.grpc_path(), &[], grpc_frame(0, body)).await?;
        let is_right = answer.header("grpc-status") == Some("3") && answer.header("google.rpc.retryinfo-bin").is_none();
        table.note(&format!("X1 gRPC {body:02x?}"), if is_right { Ok(()) } else { Err(anyhow::anyhow!("{answer:?}")) });
    }
    let stored = client.sql_count("select count(*) from logs").await?;
    table.note("X9 nothing is stored", if stored == 0 { Ok(()) } else { Err(anyhow::anyhow!("{stored}")) });
    table.finish()
}

#[tokio::test]
async fn overload_asks_to_send_again_soon() -> TestResult {
    let settings = ServerSettings::default()
        .with("SPYHOP_INGEST_REQUEST_BYTES_MAX", "1MiB")
        .with("SPYHOP_INGEST_INFLIGHT_BYTES_MAX", "2MiB")
        .with("SPYHOP_INGEST_ADMISSION_WAIT", "500ms")
        .with("SPYHOP_SERVER_BODY_IDLE_TIMEOUT", "10s");
    let server = Server::start(settings).await?;
    let [_, http, _] = server.ports();
    let client = server.client();
    let mut table = Table::new("X4-X9");
    // Uploads that stall just before their end hold nearly the whole budget: less is left than the probes need.
    let body = log_protobuf(&vec![b'x'; 1_030_000]);
    let probe = log_json(&"x".repeat(60_000));
    let mut stalled = Vec::new();
    for _ in 0..2 {
        let sent = request("POST", "/v1/logs", &PROTOBUF, &body);
        let mut stream = TcpStream::connect(("127.0.0.1", http)).await?;
        stream.write_all(&sent[..sent.len() - 10]).await?;
        stalled.push((stream, sent));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let answer = exchange(http, &request("POST", "/v1/logs", &JSON, &probe)).await?;
    let seconds = answer.header("retry-after").and_then(|value| value.parse::<u64>().ok());
    let is_right = matches!(answer.status, 429 | 503) && seconds.is_some_and(|seconds| (1..=5).contains(&seconds));
    table.note("X5 X6 HTTP", if is_right { Ok(()) } else { Err(anyhow::anyhow!("{answer:?}")) });
    table.note("X8 with words", Expect::new(answer.status, Body::Status("again")).check(&answer));
    let call = client.grpc_call(Signal::Logs.grpc_path(), &[], grpc_frame(0, &log_protobuf(b"x5"))).await?;
    let info = header_bytes(call.header("google.rpc.retryinfo-bin"));
    let details = proto::Status::decode(&header_bytes(call.header("grpc-status-details-bin"))[..])?;
    let is_right = call.header("grpc-status") == Some("14")
        && info == [0x0a, 0x02, 0x08, 0x02]
        && details.code == 14
        && details.details.iter().any(|any| any.type_url.ends_with("RetryInfo") && any.value == info);
    table.note("X5 gRPC, both trailers", if is_right { Ok(()) } else { Err(anyhow::anyhow!("{call:?} {details:?}")) });
    // The stalled ones are let go on and are stored: nothing of theirs was lost.
    let mut stored = 0;
    for (mut stream, sent) in stalled {
        stream.write_all(&sent[sent.len() - 10..]).await?;
        stored += i64::from(testkit::raw::read_answer(&mut stream).await.is_ok_and(|answer| answer.status == 200));
    }
    table
        .note("X7 those inside the budget are stored", if stored >= 1 { Ok(()) } else { Err(anyhow::anyhow!("none")) });
    let count = client.sql_count("select count(*) from logs").await?;
    table.note(
        "X9 refused is not stored",
        if count == stored { Ok(()) } else { Err(anyhow::anyhow!("{count} of {stored}")) },
    );
    table
        .row("X5 then all is well", http, &request("POST", "/v1/logs", &JSON, &log_json("x5 after")), Expect::JSON)
        .await;
    table.finish()
}
