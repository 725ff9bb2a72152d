//! Reading a trace's answer in one pass over its text: every record where it stands, of each what the waterfall needs.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::document::{DecodeError, LogHead, Refs, SpanHead, TraceDocument, id_number};
use super::walk::{Unexpected, Walk};
use crate::order;

/// The service of a record whose resource names none.
const UNKNOWN_SERVICE: &str = "unknown_service";

/// Reads an answer.
pub(super) fn read(bytes: Arc<Vec<u8>>) -> Result<TraceDocument, DecodeError> {
    let text = std::str::from_utf8(&bytes).map_err(|error| DecodeError(error.to_string()))?;
    let mut answer = Answer::default();
    let walked = Walk::new(text).members(|walk, key| answer.take(key, walk));
    walked.map_err(|error| DecodeError(format!("it is no JSON object, or breaks off, at byte {}", error.at)))?;
    Ok(answer.finish(bytes.clone()))
}

/// What was read so far. Services are numbered at the end: the tables may stand behind the records.
#[derive(Default)]
struct Answer<'a> {
    document: TraceDocument,
    complete: bool,
    /// The service name, as JSON, of each span and log record that holds its own resource.
    span_services: Vec<Option<&'a str>>,
    log_services: Vec<Option<&'a str>>,
    resource_services: Vec<Option<&'a str>>,
    names: HashMap<Cow<'a, str>, Arc<str>>,
}

impl<'a> Answer<'a> {
    fn take(&mut self, key: &str, walk: &mut Walk<'a>) -> Result<(), Unexpected> {
        let document = &mut self.document;
        match key {
            "spans" => {
                let unreadable = walk.elements(|walk| self.span(walk))?;
                self.document.unreadable += unreadable;
            }
            "logs" => {
                let unreadable = walk.elements(|walk| self.log(walk))?;
                self.document.unreadable += unreadable;
            }
            "resources" => {
                let services = &mut self.resource_services;
                walk.elements(|walk| {
                    let place = walk.skip()?;
                    // An entry keeps its number whatever it holds.
                    services.push(service_name(&mut Walk::new(walk.slice(place.clone()))).unwrap_or(None));
                    document.resources.push(place);
                    Ok(())
                })?;
            }
            "scopes" => {
                walk.elements(|walk| {
                    document.scopes.push(walk.skip()?);
                    Ok(())
                })?;
            }
            "brief" => document.is_brief = parsed(walk)?,
            "trace_id" => document.trace_id = parsed(walk)?,
            "exemplars" => document.exemplars = parsed(walk)?,
            "last_seen" => document.last_seen = parsed(walk)?,
            "stats" => document.stats = parsed(walk)?,
            "complete" => self.complete = parsed(walk)?,
            "incomplete_because" => document.incomplete_because = parsed(walk)?,
            _ => {
                walk.skip()?;
            }
        }
        Ok(())
    }

    fn span(&mut self, walk: &mut Walk<'a>) -> Result<(), Unexpected> {
        let start = walk.skip_ahead()?;
        let (mut id, mut name, mut begin, mut end) = (None, None, None, None);
        let mut service = None;
        let mut head = SpanHead::default();
        walk.members(|walk, key| {
            match key {
                "span_id" => id = Some(id_number(&walk.string()?)),
                "parent_span_id" => {
                    let parent = walk.optional_string()?;
                    head.parent = parent.filter(|id| !id.is_empty()).map(|id| id_number(&id));
                }
                "name" => name = Some(walk.string()?),
                "kind" => head.kind = walk.integer()? as i32,
                "start_time_unix_nano" => begin = Some(walk.integer()?),
                "end_time_unix_nano" => end = Some(walk.integer()?),
                "status" => walk.members(|walk, key| {
                    match key {
                        "code" => head.is_error = walk.integer()? == 2,
                        _ => {
                            walk.skip()?;
                        }
                    }
                    Ok(())
                })?,
                "attributes" => head.attributes = walk.skip()?,
                "events" => {
                    walk.elements(|walk| {
                        head.events += 1;
                        walk.skip().map(drop)
                    })?;
                }
                "resource" => service = service_name(walk)?,
                "resource_ref" => head.refs.resource = reference(walk)?,
                "scope_ref" => head.refs.scope = reference(walk)?,
                _ => {
                    walk.skip()?;
                }
            }
            Ok(())
        })?;
        let missing = Unexpected { at: start };
        let (Some(id), Some(name), Some(begin), Some(end)) = (id, name, begin, end) else { return Err(missing) };
        head.name = match self.names.get(&name) {
            Some(known) => known.clone(),
            None => {
                let shared: Arc<str> = Arc::from(&*name);
                self.names.insert(name, shared.clone());
                shared
            }
        };
        (head.id, head.start, head.end) = (id, begin, end);
        head.raw = start..walk.place();
        self.span_services.push(service);
        self.document.spans.push(head);
        Ok(())
    }

