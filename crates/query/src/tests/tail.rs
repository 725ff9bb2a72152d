//! Live tails over journals that grow, roll, are flushed and are reaped.

use std::time::Duration;

use api::{LogRecord, TailEvent};
use model::{Table, TenantId};

use super::fixture::{Folder, Log, log_batch, logs};
use crate::{LogTail, LogTailStream, QueryError, QueryLimits, QueryService, QuerySettings, TailLimits, TailStep};

fn service(folder: &Folder, tail: TailLimits) -> QueryService {
    let limits = QueryLimits { tail, ..QueryLimits::default() };
    let settings = QuerySettings { limits, ..QuerySettings::default() };
    QueryService::open(settings, folder.layout.clone(), folder.catalog.clone()).expect("opens")
}

fn quick() -> TailLimits {
    TailLimits { event_interval: Duration::from_millis(5), records_per_second_max: 100_000, ..TailLimits::default() }
}

async fn tail(service: &QueryService, ask: LogTail) -> LogTailStream {
    service.tail_logs(&TenantId::default(), ask).await.expect("a stream")
}

/// What a stream gives, until it has given or dropped so many and then nothing more for a moment.
#[derive(Default)]
struct Taken {
    logs: Vec<LogRecord>,
    dropped: u64,
    notes: Vec<String>,
    events: Vec<usize>,
    places: Vec<String>,
}

impl Taken {
    fn bodies(&self) -> Vec<&str> {
        self.logs.iter().map(|log| log.body.as_str().expect("a text")).collect()
    }
}

async fn take(stream: &mut LogTailStream, count: usize) -> Taken {
    let mut taken = Taken::default();
    loop {
        let is_done = taken.logs.len() + taken.dropped as usize >= count;
        let patience = Duration::from_millis(if is_done { 250 } else { 20_000 });
        match tokio::time::timeout(patience, stream.next()).await {
            Err(_) if is_done => return taken,
            Err(_) => panic!("only {} records and {} dropped of {count}", taken.logs.len(), taken.dropped),
            Ok(None) => panic!("the stream ended"),
            Ok(Some(TailStep::Heartbeat { .. })) => {}
            Ok(Some(TailStep::Event { event: TailEvent { logs, dropped, incomplete_because }, place })) => {
                taken.events.push(logs.len());
                taken.places.push(place);
                taken.logs.extend(logs);
                taken.dropped += dropped;
                taken.notes.extend(incomplete_because);
            }
        }
    }
}

