//! The census: how many records a request has, and of which services, found by skipping over everything else.
//!
//! It is taken before a request is decoded, so that what is over its rate costs no more than this look, and none of it
//! is stored. Where the body cannot be read the count is an estimate from its length: decoding will refuse it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use model::Signal;
use otlp::Encoding;
use schema::UNKNOWN_SERVICE;

/// Longest part of a service's name that is looked at.
const NAME_CHARS_MAX: usize = 128;
/// Bytes of a record, where they can only be guessed; few, so that a guess is rather too many records.
const RECORD_BYTES_GUESS: u64 = 64;

/// Records by service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    pub(crate) services: BTreeMap<String, u64>,
    /// The body could not be read.
    pub(crate) guessed: bool,
}

impl Census {
    /// Takes the census of a request.
    pub fn of(signal: Signal, encoding: Encoding, body: &[u8]) -> Census {
        let mut census = Census::default();
        if !otlp::count_records(signal, encoding, body, |service, records| census.add(service, records)) {
            let guess = body.len() as u64 / RECORD_BYTES_GUESS + 1;
            return Census { services: [(UNKNOWN_SERVICE.to_owned(), guess)].into(), guessed: true };
        }
        census
    }

    /// Services and how many records each has.
    pub fn services(&self) -> impl Iterator<Item = (&str, u64)> {
        self.services.iter().map(|(name, records)| (name.as_str(), *records))
    }

    /// Records of all services.
    pub fn records(&self) -> u64 {
        self.services.values().sum()
    }

    /// Whether the numbers are an estimate from the body's length.
    pub fn is_guess(&self) -> bool {
        self.guessed
    }

    fn add(&mut self, service: Option<Cow<'_, str>>, records: u64) {
        if records > 0 {
            let name = service.as_deref().filter(|name| !name.is_empty()).unwrap_or(UNKNOWN_SERVICE);
            *self.services.entry(name.chars().take(NAME_CHARS_MAX).collect()).or_default() += records;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_json(signal: Signal, text: &str, expect: &[(&str, u64)]) {
        let expect = expect.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        assert_eq!(Census::of(signal, Encoding::Json, text.as_bytes()).services, expect, "{text}");
    }

    #[test]
    fn json_is_counted() {
        let named = |name: &str| {
            format!(
                r#""resource":{{"attributes":[{{"key":"a"}},{{"key":"service.name","value":{{"stringValue":"{name}"}}}}]}}"#
            )
        };
        let (cart, shop) = (named("cart"), named("shop"));
        let logs = format!(
            r#"{{"resourceLogs":[{{{cart},"scopeLogs":[{{"logRecords":[{{}},{{"body":[1,{{}}]}}]}},{{"scope":{{}}}}]}},
            {{"scopeLogs":[{{"logRecords":[{{}}]}}],{shop}}},{{"scopeLogs":[{{"logRecords":[{{}}]}}]}}],"other":[{{}}]}}"#
        );
        check_json(Signal::Logs, &logs, &[("cart", 2), ("shop", 1), (UNKNOWN_SERVICE, 1)]);
        let metrics = format!(
            r#"{{"resourceMetrics":[{{{cart},"scopeMetrics":[{{"metrics":[{{"name":"m","gauge":{{"dataPoints":[{{}},{{}}]}}}},
            {{"histogram":{{"dataPoints":[{{}}]}}}},{{"sum":null}}]}}]}}]}}"#
        );
        check_json(Signal::Metrics, &metrics, &[("cart", 3)]);
        check_json(
            Signal::Traces,
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{},{}]}]}]}"#,
            &[(UNKNOWN_SERVICE, 2)],
        );
        check_json(Signal::Traces, r#"{"resource_spans":[{"scope_spans":[{"spans":[{}]}]}]}"#, &[(UNKNOWN_SERVICE, 1)]);
        // Every form of a key that decoding knows, and what is no metric, which it counts as a point.
        check_json(
            Signal::Metrics,
            r#"{"resource_Metrics":[{"resource_":{"attributes_":[{"key":"service.name","value":{"string__value":"a"}}]},
            "scope_metrics":[{"metrics":[{"g\u0061uge":{"data____Points":[{},null,{}]}},7,{"sum":"x"}]}]}]}"#,
            &[("a", 4)],
        );
        let deep = format!(
            r#"{{"x":{}{},"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{}}]}}]}}]}}"#,
            "[".repeat(500),
            "]".repeat(500)
        );
        check_json(Signal::Logs, &deep, &[(UNKNOWN_SERVICE, 1)]);
        check_json(
            Signal::Logs,
            "\u{feff}{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{}]}]}]}",
            &[(UNKNOWN_SERVICE, 1)],
        );
        check_json(Signal::Logs, r#"{"resourceLogs":null}"#, &[]);
        check_json(Signal::Logs, "{}", &[]);
        check_json(Signal::Logs, &format!("{{\"{}", "x".repeat(126)), &[(UNKNOWN_SERVICE, 3)]);
    }

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        assert!(content.len() < 128);
        [&[number << 3 | 2, content.len() as u8], content].concat()
    }

    #[test]
    fn protobuf_is_counted() {
        let check = |signal, body: &[u8], expect: &[(&str, u64)]| {
            let expect = expect.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
            assert_eq!(Census::of(signal, Encoding::Protobuf, body).services, expect, "{body:?}");
        };
        let name = [field(1, b"service.name"), field(2, &field(1, b"cart"))].concat();
        let resource = field(1, &field(1, &name));
        let two = field(2, &[field(2, b""), field(2, &[0x08, 1])].concat());
        let of_cart = field(1, &[two.clone(), resource.clone()].concat());
        let unnamed = field(1, &two);
        check(Signal::Logs, &[of_cart.clone(), unnamed, of_cart].concat(), &[("cart", 4), (UNKNOWN_SERVICE, 2)]);
        let gauge = field(5, &[field(1, b""), field(1, b"")].concat());
        let sum = field(7, &[field(1, b""), vec![0x10, 2]].concat());
        let metrics = field(2, &[field(2, &gauge), field(2, &sum)].concat());
        check(Signal::Metrics, &field(1, &[resource, metrics].concat()), &[("cart", 3)]);
        let group = [&[0x0b, 0x0c][..], &field(1, &two)].concat();
        check(Signal::Logs, &group, &[(UNKNOWN_SERVICE, 2)]);
        check(Signal::Logs, b"", &[]);
        check(Signal::Logs, &[0x0a, 0x7f], &[(UNKNOWN_SERVICE, 1)]);
        check(Signal::Logs, &[0xff; 640], &[(UNKNOWN_SERVICE, 11)]);
    }
}
