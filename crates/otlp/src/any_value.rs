//! Protobuf AnyValue and KeyValue to canonical text (`model::attributes`).

use model::attributes::{DEPTH_MAX, write_bytes, write_double, write_int};

use crate::Stop;
use crate::attributes::Entries;
use crate::notes::{Notes, Warning};
use crate::wire::{Fields, Value};

/// Which kind of value was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Bool,
    Int,
    Double,
    Bytes,
    Array,
    KeyValueList,
    Empty,
}

/// A value not yet written: the field of AnyValue that was set last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Any<'a> {
    Empty,
    Text(&'a [u8]),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    Array(&'a [u8]),
    KeyValueList(&'a [u8]),
}

impl<'a> Any<'a> {
    #[inline(always)]
    pub fn read(message: &'a [u8], notes: &mut Notes) -> Result<Any<'a>, Stop> {
        // Short texts and small integers, as every encoder writes them.
        match message {
            [0x0a, length @ ..0x80, text @ ..] if text.len() == usize::from(*length) => Ok(Any::Text(text)),
            [0x18, value @ ..0x80] => Ok(Any::Int(i64::from(*value))),
            _ => Any::read_any(message, notes),
        }
    }

    fn read_any(message: &'a [u8], notes: &mut Notes) -> Result<Any<'a>, Stop> {
        let mut any = Any::Empty;
        let mut fields = Fields::new(message);
        while let Some(field) = fields.field()? {
            any = match field {
                (1, Value::Bytes(bytes)) => Any::Text(bytes),
                (2, Value::Varint(value)) => Any::Bool(value != 0),
                (3, Value::Varint(value)) => Any::Int(value as i64),
                (4, Value::Fixed64(bits)) => Any::Double(f64::from_bits(bits)),
                (5, Value::Bytes(message)) => Any::Array(message),
                (6, Value::Bytes(message)) => Any::KeyValueList(message),
                (7, Value::Bytes(bytes)) => Any::Bytes(bytes),
                (8, Value::Varint(_)) => {
                    notes.warn(Warning::StringIndex);
                    any
                }
                _ => any,
            };
        }
        Ok(any)
    }

    /// Appends the value; `depth` is how many arrays and lists are around it. A text is written `bare`, without
    /// quotes and escapes, where the caller has a column for it.
    #[inline(always)]
    pub fn write(self, out: &mut Vec<u8>, depth: usize, bare: bool, notes: &mut Notes) -> Result<Kind, Stop> {
        match self {
            Any::Text(bytes) => {
                if bare {
                    notes.push_text(out, bytes);
                } else {
                    notes.write_text(out, bytes);
                }
                Ok(Kind::Text)
            }
            Any::Int(value) => {
                write_int(out, value);
                Ok(Kind::Int)
            }
            other => other.write_rare(out, depth, notes),
        }
    }

    fn write_rare(self, out: &mut Vec<u8>, depth: usize, notes: &mut Notes) -> Result<Kind, Stop> {
        match self {
            Any::Bool(value) => {
                out.extend_from_slice(if value { b"true" } else { b"false" });
                Ok(Kind::Bool)
            }
            Any::Double(value) => {
                write_double(out, value);
                Ok(Kind::Double)
            }
            Any::Bytes(bytes) => {
                write_bytes(out, notes.clip_bytes(bytes));
                Ok(Kind::Bytes)
            }
            Any::Array(_) | Any::KeyValueList(_) if depth >= DEPTH_MAX => {
                notes.warn(Warning::DepthCut);
                out.extend_from_slice(b"null");
                Ok(Kind::Empty)
            }
            Any::Array(message) => write_array(out, message, depth, notes).map(|()| Kind::Array),
            Any::KeyValueList(message) => write_list(out, message, depth, notes).map(|()| Kind::KeyValueList),
            _ => {
                out.extend_from_slice(b"null");
                Ok(Kind::Empty)
            }
        }
    }
}

fn write_array(out: &mut Vec<u8>, message: &[u8], depth: usize, notes: &mut Notes) -> Result<(), Stop> {
    let mut mark = b'[';
    let mut fields = Fields::new(message);
    while let Some(field) = fields.field()? {
        if let (1, Value::Bytes(value)) = field {
            out.push(mark);
            mark = b',';
            Any::read(value, notes)?.write(out, depth + 1, false, notes)?;
        }
    }
    out.extend_from_slice(if mark == b'[' { b"[]" } else { b"]" });
    Ok(())
}

fn write_list(out: &mut Vec<u8>, message: &[u8], depth: usize, notes: &mut Notes) -> Result<(), Stop> {
    let start = out.len();
    let mut mark = b'{';
    let mut fields = Fields::new(message);
    while let Some(field) = fields.field()? {
        if let (1, Value::Bytes(key_value)) = field {
            out.push(mark);
            mark = b',';
            KeyValue::read(key_value, notes)?.write(out, depth + 1, notes)?;
        }
    }
    out.extend_from_slice(if mark == b'{' { b"{}" } else { b"}" });
    wrap_list(out, start);
    Ok(())
}

/// Wraps the key-value list that begins at `start` where its first key could be taken for a tag.
pub(crate) fn wrap_list(out: &mut Vec<u8>, start: usize) {
    if out[start..].starts_with(br#"{"$"#) {
        out.splice(start..start, *br#"{"$kvlist":"#);
        out.push(b'}');
    }
}

/// A KeyValue not yet written.
#[derive(Clone, Copy)]
pub(crate) struct KeyValue<'a> {
    pub key: &'a [u8],
    value: &'a [u8],
}

impl<'a> KeyValue<'a> {
    #[inline(always)]
    pub fn read(message: &'a [u8], notes: &mut Notes) -> Result<KeyValue<'a>, Stop> {
        // A short key, then a short value, as every encoder writes them.
        if let [0x0a, length @ ..0x80, rest @ ..] = message
            && let Some((key, [0x12, length @ 1..0x80, value @ ..])) = rest.split_at_checked(usize::from(*length))
            && value.len() == usize::from(*length)
        {
            return Ok(KeyValue { key, value });
        }
        KeyValue::read_any(message, notes)
    }

    fn read_any(message: &'a [u8], notes: &mut Notes) -> Result<KeyValue<'a>, Stop> {
        let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
        let mut fields = Fields::new(message);
        while let Some(field) = fields.field()? {
            match field {
                (1, Value::Bytes(bytes)) => key = bytes,
                // Merging an empty message changes nothing.
                (2, Value::Bytes(message)) if !message.is_empty() => value = message,
                (3, Value::Varint(_)) => notes.warn(Warning::StringIndex),
                _ => {}
            }
        }
        Ok(KeyValue { key, value })
    }

    #[inline(always)]
    pub fn value(self, notes: &mut Notes) -> Result<Any<'a>, Stop> {
        Any::read(self.value, notes)
    }

    /// Appends `"key":value`.
    #[inline(always)]
    pub fn write(self, out: &mut Vec<u8>, depth: usize, notes: &mut Notes) -> Result<(), Stop> {
        let value = self.value(notes)?;
        write_entry(out, self.key, value, depth, notes)
    }
}

/// Appends `"key":value`.
#[inline(always)]
pub(crate) fn write_entry(
    out: &mut Vec<u8>,
    key: &[u8],
    value: Any<'_>,
    depth: usize,
    notes: &mut Notes,
) -> Result<(), Stop> {
    notes.write_text(out, key);
    out.push(b':');
    value.write(out, depth, false, notes).map(drop)
}

/// Writes one KeyValue of a list that lies `depth` levels deep.
#[inline]
pub(crate) fn attribute(into: &mut impl Entries, message: &[u8], depth: usize, notes: &mut Notes) -> Result<(), Stop> {
    match into.entry(notes) {
        Some(out) => KeyValue::read(message, notes)?.write(out, depth, notes),
        None => Ok(()),
    }
}
