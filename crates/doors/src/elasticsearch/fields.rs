//! Where the fields of a document go, by the Elastic Common Schema.

use model::time::parse_rfc3339;
use otlp_wire::{LogDraft, put_bytes, put_key_value};

use super::document::{Document, Found};
use crate::{ids, severity};

/// Resource and scope of a document, as the bytes of their messages.
#[derive(Debug, Default)]
pub(super) struct Origin {
    pub(super) resource: Vec<u8>,
    pub(super) scope: Vec<u8>,
}

/// Attribute that says which index a document was meant for.
const INDEX: &str = "elasticsearch.index";

const LEVELS: [&str; 5] = ["log.level", "level", "severity", "severity_text", "loglevel"];
const BODIES: [&str; 4] = ["message", "log", "msg", "event.original"];
const TRACES: [&str; 5] = ["trace.id", "trace_id", "traceId", "traceID", "TraceId"];
const SPANS: [&str; 5] = ["span.id", "span_id", "spanId", "spanID", "SpanId"];

/// Fields that are attributes of the resource, and their names there.
const RESOURCE: [(&str, &str); 20] = [
    ("service.name", "service.name"),
    ("service", "service.name"),
    ("service.namespace", "service.namespace"),
    ("service.version", "service.version"),
    ("service.environment", "deployment.environment.name"),
    ("service.node.name", "service.instance.id"),
    ("host.name", "host.name"),
    ("container.id", "container.id"),
    ("container.name", "container.name"),
    ("kubernetes.namespace", "k8s.namespace.name"),
    ("kubernetes.namespace_name", "k8s.namespace.name"),
    ("kubernetes.pod.name", "k8s.pod.name"),
    ("kubernetes.pod_name", "k8s.pod.name"),
    ("kubernetes.pod.uid", "k8s.pod.uid"),
    ("kubernetes.pod_id", "k8s.pod.uid"),
    ("kubernetes.container.name", "k8s.container.name"),
    ("kubernetes.container_name", "k8s.container.name"),
    ("kubernetes.node.name", "k8s.node.name"),
    ("kubernetes.host", "k8s.node.name"),
    ("cloud.region", "cloud.region"),
];

/// Fields that have another name in OpenTelemetry.
const RENAMED: [(&str, &str); 8] = [
    ("error.type", "exception.type"),
    ("error.message", "exception.message"),
    ("error.stack_trace", "exception.stacktrace"),
    ("process.thread.name", "thread.name"),
    ("process.thread.id", "thread.id"),
    ("log.origin.file.name", "code.file.path"),
    ("log.origin.file.line", "code.line.number"),
    ("log.origin.function", "code.function.name"),
];

/// Which field of a document a place is filled from: the first of these names that is a text.
#[derive(Debug, Default)]
struct Chosen<'a> {
    level: Option<&'a str>,
    body: Option<&'a str>,
    trace: Option<&'a str>,
    span: Option<&'a str>,
}

/// Fills a record from a document.
pub(super) fn fill(document: &Document, index: &str, draft: &mut LogDraft) -> Origin {
    let mut origin = Origin::default();
    let chosen = Chosen {
        level: first(document, &LEVELS, |field| field.text().and_then(severity::of_name).is_some()),
        body: first(document, &BODIES, |field| field.text().is_some()),
        trace: first(document, &TRACES, |field| field.text().and_then(ids::trace_id).is_some()),
        span: first(document, &SPANS, |field| field.text().and_then(ids::span_id).is_some()),
    };
    // Of a name that occurs twice the first is the resource's, and the other an attribute.
    let mut taken: Vec<&str> = Vec::new();
    for field in document.fields() {
        if !place(field, &chosen, draft, &mut origin, &mut taken) {
            let name = RENAMED.iter().find(|(name, _)| *name == field.name).map_or(field.name, |(_, name)| *name);
            draft.attribute(name, |out| out.extend_from_slice(field.value));
        }
    }
    if !index.is_empty() {
        draft.text_attribute(INDEX, index);
    }
    origin
}

/// The name of these that comes first in the list and has a field that is good.
fn first<'a>(document: &Document, names: &[&'a str], is_good: impl Fn(&Found<'_>) -> bool) -> Option<&'a str> {
    let rank = document
        .fields()
        .filter_map(|field| names.iter().position(|name| *name == field.name && is_good(&field)))
        .min()?;
    names.get(rank).copied()
}

/// Puts a field where it belongs; false where it is an attribute.
fn place<'a>(
    field: Found<'a>,
    chosen: &Chosen<'_>,
    draft: &mut LogDraft,
    origin: &mut Origin,
    taken: &mut Vec<&'a str>,
) -> bool {
    let is = |name: Option<&str>| name == Some(field.name);
    if field.name == "@timestamp" && draft.time == 0 {
        draft.time = time(&field).unwrap_or_default();
        return draft.time > 0;
    }
    let Some(text) = field.text() else { return false };
    if is(chosen.body) && draft.body.is_empty() {
        draft.body.extend_from_slice(field.value);
    } else if is(chosen.level) && draft.severity_text.is_empty() {
        draft.severity(severity::of_name(text).unwrap_or_default(), text);
    } else if is(chosen.trace) && draft.trace_id.is_none() {
        draft.trace_id = ids::trace_id(text);
    } else if is(chosen.span) && draft.span_id.is_none() {
        draft.span_id = ids::span_id(text);
    } else if field.name == "log.logger" && origin.scope.is_empty() {
        put_bytes(&mut origin.scope, 1, text.as_bytes());
    } else if let Some((_, name)) = RESOURCE.iter().find(|(name, _)| *name == field.name)
        && !taken.contains(name)
    {
        taken.push(name);
        put_key_value(&mut origin.resource, 1, name, |out| out.extend_from_slice(field.value));
    } else {
        return false;
    }
    true
}

/// The time of `@timestamp`: RFC 3339 in a text, or Unix milliseconds as a number or in a text.
fn time(field: &Found<'_>) -> Option<u64> {
    let nanos = match (field.int(), field.text()) {
        (Some(millis), _) => millis.checked_mul(1_000_000)?,
        (None, Some(text)) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse::<i64>().ok()?.checked_mul(1_000_000)?
        }
        (None, Some(text)) => parse_rfc3339(text)?,
        (None, None) => return None,
    };
    u64::try_from(nanos).ok()
}
