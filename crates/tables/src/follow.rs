//! Following the journal: the log records of one tenant in the order they were acknowledged, each once, from a place
//! on.
//!
//! A *place* is a commit of a segment and a row in it. Segments are read whole and one after another, so it does not
//! matter whether their rows have moved to files meanwhile: a consumed segment's file stays for its grace, and until
//! then a follower can go on from any place in it. A copy that took the place of a segment whose fsync failed (I12)
//! counts as that segment, whose commits it numbers alike.
//!
//! What is read goes through one tenant's filter here (I8) and pins nothing; it may be a moment ahead of what has been
//! acknowledged, as the journal's tail is for every question.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use arrow::array::RecordBatch;
use catalog::{Segment, SegmentState};
use journal::{Commits, End, JournalError, SegmentReader};
use model::{SegmentId, SequenceNumber, Table, TenantId};

use crate::engine::Engine;
use crate::error::TablesError;
use crate::pinned::Pinned;
use crate::tail::{COLUMN_BYTES, join_rows};

/// Where the next row is read: behind everything that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct JournalPlace {
    /// The segment; of a copy, the segment it was copied from.
    pub segment: SegmentId,
    /// Number of the commit.
    pub commit: u64,
    /// Rows of the commit that were read.
    pub row: usize,
}

impl fmt::Display for JournalPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.segment.0, self.commit, self.row)
    }
}

/// The text is no place in a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no place in the journal: write one that an event had as its id, such as 12.345.0")]
pub struct PlaceError;

impl FromStr for JournalPlace {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<JournalPlace, PlaceError> {
        let mut parts = text.split('.');
        let mut next = || parts.next().and_then(|part| part.parse::<u64>().ok()).ok_or(PlaceError);
        let place = JournalPlace { segment: SegmentId(next()?), commit: next()?, row: next()? as usize };
        parts.next().is_none().then_some(place).ok_or(PlaceError)
    }
}

/// Log records that were read together: rows of neighbouring commits of one segment.
#[derive(Debug)]
pub struct TailPiece {
    /// Where reading began; in an earlier segment where this piece is the first of its own.
    pub start: JournalPlace,
    /// Where it goes on.
    pub end: JournalPlace,
    /// The rows; columns that are all null may be absent.
    pub batch: RecordBatch,
    /// Bytes in memory, about.
    pub bytes: usize,
    /// Commits with rows here, and the row behind each one's last.
    commits: Vec<(u64, usize)>,
}

impl TailPiece {
    /// Rows of these commits, each with the row behind its last.
    pub fn new(
        start: JournalPlace,
        end: JournalPlace,
        batch: RecordBatch,
        bytes: usize,
        commits: Vec<(u64, usize)>,
    ) -> TailPiece {
        TailPiece { start, end, batch, bytes, commits }
    }

    /// The first row here that is at or behind a place.
    pub fn row_from(&self, place: JournalPlace) -> usize {
        if place.segment != self.end.segment {
            return if place.segment < self.end.segment { 0 } else { self.batch.num_rows() };
        }
        let mut begins = 0;
        for (commit, ends) in &self.commits {
            match commit.cmp(&place.commit) {
                std::cmp::Ordering::Less => begins = *ends,
                std::cmp::Ordering::Equal => return (begins + place.row).min(*ends),
                std::cmp::Ordering::Greater => return begins,
            }
        }
        begins
    }

    /// The place behind the rows before this one.
    pub fn place_of(&self, row: usize) -> JournalPlace {
        let mut begins = 0;
        for (commit, ends) in &self.commits {
            if row < *ends {
                return JournalPlace { segment: self.end.segment, commit: *commit, row: row - begins };
            }
            begins = *ends;
        }
        self.end
    }
}

/// The segments whose files are there, by number, as they are at one moment or later.
#[derive(Debug, Clone, Default)]
pub struct SegmentList {
    sequence: Option<SequenceNumber>,
    /// None where the segment is consumed: its file holds what counts.
    segments: BTreeMap<SegmentId, Option<(SegmentState, u64)>>,
}

impl SegmentList {
    fn end(&self, id: SegmentId) -> End {
        match self.segments.get(&id) {
            Some(Some((SegmentState::Listed, _))) => End::Live,
            Some(Some((SegmentState::Sealed, length))) => End::Sealed(*length),
            Some(None) | None => End::Abandoned,
        }
    }

    /// The live segments of a snapshot.
    pub fn of(pinned: &Pinned) -> SegmentList {
        let live = pinned.listed.segments.iter().map(live);
        SegmentList { sequence: Some(pinned.sequence()), segments: live.collect() }
    }

