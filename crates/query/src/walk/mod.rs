//! Two ways through the rows of a table: in order of time until enough is found (`in_order`), and all of them in
//! parallel (here). `frontier` says in which order blocks are read.

mod frontier;
mod in_order;

pub(crate) use in_order::each_row;

use std::collections::BTreeSet;
use std::ops::Range;

use arrow::array::{AsArray, PrimitiveArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use model::{Table, TimeRange};
use tables::{Block, OpenUnit, Scan, TablesError, Unit};

use crate::log_search::Direction;
use crate::matcher::Matcher;
use crate::service::Question;
use crate::side_by_side::each_unit;

/// Rows to be walked through.
pub(crate) struct Walk<'a> {
    pub(crate) table: Table,
    pub(crate) range: TimeRange,
    pub(crate) matcher: &'a Matcher,
    /// Columns wanted besides those of the matcher and the time.
    pub(crate) columns: &'a [&'static str],
}

/// Rows of one batch that match.
pub(crate) struct Matches<'a> {
    /// The rows looked at.
    pub(crate) batch: &'a RecordBatch,
    /// Their times.
    pub(crate) times: &'a PrimitiveArray<TimestampNanosecondType>,
    /// Which of them match.
    pub(crate) matching: &'a [bool],
}

impl Matches<'_> {
    /// Positions in the batch of the rows that match.
    pub(crate) fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.matching.iter().enumerate().filter(|(_, matching)| **matching).map(|(row, _)| row)
    }
}

/// Rows of one unit that match, alone.
pub(crate) struct Hits {
    /// Number of the unit in the walk.
    pub(crate) unit: usize,
    /// Their numbers in the unit, ascending.
    pub(crate) rows: Vec<usize>,
    /// What was read of them: the walk's columns.
    pub(crate) batch: RecordBatch,
}

/// Takes what is found in order of time.
pub(crate) trait Finder {
    /// The time beyond which nothing is of use any more.
    fn bound(&self) -> Option<i64>;

    /// Takes matching rows, in no order.
    fn take(&mut self, hits: Hits, scan: &mut Scan) -> Result<(), TablesError>;
}

