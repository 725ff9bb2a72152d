//! Protobuf spans into the table.

use crate::Stop;
use crate::any_value::{Any, KeyValue, attribute, write_entry};
use crate::notes::{Id, Notes};
use crate::promotion::{RecordAttributes, Scalar, promoted};
use crate::traces::{LinkHead, SpanHead, SpanTable};
use crate::wire::{Fields, Value};

/// Tags of the fields of Span.
mod tag {
    use crate::wire::{bytes, fixed32, fixed64, varint};

    pub const TRACE_ID: u32 = bytes(1);
    pub const SPAN_ID: u32 = bytes(2);
    pub const TRACE_STATE: u32 = bytes(3);
    pub const PARENT_SPAN_ID: u32 = bytes(4);
    pub const NAME: u32 = bytes(5);
    pub const KIND: u32 = varint(6);
    pub const START_TIME: u32 = fixed64(7);
    pub const END_TIME: u32 = fixed64(8);
    pub const ATTRIBUTES: u32 = bytes(9);
    pub const DROPPED_ATTRIBUTES: u32 = varint(10);
    pub const EVENTS: u32 = bytes(11);
    pub const DROPPED_EVENTS: u32 = varint(12);
    pub const LINKS: u32 = bytes(13);
    pub const DROPPED_LINKS: u32 = varint(14);
    pub const STATUS: u32 = bytes(15);
    pub const FLAGS: u32 = fixed32(16);
}

/// Reads one span.
pub(crate) fn span(message: &[u8], table: &mut SpanTable, notes: &mut Notes) -> Result<(), Stop> {
    table.begin(notes)?;
    let row = table.row();
    let mut head = SpanHead::default();
    let mut fields = Fields::new(message);
    while let Some(tag) = fields.tag()? {
        match tag {
            tag::TRACE_ID => head.trace_id = Id::of(fields.bytes()?),
            tag::SPAN_ID => head.span_id = Id::of(fields.bytes()?),
            tag::TRACE_STATE => table.trace_state.set_raw_unless_empty(row, fields.bytes()?, notes),
            tag::PARENT_SPAN_ID => head.parent_span_id = Id::of(fields.bytes()?),
            tag::NAME => table.name.set_raw(row, fields.bytes()?, notes),
            tag::KIND => head.kind = fields.varint()? as i32,
            tag::START_TIME => head.start = fields.fixed64()?,
            tag::END_TIME => head.end = fields.fixed64()?,
            tag::ATTRIBUTES => record_attribute(&mut table.attributes, row, fields.bytes()?, notes)?,
            tag::DROPPED_ATTRIBUTES => head.dropped_attributes = fields.varint()? as u32,
            tag::EVENTS => event(fields.bytes()?, table, notes)?,
            tag::DROPPED_EVENTS => head.dropped_events = fields.varint()? as u32,
            tag::LINKS => link(fields.bytes()?, table, notes)?,
            tag::DROPPED_LINKS => head.dropped_links = fields.varint()? as u32,
            tag::STATUS => status(fields.bytes()?, table, row, &mut head, notes)?,
            tag::FLAGS => head.flags = fields.fixed32()?,
            other => fields.skip(other)?,
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
#[inline(always)]
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
