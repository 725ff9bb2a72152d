//! Services: rate, errors and durations, operations, instances, latest failures.
//!
//! Vocabulary: a *call* is a span of kind server or consumer, or one without a parent. *Totals* are counts by service
//! or operation, over the whole range and over its steps; a step is a minute at least, because that is how finely
//! files are counted.

mod detail;
mod errors;
mod list;
mod operations;
mod totals;

pub(crate) use totals::RedTotals;

use api::{OperationsAnswer, ServiceAnswer, ServicesAnswer};
use model::{Table, TenantId, TimeRange};

use crate::error::QueryError;
use crate::service::{QueryLimits, QueryService, Question};
use crate::steps::{MINUTE_SECONDS, Steps};

/// Status code of a failed span.
pub(crate) const STATUS_ERROR: i32 = 2;

/// Steps of a series where nobody says how many.
const STEPS_DEFAULT: usize = 40;

/// A question for services.
#[derive(Debug, Clone, Default)]
pub struct ServiceSearch {
    /// Times of the records; where an end is open, the records' own.
    pub range: TimeRange,
    /// Most steps of the series.
    pub steps: usize,
}

/// A question for the operations of a service.
#[derive(Debug, Clone, Default)]
pub struct OperationSearch {
    /// `service.name`.
    pub service: String,
    /// Start times of the spans.
    pub range: TimeRange,
    /// Most operations.
    pub limit: usize,
    /// Most steps of the series.
    pub steps: usize,
}

/// Steps over a range, or over all there is where its ends are open.
fn steps_of(question: &Question<'_>, range: &TimeRange, count: usize) -> Steps {
    let bounds = [Table::Spans, Table::Logs].into_iter().filter_map(|table| question.pinned.time_bounds(table));
    let bounds = bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let start = range.start.or(bounds.map(|(min, _)| min)).or(range.end.map(|end| end.saturating_sub(1))).unwrap_or(0);
    let end = range.end.or(bounds.map(|(_, max)| max.saturating_add(1))).unwrap_or(start);
    Steps::covering(start, end, count, MINUTE_SECONDS)
}

fn step_count(asked: usize, limits: &QueryLimits) -> usize {
    match asked {
        0 => STEPS_DEFAULT,
        asked => asked.min(limits.steps_max),
    }
}

impl QueryService {
    /// Services with records in a range.
    ///
    /// # Errors
    /// Any of [`QueryError`] but `Invalid`.
    pub async fn services(&self, tenant: &TenantId, search: ServiceSearch) -> Result<ServicesAnswer, QueryError> {
        let limits = self.limits().clone();
        let done = self.ask(tenant, move |question, scan| list::services(question, &search, &limits, scan)).await?;
        Ok(ServicesAnswer { stats: done.stats, completeness: done.completeness, ..done.answer })
    }

    /// One service in full; none where nothing was ever heard of it.
    ///
    /// # Errors
    /// Any of [`QueryError`] but `Invalid`.
    pub async fn service_detail(
        &self,
        tenant: &TenantId,
        name: &str,
        search: ServiceSearch,
    ) -> Result<Option<ServiceAnswer>, QueryError> {
        let (limits, name) = (self.limits().clone(), name.to_owned());
        let done =
            self.ask(tenant, move |question, scan| detail::service(question, &name, &search, &limits, scan)).await?;
        let (stats, completeness) = (done.stats, done.completeness);
        Ok(done.answer.map(|answer| ServiceAnswer { stats, completeness, ..answer }))
    }

    /// Operations of a service; none where nothing was ever heard of it.
    ///
    /// # Errors
    /// Any of [`QueryError`] but `Invalid`.
    pub async fn operations(
        &self,
        tenant: &TenantId,
        search: OperationSearch,
    ) -> Result<Option<OperationsAnswer>, QueryError> {
        let limits = self.limits().clone();
        let done =
            self.ask(tenant, move |question, scan| operations::operations(question, &search, &limits, scan)).await?;
        let (stats, completeness) = (done.stats, done.completeness);
        Ok(done.answer.map(|answer| OperationsAnswer { stats, completeness, ..answer }))
    }
}
