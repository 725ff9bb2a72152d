//! Exponential histograms: bucket `i` counts `(base^i, base^(i+1)]`, with `base = 2^(2^-scale)`; what is nearer to zero
//! than a threshold lies in a bucket of its own, what is negative in mirrored ones.
//!
//! Two histograms are merged at the coarser of their scales: each step down joins two buckets into one, exactly. So
//! many buckets lie between the least and the greatest that a histogram would grow without end: it is made coarser
//! until there are no more than [`BUCKETS_MAX`] (I7).

/// Most buckets of one side.
pub(crate) const BUCKETS_MAX: usize = 320;

/// Scales beyond these say no more: at the lowest all positive doubles lie in two buckets, at the highest two neighbouring
/// doubles lie apart.
const SCALES: std::ops::RangeInclusive<i32> = -12..=60;

/// Buckets of one side; those before the first and after the last are empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Buckets {
    offset: i64,
    counts: Vec<f64>,
}

/// Counts of one or more exponential histograms.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exponential {
    scale: i32,
    zero_count: f64,
    zero_threshold: f64,
    positive: Buckets,
    negative: Buckets,
}

impl Buckets {
    /// Buckets from this one on; empty ones at the ends are left out.
    pub(crate) fn new(offset: i32, counts: impl Iterator<Item = f64>) -> Buckets {
        let mut buckets = Buckets { offset: offset.into(), counts: counts.collect() };
        let full = buckets.counts.iter().rposition(|count| *count != 0.0).map_or(0, |last| last + 1);
        buckets.counts.truncate(full);
        let empty = buckets.counts.iter().position(|count| *count != 0.0).unwrap_or(0);
        buckets.counts.drain(..empty);
        buckets.offset += empty as i64;
        buckets
    }

    /// First bucket and the one past the last.
    fn bounds(&self) -> Option<(i64, i64)> {
        (!self.counts.is_empty()).then(|| (self.offset, self.offset + self.counts.len() as i64))
    }

    /// The same counts so many scales coarser.
    fn coarsened(&mut self, by: u32) {
        let Some((first, past)) = self.bounds() else { return };
        if by == 0 {
            return;
        }
        let by = by.min(62);
        let offset = first >> by;
        let mut counts = vec![0.0; (((past - 1) >> by) - offset + 1) as usize];
        for (at, count) in self.counts.iter().enumerate() {
            counts[(((first + at as i64) >> by) - offset) as usize] += count;
        }
        *self = Buckets { offset, counts };
    }

    /// Adds counts of the same scale.
    fn add(&mut self, more: &Buckets, weight: f64) {
        let Some((first, past)) = more.bounds() else { return };
        let (now_first, now_past) = self.bounds().unwrap_or((first, first));
        let offset = first.min(now_first);
        if offset < now_first || self.counts.is_empty() {
            self.counts.splice(..0, std::iter::repeat_n(0.0, (now_first - offset) as usize));
            self.offset = offset;
        }
        self.counts.resize((past.max(now_past) - offset) as usize, 0.0);
        for (at, count) in more.counts.iter().enumerate() {
            self.counts[(first - offset) as usize + at] += count * weight;
        }
    }

    fn total(&self) -> f64 {
        self.counts.iter().sum()
    }
}

/// How many buckets these two would have together.
fn width(a: &Buckets, b: &Buckets) -> usize {
    match (a.bounds(), b.bounds()) {
        (Some(a), Some(b)) => (a.1.max(b.1) - a.0.min(b.0)) as usize,
        (one, other) => one.or(other).map_or(0, |(first, past)| (past - first) as usize),
    }
}

impl Exponential {
    pub(crate) fn new(
        scale: i32,
        zero_count: f64,
        zero_threshold: f64,
        positive: Buckets,
        negative: Buckets,
    ) -> Exponential {
        let mut made = Exponential { scale, zero_count, zero_threshold, positive, negative };
        made.coarsen_to(*SCALES.end());
        made.scale = made.scale.max(*SCALES.start());
        if made.positive.counts.len().max(made.negative.counts.len()) > BUCKETS_MAX {
            made.coarsen_to(made.common_scale(&made));
        }
        made
    }

    fn coarsen_to(&mut self, scale: i32) {
        let by = self.scale.saturating_sub(scale).max(0) as u32;
        self.positive.coarsened(by);
        self.negative.coarsened(by);
        self.scale = self.scale.min(scale);
    }

