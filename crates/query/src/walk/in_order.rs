//! Reading in order of time: groups of windows are decoded side by side, then their rows are looked at block by block,
//! nearest first, until the finder has enough.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow::array::{AsArray, BooleanArray, PrimitiveArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::TimestampNanosecondType;
use tables::{Block, OpenUnit, Scan, TablesError, Unit, UnitSource, WINDOW_ROWS, Window};

use super::frontier::{Frontier, Step, nearest_rank};
use super::{Finder, Hits, Walk, is_beyond};
use crate::log_search::Direction;
use crate::service::Question;

/// Windows of the first group, and at most; each group is twice as large as the one before.
const GROUP_WINDOWS_MIN: usize = 8;
const GROUP_WINDOWS_MAX: usize = 32;

/// Rows looked at before the bound is asked for again, at first and at most.
const STEP_ROWS_MIN: usize = 2_048;
const STEP_ROWS_MAX: usize = 16_384;

/// Windows of a unit from which on they are shared out among threads.
const SHARED_WINDOWS_MIN: usize = 4;

/// Rows of a group beyond which no further window joins it.
const GROUP_ROWS_MAX: usize = 65_536;

/// Groups whose windows are kept for whoever asks next.
const GROUPS_KEPT_MAX: usize = 4;

/// Units that stay open; one beyond is opened anew when it is read again.
const OPEN_UNITS_MAX: usize = 64;

/// Blocks that are decoded together.
#[derive(Default)]
struct Group {
    by_unit: BTreeMap<usize, Vec<Block>>,
    windows: usize,
    rows: usize,
    /// How many matches are expected in them.
    expected: f64,
}

/// Windows of one unit that one thread decodes.
struct Task {
    unit: usize,
    windows: Vec<usize>,
}

/// A decoded window.
struct Decoded {
    unit: usize,
    window: Window,
}

/// How large a group is to be.
#[derive(Debug, Clone, Copy)]
struct Size {
    windows: usize,
    /// More windows are taken until so many matches are expected, if it is said.
    matches: Option<usize>,
}

/// One walk in order of time.
struct InOrder<'a> {
    walk: &'a Walk<'a>,
    question: &'a Question<'a>,
    units: &'a [Unit],
    direction: Direction,
    frontier: Frontier,
    opened: HashMap<usize, OpenUnit>,
    /// Units that were opened at some time.
    counted: HashSet<usize>,
    /// Groups decoded so far.
    groups: usize,
}

impl Walk<'_> {
    /// Goes through the matching rows in order of time, as far as blocks have an order, until `finder` has enough.
    /// `keep` is how many matches make its bound, about.
    pub(crate) fn in_order(
        &self,
        question: &Question<'_>,
        (units, direction): (&[Unit], Direction),
        keep: usize,
        finder: &mut impl Finder,
        scan: &mut Scan,
    ) -> Result<(), TablesError> {
        let times = units.iter().map(|unit| (unit.min_time, unit.max_time));
        let frontier = Frontier::new(times, direction);
        let (opened, counted) = (HashMap::new(), HashSet::new());
        let mut walk = InOrder { walk: self, question, units, direction, frontier, opened, counted, groups: 0 };
        let columns = self.all_columns();
        let mut size = Size { windows: GROUP_WINDOWS_MIN, matches: Some(keep) };
        loop {
            let group = walk.next_group(size, finder.bound(), scan)?;
            if group.windows == 0 {
                return Ok(());
            }
            size = Size { windows: (group.windows.max(size.windows) * 2).min(GROUP_WINDOWS_MAX), matches: None };
            let blocks = ordered(&group, direction);
            let decoded = walk.decode(&group, &columns, scan)?;
            walk.look(&blocks, &decoded, finder, scan)?;
            walk.groups += 1;
        }
    }
}

