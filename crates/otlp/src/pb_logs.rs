//! Protobuf log records into the table.

use crate::Stop;
use crate::any_value::Any;
use crate::logs::{LogHead, LogTable};
use crate::notes::{Id, Notes};
use crate::pb_traces::record_attribute;
use crate::wire::Fields;

/// Tags of the fields of LogRecord.
mod tag {
    use crate::wire::{bytes, fixed32, fixed64, varint};

    pub const TIME: u32 = fixed64(1);
    pub const SEVERITY_NUMBER: u32 = varint(2);
    pub const SEVERITY_TEXT: u32 = bytes(3);
    pub const BODY: u32 = bytes(5);
    pub const ATTRIBUTES: u32 = bytes(6);
    pub const DROPPED_ATTRIBUTES: u32 = varint(7);
    pub const FLAGS: u32 = fixed32(8);
    pub const TRACE_ID: u32 = bytes(9);
    pub const SPAN_ID: u32 = bytes(10);
    pub const OBSERVED_TIME: u32 = fixed64(11);
    pub const EVENT_NAME: u32 = bytes(12);
}

/// Reads one log record.
pub(crate) fn log_record(message: &[u8], table: &mut LogTable, notes: &mut Notes) -> Result<(), Stop> {
    table.begin(notes)?;
    let row = table.row();
    let mut head = LogHead::default();
    let mut fields = Fields::new(message);
    while let Some(tag) = fields.tag()? {
        match tag {
            tag::TIME => head.time = fields.fixed64()?,
            tag::SEVERITY_NUMBER => head.severity_number = fields.varint()? as i32,
            tag::SEVERITY_TEXT => table.severity_text.set_raw_unless_empty(row, fields.bytes()?, notes),
            tag::BODY => {
                let value = Any::read(fields.bytes()?, notes)?;
                table.body(|out| value.write(out, 0, true, notes))?;
            }
            tag::ATTRIBUTES => record_attribute(&mut table.attributes, row, fields.bytes()?, notes)?,
            tag::DROPPED_ATTRIBUTES => head.dropped_attributes = fields.varint()? as u32,
            tag::FLAGS => head.flags = fields.fixed32()?,
            tag::TRACE_ID => head.trace_id = Id::of(fields.bytes()?),
            tag::SPAN_ID => head.span_id = Id::of(fields.bytes()?),
            tag::OBSERVED_TIME => head.observed_time = fields.fixed64()?,
            tag::EVENT_NAME => table.event_name.set_raw_unless_empty(row, fields.bytes()?, notes),
            other => fields.skip(other)?,
        }
    }
    table.end(&head, notes);
    Ok(())
}
