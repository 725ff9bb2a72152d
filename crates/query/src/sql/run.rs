//! Planning and running one SQL question.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use api::{Column, Completeness, SqlAnswer, SqlRequest};
use datafusion::config::Dialect;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::{SessionState, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use futures::StreamExt;
use model::TenantId;
use tables::{Engine, Pinned, SqlCost, TablesError};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinHandle;

use super::{SqlLimits, errors, functions, values};
use crate::error::QueryError;

/// Stack of a planning thread: planning recurses over the plan several times.
const PLANNING_STACK_BYTES: usize = 64 << 20;

/// Stack of the threads that run plans: evaluating an expression recurses over it.
const RUNNING_STACK_BYTES: usize = 16 << 20;

/// Runs SQL on threads of its own.
pub(crate) struct SqlRunner {
    engine: Engine,
    limits: SqlLimits,
    /// Only taken when dropped.
    runtime: Option<Runtime>,
    handle: Handle,
    running: Arc<Running>,
}

/// Work that has begun and not really ended, and until when it may take.
#[derive(Default)]
struct Running {
    next: AtomicU64,
    until: Mutex<HashMap<u64, Instant>>,
}

impl Running {
    fn begin(self: &Arc<Self>, until: Instant, slot: &Arc<OwnedSemaphorePermit>) -> InProgress {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, until);
        InProgress { running: Arc::clone(self), number, _slot: Arc::clone(slot) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by work until it has really ended, whoever still waits for it: its slot is not free before.
struct InProgress {
    running: Arc<Running>,
    number: u64,
    _slot: Arc<OwnedSemaphorePermit>,
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.running.lock().remove(&self.number);
    }
}

/// A task that ends when nobody waits for it any more.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for SqlRunner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for its threads would block, and may be inside another runtime.
            runtime.shutdown_background();
        }
    }
}

/// A question planned: what runs, in what, and what counts its reads.
struct Planned {
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    cost: Arc<SqlCost>,
}

/// One question on its way.
struct Asked {
    request: SqlRequest,
    begun: Instant,
    until: Instant,
    slot: Arc<OwnedSemaphorePermit>,
}

/// What ends an attempt.
enum Failed {
    /// Something the asker is told.
    Told(QueryError),
    /// A file of the snapshot is gone: once more with the next one.
    Again(String),
}

impl From<QueryError> for Failed {
    fn from(error: QueryError) -> Failed {
        Failed::Told(error)
    }
}

impl From<TablesError> for Failed {
    fn from(error: TablesError) -> Failed {
        match error {
            TablesError::Missing(message) => Failed::Again(message),
            other => Failed::Told(other.into()),
        }
    }
}

impl SqlRunner {
    pub(crate) fn new(engine: Engine, limits: SqlLimits) -> Result<SqlRunner, QueryError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(engine.limits().partitions.max(1))
            .thread_name("spyhop-sql")
            .thread_stack_size(RUNNING_STACK_BYTES)
            .enable_time()
            .build()
            .map_err(|error| QueryError::Internal(format!("cannot start threads: {error}")))?;
        let handle = runtime.handle().clone();
        Ok(SqlRunner { engine, limits, runtime: Some(runtime), handle, running: Arc::default() })
    }

    pub(crate) fn limits(&self) -> &SqlLimits {
        &self.limits
    }

    /// Whether work goes on long after its deadline: it never yields, so only a new process ends it.
    pub(crate) fn is_wedged(&self) -> bool {
        let now = Instant::now();
        self.running.lock().values().any(|until| now > *until + self.limits.overdue)
    }

    /// Answers one question, whose text has been checked.
    pub(crate) async fn run(
        &self,
        tenant: &TenantId,
        request: SqlRequest,
        begun: Instant,
        until: Instant,
        slot: OwnedSemaphorePermit,
    ) -> Result<SqlAnswer, QueryError> {
        let asked = Asked { request, begun, until, slot: Arc::new(slot) };
        let answered = async {
            match self.once(tenant, &asked).await {
                Err(Failed::Again(_)) => self.once(tenant, &asked).await,
                other => other,
            }
        };
        match tokio::time::timeout_at(until.into(), answered).await {
            Err(_) => Err(QueryError::Timeout),
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Failed::Told(error))) => Err(error),
            Ok(Err(Failed::Again(message))) => Err(QueryError::Internal(message)),
        }
    }

    async fn once(&self, tenant: &TenantId, asked: &Asked) -> Result<SqlAnswer, Failed> {
        let pinned = Arc::new(self.engine.pin(tenant).await?);
        let planned = self.plan(Arc::clone(&pinned), asked).await?;
        self.execute(&pinned, planned, asked).await
    }

    /// Plans on a thread of its own: planning neither yields nor fits an ordinary stack.
    async fn plan(&self, pinned: Arc<Pinned>, asked: &Asked) -> Result<Planned, Failed> {
        let until = asked.until.min(Instant::now() + self.limits.planning);
        let in_progress = self.running.begin(until, &asked.slot);
        let (send, receive) = oneshot::channel();
        let (engine, limits, handle) = (self.engine.clone(), self.limits.clone(), self.handle.clone());
        let text = asked.request.query.clone();
        let work = move || {
            let _in_progress = in_progress;
            let planned = handle.block_on(plan(&engine, &pinned, &text, &limits));
            // Nobody may be waiting any more.
            let _ = send.send(planned);
        };
        let thread = std::thread::Builder::new().name("spyhop-plan".into()).stack_size(PLANNING_STACK_BYTES);
        thread.spawn(work).map_err(|error| QueryError::Internal(format!("cannot start a thread: {error}")))?;
        match tokio::time::timeout_at(until.into(), receive).await {
            Ok(Ok(planned)) => planned,
            Ok(Err(_)) => Err(Failed::Told(QueryError::Internal("the query cannot be planned: a defect".into()))),
            Err(_) if Instant::now() >= asked.until => Err(Failed::Told(QueryError::Timeout)),
            Err(_) => Err(Failed::Told(QueryError::TooLarge {
                message: "the query is too complex to be planned in time: write a simpler one".into(),
            })),
        }
    }

    async fn execute(&self, pinned: &Pinned, planned: Planned, asked: &Asked) -> Result<SqlAnswer, Failed> {
        let in_progress = self.running.begin(asked.until, &asked.slot);
        let rows_max = asked.request.limit.unwrap_or(usize::MAX).min(self.limits.rows_max);
        let bytes_max = self.limits.bytes_max;
        let (plan, cost) = (Arc::clone(&planned.plan), Arc::clone(&planned.cost));
        let task = self.handle.spawn(async move {
            let _in_progress = in_progress;
            collect(planned, rows_max, bytes_max).await
        });
        let mut task = AbortOnDrop(task);
        let collected = (&mut task.0).await;
        let collected =
            collected.map_err(|_| QueryError::Internal("the query failed: a defect of the server".into()))?;
        let rows = match collected {
            Ok(rows) => rows,
            Err(error) => return Err(self.explain(error, &asked.request.query)),
        };
        let mut cost = cost.to_cost();
        cost.rows_scanned = rows_scanned(&plan);
        let schema = plan.schema();
        let columns = schema
            .fields()
            .iter()
            .map(|field| Column { name: field.name().clone(), kind: field.data_type().to_string() });
        Ok(SqlAnswer {
            columns: columns.collect(),
            rows: rows.rows,
            truncated: rows.truncated,
            stats: cost.stats(pinned.sequence(), asked.begun.elapsed().as_secs_f64() * 1e3),
            completeness: Completeness::of(pinned.incomplete_because().to_vec()),
        })
    }

    fn explain(&self, error: datafusion::error::DataFusionError, text: &str) -> Failed {
        match errors::explain(error, text, self.engine.limits().sql_memory_bytes_max) {
            Ok(told) => Failed::Told(told),
            Err(ours) => ours.into(),
        }
    }
}