impl InOrder<'_> {
    /// The next windows of the frontier.
    fn next_group(&mut self, size: Size, bound: Option<i64>, scan: &mut Scan) -> Result<Group, TablesError> {
        let mut group = Group::default();
        let is_wanted = |group: &Group| {
            let is_too_few = size.matches.is_some_and(|matches| group.expected < matches as f64);
            let windows = if is_too_few { GROUP_WINDOWS_MAX } else { size.windows };
            group.windows < windows && group.rows < GROUP_ROWS_MAX
        };
        while is_wanted(&group) {
            scan.deadline.check()?;
            match self.frontier.next(bound) {
                None => break,
                Some(Step::Expand(number)) => {
                    let found = self.blocks(number, scan);
                    let (blocks, share) = scan.without_damage(found)?;
                    self.frontier.expand(number, blocks, share);
                }
                Some(Step::Read(number, blocks)) => {
                    group.windows += 1;
                    group.rows += blocks.iter().map(|block| block.rows.len()).sum::<usize>();
                    group.expected += self.frontier.matches_per_block(number) * blocks.len() as f64;
                    group.by_unit.entry(number).or_default().extend(blocks);
                }
            }
        }
        Ok(group)
    }

    /// The blocks of a unit that may hold matching rows in the range, and how much of it they are where an index says so.
    fn blocks(&mut self, number: usize, scan: &mut Scan) -> Result<(Vec<Block>, Option<f64>), TablesError> {
        let unit = &self.units[number];
        let (blocks, share) = match self.walk.indexed(self.question, unit, scan)? {
            Some(blocks) => {
                let rows: usize = blocks.iter().map(|block| block.rows.len()).sum();
                (blocks, Some(rows as f64 / unit.rows.max(1) as f64))
            }
            None => (self.open(number, scan)?.blocks(unit), None),
        };
        let range = &self.walk.range;
        let blocks = blocks.into_iter().filter(|block| range.overlaps(block.min_time, block.max_time));
        Ok((blocks.flat_map(cut).collect(), share))
    }

    /// The unit, opened; one that was opened before stays so.
    fn open(&mut self, number: usize, scan: &mut Scan) -> Result<&OpenUnit, TablesError> {
        if !self.opened.contains_key(&number) {
            let mut apart = scan.fork();
            let open = self.question.engine.open_unit(&self.units[number], &mut apart)?;
            if self.counted.insert(number) {
                scan.join(apart);
            }
            if self.opened.len() >= OPEN_UNITS_MAX {
                self.opened.clear();
            }
            self.opened.insert(number, open);
        }
        self.opened.get(&number).ok_or_else(|| TablesError::Internal("a unit is not open".into()))
    }

    /// Decodes the windows of a group, units and parts of large ones side by side.
    fn decode(&mut self, group: &Group, columns: &[&str], scan: &mut Scan) -> Result<Vec<Decoded>, TablesError> {
        let partitions = self.question.engine.limits().partitions.max(1);
        let mut tasks = Vec::new();
        let mut open = Vec::new();
        for (number, blocks) in &group.by_unit {
            let unit = self.open(*number, scan).map(|unit| unit.apart());
            // A file that cannot be opened for its damage is noted, and has no rows.
            let Some(unit) = scan.without_damage(unit.map(Some))? else { continue };
            let mut windows: Vec<usize> = blocks.iter().map(|block| block.rows.start / WINDOW_ROWS).collect();
            windows.sort_unstable();
            windows.dedup();
            // Rows of the journal are decoded already.
            let is_file = self.units[*number].file_id().is_some();
            for part in parts(&windows, if is_file { partitions } else { 1 }) {
                tasks.push(Task { unit: *number, windows: part.to_vec() });
                open.push(unit.apart());
            }
        }
        // Whoever reads far will hardly be back for it.
        let keep = self.groups < GROUPS_KEPT_MAX;
        side_by_side(&tasks, &open, columns, (partitions, keep), scan)
    }

    /// Looks at the rows of decoded blocks, nearest first.
    fn look(
        &self,
        blocks: &[(usize, Block)],
        decoded: &[Decoded],
        finder: &mut impl Finder,
        scan: &mut Scan,
    ) -> Result<(), TablesError> {
        let mut left = blocks;
        let mut step_rows = STEP_ROWS_MIN;
        while let Some((_, first)) = left.first() {
            let bound = finder.bound();
            if is_beyond(self.direction, bound, first.min_time, first.max_time) {
                break;
            }
            let mut rows = 0;
            let over = left.iter().position(|(_, block)| {
                rows += block.rows.len();
                rows > step_rows
            });
            let (step, rest) = left.split_at(over.unwrap_or(left.len()).max(1));
            left = rest;
            step_rows = (step_rows * 2).min(STEP_ROWS_MAX);
            let mut by_window: BTreeMap<(usize, usize), Vec<Range<usize>>> = BTreeMap::new();
            for (unit, block) in step {
                let window = block.rows.start / WINDOW_ROWS;
                by_window.entry((*unit, window)).or_default().push(block.rows.clone());
            }
            for Decoded { unit, window } in decoded {
                let Some(rows) = by_window.get(&(*unit, window.rows.start / WINDOW_ROWS)) else { continue };
                scan.deadline.check()?;
                let looked_at = rows.iter().map(|rows| rows.len() as u64).sum::<u64>();
                scan.cost.rows_scanned += looked_at;
                if matches!(self.units[*unit].source, UnitSource::Tail(_)) {
                    scan.cost.journal_rows += looked_at;
                }
                if let Some(hits) = self.hits((*unit, window), rows, bound)? {
                    finder.take(hits, scan)?;
                }
            }
        }
        Ok(())
    }

    /// The rows of these runs, all of one window, that match and do not lie beyond the bound.
    fn hits(
        &self,
        (unit, window): (usize, &Window),
        wanted: &[Range<usize>],
        bound: Option<i64>,
    ) -> Result<Option<Hits>, TablesError> {
        let batch = &window.batch;
        let times = batch.column_by_name(schema::time_column(self.walk.table));
        let times: Option<&PrimitiveArray<TimestampNanosecondType>> = times.and_then(|times| times.as_primitive_opt());
        let Some(times) = times else { return Ok(None) };
        let (min_time, max_time) = (self.units[unit].min_time, self.units[unit].max_time);
        let is_inside = self.walk.range.covers(min_time, max_time);
        let mut matching = vec![false; batch.num_rows()];
        for row in wanted.iter().cloned().flatten().map(|row| row - window.rows.start) {
            let time = times.value(row);
            let is_in_range = is_inside || self.walk.range.contains(time);
            matching[row] = is_in_range && !is_beyond(self.direction, bound, time, time);
        }
        if !matching.contains(&true) {
            return Ok(None);
        }
        self.walk.matcher.narrow(batch, &mut matching);
        let found = matching.iter().enumerate().filter(|(_, matches)| **matches);
        let rows: Vec<usize> = found.map(|(row, _)| window.rows.start + row).collect();
        if rows.is_empty() {
            return Ok(None);
        }
        let of_matching = filter_record_batch(batch, &BooleanArray::from(matching));
        let batch = of_matching.map_err(|error| TablesError::Internal(error.to_string()))?;
        Ok(Some(Hits { unit, rows, batch }))
    }
}

