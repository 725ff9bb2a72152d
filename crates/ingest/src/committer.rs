//! The committer: one thread that turns requests into commits.
//!
//! It takes everything that is queued, up to a limit, reads it into columns, makes it durable with one fdatasync and
//! answers. While one commit is being synced the next one gathers, so a group is as large as the disk is slow; for
//! clients that it has just answered it waits a moment (`rhythm`), for nobody else. Resends are recognised here, where
//! everything passes one by one: by the journal's window, or in the group itself.
//!
//! If a group cannot be committed as a whole for a reason that lies in it (a defect that panics, a commit too long),
//! its requests are committed one by one, so that only the one at fault is refused (I10).

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use catalog::{Catalog, RequestId};
use journal::{CommitDraft, Journal, JournalError, Part, StoredReceipt, WindowBound};
use model::TenantId;
use otlp::{Appended, DecodeError, TenantBuffer, Warning};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::counters::Refusal;
use crate::export::{ExportError, ExportResponse, Job, Message, Shared};
use crate::group::{Group, Placed, receipt};
use crate::resends::Resends;
use crate::rhythm::{Rhythm, WAIT_STEP};

/// Buffers kept for tenants; beyond it all are given back.
const BUFFERS_MAX: usize = 64;

/// A buffer that held more than this is not used again, so that one long request does not keep its memory for good.
const BUFFER_KEPT_BYTES: usize = 32 * 1024 * 1024;

/// A tenant is warned of the same thing once in this time.
const WARN_INTERVAL_NANOS: i64 = 60_000_000_000;

const HOUR_NANOS: i64 = 3_600_000_000_000;

/// Turns requests into commits; lives on a thread of its own.
pub(crate) struct Committer {
    shared: Arc<Shared>,
    journal: Journal,
    catalog: Catalog,
    runtime: Handle,
    queue: mpsc::Receiver<Message>,
    waiting: VecDeque<Job>,
    /// So many of those waiting are to be committed one by one.
    alone: usize,
    buffers: HashMap<TenantId, TenantBuffer>,
    warned: HashMap<(TenantId, Warning), i64>,
    /// The hour that series have been written for.
    hour: i64,
    flush_done: u64,
    resends: Resends,
    rhythm: Rhythm,
}

/// What became of a request that was to be placed.
enum Place {
    /// It is in the group, or answered.
    Done,
    /// The buffers are full: commit first.
    Full(Job),
    /// Something is broken that must not take the others with it.
    Broken(Job),
}

