//! The handle that the edges hold: admission, export, status.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use journal::Digest;
use model::{Signal, TenantId};
use otlp::Encoding;
use tokio::sync::{mpsc, oneshot};

use crate::admission::{Admission, Budget};
use crate::census::Census;
use crate::counters::{IngestCounters, Refusal};
use crate::limits::IngestLimits;
use crate::rates::Rates;

/// Bodies from this size on are counted and hashed on a blocking thread.
const INLINE_DIGEST_BYTES_MAX: usize = 1024 * 1024;

/// Why an export was not stored. None of its records is (so that a client that sends again duplicates nothing).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// No room for it now; send again later.
    #[error("this server takes in as much as it can hold; send again later")]
    Overloaded {
        /// When to send again.
        retry_after: Duration,
    },
    /// It cannot be made durable now; send again later.
    #[error("{}", .reason.message())]
    Unavailable {
        /// When to send again.
        retry_after: Duration,
        /// Why.
        reason: Refusal,
    },
    /// A tenant or a service of it sends more than it may; send again later.
    #[error("{message}")]
    OverRate {
        /// When to send again.
        retry_after: Duration,
        /// Which limit, and whose.
        message: String,
    },
    /// It is not what it says it is. Sending it again is useless.
    #[error("{message}")]
    Invalid {
        /// What is wrong with it.
        message: String,
    },
    /// None of its records could be stored. Sending it again is useless.
    #[error("{message}")]
    Rejected {
        /// The reasons, with counts.
        message: String,
    },
    /// It is more than one request may be. Sending it again is useless.
    #[error("{message}")]
    TooLarge {
        /// What is too large.
        message: String,
    },
}

/// A request whose body is whole and inflated.
#[derive(Debug)]
pub struct ExportRequest {
    /// Who sent it.
    pub tenant: TenantId,
    /// Which signal.
    pub signal: Signal,
    /// How the body is encoded.
    pub encoding: Encoding,
    /// The body after decompression.
    pub body: Bytes,
    /// Its room in the byte budget, held until it is answered.
    pub admission: Admission,
    /// Records that were turned away before the body was made, by the name of the reason: where another protocol is
    /// translated to OTLP, what has no place in it is in the ledger all the same.
    pub turned_away: Vec<(&'static str, u32)>,
}

/// What a request is answered with. Its records are durable (I1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportResponse {
    /// An `Export…ServiceResponse` in the encoding of the request.
    pub body: Bytes,
}

/// A request on its way to the committer.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) tenant: TenantId,
    pub(crate) signal: Signal,
    pub(crate) encoding: Encoding,
    pub(crate) body: Bytes,
    pub(crate) digest: Digest,
    pub(crate) turned_away: Vec<(&'static str, u32)>,
    pub(crate) reply: oneshot::Sender<Result<ExportResponse, ExportError>>,
    /// Held until the job is answered.
    pub(crate) _admission: Admission,
}

/// What the committer is woken by.
#[derive(Debug)]
pub(crate) enum Message {
    Export(Job),
    /// Something beside requests may be due.
    Wake,
}

/// What the edges, the committer and the watch share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: IngestLimits,
    pub(crate) budget: Budget,
    counters: Mutex<IngestCounters>,
    rates: Mutex<Rates>,
    /// What the watch found: 0 nothing, 1 backlog, 2 disk.
    pub(crate) watch_refusal: AtomicU8,
    /// The last commit failed.
    pub(crate) journal_failing: AtomicBool,
    pub(crate) stopping: AtomicBool,
    /// The newest request to flush that asks ingest to seal.
    pub(crate) flush_wanted: AtomicU64,
    /// Bytes of the segment being appended to.
    pub(crate) segment_bytes: AtomicU64,
}

impl Shared {
    pub(crate) fn new(limits: IngestLimits) -> Shared {
        Shared {
            budget: Budget::new(limits.inflight_bytes_max),
            rates: Mutex::new(Rates::new(limits.rates)),
            limits,
            counters: Mutex::default(),
            watch_refusal: AtomicU8::new(0),
            journal_failing: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            flush_wanted: AtomicU64::new(0),
            segment_bytes: AtomicU64::new(0),
        }
    }

    pub(crate) fn counters(&self) -> MutexGuard<'_, IngestCounters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a refusal and makes its error.
    pub(crate) fn refuse(&self, refusal: Refusal) -> ExportError {
        *self.counters().refused.entry(refusal).or_default() += 1;
        let retry_after = self.limits.retry_after;
        match refusal {
            Refusal::Overloaded => ExportError::Overloaded { retry_after },
            _ => ExportError::Unavailable { retry_after, reason: refusal },
        }
    }

    /// Why nothing is taken in at the moment. A journal that fails is no reason: the next commit is how it is found
    /// to be well again.
    fn refusing(&self) -> Option<Refusal> {
        if self.stopping.load(Ordering::Relaxed) {
            return Some(Refusal::Stopping);
        }
        match self.watch_refusal.load(Ordering::Relaxed) {
            1 => Some(Refusal::Backlog),
            2 => Some(Refusal::DiskReserve),
            _ => None,
        }
    }
}

