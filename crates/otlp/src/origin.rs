//! The resource and scope of the records being read, rendered once, and the columns they fill.

use arrow::error::ArrowError;
use model::attributes::{entries, native_text, write_int, write_string};
use schema::{PROMOTED_RESOURCE, UNKNOWN_SERVICE};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::ops::Range;
use std::sync::Arc;

use crate::Stop;
use crate::any_value::attribute;
use crate::attributes::SortedAttributes;
use crate::columns::Keywords;
use crate::dictionary::{Identity, SEED};
use crate::freeze::Assembly;
use crate::notes::Notes;
use crate::wire::{Fields, Value};

/// Levels around a value inside `{"attributes":{…}}`.
pub(crate) const ORIGIN_DEPTH: usize = 2;

pub(crate) const SERVICE_NAME: &str = "service.name";

/// An entity a resource stands for.
#[derive(Default)]
pub(crate) struct EntityRef {
    pub schema_url: String,
    pub kind: String,
    pub id_keys: Vec<String>,
    pub description_keys: Vec<String>,
}

/// A resource while it is read.
#[derive(Default)]
pub(crate) struct Resource {
    pub attributes: SortedAttributes,
    pub dropped: u32,
    pub schema_url: String,
    pub entity_refs: Vec<EntityRef>,
}

/// A scope while it is read.
#[derive(Default)]
pub(crate) struct Scope {
    pub name: String,
    pub version: String,
    pub attributes: SortedAttributes,
    pub dropped: u32,
    pub schema_url: String,
}

/// Writes the members of an object that are not default, in the order they are given.
struct Members<'a> {
    out: &'a mut String,
}

impl<'a> Members<'a> {
    fn of(out: &'a mut String) -> Members<'a> {
        out.clear();
        Members { out }
    }

    fn name(&mut self, name: &str) {
        self.out.push(if self.out.is_empty() { '{' } else { ',' });
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
    }

    /// A key-value list, wrapped like any that is a value, so that the whole text reads as a canonical value.
    fn list(&mut self, name: &str, json: &str) {
        let wrapped = json.starts_with(r#"{"$"#);
        if !json.is_empty() {
            self.name(name);
            self.out.push_str(if wrapped { r#"{"$kvlist":"# } else { "" });
            self.out.push_str(json);
            self.out.push_str(if wrapped { "}" } else { "" });
        }
    }

    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.name(name);
            write_string(self.out, text);
        }
    }

    fn count(&mut self, name: &str, count: u32) {
        if count > 0 {
            self.name(name);
            write_int(self.out, i64::from(count));
        }
    }

    fn texts(&mut self, name: &str, texts: &[String]) {
        for (at, text) in texts.iter().enumerate() {
            if at == 0 {
                self.name(name);
            }
            self.out.push(if at == 0 { '[' } else { ',' });
            write_string(self.out, text);
        }
        if !texts.is_empty() {
            self.out.push(']');
        }
    }

    /// Nothing at all where every member was default.
    fn end(self) {
        if !self.out.is_empty() {
            self.out.push('}');
        }
    }
}

/// A resource as it is stored.
#[derive(Default)]
pub(crate) struct RenderedResource {
    /// Canonical text, empty where everything is default.
    pub text: String,
    pub hash: u64,
    /// Value of each key of `PROMOTED_RESOURCE`, empty where there is none.
    promoted: [String; PROMOTED_RESOURCE.len()],
}

/// A scope as it is stored.
#[derive(Default)]
pub(crate) struct RenderedScope {
    /// Canonical text, empty where everything is default.
    pub text: String,
    pub hash: u64,
}

/// The resource and scope in force.
#[derive(Default)]
pub(crate) struct Origin {
    pub resource: Resource,
    pub scope: Scope,
    rendered_resource: Arc<RenderedResource>,
    rendered_scope: Arc<RenderedScope>,
    resources: Known<RenderedResource>,
    scopes: Known<RenderedScope>,
}

/// The protobuf fields that make a resource or scope.
#[derive(Default)]
pub(crate) struct Parts<'a> {
    message: &'a [u8],
    /// Further messages, which merge into the first.
    more: Vec<&'a [u8]>,
    pub schema_url: &'a [u8],
    /// A level of before OTLP 0.15 was found beside them.
    pub removed: bool,
}

impl<'a> Parts<'a> {
    pub fn add(&mut self, message: &'a [u8]) {
        // Merging into an empty message changes nothing.
        match self.message.is_empty() {
            true => self.message = message,
            false => self.more.push(message),
        }
    }
}

/// Entries and bytes of what is remembered; beyond either all of it is forgotten.
const KNOWN_ENTRIES_MAX: usize = 4096;
const KNOWN_BYTES_MAX: usize = 4 << 20;

/// The bytes that something came as, and what they were rendered as.
type Recalled<T> = (Box<[u8]>, Arc<T>);

/// What was rendered, by the bytes that it came as: few resources send many requests.
struct Known<T> {
    by_hash: HashMap<u64, Recalled<T>, BuildHasherDefault<Identity>>,
    bytes: usize,
    /// The bytes looked for last, and their hash.
    key: Vec<u8>,
    hash: u64,
}

impl<T> Default for Known<T> {
    fn default() -> Known<T> {
        Known { by_hash: HashMap::default(), bytes: 0, key: Vec::new(), hash: 0 }
    }
}

impl<T> Known<T> {
    fn find(&mut self, parts: &Parts<'_>) -> Option<Arc<T>> {
        self.key.clear();
        self.key.extend_from_slice(parts.message);
        self.key.extend_from_slice(parts.schema_url);
        self.key.extend_from_slice(&(parts.message.len() as u64).to_le_bytes());
        self.hash = xxh3_64_with_seed(&self.key, *SEED);
        let (bytes, known) = self.by_hash.get(&self.hash)?;
        (**bytes == *self.key).then(|| known.clone())
    }

