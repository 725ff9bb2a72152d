//! Deleting what nothing needs any more: retired segments and files after their grace, orphans at start.
//!
//! The row says "retired" long before the object goes, and the row goes last (I3). Of what the catalog does not know,
//! only `.new` files and their sidecars are deleted: by the order of a swap nothing else can be uncommitted. A
//! `.parquet` or `.dead` file that it does not know means that the catalog is older than the files; it is named and
//! left alone.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use journal::{End, SegmentReader};
use model::{FileId, Partition, SegmentId};
use store::{Layout, Name, Sidecar, StoreError, remove_if_exists, sync_folder};

use crate::error::CompactError;
use crate::swap::list_names;

/// Deletes the files of retired segments; what is gone already counts as deleted.
pub(crate) fn delete_segments(layout: &Layout, ids: &[SegmentId]) -> Result<(), CompactError> {
    for id in ids {
        remove_if_exists(&layout.segment_path(*id))?;
    }
    if !ids.is_empty() {
        sync_folder(&layout.journal_folder())?;
    }
    Ok(())
}

/// Deletes removed files by whatever name they have, sidecars too, and the folders of hours and dates that are empty then.
pub(crate) fn delete_files(layout: &Layout, files: &[(FileId, Partition)]) -> Result<(), CompactError> {
    for (id, partition) in files {
        for name in [Name::Dead, Name::Live, Name::New] {
            remove_if_exists(&layout.files_path(partition, *id, name))?;
        }
        for sidecar in Sidecar::ALL {
            remove_if_exists(&layout.sidecar_path(partition, *id, sidecar))?;
        }
        let folder = layout.partition_folder(partition);
        if folder.is_dir() {
            sync_folder(&folder)?;
        }
    }
    // One job runs at a time, so nobody is about to write into a folder that is empty now.
    let folders: BTreeSet<PathBuf> = files.iter().map(|(_, partition)| layout.partition_folder(partition)).collect();
    for hour in &folders {
        let date = hour.parent();
        // A folder that holds anything is not removed; one that stays empty harms nobody.
        if std::fs::remove_dir(hour).is_ok() && date.is_some_and(|date| std::fs::remove_dir(date).is_err()) {
            date.map_or(Ok(()), sync_folder)?;
        }
    }
    Ok(())
}

/// What a look through the files found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Orphans {
    /// Deleted: outputs of swaps that were never committed, sidecars without a file, halves of durable puts.
    pub deleted: usize,
    /// Left alone: files that should be known to the catalog and are not.
    pub strange: Vec<PathBuf>,
}

/// Deletes orphans under `files/`. Only the owner of the lease may, before its first swap: then no file that the
/// catalog does not know is anybody's work.
pub(crate) fn delete_orphans(layout: &Layout, known: &HashSet<FileId>) -> Result<Orphans, CompactError> {
    let mut found = Orphans::default();
    let mut folders = vec![(layout.files_folder(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let names = list_names(&folder)?;
        if depth < PARTITION_DEPTH {
            folders.extend(names.iter().map(|name| (folder.join(name), depth + 1)).filter(|(path, _)| path.is_dir()));
            continue;
        }
        let deleted = delete_orphans_of_folder(&folder, &names, known, &mut found.strange)?;
        if deleted > 0 {
            sync_folder(&folder)?;
        }
        found.deleted += deleted;
    }
    Ok(found)
}

/// Folders between `files/` and a file: tenant, table, date, hour.
const PARTITION_DEPTH: usize = 4;

fn delete_orphans_of_folder(
    folder: &std::path::Path,
    names: &[String],
    known: &HashSet<FileId>,
    strange: &mut Vec<PathBuf>,
) -> Result<usize, StoreError> {
    let parts = |name: &str| -> Option<(FileId, String)> {
        let (stem, extension) = name.split_once('.')?;
        Some((stem.parse().ok()?, extension.to_owned()))
    };
    let is_data = |extension: &str| extension == Name::Live.extension() || extension == Name::Dead.extension();
    let with_data: HashSet<FileId> =
        names.iter().filter_map(|name| parts(name)).filter(|(_, kind)| is_data(kind)).map(|(id, _)| id).collect();
    let mut deleted = 0;
    for name in names {
        let is_orphan = match parts(name) {
            None => name.starts_with('.') && name.ends_with(".tmp"),
            Some((id, _)) if known.contains(&id) => false,
            Some((_, kind)) if is_data(&kind) => {
                strange.push(folder.join(name));
                false
            }
            Some((id, kind)) => {
                let is_sidecar = Sidecar::ALL.iter().any(|sidecar| sidecar.extension() == kind);
                kind == Name::New.extension() || is_sidecar && !with_data.contains(&id)
            }
        };
        if is_orphan {
            deleted += usize::from(remove_if_exists(&folder.join(name))?);
        }
    }
    Ok(deleted)
}

/// Deletes segment files that the catalog does not know, once they are older than the grace: those that hold nothing,
/// and copies that never took their original's place. Gives the others, which are left alone.
///
/// `names` were listed before `known` was read, so a file made in between is not among them.
pub(crate) fn delete_orphan_segments(
    layout: &Layout,
    names: &[String],
    known: &HashSet<SegmentId>,
    grace: Duration,
) -> Result<Orphans, CompactError> {
    let mut found = Orphans::default();
    for name in names {
        let path = layout.journal_folder().join(name);
        let Some(id) = journal::segment_id(&path).filter(|id| !known.contains(id)) else { continue };
        let age = path.metadata().and_then(|data| data.modified()).map(|time| time.elapsed().unwrap_or_default());
        if age.is_ok_and(|age| age > grace) {
            match is_needless(layout, id, known) {
                true => found.deleted += usize::from(remove_if_exists(&path)?),
                false => found.strange.push(path),
            }
        }
    }
    if found.deleted > 0 {
        sync_folder(&layout.journal_folder())?;
    }
    Ok(found)
}

fn is_needless(layout: &Layout, id: SegmentId, known: &HashSet<SegmentId>) -> bool {
    let look = || -> Result<bool, journal::JournalError> {
        let reader = SegmentReader::open(&layout.segment_path(id))?;
        if reader.copy_of().is_some_and(|original| known.contains(&original)) {
            return Ok(true);
        }
        let mut commits = reader.read_from(reader.start(), End::Abandoned)?;
        Ok(commits.next().is_none() && commits.damage().is_empty())
    };
    look().unwrap_or(false)
}
