//! The six tables that metrics fill, and the identity of series.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use model::{Hour, Table};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed, xxh3_128_with_seed};

use crate::Stop;
use crate::any_value::attribute;
use crate::attributes::SortedAttributes;
use crate::columns::{Keywords, Texts, Values};
use crate::dictionary::{Identity, SEED};
use crate::envelope::{JsonNames, Records};
use crate::freeze::Assembly;
use crate::json::Json;
use crate::notes::{Notes, RejectReason};
use crate::origin::{Origin, replace, text_of};
use crate::points::{
    Distribution, ExemplarTable, ExpHead, ExpHistogramTable, HistogramTable, NO_RECORDED_VALUE, NumberTable,
    NumberValue, PointColumns, PointHead, Settled, SummaryTable, null_is_nan,
};
use crate::wire::{Fields, Value};

/// Kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricKind {
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
}

impl MetricKind {
    /// What the `type` column says.
    pub fn name(self) -> &'static str {
        match self {
            MetricKind::Gauge => "gauge",
            MetricKind::Sum => "sum",
            MetricKind::Histogram => "histogram",
            MetricKind::ExponentialHistogram => "exponential_histogram",
            MetricKind::Summary => "summary",
        }
    }

    /// Whether its points aggregate over time one way or the other.
    pub fn has_temporality(self) -> bool {
        !matches!(self, MetricKind::Gauge | MetricKind::Summary)
    }
}

/// What is said once of a metric.
#[derive(Default)]
pub(crate) struct MetricHead {
    pub name: String,
    pub unit: String,
    pub description: String,
    pub metadata: SortedAttributes,
    metadata_text: String,
    pub temporality: i32,
    pub monotonic: bool,
}

/// The series, by hour, that the current segment already describes.
#[derive(Default)]
struct SeriesSeen {
    seen: HashSet<u64, BuildHasherDefault<Identity>>,
    /// Those of the request being read.
    added: Vec<u64>,
}

