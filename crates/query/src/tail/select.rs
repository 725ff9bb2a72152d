//! From pieces of the journal to the records of one event: pure.

use std::sync::Arc;

use api::LogRecord;
use tables::{JournalPlace, TailPiece};

use crate::identity::LogHasher;
use crate::log_search::record_id;
use crate::matcher::Matcher;
use crate::records::LogRows;

/// Which of more records than may be sent are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// The newest; the others are dropped, and everything has been looked at.
    Newest,
    /// The oldest; the others come next.
    Oldest,
}

/// What one event has.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Selection {
    pub(super) logs: Vec<LogRecord>,
    pub(super) dropped: u64,
    /// Where to go on, where that is within the pieces; none where all of them were looked at.
    pub(super) place: Option<JournalPlace>,
}

/// Picks at most `records_max` matching records behind a place.
pub(super) fn select(
    pieces: &[Arc<TailPiece>],
    place: JournalPlace,
    matcher: &Matcher,
    choice: Choice,
    records_max: usize,
) -> Selection {
    let mut found: Vec<(usize, usize)> = Vec::new();
    let (mut end, mut stopped_at) = (place, None);
    'pieces: for (number, piece) in pieces.iter().enumerate() {
        let first = piece.row_from(end);
        let mut matching = vec![true; piece.batch.num_rows()];
        matching[..first].fill(false);
        matcher.narrow(&piece.batch, &mut matching);
        for row in (first..matching.len()).filter(|row| matching[*row]) {
            if choice == Choice::Oldest && found.len() == records_max {
                stopped_at = Some(piece.place_of(row));
                break 'pieces;
            }
            found.push((number, row));
        }
        end = piece.end;
    }
    let dropped = found.len().saturating_sub(records_max);
    let mut logs = Vec::with_capacity(found.len() - dropped);
    for of_piece in found[dropped..].chunk_by(|a, b| a.0 == b.0) {
        let batch = &pieces[of_piece[0].0].batch;
        let (rows, hasher) = (LogRows::new(batch), LogHasher::new(batch));
        logs.extend(of_piece.iter().map(|(_, row)| {
            // Which of equal records it is does not matter to whoever opens one.
            LogRecord { id: record_id(hasher.hash(*row), 0), ..rows.record(*row) }
        }));
    }
    Selection { logs, dropped: dropped as u64, place: stopped_at }
}
