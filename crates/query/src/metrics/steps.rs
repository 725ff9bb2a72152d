//! Equal steps of time, and how what happened between two moments falls into them.

use crate::error::QueryError;
use crate::steps::STEP_SECONDS;

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

/// Steps that a line has at most where its question does not say how wide they are.
pub(crate) const STEPS_WANTED: usize = 240;

/// Steps of equal width, aligned to it. The range asked for may end within the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Steps {
    start: i64,
    step: i64,
    count: usize,
    /// First moment that was not asked for.
    end: i64,
}

impl Steps {
    /// Steps that cover `[start, end)`: of this width, else of the narrowest handy one of which there are few.
    pub(crate) fn covering(start: i64, end: i64, step: Option<i64>, steps_max: usize) -> Result<Steps, QueryError> {
        let end = end.max(start.saturating_add(1));
        let aligned = |step: i128| {
            let first = i128::from(start).div_euclid(step);
            (first * step, (i128::from(end) - 1).div_euclid(step) - first + 1)
        };
        let (step, (first, count)) = match step {
            Some(step) if step < 1 => return Err(QueryError::invalid("a step is at least a nanosecond long")),
            Some(step) => (i128::from(step), aligned(step.into())),
            None => {
                let wanted = STEPS_WANTED.min(steps_max).max(2) as i128;
                let days = (2..).map(|days: i128| days * DAY);
                let mut widths = STEP_SECONDS.iter().map(|seconds| seconds * SECOND).chain(days);
                let fits = widths.find(|step| aligned(*step).1 <= wanted).unwrap_or(DAY);
                (fits, aligned(fits))
            }
        };
        if count > steps_max as i128 {
            return Err(QueryError::invalid(format!(
                "this step makes {count} steps of the range; at most {steps_max} are allowed: take a longer step or a \
                 shorter range"
            )));
        }
        let fit = |time: i128| i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX });
        Ok(Steps { start: fit(first), step: fit(step), count: count as usize, end })
    }

    /// Start of the first step.
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// Width of a step in nanoseconds.
    pub(crate) fn step(&self) -> i64 {
        self.step
    }

    /// How many.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// First moment that was not asked for; it lies in the last step or at its end.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// Start of a step, or with `count` the end of the last.
    pub(crate) fn time(&self, step: usize) -> i64 {
        self.start.saturating_add(self.step.saturating_mul(step as i64))
    }

    /// The part of a step that was asked for, in seconds.
    pub(crate) fn seconds(&self, step: usize) -> f64 {
        let end = self.time(step + 1).min(self.end.max(self.start.saturating_add(1)));
        end.saturating_sub(self.time(step)).max(1) as f64 / 1e9
    }

    /// Number of the step that a time lies in, as if there were steps before the first and after the last.
    pub(crate) fn index(&self, time: i64) -> i64 {
        let index = (i128::from(time) - i128::from(self.start)).div_euclid(self.step.into());
        i64::try_from(index).unwrap_or(if index < 0 { i64::MIN } else { i64::MAX })
    }

    /// The step that a time lies in.
    pub(crate) fn of(&self, time: i64) -> Option<usize> {
        usize::try_from(self.index(time)).ok().filter(|step| *step < self.count)
    }

    /// The steps that begin after the one `from` lies in and before `to`.
    pub(crate) fn between(&self, from: i64, to: i64) -> std::ops::Range<usize> {
        let first = self.index(from).saturating_add(1).clamp(0, self.count as i64) as usize;
        // The last nanosecond before `to` lies in the last step that begins before it.
        let past = self.index(to.saturating_sub(1)).saturating_add(1).clamp(0, self.count as i64) as usize;
        first..past.max(first)
    }

    /// Hands out what share of the time from `from` to `to` lies in each step; all of it in the step of `to` where they
    /// are the same moment.
    pub(crate) fn spread(&self, from: i64, to: i64, mut take: impl FnMut(usize, f64)) {
        if from >= to {
            return self.of(to).into_iter().for_each(|step| take(step, 1.0));
        }
        let length = (i128::from(to) - i128::from(from)) as f64;
        let first = self.index(from).clamp(0, self.count as i64) as usize;
        for step in first..self.count {
            let (begin, end) = (self.time(step).max(from), self.time(step + 1).min(to));
            if self.time(step) >= to {
                break;
            }
            if end > begin {
                take(step, end.saturating_sub(begin) as f64 / length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn widths_are_handy_and_steps_few() {
        let check = |start: i64, end: i64, step: Option<i64>, expect: (i64, i64, usize)| {
            let steps = Steps::covering(start, end, step, 1_000).expect("steps");
            assert_eq!((steps.start, steps.step, steps.count), expect, "{start} {end} {step:?}");
        };
        check(0, 900 * S, None, (0, 5 * S, 180));
        check(0, 3_600 * S, None, (0, 15 * S, 240));
        check(1, 3_600 * S + 1, None, (0, 30 * S, 121));
        check(0, 7 * 86_400 * S, None, (0, 3_600 * S, 168));
        check(61 * S, 130 * S, Some(60 * S), (60 * S, 60 * S, 2));
        check(-5 * S, 5 * S, Some(10 * S), (-10 * S, 10 * S, 2));
        check(5, 5, None, (0, S, 1));
        let many = Steps::covering(0, 86_400 * S, Some(S), 1_000).expect_err("too many");
        assert!(many.to_string().contains("86400 steps"), "{many}");
        assert!(Steps::covering(0, 1_000 * S, Some(S), 1_000).is_ok());
        assert!(Steps::covering(0, 1_001 * S, Some(S), 1_000).is_err());
        assert!(Steps::covering(0, S, Some(0), 1_000).is_err());
        assert!(Steps::covering(i64::MIN, i64::MAX, None, 1_000).is_ok_and(|steps| steps.count <= STEPS_WANTED));
    }

    #[test]
    fn time_is_spread_by_overlap() {
        let steps = Steps::covering(0, 40, Some(10), 100).expect("steps");
        let check = |from: i64, to: i64, expect: &[(usize, f64)]| {
            let mut found = Vec::new();
            steps.spread(from, to, |step, share| found.push((step, share)));
            assert_eq!(found, expect, "{from} {to}");
        };
        check(0, 10, &[(0, 1.0)]);
        check(5, 25, &[(0, 0.25), (1, 0.5), (2, 0.25)]);
        check(-10, 10, &[(0, 0.5)]);
        check(35, 45, &[(3, 0.5)]);
        check(-9, -1, &[]);
        check(40, 50, &[]);
        check(12, 12, &[(1, 1.0)]);
        check(40, 40, &[]);
        check(-1_000, 1_000, &[(0, 0.005), (1, 0.005), (2, 0.005), (3, 0.005)]);
    }

    #[test]
    fn steps_between_two_times() {
        let steps = Steps::covering(0, 40, Some(10), 100).expect("steps");
        let check = |from: i64, to: i64, expect: std::ops::Range<usize>| {
            assert_eq!(steps.between(from, to), expect, "{from} {to}");
        };
        check(5, 25, 1..3);
        check(5, 20, 1..2);
        check(5, 9, 1..1);
        check(-100, 15, 0..2);
        check(35, 100, 4..4);
        check(25, 100, 3..4);
        assert_eq!(steps.seconds(0), 10e-9);
        let partial = Steps::covering(0, 35, Some(10), 100).expect("steps");
        assert_eq!((partial.count(), partial.seconds(3), partial.end()), (4, 5e-9, 35));
    }
}
