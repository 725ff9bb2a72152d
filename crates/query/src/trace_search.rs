//! Recent traces with simple filters.
//!
//! A trace is found by a span of it that starts in the range and meets every condition on spans: the filter, service,
//! operation, failed or not. The conditions on duration are on the trace as a whole. Traces come in the order of the
//! latest start among their matching spans, newest first: the order in which walking back in time finds them. A cursor
//! is such a time and a trace id; a trace met again behind the cursor is recognised by its own latest start.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};

use api::filter::{Bound, Field, Filter, Interval, Number, Target, Test};
use api::{TraceSearchAnswer, TraceSummary, UnixNano, filter};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use model::{SpanId, Table, TimeRange, TraceId};
use tables::{Scan, TablesError, TraceColumns};

use crate::columns::Columns;
use crate::error::QueryError;
use crate::log_search::Direction;
use crate::matcher::{Matcher, field_is};
use crate::service::{QueryLimits, Question};
use crate::services::STATUS_ERROR;
use crate::walk::{Finder, Hits, Walk};

/// A question for traces.
#[derive(Debug, Clone, Default)]
pub struct TraceSearch {
    /// In the filter language, of spans.
    pub query: String,
    /// Start times of the matching spans.
    pub range: TimeRange,
    /// Traces on a page.
    pub limit: usize,
    /// Where the page begins: `next_cursor` of the answer before.
    pub cursor: Option<String>,
    /// Shortest trace, in nanoseconds.
    pub duration_min: Option<i64>,
    /// Longest trace, in nanoseconds.
    pub duration_max: Option<i64>,
    /// Service of the matching span.
    pub service: Option<String>,
    /// Name of the matching span.
    pub operation: Option<String>,
    /// Only spans with status error match.
    pub errors_only: bool,
}

pub(crate) struct Prepared {
    matcher: Matcher,
    range: TimeRange,
    limit: usize,
    cursor: Option<Place>,
    duration_min: Option<i64>,
    duration_max: Option<i64>,
}

/// A trace's place in the order; the order runs down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    time: i64,
    id: TraceId,
}

/// Most spans that are read for the summaries of 256 traces.
const SPANS_MAX: usize = 4_000_000;

/// Most traces whose summaries are made for one page.
const SUMMARIES_MAX: usize = 20_000;

impl Place {
    fn print(self) -> String {
        format!("{}.{}", self.time, self.id)
    }

    fn parse(text: &str) -> Option<Place> {
        let (time, id) = text.split_once('.')?;
        Some(Place { time: time.parse().ok()?, id: id.parse().ok()? })
    }
}

pub(crate) fn prepare(search: TraceSearch, limits: &QueryLimits) -> Result<Prepared, QueryError> {
    let mut matcher = Matcher::new(&filter::parse(&search.query, Target::Spans)?, Target::Spans);
    let mut demand = |condition: Filter| matcher = matcher.clone().and(Matcher::new(&condition, Target::Spans));
    if let Some(service) = &search.service {
        demand(field_is(Field::Service, service));
    }
    if let Some(operation) = &search.operation {
        demand(field_is(Field::Name, operation));
    }
    if search.errors_only {
        let error = Interval::only(Number::Integer(STATUS_ERROR.into()));
        demand(Filter::Field(Field::Status, Test::Within(error)));
    }
    if let Some(max) = search.duration_max {
        // No span of a short trace is long.
        let interval = Interval { low: Bound::None, high: Bound::Included(Number::Integer(max)) };
        demand(Filter::Field(Field::Duration, Test::Within(interval)));
    }
    let cursor = match &search.cursor {
        Some(text) => Some(Place::parse(text).ok_or_else(|| QueryError::invalid("this cursor is none of ours"))?),
        None => None,
    };
    let limit = match search.limit {
        0 => 20,
        limit => limit.min(limits.page_records_max.min(500)),
    };
    Ok(Prepared {
        matcher,
        range: search.range,
        limit,
        cursor,
        duration_min: search.duration_min,
        duration_max: search.duration_max,
    })
}

/// The traces with the latest matching spans at or before a place.
struct Latest<'a> {
    keep: usize,
    /// Traces already dealt with.
    known: &'a HashSet<TraceId>,
    before: Option<Place>,
    times: HashMap<TraceId, i64>,
    /// The `keep` latest times of different traces, earliest on top; as of the last tidying.
    bound: Option<i64>,
    tidy_at: usize,
}

impl Latest<'_> {
    /// Forgets what cannot be among the latest any more.
    fn tidy(&mut self) {
        let mut latest: BinaryHeap<std::cmp::Reverse<i64>> = BinaryHeap::new();
        for time in self.times.values() {
            latest.push(std::cmp::Reverse(*time));
            if latest.len() > self.keep {
                latest.pop();
            }
        }
        if latest.len() >= self.keep
            && let Some(std::cmp::Reverse(bound)) = latest.peek()
        {
            self.bound = Some(*bound);
            let bound = *bound;
            self.times.retain(|_, time| *time >= bound);
        }
        self.tidy_at = 2 * self.times.len() + 4 * self.keep + 256;
    }
}

