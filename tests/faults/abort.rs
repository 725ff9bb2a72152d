//! Death right after each step on which durability rests, and a disk that cannot sync.

use std::time::Duration;

use testkit::{Logs, Payload, Server, ServerSettings, Signal, now_unix_nano};

use super::load::{Load, assert_exactly_once};
use crate::TestResult;

/// Every point at which a process may die, in the order a record passes them.
const POINTS: &[&str] = &[
    "after_segment_created",
    "after_segment_listed",
    "after_append",
    "after_fdatasync",
    "after_seal",
    "after_footer",
    "after_output",
    "after_sidecars",
    "after_manifest",
    "after_catalog_commit",
    "after_dead_rename",
    "after_rename",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dying_after_any_step_loses_and_repeats_nothing() -> TestResult {
    for (salt, point) in POINTS.iter().enumerate() {
        dies_once_at(point, 10 + salt as i64).await?;
    }
    Ok(())
}

async fn dies_once_at(point: &str, salt: i64) -> TestResult {
    let marks = tempfile::tempdir()?;
    let mark = marks.path().join("fired");
    let settings = ServerSettings::default()
        .with("SPYHOP_FAULT", format!("{point}:2"))
        .with("SPYHOP_FAULT_ONCE", mark.to_string_lossy());
    let mut server = Server::start(settings).await?;
    let client = server.client();
    let load = Load::start(&client, &[1, 50], salt);
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        // Whether the process that answers this dies on the way is what the test is about.
        let _ = server.compact_now().await;
        if mark.exists() {
            break;
        }
    }
    assert!(mark.exists(), "nothing passed the point {point}");
    server.wait_until_ready().await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let acknowledged = load.finish().await?;
    assert_exactly_once(&client, acknowledged, &format!("{point}: at once")).await?;
    server.compact_now().await?;
    assert_exactly_once(&client, acknowledged, &format!("{point}: from files")).await?;
    server.set_environment(Vec::new());
    server.restart().await?;
    assert_exactly_once(&client, acknowledged, &format!("{point}: after a restart")).await?;
    server.compact_now().await?;
    let unfinished = server.files(".new");
    assert!(unfinished.is_empty(), "{point}: left behind: {unfinished:?}");
    Ok(())
}

/// A swap that was not committed is undone by the next start, which dies at it, and the start after that goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dying_while_a_swap_is_undone_loses_and_repeats_nothing() -> TestResult {
    let settings = ServerSettings::default().with("SPYHOP_FAULT", "after_manifest:2,after_manifest_removed");
    let mut server = Server::start(settings).await?;
    let client = server.client();
    let load = Load::start(&client, &[1, 50], 30);
    let has_died = |server: &Server| server.log().contains("fault 'after_manifest_removed' fires");
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let request = server.command(&["compact", "--now", "--wait-seconds", "1"]);
        testkit::run_command(request).await?;
        if has_died(&server) {
            break;
        }
    }
    assert!(has_died(&server), "no start undid a swap");
    let acknowledged = load.finish().await?;
    assert_exactly_once(&client, acknowledged, "while swaps die").await?;
    server.set_environment(Vec::new());
    server.restart().await?;
    server.compact_now().await?;
    assert_exactly_once(&client, acknowledged, "after a start without faults").await?;
    let unfinished = server.files(".new");
    assert!(unfinished.is_empty(), "left behind: {unfinished:?}");
    Ok(())
}

#[tokio::test]
async fn a_disk_that_cannot_sync_acknowledges_nothing() -> TestResult {
    let settings = ServerSettings::default().with("SPYHOP_FAULT", "fail_fdatasync:1+");
    let mut server = Server::prepare(settings)?;
    server.launch()?;
    // It may never become ready: that is as good an answer as refusing.
    let _ = tokio::time::timeout(Duration::from_secs(5), server.wait_until_ready()).await;
    let client = server.client();
    let mut logs = Logs::new(51, now_unix_nano());
    for _ in 0..10 {
        let payload = Payload::protobuf(Signal::Logs, &logs.request(10));
        // No answer at all is a good answer here.
        if let Ok(Ok(answer)) = tokio::time::timeout(Duration::from_secs(3), client.send(&payload)).await {
            assert!(!answer.status.is_success(), "acknowledged without a sync");
            assert!([429, 503].contains(&answer.status.as_u16()), "not retryable: {}", answer.status);
        }
    }
    server.set_environment(Vec::new());
    server.restart().await?;
    let payload = Payload::protobuf(Signal::Logs, &logs.line("the disk is well again"));
    assert_eq!(client.send(&payload).await?.status, 200);
    let found = client.sql_count("select count(*) from logs where body = 'the disk is well again'").await?;
    assert_eq!(found, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_failed_sync_costs_no_acknowledged_record() -> TestResult {
    let marks = tempfile::tempdir()?;
    let mark = marks.path().join("fired");
    let settings = ServerSettings::default()
        .with("SPYHOP_FAULT", "fail_fdatasync:20")
        .with("SPYHOP_FAULT_ONCE", mark.to_string_lossy());
    let mut server = Server::start(settings).await?;
    let client = server.client();
    let load = Load::start(&client, &[1, 10, 200], 40);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let acknowledged = load.finish().await?;
    assert!(mark.exists(), "no sync failed");
    assert_exactly_once(&client, acknowledged, "after a failed sync").await?;
    server.restart().await?;
    server.compact_now().await?;
    assert_exactly_once(&client, acknowledged, "after a failed sync and a restart").await
}
