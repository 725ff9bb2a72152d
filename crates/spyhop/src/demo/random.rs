//! Chance with a seed.

/// A seeded source of chance.
#[derive(Debug)]
pub(super) struct Random(fastrand::Rng);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(fastrand::Rng::with_seed(seed))
    }

    /// Whether something of this probability happens.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    /// One of `items`, which are not empty.
    pub(super) fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.0.usize(..items.len())]
    }

    /// The place of one of `weights`, which are not all zero.
    pub(super) fn weighted(&mut self, weights: impl Iterator<Item = u32> + Clone) -> usize {
        let mut left = self.0.u32(..weights.clone().sum::<u32>().max(1));
        weights
            .enumerate()
            .find_map(|(place, weight)| {
                let here = left < weight;
                left = left.saturating_sub(weight);
                here.then_some(place)
            })
            .unwrap_or_default()
    }

    /// A duration around `median`, with the long tail that latencies have: log-normal with sigma 0.45.
    pub(super) fn latency_nanos(&mut self, median_micros: u32) -> i64 {
        // The sum of twelve uniform numbers less six is close enough to a normal one.
        let normal: f64 = (0..12).map(|_| self.0.f64()).sum::<f64>() - 6.0;
        (f64::from(median_micros) * 1000.0 * (0.45 * normal).exp()) as i64
    }

    /// The time to the next event of a stream of so many a second.
    pub(super) fn pause_nanos(&mut self, per_second: f64) -> i64 {
        let seconds = -(1.0 - self.0.f64()).ln() / per_second.max(1e-6);
        ((seconds * 1e9) as i64).clamp(1, 60_000_000_000)
    }

    pub(super) fn number(&mut self, range: std::ops::Range<u64>) -> u64 {
        self.0.u64(range)
    }

    pub(super) fn unit(&mut self) -> f64 {
        self.0.f64()
    }

    pub(super) fn trace_id(&mut self) -> u128 {
        self.0.u128(1..)
    }

    pub(super) fn span_id(&mut self) -> u64 {
        self.0.u64(1..)
    }
}
