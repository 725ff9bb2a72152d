//! Plays one journey: walks its tree of steps and makes the spans, log records and requests that come of it.
//!
//! Chance decides durations and failures. A failed step is tried again as often as its [`Failure`] says; when the last
//! try fails, its parent fails too, up to the customer, unless the journey can do without it.

use super::random::Random;
use super::shop::{
    self, Action, BAD_MINUTE_FACTOR, BANK, CARRIERS, Failure, GATEWAY, JOURNEYS, Line, PAYMENT_METHODS, SERVICES, SKUS,
    Step, When,
};

/// An attribute's value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Int(i64),
}

pub(super) type Attributes = Vec<(&'static str, Value)>;

/// Span kinds, by OTLP's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Internal = 1,
    Server = 2,
    Client = 3,
    Producer = 4,
    Consumer = 5,
}

/// A pod of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pod {
    pub(super) service: usize,
    pub(super) pod: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) pod: Pod,
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
    pub(super) parent_span_id: Option<u64>,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) start_unix_nano: i64,
    pub(super) end_unix_nano: i64,
    pub(super) attributes: Attributes,
    /// What went wrong, if anything did.
    pub(super) error: Option<Error>,
    /// The span whose message this one took from a queue.
    pub(super) link: Option<u64>,
}

/// A failure with its texts filled in.
#[derive(Debug, Clone)]
pub(super) struct Error {
    pub(super) exception: &'static str,
    pub(super) message: String,
    pub(super) stacktrace: &'static str,
    pub(super) status: u16,
    /// Whether the span threw it, or only passed it on.
    pub(super) is_own: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Log {
    pub(super) pod: Pod,
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
    pub(super) time_unix_nano: i64,
    pub(super) severity: u8,
    pub(super) body: String,
    pub(super) attributes: Attributes,
}

/// A request that a service answered; metrics count it.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) pod: Pod,
    pub(super) method: &'static str,
    pub(super) route: &'static str,
    pub(super) status: u16,
    pub(super) seconds: f64,
    pub(super) time_unix_nano: i64,
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
}

/// An order that was paid.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) cents: u64,
    pub(super) method: &'static str,
}

/// What came of one journey.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) spans: Vec<Span>,
    pub(super) logs: Vec<Log>,
    pub(super) requests: Vec<Request>,
    pub(super) order: Option<Order>,
}

/// Plays journeys, one after the other.
#[derive(Debug)]
pub(super) struct Player {
    random: Random,
}

impl Player {
    pub(super) fn new(seed: u64) -> Player {
        Player { random: Random::new(seed) }
    }

    pub(super) fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// Time to the next journey.
    pub(super) fn pause_nanos(&mut self, per_second: f64) -> i64 {
        self.random.pause_nanos(per_second)
    }

    /// Plays one journey that begins at this time.
    pub(super) fn play(&mut self, time_unix_nano: i64) -> Played {
        let random = &mut self.random;
        let journey = &JOURNEYS[random.weighted(JOURNEYS.iter().map(|journey| journey.weight))];
        let cents = random.number(490..18_900);
        let words = Words {
            customer: format!("c-{:05}", random.number(1..4000)),
            order: format!("o-{:08x}", random.number(0..1 << 32)),
            sku: random.one_of(&SKUS[..]),
            items: random.number(1..6),
            amount: format!("{}.{:02}", cents / 100, cents % 100),
            carrier: random.one_of(&CARRIERS[..]),
        };
        let method = random.one_of(&PAYMENT_METHODS[..]);
        let trace_id = random.trace_id();
        let mut play = Play {
            random,
            words,
            trace_id,
            is_bad_minute: shop::is_bad_minute(time_unix_nano),
            played: Played::default(),
        };
        let caller = Caller { pod: Pod { service: GATEWAY, pod: 0 }, span_id: None };
        let ended = play.serve(&journey.root, &caller, time_unix_nano);
        let mut played = play.played;
        if journey.is_order && ended.error.is_none() {
            played.order = Some(Order { cents, method });
        }
        played
    }
}

/// What placeholders stand for in one journey.
struct Words {
    customer: String,
    order: String,
    sku: &'static str,
    items: u64,
    amount: String,
    carrier: &'static str,
}

