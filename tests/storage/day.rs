//! A day squeezed into half a minute: hours close and are merged, late records among them, while questions are asked
//! and the compactor is killed; then the catalog is deleted and made anew. Answers are those of brute force throughout.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use testkit::{Client, Random, Server, ServerSettings, now_unix_nano, run_command};

use super::sent::{HOUR, Sender, Sent};
use crate::TestResult;

const RECORDS: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_is_merged_killed_and_rebuilt_and_answers_stay_the_same() -> TestResult {
    let settings = ServerSettings::default()
        .with("SPYHOP_JOURNAL_SEGMENT_AGE_MAX", "1s")
        .with("SPYHOP_COMPACT_CLOSE_AFTER", "2s")
        .with("SPYHOP_COMPACT_FINAL_ROWS", "1500");
    let mut server = Server::start(settings).await?;
    let client = server.client();
    let mut sender = Sender::new(client.clone(), 300);
    send_a_day(&mut sender).await?;
    let sent = sender.sent();
    assert!(sent.logs.len() > 10_000, "{}", sent.logs.len());

    // While hours are merged and the compactor dies now and then, no question sees anything but all of it.
    let stop = Arc::new(AtomicBool::new(false));
    let asked = tokio::spawn(ask_on(client.clone(), sent.logs.len() as i64, sent.spans(), stop.clone()));
    let counted = count_files_on(&server, sent);
    let (merged, counted) = tokio::join!(wait_for_merges(&server, 3), counted);
    merged?;
    eprintln!("a reader of the files counted {} times meanwhile", counted?);
    stop.store(true, Ordering::Relaxed);
    eprintln!("{} questions were asked meanwhile", asked.await.context("the questions panicked")??);
    sent.assert_answers(&client, "merged").await?;
    let figures = Figures::of(&server);
    eprintln!("merged: {figures:?}");
    assert!(figures.files_per_hour_max <= 3, "too many files in an hour: {figures:?}");
    assert!(figures.files_per_hour < 1.5, "too many files: {figures:?}");

    // A day of it written without deaths in between says how often a row is written.
    server.stop().await?;
    rebuild(&server).await?;
    server.launch()?;
    server.wait_until_ready().await?;
    sent.assert_answers(&client, "rebuilt").await?;
    assert_eq!(Figures::of(&server), figures, "the files are the same");
    server.compact_now().await?;
    sent.assert_answers(&client, "rebuilt and compacted").await?;
    let log = server.log();
    assert!(!log.contains("the catalog does not know"), "{}", server.log_tail());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_a_day_is_written_to_files_about_twice() -> TestResult {
    let settings =
        ServerSettings::default().with("SPYHOP_JOURNAL_SEGMENT_AGE_MAX", "1s").with("SPYHOP_COMPACT_CLOSE_AFTER", "3s");
    let server = Server::start(settings).await?;
    let client = server.client();
    let mut sender = Sender::new(client.clone(), 310);
    send_a_day(&mut sender).await?;
    wait_for_merges(&server, 0).await?;
    let [flushed, merged, merges, seconds] = metrics(
        &client,
        [
            "spyhop_compact_rows_total",
            "spyhop_compact_merged_rows_total",
            "spyhop_compact_merges_total",
            "spyhop_compact_merge_seconds_total",
        ],
    )
    .await?;
    let amplification = (flushed + merged) / flushed;
    eprintln!(
        "{flushed} rows flushed, {merged} merged in {merges} merges and {seconds:.2} s: each written {amplification:.2} \
         times; {:?}",
        Figures::of(&server)
    );
    assert!(flushed >= sender.sent().records() as f64);
    assert!(amplification > 1.5, "hours were merged: {amplification}");
    assert!(amplification < 2.6, "rows are written too often: {amplification}");
    sender.sent().assert_answers(&client, "merged").await
}

/// Sends a day's records, the oldest hours first; one in four is late by up to ten hours.
async fn send_a_day(sender: &mut Sender) -> Result<()> {
    let mut random = Random::new(31);
    let now = now_unix_nano();
    let begun = Instant::now();
    for step in 0..24 * 8 {
        // An eighth of an hour at a time, up to the hour before this one.
        let time = now - 25 * HOUR + step * HOUR / 8;
        sender.send(time, RECORDS).await?;
        if random.chance(0.25) {
            sender.send(time - random.below(10) as i64 * HOUR, RECORDS / 2).await?;
        }
    }
    eprintln!("{} records sent in {:.1?}", sender.sent().records(), begun.elapsed());
    Ok(())
}

/// Waits until no hour waits to be merged and nothing to be flushed; kills the compactor so often on the way.
async fn wait_for_merges(server: &Server, kills: usize) -> Result<()> {
    let client = server.client();
    let mut random = Random::new(32);
    let begun = Instant::now();
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(700 + random.below(1500) as u64)).await;
        server.kill_role("compact")?;
    }
    let mut quiet = 0;
    while quiet < 8 {
        anyhow::ensure!(begun.elapsed() < Duration::from_secs(90), "merges do not end:\n{}", server.log_tail());
        tokio::time::sleep(Duration::from_millis(500)).await;
        let names = ["spyhop_compact_hours_waiting", "spyhop_compact_segments_waiting", "spyhop_journal_backlog_bytes"];
        let [hours, segments, backlog] = metrics(&client, names).await.unwrap_or([1.0; 3]);
        quiet = if hours + segments + backlog == 0.0 { quiet + 1 } else { 0 };
    }
    eprintln!("everything merged after {:.1?}", begun.elapsed());
    Ok(())
}

