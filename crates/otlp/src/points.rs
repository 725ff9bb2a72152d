//! The tables of data points and exemplars while they grow.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use model::Table;

use crate::Stop;
use crate::attributes::AttributesColumn;
use crate::columns::{Keywords, Lists, Values};
use crate::freeze::Assembly;
use crate::notes::{Id, Notes, RejectReason, Warning};

/// Bit of a point's flags: it says that no value was recorded.
pub(crate) const NO_RECORDED_VALUE: u32 = 1;

/// Numbers every kind of point has, gathered until it ends.
#[derive(Default)]
pub(crate) struct PointHead {
    pub time: u64,
    pub start_time: u64,
    pub flags: u32,
}

/// The value of a number point or an exemplar.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) enum NumberValue {
    #[default]
    Absent,
    /// JSON's null, which the JavaScript exporter writes for NaN.
    Null,
    Double(f64),
    Int(i64),
}

/// A point that may be stored.
pub(crate) struct Settled {
    pub series_id: u64,
    pub time: i64,
    pub start_time: i64,
    pub flags: u32,
}

/// The columns every kind of point begins with.
#[derive(Default)]
pub(crate) struct PointColumns {
    pub rows: usize,
    marked: usize,
    metric_start: usize,
    metric: Keywords,
    series_id: Values<u64>,
    time: Values<i64>,
    start_time: Values<i64>,
    flags: Values<u32>,
}

impl PointColumns {
    pub fn push(&mut self, point: &Settled) {
        let row = self.rows;
        self.series_id.set(row, point.series_id);
        self.time.set(row, point.time);
        self.start_time.set_unless_default(row, point.start_time);
        self.flags.set_unless_default(row, point.flags);
        self.rows += 1;
    }

    pub fn begin_metric(&mut self) {
        self.metric_start = self.rows;
    }

    pub fn end_metric(&mut self, name: &str) {
        self.metric.fill(self.metric_start..self.rows, name);
    }

    pub fn mark(&mut self) {
        self.marked = self.rows;
        self.metric.mark();
    }

    fn roll_back(&mut self) -> usize {
        let rows = self.marked;
        self.rows = rows;
        self.metric.roll_back(rows);
        self.series_id.truncate(rows);
        self.time.truncate(rows);
        self.start_time.truncate(rows);
        self.flags.truncate(rows);
        rows
    }

    pub fn since_mark(&self) -> Range<u32> {
        self.marked as u32..self.rows as u32
    }

    fn freeze(&mut self, table: Table) -> Result<Assembly, ArrowError> {
        let mut assembly = Assembly::new(table, std::mem::take(&mut self.rows));
        self.marked = 0;
        assembly.keywords("metric", &mut self.metric)?;
        assembly.numbers("series_id", &mut self.series_id)?;
        assembly.times("time", &mut self.time)?;
        assembly.times("start_time", &mut self.start_time)?;
        assembly.numbers("flags", &mut self.flags)?;
        Ok(assembly)
    }
}

/// The columns of `points`.
#[derive(Default)]
pub(crate) struct NumberTable {
    pub common: PointColumns,
    value: Values<f64>,
    value_int: Values<i64>,
}

impl NumberTable {
    pub fn push(&mut self, point: &Settled, value: NumberValue) {
        set_value(&mut self.value, &mut self.value_int, self.common.rows, value);
        self.common.push(point);
    }

    pub fn roll_back(&mut self) {
        let rows = self.common.roll_back();
        self.value.truncate(rows);
        self.value_int.truncate(rows);
    }

    pub fn freeze(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut assembly = self.common.freeze(Table::Points)?;
        assembly.numbers("value", &mut self.value)?;
        assembly.numbers("value_int", &mut self.value_int)?;
        assembly.finish()
    }
}

fn set_value(double: &mut Values<f64>, int: &mut Values<i64>, row: usize, value: NumberValue) {
    match value {
        NumberValue::Double(value) => double.set(row, value),
        NumberValue::Int(value) => int.set(row, value),
        NumberValue::Absent | NumberValue::Null => {}
    }
}

