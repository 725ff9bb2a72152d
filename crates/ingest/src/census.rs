//! The census: how many records a request has, and of which services, found by skipping over everything else.
//!
//! It is taken before a request is decoded, so that what is over its rate costs no more than this look, and none of it
//! is stored. Where the body cannot be read the count is an estimate from its length: decoding will refuse it, or
//! knows a form that is unknown here, and neither is a way around a limit.

use std::collections::BTreeMap;
use std::fmt;

use model::Signal;
use otlp::Encoding;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The service of a resource without a name, as OpenTelemetry's SDKs have it.
pub(crate) const UNKNOWN_SERVICE: &str = "unknown_service";
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
        let read = match encoding {
            Encoding::Protobuf => protobuf(signal, body, &mut census),
            Encoding::Json => json(body, &mut census),
        };
        if read.is_none() {
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

    fn add(&mut self, service: Option<String>, records: u64) {
        if records > 0 {
            let service = service.filter(|name| !name.is_empty()).unwrap_or_else(|| UNKNOWN_SERVICE.to_owned());
            *self.services.entry(service).or_default() += records;
        }
    }
}

fn clipped(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect()
}

/// Every message inside `message` with its field's number; `None` where the bytes are no message.
fn messages<'a>(message: &'a [u8], mut found: impl FnMut(u64, &'a [u8]) -> Option<()>) -> Option<()> {
    let mut rest = message;
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        match tag & 7 {
            0 => drop(varint(&mut rest)?),
            1 => rest = rest.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let (inner, after) = rest.split_at_checked(length)?;
                rest = after;
                found(tag >> 3, inner)?;
            }
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(())
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn protobuf(signal: Signal, body: &[u8], census: &mut Census) -> Option<()> {
    messages(body, |field, resource| {
        if field != 1 {
            return Some(());
        }
        let mut service = None;
        let mut records = 0;
        messages(resource, |field, inner| match field {
            1 => service_of_resource(inner, &mut service),
            2 => count_scope(signal, inner, &mut records),
            _ => Some(()),
        })?;
        census.add(service, records);
        Some(())
    })
}

fn service_of_resource(resource: &[u8], service: &mut Option<String>) -> Option<()> {
    messages(resource, |field, attribute| {
        if field != 1 || service.is_some() {
            return Some(());
        }
        let (mut is_name, mut text) = (false, None);
        messages(attribute, |field, inner| {
            match field {
                1 => is_name = inner == b"service.name",
                2 => messages(inner, |field, value| {
                    if field == 1 {
                        text = Some(value);
                    }
                    Some(())
                })?,
                _ => {}
            }
            Some(())
        })?;
        if is_name {
            *service = text.map(|text| clipped(&String::from_utf8_lossy(&text[..text.len().min(NAME_CHARS_MAX * 4)])));
        }
        Some(())
    })
}

fn count_scope(signal: Signal, scope: &[u8], records: &mut u64) -> Option<()> {
    messages(scope, |field, record| {
        match (field, signal) {
            (2, Signal::Metrics) => count_points(record, records)?,
            (2, _) => *records += 1,
            _ => {}
        }
        Some(())
    })
}

fn count_points(metric: &[u8], records: &mut u64) -> Option<()> {
    messages(metric, |field, data| match field {
        // Gauge, sum, histogram, exponential histogram, summary.
        5 | 7 | 9 | 10 | 11 => messages(data, |field, _| {
            *records += u64::from(field == 1);
            Some(())
        }),
        _ => Some(()),
    })
}

fn json(body: &[u8], census: &mut Census) -> Option<()> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    Level::Request.deserialize_with(census, &mut deserializer)
}

/// Where in a request the reader is. One visitor for all levels: what is no list, object or name of interest is
/// skipped, whatever it is, as the decoder does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Request,
    Resource,
    Scope,
    Metric,
    Data,
    Record,
}

impl Level {
    fn deserialize_with<'de, D: Deserializer<'de>>(self, census: &mut Census, deserializer: D) -> Option<()> {
        let mut service = None;
        let mut records = 0;
        Walk { level: self, census, service: &mut service, records: &mut records }.deserialize(deserializer).ok()
    }

    /// The level that a member leads to.
    fn below(self, name: &str) -> Option<Level> {
        match (self, name) {
            (
                Level::Request,
                "resourceLogs" | "resource_logs" | "resourceSpans" | "resource_spans" | "resourceMetrics"
                | "resource_metrics",
            ) => Some(Level::Resource),
            (
                Level::Resource,
                "scopeLogs" | "scope_logs" | "scopeSpans" | "scope_spans" | "scopeMetrics" | "scope_metrics",
            ) => Some(Level::Scope),
            (Level::Scope, "logRecords" | "log_records" | "spans") => Some(Level::Record),
            (Level::Scope, "metrics") => Some(Level::Metric),
            (
                Level::Metric,
                "gauge" | "sum" | "histogram" | "exponentialHistogram" | "exponential_histogram" | "summary",
            ) => Some(Level::Data),
            (Level::Data, "dataPoints" | "data_points") => Some(Level::Record),
            _ => None,
        }
    }
}

/// Reads a value at a level: an object of it, or a list of them.
struct Walk<'a> {
    level: Level,
    census: &'a mut Census,
    service: &'a mut Option<String>,
    records: &'a mut u64,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OTLP")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Walk { level, census, service, records } = self;
        if level == Level::Record {
            while list.next_element::<IgnoredAny>()?.is_some() {
                *records += 1;
            }
            return Ok(());
        }
        while list.next_element_seed(Walk { level, census, service, records })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Walk { level, census, service, records } = self;
        let (mut own_service, mut own_records) = (None, 0);
        let is_resource = level == Level::Resource;
        let (service, records) = if is_resource { (&mut own_service, &mut own_records) } else { (service, records) };
        while let Some(name) = object.next_key::<String>()? {
            match level.below(&name) {
                Some(level) => object.next_value_seed(Walk { level, census, service, records })?,
                None if is_resource && name == "resource" => {
                    *service = object.next_value::<ResourceName>()?.0.or(service.take());
                }
                None => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        if is_resource {
            census.add(own_service, own_records);
        }
        Ok(())
    }
}

/// `service.name` of a resource.
struct ResourceName(Option<String>);

impl<'de> Deserialize<'de> for ResourceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ResourceName, D::Error> {
        #[derive(Deserialize)]
        struct Attributes {
            #[serde(default)]
            attributes: Option<Vec<Attribute>>,
        }
        #[derive(Deserialize)]
        struct Attribute {
            #[serde(default)]
            key: Option<String>,
            #[serde(default)]
            value: Option<serde_json::Value>,
        }
        let resource = Option::<Attributes>::deserialize(deserializer)?;
        let attributes = resource.and_then(|resource| resource.attributes).unwrap_or_default();
        let named = attributes.into_iter().find(|attribute| attribute.key.as_deref() == Some("service.name"));
        let value = named.and_then(|attribute| attribute.value);
        let text = value.as_ref().and_then(|value| value.get("stringValue").or_else(|| value.get("string_value")));
        Ok(ResourceName(text.and_then(serde_json::Value::as_str).map(clipped)))
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
        check(Signal::Logs, b"", &[]);
        check(Signal::Logs, &[0x0a, 0x7f], &[(UNKNOWN_SERVICE, 1)]);
        check(Signal::Logs, &[0xff; 640], &[(UNKNOWN_SERVICE, 11)]);
    }
}
