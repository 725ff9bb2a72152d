//! Metrics: the catalog, series and values over time, from the journal and from files.

use std::collections::BTreeMap;

use testkit::proto::ExportMetricsServiceRequest;
use testkit::proto::common::v1::KeyValue;
use testkit::proto::metrics::v1::exponential_histogram_data_point::Buckets;
use testkit::proto::metrics::v1::summary_data_point::ValueAtQuantile;
use testkit::proto::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, metric,
    number_data_point,
};
use testkit::proto::resource::v1::Resource;
use testkit::{Client, Metrics, Payload, Server, ServerSettings, Signal, now_unix_nano, string_attribute};

use super::search::encoded;
use crate::TestResult;

const SECOND: i64 = 1_000_000_000;
const INTERVAL: i64 = 15 * SECOND;
const POINTS: i64 = 120;
const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;
const NO_RECORDED_VALUE: u32 = 1;

/// What the shop sends at one moment.
struct Shop {
    begun: i64,
    point: i64,
}

impl Shop {
    fn time(&self) -> i64 {
        self.begun + self.point * INTERVAL
    }

    /// The shop was started anew half-way.
    fn start(&self) -> (i64, i64) {
        match self.point {
            ..60 => (self.begun - 3_600 * SECOND, self.point + 100),
            _ => (self.begun + 59 * INTERVAL, self.point - 59),
        }
    }

    fn request(&self) -> ExportMetricsServiceRequest {
        let metric = |name: &str, unit: &str, data: metric::Data| Metric {
            name: format!("shop.{name}"),
            unit: unit.to_owned(),
            description: format!("The shop's {name}."),
            data: Some(data),
            ..Default::default()
        };
        let metrics = vec![
            metric("temperature", "Cel", self.gauge()),
            metric("orders", "{order}", self.orders()),
            metric("latency", "s", self.latency()),
            metric("size", "By", self.size()),
            metric("gc", "ms", self.gc()),
        ];
        let attributes = vec![string_attribute("service.name", "shop"), string_attribute("region", "eu")];
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(Resource { attributes, ..Default::default() }),
                scope_metrics: vec![ScopeMetrics { metrics, ..Default::default() }],
                ..Default::default()
            }],
        }
    }

    fn number(&self, attribute: KeyValue, value: number_data_point::Value) -> NumberDataPoint {
        NumberDataPoint {
            attributes: vec![attribute],
            time_unix_nano: self.time() as u64,
            value: Some(value),
            ..Default::default()
        }
    }

    fn gauge(&self) -> metric::Data {
        let degrees = number_data_point::Value::AsDouble;
        let mut cellar = self.number(string_attribute("room", "cellar"), degrees(12.5));
        if self.point == 80 {
            cellar.flags = NO_RECORDED_VALUE;
            cellar.value = None;
        }
        let attic = self.number(string_attribute("room", "attic"), degrees(30.0));
        metric::Data::Gauge(Gauge { data_points: vec![cellar, attic] })
    }

    fn orders(&self) -> metric::Data {
        let (start, intervals) = self.start();
        let count = |method: &str, each: i64| NumberDataPoint {
            start_time_unix_nano: start as u64,
            ..self.number(string_attribute("http.method", method), number_data_point::Value::AsInt(each * intervals))
        };
        metric::Data::Sum(Sum {
            data_points: vec![count("GET", 30), count("POST", 3)],
            aggregation_temporality: CUMULATIVE,
            is_monotonic: true,
        })
    }

    fn latency(&self) -> metric::Data {
        let (start, intervals) = self.start();
        let count = 10 * intervals as u64;
        let exemplar = Exemplar {
            time_unix_nano: self.time() as u64,
            trace_id: vec![self.point as u8 + 1; 16],
            span_id: vec![1; 8],
            value: Some(exemplar::Value::AsDouble(0.15)),
            ..Default::default()
        };
        let point = HistogramDataPoint {
            start_time_unix_nano: start as u64,
            time_unix_nano: self.time() as u64,
            count,
            sum: Some(count as f64 * 0.125),
            bucket_counts: vec![0, count, 0, 0],
            explicit_bounds: vec![0.1, 0.2, 0.4],
            exemplars: if self.point % 10 == 0 { vec![exemplar] } else { Vec::new() },
            ..Default::default()
        };
        metric::Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality: CUMULATIVE })
    }

    fn size(&self) -> metric::Data {
        let point = ExponentialHistogramDataPoint {
            start_time_unix_nano: (self.time() - INTERVAL) as u64,
            time_unix_nano: self.time() as u64,
            count: 10,
            sum: Some(120.0),
            scale: 0,
            positive: Some(Buckets { offset: 3, bucket_counts: vec![10] }),
            ..Default::default()
        };
        metric::Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![point],
            aggregation_temporality: DELTA,
        })
    }

    fn gc(&self) -> metric::Data {
        let quantile = |quantile: f64, value: f64| ValueAtQuantile { quantile, value };
        let point = SummaryDataPoint {
            time_unix_nano: self.time() as u64,
            count: 5 * self.point as u64,
            sum: 50.0 * self.point as f64,
            quantile_values: vec![quantile(0.5, 8.0), quantile(0.99, 20.0)],
            ..Default::default()
        };
        metric::Data::Summary(Summary { data_points: vec![point] })
    }
}

