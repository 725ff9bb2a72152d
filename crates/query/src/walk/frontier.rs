//! Which blocks to read next, over all units at once: pure.
//!
//! Blocks are taken in order of the end of time they reach to. A block is never read without its neighbours: a page of
//! a file holds several, and decoding it is what reading costs. So what is taken at once are the blocks of one window;
//! whether their rows are looked at is decided when they are there.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tables::{Block, WINDOW_ROWS};

use crate::log_search::Direction;

/// What the frontier wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The blocks of this unit: nothing before them in the order is left.
    Expand(usize),
    /// To read these blocks of this unit.
    Read(usize, Vec<Block>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Unit(usize),
    Block(usize, usize),
}

/// A unit's blocks in row order, those taken already empty.
#[derive(Debug, Default)]
struct UnitBlocks {
    blocks: Vec<Option<Block>>,
    matches_per_block: f64,
}

/// Everything that is not read yet.
pub(super) struct Frontier {
    direction: Direction,
    /// By how near to the end of time asked for it reaches; nearest on top.
    heap: BinaryHeap<Reverse<(i64, Next)>>,
    units: Vec<UnitBlocks>,
}

/// The rank of the end of a time span that is nearest in a direction.
pub(super) fn nearest_rank(direction: Direction, min_time: i64, max_time: i64) -> i64 {
    match direction {
        Direction::Backward => direction.rank(max_time),
        Direction::Forward => direction.rank(min_time),
    }
}

impl Frontier {
    /// Over units with these earliest and latest times.
    pub(super) fn new(times: impl Iterator<Item = (i64, i64)>, direction: Direction) -> Frontier {
        let entry = |(number, (min_time, max_time)): (usize, (i64, i64))| {
            Reverse((nearest_rank(direction, min_time, max_time), Next::Unit(number)))
        };
        let heap: BinaryHeap<_> = times.enumerate().map(entry).collect();
        let units = heap.iter().map(|_| UnitBlocks::default()).collect();
        Frontier { direction, heap, units }
    }

    /// Adds the blocks of a unit, in row order. `share` is how much of the unit's rows lie in them, where an index has
    /// left out blocks without the words looked for.
    pub(super) fn expand(&mut self, unit: usize, blocks: Vec<Block>, share: Option<f64>) {
        for (at, block) in blocks.iter().enumerate() {
            let rank = nearest_rank(self.direction, block.min_time, block.max_time);
            self.heap.push(Reverse((rank, Next::Block(unit, at))));
        }
        let matches_per_block = share.map_or(1.0, matches_per_block);
        self.units[unit] = UnitBlocks { blocks: blocks.into_iter().map(Some).collect(), matches_per_block };
    }

    /// What comes next; none where everything left lies beyond the bound.
    pub(super) fn next(&mut self, bound: Option<i64>) -> Option<Step> {
        let bound = bound.map(|time| self.direction.rank(time));
        while let Some(Reverse((rank, next))) = self.heap.peek().copied() {
            if bound.is_some_and(|bound| rank > bound) {
                return None;
            }
            self.heap.pop();
            match next {
                Next::Unit(unit) => return Some(Step::Expand(unit)),
                Next::Block(unit, block) => {
                    let window = self.take_window(unit, block, bound);
                    if !window.is_empty() {
                        return Some(Step::Read(unit, window));
                    }
                }
            }
        }
        None
    }

    /// Matches expected in a block of this unit.
    pub(super) fn matches_per_block(&self, unit: usize) -> f64 {
        self.units[unit].matches_per_block
    }