/// Counts records over and over; each count must be all of them.
async fn ask_on(client: Client, logs: i64, spans: i64, stop: Arc<AtomicBool>) -> Result<usize> {
    let mut asked = 0;
    while !stop.load(Ordering::Relaxed) {
        let [of_logs, of_spans] = ["logs", "spans"].map(|table| format!("select count(thread_id) from {table}"));
        assert_eq!(client.sql_count(&of_logs).await?, logs, "log records while files are merged");
        assert_eq!(client.sql_count(&of_spans).await?, spans, "spans while files are merged");
        asked += 2;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(asked)
}

/// Reads all `*.parquet` files as a stranger would: never does it find a row twice, or more than was sent.
async fn count_files_on(server: &Server, sent: &Sent) -> Result<usize> {
    let Some(python) = crate::e2e::program("SPYHOP_TEST_PYTHON") else {
        testkit::skip("storage::day", "there is no Python with duckdb to count rows of files");
        return Ok(0);
    };
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("compat/duckdb_reader.py");
    let mut counted = 0;
    for _ in 0..6 {
        let mut command = Command::new(&python);
        command.arg(&reader).arg(server.data_folder());
        let output = run_command(command).await?;
        // A file may be renamed between being listed and being opened.
        let Ok(found) = serde_json::from_slice::<serde_json::Value>(&output.stdout) else { continue };
        for (rows, different, sent) in
            [("logs", "log_numbers", sent.logs.len() as i64), ("spans", "span_numbers", sent.spans())]
        {
            assert_eq!(found[rows], found[different], "rows counted twice: {found}");
            assert!(found[rows].as_i64().is_some_and(|rows| rows <= sent), "{found}");
        }
        counted += 1;
    }
    Ok(counted)
}

/// The values of these metrics, added up over labels.
async fn metrics<const N: usize>(client: &Client, names: [&str; N]) -> Result<[f64; N]> {
    let text = client.get("/metrics").await?.text();
    let mut values = [0.0; N];
    for (name, value) in names.iter().zip(&mut values) {
        let lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        let found: Vec<f64> = lines.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
        anyhow::ensure!(!found.is_empty(), "no metric {name}");
        *value = found.iter().sum();
    }
    Ok(values)
}

/// How files of logs and spans lie.
#[derive(Debug, PartialEq)]
struct Figures {
    files: usize,
    hours: usize,
    files_per_hour: f64,
    files_per_hour_max: usize,
}

impl Figures {
    fn of(server: &Server) -> Figures {
        let mut hours: BTreeMap<String, usize> = BTreeMap::new();
        for file in server.files(".parquet") {
            let folder = file.parent().unwrap_or(&file).to_string_lossy().into_owned();
            if ["/logs/", "/spans/", "/points/"].iter().any(|table| folder.contains(table)) {
                *hours.entry(folder).or_default() += 1;
            }
        }
        let files = hours.values().sum::<usize>();
        Figures {
            files,
            hours: hours.len(),
            files_per_hour: files as f64 / hours.len().max(1) as f64,
            files_per_hour_max: hours.values().copied().max().unwrap_or(0),
        }
    }
}

/// Deletes the catalog of a stopped server and makes it anew.
async fn rebuild(server: &Server) -> Result<()> {
    let refused = server.run(&["catalog", "rebuild"]).await?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("can be read"), "a good catalog is left alone: {said}");
    for file in server.files("").iter().filter(|file| file.to_string_lossy().contains("catalog.sqlite")) {
        std::fs::remove_file(file)?;
    }
    let refused = server.run(&["serve"]).await?;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("spyhop catalog rebuild"), "{refused:?}");
    let begun = Instant::now();
    let output = server.run(&["catalog", "rebuild"]).await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    eprintln!("rebuilt in {:.1?}: {said}", begun.elapsed());
    assert!(output.status.success(), "{output:?}");
    assert!(said.contains("cannot bring back settings") && !said.contains("Look at these"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_running_server_keeps_its_catalog() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let output = server.run(&["catalog", "rebuild", "--replace"]).await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("stop the server"), "{said}");
    assert_eq!(server.client().get("/readyz").await?.status, 200);
    Ok(())
}