impl Finder for Latest<'_> {
    fn bound(&self) -> Option<i64> {
        self.bound
    }

    fn take(&mut self, hits: Hits, _scan: &mut Scan) -> Result<(), TablesError> {
        let columns = Columns(&hits.batch);
        let (Some(ids), Some(times)) = (columns.ids("trace_id"), columns.times("start_time")) else { return Ok(()) };
        for (row, time) in times.values().iter().copied().enumerate() {
            if self.bound.is_some_and(|bound| time < bound) || ids.is_null(row) {
                continue;
            }
            let Ok(bytes) = <[u8; 16]>::try_from(ids.value(row)) else { continue };
            let id = TraceId(bytes);
            if self.before.is_some_and(|before| Place { time, id } >= before) || self.known.contains(&id) {
                continue;
            }
            let latest = self.times.entry(id).or_insert(time);
            *latest = time.max(*latest);
        }
        if self.times.len() >= self.tidy_at || (self.bound.is_none() && self.times.len() >= self.keep) {
            self.tidy();
        }
        Ok(())
    }
}

pub(crate) fn search(
    question: &Question<'_>,
    search: &Prepared,
    scan: &mut Scan,
) -> Result<TraceSearchAnswer, TablesError> {
    let mut known = HashSet::new();
    let mut before = search.cursor;
    let mut found: Vec<(Place, TraceSummary)> = Vec::new();
    let mut keep = search.limit + 1;
    loop {
        let places = next_places(question, search, keep, before, &known, scan)?;
        let is_last = places.len() < keep;
        let summaries = summaries(question, search, &places, scan)?;
        for place in &places {
            known.insert(place.id);
            let Some(summary) = summaries.get(&place.id) else { continue };
            // A trace whose latest matching span lies before the cursor in the order was on an earlier page.
            let is_new = summary.latest.is_none_or(|time| time == place.time);
            if is_new && fits(&summary.summary, search) {
                found.push((*place, summary.summary.clone()));
            }
        }
        before = places.last().copied().or(before);
        if is_last || found.len() > search.limit {
            break;
        }
        if known.len() > SUMMARIES_MAX {
            scan.note(format!("the {SUMMARIES_MAX} newest traces that match were looked at"));
            break;
        }
        // Few pass: look at more at once.
        keep = (keep * 2).min(1_000);
    }
    // Each round counted the files anew.
    scan.cost.files_total = question.pinned.files(Table::Spans).len() as u64;
    let has_more = found.len() > search.limit;
    found.truncate(search.limit);
    let last = found.last().map(|(place, _)| *place);
    Ok(TraceSearchAnswer {
        traces: found.into_iter().map(|(_, summary)| summary).collect(),
        next_cursor: last.filter(|_| has_more).map(Place::print),
        ..TraceSearchAnswer::default()
    })
}

fn fits(summary: &TraceSummary, search: &Prepared) -> bool {
    let duration = summary.duration_nano.0;
    search.duration_min.is_none_or(|min| duration >= min) && search.duration_max.is_none_or(|max| duration <= max)
}

/// The next places of the order, `keep` at most; fewer mean that there are no more.
fn next_places(
    question: &Question<'_>,
    search: &Prepared,
    keep: usize,
    before: Option<Place>,
    known: &HashSet<TraceId>,
    scan: &mut Scan,
) -> Result<Vec<Place>, TablesError> {
    let mut range = search.range;
    if let Some(after) = before.and_then(|before| before.time.checked_add(1)) {
        range.end = Some(range.end.map_or(after, |end| end.min(after)));
    }
    let walk = Walk { table: Table::Spans, range, matcher: &search.matcher, columns: &["trace_id"] };
    let units = walk.units(question, Direction::Backward, scan);
    let mut latest = Latest { keep, known, before, times: HashMap::new(), bound: None, tidy_at: keep };
    walk.in_order(question, (&units, Direction::Backward), keep, &mut latest, scan)?;
    let mut places: Vec<Place> = latest.times.into_iter().map(|(id, time)| Place { time, id }).collect();
    places.sort_unstable_by(|a, b| b.cmp(a));
    places.truncate(keep);
    Ok(places)
}

/// A trace's summary, and the latest start among its spans that match.
struct Summary {
    summary: TraceSummary,
    latest: Option<i64>,
}

/// How a span stands among those that may name its trace: a root first, then the earliest; the id decides.
type HeadRank = (bool, i64, Option<SpanId>);

