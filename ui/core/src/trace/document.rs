//! The answer of `/api/v1/traces/{id}`, parsed once: heads of spans and log records, and where the rest lies.
//!
//! A large trace carries far more attribute text than a screen shows. So the answer's text is kept, each record's
//! place in it is noted, and attributes are parsed when a record is looked at.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use api::{Exemplar, LogRecord, Span, Stats, UnixNano};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The answer is no trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(pub String);

/// What the waterfall needs of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanHead {
    /// Span id as a number.
    pub id: u64,
    /// Parent's id; `None` for a root.
    pub parent: Option<u64>,
    /// Operation.
    pub name: String,
    /// Index into [`TraceDocument::services`].
    pub service: u16,
    /// OTLP's number of the span kind.
    pub kind: i32,
    /// Start in Unix nanoseconds.
    pub start: i64,
    /// End in Unix nanoseconds, as sent: it may lie before the start.
    pub end: i64,
    /// Whether its status is error.
    pub is_error: bool,
    /// Number of events.
    pub events: u32,
    raw: Range<usize>,
    attributes: Range<usize>,
}

impl SpanHead {
    /// End minus start, never negative.
    pub fn duration(&self) -> i64 {
        self.end.saturating_sub(self.start).max(0)
    }
}

/// What an inline log row needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// Time in Unix nanoseconds.
    pub time: i64,
    /// OTLP's severity number.
    pub severity: i32,
    /// Span it names.
    pub span: Option<u64>,
    /// Index into [`TraceDocument::services`].
    pub service: u16,
    /// Body as one line.
    pub line: String,
    raw: Range<usize>,
}

/// A decoded trace.
#[derive(Debug, Clone, Default)]
pub struct TraceDocument {
    text: String,
    /// Its id.
    pub trace_id: String,
    /// Heads in the order of the answer.
    pub spans: Vec<SpanHead>,
    /// Log records in the order of the answer.
    pub logs: Vec<LogHead>,
    /// Exemplars.
    pub exemplars: Vec<Exemplar>,
    /// Distinct service names, by first appearance.
    pub services: Vec<String>,
    /// Newest time seen by signal.
    pub last_seen: BTreeMap<String, UnixNano>,
    /// What the answer cost.
    pub stats: Stats,
    /// Why it may lack something; empty where it is complete.
    pub incomplete_because: Vec<String>,
    /// Records that could not be read.
    pub unreadable: usize,
}

#[derive(Deserialize)]
struct AnswerText<'a> {
    #[serde(default)]
    trace_id: String,
    #[serde(borrow, default)]
    spans: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    logs: Vec<&'a RawValue>,
    #[serde(default)]
    exemplars: Vec<Exemplar>,
    #[serde(default)]
    last_seen: BTreeMap<String, UnixNano>,
    #[serde(default)]
    stats: Stats,
    #[serde(default)]
    complete: bool,
    #[serde(default)]
    incomplete_because: Vec<String>,
}

#[derive(Deserialize)]
struct SpanText<'a> {
    #[serde(borrow)]
    span_id: Cow<'a, str>,
    #[serde(borrow, default)]
    parent_span_id: Option<&'a str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default)]
    kind: i32,
    #[serde(deserialize_with = "nanos")]
    start_time_unix_nano: i64,
    #[serde(deserialize_with = "nanos")]
    end_time_unix_nano: i64,
    #[serde(default)]
    status: StatusText,
    #[serde(borrow, default)]
    attributes: Option<&'a RawValue>,
    #[serde(default)]
    events: Vec<serde::de::IgnoredAny>,
    #[serde(borrow, default)]
    resource: ResourceText<'a>,
}

#[derive(Deserialize, Default)]
struct StatusText {
    #[serde(default)]
    code: i32,
}

#[derive(Deserialize, Default)]
struct ResourceText<'a> {
    #[serde(borrow, default)]
    attributes: ServiceText<'a>,
}

#[derive(Deserialize, Default)]
struct ServiceText<'a> {
    #[serde(borrow, rename = "service.name", default)]
    name: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct LogText<'a> {
    #[serde(deserialize_with = "nanos")]
    time_unix_nano: i64,
    #[serde(default)]
    severity_number: i32,
    #[serde(default)]
    body: serde_json::Value,
    #[serde(borrow, default)]
    span_id: Option<&'a str>,
    #[serde(borrow, default)]
    resource: ResourceText<'a>,
}

