//! Everything known of one trace: spans, log records and exemplars that carry its id, whenever they happened.

use std::collections::{BTreeMap, HashMap};

use api::{Exemplar, LogRecord, Span, TraceAnswer, UnixNano};
use arrow::datatypes::UInt64Type;
use model::{Signal, Table, TimeRange, TraceId};
use tables::{Scan, TRACE_ROWS_MAX, TablesError};

use crate::columns::Columns;
use crate::identity::LogHasher;
use crate::log_search::{record_columns, record_id};
use crate::records::{ExemplarRows, LogRows, SpanRows};
use crate::service::Question;

/// Files of `series` that are looked into for the units of metrics.
const SERIES_FILES_MAX: usize = 8;

pub(crate) fn trace(question: &Question<'_>, id: TraceId, scan: &mut Scan) -> Result<TraceAnswer, TablesError> {
    Ok(TraceAnswer {
        trace_id: id.to_string(),
        spans: spans_of(question, id, scan)?,
        logs: logs_of(question, id, scan)?,
        exemplars: exemplars_of(question, id, scan)?,
        last_seen: last_seen(question),
        ..TraceAnswer::default()
    })
}

fn spans_of(question: &Question<'_>, id: TraceId, scan: &mut Scan) -> Result<Vec<Span>, TablesError> {
    let columns = record_columns(Table::Spans);
    let batches = question.engine.trace_rows(question.pinned, Table::Spans, &[id], &columns, TRACE_ROWS_MAX, scan)?;
    let mut found = Vec::new();
    for batch in &batches {
        let rows = SpanRows::new(batch);
        found.extend((0..batch.num_rows()).map(|row| rows.span(row)));
    }
    found.sort_by(|a, b| {
        (a.start_time_unix_nano, &a.span_id, a.end_time_unix_nano).cmp(&(
            b.start_time_unix_nano,
            &b.span_id,
            b.end_time_unix_nano,
        ))
    });
    Ok(found)
}

fn logs_of(question: &Question<'_>, id: TraceId, scan: &mut Scan) -> Result<Vec<LogRecord>, TablesError> {
    let columns = record_columns(Table::Logs);
    let batches = question.engine.trace_rows(question.pinned, Table::Logs, &[id], &columns, TRACE_ROWS_MAX, scan)?;
    let mut found: Vec<(u64, LogRecord)> = Vec::new();
    for batch in &batches {
        let rows = LogRows::new(batch);
        let hasher = LogHasher::new(batch);
        found.extend((0..batch.num_rows()).map(|row| (hasher.hash(row), rows.record(row))));
    }
    found.sort_by_key(|(hash, record)| (record.time_unix_nano, *hash));
    let mut before = None;
    let mut ordinal = 0;
    let with_id = |(hash, mut record): (u64, LogRecord)| {
        let key = (record.time_unix_nano, hash);
        ordinal = if before == Some(key) { ordinal + 1 } else { 0 };
        before = Some(key);
        record.id = record_id(hash, ordinal);
        record
    };
    Ok(found.into_iter().map(with_id).collect())
}

fn exemplars_of(question: &Question<'_>, id: TraceId, scan: &mut Scan) -> Result<Vec<Exemplar>, TablesError> {
    let columns = record_columns(Table::Exemplars);
    let batches =
        question.engine.trace_rows(question.pinned, Table::Exemplars, &[id], &columns, TRACE_ROWS_MAX, scan)?;
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

/// The newest record of each signal in the snapshot: what is younger may still arrive.
fn last_seen(question: &Question<'_>) -> BTreeMap<String, UnixNano> {
    let mut newest = BTreeMap::new();
    for signal in Signal::ALL {
        let of_signal = Table::ALL.into_iter().filter(|table| table.signal() == signal);
        let times = of_signal.filter_map(|table| question.pinned.time_bounds(table)).map(|(_, max)| max);
        if let Some(time) = times.max() {
            newest.insert(signal.name().to_owned(), UnixNano(time));
        }
    }
    newest
}
