//! Log records counted by time and severity.

use std::collections::BTreeMap;

use api::filter::{self, Severity, Target};
use api::{HistogramAnswer, HistogramBucket, UnixNano};
use arrow::array::Array;
use arrow::datatypes::Int32Type;
use model::{Table, TimeRange};
use store::rollup::MINUTE_NANOS;
use tables::{Scan, TablesError};

use crate::by_minute::log_pieces;
use crate::columns::Columns;
use crate::error::QueryError;
use crate::matcher::Matcher;
use crate::service::{QueryLimits, Question};
use crate::side_by_side::each_unit;
use crate::steps::{SECOND, Steps};
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
    let steps = Steps::covering(start, end, ask.steps, 1);
    let range = TimeRange::new(start, end);
    let parts = match steps.are_minutes() && ask.matcher.is_about_services() {
        true => by_minute(question, ask, range, &steps, scan)?,
        false => by_row(question, ask, range, &steps, scan)?,
    };
    let mut counts: Vec<Counts> = no_counts(&steps);
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

fn no_counts(steps: &Steps) -> Vec<Counts> {
    vec![[0; Severity::ALL.len()]; steps.count]
}

/// Counts of matching rows.
fn by_row(
    question: &Question<'_>,
    ask: &Prepared,
    range: TimeRange,
    steps: &Steps,
    scan: &mut Scan,
) -> Result<Vec<Vec<Counts>>, TablesError> {
    let columns = &["severity_number", "severity_text"];
    let walk = Walk { table: Table::Logs, range, matcher: &ask.matcher, columns };
    walk.everywhere(question, scan, || no_counts(steps), |counts, found| add(counts, steps, found))
}

/// The same for a filter that looks at no more than the service, from what files hold by minute.
fn by_minute(
    question: &Question<'_>,
    ask: &Prepared,
    range: TimeRange,
    steps: &Steps,
    scan: &mut Scan,
) -> Result<Vec<Vec<Counts>>, TablesError> {
    let units = question.engine.units(question.pinned, Table::Logs, &range, scan);
    each_unit(
        question,
        &units,
        scan,
        || no_counts(steps),
        |counts, unit, scan| {
            log_pieces(question, unit, &range, scan, &mut |piece| {
                let is_wanted = ask.matcher.services(piece.rollup.services());
                for cell in piece.rollup.cells().iter().filter(|cell| piece.holds(cell.minute)) {
                    let service = piece.rollup.instances()[cell.instance as usize].service;
                    let step = steps.of(cell.minute.saturating_mul(MINUTE_NANOS));
                    if let Some(step) = step.filter(|_| is_wanted[service as usize]) {
                        counts[step].iter_mut().zip(cell.counts).for_each(|(sum, more)| *sum += u64::from(more));
                    }
                }
            })
        },
    )
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
