//! Histograms with bounds of their own: counts in buckets `(…, bound]`, the last one without an end.

use std::sync::Arc;

/// Counts in the buckets between some bounds: one more than there are bounds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    pub(crate) bounds: Arc<[f64]>,
    pub(crate) counts: Vec<f64>,
}

/// What several layouts amount to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Merged {
    pub(crate) layout: Layout,
    /// Whether some of what was counted is left out, because its bounds do not fit the others'.
    pub(crate) is_part: bool,
}

impl Layout {
    /// As the only one of a list; a histogram without buckets has none.
    pub(crate) fn into_list(self) -> Vec<Layout> {
        let is_valid = self.counts.len() == self.bounds.len() + 1 && !self.bounds.is_empty();
        if is_valid { vec![self] } else { Vec::new() }
    }

    fn total(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// The same counts between fewer bounds, all of which are among its own: exact.
    fn coarsened(&self, bounds: &Arc<[f64]>) -> Layout {
        let mut counts = vec![0.0; bounds.len() + 1];
        for (bucket, count) in self.counts.iter().enumerate() {
            // The bucket ends at its bound, so it lies in the first one that ends no earlier.
            let at = match self.bounds.get(bucket) {
                Some(end) => bounds.partition_point(|bound| bound < end),
                None => bounds.len(),
            };
            counts[at] += count;
        }
        Layout { bounds: Arc::clone(bounds), counts }
    }

    /// The value that this share of what was counted does not exceed: interpolated within its bucket as though values
    /// lay evenly there, beginning at zero where the first bound is above it. What lies beyond the last bound is said
    /// to lie at it.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<f64> {
        let rank = quantile * self.total();
        let mut below = 0.0;
        let last_full = self.counts.iter().rposition(|count| *count > 0.0)?;
        for (bucket, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            // Shares of counts do not add up to the last digit: the last bucket with any takes what is left.
            if below + count < rank && bucket < last_full {
                below += count;
                continue;
            }
            let Some(end) = self.bounds.get(bucket) else { return self.bounds.last().copied() };
            let start = match bucket {
                0 if *end <= 0.0 => return Some(*end),
                0 => 0.0,
                _ => self.bounds[bucket - 1],
            };
            return Some(start + (end - start) * ((rank - below) / count).clamp(0.0, 1.0));
        }
        None
    }
}

/// Adds counts to those of the same bounds.
pub(crate) fn add(layouts: &mut Vec<Layout>, more: &Layout, weight: f64) {
    let same =
        layouts.iter_mut().find(|layout| Arc::ptr_eq(&layout.bounds, &more.bounds) || (*layout.bounds == *more.bounds));
    match same {
        Some(layout) => layout.counts.iter_mut().zip(&more.counts).for_each(|(sum, more)| *sum += more * weight),
        None => layouts.push(Layout {
            bounds: Arc::clone(&more.bounds),
            counts: more.counts.iter().map(|count| count * weight).collect(),
        }),
    }
}

