//! Rollups of random rows against plain counting; limits at their edges; damage.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch, TimestampNanosecondArray,
};
use arrow::datatypes::Int32Type;
use model::TimeRange;

use super::*;

const NOW: i64 = 1_795_289_400_000_000_000;

#[derive(Debug, Clone)]
struct Row {
    trace: u8,
    id: u64,
    parent: Option<u64>,
    start: i64,
    duration: i64,
    service: String,
    name: String,
    kind: i32,
    is_error: bool,
    server: Option<&'static str>,
}

fn rows(count: u64, seed: u64) -> Vec<Row> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut rows: Vec<Row> = Vec::new();
    for id in 1..=count {
        let trace = random.u8(1..6);
        let others: Vec<u64> = rows.iter().filter(|row| row.trace == trace).map(|row| row.id).collect();
        rows.push(Row {
            trace,
            id,
            parent: match random.u8(..4) {
                0 => None,
                1 => Some(1_000_000 + id),
                _ => random.choice(others),
            },
            start: NOW + random.i64(0..400) * 1_000_000_000 + if random.u8(..30) == 0 { i64::MIN / 2 } else { 0 },
            duration: random.i64(-5..1 << 40) >> random.u32(..40),
            service: format!("s{}", random.u8(..4)),
            name: format!("GET /{}", random.u8(..7)),
            kind: random.i32(-1..8),
            is_error: random.u8(..6) == 0,
            server: [None, Some("db.example.com"), Some("api.example.com")][random.usize(..3)],
        });
    }
    rows
}

