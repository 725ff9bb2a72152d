//! What the requests of all signals have in common: resources, in them scopes, in them records.

use crate::Stop;
use crate::json::{Json, Shape};
use crate::json_fields::{read_resource as json_resource, read_scope as json_scope, set_text};
use crate::notes::{Notes, Warning};
use crate::origin::{Origin, Parts};
use crate::wire::{Fields, Value, bytes};

/// What JSON calls the levels of a signal.
pub(crate) struct JsonNames {
    pub resources: &'static [u8],
    pub scopes: &'static [u8],
    pub records: &'static [u8],
    /// Levels that OTLP had before 0.15.
    pub removed: [&'static [u8]; 2],
}

/// The tables of one signal, as the envelope drives them.
pub(crate) trait Records {
    const NAMES: JsonNames;
    /// Whether a record can only be read once its resource and scope are known, which costs hopping over the records
    /// first.
    const ORIGIN_FIRST: bool;

    fn begin_resource(&mut self);
    fn begin_scope(&mut self);
    /// Reads one record, or one metric with its points.
    fn read_protobuf(&mut self, message: &[u8], origin: &Origin, notes: &mut Notes) -> Result<(), Stop>;
    fn read_json(&mut self, json: &mut Json<'_>, origin: &Origin, notes: &mut Notes) -> Result<(), Stop>;
    fn end_scope(&mut self, origin: &Origin);
    fn end_resource(&mut self, origin: &Origin);
}

/// Field number of the instrumentation-library levels of OTLP before 0.15.
const REMOVED_FIELD: u32 = 1000;

/// Walks a protobuf request.
pub(crate) fn walk_protobuf<R: Records>(
    body: &[u8],
    records: &mut R,
    origin: &mut Origin,
    notes: &mut Notes,
) -> Result<(), Stop> {
    let mut fields = Fields::new(body);
    while let Some(field) = fields.field()? {
        if let (1, Value::Bytes(resource)) = field {
            walk_resource(resource, records, origin, notes)?;
        }
    }
    Ok(())
}

/// Reads a resource or scope level: hands each message inside to `inner`, and returns what says where they come from.
fn read_level<'a>(message: &'a [u8], mut inner: impl FnMut(&'a [u8]) -> Result<(), Stop>) -> Result<Parts<'a>, Stop> {
    const ORIGIN: u32 = bytes(1);
    const INNER: u32 = bytes(2);
    const SCHEMA_URL: u32 = bytes(3);
    let mut parts = Parts::default();
    let mut fields = Fields::new(message);
    while let Some(tag) = fields.tag()? {
        match tag {
            INNER => inner(fields.bytes()?)?,
            ORIGIN => parts.add(fields.bytes()?),
            SCHEMA_URL => parts.schema_url = fields.bytes()?,
            other => {
                parts.removed |= other >> 3 == REMOVED_FIELD;
                fields.skip(other)?;
            }
        }
    }
    Ok(parts)
}

fn walk_resource<R: Records>(
    message: &[u8],
    records: &mut R,
    origin: &mut Origin,
    notes: &mut Notes,
) -> Result<(), Stop> {
    notes.begin_resource();
    if R::ORIGIN_FIRST {
        origin.set_resource(&read_level(message, |_| Ok(()))?, notes)?;
    }
    records.begin_resource();
    let parts = read_level(message, |scope| walk_scope(scope, records, origin, notes))?;
    if !R::ORIGIN_FIRST {
        origin.set_resource(&parts, notes)?;
    }
    if parts.removed {
        notes.warn(Warning::RemovedField);
    }
    records.end_resource(origin);
    notes.end_resource(origin.service_name());
    Ok(())
}

fn walk_scope<R: Records>(message: &[u8], records: &mut R, origin: &mut Origin, notes: &mut Notes) -> Result<(), Stop> {
    if R::ORIGIN_FIRST {
        origin.set_scope(&read_level(message, |_| Ok(()))?, notes)?;
    }
    records.begin_scope();
    let parts = read_level(message, |record| records.read_protobuf(record, origin, notes))?;
    if !R::ORIGIN_FIRST {
        origin.set_scope(&parts, notes)?;
    }
    records.end_scope(origin);
    Ok(())
}

const NOT_AN_OBJECT: Stop = Stop::Malformed("an object was expected");
const NOT_A_LIST: Stop = Stop::Malformed("a list was expected");

/// Walks a JSON request.
pub(crate) fn walk_json<R: Records>(
    json: &mut Json<'_>,
    records: &mut R,
    origin: &mut Origin,
    notes: &mut Notes,
) -> Result<(), Stop> {
    let shape = json.object(|json, key| {
        if key == R::NAMES.resources {
            let shape = json.array(|json| json_resource_level(json, records, origin, notes))?;
            return need(shape, NOT_A_LIST);
        }
        json.skip_unknown()
    })?;
    match shape {
        Shape::Open => json.end(),
        Shape::Null | Shape::Other => Err(NOT_AN_OBJECT),
    }
}

/// Lists and objects of the envelope may be null but nothing else.
fn need(shape: Shape, stop: Stop) -> Result<(), Stop> {
    if shape == Shape::Other { Err(stop) } else { Ok(()) }
}

fn json_resource_level<R: Records>(
    json: &mut Json<'_>,
    records: &mut R,
    origin: &mut Origin,
    notes: &mut Notes,
) -> Result<(), Stop> {
    origin.begin_resource();
    notes.begin_resource();
    records.begin_resource();
    let mut later = None;
    let shape = json.object(|json, key| match key {
        b"resource" => {
            let url = std::mem::take(&mut origin.resource.schema_url);
            origin.begin_resource();
            origin.resource.schema_url = url;
            json_resource(json, &mut origin.resource, notes)
        }
        b"schemaUrl" => set_text(json, &mut origin.resource.schema_url, notes),
        key if key == R::NAMES.scopes && R::ORIGIN_FIRST => {
            later = Some(json.position());
            json.skip()
        }
        key if key == R::NAMES.scopes => json_scopes(json, records, origin, notes),
        key => skip_level::<R>(json, key, notes),
    })?;
    need(shape, NOT_AN_OBJECT)?;
    origin.finish_resource(notes);
    if let Some(position) = later {
        json.revisit(position, |json| json_scopes(json, records, origin, notes))?;
    }
    records.end_resource(origin);
    notes.end_resource(origin.service_name());
    Ok(())
}

fn json_scopes<R: Records>(
    json: &mut Json<'_>,
    records: &mut R,
    origin: &mut Origin,
    notes: &mut Notes,
) -> Result<(), Stop> {
    let shape = json.array(|json| json_scope_level(json, records, origin, notes))?;
    need(shape, NOT_A_LIST)
}

fn json_scope_level<R: Records>(
    json: &mut Json<'_>,
    records: &mut R,
    origin: &mut Origin,
    notes: &mut Notes,
) -> Result<(), Stop> {
    origin.begin_scope();
    records.begin_scope();
    let mut later = None;
    let shape = json.object(|json, key| match key {
        b"scope" => {
            let url = std::mem::take(&mut origin.scope.schema_url);
            origin.begin_scope();
            origin.scope.schema_url = url;
            json_scope(json, &mut origin.scope, notes)
        }
        b"schemaUrl" => set_text(json, &mut origin.scope.schema_url, notes),
        key if key == R::NAMES.records && R::ORIGIN_FIRST => {
            later = Some(json.position());
            json.skip()
        }
        key if key == R::NAMES.records => json_records(json, records, origin, notes),
        key => skip_level::<R>(json, key, notes),
    })?;
    need(shape, NOT_AN_OBJECT)?;
    origin.finish_scope(notes);
    if let Some(position) = later {
        json.revisit(position, |json| json_records(json, records, origin, notes))?;
    }
    records.end_scope(origin);
    Ok(())
}

fn json_records<R: Records>(
    json: &mut Json<'_>,
    records: &mut R,
    origin: &Origin,
    notes: &mut Notes,
) -> Result<(), Stop> {
    let shape = json.array(|json| records.read_json(json, origin, notes))?;
    need(shape, NOT_A_LIST)
}

fn skip_level<R: Records>(json: &mut Json<'_>, key: &[u8], notes: &mut Notes) -> Result<(), Stop> {
    if R::NAMES.removed.contains(&key) {
        notes.warn(Warning::RemovedField);
    }
    json.skip_unknown()
}