    /// Remembers what the bytes looked for last were rendered as.
    fn put(&mut self, rendered: Arc<T>) {
        if self.by_hash.len() >= KNOWN_ENTRIES_MAX || self.bytes + self.key.len() > KNOWN_BYTES_MAX {
            self.by_hash.clear();
            self.bytes = 0;
        }
        if self.key.len() <= KNOWN_BYTES_MAX / 64 {
            self.bytes += self.key.len();
            self.by_hash.insert(self.hash, (self.key.as_slice().into(), rendered));
        }
    }
}

impl Origin {
    /// The resource in force.
    pub fn resource(&self) -> &RenderedResource {
        &self.rendered_resource
    }

    /// The scope in force.
    pub fn scope(&self) -> &RenderedScope {
        &self.rendered_scope
    }

    /// Takes a resource as protobuf has it.
    pub fn set_resource(&mut self, parts: &Parts<'_>, notes: &mut Notes) -> Result<(), Stop> {
        if let Some(known) = self.resources.find(parts).filter(|_| parts.more.is_empty()) {
            self.rendered_resource = known;
            return Ok(());
        }
        self.begin_resource();
        let before = notes.take_warnings();
        for message in std::iter::once(&parts.message).chain(&parts.more) {
            read_resource(message, &mut self.resource, notes)?;
        }
        replace(&mut self.resource.schema_url, &notes.text(parts.schema_url));
        self.finish_resource(notes);
        // What had to be mended is said each time, and entities are counted each time.
        if !notes.add_warnings(before) && parts.more.is_empty() && self.resource.entity_refs.is_empty() {
            self.resources.put(self.rendered_resource.clone());
        }
        Ok(())
    }

    /// Takes a scope as protobuf has it.
    pub fn set_scope(&mut self, parts: &Parts<'_>, notes: &mut Notes) -> Result<(), Stop> {
        if let Some(known) = self.scopes.find(parts).filter(|_| parts.more.is_empty()) {
            self.rendered_scope = known;
            return Ok(());
        }
        self.begin_scope();
        let before = notes.take_warnings();
        for message in std::iter::once(&parts.message).chain(&parts.more) {
            read_scope(message, &mut self.scope, notes)?;
        }
        replace(&mut self.scope.schema_url, &notes.text(parts.schema_url));
        self.finish_scope(notes);
        if !notes.add_warnings(before) && parts.more.is_empty() {
            self.scopes.put(self.rendered_scope.clone());
        }
        Ok(())
    }

