//! G: OTLP over gRPC, frame by frame.

use std::time::Duration;

use anyhow::{Result, ensure};
use testkit::raw::grpc_frame;
use testkit::{Answer, Client, Server, ServerSettings, Signal, gzip};

use super::rows::{Table, log_protobuf};
use crate::TestResult;

/// What a call must end with.
struct Expect {
    status: &'static str,
    /// A part of the message.
    message: &'static str,
}

const OK: Expect = Expect { status: "0", message: "" };

const fn refused(status: &'static str, message: &'static str) -> Expect {
    Expect { status, message }
}

fn check(answer: &Answer, expect: &Expect) -> Result<()> {
    let message = answer.header("grpc-message").unwrap_or_default();
    ensure!(answer.status == 200, "HTTP status {}", answer.status);
    ensure!(answer.header("grpc-status") == Some(expect.status), "{:?} {message}", answer.header("grpc-status"));
    ensure!(answer.header("content-type") == Some("application/grpc"), "{:?}", answer.headers);
    ensure!(message.contains(expect.message), "message {message:?} lacks {:?}", expect.message);
    let body: &[u8] = if expect.status == "0" { &[0, 0, 0, 0, 0] } else { &[] };
    ensure!(answer.body == body, "body {:?}", answer.body);
    Ok(())
}

async fn row(
    table: &mut Table,
    row: &str,
    client: &Client,
    (path, headers): (&str, &[(&str, &str)]),
    body: Vec<u8>,
    expect: Expect,
) {
    let outcome = match client.grpc_call(path, headers, body).await {
        Ok(answer) => check(&answer, &expect),
        Err(error) => Err(error),
    };
    table.note(row, outcome);
}

