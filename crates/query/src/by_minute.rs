//! Spans and log records of a range, counted by minute: whole minutes from the rollups of files, the rest from rows.
//!
//! A *piece* is counts of one unit: of a rollup those of the minutes wholly inside the range; of rows, those inside the
//! range that no other piece counts. Rows are counted by the code that makes rollups, so it does not matter which
//! piece a row is in (I9).

use std::ops::Range;

use model::TimeRange;
use store::rollup::{
    LogRollup, LogRollupBuilder, MINUTE_NANOS, OperationBuilder, OperationRollup, RollupLimits, minute_of,
};
use tables::{Scan, TablesError, Unit, UnitSource};

use crate::service::Question;
use crate::walk::rows_of;

/// A range over the times of a unit, cut at whole minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Split {
    /// Minutes of which every row of the unit lies in the range.
    whole: Range<i64>,
    /// The times of the range that lie in none of them.
    cut: Vec<TimeRange>,
}

fn split(range: &TimeRange, min_time: i64, max_time: i64) -> Split {
    let (first, last) = (minute_of(min_time), minute_of(max_time));
    let start_of = |minute: i64| minute.saturating_mul(MINUTE_NANOS);
    // The first minute wholly inside, and the one after the last.
    let from = match range.start.filter(|start| *start > min_time) {
        Some(start) => minute_of(start) + i64::from(start != start_of(minute_of(start))),
        None => first,
    };
    let to = match range.end.filter(|end| *end <= max_time) {
        Some(end) => minute_of(end),
        None => last + 1,
    };
    if from >= to {
        return Split { whole: 0..0, cut: vec![*range] };
    }
    let before = range.start.filter(|start| *start > min_time && *start != start_of(from));
    let before = before.map(|start| TimeRange::new(start, start_of(from)));
    let after = range.end.filter(|end| *end <= max_time && *end != start_of(to));
    let after = after.map(|end| TimeRange::new(start_of(to), end));
    Split { whole: from..to, cut: before.into_iter().chain(after).collect() }
}

/// The range, widened to whole minutes.
pub(crate) fn whole_minutes(range: &TimeRange) -> TimeRange {
    let floor = |time: i64| minute_of(time).saturating_mul(MINUTE_NANOS);
    let ceiling = |time: i64| {
        if time == floor(time) { time } else { minute_of(time).saturating_add(1).saturating_mul(MINUTE_NANOS) }
    };
    TimeRange { start: range.start.map(floor), end: range.end.map(ceiling) }
}

/// Some counts of one unit.
pub(crate) struct Piece<'a, R> {
    /// Number of the unit.
    pub(crate) unit: usize,
    pub(crate) rollup: &'a R,
    /// The minutes that count; all where none are named.
    minutes: Option<Range<i64>>,
}

impl<R> Piece<'_, R> {
    /// Whether a minute's counts belong to the range.
    pub(crate) fn holds(&self, minute: i64) -> bool {
        self.minutes.as_ref().is_none_or(|minutes| minutes.contains(&minute))
    }
}

