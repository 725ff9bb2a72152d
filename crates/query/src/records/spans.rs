//! Rows of `spans`, with their events and links.

use arrow::array::RecordBatch;
use model::attributes;

use super::Origin;
use super::columns::{BoolColumn, I32Column, IdColumn, IntColumn, ListColumn, TextColumn, TimeColumn, U32Column};
use super::json::{Object, Origins, write_array};

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

    /// When the span in this row started.
    pub(crate) fn start(&self, row: usize) -> i64 {
        self.start_time.get(row).unwrap_or(0)
    }

    /// When it ended.
    pub(crate) fn end(&self, row: usize) -> i64 {
        // A span without a start of its own lies at the time it was filed under; its duration counts from zero.
        let raw_start = if self.time_absent.get(row).unwrap_or(false) { 0 } else { self.start(row) };
        raw_start.saturating_add(self.duration.get(row).unwrap_or(0))
    }

    /// Its id.
    pub(crate) fn span_id(&self, row: usize) -> &'a [u8] {
        self.span_id.bytes(row).unwrap_or_default()
    }

    /// Appends the span in this row as the JSON of [`api::Span`].
    pub(crate) fn write(&mut self, row: usize, origins: &mut Origins, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        object.hex_if_some("trace_id", self.trace_id.bytes(row));
        object.hex("span_id", self.span_id(row));
        object.hex_if_some("parent_span_id", self.parent_span_id.bytes(row));
        object.text_unless_empty("trace_state", self.trace_state.get(row));
        object.number_unless_zero("flags", self.flags.get(row));
        object.text("name", self.name.get(row).unwrap_or_default());
        object.number("kind", i64::from(self.kind.get(row).unwrap_or(0)));
        object.time("start_time_unix_nano", self.start(row));
        object.time("end_time_unix_nano", self.end(row));
        let mut status = Object::begin(object.member("status"));
        status.number("code", i64::from(self.status_code.get(row).unwrap_or(0)));
        status.text_unless_empty("message", self.status_message.get(row));
        status.end();
        self.origin.write_attributes(row, object.member("attributes"));
        object.number_unless_zero("dropped_attributes_count", self.origin.dropped_attributes.get(row));
        if let Some(items) = self.events.items(row) {
            write_events(object.member("events"), &items);
        }
        object.number_unless_zero("dropped_events_count", self.dropped_events.get(row));
        if let Some(items) = self.links.items(row) {
            write_links(object.member("links"), &items);
        }
        object.number_unless_zero("dropped_links_count", self.dropped_links.get(row));
        self.origin.write_origin(row, &mut object, origins);
        object.end();
    }
}

fn write_events(out: &mut Vec<u8>, items: &RecordBatch) {
    let time = TimeColumn::new(items, "time");
    let name = TextColumn::new(items, "name");
    let attributes = TextColumn::new(items, "attributes");
    let dropped = U32Column::new(items, "dropped_attributes_count");
    write_array(out, 0..items.num_rows(), |out, row| {
        let mut event = Object::begin(out);
        event.time("time_unix_nano", time.get(row).unwrap_or(0));
        event.text("name", name.get(row).unwrap_or_default());
        write_object(event.member("attributes"), attributes.get(row));
        event.number_unless_zero("dropped_attributes_count", dropped.get(row));
        event.end();
    });
}

fn write_links(out: &mut Vec<u8>, items: &RecordBatch) {
    let trace_id = IdColumn::new(items, "trace_id");
    let span_id = IdColumn::new(items, "span_id");
    let trace_state = TextColumn::new(items, "trace_state");
    let attributes = TextColumn::new(items, "attributes");
    let dropped = U32Column::new(items, "dropped_attributes_count");
    let flags = U32Column::new(items, "flags");
    write_array(out, 0..items.num_rows(), |out, row| {
        let mut link = Object::begin(out);
        link.hex_if_some("trace_id", trace_id.bytes(row));
        link.hex_if_some("span_id", span_id.bytes(row));
        link.text_unless_empty("trace_state", trace_state.get(row));
        link.number_unless_zero("flags", flags.get(row));
        write_object(link.member("attributes"), attributes.get(row));
        link.number_unless_zero("dropped_attributes_count", dropped.get(row));
        link.end();
    });
}

/// Appends an `attributes` text as an object.
fn write_object(out: &mut Vec<u8>, text: Option<&str>) {
    out.push(b'{');
    if let Some(text) = text {
        attributes::write_native_members(out, text);
    }
    out.push(b'}');
}
