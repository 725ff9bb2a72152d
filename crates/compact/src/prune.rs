//! Which manifests, and with them swaps of the catalog, are still needed.
//!
//! A start needs the swap of every manifest that lies there, to know that it was committed, and the last one whole. A
//! rebuild of the catalog needs of a manifest
//! - that it consumed a segment, as long as the segment's file is there: else its rows would be read twice;
//! - that it added a file, as long as that is live: else nobody would miss it if it were lost;
//! - that it removed a file, as long as that is there, or a manifest that added it: else it would be missed, or live.
//!
//! So a manifest goes once the catalog knows nothing any more of what it names, the reaper having deleted it, and no
//! earlier manifest that stays added what it removed. The last one always stays.

use std::collections::{BTreeSet, HashSet};

use catalog::SwapId;
use model::{FileId, SegmentId};
use store::{Layout, StoreError, fault, remove_if_exists, sync_folder};

use crate::error::CompactError;
use crate::manifest::Manifest;
use crate::swap::{list_manifests, read_manifest};

/// Decides, manifest by manifest, from the first on.
struct Pruner<'a> {
    files: &'a HashSet<FileId>,
    segments: &'a HashSet<SegmentId>,
    /// Files that manifests which stay have added.
    kept_adds: HashSet<FileId>,
}

impl Pruner<'_> {
    fn is_needed(&mut self, manifest: &Manifest) -> bool {
        let knows_file = |(id, _): (FileId, _)| self.files.contains(&id);
        // A number that cannot be read is one of a later format: what it means is not known.
        let knows_segment =
            |id: &String| id.parse::<SegmentId>().ok().is_none_or(|segment| self.segments.contains(&segment));
        let is_needed = manifest.segments.iter().any(knows_segment)
            || manifest.added().any(knows_file)
            || manifest.removed().any(|(id, _)| self.files.contains(&id) || self.kept_adds.contains(&id));
        if is_needed {
            self.kept_adds.extend(manifest.added().map(|(id, _)| id));
        }
        is_needed
    }
}

/// Deletes the manifests that nothing needs, durably, and gives their numbers, with those of swaps whose manifests were
/// gone already.
///
/// `files` and `segments` are all that the catalog knows of, live or not.
pub(crate) fn delete_manifests(
    layout: &Layout,
    committed: &BTreeSet<SwapId>,
    files: &HashSet<FileId>,
    segments: &HashSet<SegmentId>,
) -> Result<Vec<SwapId>, CompactError> {
    let Some(last) = committed.last().copied() else { return Ok(Vec::new()) };
    let mut pruner = Pruner { files, segments, kept_adds: HashSet::new() };
    let mut kept = BTreeSet::from([last]);
    let mut deleted = false;
    for id in list_manifests(layout)?.into_iter().take_while(|id| *id < last) {
        let is_needed = match read_manifest(layout, id) {
            Ok(Some(manifest)) => pruner.is_needed(&manifest),
            Ok(None) => continue,
            // It is for a person to look at.
            Err(CompactError::Store(StoreError::Damaged { .. })) => true,
            Err(error) => return Err(error),
        };
        // One that is not committed here is none of ours to judge.
        if is_needed || !committed.contains(&id) {
            kept.insert(id);
        } else {
            deleted |= remove_if_exists(&layout.manifest_path(id.epoch, id.counter))?;
        }
    }
    if deleted {
        sync_folder(&layout.manifests_folder())?;
        fault::hit("after_manifests_pruned");
    }
    Ok(committed.difference(&kept).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::ManifestFile;

    /// A manifest that adds, removes and consumes these.
    fn manifest(adds: &[u64], removes: &[u64], segments: &[u64]) -> Manifest {
        let file = |id: &u64| ManifestFile {
            file: FileId(*id).to_string(),
            tenant: "default".into(),
            table: "logs".into(),
            hour: 1,
            rows: 1,
            bytes: 1,
            min_time: 0,
            max_time: 0,
            schema_version: 1,
        };
        Manifest {
            format: 1,
            epoch: 1,
            counter: 0,
            created_unix_nano: 0,
            adds: adds.iter().map(file).collect(),
            removes: removes.iter().map(file).collect(),
            segments: segments.iter().map(|id| SegmentId(*id).to_string()).collect(),
            quarantined: Vec::new(),
        }
    }

    #[test]
    fn a_manifest_is_needed_as_long_as_something_it_names_is_there() {
        let check = |manifests: &[Manifest], files: &[u64], segments: &[u64], expect: &[bool]| {
            let files = files.iter().copied().map(FileId).collect();
            let segments = segments.iter().copied().map(SegmentId).collect();
            let mut pruner = Pruner { files: &files, segments: &segments, kept_adds: HashSet::new() };
            let found: Vec<bool> = manifests.iter().map(|manifest| pruner.is_needed(manifest)).collect();
            assert_eq!(found, expect);
        };
        let flush = manifest(&[1, 2], &[], &[7]);
        let merge = manifest(&[3], &[1], &[]);
        let expiry = manifest(&[], &[3], &[]);
        let all = [flush, merge, expiry];
        check(&all, &[1, 2, 3], &[7], &[true, true, true]);
        // The segment and all files are gone.
        check(&all, &[], &[], &[false, false, false]);
        check(&all, &[], &[7], &[true, true, true]);
        // File 2 is live: that 1 is gone is told by the merge, and that 3 is by retention.
        check(&all, &[2], &[], &[true, true, true]);
        check(&all, &[3], &[], &[false, true, true]);
        check(&all[..2], &[3], &[], &[false, true]);
        let unreadable = Manifest { segments: vec!["?".into()], ..manifest(&[], &[], &[]) };
        check(&[unreadable], &[], &[], &[true]);
    }
}