/// JSON's null stands for NaN.
pub(crate) fn null_is_nan(value: NumberValue, notes: &mut Notes) -> NumberValue {
    if value == NumberValue::Null {
        notes.warn(Warning::NullValue);
        return NumberValue::Double(f64::NAN);
    }
    value
}

/// What histograms of both kinds have, gathered until the point ends.
#[derive(Default)]
pub(crate) struct Distribution {
    pub point: PointHead,
    pub count: u64,
    pub sum: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
}

/// The columns of [`Distribution`].
#[derive(Default)]
struct DistributionColumns {
    count: Values<u64>,
    sum: Values<f64>,
    min: Values<f64>,
    max: Values<f64>,
}

impl DistributionColumns {
    fn push(&mut self, row: usize, head: &Distribution) {
        self.count.set(row, head.count);
        self.sum.set_option(row, head.sum);
        self.min.set_option(row, head.min);
        self.max.set_option(row, head.max);
    }

    fn truncate(&mut self, rows: usize) {
        self.count.truncate(rows);
        self.sum.truncate(rows);
        self.min.truncate(rows);
        self.max.truncate(rows);
    }

    fn freeze(&mut self, assembly: &mut Assembly) -> Result<(), ArrowError> {
        assembly.numbers("count", &mut self.count)?;
        assembly.numbers("sum", &mut self.sum)?;
        assembly.numbers("min", &mut self.min)?;
        assembly.numbers("max", &mut self.max)
    }
}

/// The columns of `histograms`.
#[derive(Default)]
pub(crate) struct HistogramTable {
    pub common: PointColumns,
    distribution: DistributionColumns,
    pub bucket_counts: Lists<u64>,
    pub explicit_bounds: Lists<f64>,
}

impl HistogramTable {
    pub fn begin(&mut self) {
        self.bucket_counts.open(self.common.rows);
        self.explicit_bounds.open(self.common.rows);
    }

    /// What is wrong with the buckets of the point being read.
    pub fn check(&self, head: &Distribution, notes: &mut Notes) {
        let (counts, bounds) = (self.bucket_counts.open_values(), self.explicit_bounds.open_values());
        if counts.len() != bounds.len() + 1 && !(counts.is_empty() && bounds.is_empty()) {
            notes.reject(RejectReason::BucketsMismatch);
        }
        if bounds.iter().any(|bound| bound.is_nan()) || !bounds.windows(2).all(|pair| pair[0] < pair[1]) {
            notes.reject(RejectReason::BoundsNotIncreasing);
        }
        let total = counts.iter().fold(0_u64, |total, count| total.wrapping_add(*count));
        if !counts.is_empty() && total != head.count {
            notes.warn(Warning::CountMismatch);
        }
    }

    pub fn push(&mut self, point: &Settled, head: &Distribution) {
        self.distribution.push(self.common.rows, head);
        self.bucket_counts.close();
        self.explicit_bounds.close();
        self.common.push(point);
    }

    pub fn roll_back(&mut self) {
        let rows = self.common.roll_back();
        self.distribution.truncate(rows);
        self.bucket_counts.truncate(rows);
        self.explicit_bounds.truncate(rows);
    }

    pub fn freeze(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut assembly = self.common.freeze(Table::Histograms)?;
        self.distribution.freeze(&mut assembly)?;
        assembly.lists("bucket_counts", &mut self.bucket_counts)?;
        assembly.lists("explicit_bounds", &mut self.explicit_bounds)?;
        assembly.finish()
    }
}

/// The numbers of an exponential histogram, gathered until it ends.
#[derive(Default)]
pub(crate) struct ExpHead {
    pub distribution: Distribution,
    pub scale: i32,
    pub zero_count: u64,
    pub zero_threshold: f64,
    /// Offsets of the buckets, where there are any.
    pub positive: Option<i32>,
    pub negative: Option<i32>,
}

