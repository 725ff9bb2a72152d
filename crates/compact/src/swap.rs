//! Steps 2 and 4 of a swap, and what undoes one that never committed. All of it blocks, and all of it may be run again
//! after it stopped anywhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use catalog::SwapId;
use model::{FileId, Partition};
use store::{Layout, Name, StoreError, fault, put_durable, remove_if_exists, sync_folder};

use crate::error::CompactError;
use crate::manifest::{Manifest, id_of_name};
use crate::output::remove_output;

/// Step 2: writes the manifest.
pub(crate) fn write_manifest(layout: &Layout, manifest: &Manifest) -> Result<(), CompactError> {
    let id = manifest.id();
    let text = serde_json::to_vec_pretty(manifest).map_err(|error| CompactError::Job(error.to_string()))?;
    put_durable(&layout.manifest_path(id.epoch, id.counter), &text)?;
    fault::hit("after_manifest");
    Ok(())
}

/// Step 4: renames inputs to `.dead`, then outputs to `.parquet`. What has its name already is left, and so is an input
/// that has been reaped since.
///
/// # Errors
/// [`StoreError::Missing`] names an output that has none of its names; the others are renamed nevertheless.
pub(crate) fn finish_swap(layout: &Layout, manifest: &Manifest) -> Result<(), CompactError> {
    rename_all(layout, manifest.removed(), Name::Dead)?;
    let missing = rename_all(layout, manifest.added(), Name::Live)?;
    missing.map_or(Ok(()), |error| Err(error.into()))
}

/// Renames files and makes their new names durable. Gives the error of one that has none of its names.
fn rename_all(
    layout: &Layout,
    files: impl Iterator<Item = (FileId, Partition)>,
    to: Name,
) -> Result<Option<StoreError>, StoreError> {
    let mut missing = None;
    let mut folders = BTreeSet::new();
    for (id, partition) in files {
        match rename_to(layout, &partition, id, to) {
            Err(error @ StoreError::Missing { .. }) => missing = Some(error),
            result => result?,
        }
        folders.insert(layout.partition_folder(&partition));
    }
    // One folder often takes several files: it is synced once.
    folders.iter().filter(|folder| folder.is_dir()).try_for_each(|folder| sync_folder(folder))?;
    Ok(missing)
}

/// Renames a file to this name from whichever it has.
fn rename_to(layout: &Layout, partition: &Partition, id: FileId, to: Name) -> Result<(), StoreError> {
    let target = layout.files_path(partition, id, to);
    let from: &[Name] = match to {
        Name::Dead => &[Name::Live, Name::New],
        _ => &[Name::New],
    };
    for name in from {
        match fs::rename(layout.files_path(partition, id, *name), &target) {
            Ok(()) => {
                fault::hit(if to == Name::Dead { "after_dead_rename" } else { "after_rename" });
                return Ok(());
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(StoreError::Io { path: target, action: "rename to", source }),
        }
    }
    if target.exists() { Ok(()) } else { Err(StoreError::Missing { path: target }) }
}

/// Undoes a swap that was never committed: first its manifest, durably, only then its outputs.
pub(crate) fn undo_swap(layout: &Layout, manifest: &Manifest) -> Result<(), CompactError> {
    let id = manifest.id();
    remove_if_exists(&layout.manifest_path(id.epoch, id.counter))?;
    sync_folder(&layout.manifests_folder())?;
    fault::hit("after_manifest_removed");
    for (id, partition) in manifest.added() {
        remove_output(layout, &partition, id)?;
    }
    Ok(())
}

/// The numbers of the manifests that are there, in order.
pub(crate) fn list_manifests(layout: &Layout) -> Result<Vec<SwapId>, CompactError> {
    let folder = layout.manifests_folder();
    let names = list_names(&folder)?;
    let mut ids: Vec<SwapId> = names.iter().filter_map(|name| id_of_name(name)).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// Reads a manifest; `None` where there is none of this number.
pub(crate) fn read_manifest(layout: &Layout, id: SwapId) -> Result<Option<Manifest>, CompactError> {
    let path = layout.manifest_path(id.epoch, id.counter);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::Io { path, action: "read", source }.into()),
    };
    let manifest = serde_json::from_slice(&bytes);
    manifest.map(Some).map_err(|error| StoreError::Damaged { path, reason: error.to_string() }.into())
}

/// Names of what lies in a folder; none where it is missing.
pub(crate) fn list_names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let failed = |source| StoreError::Io { path: PathBuf::from(folder), action: "list", source };
    match fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()).map_err(failed))
            .collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(failed(source)),
    }
}
