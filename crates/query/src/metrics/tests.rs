//! What functions make of random points, against brute force that goes nanosecond by nanosecond and step by step.

use std::sync::Arc;

use super::amounts::Amounts;
use super::changes::Head;
use super::distributions::Distributions;
use super::evaluate::Evaluation;
use super::function::{Function, MetricKind, Temporality};
use super::grid::Grid;
use super::levels::{Level, Levels, levels};
use super::points::{HistogramPoint, NumberPoint, Tally, Value};
use super::series::Series;
use super::steps::Steps;

const LOOK_BACK: i64 = 30;
const STEP: i64 = 10;
const STEPS: usize = 20;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as i64) % bound
    }
}

/// A point as the brute force sees it: no value is a gap.
#[derive(Debug, Clone, Copy)]
struct Raw {
    time: i64,
    start: Option<i64>,
    value: Option<i64>,
}

impl Raw {
    fn head(&self) -> Head {
        Head::new(self.time, self.start, self.value.is_none())
    }

    fn number(&self) -> NumberPoint {
        NumberPoint::new(self.head(), self.value.map(Value::Int))
    }
}

/// A counter that is started anew now and then, whose points come at odd times and are sometimes missing.
fn counter(random: &mut Random) -> Vec<Raw> {
    let knows_start = random.below(2) == 0;
    let (mut time, mut value) = (random.below(60) - LOOK_BACK, random.below(50));
    let mut start = time - random.below(80) - 1;
    let mut points = Vec::new();
    while time < STEP * STEPS as i64 {
        let is_gap = random.below(12) == 0;
        // A start of zero is one that was not sent.
        let start_sent = Some(start).filter(|start| knows_start && *start != 0);
        points.push(Raw { time, start: start_sent, value: (!is_gap).then_some(value) });
        let before = time;
        let interval_max = if random.below(10) == 0 { 90 } else { 14 };
        time += 1 + random.below(interval_max);
        match random.below(9) {
            0 => {
                start = before + 1 + random.below(time - before);
                value = random.below(40);
            }
            _ => value += random.below(30),
        }
    }
    points
}

/// What came in each nanosecond, by the rules as `changes` states them.
fn by_nanosecond(points: &[Raw], temporality: Temporality) -> impl Fn(i64) -> f64 {
    let mut pieces: Vec<(i64, i64, f64)> = Vec::new();
    for (at, point) in points.iter().enumerate() {
        let (Some(value), start) = (point.value, point.start.filter(|start| *start < point.time)) else { continue };
        let before = points[..at].iter().rposition(|point| point.value.is_some());
        let is_apart = before.is_some_and(|before| before + 1 < at || point.time - points[before].time > LOOK_BACK);
        let before = before.map(|before| points[before]);
        let recent = start.filter(|start| point.time - start <= LOOK_BACK);
        if temporality == Temporality::Delta {
            let since_before = before.filter(|_| !is_apart).map(|before| before.time);
            pieces.push((start.or(since_before).unwrap_or(point.time), point.time, value as f64));
            continue;
        }
        let piece = match before {
            None => recent.map(|start| (start, value)),
            Some(before) => {
                let restarted =
                    before.start.filter(|start| *start < before.time).zip(start).is_some_and(|(a, b)| a != b);
                match (restarted || value < before.value.unwrap_or(0), is_apart) {
                    (false, false) => Some((before.time, value - before.value.unwrap_or(0))),
                    (false, true) => None,
                    (true, false) => Some((start.unwrap_or(before.time).max(before.time), value)),
                    (true, true) => recent.map(|start| (start.max(before.time), value)),
                }
            }
        };
        pieces.extend(piece.map(|(from, amount)| (from, point.time, amount as f64)));
    }
    move |nanosecond| {
        let share = |(from, to, amount): &(i64, i64, f64)| match from == to {
            true => {
                if *to == nanosecond {
                    *amount
                } else {
                    0.0
                }
            }
            false if (*from..*to).contains(&nanosecond) => amount / (to - from) as f64,
            false => 0.0,
        };
        pieces.iter().map(share).sum()
    }
}

fn series(monotonic: bool, temporality: Temporality) -> Series {
    Series::made(7, temporality, monotonic)
}

fn steps() -> Steps {
    Steps::covering(0, STEP * STEPS as i64, Some(STEP), 100).expect("steps")
}

