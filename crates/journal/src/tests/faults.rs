//! Disks that fail: nothing is acknowledged that is not durable, and the journal goes on.

use catalog::SegmentState;
use model::SegmentId;
use store::fault;

use super::fixture::{Fixture, NOW, SECOND, digest, draft};
use crate::{JournalError, SegmentReader};

#[test]
fn after_a_failed_fdatasync_what_is_valid_is_copied_and_the_commit_is_not_stored() {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open(NOW);
    journal.append(&draft(1, 2), NOW).expect("appends");
    journal.append(&draft(2, 2), NOW).expect("appends");
    let armed = fault::arm_thread("fail_fdatasync:1");
    let failed = journal.append(&draft(3, 2), NOW);
    assert!(matches!(failed, Err(JournalError::Sync { .. })), "{failed:?}");
    drop(armed);
    assert_eq!(fixture.tags(), (vec![1, 2], false), "the copy has what was acknowledged");
    assert!(journal.receipt(&digest(2), NOW).is_some());
    assert_eq!(journal.receipt(&digest(3), NOW), None, "a resend of it is stored");
    journal.append(&draft(3, 2), NOW).expect("appends");
    let (mut tags, damaged) = fixture.tags();
    tags.sort_unstable();
    assert_eq!((tags, damaged), (vec![1, 2, 3], false));
    let segments = fixture.segments();
    assert!(segments.iter().all(|segment| segment.id != SegmentId(1)), "the original is not live: {segments:?}");
    let copy = segments.iter().find(|segment| segment.state == SegmentState::Sealed).expect("the copy");
    assert_eq!(copy.rows, 4);
    let reader = SegmentReader::open(&fixture.path(copy.id)).expect("opens");
    assert_eq!(reader.copy_of(), Some(SegmentId(1)));
    drop(journal);
    let (mut journal, report) = fixture.open(NOW);
    assert_eq!((report.digests, report.damage), (3, Vec::new()));
    assert!(journal.receipt(&digest(3), NOW).is_some());
}

#[test]
fn while_fdatasync_keeps_failing_nothing_is_acknowledged() {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open(NOW);
    journal.append(&draft(1, 2), NOW).expect("appends");
    let armed = fault::arm_thread("fail_fdatasync:1+");
    for attempt in 0..5 {
        let refused = journal.append(&draft(2, 2), NOW + attempt * SECOND / 2);
        assert!(matches!(refused, Err(JournalError::Sync { .. })), "{refused:?}");
    }
    drop(armed);
    assert_eq!(journal.receipt(&digest(2), NOW), None);
    journal.append(&draft(2, 2), NOW + 10 * SECOND).expect("the disk is well again");
    let (mut tags, damaged) = fixture.tags();
    tags.sort_unstable();
    assert_eq!((tags, damaged), (vec![1, 2], false));
    assert_eq!(fixture.segments().iter().filter(|segment| segment.rows == 2).count(), 1, "one copy is live");
}

#[test]
fn a_first_commit_that_cannot_be_synced_leaves_nothing_to_copy() {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open(NOW);
    let armed = fault::arm_thread("fail_fdatasync:1");
    assert!(journal.append(&draft(1, 2), NOW).is_err());
    drop(armed);
    assert!(!fixture.path(SegmentId(1)).exists());
    journal.append(&draft(1, 2), NOW).expect("appends");
    assert_eq!(fixture.tags(), (vec![1], false));
}

#[test]
fn after_a_short_write_the_segment_is_sealed_at_its_last_good_commit() {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open(NOW);
    journal.append(&draft(1, 2), NOW).expect("appends");
    let armed = fault::arm_thread("fail_append_no_space:1");
    let refused = journal.append(&draft(2, 2), NOW);
    assert!(matches!(refused, Err(JournalError::Write { .. })), "{refused:?}");
    drop(armed);
    let first = &fixture.segments()[0];
    assert_eq!((first.id, first.state, first.rows), (SegmentId(1), SegmentState::Sealed, 2));
    assert_eq!(journal.receipt(&digest(2), NOW), None);
    journal.append(&draft(2, 2), NOW).expect("appends");
    assert_eq!(fixture.tags(), (vec![1, 2], false));
}

#[test]
fn a_segment_that_cannot_be_synced_at_its_end_is_copied() {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open(NOW);
    journal.append(&draft(1, 2), NOW).expect("appends");
    let armed = fault::arm_thread("fail_seal_sync:1");
    journal.seal(NOW).expect("sealed as a copy");
    drop(armed);
    assert_eq!(fixture.tags(), (vec![1], false));
    assert!(fixture.segments().iter().all(|segment| segment.id != SegmentId(1)));
    journal.append(&draft(2, 2), NOW).expect("appends");
    let (mut tags, _) = fixture.tags();
    tags.sort_unstable();
    assert_eq!(tags, [1, 2]);
}
