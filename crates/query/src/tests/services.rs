//! Services, operations and the map over random traces spread over files and journal, against plain counting of all
//! rows; with sidecars and without.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::{MapEdge, Red, ServiceMapAnswer, UnixNano};
use arrow::array::{FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use model::{Table, TenantId, TimeRange};
use store::rollup::{DurationHistogram, MINUTE_NANOS, REACH_MINUTES, duration_bucket, minute_of};

use super::fixture::{Folder, NOW, Random, SECOND, batch, keyword, log_batch, logs, trace_id};
use crate::{LogHistogram, OperationSearch, QueryService, QuerySettings, ServiceMapSearch, ServiceSearch};

/// One made-up span.
#[derive(Clone)]
struct Row {
    trace: usize,
    id: u64,
    parent: Option<u64>,
    start: i64,
    duration: i64,
    service: &'static str,
    pod: &'static str,
    name: &'static str,
    kind: i32,
    is_error: bool,
    database: Option<&'static str>,
    queue: Option<&'static str>,
    peer: Option<&'static str>,
}

const SERVICES: [&str; 5] = ["cart", "checkout", "front", "mail", "pay"];
const NAMES: [&str; 4] = ["GET /", "POST /order", "SELECT", "send"];

/// Traces of up to twelve spans over some half an hour; here and there a parent is missing, or hours away.
fn rows(traces: usize, seed: u64) -> Vec<Row> {
    let mut random = Random(seed);
    let mut rows: Vec<Row> = Vec::new();
    for trace in 0..traces {
        let first = rows.len();
        let start = NOW + random.below(1_800_000) as i64 * 1_000_000;
        for number in 0..1 + random.below(12) {
            let parent = match random.below(20) {
                0 => Some(9_999_999),
                _ if number == 0 => None,
                _ => Some(rows[first + random.below(number)].id),
            };
            let late = match random.below(40) {
                0 => 7200 * SECOND,
                1 => 700 * SECOND,
                _ => 0,
            };
            let kind = random.below(6) as i32;
            rows.push(Row {
                trace,
                id: rows.len() as u64 + 1,
                parent,
                start: start + number as i64 * 40_000_000 + late,
                duration: random.below(1_000_000) as i64 * random.below(2_000) as i64,
                service: random.pick(&SERVICES),
                pod: random.pick(&["pod-1", "pod-2", "pod-3"]),
                name: random.pick(&NAMES),
                kind,
                is_error: random.below(9) == 0,
                database: [None, None, Some("shop"), Some("stock")][random.below(4)],
                queue: [None, Some("orders")][random.below(2)],
                peer: [None, Some("api.example.com")][random.below(2)],
            });
        }
    }
    rows
}

fn row_batch(rows: &[Row]) -> RecordBatch {
    let ids = rows.iter().map(|row| trace_id(row.trace).0);
    let span_ids = rows.iter().map(|row| row.id.to_be_bytes());
    let parents = rows.iter().map(|row| row.parent.map(u64::to_be_bytes));
    let resources: Vec<String> = rows
        .iter()
        .map(|row| format!(r#"{{"attributes":{{"service.name":"{}","k8s.pod.name":"{}"}}}}"#, row.service, row.pod))
        .collect();
    let attributes: Vec<String> = rows
        .iter()
        .map(|row| match (row.peer, row.queue) {
            (Some(peer), _) => format!(r#"{{"n":1,"net.peer.name":"{peer}"}}"#),
            (None, Some(_)) => r#"{"exception.type":"Timeout"}"#.to_owned(),
            (None, None) => "{}".to_owned(),
        })
        .collect();
    let errors = rows.iter().map(|row| row.is_error.then_some(2));
    let keywords = |value: fn(&Row) -> Option<&'static str>| keyword(rows.iter().map(value));
    batch(
        Table::Spans,
        vec![
            ("start_time", Arc::new(rows.iter().map(|row| Some(row.start)).collect::<TimestampNanosecondArray>())),
            ("duration_nanos", Arc::new(rows.iter().map(|row| Some(row.duration)).collect::<Int64Array>())),
            ("trace_id", Arc::new(FixedSizeBinaryArray::try_from_iter(ids).expect("ids"))),
            ("span_id", Arc::new(FixedSizeBinaryArray::try_from_iter(span_ids).expect("ids"))),
            (
                "parent_span_id",
                Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(parents, 8).expect("ids")),
            ),
            ("name", keywords(|row| Some(row.name))),
            ("kind", Arc::new(rows.iter().map(|row| Some(row.kind)).collect::<Int32Array>())),
            ("status_code", Arc::new(errors.collect::<Int32Array>())),
            (
                "status_message",
                Arc::new(rows.iter().map(|row| row.is_error.then_some("failed")).collect::<StringArray>()),
            ),
            ("service_name", keywords(|row| Some(row.service))),
            ("resource", keyword(resources.iter().map(|text| Some(text.as_str())))),
            ("attributes", Arc::new(attributes.iter().map(|text| Some(text.as_str())).collect::<StringArray>())),
            ("db_namespace", keywords(|row| row.database)),
            ("db_system_name", keywords(|row| row.database.map(|_| "postgresql"))),
            ("messaging_destination_name", keywords(|row| row.queue)),
            ("messaging_system", keywords(|row| row.queue.map(|_| "kafka"))),
        ],
    )
}

impl Row {
    fn is_call(&self) -> bool {
        matches!(self.kind, 2 | 5) || self.parent.is_none()
    }

    /// What the span calls or takes from.
    fn target(&self) -> Option<String> {
        let database = self.database.filter(|_| self.kind != 5).map(|name| format!("database:postgresql/{name}"));
        let queue = self.queue.map(|name| format!("queue:kafka/{name}"));
        let peer = self.peer.filter(|_| self.kind != 5).map(|name| format!("external:{name}"));
        matches!(self.kind, 3..=5).then(|| database.or(queue).or(peer))?
    }
}

fn red<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Red {
    let mut durations = DurationHistogram::default();
    let mut errors = 0;
    for row in rows {
        durations.add(duration_bucket(row.duration), 1);
        errors += u64::from(row.is_error);
    }
    let percentile = |per_mille| durations.percentile(per_mille);
    Red {
        calls: durations.total(),
        errors,
        p50_nano: percentile(500),
        p95_nano: percentile(950),
        p99_nano: percentile(990),
    }
}

/// The edges of the map, by looking at every row.
fn edges(rows: &[Row], range: &TimeRange) -> Vec<MapEdge> {
    let floor = |time: i64| minute_of(time) * MINUTE_NANOS;
    let range = TimeRange {
        start: range.start.map(floor),
        end: range.end.map(|end| if end == floor(end) { end } else { floor(end) + MINUTE_NANOS }),
    };
    let by_id: BTreeMap<(usize, u64), &Row> = rows.iter().map(|row| ((row.trace, row.id), row)).collect();
    let parent = |row: &Row| by_id.get(&(row.trace, row.parent?)).copied();
    let mut calls: BTreeMap<(String, String), Vec<&Row>> = BTreeMap::new();
    let mut reached: BTreeSet<(usize, u64)> = BTreeSet::new();
    for row in rows {
        let Some(parent) = parent(row).filter(|parent| parent.service != row.service) else { continue };
        if range.contains(row.start) {
            calls.entry((parent.service.into(), row.service.into())).or_default().push(row);
        }
        if minute_of(parent.start).abs_diff(minute_of(row.start)) <= REACH_MINUTES as u64 {
            reached.insert((parent.trace, parent.id));
        }
    }
    for row in rows.iter().filter(|row| range.contains(row.start)) {
        let Some(target) = row.target() else { continue };
        match row.kind {
            5 if row.parent.is_none() => calls.entry((target, row.service.into())).or_default().push(row),
            3 | 4 if !reached.contains(&(row.trace, row.id)) => {
                calls.entry((row.service.into(), target)).or_default().push(row);
            }
            _ => {}
        }
    }
    let edge = |((source, target), rows): ((String, String), Vec<&Row>)| MapEdge { source, target, red: red(rows) };
    calls.into_iter().map(edge).collect()
}

fn ranges() -> Vec<TimeRange> {
    let at = |seconds: i64, nanos: i64| NOW + seconds * SECOND + nanos;
    vec![
        TimeRange::ALL,
        TimeRange::new(at(300, 0), at(1200, 0)),
        TimeRange::new(at(307, 123), at(1234, 5)),
        TimeRange { start: Some(at(900, 1)), end: None },
        TimeRange { start: None, end: Some(at(61, 7)) },
        TimeRange::new(at(600, 5), at(640, 0)),
        TimeRange::new(at(631, 0), at(662, 0)),
        TimeRange::new(at(-9000, 0), at(-8000, 0)),
    ]
}

async fn check_services(service: &QueryService, rows: &[Row], range: TimeRange, log_count: u64) {
    let tenant = TenantId::default();
    let search = ServiceSearch { range, steps: 10 };
    let inside: Vec<&Row> = rows.iter().filter(|row| range.contains(row.start)).collect();
    let answer = service.services(&tenant, search.clone()).await.expect("an answer");
    assert!(answer.completeness.complete);
    let logs: u64 = answer.services.iter().map(|service| service.log_count).sum();
    assert!(range != TimeRange::ALL || logs == log_count, "{logs} of {log_count} logs");
    for name in SERVICES {
        let of_service: Vec<&Row> = inside.iter().copied().filter(|row| row.service == name).collect();
        let found = answer.services.iter().find(|service| service.name == name);
        let Some(found) = found else {
            assert!(of_service.is_empty(), "{name} in {range:?}");
            continue;
        };
        let calls = || of_service.iter().copied().filter(|row| row.is_call());
        assert_eq!(found.span_count, of_service.len() as u64, "{name} in {range:?}");
        assert_eq!(found.error_count, of_service.iter().filter(|row| row.is_error).count() as u64);
        assert_eq!(found.red, red(calls()), "{name} in {range:?}");
        let steps = &answer.steps;
        for (step, count) in found.series.calls.iter().enumerate() {
            let start = steps.start_unix_nano.0 + steps.step_nano.0 * step as i64;
            let within = TimeRange::new(start, start + steps.step_nano.0);
            let expect = red(calls().filter(|row| within.contains(row.start)));
            assert_eq!((*count, found.series.errors[step]), (expect.calls, expect.errors));
            assert_eq!(found.series.p99_nano[step], expect.p99_nano, "{name} in {range:?}, step {step}");
        }
        let newest = of_service
            .iter()
            .filter(|row| row.is_error)
            .max_by_key(|row| (row.start, std::cmp::Reverse(trace_id(row.trace)), std::cmp::Reverse(row.id)));
        let error = found.latest_error.as_ref();
        assert_eq!(
            error.map(|error| error.time_unix_nano),
            newest.map(|row| UnixNano(row.start)),
            "{name} in {range:?}"
        );
        assert_eq!(error.map(|error| error.operation.as_str()), newest.map(|row| row.name));
        assert_eq!(error.map(|error| error.message.as_str()), newest.map(|_| "failed"));
        if newest.is_some_and(|row| row.peer.is_none() && row.queue.is_some()) {
            assert_eq!(error.map(|error| error.exception_type.as_str()), Some("Timeout"));
        }
        check_detail(service, name, &search, &of_service).await;
    }
    assert!(service.service_detail(&tenant, "nobody", search).await.expect("an answer").is_none());
}

async fn check_detail(service: &QueryService, name: &str, search: &ServiceSearch, rows: &[&Row]) {
    let tenant = TenantId::default();
    let detail = service.service_detail(&tenant, name, search.clone()).await.expect("an answer").expect("known");
    assert_eq!(detail.red, red(rows.iter().copied().filter(|row| row.is_call())), "{name}");
    assert_eq!(
        (detail.series.p50_nano.len(), detail.series.p95_nano.len()),
        (detail.series.calls.len(), detail.series.calls.len())
    );
    let mut failed: Vec<i64> = rows.iter().filter(|row| row.is_error).map(|row| row.start).collect();
    failed.sort_unstable_by(|a, b| b.cmp(a));
    failed.truncate(20);
    let shown: Vec<i64> = detail.latest_errors.iter().map(|error| error.time_unix_nano.0).collect();
    assert_eq!(shown, failed, "{name} in {:?}", search.range);
    let spans: u64 = detail.instances.iter().map(|instance| instance.span_count).sum();
    assert_eq!(spans, rows.len() as u64, "{name}");
    let pods: BTreeSet<&str> = rows.iter().map(|row| row.pod).collect();
    assert!(pods.iter().all(|pod| detail.instances.iter().any(|instance| instance.pod == *pod)));
    let ask = OperationSearch { service: name.into(), range: search.range, limit: 3, steps: 10 };
    let operations = service.operations(&tenant, ask.clone()).await.expect("an answer").expect("known");
    let all =
        service.operations(&tenant, OperationSearch { limit: 0, ..ask }).await.expect("an answer").expect("known");
    assert_eq!(all.operations[..all.operations.len().min(3)], operations.operations[..]);
    assert_eq!(operations.truncated, all.operations.len() > 3);
    let calls: Vec<u64> = all.operations.iter().map(|operation| operation.red.calls).collect();
    assert!(calls.is_sorted_by(|a, b| a >= b) && calls.iter().sum::<u64>() == rows.len() as u64, "{name}");
    for operation in &all.operations {
        let its = || rows.iter().copied().filter(|row| row.name == operation.name && row.kind == operation.kind);
        assert_eq!(operation.red, red(its()), "{name} {}", operation.name);
        let newest = its().map(|row| row.start).max().expect("rows");
        assert_eq!(operation.last_seen_unix_nano.0, newest.div_euclid(SECOND) * SECOND);
        assert_eq!(operation.series.calls.iter().sum::<u64>(), operation.red.calls);
    }
}

async fn check_map(service: &QueryService, rows: &[Row], range: TimeRange) -> ServiceMapAnswer {
    let search = ServiceMapSearch { range, focus: None };
    let answer = service.service_map(&TenantId::default(), search.clone()).await.expect("an answer");
    assert!(answer.completeness.complete, "{:?}", answer.completeness);
    assert_eq!(answer.edges, edges(rows, &range), "{range:?}");
    let ids: BTreeSet<&str> = answer.nodes.iter().map(|node| node.id.as_str()).collect();
    assert!(answer.edges.iter().all(|edge| ids.contains(edge.source.as_str()) && ids.contains(edge.target.as_str())));
    let focused = ServiceMapSearch { focus: Some("pay".into()), ..search };
    let focused = service.service_map(&TenantId::default(), focused).await.expect("an answer");
    let touching: Vec<&MapEdge> =
        answer.edges.iter().filter(|edge| edge.source == "pay" || edge.target == "pay").collect();
    assert_eq!(focused.edges.iter().collect::<Vec<_>>(), touching);
    assert!(
        focused.nodes.iter().all(
            |node| node.id == "pay" || touching.iter().any(|edge| edge.source == node.id || edge.target == node.id)
        )
    );
    answer
}

/// The rows of whole traces cut apart over files and the journal.
async fn spread(rows: &[Row], files: usize) -> Folder {
    let folder = Folder::new().await;
    let mut random = Random(9);
    let mut parts: Vec<Vec<Row>> = vec![Vec::new(); files + 1];
    for row in rows {
        parts[random.below(files + 1)].push(row.clone());
    }
    let tail = parts.pop().expect("a part");
    for part in parts.iter().filter(|part| !part.is_empty()) {
        folder.add_file(Table::Spans, &row_batch(part)).await;
    }
    folder.append(Table::Spans, &row_batch(&tail), 50).await;
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn services_and_map_are_those_of_all_rows_however_they_are_spread() {
    let rows = rows(500, 3);
    let records = logs(900, 4);
    for files in [1, 4] {
        let folder = spread(&rows, files).await;
        folder.add_file(Table::Logs, &log_batch(&records[..600])).await;
        folder.append(Table::Logs, &log_batch(&records[600..]), 50).await;
        for round in ["with sidecars", "without"] {
            let service = folder.service();
            for range in ranges() {
                check_services(&service, &rows, range, records.len() as u64).await;
                check_map(&service, &rows, range).await;
            }
            if round == "with sidecars" {
                assert!(folder.delete_sidecars() > 2);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_its_limits_an_answer_says_that_it_is_not_all() {
    let rows = rows(200, 5);
    let folder = spread(&rows, 3).await;
    let ask = async |change: &dyn Fn(&mut QuerySettings)| {
        let mut settings = QuerySettings::default();
        change(&mut settings);
        let service = QueryService::open(settings, folder.layout.clone(), folder.catalog.clone()).expect("opens");
        let tenant = TenantId::default();
        let map = service.service_map(&tenant, ServiceMapSearch::default()).await.expect("an answer");
        let services = service.services(&tenant, ServiceSearch::default()).await.expect("an answer");
        let operations = OperationSearch { service: "pay".into(), ..OperationSearch::default() };
        let operations = service.operations(&tenant, operations).await.expect("an answer").expect("known");
        (map.completeness, services.completeness, operations.completeness)
    };
    let whole = |settings: &mut QuerySettings| settings.limits.services_max = SERVICES.len();
    let (map, services, operations) = ask(&whole).await;
    assert!(map.complete && services.complete && operations.complete);
    let (map, ..) = ask(&|settings| settings.limits.map_traces_max = 3).await;
    assert!(map.incomplete_because[0].contains("callers were not looked up"), "{map:?}");
    let (map, ..) = ask(&|settings| settings.limits.map_edges_max = 5).await;
    assert!(map.incomplete_because.iter().any(|reason| reason.contains("pairs")), "{map:?}");
    let (map, services, _) = ask(&|settings| settings.limits.services_max = SERVICES.len() - 1).await;
    assert!(map.incomplete_because[0].contains("more than 4 services"), "{map:?}");
    assert!(services.incomplete_because[0].contains("more than 4 services"), "{services:?}");
    let (.., operations) = ask(&|settings| settings.limits.operations_max = 2).await;
    assert!(operations.incomplete_because[0].contains("more than 2 operations"), "{operations:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_of_logs_by_minute_are_those_of_rows() {
    let records = logs(3_000, 8);
    let folder = Folder::new().await;
    folder.add_file(Table::Logs, &log_batch(&records[..1_500])).await;
    folder.add_file(Table::Logs, &log_batch(&records[1_500..2_700])).await;
    folder.append(Table::Logs, &log_batch(&records[2_700..]), 50).await;
    let tenant = TenantId::default();
    for round in ["with sidecars", "without"] {
        let service = folder.service();
        for range in ranges() {
            for (query, by_rows) in [
                ("", "NOT trace_id:ffffffffffffffffffffffffffffffff"),
                ("service:CART", "service:cart NOT trace_id:ffffffffffffffffffffffffffffffff"),
                ("-service:s*", "-service:s* NOT trace_id:ffffffffffffffffffffffffffffffff"),
                ("service:nobody", "service:nobody NOT trace_id:ffffffffffffffffffffffffffffffff"),
            ] {
                let ask = async |query: &str| {
                    let ask = LogHistogram { query: query.into(), range, steps: 20 };
                    service.log_histogram(&tenant, ask).await.expect("an answer")
                };
                let (found, expect) = (ask(query).await, ask(by_rows).await);
                assert_eq!(
                    (found.total, &found.buckets),
                    (expect.total, &expect.buckets),
                    "{round}: {query} {range:?}"
                );
                let inside = records.iter().filter(|record| range.contains(record.time));
                let count = inside.filter(|record| !query.contains("CART") || record.service == "cart").count() as u64;
                assert!(query.contains('-') || query.contains("nobody") || found.total == count, "{query} {range:?}");
                if query.is_empty() && range == TimeRange::ALL && round == "with sidecars" {
                    assert_eq!((found.stats.index_used.as_str(), found.stats.rows_scanned), ("rollup", 300));
                }
            }
        }
        folder.delete_sidecars();
    }
}