fn values<E: Evaluation>(evaluation: &E, series: &Series, points: &[Vec<E::Point>]) -> Vec<Option<f64>> {
    let mut grid = Grid::new(1, STEPS);
    for points in points {
        evaluation.add(series, points, &mut grid.row(0));
    }
    let cells = grid.groups().next().expect("one group");
    cells.iter().enumerate().map(|(step, cell)| evaluation.value(cell.as_ref()?, step)).collect()
}

fn assert_near(found: &[Option<f64>], expect: &[f64], what: &dyn std::fmt::Debug) {
    for (step, (found, expect)) in found.iter().zip(expect).enumerate() {
        let found = found.unwrap_or(0.0);
        assert!((found - expect).abs() < 1e-6, "step {step}: {found}, not {expect}: {what:?}");
    }
}

#[test]
fn increases_are_what_came_in_each_nanosecond() {
    let mut random = Random(1);
    for round in 0..400 {
        let temporality = [Temporality::Cumulative, Temporality::Delta][round % 2];
        let of_series: Vec<Vec<Raw>> = (0..1 + random.below(3)).map(|_| counter(&mut random)).collect();
        let evaluation = Amounts { steps: steps(), look_back: LOOK_BACK, kind: MetricKind::Sum, is_rate: false };
        let points: Vec<Vec<NumberPoint>> =
            of_series.iter().map(|points| points.iter().map(Raw::number).collect()).collect();
        let found = values(&evaluation, &series(true, temporality), &points);
        let came: Vec<_> = of_series.iter().map(|points| by_nanosecond(points, temporality)).collect();
        let in_step = |step: i64| -> f64 {
            let nanoseconds = step * STEP..(step + 1) * STEP;
            nanoseconds.map(|at| came.iter().map(|came| came(at)).sum::<f64>()).sum()
        };
        let expect: Vec<f64> = (0..STEPS as i64).map(in_step).collect();
        assert_near(&found, &expect, &of_series);
    }
}

/// Histograms are counters of observations: their count comes out as a counter of the same values does.
#[test]
fn histograms_count_as_counters_do() {
    let mut random = Random(2);
    let bounds: Arc<[f64]> = Arc::from([1.0, 2.0]);
    for round in 0..200 {
        let temporality = [Temporality::Cumulative, Temporality::Delta][round % 2];
        let points = counter(&mut random);
        let histogram = |raw: &Raw| HistogramPoint {
            tally: Tally {
                head: raw.head(),
                count: raw.value.unwrap_or(0) as u64,
                sum: raw.value.map(|value| value as f64 * 2.0),
                min: None,
                max: None,
            },
            bounds: Arc::clone(&bounds),
            counts: vec![0, raw.value.unwrap_or(0) as u64, 0],
        };
        let histograms: Vec<HistogramPoint> = points.iter().map(histogram).collect();
        let numbers: Vec<NumberPoint> = points.iter().map(Raw::number).collect();
        let series = series(true, temporality);
        for (function, factor) in [(Function::Increase, 1.0), (Function::Count, 1.0), (Function::Sum, 2.0)] {
            let evaluation = Distributions::new(steps(), LOOK_BACK, function, 0.5);
            let found = values(&evaluation, &series, std::slice::from_ref(&histograms));
            let counter = Amounts { steps: steps(), look_back: LOOK_BACK, kind: MetricKind::Sum, is_rate: false };
            let expect = values(&counter, &series, std::slice::from_ref(&numbers));
            let expect: Vec<f64> = expect.iter().map(|value| value.unwrap_or(0.0) * factor).collect();
            assert_near(&found, &expect, &points);
        }
        let rates = Distributions::new(steps(), LOOK_BACK, Function::Rate, 0.5);
        let found = values(&rates, &series, std::slice::from_ref(&histograms));
        let counter = Amounts { steps: steps(), look_back: LOOK_BACK, kind: MetricKind::Sum, is_rate: true };
        let expect = values(&counter, &series, std::slice::from_ref(&numbers));
        let expect: Vec<f64> = expect.iter().map(|value| value.unwrap_or(0.0)).collect();
        let scale = 1.0 / expect.iter().copied().fold(1.0, f64::max);
        let scaled: Vec<Option<f64>> = found.iter().map(|value| value.map(|value| value * scale)).collect();
        assert_near(&scaled, &expect.iter().map(|value| value * scale).collect::<Vec<f64>>(), &points);
        let median = Distributions::new(steps(), LOOK_BACK, Function::Quantile, 0.5);
        let found = values(&median, &series, std::slice::from_ref(&histograms));
        assert!(found.iter().flatten().all(|value| (value - 1.5).abs() < 1e-9), "{found:?}");
    }
}

