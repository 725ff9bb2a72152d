//! Values to canonical text. The building blocks append, so that a decoder writes straight into a column.

use std::fmt::{Arguments, Write as _};
use std::io::Write as _;

use super::{AnyValue, base64};

/// Where canonical text is appended: a `String`, or a column's bytes, which stay UTF-8 when only text is appended.
pub trait TextOut {
    /// Appends a text.
    fn push_text(&mut self, text: &str);
    /// Appends formatted text.
    fn push_format(&mut self, arguments: Arguments<'_>);
}

impl TextOut for String {
    #[inline]
    fn push_text(&mut self, text: &str) {
        self.push_str(text);
    }

    fn push_format(&mut self, arguments: Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.write_fmt(arguments);
    }
}

impl TextOut for Vec<u8> {
    #[inline]
    fn push_text(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }

    fn push_format(&mut self, arguments: Arguments<'_>) {
        // Writing to a Vec cannot fail.
        let _ = self.write_fmt(arguments);
    }
}

/// Whether any of these eight bytes must be escaped: below 0x20, `"` or `\`.
fn needs_escape(eight: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let zero_byte = |x: u64| x.wrapping_sub(ONES) & !x & HIGHS;
    let below_space = eight.wrapping_sub(ONES * 0x20) & !eight & HIGHS;
    below_space | zero_byte(eight ^ (ONES * 0x22)) | zero_byte(eight ^ (ONES * 0x5c)) != 0
}

fn is_plain(bytes: &[u8]) -> bool {
    let (eights, rest) = bytes.as_chunks::<8>();
    !eights.iter().any(|eight| needs_escape(u64::from_le_bytes(*eight)))
        && !rest.iter().any(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\')
}

/// Appends a text in quotes.
pub fn write_string(out: &mut impl TextOut, text: &str) {
    out.push_text("\"");
    if is_plain(text.as_bytes()) {
        out.push_text(text);
    } else {
        write_escaped(out, text);
    }
    out.push_text("\"");
}

fn write_escaped(out: &mut impl TextOut, text: &str) {
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_text(&text[written..at]);
        written = at + 1;
        if short.is_empty() {
            out.push_format(format_args!("\\u{byte:04x}"));
        } else {
            out.push_text(short);
        }
    }
    out.push_text(&text[written..]);
}

/// Appends an integer.
pub fn write_int(out: &mut impl TextOut, value: i64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    out.push_text(std::str::from_utf8(&digits[at..]).unwrap_or_default());
}

/// Appends a double; the shortest text that reads back as the same bits.
pub fn write_double(out: &mut impl TextOut, value: f64) {
    if value.is_finite() {
        out.push_format(format_args!("{value:?}"));
    } else if value.is_infinite() {
        out.push_text(if value > 0.0 { r#"{"$double":"Infinity"}"# } else { r#"{"$double":"-Infinity"}"# });
    } else if value.to_bits() == f64::NAN.to_bits() {
        out.push_text(r#"{"$double":"NaN"}"#);
    } else {
        out.push_format(format_args!(r#"{{"$double":"0x{:016x}"}}"#, value.to_bits()));
    }
}

/// Appends bytes.
pub fn write_bytes(out: &mut impl TextOut, bytes: &[u8]) {
    let mut text = String::new();
    base64::encode(&mut text, bytes);
    out.push_text(r#"{"$bytes":""#);
    out.push_text(&text);
    out.push_text(r#""}"#);
}

/// Appends any value.
pub fn write_value(out: &mut impl TextOut, value: &AnyValue) {
    match value {
        AnyValue::Empty => out.push_text("null"),
        AnyValue::Bool(value) => out.push_text(if *value { "true" } else { "false" }),
        AnyValue::Int(value) => write_int(out, *value),
        AnyValue::Double(value) => write_double(out, *value),
        AnyValue::String(text) => write_string(out, text),
        AnyValue::Bytes(bytes) => write_bytes(out, bytes),
        AnyValue::Array(values) => {
            out.push_text("[");
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push_text(",");
                }
                write_value(out, value);
            }
            out.push_text("]");
        }
        AnyValue::KeyValueList(entries) => {
            let wrapped = entries.first().is_some_and(|(key, _)| key.starts_with('$'));
            if wrapped {
                out.push_text(r#"{"$kvlist":"#);
            }
            write_key_values(out, entries);
            if wrapped {
                out.push_text("}");
            }
        }
    }
}

/// Appends a key-value list as an `attributes` column has it: an object, never wrapped.
pub fn write_key_values(out: &mut impl TextOut, entries: &[(String, AnyValue)]) {
    out.push_text("{");
    for (at, (key, value)) in entries.iter().enumerate() {
        if at > 0 {
            out.push_text(",");
        }
        write_string(out, key);
        out.push_text(":");
        write_value(out, value);
    }
    out.push_text("}");
}
