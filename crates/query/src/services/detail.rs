//! One service in full.

use std::collections::BTreeMap;

use api::{Instance, ServiceAnswer, UnixNano};
use model::TimeRange;
use store::rollup::RollupInstance;
use tables::{Scan, TablesError};

use super::errors::newest;
use super::list::metric_services;
use super::totals::{InstanceTotals, ServiceTotals, Wanted, add_up, series};
use super::{ServiceSearch, step_count, steps_of};
use crate::service::{QueryLimits, Question};

/// Failed spans shown.
const ERRORS_SHOWN: usize = 20;

/// Instances shown.
const INSTANCES_SHOWN: usize = 1_000;

pub(super) fn service(
    question: &Question<'_>,
    name: &str,
    search: &ServiceSearch,
    limits: &QueryLimits,
    scan: &mut Scan,
) -> Result<Option<ServiceAnswer>, TablesError> {
    let range = search.range;
    let steps = steps_of(question, &range, step_count(search.steps, limits));
    let wanted = Wanted { range, steps, only: Some(name), services_max: 1 };
    let (mut totals, units) = add_up(question, &wanted, scan)?;
    let totals = totals.remove(name).unwrap_or_default();
    let last_seen = match totals.newest {
        Some(newest) => newest,
        None => match last_heard_of(question, name, &wanted, scan)? {
            Some(time) => time,
            None => return Ok(None),
        },
    };
    let latest_errors = newest(question, &units, (name, &range), &totals.failed_minutes, ERRORS_SHOWN, scan)?;
    let instances = instances(&totals);
    if instances.len() > INSTANCES_SHOWN {
        scan.note(format!("only the newest {INSTANCES_SHOWN} of {} instances are shown", instances.len()));
    }
    Ok(Some(ServiceAnswer {
        service: name.to_owned(),
        red: totals.red.red(),
        series: series(&totals.by_step, &steps, true),
        steps: steps.range(),
        instances: instances.into_iter().take(INSTANCES_SHOWN).collect(),
        latest_errors,
        last_seen_unix_nano: UnixNano(last_seen),
        ..ServiceAnswer::default()
    }))
}

/// When a service without records in the range was last heard of, if it ever was.
pub(super) fn last_heard_of(
    question: &Question<'_>,
    name: &str,
    wanted: &Wanted<'_>,
    scan: &mut Scan,
) -> Result<Option<i64>, TablesError> {
    // Whether there is such a service is no part of the answer's cost.
    let mut apart = scan.fork();
    let ever = Wanted { range: TimeRange::ALL, ..wanted.clone() };
    let (totals, _) = add_up(question, &ever, &mut apart)?;
    if let Some(newest) = totals.get(name).and_then(|totals| totals.newest) {
        return Ok(Some(newest));
    }
    Ok(metric_services(question, TimeRange::ALL, &mut apart)?.get(name).copied())
}

/// Instances by id, the newest first. What a resource says of one is shown as it was last said.
fn instances(totals: &ServiceTotals) -> Vec<Instance> {
    let mut by_id: BTreeMap<&str, (InstanceTotals, &RollupInstance)> = BTreeMap::new();
    let mut all: Vec<(&RollupInstance, &InstanceTotals)> = totals.instances.iter().collect();
    all.sort_by_key(|(instance, of_instance)| (of_instance.newest, *instance));
    for (instance, more) in all {
        let (sum, latest) = by_id
            .entry(&instance.id)
            .or_insert((InstanceTotals { newest: i64::MIN, ..InstanceTotals::default() }, instance));
        sum.spans += more.spans;
        sum.logs += more.logs;
        sum.newest = sum.newest.max(more.newest);
        *latest = instance;
    }
    let shown = |(id, (totals, latest)): (&str, (InstanceTotals, &RollupInstance))| Instance {
        id: id.to_owned(),
        version: latest.version.clone(),
        pod: latest.pod.clone(),
        host: latest.host.clone(),
        sdk_language: latest.sdk_language.clone(),
        span_count: totals.spans,
        log_count: totals.logs,
        last_seen_unix_nano: UnixNano(totals.newest),
    };
    let mut instances: Vec<Instance> = by_id.into_iter().map(shown).collect();
    instances.sort_by(|a, b| b.last_seen_unix_nano.cmp(&a.last_seen_unix_nano).then_with(|| a.id.cmp(&b.id)));
    instances
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_joined_by_id_and_described_as_they_were_last() {
        let of = |id: &str, version: &str| RollupInstance {
            id: id.into(),
            version: version.into(),
            ..RollupInstance::default()
        };
        let seen = |spans: u64, logs: u64, newest: i64| InstanceTotals { spans, logs, newest };
        let totals = ServiceTotals {
            instances: [(of("a", "2"), seen(1, 2, 30)), (of("a", "1"), seen(5, 0, 20)), (of("b", "1"), seen(0, 7, 40))]
                .into_iter()
                .collect(),
            ..ServiceTotals::default()
        };
        let found: Vec<(String, String, u64, u64, i64)> = instances(&totals)
            .into_iter()
            .map(|one| (one.id, one.version, one.span_count, one.log_count, one.last_seen_unix_nano.0))
            .collect();
        assert_eq!(found, [("b".into(), "1".into(), 0, 7, 40), ("a".into(), "2".into(), 6, 2, 30)]);
    }
}
