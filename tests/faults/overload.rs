//! Queries that overflow the stack and the memory pool cost queries, never an export.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;
use testkit::{Client, Logs, Payload, Server, ServerSettings, Signal, now_unix_nano};

use crate::TestResult;

/// Longest time for an export to be acknowledged while queries misbehave.
const ACKNOWLEDGE_MAX: Duration = Duration::from_secs(2);

/// Ten kinds of queries that have killed or starved engines (ops notes, engine sandbox).
fn queries_of_death() -> Vec<(&'static str, String)> {
    let chain = |operator: &str, term: &str, count: usize| vec![term; count].join(operator);
    vec![
        ("a long sum", format!("select {}", chain(" + ", "1", 20_000))),
        ("a long OR", format!("select count(*) from logs where {}", chain(" or ", "severity_number = 3", 5_000))),
        ("deep parentheses", format!("select {}1{}", "(".repeat(5_000), ")".repeat(5_000))),
        ("a huge repeat", "select length(repeat('a', 2000000000))".to_owned()),
        ("a huge pad", "select length(lpad('a', 2000000000, 'b'))".to_owned()),
        ("a huge array", "select cardinality(array_repeat(1, 500000000))".to_owned()),
        ("a triple cross join", "select count(*) from logs a, logs b, logs c where a.body < b.body".to_owned()),
        ("a big sort", "select * from logs a cross join logs b order by a.body, b.body desc".to_owned()),
        ("a big text", "select string_agg(a.body, b.body) from logs a cross join logs b".to_owned()),
        (
            "endless recursion",
            "with recursive t(n) as (select 1 union all select n + 1 from t) select sum(n) from t".to_owned(),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_are_acknowledged_while_queries_overflow() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let mut logs = Logs::new(61, now_unix_nano());
    for _ in 0..10 {
        client.send(&Payload::protobuf(Signal::Logs, &logs.request(1_000))).await?;
    }
    server.compact_now().await?;
    assert_eq!(client.sql_count("select count(*) from logs").await?, 10_000);
    let ingest = server.processes().into_iter().find(|process| process.role() == "ingest").map(|process| process.pid);

    let stop = Arc::new(AtomicBool::new(false));
    let exports = tokio::spawn(export_until(client.clone(), logs, stop.clone()));
    let mut askers = tokio::task::JoinSet::new();
    for (name, query) in queries_of_death() {
        let client = client.clone();
        askers.spawn(async move {
            let begun = Instant::now();
            let question = json!({"query": query});
            let asked = client.post(api::paths::SQL, &question);
            let outcome = match tokio::time::timeout(Duration::from_secs(45), asked).await {
                Ok(Ok(answer)) => answer.status.to_string(),
                Ok(Err(error)) => format!("{error:#}"),
                Err(_) => "no answer in 45 s".to_owned(),
            };
            (name, outcome, begun.elapsed())
        });
    }
    while let Some(asked) = askers.join_next().await {
        let (name, outcome, elapsed) = asked?;
        eprintln!("{name}: {outcome} after {elapsed:.1?}");
        assert_ne!(outcome, "no answer in 45 s", "{name}");
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let counted = Instant::now();
    let answer = client.sql_count("select count(*) from logs").await;
    let before = answer.with_context(|| format!("5 s after the last query:\n{}", server.log_tail()))?;
    eprintln!("count(*) 5 s after: {before} in {:.1?}", counted.elapsed());
    stop.store(true, Ordering::Relaxed);
    let (sent, slowest) = exports.await??;
    eprintln!("{sent} log records exported meanwhile, slowest acknowledgement {slowest:.1?}");
    assert!(slowest <= ACKNOWLEDGE_MAX, "an export took {slowest:.1?}");
    assert_eq!(client.sql_count("select count(*) from logs").await?, 10_000 + sent);
    let after = server.processes().into_iter().find(|process| process.role() == "ingest").map(|process| process.pid);
    assert_eq!(ingest, after, "ingest was restarted");
    Ok(())
}

/// Sends a request every 50 ms; returns the records sent and the slowest acknowledgement.
async fn export_until(client: Client, mut logs: Logs, stop: Arc<AtomicBool>) -> anyhow::Result<(i64, Duration)> {
    let (mut sent, mut slowest) = (0, Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
        logs.set_now(now_unix_nano());
        let payload = Payload::protobuf(Signal::Logs, &logs.request(10));
        let begun = Instant::now();
        let answer = client.send(&payload).await?;
        anyhow::ensure!(answer.status == 200, "an export was answered {} {}", answer.status, answer.text());
        slowest = slowest.max(begun.elapsed());
        sent += 10;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok((sent, slowest))
}