impl Words {
    fn fill(&self, text: &str) -> String {
        if !text.contains('{') {
            return text.to_owned();
        }
        text.replace("{customer}", &self.customer)
            .replace("{order}", &self.order)
            .replace("{sku}", self.sku)
            .replace("{items}", &self.items.to_string())
            .replace("{amount}", &self.amount)
            .replace("{carrier}", self.carrier)
    }
}

/// Who makes a step.
#[derive(Clone, Copy)]
struct Caller {
    pod: Pod,
    span_id: Option<u64>,
}

/// How a step ended.
struct Ended {
    time: i64,
    error: Option<Error>,
}

/// One journey being played.
struct Play<'a> {
    random: &'a mut Random,
    words: Words,
    trace_id: u128,
    is_bad_minute: bool,
    played: Played,
}

impl Play<'_> {
    /// A step with its repetitions.
    fn step(&mut self, step: &'static Step, caller: &Caller, at: i64) -> Ended {
        let mut at = at;
        let retries = step.failure.map_or(0, |failure| failure.retries);
        for attempt in 0..=retries {
            let ended = self.attempt(step, caller, at, attempt);
            if ended.error.is_none() || attempt == retries {
                return ended;
            }
            at = ended.time + self.random.latency_nanos(20_000 << attempt);
        }
        Ended { time: at, error: None }
    }

    fn attempt(&mut self, step: &'static Step, caller: &Caller, at: i64, attempt: u32) -> Ended {
        match &step.action {
            Action::Call { service, method, route, path } => {
                self.call(step, caller, at, (*service, method, route, path))
            }
            Action::Publish { topic, consumer } => self.publish(step, caller, at, topic, *consumer),
            Action::Database { system, namespace, operation, collection, text } => {
                let attributes = vec![
                    ("db.system.name", self.text(system)),
                    ("db.namespace", self.text(namespace)),
                    ("db.operation.name", self.text(operation)),
                    ("db.collection.name", self.text(collection)),
                    ("db.query.text", self.text(text)),
                    ("server.address", Value::Text(format!("{system}-{namespace}.shop.svc"))),
                    ("server.port", Value::Int(if *system == "redis" { 6379 } else { 5432 })),
                ];
                self.single(step, caller, at, (format!("{operation} {collection}"), Kind::Client, attributes))
            }
            Action::Outside { host, method, path } => {
                let host = self.words.fill(host);
                let mut attributes = vec![
                    ("http.request.method", self.text(method)),
                    ("url.full", Value::Text(format!("https://{host}{path}"))),
                    ("server.address", Value::Text(host)),
                    ("server.port", Value::Int(443)),
                ];
                if attempt > 0 {
                    attributes.push(("http.request.resend_count", Value::Int(i64::from(attempt))));
                }
                self.single(step, caller, at, ((*method).to_owned(), Kind::Client, attributes))
            }
            Action::Work { name } => self.single(step, caller, at, ((*name).to_owned(), Kind::Internal, Vec::new())),
        }
    }

    /// A step of one span.
    fn single(&mut self, step: &'static Step, caller: &Caller, at: i64, what: (String, Kind, Attributes)) -> Ended {
        let (name, kind, mut attributes) = what;
        let mut duration = self.random.latency_nanos(step.median_micros);
        if self.is_bad_minute && matches!(step.action, Action::Outside { host: BANK, .. }) {
            duration *= BAD_MINUTE_FACTOR;
        }
        let error = step.failure.and_then(|failure| self.fails(failure));
        if error.is_some() && kind == Kind::Client {
            duration *= 4;
        }
        if kind == Kind::Client && matches!(step.action, Action::Outside { .. }) {
            let status = error.as_ref().map_or(200, |error| error.status);
            attributes.push(("http.response.status_code", Value::Int(i64::from(status))));
        }
        let end = at + duration;
        self.lines(step, caller.pod, caller.span_id, (at, end), error.as_ref());
        self.span(caller.pod, caller.span_id, (name, kind, attributes), (at, end), error.clone());
        Ended { time: end, error: error.filter(|_| !step.failure.is_some_and(|failure| failure.is_optional)) }
    }

    /// A call of another service: a client span around its server span.
    fn call(
        &mut self,
        step: &'static Step,
        caller: &Caller,
        at: i64,
        (service, method, route, path): (usize, &'static str, &'static str, &'static str),
    ) -> Ended {
        let span_id = self.random.span_id();
        let network = self.random.latency_nanos(350);
        let served = self.serve(step, &Caller { pod: Pod { service, pod: 0 }, span_id: Some(span_id) }, at + network);
        let end = served.time + network;
        let status = served.error.as_ref().map_or(200, |error| error.status);
        let attributes = vec![
            ("http.request.method", self.text(method)),
            ("url.full", Value::Text(format!("http://{}:8080{}", SERVICES[service].name, self.words.fill(path)))),
            ("server.address", self.text(SERVICES[service].name)),
            ("server.port", Value::Int(8080)),
            ("http.response.status_code", Value::Int(i64::from(status))),
            ("url.template", self.text_as_is(route)),
        ];
        let error = served.error.clone().map(|error| Error { is_own: false, ..error });
        let span =
            self.made((caller.pod, span_id, caller.span_id), (method.to_owned(), Kind::Client, attributes), (at, end));
        self.played.spans.push(Span { error, ..span });
        Ended { time: end, error: served.error }
    }

    /// The server's side of a call: its span, with the step's children in it.
    fn serve(&mut self, step: &'static Step, caller: &Caller, at: i64) -> Ended {
        let Action::Call { service, method, route, path } = &step.action else {
            return Ended { time: at, error: None };
        };
        let pod = self.pod(*service);
        let span_id = self.random.span_id();
        let ended = self.children(step, &Caller { pod, span_id: Some(span_id) }, at);
        let status = match &ended.error {
            None => 200,
            Some(error) if error.is_own || error.status < 500 => error.status,
            Some(_) => 502,
        };
        let attributes = vec![
            ("http.request.method", self.text(method)),
            ("http.route", self.text_as_is(route)),
            ("url.path", self.text(path)),
            ("url.scheme", self.text("http")),
            ("http.response.status_code", Value::Int(i64::from(status))),
            ("enduser.id", Value::Text(self.words.customer.clone())),
            (
                "user_agent.original",
                self.text(if *service == GATEWAY {
                    "Mozilla/5.0 (X11; Linux x86_64) Firefox/144.0"
                } else {
                    "shop-client/1.0"
                }),
            ),
        ];
        self.lines(step, pod, Some(span_id), (at, ended.time), ended.error.as_ref());
        // Of a server span, an answer below 500 is no error: the client asked for something that cannot be.
        let error = ended.error.clone().filter(|_| status >= 500);
        let span = self.made(
            (pod, span_id, caller.span_id),
            (format!("{method} {route}"), Kind::Server, attributes),
            (at, ended.time),
        );
        self.played.spans.push(Span { error, ..span });
        self.played.requests.push(Request {
            pod,
            method,
            route,
            status,
            seconds: (ended.time - at) as f64 / 1e9,
            time_unix_nano: ended.time,
            trace_id: self.trace_id,
            span_id,
        });
        Ended { time: ended.time, error: ended.error.map(|error| Error { is_own: false, status, ..error }) }
    }

    /// Puts a message on a queue; the consumer's work does not hold the caller up.
    fn publish(
        &mut self,
        step: &'static Step,
        caller: &Caller,
        at: i64,
        topic: &'static str,
        consumer: usize,
    ) -> Ended {
        let end = at + self.random.latency_nanos(step.median_micros);
        let attributes = |operation: &str| {
            vec![
                ("messaging.system", Value::Text("kafka".to_owned())),
                ("messaging.destination.name", Value::Text(topic.to_owned())),
                ("messaging.operation.type", Value::Text(operation.to_owned())),
                ("messaging.operation.name", Value::Text(operation.to_owned())),
            ]
        };
        let name = format!("send {topic}");
        let sent = self.span(caller.pod, caller.span_id, (name, Kind::Producer, attributes("send")), (at, end), None);
        let taken = end + self.random.latency_nanos(45_000);
        let pod = self.pod(consumer);
        let span_id = self.random.span_id();
        let ended = self.children(step, &Caller { pod, span_id: Some(span_id) }, taken);
        self.lines(step, pod, Some(span_id), (taken, ended.time), ended.error.as_ref());
        let what = (format!("process {topic}"), Kind::Consumer, attributes("process"));
        let span = self.made((pod, span_id, Some(sent)), what, (taken, ended.time));
        self.played.spans.push(Span { error: ended.error, link: Some(sent), ..span });
        Ended { time: end, error: None }
    }

    /// A step's own work with its children in the middle, one after the other.
    fn children(&mut self, step: &'static Step, caller: &Caller, at: i64) -> Ended {
        let own = self.random.latency_nanos(step.median_micros);
        let mut time = at + own / 3;
        for child in step.children {
            let ended = self.step(child, caller, time);
            time = ended.time + own / 20;
            if ended.error.is_some() {
                return Ended { time, error: ended.error };
            }
        }
        let error = step.failure.and_then(|failure| self.fails(failure));
        Ended { time: time + own * 2 / 3, error }
    }

    fn fails(&mut self, failure: &'static Failure) -> Option<Error> {
        let probability = if self.is_bad_minute { failure.bad_minute_probability } else { failure.probability };
        self.random.happens(probability).then(|| Error {
            exception: failure.exception,
            message: self.words.fill(failure.message),
            stacktrace: failure.stacktrace,
            status: failure.status,
            is_own: true,
        })
    }

    /// The log lines of a step, correlated with the span they are written in.
    fn lines(
        &mut self,
        step: &'static Step,
        pod: Pod,
        span_id: Option<u64>,
        (start, end): (i64, i64),
        error: Option<&Error>,
    ) {
        let Some(span_id) = span_id else { return };
        let is_slow = end - start > i64::from(step.median_micros) * 3000 + 30_000_000;
        for Line { when, severity, body } in step.logs {
            let is_written = match when {
                When::Begin => true,
                When::End => error.is_none(),
                When::Slow => error.is_none() && is_slow,
                When::Failed => error.is_some(),
            };
            if !is_written {
                continue;
            }
            let message = error.map(|error| error.message.as_str()).unwrap_or_default();
            let body = self
                .words
                .fill(body)
                .replace("{ms}", &format!("{:.1}", (end - start) as f64 / 1e6))
                .replace("{status}", "200")
                .replace("{error}", message);
            let mut attributes = vec![("thread.id", Value::Int(1 + (span_id % 16) as i64))];
            if let Some(error) = error.filter(|error| *when == When::Failed && error.is_own) {
                attributes.push(("exception.type", Value::Text(error.exception.to_owned())));
                attributes.push(("exception.message", Value::Text(error.message.clone())));
            }
            let time_unix_nano = if *when == When::Begin { start + 40_000 } else { end - 30_000 };
            let log =
                Log { pod, trace_id: self.trace_id, span_id, time_unix_nano, severity: *severity, body, attributes };
            self.played.logs.push(log);
        }
    }

    fn span(
        &mut self,
        pod: Pod,
        parent: Option<u64>,
        what: (String, Kind, Attributes),
        times: (i64, i64),
        error: Option<Error>,
    ) -> u64 {
        let span_id = self.random.span_id();
        let span = self.made((pod, span_id, parent), what, times);
        self.played.spans.push(Span { error, ..span });
        span_id
    }

    fn made(
        &self,
        (pod, span_id, parent_span_id): (Pod, u64, Option<u64>),
        (name, kind, attributes): (String, Kind, Attributes),
        (start_unix_nano, end_unix_nano): (i64, i64),
    ) -> Span {
        let trace_id = self.trace_id;
        Span {
            pod,
            trace_id,
            span_id,
            parent_span_id,
            name,
            kind,
            start_unix_nano,
            end_unix_nano,
            attributes,
            error: None,
            link: None,
        }
    }

    fn pod(&mut self, service: usize) -> Pod {
        let pods = SERVICES[service].pods.len() as u64;
        Pod { service, pod: self.random.number(0..pods) as usize }
    }

    fn text(&self, text: &str) -> Value {
        Value::Text(self.words.fill(text))
    }

    /// A route keeps its braces.
    fn text_as_is(&self, text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}
