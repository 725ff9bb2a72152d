//! What every catalog must do. The functions take a catalog, so that another dialect runs the same ones.

use std::collections::BTreeSet;
use std::path::Path;

use model::{FileId, Hour, LeaseEpoch, Partition, SegmentId, Table, TenantId};

use crate::{
    Catalog, CatalogError, LedgerHour, NewFile, Rebuilt, RebuiltSegment, RebuiltState, SegmentState, Swap, SwapId,
};

const LEASE: &str = "compact";

async fn fresh(folder: &Path) -> Catalog {
    Catalog::open(&folder.join("catalog.sqlite")).await.expect("a new catalog opens")
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name).expect("valid")
}

fn file(id: FileId, tenant: &TenantId, rows: u64) -> NewFile {
    let partition = Partition { tenant: tenant.clone(), table: Table::Spans, hour: Hour(-3) };
    NewFile { id, partition, rows, bytes: 10 * rows, min_time: -5, max_time: i64::MAX, schema_version: 1 }
}

fn swap(epoch: LeaseEpoch, counter: u64) -> Swap {
    Swap {
        lease_name: LEASE.into(),
        epoch,
        counter,
        add: vec![],
        remove: vec![],
        consume: vec![],
        quarantine: vec![],
        ledger: vec![],
        now: 1_000,
    }
}

async fn sealed_segment(catalog: &Catalog, rows: u64) -> SegmentId {
    let id = catalog.draw_segment(1).await.expect("drawn");
    catalog.list_segment(id, 2).await.expect("listed");
    catalog.seal_segment(id, 100, rows, 3).await.expect("sealed");
    id
}

/// The ledger's history changes with a swap or not at all, and is read by hour.
async fn conforms_ledger(catalog: &Catalog) {
    let acme = tenant("acme");
    let read = async |first, last| {
        let mut history = catalog.ledger(&acme, Hour(first), Hour(last)).await.expect("read");
        let mut found = Vec::new();
        loop {
            let page = history.next().await.expect("read");
            if page.is_empty() {
                break;
            }
            found.extend(page.into_iter().map(|(hour, content)| (hour.0, content)));
        }
        assert_eq!(history.is_whole, found.len() != 8, "until something is forgotten");
        (history.since, history.segments.len(), found)
    };
    let begun = read(-100, 100).await;
    assert!(begun.0 > 0 && begun.2.is_empty(), "{begun:?}");
    let epoch = catalog.acquire_lease(LEASE, "ledger").await.expect("taken");
    let segment = sealed_segment(catalog, 3).await;
    let hours = |content: &str| {
        let hour = |hour| LedgerHour { tenant: acme.clone(), hour: Hour(hour), content: content.to_owned() };
        let of_other = LedgerHour { tenant: tenant("other"), ..hour(5) };
        (-10..10).map(hour).chain([of_other]).collect::<Vec<_>>()
    };
    let consuming = Swap { consume: vec![segment], ledger: hours("a"), ..swap(epoch, 100) };
    catalog.swap(&consuming).await.expect("swapped");
    let again = Swap { ledger: hours("b"), ..consuming.clone() };
    assert!(matches!(catalog.swap(&again).await, Err(CatalogError::InputGone(_))));
    let (since, segments, found) = read(-3, 7).await;
    assert_eq!((since, segments), (begun.0, begun.1));
    assert_eq!(found, (-3..=7).map(|hour| (hour, "a".to_owned())).collect::<Vec<_>>());
    assert_eq!(read(-100, 100).await.2.len(), 20);
    assert_eq!(catalog.ledger_hour(&acme, Hour(9)).await.expect("read").as_deref(), Some("a"));
    assert_eq!(catalog.ledger_hour(&acme, Hour(10)).await.expect("read"), None);
    let sequence = catalog.sequence().await.expect("read");
    catalog.forget_ledger(Hour(-10)).await.expect("nothing to forget");
    assert_eq!(catalog.sequence().await.expect("read"), sequence, "nothing was written");
    catalog.forget_ledger(Hour(2)).await.expect("forgotten");
    let (since, _, found) = read(-100, 100).await;
    assert_eq!((since, found.len()), (Hour(2).start_unix_nano(), 8));
}