async fn plan(engine: &Engine, pinned: &Arc<Pinned>, text: &str, limits: &SqlLimits) -> Result<Planned, Failed> {
    let (context, cost) = engine.session(pinned)?;
    let explain = |error| match errors::explain(error, text, engine.limits().sql_memory_bytes_max) {
        Ok(told) => Failed::Told(told),
        Err(ours) => ours.into(),
    };
    let state: SessionState = SessionContext::state(&context);
    let statement = state.sql_to_statement(text, &Dialect::Generic).map_err(explain)?;
    if !only_reads(&statement) {
        return Err(QueryError::invalid("only SELECT is possible here (and EXPLAIN, DESCRIBE and SHOW of it)").into());
    }
    let logical = state.statement_to_plan(statement).await.map_err(explain)?;
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    options.verify_plan(&logical).map_err(explain)?;
    functions::check(&logical, limits)?;
    let plan = state.create_physical_plan(&logical).await.map_err(explain)?;
    Ok(Planned { plan, context: context.task_ctx(), cost })
}

/// Whether a statement is a query, or shows something of one.
fn only_reads(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(statement) => matches!(
            statement.as_ref(),
            ast::Statement::Query(_)
                | ast::Statement::Explain { .. }
                | ast::Statement::ExplainTable { .. }
                | ast::Statement::ShowTables { .. }
                | ast::Statement::ShowColumns { .. }
        ),
        Statement::Explain(explain) => only_reads(&explain.statement),
        _ => false,
    }
}

struct Rows {
    rows: Vec<Vec<serde_json::Value>>,
    truncated: bool,
}

/// The rows of a plan, up to so many rows and bytes.
async fn collect(
    planned: Planned,
    rows_max: usize,
    bytes_max: usize,
) -> Result<Rows, datafusion::error::DataFusionError> {
    let mut stream = execute_stream(planned.plan, planned.context)?;
    let mut found = Rows { rows: Vec::new(), truncated: false };
    let mut bytes = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            if found.rows.len() >= rows_max || bytes >= bytes_max {
                found.truncated = true;
                return Ok(found);
            }
            found.rows.push(batch.columns().iter().map(|column| values::json_value(column, row, &mut bytes)).collect());
        }
    }
    Ok(found)
}

/// Rows that came out of the plan's sources.
fn rows_scanned(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    let mut rows = 0;
    let mut left = vec![Arc::clone(plan)];
    while let Some(node) = left.pop() {
        let children = node.children();
        if children.is_empty() {
            rows += node.metrics().and_then(|metrics| metrics.output_rows()).unwrap_or(0) as u64;
        }
        left.extend(children.into_iter().cloned());
    }
    rows
}
