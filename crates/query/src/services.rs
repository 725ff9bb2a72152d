//! Services and what they sent, counted from columns alone.

use std::collections::BTreeMap;

use api::{ServiceSummary, ServicesAnswer, UnixNano};
use arrow::array::Array;
use arrow::datatypes::Int32Type;
use model::{Table, TimeRange};
use tables::{Scan, TablesError};

use crate::columns::Columns;
use crate::matcher::Matcher;
use crate::service::Question;
use crate::walk::{Matches, Walk};

/// Status code of a failed span.
pub(crate) const STATUS_ERROR: i32 = 2;

#[derive(Debug, Clone, Copy)]
struct Count {
    records: u64,
    errors: u64,
    last_seen: i64,
}

const NOTHING: Count = Count { records: 0, errors: 0, last_seen: i64::MIN };

type ByService = BTreeMap<String, Count>;

pub(crate) fn services(
    question: &Question<'_>,
    range: TimeRange,
    scan: &mut Scan,
) -> Result<ServicesAnswer, TablesError> {
    let spans = by_service(question, Table::Spans, range, &["service_name", "status_code"], scan)?;
    let logs = by_service(question, Table::Logs, range, &["service_name"], scan)?;
    let mut services: BTreeMap<String, ServiceSummary> = BTreeMap::new();
    for (name, count) in spans {
        services.insert(
            name.clone(),
            ServiceSummary {
                name,
                span_count: count.records,
                error_count: count.errors,
                log_count: 0,
                last_seen_unix_nano: UnixNano(count.last_seen),
                ..ServiceSummary::default()
            },
        );
    }
    for (name, count) in logs {
        let service = services.entry(name.clone()).or_insert_with(|| ServiceSummary {
            name,
            last_seen_unix_nano: UnixNano(i64::MIN),
            ..ServiceSummary::default()
        });
        service.log_count = count.records;
        service.last_seen_unix_nano = service.last_seen_unix_nano.max(UnixNano(count.last_seen));
    }
    Ok(ServicesAnswer { services: services.into_values().collect(), ..ServicesAnswer::default() })
}

fn by_service(
    question: &Question<'_>,
    table: Table,
    range: TimeRange,
    columns: &[&'static str],
    scan: &mut Scan,
) -> Result<ByService, TablesError> {
    let matcher = Matcher::new(&api::filter::Filter::All, api::filter::Target::Spans);
    let walk = Walk { table, range, matcher: &matcher, columns };
    let parts = walk.everywhere(question, scan, ByService::new, add)?;
    let mut all = ByService::new();
    for (name, count) in parts.into_iter().flatten() {
        merge(all.entry(name).or_insert(NOTHING), count);
    }
    Ok(all)
}

fn merge(sum: &mut Count, more: Count) {
    sum.records += more.records;
    sum.errors += more.errors;
    sum.last_seen = sum.last_seen.max(more.last_seen);
}

fn add(counts: &mut ByService, found: &Matches<'_>) {
    let columns = Columns(found.batch);
    let Some(names) = columns.texts("service_name") else { return };
    let status = columns.numbers::<Int32Type>("status_code");
    // By number of the dictionary's value first, by name once a batch.
    let mut by_key: Vec<(Count, usize)> = Vec::new();
    for row in found.rows() {
        let is_error = status.is_some_and(|status| status.is_valid(row) && status.value(row) == STATUS_ERROR);
        let one = Count { records: 1, errors: u64::from(is_error), last_seen: found.times.value(row) };
        match names.key(row) {
            Some(key) => {
                if by_key.len() <= key {
                    by_key.resize(key + 1, (NOTHING, 0));
                }
                merge(&mut by_key[key].0, one);
                by_key[key].1 = row;
            }
            None => merge(entry(counts, names.get(row).unwrap_or_default()), one),
        }
    }
    for (count, row) in by_key.into_iter().filter(|(count, _)| count.records > 0) {
        merge(entry(counts, names.get(row).unwrap_or_default()), count);
    }
}

fn entry<'a>(counts: &'a mut ByService, name: &str) -> &'a mut Count {
    counts.entry(name.to_owned()).or_insert(NOTHING)
}
