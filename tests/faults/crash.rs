//! kill -9 at random moments under load: of everything, and of each child alone.

use std::time::Duration;

use testkit::{Random, Server, ServerSettings};

use super::load::{Load, assert_exactly_once};
use crate::TestResult;

const CYCLES: usize = 30;

/// Records a request of the three senders: an SDK's single record, an SDK's batch, a Collector's batch.
const RECORDS: [usize; 3] = [1, 10, 200];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_kills_lose_nothing_and_repeat_nothing() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let mut random = Random::new(31);
    let load = Load::start(&client, &RECORDS, 1);
    let mut killed = [0; 4];
    for cycle in 0..CYCLES {
        tokio::time::sleep(Duration::from_millis(200 + random.below(1_300) as u64)).await;
        // Every third kill strikes while the journal is being turned into files.
        let flush = (cycle % 3 == 0).then(|| server.command(&["compact", "--now"]));
        let flush = match flush {
            Some(mut command) => Some(command.stdout(std::process::Stdio::null()).spawn()?),
            None => None,
        };
        tokio::time::sleep(Duration::from_millis(random.below(200) as u64)).await;
        let victim = cycle % 4;
        match ["ingest", "query", "compact"].get(victim) {
            Some(role) => killed[victim] += usize::from(server.kill_role(role)?),
            None => {
                server.restart().await?;
                killed[victim] += 1;
            }
        }
        server.wait_until_ready().await?;
        if let Some(mut flush) = flush {
            let _ = flush.kill();
            flush.wait()?;
        }
    }
    let acknowledged = load.finish().await?;
    eprintln!("killed ingest, query, compact, all: {killed:?}; {acknowledged:?}");
    assert!(killed.iter().all(|kills| *kills >= 5), "too few kills struck: {killed:?}");
    assert!(acknowledged.spans > 1_000 && acknowledged.logs > 1_000, "hardly any load: {acknowledged:?}");
    assert_exactly_once(&client, acknowledged, "at once").await?;
    server.compact_now().await?;
    assert_exactly_once(&client, acknowledged, "from files").await?;
    server.restart().await?;
    assert_exactly_once(&client, acknowledged, "after another kill").await?;
    Ok(())
}

#[tokio::test]
async fn kill_of_the_supervisor_alone_leaves_nobody_behind() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let family = server.processes();
    assert!(family.len() >= 4, "supervisor and three roles: {family:?}");
    testkit::kill(server.id()?)?;
    server.wait_for_exit(Duration::from_secs(5)).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let left: Vec<u32> = family
        .iter()
        .map(|process| process.pid)
        .filter(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")))
        .collect();
    assert!(left.is_empty(), "{left:?} outlive the supervisor");
    server.launch()?;
    server.wait_until_ready().await?;
    Ok(())
}

#[tokio::test]
async fn sigterm_answers_what_is_in_flight_and_exits_with_0() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let load = Load::start(&client, &[10], 2);
    tokio::time::sleep(Duration::from_millis(700)).await;
    let status = server.stop().await?;
    assert!(status.success(), "{status}\n{}", server.log_tail());
    server.launch()?;
    server.wait_until_ready().await?;
    let acknowledged = load.finish().await?;
    assert_exactly_once(&client, acknowledged, "after SIGTERM").await
}