    fn log(&mut self, walk: &mut Walk<'a>) -> Result<(), Unexpected> {
        let start = walk.skip_ahead()?;
        let (mut time, mut service, mut body) = (None, None, serde_json::Value::Null);
        let mut head = LogHead::default();
        walk.members(|walk, key| {
            match key {
                "time_unix_nano" => time = Some(walk.integer()?),
                "severity_number" => head.severity = walk.integer()? as i32,
                "body" => body = parsed(walk)?,
                "span_id" => head.span = walk.optional_string()?.map(|id| id_number(&id)),
                "resource" => service = service_name(walk)?,
                "resource_ref" => head.refs.resource = reference(walk)?,
                "scope_ref" => head.refs.scope = reference(walk)?,
                _ => {
                    walk.skip()?;
                }
            }
            Ok(())
        })?;
        head.time = time.ok_or(Unexpected { at: start })?;
        head.line = crate::fields::one_line(&body);
        head.raw = start..walk.place();
        self.log_services.push(service);
        self.document.logs.push(head);
        Ok(())
    }

    fn finish(self, text: Arc<Vec<u8>>) -> TraceDocument {
        let mut services = Services::default();
        let table = &self.resource_services;
        let mut numbered: Vec<Option<u16>> = vec![None; table.len()];
        let mut number = |refs: Refs, own: Option<&str>| match refs.resource.map(|at| at as usize) {
            Some(at) if at < table.len() => *numbered[at].get_or_insert_with(|| services.number(table[at])),
            _ => services.number(own),
        };
        let mut document = self.document;
        for (head, own) in document.spans.iter_mut().zip(&self.span_services) {
            head.service = number(head.refs, *own);
        }
        for (head, own) in document.logs.iter_mut().zip(&self.log_services) {
            head.service = number(head.refs, *own);
        }
        document.services = services.names;
        document.logs_by_span = by_span(&document.logs);
        if !self.complete && document.incomplete_because.is_empty() {
            document.incomplete_because.push("the server did not say why".to_owned());
        }
        document.text = text;
        document
    }
}

/// Indexes of log records by the span they name, in time order.
fn by_span(logs: &[LogHead]) -> HashMap<u64, Vec<u32>> {
    let mut found: HashMap<u64, Vec<u32>> = HashMap::new();
    for index in order::sorted_by_number(logs.len(), &|at| logs[at].time) {
        if let Some(span) = logs[index].span {
            found.entry(span).or_default().push(index as u32);
        }
    }
    found
}

/// A value that is small enough to be parsed at once.
fn parsed<T: DeserializeOwned>(walk: &mut Walk<'_>) -> Result<T, Unexpected> {
    let place = walk.skip()?;
    let at = place.start;
    serde_json::from_str(walk.slice(place)).map_err(|_| Unexpected { at })
}

/// A number of a table's entry, or `null`.
fn reference(walk: &mut Walk<'_>) -> Result<Option<u32>, Unexpected> {
    parsed::<Option<u32>>(walk)
}

/// The JSON of `service.name` in a resource.
fn service_name<'a>(walk: &mut Walk<'a>) -> Result<Option<&'a str>, Unexpected> {
    let mut found: Option<Range<usize>> = None;
    walk.members(|walk, key| match key {
        "attributes" => walk.members(|walk, key| {
            let place = walk.skip()?;
            if key == "service.name" {
                found = Some(place);
            }
            Ok(())
        }),
        _ => walk.skip().map(drop),
    })?;
    Ok(found.map(|place| walk.slice(place)))
}

/// Service names, numbered as they appear.
#[derive(Default)]
struct Services {
    names: Vec<String>,
    numbers: HashMap<String, u16>,
}

impl Services {
    fn number(&mut self, raw: Option<&str>) -> u16 {
        let raw = raw.unwrap_or_default();
        if let Some(number) = self.numbers.get(raw) {
            return *number;
        }
        let name = match raw {
            "" => UNKNOWN_SERVICE.to_owned(),
            raw => serde_json::from_str::<String>(raw).unwrap_or_else(|_| raw.to_owned()),
        };
        let number = u16::try_from(self.names.len()).unwrap_or(u16::MAX);
        self.names.push(name);
        self.numbers.insert(raw.to_owned(), number);
        number
    }
}
