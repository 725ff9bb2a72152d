//! Spans as lines, with their events and links.

use std::io::Write;

use arrow::array::RecordBatch;

use super::lines::Lines;
use super::values::Object;
use super::{ExportError, Exported};
use crate::records::columns::{
    BoolColumn, I32Column, IdColumn, IntColumn, ListColumn, TextColumn, TimeColumn, U32Column,
};
use crate::records::promoted::PromotedColumns;

/// Spans of one batch.
pub(super) struct SpanLines<'a> {
    start_time: TimeColumn<'a>,
    time_absent: BoolColumn<'a>,
    duration: IntColumn<'a>,
    trace_id: IdColumn<'a>,
    span_id: IdColumn<'a>,
    parent_span_id: IdColumn<'a>,
    trace_state: TextColumn<'a>,
    flags: U32Column<'a>,
    name: TextColumn<'a>,
    kind: I32Column<'a>,
    status_code: I32Column<'a>,
    status_message: TextColumn<'a>,
    events: ListColumn<'a>,
    dropped_events: U32Column<'a>,
    links: ListColumn<'a>,
    dropped_links: U32Column<'a>,
    attributes: TextColumn<'a>,
    dropped: U32Column<'a>,
    promoted: PromotedColumns<'a>,
    resource: TextColumn<'a>,
    scope: TextColumn<'a>,
}

impl<'a> SpanLines<'a> {
    pub(super) fn new(batch: &'a RecordBatch) -> SpanLines<'a> {
        SpanLines {
            start_time: TimeColumn::new(batch, "start_time"),
            time_absent: BoolColumn::new(batch, "time_absent"),
            duration: IntColumn::new(batch, "duration_nanos"),
            trace_id: IdColumn::new(batch, "trace_id"),
            span_id: IdColumn::new(batch, "span_id"),
            parent_span_id: IdColumn::new(batch, "parent_span_id"),
            trace_state: TextColumn::new(batch, "trace_state"),
            flags: U32Column::new(batch, "flags"),
            name: TextColumn::new(batch, "name"),
            kind: I32Column::new(batch, "kind"),
            status_code: I32Column::new(batch, "status_code"),
            status_message: TextColumn::new(batch, "status_message"),
            events: ListColumn::new(batch, "events"),
            dropped_events: U32Column::new(batch, "dropped_events_count"),
            links: ListColumn::new(batch, "links"),
            dropped_links: U32Column::new(batch, "dropped_links_count"),
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
        lines.push(origin, 1, (out, exported), |out| self.span(row, out))
    }

    fn span(&self, row: usize, out: &mut String) {
        let mut span = Object::begin(out);
        span.text("traceId", self.trace_id.hex(row).as_deref());
        span.text("spanId", self.span_id.hex(row).as_deref());
        span.text("traceState", self.trace_state.get(row));
        span.text("parentSpanId", self.parent_span_id.hex(row).as_deref());
        span.number("flags", self.flags.get(row));
        span.text("name", self.name.get(row));
        span.number("kind", self.kind.get(row));
        let is_absent = self.time_absent.get(row).unwrap_or(false);
        let start = self.start_time.get(row).filter(|_| !is_absent).unwrap_or(0);
        span.time("startTimeUnixNano", Some(start));
        // The duration was taken from the raw end and start, so this is the raw end, whatever it was.
        span.time("endTimeUnixNano", Some(start.wrapping_add(self.duration.get(row).unwrap_or(0))));
        span.attributes("attributes", self.attributes.get(row), &self.promoted.values(row));
        span.number("droppedAttributesCount", self.dropped.get(row));
        if let Some(events) = self.events.items(row) {
            list(span.member("events"), &events, write_event);
        }
        span.number("droppedEventsCount", self.dropped_events.get(row));
        if let Some(links) = self.links.items(row) {
            list(span.member("links"), &links, write_link);
        }
        span.number("droppedLinksCount", self.dropped_links.get(row));
        let (code, message) =
            (self.status_code.get(row).unwrap_or(0), self.status_message.get(row).unwrap_or_default());
        if code != 0 || !message.is_empty() {
            let mut status = Object::begin(span.member("status"));
            status.text("message", Some(message));
            status.number("code", Some(code));
            status.end();
        }
        span.end();
    }
}

fn list(out: &mut String, items: &RecordBatch, write: impl Fn(&mut String, &RecordBatch, usize)) {
    out.push('[');
    for row in 0..items.num_rows() {
        out.push_str(if row == 0 { "" } else { "," });
        write(out, items, row);
    }
    out.push(']');
}

fn write_event(out: &mut String, items: &RecordBatch, row: usize) {
    let mut event = Object::begin(out);
    event.time("timeUnixNano", TimeColumn::new(items, "time").get(row));
    event.text("name", TextColumn::new(items, "name").get(row));
    event.attributes("attributes", TextColumn::new(items, "attributes").get(row), &[]);
    event.number("droppedAttributesCount", U32Column::new(items, "dropped_attributes_count").get(row));
    event.end();
}

fn write_link(out: &mut String, items: &RecordBatch, row: usize) {
    let mut link = Object::begin(out);
    link.text("traceId", IdColumn::new(items, "trace_id").hex(row).as_deref());
    link.text("spanId", IdColumn::new(items, "span_id").hex(row).as_deref());
    link.text("traceState", TextColumn::new(items, "trace_state").get(row));
    link.attributes("attributes", TextColumn::new(items, "attributes").get(row), &[]);
    link.number("droppedAttributesCount", U32Column::new(items, "dropped_attributes_count").get(row));
    link.number("flags", U32Column::new(items, "flags").get(row));
    link.end();
}
