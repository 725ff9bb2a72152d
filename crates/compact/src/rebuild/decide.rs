//! What is live, decided from what was found: no I/O. The reasons are in [`super`].

use std::collections::{BTreeMap, BTreeSet};

use catalog::{LiveFile, Rebuilt, RebuiltSegment, RebuiltState};
use journal::SegmentSurvey;
use model::{FileId, LeaseEpoch, SegmentId};
use store::Name;

use super::survey::{FoundFile, Survey};
use crate::error::CompactError;
use crate::manifest::Manifest;

/// What a rebuild is to do.
#[derive(Debug)]
pub(crate) struct Decision {
    /// Content of the new catalog.
    pub catalog: Rebuilt,
    /// The swap whose names may not be final.
    pub last: LastSwap,
    /// What is missing or odd.
    pub warnings: Vec<String>,
}

/// The last swap that there is a manifest of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LastSwap {
    /// There is no manifest.
    None,
    /// Its names are to be finished.
    Committed(Manifest),
    /// Its manifest and outputs are to go.
    Uncommitted(Manifest),
}

/// What committed manifests say when they are replayed.
#[derive(Debug, Default)]
struct Replay {
    /// Files added and not removed since.
    live: BTreeMap<FileId, LiveFile>,
    /// Files removed.
    removed: BTreeSet<FileId>,
    /// Segments consumed, and what is wrong with them.
    consumed: BTreeMap<SegmentId, Option<String>>,
}

/// Decides what a new catalog holds.
///
/// # Errors
/// [`CompactError::Rebuild`] for a manifest that names something that this build does not understand.
pub(crate) fn decide(survey: Survey, lease_name: &str, now: i64) -> Result<Decision, CompactError> {
    let mut warnings = survey.warnings;
    let mut committed = survey.manifests;
    let mut numbers = (survey.file_max, survey.segment_max);
    for manifest in &committed {
        check_names(manifest)?;
        let files = manifest.added().chain(manifest.removed()).map(|(id, _)| id.0);
        numbers.0 = files.fold(numbers.0, u64::max);
        numbers.1 = segments_of(manifest).map(|id| id.0).fold(numbers.1, u64::max);
    }
    let epoch = committed.iter().map(|manifest| manifest.epoch).max().unwrap_or(0);
    let last = match committed.pop() {
        None => LastSwap::None,
        Some(manifest) if is_committed(&manifest, &survey.files, &survey.segments) => {
            committed.push(manifest.clone());
            LastSwap::Committed(manifest)
        }
        Some(manifest) => LastSwap::Uncommitted(manifest),
    };
    if last == LastSwap::None && survey.files.values().any(|found| found.name != Name::New) {
        warnings.push(
            "there is no manifest: files are known by their names, and records of a segment that was turned into files \
             in the last minutes may be read twice"
                .into(),
        );
    }
    let replay = replay(&committed);
    let (files, removed) = decide_files(&replay, &survey.files, &mut warnings);
    let segments = decide_segments(&replay.consumed, &survey.segments, &mut warnings);
    let catalog = Rebuilt {
        files,
        removed,
        segments,
        swaps: committed.iter().map(Manifest::id).collect(),
        lease_name: lease_name.into(),
        lease_epoch: LeaseEpoch(epoch),
        segment_next: SegmentId(numbers.1 + 1),
        file_next: FileId(numbers.0 + 1),
        now,
    };
    Ok(Decision { catalog, last, warnings })
}

fn segments_of(manifest: &Manifest) -> impl Iterator<Item = SegmentId> {
    manifest.segments.iter().filter_map(|id| id.parse().ok())
}

/// What a manifest names must be understood: a file or segment that is passed over would be lost or read twice.
fn check_names(manifest: &Manifest) -> Result<(), CompactError> {
    let files = manifest.adds.iter().chain(&manifest.removes);
    let strange = files.filter(|file| file.file().is_none()).map(|file| file.file.clone()).next();
    let segment = manifest.segments.iter().find(|id| id.parse::<SegmentId>().is_err()).cloned();
    match strange.or(segment) {
        None => Ok(()),
        Some(name) => {
            let id = manifest.id();
            let (epoch, counter) = (id.epoch, id.counter);
            Err(CompactError::Rebuild(format!(
                "the manifest {epoch}-{counter:016x} names '{name}', which this build does not understand"
            )))
        }
    }
}

/// Whether the last swap was committed, by the names of what it adds, removes and consumes.
fn is_committed(
    manifest: &Manifest,
    files: &BTreeMap<FileId, FoundFile>,
    segments: &BTreeMap<SegmentId, SegmentSurvey>,
) -> bool {
    let name = |id: FileId| files.get(&id).map(|found| found.name);
    let is_renamed = manifest.added().any(|(id, _)| matches!(name(id), Some(Name::Live | Name::Dead)))
        || manifest.removed().any(|(id, _)| name(id) == Some(Name::Dead));
    let an_input_is_gone = manifest.removed().any(|(id, _)| name(id).is_none())
        || segments_of(manifest).any(|id| !segments.contains_key(&id));
    let outputs_are_there = manifest.added().all(|(id, _)| name(id).is_some());
    is_renamed || an_input_is_gone && outputs_are_there
}

