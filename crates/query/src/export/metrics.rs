//! Metrics as lines: points with what their series says of them, and the exemplars that came with them.

use std::collections::HashMap;
use std::sync::Arc;

use model::{Signal, Table, TimeRange};

use super::lines::Lines;
use super::points::PointLines;
use super::values::Object;
use super::{ExportError, Exporter};
use crate::records::columns::{
    BoolColumn, DoubleColumn, I32Column, IdColumn, IntColumn, TextColumn, TimeColumn, U64Column,
};

/// What a series says once for all of its points.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Series {
    metric: Arc<str>,
    kind: Arc<str>,
    unit: Arc<str>,
    description: Arc<str>,
    metadata: Arc<str>,
    temporality: i32,
    monotonic: bool,
    pub(super) resource: Arc<str>,
    pub(super) scope: Arc<str>,
    pub(super) attributes: String,
}

impl Series {
    /// Whether points of both may lie in one metric of one line.
    pub(super) fn is_same_metric(&self, other: &Series) -> bool {
        self.metric == other.metric
            && self.kind == other.kind
            && (self.unit == other.unit && self.description == other.description && self.metadata == other.metadata)
            && (self.temporality, self.monotonic) == (other.temporality, other.monotonic)
            && self.resource == other.resource
            && self.scope == other.scope
    }

    /// Writes the metric around its points.
    pub(super) fn write(&self, out: &mut String, points: &str) {
        let mut metric = Object::begin(out);
        metric.text("name", Some(&self.metric));
        metric.text("description", Some(&self.description));
        metric.text("unit", Some(&self.unit));
        let data = match &*self.kind {
            "sum" => "sum",
            "histogram" => "histogram",
            "exponential_histogram" => "exponentialHistogram",
            "summary" => "summary",
            _ => "gauge",
        };
        let mut inner = Object::begin(metric.member(data));
        let list = inner.member("dataPoints");
        list.push('[');
        list.push_str(points);
        list.push(']');
        inner.number("aggregationTemporality", Some(self.temporality));
        if self.monotonic {
            inner.member("isMonotonic").push_str("true");
        }
        inner.end();
        metric.attributes("metadata", Some(&self.metadata), &[]);
        metric.end();
    }
}

/// Texts that many series share, held once.
#[derive(Default)]
struct Interned(std::collections::HashSet<Arc<str>>);

impl Interned {
    fn get(&mut self, text: Option<&str>) -> Arc<str> {
        let text = text.unwrap_or_default();
        match self.0.get(text) {
            Some(known) => Arc::clone(known),
            None => {
                let new: Arc<str> = text.into();
                self.0.insert(Arc::clone(&new));
                new
            }
        }
    }
}

/// Series by id.
pub(super) type SeriesById = HashMap<u64, Series>;
/// Exemplars, written, by the series and time of the point they came with.
pub(super) type ExemplarsByPoint = HashMap<(u64, i64), Vec<String>>;

/// Tables of points.
const POINT_TABLES: [Table; 4] = [Table::Points, Table::Histograms, Table::ExpHistograms, Table::Summaries];

impl Exporter<'_> {
    pub(super) fn metrics(&mut self) -> Result<(), ExportError> {
        let series = self.series()?;
        let mut exemplars = self.exemplars()?;
        for table in POINT_TABLES {
            let mut lines = Lines::new(Signal::Metrics, &self.ask.limits);
            self.each_batch(table, self.ask.range, |batch, rows, out, exported| {
                let mut points = PointLines::new(table, batch, &series, &mut exemplars);
                points.push(rows, &mut lines, out, exported)
            })?;
            lines.end(self.out, &mut self.exported)?;
        }
        Ok(())
    }

    /// Every series there is: which of them the range needs is known only with its points.
    fn series(&mut self) -> Result<SeriesById, ExportError> {
        let (mut known, mut texts) = (SeriesById::new(), Interned::default());
        let max = self.ask.limits.series_max;
        self.each_batch(Table::Series, TimeRange::default(), |batch, rows, _, _| {
            let ids = U64Column::new(batch, "series_id");
            let text = |name: &str| TextColumn::new(batch, name);
            let (metric, kind, unit, description) = (text("metric"), text("type"), text("unit"), text("description"));
            let (metadata, resource, scope) = (text("metadata"), text("resource"), text("scope"));
            let (attributes, temporality) = (text("attributes"), I32Column::new(batch, "temporality"));
            let monotonic = BoolColumn::new(batch, "monotonic");
            for &row in rows {
                let Some(id) = ids.get(row).filter(|id| !known.contains_key(id)) else { continue };
                if known.len() >= max {
                    return Err(ExportError::TooMany { what: "series", max });
                }
                let series = Series {
                    metric: texts.get(metric.get(row)),
                    kind: texts.get(kind.get(row)),
                    unit: texts.get(unit.get(row)),
                    description: texts.get(description.get(row)),
                    metadata: texts.get(metadata.get(row)),
                    temporality: temporality.get(row).unwrap_or(0),
                    monotonic: monotonic.get(row).unwrap_or(false),
                    resource: texts.get(resource.get(row)),
                    scope: texts.get(scope.get(row)),
                    attributes: attributes.text(row),
                };
                known.insert(id, series);
            }
            Ok(())
        })?;
        Ok(known)
    }

    /// The exemplars of the range's points; an exemplar's own time may lie elsewhere.
    fn exemplars(&mut self) -> Result<ExemplarsByPoint, ExportError> {
        let (mut by_point, mut count) = (ExemplarsByPoint::new(), 0);
        let (max, range) = (self.ask.limits.exemplars_max, self.ask.range);
        self.each_batch(Table::Exemplars, TimeRange::default(), |batch, rows, _, _| {
            let ids = U64Column::new(batch, "series_id");
            let (time, point_time) = (TimeColumn::new(batch, "time"), TimeColumn::new(batch, "point_time"));
            let (trace_id, span_id) = (IdColumn::new(batch, "trace_id"), IdColumn::new(batch, "span_id"));
            let (value, value_int) = (DoubleColumn::new(batch, "value"), IntColumn::new(batch, "value_int"));
            let attributes = TextColumn::new(batch, "attributes");
            for &row in rows {
                let own = time.get(row).unwrap_or(0);
                let of_point = point_time.get(row).unwrap_or(own);
                if !range.contains(of_point) {
                    continue;
                }
                count += 1;
                if count > max {
                    return Err(ExportError::TooMany { what: "exemplars", max });
                }
                let mut text = String::new();
                let mut exemplar = Object::begin(&mut text);
                // Without a time of the point, the time is the point's: the exemplar came without one.
                exemplar.time("timeUnixNano", point_time.get(row).map(|_| own));
                exemplar.double("asDouble", value.get(row));
                if let Some(whole) = value_int.get(row) {
                    exemplar.quoted("asInt", &whole.to_string());
                }
                exemplar.text("traceId", trace_id.hex(row).as_deref());
                exemplar.text("spanId", span_id.hex(row).as_deref());
                exemplar.attributes("filteredAttributes", attributes.get(row), &[]);
                exemplar.end();
                by_point.entry((ids.get(row).unwrap_or(0), of_point)).or_default().push(text);
            }
            Ok(())
        })?;
        Ok(by_point)
    }
}
