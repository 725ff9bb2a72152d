//! The format: everything comes back, and damage never passes for data.

use std::fs;
use std::path::PathBuf;

use model::Table;

use super::fixture::{Fixture, NOW, batch, draft, read_tags, tenant};
use crate::{CommitDraft, End, JournalError, JournalLimits, Part, SegmentReader, segment_path};

/// A sealed segment of a few small commits, its bytes, and where each commit ends.
fn sealed_segment(commits: i64) -> (Fixture, PathBuf, Vec<u8>, Vec<u64>) {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open(NOW);
    for tag in 1..=commits {
        journal.append(&draft(tag, 3), NOW + tag).expect("appends");
    }
    journal.seal(NOW + commits).expect("seals");
    let path = fixture.path(fixture.segments()[0].id);
    let bytes = fs::read(&path).expect("reads");
    let reader = SegmentReader::open(&path).expect("opens");
    let ends = reader.read_from(reader.start(), End::Sealed(bytes.len() as u64)).expect("reads");
    let ends = ends.map(|commit| commit.expect("valid").end()).collect();
    (fixture, path, bytes, ends)
}

#[test]
fn every_column_of_every_table_comes_back() {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open_with(JournalLimits::default(), NOW);
    let mut expect = Vec::new();
    for (round, rows) in [0_usize, 1, 7, 300].into_iter().enumerate() {
        let mut parts = Vec::new();
        for table in Table::ALL {
            let wanted = |at: usize| round == 3 || !(at + round).is_multiple_of(3);
            let rows = batch(table, rows, round as u64 * 100, wanted);
            parts.push(Part { tenant: tenant(), table, batch: rows });
        }
        // Sliced rows must come back as if they had been made so.
        let whole = batch(Table::Spans, 50, 9, |_| true);
        parts.push(Part { tenant: tenant(), table: Table::Spans, batch: whole.slice(11, 20) });
        expect.push(parts.clone());
        let draft = CommitDraft { arrival_unix_nano: NOW, parts, receipts: Vec::new() };
        journal.append(&draft, NOW).expect("appends");
    }
    let reader = SegmentReader::open(&fixture.path(fixture.segments()[0].id)).expect("opens");
    let commits: Vec<_> = reader.read_from(reader.start(), End::Live).expect("reads").collect();
    assert_eq!(commits.len(), expect.len());
    for (commit, expect) in commits.into_iter().zip(expect) {
        let commit = commit.expect("valid");
        for (part, expect) in commit.parts().iter().zip(expect) {
            assert_eq!(
                (part.table(), part.tenant(), part.rows()),
                (expect.table, &expect.tenant, expect.batch.num_rows())
            );
            assert_eq!(part.decode().expect("decodes"), expect.batch, "{}", expect.table);
        }
    }
}

#[test]
fn a_part_says_its_time_range() {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open(NOW);
    journal.append(&draft(1, 5), NOW).expect("appends");
    let reader = SegmentReader::open(&fixture.path(fixture.segments()[0].id)).expect("opens");
    let commit = reader.read_from(reader.start(), End::Live).expect("reads").next().expect("one").expect("valid");
    let part = &commit.parts()[0];
    let times = part.decode().expect("decodes");
    let times = times.column_by_name("time").expect("required").clone();
    let times =
        times.as_any().downcast_ref::<arrow::array::TimestampNanosecondArray>().expect("times").values().to_vec();
    let range = (times.iter().copied().min().expect("rows"), times.iter().copied().max().expect("rows"));
    assert_eq!(part.time_range(), range);
    assert_eq!(commit.receipts(), draft(1, 5).receipts);
}

