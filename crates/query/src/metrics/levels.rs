//! Gauges: where a level stood in each step.
//!
//! A level holds until the next point, or for the look-back where there is none within it; a series that has sent points
//! at shorter intervals is taken to have ended two of them after its last. A point that says there is no value ends it
//! at once.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::evaluate::Evaluation;
use super::function::Function;
use super::grid::{Cell, Row};
use super::points::{NumberPoint, SummaryPoint, Value};
use super::series::Series;
use super::steps::Steps;

/// Where one series stood in one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Level {
    /// Points of the step; none where an earlier one holds.
    pub(crate) points: u64,
    sum: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) last: f64,
    pub(crate) last_time: i64,
}

impl Level {
    fn held(value: f64, time: i64) -> Level {
        Level { points: 0, sum: value, min: value, max: value, last: value, last_time: time }
    }

    fn add(&mut self, value: f64, time: i64) {
        self.points += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.last = value;
        self.last_time = time;
    }

    pub(crate) fn mean(&self) -> f64 {
        self.sum / self.points.max(1) as f64
    }
}

/// The step that is being filled: what is later in it may still come.
struct Open<F> {
    step: Option<(usize, Level)>,
    take: F,
}

impl<F: FnMut(usize, Level)> Open<F> {
    /// Goes on to a step, where an earlier level holds.
    fn hold(&mut self, step: usize, value: f64, time: i64) {
        self.close();
        self.step = Some((step, Level::held(value, time)));
    }

    /// Goes on to the step of a point, or stays in it. Its own points say more of a step than one that holds.
    fn add(&mut self, step: usize, value: f64, time: i64) {
        match &mut self.step {
            Some((at, level)) if *at == step && level.points > 0 => level.add(value, time),
            open => {
                if open.is_some_and(|(at, _)| at == step) {
                    *open = None;
                }
                self.close();
                self.step = Some((step, Level { points: 1, ..Level::held(value, time) }));
            }
        }
    }

    fn close(&mut self) {
        if let Some((step, level)) = self.step.take() {
            (self.take)(step, level);
        }
    }
}

/// Hands out where a series stood in each step, in order. The points are in order of time.
pub(crate) fn levels(points: &[NumberPoint], steps: &Steps, look_back: i64, take: impl FnMut(usize, Level)) {
    let mut open = Open { step: None, take };
    // The last point, and how far it is from the one before.
    let mut before: Option<(i64, f64, Option<i64>)> = None;
    for point in points {
        if let Some((time, value, interval)) = before {
            let is_near = point.time.saturating_sub(time) <= look_back;
            let until = if is_near { point.time } else { end_of(time, interval, look_back).min(point.time) };
            steps.between(time, until).for_each(|step| open.hold(step, value, time));
        }
        let Some(value) = point.value.map(Value::as_f64) else {
            before = None;
            continue;
        };
        if let Some(step) = steps.of(point.time) {
            open.add(step, value, point.time);
        }
        let interval = before.map(|(time, ..)| point.time.saturating_sub(time)).filter(|interval| *interval > 0);
        let known = before.and_then(|(.., interval)| interval);
        before = Some((point.time, value, interval.or(known)));
    }
    if let Some((time, value, interval)) = before {
        let until = end_of(time, interval, look_back).min(steps.end());
        steps.between(time, until).for_each(|step| open.hold(step, value, time));
    }
    open.close();
}

/// Until when a level holds that no other follows.
fn end_of(time: i64, interval: Option<i64>, look_back: i64) -> i64 {
    let reach = interval.map_or(look_back, |interval| interval.saturating_mul(2).min(look_back));
    time.saturating_add(reach)
}

/// Levels of all series of a group in a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LevelCell {
    series: u64,
    points: u64,
    sum: f64,
    min: f64,
    max: f64,
    last: f64,
    last_time: i64,
    /// One value a series, where quantiles are asked for.
    means: Vec<f64>,
}

impl LevelCell {
    fn new(level: &Level, keeps_means: bool) -> LevelCell {
        LevelCell {
            series: 1,
            points: level.points,
            sum: level.mean(),
            min: level.min,
            max: level.max,
            last: level.last,
            last_time: level.last_time,
            means: if keeps_means { vec![level.mean()] } else { Vec::new() },
        }
    }

