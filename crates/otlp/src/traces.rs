//! The `spans` table while it grows.

use std::ops::Range;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use model::Table;

use crate::Stop;
use crate::attributes::AttributesColumn;
use crate::columns::{Ends, Keywords, Texts, Values};
use crate::envelope::{JsonNames, Records};
use crate::freeze::{Assembly, fixed, numbers, texts, times};
use crate::json::Json;
use crate::notes::{Id, Notes, RejectReason};
use crate::origin::{Origin, OriginColumns};
use crate::promotion::RecordAttributes;
use crate::sample_shapes::SPAN;
use arrow::datatypes::UInt32Type;

/// The numbers of a span, gathered until it ends.
#[derive(Default)]
pub(crate) struct SpanHead {
    pub trace_id: Id<16>,
    pub span_id: Id<8>,
    pub parent_span_id: Id<8>,
    pub start: u64,
    pub end: u64,
    pub kind: i32,
    pub flags: u32,
    pub status_code: i32,
    pub dropped_attributes: u32,
    pub dropped_events: u32,
    pub dropped_links: u32,
}

/// The `events` column.
#[derive(Default)]
pub(crate) struct Events {
    ends: Ends,
    rows: usize,
    time: Values<i64>,
    pub name: Texts,
    pub attributes: AttributesColumn,
    dropped: Values<u32>,
}

impl Events {
    pub fn row(&self) -> usize {
        self.rows
    }

    pub fn begin(&mut self, notes: &mut Notes) -> Result<(), Stop> {
        self.attributes.begin(self.rows);
        self.name.truncate(self.rows);
        notes.count_one()
    }

    pub fn end(&mut self, time: u64, dropped: u32, notes: &mut Notes) {
        let row = self.rows;
        let over = self.attributes.end();
        self.time.set(row, notes.time(time));
        if self.name.get(row).is_none() {
            self.name.set(row, "");
        }
        self.dropped.set_unless_default(row, dropped.saturating_add(over));
        self.rows += 1;
    }

    /// The span ends: what came since the last one are its events.
    fn close(&mut self, span: usize) {
        if self.rows > self.ends.align(span) {
            self.ends.close(self.rows);
        }
    }

    fn truncate(&mut self, spans: usize) {
        self.rows = self.ends.truncate(spans);
        self.time.truncate(self.rows);
        self.name.truncate(self.rows);
        self.attributes.text.truncate(self.rows);
        self.dropped.truncate(self.rows);
    }

    fn freeze(&mut self, assembly: &mut Assembly) -> Result<(), ArrowError> {
        let rows = std::mem::take(&mut self.rows);
        let Events { ends, time, name, attributes, dropped, .. } = self;
        assembly.structs("events", ends, || -> Result<Vec<ArrayRef>, ArrowError> {
            Ok(vec![
                times(time, rows)?,
                texts(name, rows)?,
                texts(&mut attributes.text, rows)?,
                numbers::<UInt32Type>(dropped, rows)?,
            ])
        })
    }
}

/// The `links` column.
#[derive(Default)]
pub(crate) struct Links {
    ends: Ends,
    rows: usize,
    trace_id: Values<[u8; 16]>,
    span_id: Values<[u8; 8]>,
    pub trace_state: Texts,
    pub attributes: AttributesColumn,
    dropped: Values<u32>,
    flags: Values<u32>,
}

/// The numbers of a link, gathered until it ends.
#[derive(Default)]
pub(crate) struct LinkHead {
    pub trace_id: Id<16>,
    pub span_id: Id<8>,
    pub dropped: u32,
    pub flags: u32,
}

impl Links {
    pub fn row(&self) -> usize {
        self.rows
    }

    pub fn begin(&mut self, notes: &mut Notes) -> Result<(), Stop> {
        self.attributes.begin(self.rows);
        self.trace_state.truncate(self.rows);
        notes.count_one()
    }

    pub fn end(&mut self, head: &LinkHead, notes: &mut Notes) {
        let row = self.rows;
        let over = self.attributes.end();
        self.trace_id.set_option(row, head.trace_id.or_drop(notes));
        self.span_id.set_option(row, head.span_id.or_drop(notes));
        self.dropped.set_unless_default(row, head.dropped.saturating_add(over));
        self.flags.set_unless_default(row, head.flags);
        self.rows += 1;
    }