impl SeriesSeen {
    fn key(series_id: u64, time: i64) -> u64 {
        series_id.wrapping_add((Hour::of(time).0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Whether the series is new to the segment and hour. Forgetting (beyond the limit) only repeats rows.
    fn is_new(&mut self, series_id: u64, time: i64, seen_max: usize) -> bool {
        let key = SeriesSeen::key(series_id, time);
        if self.seen.len() >= seen_max && !self.seen.contains(&key) {
            self.seen.clear();
        }
        let new = self.seen.insert(key);
        if new {
            self.added.push(key);
        }
        new
    }

    fn roll_back(&mut self) {
        for key in self.added.drain(..) {
            self.seen.remove(&key);
        }
    }
}

/// Series that are remembered; a power of two. One more, and all are forgotten.
const KNOWN_SERIES_MAX: usize = 1 << 17;

/// A series by the bytes that its attributes came as.
struct KnownSeries {
    /// Hash of the bytes and of all else that identifies it.
    key: u128,
    series_id: u64,
    /// Where it was described last: hour and [`SeriesKnown::epoch`].
    described: (i64, u64),
}

/// Series that report again and again need not be rendered each time.
///
/// They lie in the order they first came, for they mostly come in that order again: the next one is looked at first,
/// which is where the processor has already looked.
#[derive(Default)]
struct SeriesKnown {
    series: Vec<KnownSeries>,
    /// Number plus one of a series with these low bits of its key; the last one has it.
    slots: Vec<u32>,
    /// Number of the series found last.
    at: usize,
    /// Counts how often what was described has been taken back.
    epoch: u64,
    /// Key of the point being read, where its series is to be remembered.
    wanted: Option<u128>,
}

impl SeriesKnown {
    /// The id of the series whose metric has this hash and whose attributes came as these bytes, if it is known and
    /// the segment describes it in this hour.
    fn find(&mut self, prefix: u64, raw: &[u8], time: i64) -> Option<u64> {
        let key = xxh3_128_with_seed(raw, prefix ^ *SEED);
        self.wanted = Some(key);
        let next = self.at + 1;
        let is_there = |at: &usize| self.series.get(*at).is_some_and(|known| known.key == key);
        let by_slot = || {
            let number = *self.slots.get(key as usize & (KNOWN_SERIES_MAX - 1))? as usize;
            Some(number.wrapping_sub(1)).filter(is_there)
        };
        self.at = Some(next).filter(is_there).or_else(by_slot)?;
        let known = &self.series[self.at];
        (known.described == (Hour::of(time).0, self.epoch)).then_some(known.series_id)
    }

    /// The series looked for last has this id, and is described at this time.
    fn put(&mut self, series_id: u64, time: i64) {
        let Some(key) = self.wanted.take() else { return };
        let described = (Hour::of(time).0, self.epoch);
        if let Some(known) = self.series.get_mut(self.at).filter(|known| known.key == key) {
            *known = KnownSeries { key, series_id, described };
            return;
        }
        if self.series.len() >= KNOWN_SERIES_MAX || self.slots.is_empty() {
            self.series.clear();
            self.slots.clear();
            self.slots.resize(KNOWN_SERIES_MAX, 0);
        }
        self.at = self.series.len();
        self.series.push(KnownSeries { key, series_id, described });
        self.slots[key as usize & (KNOWN_SERIES_MAX - 1)] = self.series.len() as u32;
    }
}

/// The columns of `series`.
#[derive(Default)]
struct SeriesTable {
    rows: usize,
    marked: usize,
    resource_start: usize,
    scope_start: usize,
    metric_start: usize,
    metric: Keywords,
    series_id: Values<u64>,
    time: Values<i64>,
    kind: Keywords,
    unit: Keywords,
    description: Keywords,
    temporality: Values<i32>,
    monotonic: Values<bool>,
    metadata: Keywords,
    service_name: Keywords,
    resource: Keywords,
    scope: Keywords,
    attributes: Texts,
}

impl SeriesTable {
    fn push(&mut self, series_id: u64, time: i64, attributes: &[u8]) {
        self.series_id.set(self.rows, series_id);
        self.time.set(self.rows, time);
        if !attributes.is_empty() {
            self.attributes.open(self.rows).extend_from_slice(attributes);
            self.attributes.close();
        }
        self.rows += 1;
    }

    fn end_metric(&mut self, kind: MetricKind, head: &MetricHead) {
        let rows = self.metric_start..self.rows;
        if rows.is_empty() {
            return;
        }
        self.metric.fill(rows.clone(), &head.name);
        self.kind.fill(rows.clone(), kind.name());
        self.unit.fill_unless_empty(rows.clone(), &head.unit);
        self.description.fill_unless_empty(rows.clone(), &head.description);
        self.metadata.fill_unless_empty(rows.clone(), &head.metadata_text);
        if kind.has_temporality() {
            self.temporality.fill(rows.clone(), head.temporality);
        }
        if kind == MetricKind::Sum {
            self.monotonic.fill(rows, head.monotonic);
        }
    }

    fn keywords(&mut self) -> [&mut Keywords; 8] {
        [
            &mut self.metric,
            &mut self.kind,
            &mut self.unit,
            &mut self.description,
            &mut self.metadata,
            &mut self.service_name,
            &mut self.resource,
            &mut self.scope,
        ]
    }

    fn mark(&mut self) {
        self.marked = self.rows;
        self.keywords().into_iter().for_each(Keywords::mark);
    }

    fn roll_back(&mut self) {
        let rows = self.marked;
        self.rows = rows;
        self.series_id.truncate(rows);
        self.time.truncate(rows);
        self.temporality.truncate(rows);
        self.monotonic.truncate(rows);
        self.attributes.truncate(rows);
        self.keywords().into_iter().for_each(|column| column.roll_back(rows));
    }

    fn freeze(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut assembly = Assembly::new(Table::Series, std::mem::take(&mut self.rows));
        self.marked = 0;
        assembly.keywords("metric", &mut self.metric)?;
        assembly.numbers("series_id", &mut self.series_id)?;
        assembly.times("time", &mut self.time)?;
        assembly.keywords("type", &mut self.kind)?;
        assembly.keywords("unit", &mut self.unit)?;
        assembly.keywords("description", &mut self.description)?;
        assembly.numbers("temporality", &mut self.temporality)?;
        assembly.booleans("monotonic", &mut self.monotonic)?;
        assembly.keywords("metadata", &mut self.metadata)?;
        assembly.keywords("service_name", &mut self.service_name)?;
        assembly.keywords("resource", &mut self.resource)?;
        assembly.keywords("scope", &mut self.scope)?;
        assembly.texts("attributes", &mut self.attributes)?;
        assembly.finish()
    }
}

/// The fields of a protobuf point that are attributes, as they came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawAttributes<'a> {
    /// Where they lie side by side, those fields alone, else the whole point.
    pub bytes: &'a [u8],
    /// Their number.
    pub field: u32,
}

impl<'a> RawAttributes<'a> {
    fn each(self, mut take: impl FnMut(&'a [u8]) -> Result<(), Stop>) -> Result<(), Stop> {
        let mut fields = Fields::new(self.bytes);
        while let Some(field) = fields.field()? {
            match field {
                (number, Value::Bytes(message)) if number == self.field => take(message)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// The tables of all metrics.
#[derive(Default)]
pub(crate) struct MetricTables {
    series: SeriesTable,
    pub numbers: NumberTable,
    pub histograms: HistogramTable,
    pub exp_histograms: ExpHistogramTable,
    pub summaries: SummaryTable,
    pub exemplars: ExemplarTable,
    seen: SeriesSeen,
    known: SeriesKnown,
    /// Id of the series of the point being read, where that is known without its attributes.
    recalled: Option<u64>,
    pub head: MetricHead,
    /// Hash of all that identifies a series but its attributes.
    prefix: u64,
    hashed: Vec<u8>,
    /// Attributes of the point being read.
    pub attributes: SortedAttributes,
}

impl MetricTables {
    /// A metric begins.
    pub fn begin_metric(&mut self) {
        self.head.name.clear();
        self.head.unit.clear();
        self.head.description.clear();
        self.head.metadata.clear();
        self.head.temporality = 0;
        self.head.monotonic = false;
    }

    /// All that is said once of the metric is known; its points follow.
    pub fn begin_points(&mut self, kind: MetricKind, origin: &Origin, notes: &mut Notes) {
        if kind.has_temporality() && self.head.temporality == 0 {
            notes.reject(RejectReason::TemporalityUnspecified);
        }
        notes.settle_metric();
        let MetricHead { name, unit, description, metadata, metadata_text, temporality, monotonic } = &mut self.head;
        replace(metadata_text, text_of(metadata.finish()));
        self.hashed.clear();
        for text in [name, unit, description, metadata_text] {
            self.hashed.extend_from_slice(&(text.len() as u64).to_le_bytes());
            self.hashed.extend_from_slice(text.as_bytes());
        }
        // What a kind of metric does not have does not identify its series.
        let temporality = if kind.has_temporality() { *temporality } else { 0 };
        let monotonic = kind == MetricKind::Sum && *monotonic;
        self.hashed.extend_from_slice(&[kind as u8, u8::from(monotonic)]);
        self.hashed.extend_from_slice(&temporality.to_le_bytes());
        self.hashed.extend_from_slice(&origin.resource().hash.to_le_bytes());
        self.hashed.extend_from_slice(&origin.scope().hash.to_le_bytes());
        self.prefix = xxh3_64(&self.hashed);
        self.series.metric_start = self.series.rows;
        self.exemplars.begin_metric();
        self.point_columns().into_iter().for_each(PointColumns::begin_metric);
    }

    /// The metric's points have ended.
    pub fn end_points(&mut self, kind: MetricKind, notes: &mut Notes) {
        notes.reject_all = None;
        self.series.end_metric(kind, &self.head);
        self.exemplars.end_metric(&self.head.name);
        let name = std::mem::take(&mut self.head.name);
        self.point_columns().into_iter().for_each(|columns| columns.end_metric(&name));
        self.head.name = name;
    }

    fn point_columns(&mut self) -> [&mut PointColumns; 4] {
        [
            &mut self.numbers.common,
            &mut self.histograms.common,
            &mut self.exp_histograms.common,
            &mut self.summaries.common,
        ]
    }

    /// A data point begins.
    pub fn begin_point(&mut self, notes: &mut Notes) -> Result<(), Stop> {
        self.attributes.clear();
        self.recalled = None;
        self.known.wanted = None;
        self.exemplars.begin_point();
        notes.begin()
    }

    /// Settles whether the point may be stored; if so, its series is described and its exemplars are kept.
    fn settle(&mut self, head: &PointHead, notes: &mut Notes) -> Option<Settled> {
        if head.time == 0 {
            notes.reject(RejectReason::TimeMissing);
        }
        let (time, start_time) = (notes.time(head.time), notes.time(head.start_time));
        if !notes.settle() {
            self.exemplars.reject_point();
            return None;
        }
        notes.has_own_time = true;
        let series_id = match self.recalled {
            Some(series_id) => series_id,
            None => self.describe(time, notes),
        };
        let settled = Settled { series_id, time, start_time, flags: head.flags };
        self.exemplars.end_point(&settled);
        Some(settled)
    }

    /// The id of the series whose attributes were read; a row for it where it is new.
    fn describe(&mut self, time: i64, notes: &Notes) -> u64 {
        let attributes = self.attributes.finish();
        let series_id = xxh3_64_with_seed(attributes, self.prefix);
        if self.seen.is_new(series_id, time, notes.limits.series_seen_max) {
            self.series.push(series_id, time, attributes);
        }
        self.known.put(series_id, time);
        series_id
    }

    /// Reads the attributes of a protobuf point, unless its series is known and described.
    pub fn point_attributes(&mut self, raw: RawAttributes<'_>, time: u64, notes: &mut Notes) -> Result<(), Stop> {
        let time = i64::try_from(time).unwrap_or_default();
        self.recalled = self.known.find(self.prefix, raw.bytes, time);
        if self.recalled.is_some() {
            return Ok(());
        }
        let before = notes.take_warnings();
        raw.each(|message| attribute(&mut self.attributes, message, 1, notes))?;
        if notes.add_warnings(before) {
            // What had to be cut or mended is said each time.
            self.known.wanted = None;
        }
        Ok(())
    }

    pub fn end_number(&mut self, head: &PointHead, value: NumberValue, notes: &mut Notes) {
        let none_recorded = head.flags & NO_RECORDED_VALUE != 0;
        let value = if none_recorded { value } else { null_is_nan(value, notes) };
        if value == NumberValue::Absent && !none_recorded {
            notes.reject(RejectReason::ValueMissing);
        }
        if let Some(point) = self.settle(head, notes) {
            self.numbers.push(&point, value);
        }
    }

    pub fn end_histogram(&mut self, head: &Distribution, notes: &mut Notes) {
        self.histograms.check(head, notes);
        if let Some(point) = self.settle(&head.point, notes) {
            self.histograms.push(&point, head);
        }
    }

    pub fn end_exp_histogram(&mut self, head: &ExpHead, notes: &mut Notes) {
        self.exp_histograms.check(head, notes);
        if let Some(point) = self.settle(&head.distribution.point, notes) {
            self.exp_histograms.push(&point, head);
        }
    }

    pub fn end_summary(&mut self, head: &PointHead, count: u64, sum: f64, notes: &mut Notes) {
        if let Some(point) = self.settle(head, notes) {
            self.summaries.push(&point, count, sum);
        }
    }

    /// A request begins.
    pub fn mark(&mut self) {
        self.series.mark();
        self.exemplars.mark();
        self.point_columns().into_iter().for_each(PointColumns::mark);
        self.seen.added.clear();
    }

    /// The request that began at the mark failed.
    pub fn roll_back(&mut self) {
        self.series.roll_back();
        self.numbers.roll_back();
        self.histograms.roll_back();
        self.exp_histograms.roll_back();
        self.summaries.roll_back();
        self.exemplars.roll_back();
        self.seen.roll_back();
        self.known.epoch += 1;
    }

    /// Series must be described again.
    pub fn forget_series(&mut self) {
        self.seen.seen.clear();
        self.seen.added.clear();
        self.known.epoch += 1;
    }

    /// The rows of each table since the mark.
    pub fn since_mark(&self) -> [(Table, Range<u32>); 6] {
        [
            (Table::Series, self.series.marked as u32..self.series.rows as u32),
            (Table::Points, self.numbers.common.since_mark()),
            (Table::Histograms, self.histograms.common.since_mark()),
            (Table::ExpHistograms, self.exp_histograms.common.since_mark()),
            (Table::Summaries, self.summaries.common.since_mark()),
            (Table::Exemplars, self.exemplars.since_mark()),
        ]
    }

    /// Rows of each table.
    pub fn rows(&self) -> [usize; 6] {
        [
            self.series.rows,
            self.numbers.common.rows,
            self.histograms.common.rows,
            self.exp_histograms.common.rows,
            self.summaries.common.rows,
            self.exemplars.rows,
        ]
    }

    pub fn freeze(&mut self, into: &mut Vec<(Table, RecordBatch)>) -> Result<(), ArrowError> {
        let [series, points, histograms, exp_histograms, summaries, exemplars] = self.rows().map(|rows| rows > 0);
        if series {
            into.push((Table::Series, self.series.freeze()?));
        }
        if points {
            into.push((Table::Points, self.numbers.freeze()?));
        }
        if histograms {
            into.push((Table::Histograms, self.histograms.freeze()?));
        }
        if exp_histograms {
            into.push((Table::ExpHistograms, self.exp_histograms.freeze()?));
        }
        if summaries {
            into.push((Table::Summaries, self.summaries.freeze()?));
        }
        if exemplars {
            into.push((Table::Exemplars, self.exemplars.freeze()?));
        }
        Ok(())
    }
}

impl Records for MetricTables {
    const NAMES: JsonNames = JsonNames {
        resources: b"resourceMetrics",
        scopes: b"scopeMetrics",
        records: b"metrics",
        removed: [b"instrumentationLibraryMetrics", b"instrumentationLibrary"],
    };
    // The id of a series is a hash of its resource and scope too.
    const ORIGIN_FIRST: bool = true;

    fn begin_resource(&mut self) {
        self.series.resource_start = self.series.rows;
        self.exemplars.begin_resource();
    }

    fn begin_scope(&mut self) {
        self.series.scope_start = self.series.rows;
    }

    fn read_protobuf(&mut self, message: &[u8], origin: &Origin, notes: &mut Notes) -> Result<(), Stop> {
        crate::pb_metrics::metric(message, self, origin, notes)
    }

    fn read_json(&mut self, json: &mut Json<'_>, origin: &Origin, notes: &mut Notes) -> Result<(), Stop> {
        let start = json.position();
        crate::json_metrics::metric(json, self, origin, notes)?;
        // Points that were rejected have been sampled; what is left is something that is no metric.
        notes.sample(|sample| sample.json(json.since(start)));
        Ok(())
    }

    fn end_scope(&mut self, origin: &Origin) {
        let rows = self.series.scope_start..self.series.rows;
        self.series.scope.fill_unless_empty(rows, &origin.scope().text);
    }

    fn end_resource(&mut self, origin: &Origin) {
        let rows = self.series.resource_start..self.series.rows;
        self.series.resource.fill_unless_empty(rows.clone(), &origin.resource().text);
        self.series.service_name.fill(rows, origin.service_name());
        self.exemplars.end_resource(origin.service_name());
    }
}
