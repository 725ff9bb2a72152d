//! Where everything lies in the data folder, and what the folder must be to be opened.
//!
//! ```text
//! VERSION                      format of the folder, one number
//! catalog.sqlite               the catalog (.rebuild while it is made anew, .old what a rebuild replaced)
//! journal/<segment>.journal    segments
//! files/<tenant>/<table>/date=YYYY-MM-DD/hour=HH/<file>.parquet | .new | .dead, and sidecars .tix .blm .rlp
//! manifests/<epoch>-<counter>.json
//! status/<role>.json, locks/<role>.lock
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use model::{FileId, LeaseEpoch, Partition, SegmentId};

use crate::durable::{make_folder_durable, put_durable};
use crate::error::{Context, StoreError};

/// Format of the data folders this build writes, and the highest it reads.
pub const FORMAT_VERSION: u32 = 1;

/// Which name of a Parquet file: it changes as its swap goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Name {
    /// Written, perhaps committed, not yet renamed: `.new`.
    New,
    /// Part of the live set: `.parquet`.
    Live,
    /// Replaced by a swap, kept for running queries: `.dead`.
    Dead,
}

impl Name {
    /// The extension, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Name::New => "new",
            Name::Live => "parquet",
            Name::Dead => "dead",
        }
    }
}

/// A file derived from a Parquet file, beside it: deleting it changes speed, never an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sidecar {
    /// The text index, `.tix`.
    TextIndex,
    /// Bloom over trace ids, and where they lie, `.blm`.
    TraceBloom,
    /// Counts by minute, `.rlp`.
    Rollup,
}

impl Sidecar {
    /// Every kind.
    pub const ALL: [Sidecar; 3] = [Sidecar::TextIndex, Sidecar::TraceBloom, Sidecar::Rollup];

    /// The extension, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Sidecar::TextIndex => "tix",
            Sidecar::TraceBloom => "blm",
            Sidecar::Rollup => "rlp",
        }
    }
}

/// Paths inside one data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The paths of this folder, which is not looked at; see [`open_data_folder`].
    pub fn new(root: impl Into<PathBuf>) -> Layout {
        Layout { root: root.into() }
    }

    /// The data folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `VERSION`.
    pub fn version_path(&self) -> PathBuf {
        self.root.join("VERSION")
    }

    /// `catalog.sqlite`.
    pub fn catalog_path(&self) -> PathBuf {
        self.root.join("catalog.sqlite")
    }

    /// `catalog.sqlite.rebuild`: a catalog being made anew, before it takes the other's name.
    pub fn catalog_rebuild_path(&self) -> PathBuf {
        self.root.join("catalog.sqlite.rebuild")
    }

    /// `catalog.sqlite.old`: what a rebuild found as catalog and put aside.
    pub fn catalog_old_path(&self) -> PathBuf {
        self.root.join("catalog.sqlite.old")
    }

    /// `journal/`.
    pub fn journal_folder(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// `journal/<segment>.journal`.
    pub fn segment_path(&self, segment: SegmentId) -> PathBuf {
        self.journal_folder().join(format!("{segment}.journal"))
    }

    /// `files/`.
    pub fn files_folder(&self) -> PathBuf {
        self.root.join("files")
    }

    /// The folder of one tenant, table and hour.
    pub fn partition_folder(&self, partition: &Partition) -> PathBuf {
        self.files_folder().join(partition.to_string())
    }

    /// A Parquet file under one of its names.
    pub fn files_path(&self, partition: &Partition, file: FileId, name: Name) -> PathBuf {
        self.partition_folder(partition).join(format!("{file}.{}", name.extension()))
    }

    /// A sidecar of a Parquet file.
    pub fn sidecar_path(&self, partition: &Partition, file: FileId, sidecar: Sidecar) -> PathBuf {
        self.partition_folder(partition).join(format!("{file}.{}", sidecar.extension()))
    }

    /// `manifests/`.
    pub fn manifests_folder(&self) -> PathBuf {
        self.root.join("manifests")
    }

    /// The manifest of the swap with this number.
    pub fn manifest_path(&self, epoch: LeaseEpoch, counter: u64) -> PathBuf {
        self.manifests_folder().join(format!("{epoch}-{counter:016x}.json"))
    }

    /// `status/`.
    pub fn status_folder(&self) -> PathBuf {
        self.root.join("status")
    }

    /// The status file of a role.
    pub fn status_path(&self, role: &str) -> PathBuf {
        self.status_folder().join(format!("{role}.json"))
    }

    /// `locks/`.
    pub fn locks_folder(&self) -> PathBuf {
        self.root.join("locks")
    }

    /// The lock file of a role.
    pub fn lock_path(&self, role: &str) -> PathBuf {
        self.locks_folder().join(format!("{role}.lock"))
    }
}