/// The columns of `exp_histograms`.
#[derive(Default)]
pub(crate) struct ExpHistogramTable {
    pub common: PointColumns,
    distribution: DistributionColumns,
    scale: Values<i32>,
    zero_count: Values<u64>,
    zero_threshold: Values<f64>,
    positive_offset: Values<i32>,
    pub positive_counts: Lists<u64>,
    negative_offset: Values<i32>,
    pub negative_counts: Lists<u64>,
}

impl ExpHistogramTable {
    pub fn begin(&mut self) {
        self.positive_counts.open(self.common.rows);
        self.negative_counts.open(self.common.rows);
    }

    /// Warns where the counts do not add up.
    pub fn check(&self, head: &ExpHead, notes: &mut Notes) {
        let counts = self.positive_counts.open_values().iter().chain(self.negative_counts.open_values());
        if counts.fold(head.zero_count, |total, count| total.wrapping_add(*count)) != head.distribution.count {
            notes.warn(Warning::CountMismatch);
        }
    }

    pub fn push(&mut self, point: &Settled, head: &ExpHead) {
        let row = self.common.rows;
        self.distribution.push(row, &head.distribution);
        self.scale.set(row, head.scale);
        self.zero_count.set(row, head.zero_count);
        // Negative zero is a value of its own.
        self.zero_threshold.set_option(row, (head.zero_threshold.to_bits() != 0).then_some(head.zero_threshold));
        self.positive_offset.set_option(row, head.positive);
        self.positive_counts.close();
        self.negative_offset.set_option(row, head.negative);
        self.negative_counts.close();
        self.common.push(point);
    }

    pub fn roll_back(&mut self) {
        let rows = self.common.roll_back();
        self.distribution.truncate(rows);
        self.scale.truncate(rows);
        self.zero_count.truncate(rows);
        self.zero_threshold.truncate(rows);
        self.positive_offset.truncate(rows);
        self.positive_counts.truncate(rows);
        self.negative_offset.truncate(rows);
        self.negative_counts.truncate(rows);
    }

    pub fn freeze(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut assembly = self.common.freeze(Table::ExpHistograms)?;
        self.distribution.freeze(&mut assembly)?;
        assembly.numbers("scale", &mut self.scale)?;
        assembly.numbers("zero_count", &mut self.zero_count)?;
        assembly.numbers("zero_threshold", &mut self.zero_threshold)?;
        assembly.numbers("positive_offset", &mut self.positive_offset)?;
        assembly.lists("positive_counts", &mut self.positive_counts)?;
        assembly.numbers("negative_offset", &mut self.negative_offset)?;
        assembly.lists("negative_counts", &mut self.negative_counts)?;
        assembly.finish()
    }
}

/// The columns of `summaries`.
#[derive(Default)]
pub(crate) struct SummaryTable {
    pub common: PointColumns,
    count: Values<u64>,
    sum: Values<f64>,
    pub quantiles: Lists<f64>,
    pub quantile_values: Lists<f64>,
}

impl SummaryTable {
    pub fn begin(&mut self) {
        self.quantiles.open(self.common.rows);
        self.quantile_values.open(self.common.rows);
    }

    pub fn push_quantile(&mut self, quantile: f64, value: f64) {
        self.quantiles.values.push(quantile);
        self.quantile_values.values.push(value);
    }

    pub fn push(&mut self, point: &Settled, count: u64, sum: f64) {
        let row = self.common.rows;
        self.count.set(row, count);
        self.sum.set(row, sum);
        self.quantiles.close();
        self.quantile_values.close();
        self.common.push(point);
    }

    pub fn roll_back(&mut self) {
        let rows = self.common.roll_back();
        self.count.truncate(rows);
        self.sum.truncate(rows);
        self.quantiles.truncate(rows);
        self.quantile_values.truncate(rows);
    }

    pub fn freeze(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut assembly = self.common.freeze(Table::Summaries)?;
        assembly.numbers("count", &mut self.count)?;
        assembly.numbers("sum", &mut self.sum)?;
        assembly.lists("quantiles", &mut self.quantiles)?;
        assembly.lists("quantile_values", &mut self.quantile_values)?;
        assembly.finish()
    }
}

