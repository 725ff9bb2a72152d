//! Log records as lines.

use std::io::Write;

use arrow::array::RecordBatch;
use model::attributes::{AnyValue, parse};

use super::lines::Lines;
use super::values::{Object, any_value};
use super::{ExportError, Exported};
use crate::records::columns::{BoolColumn, I32Column, IdColumn, TextColumn, TimeColumn, U8Column, U32Column};
use crate::records::promoted::PromotedColumns;

/// Value of `body_type` for a body that is there and holds no value.
const BODY_EMPTY: u8 = 7;

/// Log records of one batch.
pub(super) struct LogLines<'a> {
    time: TimeColumn<'a>,
    time_absent: BoolColumn<'a>,
    observed_time: TimeColumn<'a>,
    trace_id: IdColumn<'a>,
    span_id: IdColumn<'a>,
    flags: U32Column<'a>,
    severity_number: I32Column<'a>,
    severity_text: TextColumn<'a>,
    event_name: TextColumn<'a>,
    body: TextColumn<'a>,
    body_type: U8Column<'a>,
    attributes: TextColumn<'a>,
    dropped: U32Column<'a>,
    promoted: PromotedColumns<'a>,
    resource: TextColumn<'a>,
    scope: TextColumn<'a>,
}

impl<'a> LogLines<'a> {
    pub(super) fn new(batch: &'a RecordBatch) -> LogLines<'a> {
        LogLines {
            time: TimeColumn::new(batch, "time"),
            time_absent: BoolColumn::new(batch, "time_absent"),
            observed_time: TimeColumn::new(batch, "observed_time"),
            trace_id: IdColumn::new(batch, "trace_id"),
            span_id: IdColumn::new(batch, "span_id"),
            flags: U32Column::new(batch, "flags"),
            severity_number: I32Column::new(batch, "severity_number"),
            severity_text: TextColumn::new(batch, "severity_text"),
            event_name: TextColumn::new(batch, "event_name"),
            body: TextColumn::new(batch, "body"),
            body_type: U8Column::new(batch, "body_type"),
            attributes: TextColumn::new(batch, "attributes"),
            dropped: U32Column::new(batch, "dropped_attributes_count"),
            promoted: PromotedColumns::new(batch),
            resource: TextColumn::new(batch, "resource"),
            scope: TextColumn::new(batch, "scope"),
        }
    }

    pub(super) fn push(
        &self,
        row: usize,
        lines: &mut Lines,
        out: &mut dyn Write,
        exported: &mut Exported,
    ) -> Result<(), ExportError> {
        let origin = (self.resource.get(row), self.scope.get(row));
        lines.push(origin, 1, (out, exported), |out| self.record(row, out))
    }

    fn record(&self, row: usize, out: &mut String) {
        let mut record = Object::begin(out);
        let is_absent = self.time_absent.get(row).unwrap_or(false);
        record.time("timeUnixNano", self.time.get(row).filter(|_| !is_absent));
        record.time("observedTimeUnixNano", self.observed_time.get(row));
        record.number("severityNumber", self.severity_number.get(row));
        record.text("severityText", self.severity_text.get(row));
        if let Some(body) = self.body(row) {
            any_value(record.member("body"), &body);
        }
        record.attributes("attributes", self.attributes.get(row), &self.promoted.values(row));
        record.number("droppedAttributesCount", self.dropped.get(row));
        record.number("flags", self.flags.get(row));
        record.text("traceId", self.trace_id.hex(row).as_deref());
        record.text("spanId", self.span_id.hex(row).as_deref());
        record.text("eventName", self.event_name.get(row));
        record.end();
    }

    fn body(&self, row: usize) -> Option<AnyValue> {
        match (self.body_type.get(row), self.body.get(row)) {
            (Some(BODY_EMPTY), _) => Some(AnyValue::Empty),
            (None, Some(text)) => Some(AnyValue::String(text.to_owned())),
            (Some(_), Some(text)) => Some(parse(text).unwrap_or_else(|_| AnyValue::String(text.to_owned()))),
            (_, None) => None,
        }
    }
}
