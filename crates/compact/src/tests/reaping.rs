//! What is deleted, and what never is.

use catalog::Swap;
use fastrand::Rng;
use store::{Name, Sidecar};

use super::fixture::Fixture;
use crate::LEASE;

#[test]
fn consumed_segments_go_after_their_grace() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixture = Fixture::open(folder.path());
    let expected = fixture.fill(&mut Rng::with_seed(30), 2, 2);
    let sealed = fixture.block_on(fixture.catalog.segments()).expect("read")[0].id;
    let mut compactor = fixture.compact();
    let path = fixture.layout.segment_path(sealed);
    let now = fixture.catalog.now();
    let grace = Fixture::limits().grace.as_nanos() as i64;
    fixture.block_on(compactor.reap(now + grace / 2)).expect("reaps");
    assert!(path.exists());
    fixture.block_on(compactor.reap(now + grace)).expect("reaps");
    assert!(!path.exists());
    assert_eq!(fixture.block_on(fixture.catalog.consumed_segments(i64::MAX)).expect("read"), []);
    assert_eq!(compactor.status().read().reaped, 1);
    assert_eq!(fixture.live_rows(), expected);
}

#[test]
fn removed_files_become_dead_and_go_after_their_grace() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixture = Fixture::open(folder.path());
    fixture.fill(&mut Rng::with_seed(31), 2, 2);
    fixture.compact();
    let gone = fixture.live_files()[0].clone();
    let layout = &fixture.layout;
    let epoch = fixture.block_on(fixture.catalog.acquire_lease(LEASE, "test")).expect("acquired");
    let swap = Swap {
        lease_name: LEASE.into(),
        epoch,
        counter: 0,
        add: vec![],
        remove: vec![gone.id],
        consume: vec![],
        quarantine: vec![],
        ledger: vec![],
        now: fixture.catalog.now(),
    };
    let manifest = crate::Manifest::of(&swap, std::slice::from_ref(&gone));
    crate::swap::write_manifest(layout, &manifest).expect("written");
    fixture.block_on(fixture.catalog.swap(&swap)).expect("committed");
    let path = |name| layout.files_path(&gone.partition, gone.id, name);
    assert!(path(Name::Live).exists());
    let mut compactor = fixture.compact();
    assert!(!path(Name::Live).exists() && path(Name::Dead).exists(), "the next start finished step 4");
    fixture.block_on(compactor.reap(i64::MAX)).expect("reaps");
    assert!(!path(Name::Dead).exists());
    assert!(Sidecar::ALL.iter().all(|sidecar| !layout.sidecar_path(&gone.partition, gone.id, *sidecar).exists()));
    assert_eq!(fixture.block_on(fixture.catalog.removed_files(i64::MAX)).expect("read"), []);
}

#[test]
fn what_has_outlived_its_retention_goes_by_a_swap() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixture = Fixture::open(folder.path());
    fixture.fill(&mut Rng::with_seed(34), 3, 1);
    let mut compactor = fixture.compact();
    let before = fixture.live_files();
    let keep = Fixture::limits().keep.logs.as_nanos() as i64;
    let newest = |file: &catalog::LiveFile| file.max_time.min(file.partition.hour.end_unix_nano() - 1);
    // By then the files of the first hour of the last two are too old, and those long before them.
    let oldest_kept = before.iter().map(newest).max().expect("files") - model::Hour::NANOS;
    let expired = fixture.block_on(compactor.expire(oldest_kept.saturating_add(keep))).expect("expires");
    let left = fixture.live_files();
    assert!(expired > 0 && !left.is_empty());
    assert_eq!(left.len(), before.len() - expired);
    assert!(left.iter().all(|file| newest(file) >= oldest_kept), "what is within retention stays");
    assert!(before.iter().filter(|file| !left.contains(file)).all(|file| newest(file) < oldest_kept));
    assert_eq!(fixture.names("dead").len(), expired);
    assert_eq!(compactor.status().read().files_expired, expired as u64);
    // After the grace files, sidecars and empty folders are gone, and a start misses nothing.
    fixture.block_on(compactor.reap(i64::MAX)).expect("reaps");
    assert!(fixture.names("dead").is_empty());
    let folders = |file: &catalog::LiveFile| fixture.layout.partition_folder(&file.partition);
    let kept: Vec<_> = left.iter().map(folders).collect();
    assert!(before.iter().map(folders).all(|folder| folder.exists() == kept.contains(&folder)));
    fixture.compact();
    assert_eq!(fixture.live_files(), left);
}

#[test]
fn only_what_cannot_be_committed_is_an_orphan() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixture = Fixture::open(folder.path());
    let expected = fixture.fill(&mut Rng::with_seed(32), 2, 2);
    fixture.compact();
    let partition = &fixture.live_files()[0].partition.clone();
    let place = fixture.layout.partition_folder(partition);
    let check = |name: &str, stays: bool| {
        let path = place.join(name);
        std::fs::write(&path, b"x").expect("written");
        let compactor = fixture.compact();
        assert_eq!(path.exists(), stays, "{name}");
        let strange = compactor.status().read().strange_files;
        assert_eq!(strange.iter().any(|found| found.ends_with(name)), stays && name.contains("ffff"), "{name}");
        let _ = std::fs::remove_file(&path);
    };
    check("000000000000ffff.new", false);
    check("000000000000ffff.tix", false);
    check("000000000000ffff.blm", false);
    check(".000000000000ffff.tix.12-3.tmp", false);
    check("000000000000ffff.parquet", true);
    check("000000000000ffff.dead", true);
    check("notes.txt", true);
    assert_eq!(fixture.live_rows(), expected);
}

#[test]
fn a_segment_file_that_nobody_knows_is_deleted_only_if_it_holds_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixture = Fixture::open(folder.path());
    fixture.fill(&mut Rng::with_seed(33), 3, 2);
    let live = fixture.block_on(fixture.catalog.segments()).expect("read");
    let full = fixture.layout.segment_path(live[0].id);
    let layout = &fixture.layout;
    let names = vec![full.file_name().expect("a name").to_string_lossy().into_owned()];
    let none = std::collections::HashSet::new();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    let file = std::fs::File::options().write(true).open(&full).expect("opens");
    let hour = std::time::Duration::from_secs(3600);
    let young = crate::reap::delete_orphan_segments(layout, &names, &none, hour).expect("looks");
    assert_eq!(young, crate::reap::Orphans::default());
    file.set_modified(old).expect("set");
    let found = crate::reap::delete_orphan_segments(layout, &names, &none, hour).expect("looks");
    assert_eq!((found.deleted, found.strange.len()), (0, 1));
    assert!(full.exists());
}
