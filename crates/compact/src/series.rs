//! Series rows: written once per segment by ingest, placed here once in every hour that has points of the series, so
//! that each hour's files say what its points are. Series rows are no telemetry; they may repeat or merge (I4).

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, TimestampNanosecondArray};
use arrow::datatypes::{TimestampNanosecondType, UInt64Type};
use model::{Hour, Table};

use crate::columns::{native_values, ordered_columns};
use crate::error::{CompactError, OfTable};
use crate::keywords::KeywordColumn;
use crate::plan::PartitionClamp;
use crate::sort::{hour_ranges, rank};
use crate::table_rows::{SortedRows, TableRows};

/// In which hours each series has points, and the first time there.
#[derive(Debug, Default)]
pub(crate) struct SeriesHours {
    first_times: HashMap<(Hour, u64), i64>,
}

impl SeriesHours {
    /// Notes the series of the sorted rows of a table of points.
    pub fn note(&mut self, points: &SortedRows) -> Result<(), CompactError> {
        let missing = |name| CompactError::rows(points.table, format_args!("column {name} is missing"));
        let series = points.column("series_id").and_then(|array| array.as_primitive_opt::<UInt64Type>());
        let series = series.ok_or_else(|| missing("series_id"))?.values();
        let times = points.column("time").and_then(|array| array.as_primitive_opt::<TimestampNanosecondType>());
        let times = times.ok_or_else(|| missing("time"))?.values();
        for (hour, rows) in &points.hours {
            let mut last = None;
            for row in rows.clone() {
                // Points of a series lie together in time order: only the first counts.
                if last != Some(series[row]) {
                    last = Some(series[row]);
                    let first = self.first_times.entry((*hour, series[row])).or_insert(times[row]);
                    *first = times[row].min(*first);
                }
            }
        }
        Ok(())
    }

    /// Sorts the series rows by hour, metric and series id: one row a series in each hour where it has points, its
    /// time that of the first point there; in the hour of its own time where it has none.
    pub fn place(&self, rows: TableRows, clamp: &PartitionClamp) -> Result<SortedRows, CompactError> {
        let table = Table::Series;
        let ids = native_values::<UInt64Type>(&rows, "series_id")?;
        let own_times = native_values::<TimestampNanosecondType>(&rows, "time")?;
        let metrics = KeywordColumn::merge(rows.required("metric")?).of(table)?;
        let (ranks, keys) = (metrics.ranks(), metrics.keys());

        let mut row_of: HashMap<u64, usize> = HashMap::new();
        for (row, id) in ids.iter().enumerate() {
            row_of.entry(*id).or_insert(row);
        }
        let mut used: Vec<bool> = vec![false; ids.len()];
        let mut placed: Vec<(Hour, u32, u64, i64, u32)> = Vec::with_capacity(self.first_times.len());
        for ((hour, id), time) in &self.first_times {
            if let Some(row) = row_of.get(id) {
                used[*row] = true;
                placed.push((*hour, rank(&ranks, keys[*row]), *id, *time, *row as u32));
            }
        }
        let arrivals = rows.parts.iter().flat_map(|(arrival, rows)| std::iter::repeat_n(*arrival, *rows));
        for (row, arrival) in arrivals.enumerate() {
            if row_of.get(&ids[row]) == Some(&row) && !used[row] {
                let (earliest, latest) = clamp.around(arrival);
                let hour = Hour::of(own_times[row].clamp(earliest, latest));
                placed.push((hour, rank(&ranks, keys[row]), ids[row], own_times[row], row as u32));
            }
        }
        placed.sort_unstable();
        let hours = hour_ranges(placed.iter().map(|place| place.0));
        let times: TimestampNanosecondArray = placed.iter().map(|place| place.3).collect::<Vec<i64>>().into();
        let order = placed.into_iter().map(|place| place.4).collect();
        let mut columns = ordered_columns(rows, order, Some(("metric", &metrics)))?;
        for (field, array) in &mut columns {
            if field.name() == "time" {
                *array = Arc::new(times.clone()) as ArrayRef;
            }
        }
        Ok(SortedRows { table, columns, hours })
    }
}

/// Merges the series rows of one hour's files: of each series the row with the earliest time, sorted as a flush sorts
/// them.
pub(crate) fn merge_series(rows: TableRows, hour: Hour) -> Result<SortedRows, CompactError> {
    let table = Table::Series;
    let ids = native_values::<UInt64Type>(&rows, "series_id")?;
    let times = native_values::<TimestampNanosecondType>(&rows, "time")?;
    let metrics = KeywordColumn::merge(rows.required("metric")?).of(table)?;
    let (ranks, keys) = (metrics.ranks(), metrics.keys());
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    let key = |row: &u32| (rank(&ranks, keys[*row as usize]), ids[*row as usize]);
    order.sort_unstable_by_key(|row| (key(row), times[*row as usize], *row));
    order.dedup_by_key(|row| key(row));
    let hours = hour_ranges(order.iter().map(|_| hour));
    Ok(SortedRows { table, columns: ordered_columns(rows, order, Some(("metric", &metrics)))?, hours })
}
