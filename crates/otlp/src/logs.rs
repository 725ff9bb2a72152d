//! The `logs` table while it grows.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use model::Table;

use crate::Stop;
use crate::any_value::Kind;
use crate::columns::{Keywords, Texts, Values};
use crate::envelope::{JsonNames, Records};
use crate::freeze::Assembly;
use crate::json::Json;
use crate::notes::{Id, Notes};
use crate::origin::{Origin, OriginColumns};
use crate::promotion::RecordAttributes;
use crate::sample_shapes::LOG_RECORD;

/// The numbers of a log record, gathered until it ends.
#[derive(Default)]
pub(crate) struct LogHead {
    pub time: u64,
    pub observed_time: u64,
    pub trace_id: Id<16>,
    pub span_id: Id<8>,
    pub flags: u32,
    pub severity_number: i32,
    pub dropped_attributes: u32,
}

/// The columns of `logs`.
#[derive(Default)]
pub(crate) struct LogTable {
    rows: usize,
    marked: usize,
    resource_start: usize,
    scope_start: usize,
    time: Values<i64>,
    time_absent: Values<bool>,
    observed_time: Values<i64>,
    trace_id: Values<[u8; 16]>,
    span_id: Values<[u8; 8]>,
    flags: Values<u32>,
    severity_number: Values<i32>,
    pub severity_text: Keywords,
    pub event_name: Keywords,
    body: Texts,
    body_type: Values<u8>,
    origin: OriginColumns,
    pub attributes: RecordAttributes,
    pub scratch: Vec<u8>,
}

impl LogTable {
    /// The row being read.
    pub fn row(&self) -> usize {
        self.rows
    }

    /// A log record begins.
    pub fn begin(&mut self, notes: &mut Notes) -> Result<(), Stop> {
        self.attributes.begin(self.rows);
        notes.begin()
    }

    /// Reads the body: `write` appends its text, bare where it is one.
    pub fn body(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<Kind, Stop>) -> Result<(), Stop> {
        let row = self.rows;
        self.body_type.truncate(row);
        match write(self.body.open(row))? {
            Kind::Text => {}
            Kind::Empty => {
                self.body_type.set(row, Kind::Empty as u8);
                self.body.truncate(row);
                return Ok(());
            }
            kind => self.body_type.set(row, kind as u8),
        }
        self.body.close();
        Ok(())
    }

    /// A log record ends: a row, or a rejection that leaves nothing.
    pub fn end(&mut self, head: &LogHead, notes: &mut Notes) {
        let row = self.rows;
        let (time, observed) = (notes.time(head.time), notes.time(head.observed_time));
        if !notes.settle() {
            return self.truncate(row);
        }
        notes.has_own_time |= time != 0 || observed != 0;
        self.time.set(row, [time, observed, notes.arrival].into_iter().find(|time| *time != 0).unwrap_or(0));
        if time == 0 {
            self.time_absent.set(row, true);
        }
        self.observed_time.set_unless_default(row, observed);
        self.trace_id.set_option(row, head.trace_id.or_drop(notes));
        self.span_id.set_option(row, head.span_id.or_drop(notes));
        self.flags.set_unless_default(row, head.flags);
        self.severity_number.set_unless_default(row, head.severity_number);
        self.attributes.end(row, head.dropped_attributes);
        self.rows += 1;
    }

    fn truncate(&mut self, rows: usize) {
        self.rows = rows;
        self.time.truncate(rows);
        self.time_absent.truncate(rows);
        self.observed_time.truncate(rows);
        self.trace_id.truncate(rows);
        self.span_id.truncate(rows);
        self.flags.truncate(rows);
        self.severity_number.truncate(rows);
        self.severity_text.truncate(rows);
        self.event_name.truncate(rows);
        self.body.truncate(rows);
        self.body_type.truncate(rows);
        self.attributes.truncate(rows);
    }

    /// A request begins.
    pub fn mark(&mut self) {
        self.marked = self.rows;
        self.severity_text.mark();
        self.event_name.mark();
        self.origin.mark();
        self.attributes.mark();
    }

    /// The request that began at the mark failed.
    pub fn roll_back(&mut self) {
        let rows = self.marked;
        self.truncate(rows);
        self.severity_text.roll_back(rows);
        self.event_name.roll_back(rows);
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
        let mut assembly = Assembly::new(Table::Logs, std::mem::take(&mut self.rows));
        self.marked = 0;
        assembly.times("time", &mut self.time)?;
        assembly.booleans("time_absent", &mut self.time_absent)?;
        assembly.times("observed_time", &mut self.observed_time)?;
        assembly.fixed("trace_id", &mut self.trace_id)?;
        assembly.fixed("span_id", &mut self.span_id)?;
        assembly.numbers("flags", &mut self.flags)?;
        assembly.numbers("severity_number", &mut self.severity_number)?;
        assembly.keywords("severity_text", &mut self.severity_text)?;
        assembly.keywords("event_name", &mut self.event_name)?;
        assembly.texts("body", &mut self.body)?;
        assembly.numbers("body_type", &mut self.body_type)?;
        self.origin.freeze(&mut assembly)?;
        self.attributes.freeze(&mut assembly)?;
        assembly.finish()
    }
}

impl Records for LogTable {
    const NAMES: JsonNames = JsonNames {
        resources: b"resourceLogs",
        scopes: b"scopeLogs",
        records: b"logRecords",
        removed: [b"instrumentationLibraryLogs", b"instrumentationLibrary"],
    };
    const ORIGIN_FIRST: bool = false;

    fn begin_resource(&mut self) {
        self.resource_start = self.rows;
    }

    fn begin_scope(&mut self) {
        self.scope_start = self.rows;
    }

    fn read_protobuf(&mut self, message: &[u8], _origin: &Origin, notes: &mut Notes) -> Result<(), Stop> {
        crate::pb_logs::log_record(message, self, notes)?;
        notes.sample(|sample| sample.protobuf(message, LOG_RECORD));
        Ok(())
    }

    fn read_json(&mut self, json: &mut Json<'_>, _origin: &Origin, notes: &mut Notes) -> Result<(), Stop> {
        let start = json.position();
        crate::json_logs::log_record(json, self, notes)?;
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
