//! JSON log records into the table.

use crate::Stop;
use crate::json::Json;
use crate::json_any_value::{any_value, record_attributes};
use crate::json_fields::{SEVERITIES, expect, set_enum, set_id, set_integer, text};
use crate::logs::{LogHead, LogTable};
use crate::notes::Notes;

/// Reads one log record.
pub(crate) fn log_record(json: &mut Json<'_>, table: &mut LogTable, notes: &mut Notes) -> Result<(), Stop> {
    table.begin(notes)?;
    let row = table.row();
    let mut head = LogHead::default();
    let shape = json.object(|json, key| match key {
        b"timeUnixNano" => set_integer(json, &mut head.time, notes),
        b"observedTimeUnixNano" => set_integer(json, &mut head.observed_time, notes),
        b"severityNumber" => set_enum(json, &mut head.severity_number, SEVERITIES, notes),
        b"severityText" => text(json, notes, |text| table.severity_text.set_unless_empty(row, text)),
        b"body" => {
            // Null is no body at all, which differs from an empty one.
            if json.null()? {
                return Ok(());
            }
            table.body(|out| any_value(json, out, 0, true, notes))
        }
        b"attributes" => record_attributes(json, &mut table.attributes, row, &mut table.scratch, notes),
        b"droppedAttributesCount" => set_integer(json, &mut head.dropped_attributes, notes),
        b"flags" => set_integer(json, &mut head.flags, notes),
        b"traceId" => set_id(json, &mut head.trace_id, notes),
        b"spanId" => set_id(json, &mut head.span_id, notes),
        b"eventName" => text(json, notes, |text| table.event_name.set_unless_empty(row, text)),
        _ => json.skip_unknown(),
    })?;
    expect(shape, notes);
    table.end(&head, notes);
    Ok(())
}
