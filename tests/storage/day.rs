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

/// Records of each signal in a request.
const RECORDS: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_is_merged_killed_and_rebuilt_and_answers_stay_the_same() -> TestResult {
    let settings = ServerSettings::default()
        // A segment is sealed about as often as one is in five minutes of a real day.
        .with("SPYHOP_JOURNAL_SEGMENT_BYTES_MAX", "64KiB")
        .with("SPYHOP_JOURNAL_SEGMENT_AGE_MAX", "1s")
        .with("SPYHOP_COMPACT_CLOSE_AFTER", "4s")
        .with("SPYHOP_COMPACT_FINAL_ROWS", "1500");
    let mut server = Server::start(settings).await?;
    let client = server.client();
    let mut sender = Sender::new(client.clone(), 300);
    send_a_day(&client, &mut sender).await?;
    sender.sent().assert_answers(&client, "at once").await?;
    wait_for_merges(&server, 0).await?;
    assert_written_about_twice(&server, sender.sent()).await?;
    sender.sent().assert_answers(&client, "merged").await?;

    send_late(&mut sender).await?;
    merge_while_asked_and_killed(&server, sender.sent()).await?;
    sender.sent().assert_answers(&client, "merged with late ones").await?;
    let figures = Figures::of(&server);
    eprintln!("with late ones: {figures:?}");
    assert!(figures.files_per_hour_max <= 3 && figures.files_per_hour < 2.1, "{figures:?}");

    let status = server.stop().await?;
    assert!(status.success(), "{status}");
    rebuild(&server).await?;
    server.launch()?;
    server.wait_until_ready().await?;
    sender.sent().assert_answers(&client, "rebuilt").await?;
    assert_eq!(Figures::of(&server), figures, "the files are the same");
    server.compact_now().await?;
    sender.sent().assert_answers(&client, "rebuilt and compacted").await?;
    assert!(!server.log().contains("the catalog does not know"), "{}", server.log_tail());
    Ok(())
}

/// Sends a day's records, the oldest hours first, each third of an hour turned into files before the next; one request
/// in four is late by up to ten hours.
async fn send_a_day(client: &Client, sender: &mut Sender) -> Result<()> {
    let mut random = Random::new(31);
    let now = now_unix_nano();
    let begun = Instant::now();
    for step in 0..24 * 3 {
        // Up to the hour before this one.
        let time = now - 25 * HOUR + step * HOUR / 3;
        sender.send(time, RECORDS).await?;
        if random.chance(0.25) {
            sender.send(time - random.below(10) as i64 * HOUR, RECORDS / 2).await?;
        }
        wait_for_flush(client).await?;
    }
    eprintln!("{} records sent in {:.1?}", sender.sent().records(), begun.elapsed());
    assert!(sender.sent().logs.len() > 7_500);
    Ok(())
}

/// Waits until hardly anything is in the journal alone.
async fn wait_for_flush(client: &Client) -> Result<()> {
    for _ in 0..500 {
        let answer = client.sql("select count(thread_id) from logs").await?;
        if answer.stats.journal_rows < RECORDS as u64 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("sealed segments are not flushed")
}

/// Sends records for hours that were merged already: a few for each, more for some.
async fn send_late(sender: &mut Sender) -> Result<()> {
    let now = now_unix_nano();
    for hour in 2..26 {
        let records = if hour % 4 == 0 { 4 * RECORDS } else { RECORDS / 2 };
        sender.send(now - hour * HOUR, records).await?;
    }
    Ok(())
}

/// Files of closed hours are few, and a row was written by its flush and one merge.
async fn assert_written_about_twice(server: &Server, sent: &Sent) -> Result<()> {
    let [flushed, merged, merges, seconds] = metrics(
        &server.client(),
        [
            "spyhop_compact_rows_total",
            "spyhop_compact_merged_rows_total",
            "spyhop_compact_merges_total",
            "spyhop_compact_merge_seconds_total",
        ],
    )
    .await?;
    let amplification = (flushed + merged) / flushed;
    let figures = Figures::of(server);
    eprintln!(
        "{flushed} rows flushed, {merged} merged in {merges} merges and {seconds:.2} s: each row was written \
         {amplification:.2} times; {figures:?}"
    );
    assert!(flushed >= sent.records() as f64);
    assert!(merges >= 24.0 && amplification > 1.5, "hours were merged: {amplification}");
    assert!(amplification < 2.6, "rows are written too often: {amplification}");
    // One merged file, and now and then late ones that have been merged among themselves.
    assert!(figures.files_per_hour_max <= 3 && figures.files_per_hour < 1.5, "too many files: {figures:?}");
    Ok(())
}

/// While hours are merged and the compactor dies now and then, no question sees anything but all of it.
async fn merge_while_asked_and_killed(server: &Server, sent: &Sent) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = tokio::spawn(ask_on(server.client(), sent.logs.len() as i64, sent.spans(), stop.clone()));
    let (merged, counted) = tokio::join!(wait_for_merges(server, 4), count_files_on(server, sent));
    stop.store(true, Ordering::Relaxed);
    merged?;
    let (counted, asked) = (counted?, asked.await.context("the questions panicked")??);
    eprintln!("meanwhile {asked} questions were asked, and a reader of the files counted {counted} times");
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
    // Longer than a segment stays open and an hour waits for the last flush into it.
    let mut quiet = 0;
    while quiet < 12 {
        anyhow::ensure!(begun.elapsed() < Duration::from_secs(300), "merges do not end:\n{}", server.log_tail());
        tokio::time::sleep(Duration::from_millis(500)).await;
        let names = ["spyhop_compact_hours_waiting", "spyhop_compact_segments_waiting"];
        let [hours, segments] = metrics(&client, names).await.unwrap_or([1.0; 2]);
        quiet = if hours + segments == 0.0 { quiet + 1 } else { 0 };
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