    fn value(&self, function: Function, quantile: f64) -> Option<f64> {
        match function {
            Function::Sum => Some(self.sum),
            Function::Avg => Some(self.sum / self.series as f64),
            Function::Min => Some(self.min),
            Function::Max => Some(self.max),
            Function::Last => Some(self.last),
            Function::Count => (self.points > 0).then_some(self.points as f64),
            Function::Quantile => quantile_of(&self.means, quantile),
            Function::Rate | Function::Increase => None,
        }
    }
}

impl Cell for LevelCell {
    fn merge(&mut self, other: LevelCell) {
        self.series += other.series;
        self.points += other.points;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        // Of several newest ones the greatest, so that it does not matter in which order they come.
        if (other.last_time, other.last) > (self.last_time, self.last) {
            (self.last, self.last_time) = (other.last, other.last_time);
        }
        self.means.extend(other.means);
    }

    fn bytes(&self) -> usize {
        self.means.capacity() * 8
    }
}

/// The value that this share of the values does not exceed, interpolated between the two nearest.
fn quantile_of(values: &[f64], quantile: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = quantile * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (sorted.get(rank.floor() as usize)?, sorted.get(rank.ceil() as usize)?);
    Some(low + (high - low) * rank.fract())
}

/// Functions of levels.
pub(crate) struct Levels {
    pub(crate) steps: Steps,
    pub(crate) look_back: i64,
    pub(crate) function: Function,
    pub(crate) quantile: f64,
}

impl Levels {
    fn add(&self, points: &[NumberPoint], row: &mut Row<'_, LevelCell>) {
        let keeps_means = self.function == Function::Quantile;
        levels(points, &self.steps, self.look_back, |step, level| {
            let cell = || LevelCell::new(&level, keeps_means);
            row.add(step, cell, |sum| sum.merge(cell()));
        });
    }
}

impl Evaluation for Levels {
    type Point = NumberPoint;
    type Cell = LevelCell;

    fn add(&self, _: &Series, points: &[NumberPoint], row: &mut Row<'_, LevelCell>) {
        self.add(points, row);
    }

    fn value(&self, cell: &LevelCell, _: usize) -> Option<f64> {
        cell.value(self.function, self.quantile)
    }
}

/// Quantiles that are named where the one asked for is not sent.
const QUANTILES_NAMED_MAX: usize = 20;

/// The quantiles that summaries bring along: levels of their senders', which cannot be merged; of several series the mean.
pub(crate) struct SummaryQuantiles {
    levels: Levels,
    /// Others that were sent.
    others: Mutex<BTreeSet<String>>,
}

impl SummaryQuantiles {
    pub(crate) fn new(levels: Levels) -> SummaryQuantiles {
        SummaryQuantiles { levels, others: Mutex::default() }
    }

    /// The other quantiles that were sent.
    pub(crate) fn others(self) -> Vec<String> {
        self.others.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
    }

    fn note_others(&self, point: &SummaryPoint) {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let left = QUANTILES_NAMED_MAX.saturating_sub(others.len());
        others.extend(point.quantiles.iter().take(left).map(|(quantile, _)| quantile.to_string()));
    }
}

impl Evaluation for SummaryQuantiles {
    type Point = SummaryPoint;
    type Cell = LevelCell;

    fn add(&self, _: &Series, points: &[SummaryPoint], row: &mut Row<'_, LevelCell>) {
        let level = |point: &SummaryPoint| {
            let same = |(quantile, _): &&(f64, f64)| (quantile - self.levels.quantile).abs() < 1e-9;
            let value = point.quantiles.iter().find(same).map(|(_, value)| Value::Double(*value));
            NumberPoint::new(point.tally.head, value)
        };
        points.last().into_iter().for_each(|newest| self.note_others(newest));
        let points: Vec<NumberPoint> = points.iter().map(level).collect();
        self.levels.add(&points, row);
    }

