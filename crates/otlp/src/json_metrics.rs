//! JSON metrics into the tables.

use crate::Stop;
use crate::json::{Json, Shape};
use crate::json_any_value::attributes;
use crate::json_fields::{TEMPORALITIES, expect, set_double, set_enum, set_id, set_integer, set_text};
use crate::json_number::{Scan, double, integer};
use crate::metrics::{MetricKind, MetricTables};
use crate::notes::{Notes, RejectReason};
use crate::origin::Origin;
use crate::points::{Distribution, ExemplarHead, ExemplarTable, ExpHead, NumberValue, PointHead};

/// The kind of metric this key of Metric holds.
pub(crate) fn kind_of(key: &[u8]) -> Option<MetricKind> {
    Some(match key {
        b"gauge" => MetricKind::Gauge,
        b"sum" => MetricKind::Sum,
        b"histogram" => MetricKind::Histogram,
        b"exponentialHistogram" => MetricKind::ExponentialHistogram,
        b"summary" => MetricKind::Summary,
        _ => return None,
    })
}

/// Reads one metric with its points. Its members come in any order, so all but the points are read first.
pub(crate) fn metric(
    json: &mut Json<'_>,
    tables: &mut MetricTables,
    origin: &Origin,
    notes: &mut Notes,
) -> Result<(), Stop> {
    tables.begin_metric();
    let mut data = None;
    let shape = json.object(|json, key| match key {
        b"name" => set_text(json, &mut tables.head.name, notes),
        b"description" => set_text(json, &mut tables.head.description, notes),
        b"unit" => set_text(json, &mut tables.head.unit, notes),
        b"metadata" => {
            tables.head.metadata.clear();
            attributes(json, &mut tables.head.metadata, 1, notes)
        }
        key => match kind_of(key) {
            Some(_) if json.null()? => Ok(()),
            Some(kind) => {
                data = Some((kind, json.position()));
                json.skip()
            }
            None => json.skip_unknown(),
        },
    })?;
    if shape == Shape::Other {
        return reject_metric(notes);
    }
    match data {
        Some((kind, position)) => json.revisit(position, |json| metric_data(json, kind, tables, origin, notes)),
        None => {
            notes.settle_origin();
            Ok(())
        }
    }
}

/// Something that is no metric, or has no points to count: it counts as one point.
fn reject_metric(notes: &mut Notes) -> Result<(), Stop> {
    notes.begin()?;
    notes.reject(RejectReason::InvalidValue);
    notes.settle();
    Ok(())
}

fn metric_data(
    json: &mut Json<'_>,
    kind: MetricKind,
    tables: &mut MetricTables,
    origin: &Origin,
    notes: &mut Notes,
) -> Result<(), Stop> {
    let mut points = None;
    let shape = json.object(|json, key| match key {
        b"dataPoints" => {
            points = Some(json.position());
            json.skip()
        }
        b"aggregationTemporality" => set_enum(json, &mut tables.head.temporality, TEMPORALITIES, notes),
        b"isMonotonic" => {
            let (shape, monotonic) = json.boolean()?;
            expect(shape, notes);
            tables.head.monotonic = monotonic;
            Ok(())
        }
        _ => json.skip_unknown(),
    })?;
    if shape == Shape::Other {
        return reject_metric(notes);
    }
    tables.begin_points(kind, origin, notes);
    if let Some(position) = points {
        let shape = json.revisit(position, |json| {
            json.array(|json| {
                let start = json.position();
                match kind {
                    MetricKind::Gauge | MetricKind::Sum => number_point(json, tables, notes)?,
                    MetricKind::Histogram => histogram_point(json, tables, notes)?,
                    MetricKind::ExponentialHistogram => exp_histogram_point(json, tables, notes)?,
                    MetricKind::Summary => summary_point(json, tables, notes)?,
                }
                let head = &tables.head;
                notes.sample(|sample| sample.data_point(head, kind, |sample| sample.json(json.since(start))));
                Ok(())
            })
        })?;
        if shape == Shape::Other {
            reject_metric(notes)?;
        }
    }
    tables.end_points(kind, notes);
    Ok(())
}

