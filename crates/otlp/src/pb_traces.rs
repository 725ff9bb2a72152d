//! Protobuf spans into the table.

use crate::Stop;
use crate::any_value::{Any, KeyValue, attribute, write_entry};
use crate::notes::{Id, Notes};
use crate::promotion::{RecordAttributes, Scalar, promoted};
use crate::traces::{LinkHead, SpanHead, SpanTable};
use crate::wire::{Fields, Value};

/// Reads one span.
pub(crate) fn span(message: &[u8], table: &mut SpanTable, notes: &mut Notes) -> Result<(), Stop> {
    table.begin(notes)?;
    let row = table.row();
    let mut head = SpanHead::default();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.field()? {
        match field {
            (1, Value::Bytes(id)) => head.trace_id = Id::of(id),
            (2, Value::Bytes(id)) => head.span_id = Id::of(id),
            (3, Value::Bytes(text)) => table.trace_state.set_raw_unless_empty(row, text, notes),
            (4, Value::Bytes(id)) => head.parent_span_id = Id::of(id),
            (5, Value::Bytes(text)) => table.name.set_raw(row, text, notes),
            (6, Value::Varint(kind)) => head.kind = kind as i32,
            (7, Value::Fixed64(time)) => head.start = time,
            (8, Value::Fixed64(time)) => head.end = time,
            (9, Value::Bytes(message)) => record_attribute(&mut table.attributes, row, message, notes)?,
            (10, Value::Varint(count)) => head.dropped_attributes = count as u32,
            (11, Value::Bytes(message)) => event(message, table, notes)?,
            (12, Value::Varint(count)) => head.dropped_events = count as u32,
            (13, Value::Bytes(message)) => link(message, table, notes)?,
            (14, Value::Varint(count)) => head.dropped_links = count as u32,
            (15, Value::Bytes(message)) => status(message, table, row, &mut head, notes)?,
            (16, Value::Fixed32(flags)) => head.flags = flags,
            _ => {}
        }
    }
    table.end(&head, notes);
    Ok(())
}

fn status(
    message: &[u8],
    table: &mut SpanTable,
    row: usize,
    head: &mut SpanHead,
    notes: &mut Notes,
) -> Result<(), Stop> {
    let mut fields = Fields::new(message);
    while let Some(field) = fields.field()? {
        match field {
            (2, Value::Bytes(text)) => table.status_message.set_raw_unless_empty(row, text, notes),
            (3, Value::Varint(code)) => head.status_code = code as i32,
            _ => {}
        }
    }
    Ok(())
}

fn event(message: &[u8], table: &mut SpanTable, notes: &mut Notes) -> Result<(), Stop> {
    let events = &mut table.events;
    events.begin(notes)?;
    let row = events.row();
    let (mut time, mut dropped) = (0, 0);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.field()? {
        match field {
            (1, Value::Fixed64(value)) => time = value,
            (2, Value::Bytes(text)) => events.name.set_raw(row, text, notes),
            (3, Value::Bytes(message)) => attribute(&mut events.attributes, message, 1, notes)?,
            (4, Value::Varint(count)) => dropped = count as u32,
            _ => {}
        }
    }
    events.end(time, dropped, notes);
    Ok(())
}

fn link(message: &[u8], table: &mut SpanTable, notes: &mut Notes) -> Result<(), Stop> {
    let links = &mut table.links;
    links.begin(notes)?;
    let row = links.row();
    let mut head = LinkHead::default();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.field()? {
        match field {
            (1, Value::Bytes(id)) => head.trace_id = Id::of(id),
            (2, Value::Bytes(id)) => head.span_id = Id::of(id),
            (3, Value::Bytes(text)) => links.trace_state.set_raw_unless_empty(row, text, notes),
            (4, Value::Bytes(message)) => attribute(&mut links.attributes, message, 1, notes)?,
            (5, Value::Varint(count)) => head.dropped = count as u32,
            (6, Value::Fixed32(flags)) => head.flags = flags,
            _ => {}
        }
    }
    links.end(&head, notes);
    Ok(())
}

/// Reads one attribute of a span or log record, a promoted one to its column.
#[inline]
pub(crate) fn record_attribute(
    into: &mut RecordAttributes,
    row: usize,
    message: &[u8],
    notes: &mut Notes,
) -> Result<(), Stop> {
    if !into.count(notes) {
        return Ok(());
    }
    let key_value = KeyValue::read(message, notes)?;
    let value = key_value.value(notes)?;
    if let Some(at) = promoted(key_value.key) {
        let stays = match value {
            Any::Text(bytes) => into.promote(row, at, Scalar::Text(bytes), notes),
            Any::Int(value) => into.promote(row, at, Scalar::Int(value), notes),
            _ => into.promote(row, at, Scalar::Other, notes),
        };
        if stays {
            return Ok(());
        }
    }
    write_entry(into.json.counted_entry(), key_value.key, value, 1, notes)
}
