//! A log record while it is put together, and its encoding.
//!
//! Body and attributes are encoded as they are found; the rest are numbers and short texts. A draft is used again for
//! every line, so that a line costs no allocation.

use crate::wire;

/// Name of the attribute that tells stdout from stderr.
const IOSTREAM: &str = "log.iostream";

/// Which of the two streams a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Iostream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Iostream {
    /// The value of `log.iostream`.
    pub fn name(self) -> &'static str {
        match self {
            Iostream::Stdout => "stdout",
            Iostream::Stderr => "stderr",
        }
    }
}

/// What a line says of the service that wrote it; an empty text says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OwnService {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) environment: String,
}

/// One log record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    /// Unix nanoseconds; 0 where the line names no time.
    pub(crate) time: i64,
    /// When the first of its lines was read.
    pub(crate) observed: i64,
    pub(crate) severity_number: u8,
    pub(crate) severity_text: String,
    /// The bytes of an `AnyValue`; empty for no body.
    pub(crate) body: Vec<u8>,
    /// `KeyValue` messages with their tags, as they stand in a `LogRecord`.
    pub(crate) attributes: Vec<u8>,
    pub(crate) trace_id: Option<[u8; 16]>,
    pub(crate) span_id: Option<[u8; 8]>,
    pub(crate) flags: u8,
    pub(crate) event_name: String,
    /// Name of the instrumentation scope: the logger.
    pub(crate) scope: String,
    pub(crate) service: OwnService,
}

/// Field of a `LogRecord` that holds its attributes.
const ATTRIBUTES: u32 = 6;

impl Draft {
    /// Begins a record.
    pub(crate) fn begin(&mut self, observed: i64, iostream: Option<Iostream>) {
        self.time = 0;
        self.observed = observed;
        self.severity_number = 0;
        self.severity_text.clear();
        self.body.clear();
        self.attributes.clear();
        self.trace_id = None;
        self.span_id = None;
        self.flags = 0;
        self.event_name.clear();
        self.scope.clear();
        self.service.name.clear();
        self.service.version.clear();
        self.service.environment.clear();
        if let Some(iostream) = iostream {
            self.text_attribute(IOSTREAM, iostream.name());
        }
    }

    pub(crate) fn text_body(&mut self, text: &str) {
        self.body.clear();
        wire::text_value(&mut self.body, text);
    }

    pub(crate) fn attribute(&mut self, key: &str, value: impl FnOnce(&mut Vec<u8>)) {
        wire::key_value(&mut self.attributes, ATTRIBUTES, key, value);
    }

    pub(crate) fn text_attribute(&mut self, key: &str, text: &str) {
        self.attribute(key, |out| wire::text_value(out, text));
    }

    pub(crate) fn int_attribute(&mut self, key: &str, value: i64) {
        self.attribute(key, |out| wire::int_value(out, value));
    }

    pub(crate) fn bytes_attribute(&mut self, key: &str, value: &[u8]) {
        self.attribute(key, |out| wire::bytes(out, 7, value));
    }

    /// Sets severity and its text together.
    pub(crate) fn severity(&mut self, number: u8, text: &str) {
        self.severity_number = number;
        self.severity_text.clear();
        self.severity_text.push_str(text);
    }

    /// Appends the record as a `LogRecord` of a `ScopeLogs`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        wire::message(out, 2, |out| {
            if self.time > 0 {
                wire::fixed64(out, 1, self.time as u64);
            }
            if self.severity_number > 0 {
                wire::number(out, 2, u64::from(self.severity_number));
            }
            if !self.severity_text.is_empty() {
                wire::bytes(out, 3, self.severity_text.as_bytes());
            }
            if !self.body.is_empty() {
                wire::bytes(out, 5, &self.body);
            }
            out.extend_from_slice(&self.attributes);
            if self.flags > 0 {
                wire::fixed32(out, 8, u32::from(self.flags));
            }
            if let Some(id) = &self.trace_id {
                wire::bytes(out, 9, id);
            }
            if let Some(id) = &self.span_id {
                wire::bytes(out, 10, id);
            }
            wire::fixed64(out, 11, self.observed.max(0) as u64);
            if !self.event_name.is_empty() {
                wire::bytes(out, 12, self.event_name.as_bytes());
            }
        });
    }
}