/// Reads a value; null is told apart from absent.
fn set_value(json: &mut Json<'_>, into: &mut NumberValue, is_int: bool, notes: &mut Notes) -> Result<(), Stop> {
    let scan = if is_int {
        integer(json).map(|scan| match scan {
            Scan::Value(value) => Scan::Value(NumberValue::Int(value)),
            Scan::Null => Scan::Null,
            Scan::Bad => Scan::Bad,
        })?
    } else {
        match double(json)? {
            Scan::Value(value) => Scan::Value(NumberValue::Double(value)),
            Scan::Null => Scan::Null,
            Scan::Bad => Scan::Bad,
        }
    };
    match scan {
        Scan::Value(value) => *into = value,
        Scan::Null if *into == NumberValue::Absent && !is_int => *into = NumberValue::Null,
        Scan::Null => {}
        Scan::Bad => notes.reject(RejectReason::InvalidNumber),
    }
    Ok(())
}

fn number_point(json: &mut Json<'_>, tables: &mut MetricTables, notes: &mut Notes) -> Result<(), Stop> {
    tables.begin_point(notes)?;
    let mut head = PointHead::default();
    let mut value = NumberValue::Absent;
    let shape = json.object(|json, key| match key {
        b"attributes" => attributes(json, &mut tables.attributes, 1, notes),
        b"startTimeUnixNano" => set_integer(json, &mut head.start_time, notes),
        b"timeUnixNano" => set_integer(json, &mut head.time, notes),
        b"asDouble" => set_value(json, &mut value, false, notes),
        b"asInt" => set_value(json, &mut value, true, notes),
        b"exemplars" => exemplars(json, &mut tables.exemplars, notes),
        b"flags" => set_integer(json, &mut head.flags, notes),
        _ => json.skip_unknown(),
    })?;
    expect(shape, notes);
    tables.end_number(&head, value, notes);
    Ok(())
}

/// Reads a list of counts.
fn counts(json: &mut Json<'_>, into: &mut Vec<u64>, notes: &mut Notes) -> Result<(), Stop> {
    let shape = json.array(|json| {
        let mut count = 0;
        set_integer(json, &mut count, notes)?;
        into.push(count);
        Ok(())
    })?;
    expect(shape, notes);
    Ok(())
}

fn histogram_point(json: &mut Json<'_>, tables: &mut MetricTables, notes: &mut Notes) -> Result<(), Stop> {
    tables.begin_point(notes)?;
    tables.histograms.begin();
    let row = tables.histograms.common.rows;
    let mut head = Distribution::default();
    let shape = json.object(|json, key| match key {
        b"attributes" => attributes(json, &mut tables.attributes, 1, notes),
        b"startTimeUnixNano" => set_integer(json, &mut head.point.start_time, notes),
        b"timeUnixNano" => set_integer(json, &mut head.point.time, notes),
        b"count" => set_integer(json, &mut head.count, notes),
        b"sum" => set_double(json, &mut head.sum, notes),
        b"bucketCounts" => counts(json, tables.histograms.bucket_counts.open(row), notes),
        b"explicitBounds" => {
            let bounds = tables.histograms.explicit_bounds.open(row);
            let shape = json.array(|json| {
                let mut bound = None;
                set_double(json, &mut bound, notes)?;
                bounds.extend(bound);
                Ok(())
            })?;
            expect(shape, notes);
            Ok(())
        }
        b"exemplars" => exemplars(json, &mut tables.exemplars, notes),
        b"flags" => set_integer(json, &mut head.point.flags, notes),
        b"min" => set_double(json, &mut head.min, notes),
        b"max" => set_double(json, &mut head.max, notes),
        _ => json.skip_unknown(),
    })?;
    expect(shape, notes);
    tables.end_histogram(&head, notes);
    Ok(())
}