    /// The greatest number.
    pub fn newest(&self) -> SegmentId {
        self.segments.keys().last().copied().unwrap_or_default()
    }

    /// Numbers of the live segments that may hold a commit, the one appended to last: all but one kept ahead.
    pub fn live(&self) -> Vec<SegmentId> {
        let in_state = |wanted: SegmentState| {
            let matching = move |state: &Option<(SegmentState, u64)>| state.is_some_and(|(state, _)| state == wanted);
            self.segments.iter().filter(move |(_, state)| matching(state)).map(|(id, _)| *id)
        };
        in_state(SegmentState::Sealed).chain(in_state(SegmentState::Listed).next()).collect()
    }
}

fn live(segment: &Segment) -> (SegmentId, Option<(SegmentState, u64)>) {
    (segment.id, Some((segment.state, segment.length)))
}

impl Engine {
    /// The list as it is now, where it is not `known` already.
    ///
    /// # Errors
    /// The catalog's.
    pub async fn segment_list(&self, known: &SegmentList) -> Result<Option<SegmentList>, TablesError> {
        let catalog = &self.inner.catalog;
        let sequence = catalog.sequence().await?;
        if known.sequence == Some(sequence) {
            return Ok(None);
        }
        // Live ones first: a segment consumed in between is then in both, and in one of them for certain.
        let segments = catalog.segments().await?;
        let consumed = catalog.consumed_segments(i64::MAX).await?;
        let mut list = SegmentList { sequence: Some(sequence), segments: segments.iter().map(live).collect() };
        for id in consumed {
            list.segments.insert(id, None);
        }
        Ok(Some(list))
    }

    /// Follows the journal from a place.
    pub fn follow(&self, tenant: &TenantId, place: JournalPlace) -> Follower {
        Follower {
            folder: self.inner.layout.journal_folder(),
            tenant: tenant.clone(),
            place,
            is_finished: false,
            current: None,
            keys: HashMap::new(),
            only: None,
            notes: Vec::new(),
        }
    }
}

/// A segment that is being read.
struct Current {
    reader: SegmentReader,
    offset: u64,
}

/// Reads on from where it stopped. Its methods block.
pub struct Follower {
    folder: PathBuf,
    tenant: TenantId,
    place: JournalPlace,
    /// Whether the place's segment has been read to its end.
    is_finished: bool,
    current: Option<Current>,
    /// Segments by number, each with the one it counts as.
    keys: HashMap<SegmentId, SegmentId>,
    /// The only segment to read.
    only: Option<SegmentId>,
    notes: Vec<String>,
}

/// Bytes that may be passed over, of what is not asked for, for each that is decoded.
const SCANNED_FACTOR: usize = 16;

/// What may still be read.
struct Left {
    decoded: usize,
    scanned: usize,
}

/// What [`Follower::read_on`] has read.
#[derive(Debug)]
pub struct ReadOn {
    /// In order.
    pub pieces: Vec<TailPiece>,
    /// Whether there was nothing more.
    pub is_at_end: bool,
}

/// How far a reading of a segment came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// To its end.
    Ended,
    /// To where it will go on.
    Waiting,
    /// As far as the bytes asked for went.
    Full,
}

impl Follower {
    /// Where it goes on.
    pub fn place(&self) -> JournalPlace {
        self.place
    }

    /// Reads no segment but this one, from its start.
    #[must_use]
    pub fn only(mut self, segment: SegmentId) -> Follower {
        self.place = JournalPlace { segment, ..JournalPlace::default() };
        self.only = Some(segment);
        self
    }

    /// Why records may be missing from what was read since the last call.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Steps to the present end of the journal without decoding anything.
    ///
    /// # Errors
    /// The system's.
    pub fn skip_to_end(&mut self, list: &SegmentList) -> Result<(), TablesError> {
        let Some(newest) = list.live().last().copied().or_else(|| list.segments.keys().last().copied()) else {
            return Ok(());
        };
        self.current = None;
        self.is_finished = false;
        let Some((key, current)) = self.open(newest)? else { return Ok(()) };
        self.place = JournalPlace { segment: key, ..JournalPlace::default() };
        let mut current = current;
        let mut commits = current.reader.read_from(current.offset, list.end(newest))?;
        for commit in commits.by_ref() {
            self.place.commit = commit?.number() + 1;
        }
        current.offset = commits.offset();
        drop(commits);
        self.current = Some(current);
        Ok(())
    }

