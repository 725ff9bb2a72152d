//! Traces (data set T of the performance notes, simplified): whole traces over 24 services.
//!
//! Spans a trace are log-normal (mean about twelve, 400 at most); a span has 6 to 14 attributes, 2 % of spans fail
//! with an exception event of 1 to 3 KB, 5 % have a link. `thread.id` holds the span's number in this generator, so
//! that every span can be told from every other by a promoted integer column.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};

use crate::payload::{int_attribute, string_attribute};
use crate::random::Random;
use crate::resources::{PODS, SERVICES, resources, scope};

const ROUTES: [&str; 12] = [
    "/",
    "/cart",
    "/cart/{id}",
    "/checkout",
    "/products",
    "/products/{id}",
    "/api/orders",
    "/api/orders/{id}",
    "/api/users/{id}",
    "/healthz",
    "/search",
    "/recommendations",
];
const METHODS: [&str; 4] = ["GET", "GET", "POST", "PUT"];
const SPANS_PER_TRACE_MAX: usize = 400;

/// Makes trace requests.
#[derive(Debug)]
pub struct Traces {
    random: Random,
    resources: Vec<Resource>,
    now_unix_nano: i64,
    next_number: i64,
    /// Threads that `thread.id` names instead of numbers.
    threads: Option<usize>,
    /// How far back from now times lie.
    window_seconds: f64,
    current: Option<Current>,
}

/// The trace being made.
#[derive(Debug)]
struct Current {
    trace_id: [u8; 16],
    spans_left: usize,
    start_unix_nano: i64,
    parents: Vec<([u8; 8], usize)>,
}

impl Traces {
    /// A generator whose spans begin in the minute before `now_unix_nano`.
    pub fn new(seed: u64, now_unix_nano: i64) -> Traces {
        Traces {
            random: Random::new(seed),
            resources: resources(seed),
            now_unix_nano,
            next_number: 0,
            threads: None,
            window_seconds: 60.0,
            current: None,
        }
    }

    /// Numbers what is made from here on; each thing's number is in its `thread.id`.
    pub fn numbered_from(mut self, number: i64) -> Traces {
        self.next_number = number;
        self
    }

    /// Lets `thread.id` name one of so many threads, as real spans do, instead of numbering the spans.
    pub fn in_threads(mut self, threads: usize) -> Traces {
        self.threads = Some(threads);
        self
    }

    /// Lets times lie in so many seconds before now instead of a minute.
    pub fn within(mut self, seconds: f64) -> Traces {
        self.window_seconds = seconds;
        self
    }

    /// Moves the time that following spans are made for.
    pub fn set_now(&mut self, now_unix_nano: i64) {
        self.now_unix_nano = now_unix_nano;
    }

    /// A request as a Collector sends it: whole traces, many resources.
    pub fn request(&mut self, spans: usize) -> ExportTraceServiceRequest {
        let mut by_resource: BTreeMap<usize, Vec<Span>> = BTreeMap::new();
        for _ in 0..spans {
            let (resource, span) = self.span(None);
            by_resource.entry(resource).or_default().push(span);
        }
        self.assemble(by_resource)
    }

    /// A request as an SDK sends it: one resource.
    pub fn sdk_request(&mut self, spans: usize) -> ExportTraceServiceRequest {
        let resource = self.random.skewed(SERVICES) * PODS + self.random.below(PODS);
        let made = (0..spans).map(|_| self.span(Some(resource)).1).collect();
        self.assemble(BTreeMap::from([(resource, made)]))
    }

    /// One trace of exactly so many spans, in one request, with its id.
    pub fn trace_of(&mut self, spans: usize) -> ([u8; 16], ExportTraceServiceRequest) {
        self.current = None;
        let trace = self.begin(spans);
        let request = self.request(spans);
        (trace, request)
    }

    fn begin(&mut self, spans: usize) -> [u8; 16] {
        let trace_id = self.random.trace_id();
        let start_unix_nano = self.now_unix_nano - (self.random.unit() * self.window_seconds * 1e9) as i64;
        self.current = Some(Current { trace_id, spans_left: spans, start_unix_nano, parents: Vec::new() });
        trace_id
    }

    fn assemble(&self, by_resource: BTreeMap<usize, Vec<Span>>) -> ExportTraceServiceRequest {
        let resource_spans = by_resource
            .into_iter()
            .map(|(resource, spans)| ResourceSpans {
                resource: Some(self.resources[resource].clone()),
                scope_spans: vec![ScopeSpans { scope: Some(scope(resource / PODS)), spans, schema_url: String::new() }],
                schema_url: "https://opentelemetry.io/schemas/1.37.0".to_owned(),
            })
            .collect();
        ExportTraceServiceRequest { resource_spans }
    }