    /// The finest scale at which both together have few enough buckets.
    fn common_scale(&self, other: &Exponential) -> i32 {
        let scale = self.scale.min(other.scale);
        let (mut a, mut b) = (self.clone(), other.clone());
        a.coarsen_to(scale);
        b.coarsen_to(scale);
        let mut scale = scale;
        // It ends: coarse enough, every bucket is the one on this side of one or the one on that.
        while width(&a.positive, &b.positive).max(width(&a.negative, &b.negative)) > BUCKETS_MAX {
            scale -= 1;
            a.coarsen_to(scale);
            b.coarsen_to(scale);
        }
        scale
    }

    /// Adds what another has counted.
    pub(crate) fn add(&mut self, more: &Exponential, weight: f64) {
        let is_fitting = |a: &Buckets, b: &Buckets| width(a, b) <= BUCKETS_MAX;
        let mut coarse;
        let mut more = more;
        if self.scale != more.scale
            || !is_fitting(&self.positive, &more.positive)
            || !is_fitting(&self.negative, &more.negative)
        {
            let scale = self.common_scale(more);
            self.coarsen_to(scale);
            coarse = more.clone();
            coarse.coarsen_to(scale);
            more = &coarse;
        }
        self.positive.add(&more.positive, weight);
        self.negative.add(&more.negative, weight);
        self.zero_count += more.zero_count * weight;
        self.zero_threshold = self.zero_threshold.max(more.zero_threshold);
    }

    /// The same, so much of it.
    pub(crate) fn scaled(&self, weight: f64) -> Exponential {
        let mut scaled = self.clone();
        let counts = scaled.positive.counts.iter_mut().chain(&mut scaled.negative.counts);
        counts.for_each(|count| *count *= weight);
        scaled.zero_count *= weight;
        scaled
    }

    /// What came since an earlier point. Where the sender has made its zero bucket wider in between, other buckets have
    /// less than before: none came then.
    pub(crate) fn since(&self, before: &Exponential) -> Exponential {
        let mut since = self.clone();
        since.add(before, -1.0);
        let counts = since.positive.counts.iter_mut().chain(&mut since.negative.counts);
        counts.for_each(|count| *count = count.max(0.0));
        since.zero_count = since.zero_count.max(0.0);
        since
    }