#[test]
fn a_draft_that_does_not_fit_the_schema_is_refused() {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open(NOW);
    let part = Part { tenant: tenant(), table: Table::Logs, batch: batch(Table::Spans, 2, 1, |_| true) };
    let wrong = CommitDraft { arrival_unix_nano: NOW, parts: vec![part], receipts: Vec::new() };
    assert!(matches!(journal.append(&wrong, NOW), Err(JournalError::Invalid(_))));
    journal.append(&draft(1, 2), NOW).expect("the next one is none the worse");
    assert_eq!(fixture.tags(), (vec![1], false));
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_whole() {
    let (_fixture, _, bytes, ends) = sealed_segment(3);
    let folder = tempfile::tempdir().expect("a folder");
    let path = segment_path(folder.path(), model::SegmentId(1));
    let (last, end) = (ends[1] as usize, ends[2] as usize);
    for cut in last..end {
        // What a crash leaves: the front of the commit, zeros behind it, as preallocated.
        let mut torn = bytes[..cut].to_vec();
        torn.resize(end + 4096, 0);
        fs::write(&path, &torn).expect("writes");
        for end in [End::Live, End::Abandoned] {
            // The commit's own last bytes may be zeros: then it is not torn at all.
            let expect = if torn[..ends[2] as usize] == bytes[..ends[2] as usize] { vec![1, 2, 3] } else { vec![1, 2] };
            assert_eq!(read_tags(&path, end), (expect, false), "cut at {cut}, {end:?}");
        }
        // The same file cut short instead.
        fs::write(&path, &bytes[..cut]).expect("writes");
        assert_eq!(read_tags(&path, End::Abandoned), (vec![1, 2], false), "short at {cut}");
        assert_eq!(read_tags(&path, End::Sealed(end as u64)), (vec![1, 2], true), "sealed, short at {cut}");
    }
}

#[test]
fn a_tail_whose_first_page_was_lost_is_cut_whole() {
    let (_fixture, _, bytes, ends) = sealed_segment(3);
    let folder = tempfile::tempdir().expect("a folder");
    let path = segment_path(folder.path(), model::SegmentId(1));
    for lost in 1..(ends[2] - ends[1]) as usize {
        let mut torn = bytes[..ends[2] as usize].to_vec();
        torn[ends[1] as usize..ends[1] as usize + lost].fill(0);
        torn.resize(ends[2] as usize + 4096, 0);
        fs::write(&path, &torn).expect("writes");
        assert_eq!(read_tags(&path, End::Abandoned), (vec![1, 2], false), "lost {lost}");
    }
}

#[test]
fn a_flipped_bit_costs_its_commit_and_is_reported() {
    let (_fixture, _, bytes, ends) = sealed_segment(4);
    let folder = tempfile::tempdir().expect("a folder");
    let path = segment_path(folder.path(), model::SegmentId(1));
    let length = bytes.len() as u64;
    for bit in (0..bytes.len() * 8).step_by(31) {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).expect("writes");
        let at = (bit / 8) as u64;
        let hit = ends.iter().position(|end| at < *end);
        let reader = SegmentReader::open(&path).expect("opens");
        let is_header = reader.start() == 0;
        let expect: Vec<i64> = match hit {
            Some(hit) if !is_header => (1..=4).filter(|tag| *tag != hit as i64 + 1).collect(),
            _ => vec![1, 2, 3, 4],
        };
        assert_eq!(read_tags(&path, End::Sealed(length)), (expect.clone(), true), "bit {bit}");
        // Whether the owner died or is still writing, what comes out is true, too.
        for end in [End::Abandoned, End::Live] {
            let (tags, _) = read_tags(&path, end);
            assert!(tags.iter().all(|tag| expect.contains(tag)), "bit {bit}, {end:?}: {tags:?}");
        }
    }
}

#[test]
fn bytes_of_a_client_never_pass_for_a_commit() {
    // A client that knows the format sends a whole segment inside of a log record, and the commit that holds it tears.
    let (_fixture, _, bytes, ends) = sealed_segment(2);
    let forged = &bytes[ends[0] as usize..ends[1] as usize];
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open(NOW);
    journal.append(&draft(1, 2), NOW).expect("appends");
    let mut hostile = draft(2, 2);
    hostile.receipts[0].response = forged.repeat(8);
    journal.append(&hostile, NOW).expect("appends");
    let path = fixture.path(fixture.segments()[0].id);
    let mut bytes = fs::read(&path).expect("reads");
    let reader = SegmentReader::open(&path).expect("opens");
    let second = reader.read_from(reader.start(), End::Live).expect("reads").nth(1).expect("two").expect("valid");
    let (start, end) = (second.offset() as usize, second.end() as usize);
    for torn in [start, start + 20, end - 1] {
        bytes[torn] ^= 1;
        fs::write(&path, &bytes).expect("writes");
        for end in [End::Live, End::Abandoned] {
            assert_eq!(read_tags(&path, end), (vec![1], false));
        }
    }
}

#[test]
fn garbage_is_no_segment_and_no_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = segment_path(folder.path(), model::SegmentId(1));
    assert!(matches!(SegmentReader::open(&path), Err(JournalError::Missing(_))));
    for bytes in [Vec::new(), vec![0; 100], vec![0xff; 10_000], b"SPYHSEG1".repeat(2000)] {
        fs::write(&path, &bytes).expect("writes");
        for end in [End::Live, End::Abandoned, End::Sealed(bytes.len() as u64 + 8)] {
            assert_eq!(read_tags(&path, end).0, Vec::<i64>::new());
        }
    }
}

#[test]
fn a_reader_beside_the_writer_sees_every_commit_once_and_no_damage() {
    let fixture = Fixture::new();
    let (mut journal, _) = fixture.open_with(JournalLimits::default(), NOW);
    let path = fixture.path(fixture.segments()[0].id);
    let commits = 400;
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let reader = SegmentReader::open(&path).expect("opens");
            let (mut offset, mut seen) = (reader.start(), 0);
            while seen < commits {
                let mut found = reader.read_from(offset, End::Live).expect("reads");
                for commit in &mut found {
                    seen += 1;
                    assert_eq!(commit.expect("valid").arrival_unix_nano(), NOW + seen);
                }
                assert_eq!(found.damage(), []);
                offset = found.offset();
            }
        });
        for tag in 1..=commits {
            journal.append(&draft(tag, (tag % 50) as usize * 10), NOW).expect("appends");
        }
        reading.join().expect("the reader is content");
    });
}