async fn filled() -> anyhow::Result<(Server, Client, i64)> {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let now = now_unix_nano();
    let begun = (now / (60 * SECOND) - 30) * 60 * SECOND;
    // Others send metrics too.
    let mut noise = Metrics::new(31, now);
    for _ in 0..10 {
        client.send(&Payload::protobuf(Signal::Metrics, &noise.request(500))).await?;
    }
    for point in 0..POINTS {
        let request = Shop { begun, point }.request();
        let answer = client.send(&Payload::protobuf(Signal::Metrics, &request)).await?;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0), "{}", answer.text());
    }
    Ok((server, client, begun))
}

async fn range(client: &Client, begun: i64, question: &str) -> anyhow::Result<api::MetricRangeAnswer> {
    let (start, end) = (begun + 300 * SECOND, begun + 1_500 * SECOND);
    let path = format!("{}?start={start}&end={end}&step=60s&{question}", api::paths::METRICS_RANGE);
    client.get_json(&path).await
}

/// Lines that say the same at every one of the twenty steps, as their labels and that value.
fn constants(answer: &api::MetricRangeAnswer) -> Vec<(String, f64)> {
    let one = |line: &api::MetricLine| {
        let labels: Vec<String> = line.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let first = line.values[0].unwrap_or(f64::NAN);
        let is_same = line.values.iter().all(|value| value.is_some_and(|value| (value - first).abs() < 1e-6));
        assert!(is_same && line.values.len() == 20, "{}: {:?}", labels.join(","), line.values);
        (labels.join(","), (first * 1e6).round() / 1e6)
    };
    answer.lines.iter().map(one).collect()
}

#[tokio::test]
async fn every_kind_of_metric_has_values_over_time() -> TestResult {
    let (server, client, begun) = filled().await?;
    for round in ["journal", "files"] {
        let check = async |question: &str, function: &str, expect: &[(&str, f64)]| -> TestResult {
            let answer = range(&client, begun, question).await?;
            let expect: Vec<(String, f64)> =
                expect.iter().map(|(labels, value)| ((*labels).to_owned(), *value)).collect();
            assert_eq!(constants(&answer), expect, "{round}: {question}");
            assert_eq!(
                (answer.function.as_str(), answer.completeness.complete),
                (function, true),
                "{round}: {question}"
            );
            Ok(())
        };
        // A restart half-way does not show.
        check("metric=shop.orders", "rate", &[("", 2.2)]).await?;
        let by_method = [("http.request.method=GET", 2.0), ("http.request.method=POST", 0.2)];
        check("metric=shop.orders&group_by=http.request.method", "rate", &by_method).await?;
        check(
            "metric=shop.orders&filter=http.request.method:POST&group_by=service_name",
            "rate",
            &[("service_name=shop", 0.2)],
        )
        .await?;
        let attic = "region=eu,room=attic,service.name=shop";
        check("metric=shop.temperature&filter=room:attic", "avg", &[(attic, 30.0)]).await?;
        check("metric=shop.temperature&function=max&group_by=region", "max", &[("region=eu", 30.0)]).await?;
        check("metric=shop.latency&quantile=0.5", "quantile", &[("", 0.15)]).await?;
        check("metric=shop.latency", "quantile", &[("", 0.195)]).await?;
        check("metric=shop.latency&function=avg", "avg", &[("", 0.125)]).await?;
        check("metric=shop.latency&function=rate", "rate", &[("", 0.666667)]).await?;
        check("metric=shop.size&quantile=0.5", "quantile", &[("", 11.313708)]).await?;
        check("metric=shop.size&function=avg", "avg", &[("", 12.0)]).await?;
        check("metric=shop.gc", "avg", &[("region=eu,service.name=shop", 10.0)]).await?;
        check("metric=shop.gc&quantile=0.99", "quantile", &[("region=eu,service.name=shop", 20.0)]).await?;
        // The cellar's thermometer said once that it has no value.
        let narrow = format!("start={}&end={}", begun + 79 * INTERVAL, begun + 82 * INTERVAL);
        let path =
            format!("{}?metric=shop.temperature&filter=room:cellar&step=15s&{narrow}", api::paths::METRICS_RANGE);
        let answer: api::MetricRangeAnswer = client.get_json(&path).await?;
        assert_eq!(answer.lines[0].values, [Some(12.5), None, Some(12.5)], "{round}");
        server.compact_now().await?;
    }
    Ok(())
}