/// Layouts as one: between the bounds they share, where those are at least half of each one's; else the one with the
/// most in it.
pub(crate) fn merge(layouts: &[Layout]) -> Option<Merged> {
    let (first, others) = layouts.split_first()?;
    if others.is_empty() {
        return Some(Merged { layout: first.clone(), is_part: false });
    }
    let is_shared = |bound: &f64| others.iter().all(|layout| layout.bounds.contains(bound));
    let shared: Arc<[f64]> = first.bounds.iter().copied().filter(is_shared).collect();
    if layouts.iter().all(|layout| 2 * shared.len() >= layout.bounds.len()) {
        let mut layout = first.coarsened(&shared);
        for other in others {
            let other = other.coarsened(&shared);
            layout.counts.iter_mut().zip(other.counts).for_each(|(sum, more)| *sum += more);
        }
        return Some(Merged { layout, is_part: false });
    }
    let most = layouts.iter().max_by(|a, b| a.total().total_cmp(&b.total()))?;
    let is_part = layouts.iter().filter(|layout| layout.total() > 0.0).count() > 1;
    Some(Merged { layout: most.clone(), is_part })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(bounds: &[f64], counts: &[f64]) -> Layout {
        Layout { bounds: bounds.into(), counts: counts.to_vec() }
    }

    #[test]
    fn quantiles_are_interpolated() {
        let check = |bounds: &[f64], counts: &[f64], quantile: f64, expect: Option<f64>| {
            let found = layout(bounds, counts).quantile(quantile);
            let is_near = found.zip(expect).is_some_and(|(a, b)| (a - b).abs() < 1e-9);
            assert!(found == expect || is_near, "{bounds:?} {counts:?} {quantile}: {found:?}, not {expect:?}");
        };
        let bounds = [1.0, 2.0, 4.0];
        check(&bounds, &[10.0, 0.0, 0.0, 0.0], 0.5, Some(0.5));
        check(&bounds, &[0.0, 10.0, 0.0, 0.0], 0.5, Some(1.5));
        check(&bounds, &[10.0, 10.0, 10.0, 10.0], 0.5, Some(2.0));
        check(&bounds, &[10.0, 10.0, 10.0, 10.0], 0.6, Some(2.8));
        check(&bounds, &[10.0, 10.0, 10.0, 10.0], 0.75, Some(4.0));
        // Beyond the last bound nobody knows.
        check(&bounds, &[10.0, 10.0, 10.0, 10.0], 0.95, Some(4.0));
        check(&bounds, &[0.0, 0.0, 0.0, 3.0], 0.1, Some(4.0));
        check(&bounds, &[0.0, 0.0, 0.0, 0.0], 0.5, None);
        check(&bounds, &[0.0, 0.0, 5.0, 0.0], 0.0, Some(2.0));
        check(&bounds, &[0.0, 0.0, 5.0, 0.0], 1.0, Some(4.0));
        // Negative bounds: the first bucket has no start.
        check(&[-2.0, -1.0], &[4.0, 4.0, 0.0], 0.25, Some(-2.0));
        check(&[-2.0, -1.0], &[4.0, 4.0, 0.0], 0.75, Some(-1.5));
        check(&[0.0, 5.0], &[4.0, 4.0, 0.0], 0.5, Some(0.0));
        // Thirds and tenths do not add up exactly.
        check(&bounds, &[0.1, 0.1, 0.1, 0.0], 1.0, Some(4.0));
        assert!(layout(&[], &[5.0]).into_list().is_empty());
        assert!(layout(&[1.0], &[5.0]).into_list().is_empty());
        assert_eq!(layout(&[1.0], &[5.0, 1.0]).into_list().len(), 1);
    }

    #[test]
    fn layouts_merge_where_it_makes_sense() {
        let check = |layouts: &[Layout], expect: Layout, is_part: bool| {
            assert_eq!(merge(layouts), Some(Merged { layout: expect, is_part }), "{layouts:?}");
        };
        let fine = layout(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0, 5.0]);
        check(std::slice::from_ref(&fine), fine.clone(), false);
        let coarse = layout(&[2.0, 4.0], &[10.0, 20.0, 30.0]);
        check(&[fine.clone(), coarse.clone()], layout(&[2.0, 4.0], &[13.0, 27.0, 35.0]), false);
        check(&[coarse.clone(), fine.clone()], layout(&[2.0, 4.0], &[13.0, 27.0, 35.0]), false);
        let other = layout(&[1.5, 4.0, 8.0, 9.0], &[1.0, 1.0, 1.0, 1.0, 1.0]);
        check(&[fine.clone(), other.clone()], fine.clone(), true);
        let empty = layout(&[1.5, 4.0, 8.0, 9.0], &[0.0; 5]);
        check(&[fine.clone(), empty], fine.clone(), false);
        assert_eq!(merge(&[]), None);
    }

    #[test]
    fn counts_of_the_same_bounds_add_up() {
        let mut layouts = Vec::new();
        add(&mut layouts, &layout(&[1.0], &[2.0, 4.0]), 0.5);
        add(&mut layouts, &layout(&[1.0], &[1.0, 1.0]), 1.0);
        add(&mut layouts, &layout(&[2.0], &[1.0, 1.0]), 1.0);
        assert_eq!(layouts, [layout(&[1.0], &[2.0, 3.0]), layout(&[2.0], &[1.0, 1.0])]);
    }
}
