//! The answer of `/api/v1/traces/{id}`, read once: heads of spans and log records, and where the rest lies.
//!
//! A large trace carries far more attribute text than a screen shows. So the answer's text is kept, each record's
//! place in it is noted, and attributes are parsed when a record is looked at. The client asks for the form in which
//! records name their resource and scope by number (`shared=true`); a server that does not know it repeats them, and
//! both forms read alike.
//!
//! Invariant: places are byte ranges of the text that begin and end between characters.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use api::{Exemplar, LogRecord, Resource, Scope, Span, Stats, UnixNano};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::reading;

/// The answer is no trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(pub String);

/// Where a record's resource and scope stand in the answer's tables; `None` where the record holds them itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Refs {
    pub(super) resource: Option<u32>,
    pub(super) scope: Option<u32>,
}

/// What the waterfall needs of a span.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpanHead {
    /// Span id as a number.
    pub id: u64,
    /// Parent's id; `None` for a root.
    pub parent: Option<u64>,
    /// Operation.
    pub name: Arc<str>,
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
    pub(super) refs: Refs,
    pub(super) raw: Range<usize>,
    pub(super) attributes: Range<usize>,
}

impl SpanHead {
    /// End minus start, never negative.
    pub fn duration(&self) -> i64 {
        self.end.saturating_sub(self.start).max(0)
    }
}

/// What an inline log row needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    pub(super) refs: Refs,
    pub(super) raw: Range<usize>,
}

/// A decoded trace.
#[derive(Debug, Clone, Default)]
pub struct TraceDocument {
    pub(super) text: Arc<Vec<u8>>,
    /// Its id.
    pub trace_id: String,
    /// Whether spans came without attributes, events and links.
    pub is_brief: bool,
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
    pub(super) resources: Vec<Range<usize>>,
    pub(super) scopes: Vec<Range<usize>>,
    /// Indexes of log records by the span they name, in time order.
    pub(super) logs_by_span: HashMap<u64, Vec<u32>>,
}

/// The number of a hex id; ids that are no hex get a number of their own.
pub(super) fn id_number(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap_or_else(|_| crate::colour::fnv1a(text))
}

impl TraceDocument {
    /// Reads an answer. Records that do not read as records are counted and left out.
    pub fn decode(bytes: Arc<Vec<u8>>) -> Result<TraceDocument, DecodeError> {
        reading::read(bytes)
    }

    /// The text at a place; empty where there is none.
    fn text_at(&self, place: &Range<usize>) -> &str {
        self.text.get(place.clone()).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// An entry of one of the answer's tables.
    fn entry<T: DeserializeOwned>(&self, table: &[Range<usize>], at: Option<u32>) -> Option<T> {
        serde_json::from_str(self.text_at(table.get(at? as usize)?)).ok()
    }

    /// The whole span.
    pub fn span(&self, index: usize) -> Option<Span> {
        let head = self.spans.get(index)?;
        let mut span: Span = serde_json::from_str(self.text_at(&head.raw)).ok()?;
        if let Some(resource) = self.entry::<Resource>(&self.resources, head.refs.resource) {
            span.resource = resource;
        }
        if let Some(scope) = self.entry::<Scope>(&self.scopes, head.refs.scope) {
            span.scope = scope;
        }
        (span.resource_ref, span.scope_ref) = (None, None);
        Some(span)
    }

    /// The span's JSON as the server sends it where nothing is shared.
    pub fn span_json(&self, index: usize) -> Value {
        let Some(head) = self.spans.get(index) else { return Value::Null };
        let mut span: Map<String, Value> = serde_json::from_str(self.text_at(&head.raw)).unwrap_or_default();
        for (name, table, at) in
            [("resource", &self.resources, head.refs.resource), ("scope", &self.scopes, head.refs.scope)]
        {
            span.remove(&format!("{name}_ref"));
            if let Some(value) = self.entry::<Value>(table, at) {
                span.insert(name.to_owned(), value);
            }
        }
        Value::Object(span)
    }

    /// The text of a span's attributes, for finding.
    pub(super) fn attribute_text(&self, index: usize) -> &str {
        self.spans.get(index).map(|head| self.text_at(&head.attributes)).unwrap_or_default()
    }

    /// The whole log record.
    pub fn log(&self, index: usize) -> Option<LogRecord> {
        let head = self.logs.get(index)?;
        let mut log: LogRecord = serde_json::from_str(self.text_at(&head.raw)).ok()?;
        if let Some(resource) = self.entry::<Resource>(&self.resources, head.refs.resource) {
            log.resource = resource;
        }
        if let Some(scope) = self.entry::<Scope>(&self.scopes, head.refs.scope) {
            log.scope = scope;
        }
        (log.resource_ref, log.scope_ref) = (None, None);
        Some(log)
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
        self.logs_by_span.get(&head.id).into_iter().flatten().map(|log| *log as usize).collect()
    }

    /// Exemplars of a span.
    pub fn exemplars_of(&self, span: usize) -> Vec<&Exemplar> {
        let Some(head) = self.spans.get(span) else { return Vec::new() };
        let is_its = |e: &&Exemplar| e.span_id.as_deref().is_some_and(|id| id_number(id) == head.id);
        self.exemplars.iter().filter(is_its).collect()
    }
}

/// Index of the first span with each id.
pub(super) fn spans_by_id(spans: &[SpanHead]) -> HashMap<u64, u32> {
    let mut by_id = HashMap::with_capacity(spans.len());
    for (index, span) in (0_u32..).zip(spans) {
        by_id.entry(span.id).or_insert(index);
    }
    by_id
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    /// An answer in text, decoded.
    pub(in crate::trace) fn decoded(text: String) -> Result<TraceDocument, DecodeError> {
        TraceDocument::decode(Arc::new(text.into_bytes()))
    }

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
        decoded(text).expect("an answer")
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
        let document = decoded(serde_json::to_string(&answer).expect("serialises")).expect("decodes");
        assert_eq!(document.services, ["checkout", "unknown_service"]);
        let head = &document.spans[0];
        assert_eq!((head.id, &*head.name, head.is_error, head.events), (255, "na\"me", true, 1));
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
        let document = decoded(text.to_string()).expect("decodes");
        assert_eq!((document.spans.len(), document.unreadable), (1, 3));
        assert_eq!(document.services, ["5"]);
        assert!(decoded("<html>".to_owned()).is_err());
        assert!(TraceDocument::decode(Arc::new(vec![0xff])).is_err());
    }

