//! Arrow rows as the API's records: the one place that knows how a stored row looks in an answer.
//!
//! A reader is made per batch and finds its columns once. Columns that a batch lacks read as absent. Promoted
//! attributes return to `attributes`, so an answer shows what was sent whether a key has a column or not. Pages of
//! some hundred records are built as values of `api`; traces, which may have many thousand, are written as JSON at once.

pub(crate) mod columns;
mod exemplars;
mod json;
mod logs;
pub(crate) mod promoted;
mod spans;

pub(crate) use exemplars::ExemplarRows;
pub(crate) use json::{Object, Origins, write_array};
pub(crate) use logs::LogRows;
pub(crate) use spans::SpanRows;

use std::cell::RefCell;
use std::collections::HashMap;

use api::{Resource, Scope};
use arrow::array::RecordBatch;
use model::attributes::{self, AnyValue};
use serde_json::{Map, Value};

use columns::{TextColumn, U32Column};
use json::Distinct;
use promoted::{PromotedColumn, PromotedColumns};

/// Attributes of a record from their canonical text; of duplicate keys the last. What is no canonical text ends there.
fn native_attributes(text: &str) -> Map<String, Value> {
    attributes::entries(text).map(|(key, raw)| (key.into_owned(), native_value(raw))).collect()
}

/// A raw canonical value as native JSON; the common kinds without parsing them.
fn native_value(raw: &str) -> Value {
    if !raw.starts_with(['{', '[']) && !raw.contains('\\') {
        if let Some(inner) = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
            return Value::String(inner.to_owned());
        }
        if let Ok(whole) = raw.parse::<i64>() {
            return Value::Number(whole.into());
        }
    }
    attributes::parse(raw).map_or_else(|_| Value::from(raw), |value| attributes::to_native(&value))
}

/// A double: JSON has no NaN and no infinities, so they are texts.
pub(crate) fn double_value(double: f64) -> Value {
    attributes::to_native(&AnyValue::Double(double))
}

/// Attributes, resource and scope: what spans and log records have in common.
struct Origin<'a> {
    attributes: TextColumn<'a>,
    dropped_attributes: U32Column<'a>,
    promoted: PromotedColumns<'a>,
    resource: TextColumn<'a>,
    scope: TextColumn<'a>,
    // Few resources and scopes are shared by many rows: each text is parsed once a batch.
    resources: RefCell<HashMap<&'a str, Resource>>,
    scopes: RefCell<HashMap<&'a str, Scope>>,
    // By the batch's dictionary: numbers in an answer's [`Origins`].
    resource_numbers: Vec<Option<usize>>,
    scope_numbers: Vec<Option<usize>>,
}

impl<'a> Origin<'a> {
    fn new(batch: &'a RecordBatch) -> Origin<'a> {
        Origin {
            attributes: TextColumn::new(batch, "attributes"),
            dropped_attributes: U32Column::new(batch, "dropped_attributes_count"),
            promoted: PromotedColumns::new(batch),
            resource: TextColumn::new(batch, "resource"),
            scope: TextColumn::new(batch, "scope"),
            resources: RefCell::default(),
            scopes: RefCell::default(),
            resource_numbers: Vec::new(),
            scope_numbers: Vec::new(),
        }
    }

    /// Appends the attributes, as an object.
    fn write_attributes(&self, row: usize, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut written = self.attributes.get(row).map_or(0, |text| attributes::write_native_members(out, text));
        for (key, column) in &self.promoted.0 {
            let mut member = |out: &mut Vec<u8>| {
                if written > 0 {
                    out.push(b',');
                }
                written += 1;
                attributes::write_string(out, key);
                out.push(b':');
            };
            match column {
                PromotedColumn::Text(column) => {
                    let Some(text) = column.get(row) else { continue };
                    member(out);
                    attributes::write_string(out, text);
                }
                PromotedColumn::Int(column) => {
                    let Some(whole) = column.get(row) else { continue };
                    member(out);
                    attributes::write_int(out, whole);
                }
            }
        }
        out.push(b'}');
    }

    /// Appends resource and scope, or their numbers.
    fn write_origin(&mut self, row: usize, object: &mut Object<'_>, origins: &mut Origins) {
        let resource = number(&self.resource, row, &mut self.resource_numbers, &mut origins.resources);
        let scope = number(&self.scope, row, &mut self.scope_numbers, &mut origins.scopes);
        origins.write(object, resource, scope);
    }

    fn attributes(&self, row: usize) -> Map<String, Value> {
        let mut map = self.attributes.get(row).map(native_attributes).unwrap_or_default();
        for (key, value) in self.promoted.values(row) {
            map.insert(key.to_owned(), attributes::to_native(&value));
        }
        map
    }

    fn resource(&self, row: usize) -> Resource {
        let Some(text) = self.resource.get(row) else { return Resource::default() };
        self.resources.borrow_mut().entry(text).or_insert_with(|| parse_resource(text)).clone()
    }

    fn scope(&self, row: usize) -> Scope {
        let Some(text) = self.scope.get(row) else { return Scope::default() };
        self.scopes.borrow_mut().entry(text).or_insert_with(|| parse_scope(text)).clone()
    }
}

/// Number of the row's value among the answer's, looked up once for each value of the batch's dictionary.
fn number(column: &TextColumn<'_>, row: usize, known: &mut Vec<Option<usize>>, distinct: &mut Distinct) -> usize {
    let text = column.get(row).unwrap_or_default();
    let Some(key) = column.key(row) else { return distinct.number(text) };
    if known.len() <= key {
        known.resize(key + 1, None);
    }
    *known[key].get_or_insert_with(|| distinct.number(text))
}

fn parse_resource(text: &str) -> Resource {
    let mut resource = Resource::default();
    for (key, value) in attributes::parse_key_values(text).unwrap_or_default() {
        match (key.as_str(), value) {
            ("attributes", list) => resource.attributes = object(&list),
            ("dropped_attributes_count", AnyValue::Int(count)) => {
                resource.dropped_attributes_count = u32::try_from(count).unwrap_or(u32::MAX);
            }
            ("schema_url", AnyValue::String(url)) => resource.schema_url = url,
            _ => {}
        }
    }
    resource
}

fn parse_scope(text: &str) -> Scope {
    let mut scope = Scope::default();
    for (key, value) in attributes::parse_key_values(text).unwrap_or_default() {
        match (key.as_str(), value) {
            ("name", AnyValue::String(name)) => scope.name = name,
            ("version", AnyValue::String(version)) => scope.version = version,
            ("attributes", list) => scope.attributes = object(&list),
            ("schema_url", AnyValue::String(url)) => scope.schema_url = url,
            _ => {}
        }
    }
    scope
}

fn object(value: &AnyValue) -> Map<String, Value> {
    match attributes::to_native(value) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_and_scopes_read_back() {
        let resource = parse_resource(
            r#"{"attributes":{"service.name":"shop","n":1},"dropped_attributes_count":2,"schema_url":"u"}"#,
        );
        assert_eq!(resource.attributes["service.name"], "shop");
        assert_eq!((resource.dropped_attributes_count, resource.schema_url.as_str()), (2, "u"));
        let scope = parse_scope(r#"{"name":"lib","version":"1","attributes":{"a":true}}"#);
        assert_eq!((scope.name.as_str(), scope.version.as_str()), ("lib", "1"));
        assert_eq!(scope.attributes["a"], true);
        assert_eq!(parse_scope("not json"), Scope::default());
    }
}