fn bodies(logs: &[Log]) -> Vec<&str> {
    logs.iter().map(|log| log.body.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_come_once_in_order_through_rolls_and_flushes() {
    let all = logs(300, 21);
    let folder = Folder::new().await;
    folder.append(Table::Logs, &log_batch(&all[..100]), 7).await;
    let service = service(&folder, quick());
    let mut stream = tail(&service, LogTail::default()).await;
    let beginning = stream.place();
    assert_eq!(take(&mut stream, 0).await.logs, []);

    // Each appending opens the journal anew, as a restart of ingest does: what was appended to is sealed.
    folder.append(Table::Logs, &log_batch(&all[100..180]), 9).await;
    let first = take(&mut stream, 80).await;
    assert_eq!(first.bodies(), bodies(&all[100..180]));
    folder.append(Table::Logs, &log_batch(&all[180..220]), 40).await;
    let consumed = folder.flush(Table::Logs, &log_batch(&all[..180])).await;
    assert_eq!(consumed.len(), 2, "the first two segments");
    folder.append(Table::Logs, &log_batch(&all[220..300]), 1).await;
    let second = take(&mut stream, 120).await;
    assert_eq!(second.bodies(), bodies(&all[180..300]));
    assert_eq!((first.dropped, second.dropped, first.notes.len(), second.notes.len()), (0, 0, 0, 0));

    // A stream goes on from any place, whether its rows are in the journal still or in files already.
    let mut again = tail(&service, LogTail { from: Some(beginning.clone()), ..LogTail::default() }).await;
    assert_eq!(take(&mut again, 200).await.bodies(), bodies(&all[100..300]));
    let mut seen = 0;
    for (place, events) in first.places.iter().zip(&first.events) {
        seen += events;
        let mut again = tail(&service, LogTail { from: Some(place.clone()), ..LogTail::default() }).await;
        assert_eq!(take(&mut again, 200 - seen).await.bodies(), bodies(&all[100 + seen..300]), "from {place}");
    }
    let elsewhere = service_of(&folder);
    let mut again = tail(&elsewhere, LogTail { from: Some(beginning.clone()), ..LogTail::default() }).await;
    assert_eq!(take(&mut again, 200).await.bodies(), bodies(&all[100..300]), "after a restart of query");

    // Once the journal's file is gone, the stream says so.
    for segment in consumed {
        std::fs::remove_file(journal::segment_path(&folder.layout.journal_folder(), segment)).expect("removed");
        folder.catalog.forget_segments(&[segment]).await.expect("forgotten");
    }
    let elsewhere = service_of(&folder);
    let mut late = tail(&elsewhere, LogTail { from: Some(beginning), ..LogTail::default() }).await;
    let taken = take(&mut late, 120).await;
    assert_eq!(taken.bodies(), bodies(&all[180..300]));
    assert!(taken.notes.iter().any(|note| note.contains("not there any more")), "{:?}", taken.notes);
}

fn service_of(folder: &Folder) -> QueryService {
    service(folder, quick())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_too_fast_is_counted() {
    let all = logs(2_000, 5);
    let folder = Folder::new().await;
    let limits = TailLimits { records_per_second_max: 50, ..quick() };
    let service = service(&folder, limits);
    let mut everything = tail(&service, LogTail::default()).await;
    let mut of_cart = tail(&service, LogTail { query: "service:cart timeout".into(), ..LogTail::default() }).await;
    folder.append(Table::Logs, &log_batch(&all), 300).await;
    let taken = take(&mut everything, 2_000).await;
    assert_eq!(taken.logs.len() + taken.dropped as usize, 2_000);
    assert!(taken.dropped > 1_000, "{}", taken.dropped);
    let (last, newest) = (taken.bodies().last().copied(), bodies(&all).last().copied());
    assert_eq!(last, newest, "the newest are shown");
    let has_word = |log: &&Log| log.body.split(' ').any(|word| word == "timeout");
    let expect: Vec<&Log> = all.iter().filter(|log| log.service == "cart").filter(has_word).collect();
    let taken = take(&mut of_cart, expect.len()).await;
    assert_eq!(taken.logs.len() + taken.dropped as usize, expect.len());
    assert!(taken.logs.iter().all(|log| log.resource.attributes["service.name"] == "cart" && !log.id.is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_comes_back_catches_up_before_the_rate_holds() {
    let all = logs(2_400, 6);
    let folder = Folder::new().await;
    let limits = TailLimits { records_per_second_max: 10, replay_records_max: 2_200, ..quick() };
    let service = service(&folder, limits);
    let beginning = tail(&service, LogTail::default()).await.place();
    folder.append(Table::Logs, &log_batch(&all), 700).await;
    let mut stream = tail(&service, LogTail { from: Some(beginning), ..LogTail::default() }).await;
    let taken = take(&mut stream, 2_400).await;
    assert_eq!(taken.bodies()[..2_200], bodies(&all[..2_200]), "nothing of the replay is left out");
    assert!(taken.events.iter().all(|records| *records <= 500), "{:?}", taken.events);
    assert!(taken.dropped >= 150, "then the rate holds: {}", taken.dropped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_not_read_keeps_nothing_and_loses_nothing_uncounted() {
    let all = logs(1_500, 7);
    let folder = Folder::new().await;
    let service = service(&folder, TailLimits { feed_bytes_max: 1_000, ..quick() });
    let mut slow = tail(&service, LogTail::default()).await;
    let mut live = tail(&service, LogTail::default()).await;
    for part in all.chunks(100) {
        folder.append(Table::Logs, &log_batch(part), 30).await;
        assert_eq!(take(&mut live, 100).await.bodies(), bodies(part));
    }
    let taken = take(&mut slow, 1_500).await;
    assert_eq!(taken.logs.len() + taken.dropped as usize, 1_500);
    let shown = taken.bodies();
    let mut left = all.iter();
    assert!(shown.iter().all(|body| left.any(|log| log.body == **body)), "in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_may_begin_with_the_last_records() {
    let mut all = logs(400, 8);
    all[..200].sort_by_key(|log| log.time);
    let folder = Folder::new().await;
    folder.add_file(Table::Logs, &log_batch(&all[..200])).await;
    folder.append(Table::Logs, &log_batch(&all[200..250]), 20).await;
    folder.append(Table::Logs, &log_batch(&all[250..300]), 20).await;
    let service = service(&folder, quick());
    for last in [1, 30, 70, 100] {
        let mut stream = tail(&service, LogTail { last, ..LogTail::default() }).await;
        let taken = take(&mut stream, last).await;
        assert_eq!(taken.bodies(), bodies(&all[300 - last..300]), "the last {last}");
    }
    let mut stream = tail(&service, LogTail { last: 150, ..LogTail::default() }).await;
    let taken = take(&mut stream, 150).await;
    assert_eq!(taken.bodies()[50..], bodies(&all[200..300]), "those of the journal in its order");
    assert!(taken.logs[..50].is_sorted_by_key(|log| log.time_unix_nano), "those of files by time, before them");
    folder.append(Table::Logs, &log_batch(&all[300..]), 20).await;
    assert_eq!(take(&mut stream, 100).await.bodies(), bodies(&all[300..]), "and then what comes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_bounded_show_that_they_live_and_end_with_the_server() {
    let folder = Folder::new().await;
    let limits = TailLimits { streams_max: 2, heartbeat_interval: Duration::from_millis(100), ..quick() };
    let service = service(&folder, limits);
    let mut first = tail(&service, LogTail::default()).await;
    let second = tail(&service, LogTail::default()).await;
    let third = service.tail_logs(&TenantId::default(), LogTail::default()).await.err();
    assert!(matches!(third, Some(QueryError::TailsBusy { streams_max: 2, .. })), "{third:?}");
    drop(second);
    let mut second = tail(&service, LogTail::default()).await;
    let beat = tokio::time::timeout(Duration::from_secs(5), first.next()).await.expect("in time");
    assert!(matches!(beat, Some(TailStep::Heartbeat { .. })), "{beat:?}");
    service.close_tails();
    assert_eq!((first.next().await, second.next().await), (None, None));

    for (ask, part) in [
        (LogTail { query: "(".into(), ..LogTail::default() }, ""),
        (LogTail { from: Some("yesterday".into()), ..LogTail::default() }, "12.345.0"),
    ] {
        let refused = service.tail_logs(&TenantId::default(), ask).await.err();
        let Some(QueryError::Invalid { message, .. }) = refused else { panic!("{refused:?}") };
        assert!(message.contains(part), "{message}");
    }
    let service = service_of(&folder);
    let mut foreign = tail(&service, LogTail { from: Some("9999.0.0".into()), ..LogTail::default() }).await;
    assert!(take_note(&mut foreign).await.contains("another journal"));
}

async fn take_note(stream: &mut LogTailStream) -> String {
    match tokio::time::timeout(Duration::from_secs(5), stream.next()).await.expect("in time") {
        Some(TailStep::Event { event, .. }) => event.incomplete_because.join("; "),
        other => panic!("{other:?}"),
    }
}