/// Segments go through their life in order and in no other.
async fn conforms_segments(catalog: &Catalog) {
    let a = catalog.draw_segment(1).await.expect("drawn");
    let b = catalog.draw_segment(1).await.expect("drawn");
    assert!(a < b, "numbers grow");
    assert!(catalog.segments().await.expect("read").is_empty(), "drawn is not listed");
    assert!(matches!(catalog.seal_segment(a, 5, 1, 3).await, Err(CatalogError::UnknownSegment(_))));
    catalog.list_segment(a, 10).await.expect("listed");
    catalog.list_segment(b, 11).await.expect("listed");
    let sealed = catalog.seal_segment(a, 500, 7, 20).await.expect("sealed");
    let live = catalog.segments().await.expect("read");
    assert_eq!(live.len(), 2);
    assert_eq!((live[0].state, live[0].length, live[0].rows), (SegmentState::Sealed, 500, 7));
    assert_eq!((live[0].created_at, live[0].sealed_at, live[0].sealed_sequence), (10, Some(20), Some(sealed)));
    assert_eq!((live[1].state, live[1].sealed_at), (SegmentState::Listed, None));
    catalog.seal_segment(a, 500, 7, 21).await.expect("sealing again at the same length is fine");
    assert!(matches!(catalog.seal_segment(a, 501, 7, 21).await, Err(CatalogError::UnknownSegment(_))));

    // A segment with rows is never dropped, an empty one is.
    assert!(matches!(catalog.drop_segment(a).await, Err(CatalogError::UnknownSegment(_))));
    catalog.drop_segment(b).await.expect("empty");

    // A copy takes the place of its original in one step.
    let copy = catalog.draw_segment(1).await.expect("drawn");
    let before = catalog.sequence().await.expect("read");
    let replaced = catalog.replace_segment(a, copy, 400, 6, 30).await.expect("replaced");
    assert_eq!(replaced.0, before.0 + 1);
    let live = catalog.segments().await.expect("read");
    assert_eq!(live.iter().map(|segment| segment.id).collect::<Vec<_>>(), [copy]);
    assert_eq!(catalog.replaced_segments(31).await.expect("read"), [a]);
    assert_eq!(catalog.replaced_segments(30).await.expect("read"), []);
    assert_eq!(catalog.consumed_segments(i64::MAX).await.expect("read"), []);
    assert!(matches!(catalog.replace_segment(a, copy, 1, 1, 1).await, Err(CatalogError::UnknownSegment(_))));
    catalog.forget_segments(&[a, copy]).await.expect("forgotten");
    assert_eq!(catalog.known_segments().await.expect("read"), [copy], "a live segment is not forgotten");
}

