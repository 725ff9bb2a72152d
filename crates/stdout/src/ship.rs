//! From records to acknowledged requests: batches, the spool, the senders, and what is said of losses.
//!
//! Readers run on threads of their own and never wait for the network; senders run on the caller's runtime. What is
//! said goes through one closure, a sentence at a time.

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::time::Instant;

use crate::batch::{Batch, Sealed};
use crate::deliver::{Sender, Verdict};
use crate::draft::{Draft, unix_nano};
use crate::endpoint::Endpoint;
use crate::intake::Records;
use crate::limits::{BatchLimits, SendLimits};
use crate::native::Native;
use crate::resource::Resource;
use crate::severity;
use crate::spool::{Form, Request, Spool, WhenFull};

/// A server that answers nothing for this long is called away.
const AWAY_AFTER: Duration = Duration::from_secs(2);
/// Shortest time between two sentences, or two records, about the same thing.
const SAY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What is sent how.
#[derive(Debug, Clone)]
pub struct ShipOptions {
    /// Where to.
    pub endpoint: Endpoint,
    /// Bounds on requests.
    pub batch: BatchLimits,
    /// Bounds on sending.
    pub send: SendLimits,
    /// What happens when the spool is full.
    pub when_full: WhenFull,
}

/// What became of the records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records made of lines.
    pub records: u64,
    /// Taken by the server.
    pub sent: u64,
    /// Dropped because the spool was full.
    pub dropped: u64,
    /// Rejected by the server, one by one or with their request.
    pub rejected: u64,
    /// Neither sent nor given up when time was over.
    pub unsent: u64,
    /// Requests sent, resends included.
    pub attempts: u64,
}

impl Counts {
    /// Records that will never be found.
    pub fn lost(&self) -> u64 {
        self.dropped + self.rejected + self.unsent
    }
}

type Say = Box<dyn Fn(&str) + Send + Sync>;

/// Ships the records of one app.
pub struct Shipper {
    resource: Resource,
    batch: Mutex<Batch>,
    spool: Spool,
    sender: Sender,
    send_limits: SendLimits,
    gzip: bool,
    say: Say,
    state: Mutex<State>,
    records: AtomicU64,
    sent: AtomicU64,
    dropped: AtomicU64,
    rejected: AtomicU64,
    attempts: AtomicU64,
}

impl fmt::Debug for Shipper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shipper").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

/// What was said, so that it is not said again at once.
#[derive(Debug, Default)]
struct State {
    /// Since when no attempt was answered.
    failing_since: Option<Instant>,
    /// Why the last attempt was not answered.
    trouble: Option<String>,
    said_away: bool,
    said_full: bool,
    /// Records dropped that no record speaks of yet.
    dropped_unsaid: u64,
    last_loss_said: Option<Instant>,
    last_refusal_said: Option<Instant>,
    refused_unsaid: u64,
}

impl Shipper {
    /// A shipper that has sent nothing. `say` is handed sentences for people.
    pub fn new(options: ShipOptions, resource: Resource, say: impl Fn(&str) + Send + Sync + 'static) -> Shipper {
        // Several requests fit into the spool, however small it is.
        let bytes_max = options.batch.bytes_max.min(options.send.spool_bytes_max / 4).max(1);
        Shipper {
            resource,
            batch: Mutex::new(Batch::new(BatchLimits { bytes_max, ..options.batch })),
            spool: Spool::new(options.send.spool_bytes_max, options.when_full),
            gzip: options.endpoint.gzip,
            sender: Sender::new(options.endpoint, options.send),
            send_limits: options.send,
            say: Box::new(say),
            state: Mutex::default(),
            records: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            attempts: AtomicU64::new(0),
        }
    }

