//! Log search: the records nearest to one end of time that match a filter.
//!
//! Order: by time, then by the record's hash, so that pages are the same wherever the records lie. A cursor says after
//! which time and hash the next page begins, and how many equal records were already given.
//!
//! Two passes: the first reads times and what the filter needs, and keeps of the rows that may be among the nearest
//! what it has read; the second reads the other columns of those rows. Rows that share the time at which a page ends are all read whole, since
//! only their hashes say which of them are on it.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use api::filter::{self, Target};
use api::{LogRecord, LogSearchAnswer};
use arrow::array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{interleave_record_batch, take_record_batch};
use arrow::datatypes::Schema;
use model::{Table, TimeRange};
use tables::{Scan, TablesError, Unit};

use crate::columns::Columns;
use crate::error::QueryError;
use crate::identity::LogHasher;
use crate::matcher::Matcher;
use crate::records::LogRows;
use crate::service::{QueryLimits, Question};
use crate::walk::{Finder, Hits, Walk, each_row};

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
    pub(crate) fn rank(self, time: i64) -> i64 {
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
    /// Where what has been read of it is kept: which batch, and which row of it.
    kept: (usize, usize),
}

/// Rows whose values are kept from the first pass, those that have turned out to be too far among them; of more,
/// everything is read again.
const ROWS_KEPT_MAX: usize = 32_768;

/// The places of the nearest rows.
struct Nearest {
    direction: Direction,
    /// Rank of the cursor's time: of rows at it, only some are on the page.
    cursor_rank: Option<i64>,
    keep: usize,
    /// Ranks of the nearest rows that are on this page or a later one for certain; the farthest on top.
    ranks: BinaryHeap<i64>,
    rows: Vec<Found>,
    /// What was read of the rows; none once there were too many of them.
    kept: Option<Vec<RecordBatch>>,
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
            kept: Some(Vec::new()),
            tidy_at: 4 * search.limit + 4096,
        }
    }

    fn worst(&self) -> Option<i64> {
        (self.ranks.len() >= self.keep).then(|| self.ranks.peek().copied()).flatten()
    }

    /// Whether a row of this rank may be on the page; it counts from now on.
    fn admit(&mut self, rank: i64) -> bool {
        if self.worst().is_some_and(|worst| rank > worst) {
            return false;
        }
        if self.cursor_rank.is_none_or(|cursor| rank > cursor) {
            self.ranks.push(rank);
            if self.ranks.len() > self.keep {
                self.ranks.pop();
            }
        }
        true
    }

    fn tidy(&mut self) {
        if let Some(worst) = self.worst() {
            self.rows.retain(|row| row.rank <= worst);
        }
        let kept_rows = |kept: &Vec<RecordBatch>| kept.iter().map(RecordBatch::num_rows).sum::<usize>();
        if self.kept.as_ref().is_some_and(|kept| kept_rows(kept) > ROWS_KEPT_MAX) {
            self.kept = None;
        }
        self.tidy_at = 2 * self.rows.len() + 4096;
    }
}

impl Finder for Nearest {
    fn bound(&self) -> Option<i64> {
        self.worst().map(|rank| self.direction.time(rank))
    }

