//! Exemplars of the series of an answer that name a trace, newest first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use api::Exemplar;
use arrow::array::{Array, RecordBatch};
use arrow::compute::take_record_batch;
use model::{Table, TimeRange};
use tables::{Scan, SeriesKey, TablesError};

use super::reader::wanted_rows;
use crate::columns::Columns;
use crate::log_search::record_columns;
use crate::records::ExemplarRows;
use crate::service::Question;

/// Most exemplars of an answer.
const EXEMPLARS_MAX: usize = 200;

/// An exemplar by its place: newest last.
struct Placed {
    time: i64,
    series: u64,
    exemplar: Exemplar,
}

impl Placed {
    fn key(&self) -> (i64, u64, &Option<String>, &Option<String>) {
        (self.time, self.series, &self.exemplar.trace_id, &self.exemplar.span_id)
    }
}

impl PartialEq for Placed {
    fn eq(&self, other: &Placed) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Placed {}

impl PartialOrd for Placed {
    fn partial_cmp(&self, other: &Placed) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Placed {
    fn cmp(&self, other: &Placed) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// The newest exemplars of these series (ascending ids) inside the range.
pub(crate) fn exemplars(
    question: &Question<'_>,
    metric: &str,
    series: &[u64],
    range: TimeRange,
    unit: &str,
    scan: &mut Scan,
) -> Result<Vec<Exemplar>, TablesError> {
    let key = SeriesKey { metric, series: Some(series), range };
    let columns = record_columns(Table::Exemplars);
    let mut newest: BinaryHeap<Reverse<Placed>> = BinaryHeap::new();
    // Newest first: what lies before all that are kept need not be read.
    for place in question.engine.units(question.pinned, Table::Exemplars, &range, scan) {
        scan.deadline.check()?;
        let is_full = newest.len() >= EXEMPLARS_MAX;
        if is_full && newest.peek().is_some_and(|oldest| place.max_time < oldest.0.time) {
            break;
        }
        let opened = question.engine.open_series(&place, &key, scan);
        let Some((open, ranges)) = scan.without_damage(opened)? else { continue };
        let read = open.read(&columns, &ranges, scan, |batch, _, _| add(batch, &key, &mut newest));
        scan.without_damage(read)?;
    }
    let mut placed: Vec<Placed> = newest.into_iter().map(|Reverse(placed)| placed).collect();
    placed.sort_unstable_by(|a, b| b.cmp(a));
    let with_unit = |placed: Placed| Exemplar { unit: unit.to_owned(), ..placed.exemplar };
    Ok(placed.into_iter().map(with_unit).collect())
}

fn add(batch: &RecordBatch, key: &SeriesKey<'_>, newest: &mut BinaryHeap<Reverse<Placed>>) -> Result<(), TablesError> {
    let Some(traces) = Columns(batch).ids("trace_id") else { return Ok(()) };
    let Some(times) = Columns(batch).times("time") else { return Ok(()) };
    let oldest = newest.peek().filter(|_| newest.len() >= EXEMPLARS_MAX).map_or(i64::MIN, |oldest| oldest.0.time);
    let (rows, _) = wanted_rows(batch, key);
    let rows = rows.into_iter().filter(|row| traces.is_valid(*row) && times.value(*row) >= oldest);
    let rows: arrow::array::UInt32Array = rows.map(|row| row as u32).collect();
    let batch = take_record_batch(batch, &rows).map_err(|error| TablesError::Internal(error.to_string()))?;
    let rows = ExemplarRows::new(&batch);
    for row in 0..batch.num_rows() {
        let exemplar = rows.exemplar(row);
        let placed = Placed { time: exemplar.time_unix_nano.0, series: rows.series_id(row), exemplar };
        newest.push(Reverse(placed));
        if newest.len() > EXEMPLARS_MAX {
            newest.pop();
        }
    }
    Ok(())
}
