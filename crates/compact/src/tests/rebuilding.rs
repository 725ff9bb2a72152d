//! The catalog is deleted, at any moment, and made anew: the same rows are live, once.

use std::path::Path;

use fastrand::Rng;
use model::SegmentId;
use store::{Name, fault, put_durable};

use super::crash::{compact_in_child, rows_of_glob};
use super::fixture::{Fixture, NOW, SECOND};
use super::rows::Multiset;
use crate::rebuild_catalog;

/// Deletes the catalog of a folder nobody has open, makes it anew, and opens the folder again.
fn lose_and_rebuild(root: &Path) -> (Fixture, Vec<String>) {
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(root.join(format!("catalog.sqlite{suffix}")));
    }
    let layout = store::open_data_folder_to_rebuild(root).expect("opens");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let report = runtime.block_on(rebuild_catalog(&layout, NOW)).expect("rebuilds");
    assert!(!report.done.is_empty());
    (Fixture::open(root), report.warnings)
}

fn filled(root: &Path, seed: u64, commits: usize, per_segment: usize) -> Multiset {
    Fixture::open(root).fill(&mut Rng::with_seed(seed), commits, per_segment)
}

#[test]
fn whatever_was_in_journal_and_files_is_there_again() {
    for is_merged in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let expected = filled(folder.path(), 60, 5, 2);
        let fixture = Fixture::open(folder.path());
        let limits = if is_merged { Fixture::merging_limits() } else { Fixture::limits() };
        fixture.compact_with(limits.clone());
        let (files, next) = (fixture.live_files(), fixture.block_on(fixture.catalog.draw_file_ids(1)).expect("drawn"));
        assert_eq!(fixture.live_rows(), expected);
        drop(fixture);

        let (fixture, warnings) = lose_and_rebuild(folder.path());
        assert_eq!(warnings, [""; 0]);
        assert_eq!(fixture.live_files(), files);
        assert_eq!(fixture.live_rows(), expected, "the last segment was never sealed");
        let drawn = fixture.block_on(fixture.catalog.draw_file_ids(1)).expect("drawn");
        let highest = files.iter().map(|file| file.id).max().expect("files");
        assert!(drawn > highest && drawn <= next);
        // Ingest seals what was open, and everything goes on; retired things go after their grace.
        drop(fixture.journal());
        let mut compactor = fixture.compact_with(limits);
        assert_eq!(fixture.live_rows(), expected);
        assert!(compactor.status().read().strange_files.is_empty());
        fixture.block_on(compactor.reap(i64::MAX)).expect("reaps");
        assert!(fixture.names("dead").is_empty());
        let more = fixture.fill(&mut Rng::with_seed(61), 1, 1);
        let sum = expected.values().sum::<usize>() + more.values().sum::<usize>();
        assert_eq!(fixture.live_rows().values().sum::<usize>(), sum);
    }
}

#[test]
fn a_catalog_lost_at_any_point_of_a_swap_comes_back_with_every_row_once() {
    let points = [
        ("after_output", false),
        ("after_manifest", false),
        ("after_catalog_commit", false),
        ("after_rename:3", false),
        ("after_manifest", true),
        ("after_catalog_commit", true),
        ("after_dead_rename", true),
        ("after_dead_rename:3", true),
        ("after_rename", true),
    ];
    for (point, is_merge) in points {
        let folder = tempfile::tempdir().expect("a folder");
        let expected = filled(folder.path(), 62, 3, 1);
        if is_merge {
            // Files of two flushes in every hour.
            let one_by_one = crate::CompactLimits { flush_segments_max: 2, ..Fixture::limits() };
            Fixture::open(folder.path()).compact_with(one_by_one);
        }
        assert!(!compact_in_child(folder.path(), point, is_merge), "{point}: it should die");
        let (fixture, warnings) = lose_and_rebuild(folder.path());
        assert_eq!(warnings, [""; 0], "{point}");
        assert_eq!(fixture.live_rows(), expected, "{point} {is_merge}");
        assert!(rows_of_glob(&fixture) <= expected.values().sum(), "{point}: a glob counts nothing twice");
        assert_eq!(fixture.names("parquet").len(), fixture.live_files().len(), "{point}: names are finished");
        drop(fixture.journal());
        fixture.compact_with(Fixture::merging_limits());
        assert_eq!(fixture.live_rows(), expected, "{point} {is_merge}: compaction goes on");
        assert!(fixture.names("new").is_empty());
    }
}

