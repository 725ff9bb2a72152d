//! Everything known of one trace: spans, log records and exemplars that carry its id, whenever they happened.

use std::collections::HashMap;

use api::{Completeness, Exemplar, Stats};
use arrow::array::RecordBatch;
use arrow::datatypes::UInt64Type;
use model::{Signal, Table, TimeRange, TraceId};
use tables::{Scan, TRACE_ROWS_MAX, TablesError, TraceColumns};

use crate::columns::Columns;
use crate::identity::LogHasher;
use crate::log_search::{record_columns, record_id};
use crate::records::{ExemplarRows, LogRows, Object, Origins, SpanRows, write_array};
use crate::service::Question;

/// Files of `series` that are looked into for the units of metrics.
const SERIES_FILES_MAX: usize = 8;

/// The answer about a trace as the JSON of [`api::TraceAnswer`], but for its cost and completeness.
pub(crate) struct TraceJson {
    /// An object that is still open.
    json: Vec<u8>,
    /// Whether nothing carries the id.
    pub(crate) is_empty: bool,
}

impl TraceJson {
    /// The whole answer.
    pub(crate) fn finish(self, stats: &Stats, completeness: &Completeness) -> Vec<u8> {
        let mut json = self.json;
        let mut put = |before: &[u8], value: serde_json::Result<Vec<u8>>| {
            json.extend_from_slice(before);
            // These types hold nothing that JSON cannot carry.
            json.extend_from_slice(&value.unwrap_or_default());
        };
        put(b",\"stats\":", serde_json::to_vec(stats));
        put(b",\"complete\":", serde_json::to_vec(&completeness.complete));
        if !completeness.incomplete_because.is_empty() {
            put(b",\"incomplete_because\":", serde_json::to_vec(&completeness.incomplete_because));
        }
        json.push(b'}');
        json
    }
}

/// Bytes of a span or a log record, about.
const RECORD_BYTES: usize = 512;

/// How an answer about a trace is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TraceForm {
    /// Records name their resource and scope by number, and the answer lists each once.
    pub is_shared: bool,
    /// Spans beyond about so many come with what a waterfall draws alone, and the answer says that it is brief.
    pub brief_above: Option<usize>,
}

/// What a waterfall draws of a span: no attributes, events or links, which are most of its bytes.
const SPAN_COLUMNS_BRIEF: &[&str] = &[
    "start_time",
    "time_absent",
    "duration_nanos",
    "span_id",
    "parent_span_id",
    "name",
    "kind",
    "status_code",
    "status_message",
    "resource",
    "scope",
];

pub(crate) fn trace(
    question: &Question<'_>,
    id: TraceId,
    form: TraceForm,
    scan: &mut Scan,
) -> Result<TraceJson, TablesError> {
    let of_table = |table, form: TraceForm, scan: &mut Scan| {
        let all = record_columns(table);
        let columns = match form.brief_above {
            Some(rows) => TraceColumns::FewAbove { rows, all: &all, few: SPAN_COLUMNS_BRIEF },
            None => TraceColumns::All(&all),
        };
        question.engine.trace_rows(question.pinned, table, &[id], columns, TRACE_ROWS_MAX, scan)
    };
    let spans = of_table(Table::Spans, form, scan)?;
    let logs = of_table(Table::Logs, TraceForm::default(), scan)?;
    // Which columns there are tells which were asked for: a span always has its trace's id.
    let is_brief = spans.iter().any(|batch| batch.column_by_name("trace_id").is_none());
    let exemplars = exemplars_of(question, id, scan)?;
    let rows: usize = spans.iter().chain(&logs).map(RecordBatch::num_rows).sum();
    let mut json = Vec::with_capacity(1024 + rows * RECORD_BYTES);
    let mut origins = Origins::new(form.is_shared);
    let mut answer = Object::begin(&mut json);
    answer.text("trace_id", &id.to_string());
    if is_brief {
        answer.raw("brief", b"true");
    }
    write_spans(&spans, &mut origins, answer.member("spans"));
    write_logs(&logs, &mut origins, answer.member("logs"));
    let written = serde_json::to_writer(answer.member("exemplars"), &exemplars);
    written.map_err(|error| TablesError::Internal(error.to_string()))?;
    origins.write_lists(&mut answer);
    let mut newest = Object::begin(answer.member("last_seen"));
    for (signal, time) in last_seen(question) {
        newest.time(signal, time);
    }
    newest.end();
    Ok(TraceJson { json, is_empty: rows == 0 && exemplars.is_empty() })
}

/// A row of one of several batches.
#[derive(Debug, Clone, Copy)]
struct Place {
    batch: usize,
    row: usize,
}

fn places(batches: &[RecordBatch]) -> impl Iterator<Item = Place> + '_ {
    let rows = |(batch, rows): (usize, &RecordBatch)| (0..rows.num_rows()).map(move |row| Place { batch, row });
    batches.iter().enumerate().flat_map(rows)
}

