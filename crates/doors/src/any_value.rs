//! JSON values written as the fields of an OTLP `AnyValue` while they are read, without a tree in between.
//!
//! Integers that are too large for OTLP's 64 bits with a sign are kept as their digits, in a text.

use std::fmt;

use otlp_wire::{close, open, put_bytes, put_double, put_number};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What a JSON value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    List,
    Object,
}

/// Appends the fields of an `AnyValue` for the JSON value that is read.
pub(crate) struct AnyValue<'a>(pub(crate) &'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for AnyValue<'_> {
    type Value = Kind;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue<'_> {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        put_number(self.0, 2, u64::from(value));
        Ok(Kind::Bool)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        put_number(self.0, 3, value as u64);
        Ok(Kind::Number)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        match i64::try_from(value) {
            Ok(value) => put_number(self.0, 3, value as u64),
            Err(_) => put_bytes(self.0, 1, value.to_string().as_bytes()),
        }
        Ok(Kind::Number)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        put_double(self.0, 4, value);
        Ok(Kind::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
        put_bytes(self.0, 1, text.as_bytes());
        Ok(Kind::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Kind, A::Error> {
        let start = open(self.0, 5);
        loop {
            let value = open(self.0, 1);
            if list.next_element_seed(AnyValue(self.0))?.is_none() {
                // Nothing came: the head of the value that was opened for it is taken back.
                self.0.truncate(value - 2);
                break;
            }
            close(self.0, value);
        }
        close(self.0, start);
        Ok(Kind::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Kind, A::Error> {
        let start = open(self.0, 6);
        while let Some(key) = object.next_key::<String>()? {
            let pair = open(self.0, 1);
            put_bytes(self.0, 1, key.as_bytes());
            let value = open(self.0, 2);
            object.next_value_seed(AnyValue(self.0))?;
            close(self.0, value);
            close(self.0, pair);
        }
        close(self.0, start);
        Ok(Kind::Object)
    }
}

/// The `AnyValue` of a whole JSON text; what is no JSON is a text.
#[cfg(test)]
pub(crate) fn of_json(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    AnyValue(&mut out).deserialize(&mut deserializer).expect("JSON");
    out
}

/// A JSON value of which only numbers, texts and booleans matter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Leaf {
    Null,
    Bool(bool),
    Int(i64),
    /// Beyond 63 bits.
    Large(u64),
    Double(f64),
    Text(String),
    /// A list or an object, skipped.
    Nested,
}

impl Leaf {
    /// A whole number that is not negative, as JSON has numbers or in a text.
    pub(crate) fn as_u64(&self) -> Option<u64> {
        match self {
            Leaf::Int(value) => u64::try_from(*value).ok(),
            Leaf::Large(value) => Some(*value),
            Leaf::Double(value) if *value >= 0.0 && value.fract() == 0.0 && *value < 9e15 => Some(*value as u64),
            Leaf::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        }
    }

    /// As a text; what is nested has none.
    pub(crate) fn into_text(self) -> Option<String> {
        match self {
            Leaf::Text(text) => Some(text),
            Leaf::Bool(value) => Some(value.to_string()),
            Leaf::Int(value) => Some(value.to_string()),
            Leaf::Large(value) => Some(value.to_string()),
            Leaf::Double(value) => Some(value.to_string()),
            Leaf::Null | Leaf::Nested => None,
        }
    }
}

impl<'de> Deserialize<'de> for Leaf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Leaf, D::Error> {
        struct LeafVisitor;
        impl<'de> Visitor<'de> for LeafVisitor {
            type Value = Leaf;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Leaf, E> {
                Ok(Leaf::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Leaf, E> {
                Ok(Leaf::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Leaf, E> {
                Ok(Leaf::Int(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Leaf, E> {
                Ok(i64::try_from(value).map_or(Leaf::Large(value), Leaf::Int))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Leaf, E> {
                Ok(Leaf::Double(value))
            }

            fn visit_str<E>(self, text: &str) -> Result<Leaf, E> {
                Ok(Leaf::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Leaf, E> {
                Ok(Leaf::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Leaf, A::Error> {
                while list.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                Ok(Leaf::Nested)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Leaf, A::Error> {
                use serde::de::IgnoredAny;
                while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Leaf::Nested)
            }
        }
        deserializer.deserialize_any(LeafVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_byte_exact() {
        let check = |text: &str, expect: &[u8]| assert_eq!(of_json(text), expect, "{text}");
        check("null", &[]);
        check("true", &[0x10, 1]);
        check("7", &[0x18, 7]);
        check("-1", &[0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
        check("1.5", &[0x21, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]);
        check("\"x\\n\"", &[0x0a, 2, b'x', b'\n']);
        check("18446744073709551615", b"\x0a\x1418446744073709551615");
        check("[]", &[0x2a, 0]);
        check("[null,7]", &[0x2a, 6, 0x0a, 0, 0x0a, 2, 0x18, 7]);
        check("{}", &[0x32, 0]);
        check(
            r#"{"a":7,"a":null}"#,
            &[0x32, 16, 0x0a, 7, 0x0a, 1, b'a', 0x12, 2, 0x18, 7, 0x0a, 5, 0x0a, 1, b'a', 0x12, 0],
        );
    }

    #[test]
    fn what_is_too_deep_is_an_error_and_no_overflow() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let read = |text: &str| {
            let mut out = Vec::new();
            AnyValue(&mut out).deserialize(&mut serde_json::Deserializer::from_str(text)).is_ok()
        };
        assert!(read(&deep(120)));
        assert!(!read(&deep(200)));
        assert!(!read(&"[".repeat(1_000_000)));
    }

    #[test]
    fn leaves() {
        let check = |text: &str, expect: Leaf| assert_eq!(serde_json::from_str::<Leaf>(text).expect("JSON"), expect);
        check("null", Leaf::Null);
        check("1", Leaf::Int(1));
        check("[1,[2]]", Leaf::Nested);
        check(r#"{"a":{}}"#, Leaf::Nested);
        check("\"a\\u00e9\"", Leaf::Text("aé".to_owned()));
        let number = |text: &str| serde_json::from_str::<Leaf>(text).expect("JSON").as_u64();
        assert_eq!(number("\"1795289400000000000\""), Some(1_795_289_400_000_000_000));
        assert_eq!(number("18446744073709551615"), Some(u64::MAX));
        assert_eq!(number("1e3"), Some(1000));
        assert_eq!((number("-1"), number("\"-1\""), number("\"\""), number("1.5")), (None, None, None, None));
    }
}
