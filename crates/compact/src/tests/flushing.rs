//! Flushes: every row is there, once, in order, in its hour, with its sidecars.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{TimestampNanosecondType, UInt64Type};
use catalog::{LiveFile, SegmentState};
use fastrand::Rng;
use model::{Hour, SegmentId, Table, TraceId};
use store::{Sidecar, read_sidecar, read_trace_bloom};
use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, NOW, SECOND};
use crate::CompactError;
use crate::plan::PartitionClamp;

#[test]
fn a_flush_keeps_every_row_sorts_and_indexes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixture = Fixture::open(folder.path());
    let mut random = Rng::with_seed(7);
    let expected = fixture.fill(&mut random, 12, 5);
    assert_eq!(fixture.live_rows(), expected);
    let compactor = fixture.compact();
    assert_eq!(fixture.live_rows(), expected);
    let live = fixture.block_on(fixture.catalog.segments()).expect("read");
    assert!(live.iter().all(|segment| segment.state == SegmentState::Listed), "all sealed ones are consumed");
    assert!(fixture.names("new").is_empty());
    let files = fixture.live_files();
    assert_eq!(fixture.names("parquet").len(), files.len());
    let tables: BTreeSet<Table> = files.iter().map(|file| file.partition.table).collect();
    assert_eq!(tables.len(), Table::ALL.len());
    for file in &files {
        let batches = fixture.read(file);
        let batch = concat_batches(&batches[0].schema(), &batches).expect("one schema");
        assert_eq!(file.rows as usize, batch.num_rows());
        check_hour_and_order(file, &batch);
        check_sidecars(&fixture, file, &batch);
    }
    let status = compactor.status().read();
    assert_eq!((status.flushes, status.segments_waiting), (1, 0));
    assert_eq!(status.rows_flushed, files.iter().map(|file| file.rows).sum::<u64>());
}

/// Every row lies in its hour, by some arrival of the fixture, and rows are in their table's order.
pub(super) fn check_hour_and_order(file: &LiveFile, batch: &RecordBatch) {
    let table = file.partition.table;
    let times = batch.column_by_name(schema::time_column(table)).expect("required");
    let times = times.as_primitive::<TimestampNanosecondType>().values();
    assert_eq!(times.iter().min(), Some(&file.min_time));
    assert_eq!(times.iter().max(), Some(&file.max_time));
    let clamp = PartitionClamp::of(&Fixture::limits());
    let bounds = (clamp.around(NOW).0, clamp.around(NOW + 12 * SECOND).1);
    let partition_time = |row: usize| times[row].clamp(bounds.0, bounds.1);
    for row in 0..times.len() {
        assert_eq!(Hour::of(partition_time(row)), file.partition.hour, "{table} {}", times[row]);
    }
    let bucket = |row: usize| partition_time(row).div_euclid(schema::BUCKET_NANOS);
    let keyword = |name: &str, row: usize| -> Vec<u8> {
        let array = batch.column_by_name(name).expect("required").as_dictionary::<arrow::datatypes::Int32Type>();
        array.values().as_string::<i32>().value(array.key(row).expect("required")).as_bytes().to_vec()
    };
    let id =
        |row: usize| batch.column_by_name("trace_id").expect("required").as_fixed_size_binary().value(row).to_vec();
    let series =
        |row: usize| batch.column_by_name("series_id").expect("required").as_primitive::<UInt64Type>().value(row);
    for row in 1..times.len() {
        let is_sorted = match table {
            Table::Logs => {
                let key = |row| (bucket(row), keyword("service_name", row), times[row]);
                key(row - 1) <= key(row)
            }
            Table::Spans => {
                let key = |row| (bucket(row), id(row), times[row]);
                key(row - 1) <= key(row)
            }
            Table::Series => (keyword("metric", row - 1), series(row - 1)) < (keyword("metric", row), series(row)),
            _ => {
                let key = |row| (keyword("metric", row), series(row), times[row]);
                key(row - 1) <= key(row)
            }
        };
        assert!(is_sorted, "{table} row {row}");
    }
}

pub(super) fn check_sidecars(fixture: &Fixture, file: &LiveFile, batch: &RecordBatch) {
    let table = file.partition.table;
    let index = read_sidecar(&fixture.layout, &file.partition, file.id, Sidecar::TextIndex);
    assert_eq!(index.is_some(), table == Table::Logs);
    if let Some(index) = index {
        let index = text_index::TextIndex::open(index).expect("opens");
        assert_eq!(index.blocks(), batch.num_rows().div_ceil(schema::BLOCK_ROWS));
    }
    let bloom = read_trace_bloom(&fixture.layout, &file.partition, file.id);
    assert_eq!(bloom.is_some(), schema::trace_id_column(table).is_some());
    if let (Some(bloom), Some(ids)) = (bloom, batch.column_by_name("trace_id")) {
        let ids = ids.as_fixed_size_binary();
        for row in (0..ids.len()).filter(|row| ids.is_valid(*row)) {
            let Some(id) = TraceId::from_bytes(ids.value(row)) else { continue };
            assert!(bloom.contains(&id));
            let ranges = bloom.rows_of(&id);
            assert!(ranges.is_none_or(|ranges| ranges.iter().any(|range| range.contains(&row))));
        }
    }
}

