//! Log records counted by time and severity.

use std::collections::BTreeMap;

use api::filter::{self, Severity, Target};
use api::{HistogramAnswer, HistogramBucket, UnixNano};
use arrow::array::Array;
use arrow::datatypes::Int32Type;
use model::{Table, TimeRange};
use tables::{Scan, TablesError};

use crate::columns::Columns;
use crate::error::QueryError;
use crate::matcher::Matcher;
use crate::service::{QueryLimits, Question};
use crate::walk::{Matches, Walk};

/// A question for counts.
#[derive(Debug, Clone, Default)]
pub struct LogHistogram {
    /// In the filter language.
    pub query: String,
    /// Times of the records; where an end is open, the records' own.
    pub range: TimeRange,
    /// Most steps.
    pub steps: usize,
}

pub(crate) struct Prepared {
    matcher: Matcher,
    range: TimeRange,
    steps: usize,
}

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

/// Widths a step may have, in seconds; beyond a day, whole days.
pub(crate) const STEP_SECONDS: [i128; 18] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];

pub(crate) fn prepare(ask: LogHistogram, limits: &QueryLimits) -> Result<Prepared, QueryError> {
    let filter = filter::parse(&ask.query, Target::Logs)?;
    if let (Some(start), Some(end)) = (ask.range.start, ask.range.end)
        && start >= end
    {
        return Err(QueryError::invalid("the range ends before it starts"));
    }
    let steps = match ask.steps {
        0 => 60,
        steps => steps.min(limits.steps_max),
    };
    Ok(Prepared { matcher: Matcher::new(&filter, Target::Logs), range: ask.range, steps })
}

/// Steps of equal width that cover a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Steps {
    start: i128,
    step: i128,
    count: usize,
}

impl Steps {
    /// The narrowest steps of which no more than `count_max` cover `[start, end)`, aligned to their width.
    fn covering(start: i64, end: i64, count_max: usize) -> Steps {
        let (start, end) = (i128::from(start), i128::from(end).max(i128::from(start) + 1));
        let aligned = |step: i128| {
            let first = start.div_euclid(step);
            let count = (end - 1).div_euclid(step) - first + 1;
            Steps { start: first * step, step, count: count as usize }
        };
        let nice = STEP_SECONDS.iter().map(|seconds| aligned(seconds * SECOND));
        let days = (2..).map(|days: i128| aligned(days * DAY));
        nice.chain(days).find(|steps| steps.count <= count_max.max(2)).unwrap_or(aligned(DAY))
    }

    fn of(&self, time: i64) -> Option<usize> {
        let step = (i128::from(time) - self.start).div_euclid(self.step);
        usize::try_from(step).ok().filter(|step| *step < self.count)
    }

    fn time(&self, step: usize) -> UnixNano {
        let time = self.start + self.step * step as i128;
        UnixNano(time.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }
}

type Counts = [u64; Severity::ALL.len()];

pub(crate) fn count(question: &Question<'_>, ask: &Prepared, scan: &mut Scan) -> Result<HistogramAnswer, TablesError> {
    let bounds = question.pinned.time_bounds(Table::Logs);
    let start = ask.range.start.or(bounds.map(|(min, _)| min));
    let end = ask.range.end.or(bounds.map(|(_, max)| max.saturating_add(1)));
    let (Some(start), Some(end)) = (start, end) else {
        // Without any record an open range has no width.
        return Ok(HistogramAnswer { step_nano: UnixNano(SECOND as i64), ..HistogramAnswer::default() });
    };
    let end = end.max(start.saturating_add(1));
    let steps = Steps::covering(start, end, ask.steps);
    let walk = Walk {
        table: Table::Logs,
        range: TimeRange::new(start, end),
        matcher: &ask.matcher,
        columns: &["severity_number", "severity_text"],
    };
    let begin = || vec![[0; Severity::ALL.len()]; steps.count];
    let parts = walk.everywhere(question, scan, begin, |counts, found| add(counts, &steps, found))?;
    let mut counts: Vec<Counts> = begin();
    for part in parts {
        for (sum, more) in counts.iter_mut().flatten().zip(part.iter().flatten()) {
            *sum += more;
        }
    }
    let bucket = |(step, counts): (usize, &Counts)| {
        let named = Severity::ALL.iter().zip(counts).filter(|(_, count)| **count > 0);
        let counts: BTreeMap<String, u64> = named.map(|(class, count)| (class.name().to_owned(), *count)).collect();
        HistogramBucket { time_unix_nano: steps.time(step), counts }
    };
    Ok(HistogramAnswer {
        step_nano: UnixNano(steps.step as i64),
        start_unix_nano: steps.time(0),
        end_unix_nano: steps.time(steps.count),
        buckets: counts.iter().enumerate().map(bucket).collect(),
        total: counts.iter().flatten().sum(),
        ..HistogramAnswer::default()
    })
}

fn add(counts: &mut [Counts], steps: &Steps, found: &Matches<'_>) {
    let columns = Columns(found.batch);
    let numbers = columns.numbers::<Int32Type>("severity_number");
    let texts = columns.texts("severity_text");
    // Words are few: what each means is worked out once.
    let mut meanings: Vec<Option<Severity>> = Vec::new();
    for row in found.rows() {
        let Some(step) = steps.of(found.times.value(row)) else { continue };
        let number = numbers.filter(|numbers| numbers.is_valid(row)).map_or(0, |numbers| numbers.value(row));
        let class = match Severity::of_number(number) {
            Severity::Unknown => texts.as_ref().and_then(|texts| {
                let Some(key) = texts.key(row) else { return Severity::of_text(texts.get(row)?) };
                if meanings.len() <= key {
                    meanings.resize(key + 1, None);
                }
                Some(
                    *meanings[key]
                        .get_or_insert_with(|| texts.get(row).and_then(Severity::of_text).unwrap_or(Severity::Unknown)),
                )
            }),
            known => Some(known),
        };
        counts[step][class.unwrap_or(Severity::Unknown) as usize] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_nice_and_few() {
        let second = SECOND as i64;
        let check = |start: i64, end: i64, max: usize, step: i128, count: usize| {
            let steps = Steps::covering(start, end, max);
            assert_eq!((steps.step, steps.count), (step * SECOND, count), "{start} {end} {max}");
            assert!(steps.start <= i128::from(start) && steps.of(start).is_some() && steps.of(end - 1).is_some());
        };
        check(0, 60 * second, 60, 1, 60);
        check(0, 61 * second, 60, 2, 31);
        check(second / 2, 60 * second + second / 2, 60, 2, 31);
        check(0, 900 * second, 60, 15, 60);
        check(0, 3600 * second, 60, 60, 60);
        check(0, 86_400 * second, 60, 1800, 48);
        check(0, 86_400 * second * 100, 60, 2 * 86_400, 50);
        check(5, 6, 60, 1, 1);
        check(-10 * second, 10 * second, 60, 1, 20);
        assert!(Steps::covering(i64::MIN, i64::MAX, 60).count <= 60);
    }
}
