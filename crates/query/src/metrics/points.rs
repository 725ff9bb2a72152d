//! Points of every kind as rows are read into them.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, AsArray, ListArray, PrimitiveArray, RecordBatch};
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type, TimestampNanosecondType};
use arrow::datatypes::{UInt32Type, UInt64Type};

use super::changes::{Accumulated, Head};
use super::distributions::Distribution;
use super::explicit::Layout;
use super::exponential::{Buckets, Exponential};
use crate::columns::Columns;

/// Bit of a point's flags: it says that no value was recorded.
const NO_RECORDED_VALUE: u32 = 1;

/// A point of some kind.
pub(crate) trait Point: Sized + Send {
    /// Columns it is made of; those of its buckets only where they are wanted.
    fn columns(buckets: bool) -> Vec<&'static str>;

    /// Makes points of these rows of a batch.
    fn read(batch: &RecordBatch, rows: &[usize]) -> Vec<Self>;

    /// When it was made.
    fn time(&self) -> i64;

    /// Which of two points of one moment comes first, so that the order in which they were stored does not matter.
    fn order(&self, other: &Self) -> Ordering;

    /// Bytes it takes, about.
    fn bytes(&self) -> usize;
}

/// The value in a row, where there is one.
fn at<T: ArrowPrimitiveType>(column: Option<&PrimitiveArray<T>>, row: usize) -> Option<T::Native> {
    column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
}

/// What all points begin with.
struct Heads<'a> {
    times: Option<&'a PrimitiveArray<TimestampNanosecondType>>,
    starts: Option<&'a PrimitiveArray<TimestampNanosecondType>>,
    flags: Option<&'a PrimitiveArray<UInt32Type>>,
}

impl<'a> Heads<'a> {
    const COLUMNS: [&'static str; 3] = ["time", "start_time", "flags"];

    fn new(batch: &'a RecordBatch) -> Heads<'a> {
        let columns = Columns(batch);
        Heads { times: columns.times("time"), starts: columns.times("start_time"), flags: columns.numbers("flags") }
    }

    fn get(&self, row: usize) -> Head {
        let is_gap = at(self.flags, row).is_some_and(|flags| flags & NO_RECORDED_VALUE != 0);
        Head::new(at(self.times, row).unwrap_or(0), at(self.starts, row), is_gap)
    }
}

/// A list of numbers in each row.
struct Lists<'a, T: ArrowPrimitiveType>(Option<(&'a ListArray, &'a PrimitiveArray<T>)>);

impl<'a, T: ArrowPrimitiveType> Lists<'a, T> {
    fn new(batch: &'a RecordBatch, name: &str) -> Lists<'a, T> {
        let list = batch.column_by_name(name).and_then(|column| column.as_list_opt::<i32>());
        Lists(list.and_then(|list| Some((list, list.values().as_primitive_opt::<T>()?))))
    }

    fn get(&self, row: usize) -> &'a [T::Native] {
        let Some((list, values)) = self.0.filter(|(list, _)| list.is_valid(row)) else { return &[] };
        let offsets = list.value_offsets();
        &values.values()[offsets[row] as usize..offsets[row + 1] as usize]
    }
}

/// A number as it was sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    Int(i64),
    Double(f64),
}

impl Value {
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Value::Int(whole) => whole as f64,
            Value::Double(double) => double,
        }
    }

    /// This less another; exact where both are whole.
    fn minus(self, other: Value) -> f64 {
        match (self, other) {
            (Value::Int(a), Value::Int(b)) => (i128::from(a) - i128::from(b)) as f64,
            (a, b) => a.as_f64() - b.as_f64(),
        }
    }
}

/// A point of a gauge or a sum. NaN says as little as no value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NumberPoint {
    pub(crate) time: i64,
    /// 0 where it is not known.
    start: i64,
    pub(crate) value: Option<Value>,
}

impl NumberPoint {
    pub(crate) fn new(head: Head, value: Option<Value>) -> NumberPoint {
        let value = value.filter(|value| !head.is_gap && !value.as_f64().is_nan());
        NumberPoint { time: head.time, start: head.start.unwrap_or(0), value }
    }
}