    fn take(&mut self, hits: Hits, scan: &mut Scan) -> Result<(), TablesError> {
        let Some(times) = Columns(&hits.batch).times("time") else { return Ok(()) };
        let mut admitted: Vec<u32> = Vec::new();
        let batch = self.kept.as_ref().map_or(0, Vec::len);
        for (at, time) in times.values().iter().enumerate() {
            let rank = self.direction.rank(*time);
            if self.admit(rank) {
                self.rows.push(Found { rank, unit: hits.unit, row: hits.rows[at], kept: (batch, admitted.len()) });
                admitted.push(at as u32);
            }
        }
        if admitted.is_empty() {
            return Ok(());
        }
        if let Some(kept) = &mut self.kept {
            let taken = match admitted.len() == hits.rows.len() {
                true => Ok(hits.batch),
                false => take_record_batch(&hits.batch, &UInt32Array::from(admitted)),
            };
            kept.push(taken.map_err(|error| TablesError::Internal(error.to_string()))?);
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
    fn partial_cmp(&self, other: &Placed) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Placed {
    fn cmp(&self, other: &Placed) -> Ordering {
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
    walk.in_order(question, (&units, search.direction), nearest.keep, &mut nearest, scan)?;
    nearest.tidy();
    let mut placed = read_whole(question, &units, nearest, search, scan)?;

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

/// The newest records that match, newest first.
pub(crate) fn newest(
    question: &Question<'_>,
    matcher: &Matcher,
    limit: usize,
    scan: &mut Scan,
) -> Result<Vec<LogRecord>, TablesError> {
    let (matcher, direction) = (matcher.clone(), Direction::Backward);
    let prepared = Prepared { matcher, range: TimeRange::ALL, limit, cursor: None, direction };
    Ok(search(question, &prepared, scan)?.logs)
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

/// The first records of the order among the rows found, one more than the page has.
fn read_whole(
    question: &Question<'_>,
    units: &[Unit],
    nearest: Nearest,
    search: &Prepared,
    scan: &mut Scan,
) -> Result<Vec<Placed>, TablesError> {
    let Nearest { mut rows, kept, .. } = nearest;
    rows.sort_unstable_by_key(|found| (found.unit, found.row));
    let mut first = First::new(search);
    let columns = record_columns(Table::Logs);
    for of_unit in rows.chunk_by(|a, b| a.unit == b.unit) {
        let known = match &kept {
            Some(kept) => Some(known(kept, of_unit)?),
            None => None,
        };
        let is_known = |name: &str| known.as_ref().is_some_and(|known| known.column_by_name(name).is_some());
        let missing: Vec<&str> = columns.iter().copied().filter(|name| !is_known(name)).collect();
        let rows: Vec<usize> = of_unit.iter().map(|found| found.row).collect();
        let unit = &units[of_unit[0].unit];
        let read = each_row(question, unit, &rows, &missing, scan, |batch, positions| {
            match &known {
                Some(known) => first.take(&beside(&known.slice(positions.start, positions.len()), &batch)?),
                None => first.take(&batch),
            }
            Ok(())
        });
        scan.without_damage(read)?;
    }
    Ok(first.placed.into_sorted_vec())
}

/// What is known of these rows, in their order.
fn known(kept: &[RecordBatch], rows: &[Found]) -> Result<RecordBatch, TablesError> {
    let mut batches: Vec<&RecordBatch> = Vec::new();
    let mut numbers: HashMap<usize, usize> = HashMap::new();
    let mut places = Vec::with_capacity(rows.len());
    for found in rows {
        let number = *numbers.entry(found.kept.0).or_insert_with(|| {
            batches.push(&kept[found.kept.0]);
            batches.len() - 1
        });
        places.push((number, found.kept.1));
    }
    interleave_record_batch(&batches, &places).map_err(|error| TablesError::Internal(error.to_string()))
}

/// The columns of both batches, which have the same rows, in the order of the table: a record's hash goes by it.
fn beside(known: &RecordBatch, read: &RecordBatch) -> Result<RecordBatch, TablesError> {
    let table = schema::schema(Table::Logs);
    let of_batch = |batch: &RecordBatch| -> Vec<_> {
        batch.schema_ref().fields().iter().cloned().zip(batch.columns().iter().cloned()).collect()
    };
    let mut columns: Vec<_> = of_batch(known).into_iter().chain(of_batch(read)).collect();
    columns.sort_by_cached_key(|(field, _)| table.index_of(field.name()).unwrap_or(usize::MAX));
    let (fields, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(known.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .map_err(|error| TablesError::Internal(error.to_string()))
}

/// Gathers the first records of the order.
struct First<'a> {
    search: &'a Prepared,
    placed: BinaryHeap<Placed>,
    /// Records at the cursor's place that were given before.
    skip: u64,
    cursor_place: Option<(i64, u64)>,
}

impl First<'_> {
    fn new(search: &Prepared) -> First<'_> {
        let place = |cursor: Cursor| (search.direction.rank(cursor.time), search.direction.hash_rank(cursor.hash));
        let skip = search.cursor.map_or(0, |cursor| cursor.given);
        First { search, placed: BinaryHeap::new(), skip, cursor_place: search.cursor.map(place) }
    }

    fn take(&mut self, batch: &RecordBatch) {
        let (log_rows, hasher) = (LogRows::new(batch), LogHasher::new(batch));
        let (direction, limit) = (self.search.direction, self.search.limit);
        for row in 0..batch.num_rows() {
            let rank = direction.rank(log_rows.time(row));
            let hash = hasher.hash(row);
            let hash_rank = direction.hash_rank(hash);
            match self.cursor_place.map(|place| (rank, hash_rank).cmp(&place)) {
                Some(Ordering::Less) => continue,
                Some(Ordering::Equal) if self.skip > 0 => {
                    self.skip -= 1;
                    continue;
                }
                _ => {}
            }
            let is_full = self.placed.len() > limit;
            if is_full && self.placed.peek().is_some_and(|worst| (worst.rank, worst.hash_rank) <= (rank, hash_rank)) {
                continue;
            }
            self.placed.push(Placed { rank, hash_rank, hash, record: log_rows.record(row) });
            if is_full {
                self.placed.pop();
            }
        }
    }
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
