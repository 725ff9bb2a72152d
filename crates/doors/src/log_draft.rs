//! A log record while it is put together; used again for the next, so that a record costs no allocation.

use crate::wire::{put_bytes, put_fixed32, put_fixed64, put_message, put_number, put_text};

/// One log record. What is 0, empty or absent is left out of the message.
#[derive(Debug, Default)]
pub(crate) struct LogDraft {
    /// Unix nanoseconds.
    pub(crate) time: u64,
    /// When it was received, where the protocol has nobody else to say so.
    pub(crate) observed: u64,
    pub(crate) severity_number: u8,
    pub(crate) severity_text: String,
    /// Fields of an `AnyValue`.
    pub(crate) body: Vec<u8>,
    /// `KeyValue` messages with their tags.
    pub(crate) attributes: Vec<u8>,
    pub(crate) trace_id: Option<[u8; 16]>,
    pub(crate) span_id: Option<[u8; 8]>,
    pub(crate) flags: u8,
}

/// Field of a `LogRecord` that holds its attributes.
pub(crate) const ATTRIBUTES: u32 = 6;

impl LogDraft {
    /// Begins a record.
    pub(crate) fn clear(&mut self) {
        self.time = 0;
        self.observed = 0;
        self.severity_number = 0;
        self.severity_text.clear();
        self.body.clear();
        self.attributes.clear();
        self.trace_id = None;
        self.span_id = None;
        self.flags = 0;
    }

    pub(crate) fn text_body(&mut self, text: &[u8]) {
        self.body.clear();
        put_bytes(&mut self.body, 1, text);
    }

    pub(crate) fn attribute(&mut self, key: &str, text: &str) {
        put_text(&mut self.attributes, ATTRIBUTES, key, text);
    }

    /// Sets severity and its text together.
    pub(crate) fn severity(&mut self, number: u8, text: &str) {
        self.severity_number = number;
        self.severity_text.clear();
        self.severity_text.push_str(text);
    }

    /// Appends the record as a `LogRecord` of a `ScopeLogs`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put_message(out, 2, |out| {
            if self.time > 0 {
                put_fixed64(out, 1, self.time);
            }
            if self.severity_number > 0 {
                put_number(out, 2, u64::from(self.severity_number));
            }
            if !self.severity_text.is_empty() {
                put_bytes(out, 3, self.severity_text.as_bytes());
            }
            if !self.body.is_empty() {
                put_bytes(out, 5, &self.body);
            }
            out.extend_from_slice(&self.attributes);
            if self.flags > 0 {
                put_fixed32(out, 8, u32::from(self.flags));
            }
            if let Some(id) = &self.trace_id {
                put_bytes(out, 9, id);
            }
            if let Some(id) = &self.span_id {
                put_bytes(out, 10, id);
            }
            if self.observed > 0 {
                put_fixed64(out, 11, self.observed);
            }
        });
    }
}
