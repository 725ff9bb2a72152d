//! Exemplars: a value, a time, and labels of which two are trace and span.

use otlp_wire::{put_bytes, put_double, put_fixed64, put_message, put_text};

use crate::ids;

use super::nanos;

/// An exemplar.
#[derive(Debug, Default)]
pub(super) struct Exemplar<'a> {
    pub(super) labels: Vec<(&'a [u8], &'a [u8])>,
    pub(super) value: f64,
    /// Milliseconds.
    pub(super) timestamp: i64,
}

/// Labels of one exemplar that are read; OpenMetrics has room for 128 characters.
pub(super) const LABELS_MAX: usize = 64;

/// Appends an exemplar as this field of a point.
pub(super) fn put(out: &mut Vec<u8>, field: u32, exemplar: &Exemplar<'_>) {
    put_message(out, field, |out| {
        put_fixed64(out, 2, nanos(exemplar.timestamp).unwrap_or_default());
        put_double(out, 3, exemplar.value);
        let (mut has_trace, mut has_span) = (false, false);
        for (name, value) in &exemplar.labels {
            let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
            match &*name {
                "trace_id" | "traceID" | "traceId" if !has_trace => {
                    if let Some(id) = ids::trace_id(&value) {
                        put_bytes(out, 5, &id);
                        has_trace = true;
                        continue;
                    }
                }
                "span_id" | "spanID" | "spanId" if !has_span => {
                    if let Some(id) = ids::span_id(&value) {
                        put_bytes(out, 4, &id);
                        has_span = true;
                        continue;
                    }
                }
                _ => {}
            }
            put_text(out, 7, &name, &value);
        }
    });
}
