//! Failed spans as samples: read from where the counts say they lie.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use api::{ErrorSample, Span};
use arrow::array::Array;
use arrow::datatypes::Int32Type;
use model::TimeRange;
use serde_json::Value;
use store::rollup::MINUTE_NANOS;
use tables::{Scan, TablesError, Unit};

use super::STATUS_ERROR;
use super::totals::FailedPlace;
use crate::by_minute::read_rows;
use crate::columns::Columns;
use crate::records::{Origins, SpanRows};
use crate::service::Question;

/// Columns that a sample is made of.
const SAMPLE_COLUMNS: [&str; 11] = [
    "start_time",
    "time_absent",
    "duration_nanos",
    "trace_id",
    "span_id",
    "name",
    "status_code",
    "status_message",
    "exception_type",
    "attributes",
    "events",
];

/// The samples at these places, in no order.
pub(super) fn samples(
    question: &Question<'_>,
    units: &[Unit],
    places: impl IntoIterator<Item = FailedPlace>,
    scan: &mut Scan,
) -> Result<BTreeMap<FailedPlace, ErrorSample>, TablesError> {
    let mut by_unit: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for place in places {
        by_unit.entry(place.unit).or_default().insert(place.row as usize);
    }
    let mut found = BTreeMap::new();
    for (number, rows) in by_unit {
        let Some(unit) = units.get(number) else { continue };
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for row in rows.into_iter().filter(|row| *row < unit.rows) {
            match ranges.last_mut() {
                Some(last) if last.end == row => last.end = row + 1,
                _ => ranges.push(row..row + 1),
            }
        }
        let open = question.engine.open_unit(unit, scan)?;
        let mut unit_rows = ranges.iter().cloned().flatten();
        let read = open.read(&SAMPLE_COLUMNS, &ranges, scan, |batch, positions, _| {
            let mut spans = SpanRows::new(batch);
            for (row, unit_row) in unit_rows.by_ref().take(positions.len()).enumerate() {
                found.insert(FailedPlace { unit: number, row: unit_row as u64 }, sample(&whole(&mut spans, row)));
            }
            Ok(())
        });
        scan.without_damage(read)?;
    }
    Ok(found)
}

/// Newest first; at the same time by ids, so that the order is always the same.
pub(super) fn sort_newest_first(samples: &mut [ErrorSample]) {
    samples.sort_by(|a, b| {
        let ids = |sample: &ErrorSample| (sample.trace_id.clone(), sample.span_id.clone());
        b.time_unix_nano.cmp(&a.time_unix_nano).then_with(|| ids(a).cmp(&ids(b)))
    });
}

/// A span as answers show it. Samples are few, so they take the way through the JSON that traces are written as.
fn whole(spans: &mut SpanRows<'_>, row: usize) -> Span {
    let mut json = Vec::new();
    spans.write(row, &mut Origins::new(false), &mut json);
    serde_json::from_slice(&json).unwrap_or_default()
}

fn sample(span: &Span) -> ErrorSample {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    // The last exception is the one that ended the span.
    let event = span.events.iter().rev().find(|event| event.name == "exception");
    let attribute = |key: &str| {
        let of_span = text(span.attributes.get(key));
        if of_span.is_empty() { text(event.and_then(|event| event.attributes.get(key))) } else { of_span }
    };
    let message =
        if span.status.message.is_empty() { attribute("exception.message") } else { span.status.message.clone() };
    ErrorSample {
        time_unix_nano: span.start_time_unix_nano,
        operation: span.name.clone(),
        exception_type: attribute("exception.type"),
        message,
        trace_id: Some(span.trace_id.clone()),
        span_id: Some(span.span_id.clone()),
    }
}

