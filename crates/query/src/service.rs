//! The service: how questions are let in, run, retried and stopped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::filter::{self, Target};
use api::{Completeness, HistogramAnswer, LogSearchAnswer, SqlAnswer, SqlRequest, Stats};
use api::{TraceAnswer, TraceSearchAnswer};
use catalog::Catalog;
use model::{Table, TenantId, TraceId};
use store::Layout;
use tables::{Deadline, Engine, EngineLimits, JournalPlace, Pinned, Scan, TablesError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::error::QueryError;
use crate::histogram::LogHistogram;
use crate::log_search::LogSearch;
use crate::matcher::Matcher;
use crate::metrics::MetricLimits;
use crate::sql::{SqlLimits, SqlRunner};
use crate::tail::{Beginning, Feeds, Listener, LogTail, LogTailStream, TailLimits};
use crate::trace_search::TraceSearch;
use crate::trace_view::TraceForm;
use crate::{histogram, log_search, tail, trace_search, trace_view};

/// Bounds of questions.
#[derive(Debug, Clone)]
pub struct QueryLimits {
    /// Questions that run at the same time; others wait.
    pub concurrent_max: usize,
    /// How long a question may wait for its turn.
    pub queue_wait: Duration,
    /// How long a question may take, waiting included.
    pub wall: Duration,
    /// When to ask again after too many at once.
    pub retry_after: Duration,
    /// Most records a page of a search may have.
    pub page_records_max: usize,
    /// Most steps of a histogram.
    pub steps_max: usize,
    /// Most services of one answer.
    pub services_max: usize,
    /// Most operations of one service that are told apart.
    pub operations_max: usize,
    /// Most pairs of caller and called in a map.
    pub map_edges_max: usize,
    /// Most traces that are looked up for a map because they are spread over files.
    pub map_traces_max: usize,
    /// Bounds of SQL.
    pub sql: SqlLimits,
    /// Bounds of metrics.
    pub metrics: MetricLimits,
    /// Bounds of live tails.
    pub tail: TailLimits,
}

impl Default for QueryLimits {
    fn default() -> QueryLimits {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        QueryLimits {
            concurrent_max: 2 * cores,
            queue_wait: Duration::from_secs(5),
            wall: Duration::from_secs(30),
            retry_after: Duration::from_secs(1),
            page_records_max: 5_000,
            steps_max: 1_000,
            services_max: 5_000,
            operations_max: 5_000,
            map_edges_max: 20_000,
            map_traces_max: 10_000,
            sql: SqlLimits::default(),
            metrics: MetricLimits::default(),
            tail: TailLimits::default(),
        }
    }
}

/// What a [`QueryService`] is made with.
#[derive(Debug, Clone, Default)]
pub struct QuerySettings {
    /// Caches and memory.
    pub engine: EngineLimits,
    /// Bounds of questions.
    pub limits: QueryLimits,
}

struct Inner {
    engine: Engine,
    limits: QueryLimits,
    slots: Arc<Semaphore>,
    sql: SqlRunner,
    feeds: Feeds,
    tail_slots: Arc<Semaphore>,
    tails_closed: watch::Sender<bool>,
}

/// Answers questions over one data folder. Cheap to clone. Its methods are called inside a tokio runtime; they do
/// their work on its blocking threads, and SQL on threads of its own.
#[derive(Clone)]
pub struct QueryService {
    inner: Arc<Inner>,
}

/// What a question's work is given.
pub(crate) struct Question<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) pinned: &'a Pinned,
}

/// Stops the work of a question whose asker has gone.
struct StopOnDrop(Deadline);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// An answer's work, done: the answer but for its cost and completeness.
pub(crate) struct Done<T> {
    pub(crate) answer: T,
    pub(crate) stats: Stats,
    pub(crate) completeness: Completeness,
}

impl QueryService {
    /// A service over one data folder.
    ///
    /// # Errors
    /// [`QueryError::Internal`] when threads cannot be made.
    pub fn open(settings: QuerySettings, layout: Layout, catalog: Catalog) -> Result<QueryService, QueryError> {
        let engine = Engine::new(layout, catalog, settings.engine);
        let sql = SqlRunner::new(engine.clone(), settings.limits.sql.clone())?;
        let slots = Arc::new(Semaphore::new(settings.limits.concurrent_max.max(1)));
        let tail_slots = Arc::new(Semaphore::new(settings.limits.tail.streams_max));
        let inner = Inner {
            engine,
            limits: settings.limits,
            slots,
            sql,
            feeds: Feeds::default(),
            tail_slots,
            tails_closed: watch::Sender::new(false),
        };
        Ok(QueryService { inner: Arc::new(inner) })
    }

