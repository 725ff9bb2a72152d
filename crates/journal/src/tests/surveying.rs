//! What a segment's file tells without a catalog.

use std::fs;

use model::SegmentId;
use store::fault;

use super::fixture::{Fixture, NOW, draft};
use crate::survey;

#[test]
fn a_segment_tells_what_it_holds_and_whether_it_was_ended() {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open(NOW);
    for tag in 1..=3 {
        journal.append(&draft(tag, 2), NOW).expect("appends");
    }
    let open = survey(&fixture.path(SegmentId(1))).expect("reads");
    assert_eq!((open.commits, open.rows, open.sealed_length, open.is_torn), (3, 6, None, false));
    assert_eq!((open.id, open.copy_of, open.created_unix_nano), (SegmentId(1), None, NOW));
    journal.seal(NOW).expect("seals");
    let sealed = survey(&fixture.path(SegmentId(1))).expect("reads");
    assert_eq!((sealed.commits, sealed.rows), (3, 6));
    assert_eq!(sealed.sealed_length, Some(fixture.segments()[0].length), "what the catalog says");
    let empty = survey(&fixture.path(SegmentId(2))).expect("reads");
    assert_eq!((empty.commits, empty.sealed_length, empty.is_torn), (0, None, false));

    // Damage in a segment that was ended is damage, at the end of an open one it is a torn tail.
    let path = fixture.path(SegmentId(1));
    let reader = crate::SegmentReader::open(&path).expect("opens");
    let commits = reader.read_from(reader.start(), crate::End::Abandoned).expect("reads");
    let second = commits.map(|commit| commit.expect("valid").offset()).nth(1).expect("three");
    let mut bytes = fs::read(&path).expect("reads");
    bytes[second as usize + 100] ^= 0xff;
    fs::write(&path, &bytes).expect("writes");
    let damaged = survey(&path).expect("reads");
    assert_eq!((damaged.damage.len(), damaged.commits), (1, 2));
    assert!(damaged.sealed_length.is_some());
    journal.append(&draft(4, 2), NOW).expect("appends");
    journal.append(&draft(5, 2), NOW).expect("appends");
    let path = fixture.path(SegmentId(2));
    let reader = crate::SegmentReader::open(&path).expect("opens");
    let last = reader.read_from(reader.start(), crate::End::Live).expect("reads").last().expect("two").expect("valid");
    let mut bytes = fs::read(&path).expect("reads");
    bytes[last.offset() as usize + 100] ^= 0xff;
    fs::write(&path, &bytes).expect("writes");
    let torn = survey(&path).expect("reads");
    assert_eq!((torn.commits, torn.is_torn, torn.sealed_length), (1, true, None));
}

#[test]
fn a_copy_names_its_original_and_was_ended() {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open(NOW);
    journal.append(&draft(1, 2), NOW).expect("appends");
    let armed = fault::arm_thread("fail_fdatasync:1");
    assert!(journal.append(&draft(2, 2), NOW).is_err());
    drop(armed);
    let original = survey(&fixture.path(SegmentId(1))).expect("reads");
    assert_eq!((original.commits, original.sealed_length), (2, None), "one that was never acknowledged is among them");
    let copies = fixture.segments().into_iter().filter_map(|segment| {
        let copy = survey(&fixture.path(segment.id)).expect("reads");
        copy.copy_of.map(|of| (of, copy.commits, copy.sealed_length))
    });
    let copy = fixture.segments().into_iter().find(|segment| segment.length > 0).expect("the copy");
    assert_eq!(copies.collect::<Vec<_>>(), [(SegmentId(1), 1, Some(copy.length))]);
}