#[tokio::test]
async fn calls_and_frames() -> TestResult {
    let server = Server::start(ServerSettings::default().with("SPYHOP_INGEST_REQUEST_BYTES_MAX", "1MiB")).await?;
    let [grpc, http, api] = server.ports();
    let client = server.client();
    // The same calls on the port of OTLP over HTTP.
    let crossed = Client::new(http, grpc, api);
    let logs = Signal::Logs.grpc_path();
    let mut table = Table::new("G");
    for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
        let call = (signal.grpc_path(), &[][..]);
        row(&mut table, &format!("G1 {signal:?}"), &client, call, grpc_frame(0, b""), OK).await;
        row(&mut table, &format!("P6 {signal:?} on the other port"), &crossed, call, grpc_frame(0, b""), OK).await;
    }
    let profiles = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export";
    let arrow = "/opentelemetry.proto.experimental.arrow.v1.ArrowTracesService/ArrowTraces";
    for path in ["/x.Y/Z", "/opentelemetry.proto.collector.logs.v1.LogsService/Import", profiles, arrow] {
        let expect = refused("12", "");
        row(&mut table, &format!("G2 {path}"), &client, (path, &[]), grpc_frame(0, b""), expect).await;
    }
    let body = log_protobuf(b"g4");
    let zipped = gzip(&body);
    let gzip_coding: &[(&str, &str)] = &[("grpc-encoding", "gzip")];
    for (name, coding, frame, expect) in [
        ("plain", &[][..], grpc_frame(0, &body), OK),
        ("gzip", gzip_coding, grpc_frame(1, &zipped), OK),
        ("zstd", &[("grpc-encoding", "zstd")], grpc_frame(1, &testkit::coding::zstd(&body)), OK),
        ("deflate", &[("grpc-encoding", "deflate")], grpc_frame(1, &testkit::coding::zlib(&body)), OK),
        ("snappy", &[("grpc-encoding", "snappy")], grpc_frame(1, &testkit::coding::snappy_framed(&body)), OK),
        ("not compressed under gzip", gzip_coding, grpc_frame(0, &body), OK),
        ("compressed without a coding", &[], grpc_frame(1, &zipped), refused("13", "")),
        ("flag 2", gzip_coding, grpc_frame(2, &zipped), refused("13", "flag")),
        ("an unknown coding", &[("grpc-encoding", "br")], grpc_frame(1, &body), refused("12", "gzip")),
        ("gzip that is none", gzip_coding, grpc_frame(1, &body), refused("3", "gzip")),
        ("no message", &[], vec![], refused("13", "")),
        ("half a prefix", &[], vec![0, 0], refused("13", "")),
        ("half a message", &[], grpc_frame(0, &body)[..9].to_vec(), refused("13", "")),
        ("two messages", &[], [grpc_frame(0, &body), grpc_frame(0, &body)].concat(), refused("13", "one message")),
        ("a length of 2 GiB", &[], vec![0, 0x7f, 0xff, 0xff, 0xff], refused("8", "1048576")),
        ("over the limit", &[], grpc_frame(0, &vec![0; 1_048_577]), refused("8", "1048576")),
        ("a bomb", gzip_coding, grpc_frame(1, &testkit::coding::gzip_zeros(256 << 20)), refused("8", "1048576")),
    ] {
        row(&mut table, &format!("G4 {name}"), &client, (logs, coding), frame, expect).await;
    }
    for (kind, expect) in [
        ("application/grpc", OK),
        ("application/grpc+proto", OK),
        ("application/grpc;charset=utf-8", OK),
        ("application/grpc+json", refused("12", "")),
    ] {
        let headers: &[(&str, &str)] = &[("content-type", kind)];
        row(&mut table, &format!("G8 {kind}"), &client, (logs, headers), grpc_frame(0, &body), expect).await;
    }
    // The call's message never ends, its deadline does.
    let stalled = client.grpc_call_stalled(logs, &[("grpc-timeout", "300m")], grpc_frame(0, &body)[..9].to_vec()).await;
    table.note("G5 a deadline that passes", stalled.and_then(|answer| check(&answer, &refused("4", ""))));
    let oversize = client.grpc_call(logs, &[], vec![0, 0x7f, 0xff, 0xff, 0xff]).await?;
    let no_retry = oversize.header("google.rpc.retryinfo-bin").is_none();
    table.note("X1 oversize is not sent again", if no_retry { Ok(()) } else { Err(anyhow::anyhow!("{oversize:?}")) });
    let health = client.grpc_call("/grpc.health.v1.Health/Check", &[], grpc_frame(0, b"")).await?;
    // HealthCheckResponse { status: SERVING }.
    let serving = health.header("grpc-status") == Some("0") && health.body[..] == [0, 0, 0, 0, 2, 0x08, 0x01];
    table.note("G7 health", if serving { Ok(()) } else { Err(anyhow::anyhow!("{health:?}")) });
    table.finish()
}

#[tokio::test]
async fn many_calls_at_once_on_one_connection() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..1000 {
        let client = client.clone();
        calls.spawn(async move {
            let body = grpc_frame(0, &log_protobuf(format!("g3 {number}").as_bytes()));
            let call = client.grpc_call(Signal::Logs.grpc_path(), &[], body);
            match number % 2 {
                0 => call.await.is_ok_and(|answer| answer.header("grpc-status") == Some("0")),
                // Half of them are given up at once, as a client with a short deadline does.
                _ => {
                    let _ = tokio::time::timeout(Duration::from_micros(50 * number), call).await;
                    true
                }
            }
        });
    }
    let answered = calls.join_all().await;
    assert!(answered.iter().all(|ok| *ok), "{} of 1000", answered.iter().filter(|ok| **ok).count());
    let stored = client.sql_count("select count(*) from logs").await?;
    assert!((500..=1000).contains(&stored), "{stored}");
    let status = client.grpc_call(Signal::Logs.grpc_path(), &[], grpc_frame(0, b"")).await?;
    assert_eq!(status.header("grpc-status"), Some("0"), "the connection serves on");
    Ok(())
}
