//! Metrics in files, in the journal and in both: what is answered, and how little is read for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{MetricRangeAnswer, MetricSummary};
use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray};
use arrow::array::{TimestampNanosecondArray, UInt32Array, UInt64Array};
use arrow::datatypes::{Float64Type, UInt64Type};
use model::{Hour, Table, TenantId, TimeRange};

use super::fixture::{Folder, NOW, SECOND, batch, exemplar_batch, keyword};
use crate::{Function, GroupBy, MetricKind, MetricLimits, MetricRange, MetricSearch, MetricSeriesSearch};
use crate::{QueryError, QueryLimits, QueryService, QuerySettings};

/// Whole hours before and after, so that files are of one hour each.
const START: i64 = NOW / Hour::NANOS * Hour::NANOS;
const INTERVAL: i64 = 15 * SECOND;
const POINTS: i64 = 480;
const END: i64 = START + POINTS * INTERVAL;

/// A made-up series.
#[derive(Clone)]
struct Made {
    metric: String,
    id: u64,
    kind: MetricKind,
    temporality: Option<i32>,
    monotonic: Option<bool>,
    service: &'static str,
    resource: String,
    attributes: String,
}

/// Counters that grow by their number, gauges that stand at it, and many others that nobody asks for.
fn made() -> Vec<Made> {
    let mut all = Vec::new();
    let mut add = |metric: &str, kind: MetricKind, temporality, monotonic, number: u64, attributes: String| {
        let service = ["shop", "cart"][number as usize % 2];
        all.push(Made {
            metric: metric.to_owned(),
            // On both sides of the greatest signed number.
            id: (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ metric.len() as u64,
            kind,
            temporality,
            monotonic,
            service,
            resource: format!(r#"{{"attributes":{{"service.name":"{service}","deployment.environment":"prod"}}}}"#),
            attributes,
        });
    };
    for number in 0..6 {
        let method = if number < 3 { r#""http.method":"GET""# } else { r#""http.request.method":"POST""# };
        let attributes = format!(r#"{{{method},"http.route":"/{}","status":"ok"}}"#, number % 3);
        add("http.requests", MetricKind::Sum, Some(2), Some(true), number, attributes);
    }
    for number in 0..4 {
        add("memory", MetricKind::Gauge, None, None, number, format!(r#"{{"pool":"p{number}"}}"#));
        add("latency", MetricKind::Histogram, Some(1), None, number, format!(r#"{{"pool":"p{number}"}}"#));
    }
    for number in 0..300 {
        add(&format!("other.{number:03}"), MetricKind::Gauge, None, None, number, r#"{"pool":"p0"}"#.to_owned());
    }
    all
}

fn series_rows(made: &[Made], time: i64) -> RecordBatch {
    let text = |get: fn(&Made) -> &str| keyword(made.iter().map(move |made| Some(get(made))));
    batch(
        Table::Series,
        vec![
            ("metric", text(|made| &made.metric)),
            ("series_id", Arc::new(made.iter().map(|made| made.id).collect::<UInt64Array>())),
            ("time", Arc::new(made.iter().map(|_| Some(time)).collect::<TimestampNanosecondArray>())),
            ("type", text(|made| made.kind.name())),
            ("unit", keyword(made.iter().map(|made| (made.metric == "memory").then_some("By")))),
            ("description", keyword(made.iter().map(|_| Some("made up")))),
            ("temporality", Arc::new(made.iter().map(|made| made.temporality).collect::<Int32Array>())),
            ("monotonic", Arc::new(made.iter().map(|made| made.monotonic).collect::<BooleanArray>())),
            ("service_name", text(|made| made.service)),
            ("resource", text(|made| &made.resource)),
            ("attributes", Arc::new(made.iter().map(|made| Some(made.attributes.as_str())).collect::<StringArray>())),
        ],
    )
}

/// The number a series was made with.
fn number(made: &Made) -> i64 {
    made.attributes.bytes().rev().find(u8::is_ascii_digit).map_or(0, |digit| i64::from(digit - b'0'))
}

fn heads(rows: &[(&Made, i64)]) -> Vec<(&'static str, ArrayRef)> {
    let time = |point: i64| START + point * INTERVAL;
    vec![
        ("metric", keyword(rows.iter().map(|(made, _)| Some(made.metric.as_str())))),
        ("series_id", Arc::new(rows.iter().map(|(made, _)| made.id).collect::<UInt64Array>())),
        ("time", Arc::new(rows.iter().map(|(_, point)| Some(time(*point))).collect::<TimestampNanosecondArray>())),
    ]
}

/// Points of these numbers of all series of numbers.
fn number_points(made: &[Made], points: std::ops::Range<i64>) -> RecordBatch {
    let numbers = made.iter().filter(|made| matches!(made.kind, MetricKind::Sum | MetricKind::Gauge));
    let rows: Vec<(&Made, i64)> = numbers.flat_map(|made| points.clone().map(move |point| (made, point))).collect();
    let mut columns = heads(&rows);
    let whole = |(made, point): &(&Made, i64)| (made.kind == MetricKind::Sum).then(|| point * (number(made) + 1));
    let double = |(made, _): &(&Made, i64)| (made.kind == MetricKind::Gauge).then(|| number(made) as f64 + 0.5);
    // Series `memory` of pool 3 says once that it has no value.
    let is_gap = |(made, point): &(&Made, i64)| made.metric == "memory" && number(made) == 3 && *point == 100;
    columns.push(("flags", Arc::new(rows.iter().map(|row| is_gap(row).then_some(1)).collect::<UInt32Array>())));
    columns.push(("value", Arc::new(rows.iter().map(double).collect::<Float64Array>())));
    columns.push(("value_int", Arc::new(rows.iter().map(whole).collect::<Int64Array>())));
    batch(Table::Points, columns)
}

/// Points of the histograms: ten observations each, all in the bucket `(number, number + 1]`.
fn histogram_points(made: &[Made], points: std::ops::Range<i64>) -> RecordBatch {
    let histograms = made.iter().filter(|made| made.kind == MetricKind::Histogram);
    let rows: Vec<(&Made, i64)> = histograms.flat_map(|made| points.clone().map(move |point| (made, point))).collect();
    let mut columns = heads(&rows);
    let counts = |(made, _): &(&Made, i64)| {
        let bucket = number(made) + 1;
        Some((0..=5).map(|at| Some(if at == bucket { 10 } else { 0 })).collect::<Vec<Option<u64>>>())
    };
    let bounds = |_: &(&Made, i64)| Some((0..5).map(|bound| Some(f64::from(bound))).collect::<Vec<Option<f64>>>());
    let not_null = |list: ListArray, field: &str| -> ArrayRef {
        let whole = schema::schema(Table::Histograms);
        let kind = whole.field_with_name(field).expect("a column").data_type().clone();
        let arrow::datatypes::DataType::List(item) = kind else { panic!("{field} is a list") };
        Arc::new(ListArray::new(item, list.offsets().clone(), list.values().clone(), None))
    };
    columns.push(("count", Arc::new(rows.iter().map(|_| 10).collect::<UInt64Array>())));
    columns.push((
        "sum",
        Arc::new(rows.iter().map(|(made, _)| Some(10.0 * (number(made) as f64 + 0.5))).collect::<Float64Array>()),
    ));
    let counts = ListArray::from_iter_primitive::<UInt64Type, _, _>(rows.iter().map(counts));
    columns.push(("bucket_counts", not_null(counts, "bucket_counts")));
    let bounds = ListArray::from_iter_primitive::<Float64Type, _, _>(rows.iter().map(bounds));
    columns.push(("explicit_bounds", not_null(bounds, "explicit_bounds")));
    batch(Table::Histograms, columns)
}

/// How many of the points are in files, by the hour; the others are in the journal.
async fn folder(in_files: i64) -> Folder {
    let (folder, made) = (Folder::new().await, made());
    let per_hour = Hour::NANOS / INTERVAL;
    for start in (0..in_files).step_by(per_hour as usize) {
        let points = start..(start + per_hour).min(in_files);
        folder.add_file(Table::Series, &series_rows(&made, START + start * INTERVAL)).await;
        folder.add_file(Table::Points, &number_points(&made, points.clone())).await;
        folder.add_file(Table::Histograms, &histogram_points(&made, points)).await;
    }
    for start in (0..POINTS).step_by(per_hour as usize).filter(|start| start + per_hour > in_files) {
        let points = start.max(in_files)..start + per_hour;
        folder.append(Table::Series, &series_rows(&made, START + points.start * INTERVAL), 100).await;
        folder.append(Table::Points, &number_points(&made, points.clone()), 1_999).await;
        folder.append(Table::Histograms, &histogram_points(&made, points), 500).await;
    }
    folder.add_file(Table::Exemplars, &exemplar_batch(300)).await;
    folder
}

async fn ask(service: &QueryService, ask: MetricRange) -> MetricRangeAnswer {
    service.metric_range(&TenantId::default(), ask).await.expect("an answer")
}

fn asked(metric: &str, function: Option<Function>, group_by: &str, filter: &str) -> MetricRange {
    MetricRange {
        metric: metric.into(),
        function,
        group_by: GroupBy::parse(group_by).expect("labels"),
        filter: filter.into(),
        range: TimeRange::new(START + 600 * SECOND, END - 600 * SECOND),
        step: Some(60 * SECOND),
        ..MetricRange::default()
    }
}

/// Lines whose values are all the same, as labels and value.
fn constant(answer: &MetricRangeAnswer) -> Vec<(String, f64)> {
    let one = |line: &api::MetricLine| {
        let labels: Vec<String> = line.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let first = line.values[0].unwrap_or(f64::NAN);
        // What came in after the last point is not known; only a rate is taken to go on.
        let is_open = matches!(answer.function.as_str(), "increase" | "count");
        let values = &line.values[..line.values.len() - usize::from(is_open)];
        let is_same = values.iter().all(|value| value.is_some_and(|value| (value - first).abs() < 1e-6));
        (labels.join(","), if is_same { (first * 1e6).round() / 1e6 } else { f64::NAN })
    };
    answer.lines.iter().map(one).collect()
}

/// The same answers, wherever the points lie: all in files, all in the journal, the middle of an hour in between.
#[tokio::test(flavor = "multi_thread")]
async fn lines_are_the_same_in_files_and_in_the_journal() {
    let quarter = |numbers: &[i64]| numbers.iter().map(|number| number + 1).sum::<i64>() as f64 / 15.0;
    for in_files in [POINTS, 300, 0] {
        let folder = folder(in_files).await;
        let service = folder.service();
        let check = async |question: MetricRange, expect: &[(&str, f64)]| {
            let answer = ask(&service, question.clone()).await;
            let expect: Vec<(String, f64)> =
                expect.iter().map(|(labels, value)| ((*labels).to_owned(), (value * 1e6).round() / 1e6)).collect();
            assert_eq!(constant(&answer), expect, "{in_files} {question:?}");
            assert!(answer.completeness.complete, "{:?}", answer.completeness);
            assert_eq!(answer.steps.step_nano.0, 60 * SECOND);
            assert!(answer.lines.iter().all(|line| line.values.len() == 100));
        };
        // Counters grow by 1, 2 and 3 a point, each twice.
        check(asked("http.requests", None, "", ""), &[("", quarter(&[0, 1, 2, 0, 1, 2]))]).await;
        let by_route = [
            ("http.route=/0", quarter(&[0, 0])),
            ("http.route=/1", quarter(&[1, 1])),
            ("http.route=/2", quarter(&[2, 2])),
        ];
        check(asked("http.requests", None, "http.route", ""), &by_route).await;
        // Half were sent under the old name, half under the new one.
        let get = "http.request.method=GET,service_name=shop";
        let methods = asked("http.requests", Some(Function::Rate), "http.request.method,service_name", "service:shop");
        check(
            methods.clone(),
            &[(get, quarter(&[0, 2])), ("http.request.method=POST,service_name=shop", quarter(&[1]))],
        )
        .await;
        check(MetricRange { limit: 1, ..methods }, &[(get, quarter(&[0, 2]))]).await;
        let filtered = asked("http.requests", Some(Function::Increase), "", "http.method:POST status:ok http.route:/2");
        check(filtered, &[("", 4.0 * 3.0)]).await;
        check(asked("http.requests", None, "", "http.method:PUT"), &[]).await;
        // Gauges stand still.
        let each = "deployment.environment=prod,pool=p0,service.name=shop";
        check(asked("memory", None, "", "pool:p0"), &[(each, 0.5)]).await;
        check(asked("memory", Some(Function::Sum), "", "pool:p0 OR pool:p2"), &[("", 3.0)]).await;
        check(asked("memory", None, "-", "pool:p0 OR pool:p2"), &[("", 1.5)]).await;
        check(
            asked("memory", Some(Function::Max), "service_name", "-pool:p3"),
            &[("service_name=cart", 1.5), ("service_name=shop", 2.5)],
        )
        .await;
        // Histograms: all of a pool in one bucket.
        check(asked("latency", None, "", "pool:p2"), &[("", 2.95)]).await;
        check(
            asked("latency", Some(Function::Avg), "pool", "pool:p1 OR pool:p3"),
            &[("pool=p1", 1.5), ("pool=p3", 3.5)],
        )
        .await;
        check(asked("latency", Some(Function::Rate), "", ""), &[("", 40.0 / 15.0)]).await;
        check(
            asked("latency", Some(Function::Count), "*", "pool:p1"),
            &[("deployment.environment=prod,pool=p1,service.name=cart", 40.0)],
        )
        .await;
        let median = MetricRange { quantile: Some(0.5), ..asked("latency", None, "", "pool:p0 OR pool:p2") };
        check(median, &[("", 1.0)]).await;
        check(asked("nothing", None, "", ""), &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_without_value_leaves_a_gap() {
    for in_files in [POINTS, 0] {
        let folder = folder(in_files).await;
        let question = MetricRange { step: Some(5 * SECOND), ..asked("memory", None, "", "pool:p3") };
        let range = TimeRange::new(START + 98 * INTERVAL, START + 103 * INTERVAL);
        let answer = ask(&folder.service(), MetricRange { range, ..question }).await;
        let values: Vec<bool> = answer.lines[0].values.iter().map(Option::is_some).collect();
        // Three steps a point; the one at 100 says that there is none.
        assert_eq!(values, [&[true; 6][..], &[false; 3], &[true; 6]].concat(), "{in_files}");
    }
}

/// One metric among three hundred: its pages alone are read.
#[tokio::test(flavor = "multi_thread")]
async fn one_metric_reads_its_own_pages() {
    let folder = folder(POINTS).await;
    let answer = ask(&folder.service(), asked("memory", None, "", "")).await;
    let total = number_points(&made(), 0..POINTS).num_rows() as u64;
    assert_eq!(answer.lines.len(), 4);
    assert!(total > 140_000, "{total}");
    // Two files with a page or two of 2,048 rows that hold 4 series of 240 points, and two of series rows.
    assert!(answer.stats.rows_scanned < 14_000, "{:?}", answer.stats);
    // The series rows of an hour are a page: only a name outside of all of them needs none of it.
    for (absent, rows, pruned) in [("memo", 628, 0), ("zebra", 0, 2)] {
        let absent = ask(&folder.service(), asked(absent, None, "", "")).await;
        assert_eq!((absent.lines.len(), absent.metric.kind.as_str()), (0, ""));
        assert_eq!((absent.stats.rows_scanned, absent.stats.files_pruned_by_index), (rows, pruned));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_counts_series_and_services() {
    for in_files in [POINTS, 300, 0] {
        let folder = folder(in_files).await;
        let service = folder.service();
        let catalog =
            async |search: MetricSearch| service.metrics(&TenantId::default(), search).await.expect("an answer");
        let all = catalog(MetricSearch::default()).await;
        assert_eq!((all.metrics.len(), all.truncated, all.completeness.complete), (303, false, true));
        assert!(all.metrics.windows(2).all(|pair| pair[0].name < pair[1].name));
        let named = catalog(MetricSearch { name: "MEM".into(), ..MetricSearch::default() }).await;
        let newest = if in_files == POINTS { START + Hour::NANOS } else { END - INTERVAL };
        let expect = MetricSummary {
            name: "memory".into(),
            kind: "gauge".into(),
            unit: "By".into(),
            description: "made up".into(),
            series_count: 4,
            services: vec!["cart".into(), "shop".into()],
            last_seen_unix_nano: api::UnixNano(newest),
            ..MetricSummary::default()
        };
        assert_eq!(named.metrics, [expect], "{in_files}");
        let of_shop = MetricSearch { name: "http".into(), service: Some("shop".into()), ..MetricSearch::default() };
        let of_shop = catalog(of_shop).await.metrics;
        assert_eq!((of_shop[0].series_count, of_shop[0].services.len(), of_shop[0].monotonic), (3, 1, true));
        assert_eq!(of_shop[0].temporality, "cumulative");
        let cut = catalog(MetricSearch { limit: 2, ..MetricSearch::default() }).await;
        assert_eq!((cut.metrics.len(), cut.truncated), (2, true));
        let before = TimeRange { start: None, end: Some(START) };
        assert!(catalog(MetricSearch { range: before, ..MetricSearch::default() }).await.metrics.is_empty());
        // Ranges are looked at by the hour.
        let within = TimeRange::new(START + 1_000 * SECOND, START + 1_001 * SECOND);
        assert_eq!(catalog(MetricSearch { range: within, ..MetricSearch::default() }).await.metrics.len(), 303);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn series_have_labels() {
    let folder = folder(300).await;
    let service = folder.service();
    let list = async |filter: &str, limit: usize| {
        let (metric, filter) = ("http.requests".to_owned(), filter.to_owned());
        let search = MetricSeriesSearch { metric, filter, limit, ..MetricSeriesSearch::default() };
        service.metric_series(&TenantId::default(), search).await
    };
    let all = list("", 0).await.expect("an answer");
    assert_eq!((all.series.len(), all.truncated, all.metric.series_count), (6, false, 6));
    assert_eq!(all.labels["http.route"], ["/0", "/1", "/2"]);
    assert_eq!(all.labels["http.method"], ["GET"]);
    assert!(all.series.windows(2).all(|pair| pair[0].labels <= pair[1].labels));
    assert!(all.series.iter().all(|series| series.labels["service.name"] == series.service_name));
    let some = list("http.request.method:GET service:shop", 1).await.expect("an answer");
    assert_eq!((some.series.len(), some.truncated, some.metric.series_count), (1, true, 6));
    let expect: BTreeMap<String, String> = [
        ("deployment.environment", "prod"),
        ("http.method", "GET"),
        ("http.route", "/0"),
        ("service.name", "shop"),
        ("status", "ok"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    assert_eq!(some.series[0].labels, expect);
    assert_eq!(list("deployment.environment.name:prod", 0).await.expect("an answer").series.len(), 6);
    assert!(matches!(list("(", 0).await, Err(QueryError::Invalid { position: Some(_), .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn exemplars_are_newest_first_and_of_the_series_shown() {
    let folder = folder(0).await;
    // The fixture's exemplars are of series 7 of `latency`, one a nanosecond.
    let mut exemplified = made().into_iter().find(|made| made.metric == "latency").expect("made");
    exemplified.id = 7;
    folder.append(Table::Series, &series_rows(&[exemplified], NOW), 10).await;
    let question = MetricRange {
        exemplars: true,
        range: TimeRange::new(NOW - SECOND, NOW + 250),
        ..asked("latency", None, "", "")
    };
    let answer = ask(&folder.service(), MetricRange { step: None, ..question.clone() }).await;
    assert_eq!(answer.exemplars.len(), 200);
    assert_eq!(answer.exemplars[0].time_unix_nano.0, NOW + 249);
    assert!(answer.exemplars.is_sorted_by(|a, b| a.time_unix_nano > b.time_unix_nano));
    assert!(answer.exemplars.iter().all(|exemplar| exemplar.trace_id.is_some() && exemplar.metric == "latency"));
    let other = MetricRange { filter: "pool:p3".into(), ..question };
    assert!(ask(&folder.service(), other).await.exemplars.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_are_kept_and_said() {
    let folder = folder(POINTS).await;
    let with = |limits: MetricLimits| {
        let limits = QueryLimits { metrics: limits, ..QueryLimits::default() };
        let settings = QuerySettings { limits, ..QuerySettings::default() };
        QueryService::open(settings, folder.layout.clone(), folder.catalog.clone()).expect("opens")
    };
    let each = || MetricRange { group_by: GroupBy::Each, ..asked("http.requests", None, "", "") };
    let tenant = TenantId::default();
    // 6 series of 480 points of 32 bytes and 6 lines of 100 steps of 16 bytes fit; a series at a time, so do less.
    for (bytes_max, fits) in [(1 << 20, true), (60_000, true), (24_000, false)] {
        let answer = with(MetricLimits { bytes_max, ..MetricLimits::default() }).metric_range(&tenant, each()).await;
        match answer {
            Ok(answer) => assert!(fits && answer.lines.len() == 6, "{bytes_max}"),
            Err(QueryError::TooLarge { message }) => assert!(!fits && message.contains("longer step"), "{message}"),
            Err(other) => panic!("{other}"),
        }
    }
    for (series_max, complete) in [(6, true), (5, false)] {
        let answer = with(MetricLimits { series_max, ..MetricLimits::default() }).metric_range(&tenant, each()).await;
        let answer = answer.expect("an answer");
        assert_eq!((answer.lines.len(), answer.completeness.complete), (series_max, complete));
        assert!(complete || answer.completeness.incomplete_because[0].contains("more than 5 series"));
    }
    for (lines_max, truncated) in [(6, false), (5, true)] {
        let limits = MetricLimits { lines_max, ..MetricLimits::default() };
        let answer = with(limits).metric_range(&tenant, each()).await.expect("an answer");
        assert_eq!((answer.lines.len(), answer.truncated), (lines_max, truncated));
    }
    for (steps_max, fits) in [(100, true), (99, false)] {
        let limits = MetricLimits { steps_max, ..MetricLimits::default() };
        assert_eq!(with(limits).metric_range(&tenant, each()).await.is_ok(), fits);
    }
    let last = MetricRange { function: Some(Function::Last), ..asked("latency", None, "", "") };
    assert!(matches!(folder.service().metric_range(&tenant, last).await, Err(QueryError::Invalid { .. })));
}

/// Times and rows of one metric among a thousand; run with `cargo test -p query --lib -- --ignored --nocapture
/// measure_metrics`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn measure_metrics() {
    let folder = Folder::new().await;
    let per_hour = Hour::NANOS / INTERVAL;
    let series = |metric: i64, number: i64| Made {
        metric: format!("metric.{metric:04}"),
        id: ((metric * 1_000 + number + 1) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        kind: if metric % 2 == 0 { MetricKind::Sum } else { MetricKind::Gauge },
        temporality: (metric % 2 == 0).then_some(2),
        monotonic: (metric % 2 == 0).then_some(true),
        service: "shop",
        resource: r#"{"attributes":{"service.name":"shop"}}"#.into(),
        attributes: format!(r#"{{"pod":"p{number}"}}"#),
    };
    // A thousand metrics of three series, and one of four hundred.
    let mut all: Vec<Made> = (0..1_000).flat_map(|metric| (0..3).map(move |number| series(metric, number))).collect();
    all.extend((0..400).map(|number| series(5_000, number)));
    let hours = 4;
    let mut total = 0;
    for hour in 0..hours {
        let points = number_points(&all, hour * per_hour..(hour + 1) * per_hour);
        total += points.num_rows();
        folder.add_file(Table::Series, &series_rows(&all, START + hour * Hour::NANOS)).await;
        folder.add_file(Table::Points, &points).await;
    }
    let service = folder.service();
    println!("{total} points in {hours} files");
    let range = TimeRange::new(START, START + hours * Hour::NANOS);
    for (what, metric, filter, group_by) in [
        ("rate, 3 series", "metric.0500", "", ""),
        ("gauge, 3 series", "metric.0501", "", ""),
        ("rate, 400 series", "metric.5000", "", ""),
        ("rate, 400 lines", "metric.5000", "", "pod"),
        ("rate, 1 of 400 series", "metric.5000", "pod:p77", ""),
    ] {
        let question = MetricRange { range, step: None, limit: 1_000, ..asked(metric, None, group_by, filter) };
        let mut times = Vec::new();
        let mut stats = api::Stats::default();
        for _ in 0..9 {
            let begun = std::time::Instant::now();
            stats = ask(&service, question.clone()).await.stats;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        println!("{what:24} {:8.2} ms, {} rows, {} bytes", times[4], stats.rows_scanned, stats.bytes_scanned);
    }
    let begun = std::time::Instant::now();
    let catalog = service.metrics(&TenantId::default(), MetricSearch::default()).await.expect("an answer");
    println!("catalog of {} metrics {:.2} ms", catalog.metrics.len(), begun.elapsed().as_secs_f64() * 1e3);
}