/// These rows of a batch. Records may have none of the columns asked for, and the kernel takes no batch without one.
fn taken(batch: &RecordBatch, rows: &UInt32Array) -> Result<RecordBatch, TablesError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let taken = match batch.num_columns() {
        0 => RecordBatch::try_new_with_options(batch.schema(), Vec::new(), &options),
        _ => take_record_batch(batch, rows),
    };
    taken.map_err(|error| TablesError::Internal(error.to_string()))
}

/// Hands these rows of a unit (ascending), with these columns as far as they exist, to `take`, in order and batch by
/// batch, each with its positions among them. Nothing is counted but bytes: the rows were found before.
pub(crate) fn each_row(
    question: &Question<'_>,
    unit: &Unit,
    rows: &[usize],
    columns: &[&str],
    scan: &mut Scan,
    mut take: impl FnMut(RecordBatch, Range<usize>) -> Result<(), TablesError>,
) -> Result<(), TablesError> {
    let mut apart = scan.fork();
    let open = question.engine.open_unit(unit, &mut apart)?;
    let partitions = question.engine.limits().partitions.max(1);
    let mut windows: Vec<usize> = rows.iter().map(|row| row / WINDOW_ROWS).collect();
    windows.dedup();
    for (number, windows) in windows.chunks(GROUP_WINDOWS_MAX).enumerate() {
        scan.deadline.check()?;
        let tasks: Vec<Task> =
            parts(windows, partitions).map(|part| Task { unit: 0, windows: part.to_vec() }).collect();
        let open: Vec<OpenUnit> = tasks.iter().map(|_| open.apart()).collect();
        let keep = number < GROUPS_KEPT_MAX;
        let mut decoded = side_by_side(&tasks, &open, columns, (partitions, keep), &mut apart)?;
        decoded.sort_unstable_by_key(|decoded| decoded.window.rows.start);
        for Decoded { window, .. } in decoded {
            // A window that is damaged is missing here.
            let before_row = |end: usize| rows.partition_point(|row| *row < end);
            let positions = before_row(window.rows.start)..before_row(window.rows.end);
            let places = rows[positions.clone()].iter().map(|row| (row - window.rows.start) as u32);
            take(taken(&window.batch, &places.collect())?, positions)?;
        }
    }
    scan.cost.bytes_scanned += apart.cost.bytes_scanned;
    apart.incomplete_because.into_iter().for_each(|reason| scan.note(reason));
    Ok(())
}

