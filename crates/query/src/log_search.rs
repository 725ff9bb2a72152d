//! Log search: the records nearest to one end of time that match a filter.
//!
//! Order: by time, then by the record's hash, so that pages are the same wherever the records lie. A cursor says after
//! which time and hash the next page begins, and how many equal records were already given.
//!
//! Two passes: the first reads times and what the filter needs, and keeps the places of rows that may be among the
//! nearest; the second reads those rows whole. Rows that share the time at which a page ends are all read whole, since
//! only their hashes say which of them are on it.

use std::collections::BinaryHeap;

use api::filter::{self, Target};
use api::{LogRecord, LogSearchAnswer};
use model::{Table, TimeRange};
use tables::{Scan, TablesError, Unit};

use crate::error::QueryError;
use crate::identity::LogHasher;
use crate::matcher::Matcher;
use crate::records::LogRows;
use crate::service::{QueryLimits, Question};
use crate::walk::{Finder, Matches, Walk};

/// Which end of time comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Newest first.
    #[default]
    Backward,
    /// Oldest first.
    Forward,
}

/// A question for log records.
#[derive(Debug, Clone, Default)]
pub struct LogSearch {
    /// In the filter language.
    pub query: String,
    /// Times of the records.
    pub range: TimeRange,
    /// Records on a page.
    pub limit: usize,
    /// Where the page begins: `next_cursor` of the answer before.
    pub cursor: Option<String>,
    /// Which end comes first.
    pub direction: Direction,
}

/// A question that has been read.
pub(crate) struct Prepared {
    matcher: Matcher,
    range: TimeRange,
    limit: usize,
    cursor: Option<Cursor>,
    direction: Direction,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    time: i64,
    hash: u64,
    /// Records equal to this time and hash that were already given.
    given: u64,
}

/// Most rows that may share the time at which a page ends.
const ROWS_HELD_MAX: usize = 2_000_000;

impl Cursor {
    fn print(self) -> String {
        format!("{}.{:016x}.{}", self.time, self.hash, self.given)
    }

    fn parse(text: &str) -> Option<Cursor> {
        let mut parts = text.split('.');
        let cursor = Cursor {
            time: parts.next()?.parse().ok()?,
            hash: u64::from_str_radix(parts.next()?, 16).ok()?,
            given: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(cursor)
    }
}

impl Direction {
    /// A number that grows in this direction.
    fn rank(self, time: i64) -> i64 {
        match self {
            // Turns the order round, the ends included.
            Direction::Backward => !time,
            Direction::Forward => time,
        }
    }

    fn time(self, rank: i64) -> i64 {
        self.rank(rank)
    }

    fn hash_rank(self, hash: u64) -> u64 {
        match self {
            Direction::Backward => !hash,
            Direction::Forward => hash,
        }
    }
}

pub(crate) fn prepare(search: LogSearch, limits: &QueryLimits) -> Result<Prepared, QueryError> {
    let filter = filter::parse(&search.query, Target::Logs)?;
    let cursor = match &search.cursor {
        Some(text) => Some(Cursor::parse(text).ok_or_else(|| QueryError::invalid("this cursor is none of ours"))?),
        None => None,
    };
    let limit = match search.limit {
        0 => 100,
        limit => limit.min(limits.page_records_max),
    };
    let mut range = search.range;
    if let Some(cursor) = cursor {
        narrow(&mut range, &cursor, search.direction);
    }
    Ok(Prepared { matcher: Matcher::new(&filter, Target::Logs), range, limit, cursor, direction: search.direction })
}

/// Leaves out what lies before the cursor.
fn narrow(range: &mut TimeRange, cursor: &Cursor, direction: Direction) {
    match direction {
        Direction::Backward => {
            if let Some(after) = cursor.time.checked_add(1) {
                range.end = Some(range.end.map_or(after, |end| end.min(after)));
            }
        }
        Direction::Forward => range.start = Some(range.start.map_or(cursor.time, |start| start.max(cursor.time))),
    }
}

/// A row that may be on the page.
#[derive(Debug, Clone, Copy)]
struct Found {
    rank: i64,
    unit: usize,
    row: usize,
}

/// The places of the nearest rows.
struct Nearest {
    direction: Direction,
    /// Rank of the cursor's time: of rows at it, only some are on the page.
    cursor_rank: Option<i64>,
    keep: usize,
    /// Ranks of the nearest rows that are on this page or a later one for certain; the farthest on top.
    ranks: BinaryHeap<i64>,
    rows: Vec<Found>,
    tidy_at: usize,
}

impl Nearest {
    fn new(search: &Prepared) -> Nearest {
        Nearest {
            direction: search.direction,
            cursor_rank: search.cursor.map(|cursor| search.direction.rank(cursor.time)),
            keep: search.limit + 1,
            ranks: BinaryHeap::new(),
            rows: Vec::new(),
            tidy_at: 4 * search.limit + 4096,
        }
    }

