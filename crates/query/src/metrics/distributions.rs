//! Histograms and summaries: how many observations came in each step, their sum, and how they were spread.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

use super::amounts::held;
use super::changes::{Accumulated, changes};
use super::evaluate::Evaluation;
use super::explicit::{self, Layout};
use super::exponential::Exponential;
use super::function::Function;
use super::grid::{Cell, Row};
use super::points::Point;
use super::series::Series;
use super::steps::Steps;

/// Observations that came in between two moments, or in a step.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Distribution {
    pub(crate) count: f64,
    /// None where one sender of them does not say.
    pub(crate) sum: Option<f64>,
    /// The least, where every sender says.
    pub(crate) min: Option<f64>,
    /// The most, where every sender says.
    pub(crate) max: Option<f64>,
    /// Buckets with bounds of their own, one for each set of bounds.
    pub(crate) layouts: Vec<Layout>,
    /// Buckets whose bounds grow by a factor.
    pub(crate) exponential: Option<Exponential>,
}

impl Distribution {
    fn scaled(&self, weight: f64) -> Distribution {
        let mut scaled = Distribution {
            count: self.count * weight,
            sum: self.sum.map(|sum| sum * weight),
            min: self.min,
            max: self.max,
            layouts: self.layouts.clone(),
            exponential: self.exponential.as_ref().map(|buckets| buckets.scaled(weight)),
        };
        scaled.layouts.iter_mut().flat_map(|layout| &mut layout.counts).for_each(|count| *count *= weight);
        scaled
    }

    fn add(&mut self, more: &Distribution, weight: f64) {
        // Where nothing came, it says nothing of the extremes.
        if more.count > 0.0 {
            let has_any = self.count > 0.0;
            self.min = if has_any { self.min.zip(more.min).map(|(a, b)| a.min(b)) } else { more.min };
            self.max = if has_any { self.max.zip(more.max).map(|(a, b)| a.max(b)) } else { more.max };
        }
        self.count += more.count * weight;
        self.sum = self.sum.zip(more.sum).map(|(sum, more)| sum + more * weight);
        more.layouts.iter().for_each(|layout| explicit::add(&mut self.layouts, layout, weight));
        match (&mut self.exponential, &more.exponential) {
            (Some(buckets), Some(more)) => buckets.add(more, weight),
            (None, Some(more)) => self.exponential = Some(more.scaled(weight)),
            (_, None) => {}
        }
    }
}

impl Cell for Distribution {
    fn merge(&mut self, other: Distribution) {
        self.add(&other, 1.0);
    }

    fn bytes(&self) -> usize {
        let layouts: usize = self.layouts.iter().map(|layout| size_of::<Layout>() + layout.counts.len() * 8).sum();
        layouts + self.exponential.as_ref().map_or(0, Exponential::bytes)
    }
}

/// Functions of distributions.
pub(crate) struct Distributions<P> {
    pub(crate) steps: Steps,
    pub(crate) look_back: i64,
    pub(crate) function: Function,
    pub(crate) quantile: f64,
    is_part: AtomicBool,
    point: PhantomData<fn() -> P>,
}

impl<P> Distributions<P> {
    pub(crate) fn new(steps: Steps, look_back: i64, function: Function, quantile: f64) -> Distributions<P> {
        Distributions { steps, look_back, function, quantile, is_part: AtomicBool::new(false), point: PhantomData }
    }

    /// Whether a step's quantile leaves out what has other bounds.
    pub(crate) fn is_part(&self) -> bool {
        self.is_part.load(Ordering::Relaxed)
    }

    fn quantile_of(&self, cell: &Distribution, quantile: f64) -> Option<f64> {
        if let Some(buckets) = &cell.exponential {
            return buckets.quantile(quantile);
        }
        let merged = explicit::merge(&cell.layouts)?;
        self.is_part.fetch_or(merged.is_part, Ordering::Relaxed);
        merged.layout.quantile(quantile)
    }
}

impl<P: Point + Accumulated<Change = Distribution>> Evaluation for Distributions<P> {
    type Point = P;
    type Cell = Distribution;

    fn add(&self, series: &Series, points: &[P], row: &mut Row<'_, Distribution>) {
        let mut gather = |from: i64, to: i64, change: &Distribution, weight: f64| {
            self.steps.spread(from, to, |step, share| {
                row.add(step, || change.scaled(share * weight), |sum| sum.add(change, share * weight));
            });
        };
        let mut last = None;
        changes(points, series.temporality, self.look_back, |from, to, change| {
            gather(from, to, &change, 1.0);
            if self.function == Function::Rate {
                last = Some((from, to, change));
            }
        });
        let is_going_on = points.last().is_some_and(|point| !point.head().is_gap);
        if let Some((from, to, change)) = last.filter(|_| is_going_on)
            && let Some((until, share)) = held(&self.steps, from, to)
        {
            gather(to, until, &change, share);
        }
    }

    fn value(&self, cell: &Distribution, step: usize) -> Option<f64> {
        let has_any = cell.count > 0.0;
        match self.function {
            Function::Rate => Some(cell.count / self.steps.seconds(step)),
            Function::Increase | Function::Count => Some(cell.count),
            Function::Sum => cell.sum,
            Function::Avg => cell.sum.filter(|_| has_any).map(|sum| sum / cell.count),
            Function::Min => cell.min.filter(|_| has_any).or_else(|| self.quantile_of(cell, 0.0)),
            Function::Max => cell.max.filter(|_| has_any).or_else(|| self.quantile_of(cell, 1.0)),
            Function::Quantile => self.quantile_of(cell, self.quantile),
            Function::Last => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_are_known_where_all_senders_say() {
        let of = |count: f64, extremes: Option<(f64, f64)>| Distribution {
            count,
            sum: Some(count),
            min: extremes.map(|(min, _)| min),
            max: extremes.map(|(_, max)| max),
            ..Distribution::default()
        };
        let check = |parts: &[Distribution], expect: Option<(f64, f64)>| {
            let (first, others) = parts.split_first().expect("one at least");
            let mut sum = first.clone();
            others.iter().for_each(|other| sum.add(other, 1.0));
            assert_eq!(sum.min.zip(sum.max), expect, "{parts:?}");
            assert_eq!(sum.sum, Some(sum.count));
        };
        check(&[of(1.0, Some((2.0, 3.0))), of(1.0, Some((1.0, 2.5)))], Some((1.0, 3.0)));
        check(&[of(1.0, Some((2.0, 3.0))), of(1.0, None)], None);
        check(&[of(1.0, None), of(1.0, Some((2.0, 3.0)))], None);
        check(&[of(0.0, None), of(1.0, Some((2.0, 3.0)))], Some((2.0, 3.0)));
        check(&[of(1.0, Some((2.0, 3.0))), of(0.0, None)], Some((2.0, 3.0)));
    }
}
