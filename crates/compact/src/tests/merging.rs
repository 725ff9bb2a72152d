//! Merges: every row is there, once, in order; final files stay; and a merge can be stopped, refused and interrupted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{TimestampNanosecondType, UInt64Type};
use catalog::LiveFile;
use fastrand::Rng;
use model::{FileId, Partition, Table};
use store::Name;
use tokio_util::sync::CancellationToken;

use super::crash::{compact_in_child, rows_of_glob};
use super::fixture::{Fixture, NOW};
use super::flushing::{check_hour_and_order, check_sidecars};
use super::rows::Multiset;
use crate::CompactLimits;

/// Many flushes of one commit each, into the same hours; nothing merged yet.
fn flushed(root: &Path, seed: u64, commits: usize) -> (Fixture, Multiset) {
    let fixture = Fixture::open(root);
    let expected = fixture.fill(&mut Rng::with_seed(seed), commits, 1);
    let one_by_one = CompactLimits { flush_segments_max: 1, ..Fixture::limits() };
    fixture.compact_with(one_by_one);
    (fixture, expected)
}

fn by_partition(fixture: &Fixture) -> BTreeMap<Partition, Vec<LiveFile>> {
    let mut partitions: BTreeMap<Partition, Vec<LiveFile>> = BTreeMap::new();
    for file in fixture.live_files() {
        partitions.entry(file.partition.clone()).or_default().push(file);
    }
    partitions
}

fn whole(fixture: &Fixture, file: &LiveFile) -> RecordBatch {
    let batches = fixture.read(file);
    concat_batches(&batches[0].schema(), &batches).expect("one schema")
}

#[test]
fn a_merge_keeps_every_row_sorts_and_indexes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (fixture, expected) = flushed(folder.path(), 40, 12);
    let before = fixture.live_files().len();
    let compactor = fixture.compact_with(Fixture::merging_limits());
    assert_eq!(fixture.live_rows(), expected);
    let partitions = by_partition(&fixture);
    assert!(partitions.len() * 3 < before, "{before} files in {} partitions", partitions.len());
    for (partition, files) in &partitions {
        assert_eq!(files.len(), 1, "{partition}");
        let batch = whole(&fixture, &files[0]);
        assert_eq!(files[0].rows as usize, batch.num_rows());
        check_hour_and_order(&files[0], &batch);
        check_sidecars(&fixture, &files[0], &batch);
    }
    assert!(fixture.names("new").is_empty());
    assert_eq!(fixture.names("parquet").len(), partitions.len());
    let status = compactor.status().read();
    assert!(status.merges > 0 && status.files_merged as usize >= before - partitions.len());
    assert!(status.rows_merged <= status.rows_flushed.max(fixture.live_files().iter().map(|file| file.rows).sum()));
    assert_eq!(status.hours_waiting, 0);
}

#[test]
fn series_are_kept_once_with_their_earliest_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let (fixture, _) = flushed(folder.path(), 41, 8);
    let series = |fixture: &Fixture| -> BTreeMap<(Partition, u64), Vec<i64>> {
        let mut found: BTreeMap<(Partition, u64), Vec<i64>> = BTreeMap::new();
        for file in fixture.live_files().iter().filter(|file| file.partition.table == Table::Series) {
            let batch = whole(fixture, file);
            let ids = batch.column_by_name("series_id").expect("required").as_primitive::<UInt64Type>();
            let times = batch.column_by_name("time").expect("required").as_primitive::<TimestampNanosecondType>();
            for (id, time) in ids.values().iter().zip(times.values()) {
                found.entry((file.partition.clone(), *id)).or_default().push(*time);
            }
        }
        found
    };
    let before = series(&fixture);
    fixture.compact_with(Fixture::merging_limits());
    let after = series(&fixture);
    assert!(before.values().any(|times| times.len() > 1));
    let earliest: BTreeMap<_, _> =
        before.into_iter().map(|(key, times)| (key, vec![times.into_iter().min().expect("one")])).collect();
    assert_eq!(after, earliest);
}

#[test]
fn final_files_are_never_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let (fixture, expected) = flushed(folder.path(), 42, 10);
    let limits = CompactLimits { final_rows: 200, ..Fixture::merging_limits() };
    let finals = |fixture: &Fixture| -> BTreeSet<FileId> {
        fixture.live_files().iter().filter(|file| file.rows >= 200).map(|file| file.id).collect()
    };
    let before = finals(&fixture);
    assert!(before.len() > 3, "some flushes made final files");
    fixture.compact_with(limits.clone());
    assert!(finals(&fixture).is_superset(&before));
    assert_eq!(fixture.live_rows(), expected);
    let left = crate::merge_plan::plan(
        &fixture.live_files(),
        crate::merge_plan::Closing::All,
        &BTreeSet::new(),
        &BTreeMap::new(),
        &limits,
    );
    assert!(left.merges.is_empty(), "{left:?}");
}