    fn worst(&self) -> Option<i64> {
        (self.ranks.len() >= self.keep).then(|| self.ranks.peek().copied()).flatten()
    }

    fn add(&mut self, found: Found) {
        if self.worst().is_some_and(|worst| found.rank > worst) {
            return;
        }
        if self.cursor_rank.is_none_or(|cursor| found.rank > cursor) {
            self.ranks.push(found.rank);
            if self.ranks.len() > self.keep {
                self.ranks.pop();
            }
        }
        self.rows.push(found);
    }

    fn tidy(&mut self) {
        if let Some(worst) = self.worst() {
            self.rows.retain(|row| row.rank <= worst);
        }
        self.tidy_at = 2 * self.rows.len() + 4096;
    }
}

impl Finder for Nearest {
    fn bound(&self) -> Option<i64> {
        self.worst().map(|rank| self.direction.time(rank))
    }

    fn take(&mut self, found: &Matches<'_>, scan: &mut Scan) -> Result<(), TablesError> {
        for row in found.rows() {
            let rank = self.direction.rank(found.times.value(row));
            self.add(Found { rank, unit: found.unit, row: found.unit_rows[row] });
        }
        if self.rows.len() > self.tidy_at {
            self.tidy();
            if self.rows.len() > ROWS_HELD_MAX {
                self.rows.truncate(ROWS_HELD_MAX);
                scan.note(format!("more than {ROWS_HELD_MAX} matching records share one time"));
            }
        }
        Ok(())
    }
}

/// A record and its place in the order.
struct Placed {
    rank: i64,
    hash_rank: u64,
    hash: u64,
    record: LogRecord,
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
        (self.rank, self.hash_rank).cmp(&(other.rank, other.hash_rank))
    }
}

pub(crate) fn search(
    question: &Question<'_>,
    search: &Prepared,
    scan: &mut Scan,
) -> Result<LogSearchAnswer, TablesError> {
    let walk = Walk { table: Table::Logs, range: search.range, matcher: &search.matcher, columns: &[] };
    let units = walk.units(question, search.direction, scan);
    let mut nearest = Nearest::new(search);
    walk.in_order(question, &units, search.direction, &mut nearest, scan)?;
    nearest.tidy();
    let mut placed = read_whole(question, &units, nearest.rows, search, scan)?;

    let has_more = placed.len() > search.limit;
    placed.truncate(search.limit);
    let mut answer = LogSearchAnswer::default();
    let mut before: Option<(i64, u64)> = search.cursor.map(|cursor| (cursor.time, cursor.hash));
    let mut ordinal = search.cursor.map_or(0, |cursor| cursor.given);
    let mut last = None;
    for Placed { hash, mut record, .. } in placed {
        let key = (record.time_unix_nano.0, hash);
        if before != Some(key) {
            ordinal = 0;
        }
        record.id = record_id(hash, ordinal);
        ordinal += 1;
        before = Some(key);
        last = Some(Cursor { time: key.0, hash, given: ordinal });
        answer.logs.push(record);
    }
    answer.next_cursor = last.filter(|_| has_more).map(Cursor::print);
    Ok(answer)
}