/// The door to ingest; cheap to clone.
#[derive(Debug, Clone)]
pub struct Ingest {
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: mpsc::Sender<Message>,
}

impl Ingest {
    /// Asks for room for a request of this many bytes, or for its first ones; waits a while for it.
    ///
    /// # Errors
    /// [`ExportError::Overloaded`] where none came free, [`ExportError::Unavailable`] where nothing is taken in at the
    /// moment, [`ExportError::TooLarge`] where there is never that much.
    pub async fn admit(&self, bytes: usize) -> Result<Admission, ExportError> {
        self.check_open()?;
        Admission::new(&self.shared, bytes).await
    }

    /// Stores a request; when this returns `Ok` its records are durable (I1), or were before, if it is a resend.
    ///
    /// A caller that stops waiting changes nothing: the request is stored all the same.
    ///
    /// # Errors
    /// See [`ExportError`]; none of the records is stored.
    pub async fn export(&self, request: ExportRequest) -> Result<ExportResponse, ExportError> {
        let ExportRequest { tenant, signal, encoding, body, admission, turned_away } = request;
        self.check_open()?;
        let request_bytes_max = self.shared.limits.request_bytes_max;
        if body.len() > request_bytes_max {
            let message = format!("the request is over the limit of {request_bytes_max} bytes");
            self.shared.counters().signal(signal).invalid_requests += 1;
            return Err(ExportError::TooLarge { message });
        }
        self.check_rates(&tenant, signal, encoding, &body).await?;
        let digest = digest(&tenant, signal, encoding, &body).await;
        let (reply, answer) = oneshot::channel();
        let job = Job { tenant, signal, encoding, body, digest, turned_away, reply, _admission: admission };
        let queued = self.queue.send(Message::Export(job));
        match tokio::time::timeout(self.shared.limits.admission_wait, queued).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(self.shared.refuse(Refusal::Stopping)),
            Err(_) => return Err(self.shared.refuse(Refusal::Overloaded)),
        }
        answer.await.unwrap_or_else(|_| Err(self.shared.refuse(Refusal::Stopping)))
    }

    /// Refuses a request that is over a limit of rate before anything of it is read into columns. A resend counts
    /// like any other request: what it costs is this check.
    async fn check_rates(
        &self,
        tenant: &TenantId,
        signal: Signal,
        encoding: Encoding,
        body: &Bytes,
    ) -> Result<(), ExportError> {
        let limits = &self.shared.limits.rates;
        if !limits.are_on() {
            return Ok(());
        }
        let census = match limits.is_census_needed() {
            true => census(signal, encoding, body).await,
            false => Census::default(),
        };
        let mut rates = self.shared.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = rates.admit(tenant, body.len(), &census, Instant::now());
        drop(rates);
        admitted.map_err(|over| {
            *self.shared.counters().refused.entry(Refusal::OverRate).or_default() += 1;
            ExportError::OverRate { retry_after: over.retry_after, message: over.to_string() }
        })
    }

    /// Whether exports are being taken in and made durable.
    pub fn ready(&self) -> bool {
        self.shared.refusing().is_none()
            && !self.shared.journal_failing.load(Ordering::Relaxed)
            && !self.queue.is_closed()
    }

    /// What was done and what ingest is at.
    pub fn status(&self) -> IngestCounters {
        let mut counters = self.shared.counters().clone();
        counters.inflight_bytes = self.shared.budget.bytes_taken();
        let failing = self.shared.journal_failing.load(Ordering::Relaxed).then_some(Refusal::Journal);
        counters.refusing = self.shared.refusing().or(failing);
        counters
    }

    fn check_open(&self) -> Result<(), ExportError> {
        match self.shared.refusing() {
            Some(refusal) => Err(self.shared.refuse(refusal)),
            None => Ok(()),
        }
    }
}

async fn census(signal: Signal, encoding: Encoding, body: &Bytes) -> Census {
    if body.len() < INLINE_DIGEST_BYTES_MAX {
        return Census::of(signal, encoding, body);
    }
    let owned = body.clone();
    match tokio::task::spawn_blocking(move || Census::of(signal, encoding, &owned)).await {
        Ok(census) => census,
        // Only a runtime that shuts down gets here.
        Err(_) => Census::of(signal, encoding, body),
    }
}

async fn digest(tenant: &TenantId, signal: Signal, encoding: Encoding, body: &Bytes) -> Digest {
    let content_type = match encoding {
        Encoding::Protobuf => "protobuf",
        Encoding::Json => "json",
    };
    if body.len() < INLINE_DIGEST_BYTES_MAX {
        return Digest::of(tenant, signal, content_type, body);
    }
    let (owned_tenant, owned_body) = (tenant.clone(), body.clone());
    let hashed = tokio::task::spawn_blocking(move || Digest::of(&owned_tenant, signal, content_type, &owned_body));
    match hashed.await {
        Ok(digest) => digest,
        // Only a runtime that shuts down gets here.
        Err(_) => Digest::of(tenant, signal, content_type, body),
    }
}
