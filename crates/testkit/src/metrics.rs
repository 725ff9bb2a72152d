//! Metrics (data set M of the performance notes, simplified): sums, gauges and histograms of many instances.
//!
//! Every request holds the next points of a rolling set of series, so that a run has a fixed number of series and
//! every series many points. One histogram point in ten carries an exemplar.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    exemplar, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::payload::{int_attribute, string_attribute};
use crate::random::Random;
use crate::resources::{resources, scope};

const CUMULATIVE: i32 = 2;
const BOUNDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// Points of one metric in a request.
const POINTS_PER_METRIC: usize = 16;

/// Makes metric requests.
#[derive(Debug)]
pub struct Metrics {
    random: Random,
    resources: Vec<Resource>,
    now_unix_nano: i64,
    start_unix_nano: i64,
    next_metric: usize,
}

impl Metrics {
    /// A generator whose points begin at `now_unix_nano` less an hour and move on by a second a round.
    pub fn new(seed: u64, now_unix_nano: i64) -> Metrics {
        Metrics {
            random: Random::new(seed),
            resources: resources(seed),
            now_unix_nano,
            start_unix_nano: now_unix_nano - 3_600_000_000_000,
            next_metric: 0,
        }
    }

    /// Moves the time that following points are made for.
    pub fn set_now(&mut self, now_unix_nano: i64) {
        self.now_unix_nano = now_unix_nano;
    }

    /// A request with so many points: two thirds sums, the others gauges, and one metric in sixteen a histogram.
    pub fn request(&mut self, points: usize) -> ExportMetricsServiceRequest {
        let resource = self.next_metric / 40 % self.resources.len();
        let mut metrics = Vec::new();
        let mut left = points;
        while left > 0 {
            let count = left.min(POINTS_PER_METRIC);
            left -= count;
            metrics.push(self.metric(count));
            self.next_metric += 1;
        }
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resources[resource].clone()),
                scope_metrics: vec![ScopeMetrics { scope: Some(scope(resource / 3)), metrics, ..Default::default() }],
                schema_url: String::new(),
            }],
        }
    }

    fn metric(&mut self, points: usize) -> Metric {
        let number = self.next_metric % 40;
        self.now_unix_nano += 1_000_000;
        let (name, unit, data) = match number % 16 {
            15 => ("request.duration", "s", self.histogram(points)),
            kind if kind % 3 == 2 => ("pool.usage", "1", self.gauge(points)),
            _ => ("requests.handled", "{request}", self.sum(points)),
        };
        Metric {
            name: format!("shop.{name}.{number}"),
            unit: unit.to_owned(),
            description: "Made by Spyhop's test kit.".to_owned(),
            data: Some(data),
            ..Default::default()
        }
    }

    fn sum(&mut self, points: usize) -> metric::Data {
        let data_points = (0..points)
            .map(|point| {
                let value = number_data_point::Value::AsInt(1_000 + self.random.below(100_000) as i64);
                self.number(point, value)
            })
            .collect();
        metric::Data::Sum(Sum { data_points, aggregation_temporality: CUMULATIVE, is_monotonic: true })
    }

    fn gauge(&mut self, points: usize) -> metric::Data {
        let data_points = (0..points)
            .map(|point| {
                let value = (self.random.unit() * 10_000.0).round() / 100.0;
                self.number(point, number_data_point::Value::AsDouble(value))
            })
            .collect();
        metric::Data::Gauge(Gauge { data_points })
    }

    fn number(&self, point: usize, value: number_data_point::Value) -> NumberDataPoint {
        NumberDataPoint {
            attributes: self.attributes(point),
            start_time_unix_nano: self.start_unix_nano as u64,
            time_unix_nano: self.now_unix_nano as u64,
            value: Some(value),
            ..Default::default()
        }
    }

    fn attributes(&self, point: usize) -> Vec<KeyValue> {
        vec![
            string_attribute("http.route", ["/cart", "/checkout", "/products", "/search"][point % 4]),
            int_attribute("http.response.status_code", [200, 201, 404, 500][point / 4 % 4]),
        ]
    }

    fn histogram(&mut self, points: usize) -> metric::Data {
        let data_points = (0..points)
            .map(|point| {
                let bucket_counts: Vec<u64> = (0..=BOUNDS.len()).map(|_| self.random.below(500) as u64).collect();
                let exemplars = if self.random.chance(0.1) { vec![self.exemplar()] } else { Vec::new() };
                HistogramDataPoint {
                    attributes: self.attributes(point),
                    start_time_unix_nano: self.start_unix_nano as u64,
                    time_unix_nano: self.now_unix_nano as u64,
                    count: bucket_counts.iter().sum(),
                    sum: Some(self.random.unit() * 100.0),
                    bucket_counts,
                    explicit_bounds: BOUNDS.to_vec(),
                    exemplars,
                    ..Default::default()
                }
            })
            .collect();
        metric::Data::Histogram(Histogram { data_points, aggregation_temporality: CUMULATIVE })
    }

    fn exemplar(&mut self) -> Exemplar {
        Exemplar {
            time_unix_nano: self.now_unix_nano as u64,
            trace_id: self.random.trace_id().to_vec(),
            span_id: self.random.span_id().to_vec(),
            value: Some(exemplar::Value::AsDouble(self.random.unit())),
            ..Default::default()
        }
    }
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
}