impl Point for NumberPoint {
    fn columns(_: bool) -> Vec<&'static str> {
        Heads::COLUMNS.into_iter().chain(["value", "value_int"]).collect()
    }

    fn read(batch: &RecordBatch, rows: &[usize]) -> Vec<NumberPoint> {
        let heads = Heads::new(batch);
        let doubles = Columns(batch).numbers::<Float64Type>("value");
        let whole = Columns(batch).numbers::<Int64Type>("value_int");
        let read = |row: usize| {
            let value = at(whole, row).map(Value::Int).or_else(|| at(doubles, row).map(Value::Double));
            NumberPoint::new(heads.get(row), value)
        };
        rows.iter().map(|row| read(*row)).collect()
    }

    fn time(&self) -> i64 {
        self.time
    }

    fn order(&self, other: &NumberPoint) -> Ordering {
        let key = |point: &NumberPoint| (point.start, point.value.map_or(f64::NEG_INFINITY, Value::as_f64));
        let ((start, value), (other_start, other_value)) = (key(self), key(other));
        start.cmp(&other_start).then(value.total_cmp(&other_value))
    }

    fn bytes(&self) -> usize {
        size_of::<NumberPoint>()
    }
}

/// A number that only grows.
pub(crate) struct Growing<'a>(pub(crate) &'a NumberPoint);

impl Accumulated for Growing<'_> {
    type Change = f64;

    fn head(&self) -> Head {
        Head::new(self.0.time, Some(self.0.start), self.0.value.is_none())
    }

    fn since(&self, before: &Self) -> Option<f64> {
        let since = self.0.value?.minus(before.0.value?);
        (since >= 0.0).then_some(since)
    }

    fn whole(&self) -> f64 {
        self.0.value.map_or(0.0, Value::as_f64)
    }
}

/// A number that goes up and down: it never begins anew.
pub(crate) struct Moving<'a>(pub(crate) &'a NumberPoint);

impl Accumulated for Moving<'_> {
    type Change = f64;

    /// Where it stood at its start is not known.
    fn head(&self) -> Head {
        Head::new(self.0.time, None, self.0.value.is_none())
    }

    fn since(&self, before: &Self) -> Option<f64> {
        Some(self.0.value?.minus(before.0.value?))
    }

    fn whole(&self) -> f64 {
        self.0.value.map_or(0.0, Value::as_f64)
    }
}

/// What the points of histograms and summaries have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tally {
    pub(crate) head: Head,
    pub(crate) count: u64,
    pub(crate) sum: Option<f64>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
}

impl Tally {
    const COLUMNS: [&'static str; 4] = ["count", "sum", "min", "max"];

    fn columns() -> impl Iterator<Item = &'static str> {
        Heads::COLUMNS.into_iter().chain(Tally::COLUMNS)
    }

    fn order(&self, other: &Tally) -> Ordering {
        (self.head.start, self.count).cmp(&(other.head.start, other.count))
    }

    /// What came since; what the least and the most of it were is not known.
    fn since(&self, before: &Tally) -> Option<Distribution> {
        let count = self.count.checked_sub(before.count)?;
        let sum = self.sum.zip(before.sum).map(|(now, before)| now - before);
        Some(Distribution { count: count as f64, sum, min: None, max: None, ..Distribution::default() })
    }

    fn whole(&self) -> Distribution {
        let Tally { count, sum, min, max, .. } = *self;
        Distribution { count: count as f64, sum, min, max, ..Distribution::default() }
    }
}

struct Tallies<'a> {
    heads: Heads<'a>,
    counts: Option<&'a PrimitiveArray<UInt64Type>>,
    doubles: [Option<&'a PrimitiveArray<Float64Type>>; 3],
}

