//! Tables of what is decided from names.

use std::collections::BTreeMap;

use catalog::{LiveFile, RebuiltState};
use journal::SegmentSurvey;
use model::{FileId, Hour, LeaseEpoch, Partition, SegmentId, Table, TenantId};
use store::Name;

use super::decide::{LastSwap, decide};
use super::survey::{FoundFile, Survey};
use crate::manifest::{Manifest, ManifestFile};

fn live_file(id: u64) -> LiveFile {
    let partition = Partition { tenant: TenantId::default(), table: Table::Logs, hour: Hour(5) };
    LiveFile { id: FileId(id), partition, rows: id, bytes: 1, min_time: 0, max_time: 1, schema_version: 1 }
}

fn manifest(counter: u64, adds: &[u64], removes: &[u64], segments: &[u64]) -> Manifest {
    let named = |ids: &[u64]| -> Vec<ManifestFile> { ids.iter().map(|id| named_file(&live_file(*id))).collect() };
    Manifest {
        format: 1,
        epoch: 3,
        counter,
        created_unix_nano: 0,
        adds: named(adds),
        removes: named(removes),
        segments: segments.iter().map(|id| SegmentId(*id).to_string()).collect(),
        quarantined: Vec::new(),
    }
}

fn named_file(file: &LiveFile) -> ManifestFile {
    ManifestFile {
        file: file.id.to_string(),
        tenant: file.partition.tenant.to_string(),
        table: file.partition.table.to_string(),
        hour: file.partition.hour.0,
        rows: file.rows,
        bytes: file.bytes,
        min_time: file.min_time,
        max_time: file.max_time,
        schema_version: file.schema_version,
    }
}

fn segment(id: u64) -> SegmentSurvey {
    SegmentSurvey {
        id: SegmentId(id),
        created_unix_nano: 7,
        copy_of: None,
        commits: 2,
        rows: 20,
        sealed_length: Some(100),
        is_torn: false,
        damage: Vec::new(),
    }
}

/// A survey of these manifests, files by name, and whole segments.
fn survey(manifests: &[Manifest], files: &[(u64, Name)], segments: &[u64]) -> Survey {
    let found = |(id, name): &(u64, Name)| (FileId(*id), FoundFile { name: *name, file: Ok(live_file(*id)) });
    Survey {
        manifests: manifests.to_vec(),
        files: files.iter().map(found).collect(),
        segments: segments.iter().map(|id| (SegmentId(*id), segment(*id))).collect(),
        file_max: files.iter().map(|(id, _)| *id).max().unwrap_or(0),
        segment_max: segments.iter().copied().max().unwrap_or(0),
        warnings: Vec::new(),
    }
}

/// Live files, live segments, and whether the last swap was taken for committed.
fn live(survey: Survey) -> (Vec<u64>, Vec<u64>, bool) {
    let decision = decide(survey, "compact", 9).expect("decides");
    let is_live = |state: &RebuiltState| matches!(state, RebuiltState::Listed | RebuiltState::Sealed { .. });
    let segments = decision.catalog.segments.iter().filter(|segment| is_live(&segment.state));
    (
        decision.catalog.files.iter().map(|file| file.id.0).collect(),
        segments.map(|segment| segment.id.0).collect(),
        matches!(decision.last, LastSwap::Committed(_)),
    )
}

#[test]
fn the_last_swap_is_read_so_that_every_row_is_there_once() {
    use Name::{Dead, Live, New};
    let flush = manifest(0, &[1, 2], &[], &[4]);
    let merge = manifest(1, &[3], &[1, 2], &[]);
    let expiry = manifest(1, &[], &[1], &[]);
    type Expect<'a> = (&'a [u64], &'a [u64], bool);
    let check = |manifests: &[Manifest], files: &[(u64, Name)], segments: &[u64], expect: Expect<'_>| {
        let found = live(survey(manifests, files, segments));
        assert_eq!((&found.0[..], &found.1[..], found.2), expect, "{files:?} {segments:?}");
    };
    let both = [flush.clone(), merge];
    let flush = [flush];
    // A flush: before any name changed, half way, and long ago.
    check(&flush, &[(1, New), (2, New)], &[4, 5], (&[], &[4, 5], false));
    check(&flush, &[(1, New), (2, Live)], &[4, 5], (&[1, 2], &[5], true));
    check(&flush, &[(1, Live), (2, Live)], &[5], (&[1, 2], &[5], true));
    // Outputs that are not all there, as after a crash that undid them.
    check(&flush, &[(1, New)], &[4], (&[], &[4], false));
    check(&flush, &[(1, New), (2, New)], &[], (&[1, 2], &[], true));
    // A merge.
    check(&both, &[(1, Live), (2, Live), (3, New)], &[4], (&[1, 2], &[], false));
    check(&both, &[(1, Dead), (2, Live), (3, New)], &[4], (&[3], &[], true));
    check(&both, &[(1, Dead), (2, Dead), (3, New)], &[], (&[3], &[], true));
    check(&both, &[(1, Dead), (2, Dead), (3, Live)], &[], (&[3], &[], true));
    check(&both, &[(3, Live)], &[], (&[3], &[], true));
    // Retention.
    let expiry = [flush[0].clone(), expiry];
    check(&expiry, &[(1, Live), (2, Live)], &[4], (&[1, 2], &[], false));
    check(&expiry, &[(1, Dead), (2, Live)], &[4], (&[2], &[], true));
    check(&expiry, &[(2, Live)], &[4], (&[2], &[], true));
    // Without manifests names alone tell.
    check(&[], &[(1, Dead), (2, Live), (3, New)], &[4], (&[2], &[4], false));
}

