//! A log record while it is put together; used again for the next, so that a record costs no allocation.

use crate::write::{put_bytes, put_fixed32, put_fixed64, put_int, put_key_value, put_message, put_number, put_text};

/// One log record. What is 0, empty or absent is left out of the message.
#[derive(Debug, Clone, Default)]
pub struct LogDraft {
    /// Unix nanoseconds.
    pub time: u64,
    /// When it was received, where nobody else says so.
    pub observed: u64,
    /// OpenTelemetry's number of the severity.
    pub severity_number: u8,
    /// The severity in the sender's words.
    pub severity_text: String,
    /// Fields of an `AnyValue`.
    pub body: Vec<u8>,
    /// `KeyValue` messages with their tags, as they stand in a `LogRecord`.
    pub attributes: Vec<u8>,
    /// The trace it belongs to.
    pub trace_id: Option<[u8; 16]>,
    /// The span it belongs to.
    pub span_id: Option<[u8; 8]>,
    /// W3C's flags of the trace.
    pub flags: u8,
    /// Which kind of event it is.
    pub event_name: String,
}

/// Field of a `LogRecord` that holds its attributes.
const ATTRIBUTES: u32 = 6;

impl LogDraft {
    /// Begins a record.
    pub fn clear(&mut self) {
        self.time = 0;
        self.observed = 0;
        self.severity_number = 0;
        self.severity_text.clear();
        self.body.clear();
        self.attributes.clear();
        self.trace_id = None;
        self.span_id = None;
        self.flags = 0;
        self.event_name.clear();
    }

    /// Sets the body to a text, which is UTF-8.
    pub fn text_body(&mut self, text: &[u8]) {
        self.body.clear();
        put_bytes(&mut self.body, 1, text);
    }

    /// Adds an attribute; `value` appends the fields of its `AnyValue`.
    pub fn attribute(&mut self, key: &str, value: impl FnOnce(&mut Vec<u8>)) {
        put_key_value(&mut self.attributes, ATTRIBUTES, key, value);
    }

    /// Adds an attribute that is a text.
    pub fn text_attribute(&mut self, key: &str, text: &str) {
        put_text(&mut self.attributes, ATTRIBUTES, key, text);
    }

    /// Adds an attribute that is an integer.
    pub fn int_attribute(&mut self, key: &str, value: i64) {
        put_int(&mut self.attributes, ATTRIBUTES, key, value);
    }

    /// Adds an attribute that is bytes.
    pub fn bytes_attribute(&mut self, key: &str, value: &[u8]) {
        self.attribute(key, |out| put_bytes(out, 7, value));
    }

    /// Sets severity and its text together.
    pub fn severity(&mut self, number: u8, text: &str) {
        self.severity_number = number;
        self.severity_text.clear();
        self.severity_text.push_str(text);
    }

    /// Appends the record as a `LogRecord` of a `ScopeLogs`.
    pub fn write(&self, out: &mut Vec<u8>) {
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
            if !self.event_name.is_empty() {
                put_bytes(out, 12, self.event_name.as_bytes());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fields, put_text_value};

    #[test]
    fn what_is_set_is_written_and_what_is_cleared_is_not() {
        let check = |draft: &LogDraft, expect: &[u64]| {
            let mut out = Vec::new();
            draft.write(&mut out);
            let Ok(Some((2, crate::Value::Bytes(record)))) = Fields(&out).field() else { panic!("no record") };
            let numbers: Vec<u64> = Fields(record).readable().map(|(number, _)| number).collect();
            assert_eq!(numbers, expect);
        };
        let mut draft = LogDraft::default();
        check(&draft, &[]);
        draft.severity(9, "INFO");
        draft.text_body(b"hello");
        draft.attribute("a", |out| put_text_value(out, "b"));
        draft.int_attribute("c", 1);
        check(&draft, &[2, 3, 5, 6, 6]);
        (draft.time, draft.observed, draft.flags) = (1, 2, 1);
        (draft.trace_id, draft.span_id) = (Some([1; 16]), Some([2; 8]));
        draft.event_name.push_str("started");
        check(&draft, &[1, 2, 3, 5, 6, 6, 8, 9, 10, 11, 12]);
        draft.clear();
        check(&draft, &[]);
    }
}
