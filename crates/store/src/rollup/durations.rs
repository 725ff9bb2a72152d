//! Durations as counts in log-spaced buckets: seven to a doubling, so that any percentile is within 5 %.
//!
//! Bounds are whole numbers compared without floating point: the same duration falls into the same bucket on every
//! machine, whether a sidecar counts it or a scan. Bucket 0 holds what took no time, or less.

/// Buckets to a doubling.
const PARTS: u16 = 7;

/// Number of buckets.
const BUCKETS: usize = 1 + 63 * PARTS as usize;

/// 2^(63 + k/7) for k from 1 to 6, rounded up: where the parts of a doubling begin.
const BOUNDS: [u64; 6] = [
    10_183_428_346_603_629_347,
    11_243_416_450_733_715_989,
    12_413_738_201_122_729_701,
    13_705_878_173_351_620_645,
    15_132_516_366_888_310_228,
    16_707_652_636_178_719_992,
];

/// The bucket of a duration in nanoseconds.
pub fn duration_bucket(nanos: i64) -> u16 {
    let Ok(value @ 1..) = u64::try_from(nanos) else { return 0 };
    let zeros = value.leading_zeros();
    let mantissa = value << zeros;
    let part = BOUNDS.iter().filter(|bound| mantissa >= **bound).count() as u16;
    1 + (63 - zeros) as u16 * PARTS + part
}

/// The duration that stands for a bucket, in whole nanoseconds: no duration in it is further away than 5 %.
fn bucket_duration(bucket: u16) -> u64 {
    let Some(place) = bucket.checked_sub(1) else { return 0 };
    let bound = |place: u16| {
        let octave = f64::from(place / PARTS);
        let part = usize::from(place % PARTS);
        let mantissa = if part == 0 { 1.0 } else { BOUNDS[part - 1] as f64 / 2_f64.powi(63) };
        mantissa * octave.exp2()
    };
    let (low, high) = (bound(place), bound(place + 1));
    (2.0 * low * high / (low + high)).round() as u64
}

/// How many durations fell into each bucket. Merging is adding, so parts can be counted apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DurationHistogram {
    /// First bucket of `counts`.
    first: u16,
    counts: Vec<u64>,
    total: u64,
}

impl DurationHistogram {
    /// Adds so many durations of a bucket; one beyond the last counts as the last.
    pub fn add(&mut self, bucket: u16, count: u64) {
        let bucket = bucket.min(BUCKETS as u16 - 1);
        if count == 0 {
            return;
        }
        if self.counts.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let missing = usize::from(self.first - bucket);
            self.counts.splice(..0, std::iter::repeat_n(0, missing));
            self.first = bucket;
        }
        let at = usize::from(bucket - self.first);
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += count;
        self.total += count;
    }

    /// Takes one duration of a bucket away again, if there is one.
    pub fn remove(&mut self, bucket: u16) {
        let at = bucket.checked_sub(self.first).map(usize::from);
        if let Some(count) = at.and_then(|at| self.counts.get_mut(at)).filter(|count| **count > 0) {
            *count -= 1;
            self.total -= 1;
        }
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &DurationHistogram) {
        for (at, count) in other.counts.iter().enumerate() {
            self.add(other.first + at as u16, *count);
        }
    }

    /// Durations counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The duration that so many of a thousand do not exceed (nearest rank), within 5 %; none without durations.
    pub fn percentile(&self, per_mille: u64) -> Option<u64> {
        let rank = (u128::from(self.total) * u128::from(per_mille)).div_ceil(1000).max(1) as u64;
        let mut below = 0;
        let at = self.counts.iter().position(|count| {
            below += count;
            below >= rank
        })?;
        (self.total > 0).then(|| bucket_duration(self.first + at as u16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_near(estimate: u64, exact: i64) -> bool {
        // Estimates are whole nanoseconds.
        (estimate as f64 - exact as f64).abs() <= 0.05 * exact as f64 + 0.5
    }

    #[test]
    fn every_duration_is_within_five_per_cent_of_its_bucket() {
        assert_eq!([i64::MIN, -1, 0].map(duration_bucket), [0, 0, 0]);
        assert_eq!(bucket_duration(0), 0);
        let mut random = fastrand::Rng::with_seed(1);
        let many = (0..200_000).map(|_| random.i64(1..) >> random.u32(..63)).filter(|nanos| *nanos > 0);
        let mut before = 0;
        for nanos in 1..100_000 {
            let bucket = duration_bucket(nanos);
            assert!(bucket >= before && is_near(bucket_duration(bucket), nanos), "{nanos}");
            before = bucket;
        }
        for nanos in many.chain([i64::MAX]) {
            let bucket = duration_bucket(nanos);
            assert!(usize::from(bucket) < BUCKETS && is_near(bucket_duration(bucket), nanos), "{nanos}");
        }
    }

    #[test]
    fn percentiles_are_near_the_exact_ones_and_parts_merge() {
        let mut random = fastrand::Rng::with_seed(2);
        for count in [1, 2, 10, 99, 100, 5000] {
            let mut durations: Vec<i64> =
                (0..count).map(|_| 1 + (random.i64(1..1 << 40) >> random.u32(..20))).collect();
            let (mut whole, mut parts) = (DurationHistogram::default(), [const { None }; 3]);
            for (at, nanos) in durations.iter().enumerate() {
                whole.add(duration_bucket(*nanos), 1);
                parts[at % 3].get_or_insert_with(DurationHistogram::default).add(duration_bucket(*nanos), 1);
            }
            let mut merged = DurationHistogram::default();
            parts.iter().flatten().for_each(|part| merged.merge(part));
            assert_eq!(merged, whole);
            durations.sort_unstable();
            for per_mille in [0, 1, 500, 950, 990, 1000] {
                let rank = (count as u64 * per_mille).div_ceil(1000).max(1);
                let exact = durations[rank as usize - 1];
                let estimate = whole.percentile(per_mille).expect("durations");
                assert!(is_near(estimate, exact), "{per_mille} of {count}: {estimate}, exactly {exact}");
            }
        }
        assert_eq!(DurationHistogram::default().percentile(500), None);
    }

    #[test]
    fn what_is_removed_is_gone() {
        let mut histogram = DurationHistogram::default();
        histogram.add(30, 2);
        histogram.add(20, 1);
        [20, 20, 5, 400].into_iter().for_each(|bucket| histogram.remove(bucket));
        assert_eq!((histogram.total(), histogram.percentile(1)), (2, Some(bucket_duration(30))));
        histogram.remove(30);
        histogram.remove(30);
        assert_eq!((histogram.total(), histogram.percentile(500)), (0, None));
    }
}