fn exp_histogram_point(json: &mut Json<'_>, tables: &mut MetricTables, notes: &mut Notes) -> Result<(), Stop> {
    tables.begin_point(notes)?;
    tables.exp_histograms.begin();
    let row = tables.exp_histograms.common.rows;
    let mut head = ExpHead::default();
    let mut zero_threshold = None;
    let shape = json.object(|json, key| {
        let distribution = &mut head.distribution;
        match key {
            b"attributes" => attributes(json, &mut tables.attributes, 1, notes),
            b"startTimeUnixNano" => set_integer(json, &mut distribution.point.start_time, notes),
            b"timeUnixNano" => set_integer(json, &mut distribution.point.time, notes),
            b"count" => set_integer(json, &mut distribution.count, notes),
            b"sum" => set_double(json, &mut distribution.sum, notes),
            b"scale" => set_integer(json, &mut head.scale, notes),
            b"zeroCount" => set_integer(json, &mut head.zero_count, notes),
            b"positive" => {
                let into = tables.exp_histograms.positive_counts.open(row);
                buckets(json, &mut head.positive, into, notes)
            }
            b"negative" => {
                let into = tables.exp_histograms.negative_counts.open(row);
                buckets(json, &mut head.negative, into, notes)
            }
            b"flags" => set_integer(json, &mut distribution.point.flags, notes),
            b"exemplars" => exemplars(json, &mut tables.exemplars, notes),
            b"min" => set_double(json, &mut distribution.min, notes),
            b"max" => set_double(json, &mut distribution.max, notes),
            b"zeroThreshold" => set_double(json, &mut zero_threshold, notes),
            _ => json.skip_unknown(),
        }
    })?;
    expect(shape, notes);
    head.zero_threshold = zero_threshold.unwrap_or(0.0);
    tables.end_exp_histogram(&head, notes);
    Ok(())
}

fn buckets(json: &mut Json<'_>, offset: &mut Option<i32>, into: &mut Vec<u64>, notes: &mut Notes) -> Result<(), Stop> {
    let start = into.len();
    let mut value = 0;
    let shape = json.object(|json, key| match key {
        b"offset" => set_integer(json, &mut value, notes),
        b"bucketCounts" => {
            into.truncate(start);
            counts(json, into, notes)
        }
        _ => json.skip_unknown(),
    })?;
    expect(shape, notes);
    *offset = (shape == Shape::Open).then_some(value);
    Ok(())
}

fn summary_point(json: &mut Json<'_>, tables: &mut MetricTables, notes: &mut Notes) -> Result<(), Stop> {
    tables.begin_point(notes)?;
    tables.summaries.begin();
    let mut head = PointHead::default();
    let (mut count, mut sum) = (0, None);
    let shape = json.object(|json, key| match key {
        b"attributes" => attributes(json, &mut tables.attributes, 1, notes),
        b"startTimeUnixNano" => set_integer(json, &mut head.start_time, notes),
        b"timeUnixNano" => set_integer(json, &mut head.time, notes),
        b"count" => set_integer(json, &mut count, notes),
        b"sum" => set_double(json, &mut sum, notes),
        b"quantileValues" => {
            tables.summaries.begin();
            let shape = json.array(|json| {
                notes.count_one()?;
                let (mut quantile, mut value) = (None, None);
                let shape = json.object(|json, key| match key {
                    b"quantile" => set_double(json, &mut quantile, notes),
                    b"value" => set_double(json, &mut value, notes),
                    _ => json.skip_unknown(),
                })?;
                expect(shape, notes);
                tables.summaries.push_quantile(quantile.unwrap_or(0.0), value.unwrap_or(0.0));
                Ok(())
            })?;
            expect(shape, notes);
            Ok(())
        }
        b"flags" => set_integer(json, &mut head.flags, notes),
        _ => json.skip_unknown(),
    })?;
    expect(shape, notes);
    tables.end_summary(&head, count, sum.unwrap_or(0.0), notes);
    Ok(())
}

fn exemplars(json: &mut Json<'_>, table: &mut ExemplarTable, notes: &mut Notes) -> Result<(), Stop> {
    let shape = json.array(|json| {
        table.begin(notes)?;
        let mut head = ExemplarHead::default();
        let shape = json.object(|json, key| match key {
            b"filteredAttributes" => attributes(json, &mut table.attributes, 1, notes),
            b"timeUnixNano" => set_integer(json, &mut head.time, notes),
            b"asDouble" => set_value(json, &mut head.value, false, notes),
            b"asInt" => set_value(json, &mut head.value, true, notes),
            b"spanId" => set_id(json, &mut head.span_id, notes),
            b"traceId" => set_id(json, &mut head.trace_id, notes),
            _ => json.skip_unknown(),
        })?;
        expect(shape, notes);
        table.end(&head, notes);
        Ok(())
    })?;
    expect(shape, notes);
    Ok(())
}
