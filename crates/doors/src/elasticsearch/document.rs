//! A document as a list of its fields: nested names joined with dots, values written as `AnyValue`s already.
//!
//! Objects are taken apart, since `{"log": {"level": …}}` and `{"log.level": …}` are the same field to Elasticsearch;
//! an empty object is a value, and so is a list with all that is in it. Of a name that occurs twice both stay.

use std::fmt;
use std::ops::Range;

use otlp_wire::{Fields, Value};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::bulk::ItemError;
use crate::Reason;
use crate::any_value::{AnyValue, Kind};

/// How much longer than its document the names of its fields may be together, and what is always allowed.
const NAMES_GROWTH_MAX: usize = 4;
const NAMES_BYTES_MIN: usize = 64 * 1024;

/// A document's fields; used again for the next.
#[derive(Debug, Default)]
pub(super) struct Document {
    names: String,
    values: Vec<u8>,
    fields: Vec<Field>,
}

#[derive(Debug, Clone)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
    kind: Kind,
}

/// One field of a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) name: &'a str,
    /// Fields of an `AnyValue`.
    pub(super) value: &'a [u8],
    pub(super) kind: Kind,
}

impl<'a> Found<'a> {
    /// The text, where the value is one.
    pub(super) fn text(&self) -> Option<&'a str> {
        match (self.kind, Fields(self.value).field()) {
            (Kind::Text, Ok(Some((1, Value::Bytes(text))))) => str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// The whole number, where the value is one.
    pub(super) fn int(&self) -> Option<i64> {
        match (self.kind, Fields(self.value).field()) {
            (Kind::Number, Ok(Some((3, Value::Varint(value))))) => Some(value as i64),
            _ => None,
        }
    }
}

impl Document {
    /// Reads a document in place of the one before.
    pub(super) fn read(&mut self, json: &[u8], fields_max: usize) -> Result<(), (Reason, ItemError)> {
        self.names.clear();
        self.values.clear();
        self.fields.clear();
        let mut is_over = false;
        let names_max = NAMES_BYTES_MIN + NAMES_GROWTH_MAX * json.len();
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let walk = Walk {
            document: self,
            path: &mut String::new(),
            fields_max,
            names_max,
            is_over: &mut is_over,
            is_top: true,
        };
        let read = walk.deserialize(&mut deserializer).and_then(|()| deserializer.end());
        match read {
            Ok(()) => Ok(()),
            Err(_) if is_over => {
                let reason = format!(
                    "Limit of total fields [{fields_max}] has been exceeded, or their nested names are too long"
                );
                Err((Reason::TooLarge, ItemError { kind: "illegal_argument_exception", reason }))
            }
            Err(error) => {
                let what: String = error.to_string().chars().take(120).collect();
                let reason = format!("failed to parse: the document is no JSON object: {what}");
                Err((Reason::InvalidValue, ItemError { kind: "document_parsing_exception", reason }))
            }
        }
    }

    /// All fields in order.
    pub(super) fn fields(&self) -> impl Iterator<Item = Found<'_>> {
        self.fields.iter().map(|field| Found {
            name: &self.names[field.name.clone()],
            value: &self.values[field.value.clone()],
            kind: field.kind,
        })
    }
}

/// Reads a value under a path.
struct Walk<'a> {
    document: &'a mut Document,
    path: &'a mut String,
    fields_max: usize,
    /// Bytes of all names together: those of objects are repeated for each field in them.
    names_max: usize,
    is_over: &'a mut bool,
    /// It is the document itself, which must be an object.
    is_top: bool,
}

impl Walk<'_> {
    /// Adds a field whose value `write` appends.
    fn field<E: Error>(self, write: impl FnOnce(AnyValue<'_>) -> Result<Kind, E>) -> Result<(), E> {
        if self.is_top {
            return Err(E::custom("expected an object"));
        }
        let names = self.document.names.len() + self.path.len();
        if self.document.fields.len() >= self.fields_max || names > self.names_max {
            *self.is_over = true;
            return Err(E::custom("too many fields"));
        }
        let Document { names, values, fields } = self.document;
        let (name, value) = (names.len(), values.len());
        names.push_str(self.path);
        let kind = write(AnyValue(values))?;
        fields.push(Field { name: name..names.len(), value: value..values.len(), kind });
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.field(|value| value.visit_unit())
    }

    fn visit_bool<E: Error>(self, bool: bool) -> Result<(), E> {
        self.field(|value| value.visit_bool(bool))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.field(|value| value.visit_i64(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.field(|value| value.visit_u64(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.field(|value| value.visit_f64(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.field(|value| value.visit_str(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        self.field(|value| value.visit_seq(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        let length = self.path.len();
        let mut is_empty = true;
        while let Some(name) = object.next_key::<String>()? {
            is_empty = false;
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(&name);
            let Walk { document, path, fields_max, names_max, is_over, .. } = &mut self;
            object.next_value_seed(Walk {
                document,
                path,
                fields_max: *fields_max,
                names_max: *names_max,
                is_over,
                is_top: false,
            })?;
            self.path.truncate(length);
        }
        match is_empty && !self.is_top {
            // What has no fields would be forgotten.
            true => self.field(|value| value.visit_map(object)),
            false => Ok(()),
        }
    }
}