fn batch(rows: &[Row]) -> RecordBatch {
    let keyword = |value: &dyn Fn(&Row) -> Option<String>| -> ArrayRef {
        let texts: Vec<Option<String>> = rows.iter().map(value).collect();
        Arc::new(texts.iter().map(|text| text.as_deref()).collect::<DictionaryArray<Int32Type>>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("start_time", Arc::new(TimestampNanosecondArray::from_iter_values(rows.iter().map(|row| row.start)))),
        ("duration_nanos", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.duration)))),
        (
            "trace_id",
            Arc::new(FixedSizeBinaryArray::try_from_iter(rows.iter().map(|row| [row.trace; 16])).expect("ids")),
        ),
        (
            "span_id",
            Arc::new(FixedSizeBinaryArray::try_from_iter(rows.iter().map(|row| row.id.to_be_bytes())).expect("ids")),
        ),
        (
            "parent_span_id",
            Arc::new(
                FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                    rows.iter().map(|row| row.parent.map(u64::to_be_bytes)),
                    8,
                )
                .expect("ids"),
            ),
        ),
        ("name", keyword(&|row| Some(row.name.clone()))),
        ("kind", Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.kind)))),
        ("status_code", Arc::new(rows.iter().map(|row| row.is_error.then_some(2)).collect::<Int32Array>())),
        ("service_name", keyword(&|row| Some(row.service.clone()))),
        ("resource", keyword(&|row| Some(format!(r#"{{"attributes":{{"host.name":"h-{}"}}}}"#, row.service)))),
        ("server_address", keyword(&|row| row.server.map(str::to_owned))),
    ];
    RecordBatch::try_from_iter(columns).expect("a batch")
}

fn rollup(rows: &[Row], batch_rows: usize, limits: &RollupLimits) -> SpanRollup {
    let mut builder = SpanRollupBuilder::default();
    rows.chunks(batch_rows).for_each(|rows| builder.push(&batch(rows)));
    let rollup = builder.finish(limits);
    assert_eq!(SpanRollup::from_bytes(&rollup.to_bytes()).as_ref(), Some(&rollup), "reads back");
    rollup
}

/// Spans, failures, newest second and durations by service, name, kind, call or not, and minute.
type Counted = BTreeMap<(String, String, i32, bool, i64), (u64, u64, i64, DurationHistogram)>;

fn counted(rollup: &OperationRollup) -> Counted {
    let mut counted = Counted::new();
    rollup.each_cell(|operation, cell| {
        let name = |list: &[String], number: u32| list[number as usize].clone();
        let (service, span) = (name(rollup.services(), operation.service), name(rollup.names(), operation.name));
        let mut durations = DurationHistogram::default();
        cell.durations.iter().for_each(|(bucket, count)| durations.add(*bucket, *count));
        let value = (cell.spans, cell.errors, cell.newest_unix_nano, durations);
        let key = (service, span, operation.kind, operation.is_call, cell.minute);
        assert_eq!(counted.insert(key, value), None);
    });
    counted
}

/// Spans, and time and row of the newest.
type Newest = (u64, Option<(i64, usize)>);

#[test]
fn operations_and_instances_are_those_of_the_rows() {
    for (count, seed) in [(1, 2), (300, 3), (3_000, 4)] {
        let rows = rows(count, seed);
        let rollup = rollup(&rows, 700, &RollupLimits::default());
        let operations = rollup.operations().expect("few operations");
        let mut expect = Counted::new();
        let mut by_host: BTreeMap<(String, i64), Newest> = BTreeMap::new();
        for (at, row) in rows.iter().enumerate() {
            let kind = if (0..=5).contains(&row.kind) { row.kind } else { 0 };
            let is_call = matches!(kind, 2 | 5) || row.parent.is_none();
            let minute = minute_of(row.start);
            let second = row.start.div_euclid(1_000_000_000) * 1_000_000_000;
            let cell = expect.entry((row.service.clone(), row.name.clone(), kind, is_call, minute));
            let cell = cell.or_insert((0, 0, i64::MIN, DurationHistogram::default()));
            (cell.0, cell.1, cell.2) = (cell.0 + 1, cell.1 + u64::from(row.is_error), cell.2.max(second));
            cell.3.add(duration_bucket(row.duration), 1);
            let of_host = by_host.entry((format!("h-{}", row.service), minute)).or_default();
            of_host.0 += 1;
            let newer = |known: &(i64, usize)| {
                (row.start, rows[known.1].trace, rows[known.1].id) > (known.0, row.trace, row.id)
            };
            if row.is_error && of_host.1.as_ref().is_none_or(newer) {
                of_host.1 = Some((row.start, at));
            }
        }
        assert_eq!(counted(operations), expect, "{count}");
        let cells = operations.instance_cells();
        assert_eq!(cells.len(), by_host.len());
        for cell in cells {
            let (spans, failed) = by_host[&(operations.instances()[cell.instance as usize].id.clone(), cell.minute)];
            assert_eq!(
                (cell.spans, cell.newest_failed.map(|failed| failed.row)),
                (spans, failed.map(|failed| failed.1 as u64))
            );
        }
        let mut part = OperationBuilder::default();
        let range = TimeRange::new(NOW, NOW + 100_000_000_000);
        part.push(&batch(&rows), &range, |row| row as u64);
        let inside: u64 =
            counted(&part.finish(&RollupLimits::NONE).expect("no limits")).values().map(|cell| cell.0).sum();
        assert_eq!(inside, rows.iter().filter(|row| range.contains(row.start)).count() as u64);
    }
}

#[test]
fn every_order_of_rows_gives_the_same_calls() {
    let mut rows = rows(800, 5);
    let calls = |rows: &[Row]| {
        let rollup = rollup(rows, 90, &RollupLimits::default());
        let map = rollup.map();
        let mut calls: BTreeMap<(String, String, i64), (u64, u64)> = BTreeMap::new();
        map.each_cell(|pair, cell| {
            let service = |number: u32| map.services()[number as usize].clone();
            let target = |number: u32| map.targets()[number as usize].to_string();
            let (from, to) = match pair {
                CallPair::Call(from, to) => (service(from), service(to)),
                CallPair::Reach(from, to) => (service(from), target(to)),
                CallPair::Take(to, from) => (target(from), service(to)),
            };
            calls.insert((from, to, cell.minute), (cell.spans, cell.errors));
        });
        let mut dangling: Vec<(u128, u64, i64, String, u16, bool)> = map
            .dangling()
            .iter()
            .map(|span| {
                let service = map.services()[span.service as usize].clone();
                (span.trace, span.parent, span.minute, service, span.bucket, span.is_error)
            })
            .collect();
        dangling.sort();
        (calls, dangling)
    };
    let first = calls(&rows);
    assert!(first.0.keys().any(|(_, to, _)| to == "external:db.example.com") && first.1.len() > 100);
    fastrand::Rng::with_seed(6).shuffle(&mut rows);
    assert_eq!(calls(&rows), first);
}

#[test]
fn limits_hold_at_their_edges() {
    let rows = rows(600, 7);
    let whole = rollup(&rows, 600, &RollupLimits::NONE);
    let operations = whole.operations().expect("no limits");
    let mut groups = 0;
    let mut last = None;
    operations.each_cell(|operation, _| {
        groups += usize::from(last.replace(*operation) != Some(*operation));
    });
    let instances = operations.instances().len();
    let check = |limits: RollupLimits, expect: bool| {
        assert_eq!(rollup(&rows, 600, &limits).operations().is_some(), expect, "{limits:?}");
    };
    check(RollupLimits { operations_max: groups, ..RollupLimits::NONE }, true);
    check(RollupLimits { operations_max: groups - 1, ..RollupLimits::NONE }, false);
    check(RollupLimits { instances_max: instances, ..RollupLimits::NONE }, true);
    check(RollupLimits { instances_max: instances - 1, ..RollupLimits::NONE }, false);
    let calls = |map: &MapRollup| {
        let mut calls: BTreeMap<CallPair, u64> = BTreeMap::new();
        map.each_cell(|pair, cell| *calls.entry(pair).or_default() += cell.spans);
        calls
    };
    let all = calls(whole.map());
    let total: u64 = all.values().sum();
    let mut counts: Vec<u64> = all.values().copied().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    for pairs_max in [0, 1, all.len() - 1, all.len()] {
        let cut = rollup(&rows, 600, &RollupLimits { pairs_max, ..RollupLimits::NONE });
        let kept: u64 = counts[..pairs_max].iter().sum();
        assert_eq!(
            (calls(cut.map()).len(), calls(cut.map()).values().sum::<u64>()),
            (pairs_max, kept),
            "the most called"
        );
        assert_eq!(cut.map().left_out(), total - kept);
    }
    let dangling = whole.map().dangling();
    for dangling_max in [0, 1, dangling.len() - 1, dangling.len()] {
        let cut = rollup(&rows, 600, &RollupLimits { dangling_max, ..RollupLimits::NONE });
        assert_eq!(cut.map().dangling(), &dangling[..dangling_max], "those of the smallest trace ids");
        assert_eq!(cut.map().dangling_left_out(), (dangling.len() - dangling_max) as u64);
    }
}

fn log_rollup(limits: &RollupLimits) -> Option<LogRollup> {
    let mut random = fastrand::Rng::with_seed(8);
    let count = 2_000;
    let keyword = |value: &mut dyn FnMut() -> Option<&'static str>| -> ArrayRef {
        Arc::new((0..count).map(|_| value()).collect::<DictionaryArray<Int32Type>>())
    };
    let times = (0..count).map(|_| NOW + random.i64(0..200_000_000_000)).collect::<Vec<_>>();
    let numbers = (0..count).map(|_| [None, Some(9), Some(17)][random.usize(..3)]).collect::<Int32Array>();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("time", Arc::new(TimestampNanosecondArray::from(times))),
        ("service_name", keyword(&mut || Some(["a", "b"][random.usize(..2)]))),
        ("severity_number", Arc::new(numbers)),
        ("severity_text", keyword(&mut || [None, Some("warning"), Some("odd")][random.usize(..3)])),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let mut builder = LogRollupBuilder::default();
    builder.push(&batch.slice(0, 700), &TimeRange::ALL);
    builder.push(&batch.slice(700, count - 700), &TimeRange::ALL);
    builder.finish(limits)
}

#[test]
fn logs_are_counted_by_class() {
    let rollup = log_rollup(&RollupLimits::default()).expect("few instances");
    assert_eq!(LogRollup::from_bytes(&rollup.to_bytes()).as_ref(), Some(&rollup), "reads back");
    let mut sums = SeverityCounts::default();
    for cell in rollup.cells() {
        sums.iter_mut().zip(cell.counts).for_each(|(sum, count)| *sum += count);
    }
    assert_eq!((rollup.rows(), sums.iter().sum::<u32>()), (2_000, 2_000));
    // Unknown, trace, debug, info, warn, error, fatal: the number decides, and the word where there is none.
    assert!([sums[1], sums[2], sums[6]] == [0; 3] && sums[0] > 300 && sums[4] > 150 && sums[3] > 500 && sums[5] > 500);
    assert!(log_rollup(&RollupLimits { instances_max: 2, ..RollupLimits::NONE }).is_some());
    assert!(log_rollup(&RollupLimits { instances_max: 1, ..RollupLimits::NONE }).is_none());
}

#[test]
fn a_damaged_sidecar_reads_as_absent() {
    let spans = rollup(&rows(60, 9), 60, &RollupLimits::default()).to_bytes();
    let logs = log_rollup(&RollupLimits::default()).expect("few instances").to_bytes();
    assert_eq!((SpanRollup::from_bytes(&logs), LogRollup::from_bytes(&spans)), (None, None), "each is its own kind");
    let mut random = fastrand::Rng::with_seed(10);
    for bytes in [spans, logs] {
        let is_absent =
            |bytes: &[u8]| SpanRollup::from_bytes(bytes).is_none() && LogRollup::from_bytes(bytes).is_none();
        for length in 0..bytes.len() {
            assert!(is_absent(&bytes[..length]), "cut to {length}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            assert!(is_absent(&damaged), "flipped at {at}");
            // Even under a right checksum nothing but an answer or none may come of it.
            let content = damaged.len() - 8;
            let resealed = sidecar::seal(damaged[..content].to_vec());
            let _ = (SpanRollup::from_bytes(&resealed), LogRollup::from_bytes(&resealed));
            let noise: Vec<u8> =
                resealed[..17.min(content)].iter().copied().chain((0..40).map(|_| random.u8(..))).collect();
            let _ = SpanRollup::from_bytes(&sidecar::seal(noise));
        }
    }
}
