//! All services of a range.

use std::collections::{BTreeMap, BTreeSet};

use api::{ErrorSample, ServiceSummary, ServicesAnswer, UnixNano};
use model::{Hour, Table, TimeRange};
use tables::{Scan, TablesError};

use super::errors::{newest_of, samples};
use super::totals::{FailedPlace, ServiceTotals, Wanted, add_up, series};
use super::{ServiceSearch, step_count, steps_of};
use crate::columns::Columns;
use crate::matcher::Matcher;
use crate::service::{QueryLimits, Question};
use crate::steps::Steps;
use crate::walk::{Matches, Walk};

pub(super) fn services(
    question: &Question<'_>,
    search: &ServiceSearch,
    limits: &QueryLimits,
    scan: &mut Scan,
) -> Result<ServicesAnswer, TablesError> {
    let range = search.range;
    let steps = steps_of(question, &range, step_count(search.steps, limits));
    let wanted = Wanted { range, steps, only: None, services_max: limits.services_max };
    let (totals, units) = add_up(question, &wanted, scan)?;
    let places = |totals: &ServiceTotals| totals.newest_failed.iter().flat_map(|(_, places)| places.clone()).collect();
    let failed: Vec<FailedPlace> = totals.values().flat_map(|totals| -> Vec<FailedPlace> { places(totals) }).collect();
    let failed = samples(question, &units, failed, scan)?;
    let mut services: BTreeMap<String, ServiceSummary> = BTreeMap::new();
    for (name, totals) in totals {
        let error = newest_of(&failed, &places(&totals));
        services.insert(name.clone(), summary(name, &totals, &steps, error));
    }
    for (name, newest) in metric_services(question, range, scan)? {
        if services.len() >= limits.services_max {
            break;
        }
        services.entry(name.clone()).or_insert_with(|| {
            let totals = ServiceTotals { newest: Some(newest), ..ServiceTotals::default() };
            summary(name, &totals, &steps, None)
        });
    }
    Ok(ServicesAnswer { services: services.into_values().collect(), steps: steps.range(), ..ServicesAnswer::default() })
}

fn summary(name: String, totals: &ServiceTotals, steps: &Steps, latest_error: Option<ErrorSample>) -> ServiceSummary {
    let instances: BTreeSet<&str> = totals.instances.keys().map(|instance| instance.id.as_str()).collect();
    ServiceSummary {
        name,
        span_count: totals.spans,
        error_count: totals.errors,
        log_count: totals.logs,
        last_seen_unix_nano: UnixNano(totals.newest.unwrap_or_default()),
        red: totals.red.red(),
        series: series(&totals.by_step, steps, false),
        instance_count: instances.len() as u64,
        latest_error,
    }
}

/// Services with series in the hours of a range, and about when they were last seen. Series have a row an hour, its
/// time that of their first point in it.
pub(super) fn metric_services(
    question: &Question<'_>,
    range: TimeRange,
    scan: &mut Scan,
) -> Result<BTreeMap<String, i64>, TablesError> {
    let matcher = Matcher::new(&api::filter::Filter::All, api::filter::Target::Spans);
    let hours = TimeRange { start: range.start.map(|start| Hour::of(start).start_unix_nano()), end: range.end };
    let walk = Walk { table: Table::Series, range: hours, matcher: &matcher, columns: &["service_name"] };
    let parts = walk.everywhere(question, scan, BTreeMap::new, add_series)?;
    let mut newest: BTreeMap<String, i64> = BTreeMap::new();
    for (name, time) in parts.into_iter().flatten() {
        let known = newest.entry(name).or_insert(time);
        *known = time.max(*known);
    }
    Ok(newest)
}

fn add_series(newest: &mut BTreeMap<String, i64>, found: &Matches<'_>) {
    let columns = Columns(found.batch);
    let Some(names) = columns.texts("service_name") else { return };
    let mut by_key: Vec<Option<(i64, usize)>> = Vec::new();
    for row in found.rows() {
        let key = names.key(row).unwrap_or_default();
        if by_key.len() <= key {
            by_key.resize(key + 1, None);
        }
        let time = found.times.value(row);
        by_key[key] = by_key[key].max(Some((time, row)));
    }
    for (time, row) in by_key.into_iter().flatten() {
        let known = newest.entry(names.get(row).unwrap_or_default().to_owned()).or_insert(time);
        *known = time.max(*known);
    }
}