impl Walk<'_> {
    fn all_columns(&self) -> Vec<&'static str> {
        let mut columns: BTreeSet<&'static str> = self.matcher.columns();
        columns.insert(schema::time_column(self.table));
        columns.extend(self.columns);
        columns.into_iter().collect()
    }

    /// The units with rows in the range, in the order a walk goes through them.
    pub(crate) fn units(&self, question: &Question<'_>, direction: Direction, scan: &mut Scan) -> Vec<Unit> {
        let mut units = question.engine.units(question.pinned, self.table, &self.range, scan);
        if direction == Direction::Forward {
            units.sort_by_key(|unit| unit.min_time);
        }
        units
    }

    /// The unit and those of its blocks that may hold matching rows; none where no block may.
    fn open(
        &self,
        question: &Question<'_>,
        unit: &Unit,
        scan: &mut Scan,
    ) -> Result<Option<(OpenUnit, Vec<Block>)>, TablesError> {
        let indexed = self.indexed(question, unit, scan)?;
        if indexed.as_ref().is_some_and(Vec::is_empty) {
            return Ok(None);
        }
        let open = question.engine.open_unit(unit, scan)?;
        let mut blocks = indexed.unwrap_or_else(|| open.blocks(unit));
        blocks.retain(|block| self.range.overlaps(block.min_time, block.max_time));
        Ok(Some((open, blocks)))
    }

    /// The blocks that an index leaves; none where there is no index to ask.
    fn indexed(
        &self,
        question: &Question<'_>,
        unit: &Unit,
        scan: &mut Scan,
    ) -> Result<Option<Vec<Block>>, TablesError> {
        if self.table != Table::Logs {
            return Ok(None);
        }
        if let Some(id) = self.matcher.trace_id()
            && let Some(blocks) = question.engine.traced_blocks(unit, &id, scan)
        {
            return Ok(Some(blocks));
        }
        let mut resource_keys = BTreeSet::new();
        if unit.file_id().is_some() {
            for key in self.matcher.fallback_keys() {
                if question.engine.resource_has_key(unit, key, scan)? {
                    resource_keys.insert(key);
                }
            }
        }
        Ok(question.engine.indexed_blocks(unit, &self.matcher.terms(&resource_keys), scan))
    }

    fn read(
        &self,
        open: &OpenUnit,
        unit: &Unit,
        columns: &[&str],
        ranges: Vec<Range<usize>>,
        scan: &mut Scan,
        take: &mut dyn FnMut(&Matches<'_>, &mut Scan) -> Result<(), TablesError>,
    ) -> Result<(), TablesError> {
        let is_inside = self.range.covers(unit.min_time, unit.max_time);
        let time_column = schema::time_column(self.table);
        open.read(columns, &ranges, scan, |batch, _, scan| {
            let times = batch.column_by_name(time_column).and_then(|column| column.as_primitive_opt());
            let Some(times): Option<&PrimitiveArray<TimestampNanosecondType>> = times else { return Ok(()) };
            let mut matching = match is_inside {
                true => vec![true; batch.num_rows()],
                false => times.values().iter().map(|time| self.range.contains(*time)).collect(),
            };
            self.matcher.narrow(batch, &mut matching);
            match matching.contains(&true) {
                true => take(&Matches { batch, times, matching: &matching }, scan),
                false => Ok(()),
            }
        })
    }

    /// Goes through all matching rows, units side by side on several threads, each with a state of its own.
    pub(crate) fn everywhere<S: Send>(
        &self,
        question: &Question<'_>,
        scan: &mut Scan,
        begin: impl Fn() -> S + Sync,
        take: impl Fn(&mut S, &Matches<'_>) + Sync,
    ) -> Result<Vec<S>, TablesError> {
        let units = self.units(question, Direction::Backward, scan);
        self.everywhere_in(question, &units, scan, begin, take)
    }

    /// The same in these units alone.
    pub(crate) fn everywhere_in<S: Send>(
        &self,
        question: &Question<'_>,
        units: &[Unit],
        scan: &mut Scan,
        begin: impl Fn() -> S + Sync,
        take: impl Fn(&mut S, &Matches<'_>) + Sync,
    ) -> Result<Vec<S>, TablesError> {
        let columns = self.all_columns();
        each_unit(question, units, scan, begin, |state, (_, unit), scan| {
            self.whole_unit(question, unit, &columns, scan, &mut |found, _| {
                take(state, found);
                Ok(())
            })
        })
    }

    fn whole_unit(
        &self,
        question: &Question<'_>,
        unit: &Unit,
        columns: &[&str],
        scan: &mut Scan,
        take: &mut dyn FnMut(&Matches<'_>, &mut Scan) -> Result<(), TablesError>,
    ) -> Result<(), TablesError> {
        // Without a filter every block of an inner file counts: no index need be asked.
        if self.matcher.is_all() && self.range.covers(unit.min_time, unit.max_time) {
            let open = question.engine.open_unit(unit, scan)?;
            return self.read(&open, unit, columns, open.all_rows(), scan, take);
        }
        let Some((open, blocks)) = self.open(question, unit, scan)? else { return Ok(()) };
        match blocks.is_empty() {
            true => Ok(()),
            false => self.read(&open, unit, columns, rows_of(&blocks), scan, take),
        }
    }
}

/// Whether everything between the two times lies beyond the bound.
fn is_beyond(direction: Direction, bound: Option<i64>, min_time: i64, max_time: i64) -> bool {
    bound.is_some_and(|bound| match direction {
        Direction::Backward => max_time < bound,
        Direction::Forward => min_time > bound,
    })
}

/// The rows of blocks as ascending ranges, neighbours joined.
pub(crate) fn rows_of(blocks: &[Block]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = blocks.iter().map(|block| block.rows.clone()).collect();
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_joined() {
        let block = |rows: Range<usize>| Block { rows, min_time: 0, max_time: 0 };
        let blocks = [block(512..768), block(0..256), block(256..512), block(1024..1280)];
        assert_eq!(rows_of(&blocks), [0..768, 1024..1280]);
    }

    #[test]
    fn bounds_cut_by_direction() {
        assert!(is_beyond(Direction::Backward, Some(10), 0, 9) && !is_beyond(Direction::Backward, Some(10), 0, 10));
        assert!(is_beyond(Direction::Forward, Some(10), 11, 20) && !is_beyond(Direction::Forward, Some(10), 10, 20));
        assert!(!is_beyond(Direction::Forward, None, 11, 20));
    }
}
