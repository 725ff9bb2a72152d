//! Steps of equal width that cover a range of time.

use api::{StepRange, UnixNano};

pub(crate) const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

/// Widths a step may have, in seconds; beyond a day, whole days. From a minute on, all are whole minutes.
pub(crate) const STEP_SECONDS: [i128; 18] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];

/// The narrowest steps that counts by minute can fill, in seconds.
pub(crate) const MINUTE_SECONDS: i128 = 60;

/// Steps of equal width that cover a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) start: i128,
    pub(crate) step: i128,
    pub(crate) count: usize,
}

impl Steps {
    /// The narrowest steps of which no more than `count_max` cover `[start, end)`, aligned to their width, which is
    /// at least so many seconds.
    pub(crate) fn covering(start: i64, end: i64, count_max: usize, seconds_min: i128) -> Steps {
        let (start, end) = (i128::from(start), i128::from(end).max(i128::from(start) + 1));
        let aligned = |step: i128| {
            let first = start.div_euclid(step);
            let count = (end - 1).div_euclid(step) - first + 1;
            Steps { start: first * step, step, count: count as usize }
        };
        let nice = STEP_SECONDS.iter().filter(|seconds| **seconds >= seconds_min);
        let nice = nice.map(|seconds| aligned(seconds * SECOND));
        let days = (2..).map(|days: i128| aligned(days * DAY));
        nice.chain(days).find(|steps| steps.count <= count_max.max(2)).unwrap_or(aligned(DAY))
    }

    /// The step that holds a time.
    pub(crate) fn of(&self, time: i64) -> Option<usize> {
        let step = (i128::from(time) - self.start).div_euclid(self.step);
        usize::try_from(step).ok().filter(|step| *step < self.count)
    }

    /// Where a step begins.
    pub(crate) fn time(&self, step: usize) -> UnixNano {
        let time = self.start + self.step * step as i128;
        UnixNano(time.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }

    /// Whether every step is whole minutes.
    pub(crate) fn are_minutes(&self) -> bool {
        self.step >= MINUTE_SECONDS * SECOND
    }

    /// The steps as answers show them.
    pub(crate) fn range(&self) -> StepRange {
        StepRange {
            step_nano: UnixNano(self.step as i64),
            start_unix_nano: self.time(0),
            end_unix_nano: self.time(self.count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_nice_and_few() {
        let second = SECOND as i64;
        let check = |start: i64, end: i64, max: usize, seconds_min: i128, step: i128, count: usize| {
            let steps = Steps::covering(start, end, max, seconds_min);
            assert_eq!((steps.step, steps.count), (step * SECOND, count), "{start} {end} {max}");
            assert!(steps.start <= i128::from(start) && steps.of(start).is_some() && steps.of(end - 1).is_some());
            assert_eq!(steps.are_minutes(), step >= 60);
        };
        check(0, 60 * second, 60, 1, 1, 60);
        check(0, 61 * second, 60, 1, 2, 31);
        check(second / 2, 60 * second + second / 2, 60, 1, 2, 31);
        check(0, 900 * second, 60, 1, 15, 60);
        check(0, 900 * second, 60, MINUTE_SECONDS, 60, 15);
        check(0, 3600 * second, 60, 1, 60, 60);
        check(0, 86_400 * second, 60, 1, 1800, 48);
        check(0, 86_400 * second * 100, 60, 1, 2 * 86_400, 50);
        check(5, 6, 60, 1, 1, 1);
        check(5, 6, 60, MINUTE_SECONDS, 60, 1);
        check(-10 * second, 10 * second, 60, 1, 1, 20);
        assert!(Steps::covering(i64::MIN, i64::MAX, 60, 1).count <= 60);
    }
}