#[test]
fn after_manifests_were_pruned_nothing_is_missed() {
    let folder = tempfile::tempdir().expect("a folder");
    let expected = filled(folder.path(), 63, 6, 1);
    let fixture = Fixture::open(folder.path());
    fixture.compact_with(crate::CompactLimits { flush_segments_max: 1, ..Fixture::limits() });
    let mut compactor = fixture.compact_with(Fixture::merging_limits());
    let before = fixture.manifests();
    fixture.block_on(async {
        compactor.prune().await.expect("prunes");
        assert_eq!(fixture.manifests(), before, "segments and dead files are still there");
        compactor.reap(i64::MAX).await.expect("reaps");
        compactor.prune().await.expect("prunes");
    });
    let live = fixture.live_files();
    assert!(fixture.manifests() < before && fixture.manifests() > 0, "{} of {before}", fixture.manifests());
    let swaps = fixture.block_on(fixture.catalog.committed_swaps()).expect("read").len();
    assert_eq!(swaps, fixture.manifests());
    // A start finds nothing to undo.
    fixture.compact();
    assert_eq!(fixture.live_files(), live);
    drop(fixture);
    let (fixture, warnings) = lose_and_rebuild(folder.path());
    assert_eq!(warnings, [""; 0]);
    assert_eq!((fixture.live_files(), fixture.live_rows()), (live, expected));
}

#[test]
fn what_cannot_come_back_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    filled(folder.path(), 64, 2, 2);
    let fixture = Fixture::open(folder.path());
    fixture.compact();
    let files = fixture.live_files();
    let (gone, damaged) = (files[0].clone(), files[1].clone());
    let path = |file: &catalog::LiveFile| fixture.layout.files_path(&file.partition, file.id, Name::Live);
    std::fs::remove_file(path(&gone)).expect("removed");
    std::fs::write(path(&damaged), b"PAR1").expect("written");
    let notes = fixture.layout.partition_folder(&damaged.partition).join("notes.txt");
    put_durable(&notes, b"x").expect("put");
    put_durable(&fixture.layout.journal_folder().join("notes.txt"), b"x").expect("put");
    drop(fixture);
    let (fixture, warnings) = lose_and_rebuild(folder.path());
    let said = warnings.join("\n");
    assert_eq!(warnings.len(), 4, "{said}");
    assert!(said.contains(&format!("file {} of {} is gone", gone.id, gone.partition)), "{said}");
    assert!(said.contains(&format!("file {} with {} rows is damaged", damaged.id, damaged.rows)), "{said}");
    assert_eq!(fixture.live_files().len(), files.len() - 1, "the damaged one is live, so that answers say so");
}

#[test]
fn a_manifest_that_cannot_be_read_stops_a_rebuild_before_anything_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    filled(folder.path(), 65, 2, 2);
    let fixture = Fixture::open(folder.path());
    fixture.compact();
    let layout = fixture.layout.clone();
    drop(fixture);
    let manifest = std::fs::read_dir(layout.manifests_folder()).expect("lists").next().expect("one").expect("one");
    std::fs::write(manifest.path(), b"{").expect("written");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let refused = runtime.block_on(rebuild_catalog(&layout, NOW)).expect_err("refused");
    assert!(refused.to_string().contains("move it away"), "{refused}");
    assert!(layout.catalog_path().exists() && !layout.catalog_old_path().exists());
}

/// A copy that took the place of its original is live, and the original is not (I12).
#[test]
fn of_an_original_and_its_copy_one_is_live() {
    let folder = tempfile::tempdir().expect("a folder");
    let expected = filled(folder.path(), 66, 2, 5);
    let fixture = Fixture::open(folder.path());
    let mut journal = fixture.journal();
    let more = {
        let draft = |arrival| journal::CommitDraft { arrival_unix_nano: arrival, parts: vec![], receipts: vec![] };
        journal.append(&draft(NOW + 10 * SECOND), NOW).expect("appends");
        let armed = fault::arm_thread("fail_fdatasync:1");
        assert!(journal.append(&draft(NOW + 11 * SECOND), NOW).is_err());
        drop(armed);
        journal
    };
    drop(more);
    let live = |fixture: &Fixture| -> Vec<SegmentId> {
        let segments = fixture.block_on(fixture.catalog.segments()).expect("read");
        segments.iter().filter(|segment| segment.length > 0).map(|segment| segment.id).collect()
    };
    let before = live(&fixture);
    assert!(before.len() > 1, "{before:?}");
    drop(fixture);
    let (fixture, warnings) = lose_and_rebuild(folder.path());
    assert_eq!(warnings, [""; 0]);
    assert_eq!(live(&fixture), before);
    assert_eq!(fixture.live_rows(), expected);
    assert_eq!(fixture.block_on(fixture.catalog.replaced_segments(i64::MAX)).expect("read").len(), 1);
}