    fn close(&mut self, span: usize) {
        if self.rows > self.ends.align(span) {
            self.ends.close(self.rows);
        }
    }

    fn truncate(&mut self, spans: usize) {
        self.rows = self.ends.truncate(spans);
        self.trace_id.truncate(self.rows);
        self.span_id.truncate(self.rows);
        self.trace_state.truncate(self.rows);
        self.attributes.text.truncate(self.rows);
        self.dropped.truncate(self.rows);
        self.flags.truncate(self.rows);
    }

    fn freeze(&mut self, assembly: &mut Assembly) -> Result<(), ArrowError> {
        let rows = std::mem::take(&mut self.rows);
        let Links { ends, trace_id, span_id, trace_state, attributes, dropped, flags, .. } = self;
        assembly.structs("links", ends, || -> Result<Vec<ArrayRef>, ArrowError> {
            Ok(vec![
                fixed(trace_id, rows)?,
                fixed(span_id, rows)?,
                texts(trace_state, rows)?,
                texts(&mut attributes.text, rows)?,
                numbers::<UInt32Type>(dropped, rows)?,
                numbers::<UInt32Type>(flags, rows)?,
            ])
        })
    }
}

/// The columns of `spans`.
#[derive(Default)]
pub(crate) struct SpanTable {
    rows: usize,
    marked: usize,
    resource_start: usize,
    scope_start: usize,
    start_time: Values<i64>,
    time_absent: Values<bool>,
    duration: Values<i64>,
    trace_id: Values<[u8; 16]>,
    span_id: Values<[u8; 8]>,
    parent_span_id: Values<[u8; 8]>,
    pub trace_state: Texts,
    flags: Values<u32>,
    pub name: Keywords,
    kind: Values<i32>,
    status_code: Values<i32>,
    pub status_message: Texts,
    dropped_events: Values<u32>,
    dropped_links: Values<u32>,
    pub events: Events,
    pub links: Links,
    origin: OriginColumns,
    pub attributes: RecordAttributes,
    pub scratch: Vec<u8>,
}

impl SpanTable {
    /// The row being read.
    pub fn row(&self) -> usize {
        self.rows
    }

    /// A span begins. What an earlier one left open was taken back when it was rejected.
    pub fn begin(&mut self, notes: &mut Notes) -> Result<(), Stop> {
        self.attributes.begin(self.rows);
        notes.begin()
    }

    /// A span ends: a row, or a rejection that leaves nothing.
    pub fn end(&mut self, head: &SpanHead, notes: &mut Notes) {
        let row = self.rows;
        let (start, end) = (notes.time(head.start), notes.time(head.end));
        let Id::Valid(trace_id) = head.trace_id else {
            notes.reject(RejectReason::InvalidTraceId);
            return self.reject(notes);
        };
        let Id::Valid(span_id) = head.span_id else {
            notes.reject(RejectReason::InvalidSpanId);
            return self.reject(notes);
        };
        if !notes.settle() {
            return self.truncate(row);
        }
        notes.has_own_time |= start != 0 || end != 0;
        self.start_time.set(row, if start == 0 { notes.arrival } else { start });
        if start == 0 {
            self.time_absent.set(row, true);
        }
        self.duration.set(row, end - start);
        self.trace_id.set(row, trace_id);
        self.span_id.set(row, span_id);
        self.parent_span_id.set_option(row, head.parent_span_id.or_drop(notes));
        self.flags.set_unless_default(row, head.flags);
        if self.name.keys.get(row).is_none() {
            self.name.set(row, "");
        }
        self.kind.set_unless_default(row, head.kind);
        self.status_code.set_unless_default(row, head.status_code);
        self.dropped_events.set_unless_default(row, head.dropped_events);
        self.dropped_links.set_unless_default(row, head.dropped_links);
        self.events.close(row);
        self.links.close(row);
        self.attributes.end(row, head.dropped_attributes);
        self.rows += 1;
    }