#[test]
fn numbers_go_on_above_everything() {
    let mut found = survey(&[manifest(7, &[10], &[40], &[50])], &[(10, Name::Live)], &[2]);
    (found.file_max, found.segment_max) = (30, 20);
    let catalog = decide(found, "compact", 9).expect("decides").catalog;
    assert_eq!((catalog.file_next, catalog.segment_next), (FileId(41), SegmentId(51)));
    assert_eq!((catalog.lease_epoch, catalog.lease_name.as_str(), catalog.now), (LeaseEpoch(3), "compact", 9));
    assert_eq!(catalog.swaps.len(), 1);
    let catalog = decide(survey(&[], &[], &[]), "compact", 9).expect("decides").catalog;
    assert_eq!(
        (catalog.file_next, catalog.segment_next, catalog.lease_epoch),
        (FileId(1), SegmentId(1), LeaseEpoch(0))
    );
}

#[test]
fn what_a_manifest_names_must_be_understood() {
    let mut strange = manifest(0, &[1], &[], &[]);
    strange.adds[0].table = "profiles".into();
    let refused = decide(survey(&[strange], &[], &[]), "compact", 9).expect_err("refused");
    assert!(refused.to_string().contains("0000000000000001"), "{refused}");
    let mut strange = manifest(0, &[], &[], &[1]);
    strange.segments[0] = "north".into();
    assert!(decide(survey(&[strange], &[], &[]), "compact", 9).is_err());
}

#[test]
fn removed_files_and_consumed_segments_are_kept_for_their_grace() {
    let mut damaged = manifest(0, &[1], &[], &[4, 5]);
    damaged.quarantined.push(crate::ManifestQuarantine { segment: SegmentId(5).to_string(), reason: "torn".into() });
    let manifests = [damaged, manifest(1, &[2], &[1], &[])];
    let found = survey(&manifests, &[(1, Name::Dead), (2, Name::Live)], &[4, 5]);
    let catalog = decide(found, "compact", 9).expect("decides").catalog;
    assert_eq!(catalog.removed, [live_file(1)]);
    let states: Vec<&RebuiltState> = catalog.segments.iter().map(|segment| &segment.state).collect();
    let consumed = |reason: Option<&str>| RebuiltState::Consumed { quarantine: reason.map(str::to_owned) };
    assert_eq!(states, [&consumed(None), &consumed(Some("torn"))]);
}

#[test]
fn of_originals_and_copies_the_right_ones_are_live() {
    let check = |segments: &[SegmentSurvey], consumed: &[u64], expect: &[(u64, RebuiltState)]| {
        let manifests = [manifest(0, &[], &[], consumed), manifest(1, &[9], &[], &[])];
        let mut found = survey(&manifests, &[(9, Name::Live)], &[]);
        found.segments = segments.iter().map(|segment| (segment.id, segment.clone())).collect::<BTreeMap<_, _>>();
        let catalog = decide(found, "compact", 9).expect("decides").catalog;
        let states: Vec<_> = catalog.segments.into_iter().map(|segment| (segment.id.0, segment.state)).collect();
        assert_eq!(states, expect, "{segments:?}");
    };
    let sealed = || RebuiltState::Sealed { length: 100, rows: 20 };
    let consumed = || RebuiltState::Consumed { quarantine: None };
    let open = |id| SegmentSurvey { sealed_length: None, ..segment(id) };
    let copy = |id, of| SegmentSurvey { copy_of: Some(SegmentId(of)), ..segment(id) };
    check(&[segment(1), open(2)], &[], &[(1, sealed()), (2, RebuiltState::Listed)]);
    // One kept ahead is listed: the next start drops it.
    let empty = SegmentSurvey { commits: 0, rows: 0, ..open(3) };
    check(std::slice::from_ref(&empty), &[], &[(3, RebuiltState::Listed)]);
    check(&[SegmentSurvey { is_torn: true, ..empty }], &[], &[]);
    // The original has a commit more that was never acknowledged.
    let original = SegmentSurvey { commits: 3, ..open(1) };
    check(&[original.clone(), copy(2, 1)], &[], &[(1, RebuiltState::Replaced), (2, sealed())]);
    check(&[copy(2, 1)], &[], &[(2, sealed())]);
    check(&[original.clone(), copy(2, 1)], &[2], &[(1, RebuiltState::Replaced), (2, consumed())]);
    // A copy that was not ended never took the place.
    let begun = SegmentSurvey { sealed_length: None, commits: 1, ..copy(2, 1) };
    check(&[original, begun.clone()], &[], &[(1, RebuiltState::Listed)]);
    check(&[segment(1), begun], &[1], &[(1, consumed())]);
    // A restart took the original over and went on with it.
    let taken_over = SegmentSurvey { commits: 3, ..segment(1) };
    check(&[taken_over, copy(2, 1)], &[], &[(1, sealed())]);
    check(&[segment(1), copy(2, 1)], &[1], &[(1, consumed())]);
    check(&[open(1), copy(2, 1), copy(3, 1)], &[], &[(1, RebuiltState::Replaced), (3, sealed())]);
}