    /// The next span and the number of its resource.
    fn span(&mut self, fixed_resource: Option<usize>) -> (usize, Span) {
        if self.current.is_none() {
            let spans = self.random.log_normal(2.1, 0.9).ceil().clamp(1.0, SPANS_PER_TRACE_MAX as f64) as usize;
            self.begin(spans);
        }
        let mut current = self.current.take().expect("a trace was begun above");
        let span_id = self.random.span_id();
        let parent = (!current.parents.is_empty()).then(|| *self.random.pick(&current.parents));
        let depth = parent.map_or(0, |(_, depth)| depth + 1);
        let resource = fixed_resource.unwrap_or_else(|| self.random.skewed(SERVICES) * PODS + self.random.below(PODS));
        let offset = current.parents.len() as i64 * 400_000 + (self.random.unit() * 300_000.0) as i64;
        let start = current.start_unix_nano + offset;
        let duration = (self.random.log_normal(15.0, 1.2) / (depth + 1) as f64) as i64;
        let failed = self.random.chance(0.02);
        let number = match self.threads {
            Some(threads) => self.random.below(threads) as i64,
            None => self.next_number,
        };
        self.next_number += 1;
        let route = *self.random.pick(&ROUTES);
        let span = Span {
            trace_id: current.trace_id.to_vec(),
            span_id: span_id.to_vec(),
            parent_span_id: parent.map(|(id, _)| id.to_vec()).unwrap_or_default(),
            flags: 0x101,
            name: format!("{} {route}", METHODS[number as usize % METHODS.len()]),
            kind: if depth % 2 == 0 { 2 } else { 3 },
            start_time_unix_nano: start as u64,
            end_time_unix_nano: (start + duration) as u64,
            attributes: self.attributes(number, route, failed),
            events: if failed { vec![self.exception(start + duration)] } else { Vec::new() },
            links: if self.random.chance(0.05) { vec![self.link()] } else { Vec::new() },
            status: failed.then(|| Status { code: 2, message: "upstream call failed".to_owned() }),
            ..Default::default()
        };
        current.parents.push((span_id, depth));
        current.spans_left -= 1;
        self.current = (current.spans_left > 0).then_some(current);
        (resource, span)
    }

    fn attributes(&mut self, number: i64, route: &str, failed: bool) -> Vec<KeyValue> {
        let random = &mut self.random;
        let mut attributes = vec![
            int_attribute("thread.id", number),
            string_attribute("http.request.method", METHODS[number as usize % METHODS.len()]),
            string_attribute("http.route", route),
            int_attribute("http.response.status_code", if failed { 503 } else { 200 }),
            string_attribute("url.full", &format!("http://shop.test{route}?id={}", random.below(50_000))),
            string_attribute("network.peer.address", &format!("10.{}.{}.7", random.below(4), random.below(250))),
        ];
        if random.chance(0.35) {
            attributes.push(string_attribute("db.system.name", "postgresql"));
            attributes.push(string_attribute("db.namespace", "shop"));
            attributes.push(string_attribute("db.operation.name", "SELECT"));
            attributes.push(string_attribute("db.query.text", "SELECT id, name, price FROM items WHERE id = $1"));
        }
        if random.chance(0.5) {
            attributes.push(string_attribute("enduser.id", &format!("user-{}", random.skewed(20_000))));
            attributes.push(string_attribute("thread.name", &format!("worker-{}", random.below(16))));
        }
        if random.chance(0.5) {
            attributes.push(string_attribute("app.session.id", &random.hex(24)));
            attributes.push(int_attribute("app.items.count", random.below(40) as i64));
        }
        attributes
    }

    fn exception(&mut self, time: i64) -> span::Event {
        let frames = 12 + self.random.below(25);
        let stack: String =
            (0..frames).map(|frame| format!("\n\tat shop.orders.Service.call{frame}(Service.java:{frame}7)")).collect();
        span::Event {
            time_unix_nano: time as u64,
            name: "exception".to_owned(),
            attributes: vec![
                string_attribute("exception.type", "java.net.SocketTimeoutException"),
                string_attribute("exception.message", "read timed out after 2000 ms"),
                string_attribute("exception.stacktrace", &format!("java.net.SocketTimeoutException{stack}")),
            ],
            ..Default::default()
        }
    }

    fn link(&mut self) -> span::Link {
        span::Link {
            trace_id: self.random.trace_id().to_vec(),
            span_id: self.random.span_id().to_vec(),
            flags: 1,
            ..Default::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_spans() {
        let make = |seed| Traces::new(seed, 1_795_289_400_000_000_000).request(512).encode_to_vec();
        assert_eq!(make(7), make(7));
        assert_ne!(make(7), make(8));
        let bytes_per_span = make(7).len() / 512;
        assert!((330..600).contains(&bytes_per_span), "{bytes_per_span} bytes a span");
    }

    #[test]
    fn a_trace_has_as_many_spans_as_asked_and_one_root() {
        let (id, request) = Traces::new(1, 1_795_289_400_000_000_000).trace_of(1000);
        let spans: Vec<&Span> = request
            .resource_spans
            .iter()
            .flat_map(|resource| &resource.scope_spans)
            .flat_map(|scope| &scope.spans)
            .collect();
        assert_eq!(spans.len(), 1000);
        assert!(spans.iter().all(|span| span.trace_id == id));
        assert_eq!(spans.iter().filter(|span| span.parent_span_id.is_empty()).count(), 1);
    }
}
