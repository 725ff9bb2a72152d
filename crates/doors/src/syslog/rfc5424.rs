//! RFC 5424: `1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG`, where `-` says that there is none.

use model::time::parse_rfc3339;
use otlp_wire::LogDraft;

use super::Origin;
use crate::ids;

/// Bytes of an id or a name in structured data; RFC 5424 allows 32. An id is repeated for each of its parameters, so
/// what it may be bounds what a message becomes.
const NAME_BYTES_MAX: usize = 128;

/// The id of structured data that carry the context of a trace.
const TRACE_DATA: &str = "opentelemetry";

/// Reads what follows the version and returns the message; nothing where the head is not whole, and then the draft has
/// what could be read of it.
pub(super) fn read<'a>(text: &'a str, draft: &mut LogDraft, origin: &mut Origin) -> Option<&'a str> {
    let mut rest = text;
    let mut next = || {
        let (field, after) = rest.split_once(' ')?;
        rest = after;
        Some(if field == "-" { "" } else { field })
    };
    let (time, host, app, process, id) = (next()?, next()?, next()?, next()?, next()?);
    let (data, message) = structured_data(rest)?;
    let nanos = parse_rfc3339(time).and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or_default();
    if nanos > 0 {
        draft.time = nanos;
    } else if !time.is_empty() {
        draft.text_attribute("syslog.timestamp", time);
    }
    origin.host.push_str(host);
    origin.app.push_str(app);
    draft.text_attribute("syslog.version", "1");
    for (name, field) in [("syslog.procid", process), ("syslog.msgid", id)] {
        if !field.is_empty() {
            draft.text_attribute(name, field);
        }
    }
    for element in data {
        put_element(&element, draft);
    }
    Some(message)
}

/// An element of structured data: its id, and its parameters.
struct Element<'a> {
    id: &'a str,
    parameters: Vec<(&'a str, String)>,
}

fn put_element(element: &Element<'_>, draft: &mut LogDraft) {
    for (name, value) in &element.parameters {
        if element.id == TRACE_DATA {
            match *name {
                "trace_id" if draft.trace_id.is_none() => draft.trace_id = ids::trace_id(value),
                "span_id" if draft.span_id.is_none() => draft.span_id = ids::span_id(value),
                "trace_flags" => draft.flags = u8::from_str_radix(value, 16).unwrap_or_default(),
                _ => {}
            }
            let is_taken = match *name {
                "trace_id" => draft.trace_id.is_some(),
                "span_id" => draft.span_id.is_some(),
                "trace_flags" => draft.flags > 0,
                _ => false,
            };
            if is_taken {
                continue;
            }
        }
        draft.text_attribute(&format!("syslog.structured_data.{}.{name}", element.id), value);
    }
}

/// Reads structured data and returns the message after them.
fn structured_data(text: &str) -> Option<(Vec<Element<'_>>, &str)> {
    let mut elements = Vec::new();
    let mut rest = match text.strip_prefix('-') {
        Some(rest) => rest,
        None if text.starts_with('[') => text,
        None => return None,
    };
    while let Some(inner) = rest.strip_prefix('[') {
        let end = inner.find([' ', ']']).filter(|end| *end <= NAME_BYTES_MAX)?;
        let mut element = Element { id: &inner[..end], parameters: Vec::new() };
        rest = &inner[end..];
        loop {
            rest = rest.trim_start_matches(' ');
            if let Some(after) = rest.strip_prefix(']') {
                rest = after;
                break;
            }
            let (name, after) = rest.split_once("=\"").filter(|(name, _)| name.len() <= NAME_BYTES_MAX)?;
            let (value, after) = value(after)?;
            element.parameters.push((name, value));
            rest = after;
        }
        elements.push(element);
    }
    match rest.strip_prefix(' ') {
        Some(message) => Some((elements, message)),
        None => rest.is_empty().then_some((elements, "")),
    }
}

/// Reads a value up to its closing quote; `\"`, `\\` and `\]` are what is escaped in it.
fn value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let end = rest.find(['"', '\\'])?;
        value.push_str(&rest[..end]);
        if rest.as_bytes()[end] == b'"' {
            return Some((value, &rest[end + 1..]));
        }
        let after = &rest[end + 1..];
        match after.chars().next()? {
            escaped @ ('"' | '\\' | ']') => {
                value.push(escaped);
                rest = &after[1..];
            }
            // Any other backslash is itself.
            _ => {
                value.push('\\');
                rest = after;
            }
        }
    }
}
