//! Questions about metrics, as the service takes them.

use api::{MetricRangeAnswer, MetricSeriesAnswer, MetricsAnswer};
use model::TenantId;

use super::catalog::{MetricSearch, catalog};
use super::range::{self, MetricRange};
use super::series_list::{self, MetricSeriesSearch};
use crate::error::QueryError;
use crate::service::QueryService;

impl QueryService {
    /// The catalog of metrics.
    ///
    /// # Errors
    /// Any of [`QueryError`] but `Invalid`.
    pub async fn metrics(&self, tenant: &TenantId, search: MetricSearch) -> Result<MetricsAnswer, QueryError> {
        let limits = self.limits().metrics.clone();
        let done = self.ask(tenant, move |question, scan| catalog(question, &search, &limits, scan)).await?;
        Ok(MetricsAnswer { stats: done.stats, completeness: done.completeness, ..done.answer })
    }

    /// The series of a metric.
    ///
    /// # Errors
    /// [`QueryError::Invalid`] for the filter, or any other.
    pub async fn metric_series(
        &self,
        tenant: &TenantId,
        search: MetricSeriesSearch,
    ) -> Result<MetricSeriesAnswer, QueryError> {
        let prepared = series_list::prepare(search, &self.limits().metrics)?;
        let done = self.ask(tenant, move |question, scan| series_list::series_list(question, &prepared, scan)).await?;
        Ok(MetricSeriesAnswer { stats: done.stats, completeness: done.completeness, ..done.answer })
    }

    /// The values of a metric over time.
    ///
    /// # Errors
    /// [`QueryError::Invalid`] for the filter, the steps or a function that says nothing of such a metric,
    /// [`QueryError::TooLarge`], or any other.
    pub async fn metric_range(&self, tenant: &TenantId, ask: MetricRange) -> Result<MetricRangeAnswer, QueryError> {
        let prepared = range::prepare(ask, &self.limits().metrics)?;
        let done = self.ask(tenant, move |question, scan| range::range(question, &prepared, scan)).await?;
        Ok(MetricRangeAnswer { stats: done.stats, completeness: done.completeness, ..done.answer? })
    }
}
