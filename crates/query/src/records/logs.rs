//! Rows of `logs`.

use api::{LogRecord, UnixNano};
use arrow::array::RecordBatch;
use model::attributes;
use serde_json::Value;

use super::Origin;
use super::columns::{I32Column, IdColumn, TextColumn, TimeColumn, U8Column, U32Column};

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
            id: String::new(),
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