impl<'a> Tallies<'a> {
    fn new(batch: &'a RecordBatch) -> Tallies<'a> {
        let columns = Columns(batch);
        Tallies {
            heads: Heads::new(batch),
            counts: columns.numbers("count"),
            doubles: ["sum", "min", "max"].map(|name| columns.numbers(name)),
        }
    }

    fn get(&self, row: usize) -> Tally {
        // NaN in one of them says no more than absence.
        let [sum, min, max] = self.doubles.map(|column| at(column, row).filter(|double| !double.is_nan()));
        Tally { head: self.heads.get(row), count: at(self.counts, row).unwrap_or(0), sum, min, max }
    }
}

/// A point of a histogram with bounds of its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HistogramPoint {
    pub(crate) tally: Tally,
    pub(crate) bounds: Arc<[f64]>,
    pub(crate) counts: Vec<u64>,
}

impl Point for HistogramPoint {
    fn columns(buckets: bool) -> Vec<&'static str> {
        let of_buckets: &[&str] = if buckets { &["bucket_counts", "explicit_bounds"] } else { &[] };
        Tally::columns().chain(of_buckets.iter().copied()).collect()
    }

    fn read(batch: &RecordBatch, rows: &[usize]) -> Vec<HistogramPoint> {
        let tallies = Tallies::new(batch);
        let counts = Lists::<UInt64Type>::new(batch, "bucket_counts");
        let bounds = Lists::<Float64Type>::new(batch, "explicit_bounds");
        // Neighbours nearly always share their bounds.
        let mut last: Arc<[f64]> = Arc::from([]);
        let mut read = |row: usize| {
            let of_row = bounds.get(row);
            if *last != *of_row {
                last = Arc::from(of_row);
            }
            HistogramPoint { tally: tallies.get(row), bounds: Arc::clone(&last), counts: counts.get(row).to_vec() }
        };
        rows.iter().map(|row| read(*row)).collect()
    }

    fn time(&self) -> i64 {
        self.tally.head.time
    }

    fn order(&self, other: &HistogramPoint) -> Ordering {
        self.tally.order(&other.tally).then_with(|| self.counts.cmp(&other.counts))
    }

    fn bytes(&self) -> usize {
        size_of::<HistogramPoint>() + self.counts.len() * 8
    }
}

impl Accumulated for HistogramPoint {
    type Change = Distribution;

    fn head(&self) -> Head {
        self.tally.head
    }

    fn since(&self, before: &HistogramPoint) -> Option<Distribution> {
        if self.bounds != before.bounds || self.counts.len() != before.counts.len() {
            return None;
        }
        let pairs = self.counts.iter().zip(&before.counts);
        let counts: Option<Vec<f64>> =
            pairs.map(|(now, before)| now.checked_sub(*before).map(|count| count as f64)).collect();
        let layout = Layout { bounds: Arc::clone(&self.bounds), counts: counts? };
        Some(Distribution { layouts: layout.into_list(), ..self.tally.since(&before.tally)? })
    }

    fn whole(&self) -> Distribution {
        let counts = self.counts.iter().map(|count| *count as f64).collect();
        let layout = Layout { bounds: Arc::clone(&self.bounds), counts };
        Distribution { layouts: layout.into_list(), ..self.tally.whole() }
    }
}

/// A point of an exponential histogram.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExponentialPoint {
    pub(crate) tally: Tally,
    pub(crate) scale: i32,
    pub(crate) zero_count: u64,
    pub(crate) zero_threshold: f64,
    pub(crate) positive: (i32, Vec<u64>),
    pub(crate) negative: (i32, Vec<u64>),
}

impl ExponentialPoint {
    fn buckets(&self) -> Exponential {
        let of = |(offset, counts): &(i32, Vec<u64>)| Buckets::new(*offset, counts.iter().map(|count| *count as f64));
        let (positive, negative) = (of(&self.positive), of(&self.negative));
        Exponential::new(self.scale, self.zero_count as f64, self.zero_threshold, positive, negative)
    }
}