/// The identity of a record, beside its time.
pub(crate) fn record_id(hash: u64, ordinal: u64) -> String {
    format!("{hash:016x}-{ordinal}")
}

/// Columns a log record is made of. Those promoted from the resource are in `resource` too.
pub(crate) fn record_columns(table: Table) -> Vec<&'static str> {
    let of_resource = |name: &str| schema::PROMOTED_RESOURCE.iter().any(|promoted| promoted.column == name);
    static NAMES: std::sync::OnceLock<[Vec<String>; 8]> = std::sync::OnceLock::new();
    let names = NAMES.get_or_init(|| {
        Table::ALL.map(|table| schema::schema(table).fields().iter().map(|field| field.name().clone()).collect())
    });
    let of_table = names[usize::from(table.number())].iter().map(String::as_str);
    of_table.filter(|name| !of_resource(name) || table == Table::Exemplars).collect()
}

/// The first records of the order among these rows, one more than the page has.
fn read_whole(
    question: &Question<'_>,
    units: &[Unit],
    mut rows: Vec<Found>,
    search: &Prepared,
    scan: &mut Scan,
) -> Result<Vec<Placed>, TablesError> {
    rows.sort_unstable_by_key(|found| (found.unit, found.row));
    let mut first: BinaryHeap<Placed> = BinaryHeap::new();
    let mut skip = search.cursor.map_or(0, |cursor| cursor.given);
    let cursor_place =
        search.cursor.map(|cursor| (search.direction.rank(cursor.time), search.direction.hash_rank(cursor.hash)));
    let columns = record_columns(Table::Logs);
    for of_unit in rows.chunk_by(|a, b| a.unit == b.unit) {
        let ranges = ranges_of(of_unit.iter().map(|found| found.row));
        // The rows were counted when they were found.
        let mut whole = scan.fork();
        let open = question.engine.open_unit(&units[of_unit[0].unit], &mut whole)?;
        let read = open.read(&columns, &ranges, &mut whole, |batch, _, _| {
            let log_rows = LogRows::new(batch);
            let hasher = LogHasher::new(batch);
            for row in 0..batch.num_rows() {
                let rank = search.direction.rank(log_rows.time(row));
                let hash = hasher.hash(row);
                let hash_rank = search.direction.hash_rank(hash);
                match cursor_place.map(|place| (rank, hash_rank).cmp(&place)) {
                    Some(std::cmp::Ordering::Less) => continue,
                    Some(std::cmp::Ordering::Equal) if skip > 0 => {
                        skip -= 1;
                        continue;
                    }
                    _ => {}
                }
                let is_full = first.len() > search.limit;
                if is_full && first.peek().is_some_and(|worst| (worst.rank, worst.hash_rank) <= (rank, hash_rank)) {
                    continue;
                }
                first.push(Placed { rank, hash_rank, hash, record: log_rows.record(row) });
                if is_full {
                    first.pop();
                }
            }
            Ok(())
        });
        scan.without_damage(read)?;
        scan.cost.bytes_scanned += whole.cost.bytes_scanned;
    }
    Ok(first.into_sorted_vec())
}

/// Joins ascending rows to ranges.
fn ranges_of(rows: impl Iterator<Item = usize>) -> Vec<std::ops::Range<usize>> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    for row in rows {
        match ranges.last_mut() {
            Some(last) if last.end == row => last.end += 1,
            Some(last) if last.end > row => {}
            _ => ranges.push(row..row + 1),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_print_and_parse() {
        let cursor = Cursor { time: -5, hash: 0xff, given: 3 };
        assert_eq!(Cursor::parse(&cursor.print()), Some(cursor));
        for text in ["", "5", "5.x.1", "5.ff.1.2", "a.ff.1"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }

    #[test]
    fn ranks_turn_the_order_round() {
        for pair in [i64::MIN, -1, 0, 1, i64::MAX].windows(2) {
            assert!(Direction::Backward.rank(pair[0]) > Direction::Backward.rank(pair[1]));
            assert_eq!(Direction::Backward.time(Direction::Backward.rank(pair[0])), pair[0]);
        }
    }
}