    fn value(&self, cell: &LevelCell, _: usize) -> Option<f64> {
        cell.value(Function::Avg, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::changes::Head;

    fn point(time: i64, value: Option<f64>) -> NumberPoint {
        NumberPoint::new(Head::new(time, None, value.is_none()), value.map(Value::Double))
    }

    #[test]
    fn levels_hold_and_end() {
        let steps = Steps::covering(0, 60, Some(10), 100).expect("steps");
        // Points as (time, value); expected as (step, points, mean, last).
        let check = |points: &[(i64, Option<f64>)], look_back: i64, expect: &[(usize, u64, f64, f64)]| {
            let points: Vec<NumberPoint> = points.iter().map(|(time, value)| point(*time, *value)).collect();
            let mut found = Vec::new();
            levels(&points, &steps, look_back, |step, level| {
                found.push((step, level.points, level.mean(), level.last));
            });
            assert_eq!(found, expect, "{points:?}");
        };
        let some = Some;
        check(&[], 30, &[]);
        check(&[(5, some(1.0)), (8, some(3.0))], 10, &[(0, 2, 2.0, 3.0), (1, 0, 3.0, 3.0)]);
        // A single point holds for the look-back.
        check(&[(5, some(1.0))], 30, &[(0, 1, 1.0, 1.0), (1, 0, 1.0, 1.0), (2, 0, 1.0, 1.0), (3, 0, 1.0, 1.0)]);
        // It holds until the next one.
        check(
            &[(5, some(1.0)), (35, some(2.0)), (55, some(4.0))],
            30,
            &[
                (0, 1, 1.0, 1.0),
                (1, 0, 1.0, 1.0),
                (2, 0, 1.0, 1.0),
                (3, 1, 2.0, 2.0),
                (4, 0, 2.0, 2.0),
                (5, 1, 4.0, 4.0),
            ],
        );
        // A series that sends every two ends soon after its last.
        check(
            &[(1, some(1.0)), (3, some(1.0)), (5, some(1.0)), (8, some(1.0))],
            30,
            &[(0, 4, 1.0, 1.0), (1, 0, 1.0, 1.0)],
        );
        // A gap longer than the look-back stays one.
        check(&[(5, some(1.0)), (55, some(2.0))], 12, &[(0, 1, 1.0, 1.0), (1, 0, 1.0, 1.0), (5, 1, 2.0, 2.0)]);
        // A point before the first step holds into it.
        check(&[(-5, some(7.0)), (12, some(1.0))], 18, &[(0, 0, 7.0, 7.0), (1, 1, 1.0, 1.0), (2, 0, 1.0, 1.0)]);
        // No value: it held up to there.
        check(
            &[(5, some(1.0)), (25, None), (55, some(2.0))],
            30,
            &[(0, 1, 1.0, 1.0), (1, 0, 1.0, 1.0), (2, 0, 1.0, 1.0), (5, 1, 2.0, 2.0)],
        );
        check(&[(5, some(1.0)), (6, None), (7, some(3.0)), (9, None)], 30, &[(0, 2, 2.0, 3.0)]);
        // A step's own point counts, though an earlier one held into it.
        check(&[(5, some(1.0)), (13, None), (17, some(3.0)), (19, None)], 30, &[(0, 1, 1.0, 1.0), (1, 1, 3.0, 3.0)]);
        // NaN is no value.
        check(&[(5, some(f64::NAN)), (15, some(3.0)), (16, some(f64::NAN))], 30, &[(1, 1, 3.0, 3.0)]);
    }

    #[test]
    fn quantiles_of_levels() {
        let check = |values: &[f64], quantile: f64, expect: Option<f64>| {
            assert_eq!(quantile_of(values, quantile), expect, "{values:?} {quantile}");
        };
        check(&[], 0.5, None);
        check(&[3.0], 0.95, Some(3.0));
        check(&[4.0, 1.0, 2.0, 3.0], 0.5, Some(2.5));
        check(&[4.0, 1.0, 2.0, 3.0], 0.0, Some(1.0));
        check(&[4.0, 1.0, 2.0, 3.0], 1.0, Some(4.0));
    }
}
