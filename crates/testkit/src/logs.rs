//! Log records (data set L of the performance notes, simplified): templates with slots, so the vocabulary grows.
//!
//! A fifth of the records has a structured body of attributes, three tenths carry a trace id. `thread.id` holds the
//! record's number in this generator.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::payload::{int_attribute, string_attribute};
use crate::random::Random;
use crate::resources::{PODS, SERVICES, resources, scope};

/// Text with slots: `#` a number, `%` eight hex digits, `@` an address, `~` a user.
const TEMPLATES: [&str; 20] = [
    "Received block blk_# of size # from @",
    "PacketResponder # for block blk_# terminating",
    "Accepted connection from @:# on listener frontend",
    "GET /api/orders/# HTTP/1.1 200 # bytes in # ms",
    "POST /cart/% HTTP/1.1 201 # bytes in # ms",
    "session opened for user ~ by (uid=#)",
    "session closed for user ~",
    "Failed password for invalid user ~ from @ port # ssh2",
    "instance: % VM started, lifecycle event in # ms",
    "Task attempt_#_m_#_0 is done and is in the process of committing",
    "cache miss for key product:# after # us",
    "Starting executor % on host @",
    "query took # ms: SELECT id FROM orders WHERE customer = #",
    "connection reset by peer @ while reading response header",
    "Found child # in scoreboard slot #",
    "payment # authorised for user ~ amount # EUR",
    "retrying request % to @ in # ms, attempt #",
    "garbage collection pause # ms, heap # MB",
    "order # shipped with carrier % to user ~",
    "config reloaded from /etc/shop/config-%.yaml in # ms",
];

/// Makes log requests.
#[derive(Debug)]
pub struct Logs {
    random: Random,
    resources: Vec<Resource>,
    now_unix_nano: i64,
    next_number: i64,
    /// Threads that `thread.id` names instead of numbers.
    threads: Option<usize>,
    /// How far back from now times lie.
    window_seconds: f64,
}

impl Logs {
    /// A generator whose records lie in the minute before `now_unix_nano`.
    pub fn new(seed: u64, now_unix_nano: i64) -> Logs {
        Logs {
            random: Random::new(seed),
            resources: resources(seed),
            now_unix_nano,
            next_number: 0,
            threads: None,
            window_seconds: 60.0,
        }
    }

    /// Numbers what is made from here on; each thing's number is in its `thread.id`.
    pub fn numbered_from(mut self, number: i64) -> Logs {
        self.next_number = number;
        self
    }

    /// Lets `thread.id` name one of so many threads, as real records do, instead of numbering the records.
    pub fn in_threads(mut self, threads: usize) -> Logs {
        self.threads = Some(threads);
        self
    }

    /// Lets times lie in so many seconds before now instead of a minute.
    pub fn within(mut self, seconds: f64) -> Logs {
        self.window_seconds = seconds;
        self
    }

    /// Moves the time that following records are made for.
    pub fn set_now(&mut self, now_unix_nano: i64) {
        self.now_unix_nano = now_unix_nano;
    }

    /// A request with so many records: of one resource where there are few, of eight where there are many.
    pub fn request(&mut self, records: usize) -> ExportLogsServiceRequest {
        let resources = if records <= 64 { 1 } else { 8 };
        let mut left = records;
        let resource_logs = (0..resources)
            .map(|at| {
                let count = left / (resources - at);
                left -= count;
                let resource = self.random.skewed(SERVICES) * PODS + self.random.below(PODS);
                ResourceLogs {
                    resource: Some(self.resources[resource].clone()),
                    scope_logs: vec![ScopeLogs {
                        scope: Some(scope(resource / PODS)),
                        log_records: (0..count).map(|_| self.record()).collect(),
                        schema_url: String::new(),
                    }],
                    schema_url: String::new(),
                }
            })
            .collect();
        ExportLogsServiceRequest { resource_logs }
    }