    /// Takes a block and those of its window that may be of use. Empty where the block is taken already.
    fn take_window(&mut self, unit: usize, block: usize, bound: Option<i64>) -> Vec<Block> {
        let direction = self.direction;
        let blocks = &mut self.units[unit].blocks;
        let Some(first) = &blocks[block] else { return Vec::new() };
        let window = first.rows.start / WINDOW_ROWS;
        let is_inside =
            |block: &Option<Block>| block.as_ref().is_none_or(|block| block.rows.start / WINDOW_ROWS == window);
        // Blocks taken before may be of other windows, so the run may be too long; it is looked through below.
        let start = blocks[..block].iter().rposition(|block| !is_inside(block)).map_or(0, |at| at + 1);
        let end = blocks[block..].iter().position(|block| !is_inside(block)).map_or(blocks.len(), |at| block + at);
        let is_of_use = |block: &Block| {
            let rank = nearest_rank(direction, block.min_time, block.max_time);
            bound.is_none_or(|bound| rank <= bound)
        };
        blocks[start..end].iter_mut().filter_map(|slot| slot.take_if(|block| is_of_use(block))).collect()
    }
}

/// Rows of a block of the text index.
const BLOCK_ROWS: f64 = 256.0;

/// Matches expected in a block that an index has left, where it has left this share of all: were matches spread evenly,
/// so many would make it leave so many.
fn matches_per_block(share: f64) -> f64 {
    let share = share.clamp(1e-6, 0.995);
    (-(1.0 - share).ln() / share).clamp(1.0, BLOCK_ROWS)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    fn frontier(times: &[(i64, i64)], direction: Direction) -> Frontier {
        Frontier::new(times.iter().copied(), direction)
    }

    fn block(rows: Range<usize>, min_time: i64, max_time: i64) -> Block {
        Block { rows, min_time, max_time }
    }

    #[test]
    fn windows_come_in_order_of_time_over_all_units() {
        let page = WINDOW_ROWS;
        let mut frontier = frontier(&[(0, 100), (50, 90), (0, 10)], Direction::Backward);
        assert_eq!(frontier.next(None), Some(Step::Expand(0)));
        let blocks = vec![
            block(0..256, 0, 40),
            block(256..512, 40, 100),
            block(page..page + 256, 20, 80),
            block(page + 256..page + 512, 0, 20),
        ];
        frontier.expand(0, blocks.clone(), None);
        assert_eq!(frontier.next(None), Some(Step::Read(0, blocks[..2].to_vec())), "the page of the newest block");
        assert_eq!(frontier.next(Some(30)), Some(Step::Expand(1)));
        frontier.expand(1, vec![block(0..256, 50, 90)], None);
        assert_eq!(frontier.next(Some(30)), Some(Step::Read(1, vec![block(0..256, 50, 90)])));
        assert_eq!(frontier.next(Some(30)), Some(Step::Read(0, blocks[2..3].to_vec())), "what is beyond stays");
        assert_eq!(frontier.next(Some(30)), None);
        assert_eq!(frontier.next(Some(5)), Some(Step::Read(0, blocks[3..].to_vec())));
        assert_eq!(frontier.next(Some(11)), None);
        assert_eq!(frontier.next(Some(10)), Some(Step::Expand(2)), "a bound is not beyond itself");
        frontier.expand(2, Vec::new(), None);
        assert_eq!(frontier.next(None), None);
    }

    #[test]
    fn forward_is_the_other_way_round() {
        let mut frontier = frontier(&[(20, 100), (10, 90)], Direction::Forward);
        assert_eq!(frontier.next(Some(5)), None);
        assert_eq!(frontier.next(Some(10)), Some(Step::Expand(1)));
        frontier.expand(1, vec![block(0..256, 30, 90), block(256..512, 10, 40)], None);
        assert_eq!(
            frontier.next(None),
            Some(Step::Read(1, vec![block(0..256, 30, 90), block(256..512, 10, 40)])),
            "of one page"
        );
        assert_eq!(frontier.next(None), Some(Step::Expand(0)));
    }

    #[test]
    fn rare_and_common_words_are_told_apart() {
        let check = |share: f64, low: f64, high: f64| {
            let expected = matches_per_block(share);
            assert!((low..=high).contains(&expected), "{share}: {expected}");
        };
        check(0.0, 1.0, 1.01);
        check(0.22, 1.1, 1.2);
        check(0.9, 2.0, 3.0);
        check(1.0, 5.0, 6.0);
    }
}
