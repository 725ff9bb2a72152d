//! OTLP/JSON AnyValue and KeyValue to canonical text (`model::attributes`).

use model::attributes::{DEPTH_MAX, base64, write_bytes, write_double, write_int, write_string};
use schema::PROMOTED;

use crate::Stop;
use crate::any_value::{Kind, wrap_list};
use crate::attributes::Entries;
use crate::json::{Json, Shape};
use crate::json_fields::{expect, text};
use crate::json_number::{Scan, double, integer};
use crate::notes::{Notes, RejectReason, Warning};
use crate::promotion::{RecordAttributes, Scalar, promoted};

/// Appends the value that stands here; `depth` is how many arrays and lists are around it. A text is written
/// `bare`, without quotes and escapes, where the caller has a column for it. Of several values the last wins.
pub(crate) fn any_value(
    json: &mut Json<'_>,
    out: &mut Vec<u8>,
    depth: usize,
    bare: bool,
    notes: &mut Notes,
) -> Result<Kind, Stop> {
    let start = out.len();
    let mut kind = Kind::Empty;
    let shape = json.object(|json, key| {
        // A null unsets nothing.
        if json.null()? {
            return Ok(());
        }
        let written = match key {
            b"stringValue" => string_value(json, out, start, bare, notes)?,
            b"boolValue" => {
                let (shape, value) = json.boolean()?;
                expect(shape, notes);
                out.truncate(start);
                out.extend_from_slice(if value { b"true" } else { b"false" });
                Kind::Bool
            }
            b"intValue" | b"doubleValue" => {
                out.truncate(start);
                number_value(json, out, key == b"intValue", notes)?
            }
            b"bytesValue" => {
                out.truncate(start);
                bytes_value(json, out, notes)?;
                Kind::Bytes
            }
            b"arrayValue" | b"kvlistValue" if depth >= DEPTH_MAX => {
                json.skip()?;
                notes.warn(Warning::DepthCut);
                out.truncate(start);
                Kind::Empty
            }
            b"arrayValue" => {
                out.truncate(start);
                array_value(json, out, depth, notes)?;
                Kind::Array
            }
            b"kvlistValue" => {
                out.truncate(start);
                list_value(json, out, depth, notes)?;
                Kind::KeyValueList
            }
            b"stringValueStrindex" => {
                notes.warn(Warning::StringIndex);
                return json.skip();
            }
            _ => return json.skip_unknown(),
        };
        kind = written;
        Ok(())
    })?;
    expect(shape, notes);
    if kind == Kind::Empty {
        out.extend_from_slice(b"null");
    }
    Ok(kind)
}

fn bad(out: &mut Vec<u8>, reason: RejectReason, notes: &mut Notes) {
    notes.reject(reason);
    out.extend_from_slice(b"null");
}

fn string_value(
    json: &mut Json<'_>,
    out: &mut Vec<u8>,
    start: usize,
    bare: bool,
    notes: &mut Notes,
) -> Result<Kind, Stop> {
    out.truncate(start);
    let mut found = false;
    text(json, notes, |text| {
        found = true;
        if bare {
            out.extend_from_slice(text.as_bytes());
        } else {
            write_string(out, text);
        }
    })?;
    Ok(if found { Kind::Text } else { Kind::Empty })
}

fn number_value(json: &mut Json<'_>, out: &mut Vec<u8>, is_int: bool, notes: &mut Notes) -> Result<Kind, Stop> {
    if is_int {
        match integer(json)? {
            Scan::Value(value) => write_int(out, value),
            Scan::Null | Scan::Bad => bad(out, RejectReason::InvalidNumber, notes),
        }
        return Ok(Kind::Int);
    }
    match double(json)? {
        Scan::Value(value) => write_double(out, value),
        Scan::Null | Scan::Bad => bad(out, RejectReason::InvalidNumber, notes),
    }
    Ok(Kind::Double)
}

fn bytes_value(json: &mut Json<'_>, out: &mut Vec<u8>, notes: &mut Notes) -> Result<(), Stop> {
    let mut bytes = Vec::new();
    let mut valid = false;
    json.string(|text| valid = base64::decode(&mut bytes, text.as_bytes()))?;
    if valid {
        write_bytes(out, notes.clip_bytes(&bytes));
    } else {
        bad(out, RejectReason::InvalidValue, notes);
    }
    Ok(())
}

fn array_value(json: &mut Json<'_>, out: &mut Vec<u8>, depth: usize, notes: &mut Notes) -> Result<(), Stop> {
    let start = out.len();
    let shape = json.object(|json, key| {
        if key != b"values" {
            return json.skip_unknown();
        }
        out.truncate(start);
        let shape = json.array(|json| {
            out.push(if out.len() == start { b'[' } else { b',' });
            any_value(json, out, depth + 1, false, notes).map(drop)
        })?;
        expect(shape, notes);
        Ok(())
    })?;
    expect(shape, notes);
    out.extend_from_slice(if out.len() == start { b"[]" } else { b"]" });
    Ok(())
}

