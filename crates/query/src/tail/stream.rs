//! One listener: paced, held to a rate, and able to go on where an earlier one ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::{LogRecord, TailEvent};
use model::SegmentId;
use tables::{Follower, JournalPlace, TablesError, TailPiece};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::TailLimits;
use super::feed::{Behind, Feed};
use super::select::{Choice, select};
use crate::matcher::Matcher;

/// Records of one event.
const EVENT_RECORDS_MAX: usize = 500;

/// Bytes that a stream which is behind reads at once.
const READ_BYTES_MAX: usize = 4 << 20;

/// How long a stream tries when the journal cannot be read.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a stream gives next.
#[derive(Debug, Clone, PartialEq)]
pub enum TailStep {
    /// New records, or the number of those left out.
    Event {
        /// What to send.
        event: TailEvent,
        /// Where to go on after it, for [`super::LogTail::from`].
        place: String,
    },
    /// There was nothing for a while.
    Heartbeat {
        /// Where to go on.
        place: String,
    },
}

/// Where a stream begins.
#[derive(Debug, Default)]
pub(crate) struct Beginning {
    pub(crate) place: JournalPlace,
    /// What it gives first.
    pub(crate) logs: Vec<LogRecord>,
    /// Why records may be missing.
    pub(crate) notes: Vec<String>,
    /// Whether an earlier stream ended at the place.
    pub(crate) is_resumed: bool,
}

impl Beginning {
    /// A stream that goes on where an earlier one ended, in a journal whose newest segment is this one.
    pub(crate) fn resumed(place: JournalPlace, end: JournalPlace, newest: SegmentId) -> Beginning {
        if place.segment > newest {
            let note = "the tail begins now: the place to go on from is of another journal".to_owned();
            return Beginning { place: end, notes: vec![note], ..Beginning::default() };
        }
        Beginning { place, is_resumed: true, ..Beginning::default() }
    }
}

/// What a stream is made with.
pub(crate) struct Listener {
    pub(crate) feed: Arc<Feed>,
    pub(crate) matcher: Matcher,
    pub(crate) limits: TailLimits,
    pub(crate) permit: OwnedSemaphorePermit,
    pub(crate) closed: watch::Receiver<bool>,
}

/// Records as they are stored. It does nothing while it is not asked for the next step.
pub struct LogTailStream {
    feed: Arc<Feed>,
    matcher: Arc<Matcher>,
    limits: TailLimits,
    closed: watch::Receiver<bool>,
    place: JournalPlace,
    first: Option<TailEvent>,
    notes: Vec<String>,
    notes_known: usize,
    allowance: Allowance,
    /// Its own reading, while it is behind the feed.
    own: Option<Box<OwnReading>>,
    /// When the next event may be sent.
    due: Instant,
    last_sent: Instant,
    _permit: OwnedSemaphorePermit,
}

/// What a stream that is behind has read by itself.
struct OwnReading {
    follower: Follower,
    /// Pieces that are not all given yet.
    pieces: Vec<Arc<TailPiece>>,
}

/// How many records may be sent.
#[derive(Debug)]
struct Allowance {
    per_second: f64,
    /// Those of the rate, at most a second's.
    records: f64,
    filled_at: Instant,
    /// Those given to a stream that comes back.
    replay: usize,
}

impl Allowance {
    fn new(per_second: usize, replay: usize, now: Instant) -> Allowance {
        let per_second = per_second.max(1) as f64;
        Allowance { per_second, records: per_second, filled_at: now, replay }
    }

    /// How many records the next event may have, and which.
    fn next(&mut self, now: Instant) -> (usize, Choice) {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.records = (self.records + passed * self.per_second).min(self.per_second);
        self.filled_at = now;
        match self.replay {
            0 => ((self.records as usize).min(EVENT_RECORDS_MAX), Choice::Newest),
            left => (left.min(EVENT_RECORDS_MAX), Choice::Oldest),
        }
    }

    fn take(&mut self, records: usize, choice: Choice) {
        match choice {
            Choice::Newest => self.records = (self.records - records as f64).max(0.0),
            Choice::Oldest => self.replay = self.replay.saturating_sub(records),
        }
    }
}

impl LogTailStream {
    pub(crate) fn new(listener: Listener, beginning: Beginning) -> LogTailStream {
        let now = Instant::now();
        let Listener { feed, matcher, limits, permit, closed } = listener;
        let replay = if beginning.is_resumed { limits.replay_records_max } else { 0 };
        let (_, notes_known) = feed.notes_since(usize::MAX);
        let first = (!beginning.logs.is_empty()).then(|| TailEvent { logs: beginning.logs, ..TailEvent::default() });
        LogTailStream {
            feed,
            matcher: Arc::new(matcher),
            closed,
            place: beginning.place,
            first,
            notes: beginning.notes,
            notes_known,
            allowance: Allowance::new(limits.records_per_second_max, replay, now),
            own: None,
            due: now,
            last_sent: now,
            limits,
            _permit: permit,
        }
    }