#[test]
fn series_rows_follow_their_points_into_every_hour() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixture = Fixture::open(folder.path());
    fixture.fill(&mut Rng::with_seed(8), 6, 6);
    fixture.compact();
    let files = fixture.live_files();
    let ids = |file: &LiveFile| -> BTreeSet<u64> {
        let batches = fixture.read(file);
        let column = |batch: &RecordBatch| batch.column_by_name("series_id").expect("required").clone();
        batches.iter().flat_map(|batch| column(batch).as_primitive::<UInt64Type>().values().to_vec()).collect()
    };
    let mut checked = 0;
    for points in files.iter().filter(|file| matches!(file.partition.table, Table::Points | Table::Summaries)) {
        let beside = files.iter().find(|file| {
            let (a, b) = (&file.partition, &points.partition);
            a.table == Table::Series && a.tenant == b.tenant && a.hour == b.hour
        });
        assert!(ids(beside.expect("an hour with points has series")).is_superset(&ids(points)));
        checked += 1;
    }
    assert!(checked > 3);
}

#[test]
fn a_damaged_commit_costs_itself_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixture = Fixture::open(folder.path());
    let expected = fixture.fill(&mut Rng::with_seed(9), 6, 6);
    let sealed = fixture.block_on(fixture.catalog.segments()).expect("read")[0].clone();
    let path = fixture.layout.segment_path(sealed.id);
    let mut bytes = std::fs::read(&path).expect("reads");
    let middle = sealed.length as usize / 2;
    bytes[middle..middle + 64].fill(0x5a);
    std::fs::write(&path, &bytes).expect("writes");

    let compactor = fixture.compact();
    let live = fixture.live_rows();
    let kept: usize = live.values().sum();
    assert!(live.iter().all(|(row, count)| expected.get(row) >= Some(count)), "nothing was made up");
    assert!(kept < expected.values().sum() && kept > 0);
    let status = compactor.status().read();
    assert_eq!(status.quarantined.len(), 1);
    assert_eq!(status.quarantined[0].0, sealed.id.to_string());
    let reaped = fixture.block_on(async {
        let mut compactor = compactor;
        compactor.reap(i64::MAX).await
    });
    reaped.expect("reaps");
    assert!(path.exists(), "a quarantined file stays where it is");
}

#[test]
fn a_segment_that_cannot_be_read_does_not_hold_up_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixture = Fixture::open(folder.path());
    let expected = fixture.fill(&mut Rng::with_seed(10), 6, 2);
    let first = fixture.block_on(fixture.catalog.segments()).expect("read")[0].id;
    let (path, away) = (fixture.layout.segment_path(first), folder.path().join("away"));
    std::fs::rename(&path, &away).expect("renames");
    let compactor = fixture.compact();
    let sealed: Vec<SegmentId> = waiting(&fixture);
    assert_eq!(sealed, [first]);
    assert_eq!(compactor.status().read().blocked.len(), 1);
    std::fs::rename(&away, &path).expect("renames");
    fixture.compact();
    assert_eq!(fixture.live_rows(), expected);
    assert!(waiting(&fixture).is_empty());
}

fn waiting(fixture: &Fixture) -> Vec<SegmentId> {
    let live = fixture.block_on(fixture.catalog.segments()).expect("read");
    live.iter().filter(|segment| segment.state == SegmentState::Sealed).map(|segment| segment.id).collect()
}

#[test]
fn the_older_of_two_compactors_is_fenced() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixture = Fixture::open(folder.path());
    let expected = fixture.fill(&mut Rng::with_seed(11), 2, 2);
    let (mut old, mut new) = (fixture.compactor(), fixture.compactor());
    fixture.block_on(async {
        old.start().await.expect("starts");
        new.start().await.expect("starts");
        assert!(matches!(old.pass().await, Err(CompactError::Fenced(_))));
    });
    assert_eq!(fixture.manifests(), 0, "it undid what it had prepared");
    assert!(fixture.names("new").is_empty() && fixture.names("tix").is_empty());
    fixture.block_on(async { while new.pass().await.expect("passes") {} });
    assert_eq!(fixture.live_rows(), expected);
}

#[test]
fn a_flush_request_is_answered_once_everything_is_in_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixture = Fixture::open(folder.path());
    let expected = fixture.fill(&mut Rng::with_seed(12), 5, 2);
    let shutdown = CancellationToken::new();
    let compactor = fixture.compactor();
    let stop = shutdown.clone();
    fixture.block_on(async {
        let running = tokio::spawn(compactor.run(stop));
        let request = fixture.catalog.request_flush(NOW).await.expect("asked");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert!(!fixture.catalog.flush_done(request).await.expect("read"), "the last commit is in no sealed segment");
        // What ingest does: seal what holds commits, then say so.
        let asked = fixture.catalog.flush_to_seal().await.expect("read").expect("a request");
        let listed = fixture.catalog.segments().await.expect("read");
        let listed = listed.iter().find(|segment| segment.state == SegmentState::Listed).expect("one is active");
        let length = std::fs::metadata(fixture.layout.segment_path(listed.id)).expect("is there").len();
        let reader = journal::SegmentReader::open(&fixture.layout.segment_path(listed.id)).expect("opens");
        let mut commits = reader.read_from(reader.start(), journal::End::Live).expect("reads");
        assert_eq!(commits.by_ref().count(), 1);
        assert!(commits.offset() <= length);
        fixture.catalog.seal_segment(listed.id, commits.offset(), 1, NOW).await.expect("sealed");
        fixture.catalog.flush_sealed(asked).await.expect("said");
        while !fixture.catalog.flush_done(request).await.expect("read") {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        shutdown.cancel();
        running.await.expect("no panic").expect("ends well");
    });
    assert!(fixture.block_on(fixture.catalog.segments()).expect("read").iter().all(|segment| segment.length == 0));
    assert_eq!(fixture.live_rows(), expected);
}