    pub fn begin_resource(&mut self) {
        self.resource.attributes.clear();
        self.resource.dropped = 0;
        self.resource.schema_url.clear();
        self.resource.entity_refs.clear();
    }

    pub fn begin_scope(&mut self) {
        self.scope.name.clear();
        self.scope.version.clear();
        self.scope.attributes.clear();
        self.scope.dropped = 0;
        self.scope.schema_url.clear();
    }

    /// The resource is complete.
    pub fn finish_resource(&mut self, notes: &mut Notes) {
        notes.settle_origin();
        let Resource { attributes, dropped, schema_url, entity_refs } = &mut self.resource;
        let dropped = dropped.saturating_add(attributes.over);
        let attributes = text_of(attributes.finish());
        let mut rendered = RenderedResource::default();
        for (key, raw) in entries(attributes).filter(|(_, raw)| raw.starts_with('"')) {
            if let Ok(at) = PROMOTED_RESOURCE.binary_search_by(|entry| entry.key.cmp(&key)) {
                rendered.promoted[at] = native_text(raw).into_owned();
            }
        }
        let mut members = Members::of(&mut rendered.text);
        members.list("attributes", attributes);
        members.count("dropped_attributes_count", dropped);
        members.text("schema_url", schema_url);
        if !entity_refs.is_empty() {
            members.name("entity_refs");
            let mut text = String::new();
            for (at, entity) in entity_refs.iter().enumerate() {
                let mut element = Members::of(&mut text);
                element.text("schema_url", &entity.schema_url);
                element.text("type", &entity.kind);
                element.texts("id_keys", &entity.id_keys);
                element.texts("description_keys", &entity.description_keys);
                element.end();
                members.out.push(if at == 0 { '[' } else { ',' });
                members.out.push_str(if text.is_empty() { "{}" } else { &text });
            }
            members.out.push(']');
        }
        members.end();
        rendered.hash = xxh3_64(rendered.text.as_bytes());
        self.rendered_resource = Arc::new(rendered);
    }

    /// The scope is complete.
    pub fn finish_scope(&mut self, notes: &mut Notes) {
        notes.settle_origin();
        let Scope { name, version, attributes, dropped, schema_url } = &mut self.scope;
        let dropped = dropped.saturating_add(attributes.over);
        let mut rendered = RenderedScope::default();
        let mut members = Members::of(&mut rendered.text);
        members.text("name", name);
        members.text("version", version);
        members.list("attributes", text_of(attributes.finish()));
        members.count("dropped_attributes_count", dropped);
        members.text("schema_url", schema_url);
        members.end();
        rendered.hash = xxh3_64(rendered.text.as_bytes());
        self.rendered_scope = Arc::new(rendered);
    }

    /// The service's name; a constant where the resource names none.
    pub fn service_name(&self) -> &str {
        let at = PROMOTED_RESOURCE.iter().position(|entry| entry.key == SERVICE_NAME);
        at.map(|at| self.rendered_resource.promoted[at].as_str())
            .filter(|name| !name.is_empty())
            .unwrap_or(UNKNOWN_SERVICE)
    }
}

/// The columns of spans and log records that say where they came from. They are filled for a whole run of rows
/// when its scope or resource ends.
#[derive(Default)]
pub(crate) struct OriginColumns {
    promoted: [Keywords; PROMOTED_RESOURCE.len()],
    resource: Keywords,
    scope: Keywords,
    /// Keys of resources that have been filled in, by their address, which holding them keeps from being another's.
    /// For as long as nothing leaves the dictionaries.
    filled: HashMap<u64, (Arc<RenderedResource>, ResourceKeys), BuildHasherDefault<Identity>>,
}

/// Keys in the promoted columns and `resource`; none where there is no text.
type ResourceKeys = ([Option<i32>; PROMOTED_RESOURCE.len()], Option<i32>);

impl OriginColumns {
    pub fn fill_scope(&mut self, rows: Range<usize>, origin: &Origin) {
        self.scope.fill_unless_empty(rows, &origin.scope().text);
    }

