//! Members of OTLP/JSON messages.

use model::attributes::{AnyValue, base64, parse_key_values, write_double, write_int, write_string};

/// An object being written: a comma before every member but the first.
pub(super) struct Object<'a> {
    out: &'a mut String,
    is_empty: bool,
}

impl<'a> Object<'a> {
    pub(super) fn begin(out: &'a mut String) -> Object<'a> {
        out.push('{');
        Object { out, is_empty: true }
    }

    pub(super) fn end(self) {
        self.out.push('}');
    }

    /// Begins a member; its value is written next.
    pub(super) fn member(&mut self, name: &str) -> &mut String {
        self.out.push_str(if self.is_empty { "\"" } else { ",\"" });
        self.is_empty = false;
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    /// A text, unless it is empty.
    pub(super) fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            write_string(self.member(name), text);
        }
    }

    /// A number of 32 bits, unless it is absent or zero.
    pub(super) fn number(&mut self, name: &str, number: Option<impl Into<i64>>) {
        if let Some(number) = number.map(Into::into).filter(|number| *number != 0) {
            write_int(self.member(name), number);
        }
    }

    /// A time, as a decimal text, unless it is absent or zero.
    pub(super) fn time(&mut self, name: &str, time: Option<i64>) {
        if let Some(time) = time.filter(|time| *time != 0) {
            self.quoted(name, &time.to_string());
        }
    }

    /// A number of 64 bits, as a decimal text.
    pub(super) fn quoted(&mut self, name: &str, digits: &str) {
        let out = self.member(name);
        out.push('"');
        out.push_str(digits);
        out.push('"');
    }

    /// A double that is there, zero or not.
    pub(super) fn double(&mut self, name: &str, double: Option<f64>) {
        if let Some(double) = double {
            json_double(self.member(name), double);
        }
    }

    /// The attributes of a canonical text, unless there are none; `more` are promoted ones, written raw.
    pub(super) fn attributes(&mut self, name: &str, text: Option<&str>, more: &[(&str, AnyValue)]) {
        let parsed = text.and_then(|text| parse_key_values(text).ok()).unwrap_or_default();
        if parsed.is_empty() && more.is_empty() {
            return;
        }
        let out = self.member(name);
        out.push('[');
        let all = parsed
            .iter()
            .map(|(key, value)| (key.as_str(), value))
            .chain(more.iter().map(|(key, value)| (*key, value)));
        for (at, (key, value)) in all.enumerate() {
            out.push_str(if at == 0 { "" } else { "," });
            key_value(out, key, value);
        }
        out.push(']');
    }
}

fn key_value(out: &mut String, key: &str, value: &AnyValue) {
    out.push_str("{\"key\":");
    write_string(out, key);
    out.push_str(",\"value\":");
    any_value(out, value);
    out.push('}');
}

/// An AnyValue as OTLP/JSON has it.
pub(super) fn any_value(out: &mut String, value: &AnyValue) {
    match value {
        AnyValue::Empty => out.push_str("{}"),
        AnyValue::Bool(value) => out.push_str(if *value { r#"{"boolValue":true}"# } else { r#"{"boolValue":false}"# }),
        AnyValue::Int(value) => {
            out.push_str(r#"{"intValue":""#);
            write_int(out, *value);
            out.push_str("\"}");
        }
        AnyValue::Double(value) => {
            out.push_str(r#"{"doubleValue":"#);
            json_double(out, *value);
            out.push('}');
        }
        AnyValue::String(text) => {
            out.push_str(r#"{"stringValue":"#);
            write_string(out, text);
            out.push('}');
        }
        AnyValue::Bytes(bytes) => {
            out.push_str(r#"{"bytesValue":""#);
            base64::encode(out, bytes);
            out.push_str("\"}");
        }
        AnyValue::Array(values) => {
            out.push_str(r#"{"arrayValue":{"values":["#);
            for (at, value) in values.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                any_value(out, value);
            }
            out.push_str("]}}");
        }
        AnyValue::KeyValueList(entries) => {
            out.push_str(r#"{"kvlistValue":{"values":["#);
            for (at, (key, value)) in entries.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                key_value(out, key, value);
            }
            out.push_str("]}}");
        }
    }
}

/// A double as proto3's JSON has it: what is no number is a text.
pub(super) fn json_double(out: &mut String, value: f64) {
    if value.is_finite() {
        write_double(out, value);
    } else if value.is_nan() {
        out.push_str("\"NaN\"");
    } else {
        out.push_str(if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_as_the_mapping_has_them() {
        let check = |value: AnyValue, expect: &str| {
            let mut out = String::new();
            any_value(&mut out, &value);
            assert_eq!(out, expect);
        };
        check(AnyValue::Empty, "{}");
        check(AnyValue::Int(i64::MIN), r#"{"intValue":"-9223372036854775808"}"#);
        check(AnyValue::Double(1.0), r#"{"doubleValue":1.0}"#);
        check(AnyValue::Double(f64::NAN), r#"{"doubleValue":"NaN"}"#);
        check(AnyValue::Double(f64::NEG_INFINITY), r#"{"doubleValue":"-Infinity"}"#);
        check(AnyValue::String("a\"b".into()), r#"{"stringValue":"a\"b"}"#);
        check(AnyValue::Bytes(vec![255]), r#"{"bytesValue":"/w=="}"#);
        check(AnyValue::Array(vec![]), r#"{"arrayValue":{"values":[]}}"#);
        let list = AnyValue::KeyValueList(vec![("k".into(), AnyValue::Bool(true)), ("k".into(), AnyValue::Empty)]);
        check(list, r#"{"kvlistValue":{"values":[{"key":"k","value":{"boolValue":true}},{"key":"k","value":{}}]}}"#);
    }

    #[test]
    fn defaults_are_left_out() {
        let mut out = String::new();
        let mut object = Object::begin(&mut out);
        object.text("a", Some(""));
        object.number("b", Some(0_u32));
        object.time("c", None);
        object.attributes("d", None, &[]);
        object.double("e", Some(0.0));
        object.time("f", Some(5));
        object.end();
        assert_eq!(out, r#"{"e":0.0,"f":"5"}"#);
    }
}
