//! Protobuf log records into the table.

use crate::Stop;
use crate::any_value::Any;
use crate::logs::{LogHead, LogTable};
use crate::notes::{Id, Notes};
use crate::pb_traces::record_attribute;
use crate::wire::{Fields, Value};

/// Reads one log record.
pub(crate) fn log_record(message: &[u8], table: &mut LogTable, notes: &mut Notes) -> Result<(), Stop> {
    table.begin(notes)?;
    let row = table.row();
    let mut head = LogHead::default();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.field()? {
        match field {
            (1, Value::Fixed64(time)) => head.time = time,
            (2, Value::Varint(number)) => head.severity_number = number as i32,
            (3, Value::Bytes(text)) => table.severity_text.set_raw_unless_empty(row, text, notes),
            (5, Value::Bytes(message)) => {
                let value = Any::read(message, notes)?;
                table.body(|out| value.write(out, 0, true, notes))?;
            }
            (6, Value::Bytes(message)) => record_attribute(&mut table.attributes, row, message, notes)?,
            (7, Value::Varint(count)) => head.dropped_attributes = count as u32,
            (8, Value::Fixed32(flags)) => head.flags = flags,
            (9, Value::Bytes(id)) => head.trace_id = Id::of(id),
            (10, Value::Bytes(id)) => head.span_id = Id::of(id),
            (11, Value::Fixed64(time)) => head.observed_time = time,
            (12, Value::Bytes(text)) => table.event_name.set_raw_unless_empty(row, text, notes),
            _ => {}
        }
    }
    table.end(&head, notes);
    Ok(())
}