/// A swap moves rows at one number, whole or not at all, and a reader's copy does not change under it.
async fn conforms_swaps(catalog: &Catalog) {
    let owner = tenant("a");
    let segment = sealed_segment(catalog, 9).await;
    let damaged = sealed_segment(catalog, 9).await;
    let epoch = catalog.acquire_lease(LEASE, "one").await.expect("acquired");
    let first = catalog.draw_file_ids(3).await.expect("drawn");
    assert_eq!(catalog.draw_file_ids(1).await.expect("drawn").0, first.0 + 3);

    let before = catalog.snapshot(&owner).await.expect("read");
    let mut flush = swap(epoch, 0);
    flush.add = vec![file(first, &owner, 9), file(FileId(first.0 + 1), &tenant("b"), 4)];
    flush.consume = vec![segment, damaged];
    flush.quarantine = vec![(damaged, "commit 3 is damaged".into())];
    let sequence = catalog.swap(&flush).await.expect("committed");
    let after = catalog.snapshot(&owner).await.expect("read");
    assert!(before.sequence < sequence && after.sequence == sequence);
    assert!(before.files.is_empty() && before.segments.iter().any(|live| live.id == segment));
    assert_eq!(after.files, [file(first, &owner, 9)], "of this tenant alone (I8)");
    assert!(after.segments.iter().all(|live| live.id != segment && live.id != damaged));
    assert_eq!(catalog.live_files().await.expect("read").len(), 2);
    assert_eq!(catalog.consumed_segments(i64::MAX).await.expect("read"), [segment, damaged]);
    let retired = catalog.retired_segments(i64::MAX).await.expect("read");
    assert!(retired.contains(&segment) && !retired.contains(&damaged), "quarantined is not for the reaper");
    let quarantined = catalog.quarantined_segments().await.expect("read");
    assert_eq!((quarantined[0].id, quarantined[0].reason.as_str()), (damaged, "commit 3 is damaged"));
    catalog.forget_segments(&[damaged]).await.expect("ran");
    assert_eq!(catalog.quarantined_segments().await.expect("read").len(), 1, "quarantined stays");
    assert!(catalog.is_swap_committed(epoch, 0).await.expect("read"));
    assert!(!catalog.is_swap_committed(epoch, 1).await.expect("read"));
    assert_eq!(catalog.last_swap().await.expect("read").map(|id| id.counter), Some(0));

    // An input that is gone stops the whole swap.
    let after = catalog.snapshot(&owner).await.expect("read");
    let mut again = swap(epoch, 1);
    again.add = vec![file(FileId(first.0 + 2), &owner, 9)];
    again.consume = vec![segment];
    assert!(matches!(catalog.swap(&again).await, Err(CatalogError::InputGone(_))));
    assert_eq!(catalog.snapshot(&owner).await.expect("read"), after, "nothing of it happened");

    // Files replace files; the old ones wait for the reaper.
    again.consume.clear();
    again.remove = vec![first];
    catalog.swap(&again).await.expect("committed");
    assert_eq!(catalog.removed_files(1_001).await.expect("read"), [(first, after.files[0].partition.clone())]);
    assert_eq!(catalog.removed_files(1_000).await.expect("read"), []);
    catalog.forget_files(&[first, FileId(first.0 + 2)]).await.expect("forgotten");
    let known = catalog.known_files().await.expect("read");
    assert_eq!(known, [FileId(first.0 + 1), FileId(first.0 + 2)], "a live file is not forgotten");
}

/// Swaps are forgotten one by one, but never the last.
async fn conforms_forgetting(catalog: &Catalog) {
    let swaps = catalog.committed_swaps().await.expect("read");
    let last = *swaps.last().expect("some");
    let first = *swaps.first().expect("some");
    assert!(swaps.len() > 1);
    catalog.forget_swaps(&[first, last]).await.expect("forgotten");
    let left = catalog.committed_swaps().await.expect("read");
    assert!(left.len() + 1 == swaps.len() && !left.contains(&first) && left.contains(&last));
    assert!(catalog.is_swap_committed(last.epoch, last.counter).await.expect("read"));
    assert!(!catalog.is_swap_committed(first.epoch, first.counter).await.expect("read"));
}

/// Whoever lost the lease cannot swap any more.
async fn conforms_fencing(catalog: &Catalog) {
    let old = catalog.acquire_lease(LEASE, "old").await.expect("acquired");
    let segment = sealed_segment(catalog, 1).await;
    let new = catalog.acquire_lease(LEASE, "new").await.expect("acquired");
    assert!(new > old);
    let mut late = swap(old, 0);
    late.consume = vec![segment];
    assert!(matches!(catalog.swap(&late).await, Err(CatalogError::Fenced { .. })));
    late.epoch = new;
    catalog.swap(&late).await.expect("the new owner may");
}