    /// What it reads with.
    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// Bounds it was made with.
    pub(crate) fn limits(&self) -> &QueryLimits {
        &self.inner.limits
    }

    /// Everything that carries this trace id, with no time range; none where nothing does. It comes as the JSON of
    /// [`api::TraceAnswer`], in this form.
    ///
    /// # Errors
    /// Any of [`QueryError`] but `Invalid`.
    pub async fn trace_json(
        &self,
        tenant: &TenantId,
        id: TraceId,
        form: TraceForm,
    ) -> Result<Option<Vec<u8>>, QueryError> {
        let done = self.ask(tenant, move |question, scan| trace_view::trace(question, id, form, scan)).await?;
        // Nothing found is no answer only where everything was looked at.
        let is_answer = !done.answer.is_empty || !done.completeness.complete;
        Ok(is_answer.then(|| done.answer.finish(&done.stats, &done.completeness)))
    }

    /// As [`QueryService::trace_json`], for callers in this process who read the answer.
    ///
    /// # Errors
    /// As there.
    pub async fn trace(&self, tenant: &TenantId, id: TraceId) -> Result<Option<TraceAnswer>, QueryError> {
        let json = self.trace_json(tenant, id, TraceForm::default()).await?;
        let read = json.map(|json| serde_json::from_slice(&json)).transpose();
        read.map_err(|error| QueryError::Internal(format!("the answer does not read back: {error}")))
    }

    /// Log records that match a filter, by time.
    ///
    /// # Errors
    /// [`QueryError::Invalid`] for the filter or the cursor, or any other.
    pub async fn search_logs(&self, tenant: &TenantId, search: LogSearch) -> Result<LogSearchAnswer, QueryError> {
        let search = log_search::prepare(search, &self.inner.limits)?;
        let done = self.ask(tenant, move |question, scan| log_search::search(question, &search, scan)).await?;
        Ok(LogSearchAnswer { stats: done.stats, completeness: done.completeness, ..done.answer })
    }

    /// How many log records match a filter, by time and severity.
    ///
    /// # Errors
    /// [`QueryError::Invalid`] for the filter or the range, or any other.
    pub async fn log_histogram(&self, tenant: &TenantId, ask: LogHistogram) -> Result<HistogramAnswer, QueryError> {
        let ask = histogram::prepare(ask, &self.inner.limits)?;
        let done = self.ask(tenant, move |question, scan| histogram::count(question, &ask, scan)).await?;
        Ok(HistogramAnswer { stats: done.stats, completeness: done.completeness, ..done.answer })
    }

    /// Traces with a span that matches, newest first.
    ///
    /// # Errors
    /// [`QueryError::Invalid`] for the filter or the cursor, or any other.
    pub async fn search_traces(&self, tenant: &TenantId, search: TraceSearch) -> Result<TraceSearchAnswer, QueryError> {
        let search = trace_search::prepare(search, &self.inner.limits)?;
        let done = self.ask(tenant, move |question, scan| trace_search::search(question, &search, scan)).await?;
        Ok(TraceSearchAnswer { stats: done.stats, completeness: done.completeness, ..done.answer })
    }

    /// The answer to one SELECT.
    ///
    /// # Errors
    /// [`QueryError::Invalid`] for the SQL, [`QueryError::TooLarge`] where it outgrows a limit, or any other.
    pub async fn sql(&self, tenant: &TenantId, request: SqlRequest) -> Result<SqlAnswer, QueryError> {
        let begun = Instant::now();
        let until = begun + self.inner.limits.wall;
        crate::sql::check_text(&request.query, self.inner.sql.limits())?;
        let slot = self.slot().await?;
        self.inner.sql.run(tenant, request, begun, until, slot).await
    }

    /// Records that match a filter, as they are stored.
    ///
    /// # Errors
    /// [`QueryError::Invalid`] for the filter or the place, [`QueryError::TailsBusy`], or those of a question.
    pub async fn tail_logs(&self, tenant: &TenantId, ask: LogTail) -> Result<LogTailStream, QueryError> {
        let limits = &self.inner.limits.tail;
        let matcher = Matcher::new(&filter::parse(&ask.query, Target::Logs)?, Target::Logs);
        let from = match &ask.from {
            Some(text) => {
                Some(text.parse::<JournalPlace>().map_err(|error| QueryError::invalid(format!("'from': {error}")))?)
            }
            None => None,
        };
        let busy =
            |_| QueryError::TailsBusy { streams_max: limits.streams_max, retry_after: self.inner.limits.retry_after };
        let permit = Arc::clone(&self.inner.tail_slots).try_acquire_owned().map_err(busy)?;
        let feed = self.inner.feeds.of(&self.inner.engine, tenant, limits.feed_bytes_max);
        let end = feed.end().await?;
        let beginning = match from {
            Some(place) => Beginning::resumed(place, end, feed.list().await?.newest()),
            None if ask.last == 0 => Beginning { place: end, ..Beginning::default() },
            None => self.last_logs(tenant, matcher.clone(), ask.last.min(limits.last_records_max)).await?,
        };
        let closed = self.inner.tails_closed.subscribe();
        Ok(LogTailStream::new(Listener { feed, matcher, limits: limits.clone(), permit, closed }, beginning))
    }

