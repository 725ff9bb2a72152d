//! Which series a metric has: rows of the `series` table, of which every segment writes one for each series and hour.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use api::{MetricSummary, UnixNano};
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{Int32Type, UInt64Type};
use model::{Hour, Table, TimeRange};
use tables::{Scan, SeriesKey, TablesError};

use super::function::{MetricKind, Temporality};
use super::labels::Labels;
use crate::columns::{Columns, Texts};
use crate::matcher::Matcher;
use crate::service::Question;

/// What the `temporality` column says of deltas.
const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;

/// One series.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) id: u64,
    pub(crate) temporality: Temporality,
    pub(crate) monotonic: bool,
    pub(crate) service: Arc<str>,
    /// Canonical text; shared, because few resources have many series.
    resource: Option<Arc<str>>,
    attributes: Option<Box<str>>,
}

impl Series {
    /// One without labels.
    #[cfg(test)]
    pub(crate) fn made(id: u64, temporality: Temporality, monotonic: bool) -> Series {
        Series { id, temporality, monotonic, service: "".into(), resource: None, attributes: None }
    }

    pub(crate) fn labels(&self) -> Labels<'_> {
        Labels { attributes: self.attributes.as_deref(), resource: self.resource.as_deref(), service: &self.service }
    }
}

/// Which series are looked for.
pub(crate) struct Selection<'a> {
    pub(crate) metric: &'a str,
    /// The kind with the most series where absent.
    pub(crate) kind: Option<MetricKind>,
    pub(crate) matcher: &'a Matcher,
    /// Times of points.
    pub(crate) range: TimeRange,
}

/// A metric, and those of its series that were looked for.
#[derive(Debug, Default)]
pub(crate) struct Selected {
    /// What it is; without a type where there is no such metric in the range.
    pub(crate) summary: MetricSummary,
    pub(crate) kind: Option<MetricKind>,
    /// By id.
    pub(crate) series: Vec<Series>,
}

/// The range of series rows that may speak of points in this one: a row has the time of the first point of its hour.
pub(crate) fn hours_of(range: &TimeRange) -> TimeRange {
    let floor = |time: i64| time.div_euclid(Hour::NANOS).saturating_mul(Hour::NANOS);
    TimeRange { start: range.start.map(floor), end: range.end }
}

/// What is said of a metric by the newest of its series rows; of several at one time always by the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Description {
    pub(crate) time: i64,
    pub(crate) unit: String,
    pub(crate) description: String,
    pub(crate) temporality: i32,
    pub(crate) monotonic: bool,
}

impl Default for Description {
    /// Older than any row.
    fn default() -> Description {
        let (unit, description) = (String::new(), String::new());
        Description { time: i64::MIN, unit, description, temporality: 0, monotonic: false }
    }
}

impl Description {
    pub(crate) fn merge(&mut self, other: Description) {
        if other > *self {
            *self = other;
        }
    }

    /// The summary of a metric of this description.
    pub(crate) fn summary(&self, name: &str, kind: MetricKind) -> MetricSummary {
        let temporality = match self.temporality {
            DELTA => "delta",
            CUMULATIVE => "cumulative",
            _ => "",
        };
        MetricSummary {
            name: name.to_owned(),
            kind: kind.name().to_owned(),
            unit: self.unit.clone(),
            description: self.description.clone(),
            temporality: temporality.to_owned(),
            monotonic: self.monotonic,
            last_seen_unix_nano: UnixNano(self.time),
            ..MetricSummary::default()
        }
    }
}

/// Columns of series rows.
pub(crate) struct SeriesRows<'a> {
    kinds: Option<Texts<'a>>,
    ids: Option<&'a arrow::array::UInt64Array>,
    times: Option<&'a arrow::array::TimestampNanosecondArray>,
    units: Option<Texts<'a>>,
    descriptions: Option<Texts<'a>>,
    temporalities: Option<&'a arrow::array::Int32Array>,
    monotonic: Option<&'a BooleanArray>,
    pub(crate) metrics: Option<Texts<'a>>,
    pub(crate) services: Option<Texts<'a>>,
    resources: Option<Texts<'a>>,
    attributes: Option<Texts<'a>>,
}

