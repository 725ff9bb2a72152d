//! JSON spans into the table.

use crate::Stop;
use crate::json::Json;
use crate::json_any_value::{attributes, record_attributes};
use crate::json_fields::{SPAN_KINDS, STATUS_CODES, expect, set_enum, set_id, set_integer, text};
use crate::notes::Notes;
use crate::traces::{LinkHead, SpanHead, SpanTable};

/// Reads one span.
pub(crate) fn span(json: &mut Json<'_>, table: &mut SpanTable, notes: &mut Notes) -> Result<(), Stop> {
    table.begin(notes)?;
    let row = table.row();
    let mut head = SpanHead::default();
    let shape = json.object(|json, key| match key {
        b"traceId" => set_id(json, &mut head.trace_id, notes),
        b"spanId" => set_id(json, &mut head.span_id, notes),
        b"traceState" => text(json, notes, |text| table.trace_state.set_unless_empty(row, text)),
        b"parentSpanId" => set_id(json, &mut head.parent_span_id, notes),
        b"flags" => set_integer(json, &mut head.flags, notes),
        b"name" => text(json, notes, |text| table.name.set(row, text)),
        b"kind" => set_enum(json, &mut head.kind, SPAN_KINDS, notes),
        b"startTimeUnixNano" => set_integer(json, &mut head.start, notes),
        b"endTimeUnixNano" => set_integer(json, &mut head.end, notes),
        b"attributes" => record_attributes(json, &mut table.attributes, row, &mut table.scratch, notes),
        b"droppedAttributesCount" => set_integer(json, &mut head.dropped_attributes, notes),
        b"events" => {
            let shape = json.array(|json| event(json, table, notes))?;
            expect(shape, notes);
            Ok(())
        }
        b"droppedEventsCount" => set_integer(json, &mut head.dropped_events, notes),
        b"links" => {
            let shape = json.array(|json| link(json, table, notes))?;
            expect(shape, notes);
            Ok(())
        }
        b"droppedLinksCount" => set_integer(json, &mut head.dropped_links, notes),
        b"status" => status(json, table, row, &mut head, notes),
        _ => json.skip_unknown(),
    })?;
    expect(shape, notes);
    table.end(&head, notes);
    Ok(())
}

fn status(
    json: &mut Json<'_>,
    table: &mut SpanTable,
    row: usize,
    head: &mut SpanHead,
    notes: &mut Notes,
) -> Result<(), Stop> {
    let shape = json.object(|json, key| match key {
        b"message" => text(json, notes, |text| table.status_message.set_unless_empty(row, text)),
        b"code" => set_enum(json, &mut head.status_code, STATUS_CODES, notes),
        _ => json.skip_unknown(),
    })?;
    expect(shape, notes);
    Ok(())
}

fn event(json: &mut Json<'_>, table: &mut SpanTable, notes: &mut Notes) -> Result<(), Stop> {
    let events = &mut table.events;
    events.begin(notes)?;
    let row = events.row();
    let (mut time, mut dropped) = (0, 0);
    let shape = json.object(|json, key| match key {
        b"timeUnixNano" => set_integer(json, &mut time, notes),
        b"name" => text(json, notes, |text| events.name.set(row, text)),
        b"attributes" => attributes(json, &mut events.attributes, 1, notes),
        b"droppedAttributesCount" => set_integer(json, &mut dropped, notes),
        _ => json.skip_unknown(),
    })?;
    expect(shape, notes);
    events.end(time, dropped, notes);
    Ok(())
}

fn link(json: &mut Json<'_>, table: &mut SpanTable, notes: &mut Notes) -> Result<(), Stop> {
    let links = &mut table.links;
    links.begin(notes)?;
    let row = links.row();
    let mut head = LinkHead::default();
    let shape = json.object(|json, key| match key {
        b"traceId" => set_id(json, &mut head.trace_id, notes),
        b"spanId" => set_id(json, &mut head.span_id, notes),
        b"traceState" => text(json, notes, |text| links.trace_state.set_unless_empty(row, text)),
        b"attributes" => attributes(json, &mut links.attributes, 1, notes),
        b"droppedAttributesCount" => set_integer(json, &mut head.dropped, notes),
        b"flags" => set_integer(json, &mut head.flags, notes),
        _ => json.skip_unknown(),
    })?;
    expect(shape, notes);
    links.end(&head, notes);
    Ok(())
}
