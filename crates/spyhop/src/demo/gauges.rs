//! The shop's metrics: cumulative, from the opening of the shop on.

use std::collections::BTreeMap;

use super::journey::{Played, Pod, Request};
use super::random::Random;
use super::shop::{CHECKOUT, SERVICES, SKUS};

/// Bounds of request durations in seconds, as the semantic conventions advise.
pub(super) const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// One metric of one pod at one moment.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) pod: Pod,
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) description: &'static str,
    pub(super) kind: MetricKind,
    pub(super) time_unix_nano: i64,
    pub(super) points: Vec<Point>,
}

/// How points of a metric are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetricKind {
    Counter,
    UpDownCounter,
    Gauge,
    Histogram,
}

#[derive(Debug)]
pub(super) struct Point {
    pub(super) attributes: Vec<(&'static str, String)>,
    pub(super) value: PointValue,
}

#[derive(Debug)]
pub(super) enum PointValue {
    Int(i64),
    Double(f64),
    Histogram(Histogram),
}

/// A distribution, with samples that name their traces.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram {
    pub(super) counts: [u64; BOUNDS.len() + 1],
    pub(super) sum: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) exemplars: Vec<Exemplar>,
}

#[derive(Debug, Clone)]
pub(super) struct Exemplar {
    pub(super) value: f64,
    pub(super) time_unix_nano: i64,
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
}

/// Samples kept of a series between two points: the slowest and the latest.
const EXEMPLARS_MAX: usize = 2;

impl Histogram {
    fn count(&mut self, request: &Request) {
        let bucket = BOUNDS.iter().position(|bound| request.seconds <= *bound).unwrap_or(BOUNDS.len());
        let is_first = self.counts.iter().all(|count| *count == 0);
        self.counts[bucket] += 1;
        self.sum += request.seconds;
        self.min = if is_first { request.seconds } else { self.min.min(request.seconds) };
        self.max = self.max.max(request.seconds);
        let exemplar = Exemplar {
            value: request.seconds,
            time_unix_nano: request.time_unix_nano,
            trace_id: request.trace_id,
            span_id: request.span_id,
        };
        if self.exemplars.len() < EXEMPLARS_MAX {
            self.exemplars.push(exemplar);
        } else if exemplar.value > self.exemplars[0].value {
            self.exemplars[0] = exemplar;
        } else {
            self.exemplars[1] = exemplar;
        }
    }
}

type RequestKey = (Pod, &'static str, &'static str, u16);

/// Everything the shop counts.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    opened_unix_nano: i64,
    durations: BTreeMap<RequestKey, Histogram>,
    orders: BTreeMap<&'static str, (i64, u64)>,
    stock: BTreeMap<&'static str, i64>,
    active: BTreeMap<Pod, i64>,
}

impl Metrics {
    pub(super) fn open_at(&mut self, time_unix_nano: i64) {
        self.opened_unix_nano = time_unix_nano;
    }

    pub(super) fn opened_unix_nano(&self) -> i64 {
        self.opened_unix_nano
    }

    pub(super) fn count(&mut self, played: &Played) {
        for request in &played.requests {
            let key = (request.pod, request.method, request.route, request.status);
            self.durations.entry(key).or_default().count(request);
            self.active.entry(request.pod).or_default();
        }
        if let Some(order) = &played.order {
            let (count, cents) = self.orders.entry(order.method).or_default();
            *count += 1;
            *cents += order.cents;
        }
    }

    /// Every metric at this time. Samples are handed out once.
    pub(super) fn points(&mut self, time_unix_nano: i64, random: &mut Random) -> Vec<Metric> {
        let mut metrics = Vec::new();
        for (service, description) in SERVICES.iter().enumerate() {
            for pod in 0..description.pods.len() {
                let pod = Pod { service, pod };
                metrics.extend(self.of_pod(pod, time_unix_nano, random));
            }
        }
        metrics.extend(self.of_shop(time_unix_nano, random));
        metrics.retain(|metric| !metric.points.is_empty());
        metrics
    }

    fn of_pod(&mut self, pod: Pod, time_unix_nano: i64, random: &mut Random) -> Vec<Metric> {
        let metric = |name, unit, description, kind, points| Metric {
            pod,
            name,
            unit,
            description,
            kind,
            time_unix_nano,
            points,
        };
        let mut durations = Vec::new();
        for ((_, method, route, status), histogram) in self.durations.iter_mut().filter(|(key, _)| key.0 == pod) {
            let attributes = vec![
                ("http.request.method", (*method).to_owned()),
                ("http.route", (*route).to_owned()),
                ("http.response.status_code", status.to_string()),
            ];
            durations.push(Point { attributes, value: PointValue::Histogram(histogram.clone()) });
            histogram.exemplars.clear();
        }
        let active = self.active.entry(pod).or_default();
        *active = (*active + random.number(0..5) as i64 - 2).clamp(0, 40);
        let plain = |value| vec![Point { attributes: Vec::new(), value }];
        let memory = 90e6 + 30e6 * pod.service as f64 + 8e6 * random.unit();
        vec![
            metric(
                "http.server.request.duration",
                "s",
                "Duration of HTTP server requests.",
                MetricKind::Histogram,
                durations,
            ),
            metric(
                "http.server.active_requests",
                "{request}",
                "Requests in progress.",
                MetricKind::UpDownCounter,
                plain(PointValue::Int(*active)),
            ),
            metric(
                "process.memory.usage",
                "By",
                "Physical memory in use.",
                MetricKind::UpDownCounter,
                plain(PointValue::Int(memory as i64)),
            ),
            metric(
                "process.cpu.utilization",
                "1",
                "Share of a core in use.",
                MetricKind::Gauge,
                plain(PointValue::Double(0.05 + 0.3 * random.unit())),
            ),
        ]
    }

    fn of_shop(&mut self, time_unix_nano: i64, random: &mut Random) -> Vec<Metric> {
        let pod = Pod { service: CHECKOUT, pod: 0 };
        let metric = |name, unit, description, kind, points| Metric {
            pod,
            name,
            unit,
            description,
            kind,
            time_unix_nano,
            points,
        };
        let by_method = |value: &dyn Fn(&(i64, u64)) -> PointValue| -> Vec<Point> {
            let orders = self.orders.iter();
            orders
                .map(|(method, order)| Point {
                    attributes: vec![("payment.method", (*method).to_owned())],
                    value: value(order),
                })
                .collect()
        };
        let orders = by_method(&|(count, _)| PointValue::Int(*count));
        let revenue = by_method(&|(_, cents)| PointValue::Double(*cents as f64 / 100.0));
        let mut levels = Vec::new();
        for sku in SKUS {
            let level = self.stock.entry(sku).or_insert(400);
            *level = if *level < 20 { 400 } else { *level - random.number(0..9) as i64 };
            levels.push(Point { attributes: vec![("sku", sku.to_owned())], value: PointValue::Int(*level) });
        }
        vec![
            metric("shop.orders", "{order}", "Orders paid.", MetricKind::Counter, orders),
            metric("shop.revenue", "EUR", "Value of orders paid.", MetricKind::Counter, revenue),
            metric("shop.stock.level", "{item}", "Items on the shelf.", MetricKind::Gauge, levels),
        ]
    }
}