/// Opens a data folder, making it where it is missing or empty. Safe to call from several processes at once.
///
/// # Errors
/// [`StoreError::NewerFormat`], [`StoreError::NotADataFolder`], [`StoreError::CatalogMissing`] and
/// [`StoreError::NoPermission`] each say in one sentence what to do; [`StoreError::NoSpace`], [`StoreError::Io`].
pub fn open_data_folder(root: &Path) -> Result<Layout, StoreError> {
    if root.exists() && !root.is_dir() {
        return Err(not_ours(root, "it is a file"));
    }
    make_folder_durable(root)?;
    let layout = Layout::new(root);
    if !has_known_version(&layout)? {
        check_nothing_of_ours(&layout)?;
        put_durable(&layout.version_path(), format!("{FORMAT_VERSION}\n").as_bytes())?;
    }
    // Data first, catalog second: another process may just now be making both, in the other order.
    if !layout.catalog_path().exists() && holds_data(&layout)? && !layout.catalog_path().exists() {
        return Err(StoreError::CatalogMissing { path: root.to_owned() });
    }
    make_folders(&layout)?;
    check_writable(&layout)?;
    Ok(layout)
}

/// Opens a data folder whose catalog is to be made anew, whether it has one or not. Nothing is made of what is no data
/// folder.
///
/// # Errors
/// As [`open_data_folder`], but for the catalog.
pub fn open_data_folder_to_rebuild(root: &Path) -> Result<Layout, StoreError> {
    if !root.is_dir() {
        return Err(not_ours(root, "there is no such folder"));
    }
    let layout = Layout::new(root);
    if !has_known_version(&layout)? {
        return Err(not_ours(root, "it has no VERSION file"));
    }
    make_folders(&layout)?;
    check_writable(&layout)?;
    Ok(layout)
}

/// Whether there is a `VERSION`, and it is one that this build knows.
fn has_known_version(layout: &Layout) -> Result<bool, StoreError> {
    match fs::read_to_string(layout.version_path()) {
        Ok(text) => check_version(layout.root(), &text).map(|()| true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(not_ours(layout.root(), "its VERSION is no text"))
        }
        Err(error) => Err(StoreError::io("read", &layout.version_path(), error)),
    }
}

fn make_folders(layout: &Layout) -> Result<(), StoreError> {
    let folders = [
        layout.journal_folder(),
        layout.files_folder(),
        layout.manifests_folder(),
        layout.status_folder(),
        layout.locks_folder(),
    ];
    folders.iter().try_for_each(|folder| make_folder_durable(folder))
}

fn not_ours(root: &Path, reason: impl Into<String>) -> StoreError {
    StoreError::NotADataFolder { path: root.to_owned(), reason: reason.into() }
}

fn check_version(root: &Path, text: &str) -> Result<(), StoreError> {
    let text = text.trim();
    match text.parse::<u32>() {
        Ok(1..=FORMAT_VERSION) => Ok(()),
        Ok(found) if found > FORMAT_VERSION => {
            Err(StoreError::NewerFormat { path: root.to_owned(), found, supported: FORMAT_VERSION })
        }
        _ => {
            let shown: String = text.chars().take(20).collect();
            Err(not_ours(root, format!("its VERSION says '{shown}', not a format number")))
        }
    }
}

/// A folder without `VERSION` may hold foreign things (`lost+found`), but nothing that looks like our data.
fn check_nothing_of_ours(layout: &Layout) -> Result<(), StoreError> {
    if layout.catalog_path().exists() || holds_data(layout)? {
        return Err(not_ours(layout.root(), "it holds data but no VERSION file"));
    }
    Ok(())
}

/// Whether there is any journal segment or Parquet file.
fn holds_data(layout: &Layout) -> Result<bool, StoreError> {
    let is_segment = |name: &str| name.ends_with(".journal");
    let is_file = |name: &str| [Name::New, Name::Live, Name::Dead].iter().any(|kind| name.ends_with(kind.extension()));
    Ok(any_file(&layout.journal_folder(), 0, &is_segment)? || any_file(&layout.files_folder(), FILES_DEPTH, &is_file)?)
}

/// Folders between `files/` and a file: tenant, table, date, hour.
const FILES_DEPTH: usize = 4;

