//! What to do next, decided from what the catalog says: no I/O, no clock.

use std::collections::BTreeSet;

use catalog::{FlushRequest, Segment, SegmentState};
use model::{Hour, SegmentId};

use crate::limits::CompactLimits;

/// How far a row may lie from its arrival and keep its own time as partition time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionClamp {
    /// Nanoseconds before the arrival.
    pub past_nanos: i64,
    /// Nanoseconds after the arrival.
    pub future_nanos: i64,
}

impl PartitionClamp {
    /// The clamp of these limits.
    pub fn of(limits: &CompactLimits) -> PartitionClamp {
        let nanos = |duration: std::time::Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        PartitionClamp { past_nanos: nanos(limits.past), future_nanos: nanos(limits.future) }
    }

    /// For rows that lie in an hour already, whose arrival nobody knows any more: with the hour's start as arrival, a
    /// row's own time inside the hour, the hour's nearest end else.
    pub fn within_hour() -> PartitionClamp {
        PartitionClamp { past_nanos: 0, future_nanos: Hour::NANOS - 1 }
    }

    /// The first and last partition time of rows of this arrival.
    pub fn around(&self, arrival_unix_nano: i64) -> (i64, i64) {
        (arrival_unix_nano.saturating_sub(self.past_nanos), arrival_unix_nano.saturating_add(self.future_nanos))
    }
}

/// The segments that the next flush takes: the oldest sealed ones, as many as the limits allow, at least one.
///
/// `blocked` are segments that could not be read just now.
pub fn choose_segments(segments: &[Segment], blocked: &BTreeSet<SegmentId>, limits: &CompactLimits) -> Vec<Segment> {
    let mut chosen: Vec<Segment> = Vec::new();
    let mut bytes = 0_u64;
    for segment in segments.iter().filter(|segment| is_waiting(segment) && !blocked.contains(&segment.id)) {
        bytes = bytes.saturating_add(segment.length);
        let fits = bytes <= limits.flush_bytes_max && chosen.len() < limits.flush_segments_max;
        if !chosen.is_empty() && !fits {
            break;
        }
        chosen.push(segment.clone());
    }
    chosen
}

/// Whether a segment waits for a flush.
pub fn is_waiting(segment: &Segment) -> bool {
    segment.state == SegmentState::Sealed
}

/// Whether everything a flush request asks for is in files, given the live segments read after the request.
///
/// Once ingest has sealed for it, only segments sealed until then count. Before, every segment does that existed when
/// the request was made and holds a commit; `holds_commit` looks into one that is not sealed.
pub fn is_flush_done(
    request: &FlushRequest,
    segments: &[Segment],
    mut holds_commit: impl FnMut(&Segment) -> bool,
) -> bool {
    let mut blocks = |segment: &Segment| match (request.sealed_sequence, segment.state) {
        (Some(until), SegmentState::Sealed) => segment.sealed_sequence.is_none_or(|sealed| sealed <= until),
        (Some(_), SegmentState::Listed) => false,
        (None, _) if segment.id >= request.segment_end => false,
        (None, SegmentState::Sealed) => true,
        (None, SegmentState::Listed) => holds_commit(segment),
    };
    !segments.iter().any(&mut blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::RequestId;
    use model::SequenceNumber;

    fn segment(id: u64, sealed: Option<(u64, u64)>) -> Segment {
        Segment {
            id: SegmentId(id),
            state: if sealed.is_some() { SegmentState::Sealed } else { SegmentState::Listed },
            length: sealed.map_or(0, |(length, _)| length),
            created_at: 0,
            sealed_at: sealed.map(|_| 0),
            rows: 0,
            sealed_sequence: sealed.map(|(_, sequence)| SequenceNumber(sequence)),
        }
    }

    #[test]
    fn segments_are_taken_oldest_first_within_the_bounds() {
        let limits = CompactLimits { flush_bytes_max: 100, flush_segments_max: 3, ..CompactLimits::default() };
        let check = |lengths: &[Option<u64>], blocked: &[u64], expect: &[u64]| {
            let live: Vec<Segment> =
                lengths.iter().zip(1..).map(|(length, id)| segment(id, length.map(|bytes| (bytes, 1)))).collect();
            let blocked = blocked.iter().copied().map(SegmentId).collect();
            let chosen = choose_segments(&live, &blocked, &limits);
            assert_eq!(chosen.iter().map(|segment| segment.id.0).collect::<Vec<_>>(), expect, "{lengths:?}");
        };
        check(&[], &[], &[]);
        check(&[None, None], &[], &[]);
        check(&[Some(500), Some(1)], &[], &[1]);
        check(&[Some(60), Some(40), Some(1)], &[], &[1, 2]);
        check(&[Some(60), Some(50), Some(1)], &[], &[1]);
        check(&[Some(1), Some(1), Some(1), Some(1)], &[], &[1, 2, 3]);
        check(&[Some(1), Some(1), None, Some(1)], &[1], &[2, 4]);
    }

    #[test]
    fn a_flush_request_waits_for_what_existed_before_it() {
        let check = |sealed_sequence: Option<u64>, live: &[Segment], with_commits: &[u64], expect: bool| {
            let request = FlushRequest {
                id: RequestId(1),
                requested_at: 0,
                segment_end: SegmentId(10),
                sealed_sequence: sealed_sequence.map(SequenceNumber),
            };
            let done = is_flush_done(&request, live, |segment| with_commits.contains(&segment.id.0));
            assert_eq!(done, expect, "{sealed_sequence:?} {live:?}");
        };
        check(None, &[], &[], true);
        check(None, &[segment(9, None)], &[], true);
        check(None, &[segment(9, None)], &[9], false);
        check(None, &[segment(9, Some((1, 5)))], &[], false);
        check(None, &[segment(10, Some((1, 5))), segment(11, None)], &[11], true);
        check(Some(7), &[segment(9, Some((1, 5)))], &[], false);
        check(Some(7), &[segment(9, Some((1, 8))), segment(8, None)], &[8], true);
    }

    #[test]
    fn partition_times_are_clamped_around_the_arrival() {
        let clamp = PartitionClamp { past_nanos: 100, future_nanos: 10 };
        assert_eq!(clamp.around(1_000), (900, 1_010));
        assert_eq!(PartitionClamp::within_hour().around(Hour(2).start_unix_nano()).1, Hour(2).end_unix_nano() - 1);
        assert_eq!(clamp.around(i64::MIN), (i64::MIN, i64::MIN + 10));
        assert_eq!(clamp.around(i64::MAX), (i64::MAX - 100, i64::MAX));
    }
}