#[tokio::test]
async fn answers_about_metrics_do_not_change_with_compaction() -> TestResult {
    let (server, client, begun) = filled().await?;
    let mut before: BTreeMap<String, serde_json::Value> = BTreeMap::new();
    let catalog: api::MetricsAnswer = client.get_json(api::paths::METRICS).await?;
    let names: Vec<&str> = catalog.metrics.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(names.len(), 45, "{names:?}");
    for round in ["journal", "half", "files"] {
        for name in &names {
            for question in ["", "&group_by=*&limit=1000", "&function=increase&group_by=service_name"] {
                let answer = range(&client, begun, &format!("metric={name}&exemplars=true{question}")).await?;
                assert!(answer.completeness.complete, "{round} {name}: {:?}", answer.completeness);
                let value = serde_json::to_value((&answer.lines, &answer.exemplars, &answer.function))?;
                let expect = before.entry(format!("{name}{question}")).or_insert_with(|| value.clone());
                assert_eq!(*expect, value, "{round} {name}{question}");
            }
        }
        if round == "half" {
            // A point beyond the range, so that the metric is in files and in the journal.
            let late = Shop { begun, point: POINTS }.request();
            client.send(&Payload::protobuf(Signal::Metrics, &late)).await?;
        }
        server.compact_now().await?;
    }
    let answer = range(&client, begun, "metric=shop.latency&exemplars=true").await?;
    let traces: Vec<&str> = answer.exemplars.iter().filter_map(|exemplar| exemplar.trace_id.as_deref()).collect();
    // Points 90, 80 … 20, newest first.
    let expect: Vec<String> = (2..10).rev().map(|ten| format!("{:02x}", ten * 10 + 1).repeat(16)).collect();
    assert_eq!(traces, expect);
    assert_eq!(answer.exemplars[0].unit, "s");
    let by_id: api::TraceAnswer = client.get_json(&format!("{}/{}", api::paths::TRACES, traces[0])).await?;
    assert_eq!(by_id.exemplars.len(), 1);
    Ok(())
}

#[tokio::test]
async fn the_catalog_and_series_say_what_was_sent() -> TestResult {
    let (server, client, begun) = filled().await?;
    for round in ["journal", "files"] {
        let path = format!("{}?query=SHOP.&service=shop", api::paths::METRICS);
        let catalog: api::MetricsAnswer = client.get_json(&path).await?;
        let found: Vec<(&str, &str, &str, u64)> = catalog
            .metrics
            .iter()
            .map(|metric| {
                (metric.name.as_str(), metric.kind.as_str(), metric.temporality.as_str(), metric.series_count)
            })
            .collect();
        let expect = [
            ("shop.gc", "summary", "", 1),
            ("shop.latency", "histogram", "cumulative", 1),
            ("shop.orders", "sum", "cumulative", 2),
            ("shop.size", "exponential_histogram", "delta", 1),
            ("shop.temperature", "gauge", "", 2),
        ];
        assert_eq!(found, expect, "{round}");
        let orders = &catalog.metrics[2];
        assert_eq!((orders.unit.as_str(), orders.description.as_str()), ("{order}", "The shop's orders."), "{round}");
        assert!(orders.monotonic && orders.services == ["shop"], "{round}");
        assert!(orders.last_seen_unix_nano.0 >= begun, "{round}");
        let filter = encoded("http.request.method:POST region:eu");
        let path = format!("{}?metric=shop.orders&filter={filter}", api::paths::METRICS_SERIES);
        let series: api::MetricSeriesAnswer = client.get_json(&path).await?;
        let expect = [("http.method", "POST"), ("region", "eu"), ("service.name", "shop")];
        let expect: BTreeMap<String, String> = expect.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(series.series.len(), 1, "{round}");
        assert_eq!(series.series[0].labels, expect, "{round}");
        let sql = "select count(*) from points where metric = 'shop.orders'";
        assert_eq!(client.sql_count(sql).await?, 2 * POINTS, "{round}");
        server.compact_now().await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_look_back_is_a_setting() -> TestResult {
    let settings = ServerSettings::default().with("SPYHOP_QUERY_METRIC_LOOK_BACK", "40s");
    let server = Server::start(settings).await?;
    let client = server.client();
    let begun = (now_unix_nano() / (60 * SECOND) - 30) * 60 * SECOND;
    // Half a minute apart, then a minute and a half.
    for point in [0, 2, 4, 10, 12, 14] {
        client.send(&Payload::protobuf(Signal::Metrics, &Shop { begun, point }.request())).await?;
    }
    let range = format!("start={begun}&end={}&step=15s", begun + 14 * INTERVAL);
    let path = format!("{}?metric=shop.orders&function=increase&{range}", api::paths::METRICS_RANGE);
    let answer: api::MetricRangeAnswer = client.get_json(&path).await?;
    let known: Vec<bool> = answer.lines[0].values.iter().map(Option::is_some).collect();
    assert_eq!(known, [&[true; 4][..], &[false; 6], &[true; 2], &[false; 2]].concat(), "{:?}", answer.lines[0].values);
    Ok(())
}
