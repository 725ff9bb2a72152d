//! Metrics (data set M of the performance notes, simplified): sums, gauges and histograms of many instances.
//!
//! Every instance has forty metrics of sixteen series each, and a *round* is one point of every series of every
//! instance, all with the same time; requests go through round after round. So a run has a fixed number of series, and
//! the values of a series follow from one another as real ones do: counters count on, gauges wander, some never change.
//! One histogram point in ten carries an exemplar.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    exemplar, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::payload::{int_attribute, string_attribute};
use crate::random::Random;
use crate::resources::{PODS, resources, scope};

const CUMULATIVE: i32 = 2;
const BOUNDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
const SECOND: i64 = 1_000_000_000;
/// Series of one metric of one instance.
const SERIES_PER_METRIC: usize = 16;
/// Metrics of one instance.
const METRICS: usize = 40;

/// What a metric's values are like.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Counter,
    /// A gauge with two decimals.
    Gauge,
    /// A gauge that uses every digit.
    Precise,
    Constant,
    Histogram,
}

impl Kind {
    /// Of the metric with this number: two histograms in forty; of the others four in ten are counters, three gauges,
    /// one is precise, two are constant.
    fn of(number: usize) -> Kind {
        match (number % 16, number % 10) {
            (15, _) => Kind::Histogram,
            (_, 0..=3) => Kind::Counter,
            (_, 4..=6) => Kind::Gauge,
            (_, 7) => Kind::Precise,
            _ => Kind::Constant,
        }
    }

    fn name_and_unit(self) -> (&'static str, &'static str) {
        match self {
            Kind::Counter => ("requests.handled", "{request}"),
            Kind::Gauge => ("pool.usage", "1"),
            Kind::Precise => ("load.average", "1"),
            Kind::Constant => ("limit.configured", "{connection}"),
            Kind::Histogram => ("request.duration", "s"),
        }
    }
}

/// Makes metric requests.
#[derive(Debug)]
pub struct Metrics {
    random: Random,
    resources: Vec<Resource>,
    /// Time of the first round.
    now_unix_nano: i64,
    start_unix_nano: i64,
    round_nanos: i64,
    /// Points made so far.
    made: usize,
    /// The last value of each series.
    values: Vec<f64>,
    /// The last bucket counts of each histogram series; empty for other series.
    buckets: Vec<Vec<u64>>,
}

impl Metrics {
    /// A generator whose first round is at `now_unix_nano` and whose rounds are a second apart; counters began an hour
    /// before.
    pub fn new(seed: u64, now_unix_nano: i64) -> Metrics {
        let resources = resources(seed);
        let series = resources.len() * METRICS * SERIES_PER_METRIC;
        let mut random = Random::new(seed);
        Metrics {
            values: (0..series).map(|_| (random.unit() * 10_000.0).round()).collect(),
            random,
            resources,
            now_unix_nano,
            start_unix_nano: now_unix_nano - 3_600 * SECOND,
            round_nanos: SECOND,
            made: 0,
            buckets: vec![Vec::new(); series],
        }
    }

    /// Lets rounds be so many seconds apart.
    pub fn every(mut self, seconds: i64) -> Metrics {
        self.round_nanos = seconds * SECOND;
        self
    }

    /// Series in all: as many points make a round.
    pub fn series(&self) -> usize {
        self.values.len()
    }

    /// Moves the time that following points are made for: the round that they belong to is at `now_unix_nano`.
    pub fn set_now(&mut self, now_unix_nano: i64) {
        self.now_unix_nano = now_unix_nano - (self.made / self.series()) as i64 * self.round_nanos;
    }

    /// A request with the next so many points.
    pub fn request(&mut self, points: usize) -> ExportMetricsServiceRequest {
        let mut resource_metrics: Vec<ResourceMetrics> = Vec::new();
        let mut of = usize::MAX;
        let mut left = points;
        while left > 0 {
            let count = left.min(SERIES_PER_METRIC - self.made % SERIES_PER_METRIC);
            left -= count;
            let resource = self.made / (SERIES_PER_METRIC * METRICS) % self.resources.len();
            if resource != of {
                of = resource;
                resource_metrics.push(ResourceMetrics {
                    resource: Some(self.resources[resource].clone()),
                    scope_metrics: vec![ScopeMetrics { scope: Some(scope(resource / PODS)), ..Default::default() }],
                    schema_url: String::new(),
                });
            }
            let metric = self.metric(count);
            if let Some(resource) = resource_metrics.last_mut() {
                resource.scope_metrics[0].metrics.push(metric);
            }
        }
        ExportMetricsServiceRequest { resource_metrics }
    }