    async fn last_logs(&self, tenant: &TenantId, matcher: Matcher, count: usize) -> Result<Beginning, QueryError> {
        let done = self.ask(tenant, move |question, scan| tail::last(question, &matcher, count, scan)).await?;
        let (logs, place) = done.answer;
        Ok(Beginning { place, logs, notes: done.completeness.incomplete_because, is_resumed: false })
    }

    /// Ends every live tail, now and from now on: the process is about to end.
    pub fn close_tails(&self) {
        self.inner.tails_closed.send_replace(true);
    }

    /// Whether any record is stored for this tenant.
    ///
    /// # Errors
    /// [`QueryError::Internal`], [`QueryError::Timeout`].
    pub async fn has_data(&self, tenant: &TenantId) -> Result<bool, QueryError> {
        let pinned = tokio::time::timeout(self.inner.limits.wall, self.inner.engine.pin(tenant)).await;
        let pinned = pinned.map_err(|_| QueryError::Timeout)??;
        Ok(Table::ALL.into_iter().any(|table| pinned.rows(table) > 0))
    }

    /// Whether planning threads are stuck beyond their time, so that only a new process gets their memory back.
    pub fn is_wedged(&self) -> bool {
        self.inner.sql.is_wedged()
    }

    pub(crate) async fn slot(&self) -> Result<OwnedSemaphorePermit, QueryError> {
        let limits = &self.inner.limits;
        match tokio::time::timeout(limits.queue_wait, Arc::clone(&self.inner.slots).acquire_owned()).await {
            Ok(Ok(slot)) => Ok(slot),
            _ => Err(QueryError::Busy { retry_after: limits.retry_after }),
        }
    }

    /// Runs a question's work over a fresh snapshot, twice at most: where a file of the snapshot is gone, a swap came
    /// between, and the next snapshot names its successor.
    pub(crate) async fn ask<T, F>(&self, tenant: &TenantId, work: F) -> Result<Done<T>, QueryError>
    where
        T: Send + 'static,
        F: Fn(&Question<'_>, &mut Scan) -> Result<T, TablesError> + Send + Sync + 'static,
    {
        let begun = Instant::now();
        let deadline = Deadline::at(begun + self.inner.limits.wall);
        let _stop = StopOnDrop(deadline.clone());
        let slot = Arc::new(self.slot().await?);
        let work = Arc::new(work);
        let once = || async {
            let pinned = self.inner.engine.pin(tenant).await?;
            let (inner, work, deadline) = (Arc::clone(&self.inner), Arc::clone(&work), deadline.clone());
            let slot = Arc::clone(&slot);
            let run = move || {
                // The slot is held until the work has really stopped, even if nobody waits for it any more.
                let _slot = slot;
                let mut scan = Scan::new(deadline);
                let question = Question { engine: &inner.engine, pinned: &pinned };
                let answer = work(&question, &mut scan)?;
                pinned.incomplete_because().iter().for_each(|reason| scan.note(reason.clone()));
                Ok((answer, scan, pinned.sequence()))
            };
            let joined = tokio::task::spawn_blocking(run).await;
            joined.unwrap_or_else(|error| {
                tracing::error!(%error, "a query failed");
                Err(TablesError::Internal("the query failed: a defect of the server".into()))
            })
        };
        let answered = async {
            match once().await {
                Err(TablesError::Missing(_)) => once().await,
                other => other,
            }
        };
        let answered = tokio::time::timeout_at(deadline.instant().into(), answered).await;
        let (answer, scan, sequence) = answered.map_err(|_| QueryError::Timeout)??;
        let elapsed_ms = begun.elapsed().as_secs_f64() * 1e3;
        Ok(Done {
            answer,
            stats: scan.cost.stats(sequence, elapsed_ms),
            completeness: Completeness::of(scan.incomplete_because),
        })
    }
}
