//! In ordinary use everything a client sends arrives, once.

use testkit::{Server, ServerSettings};

use super::senders::{Load, Running};
use super::wire::{Seen, stored, stored_points};
use crate::TestResult;

/// Metrics are exported once, at the end.
const LOAD: Load = Load { records: 300, points: 20, seconds: 2, metric_interval: 60_000 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_signals_of_every_client_arrive_exactly_once() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let logs = tempfile::tempdir()?;
    let mut all = Running::start_all(&server, LOAD, logs.path(), "clients::arrival").await?;
    println!("{}", Seen::head());
    for running in &mut all {
        running.finish().await?;
        let name = running.sender.name;
        let seen = Seen::check(&client, name, &running.relay.exchanges(), 2 * LOAD.records).await?;
        println!("{}", seen.row(name));
        assert!(seen.outcomes.keys().all(|outcome| outcome.is_success()), "{name}: {seen:?}");
        assert_eq!((seen.dropped, seen.stored_twice), (0, 0), "{name}: {seen:?}\n{}", running.complaint());
    }
    server.compact_now().await?;
    server.restart().await?;
    for running in &all {
        let name = running.sender.name;
        let marks = stored(&client, name).await?;
        assert_eq!(marks.len(), 2 * LOAD.records as usize, "{name}");
        assert!(marks.values().all(|count| *count == 1), "{name}: {marks:?}");
        assert_eq!(stored_points(&client, name).await?, i64::from(LOAD.points), "{name}");
    }
    Ok(())
}