impl Committer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        journal: Journal,
        catalog: Catalog,
        runtime: Handle,
        queue: mpsc::Receiver<Message>,
    ) -> Committer {
        Committer {
            shared,
            journal,
            catalog,
            runtime,
            queue,
            waiting: VecDeque::new(),
            alone: 0,
            buffers: HashMap::new(),
            warned: HashMap::new(),
            hour: 0,
            flush_done: 0,
            resends: Resends::default(),
            rhythm: Rhythm::default(),
        }
    }

    /// Commits until ingest is stopping and the queue is empty; gives the journal back.
    pub(crate) fn run(mut self) -> Journal {
        loop {
            if self.waiting.is_empty() {
                match self.queue.blocking_recv() {
                    Some(message) => self.take(message),
                    None => break,
                }
            }
            self.take_queued();
            while self.rhythm.is_worth_waiting(self.waiting.len(), Instant::now()) {
                std::thread::sleep(WAIT_STEP);
                self.take_queued();
            }
            if !self.waiting.is_empty() {
                let (requests, began) = (self.waiting.len(), Instant::now());
                self.commit_group();
                let ended = Instant::now();
                self.take_queued();
                self.rhythm.note(requests + self.waiting.len(), began, ended);
            }
            self.turn();
            if self.shared.stopping.load(Ordering::Relaxed) {
                // What is queued is still received; then the loop ends.
                self.queue.close();
            }
        }
        self.note_resends();
        self.journal
    }

    fn take_queued(&mut self) {
        while self.waiting.len() < self.shared.limits.commit_requests_max
            && let Ok(message) = self.queue.try_recv()
        {
            self.take(message);
        }
    }

    fn take(&mut self, message: Message) {
        if let Message::Export(job) = message {
            self.waiting.push_back(job);
        }
    }

    fn commit_group(&mut self) {
        let now = self.catalog.now();
        self.forget_series_by_the_hour(now);
        let began = Instant::now();
        let requests_max = match self.alone {
            0 => self.shared.limits.commit_requests_max,
            _ => 1,
        };
        self.alone = self.alone.saturating_sub(1);
        let mut group = Group::default();
        while group.len() < requests_max
            && group.body_bytes() < self.shared.limits.commit_body_bytes_max
            && let Some(job) = self.waiting.pop_front()
        {
            match self.place(job, &mut group, now) {
                Place::Done => {}
                Place::Full(job) => {
                    self.waiting.push_front(job);
                    break;
                }
                Place::Broken(job) => {
                    let jobs = group.into_jobs().into_iter().chain([job]).collect();
                    return self.take_apart(jobs, &internal_defect());
                }
            }
        }
        if group.is_empty() {
            return;
        }
        let draft = match self.freeze(&group, now) {
            Ok(draft) => draft,
            Err(error) => {
                tracing::error!(%error, "columns could not be frozen");
                return self.take_apart(group.into_jobs(), &internal_defect());
            }
        };
        let decode_nanos = began.elapsed().as_nanos() as u64;
        self.shared.counters().decode_nanos += decode_nanos;
        self.append(group, &draft, now);
    }

    /// Puts a request into the group, or answers it.
    fn place(&mut self, job: Job, group: &mut Group, now: i64) -> Place {
        if let Some(stored) = self.journal.receipt(&job.digest, now) {
            self.resends.add(&job.tenant, job.signal, &stored, now);
            self.answer_resend(job, stored);
            return Place::Done;
        }
        let Some(job) = group.follow(job) else { return Place::Done };
        if self.buffers.len() >= BUFFERS_MAX && !self.buffers.contains_key(&job.tenant) {
            // Only buffers without rows may go; series are simply written once more.
            self.buffers.retain(|_, buffer| buffer.rows() > 0);
        }
        let decode_limits = self.shared.limits.decode;
        let buffer = self.buffers.entry(job.tenant.clone()).or_insert_with(|| TenantBuffer::new(decode_limits));
        let was_empty = buffer.rows() == 0;
        // A buffer that panicked is thrown away with all others, so nothing half done is ever looked at.
        let appended = catch_unwind(AssertUnwindSafe(|| buffer.append(job.signal, job.encoding, &job.body, now)));
        match appended {
            Ok(Ok(appended)) => {
                let response = self.response(&job, &appended, now);
                let receipt = receipt(&job, &appended, response);
                group.place(job, receipt);
                Place::Done
            }
            Ok(Err(DecodeError::BufferFull)) if !was_empty => Place::Full(job),
            Ok(Err(error @ DecodeError::Malformed { .. })) => {
                self.answer_invalid(job, ExportError::Invalid { message: error.to_string() });
                Place::Done
            }
            Ok(Err(error @ (DecodeError::TooLarge(_) | DecodeError::BufferFull))) => {
                self.answer_invalid(job, ExportError::TooLarge { message: error.to_string() });
                Place::Done
            }
            Ok(Err(DecodeError::Arrow(error))) => {
                tracing::error!(%error, "a request could not be read into columns");
                Place::Broken(job)
            }
            Err(_) => {
                tracing::error!(signal = %job.signal, "reading a request panicked");
                Place::Broken(job)
            }
        }
    }

    /// Takes the rows of all buffers.
    fn freeze(&mut self, group: &Group, now: i64) -> Result<CommitDraft, DecodeError> {
        let mut parts = Vec::new();
        for (tenant, buffer) in &mut self.buffers {
            if buffer.rows() == 0 {
                continue;
            }
            let is_large = buffer.bytes() > BUFFER_KEPT_BYTES;
            let frozen = catch_unwind(AssertUnwindSafe(|| buffer.freeze()));
            let batches = frozen.unwrap_or_else(|_| Err(DecodeError::TooLarge("freezing the columns panicked")))?;
            if is_large {
                *buffer = TenantBuffer::new(self.shared.limits.decode);
            }
            parts.extend(batches.into_iter().map(|(table, batch)| Part { tenant: tenant.clone(), table, batch }));
        }
        let mut receipts = group.receipts();
        receipts.extend(self.resends.receipts());
        Ok(CommitDraft { arrival_unix_nano: now, parts, receipts })
    }

    /// Makes a group durable and answers it.
    fn append(&mut self, group: Group, draft: &CommitDraft, now: i64) {
        // A group without a record has nothing to make durable.
        if draft.parts.is_empty() && draft.receipts.is_empty() {
            return self.answer_stored(group.into_placed());
        }
        let began = Instant::now();
        let appended = self.journal.append(draft, now);
        let append_nanos = began.elapsed().as_nanos() as u64;
        match appended {
            Ok(()) => {
                let mut counters = self.shared.counters();
                counters.commits += 1;
                counters.commit_requests += group.len() as u64;
                counters.append_nanos += append_nanos;
                drop(counters);
                self.resends.clear();
                self.shared.journal_failing.store(false, Ordering::Relaxed);
                self.answer_stored(group.into_placed());
            }
            Err(error @ JournalError::TooLarge { .. }) => {
                self.take_apart(group.into_jobs(), &ExportError::TooLarge { message: error.to_string() });
            }
            Err(JournalError::Invalid(reason)) => {
                tracing::error!(reason, "a commit does not fit the journal");
                self.take_apart(group.into_jobs(), &internal_defect());
            }
            Err(error) => {
                self.note_failure(&error);
                self.forget_series();
                for job in group.into_jobs() {
                    let refusal = self.shared.refuse(Refusal::Journal);
                    answer(job, Err(refusal));
                }
            }
        }
    }

    /// Commits these requests one by one, after what they share has failed; a single one is refused with `error`.
    fn take_apart(&mut self, jobs: Vec<Job>, error: &ExportError) {
        self.buffers.clear();
        match <[Job; 1]>::try_from(jobs) {
            Ok([job]) => self.answer_invalid(job, error.clone()),
            Err(jobs) => {
                self.alone = self.alone.max(jobs.len());
                for job in jobs.into_iter().rev() {
                    self.waiting.push_front(job);
                }
            }
        }
    }

    /// What a request is answered with: nothing in words if all of it was stored, except a warning now and then; the
    /// words alone where none of its records could be stored, since that is a refusal (see [`outcome`]).
    fn response(&mut self, job: &Job, appended: &Appended, now: i64) -> Vec<u8> {
        let rejected = appended.rejected_count();
        if is_refused(appended.received, appended.stored) {
            return appended.message().into_bytes();
        }
        let message = match rejected {
            0 => self.warnings_due(&job.tenant, &appended.warnings, now),
            _ => appended.message(),
        };
        otlp::response_body(job.signal, job.encoding, rejected, &message)
    }

    fn warnings_due(&mut self, tenant: &TenantId, warnings: &[Warning], now: i64) -> String {
        let mut due = Vec::new();
        for warning in warnings {
            let warned_at = self.warned.entry((tenant.clone(), *warning)).or_insert(i64::MIN);
            // A clock that jumps back warns once too often rather than not for long.
            if *warned_at == i64::MIN || (now - *warned_at).abs() >= WARN_INTERVAL_NANOS {
                *warned_at = now;
                due.push(warning.message());
            }
        }
        if self.warned.len() > BUFFERS_MAX * 32 {
            self.warned.clear();
        }
        due.join("; ")
    }

    fn answer_stored(&self, placed: Vec<Placed>) {
        let mut counters = self.shared.counters();
        for Placed { receipt, followers, .. } in &placed {
            let signal = counters.signal(receipt.signal);
            signal.requests += 1 + followers.len() as u64;
            signal.received += u64::from(receipt.received);
            signal.stored += u64::from(receipt.stored);
            signal.duplicate_requests += followers.len() as u64;
            signal.duplicate += followers.len() as u64 * u64::from(receipt.received);
            for rejection in &receipt.rejected {
                *signal.rejected.entry(rejection.reason.clone()).or_default() += u64::from(rejection.count);
            }
        }
        drop(counters);
        for Placed { job, receipt, followers } in placed {
            let outcome = outcome(receipt.received, receipt.stored, receipt.response);
            for follower in followers {
                answer(follower, outcome.clone());
            }
            answer(job, outcome);
        }
    }

    fn answer_resend(&self, job: Job, stored: StoredReceipt) {
        let mut counters = self.shared.counters();
        let signal = counters.signal(job.signal);
        signal.requests += 1;
        signal.duplicate_requests += 1;
        signal.duplicate += u64::from(stored.received);
        drop(counters);
        answer(job, outcome(stored.received, stored.stored, stored.response));
    }

    fn answer_invalid(&self, job: Job, error: ExportError) {
        self.shared.counters().signal(job.signal).invalid_requests += 1;
        answer(job, Err(error));
    }

    /// What is due beside requests: sealing by size, age or request, and getting over a failure.
    fn turn(&mut self) {
        let now = self.catalog.now();
        if self.shared.journal_failing.load(Ordering::Relaxed) && self.journal.mend(now).is_ok() {
            self.shared.journal_failing.store(false, Ordering::Relaxed);
        }
        if self.resends.is_due(now) {
            self.note_resends();
        }
        let flush_wanted = self.shared.flush_wanted.load(Ordering::Relaxed);
        let is_asked = flush_wanted > self.flush_done;
        if is_asked || self.journal.needs_seal(now) {
            self.note_resends();
            // A new segment has to hold the series of its points itself.
            self.forget_series();
            match self.journal.seal(now) {
                Ok(()) if is_asked => self.report_flush(flush_wanted),
                Ok(()) => {}
                Err(error) => self.note_failure(&error),
            }
        }
        let status = self.journal.status();
        self.shared.segment_bytes.store(status.segment_bytes, Ordering::Relaxed);
        let mut counters = self.shared.counters();
        counters.digest_entries = status.window.entries as u64;
        counters.digest_reach_seconds = (status.window.reach_nanos / 1_000_000_000).max(0) as u64;
        counters.digest_bound_by_entries = status.window.bound == WindowBound::Entries;
    }

    /// Makes the counts of resends durable that no commit has taken with it.
    fn note_resends(&mut self) {
        if self.resends.is_empty() {
            return;
        }
        let now = self.catalog.now();
        let draft = CommitDraft { arrival_unix_nano: now, parts: Vec::new(), receipts: self.resends.receipts() };
        match self.journal.append(&draft, now) {
            Ok(()) => self.resends.clear(),
            Err(error) => {
                self.resends.put_off(now);
                self.note_failure(&error);
            }
        }
    }

    fn report_flush(&mut self, request: u64) {
        match self.runtime.block_on(self.catalog.flush_sealed(RequestId(request))) {
            Ok(_) => self.flush_done = request,
            Err(error) => tracing::warn!(%error, "the catalog could not be told that a flush is sealed"),
        }
    }

    fn note_failure(&self, error: &JournalError) {
        let now = self.catalog.now();
        self.shared.journal_failing.store(true, Ordering::Relaxed);
        let mut counters = self.shared.counters();
        counters.journal_failures += 1;
        counters.last_error = Some((error.to_string(), now));
        drop(counters);
        tracing::error!(%error, "exports are refused: the journal failed");
    }

    fn forget_series(&mut self) {
        self.buffers.values_mut().for_each(TenantBuffer::forget_series);
    }

    /// Series are written once per segment and hour.
    fn forget_series_by_the_hour(&mut self, now: i64) {
        let hour = now.div_euclid(HOUR_NANOS);
        if hour != self.hour {
            self.hour = hour;
            self.forget_series();
        }
    }
}

/// Whether a request had records and none of them could be stored.
fn is_refused(received: u32, stored: u32) -> bool {
    received > 0 && stored == 0
}

/// What a receipt says to whoever sent the request: a request of which no record could be stored is refused for good,
/// so that clients that look at the status alone notice.
fn outcome(received: u32, stored: u32, response: Vec<u8>) -> Result<ExportResponse, ExportError> {
    match is_refused(received, stored) {
        true => Err(ExportError::Rejected { message: String::from_utf8_lossy(&response).into_owned() }),
        false => Ok(ExportResponse { body: response.into() }),
    }
}

/// Refused for good: a retry would meet the same defect.
fn internal_defect() -> ExportError {
    ExportError::Invalid { message: "the request could not be read because of a defect of the server".to_owned() }
}

/// Answers a request; whoever sent it may have gone.
fn answer(job: Job, result: Result<ExportResponse, ExportError>) {
    let _ = job.reply.send(result);
}
