//! Rows of `logs`.

use api::{LogRecord, UnixNano};
use arrow::array::RecordBatch;
use model::attributes;
use serde_json::Value;

use super::Origin;
use super::columns::{I32Column, IdColumn, TextColumn, TimeColumn, U8Column, U32Column};
use super::json::{Object, Origins};

/// Value of `body_type` for an absent body; null stands for a text.
const BODY_ABSENT: u8 = 7;

/// Reads log records from one batch.
pub(crate) struct LogRows<'a> {
    time: TimeColumn<'a>,
    observed_time: TimeColumn<'a>,
    trace_id: IdColumn<'a>,
    span_id: IdColumn<'a>,
    flags: U32Column<'a>,
    severity_number: I32Column<'a>,
    severity_text: TextColumn<'a>,
    event_name: TextColumn<'a>,
    body: TextColumn<'a>,
    body_type: U8Column<'a>,
    origin: Origin<'a>,
}

impl<'a> LogRows<'a> {
    /// Finds the columns.
    pub(crate) fn new(batch: &'a RecordBatch) -> LogRows<'a> {
        LogRows {
            time: TimeColumn::new(batch, "time"),
            observed_time: TimeColumn::new(batch, "observed_time"),
            trace_id: IdColumn::new(batch, "trace_id"),
            span_id: IdColumn::new(batch, "span_id"),
            flags: U32Column::new(batch, "flags"),
            severity_number: I32Column::new(batch, "severity_number"),
            severity_text: TextColumn::new(batch, "severity_text"),
            event_name: TextColumn::new(batch, "event_name"),
            body: TextColumn::new(batch, "body"),
            body_type: U8Column::new(batch, "body_type"),
            origin: Origin::new(batch),
        }
    }

    /// The time of the record in this row.
    pub(crate) fn time(&self, row: usize) -> i64 {
        self.time.get(row).unwrap_or(0)
    }

    /// The record in this row; its `id` is left to the caller, who knows the ordinal.
    pub(crate) fn record(&self, row: usize) -> LogRecord {
        LogRecord {
            time_unix_nano: UnixNano(self.time.get(row).unwrap_or(0)),
            observed_time_unix_nano: self.observed_time.get(row).map(UnixNano),
            severity_number: self.severity_number.get(row).unwrap_or(0),
            severity_text: self.severity_text.text(row),
            body: self.body(row),
            event_name: self.event_name.text(row),
            trace_id: self.trace_id.hex(row),
            span_id: self.span_id.hex(row),
            flags: self.flags.get(row).unwrap_or(0),
            attributes: self.origin.attributes(row),
            dropped_attributes_count: self.origin.dropped_attributes.get(row).unwrap_or(0),
            resource: self.origin.resource(row),
            scope: self.origin.scope(row),
            resource_ref: None,
            scope_ref: None,
            id: String::new(),
        }
    }

    /// Appends the record in this row as the JSON of [`LogRecord`].
    pub(crate) fn write(&mut self, row: usize, id: &str, origins: &mut Origins, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        object.time("time_unix_nano", self.time(row));
        if let Some(observed) = self.observed_time.get(row) {
            object.time("observed_time_unix_nano", observed);
        }
        object.number("severity_number", i64::from(self.severity_number.get(row).unwrap_or(0)));
        object.text_unless_empty("severity_text", self.severity_text.get(row));
        self.write_body(row, object.member("body"));
        object.text_unless_empty("event_name", self.event_name.get(row));
        object.hex_if_some("trace_id", self.trace_id.bytes(row));
        object.hex_if_some("span_id", self.span_id.bytes(row));
        object.number_unless_zero("flags", self.flags.get(row));
        self.origin.write_attributes(row, object.member("attributes"));
        object.number_unless_zero("dropped_attributes_count", self.origin.dropped_attributes.get(row));
        self.origin.write_origin(row, &mut object, origins);
        object.text_unless_empty("id", Some(id));
        object.end();
    }

    fn write_body(&self, row: usize, out: &mut Vec<u8>) {
        match (self.body_type.get(row), self.body.get(row)) {
            (None, Some(text)) => attributes::write_string(out, text),
            (Some(BODY_ABSENT), _) | (_, None) => out.extend_from_slice(b"null"),
            (Some(_), Some(text)) => attributes::write_native(out, text),
        }
    }

    fn body(&self, row: usize) -> Value {
        match (self.body_type.get(row), self.body.get(row)) {
            (None, Some(text)) => Value::from(text),
            (Some(BODY_ABSENT), _) | (_, None) => Value::Null,
            (Some(_), Some(text)) => match attributes::parse(text) {
                Ok(value) => attributes::to_native(&value),
                Err(_) => Value::from(text),
            },
        }
    }
}