impl<'a> SeriesRows<'a> {
    /// What every reader of series rows needs.
    pub(crate) const COLUMNS: [&'static str; 9] =
        ["metric", "series_id", "time", "type", "unit", "description", "temporality", "monotonic", "service_name"];

    pub(crate) fn new(batch: &'a RecordBatch) -> SeriesRows<'a> {
        let columns = Columns(batch);
        SeriesRows {
            kinds: columns.texts("type"),
            ids: columns.numbers::<UInt64Type>("series_id"),
            times: columns.times("time"),
            units: columns.texts("unit"),
            descriptions: columns.texts("description"),
            temporalities: columns.numbers::<Int32Type>("temporality"),
            monotonic: batch.column_by_name("monotonic").and_then(|column| column.as_boolean_opt()),
            metrics: columns.texts("metric"),
            services: columns.texts("service_name"),
            resources: columns.texts("resource"),
            attributes: columns.texts("attributes"),
        }
    }

    pub(crate) fn text(column: &Option<Texts<'a>>, row: usize) -> Option<&'a str> {
        column.as_ref().and_then(|texts| texts.get(row))
    }

    pub(crate) fn kind(&self, row: usize) -> Option<MetricKind> {
        MetricKind::parse(SeriesRows::text(&self.kinds, row)?)
    }

    pub(crate) fn id(&self, row: usize) -> Option<u64> {
        self.ids.map(|ids| ids.value(row))
    }

    pub(crate) fn time(&self, row: usize) -> i64 {
        self.times.map_or(0, |times| times.value(row))
    }

    fn temporality(&self, row: usize) -> i32 {
        self.temporalities.filter(|codes| codes.is_valid(row)).map_or(0, |codes| codes.value(row))
    }

    fn is_monotonic(&self, row: usize) -> bool {
        self.monotonic.is_some_and(|flags| flags.is_valid(row) && flags.value(row))
    }

    /// What the row says, if it is newer than what is known.
    pub(crate) fn describe(&self, row: usize, known: &mut Description) {
        let time = self.time(row);
        if time < known.time {
            return;
        }
        let text = |column: &Option<Texts<'a>>| SeriesRows::text(column, row).unwrap_or_default().to_owned();
        known.merge(Description {
            time,
            unit: text(&self.units),
            description: text(&self.descriptions),
            temporality: self.temporality(row),
            monotonic: self.is_monotonic(row),
        });
    }
}

/// What has been found of one kind.
#[derive(Default)]
struct OfKind {
    description: Description,
    /// Every id; the series only where it matches.
    series: HashMap<u64, Option<Series>>,
    services: BTreeMap<Arc<str>, ()>,
    resources: HashMap<Box<str>, Arc<str>>,
}

impl OfKind {
    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.resources.get(text) {
            return Arc::clone(known);
        }
        let made: Arc<str> = text.into();
        self.resources.insert(text.into(), Arc::clone(&made));
        made
    }

    fn add(&mut self, rows: &SeriesRows<'_>, row: usize, id: u64, matches: bool) {
        let service: Arc<str> = match SeriesRows::text(&rows.services, row) {
            Some(name) => match self.services.get_key_value(name) {
                Some((known, ())) => Arc::clone(known),
                None => name.into(),
            },
            None => "".into(),
        };
        self.services.insert(Arc::clone(&service), ());
        let series = matches.then(|| Series {
            id,
            temporality: if rows.temporality(row) == DELTA { Temporality::Delta } else { Temporality::Cumulative },
            monotonic: rows.is_monotonic(row),
            service,
            resource: SeriesRows::text(&rows.resources, row).map(|text| self.shared(text)),
            attributes: SeriesRows::text(&rows.attributes, row).map(Box::from),
        });
        self.series.insert(id, series);
    }
}

/// The series of a metric, of one kind, with points in the hours of the range.
pub(crate) fn select(
    question: &Question<'_>,
    selection: &Selection<'_>,
    series_max: usize,
    scan: &mut Scan,
) -> Result<Selected, TablesError> {
    let range = hours_of(&selection.range);
    let key = SeriesKey { metric: selection.metric, series: None, range };
    let mut columns: Vec<&str> = SeriesRows::COLUMNS.to_vec();
    columns.extend(["resource", "attributes"]);
    columns.extend(selection.matcher.columns().into_iter().filter(|column| *column == "scope"));
    let mut kinds: BTreeMap<MetricKind, OfKind> = BTreeMap::new();
    let mut is_cut = false;
    for unit in question.engine.units(question.pinned, Table::Series, &range, scan) {
        scan.deadline.check()?;
        let opened = question.engine.open_series(&unit, &key, scan);
        let Some((open, ranges)) = scan.without_damage(opened)? else { continue };
        let read = open.read(&columns, &ranges, scan, |batch, _, _| {
            let rows = SeriesRows::new(batch);
            let mut wanted: Vec<bool> = (0..batch.num_rows())
                .map(|row| {
                    SeriesRows::text(&rows.metrics, row) == Some(selection.metric) && range.contains(rows.time(row))
                })
                .collect();
            let of_metric = wanted.clone();
            selection.matcher.narrow(batch, &mut wanted);
            for row in of_metric.iter().enumerate().filter(|(_, of_metric)| **of_metric).map(|(row, _)| row) {
                let (Some(kind), Some(id)) = (rows.kind(row), rows.id(row)) else { continue };
                let of_kind = kinds.entry(kind).or_default();
                rows.describe(row, &mut of_kind.description);
                if of_kind.series.contains_key(&id) {
                    continue;
                }
                match of_kind.series.len() < series_max {
                    true => of_kind.add(&rows, row, id, wanted[row]),
                    false => is_cut = true,
                }
            }
            Ok(())
        });
        scan.without_damage(read)?;
    }
    if is_cut {
        scan.note(format!(
            "'{}' has more than {series_max} series in this range: the others are left out",
            selection.metric
        ));
    }
    Ok(settle(selection, kinds, scan))
}

/// The kind that was asked for, or that most series are of.
fn settle(selection: &Selection<'_>, mut kinds: BTreeMap<MetricKind, OfKind>, scan: &mut Scan) -> Selected {
    let most = || kinds.iter().max_by_key(|(kind, of_kind)| (of_kind.series.len(), std::cmp::Reverse(**kind)));
    let kind = selection.kind.or_else(|| most().map(|(kind, _)| *kind));
    let Some((kind, of_kind)) = kind.and_then(|kind| Some((kind, kinds.remove(&kind)?))) else {
        let summary = MetricSummary { name: selection.metric.to_owned(), ..MetricSummary::default() };
        return Selected { summary, ..Selected::default() };
    };
    if selection.kind.is_none() && !kinds.is_empty() {
        let others: Vec<&str> = kinds.keys().map(|kind| kind.name()).collect();
        scan.note(format!(
            "'{}' is sent as {} too, which is left out here: ask for it with type=",
            selection.metric,
            others.join(" and ")
        ));
    }
    let mut summary = of_kind.description.summary(selection.metric, kind);
    summary.series_count = of_kind.series.len() as u64;
    summary.services = of_kind.services.into_keys().map(|name| name.to_string()).collect();
    let mut series: Vec<Series> = of_kind.series.into_values().flatten().collect();
    series.sort_unstable_by_key(|series| series.id);
    Selected { summary, kind: Some(kind), series }
}
