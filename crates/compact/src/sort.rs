//! The order of rows in files, and which hour each belongs to.
//!
//! Keys are tuples of numbers computed once per row and sorted with the row's number last, so that equal keys keep the
//! order of arrival. Texts are replaced by their rank among the texts of the column.

use std::ops::Range;

use arrow::datatypes::{TimestampNanosecondType, UInt64Type};
use model::{Hour, Table};
use schema::BUCKET_NANOS;

use crate::columns::{id_values, native_values, ordered_columns};
use crate::error::{CompactError, OfTable};
use crate::keywords::KeywordColumn;
use crate::plan::PartitionClamp;
use crate::table_rows::{SortedRows, TableRows};

/// Buckets of an hour.
const BUCKETS_PER_HOUR: i64 = Hour::NANOS / BUCKET_NANOS;
const _: () = assert!(Hour::NANOS % BUCKET_NANOS == 0, "an hour is whole buckets");

/// The hour of a bucket.
fn hour_of(bucket: i64) -> Hour {
    Hour(bucket.div_euclid(BUCKETS_PER_HOUR))
}

/// Sorts the rows of any table but `series`, which [`crate::series`] places.
pub(crate) fn sort_rows(rows: TableRows, clamp: &PartitionClamp) -> Result<SortedRows, CompactError> {
    let table = rows.table;
    if u32::try_from(rows.rows()).is_err() {
        return Err(CompactError::rows(table, "more rows at once than row numbers"));
    }
    let times = native_values::<TimestampNanosecondType>(&rows, schema::time_column(table))?;
    let buckets = buckets(&rows, &times, clamp);
    let keyword = match table {
        Table::Spans => None,
        Table::Logs => Some("service_name"),
        _ => Some("metric"),
    };
    let merged = match keyword {
        Some(name) => Some((name, KeywordColumn::merge(rows.required(name)?).of(table)?)),
        None => None,
    };
    let order = match (table, &merged) {
        (Table::Logs, Some((_, services))) => order_logs(&buckets, services, &times),
        (Table::Spans, _) => order_spans(&buckets, &id_values(&rows, "trace_id")?, &times),
        (_, Some((_, metrics))) => {
            let series = native_values::<UInt64Type>(&rows, "series_id")?;
            order_points(&buckets, metrics, &series, &times)
        }
        (_, None) => Vec::new(),
    };
    let hours = hour_ranges(order.iter().map(|row| hour_of(buckets[*row as usize])));
    let known = merged.as_ref().map(|(name, column)| (*name, column));
    let columns = ordered_columns(rows, order, known)?;
    Ok(SortedRows { table, columns, hours })
}

/// The bucket of each row's partition time, as a number of buckets since the epoch.
fn buckets(rows: &TableRows, times: &[i64], clamp: &PartitionClamp) -> Vec<i64> {
    let mut buckets = Vec::with_capacity(times.len());
    for (arrival, count) in &rows.parts {
        let times = &times[buckets.len()..buckets.len() + count];
        let (earliest, latest) = clamp.around(*arrival);
        buckets.extend(times.iter().map(|time| (*time).clamp(earliest, latest).div_euclid(BUCKET_NANOS)));
    }
    buckets
}

/// The runs of equal hours.
pub(crate) fn hour_ranges(sorted: impl Iterator<Item = Hour>) -> Vec<(Hour, Range<usize>)> {
    let mut ranges: Vec<(Hour, Range<usize>)> = Vec::new();
    for (row, hour) in sorted.enumerate() {
        match ranges.last_mut() {
            Some((last, range)) if *last == hour => range.end = row + 1,
            _ => ranges.push((hour, row..row + 1)),
        }
    }
    ranges
}

/// Sorts row numbers by these keys; equal keys stay in the order of arrival.
fn sorted_by<K: Ord + Copy>(rows: usize, key: impl Fn(usize) -> K) -> Vec<u32> {
    let mut keyed: Vec<(K, u32)> = (0..rows).map(|row| (key(row), row as u32)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// Bucket, service, time.
fn order_logs(buckets: &[i64], services: &KeywordColumn, times: &[i64]) -> Vec<u32> {
    let (ranks, keys) = (services.ranks(), services.keys());
    sorted_by(times.len(), |row| (buckets[row], rank(&ranks, keys[row]), times[row]))
}

/// Bucket, trace id, start.
fn order_spans(buckets: &[i64], traces: &[u128], times: &[i64]) -> Vec<u32> {
    sorted_by(times.len(), |row| (buckets[row], traces[row], times[row]))
}

/// Hour, metric, series id, time.
fn order_points(buckets: &[i64], metrics: &KeywordColumn, series: &[u64], times: &[i64]) -> Vec<u32> {
    let (ranks, keys) = (metrics.ranks(), metrics.keys());
    sorted_by(times.len(), |row| (hour_of(buckets[row]).0, rank(&ranks, keys[row]), series[row], times[row]))
}

/// The rank of a key; no value ranks first.
pub(crate) fn rank(ranks: &[u32], key: i32) -> u32 {
    usize::try_from(key).map_or(0, |key| ranks[key])
}
