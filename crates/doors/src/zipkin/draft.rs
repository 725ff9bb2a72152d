//! A span while it is put together; used again for the next.

use otlp_wire::{put_bool, put_bytes, put_fixed64, put_int, put_message, put_number, put_text};

use crate::{Reason, ids};

/// Fields of a `Span` that hold its attributes and its events.
const ATTRIBUTES: u32 = 9;
const EVENTS: u32 = 11;

const OK: u64 = 1;
const ERROR: u64 = 2;

/// Which end of a span an endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Local,
    Remote,
}

/// One span.
#[derive(Debug, Default)]
pub(super) struct SpanDraft {
    trace_id: Option<[u8; 16]>,
    span_id: Option<[u8; 8]>,
    parent_id: Option<[u8; 8]>,
    pub(super) name: String,
    kind: u64,
    /// Microseconds.
    timestamp: u64,
    duration: u64,
    service: String,
    attributes: Vec<u8>,
    events: Vec<u8>,
    status: Option<u64>,
    status_message: String,
    scope_name: String,
    scope_version: String,
    /// What cannot be right, so that the span is turned away.
    wrong: Option<(Reason, &'static str)>,
}

/// Unix nanoseconds of microseconds; nothing where OTLP cannot have them.
fn nanos(micros: u64) -> Option<u64> {
    micros.checked_mul(1000).filter(|nanos| i64::try_from(*nanos).is_ok())
}

impl SpanDraft {
    /// Begins a span.
    pub(super) fn clear(&mut self) {
        let SpanDraft { mut name, mut service, mut attributes, mut events, .. } = std::mem::take(self);
        name.clear();
        service.clear();
        attributes.clear();
        events.clear();
        *self = SpanDraft { name, service, attributes, events, ..SpanDraft::default() };
    }

    /// Notes what cannot be right; the first stands.
    pub(super) fn wrong(&mut self, reason: Reason, detail: &'static str) {
        self.wrong.get_or_insert((reason, detail));
    }

    pub(super) fn trace_id(&mut self, text: &str) {
        self.trace_id = ids::padded(text);
    }

    pub(super) fn span_id(&mut self, text: &str) {
        self.span_id = ids::padded(text);
    }

    /// A parent of zeros, or none at all, is no parent.
    pub(super) fn parent_id(&mut self, text: &str) {
        self.parent_id = ids::padded(text);
        if self.parent_id.is_none() && text.bytes().any(|byte| byte != b'0') {
            self.wrong(Reason::InvalidId, "parentId must be up to 16 hex digits");
        }
    }

    pub(super) fn kind(&mut self, text: &str) {
        self.kind = match text {
            "SERVER" => 2,
            "CLIENT" => 3,
            "PRODUCER" => 4,
            "CONSUMER" => 5,
            "" => 0,
            _ => return self.wrong(Reason::InvalidValue, "kind must be CLIENT, SERVER, PRODUCER or CONSUMER"),
        };
    }

    pub(super) fn timestamp(&mut self, micros: u64) {
        self.timestamp = micros;
    }

    pub(super) fn duration(&mut self, micros: u64) {
        self.duration = micros;
    }

    pub(super) fn flag(&mut self, name: &str, value: bool) {
        if value {
            put_bool(&mut self.attributes, ATTRIBUTES, name, true);
        }
    }

    /// A field of an endpoint.
    pub(super) fn endpoint(&mut self, end: End, field: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        match (end, field) {
            (End::Local, "serviceName") => {
                self.service.clear();
                self.service.push_str(text);
            }
            (End::Local, "ipv4" | "ipv6") => self.attribute("network.local.address", text),
            (End::Remote, "serviceName") => self.attribute("service.peer.name", text),
            (End::Remote, "ipv4" | "ipv6") => self.attribute("network.peer.address", text),
            (_, "port") => {
                let name = if end == End::Local { "network.local.port" } else { "network.peer.port" };
                match text.parse().ok().filter(|port| (1..=65535).contains(port)) {
                    Some(port) => put_int(&mut self.attributes, ATTRIBUTES, name, port),
                    // Zipkin's clients write 0 for a port that they do not know.
                    None if text == "0" => {}
                    None => self.attribute(name, text),
                }
            }
            _ => {}
        }
    }

