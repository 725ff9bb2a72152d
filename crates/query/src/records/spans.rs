//! Rows of `spans`, with their events and links.

use api::{Event, Link, Span, Status, UnixNano};
use arrow::array::RecordBatch;

use super::columns::{BoolColumn, I32Column, IdColumn, IntColumn, ListColumn, TextColumn, TimeColumn, U32Column};
use super::{Origin, native_attributes};

/// Reads spans from one batch.
pub(crate) struct SpanRows<'a> {
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
    dropped_events: U32Column<'a>,
    dropped_links: U32Column<'a>,
    events: ListColumn<'a>,
    links: ListColumn<'a>,
    origin: Origin<'a>,
}

impl<'a> SpanRows<'a> {
    /// Finds the columns.
    pub(crate) fn new(batch: &'a RecordBatch) -> SpanRows<'a> {
        SpanRows {
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
            dropped_events: U32Column::new(batch, "dropped_events_count"),
            dropped_links: U32Column::new(batch, "dropped_links_count"),
            events: ListColumn::new(batch, "events"),
            links: ListColumn::new(batch, "links"),
            origin: Origin::new(batch),
        }
    }

    /// The span in this row.
    pub(crate) fn span(&self, row: usize) -> Span {
        let start = self.start_time.get(row).unwrap_or(0);
        // A span without a start of its own lies at the time it was filed under; its duration counts from zero.
        let raw_start = if self.time_absent.get(row).unwrap_or(false) { 0 } else { start };
        let end = raw_start.saturating_add(self.duration.get(row).unwrap_or(0));
        Span {
            trace_id: self.trace_id.hex(row).unwrap_or_default(),
            span_id: self.span_id.hex(row).unwrap_or_default(),
            parent_span_id: self.parent_span_id.hex(row),
            trace_state: self.trace_state.text(row),
            flags: self.flags.get(row).unwrap_or(0),
            name: self.name.text(row),
            kind: self.kind.get(row).unwrap_or(0),
            start_time_unix_nano: UnixNano(start),
            end_time_unix_nano: UnixNano(end),
            status: Status { code: self.status_code.get(row).unwrap_or(0), message: self.status_message.text(row) },
            attributes: self.origin.attributes(row),
            dropped_attributes_count: self.origin.dropped_attributes.get(row).unwrap_or(0),
            events: self.events.items(row).map(|items| events(&items)).unwrap_or_default(),
            dropped_events_count: self.dropped_events.get(row).unwrap_or(0),
            links: self.links.items(row).map(|items| links(&items)).unwrap_or_default(),
            dropped_links_count: self.dropped_links.get(row).unwrap_or(0),
            resource: self.origin.resource(row),
            scope: self.origin.scope(row),
        }
    }
}

fn events(items: &RecordBatch) -> Vec<Event> {
    let time = TimeColumn::new(items, "time");
    let name = TextColumn::new(items, "name");
    let attributes = TextColumn::new(items, "attributes");
    let dropped = U32Column::new(items, "dropped_attributes_count");
    let read = |row| Event {
        time_unix_nano: UnixNano(time.get(row).unwrap_or(0)),
        name: name.text(row),
        attributes: attributes.get(row).map(native_attributes).unwrap_or_default(),
        dropped_attributes_count: dropped.get(row).unwrap_or(0),
    };
    (0..items.num_rows()).map(read).collect()
}

fn links(items: &RecordBatch) -> Vec<Link> {
    let trace_id = IdColumn::new(items, "trace_id");
    let span_id = IdColumn::new(items, "span_id");
    let trace_state = TextColumn::new(items, "trace_state");
    let attributes = TextColumn::new(items, "attributes");
    let dropped = U32Column::new(items, "dropped_attributes_count");
    let flags = U32Column::new(items, "flags");
    let read = |row| Link {
        trace_id: trace_id.hex(row),
        span_id: span_id.hex(row),
        trace_state: trace_state.text(row),
        flags: flags.get(row).unwrap_or(0),
        attributes: attributes.get(row).map(native_attributes).unwrap_or_default(),
        dropped_attributes_count: dropped.get(row).unwrap_or(0),
    };
    (0..items.num_rows()).map(read).collect()
}
