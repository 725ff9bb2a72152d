//! Without any sidecar the answers are the same, and cost more (I9).

use anyhow::Result;
use serde_json::Value;
use testkit::{Client, Logs, Payload, Server, ServerSettings, Signal, Traces, now_unix_nano};

use crate::TestResult;

/// Records of each signal: several row groups' worth of blocks, so that an index has something to exclude.
const RECORDS: usize = 60_000;
const RARE: &str = "quarrelsome";

/// An answer without its stats, and the rows it looked at.
async fn ask(client: &Client, path: &str) -> Result<(Value, u64)> {
    let mut answer: Value = client.get_json(path).await?;
    let stats = answer.as_object_mut().and_then(|parts| parts.remove("stats")).unwrap_or_default();
    let scanned = stats["rows_scanned"].as_u64().unwrap_or_default();
    eprintln!("{path}: {stats}");
    Ok((answer, scanned))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_every_sidecar_changes_cost_alone() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let now = now_unix_nano();
    let (mut traces, mut logs) = (Traces::new(101, now), Logs::new(102, now));
    let (trace, request) = traces.trace_of(25);
    for part in 0..3 {
        for _ in 0..RECORDS / 3 / 2_000 {
            client.send(&Payload::protobuf(Signal::Traces, &traces.request(2_000))).await?;
            client.send(&Payload::protobuf(Signal::Logs, &logs.request(2_000))).await?;
        }
        if part == 1 {
            client.send(&Payload::protobuf(Signal::Traces, &request)).await?;
            client.send(&Payload::protobuf(Signal::Logs, &logs.line(&format!("a {RARE} zebra")))).await?;
        }
        server.compact_now().await?;
    }
    let trace: String = trace.iter().map(|byte| format!("{byte:02x}")).collect();
    // From and to the middle of a minute.
    let cut = format!("start={}&end={}", now - 47_000_000_000, now - 3_000_000_000);
    let paths = [
        format!("{}/{trace}", api::paths::TRACES),
        format!("{}?query={RARE}", api::paths::LOGS),
        format!("{}?query=severity%3Aerror%20AND%20payment&limit=50", api::paths::LOGS),
        format!("{}?query=order%20NOT%20gold&limit=50", api::paths::LOGS),
        format!("{}?{cut}", api::paths::SERVICES),
        format!("{}?{cut}", api::paths::SERVICE.replace("{name}", "frontend")),
        api::paths::OPERATIONS.replace("{name}", "frontend"),
        format!("{}?{cut}", api::paths::SERVICE_MAP),
        format!("{}?start=-6h&end=now", api::paths::LOGS_HISTOGRAM),
    ];
    let mut before = Vec::new();
    for path in &paths {
        before.push(ask(&client, path).await?);
    }
    server.kill_group()?;
    for kind in [".tix", ".blm", ".rlp"] {
        let sidecars = server.files(kind);
        assert!(!sidecars.is_empty(), "{kind}");
        for path in sidecars {
            std::fs::remove_file(path)?;
        }
    }
    server.launch()?;
    server.wait_until_ready().await?;
    for (at, (path, (answer, scanned))) in paths.iter().zip(before).enumerate() {
        let (without, scanned_without) = ask(&client, path).await?;
        assert_eq!(without, answer, "{path}");
        if at < 2 {
            assert!(
                scanned_without >= 10 * scanned.max(1),
                "{path}: {scanned} rows with sidecars, {scanned_without} without"
            );
        }
    }
    Ok(())
}