fn list_value(json: &mut Json<'_>, out: &mut Vec<u8>, depth: usize, notes: &mut Notes) -> Result<(), Stop> {
    let start = out.len();
    let shape = json.object(|json, key| {
        if key != b"values" {
            return json.skip_unknown();
        }
        out.truncate(start);
        let shape = json.array(|json| {
            out.push(if out.len() == start { b'{' } else { b',' });
            key_value(json, out, depth + 1, notes)
        })?;
        expect(shape, notes);
        Ok(())
    })?;
    expect(shape, notes);
    out.extend_from_slice(if out.len() == start { b"{}" } else { b"}" });
    wrap_list(out, start);
    Ok(())
}

/// Appends `"key":value` from the KeyValue that stands here. Its key may come after its value: it is inserted
/// before it then, so that nothing is read twice however deep it lies.
fn key_value(json: &mut Json<'_>, out: &mut Vec<u8>, depth: usize, notes: &mut Notes) -> Result<(), Stop> {
    let start = out.len();
    let (mut key_bytes, mut has_value) = (0, false);
    let shape = json.object(|json, key| match key {
        b"key" => text(json, notes, |text| {
            if out.len() == start {
                write_string(out, text);
                out.push(b':');
                key_bytes = out.len() - start;
            } else {
                let mut key = Vec::new();
                write_string(&mut key, text);
                key.push(b':');
                let old = std::mem::replace(&mut key_bytes, key.len());
                out.splice(start..start + old, key);
            }
        }),
        b"value" => {
            out.truncate(start + key_bytes);
            has_value = true;
            any_value(json, out, depth, false, notes).map(drop)
        }
        b"keyStrindex" => {
            notes.warn(Warning::StringIndex);
            json.skip()
        }
        _ => json.skip_unknown(),
    })?;
    expect(shape, notes);
    if key_bytes == 0 {
        out.splice(start..start, *b"\"\":");
    }
    if !has_value {
        out.extend_from_slice(b"null");
    }
    Ok(())
}

/// Reads a list of KeyValues whose values lie `depth` levels deep.
pub(crate) fn attributes(
    json: &mut Json<'_>,
    into: &mut impl Entries,
    depth: usize,
    notes: &mut Notes,
) -> Result<(), Stop> {
    let shape = json.array(|json| match into.entry(notes) {
        Some(out) => key_value(json, out, depth, notes),
        None => json.skip(),
    })?;
    expect(shape, notes);
    Ok(())
}

/// Reads the attributes of a span or log record, promoted ones to their columns. `scratch` is only memory.
pub(crate) fn record_attributes(
    json: &mut Json<'_>,
    into: &mut RecordAttributes,
    row: usize,
    scratch: &mut Vec<u8>,
    notes: &mut Notes,
) -> Result<(), Stop> {
    let shape = json.array(|json| {
        if !into.count(notes) {
            return json.skip();
        }
        let start = json.position();
        let mut key_found = None;
        let shape = json.object(|json, key| match key {
            b"key" => {
                // The last key counts, promoted or not.
                key_found = None;
                text(json, notes, |text| key_found = promoted(text.as_bytes()))
            }
            b"value" | b"keyStrindex" => json.skip(),
            _ => json.skip_unknown(),
        })?;
        match key_found {
            Some(at) if shape == Shape::Open => json.revisit(start, |json| {
                scratch.clear();
                let kind = promoted_value(json, scratch, notes)?;
                let value = match kind {
                    Kind::Text => Scalar::Text(scratch),
                    Kind::Int => match std::str::from_utf8(scratch).map(str::parse) {
                        Ok(Ok(value)) => Scalar::Int(value),
                        _ => Scalar::Other,
                    },
                    _ => Scalar::Other,
                };
                if into.promote(row, at, value, notes) {
                    return Ok(());
                }
                let out = into.json.counted_entry();
                write_string(out, PROMOTED[at].key);
                out.push(b':');
                if kind == Kind::Text {
                    notes.write_text(out, scratch);
                } else {
                    out.extend_from_slice(scratch);
                }
                Ok(())
            }),
            _ => json.revisit(start, |json| key_value(json, into.json.counted_entry(), 1, notes)),
        }
    })?;
    expect(shape, notes);
    Ok(())
}

/// Writes the value of the KeyValue that stands here, a text bare.
fn promoted_value(json: &mut Json<'_>, out: &mut Vec<u8>, notes: &mut Notes) -> Result<Kind, Stop> {
    let mut kind = None;
    json.object(|json, key| match key {
        b"value" => {
            out.clear();
            kind = Some(any_value(json, out, 1, true, notes)?);
            Ok(())
        }
        b"keyStrindex" => {
            notes.warn(Warning::StringIndex);
            json.skip()
        }
        _ => json.skip_unknown(),
    })?;
    Ok(kind.unwrap_or_else(|| {
        out.extend_from_slice(b"null");
        Kind::Empty
    }))
}