    /// The rows up to the journal's present end, or to where about `bytes_max` of them have been read.
    ///
    /// # Errors
    /// The system's. What is damaged or gone is noted ([`Follower::take_notes`]).
    pub fn read_on(&mut self, list: &SegmentList, bytes_max: usize) -> Result<ReadOn, TablesError> {
        let mut read = ReadOn { pieces: Vec::new(), is_at_end: true };
        let mut left = Left { decoded: bytes_max, scanned: bytes_max.saturating_mul(SCANNED_FACTOR) };
        let mut start = self.place;
        while self.current.is_some() || self.open_next(list)? {
            let Some(mut current) = self.current.take() else { break };
            let end = list.end(current.reader.id());
            let mut rows = Rows::default();
            let reading = self.read(&mut current, end, &mut rows, &mut left);
            let joined = rows.join(start, self.place);
            start = joined.last().map_or(start, |piece| piece.end);
            read.pieces.extend(joined);
            match reading {
                Ok(Reading::Ended) => self.is_finished = true,
                // The place is behind what is handed over; the next call opens the segment anew.
                Err(error) if read.pieces.is_empty() => return Err(error),
                Err(_) => break,
                Ok(reading) => {
                    read.is_at_end = reading == Reading::Waiting;
                    self.current = Some(current);
                    break;
                }
            }
        }
        Ok(read)
    }

    fn read(
        &mut self,
        current: &mut Current,
        end: End,
        rows: &mut Rows,
        left: &mut Left,
    ) -> Result<Reading, TablesError> {
        match end {
            End::Live if current.reader.is_empty_at(current.offset)? => return Ok(Reading::Waiting),
            // What was read beyond was never acknowledged, and was cut.
            End::Sealed(length) if current.offset >= length => return Ok(Reading::Ended),
            _ => {}
        }
        let mut commits = current.reader.read_from(current.offset, end)?;
        for commit in commits.by_ref() {
            let commit = commit?;
            let number = commit.number();
            if number >= self.place.commit {
                // Rows of the commit where a reading began that its place has behind it are left in: whoever takes
                // the piece goes by places.
                for part in commit.parts().iter().filter(|part| part.table() == Table::Logs) {
                    if *part.tenant() != self.tenant {
                        continue;
                    }
                    match part.decode() {
                        Ok(batch) => {
                            left.decoded = left.decoded.saturating_sub(part.bytes());
                            rows.add(number, batch, part.bytes());
                        }
                        Err(error) => self
                            .notes
                            .push(format!("a commit of journal segment {} is damaged: {error}", current.reader.id())),
                    }
                }
                self.place = JournalPlace { segment: self.place.segment, commit: number + 1, row: 0 };
            }
            left.scanned = left.scanned.saturating_sub((commit.end() - commit.offset()) as usize);
            current.offset = commit.end();
            if left.decoded == 0 || left.scanned == 0 {
                return Ok(Reading::Full);
            }
        }
        self.note_damage(&commits);
        current.offset = commits.offset();
        Ok(match end {
            End::Live => Reading::Waiting,
            End::Sealed(_) | End::Abandoned => Reading::Ended,
        })
    }

    fn note_damage(&mut self, commits: &Commits<'_>) {
        self.notes.extend(commits.damage().iter().map(|damage| {
            format!("journal segment {} is damaged from byte {} to {}", damage.segment, damage.start, damage.end)
        }));
    }

    /// Opens the segment that comes next; false where there is none yet.
    fn open_next(&mut self, list: &SegmentList) -> Result<bool, TablesError> {
        if let Some(only) = self.only {
            if self.is_finished {
                return Ok(false);
            }
            return self.go_on_in(only);
        }
        // Segments before the place are not looked at; a copy has a greater number than what it counts as.
        let ids: Vec<SegmentId> = list.segments.range(self.place.segment..).map(|(id, _)| *id).collect();
        self.keys.retain(|id, _| list.segments.contains_key(id));
        let mut next: Option<(SegmentId, SegmentId)> = None;
        for id in ids {
            let Some(key) = self.key(id)? else { continue };
            let is_ahead = if self.is_finished { key > self.place.segment } else { key >= self.place.segment };
            if is_ahead && next.is_none_or(|best| (key, id) < best) {
                next = Some((key, id));
            }
        }
        let Some((key, id)) = next else { return Ok(false) };
        // A segment that no commit was in goes without a trace, with the one kept ahead of it, when ingest restarts.
        let is_lost = self.place.commit > 0 || key.0 > self.place.segment.0 + 2;
        if key != self.place.segment && !self.is_finished && is_lost && self.place != JournalPlace::default() {
            self.notes.push(format!(
                "what the journal held after {} is not there any more: its records are in files, ask /api/v1/logs",
                self.place
            ));
        }
        self.go_on_in(id)
    }