/// The newest failed spans of a service, given how many it has by minute and unit.
pub(super) fn newest(
    question: &Question<'_>,
    units: &[Unit],
    (service, range): (&str, &TimeRange),
    failed_minutes: &BTreeMap<(i64, usize), u64>,
    count: usize,
    scan: &mut Scan,
) -> Result<Vec<ErrorSample>, TablesError> {
    let Some(since) = since_minute(failed_minutes, count as u64) else { return Ok(Vec::new()) };
    let since_time = since.saturating_mul(MINUTE_NANOS);
    let range =
        TimeRange { start: Some(range.start.map_or(since_time, |start| start.max(since_time))), end: range.end };
    let numbers: BTreeSet<usize> = failed_minutes.range((since, 0)..).map(|((_, unit), _)| *unit).collect();
    let mut found: Vec<Candidate> = Vec::new();
    for number in numbers {
        let Some(unit) = units.get(number) else { continue };
        scan.deadline.check()?;
        let columns = ["start_time", "service_name", "status_code", "trace_id", "span_id"];
        let read = read_rows(question, unit, &range, &columns, scan, |batch, unit_rows| {
            let columns = Columns(batch);
            let (Some(times), Some(statuses)) =
                (columns.times("start_time"), columns.numbers::<Int32Type>("status_code"))
            else {
                return;
            };
            let names = columns.texts("service_name");
            for (row, time) in times.values().iter().enumerate() {
                let is_failed = statuses.is_valid(row) && statuses.value(row) == STATUS_ERROR && range.contains(*time);
                let is_its = || names.as_ref().and_then(|names| names.get(row)).unwrap_or_default() == service;
                if is_failed && is_its() {
                    let id = |name: &str| columns.ids(name).map(|ids| ids.value(row).to_vec()).unwrap_or_default();
                    let place = FailedPlace { unit: number, row: unit_rows[row] as u64 };
                    found.push((std::cmp::Reverse(*time), id("trace_id"), id("span_id"), place));
                }
            }
            keep_newest(&mut found, count);
        });
        scan.without_damage(read)?;
    }
    let mut samples: Vec<ErrorSample> =
        samples(question, units, found.into_iter().map(|candidate| candidate.3), scan)?.into_values().collect();
    sort_newest_first(&mut samples);
    Ok(samples)
}

/// Time, trace, span, place.
type Candidate = (std::cmp::Reverse<i64>, Vec<u8>, Vec<u8>, FailedPlace);

fn keep_newest(found: &mut Vec<Candidate>, count: usize) {
    found.sort_unstable();
    found.truncate(count);
}

/// The latest minute since which there are so many failures; the first where there are fewer.
fn since_minute(failed_minutes: &BTreeMap<(i64, usize), u64>, count: u64) -> Option<i64> {
    let mut sum = 0;
    let enough = failed_minutes.iter().rev().find(|(_, failures)| {
        sum += **failures;
        sum >= count
    });
    enough.or(failed_minutes.first_key_value()).map(|((minute, _), _)| *minute)
}

/// The best of some samples: the newest.
pub(super) fn newest_of(samples: &BTreeMap<FailedPlace, ErrorSample>, places: &[FailedPlace]) -> Option<ErrorSample> {
    let mut found: Vec<ErrorSample> = places.iter().filter_map(|place| samples.get(place).cloned()).collect();
    sort_newest_first(&mut found);
    found.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_minutes_are_looked_at_as_hold_enough_failures() {
        let check = |minutes: &[(i64, usize, u64)], count: u64, expect: Option<i64>| {
            let minutes = minutes.iter().map(|(minute, unit, failures)| ((*minute, *unit), *failures)).collect();
            assert_eq!(since_minute(&minutes, count), expect);
        };
        check(&[], 10, None);
        check(&[(5, 0, 3)], 10, Some(5));
        check(&[(5, 0, 3), (6, 0, 4), (6, 1, 4), (9, 1, 2)], 2, Some(9));
        check(&[(5, 0, 3), (6, 0, 4), (6, 1, 4), (9, 1, 2)], 3, Some(6));
        check(&[(5, 0, 3), (6, 0, 4), (6, 1, 4), (9, 1, 2)], 11, Some(5));
    }
}