/// The pieces of a unit of spans.
pub(crate) fn span_pieces(
    question: &Question<'_>,
    (number, unit): (usize, &Unit),
    range: &TimeRange,
    scan: &mut Scan,
    take: &mut dyn FnMut(&Piece<'_, OperationRollup>),
) -> Result<(), TablesError> {
    let mut from_rows = |range: &TimeRange, scan: &mut Scan| {
        read_rows(question, unit, range, &OperationBuilder::COLUMNS, scan, |batch, rows| {
            let mut builder = OperationBuilder::default();
            builder.push(batch, range, |row| rows[row] as u64);
            if let Some(rollup) = builder.finish(&RollupLimits::NONE) {
                take(&Piece { unit: number, rollup: &rollup, minutes: None });
            }
        })
    };
    let UnitSource::File(file) = &unit.source else { return from_rows(range, scan) };
    let split = split(range, unit.min_time, unit.max_time);
    if split.whole.is_empty() {
        return from_rows(range, scan);
    }
    let rollup = question.engine.span_rollup(file, scan)?;
    let Some(operations) = rollup.operations() else { return from_rows(range, scan) };
    split.cut.iter().try_for_each(|cut| from_rows(cut, scan))?;
    take(&Piece { unit: number, rollup: operations, minutes: Some(split.whole) });
    Ok(())
}

/// The pieces of a unit of log records.
pub(crate) fn log_pieces(
    question: &Question<'_>,
    (number, unit): (usize, &Unit),
    range: &TimeRange,
    scan: &mut Scan,
    take: &mut dyn FnMut(&Piece<'_, LogRollup>),
) -> Result<(), TablesError> {
    let mut from_rows = |range: &TimeRange, scan: &mut Scan| {
        read_rows(question, unit, range, &LogRollupBuilder::COLUMNS, scan, |batch, _| {
            let mut builder = LogRollupBuilder::default();
            builder.push(batch, range);
            if let Some(rollup) = builder.finish(&RollupLimits::NONE) {
                take(&Piece { unit: number, rollup: &rollup, minutes: None });
            }
        })
    };
    let UnitSource::File(file) = &unit.source else { return from_rows(range, scan) };
    let split = split(range, unit.min_time, unit.max_time);
    if split.whole.is_empty() {
        return from_rows(range, scan);
    }
    let Some(rollup) = question.engine.log_rollup(file, scan)? else { return from_rows(range, scan) };
    split.cut.iter().try_for_each(|cut| from_rows(cut, scan))?;
    take(&Piece { unit: number, rollup: &*rollup, minutes: Some(split.whole) });
    Ok(())
}

/// Rows of the blocks of a unit with times inside the range, with their numbers in the unit.
pub(crate) fn read_rows(
    question: &Question<'_>,
    unit: &Unit,
    range: &TimeRange,
    columns: &[&str],
    scan: &mut Scan,
    mut take: impl FnMut(&arrow::array::RecordBatch, &[usize]),
) -> Result<(), TablesError> {
    let open = question.engine.open_unit(unit, scan)?;
    let mut blocks = open.blocks(unit);
    blocks.retain(|block| range.overlaps(block.min_time, block.max_time));
    let ranges = rows_of(&blocks);
    let mut numbers = ranges.iter().cloned().flatten();
    open.read(columns, &ranges, scan, |batch, positions, _| {
        let rows: Vec<usize> = numbers.by_ref().take(positions.len()).collect();
        take(batch, &rows);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const M: i64 = MINUTE_NANOS;

    #[test]
    fn ranges_are_cut_at_whole_minutes() {
        let check = |start: Option<i64>, end: Option<i64>, whole: Range<i64>, cut: &[(i64, i64)]| {
            let range = TimeRange { start, end };
            // The unit's rows lie from the middle of minute 10 to the middle of minute 20.
            let found = split(&range, 10 * M + M / 2, 20 * M + M / 2);
            let cut: Vec<TimeRange> = cut.iter().map(|(start, end)| TimeRange::new(*start, *end)).collect();
            assert_eq!((found.whole, found.cut), (whole, cut), "{start:?} {end:?}");
        };
        check(None, None, 10..21, &[]);
        check(Some(0), Some(100 * M), 10..21, &[]);
        check(Some(10 * M + M / 2), Some(20 * M + M / 2 + 1), 10..21, &[]);
        check(Some(12 * M), Some(15 * M), 12..15, &[]);
        check(Some(12 * M + 1), None, 13..21, &[(12 * M + 1, 13 * M)]);
        check(None, Some(15 * M + 7), 10..15, &[(15 * M, 15 * M + 7)]);
        check(Some(12 * M - 1), Some(15 * M + 1), 12..15, &[(12 * M - 1, 12 * M), (15 * M, 15 * M + 1)]);
        check(Some(12 * M + 1), Some(13 * M + 1), 0..0, &[(12 * M + 1, 13 * M + 1)]);
        check(Some(12 * M + 1), Some(12 * M + 9), 0..0, &[(12 * M + 1, 12 * M + 9)]);
        check(Some(12 * M + 1), Some(13 * M), 0..0, &[(12 * M + 1, 13 * M)]);
    }

    #[test]
    fn widened_ranges_are_whole_minutes() {
        let check = |start: i64, end: i64, expect: (i64, i64)| {
            assert_eq!(whole_minutes(&TimeRange::new(start, end)), TimeRange::new(expect.0, expect.1));
        };
        check(0, M, (0, M));
        check(1, M + 1, (0, 2 * M));
        check(-1, -1, (-M, 0));
        assert_eq!(whole_minutes(&TimeRange::ALL), TimeRange::ALL);
    }
}
