//! Counters: how much came in, in each step, and how fast.

use super::changes::changes;
use super::evaluate::Evaluation;
use super::function::{MetricKind, Temporality};
use super::grid::Row;
use super::points::{Growing, Moving, NumberPoint};
use super::series::Series;
use super::steps::Steps;

/// Rate or increase of numbers.
pub(crate) struct Amounts {
    pub(crate) steps: Steps,
    pub(crate) look_back: i64,
    pub(crate) kind: MetricKind,
    /// By second, not in all.
    pub(crate) is_rate: bool,
}

impl Amounts {
    fn each_change(&self, series: &Series, points: &[NumberPoint], take: impl FnMut(i64, i64, f64)) {
        if self.kind == MetricKind::Sum && (series.monotonic || series.temporality == Temporality::Delta) {
            let points: Vec<Growing<'_>> = points.iter().map(Growing).collect();
            changes(&points, series.temporality, self.look_back, take);
        } else {
            let points: Vec<Moving<'_>> = points.iter().map(Moving).collect();
            changes(&points, Temporality::Cumulative, self.look_back, take);
        }
    }
}

impl Evaluation for Amounts {
    type Point = NumberPoint;
    type Cell = f64;

    fn add(&self, series: &Series, points: &[NumberPoint], row: &mut Row<'_, f64>) {
        let mut gather = |from: i64, to: i64, amount: f64| {
            self.steps.spread(from, to, |step, share| row.add(step, || amount * share, |sum| *sum += amount * share));
        };
        let mut last = None;
        self.each_change(series, points, |from, to, amount| {
            gather(from, to, amount);
            last = Some((from, to, amount));
        });
        let is_going_on = points.last().is_some_and(|point| point.value.is_some());
        if let Some((from, to, amount)) = last.filter(|_| self.is_rate && is_going_on)
            && let Some((until, share)) = held(&self.steps, from, to)
        {
            gather(to, until, amount * share);
        }
    }

    fn value(&self, cell: &f64, step: usize) -> Option<f64> {
        Some(if self.is_rate { cell / self.steps.seconds(step) } else { *cell })
    }
}

/// How far a rate is believed to go on beyond the last point, and what share of the last change that makes. Senders
/// report at moments of their own: without this, every line of a sum would fall towards its end. It goes on for as long
/// as the last change took, and only where the next point may still be under way when the range ends.
pub(crate) fn held(steps: &Steps, from: i64, to: i64) -> Option<(i64, f64)> {
    let length = to.saturating_sub(from);
    let end = steps.end();
    let is_under_way = length > 0 && to < end && to.saturating_add(length.saturating_mul(2)) > end;
    let until = to.saturating_add(length).min(end);
    is_under_way.then(|| (until, (until - to) as f64 / length as f64))
}
