//! In trouble nothing acknowledged is lost and nothing is stored twice, whatever clients do; what they do is printed.

use std::fs;
use std::time::Duration;

use testkit::{Server, ServerSettings};
use tokio::time::sleep;

use super::senders::{Load, Running};
use super::wire::Seen;
use crate::TestResult;
use crate::faults::disk::{SmallDisk, fill};

/// Long enough for trouble in the middle; metrics are exported all the time.
const LOAD: Load = Load { records: 300, points: 20, seconds: 12, metric_interval: 1_000 };

/// When trouble begins: clients have started by then, the JVM and the Collector too.
const BEFORE: Duration = Duration::from_secs(5);

/// Waits for every client to end and checks what is stored, at once and from files.
async fn settle(server: &mut Server, all: &mut [Running], what: &str) -> anyhow::Result<Vec<Seen>> {
    for running in all.iter_mut() {
        running.finish().await?;
    }
    let client = server.client();
    println!("\n{what}\n\n{}", Seen::head());
    let mut seen = Vec::new();
    for running in all.iter() {
        let name = running.sender.name;
        let one = Seen::check(&client, name, &running.relay.exchanges(), 2 * LOAD.records).await?;
        println!("{}", one.row(name));
        seen.push(one);
    }
    server.compact_now().await?;
    for running in all.iter() {
        let name = running.sender.name;
        Seen::check(&client, name, &running.relay.exchanges(), 2 * LOAD.records).await?;
    }
    Ok(seen)
}

fn refused(seen: &[Seen], codes: &[testkit::Outcome]) -> u32 {
    seen.iter()
        .flat_map(|one| &one.outcomes)
        .filter(|(outcome, _)| codes.contains(outcome))
        .map(|(_, count)| count)
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_rate_nothing_acknowledged_is_lost() -> TestResult {
    let settings = ServerSettings::default()
        .with("SPYHOP_LIMITS_SERVICE_RECORDS_PER_SECOND", "50")
        .with("SPYHOP_LIMITS_BURST", "1s");
    let mut server = Server::start(settings).await?;
    let logs = tempfile::tempdir()?;
    let mut all = Running::start_all(&server, LOAD, logs.path(), "clients::trouble, 429").await?;
    let seen = settle(&mut server, &mut all, "429: 50 records a second allowed, 70 sent").await?;
    let refusals = refused(&seen, &[testkit::Outcome::Http(429), testkit::Outcome::Grpc(8)]);
    assert!(seen.is_empty() || refusals > 0, "nobody was refused");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_disk_is_full_nothing_acknowledged_is_lost() -> TestResult {
    let Some(disk) = SmallDisk::mount(400) else {
        testkit::skip("clients::trouble, 503", "mounting a small tmpfs needs root");
        return Ok(());
    };
    let settings = ServerSettings::default()
        .data_folder(&disk.path().join("data"))
        .with("SPYHOP_JOURNAL_DISK_RESERVE_BYTES", "64MiB");
    let mut server = Server::start(settings).await?;
    let logs = tempfile::tempdir()?;
    let mut all = Running::start_all(&server, LOAD, logs.path(), "clients::trouble, 503").await?;
    sleep(BEFORE).await;
    let ballast = disk.path().join("ballast");
    fill(&ballast);
    sleep(Duration::from_secs(4)).await;
    fs::remove_file(&ballast)?;
    let seen = settle(&mut server, &mut all, "503: the disk is full for 4 s").await?;
    let refusals = refused(&seen, &[testkit::Outcome::Http(503), testkit::Outcome::Grpc(14)]);
    assert!(seen.is_empty() || refusals > 0, "nobody was refused");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_restart_nothing_acknowledged_is_lost() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let logs = tempfile::tempdir()?;
    let mut all = Running::start_all(&server, LOAD, logs.path(), "clients::trouble, restart").await?;
    sleep(BEFORE).await;
    for running in &mut all {
        running.relay.close().await?;
    }
    let status = server.stop().await?;
    assert!(status.success(), "{status}");
    sleep(Duration::from_secs(1)).await;
    server.launch()?;
    server.wait_until_ready().await?;
    for running in &mut all {
        running.relay.open().await?;
    }
    settle(&mut server, &mut all, "SIGTERM, and a start after a second").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_kills_nothing_acknowledged_is_lost_and_nothing_is_stored_twice() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let logs = tempfile::tempdir()?;
    let mut all = Running::start_all(&server, LOAD, logs.path(), "clients::trouble, kill -9").await?;
    sleep(BEFORE).await;
    for _ in 0..3 {
        server.kill_group()?;
        all.iter_mut().for_each(|running| running.relay.kill());
        sleep(Duration::from_millis(500)).await;
        server.launch()?;
        server.wait_until_ready().await?;
        for running in &mut all {
            running.relay.open().await?;
        }
        sleep(Duration::from_millis(1_700)).await;
    }
    settle(&mut server, &mut all, "kill -9 three times, each time back after half a second").await?;
    Ok(())
}