    #[test]
    fn shared_resources_read_like_repeated_ones() {
        let resource = |name: &str| json!({"attributes": {"service.name": name, "k8s.pod.name": "p"}});
        let scope = json!({"name": "lib", "version": "1"});
        let span = |id: &str| {
            json!({"span_id": id, "name": "n", "start_time_unix_nano": "1", "end_time_unix_nano": "2",
                "attributes": {"brace": "}\"]"}})
        };
        let log = json!({"time_unix_nano": "1", "body": "x", "span_id": "1"});
        let with = |mut value: Value, more: Value| {
            let more = more.as_object().expect("an object").clone();
            value.as_object_mut().expect("an object").extend(more);
            value
        };
        let repeated = json!({"trace_id": "t", "complete": true,
            "spans": [with(span("1"), json!({"resource": resource("a"), "scope": scope})),
                with(span("2"), json!({"resource": resource("b"), "scope": {}}))],
            "logs": [with(log.clone(), json!({"resource": resource("b"), "scope": scope}))]});
        let shared = json!({"trace_id": "t", "complete": true,
            "resources": [resource("a"), resource("b")], "scopes": [scope, {}],
            "spans": [with(span("1"), json!({"resource_ref": 0, "scope_ref": 0})),
                with(span("2"), json!({"resource_ref": 1, "scope_ref": 1}))],
            "logs": [with(log, json!({"resource_ref": 1, "scope_ref": 0}))]});
        // The tables may stand before or behind the records that name them.
        let text = shared.to_string();
        let spans = text[text.find("\"spans\"").expect("spans")..text.len() - 1].to_owned();
        let (head, tail) = text.split_at(text.find("\"resources\"").expect("resources"));
        let behind =
            format!("{head}{spans},{}}}", tail[..tail.find(",\"spans\"").expect("spans")].trim_end_matches(','));
        let expect = decoded(repeated.to_string()).expect("decodes");
        for text in [text, behind] {
            let found = decoded(text).expect("decodes");
            assert_eq!(found.services, ["a", "b"]);
            assert_eq!(found.unreadable, 0);
            for index in 0..2 {
                assert_eq!(found.spans[index].service, index as u16);
                assert_eq!(found.span(index), expect.span(index));
                assert_eq!(found.span_json(index), expect.span_json(index));
            }
            assert_eq!((found.log(0), found.logs[0].service), (expect.log(0), 1));
        }
        let lost = decoded(json!({"spans": [with(span("1"), json!({"resource_ref": 7}))]}).to_string());
        assert_eq!(lost.expect("decodes").services, ["unknown_service"]);
    }
}