fn replay(committed: &[Manifest]) -> Replay {
    let mut replay = Replay::default();
    for manifest in committed {
        for file in manifest.adds.iter().filter_map(|file| file.file()) {
            replay.live.insert(file.id, file);
        }
        for (id, _) in manifest.removed() {
            replay.live.remove(&id);
            replay.removed.insert(id);
        }
        for id in segments_of(manifest) {
            let damaged = manifest.quarantined.iter().find(|quarantined| quarantined.segment == id.to_string());
            replay.consumed.insert(id, damaged.map(|quarantined| quarantined.reason.clone()));
        }
    }
    replay
}

/// Live files and removed ones that are still there.
fn decide_files(
    replay: &Replay,
    found: &BTreeMap<FileId, FoundFile>,
    warnings: &mut Vec<String>,
) -> (Vec<LiveFile>, Vec<LiveFile>) {
    let (mut live, mut removed) = (Vec::new(), Vec::new());
    for (id, there) in found {
        let is_removed = replay.removed.contains(id) || there.name == Name::Dead;
        let by_manifest = replay.live.get(id);
        match (&there.file, by_manifest) {
            (Ok(file), _) if is_removed => removed.push(file.clone()),
            (Ok(file), Some(_)) => live.push(file.clone()),
            (Ok(file), None) if there.name == Name::Live => live.push(file.clone()),
            // An output of a swap that never committed: the next start deletes it.
            (_, None) if there.name == Name::New => {}
            (Err(reason), Some(file)) if !is_removed => {
                warnings.push(format!(
                    "file {id} with {} rows is damaged ({reason}); it is live, and answers say that they are incomplete",
                    file.rows
                ));
                live.push(file.clone());
            }
            (Err(reason), _) => warnings.push(format!("file {id} was left alone: {reason}")),
            (Ok(_), None) => {}
        }
    }
    for (id, file) in replay.live.iter().filter(|(id, _)| !found.contains_key(id)) {
        warnings.push(format!("file {id} of {} is gone, and with it {} rows", file.partition, file.rows));
    }
    (live, removed)
}

fn decide_segments(
    consumed: &BTreeMap<SegmentId, Option<String>>,
    found: &BTreeMap<SegmentId, SegmentSurvey>,
    warnings: &mut Vec<String>,
) -> Vec<RebuiltSegment> {
    let mut segments = Vec::new();
    for (id, segment) in found {
        let state = match consumed.get(id) {
            Some(quarantine) => Some(RebuiltState::Consumed { quarantine: quarantine.clone() }),
            None => state_of_unconsumed(segment, consumed, found),
        };
        if segment.commits == 0 && (segment.is_torn || !segment.damage.is_empty()) && !consumed.contains_key(id) {
            warnings.push(format!("segment {id} holds nothing that can be read and was left alone"));
            continue;
        }
        if let Some(state) = state {
            segments.push(RebuiltSegment { id: *id, state, created_at: segment.created_unix_nano });
        }
    }
    segments
}

/// What a segment is that no committed swap consumed; nothing where it is a copy that is not needed.
///
/// A copy that was ended in order holds all that had been acknowledged of its original, whose last commit may lie there
/// although it never was: the copy is live. One that was not ended never took the original's place. And an original
/// that was itself ended in order later, with more in it, had been taken over by a restart before the copy took its
/// place.
fn state_of_unconsumed(
    segment: &SegmentSurvey,
    consumed: &BTreeMap<SegmentId, Option<String>>,
    found: &BTreeMap<SegmentId, SegmentSurvey>,
) -> Option<RebuiltState> {
    let wins = |copy: &SegmentSurvey, original: &SegmentSurvey| {
        let original_goes_on = original.sealed_length.is_some() && original.commits > copy.commits;
        copy.sealed_length.is_some() && !original_goes_on
    };
    let copies = |original: SegmentId| found.values().filter(move |other| other.copy_of == Some(original));
    if copies(segment.id).any(|copy| consumed.contains_key(&copy.id) || wins(copy, segment)) {
        return Some(RebuiltState::Replaced);
    }
    if let Some(original) = segment.copy_of {
        let is_latest = copies(original).all(|other| other.id <= segment.id || other.sealed_length.is_none());
        let is_needed = match found.get(&original) {
            _ if consumed.contains_key(&original) => false,
            Some(original) => wins(segment, original) && is_latest,
            None => is_latest,
        };
        if !is_needed {
            return None;
        }
    }
    Some(match segment.sealed_length {
        Some(length) => RebuiltState::Sealed { length, rows: segment.rows },
        None => RebuiltState::Listed,
    })
}
