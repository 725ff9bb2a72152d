//! Canonical attribute text: OTLP's AnyValue as one line of JSON, without loss.
//!
//! | AnyValue | text |
//! |---|---|
//! | string | `"x"` |
//! | bool | `true`, `false` |
//! | int | `123`: digits only |
//! | double | `1.0`, `-0.0`, `1e300`: always with a `.` or an `e` |
//! | NaN, infinities | `{"$double":"NaN"}`, `"Infinity"`, `"-Infinity"`; other NaN payloads `"0x7ff0000000000002"` |
//! | bytes | `{"$bytes":"<standard base64>"}` |
//! | empty | `null` |
//! | array | `[…]` |
//! | key-value list | `{…}` in order, duplicate keys kept; `{"$kvlist":{…}}` where its first key starts with `$` |
//!
//! An `attributes` column is the text of a key-value list and never wrapped at its top level; it is null where
//! the list is empty.
//!
//! Invariants: no spaces outside strings; equal values have equal text, and `parse(write(value)) == value`
//! bit for bit. The text is valid JSON, so any tool reads it. Values nest at most [`DEPTH_MAX`] deep: the
//! decoder cuts what is deeper, the parser refuses it.

pub mod base64;
mod entries;
mod native;
mod parse;
mod write;

pub use entries::{Entries, entries};
pub use native::{NATIVE_DEPTH_MAX, native_text, to_native, write_native, write_native_members};
pub use parse::{ParseError, parse, parse_key_values};
pub use write::{TextOut, write_bytes, write_double, write_int, write_key_values, write_string, write_value};

/// Levels of arrays and key-value lists inside one another that a value may have.
pub const DEPTH_MAX: usize = 128;

/// A value as OTLP has them.
///
/// Doubles compare by their bits, so that NaN payloads and negative zero count.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub enum AnyValue {
    /// No value, which differs from an empty text and from no attribute.
    Empty,
    Bool(bool),
    Int(i64),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
    Array(Vec<AnyValue>),
    /// In the order sent, duplicates and all.
    KeyValueList(Vec<(String, AnyValue)>),
}

impl PartialEq for AnyValue {
    fn eq(&self, other: &AnyValue) -> bool {
        use AnyValue::*;
        match (self, other) {
            (Empty, Empty) => true,
            (Bool(left), Bool(right)) => left == right,
            (Int(left), Int(right)) => left == right,
            (Double(left), Double(right)) => left.to_bits() == right.to_bits(),
            (String(left), String(right)) => left == right,
            (Bytes(left), Bytes(right)) => left == right,
            (Array(left), Array(right)) => left == right,
            (KeyValueList(left), KeyValueList(right)) => left == right,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