    /// Bytes it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Exponential>() + (self.positive.counts.len() + self.negative.counts.len()) * 8
    }

    /// Distance from zero at a place among the buckets: `index` is where one begins, and what is between two lies as
    /// far between them as factors go.
    fn distance(&self, index: f64) -> f64 {
        if index == 0.0 {
            return 1.0;
        }
        (index * f64::exp2(-f64::from(self.scale))).exp2()
    }

    /// The value that this share of what was counted does not exceed; interpolated within its bucket by factors, within
    /// the one around zero evenly.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<f64> {
        let total = self.negative.total() + self.zero_count + self.positive.total();
        if total <= 0.0 {
            return None;
        }
        let rank = quantile * total;
        let mut below = 0.0;
        let mut last = None;
        // The place of the rank in the bucket, from 0 to 1; none where it lies in a later one.
        let mut place = |count: f64| -> Option<f64> {
            let here = (count > 0.0 && below + count >= rank).then(|| ((rank - below) / count).clamp(0.0, 1.0));
            below += count;
            here
        };
        for (at, count) in self.negative.counts.iter().enumerate().rev().filter(|(_, count)| **count > 0.0) {
            let index = (self.negative.offset + at as i64) as f64;
            if let Some(place) = place(*count) {
                return Some(-self.distance(index + 1.0 - place));
            }
            last = Some(-self.distance(index));
        }
        if self.zero_count > 0.0 {
            let low = if self.negative.counts.is_empty() { 0.0 } else { -self.zero_threshold };
            let high = if self.positive.counts.is_empty() { 0.0 } else { self.zero_threshold };
            if let Some(place) = place(self.zero_count) {
                return Some(low + (high - low) * place);
            }
            last = Some(high);
        }
        for (at, count) in self.positive.counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            let index = (self.positive.offset + at as i64) as f64;
            if let Some(place) = place(*count) {
                return Some(self.distance(index + place));
            }
            last = Some(self.distance(index + 1.0));
        }
        // Shares of counts do not add up to the last digit.
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scale: i32, zero: f64, positive: (i32, &[f64]), negative: (i32, &[f64])) -> Exponential {
        let buckets = |(offset, counts): (i32, &[f64])| Buckets::new(offset, counts.iter().copied());
        Exponential::new(scale, zero, 0.5, buckets(positive), buckets(negative))
    }

    const NONE: (i32, &[f64]) = (0, &[]);

    #[test]
    fn quantiles_are_interpolated_by_factors() {
        let check = |exponential: &Exponential, quantile: f64, expect: Option<f64>| {
            let found = exponential.quantile(quantile);
            let is_near = found.zip(expect).is_some_and(|(a, b)| (a - b).abs() < 1e-9 * b.abs().max(1.0));
            assert!(found == expect || is_near, "{exponential:?} {quantile}: {found:?}, not {expect:?}");
        };
        // Scale 0: (1, 2], (2, 4], (4, 8].
        let plain = of(0, 0.0, (0, &[2.0, 4.0, 2.0]), NONE);
        check(&plain, 0.25, Some(2.0));
        check(&plain, 0.5, Some(2.0 * 2.0_f64.sqrt()));
        check(&plain, 0.75, Some(4.0));
        check(&plain, 1.0, Some(8.0));
        check(&plain, 0.0, Some(1.0));
        // Scale 1: the factor is the root of two; scale -1: it is four.
        check(&of(1, 0.0, (2, &[1.0]), NONE), 1.0, Some(2.0_f64.powf(1.5)));
        check(&of(-1, 0.0, (1, &[1.0]), NONE), 0.5, Some(8.0));
        // Around zero.
        check(&of(0, 4.0, NONE, NONE), 0.5, Some(0.0));
        check(&of(0, 4.0, (0, &[4.0]), NONE), 0.25, Some(0.25));
        check(&of(0, 4.0, (0, &[1.0]), (0, &[3.0])), 0.625, Some(0.0));
        // Below zero the greatest distance comes first.
        let both = of(0, 0.0, (0, &[2.0]), (0, &[2.0, 4.0]));
        check(&both, 0.0, Some(-4.0));
        check(&both, 0.25, Some(-2.0 * 2.0_f64.sqrt()));
        check(&both, 0.5, Some(-2.0));
        check(&both, 0.75, Some(-1.0));
        check(&of(0, 0.0, NONE, NONE), 0.5, None);
        check(&of(0, 0.0, (0, &[0.0, 0.0]), NONE), 0.5, None);
    }

    #[test]
    fn histograms_merge_at_the_coarser_scale() {
        let mut fine = of(1, 1.0, (-3, &[1.0, 2.0, 3.0, 4.0]), NONE);
        fine.add(&of(0, 2.0, (-1, &[10.0, 20.0]), (5, &[7.0])), 0.5);
        // At scale 0 the buckets -3, -2, -1 and 0 are -2, -1, -1 and 0.
        let expect = of(0, 2.0, (-2, &[1.0, 10.0, 14.0]), (5, &[3.5]));
        assert_eq!(fine, expect);
        let mut empty = of(3, 0.0, NONE, NONE);
        empty.add(&expect, 1.0);
        assert_eq!(empty, expect);
    }

    #[test]
    fn differences_are_never_negative() {
        let now = of(1, 3.0, (0, &[5.0, 6.0]), NONE);
        let before = of(1, 1.0, (0, &[5.0, 2.0]), NONE);
        assert_eq!(now.since(&before).positive, Buckets { offset: 0, counts: vec![0.0, 4.0] });
        assert_eq!(now.since(&before).zero_count, 2.0);
        let wider = of(1, 9.0, (1, &[6.0]), NONE);
        let since = wider.since(&before);
        assert!(since.positive.counts.iter().all(|count| *count >= 0.0), "{since:?}");
        // The earlier point may have been finer.
        let coarse = of(0, 1.0, (0, &[9.0]), NONE);
        assert_eq!(coarse.since(&before).positive.total(), 2.0);
    }

    #[test]
    fn it_stays_small_whatever_is_sent() {
        for scale in [i32::MIN, -20, 0, 20, i32::MAX] {
            let mut sum = of(scale, 0.0, (i32::MIN, &[1.0]), (i32::MAX, &[1.0, 1.0]));
            sum.add(&of(20, 0.0, (i32::MAX, &[1.0; 400]), NONE), 1.0);
            sum.add(&of(0, 0.0, (0, &[1.0; 1000]), (i32::MIN, &[1.0])), 1.0);
            assert!(width(&sum.positive, &sum.positive) <= BUCKETS_MAX, "{scale}: {}", sum.positive.counts.len());
            assert!(width(&sum.negative, &sum.negative) <= BUCKETS_MAX, "{scale}");
            assert_eq!(sum.positive.total() + sum.negative.total(), 1404.0, "{scale}");
            assert!(sum.quantile(0.5).is_some_and(|value| !value.is_nan()), "{scale}: {sum:?}");
        }
    }
}