/// A step's level is the mean of its points, else the last point before it, while that holds.
fn level_of(points: &[Raw], step: i64) -> Option<(u64, f64)> {
    let (begin, end) = (step * STEP, (step + 1) * STEP);
    let inside: Vec<f64> = points
        .iter()
        .filter(|point| (begin..end).contains(&point.time))
        .filter_map(|point| point.value.map(|value| value as f64))
        .collect();
    if !inside.is_empty() {
        return Some((inside.len() as u64, inside.iter().sum::<f64>() / inside.len() as f64));
    }
    let before = points.iter().rposition(|point| point.time < begin)?;
    let value = points[before].value?;
    let since = before.checked_sub(1).filter(|earlier| points[*earlier].value.is_some());
    let reach = since.map_or(LOOK_BACK, |earlier| (2 * (points[before].time - points[earlier].time)).min(LOOK_BACK));
    let next = points.get(before + 1).map(|next| next.time);
    let until = match next {
        Some(next) if next - points[before].time <= LOOK_BACK => next,
        next => (points[before].time + reach).min(next.unwrap_or(i64::MAX)),
    };
    (begin < until).then_some((0, value as f64))
}

#[test]
fn levels_are_what_a_look_back_from_each_step_finds() {
    let mut random = Random(3);
    for _ in 0..400 {
        let raw = counter(&mut random);
        let points: Vec<NumberPoint> = raw.iter().map(Raw::number).collect();
        let mut found: Vec<Option<Level>> = vec![None; STEPS];
        levels(&points, &steps(), LOOK_BACK, |step, level| {
            assert_eq!(found[step].replace(level), None, "a step is handed out once");
        });
        let found: Vec<Option<(u64, f64)>> =
            found.iter().map(|level| level.map(|level| (level.points, level.mean()))).collect();
        let expect: Vec<Option<(u64, f64)>> = (0..STEPS as i64).map(|step| level_of(&raw, step)).collect();
        assert_eq!(found, expect, "{raw:?}");
    }
}

#[test]
fn groups_of_levels() {
    let check = |function: Function, expect: [Option<f64>; 2]| {
        let points = [&[(1, 2.0), (3, 4.0)][..], &[(5, 10.0)], &[(2, -1.0), (12, 7.0)]];
        let points: Vec<Vec<NumberPoint>> = points
            .iter()
            .map(|points| {
                let point = |(time, value): &(i64, f64)| {
                    NumberPoint::new(Head::new(*time, None, false), Some(Value::Double(*value)))
                };
                points.iter().map(point).collect()
            })
            .collect();
        let evaluation = Levels { steps: steps(), look_back: 5, function, quantile: 0.5 };
        let found = values(&evaluation, &series(false, Temporality::Cumulative), &points);
        assert_eq!(found[..2], expect, "{function:?}");
    };
    check(Function::Avg, [Some(4.0), Some(7.0)]);
    check(Function::Sum, [Some(12.0), Some(7.0)]);
    check(Function::Min, [Some(-1.0), Some(7.0)]);
    check(Function::Max, [Some(10.0), Some(7.0)]);
    check(Function::Last, [Some(10.0), Some(7.0)]);
    check(Function::Count, [Some(4.0), Some(1.0)]);
    check(Function::Quantile, [Some(3.0), Some(7.0)]);
}

