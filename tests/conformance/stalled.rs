//! G6, G9: connections that grow old, and uploads that stall or crawl.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testkit::raw::{exchange, grpc_frame, read_answer, request};
use testkit::{Client, Server, ServerSettings, Signal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::rows::{Expect, log_json, log_protobuf};
use crate::TestResult;

const JSON: (&str, &str) = ("Content-Type", "application/json");
const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");
const MIB: u64 = 1 << 20;

/// How many uploads stall, how large each is, and what the server may hold. `SPYHOP_TEST_STALLED=200x64x256` (uploads,
/// MiB of each, MiB of the budget) runs it with other numbers.
fn numbers() -> (usize, usize, usize) {
    let text = std::env::var("SPYHOP_TEST_STALLED").unwrap_or_default();
    let given: Vec<usize> = text.split('x').filter_map(|part| part.parse().ok()).collect();
    match given[..] {
        [uploads, mib, budget_mib] => (uploads, mib, budget_mib),
        _ => (40, 8, 32),
    }
}

fn ingest_memory(server: &Server) -> u64 {
    let processes = server.processes();
    processes.iter().filter(|process| process.role() == "ingest").map(|process| process.rss_anon_bytes).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_uploads_stay_in_the_budget_and_others_are_served() -> TestResult {
    let (uploads, upload_mib, budget_mib) = numbers();
    let settings = ServerSettings::default()
        .with("SPYHOP_INGEST_REQUEST_BYTES_MAX", format!("{upload_mib}MiB"))
        .with("SPYHOP_INGEST_INFLIGHT_BYTES_MAX", format!("{budget_mib}MiB"))
        .with("SPYHOP_INGEST_ADMISSION_WAIT", "2s")
        .with("SPYHOP_SERVER_BODY_IDLE_TIMEOUT", "10s");
    let server = Server::start(settings).await?;
    let [_, http, _] = server.ports();
    exchange(http, &request("POST", "/v1/logs", &[JSON], &log_json("first"))).await?;
    let before = ingest_memory(&server);
    let body = Arc::new(log_protobuf(&vec![b'x'; upload_mib * MIB as usize - 100]));
    let mut stalled = tokio::task::JoinSet::new();
    for _ in 0..uploads {
        let body = body.clone();
        stalled.spawn(async move {
            let mut stream = TcpStream::connect(("127.0.0.1", http)).await?;
            let head = request("POST", "/v1/logs", &[PROTOBUF, ("Content-Length", &body.len().to_string())], b"");
            stream.write_all(&head).await?;
            stream.write_all(&body[..body.len() / 100 * 99]).await?;
            let answer = tokio::time::timeout(Duration::from_secs(60), read_answer(&mut stream)).await;
            Ok::<u16, anyhow::Error>(answer.ok().and_then(Result::ok).map_or(0, |answer| answer.status))
        });
    }
    let mut memory_max = 0;
    let mut slowest = Duration::ZERO;
    let mut small = 0_usize;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(8) {
        let asked = Instant::now();
        let answer =
            exchange(http, &request("POST", "/v1/logs", &[JSON], &log_json(&format!("small {small}")))).await?;
        Expect::JSON.check(&answer)?;
        slowest = slowest.max(asked.elapsed());
        small += 1;
        memory_max = memory_max.max(ingest_memory(&server));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut answers = std::collections::BTreeMap::<u16, usize>::new();
    while let Some(answer) = stalled.join_next().await {
        *answers.entry(answer?.unwrap_or_default()).or_default() += 1;
        memory_max = memory_max.max(ingest_memory(&server));
    }
    println!(
        "{uploads} uploads of {upload_mib} MiB stalled at 99 %, budget {budget_mib} MiB: memory {} MiB before, {} MiB at most; \
         {small} small requests served meanwhile, slowest {slowest:.1?}; answers to the stalled {answers:?}",
        before / MIB,
        memory_max / MIB
    );
    assert!(slowest < Duration::from_secs(2), "a small request took {slowest:?}");
    // Beside the budget there are buffers of connections.
    assert!(memory_max < before + budget_mib as u64 * MIB * 5 / 4 + 64 * MIB, "{memory_max}");
    let whole = exchange(http, &request("POST", "/v1/logs", &[PROTOBUF], &body)).await?;
    ensure!(whole.status == 200, "all room is free again: {whole:?}");
    Ok(())
}

#[tokio::test]
async fn an_upload_that_crawls_is_let_go() -> TestResult {
    let settings = ServerSettings::default().with("SPYHOP_SERVER_REQUEST_TIME_MAX", "2s");
    let server = Server::start(settings).await?;
    let [_, http, _] = server.ports();
    let body = log_json("crawling");
    let head = request("POST", "/v1/logs", &[JSON, ("Content-Length", &body.len().to_string())], b"");
    let mut stream = TcpStream::connect(("127.0.0.1", http)).await?;
    stream.write_all(&head).await?;
    let (mut receiving, mut sending) = stream.into_split();
    let crawl = tokio::spawn(async move {
        for byte in body {
            tokio::time::sleep(Duration::from_millis(200)).await;
            if sending.write_all(&[byte]).await.is_err() {
                break;
            }
        }
    });
    let begun = Instant::now();
    let answer = read_answer(&mut receiving).await?;
    crawl.abort();
    assert_eq!(answer.status, 408, "{answer:?}");
    assert!(answer.text().contains("longer than 2 s"), "{}", answer.text());
    assert!((1..5).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    Expect::JSON.check(&exchange(http, &request("POST", "/v1/logs", &[JSON], &log_json("after"))).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_grow_old_and_no_export_fails() -> TestResult {
    let settings = ServerSettings::default()
        .with("SPYHOP_SERVER_CONNECTION_AGE_MAX", "2s")
        .with("SPYHOP_SERVER_CONNECTION_AGE_GRACE", "5s");
    let server = Server::start(settings).await?;
    let [grpc, http, _] = server.ports();
    let rotated = tokio::spawn(goaway_after(grpc));
    let closing = tokio::spawn(answers_until_close(http));
    let stop = Arc::new(AtomicBool::new(false));
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..8 {
        // Each has a connection of its own; half of them over HTTP/2.
        senders.spawn(export(server.client(), sender, stop.clone()));
    }
    tokio::time::sleep(Duration::from_secs(8)).await;
    stop.store(true, Ordering::Relaxed);
    let mut sent = 0;
    while let Some(sender) = senders.join_next().await {
        sent += sender??;
    }
    let (goaway, (answers, closed)) = (rotated.await??, closing.await??);
    println!(
        "{sent} exports over 8 s with an age of 2 s, none failed; GOAWAY after {goaway:.1?}; {answers} answers over HTTP/1.1 \
         until 'Connection: close' after {closed:.1?}"
    );
    let in_time = Duration::from_millis(1700)..Duration::from_secs(4);
    assert!(in_time.contains(&goaway) && in_time.contains(&closed), "{goaway:?} {closed:?}");
    let stored = server.client().sql_count("select count(*) from logs where body like 'age %'").await?;
    assert_eq!(stored, sent);
    Ok(())
}

async fn export(client: Client, sender: i64, stop: Arc<AtomicBool>) -> Result<i64> {
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        let body = log_protobuf(format!("age {sender} {sent}").as_bytes());
        if sender % 2 == 0 {
            let answer = client.grpc_call(Signal::Logs.grpc_path(), &[], grpc_frame(0, &body)).await?;
            ensure!(answer.header("grpc-status") == Some("0"), "{answer:?}");
        } else {
            let payload = testkit::Payload {
                signal: Signal::Logs,
                encoding: testkit::Encoding::Protobuf,
                body: body.into(),
                gzip: false,
            };
            let answer = client.send(&payload).await?;
            ensure!(answer.status == 200, "{answer:?}");
        }
        sent += 1;
    }
    Ok(sent)
}

/// How long after its begin an HTTP/2 connection without a request is told to go away.
async fn goaway_after(port: u16) -> Result<Duration> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let begun = Instant::now();
    // The preface and an empty SETTINGS frame.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).await?;
        if head[3] == 7 {
            return Ok(begun.elapsed());
        }
    }
}

/// How many answers an HTTP/1.1 connection gives until it says that it closes, and after how long.
async fn answers_until_close(port: u16) -> Result<(usize, Duration)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let begun = Instant::now();
    for count in 1.. {
        stream.write_all(&request("GET", "/livez", &[], b"")).await?;
        let answer = read_answer(&mut stream).await?;
        ensure!(answer.status == 200, "{answer:?}");
        if answer.header("connection") == Some("close") {
            return Ok((count, begun.elapsed()));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok((0, begun.elapsed()))
}
