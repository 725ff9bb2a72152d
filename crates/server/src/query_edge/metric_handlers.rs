//! Handlers of the metrics endpoints.

use api::paths;
use axum::extract::State;
use http::Uri;
use query::{Function, GroupBy, MetricKind, MetricRange, MetricSearch, MetricSeriesSearch};

use super::handlers::{Answer, SharedEdge, json, parameters};
use super::parameters::Parameters;
use super::problem::Refusal;

const METRICS_DEFAULT: usize = 1_000;
const METRICS_MAX: usize = 5_000;
const SERIES_DEFAULT: usize = 100;
const SERIES_MAX: usize = 10_000;
const LINES_DEFAULT: usize = 100;
const LINES_MAX: usize = 1_000;

pub(super) async fn metrics(State(edge): SharedEdge, uri: Uri) -> Answer {
    let parameters = parameters(&uri, paths::METRICS)?;
    let search = MetricSearch {
        name: parameters.text("query").unwrap_or_default(),
        service: parameters.text("service"),
        range: parameters.range()?,
        limit: parameters.count("limit", METRICS_DEFAULT, METRICS_MAX)?,
    };
    json(&edge.query.metrics(&edge.settings.tenant, search).await?)
}

pub(super) async fn series(State(edge): SharedEdge, uri: Uri) -> Answer {
    let parameters = parameters(&uri, paths::METRICS_SERIES)?;
    let search = MetricSeriesSearch {
        metric: metric(&parameters)?,
        kind: kind(&parameters)?,
        filter: parameters.text("filter").unwrap_or_default(),
        range: parameters.range()?,
        limit: parameters.count("limit", SERIES_DEFAULT, SERIES_MAX)?,
    };
    json(&edge.query.metric_series(&edge.settings.tenant, search).await?)
}

pub(super) async fn range(State(edge): SharedEdge, uri: Uri) -> Answer {
    let parameters = parameters(&uri, paths::METRICS_RANGE)?;
    let functions = Function::ALL.map(|function| (function.name(), function));
    let ask = MetricRange {
        metric: metric(&parameters)?,
        kind: kind(&parameters)?,
        range: parameters.range()?,
        step: parameters.duration("step")?,
        function: parameters.optional_choice("function", &functions)?,
        quantile: quantile(&parameters)?,
        group_by: GroupBy::parse(&parameters.text("group_by").unwrap_or_default())?,
        filter: parameters.text("filter").unwrap_or_default(),
        exemplars: parameters.flag("exemplars")?,
        limit: parameters.count("limit", LINES_DEFAULT, LINES_MAX)?,
    };
    json(&edge.query.metric_range(&edge.settings.tenant, ask).await?)
}

fn metric(parameters: &Parameters) -> Result<String, Refusal> {
    parameters.text("metric").ok_or_else(|| {
        Refusal::bad_request(format!("parameter 'metric' is missing: name a metric; {} lists them", paths::METRICS))
    })
}

fn kind(parameters: &Parameters) -> Result<Option<MetricKind>, Refusal> {
    parameters.optional_choice("type", &MetricKind::ALL.map(|kind| (kind.name(), kind)))
}

fn quantile(parameters: &Parameters) -> Result<Option<f64>, Refusal> {
    let Some(text) = parameters.text("quantile") else { return Ok(None) };
    let quantile = text.parse().ok().filter(|quantile| (0.0..=1.0).contains(quantile));
    quantile.map(Some).ok_or_else(|| {
        let text: String = text.chars().take(64).collect();
        Refusal::bad_request(format!("parameter 'quantile': '{text}' is no number from 0 to 1"))
    })
}
