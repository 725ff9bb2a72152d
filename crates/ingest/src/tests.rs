//! Tests of ingest with a real journal and catalog. Where it matters what is in flight together, the committer runs on
//! the test's own thread, after its queue has been filled.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use catalog::{Catalog, SegmentState};
use journal::{
    Digest, End, HourLedgers, Journal, JournalLimits, LedgerLimits, SegmentReader, SlotCounts, segment_path,
};
use model::{Signal, TenantId};
use otlp::Encoding;
use store::fault;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use crate::admission::Admission;
use crate::committer::Committer;
use crate::export::{Job, Message, Shared};
use crate::{ExportError, ExportRequest, ExportResponse, Ingest, IngestLimits, Running, start};

struct Fixture {
    folder: TempDir,
    runtime: Runtime,
    catalog: Catalog,
}

type Answer = oneshot::Receiver<Result<ExportResponse, ExportError>>;

impl Fixture {
    fn new() -> Fixture {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let catalog = runtime.block_on(Catalog::open(&folder.path().join("catalog.sqlite"))).expect("a catalog");
        std::fs::create_dir(folder.path().join("journal")).expect("a journal folder");
        Fixture { folder, runtime, catalog }
    }

    fn journal_folder(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    fn journal_with(&self, limits: JournalLimits) -> Journal {
        let (folder, catalog, now) = (self.journal_folder(), self.catalog.clone(), self.catalog.now());
        Journal::open(&folder, catalog, self.runtime.handle().clone(), limits, now).expect("opens").0
    }

    fn journal(&self) -> Journal {
        self.journal_with(JournalLimits { segment_bytes_max: 1024 * 1024, ..JournalLimits::default() })
    }

    fn start(&self, limits: IngestLimits) -> (Ingest, Running) {
        let limits = IngestLimits { poll_interval: Duration::from_millis(10), ..limits };
        let (catalog, folder) = (self.catalog.clone(), self.journal_folder());
        start(self.journal(), catalog, folder, limits, self.runtime.handle()).expect("starts")
    }

    fn export(&self, ingest: &Ingest, body: &str) -> Result<ExportResponse, ExportError> {
        self.runtime.block_on(export(ingest.clone(), Signal::Logs, body.to_owned()))
    }

    /// Runs a committer on this thread over these log requests, all in its queue before it begins.
    fn commit(&self, journal: Journal, limits: IngestLimits, bodies: &[&str]) -> Committed {
        let shared = Arc::new(Shared::new(limits));
        let (sender, receiver) = mpsc::channel(bodies.len() + 1);
        let answers: Vec<Answer> = bodies
            .iter()
            .map(|body| {
                let (job, answer) = self.job(&shared, body);
                sender.try_send(Message::Export(job)).expect("room in the queue");
                answer
            })
            .collect();
        shared.stopping.store(true, Ordering::Relaxed);
        let handle = self.runtime.handle().clone();
        let committer = Committer::new(Arc::clone(&shared), journal, self.catalog.clone(), handle, receiver);
        let journal = committer.run();
        let answers = answers.into_iter().map(|mut answer| answer.try_recv().expect("answered")).collect();
        Committed { journal, answers, shared }
    }

    fn job(&self, shared: &Arc<Shared>, body: &str) -> (Job, Answer) {
        let admission = self.runtime.block_on(Admission::new(shared, body.len())).expect("room");
        let (reply, answer) = oneshot::channel();
        let tenant = TenantId::default();
        let job = Job {
            digest: Digest::of(&tenant, Signal::Logs, "json", body.as_bytes()),
            tenant,
            signal: Signal::Logs,
            encoding: Encoding::Json,
            body: Bytes::copy_from_slice(body.as_bytes()),
            reply,
            turned_away: Vec::new(),
            _admission: admission,
        };
        (job, answer)
    }

    /// Rows in all live segments.
    fn rows(&self) -> u64 {
        let segments = self.runtime.block_on(self.catalog.segments()).expect("segments");
        let mut rows = 0;
        for segment in segments {
            let reader = SegmentReader::open(&segment_path(&self.journal_folder(), segment.id)).expect("opens");
            let end = match segment.state {
                SegmentState::Listed => End::Live,
                SegmentState::Sealed => End::Sealed(segment.length),
            };
            let mut commits = reader.read_from(reader.start(), end).expect("reads");
            rows += (&mut commits).map(|commit| commit.expect("valid").rows()).sum::<u64>();
            assert_eq!(commits.damage(), []);
        }
        rows
    }

    /// What the receipts of all live segments say, services and slots together.
    fn counted(&self) -> SlotCounts {
        let mut ledgers = HourLedgers::default();
        for segment in self.runtime.block_on(self.catalog.segments()).expect("segments") {
            let reader = SegmentReader::open(&segment_path(&self.journal_folder(), segment.id)).expect("opens");
            for commit in reader.read_from(reader.start(), End::Abandoned).expect("reads") {
                let commit = commit.expect("valid");
                ledgers.add(commit.arrival_unix_nano(), &commit.receipts(), &LedgerLimits::default());
            }
        }
        let mut sum = SlotCounts::default();
        let entries = ledgers.0.values().flat_map(|ledger| ledger.iter().map(|(_, _, entry)| entry));
        for counts in entries.flat_map(|entry| entry.slots.values()) {
            sum.received += counts.received;
            sum.stored += counts.stored;
            sum.duplicate += counts.duplicate;
        }
        sum
    }

    fn wait_until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        for _ in 0..500 {
            if is_so() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("never: {what}");
    }
}

struct Committed {
    journal: Journal,
    answers: Vec<Result<ExportResponse, ExportError>>,
    shared: Arc<Shared>,
}

async fn export(ingest: Ingest, signal: Signal, body: String) -> Result<ExportResponse, ExportError> {
    let admission = ingest.admit(body.len()).await?;
    let tenant = TenantId::default();
    let turned_away = Vec::new();
    ingest
        .export(ExportRequest { tenant, signal, encoding: Encoding::Json, body: body.into(), admission, turned_away })
        .await
}

/// A request of log records with these texts and, if there is one, this time.
fn logs(time: Option<u64>, texts: &[&str]) -> String {
    let time = time.map(|time| format!(r#""timeUnixNano":"{time}","#)).unwrap_or_default();
    let records: Vec<String> =
        texts.iter().map(|text| format!(r#"{{{time}"body":{{"stringValue":"{text}"}}}}"#)).collect();
    format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#, records.join(","))
}

const TIME: Option<u64> = Some(1_795_289_400_000_000_000);

fn success() -> Result<ExportResponse, ExportError> {
    Ok(ExportResponse { body: Bytes::from_static(b"{}") })
}

fn is_unavailable(answer: &Result<ExportResponse, ExportError>) -> bool {
    matches!(answer, Err(ExportError::Unavailable { .. }))
}

#[test]
fn what_is_answered_is_in_the_journal_and_a_resend_is_stored_once() {
    let fixture = Fixture::new();
    let (ingest, running) = fixture.start(IngestLimits::default());
    assert!(ingest.ready());
    let body = logs(TIME, &["one", "two"]);
    assert_eq!(fixture.export(&ingest, &body), success());
    assert_eq!(fixture.rows(), 2);
    assert_eq!(fixture.export(&ingest, &body), success());
    assert_eq!(fixture.export(&ingest, &logs(TIME, &["three"])), success());
    assert_eq!(fixture.rows(), 3);
    let counters = ingest.status().signals[&Signal::Logs].clone();
    assert_eq!((counters.requests, counters.received, counters.stored), (3, 3, 3));
    assert_eq!((counters.duplicate_requests, counters.duplicate), (1, 2));
    fixture.runtime.block_on(running.drain());
    // After a restart it is still known.
    let (ingest, running) = fixture.start(IngestLimits::default());
    assert_eq!(fixture.export(&ingest, &body), success());
    assert_eq!(fixture.rows(), 3);
    assert_eq!(ingest.status().inflight_bytes, 0);
    fixture.runtime.block_on(running.drain());
}

#[test]
fn resends_of_a_request_in_flight_wait_for_its_commit() {
    let fixture = Fixture::new();
    let (one, two) = (logs(TIME, &["one"]), logs(TIME, &["two"]));
    let done = fixture.commit(fixture.journal(), IngestLimits::default(), &[&one, &two, &one, &one]);
    assert_eq!(done.answers, vec![success(); 4]);
    assert_eq!(fixture.rows(), 2);
    let counters = done.shared.counters().clone();
    assert_eq!((counters.commits, counters.commit_requests), (1, 2));
    assert_eq!(counters.signals[&Signal::Logs].duplicate, 2);
    drop(done);
    // The same while one is being committed and the others come from other connections.
    let (ingest, running) = fixture.start(IngestLimits::default());
    let three = logs(TIME, &["three"]);
    let answers = fixture.runtime.block_on(async {
        let tasks: Vec<_> =
            (0..40).map(|_| tokio::spawn(export(ingest.clone(), Signal::Logs, three.clone()))).collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.expect("no panic"));
        }
        answers
    });
    assert_eq!(answers, vec![success(); 40]);
    assert_eq!(fixture.rows(), 3);
    fixture.runtime.block_on(running.drain());
}

#[test]
fn requests_without_a_time_of_their_own_are_never_resends() {
    let fixture = Fixture::new();
    let body = logs(None, &["tick"]);
    let done = fixture.commit(fixture.journal(), IngestLimits::default(), &[&body, &body]);
    let again = fixture.commit(done.journal, IngestLimits::default(), &[&body]);
    assert_eq!(again.answers, vec![success()]);
    assert_eq!(fixture.rows(), 3);
}

#[test]
fn empty_requests_succeed_and_leave_no_trace() {
    let fixture = Fixture::new();
    let done = fixture.commit(fixture.journal(), IngestLimits::default(), &["{}", r#"{"resourceLogs":[]}"#]);
    assert_eq!(done.answers, vec![success(); 2]);
    assert_eq!((fixture.rows(), done.shared.counters().commits), (0, 0));
}

#[test]
fn a_request_at_fault_costs_itself() {
    let fixture = Fixture::new();
    let (one, two) = (logs(TIME, &["one"]), logs(TIME, &["two"]));
    let done = fixture.commit(fixture.journal(), IngestLimits::default(), &[&one, "{", &two]);
    assert_eq!((&done.answers[0], &done.answers[2]), (&success(), &success()));
    assert!(matches!(done.answers[1], Err(ExportError::Invalid { .. })), "{:?}", done.answers[1]);
    assert_eq!(fixture.rows(), 2);
}

#[test]
fn a_request_too_long_for_a_commit_costs_itself() {
    let fixture = Fixture::new();
    let journal = fixture.journal_with(JournalLimits { commit_bytes_max: 64 * 1024, ..JournalLimits::default() });
    let (one, two, huge) = (logs(TIME, &["one"]), logs(TIME, &["two"]), logs(TIME, &[&"x".repeat(100_000)]));
    let done = fixture.commit(journal, IngestLimits::default(), &[&one, &huge, &two, &one]);
    for at in [0, 2, 3] {
        assert_eq!(done.answers[at], success(), "{at}");
    }
    assert!(matches!(done.answers[1], Err(ExportError::TooLarge { .. })), "{:?}", done.answers[1]);
    assert_eq!(fixture.rows(), 2);
}

#[test]
fn a_group_ends_at_its_limits() {
    let bodies: Vec<String> = (0..10).map(|number| logs(TIME, &[&format!("text {number}")])).collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    let check = |limits: IngestLimits, commits: u64| {
        let fixture = Fixture::new();
        let done = fixture.commit(fixture.journal(), limits, &bodies);
        assert_eq!(done.answers, vec![success(); 10]);
        assert_eq!((fixture.rows(), done.shared.counters().commits), (10, commits));
    };
    check(IngestLimits::default(), 1);
    check(IngestLimits { commit_requests_max: 4, ..IngestLimits::default() }, 3);
    check(IngestLimits { commit_body_bytes_max: 2 * bodies[0].len(), ..IngestLimits::default() }, 5);
}

#[test]
fn partial_success_is_exact_and_resends_hear_it_again() {
    let fixture = Fixture::new();
    let (ingest, running) = fixture.start(IngestLimits::default());
    let body = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"a","startTimeUnixNano":"5"},
        {"traceId":"abc","spanId":"eee19b7ec3c1b174","name":"b","startTimeUnixNano":"5"}]}]}]}"#;
    let first = fixture.runtime.block_on(export(ingest.clone(), Signal::Traces, body.to_owned())).expect("stored");
    assert!(String::from_utf8_lossy(&first.body).contains(r#""rejectedSpans":"1""#), "{first:?}");
    let again = fixture.runtime.block_on(export(ingest.clone(), Signal::Traces, body.to_owned()));
    assert_eq!(again, Ok(first));
    let counters = ingest.status().signals[&Signal::Traces].clone();
    assert_eq!((counters.received, counters.stored, counters.duplicate), (2, 1, 2));
    assert_eq!(counters.rejected.values().sum::<u64>(), 1);
    assert_eq!(fixture.rows(), 1);
    fixture.runtime.block_on(running.drain());
}

/// Three times the same: one behind the other in a commit, and once when it was long stored.
#[test]
fn receipts_say_what_came_again() {
    let fixture = Fixture::new();
    let (one, two) = (logs(TIME, &["a", "b"]), logs(TIME, &["c"]));
    let done = fixture.commit(fixture.journal(), IngestLimits::default(), &[&one, &one, &two]);
    assert_eq!(fixture.counted(), SlotCounts { received: 5, stored: 3, duplicate: 2 });
    let done = fixture.commit(done.journal, IngestLimits::default(), &[&one]);
    assert_eq!(done.answers, vec![success()]);
    assert_eq!(fixture.counted(), SlotCounts { received: 7, stored: 3, duplicate: 4 });
    // After a start the window knows whose records they are, from the receipts.
    drop(done.journal);
    let done = fixture.commit(fixture.journal(), IngestLimits::default(), &[&two, &one]);
    drop(done);
    assert_eq!(fixture.counted(), SlotCounts { received: 10, stored: 3, duplicate: 7 });
}

#[test]
fn a_failing_journal_refuses_and_stores_nothing_twice() {
    for point in ["fail_fdatasync:1", "fail_append_no_space:1"] {
        let fixture = Fixture::new();
        let (one, two) = (logs(TIME, &["one"]), logs(TIME, &["two"]));
        let first = fixture.commit(fixture.journal(), IngestLimits::default(), &[&one]);
        let armed = fault::arm_thread(point);
        let refused = fixture.commit(first.journal, IngestLimits::default(), &[&two, &two]);
        drop(armed);
        assert!(refused.answers.iter().all(is_unavailable), "{point}: {:?}", refused.answers);
        assert_eq!(refused.shared.counters().journal_failures, 1);
        assert_eq!(fixture.rows(), 1, "{point}");
        let retried = fixture.commit(refused.journal, IngestLimits::default(), &[&two, &one]);
        assert_eq!(retried.answers, vec![success(); 2], "{point}");
        assert_eq!(fixture.rows(), 2, "{point}");
    }
}

#[test]
fn the_byte_budget_refuses_at_its_edge() {
    let fixture = Fixture::new();
    let limits = IngestLimits {
        inflight_bytes_max: 10 * 1024,
        admission_wait: Duration::from_millis(50),
        ..IngestLimits::default()
    };
    let (ingest, running) = fixture.start(limits);
    fixture.runtime.block_on(async {
        let is_overloaded =
            |result: Result<Admission, ExportError>| matches!(result, Err(ExportError::Overloaded { .. }));
        let is_too_large = |result: Result<Admission, ExportError>| matches!(result, Err(ExportError::TooLarge { .. }));
        assert!(is_too_large(ingest.admit(10 * 1024 + 1).await));
        let whole = ingest.admit(10 * 1024).await.expect("all of it");
        assert!(is_overloaded(ingest.admit(1).await));
        drop(whole);
        let mut one = ingest.admit(1000).await.expect("room");
        one.grow(24).await.expect("within the same unit");
        let other = ingest.admit(9 * 1024).await.expect("the rest");
        assert_eq!(one.grow(1).await, Err(ExportError::Overloaded { retry_after: Duration::from_secs(2) }));
        drop(other);
        one.grow(9 * 1024).await.expect("room again");
        assert!(matches!(one.grow(1).await, Err(ExportError::TooLarge { .. })));
        // Who waits is served when room comes free in time.
        let waiting = tokio::spawn({
            let ingest = ingest.clone();
            async move { ingest.admit(1024).await.map(|admission| admission.bytes()) }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        drop(one);
        assert_eq!(waiting.await.expect("no panic"), Ok(1024));
        assert_eq!(ingest.status().refused[&crate::Refusal::Overloaded], 2);
    });
    fixture.runtime.block_on(running.drain());
}

#[test]
fn a_full_queue_refuses_after_a_wait() {
    let fixture = Fixture::new();
    let limits = IngestLimits { admission_wait: Duration::from_millis(30), ..IngestLimits::default() };
    let (sender, receiver) = mpsc::channel(1);
    let ingest = Ingest { shared: Arc::new(Shared::new(limits)), queue: sender };
    fixture.runtime.block_on(async {
        let first = tokio::spawn(export(ingest.clone(), Signal::Logs, logs(TIME, &["one"])));
        tokio::time::sleep(Duration::from_millis(10)).await;
        let second = export(ingest.clone(), Signal::Logs, logs(TIME, &["two"])).await;
        assert!(matches!(second, Err(ExportError::Overloaded { .. })), "{second:?}");
        // The committer dies: who waits is told, and so is who comes.
        drop(receiver);
        assert!(is_unavailable(&first.await.expect("no panic")));
        assert!(!ingest.ready());
        assert!(is_unavailable(&export(ingest.clone(), Signal::Logs, logs(TIME, &["three"])).await));
    });
}

#[test]
fn a_request_over_the_limit_is_refused_for_good() {
    let fixture = Fixture::new();
    let body = logs(TIME, &["one"]);
    let (ingest, running) = fixture.start(IngestLimits { request_bytes_max: body.len(), ..IngestLimits::default() });
    assert_eq!(fixture.export(&ingest, &body), success());
    let longer = format!("{body} ");
    assert!(matches!(fixture.export(&ingest, &longer), Err(ExportError::TooLarge { .. })));
    fixture.runtime.block_on(running.drain());
}

#[test]
fn backlog_and_disk_reserve_refuse_until_they_are_over() {
    let fixture = Fixture::new();
    let (ingest, running) = fixture.start(IngestLimits { journal_bytes_max: 0, ..IngestLimits::default() });
    fixture.wait_until("the backlog refuses", || !ingest.ready());
    assert!(is_unavailable(&fixture.export(&ingest, &logs(TIME, &["one"]))));
    assert_eq!(ingest.status().refusing, Some(crate::Refusal::Backlog));
    fixture.runtime.block_on(running.drain());

    let limits = IngestLimits { disk_reserve_bytes: u64::MAX, ..IngestLimits::default() };
    let (ingest, running) = fixture.start(limits);
    fixture.wait_until("the disk refuses", || !ingest.ready());
    assert!(is_unavailable(&fixture.export(&ingest, &logs(TIME, &["one"]))));
    assert_eq!(ingest.status().refusing, Some(crate::Refusal::DiskReserve));
    fixture.runtime.block_on(running.drain());
    assert_eq!(fixture.rows(), 0);
}

#[test]
fn a_flush_request_seals_what_was_acknowledged_before() {
    let fixture = Fixture::new();
    let (ingest, running) = fixture.start(IngestLimits::default());
    assert_eq!(fixture.export(&ingest, &logs(TIME, &["one"])), success());
    fixture.runtime.block_on(fixture.catalog.request_flush(fixture.catalog.now())).expect("asks");
    fixture
        .wait_until("sealed", || fixture.runtime.block_on(fixture.catalog.flush_to_seal()).expect("reads").is_none());
    let segments = fixture.runtime.block_on(fixture.catalog.segments()).expect("segments");
    assert_eq!((segments[0].state, segments[0].rows), (SegmentState::Sealed, 1));
    let pending = fixture.runtime.block_on(fixture.catalog.pending_flush()).expect("reads").expect("pending");
    assert!(pending.sealed_sequence.is_some());
    assert_eq!(fixture.export(&ingest, &logs(TIME, &["two"])), success());
    assert_eq!(fixture.rows(), 2);
    fixture.runtime.block_on(running.drain());
}

#[test]
fn draining_answers_what_was_queued_and_refuses_what_comes() {
    let fixture = Fixture::new();
    let (ingest, running) = fixture.start(IngestLimits::default());
    let answers = fixture.runtime.block_on(async {
        let tasks: Vec<_> = (0..200)
            .map(|number| tokio::spawn(export(ingest.clone(), Signal::Logs, logs(TIME, &[&number.to_string()]))))
            .collect();
        tokio::time::sleep(Duration::from_millis(2)).await;
        running.drain().await;
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.expect("no panic"));
        }
        answers
    });
    let stored = answers.iter().filter(|answer| **answer == success()).count() as u64;
    let refused = answers.iter().filter(|answer| is_unavailable(answer)).count() as u64;
    assert_eq!(stored + refused, 200, "every request has an answer");
    assert_eq!(fixture.rows(), stored);
    assert!(!ingest.ready());
    assert!(is_unavailable(&fixture.export(&ingest, &logs(TIME, &["late"]))));
}

#[test]
fn many_clients_at_once_share_commits_and_lose_nothing() {
    let fixture = Fixture::new();
    let (ingest, running) = fixture.start(IngestLimits::default());
    fixture.runtime.block_on(async {
        let tasks: Vec<_> = (0..16)
            .map(|client| {
                let ingest = ingest.clone();
                tokio::spawn(async move {
                    for number in 0..40 {
                        let body = logs(TIME, &[&format!("{client} {number}"), "second"]);
                        assert_eq!(export(ingest.clone(), Signal::Logs, body).await, success());
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("every export succeeds");
        }
    });
    assert_eq!(fixture.rows(), 16 * 40 * 2);
    let counters = ingest.status();
    assert_eq!(counters.commit_requests, 640);
    assert!(counters.commits < 640, "{} commits", counters.commits);
    fixture.runtime.block_on(running.drain());
}
