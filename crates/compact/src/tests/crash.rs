//! The process dies at each point of a swap; after the next start each row is there exactly once.

use std::path::Path;
use std::process::Command;

use fastrand::Rng;
use model::Table;
use store::ParquetReader;

use super::fixture::Fixture;

const FOLDER_VARIABLE: &str = "SPYHOP_TEST_COMPACT_FOLDER";
const MERGE_VARIABLE: &str = "SPYHOP_TEST_COMPACT_MERGES";

/// Run as a child process by the test below, with a fault armed.
#[test]
#[ignore = "is the child of a_crash_at_any_point_loses_and_doubles_nothing"]
fn child_that_compacts() {
    if let Ok(folder) = std::env::var(FOLDER_VARIABLE) {
        let limits = match std::env::var_os(MERGE_VARIABLE) {
            Some(_) => Fixture::merging_limits(),
            None => Fixture::limits(),
        };
        Fixture::open(Path::new(&folder)).compact_with(limits);
    }
}

/// Whether a child process with this fault armed ended well; with or without merges.
pub(super) fn compact_in_child(folder: &Path, fault: &str, merges: bool) -> bool {
    let mut child = Command::new(std::env::current_exe().expect("this binary"));
    if merges {
        child.env(MERGE_VARIABLE, "1");
    }
    let status = child
        .args(["tests::crash::child_that_compacts", "--exact", "--ignored", "--quiet"])
        .env(FOLDER_VARIABLE, folder)
        .env("SPYHOP_FAULT", fault)
        .output();
    status.expect("runs").status.success()
}

#[test]
fn a_crash_at_any_point_loses_and_doubles_nothing() {
    let points = [
        "after_output",
        "after_output:7",
        "after_sidecars:3",
        "after_manifest",
        "after_catalog_commit",
        "after_rename",
        "after_rename:4",
    ];
    for point in points {
        let folder = tempfile::tempdir().expect("a folder");
        let expected = Fixture::open(folder.path()).fill(&mut Rng::with_seed(20), 3, 2);
        assert!(!compact_in_child(folder.path(), point, false), "{point}: it should die");
        let fixture = Fixture::open(folder.path());
        assert_eq!(fixture.live_rows(), expected, "right after the crash at {point}");
        assert!(rows_of_glob(&fixture) <= expected.values().sum(), "a glob counts nothing twice");
        drop(fixture);
        assert!(compact_in_child(folder.path(), "", false), "{point}: the next start goes on");
        let fixture = Fixture::open(folder.path());
        assert_eq!(fixture.live_rows(), expected, "after the start that followed {point}");
        assert!(fixture.names("new").is_empty(), "{point}");
        assert_eq!(fixture.manifests(), 1, "{point}");
        let live = fixture.live_files().len();
        assert_eq!(fixture.names("parquet").len(), live, "{point}");
        let logs = fixture.live_files().iter().filter(|file| file.partition.table == Table::Logs).count();
        assert_eq!(fixture.names("tix").len(), logs, "{point}: no sidecar is left over or lost");
    }
}

/// A manifest that is deleted takes its outputs with it, in that order, however often it is interrupted.
#[test]
fn undoing_may_be_interrupted_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let expected = Fixture::open(folder.path()).fill(&mut Rng::with_seed(21), 2, 2);
    assert!(!compact_in_child(folder.path(), "after_manifest", false));
    assert!(!compact_in_child(folder.path(), "after_manifest_removed", false));
    let fixture = Fixture::open(folder.path());
    assert_eq!(fixture.manifests(), 0);
    assert!(!fixture.names("new").is_empty());
    fixture.compact();
    assert_eq!(fixture.live_rows(), expected);
    assert!(fixture.names("new").is_empty());
}

/// Rows a reader of `**/*.parquet` sees, series rows aside.
pub(super) fn rows_of_glob(fixture: &Fixture) -> usize {
    let known = fixture.block_on(fixture.catalog.known_files()).expect("read");
    let mut rows = 0;
    for path in fixture.names("parquet") {
        let id = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).expect("a number");
        assert!(known.contains(&id), "the catalog does not know {}", path.display());
        if !path.to_string_lossy().contains("/series/") {
            rows += ParquetReader::open_path(&path, Table::Logs).expect("opens").rows();
        }
    }
    rows
}
