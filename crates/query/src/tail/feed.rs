//! What all streams of a tenant share: the journal read once, and its latest pieces.
//!
//! There is no task behind it. Whichever stream finds that a reading is due takes the follower for one; the others go
//! on with what is there.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use model::TenantId;
use tables::{Engine, Follower, JournalPlace, SegmentList, TablesError, TailPiece};

/// Pieces kept at most, however small they are.
const PIECES_MAX: usize = 1024;

/// Reasons kept.
const NOTES_MAX: usize = 16;

/// Bytes read at once.
const READ_BYTES_MAX: usize = 4 << 20;

/// How soon after a reading the next is due.
const READ_INTERVAL: Duration = Duration::from_millis(50);

/// How often a stream looks whether another one's first reading is over.
const FIRST_READING_CHECK: Duration = Duration::from_millis(5);

/// The feeds of all tenants that somebody listens to.
#[derive(Default)]
pub(crate) struct Feeds {
    by_tenant: Mutex<HashMap<TenantId, Weak<Feed>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feeds {
    /// The feed of a tenant: the one others listen to, or a new one.
    pub(crate) fn of(&self, engine: &Engine, tenant: &TenantId, bytes_max: usize) -> Arc<Feed> {
        let mut feeds = lock(&self.by_tenant);
        if let Some(feed) = feeds.get(tenant).and_then(Weak::upgrade) {
            return feed;
        }
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let feed = Arc::new(Feed {
            engine: engine.clone(),
            tenant: tenant.clone(),
            bytes_max,
            state: Mutex::default(),
            list: Mutex::default(),
        });
        feeds.insert(tenant.clone(), Arc::downgrade(&feed));
        feed
    }
}

/// The journal's latest rows of one tenant.
pub(crate) struct Feed {
    engine: Engine,
    tenant: TenantId,
    bytes_max: usize,
    state: Mutex<State>,
    list: Mutex<Arc<SegmentList>>,
}

#[derive(Default)]
struct State {
    kept: Kept,
    reader: Reader,
    read_at: Option<Instant>,
    /// Why records may be missing: the latest reasons, and how many there were.
    notes: VecDeque<String>,
    notes_count: usize,
}

#[derive(Default)]
enum Reader {
    #[default]
    New,
    Idle(Box<Follower>),
    Taken,
}

/// The latest pieces, each beginning where the one before ends.
#[derive(Default)]
struct Kept {
    pieces: VecDeque<Arc<TailPiece>>,
    bytes: usize,
    /// Behind this place every row is here.
    tail: JournalPlace,
    /// Where reading goes on; none before the first reading.
    head: Option<JournalPlace>,
}

/// What is behind a place.
pub(crate) enum Behind {
    /// These pieces, and no more up to this place.
    Pieces(Vec<Arc<TailPiece>>, JournalPlace),
    /// More than is kept.
    Lost,
}

impl Kept {
    fn add(&mut self, pieces: Vec<TailPiece>, head: JournalPlace, bytes_max: usize) {
        for piece in pieces {
            self.bytes += piece.bytes;
            self.pieces.push_back(Arc::new(piece));
        }
        self.head = Some(head);
        while self.pieces.len() > 1 && (self.bytes > bytes_max || self.pieces.len() > PIECES_MAX) {
            let Some(oldest) = self.pieces.pop_front() else { break };
            self.bytes -= oldest.bytes;
            self.tail = oldest.end;
        }
    }

    fn behind(&self, place: JournalPlace) -> Behind {
        match self.head {
            Some(head) if place >= self.tail => {
                Behind::Pieces(self.pieces.iter().filter(|piece| piece.end > place).cloned().collect(), head)
            }
            _ => Behind::Lost,
        }
    }
}

impl Feed {
    /// Reads on, if it is time to and no other stream is at it.
    ///
    /// # Errors
    /// The catalog's and the system's; the next reading tries again.
    pub(crate) async fn advance(self: &Arc<Self>) -> Result<(), TablesError> {
        if !self.is_due() {
            return Ok(());
        }
        let list = self.list().await?;
        let Some(mut turn) = Turn::take(self) else { return Ok(()) };
        let read = tokio::task::spawn_blocking(move || turn.read(&list));
        read.await.unwrap_or_else(|error| Err(TablesError::Internal(format!("following the journal failed: {error}"))))
    }

    fn is_due(&self) -> bool {
        let state = lock(&self.state);
        let is_free = !matches!(state.reader, Reader::Taken);
        is_free && state.read_at.is_none_or(|read_at| read_at.elapsed() >= READ_INTERVAL)
    }

    /// The segments as they are now.
    pub(crate) async fn list(&self) -> Result<Arc<SegmentList>, TablesError> {
        let known = Arc::clone(&lock(&self.list));
        match self.engine.segment_list(&known).await? {
            None => Ok(known),
            Some(fresh) => {
                let fresh = Arc::new(fresh);
                *lock(&self.list) = Arc::clone(&fresh);
                Ok(fresh)
            }
        }
    }

