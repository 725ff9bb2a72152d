//! The catalog: which metrics there are, counted from series rows alone; points are read nowhere but in the tail, for the
//! times they were last seen at.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use api::filter::{Filter, Target};
use api::{MetricsAnswer, UnixNano};
use arrow::array::RecordBatch;
use model::{Table, TimeRange};
use tables::{Scan, TablesError};

use super::MetricLimits;
use super::function::MetricKind;
use super::series::{Description, SeriesRows, hours_of};
use crate::columns::Columns;
use crate::matcher::Matcher;
use crate::service::Question;
use crate::walk::{Matches, Walk};

/// Series that are told apart in one catalog; beyond it their number is the least it can be.
const SERIES_COUNTED_MAX: usize = 2_000_000;

/// Tables of points, by the kinds in them.
const POINT_TABLES: [Table; 4] = [Table::Points, Table::Histograms, Table::ExpHistograms, Table::Summaries];

/// A question for metrics.
#[derive(Debug, Clone, Default)]
pub struct MetricSearch {
    /// Part of the name, in any case.
    pub name: String,
    /// Only metrics that this service sends, and of them its series.
    pub service: Option<String>,
    /// Times of points, by the hour.
    pub range: TimeRange,
    /// Most metrics to list.
    pub limit: usize,
}

#[derive(Default)]
struct Entry {
    description: Description,
    series: HashSet<u64>,
    services: BTreeSet<String>,
}

/// What one thread has found.
#[derive(Default)]
struct Found {
    entries: HashMap<(String, MetricKind), Entry>,
    series: usize,
    is_cut: bool,
}

impl Found {
    fn add(&mut self, search: &MetricSearch, name: &str, found: &Matches<'_>) {
        let rows = SeriesRows::new(found.batch);
        // Names and services of a batch are few: whether one is wanted is worked out once.
        let mut wanted: HashMap<&str, bool> = HashMap::new();
        for row in found.rows() {
            let (Some(metric), Some(kind), Some(id)) =
                (SeriesRows::text(&rows.metrics, row), rows.kind(row), rows.id(row))
            else {
                continue;
            };
            let is_named = *wanted.entry(metric).or_insert_with(|| metric.to_lowercase().contains(name));
            let service = SeriesRows::text(&rows.services, row).unwrap_or_default();
            if !is_named || search.service.as_deref().is_some_and(|wanted| wanted != service) {
                continue;
            }
            let entry = self.entries.entry((metric.to_owned(), kind)).or_default();
            rows.describe(row, &mut entry.description);
            if !entry.services.contains(service) {
                entry.services.insert(service.to_owned());
            }
            if self.series < SERIES_COUNTED_MAX {
                self.series += usize::from(entry.series.insert(id));
            } else {
                self.is_cut |= !entry.series.contains(&id);
            }
        }
    }

    fn merge(&mut self, other: Found) {
        self.is_cut |= other.is_cut;
        for (key, more) in other.entries {
            let entry = self.entries.entry(key).or_default();
            entry.description.merge(more.description);
            entry.series.extend(more.series);
            entry.services.extend(more.services);
        }
    }
}

pub(crate) fn catalog(
    question: &Question<'_>,
    search: &MetricSearch,
    limits: &MetricLimits,
    scan: &mut Scan,
) -> Result<MetricsAnswer, TablesError> {
    let matcher = Matcher::new(&Filter::All, Target::Metrics);
    let columns = &SeriesRows::COLUMNS;
    let walk = Walk { table: Table::Series, range: hours_of(&search.range), matcher: &matcher, columns };
    let name = search.name.to_lowercase();
    let parts = walk.everywhere(question, scan, Found::default, |found, rows| found.add(search, &name, rows))?;
    let mut all = Found::default();
    parts.into_iter().for_each(|part| all.merge(part));
    if all.is_cut {
        scan.note(format!("there are more than {SERIES_COUNTED_MAX} series: not all of them are counted"));
    }
    let newest = newest_in_tail(question, &search.range, scan)?;
    let sorted: BTreeMap<(String, MetricKind), Entry> = all.entries.into_iter().collect();
    let limit = if search.limit == 0 { limits.metrics_max } else { search.limit.min(limits.metrics_max) };
    let truncated = sorted.len() > limit;
    let summary = |((name, kind), entry): ((String, MetricKind), Entry)| {
        let mut summary = entry.description.summary(&name, kind);
        summary.series_count = entry.series.len() as u64;
        summary.services = entry.services.into_iter().collect();
        let in_tail = newest.get(&(kind.table(), name)).copied().map(UnixNano);
        summary.last_seen_unix_nano = summary.last_seen_unix_nano.max(in_tail.unwrap_or(UnixNano(i64::MIN)));
        summary
    };
    Ok(MetricsAnswer {
        metrics: sorted.into_iter().take(limit).map(summary).collect(),
        truncated,
        ..MetricsAnswer::default()
    })
}

/// When metrics were last seen in the tail: their series rows say only when they were first seen in each hour of a
/// segment.
fn newest_in_tail(
    question: &Question<'_>,
    range: &TimeRange,
    scan: &mut Scan,
) -> Result<HashMap<(Table, String), i64>, TablesError> {
    let mut newest = HashMap::new();
    for table in POINT_TABLES {
        for chunk in question.pinned.tail(table) {
            scan.deadline.check()?;
            if range.overlaps(chunk.min_time, chunk.max_time) {
                scan.cost.rows_scanned += chunk.batch.num_rows() as u64;
                scan.cost.journal_rows += chunk.batch.num_rows() as u64;
                add_newest(table, &chunk.batch, range, &mut newest);
            }
        }
    }
    Ok(newest)
}

fn add_newest(table: Table, batch: &RecordBatch, range: &TimeRange, newest: &mut HashMap<(Table, String), i64>) {
    let columns = Columns(batch);
    let (Some(metrics), Some(times)) = (columns.texts("metric"), columns.times("time")) else { return };
    // By number of the dictionary's value first, by name once a batch: its newest time, and a row that has it.
    let mut by_key: Vec<Option<(i64, usize)>> = Vec::new();
    for (row, time) in times.values().iter().enumerate().filter(|(_, time)| range.contains(**time)) {
        let Some(key) = metrics.key(row) else { continue };
        if by_key.len() <= key {
            by_key.resize(key + 1, None);
        }
        if by_key[key].is_none_or(|(known, _)| *time > known) {
            by_key[key] = Some((*time, row));
        }
    }
    for (time, row) in by_key.into_iter().flatten() {
        let known = newest.entry((table, metrics.get(row).unwrap_or_default().to_owned())).or_insert(time);
        *known = time.max(*known);
    }
}