/// Spans by start, id and end.
fn write_spans(batches: &[RecordBatch], origins: &mut Origins, out: &mut Vec<u8>) {
    let mut rows: Vec<SpanRows<'_>> = batches.iter().map(SpanRows::new).collect();
    let mut order: Vec<_> = places(batches)
        .map(|place| {
            let spans = &rows[place.batch];
            ((spans.start(place.row), spans.span_id(place.row), spans.end(place.row)), place)
        })
        .collect();
    order.sort_by_key(|(key, _)| *key);
    write_array(out, order, |out, (_, place)| rows[place.batch].write(place.row, origins, out));
}

/// Log records by time and hash, with their identities.
fn write_logs(batches: &[RecordBatch], origins: &mut Origins, out: &mut Vec<u8>) {
    let mut rows: Vec<LogRows<'_>> = batches.iter().map(LogRows::new).collect();
    let hashers: Vec<LogHasher<'_>> = batches.iter().map(LogHasher::new).collect();
    let key = |place: Place| (rows[place.batch].time(place.row), hashers[place.batch].hash(place.row));
    let mut order: Vec<_> = places(batches).map(|place| (key(place), place)).collect();
    order.sort_by_key(|(key, _)| *key);
    let mut before = None;
    let mut ordinal = 0;
    write_array(out, order, |out, (key, place)| {
        ordinal = if before == Some(key) { ordinal + 1 } else { 0 };
        before = Some(key);
        rows[place.batch].write(place.row, &record_id(key.1, ordinal), origins, out);
    });
}

fn exemplars_of(question: &Question<'_>, id: TraceId, scan: &mut Scan) -> Result<Vec<Exemplar>, TablesError> {
    let columns = record_columns(Table::Exemplars);
    let columns = TraceColumns::All(&columns);
    let batches =
        question.engine.trace_rows(question.pinned, Table::Exemplars, &[id], columns, TRACE_ROWS_MAX, scan)?;
    let mut found: Vec<(u64, Exemplar)> = Vec::new();
    for batch in &batches {
        let rows = ExemplarRows::new(batch);
        found.extend((0..batch.num_rows()).map(|row| (rows.series_id(row), rows.exemplar(row))));
    }
    found.sort_by(|a, b| (a.1.time_unix_nano, &a.1.metric, a.0).cmp(&(b.1.time_unix_nano, &b.1.metric, b.0)));
    let units = metric_units(question, &found, scan)?;
    let with_unit = |(series, mut exemplar): (u64, Exemplar)| {
        exemplar.unit = units.get(&series).cloned().unwrap_or_default();
        exemplar
    };
    Ok(found.into_iter().map(with_unit).collect())
}

/// Units of the series these exemplars belong to, as far as the hours around them say.
fn metric_units(
    question: &Question<'_>,
    exemplars: &[(u64, Exemplar)],
    scan: &mut Scan,
) -> Result<HashMap<u64, String>, TablesError> {
    let mut units = HashMap::new();
    let (Some((_, first)), Some((_, last))) = (exemplars.first(), exemplars.last()) else { return Ok(units) };
    let mut wanted: std::collections::HashSet<u64> = exemplars.iter().map(|(series, _)| *series).collect();
    const HOUR: i64 = model::Hour::NANOS;
    let range = TimeRange::new(first.time_unix_nano.0.saturating_sub(HOUR), last.time_unix_nano.0.saturating_add(HOUR));
    // What it takes to name a unit is no part of the trace's cost.
    let mut apart = scan.fork();
    let places = question.engine.units(question.pinned, Table::Series, &range, &mut apart);
    for place in places.iter().take(SERIES_FILES_MAX) {
        if wanted.is_empty() {
            break;
        }
        let open = question.engine.open_unit(place, &mut apart)?;
        let read = open.read(&["series_id", "unit"], &open.all_rows(), &mut apart, |batch, _, _| {
            let columns = Columns(batch);
            let Some(series) = columns.numbers::<UInt64Type>("series_id") else { return Ok(()) };
            let names = columns.texts("unit");
            for (row, id) in series.values().iter().enumerate() {
                if wanted.remove(id) {
                    let unit = names.as_ref().and_then(|names| names.get(row)).unwrap_or_default();
                    units.insert(*id, unit.to_owned());
                }
            }
            Ok(())
        });
        scan.without_damage(read)?;
    }
    scan.cost.bytes_scanned += apart.cost.bytes_scanned;
    Ok(units)
}

/// The newest record of each signal in the snapshot, by the signal's name: what is younger may still arrive.
fn last_seen(question: &Question<'_>) -> impl Iterator<Item = (&'static str, i64)> {
    let newest = |signal: Signal| {
        let of_signal = Table::ALL.into_iter().filter(move |table| table.signal() == signal);
        let times = of_signal.filter_map(|table| question.pinned.time_bounds(table)).map(|(_, max)| max);
        Some((signal.name(), times.max()?))
    };
    Signal::ALL.into_iter().filter_map(newest)
}
