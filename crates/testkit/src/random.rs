//! Random numbers by seed, in the shapes that telemetry has.

/// A seeded source of numbers.
#[derive(Debug, Clone)]
pub struct Random(fastrand::Rng);

impl Random {
    /// The same numbers for the same seed.
    pub fn new(seed: u64) -> Random {
        Random(fastrand::Rng::with_seed(seed))
    }

    /// Below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end.max(1))
    }

    /// Between 0 and 1.
    pub fn unit(&mut self) -> f64 {
        self.0.f64()
    }

    /// True this often.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Below `end`, small numbers far more often: rank r with weight 1/(r+1)^0.8 or so.
    pub fn skewed(&mut self, end: usize) -> usize {
        // The inverse of the cumulative weight of a power law with exponent 0.8.
        let rank = self.unit().powf(5.0) * end as f64;
        (rank as usize).min(end.saturating_sub(1))
    }

    /// e to the power of a normal deviate.
    pub fn log_normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let (a, b) = (self.unit().max(1e-12), self.unit());
        let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
        (mean + deviation * normal).exp()
    }

    /// Sixteen random bytes, never all zero.
    pub fn trace_id(&mut self) -> [u8; 16] {
        self.0.u128(1..).to_be_bytes()
    }

    /// Eight random bytes, never all zero.
    pub fn span_id(&mut self) -> [u8; 8] {
        self.0.u64(1..).to_be_bytes()
    }

    /// Lower-case hex digits.
    pub fn hex(&mut self, digits: usize) -> String {
        (0..digits).map(|_| char::from(b"0123456789abcdef"[self.below(16)])).collect()
    }
}