    /// What became of the records so far. What still waits counts as unsent.
    pub fn counts(&self) -> Counts {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            records: get(&self.records),
            sent: get(&self.sent),
            dropped: get(&self.dropped),
            rejected: get(&self.rejected),
            unsent: self.spool.records(),
            attempts: get(&self.attempts),
        }
    }

    /// Where records go.
    pub fn address(&self) -> String {
        self.sender.address()
    }

    /// Why nothing is taken, where the last attempt was not answered.
    pub fn trouble(&self) -> Option<String> {
        self.state().trouble.clone()
    }

    /// Sends until [`Shipper::finish`] was called and everything is sent. Dropping the future stops it.
    pub async fn send(&self) {
        let senders = (0..self.send_limits.requests_max.max(1)).map(|_| self.send_one_by_one());
        // They are polled together, in this task.
        let mut senders: Vec<_> = senders.map(Box::pin).collect();
        std::future::poll_fn(|context| {
            senders.retain_mut(|sender| sender.as_mut().poll(context).is_pending());
            if senders.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }

    /// No more lines come: what is gathered goes into the spool, and sending ends when that is empty.
    pub fn finish(&self) {
        let rest = self.batch().seal(&self.resource);
        if let Some(rest) = rest {
            self.spool.put_beyond(self.request(rest));
        }
        let dropped = std::mem::take(&mut self.state().dropped_unsaid);
        if dropped > 0 {
            self.report_loss(dropped);
        }
        self.spool.close();
    }

    /// Readers that wait for room wait no longer: there is no time left.
    pub fn give_up_waiting(&self) {
        self.spool.close();
    }

    /// When [`Shipper::send_if_due`] has something to do, in Unix nanoseconds.
    pub(crate) fn deadline(&self) -> Option<i64> {
        self.batch().deadline()
    }

    /// Sends what is gathered if it is old enough.
    pub(crate) fn send_if_due(&self, now: i64) {
        let batch = self.batch();
        if batch.deadline().is_some_and(|deadline| now >= deadline) {
            self.seal_and_put(batch);
        }
    }

    fn seal_and_put(&self, mut batch: MutexGuard<'_, Batch>) {
        let sealed = batch.seal(&self.resource);
        drop(batch);
        if let Some(sealed) = sealed {
            self.dropped(self.spool.put(self.request(sealed)));
        }
    }

    fn request(&self, sealed: Sealed) -> Request {
        let body = if self.gzip { compressed(&sealed.body) } else { sealed.body };
        Request { form: Form::Logs, body: Bytes::from(body), records: sealed.records }
    }

    /// Puts a line that is an export request into the spool.
    fn put_native(&self, native: Native) {
        let records = native.records();
        self.records.fetch_add(records, Ordering::Relaxed);
        let (path, body) = native.finish(&self.resource);
        let body = if self.gzip { Bytes::from(compressed(&body)) } else { body };
        self.dropped(self.spool.put(Request { form: Form::Native(path), body, records }));
    }

    /// Counts what the spool had no room for, and says so once.
    fn dropped(&self, records: u64) {
        if records == 0 {
            return;
        }
        self.dropped.fetch_add(records, Ordering::Relaxed);
        let mut state = self.state();
        state.dropped_unsaid += records;
        if !std::mem::replace(&mut state.said_full, true) {
            drop(state);
            (self.say)(&format!(
                "{} does not keep up, and the spool of {} is full: the oldest log records are dropped",
                self.sender.address(),
                in_mebibytes(self.send_limits.spool_bytes_max)
            ));
        }
    }

    async fn send_one_by_one(&self) {
        while let Some(request) = self.spool.take().await {
            self.deliver(&request).await;
            self.spool.release(&request);
        }
    }

    /// Sends one request until there is a final answer.
    async fn deliver(&self, request: &Request) {
        let mut attempt = 0;
        loop {
            attempt += 1;
            self.attempts.fetch_add(1, Ordering::Relaxed);
            match self.sender.attempt(request, now_unix_nano()).await {
                Verdict::Taken { rejected, message } => {
                    self.sent.fetch_add(request.records - rejected, Ordering::Relaxed);
                    if rejected > 0 {
                        self.rejected(rejected, &message);
                    }
                    return self.answered();
                }
                Verdict::Refused { reason } => {
                    self.rejected(request.records, &reason);
                    return self.answered();
                }
                Verdict::Again { wait, reason } => {
                    self.unanswered(&reason);
                    tokio::time::sleep(self.sender.wait(attempt, wait, fastrand::f64())).await;
                }
            }
        }
    }

    fn unanswered(&self, reason: &str) {
        let mut state = self.state();
        let since = *state.failing_since.get_or_insert_with(Instant::now);
        state.trouble = Some(reason.to_owned());
        if since.elapsed() >= AWAY_AFTER && !std::mem::replace(&mut state.said_away, true) {
            drop(state);
            (self.say)(&format!(
                "{} takes no log records ({reason}): up to {} of them wait in memory and are sent later",
                self.sender.address(),
                in_mebibytes(self.send_limits.spool_bytes_max)
            ));
        }
    }

    /// The server is there: says that it is back, and what was lost meanwhile.
    fn answered(&self) {
        let mut state = self.state();
        state.failing_since = None;
        state.trouble = None;
        let back = std::mem::take(&mut state.said_away);
        let due = state.last_loss_said.is_none_or(|last| last.elapsed() >= SAY_AGAIN_AFTER);
        let dropped = if due { std::mem::take(&mut state.dropped_unsaid) } else { 0 };
        if dropped > 0 {
            state.last_loss_said = Some(Instant::now());
            state.said_full = false;
        }
        drop(state);
        if back {
            (self.say)(&format!("{} takes log records again", self.sender.address()));
        }
        if dropped > 0 {
            self.report_loss(dropped);
        }
    }

    /// Says how much was lost, to the person and as a log record.
    fn report_loss(&self, dropped: u64) {
        let sentence = format!(
            "{dropped} log records were dropped: {} did not keep up, and the spool of {} was full",
            self.sender.address(),
            in_mebibytes(self.send_limits.spool_bytes_max)
        );
        (self.say)(&sentence);
        let mut draft = Draft::default();
        let now = now_unix_nano();
        draft.begin(now, None);
        draft.scope.push_str("spyhop.stdout");
        let record = &mut draft.record;
        record.time = unix_nano(now);
        record.severity(severity::WARN, "WARN");
        record.text_body(sentence.as_bytes());
        record.event_name.push_str("spyhop.records_dropped");
        record.int_attribute("spyhop.dropped_records", i64::try_from(dropped).unwrap_or(i64::MAX));
        let mut batch = Batch::new(BatchLimits::default());
        batch.add(&draft, now);
        if let Some(sealed) = batch.seal(&self.resource) {
            self.records.fetch_add(sealed.records, Ordering::Relaxed);
            self.spool.put_beyond(self.request(sealed));
        }
    }

    fn rejected(&self, records: u64, reason: &str) {
        self.rejected.fetch_add(records, Ordering::Relaxed);
        let mut state = self.state();
        state.refused_unsaid += records;
        if state.last_refusal_said.is_none_or(|last| last.elapsed() >= SAY_AGAIN_AFTER * 6) {
            state.last_refusal_said = Some(Instant::now());
            let count = std::mem::take(&mut state.refused_unsaid);
            drop(state);
            (self.say)(&format!("{} refused {count} log records: {reason}", self.sender.address()));
        }
    }

    fn batch(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds records to a shipper's batch.
pub(crate) struct Intake<'a> {
    pub(crate) shipper: &'a Shipper,
    pub(crate) now: i64,
}

impl Records for Intake<'_> {
    fn take(&mut self, record: &Draft) {
        self.shipper.records.fetch_add(1, Ordering::Relaxed);
        let mut batch = self.shipper.batch();
        batch.add(record, self.now);
        if batch.is_full() {
            self.shipper.seal_and_put(batch);
        }
    }

    fn take_native(&mut self, native: Native) {
        self.shipper.put_native(native);
    }
}

/// gzip at its quickest: the network is rarely what is short, and the app's CPU always is.
fn compressed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

fn in_mebibytes(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

/// Now in Unix nanoseconds.
pub(crate) fn now_unix_nano() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "ship_tests.rs"]
mod tests;
