//! Lines: records of one resource and scope gathered until there are enough of them.

use std::io::Write;

use model::Signal;
use model::attributes::{AnyValue, parse_key_values};

use super::values::Object;
use super::{ExportError, ExportLimits, Exported};

/// Records on their way into a line.
pub(super) struct Lines {
    signal: Signal,
    records_max: usize,
    bytes_max: usize,
    resource: String,
    scope: String,
    /// Records of the line, joined by commas.
    records: String,
    count: usize,
    line: String,
}

impl Lines {
    pub(super) fn new(signal: Signal, limits: &ExportLimits) -> Lines {
        Lines {
            signal,
            records_max: limits.line_records_max,
            bytes_max: limits.line_bytes_max,
            resource: String::new(),
            scope: String::new(),
            records: String::new(),
            count: 0,
            line: String::new(),
        }
    }

    /// Adds an element: a log record, a span or a metric, which `write` writes. `records` is how many records it is.
    pub(super) fn push(
        &mut self,
        (resource, scope): (Option<&str>, Option<&str>),
        records: u64,
        (out, exported): (&mut dyn Write, &mut Exported),
        write: impl FnOnce(&mut String),
    ) -> Result<(), ExportError> {
        let (resource, scope) = (resource.unwrap_or_default(), scope.unwrap_or_default());
        let is_full = self.count >= self.records_max || self.records.len() >= self.bytes_max;
        if self.count > 0 && (is_full || resource != self.resource || scope != self.scope) {
            self.end(out, exported)?;
        }
        if self.count == 0 {
            resource.clone_into(&mut self.resource);
            scope.clone_into(&mut self.scope);
        } else {
            self.records.push(',');
        }
        write(&mut self.records);
        self.count += 1;
        exported.records += records;
        Ok(())
    }

    /// Writes what is left.
    pub(super) fn end(&mut self, out: &mut dyn Write, exported: &mut Exported) -> Result<(), ExportError> {
        if self.count == 0 {
            return Ok(());
        }
        let (resources, scopes, records) = match self.signal {
            Signal::Traces => ("resourceSpans", "scopeSpans", "spans"),
            Signal::Logs => ("resourceLogs", "scopeLogs", "logRecords"),
            Signal::Metrics => ("resourceMetrics", "scopeMetrics", "metrics"),
        };
        let line = &mut self.line;
        line.clear();
        line.push_str(&format!("{{\"{resources}\":["));
        let mut of_resource = Object::begin(line);
        let schema_url = origin(&mut of_resource, "resource", &self.resource);
        of_resource.text("schemaUrl", schema_url.as_deref());
        let list = of_resource.member(scopes);
        list.push('[');
        let mut of_scope = Object::begin(list);
        let schema_url = origin(&mut of_scope, "scope", &self.scope);
        of_scope.text("schemaUrl", schema_url.as_deref());
        let list = of_scope.member(records);
        list.push('[');
        list.push_str(&self.records);
        list.push(']');
        of_scope.end();
        line.push_str("]}]}\n");
        out.write_all(line.as_bytes())?;
        exported.lines += 1;
        self.records.clear();
        self.count = 0;
        Ok(())
    }
}

/// Writes a resource or scope from its canonical text, where it is not all default; returns its schema URL, which
/// OTLP keeps beside it.
fn origin(object: &mut Object<'_>, name: &str, canonical: &str) -> Option<String> {
    let members = parse_key_values(canonical).ok()?;
    let mut schema_url = None;
    let has_more = members.iter().any(|(key, _)| key != "schema_url");
    if has_more {
        let mut inner = Object::begin(object.member(name));
        for (key, value) in &members {
            member(&mut inner, key, value);
        }
        inner.end();
    }
    if let Some((_, AnyValue::String(url))) = members.into_iter().find(|(key, _)| key == "schema_url") {
        schema_url = Some(url);
    }
    schema_url
}

fn member(object: &mut Object<'_>, key: &str, value: &AnyValue) {
    match (key, value) {
        ("name" | "version", AnyValue::String(text)) => object.text(key, Some(text)),
        ("dropped_attributes_count", AnyValue::Int(count)) => object.number("droppedAttributesCount", Some(*count)),
        ("attributes", AnyValue::KeyValueList(entries)) => {
            let entries: Vec<(&str, AnyValue)> =
                entries.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
            object.attributes("attributes", None, &entries);
        }
        ("entity_refs", AnyValue::Array(entities)) => {
            let out = object.member("entityRefs");
            out.push('[');
            for (at, entity) in entities.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                let mut inner = Object::begin(out);
                if let AnyValue::KeyValueList(members) = entity {
                    members.iter().for_each(|(key, value)| entity_member(&mut inner, key, value));
                }
                inner.end();
            }
            out.push(']');
        }
        _ => {}
    }
}

fn entity_member(object: &mut Object<'_>, key: &str, value: &AnyValue) {
    let name = match key {
        "schema_url" => "schemaUrl",
        "id_keys" => "idKeys",
        "description_keys" => "descriptionKeys",
        _ => "type",
    };
    match value {
        AnyValue::String(text) => object.text(name, Some(text)),
        AnyValue::Array(texts) => {
            let out = object.member(name);
            out.push('[');
            for (at, text) in texts.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                if let AnyValue::String(text) = text {
                    model::attributes::write_string(out, text);
                }
            }
            out.push(']');
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_one_origin_share_a_line() {
        let limits = ExportLimits { line_records_max: 2, ..ExportLimits::default() };
        let mut lines = Lines::new(Signal::Logs, &limits);
        let (mut out, mut exported) = (Vec::new(), Exported::default());
        let resource =
            r#"{"attributes":{"service.name":"a"},"schema_url":"u","entity_refs":[{"type":"t","id_keys":["k"]}]}"#;
        let scope = r#"{"name":"lib","attributes":{"$kvlist":{"$b":1}},"dropped_attributes_count":2}"#;
        for (resource, scope) in
            [(Some(resource), Some(scope)), (Some(resource), Some(scope)), (Some(resource), Some(scope)), (None, None)]
        {
            let sink: (&mut dyn Write, &mut Exported) = (&mut out, &mut exported);
            lines.push((resource, scope), 1, sink, |out| out.push_str("{}")).expect("a vector takes it");
        }
        lines.end(&mut out, &mut exported).expect("a vector takes it");
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        let origin = concat!(
            r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}],"#,
            r#""entityRefs":[{"type":"t","idKeys":["k"]}]},"schemaUrl":"u","scopeLogs":[{"scope":{"name":"lib","#,
            r#""attributes":[{"key":"$b","value":{"intValue":"1"}}],"droppedAttributesCount":2},"logRecords":"#,
        );
        assert_eq!(lines[0], format!("{origin}[{{}},{{}}]}}]}}]}}"));
        assert_eq!(lines[1], format!("{origin}[{{}}]}}]}}]}}"));
        assert_eq!(lines[2], r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}"#);
        assert_eq!(exported, Exported { records: 4, lines: 3 });
    }
}
