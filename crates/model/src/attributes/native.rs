//! Values as people and the API see them: plain JSON, which cannot carry everything (bytes become base64).

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::parse::Cursor;
use super::{AnyValue, base64, parse, write_value};

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