    pub fn fill_resource(&mut self, rows: Range<usize>, origin: &Origin) {
        if rows.is_empty() {
            return;
        }
        let (promoted, resource) = self.resource_keys(origin);
        self.resource.fill_key(rows.clone(), resource);
        for (column, key) in self.promoted.iter_mut().zip(promoted) {
            column.fill_key(rows.clone(), key);
        }
    }

    fn resource_keys(&mut self, origin: &Origin) -> ResourceKeys {
        let rendered = &origin.rendered_resource;
        // Mixed, for neither the low nor the high bits of addresses differ.
        let address = (Arc::as_ptr(rendered).addr() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if let Some((_, keys)) = self.filled.get(&address) {
            return *keys;
        }
        let mut promoted = [None; PROMOTED_RESOURCE.len()];
        let columns = PROMOTED_RESOURCE.iter().zip(&mut self.promoted).zip(&rendered.promoted);
        for (((entry, column), value), key) in columns.zip(&mut promoted) {
            *key = column.intern_unless_empty(if entry.key == SERVICE_NAME { origin.service_name() } else { value });
        }
        let keys = (promoted, self.resource.intern_unless_empty(&rendered.text));
        if self.filled.len() >= KNOWN_ENTRIES_MAX {
            self.filled.clear();
        }
        self.filled.insert(address, (rendered.clone(), keys));
        keys
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Keywords> {
        self.promoted.iter_mut().chain([&mut self.resource, &mut self.scope])
    }

    pub fn mark(&mut self) {
        self.all().for_each(Keywords::mark);
    }

    pub fn roll_back(&mut self, rows: usize) {
        self.filled.clear();
        self.all().for_each(|column| column.roll_back(rows));
    }

    pub fn freeze(&mut self, assembly: &mut Assembly) -> Result<(), ArrowError> {
        self.filled.clear();
        for (entry, column) in PROMOTED_RESOURCE.iter().zip(&mut self.promoted) {
            assembly.keywords(entry.column, column)?;
        }
        assembly.keywords("resource", &mut self.resource)?;
        assembly.keywords("scope", &mut self.scope)
    }
}

/// Reads a protobuf Resource; a second one merges into the first.
pub(crate) fn read_resource(message: &[u8], resource: &mut Resource, notes: &mut Notes) -> Result<(), Stop> {
    let mut fields = Fields::new(message);
    while let Some(field) = fields.field()? {
        match field {
            (1, Value::Bytes(message)) => attribute(&mut resource.attributes, message, ORIGIN_DEPTH, notes)?,
            (2, Value::Varint(count)) => resource.dropped = count as u32,
            (3, Value::Bytes(message)) => {
                let entity = read_entity_ref(message, notes)?;
                resource.entity_refs.push(entity);
            }
            _ => {}
        }
    }
    Ok(())
}

fn read_entity_ref(message: &[u8], notes: &mut Notes) -> Result<EntityRef, Stop> {
    notes.count_one()?;
    let mut entity = EntityRef::default();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.field()? {
        let (number, Value::Bytes(bytes)) = field else { continue };
        let text = notes.text(bytes).into_owned();
        match number {
            1 => entity.schema_url = text,
            2 => entity.kind = text,
            3 => entity.id_keys.push(text),
            4 => entity.description_keys.push(text),
            _ => {}
        }
    }
    Ok(entity)
}

/// Reads a protobuf InstrumentationScope; a second one merges into the first.
pub(crate) fn read_scope(message: &[u8], scope: &mut Scope, notes: &mut Notes) -> Result<(), Stop> {
    let mut fields = Fields::new(message);
    while let Some(field) = fields.field()? {
        match field {
            (1, Value::Bytes(bytes)) => replace(&mut scope.name, &notes.text(bytes)),
            (2, Value::Bytes(bytes)) => replace(&mut scope.version, &notes.text(bytes)),
            (3, Value::Bytes(message)) => attribute(&mut scope.attributes, message, ORIGIN_DEPTH, notes)?,
            (4, Value::Varint(count)) => scope.dropped = count as u32,
            _ => {}
        }
    }
    Ok(())
}

/// What was written as text.
pub(crate) fn text_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Sets a text, keeping its memory.
pub(crate) fn replace(text: &mut String, with: &str) {
    text.clear();
    text.push_str(with);
}