    pub(super) fn tag(&mut self, key: &str, value: &str) {
        match key {
            "error" => {
                // As Zipkin has it: a tag that is there is an error, whatever it says but "false".
                if value != "false" {
                    self.status = Some(ERROR);
                    self.message(if value == "true" { "" } else { value });
                } else {
                    self.attribute(key, value);
                }
            }
            "otel.status_code" if value == "OK" => self.status = self.status.or(Some(OK)),
            "otel.status_code" if value == "ERROR" => self.status = Some(ERROR),
            "otel.status_description" => self.message(value),
            "otel.scope.name" | "otel.library.name" => value.clone_into(&mut self.scope_name),
            "otel.scope.version" | "otel.library.version" => value.clone_into(&mut self.scope_version),
            _ => self.attribute(key, value),
        }
    }

    fn message(&mut self, text: &str) {
        if self.status_message.is_empty() {
            self.status_message.push_str(text);
        }
    }

    fn attribute(&mut self, key: &str, text: &str) {
        put_text(&mut self.attributes, ATTRIBUTES, key, text);
    }

    /// An annotation becomes an event; one without a time keeps none.
    pub(super) fn annotation(&mut self, micros: u64, value: &str) {
        let Some(time) = nanos(micros) else {
            return self.wrong(Reason::InvalidTime, "the time of an annotation lies beyond the year 2262");
        };
        put_message(&mut self.events, EVENTS, |out| {
            if time > 0 {
                put_fixed64(out, 1, time);
            }
            put_bytes(out, 2, value.as_bytes());
        });
    }

    /// Whether the span can be stored.
    pub(super) fn check(&self) -> Result<(), (Reason, &'static str)> {
        if self.trace_id.is_none() {
            return Err((Reason::InvalidId, "traceId must be up to 32 hex digits, not all zeros"));
        }
        if self.span_id.is_none() {
            return Err((Reason::InvalidId, "id must be up to 16 hex digits, not all zeros"));
        }
        if self.timestamp.checked_add(self.duration).and_then(nanos).is_none() {
            return Err((Reason::InvalidTime, "timestamp and duration lie beyond the year 2262"));
        }
        self.wrong.map_or(Ok(()), Err)
    }

    /// The bytes of its resource and of its scope.
    pub(super) fn origin(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut resource, mut scope) = (Vec::new(), Vec::new());
        if !self.service.is_empty() {
            put_text(&mut resource, 1, "service.name", &self.service);
        }
        for (field, text) in [(1, &self.scope_name), (2, &self.scope_version)] {
            if !text.is_empty() {
                put_bytes(&mut scope, field, text.as_bytes());
            }
        }
        (resource, scope)
    }

    /// Appends the span as one of a `ScopeSpans`.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        put_message(out, 2, |out| {
            put_bytes(out, 1, &self.trace_id.unwrap_or_default());
            put_bytes(out, 2, &self.span_id.unwrap_or_default());
            if let Some(id) = &self.parent_id {
                put_bytes(out, 4, id);
            }
            put_bytes(out, 5, self.name.as_bytes());
            // Zipkin's absent kind is OpenTelemetry's internal.
            put_number(out, 6, self.kind.max(1));
            let (start, length) = (nanos(self.timestamp).unwrap_or_default(), nanos(self.duration).unwrap_or_default());
            if start > 0 {
                put_fixed64(out, 7, start);
                put_fixed64(out, 8, start + length);
            }
            out.extend_from_slice(&self.attributes);
            if start == 0 && self.duration > 0 {
                // A length without a start has no place of its own.
                put_int(out, ATTRIBUTES, "zipkin.duration_us", self.duration as i64);
            }
            out.extend_from_slice(&self.events);
            if let Some(code) = self.status {
                put_message(out, 15, |out| {
                    if !self.status_message.is_empty() {
                        put_bytes(out, 2, self.status_message.as_bytes());
                    }
                    put_number(out, 3, code);
                });
            }
        });
    }
}
