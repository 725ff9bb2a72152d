//! Data points of every kind, written one by one and gathered into metrics.

use std::io::Write;

use arrow::array::{Array, AsArray, ListArray, RecordBatch};
use arrow::datatypes::{Float64Type, UInt64Type};
use model::Table;

use super::lines::Lines;
use super::metrics::{ExemplarsByPoint, Series, SeriesById};
use super::values::{Object, json_double};
use super::{ExportError, Exported};
use crate::records::columns::{DoubleColumn, I32Column, IntColumn, TimeColumn, U32Column, U64Column};

/// Points of one batch of one table.
pub(super) struct PointLines<'a> {
    table: Table,
    batch: &'a RecordBatch,
    series: &'a SeriesById,
    exemplars: &'a mut ExemplarsByPoint,
    series_id: U64Column<'a>,
    time: TimeColumn<'a>,
    start_time: TimeColumn<'a>,
    flags: U32Column<'a>,
    count: U64Column<'a>,
    sum: DoubleColumn<'a>,
    min: DoubleColumn<'a>,
    max: DoubleColumn<'a>,
    value: DoubleColumn<'a>,
    value_int: IntColumn<'a>,
}

impl<'a> PointLines<'a> {
    pub(super) fn new(
        table: Table,
        batch: &'a RecordBatch,
        series: &'a SeriesById,
        exemplars: &'a mut ExemplarsByPoint,
    ) -> PointLines<'a> {
        PointLines {
            table,
            batch,
            series,
            exemplars,
            series_id: U64Column::new(batch, "series_id"),
            time: TimeColumn::new(batch, "time"),
            start_time: TimeColumn::new(batch, "start_time"),
            flags: U32Column::new(batch, "flags"),
            count: U64Column::new(batch, "count"),
            sum: DoubleColumn::new(batch, "sum"),
            min: DoubleColumn::new(batch, "min"),
            max: DoubleColumn::new(batch, "max"),
            value: DoubleColumn::new(batch, "value"),
            value_int: IntColumn::new(batch, "value_int"),
        }
    }

    /// Writes these rows, neighbours of one metric together.
    pub(super) fn push(
        &mut self,
        rows: &[usize],
        lines: &mut Lines,
        out: &mut dyn Write,
        exported: &mut Exported,
    ) -> Result<(), ExportError> {
        let mut points = String::new();
        let mut gathered: Option<(&'a Series, u64)> = None;
        for &row in rows {
            let Some(series) = self.series.get(&self.series_id.get(row).unwrap_or(0)) else {
                return Err(ExportError::Incomplete("a data point has no series".into()));
            };
            if let Some((metric, count)) = gathered.take_if(|(metric, _)| !metric.is_same_metric(series)) {
                flush(metric, count, &points, lines, out, exported)?;
                points.clear();
            }
            points.push_str(if points.is_empty() { "" } else { "," });
            self.point(row, series, &mut points);
            gathered = Some(gathered.map_or((series, 1), |(metric, count)| (metric, count + 1)));
        }
        match gathered {
            Some((metric, count)) => flush(metric, count, &points, lines, out, exported),
            None => Ok(()),
        }
    }

    fn point(&mut self, row: usize, series: &Series, out: &mut String) {
        let (id, time) = (self.series_id.get(row).unwrap_or(0), self.time.get(row).unwrap_or(0));
        let mut point = Object::begin(out);
        point.attributes("attributes", Some(&series.attributes), &[]);
        point.time("startTimeUnixNano", self.start_time.get(row));
        point.time("timeUnixNano", Some(time));
        match self.table {
            Table::Histograms => self.histogram(row, &mut point),
            Table::ExpHistograms => self.exp_histogram(row, &mut point),
            Table::Summaries => self.summary(row, &mut point),
            _ => {
                point.double("asDouble", self.value.get(row));
                if let Some(whole) = self.value_int.get(row) {
                    point.quoted("asInt", &whole.to_string());
                }
            }
        }
        // Of two points of one series and time, the first has them all: nothing says which they came with.
        if let Some(exemplars) = self.exemplars.remove(&(id, time)) {
            let list = point.member("exemplars");
            list.push('[');
            list.push_str(&exemplars.join(","));
            list.push(']');
        }
        point.number("flags", self.flags.get(row));
        point.end();
    }

    fn count_and_sum(&self, row: usize, point: &mut Object<'_>) {
        if let Some(count) = self.count.get(row).filter(|count| *count > 0) {
            point.quoted("count", &count.to_string());
        }
        point.double("sum", self.sum.get(row));
    }

    fn histogram(&self, row: usize, point: &mut Object<'_>) {
        self.count_and_sum(row, point);
        self.counts(row, "bucket_counts", "bucketCounts", point);
        self.doubles(row, "explicit_bounds", "explicitBounds", point);
        point.double("min", self.min.get(row));
        point.double("max", self.max.get(row));
    }

    fn exp_histogram(&self, row: usize, point: &mut Object<'_>) {
        self.count_and_sum(row, point);
        let whole = |name: &str| I32Column::new(self.batch, name).get(row);
        point.number("scale", whole("scale"));
        if let Some(count) = U64Column::new(self.batch, "zero_count").get(row).filter(|count| *count > 0) {
            point.quoted("zeroCount", &count.to_string());
        }
        for (name, offset, counts) in
            [("positive", "positive_offset", "positive_counts"), ("negative", "negative_offset", "negative_counts")]
        {
            if whole(offset).is_some() || self.list(row, counts).is_some() {
                let mut buckets = Object::begin(point.member(name));
                buckets.number("offset", whole(offset));
                self.counts(row, counts, "bucketCounts", &mut buckets);
                buckets.end();
            }
        }
        point.double("min", self.min.get(row));
        point.double("max", self.max.get(row));
        point.double("zeroThreshold", DoubleColumn::new(self.batch, "zero_threshold").get(row));
    }

    fn summary(&self, row: usize, point: &mut Object<'_>) {
        self.count_and_sum(row, point);
        let (Some(quantiles), Some(values)) = (self.list(row, "quantiles"), self.list(row, "quantile_values")) else {
            return;
        };
        let quantiles = quantiles.as_primitive::<Float64Type>();
        let values = values.as_primitive::<Float64Type>();
        let out = point.member("quantileValues");
        out.push('[');
        for (at, (quantile, value)) in quantiles.values().iter().zip(values.values()).enumerate() {
            out.push_str(if at == 0 { "" } else { "," });
            let mut pair = Object::begin(out);
            pair.double("quantile", Some(*quantile));
            pair.double("value", Some(*value));
            pair.end();
        }
        out.push(']');
    }

    /// The elements of a list column in this row, where there are any.
    fn list(&self, row: usize, column: &str) -> Option<arrow::array::ArrayRef> {
        let lists: &ListArray = self.batch.column_by_name(column)?.as_list_opt::<i32>()?;
        (lists.is_valid(row) && lists.value_length(row) > 0).then(|| lists.value(row))
    }

    fn counts(&self, row: usize, column: &str, name: &str, object: &mut Object<'_>) {
        let Some(list) = self.list(row, column) else { return };
        let Some(counts) = list.as_primitive_opt::<UInt64Type>() else { return };
        let texts: Vec<String> = counts.values().iter().map(|count| format!("\"{count}\"")).collect();
        let out = object.member(name);
        out.push('[');
        out.push_str(&texts.join(","));
        out.push(']');
    }

    fn doubles(&self, row: usize, column: &str, name: &str, object: &mut Object<'_>) {
        let Some(list) = self.list(row, column) else { return };
        let Some(doubles) = list.as_primitive_opt::<Float64Type>() else { return };
        let out = object.member(name);
        out.push('[');
        for (at, double) in doubles.values().iter().enumerate() {
            out.push_str(if at == 0 { "" } else { "," });
            json_double(out, *double);
        }
        out.push(']');
    }
}

fn flush(
    metric: &Series,
    count: u64,
    points: &str,
    lines: &mut Lines,
    out: &mut dyn Write,
    exported: &mut Exported,
) -> Result<(), ExportError> {
    let origin = (Some(&*metric.resource), Some(&*metric.scope));
    lines.push(origin, count, (out, exported), |out| metric.write(out, points))
}