    fn reject(&mut self, notes: &mut Notes) {
        notes.settle();
        self.truncate(self.rows);
    }

    /// Takes back what came after this many rows; what is filled a resource at a time has not come yet.
    fn truncate(&mut self, rows: usize) {
        self.rows = rows;
        self.start_time.truncate(rows);
        self.time_absent.truncate(rows);
        self.duration.truncate(rows);
        self.trace_id.truncate(rows);
        self.span_id.truncate(rows);
        self.parent_span_id.truncate(rows);
        self.trace_state.truncate(rows);
        self.flags.truncate(rows);
        self.name.truncate(rows);
        self.kind.truncate(rows);
        self.status_code.truncate(rows);
        self.status_message.truncate(rows);
        self.dropped_events.truncate(rows);
        self.dropped_links.truncate(rows);
        self.events.truncate(rows);
        self.links.truncate(rows);
        self.attributes.truncate(rows);
    }

    /// A request begins.
    pub fn mark(&mut self) {
        self.marked = self.rows;
        self.name.mark();
        self.origin.mark();
        self.attributes.mark();
    }

    /// The request that began at the mark failed.
    pub fn roll_back(&mut self) {
        let rows = self.marked;
        self.truncate(rows);
        self.name.roll_back(rows);
        self.origin.roll_back(rows);
        self.attributes.roll_back(rows);
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The rows since the mark.
    pub fn since_mark(&self) -> Range<u32> {
        self.marked as u32..self.rows as u32
    }

    pub fn freeze(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut assembly = Assembly::new(Table::Spans, std::mem::take(&mut self.rows));
        self.marked = 0;
        assembly.times("start_time", &mut self.start_time)?;
        assembly.booleans("time_absent", &mut self.time_absent)?;
        assembly.numbers("duration_nanos", &mut self.duration)?;
        assembly.fixed("trace_id", &mut self.trace_id)?;
        assembly.fixed("span_id", &mut self.span_id)?;
        assembly.fixed("parent_span_id", &mut self.parent_span_id)?;
        assembly.texts("trace_state", &mut self.trace_state)?;
        assembly.numbers("flags", &mut self.flags)?;
        assembly.keywords("name", &mut self.name)?;
        assembly.numbers("kind", &mut self.kind)?;
        assembly.numbers("status_code", &mut self.status_code)?;
        assembly.texts("status_message", &mut self.status_message)?;
        assembly.numbers("dropped_events_count", &mut self.dropped_events)?;
        assembly.numbers("dropped_links_count", &mut self.dropped_links)?;
        self.events.freeze(&mut assembly)?;
        self.links.freeze(&mut assembly)?;
        self.origin.freeze(&mut assembly)?;
        self.attributes.freeze(&mut assembly)?;
        assembly.finish()
    }
}

impl Records for SpanTable {
    const NAMES: JsonNames = JsonNames {
        resources: b"resourceSpans",
        scopes: b"scopeSpans",
        records: b"spans",
        removed: [b"instrumentationLibrarySpans", b"instrumentationLibrary"],
    };
    const ORIGIN_FIRST: bool = false;

    fn begin_resource(&mut self) {
        self.resource_start = self.rows;
    }

    fn begin_scope(&mut self) {
        self.scope_start = self.rows;
    }

    fn read_protobuf(&mut self, message: &[u8], _origin: &Origin, notes: &mut Notes) -> Result<(), Stop> {
        crate::pb_traces::span(message, self, notes)?;
        notes.sample(|sample| sample.protobuf(message, SPAN));
        Ok(())
    }

    fn read_json(&mut self, json: &mut Json<'_>, _origin: &Origin, notes: &mut Notes) -> Result<(), Stop> {
        let start = json.position();
        crate::json_traces::span(json, self, notes)?;
        notes.sample(|sample| sample.json(json.since(start)));
        Ok(())
    }

    fn end_scope(&mut self, origin: &Origin) {
        self.origin.fill_scope(self.scope_start..self.rows, origin);
    }

    fn end_resource(&mut self, origin: &Origin) {
        self.origin.fill_resource(self.resource_start..self.rows, origin);
    }
}
