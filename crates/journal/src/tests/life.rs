//! The life of segments: kept ahead, filled, sealed, taken over after a crash; and what resends are answered.

use std::fs;

use catalog::{SegmentState, Swap};
use model::SegmentId;

use super::fixture::{Fixture, NOW, SECOND, digest, draft};
use crate::{End, JournalLimits, SegmentReader, WindowBound};

fn states(fixture: &Fixture) -> Vec<SegmentState> {
    fixture.segments().iter().map(|segment| segment.state).collect()
}

/// Waits for the segment that is made in the background.
fn wait_for_segments(fixture: &Fixture, count: usize) {
    for _ in 0..500 {
        if fixture.segments().len() >= count {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("no {count} segments: {:?}", fixture.segments());
}

#[test]
fn one_segment_is_kept_ahead_and_full_ones_are_sealed() {
    use SegmentState::{Listed, Sealed};
    let fixture = Fixture::new();
    let (mut journal, report) = fixture.open(NOW);
    assert_eq!(report, crate::RecoveryReport::default());
    wait_for_segments(&fixture, 2);
    assert_eq!(states(&fixture), [Listed, Listed]);
    assert!(!journal.needs_seal(NOW + 900 * SECOND), "an empty segment has no age");
    journal.seal(NOW).expect("nothing to seal");
    assert_eq!(states(&fixture), [Listed, Listed]);
    for tag in 1..=40 {
        journal.append(&draft(tag, 300), NOW).expect("appends");
        if journal.needs_seal(NOW) {
            journal.seal(NOW).expect("seals");
        }
    }
    wait_for_segments(&fixture, 4);
    let segments = fixture.segments();
    let sealed = segments.iter().filter(|segment| segment.state == Sealed).count();
    assert!(sealed >= 1 && segments.len() == sealed + 2, "{segments:?}");
    for segment in &segments[..sealed] {
        let length = fs::metadata(fixture.path(segment.id)).expect("there").len();
        assert_eq!((segment.length, segment.rows > 0), (length, true));
        assert!(length <= Fixture::limits().segment_bytes_max + 64 * 1024);
    }
    assert_eq!(fixture.tags(), ((1..=40).collect(), false));
}

#[test]
fn an_old_segment_wants_to_be_sealed() {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open(NOW);
    journal.append(&draft(1, 1), NOW).expect("appends");
    assert!(!journal.needs_seal(NOW + 299 * SECOND));
    assert!(journal.needs_seal(NOW + 300 * SECOND));
    // The clock jumps back by an hour: five minutes from there.
    assert!(!journal.needs_seal(NOW - 3600 * SECOND));
    assert!(journal.needs_seal(NOW - 3300 * SECOND));
    journal.seal(NOW + 300 * SECOND).expect("seals");
    assert!(!journal.needs_seal(NOW + 900 * SECOND));
    assert_eq!(fixture.segments()[0].rows, 1);
}

#[test]
fn a_commit_longer_than_a_segment_fits_and_one_over_the_limit_does_not() {
    let fixture = Fixture::new();
    let limits = JournalLimits { commit_bytes_max: 1024 * 1024, ..Fixture::limits() };
    let (mut journal, _) = fixture.open_with(limits, NOW);
    journal.append(&draft(1, 2), NOW).expect("appends");
    journal.append(&draft(2, 12_000), NOW).expect("appends");
    let refused = journal.append(&draft(3, 100_000), NOW);
    assert!(matches!(refused, Err(crate::JournalError::TooLarge { .. })), "{refused:?}");
    journal.append(&draft(4, 2), NOW).expect("appends");
    assert_eq!(fixture.tags(), (vec![1, 2, 4], false));
}

#[test]
fn a_restart_takes_over_everything() {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open(NOW);
    for tag in 1..=3 {
        journal.append(&draft(tag, 2), NOW).expect("appends");
    }
    drop(journal);
    let (mut journal, report) = fixture.open(NOW + SECOND);
    assert_eq!(report.sealed, [(SegmentId(1), 3)]);
    assert_eq!(report.dropped, [SegmentId(2)]);
    assert_eq!((report.torn, report.damage, report.digests), (Vec::new(), Vec::new(), 3));
    assert!(!fixture.path(SegmentId(2)).exists());
    journal.append(&draft(4, 2), NOW + SECOND).expect("appends");
    assert_eq!(fixture.tags(), (vec![1, 2, 3, 4], false));
    for tag in 1..=4 {
        let stored = journal.receipt(&digest(tag), NOW + SECOND).expect("known");
        assert_eq!(stored.response, tag.to_string().into_bytes());
    }
    assert_eq!(journal.receipt(&digest(5), NOW), None);
}

#[test]
fn a_restart_cuts_the_torn_tail() {
    for cut_back in [1, 9, 64, 300, 700] {
        let fixture = Fixture::new();
        let (mut journal, _) = fixture.open(NOW);
        for tag in 1..=3 {
            journal.append(&draft(tag, 2), NOW).expect("appends");
        }
        drop(journal);
        let path = fixture.path(SegmentId(1));
        let reader = SegmentReader::open(&path).expect("opens");
        let last = reader.read_from(reader.start(), End::Live).expect("reads").last().expect("three").expect("valid");
        let mut bytes = fs::read(&path).expect("reads");
        let at = last.end() as usize - cut_back;
        bytes[at..last.end() as usize].fill(0xee);
        fs::write(&path, &bytes).expect("writes");
        let (mut journal, report) = fixture.open(NOW);
        assert_eq!((report.torn, report.damage), (vec![SegmentId(1)], Vec::new()), "{cut_back}");
        assert_eq!(fixture.tags(), (vec![1, 2], false));
        assert!(journal.receipt(&digest(2), NOW).is_some());
        assert_eq!(journal.receipt(&digest(3), NOW), None, "it was never acknowledged");
        let length = fixture.segments()[0].length;
        assert_eq!(fs::metadata(&path).expect("there").len(), length);
    }
}

#[test]
fn damage_in_the_middle_is_skipped_and_reported_and_stays() {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open(NOW);
    for tag in 1..=3 {
        journal.append(&draft(tag, 2), NOW).expect("appends");
    }
    drop(journal);
    let path = fixture.path(SegmentId(1));
    let reader = SegmentReader::open(&path).expect("opens");
    let second = reader.read_from(reader.start(), End::Live).expect("reads").nth(1).expect("three").expect("valid");
    let mut bytes = fs::read(&path).expect("reads");
    bytes[second.offset() as usize + 100] ^= 0xff;
    fs::write(&path, &bytes).expect("writes");
    let (journal, report) = fixture.open(NOW);
    assert_eq!(report.torn, []);
    assert_eq!(report.damage.len(), 1);
    assert_eq!((report.damage[0].start, report.damage[0].end), (second.offset(), second.end()));
    assert_eq!(fixture.tags(), (vec![1, 3], true));
    drop(journal);
    let (_journal, report) = fixture.open(NOW);
    assert_eq!(report.damage, [], "sealed segments are their readers' business");
    assert_eq!(fixture.tags(), (vec![1, 3], true));
}

#[test]
fn a_listed_segment_without_a_file_does_not_stop_the_start() {
    let fixture = Fixture::new();
    drop(fixture.open(NOW));
    fs::remove_file(fixture.path(SegmentId(1))).expect("removes");
    let (mut journal, report) = fixture.open(NOW);
    assert_eq!(report.missing, [SegmentId(1)]);
    journal.append(&draft(1, 1), NOW).expect("appends");
    assert_eq!(fixture.tags(), (vec![1], false));
}

#[test]
fn digests_survive_consumption_and_end_with_the_window() {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open(NOW);
    journal.append(&draft(1, 2), NOW).expect("appends");
    journal.seal(NOW).expect("seals");
    drop(journal);
    let lease = fixture.block_on(fixture.catalog.acquire_lease("compact", "test")).expect("a lease");
    let swap = Swap {
        lease_name: "compact".into(),
        epoch: lease,
        counter: 1,
        add: Vec::new(),
        remove: Vec::new(),
        consume: vec![SegmentId(1)],
        quarantine: Vec::new(),
        ledger: Vec::new(),
        now: NOW,
    };
    fixture.block_on(fixture.catalog.swap(&swap)).expect("swaps");
    let (mut journal, _) = fixture.open(NOW + 599 * SECOND);
    assert!(journal.receipt(&digest(1), NOW + 599 * SECOND).is_some());
    assert_eq!(journal.receipt(&digest(1), NOW + 601 * SECOND), None, "ended while it ran");
    drop(journal);
    let (mut journal, report) = fixture.open(NOW + 601 * SECOND);
    assert_eq!(report.digests, 0);
    assert_eq!(journal.receipt(&digest(1), NOW + 601 * SECOND), None);
}

#[test]
fn a_segment_without_a_footer_tells_its_digests_all_the_same() {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open(NOW);
    journal.append(&draft(1, 2), NOW).expect("appends");
    journal.seal(NOW).expect("seals");
    drop(journal);
    let path = fixture.path(SegmentId(1));
    let mut bytes = fs::read(&path).expect("reads");
    let length = bytes.len();
    bytes[length - 20] ^= 1;
    fs::write(&path, &bytes).expect("writes");
    let (mut journal, _) = fixture.open(NOW);
    assert!(journal.receipt(&digest(1), NOW).is_some());
    assert_eq!(fixture.tags(), (vec![1], true));
}

#[test]
fn the_window_is_as_long_as_its_entries_allow() {
    let fixture = Fixture::new();
    let limits = JournalLimits { digest_entries_max: 2, ..Fixture::limits() };
    let (mut journal, _) = fixture.open_with(limits.clone(), NOW);
    for tag in 1..=3 {
        journal.append(&draft(tag, 1), NOW).expect("appends");
    }
    for reopened in [false, true] {
        if reopened {
            drop(journal);
            journal = fixture.open_with(limits.clone(), NOW).0;
        }
        assert_eq!(journal.receipt(&digest(1), NOW), None);
        assert!(journal.receipt(&digest(2), NOW).is_some() && journal.receipt(&digest(3), NOW).is_some());
        assert_eq!(journal.status().window.bound, WindowBound::Entries);
    }
}
