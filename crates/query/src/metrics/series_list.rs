//! The series of one metric with their labels, and the values each label has.

use std::collections::{BTreeMap, HashMap};

use api::filter::{self, Target};
use api::{MetricSeries, MetricSeriesAnswer};
use model::TimeRange;
use tables::{Scan, TablesError};

use super::MetricLimits;
use super::function::MetricKind;
use super::series::{Selection, select};
use crate::error::QueryError;
use crate::matcher::Matcher;
use crate::service::Question;

/// Values of a label that are listed.
const LABEL_VALUES_MAX: usize = 100;

/// A question for the series of a metric.
#[derive(Debug, Clone, Default)]
pub struct MetricSeriesSearch {
    /// Name of the metric.
    pub metric: String,
    /// Which kind, where senders disagree; the one with the most series where absent.
    pub kind: Option<MetricKind>,
    /// Filter over labels.
    pub filter: String,
    /// Times of points, by the hour.
    pub range: TimeRange,
    /// Most series to list.
    pub limit: usize,
}

/// A question that has been read.
pub(crate) struct Prepared {
    search: MetricSeriesSearch,
    matcher: Matcher,
    limit: usize,
    series_max: usize,
}

pub(crate) fn prepare(search: MetricSeriesSearch, limits: &MetricLimits) -> Result<Prepared, QueryError> {
    if search.metric.is_empty() {
        return Err(QueryError::invalid("'metric' is missing: name the metric"));
    }
    let matcher = Matcher::new(&filter::parse(&search.filter, Target::Metrics)?, Target::Metrics);
    let limit = match search.limit {
        0 => 100,
        limit => limit.min(limits.series_listed_max),
    };
    Ok(Prepared { search, matcher, limit, series_max: limits.series_max })
}

pub(crate) fn series_list(
    question: &Question<'_>,
    prepared: &Prepared,
    scan: &mut Scan,
) -> Result<MetricSeriesAnswer, TablesError> {
    let MetricSeriesSearch { metric, kind, range, .. } = &prepared.search;
    let selection = Selection { metric, kind: *kind, matcher: &prepared.matcher, range: *range };
    let selected = select(question, &selection, prepared.series_max, scan)?;
    let mut labels: BTreeMap<String, HashMap<String, u64>> = BTreeMap::new();
    let mut series: Vec<MetricSeries> = Vec::with_capacity(selected.series.len().min(prepared.limit));
    for found in &selected.series {
        let all = found.labels().all();
        for (key, value) in &all {
            let values = match labels.get_mut(key) {
                Some(values) => values,
                None => labels.entry(key.clone()).or_default(),
            };
            match values.get_mut(value) {
                Some(count) => *count += 1,
                None => {
                    values.insert(value.clone(), 1);
                }
            }
        }
        let service_name = found.service.to_string();
        series.push(MetricSeries { series_id: format!("{:016x}", found.id), labels: all, service_name });
    }
    series.sort_by(|a, b| (&a.labels, &a.series_id).cmp(&(&b.labels, &b.series_id)));
    let truncated = series.len() > prepared.limit;
    series.truncate(prepared.limit);
    Ok(MetricSeriesAnswer {
        metric: selected.summary,
        series,
        labels: labels.into_iter().map(|(key, values)| (key, most_frequent(values))).collect(),
        truncated,
        ..MetricSeriesAnswer::default()
    })
}

/// The values that most series have, most frequent first.
fn most_frequent(values: HashMap<String, u64>) -> Vec<String> {
    let mut values: Vec<(String, u64)> = values.into_iter().collect();
    values.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    values.truncate(LABEL_VALUES_MAX);
    values.into_iter().map(|(value, _)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_values_come_first() {
        let values = [("b", 2), ("a", 2), ("c", 9), ("d", 1)].map(|(value, count)| (value.to_owned(), count));
        assert_eq!(most_frequent(values.into()), ["c", "a", "b", "d"]);
        let many: HashMap<String, u64> = (0..150).map(|number| (format!("{number:03}"), 1)).collect();
        assert_eq!(most_frequent(many).len(), LABEL_VALUES_MAX);
    }
}