#[test]
fn a_file_that_cannot_be_read_or_is_too_large_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let (fixture, _) = flushed(folder.path(), 43, 6);
    let (_, files) = by_partition(&fixture).into_iter().max_by_key(|(_, files)| files.len()).expect("files");
    let damaged = files[1].clone();
    let path = fixture.layout.files_path(&damaged.partition, damaged.id, Name::Live);
    std::fs::write(&path, b"no Parquet").expect("written");
    let compactor = fixture.compact_with(Fixture::merging_limits());
    let left: Vec<FileId> = by_partition(&fixture)[&damaged.partition].iter().map(|file| file.id).collect();
    assert!(left.len() == 2 && left.contains(&damaged.id), "{left:?}");
    assert!(path.exists(), "it stays where it is");
    assert!(compactor.status().read().last_error.is_none());

    let folder = tempfile::tempdir().expect("a folder");
    let (fixture, expected) = flushed(folder.path(), 44, 4);
    let before = fixture.live_files();
    fixture.compact_with(CompactLimits { merge_bytes_max: 1, ..Fixture::merging_limits() });
    assert_eq!(fixture.live_files(), before, "the plan counts bytes on disk");
    let limits = CompactLimits { merge_bytes_max: 60_000, ..Fixture::merging_limits() };
    let compactor = fixture.compact_with(limits);
    assert_eq!(fixture.live_rows(), expected);
    assert!(compactor.status().read().merges > 0, "smaller ones are merged");
    assert!(by_partition(&fixture).values().any(|files| files.len() > 1), "others take too much once decoded");
}

#[test]
fn merges_wait_while_the_reserve_is_touched_and_a_request_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let (fixture, expected) = flushed(folder.path(), 45, 4);
    let before = fixture.live_files();
    let limits = CompactLimits { disk_reserve_bytes: u64::MAX, ..Fixture::merging_limits() };
    let compactor = fixture.compact_with(limits.clone());
    assert_eq!(fixture.live_files(), before);
    let status = compactor.status().read();
    assert!(status.merges_held && status.hours_waiting > 0);
    let request = fixture.block_on(fixture.catalog.request_flush(NOW)).expect("asked");
    fixture.compact_with(limits);
    assert!(fixture.block_on(fixture.catalog.flush_done(request)).expect("read"));
    assert_eq!(fixture.live_rows(), expected);
}

#[test]
fn a_request_closes_the_hours_of_what_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let (fixture, expected) = flushed(folder.path(), 46, 6);
    let before = fixture.live_files().len();
    let request = fixture.block_on(fixture.catalog.request_flush(NOW)).expect("asked");
    // No hour closes by itself under these limits.
    fixture.compact();
    assert!(fixture.block_on(fixture.catalog.flush_done(request)).expect("read"));
    assert!(by_partition(&fixture).values().all(|files| files.len() == 1));
    assert!(fixture.live_files().len() < before);
    assert_eq!(fixture.live_rows(), expected);
}

#[test]
fn a_merge_that_is_stopped_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let (fixture, expected) = flushed(folder.path(), 47, 4);
    let before = fixture.live_files();
    let mut compactor = fixture.compactor_with(Fixture::merging_limits());
    fixture.block_on(async {
        compactor.start().await.expect("starts");
        let stopped = CancellationToken::new();
        stopped.cancel();
        compactor.stop_by(stopped);
        let request = fixture.catalog.request_flush(NOW).await.expect("asked");
        for _ in 0..5 {
            compactor.pass().await.expect("passes");
        }
        assert!(!fixture.catalog.flush_done(request).await.expect("read"), "the next start goes on with it");
    });
    assert_eq!(fixture.live_files(), before);
    assert!(fixture.names("new").is_empty());
    assert_eq!(fixture.live_rows(), expected);
}

#[test]
fn a_crash_at_any_point_of_a_merge_loses_and_doubles_nothing() {
    let points = [
        "after_output",
        "after_sidecars:2",
        "after_manifest:3",
        "after_catalog_commit",
        "after_dead_rename",
        "after_dead_rename:2",
        "after_rename",
        "after_rename:2",
    ];
    for point in points {
        let folder = tempfile::tempdir().expect("a folder");
        let (fixture, expected) = flushed(folder.path(), 48, 2);
        let before = fixture.names("parquet").len();
        drop(fixture);
        assert!(!compact_in_child(folder.path(), point, true), "{point}: it should die");
        let fixture = Fixture::open(folder.path());
        assert_eq!(fixture.live_rows(), expected, "right after the crash at {point}");
        assert!(rows_of_glob(&fixture) <= expected.values().sum(), "{point}: a glob counts nothing twice");
        drop(fixture);
        assert!(compact_in_child(folder.path(), "", true), "{point}: the next start goes on");
        let fixture = Fixture::open(folder.path());
        assert_eq!(fixture.live_rows(), expected, "after the start that followed {point}");
        assert!(fixture.names("new").is_empty(), "{point}");
        let live = fixture.live_files().len();
        assert!(live < before);
        assert_eq!(fixture.names("parquet").len(), live, "{point}");
    }
}