    fn go_on_in(&mut self, id: SegmentId) -> Result<bool, TablesError> {
        let Some((key, current)) = self.open(id)? else { return Ok(false) };
        if key != self.place.segment {
            self.place = JournalPlace { segment: key, ..JournalPlace::default() };
        }
        self.is_finished = false;
        self.current = Some(current);
        Ok(true)
    }

    /// The segment that this one counts as; none where its file is gone.
    fn key(&mut self, id: SegmentId) -> Result<Option<SegmentId>, TablesError> {
        if let Some(key) = self.keys.get(&id) {
            return Ok(Some(*key));
        }
        Ok(self.open(id)?.map(|(key, _)| key))
    }

    fn open(&mut self, id: SegmentId) -> Result<Option<(SegmentId, Current)>, TablesError> {
        let reader = match SegmentReader::open(&journal::segment_path(&self.folder, id)) {
            Ok(reader) => reader,
            // Empty ones are removed at once, consumed ones after their grace.
            Err(JournalError::Missing(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let key = reader.copy_of().unwrap_or(id);
        self.keys.insert(id, key);
        let offset = reader.start();
        Ok(Some((key, Current { reader, offset })))
    }
}

/// Rows of commits that are read together.
#[derive(Default)]
struct Rows {
    batches: Vec<RecordBatch>,
    commits: Vec<(u64, usize)>,
    rows: usize,
    bytes: usize,
}

impl Rows {
    fn add(&mut self, commit: u64, batch: RecordBatch, bytes: usize) {
        self.rows += batch.num_rows();
        self.bytes += bytes + batch.num_columns() * COLUMN_BYTES;
        self.commits.push((commit, self.rows));
        self.batches.push(batch);
    }

    /// The rows as one piece; as one for each commit where they cannot be joined.
    fn join(self, start: JournalPlace, end: JournalPlace) -> Vec<TailPiece> {
        if self.batches.is_empty() {
            return Vec::new();
        }
        // A decoded batch keeps alive the bytes that were read with it, a joined one is a copy of its own.
        if let Some(batch) = join_rows(Table::Logs, &self.batches) {
            return vec![TailPiece { start, end, batch, bytes: self.bytes, commits: self.commits }];
        }
        let mut start = start;
        let last = self.batches.len() - 1;
        let piece = |(at, (batch, (commit, _))): (usize, (RecordBatch, (u64, usize)))| {
            let next = JournalPlace { segment: end.segment, commit: commit + 1, row: 0 };
            let piece_end = if at == last { end } else { next };
            let rows = batch.num_rows();
            let bytes = batch.get_array_memory_size();
            let piece = TailPiece { start, end: piece_end, batch, bytes, commits: vec![(commit, rows)] };
            start = piece_end;
            piece
        };
        self.batches.into_iter().zip(self.commits).enumerate().map(piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};

    use super::*;

    fn place(segment: u64, commit: u64, row: usize) -> JournalPlace {
        JournalPlace { segment: SegmentId(segment), commit, row }
    }

    #[test]
    fn places_print_parse_and_order() {
        assert_eq!(place(12, 345, 6).to_string().parse(), Ok(place(12, 345, 6)));
        for text in ["", "1", "1.2", "1.2.3.4", "a.2.3", "1.-2.3", "1..3"] {
            assert_eq!(text.parse::<JournalPlace>(), Err(PlaceError), "{text}");
        }
        assert!(place(1, 9, 9) < place(2, 0, 0) && place(2, 1, 0) > place(2, 0, 7) && place(2, 1, 1) > place(2, 1, 0));
    }

    #[test]
    fn a_piece_knows_its_places() {
        let body: ArrayRef = Arc::new(StringArray::from(vec!["x"; 7]));
        let batch = RecordBatch::try_from_iter([("body", body)]).expect("a batch");
        // Commit 3 has two rows, 4 none, 5 four, 7 one.
        let commits = vec![(3, 2), (5, 6), (7, 7)];
        let piece = TailPiece { start: place(1, 9, 0), end: place(2, 8, 0), batch, bytes: 0, commits };
        let check = |from: JournalPlace, row: usize| assert_eq!(piece.row_from(from), row, "{from}");
        check(place(1, 9, 0), 0);
        check(place(2, 0, 0), 0);
        check(place(2, 3, 1), 1);
        check(place(2, 4, 0), 2);
        check(place(2, 5, 3), 5);
        check(place(2, 5, 9), 6);
        check(place(2, 6, 0), 6);
        check(place(2, 8, 0), 7);
        check(place(3, 0, 0), 7);
        for row in 0..7 {
            assert_eq!(piece.row_from(piece.place_of(row)), row);
        }
        assert_eq!((piece.place_of(4), piece.place_of(7)), (place(2, 5, 2), place(2, 8, 0)));
    }
}
