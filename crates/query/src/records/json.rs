//! Writing an answer's JSON straight from columns: for answers of many records, where building each record as a value
//! first costs more than everything else.
//!
//! The contract stays with the types of `api`: what is written reads back as them (tests compare), members that they
//! leave out when empty are left out here.

use std::collections::HashMap;

use model::attributes;

use super::{parse_resource, parse_scope};
use crate::columns::write_hex;

/// An object that is being written. Names of members are plain ASCII.
pub(crate) struct Object<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    pub(crate) fn begin(out: &'a mut Vec<u8>) -> Object<'a> {
        out.push(b'{');
        Object { out, is_empty: true }
    }

    pub(crate) fn end(self) {
        self.out.push(b'}');
    }

    /// Begins a member; its value is to be appended to `out`.
    pub(crate) fn member(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    pub(crate) fn text(&mut self, name: &str, text: &str) {
        attributes::write_string(self.member(name), text);
    }

    pub(crate) fn text_unless_empty(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.text(name, text);
        }
    }

    pub(crate) fn hex(&mut self, name: &str, bytes: &[u8]) {
        let out = self.member(name);
        out.push(b'"');
        write_hex(out, bytes);
        out.push(b'"');
    }

    pub(crate) fn hex_if_some(&mut self, name: &str, bytes: Option<&[u8]>) {
        if let Some(bytes) = bytes {
            self.hex(name, bytes);
        }
    }

    pub(crate) fn number(&mut self, name: &str, number: i64) {
        attributes::write_int(self.member(name), number);
    }

    pub(crate) fn number_unless_zero(&mut self, name: &str, number: Option<u32>) {
        if let Some(number) = number.filter(|number| *number != 0) {
            self.number(name, i64::from(number));
        }
    }

    /// A time, which is a decimal string.
    pub(crate) fn time(&mut self, name: &str, unix_nano: i64) {
        let out = self.member(name);
        out.push(b'"');
        attributes::write_int(out, unix_nano);
        out.push(b'"');
    }

    pub(crate) fn raw(&mut self, name: &str, json: &[u8]) {
        self.member(name).extend_from_slice(json);
    }
}

/// Appends items as an array, each by `write`.
pub(crate) fn write_array<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    let mut is_first = true;
    for item in items {
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        write(out, item);
    }
    out.push(b']');
}

/// Values of a dictionary column over all batches of an answer: each is read once.
pub(crate) struct Distinct {
    by_text: HashMap<String, usize>,
    json: Vec<Vec<u8>>,
    read: fn(&str) -> Vec<u8>,
}

impl Distinct {
    fn new(read: fn(&str) -> Vec<u8>) -> Distinct {
        Distinct { by_text: HashMap::new(), json: Vec::new(), read }
    }

    /// Number of a value; an absent one is the empty text.
    pub(super) fn number(&mut self, text: &str) -> usize {
        if let Some(number) = self.by_text.get(text) {
            return *number;
        }
        self.json.push((self.read)(text));
        self.by_text.insert(text.to_owned(), self.json.len() - 1);
        self.json.len() - 1
    }
}

/// Where the records of one answer come from: their resources and scopes, each read and written once.
pub(crate) struct Origins {
    /// Whether records name them by number, and the answer lists them.
    is_shared: bool,
    pub(super) resources: Distinct,
    pub(super) scopes: Distinct,
}

impl Origins {
    pub(crate) fn new(is_shared: bool) -> Origins {
        // These types hold nothing that JSON cannot carry. Neither reads an absent text as anything but its default.
        let resource = |text: &str| serde_json::to_vec(&parse_resource(text)).unwrap_or_default();
        let scope = |text: &str| serde_json::to_vec(&parse_scope(text)).unwrap_or_default();
        Origins { is_shared, resources: Distinct::new(resource), scopes: Distinct::new(scope) }
    }

    /// Appends resource and scope of a record, or their numbers.
    pub(super) fn write(&self, object: &mut Object<'_>, resource: usize, scope: usize) {
        if self.is_shared {
            object.number("resource_ref", resource as i64);
            object.number("scope_ref", scope as i64);
        } else {
            object.raw("resource", &self.resources.json[resource]);
            object.raw("scope", &self.scopes.json[scope]);
        }
    }

    /// Appends the lists that numbers point into, where there are numbers.
    pub(crate) fn write_lists(&self, object: &mut Object<'_>) {
        if self.is_shared {
            for (name, distinct) in [("resources", &self.resources), ("scopes", &self.scopes)] {
                write_array(object.member(name), &distinct.json, |out, json| out.extend_from_slice(json));
            }
        }
    }
}