fn nanos<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    struct Text;
    impl serde::de::Visitor<'_> for Text {
        type Value = i64;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Unix nanoseconds as a decimal string")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<i64, E> {
            text.parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Text)
}

/// The number of a hex id; ids that are no hex get a number of their own.
pub(super) fn id_number(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap_or_else(|_| crate::colour::fnv1a(text))
}

impl TraceDocument {
    /// Reads an answer. Records that do not read as records are counted and left out.
    pub fn decode(bytes: Vec<u8>) -> Result<TraceDocument, DecodeError> {
        let text = String::from_utf8(bytes).map_err(|error| DecodeError(error.to_string()))?;
        let answer: AnswerText<'_> = serde_json::from_str(&text).map_err(|error| DecodeError(error.to_string()))?;
        let mut services = Services::default();
        let mut spans = Vec::with_capacity(answer.spans.len());
        let mut unreadable = 0;
        for raw in &answer.spans {
            match span_head(raw, &text, &mut services) {
                Some(head) => spans.push(head),
                None => unreadable += 1,
            }
        }
        let mut logs = Vec::with_capacity(answer.logs.len());
        for raw in &answer.logs {
            match log_head(raw, &text, &mut services) {
                Some(head) => logs.push(head),
                None => unreadable += 1,
            }
        }
        let mut incomplete_because = answer.incomplete_because;
        if !answer.complete && incomplete_because.is_empty() {
            incomplete_because.push("the server did not say why".to_owned());
        }
        Ok(TraceDocument {
            trace_id: answer.trace_id,
            exemplars: answer.exemplars,
            last_seen: answer.last_seen,
            stats: answer.stats,
            services: services.names,
            spans,
            logs,
            incomplete_because,
            unreadable,
            text,
        })
    }

    /// The whole span.
    pub fn span(&self, index: usize) -> Option<Span> {
        serde_json::from_str(self.text.get(self.spans.get(index)?.raw.clone())?).ok()
    }

    /// The span's JSON as the server sent it.
    pub fn span_json(&self, index: usize) -> &str {
        self.spans.get(index).and_then(|head| self.text.get(head.raw.clone())).unwrap_or_default()
    }

    /// The text of a span's attributes, for finding.
    pub(super) fn attribute_text(&self, index: usize) -> &str {
        self.spans.get(index).and_then(|head| self.text.get(head.attributes.clone())).unwrap_or_default()
    }

    /// The whole log record.
    pub fn log(&self, index: usize) -> Option<LogRecord> {
        serde_json::from_str(self.text.get(self.logs.get(index)?.raw.clone())?).ok()
    }

    /// The name of a service by its index.
    pub fn service(&self, index: u16) -> &str {
        self.services.get(usize::from(index)).map_or("", String::as_str)
    }

    /// Index of the span with this id.
    pub fn span_by_id(&self, id: &str) -> Option<usize> {
        let id = id_number(id);
        self.spans.iter().position(|span| span.id == id)
    }

    /// Log records of a span, in time order.
    pub fn logs_of(&self, span: usize) -> Vec<usize> {
        let Some(head) = self.spans.get(span) else { return Vec::new() };
        let mut found: Vec<usize> = (0..self.logs.len()).filter(|at| self.logs[*at].span == Some(head.id)).collect();
        found.sort_by_key(|at| self.logs[*at].time);
        found
    }

    /// Exemplars of a span.
    pub fn exemplars_of(&self, span: usize) -> Vec<&Exemplar> {
        let Some(head) = self.spans.get(span) else { return Vec::new() };
        let is_its = |e: &&Exemplar| e.span_id.as_deref().is_some_and(|id| id_number(id) == head.id);
        self.exemplars.iter().filter(is_its).collect()
    }
}

/// Service names, numbered as they appear.
#[derive(Default)]
struct Services {
    names: Vec<String>,
    numbers: HashMap<String, u16>,
}

impl Services {
    fn number(&mut self, resource: &ResourceText<'_>) -> u16 {
        let raw = resource.attributes.name.map_or("\"unknown_service\"", RawValue::get);
        if let Some(number) = self.numbers.get(raw) {
            return *number;
        }
        let name = serde_json::from_str::<String>(raw).unwrap_or_else(|_| raw.to_owned());
        let number = u16::try_from(self.names.len()).unwrap_or(u16::MAX);
        self.names.push(name);
        self.numbers.insert(raw.to_owned(), number);
        number
    }
}