/// What is gathered of one trace.
#[derive(Default)]
struct Gathered {
    start: Option<i64>,
    end: Option<i64>,
    spans: u64,
    errors: u64,
    services: BTreeMap<String, u64>,
    /// Service and name of the root, or of the earliest span.
    head: Option<(HeadRank, String, String)>,
    latest: Option<i64>,
}

fn summaries(
    question: &Question<'_>,
    search: &Prepared,
    places: &[Place],
    scan: &mut Scan,
) -> Result<HashMap<TraceId, Summary>, TablesError> {
    let mut columns: BTreeSet<&str> = search.matcher.columns();
    columns.extend(["trace_id", "span_id", "parent_span_id", "start_time", "duration_nanos", "name", "service_name"]);
    columns.extend(["status_code", "time_absent"]);
    let columns: Vec<&str> = columns.into_iter().collect();
    let mut gathered: HashMap<TraceId, Gathered> = HashMap::new();
    for ids in places.chunks(256) {
        let ids: Vec<TraceId> = ids.iter().map(|place| place.id).collect();
        for batch in question.engine.trace_rows(
            question.pinned,
            Table::Spans,
            &ids,
            TraceColumns::All(&columns),
            SPANS_MAX,
            scan,
        )? {
            gather(&batch, search, &mut gathered);
        }
    }
    Ok(gathered.into_iter().map(|(id, of_trace)| (id, of_trace.finish(id))).collect())
}

fn gather(batch: &RecordBatch, search: &Prepared, gathered: &mut HashMap<TraceId, Gathered>) {
    let columns = Columns(batch);
    let (Some(ids), Some(starts), Some(durations)) =
        (columns.ids("trace_id"), columns.times("start_time"), columns.numbers::<Int64Type>("duration_nanos"))
    else {
        return;
    };
    let (span_ids, parents) = (columns.ids("span_id"), columns.ids("parent_span_id"));
    let (names, services) = (columns.texts("name"), columns.texts("service_name"));
    let status = columns.numbers::<Int32Type>("status_code");
    let absent = batch.column_by_name("time_absent").and_then(|column| column.as_boolean_opt());
    let mut matching: Vec<bool> = starts.values().iter().map(|time| search.range.contains(*time)).collect();
    search.matcher.narrow(batch, &mut matching);
    for (row, matches) in matching.into_iter().enumerate() {
        let Ok(id) = <[u8; 16]>::try_from(ids.value(row)) else { continue };
        let of_trace = gathered.entry(TraceId(id)).or_default();
        let start = starts.value(row);
        // Without a start of its own a span's duration counts from zero.
        let is_absent = absent.is_some_and(|absent| absent.is_valid(row) && absent.value(row));
        let end = if is_absent { durations.value(row) } else { start.saturating_add(durations.value(row)) };
        of_trace.start = Some(of_trace.start.map_or(start, |now| now.min(start)));
        of_trace.end = Some(of_trace.end.map_or(end, |now| now.max(end)));
        of_trace.spans += 1;
        of_trace.errors +=
            u64::from(status.is_some_and(|codes| codes.is_valid(row) && codes.value(row) == STATUS_ERROR));
        let text = |column: &Option<crate::columns::Texts<'_>>| {
            column.as_ref().and_then(|texts| texts.get(row)).unwrap_or_default().to_owned()
        };
        let service = text(&services);
        let has_parent = parents.is_some_and(|parents| parents.is_valid(row));
        let span_id = span_ids.and_then(|ids| SpanId::from_bytes(ids.value(row)));
        let rank = (has_parent, start, span_id);
        if of_trace.head.as_ref().is_none_or(|(head, ..)| rank < *head) {
            of_trace.head = Some((rank, service.clone(), text(&names)));
        }
        *of_trace.services.entry(service).or_insert(0) += 1;
        if matches {
            of_trace.latest = Some(of_trace.latest.map_or(start, |now| now.max(start)));
        }
    }
}

impl Gathered {
    fn finish(self, id: TraceId) -> Summary {
        let start = self.start.unwrap_or(0);
        let end = self.end.unwrap_or(start).max(start);
        let ((has_parent, ..), root_service, root_name) =
            self.head.unwrap_or(((true, 0, None), String::new(), String::new()));
        let summary = TraceSummary {
            trace_id: id.to_string(),
            root_service,
            root_name,
            has_root: !has_parent,
            start_time_unix_nano: UnixNano(start),
            duration_nano: UnixNano(end.saturating_sub(start)),
            span_count: self.spans,
            error_count: self.errors,
            services: self.services,
        };
        Summary { summary, latest: self.latest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_print_and_parse() {
        let place = Place { time: 5, id: TraceId([7; 16]) };
        assert_eq!(Place::parse(&place.print()), Some(place));
        assert_eq!(Place::parse("5"), None);
        assert_eq!(Place::parse("5.zz"), None);
    }
}