    /// The journal's end: at or a moment before what is acknowledged by now.
    ///
    /// # Errors
    /// As [`Feed::advance`].
    pub(crate) async fn end(self: &Arc<Self>) -> Result<JournalPlace, TablesError> {
        loop {
            self.advance().await?;
            if let Some(head) = lock(&self.state).kept.head {
                return Ok(head);
            }
            // Another stream is at the first reading.
            tokio::time::sleep(FIRST_READING_CHECK).await;
        }
    }

    /// What has been read behind a place.
    pub(crate) fn behind(&self, place: JournalPlace) -> Behind {
        lock(&self.state).kept.behind(place)
    }

    /// Why records may be missing: the reasons since so many were known, and how many there are now.
    pub(crate) fn notes_since(&self, known: usize) -> (Vec<String>, usize) {
        let state = lock(&self.state);
        let fresh = state.notes_count.saturating_sub(known).min(state.notes.len());
        (state.notes.iter().skip(state.notes.len() - fresh).cloned().collect(), state.notes_count)
    }

    /// A follower of the same rows from a place on.
    pub(crate) fn follower(&self, place: JournalPlace) -> Follower {
        self.engine.follow(&self.tenant, place)
    }
}

/// The right to read: one at a time, given back however it ends.
struct Turn {
    feed: Arc<Feed>,
    follower: Option<Box<Follower>>,
}

impl Turn {
    fn take(feed: &Arc<Feed>) -> Option<Turn> {
        let mut state = lock(&feed.state);
        let follower = match std::mem::replace(&mut state.reader, Reader::Taken) {
            Reader::Taken => return None,
            Reader::Idle(follower) => Some(follower),
            Reader::New => None,
        };
        Some(Turn { feed: Arc::clone(feed), follower })
    }

    fn read(&mut self, list: &SegmentList) -> Result<(), TablesError> {
        let mut follower = match self.follower.take() {
            Some(follower) => follower,
            None => {
                let mut follower = Box::new(self.feed.follower(JournalPlace::default()));
                follower.skip_to_end(list)?;
                let mut state = lock(&self.feed.state);
                (state.kept.tail, state.kept.head) = (follower.place(), Some(follower.place()));
                drop(state);
                follower
            }
        };
        let read = follower.read_on(list, READ_BYTES_MAX);
        let (head, notes) = (follower.place(), follower.take_notes());
        self.follower = Some(follower);
        let read = read?;
        let mut state = lock(&self.feed.state);
        for note in notes {
            tracing::warn!(note, "records may be missing from live tails");
            state.notes_count += 1;
            state.notes.push_back(note);
            if state.notes.len() > NOTES_MAX {
                state.notes.pop_front();
            }
        }
        state.kept.add(read.pieces, head, self.feed.bytes_max);
        // Where more is left, the next reading is due at once.
        state.read_at = read.is_at_end.then(Instant::now);
        Ok(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = lock(&self.feed.state);
        state.reader = match self.follower.take() {
            Some(follower) => Reader::Idle(follower),
            // It failed before it had begun, or panicked: begin at what is kept.
            None => match state.kept.head {
                Some(head) => Reader::Idle(Box::new(self.feed.follower(head))),
                None => Reader::New,
            },
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use model::SegmentId;

    use super::*;

    fn place(commit: u64) -> JournalPlace {
        JournalPlace { segment: SegmentId(1), commit, row: 0 }
    }

    fn piece(start: u64, end: u64) -> TailPiece {
        let body: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
        let batch = RecordBatch::try_from_iter([("body", body)]).expect("a batch");
        TailPiece::new(place(start), place(end), batch, 10, vec![(start, 1)])
    }

    #[test]
    fn the_latest_pieces_are_kept_and_what_is_gone_is_known() {
        let mut kept = Kept::default();
        assert!(matches!(kept.behind(place(0)), Behind::Lost), "nothing has been read yet");
        (kept.tail, kept.head) = (place(5), Some(place(5)));
        assert!(matches!(kept.behind(place(4)), Behind::Lost));
        assert!(matches!(kept.behind(place(5)), Behind::Pieces(pieces, end) if pieces.is_empty() && end == place(5)));
        for at in 5..15 {
            kept.add(vec![piece(at, at + 1)], place(at + 1), 40);
        }
        let check = |from: u64, expect: Option<usize>| {
            let found = match kept.behind(place(from)) {
                Behind::Pieces(pieces, _) => Some(pieces.len()),
                Behind::Lost => None,
            };
            assert_eq!(found, expect, "from {from}");
        };
        assert_eq!((kept.pieces.len(), kept.bytes), (4, 40));
        check(10, None);
        check(11, Some(4));
        check(14, Some(1));
        check(15, Some(0));
        check(99, Some(0));
        kept.add(
            vec![{
                let mut large = piece(15, 16);
                large.bytes = 1_000;
                large
            }],
            place(16),
            40,
        );
        assert_eq!(kept.pieces.len(), 1, "the newest is kept, however large");
    }
}