    /// The next so many points, all of one metric.
    fn metric(&mut self, points: usize) -> Metric {
        let number = self.made / SERIES_PER_METRIC % METRICS;
        let kind = Kind::of(number);
        let (name, unit) = kind.name_and_unit();
        let data = match kind {
            Kind::Histogram => metric::Data::Histogram(Histogram {
                data_points: (0..points).map(|_| self.histogram()).collect(),
                aggregation_temporality: CUMULATIVE,
            }),
            Kind::Counter => metric::Data::Sum(Sum {
                data_points: (0..points).map(|_| self.number(kind)).collect(),
                aggregation_temporality: CUMULATIVE,
                is_monotonic: true,
            }),
            _ => metric::Data::Gauge(Gauge { data_points: (0..points).map(|_| self.number(kind)).collect() }),
        };
        Metric {
            name: format!("shop.{name}.{number}"),
            unit: unit.to_owned(),
            description: "Made by Spyhop's test kit.".to_owned(),
            data: Some(data),
            ..Default::default()
        }
    }

    /// Number of the next point's series, and the point's time.
    fn next(&mut self) -> (usize, u64) {
        let (round, series) = (self.made / self.series(), self.made % self.series());
        self.made += 1;
        (series, (self.now_unix_nano + round as i64 * self.round_nanos) as u64)
    }

    fn number(&mut self, kind: Kind) -> NumberDataPoint {
        let (series, time_unix_nano) = self.next();
        let (last, step) = (self.values[series], self.random.unit());
        let next = match kind {
            // Half of all counters hardly move; a few move fast.
            Kind::Counter => last + (step.powi(6) * 1_000.0).floor(),
            Kind::Gauge => ((last + step * 2.0 - 1.0) * 100.0).round() / 100.0,
            Kind::Precise => last + step - 0.5,
            Kind::Constant | Kind::Histogram => last,
        };
        self.values[series] = next;
        let value = match kind {
            Kind::Counter => number_data_point::Value::AsInt(next as i64),
            _ => number_data_point::Value::AsDouble(next),
        };
        NumberDataPoint {
            attributes: attributes(series),
            start_time_unix_nano: self.start_unix_nano as u64,
            time_unix_nano,
            value: Some(value),
            ..Default::default()
        }
    }

    fn histogram(&mut self) -> HistogramDataPoint {
        let (series, time_unix_nano) = self.next();
        let mut bucket_counts = std::mem::take(&mut self.buckets[series]);
        bucket_counts.resize(BOUNDS.len() + 1, 0);
        // Calls since the last round, most of them in the middle buckets.
        let calls = self.random.below(30);
        for _ in 0..calls {
            bucket_counts[(self.random.below(6) + self.random.below(6)).min(BOUNDS.len())] += 1;
        }
        self.values[series] += calls as f64 * self.random.unit() * 0.1;
        self.buckets[series] = bucket_counts.clone();
        let exemplars = if self.random.chance(0.1) { vec![self.exemplar(time_unix_nano)] } else { Vec::new() };
        HistogramDataPoint {
            attributes: attributes(series),
            start_time_unix_nano: self.start_unix_nano as u64,
            time_unix_nano,
            count: bucket_counts.iter().sum(),
            sum: Some(self.values[series]),
            bucket_counts,
            explicit_bounds: BOUNDS.to_vec(),
            exemplars,
            ..Default::default()
        }
    }

    fn exemplar(&mut self, time_unix_nano: u64) -> Exemplar {
        Exemplar {
            time_unix_nano,
            trace_id: self.random.trace_id().to_vec(),
            span_id: self.random.span_id().to_vec(),
            value: Some(exemplar::Value::AsDouble(self.random.unit())),
            ..Default::default()
        }
    }
}

fn attributes(series: usize) -> Vec<KeyValue> {
    vec![
        string_attribute("http.route", ["/cart", "/checkout", "/products", "/search"][series % 4]),
        int_attribute("http.response.status_code", [200, 201, 404, 500][series / 4 % 4]),
    ]
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_points() {
        let make = |seed| Metrics::new(seed, 1_795_289_400_000_000_000).request(512).encode_to_vec();
        assert_eq!(make(7), make(7));
        let bytes_per_point = make(7).len() / 512;
        assert!((70..150).contains(&bytes_per_point), "{bytes_per_point} bytes a point");
    }

    #[test]
    fn counters_count_on_and_rounds_are_apart() {
        let mut metrics = Metrics::new(7, 1_000 * SECOND).every(15);
        let round = metrics.series();
        let mut first = || metrics.request(round).resource_metrics.swap_remove(0).scope_metrics.swap_remove(0).metrics;
        let (before, after) = (first(), first());
        let points = |metric: &Metric| match &metric.data {
            Some(metric::Data::Sum(sum)) => sum.data_points.clone(),
            other => panic!("the first metric is a counter, not {other:?}"),
        };
        let value = |point: &NumberDataPoint| match point.value {
            Some(number_data_point::Value::AsInt(value)) => value,
            other => panic!("counters are integers, not {other:?}"),
        };
        for (before, after) in points(&before[0]).iter().zip(points(&after[0])) {
            assert_eq!(after.time_unix_nano - before.time_unix_nano, 15 * SECOND as u64);
            assert!(value(&after) >= value(before));
            assert_eq!(after.attributes, before.attributes);
        }
    }
}