/// Of many concurrent swaps over the same inputs exactly one wins each, and no snapshot shows half of one.
async fn conforms_concurrency(catalog: &Catalog, other: &Catalog) {
    let owner = tenant("c");
    let epoch = catalog.acquire_lease(LEASE, "one").await.expect("acquired");
    let mut segments = Vec::new();
    for _ in 0..8 {
        segments.push(sealed_segment(catalog, 1).await);
    }
    let first = catalog.draw_file_ids(16).await.expect("drawn");
    let watched: BTreeSet<SegmentId> = segments.iter().copied().collect();
    let reader = {
        let (catalog, owner) = (other.clone(), owner.clone());
        tokio::spawn(async move {
            let mut sequence = None;
            for _ in 0..200 {
                let snapshot = catalog.snapshot(&owner).await.expect("read");
                let live = snapshot.segments.iter().filter(|segment| watched.contains(&segment.id)).count();
                assert_eq!(live + snapshot.files.len(), watched.len(), "each row is in one place (I2)");
                assert!(sequence <= Some(snapshot.sequence));
                sequence = Some(snapshot.sequence);
            }
        })
    };
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..16_u64 {
        let catalog = if number % 2 == 0 { catalog.clone() } else { other.clone() };
        let mut one = swap(epoch, 100 + number);
        one.consume = vec![segments[(number / 2) as usize]];
        one.add = vec![file(FileId(first.0 + number), &owner, 1)];
        tasks.spawn(async move { catalog.swap(&one).await });
    }
    let (mut committed, mut refused) = (BTreeSet::new(), 0);
    while let Some(done) = tasks.join_next().await {
        match done.expect("no panic") {
            Ok(sequence) => assert!(committed.insert(sequence), "numbers are unique"),
            Err(CatalogError::InputGone(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((committed.len(), refused), (8, 8));
    reader.await.expect("no panic");
}

/// A flush request passes from asker to ingest to compact and back.
async fn conforms_flush_requests(catalog: &Catalog) {
    assert_eq!(catalog.pending_flush().await.expect("read"), None);
    assert_eq!(catalog.flush_to_seal().await.expect("read"), None);
    let segment = catalog.draw_segment(1).await.expect("drawn");
    let first = catalog.request_flush(5).await.expect("asked");
    let second = catalog.request_flush(6).await.expect("asked");
    assert!(first < second);
    assert_eq!(catalog.flush_to_seal().await.expect("read"), Some(second));
    let sequence = catalog.flush_sealed(second).await.expect("said");
    assert_eq!(catalog.flush_to_seal().await.expect("read"), None);
    let pending = catalog.pending_flush().await.expect("read").expect("two are unfinished");
    assert_eq!((pending.id, pending.requested_at, pending.sealed_sequence), (second, 6, Some(sequence)));
    assert!(segment < pending.segment_end);
    let third = catalog.request_flush(7).await.expect("asked");
    catalog.finish_flush(second).await.expect("finished");
    assert!(catalog.flush_done(first).await.expect("read") && catalog.flush_done(second).await.expect("read"));
    assert!(!catalog.flush_done(third).await.expect("read"));
    catalog.finish_flush(third).await.expect("finished");
    assert_eq!(catalog.pending_flush().await.expect("read"), None);
}

#[tokio::test]
async fn sqlite_conforms() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (catalog, other) = (fresh(folder.path()).await, fresh(folder.path()).await);
    conforms_segments(&catalog).await;
    conforms_swaps(&catalog).await;
    conforms_fencing(&catalog).await;
    conforms_forgetting(&catalog).await;
    conforms_flush_requests(&catalog).await;
    conforms_concurrency(&catalog, &other).await;
    catalog.set_setting("greeting", "hello").await.expect("set");
    catalog.set_setting("greeting", "again").await.expect("set");
    assert_eq!(other.setting("greeting").await.expect("read").as_deref(), Some("again"));
    assert_eq!(other.setting("none").await.expect("read"), None);

    // What was committed is there after everybody has left.
    let sequence = catalog.sequence().await.expect("read");
    catalog.close().await;
    other.close().await;
    assert_eq!(fresh(folder.path()).await.sequence().await.expect("read"), sequence);
}

#[tokio::test]
async fn a_rebuilt_catalog_holds_what_it_was_given_and_goes_on_from_there() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let owner = tenant("a");
    let segment = |id, state| RebuiltSegment { id: SegmentId(id), state, created_at: 4 };
    let rebuilt = Rebuilt {
        files: vec![file(FileId(5), &owner, 9)],
        removed: vec![file(FileId(4), &owner, 3)],
        segments: vec![
            segment(1, RebuiltState::Replaced),
            segment(2, RebuiltState::Consumed { quarantine: None }),
            segment(3, RebuiltState::Consumed { quarantine: Some("torn".into()) }),
            segment(4, RebuiltState::Sealed { length: 100, rows: 7 }),
            segment(5, RebuiltState::Listed),
        ],
        swaps: vec![SwapId { epoch: LeaseEpoch(6), counter: 2 }],
        lease_name: LEASE.into(),
        lease_epoch: LeaseEpoch(6),
        segment_next: SegmentId(8),
        file_next: FileId(9),
        now: 50,
    };
    let path = folder.path().join("catalog.sqlite");
    Catalog::create_rebuilt(&path, &rebuilt).await.expect("made");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("lists").map(|entry| entry.expect("one")).collect();
    assert_eq!(left.len(), 1, "one file, without a log beside it: {left:?}");

    let catalog = Catalog::open(&path).await.expect("opens");
    let snapshot = catalog.snapshot(&owner).await.expect("read");
    assert_eq!(snapshot.files, rebuilt.files);
    let live: Vec<_> = snapshot.segments.iter().map(|live| (live.id.0, live.state, live.length, live.rows)).collect();
    assert_eq!(live, [(4, SegmentState::Sealed, 100, 7), (5, SegmentState::Listed, 0, 0)]);
    assert!(snapshot.segments[0].sealed_sequence.is_some_and(|sealed| sealed <= snapshot.sequence));
    assert_eq!(catalog.removed_files(51).await.expect("read"), [(FileId(4), rebuilt.removed[0].partition.clone())]);
    assert_eq!(catalog.removed_files(50).await.expect("read"), []);
    assert_eq!(catalog.consumed_segments(51).await.expect("read"), [SegmentId(2), SegmentId(3)]);
    assert_eq!(catalog.replaced_segments(51).await.expect("read"), [SegmentId(1)]);
    assert_eq!(catalog.quarantined_segments().await.expect("read").len(), 1);
    assert_eq!(catalog.draw_segment(1).await.expect("drawn"), SegmentId(8));
    assert_eq!(catalog.draw_file_ids(1).await.expect("drawn"), FileId(9));
    assert_eq!(catalog.acquire_lease(LEASE, "next").await.expect("acquired"), LeaseEpoch(7));
    assert!(catalog.is_swap_committed(LeaseEpoch(6), 2).await.expect("read"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_open_a_new_catalog_at_once() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let path = folder.path().join("catalog.sqlite");
        tasks.spawn(async move { Catalog::open(&path).await.map(|_| ()) });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no panic").expect("opens");
    }
}

#[tokio::test]
async fn other_contents_are_refused_with_a_sentence() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("catalog.sqlite");
    let catalog = fresh(folder.path()).await;
    let mut write = catalog.begin_write().await.expect("begun");
    write.run(sqlx::query("UPDATE format SET version = 9")).await.expect("ran");
    write.commit().await.expect("committed");
    catalog.close().await;
    let error = Catalog::open(&path).await.expect_err("newer");
    assert!(matches!(error, CatalogError::NewerFormat { found: 9, known: 1, .. }));
    assert!(error.to_string().ends_with("start the newer version again"), "{error}");

    let garbage = folder.path().join("garbage.sqlite");
    std::fs::write(&garbage, vec![b'x'; 8192]).expect("written");
    assert!(matches!(Catalog::open(&garbage).await, Err(CatalogError::Corrupt { .. })));
    let missing = folder.path().join("none/catalog.sqlite");
    assert!(matches!(Catalog::open(&missing).await, Err(CatalogError::Unavailable { .. })));
}

#[tokio::test]
async fn the_ledger_conforms_and_is_added_to_older_catalogs() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let catalog = fresh(folder.path()).await;
    conforms_ledger(&catalog).await;
    let mut write = catalog.begin_write().await.expect("begun");
    write.run(sqlx::query("DROP TABLE ledger")).await.expect("ran");
    write.run(sqlx::query("DELETE FROM settings")).await.expect("ran");
    write.commit().await.expect("committed");
    catalog.close().await;
    let catalog = fresh(folder.path()).await;
    let mut history = catalog.ledger(&tenant("acme"), Hour(-100), Hour(100)).await.expect("read");
    assert!(history.since > 0 && !history.is_whole && history.next().await.expect("read").is_empty());
}