/// A block in pieces of which none lies in two windows: units without an index have larger ones.
fn cut(block: Block) -> impl Iterator<Item = Block> {
    let Block { rows, min_time, max_time } = block;
    let windows = rows.start / WINDOW_ROWS..rows.end.div_ceil(WINDOW_ROWS);
    windows.map(move |window| {
        let rows = rows.start.max(window * WINDOW_ROWS)..rows.end.min((window + 1) * WINDOW_ROWS);
        Block { rows, min_time, max_time }
    })
}

/// The blocks of a group in the order they are looked at.
fn ordered(group: &Group, direction: Direction) -> Vec<(usize, Block)> {
    let of_unit = |(unit, blocks): (&usize, &Vec<Block>)| {
        let unit = *unit;
        blocks.iter().map(move |block| (unit, block.clone())).collect::<Vec<_>>()
    };
    let mut blocks: Vec<(usize, Block)> = group.by_unit.iter().flat_map(of_unit).collect();
    blocks.sort_by_key(|(unit, block)| {
        (nearest_rank(direction, block.min_time, block.max_time), *unit, block.rows.start)
    });
    blocks
}

/// Runs of a unit's windows that are decoded side by side.
fn parts(windows: &[usize], partitions: usize) -> impl Iterator<Item = &[usize]> {
    let count = if windows.len() < SHARED_WINDOWS_MIN { 1 } else { partitions.min(windows.len()) };
    (0..count).map(move |part| &windows[part * windows.len() / count..(part + 1) * windows.len() / count])
}

/// What one thread has decoded.
type Part = (Vec<Decoded>, Scan);

/// Decodes on as many threads as there may be.
fn side_by_side(
    tasks: &[Task],
    open: &[OpenUnit],
    columns: &[&str],
    (partitions, keep): (usize, bool),
    scan: &mut Scan,
) -> Result<Vec<Decoded>, TablesError> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Result<Part, TablesError>>> = Mutex::new(Vec::new());
    let forked = scan.fork();
    let work = || {
        let (mut decoded, mut scan) = (Vec::new(), forked.clone());
        let outcome = loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(Task { unit, windows }) = tasks.get(number) else { break Ok(()) };
            let read = open[number].windows(columns, windows, keep, &mut scan);
            match scan.without_damage(read) {
                Ok(read) => decoded.extend(read.into_iter().map(|window| Decoded { unit: *unit, window })),
                Err(error) => break Err(error),
            }
        };
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        done.push(outcome.map(|()| (decoded, scan)));
    };
    std::thread::scope(|scope| {
        for _ in 1..partitions.min(tasks.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut all = Vec::new();
    for outcome in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
        let (decoded, part) = outcome?;
        scan.join(part);
        all.extend(decoded);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_piece_lies_in_two_windows() {
        // Ends of the pieces that these rows are cut into.
        let check = |rows: Range<usize>, ends: &[usize]| {
            let mut start = rows.start;
            let pieces: Vec<Block> = cut(Block { rows, min_time: 0, max_time: 0 }).collect();
            assert_eq!(pieces.iter().map(|piece| piece.rows.end).collect::<Vec<_>>(), ends);
            for piece in pieces {
                assert_eq!(piece.rows.start, start);
                start = piece.rows.end;
            }
        };
        let window = WINDOW_ROWS;
        check(3..7, &[7]);
        check(0..window, &[window]);
        check(5..2 * window + 1, &[window, 2 * window, 2 * window + 1]);
        check(window..window + 256, &[window + 256]);
    }

    #[test]
    fn windows_are_shared_out() {
        let windows: Vec<usize> = (0..10).collect();
        for partitions in [1, 2, 3, 16] {
            let parts: Vec<&[usize]> = parts(&windows, partitions).collect();
            assert_eq!((parts.concat(), parts.len()), (windows.clone(), partitions.min(10)));
            assert!(parts.iter().all(|part| !part.is_empty()));
        }
        assert_eq!(parts(&windows[..2], 8).count(), 1, "too little to share out");
    }
}