/// The numbers of an exemplar, gathered until it ends.
#[derive(Default)]
pub(crate) struct ExemplarHead {
    pub time: u64,
    pub value: NumberValue,
    pub trace_id: Id<16>,
    pub span_id: Id<8>,
}

/// The columns of `exemplars`.
#[derive(Default)]
pub(crate) struct ExemplarTable {
    pub rows: usize,
    marked: usize,
    resource_start: usize,
    metric_start: usize,
    point_start: usize,
    metric: Keywords,
    series_id: Values<u64>,
    time: Values<i64>,
    /// Null where the exemplar has no time of its own, and `time` is the point's.
    point_time: Values<i64>,
    trace_id: Values<[u8; 16]>,
    span_id: Values<[u8; 8]>,
    value: Values<f64>,
    value_int: Values<i64>,
    service_name: Keywords,
    pub attributes: AttributesColumn,
}

impl ExemplarTable {
    pub fn begin_resource(&mut self) {
        self.resource_start = self.rows;
    }

    pub fn begin_metric(&mut self) {
        self.metric_start = self.rows;
    }

    pub fn begin_point(&mut self) {
        self.point_start = self.rows;
    }

    pub fn begin(&mut self, notes: &mut Notes) -> Result<(), Stop> {
        self.attributes.begin(self.rows);
        notes.count_one()
    }

    pub fn end(&mut self, head: &ExemplarHead, notes: &mut Notes) {
        let row = self.rows;
        self.attributes.end();
        self.time.set(row, notes.time(head.time));
        self.trace_id.set_option(row, head.trace_id.or_drop(notes));
        self.span_id.set_option(row, head.span_id.or_drop(notes));
        let value = null_is_nan(head.value, notes);
        set_value(&mut self.value, &mut self.value_int, row, value);
        self.rows += 1;
    }

    /// The point the last exemplars belong to may be stored.
    pub fn end_point(&mut self, point: &Settled) {
        self.series_id.fill(self.point_start..self.rows, point.series_id);
        for row in self.point_start..self.rows {
            if self.time.values[row] == 0 {
                self.time.values[row] = point.time;
            } else {
                self.point_time.set(row, point.time);
            }
        }
    }

    /// The point the last exemplars belong to is rejected.
    pub fn reject_point(&mut self) {
        self.truncate(self.point_start);
    }

    pub fn end_metric(&mut self, name: &str) {
        self.metric.fill(self.metric_start..self.rows, name);
    }

    pub fn end_resource(&mut self, service_name: &str) {
        self.service_name.fill(self.resource_start..self.rows, service_name);
    }

    fn truncate(&mut self, rows: usize) {
        self.rows = rows;
        self.series_id.truncate(rows);
        self.time.truncate(rows);
        self.point_time.truncate(rows);
        self.trace_id.truncate(rows);
        self.span_id.truncate(rows);
        self.value.truncate(rows);
        self.value_int.truncate(rows);
        self.attributes.text.truncate(rows);
    }

    pub fn mark(&mut self) {
        self.marked = self.rows;
        self.metric.mark();
        self.service_name.mark();
    }

    pub fn roll_back(&mut self) {
        self.truncate(self.marked);
        self.metric.roll_back(self.marked);
        self.service_name.roll_back(self.marked);
    }

    pub fn since_mark(&self) -> Range<u32> {
        self.marked as u32..self.rows as u32
    }

    pub fn freeze(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut assembly = Assembly::new(Table::Exemplars, std::mem::take(&mut self.rows));
        self.marked = 0;
        assembly.keywords("metric", &mut self.metric)?;
        assembly.numbers("series_id", &mut self.series_id)?;
        assembly.times("time", &mut self.time)?;
        assembly.times("point_time", &mut self.point_time)?;
        assembly.fixed("trace_id", &mut self.trace_id)?;
        assembly.fixed("span_id", &mut self.span_id)?;
        assembly.numbers("value", &mut self.value)?;
        assembly.numbers("value_int", &mut self.value_int)?;
        assembly.keywords("service_name", &mut self.service_name)?;
        assembly.texts("attributes", &mut self.attributes.text)?;
        assembly.finish()
    }
}