#[test]
fn histograms_with_other_bounds_are_merged_or_said_to_be_left_out() {
    let check = |layouts: &[(&[f64], &[u64])], expect: Option<f64>, is_part: bool| {
        let point = |(bounds, counts): &(&[f64], &[u64])| {
            let tally = Tally {
                head: Head::new(5, Some(1), false),
                count: counts.iter().sum(),
                sum: None,
                min: None,
                max: None,
            };
            vec![HistogramPoint { tally, bounds: Arc::from(*bounds), counts: counts.to_vec() }]
        };
        let points: Vec<Vec<HistogramPoint>> = layouts.iter().map(point).collect();
        let evaluation = Distributions::new(steps(), LOOK_BACK, Function::Quantile, 0.5);
        let found = values(&evaluation, &series(true, Temporality::Delta), &points);
        assert_eq!((found[0], evaluation.is_part()), (expect, is_part), "{layouts:?}");
    };
    check(&[(&[1.0, 2.0], &[0, 4, 0]), (&[1.0, 2.0], &[0, 4, 0])], Some(1.5), false);
    check(&[(&[1.0, 2.0, 4.0], &[0, 4, 0, 0]), (&[1.0, 2.0], &[0, 4, 0])], Some(1.5), false);
    check(&[(&[1.0, 2.0], &[0, 4, 0]), (&[3.0, 5.0], &[0, 40, 0])], Some(4.0), true);
    check(&[(&[], &[])], None, false);
}

/// A bound on buckets that a sender changes on the way is a new beginning, not a difference.
#[test]
fn bounds_that_change_begin_anew() {
    let point = |time: i64, bounds: &[f64], counts: &[u64]| {
        let count = counts.iter().sum();
        let tally = Tally { head: Head::new(time, Some(-90), false), count, sum: None, min: None, max: None };
        HistogramPoint { tally, bounds: Arc::from(bounds), counts: counts.to_vec() }
    };
    let points = vec![point(1, &[1.0], &[5, 5]), point(5, &[1.0], &[6, 6]), point(9, &[2.0], &[3, 4])];
    let evaluation = Distributions::new(steps(), LOOK_BACK, Function::Increase, 0.5);
    let found = values(&evaluation, &series(true, Temporality::Cumulative), &[points]);
    assert_eq!(found[0], Some(2.0 + 7.0));
}

#[test]
fn rates_are_by_second_and_go_on_to_the_end_of_the_range() {
    let second = 1_000_000_000;
    let check = |points: &[(i64, i64)], end: i64, expect: &[Option<f64>]| {
        let steps = Steps::covering(0, end * second, Some(10 * second), 100).expect("steps");
        let evaluation = Amounts { steps: steps.clone(), look_back: 60 * second, kind: MetricKind::Sum, is_rate: true };
        let points: Vec<NumberPoint> = points
            .iter()
            .map(|(time, value)| NumberPoint::new(Head::new(time * second, None, false), Some(Value::Int(*value))))
            .collect();
        let mut grid = Grid::new(1, steps.count());
        evaluation.add(&series(true, Temporality::Cumulative), &points, &mut grid.row(0));
        let cells = grid.groups().next().expect("one group").iter().enumerate();
        let found: Vec<Option<f64>> = cells
            .map(|(step, cell)| evaluation.value(cell.as_ref()?, step).map(|rate| (rate * 1e6).round() / 1e6))
            .collect();
        assert_eq!(found, expect, "{points:?}");
    };
    // Two a second, sent every 20 seconds: no step shows that the sender reports at moments of its own.
    let steady = [(-20, 0), (0, 40), (20, 80), (40, 120)];
    check(&steady, 55, &[Some(2.0), Some(2.0), Some(2.0), Some(2.0), Some(2.0), Some(2.0)]);
    // It has not reported for more than two intervals: it has ended.
    check(&steady, 80, &[Some(2.0), Some(2.0), Some(2.0), Some(2.0), None, None, None, None]);
    check(&[(0, 5), (10, 5)], 10, &[Some(0.0)]);
    check(&[(0, 5)], 10, &[None]);
}

#[test]
fn whole_numbers_are_subtracted_exactly() {
    let large = i64::MAX - 3;
    let points = [(0, large), (10, large + 1), (20, large + 3)];
    let points: Vec<NumberPoint> = points
        .iter()
        .map(|(time, value)| NumberPoint::new(Head::new(*time, None, false), Some(Value::Int(*value))))
        .collect();
    let evaluation = Amounts { steps: steps(), look_back: LOOK_BACK, kind: MetricKind::Sum, is_rate: false };
    let found = values(&evaluation, &series(true, Temporality::Cumulative), &[points]);
    assert_eq!(found[..3], [Some(1.0), Some(2.0), None]);
}
