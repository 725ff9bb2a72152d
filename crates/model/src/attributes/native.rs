//! Values as people and the API see them: plain JSON, which cannot carry everything (bytes become base64).

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::{Map, Number, Value};

use super::parse::Cursor;
use super::{AnyValue, TextOut, base64, entries, parse, write_double, write_int, write_string, write_value};

/// Levels of arrays and objects that a native value has at most. Most JSON readers refuse an answer that nests deeper
/// than 128, and one record must not make a whole answer unreadable.
pub const NATIVE_DEPTH_MAX: usize = 96;

/// The value as the API answers it: bytes as base64 text, NaN and infinities as text, of duplicate keys the last; what
/// nests deeper than [`NATIVE_DEPTH_MAX`] as its canonical text.
pub fn to_native(value: &AnyValue) -> Value {
    native_at(value, 0)
}

fn native_at(value: &AnyValue, depth: usize) -> Value {
    match value {
        AnyValue::Array(_) | AnyValue::KeyValueList(_) if depth >= NATIVE_DEPTH_MAX => {
            let mut text = String::new();
            write_value(&mut text, value);
            Value::String(text)
        }
        AnyValue::Empty => Value::Null,
        AnyValue::Bool(value) => Value::Bool(*value),
        AnyValue::Int(value) => Value::Number((*value).into()),
        AnyValue::Double(value) => match Number::from_f64(*value) {
            Some(number) => Value::Number(number),
            None if value.is_nan() => Value::String("NaN".into()),
            None if *value > 0.0 => Value::String("Infinity".into()),
            None => Value::String("-Infinity".into()),
        },
        AnyValue::String(text) => Value::String(text.clone()),
        AnyValue::Bytes(bytes) => {
            let mut text = String::new();
            base64::encode(&mut text, bytes);
            Value::String(text)
        }
        AnyValue::Array(values) => Value::Array(values.iter().map(|value| native_at(value, depth + 1)).collect()),
        AnyValue::KeyValueList(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                map.insert(key.clone(), native_at(value, depth + 1));
            }
            Value::Object(map)
        }
    }
}

/// The text a user would type for a raw canonical value: strings without quotes, bytes as base64, others as JSON.
///
/// A raw text that is not canonical comes back as it is.
pub fn native_text(raw: &str) -> Cow<'_, str> {
    if raw.starts_with('"') {
        return Cursor { text: raw, at: 0 }.string().unwrap_or(Cow::Borrowed(raw));
    }
    if !raw.contains("{\"$") {
        return Cow::Borrowed(raw);
    }
    match parse(raw).map(|value| to_native(&value)) {
        Ok(Value::String(text)) => Cow::Owned(text),
        Ok(value) => Cow::Owned(value.to_string()),
        Err(_) => Cow::Borrowed(raw),
    }
}

/// Appends the JSON of [`to_native`] of a raw canonical value, without building the value where it is a plain one.
///
/// What is appended is valid JSON whatever `raw` is: a text that is not canonical becomes a string.
pub fn write_native(out: &mut impl TextOut, raw: &str) {
    match raw.as_bytes() {
        b"true" | b"false" | b"null" => out.push_text(raw),
        [b'"', .., b'"'] if !raw.contains('\\') => write_string(out, &raw[1..raw.len() - 1]),
        [b'0'..=b'9' | b'-', ..] => match (raw.parse::<i64>(), raw.parse::<f64>()) {
            (Ok(whole), _) => write_int(out, whole),
            (_, Ok(double)) if double.is_finite() => write_double(out, double),
            _ => write_string(out, raw),
        },
        _ => match parse(raw) {
            Ok(value) => out.push_format(format_args!("{}", to_native(&value))),
            Err(_) => write_string(out, raw),
        },
    }
}

/// Keys beyond which duplicates are looked for by hashing.
const KEYS_COMPARED_MAX: usize = 32;

/// Appends the members of an `attributes` text as [`write_native`] has them, with commas between and without braces;
/// of duplicate keys the last. Says how many it appended. What is no canonical text ends there.
pub fn write_native_members(out: &mut impl TextOut, text: &str) -> usize {
    let members: Vec<(Cow<'_, str>, &str)> = entries(text).collect();
    let mut written = 0;
    let mut later = HashSet::new();
    // From the back, so that the last of equal keys is met first; then in order.
    let mut is_last = vec![true; members.len()];
    for (at, (key, _)) in members.iter().enumerate().rev() {
        is_last[at] = match members.len() > KEYS_COMPARED_MAX {
            true => later.insert(key.as_ref()),
            false => !members[at + 1..].iter().any(|(other, _)| other == key),
        };
    }
    for ((key, raw), _) in members.iter().zip(is_last).filter(|(_, is_last)| *is_last) {
        if written > 0 {
            out.push_text(",");
        }
        write_string(out, key);
        out.push_text(":");
        write_native(out, raw);
        written += 1;
    }
    written
}

#[cfg(test)]
mod tests {
    use super::super::{write_key_values, write_value};
    use super::*;

    #[test]
    fn what_is_written_reads_as_the_native_value() {
        let check = |value: AnyValue| {
            let (mut raw, mut native) = (String::new(), String::new());
            write_value(&mut raw, &value);
            write_native(&mut native, &raw);
            let read: Value = serde_json::from_str(&native).expect(&native);
            assert_eq!(read, to_native(&value), "{raw}");
        };
        for text in ["", "plain", "q\"uo\\te\n\u{1}", "日本", "{\"$double\":\"NaN\"}"] {
            check(AnyValue::String(text.into()));
        }
        for double in [0.0, -0.0, 1.5, 1e300, -2.5e-9, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            check(AnyValue::Double(double));
        }
        for whole in [0, -1, i64::MIN, i64::MAX] {
            check(AnyValue::Int(whole));
        }
        check(AnyValue::Empty);
        check(AnyValue::Bool(true));
        check(AnyValue::Bytes(vec![0, 255]));
        check(AnyValue::Array(vec![AnyValue::Int(1), AnyValue::Bytes(vec![1]), AnyValue::String("x".into())]));
        check(AnyValue::KeyValueList(vec![("$a".into(), AnyValue::Int(1)), ("b".into(), AnyValue::Empty)]));
    }

    #[test]
    fn damaged_text_is_still_json() {
        for raw in ["+5", "1.", "-", "\"", "nul", "{\"a\":", "\"a\\q\"", "\u{1}"] {
            let mut native = String::new();
            write_native(&mut native, raw);
            assert!(serde_json::from_str::<Value>(&native).is_ok(), "{raw}: {native}");
        }
    }

    #[test]
    fn of_duplicate_keys_the_last_counts() {
        for count in [3, 100] {
            let entries: Vec<(String, AnyValue)> =
                (0..count).map(|at| (format!("k\"{}", at % 2), AnyValue::Int(at))).collect();
            let (mut text, mut members) = (String::new(), String::new());
            write_key_values(&mut text, &entries);
            assert_eq!(write_native_members(&mut members, &text), 2);
            let read: Value = serde_json::from_str(&format!("{{{members}}}")).expect(&members);
            assert_eq!(read, to_native(&AnyValue::KeyValueList(entries)));
        }
        assert_eq!(write_native_members(&mut String::new(), "no object"), 0);
    }
}