    /// Where the stream is.
    pub fn place(&self) -> String {
        self.place.to_string()
    }

    /// The next step; none once the server shuts down, or the journal cannot be read.
    pub async fn next(&mut self) -> Option<TailStep> {
        if let Some(first) = self.first.take() {
            return Some(self.event(first));
        }
        let mut failing_since: Option<Instant> = None;
        loop {
            let due = self.due.into();
            tokio::select! {
                biased;
                _ = self.closed.wait_for(|closed| *closed) => return None,
                () = tokio::time::sleep_until(due) => {}
            }
            self.due = Instant::now() + self.limits.event_interval;
            match self.look().await {
                Ok(Some(event)) => return Some(self.event(event)),
                Ok(None) => failing_since = None,
                Err(error) => {
                    let since = *failing_since.get_or_insert_with(Instant::now);
                    self.own = None;
                    if since.elapsed() > PATIENCE {
                        tracing::warn!(%error, "a live tail ends: the journal cannot be read");
                        return None;
                    }
                }
            }
            if self.last_sent.elapsed() >= self.limits.heartbeat_interval {
                self.last_sent = Instant::now();
                return Some(TailStep::Heartbeat { place: self.place.to_string() });
            }
        }
    }

    fn event(&mut self, event: TailEvent) -> TailStep {
        self.last_sent = Instant::now();
        TailStep::Event { event, place: self.place.to_string() }
    }

    /// What is new and matches, if anything.
    async fn look(&mut self) -> Result<Option<TailEvent>, TablesError> {
        self.feed.advance().await?;
        let (notes, notes_known) = self.feed.notes_since(self.notes_known);
        self.notes.extend(notes);
        self.notes_known = notes_known;
        let (pieces, end) = match self.feed.behind(self.place) {
            Behind::Pieces(pieces, end) => {
                self.own = None;
                (pieces, end)
            }
            Behind::Lost => self.read_alone().await?,
        };
        let mut event = TailEvent::default();
        if pieces.is_empty() {
            self.place = self.place.max(end);
            // All that was missed has been given.
            if self.own.is_none() {
                self.allowance.replay = 0;
            }
        } else {
            let (records_max, choice) = self.allowance.next(Instant::now());
            let (matcher, place) = (Arc::clone(&self.matcher), self.place);
            let work = move || select(&pieces, place, &matcher, choice, records_max);
            let selected = tokio::task::spawn_blocking(work).await;
            let selected = selected.map_err(|error| TablesError::Internal(format!("a live tail failed: {error}")))?;
            self.allowance.take(selected.logs.len(), choice);
            self.place = selected.place.unwrap_or(self.place.max(end));
            event = TailEvent { logs: selected.logs, dropped: selected.dropped, ..event };
        }
        event.incomplete_because = std::mem::take(&mut self.notes);
        let is_empty = event.logs.is_empty() && event.dropped == 0 && event.incomplete_because.is_empty();
        Ok((!is_empty).then_some(event))
    }

    /// The pieces behind the stream's place, read by itself, and up to where they are all.
    async fn read_alone(&mut self) -> Result<(Vec<Arc<TailPiece>>, JournalPlace), TablesError> {
        let mut own = self
            .own
            .take()
            .unwrap_or_else(|| Box::new(OwnReading { follower: self.feed.follower(self.place), pieces: Vec::new() }));
        own.pieces.retain(|piece| piece.end > self.place);
        if own.pieces.is_empty() {
            let list = self.feed.list().await?;
            let work = move || {
                let read = own.follower.read_on(&list, READ_BYTES_MAX);
                (own, read)
            };
            let joined = tokio::task::spawn_blocking(work).await;
            let (returned, read) =
                joined.map_err(|error| TablesError::Internal(format!("following the journal failed: {error}")))?;
            own = returned;
            self.notes.extend(own.follower.take_notes());
            own.pieces = read?.pieces.into_iter().map(Arc::new).collect();
        }
        let (pieces, end) = (own.pieces.clone(), own.follower.place());
        self.own = Some(own);
        Ok((pieces, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowance_is_a_second_of_the_rate_and_a_replay_is_extra() {
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut allowance = Allowance::new(100, 700, start);
        assert_eq!(allowance.next(start), (500, Choice::Oldest));
        allowance.take(500, Choice::Oldest);
        assert_eq!(allowance.next(at(100)), (200, Choice::Oldest));
        allowance.take(200, Choice::Oldest);
        assert_eq!(allowance.next(at(200)), (100, Choice::Newest));
        allowance.take(100, Choice::Newest);
        assert_eq!(allowance.next(at(300)), (10, Choice::Newest));
        allowance.take(10, Choice::Newest);
        assert_eq!(allowance.next(at(310)).0, 1);
        assert_eq!(allowance.next(at(60_000)).0, 100, "no more than a second's");
    }
}