    /// A request with this body in one record, in the service `frontend`.
    pub fn line(&mut self, body: &str) -> ExportLogsServiceRequest {
        let record = LogRecord { body: Some(text(body.to_owned())), ..self.record() };
        ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(self.resources[0].clone()),
                scope_logs: vec![ScopeLogs { log_records: vec![record], ..Default::default() }],
                schema_url: String::new(),
            }],
        }
    }

    /// The bodies of the next so many records.
    pub fn bodies(&mut self, records: usize) -> Vec<String> {
        let body = |record: LogRecord| match record.body.and_then(|body| body.value) {
            Some(any_value::Value::StringValue(text)) => text,
            _ => String::new(),
        };
        (0..records).map(|_| body(self.record())).collect()
    }

    fn record(&mut self) -> LogRecord {
        let number = match self.threads {
            Some(threads) => self.random.below(threads) as i64,
            None => self.next_number,
        };
        self.next_number += 1;
        let time = self.now_unix_nano - (self.random.unit() * self.window_seconds * 1e9) as i64;
        let (severity_number, severity_text) = match self.random.below(100) {
            0..=1 => (17, "ERROR"),
            2..=6 => (13, "WARN"),
            7..=30 => (5, "DEBUG"),
            _ => (9, "INFO"),
        };
        let template = TEMPLATES[self.random.skewed(TEMPLATES.len())];
        let traced = self.random.chance(0.3);
        LogRecord {
            time_unix_nano: time as u64,
            observed_time_unix_nano: time as u64 + 1_500,
            severity_number,
            severity_text: severity_text.to_owned(),
            body: Some(text(self.fill(template))),
            attributes: self.attributes(number),
            flags: u32::from(traced),
            trace_id: if traced { self.random.trace_id().to_vec() } else { Vec::new() },
            span_id: if traced { self.random.span_id().to_vec() } else { Vec::new() },
            ..Default::default()
        }
    }

    fn attributes(&mut self, number: i64) -> Vec<KeyValue> {
        let mut attributes = vec![int_attribute("thread.id", number)];
        if self.random.chance(0.2) {
            let random = &mut self.random;
            attributes.extend([
                string_attribute("logger.name", "shop.orders.OrderService"),
                string_attribute("thread.name", &format!("worker-{}", random.below(16))),
                string_attribute("order.id", &random.hex(16)),
                int_attribute("order.items", random.below(30) as i64),
                string_attribute("order.currency", ["EUR", "USD", "JPY"][random.below(3)]),
                string_attribute("customer.tier", ["gold", "silver", "none"][random.below(3)]),
                string_attribute("http.route", "/api/orders/{id}"),
                int_attribute("elapsed_ms", random.below(900) as i64),
            ]);
        }
        attributes
    }

    fn fill(&mut self, template: &str) -> String {
        let mut line = String::with_capacity(template.len() + 32);
        for c in template.chars() {
            match c {
                '#' => line.push_str(&self.random.below(1_000_000).to_string()),
                '%' => line.push_str(&self.random.hex(8)),
                '@' => line.push_str(&format!("10.{}.{}.{}", self.random.below(8), self.random.below(256), 5)),
                '~' => line.push_str(&format!("user{}", self.random.skewed(20_000))),
                other => line.push(other),
            }
        }
        line
    }
}

fn text(body: String) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(body)) }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_records() {
        let make = |seed, records| Logs::new(seed, 1_795_289_400_000_000_000).request(records).encode_to_vec();
        assert_eq!(make(7, 512), make(7, 512));
        assert_ne!(make(7, 512), make(8, 512));
        let bytes_per_record = make(7, 512).len() / 512;
        assert!((130..300).contains(&bytes_per_record), "{bytes_per_record} bytes a record");
        let count: usize =
            Logs::new(1, 0).request(200).resource_logs.iter().map(|r| r.scope_logs[0].log_records.len()).sum();
        assert_eq!(count, 200);
    }
}
