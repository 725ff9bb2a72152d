//! Seeing the wall clock jump against the steady one: what is old by a clock that jumped may be young.

use std::time::{Duration, Instant};

/// Watches the wall clock for jumps of some size.
#[derive(Debug)]
pub(crate) struct Clock {
    steady: Instant,
    wall: i64,
    /// Jumps, forwards or back, of more than this are seen.
    jump_nanos: i64,
    /// How long it is not trusted after one.
    hold: Duration,
    distrusted_until: Option<Instant>,
}

/// What a look at the clock found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Whether times of the wall clock may be compared with earlier ones now.
    pub is_trusted: bool,
    /// The seconds it has just jumped by.
    pub jumped_seconds: Option<i64>,
}

impl Clock {
    /// Begins to watch.
    pub fn new(steady: Instant, wall: i64, jump: Duration, hold: Duration) -> Clock {
        let jump_nanos = i64::try_from(jump.as_nanos()).unwrap_or(i64::MAX);
        Clock { steady, wall, jump_nanos, hold, distrusted_until: None }
    }

    /// Compares both clocks with the last look.
    pub fn look(&mut self, steady: Instant, wall: i64) -> Look {
        let passed = i64::try_from(steady.duration_since(self.steady).as_nanos()).unwrap_or(i64::MAX);
        let jump = wall.saturating_sub(self.wall).saturating_sub(passed);
        (self.steady, self.wall) = (steady, wall);
        let has_jumped = jump.saturating_abs() > self.jump_nanos;
        if has_jumped {
            self.distrusted_until = Some(steady + self.hold);
        }
        Look {
            is_trusted: self.distrusted_until.is_none_or(|until| steady >= until),
            jumped_seconds: has_jumped.then_some(jump / 1_000_000_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_is_not_trusted_for_a_while() {
        let start = Instant::now();
        let mut clock = Clock::new(start, 0, Duration::from_secs(60), Duration::from_secs(900));
        let mut check = |seconds: u64, wall_seconds: i64, is_trusted: bool, jumped_seconds: Option<i64>| {
            let look = clock.look(start + Duration::from_secs(seconds), wall_seconds * 1_000_000_000);
            assert_eq!(look, Look { is_trusted, jumped_seconds }, "{seconds}");
        };
        check(10, 10, true, None);
        check(70, 130, true, None);
        check(80, 3800, false, Some(3660));
        check(979, 4699, false, None);
        check(980, 4700, true, None);
        check(990, -50, false, Some(-4760));
    }
}