impl Point for ExponentialPoint {
    fn columns(buckets: bool) -> Vec<&'static str> {
        let of_buckets: &[&str] = &[
            "scale",
            "zero_count",
            "zero_threshold",
            "positive_offset",
            "positive_counts",
            "negative_offset",
            "negative_counts",
        ];
        Tally::columns().chain(of_buckets.iter().copied().filter(|_| buckets)).collect()
    }

    fn read(batch: &RecordBatch, rows: &[usize]) -> Vec<ExponentialPoint> {
        let tallies = Tallies::new(batch);
        let columns = Columns(batch);
        let scales = columns.numbers::<Int32Type>("scale");
        let zero_counts = columns.numbers::<UInt64Type>("zero_count");
        let zero_thresholds = columns.numbers::<Float64Type>("zero_threshold");
        let side = |offset: &str, counts: &str| {
            (columns.numbers::<Int32Type>(offset), Lists::<UInt64Type>::new(batch, counts))
        };
        let positive = side("positive_offset", "positive_counts");
        let negative = side("negative_offset", "negative_counts");
        let read = |row: usize| ExponentialPoint {
            tally: tallies.get(row),
            scale: at(scales, row).unwrap_or(0),
            zero_count: at(zero_counts, row).unwrap_or(0),
            zero_threshold: at(zero_thresholds, row).unwrap_or(0.0),
            positive: (at(positive.0, row).unwrap_or(0), positive.1.get(row).to_vec()),
            negative: (at(negative.0, row).unwrap_or(0), negative.1.get(row).to_vec()),
        };
        rows.iter().map(|row| read(*row)).collect()
    }

    fn time(&self) -> i64 {
        self.tally.head.time
    }

    fn order(&self, other: &ExponentialPoint) -> Ordering {
        let key = |point: &ExponentialPoint| (point.scale, point.zero_count);
        self.tally.order(&other.tally).then_with(|| key(self).cmp(&key(other)))
    }

    fn bytes(&self) -> usize {
        size_of::<ExponentialPoint>() + (self.positive.1.len() + self.negative.1.len()) * 8
    }
}

impl Accumulated for ExponentialPoint {
    type Change = Distribution;

    fn head(&self) -> Head {
        self.tally.head
    }

    fn since(&self, before: &ExponentialPoint) -> Option<Distribution> {
        let tally = self.tally.since(&before.tally)?;
        Some(Distribution { exponential: Some(self.buckets().since(&before.buckets())), ..tally })
    }

    fn whole(&self) -> Distribution {
        Distribution { exponential: Some(self.buckets()), ..self.tally.whole() }
    }
}

/// A point of a summary.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SummaryPoint {
    pub(crate) tally: Tally,
    /// Which share, and the value that it does not exceed.
    pub(crate) quantiles: Vec<(f64, f64)>,
}

impl Point for SummaryPoint {
    fn columns(buckets: bool) -> Vec<&'static str> {
        let of_quantiles: &[&str] = if buckets { &["quantiles", "quantile_values"] } else { &[] };
        Tally::columns().chain(of_quantiles.iter().copied()).collect()
    }

    fn read(batch: &RecordBatch, rows: &[usize]) -> Vec<SummaryPoint> {
        let tallies = Tallies::new(batch);
        let quantiles = Lists::<Float64Type>::new(batch, "quantiles");
        let values = Lists::<Float64Type>::new(batch, "quantile_values");
        let read = |row: usize| SummaryPoint {
            tally: tallies.get(row),
            quantiles: quantiles.get(row).iter().copied().zip(values.get(row).iter().copied()).collect(),
        };
        rows.iter().map(|row| read(*row)).collect()
    }

    fn time(&self) -> i64 {
        self.tally.head.time
    }

    fn order(&self, other: &SummaryPoint) -> Ordering {
        self.tally.order(&other.tally)
    }

    fn bytes(&self) -> usize {
        size_of::<SummaryPoint>() + self.quantiles.len() * 16
    }
}

impl Accumulated for SummaryPoint {
    type Change = Distribution;

    fn head(&self) -> Head {
        self.tally.head
    }

    fn since(&self, before: &SummaryPoint) -> Option<Distribution> {
        self.tally.since(&before.tally)
    }

    fn whole(&self) -> Distribution {
        self.tally.whole()
    }
}