/// Where a piece of `text` lies in it.
fn place(piece: &str, text: &str) -> Range<usize> {
    let start = (piece.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + piece.len()
}

fn span_head(raw: &RawValue, text: &str, services: &mut Services) -> Option<SpanHead> {
    let span: SpanText<'_> = serde_json::from_str(raw.get()).ok()?;
    Some(SpanHead {
        id: id_number(&span.span_id),
        parent: span.parent_span_id.filter(|id| !id.is_empty()).map(id_number),
        name: span.name.into_owned(),
        service: services.number(&span.resource),
        kind: span.kind,
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        is_error: span.status.code == 2,
        events: span.events.len() as u32,
        raw: place(raw.get(), text),
        attributes: span.attributes.map_or(0..0, |attributes| place(attributes.get(), text)),
    })
}

fn log_head(raw: &RawValue, text: &str, services: &mut Services) -> Option<LogHead> {
    let log: LogText<'_> = serde_json::from_str(raw.get()).ok()?;
    Some(LogHead {
        time: log.time_unix_nano,
        severity: log.severity_number,
        span: log.span_id.map(id_number),
        service: services.number(&log.resource),
        line: crate::fields::one_line(&log.body),
        raw: place(raw.get(), text),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    /// A document of spans `(id, parent, start, end)`, for this crate's tests.
    pub(in crate::trace) fn document(spans: &[(u64, Option<u64>, i64, i64)]) -> TraceDocument {
        let spans: Vec<_> = spans
            .iter()
            .map(|(id, parent, start, end)| {
                json!({"span_id": format!("{id:016x}"), "parent_span_id": parent.map(|p| format!("{p:016x}")),
                    "name": format!("op{id}"), "start_time_unix_nano": start.to_string(),
                    "end_time_unix_nano": end.to_string(), "attributes": {"n": id}})
            })
            .collect();
        let text = json!({"trace_id": "t", "spans": spans, "complete": true}).to_string();
        TraceDocument::decode(text.into_bytes()).expect("an answer")
    }

    #[test]
    fn answers_of_the_api_decode() {
        let mut answer = api::TraceAnswer { trace_id: "ab".into(), ..Default::default() };
        let mut span = Span { span_id: "00000000000000ff".into(), name: "na\"me".into(), ..Default::default() };
        span.resource.attributes.insert("service.name".into(), json!("checkout"));
        span.attributes.insert("k".into(), json!({"deep": [1, "}"]}));
        span.status.code = 2;
        span.events.push(api::Event { name: "exception".into(), ..Default::default() });
        answer.spans = vec![span.clone(), Span { span_id: "1".into(), ..span.clone() }];
        answer.logs =
            vec![LogRecord { body: json!("x\ny"), span_id: Some("00000000000000ff".into()), ..Default::default() }];
        answer.exemplars = vec![Exemplar {
            metric: "m".into(),
            value: json!(1),
            span_id: Some("00000000000000ff".into()),
            ..Default::default()
        }];
        let document = TraceDocument::decode(serde_json::to_vec(&answer).expect("serialises")).expect("decodes");
        assert_eq!(document.services, ["checkout", "unknown_service"]);
        let head = &document.spans[0];
        assert_eq!((head.id, head.name.as_str(), head.is_error, head.events), (255, "na\"me", true, 1));
        assert_eq!(document.span(0), Some(span));
        assert_eq!(document.logs_of(0), [0]);
        assert_eq!(document.exemplars_of(0).len(), 1);
        assert_eq!(document.logs[0].line, "x y");
        assert_eq!(document.log(0).and_then(|log| log.span_id), Some("00000000000000ff".into()));
        assert!(document.attribute_text(0).contains("deep"));
        assert!(document.incomplete_because.is_empty());
    }

    #[test]
    fn broken_records_cost_themselves() {
        let text = json!({"spans": [{"span_id": "1"}, 7, {"span_id": "zz", "name": "n", "start_time_unix_nano": "1",
            "end_time_unix_nano": "2", "resource": {"attributes": {"service.name": 5}}}], "logs": [null]});
        let document = TraceDocument::decode(text.to_string().into_bytes()).expect("decodes");
        assert_eq!((document.spans.len(), document.unreadable), (1, 3));
        assert_eq!(document.services, ["5"]);
        assert!(TraceDocument::decode(b"<html>".to_vec()).is_err());
        assert!(TraceDocument::decode(vec![0xff]).is_err());
    }
}