/// Whether a file with such a name lies in this folder or, down to `depth`, below it.
fn any_file(folder: &Path, depth: usize, wanted: &dyn Fn(&str) -> bool) -> Result<bool, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(StoreError::io("list", folder, error)),
    };
    for entry in entries {
        let entry = entry.context("list", folder)?;
        let kind = entry.file_type().context("look at", &entry.path())?;
        if kind.is_file() && wanted(&entry.file_name().to_string_lossy()) {
            return Ok(true);
        }
        if kind.is_dir() && depth > 0 && any_file(&entry.path(), depth - 1, wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Opening must fail now, with a sentence, rather than at the first export.
fn check_writable(layout: &Layout) -> Result<(), StoreError> {
    for folder in [layout.root().to_owned(), layout.journal_folder(), layout.files_folder()] {
        rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
            .context("write to", &folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Hour, Table, TenantId};

    #[test]
    fn paths_are_as_documented() {
        let layout = Layout::new("/data");
        let partition =
            Partition { tenant: TenantId::default(), table: Table::Logs, hour: Hour::of(1_795_289_400_000_000_000) };
        let check = |path: PathBuf, expect: &str| assert_eq!(path, Path::new(expect));
        let folder = "/data/files/default/logs/date=2026-11-21/hour=19";
        check(layout.files_path(&partition, FileId(255), Name::New), &format!("{folder}/00000000000000ff.new"));
        check(layout.files_path(&partition, FileId(255), Name::Live), &format!("{folder}/00000000000000ff.parquet"));
        check(
            layout.sidecar_path(&partition, FileId(255), Sidecar::TextIndex),
            &format!("{folder}/00000000000000ff.tix"),
        );
        check(layout.manifest_path(LeaseEpoch(2), 3), "/data/manifests/0000000000000002-0000000000000003.json");
        check(layout.segment_path(SegmentId(1)), "/data/journal/0000000000000001.journal");
    }

    /// Makes files (path, content) in a new folder and opens it.
    fn open_with(files: &[(&str, &str)]) -> Result<Layout, StoreError> {
        let root = tempfile::tempdir().expect("a folder");
        for (path, content) in files {
            put_durable(&root.path().join(path), content.as_bytes()).expect("put");
        }
        let first = open_data_folder(root.path());
        if first.is_ok() {
            open_data_folder(root.path()).expect("opens again");
        }
        first
    }

    #[test]
    fn a_folder_is_opened_or_refused_with_a_sentence() {
        let check = |files: &[(&str, &str)], expect: &str| {
            let answer = open_with(files).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(answer.contains(expect) && (answer.is_empty() == expect.is_empty()), "{files:?}: {answer}");
        };
        let parquet = "files/default/logs/date=2026-11-21/hour=19/0000000000000001.parquet";
        check(&[], "");
        check(&[("lost+found/x", "")], "");
        check(&[("VERSION", "1\n")], "");
        check(&[("VERSION", "1\n"), ("catalog.sqlite", ""), (parquet, "")], "");
        check(&[("VERSION", "2\n")], "has format 2");
        check(&[("VERSION", "one")], "VERSION says 'one'");
        check(&[("VERSION", "0")], "VERSION says '0'");
        check(&[("VERSION", "1\n"), (parquet, "")], "spyhop catalog rebuild");
        check(&[("VERSION", "1\n"), ("journal/0000000000000001.journal", "")], "spyhop catalog rebuild");
        check(&[(parquet, "")], "no VERSION");
        check(&[("catalog.sqlite", "")], "no VERSION");
    }

    #[test]
    fn a_rebuild_needs_a_data_folder_and_no_catalog() {
        let root = tempfile::tempdir().expect("a folder");
        let check = |expect: &str| {
            let answer = open_data_folder_to_rebuild(root.path()).err().map(|error| error.to_string());
            assert!(answer.as_ref().is_some_and(|answer| answer.contains(expect)), "{answer:?}");
        };
        check("no VERSION");
        assert_eq!(fs::read_dir(root.path()).expect("lists").count(), 0, "nothing was made");
        put_durable(&root.path().join("VERSION"), b"2\n").expect("put");
        check("has format 2");
        put_durable(&root.path().join("VERSION"), b"1\n").expect("put");
        put_durable(&root.path().join("journal/0000000000000001.journal"), b"").expect("put");
        assert!(open_data_folder(root.path()).is_err());
        open_data_folder_to_rebuild(root.path()).expect("opens");
        let missing = open_data_folder_to_rebuild(&root.path().join("nowhere"));
        assert!(missing.is_err() && !root.path().join("nowhere").exists());
    }

    #[test]
    fn a_file_is_no_data_folder() {
        let root = tempfile::NamedTempFile::new().expect("a file");
        assert!(matches!(open_data_folder(root.path()), Err(StoreError::NotADataFolder { .. })));
    }
}
