//! The records a stream begins with: the last ones before its start, and the place where it goes on from them.
//!
//! What the journal holds comes in the journal's order, newest segments read first until there are enough; what is
//! older comes from files, by time. Both are of one snapshot, so no record is missing between them or there twice (I2).

use std::collections::VecDeque;
use std::sync::Arc;

use api::LogRecord;
use tables::{JournalPlace, Scan, SegmentList, TablesError};

use super::select::{Choice, select};
use crate::log_search;
use crate::matcher::Matcher;
use crate::service::Question;

/// Bytes decoded at once.
const READ_BYTES_MAX: usize = 4 << 20;

/// Bytes of the journal's rows that are looked at for them.
const JOURNAL_BYTES_MAX: usize = 256 << 20;

pub(crate) fn last(
    question: &Question<'_>,
    matcher: &Matcher,
    count: usize,
    scan: &mut Scan,
) -> Result<(Vec<LogRecord>, JournalPlace), TablesError> {
    let list = SegmentList::of(question.pinned);
    let mut found: VecDeque<LogRecord> = VecDeque::new();
    let mut place = None;
    let mut bytes = 0;
    for segment in list.live().into_iter().rev() {
        let mut follower = question.engine.follow(question.pinned.tenant(), JournalPlace::default()).only(segment);
        let mut of_segment: VecDeque<LogRecord> = VecDeque::new();
        loop {
            scan.deadline.check()?;
            let before = follower.place();
            let read = follower.read_on(&list, READ_BYTES_MAX)?;
            bytes += read.pieces.iter().map(|piece| piece.bytes).sum::<usize>();
            let pieces: Vec<_> = read.pieces.into_iter().map(Arc::new).collect();
            of_segment.extend(select(&pieces, before, matcher, Choice::Newest, count).logs);
            of_segment.drain(..of_segment.len().saturating_sub(count));
            if read.is_at_end {
                break;
            }
        }
        follower.take_notes().into_iter().for_each(|note| scan.note(note));
        // The newest segment is read first, and its end is where the stream goes on.
        place.get_or_insert(follower.place());
        of_segment.drain(..of_segment.len().saturating_sub(count - found.len()));
        of_segment.append(&mut found);
        found = of_segment;
        if found.len() >= count {
            break;
        }
        if bytes > JOURNAL_BYTES_MAX {
            scan.note("the journal is too long to look through for records from before: ask /api/v1/logs".into());
            return Ok((found.into(), place.unwrap_or_default()));
        }
    }
    if found.len() < count {
        let in_files = question.pinned.without_tail();
        let in_files = Question { engine: question.engine, pinned: &in_files };
        for older in log_search::newest(&in_files, matcher, count - found.len(), scan)? {
            found.push_front(older);
        }
    }
    Ok((found.into(), place.unwrap_or_default()))
}
