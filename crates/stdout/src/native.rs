//! Lines that are OTLP already: what exporters named `otlp/stdout`, `otlp_file` or `logging-otlp` print.
//!
//! Such a line goes to the server as it is, as OTLP/JSON to its signal's path, instead of becoming the text of a log
//! record. Java's form, one resource without the list around it, gets that list. Attributes of our resource (the pod,
//! the node) are added where the line's own resource has none of that name.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::resource::Resource;

/// A signal as OTLP/JSON spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The list of resources in a request.
    resources: &'static str,
    /// The list of scopes in a resource.
    scopes: &'static str,
    /// The list of records in a scope.
    records: &'static str,
    /// Path of the signal.
    pub(crate) path: &'static str,
}

const SHAPES: [Shape; 3] = [
    Shape { resources: "resourceLogs", scopes: "scopeLogs", records: "logRecords", path: "/v1/logs" },
    Shape { resources: "resourceSpans", scopes: "scopeSpans", records: "spans", path: "/v1/traces" },
    Shape { resources: "resourceMetrics", scopes: "scopeMetrics", records: "metrics", path: "/v1/metrics" },
];

/// A line that is an export request.
#[derive(Debug, PartialEq)]
pub(crate) struct Native {
    shape: Shape,
    request: Map<String, Value>,
}

impl Native {
    /// Reads a line; nothing where it is not OTLP, or has no record.
    pub(crate) fn read(line: &str) -> Option<Native> {
        // Hardly any line begins so, and no other is parsed here.
        if !line.starts_with("{\"resource") || !line.contains("\"scope") {
            return None;
        }
        let mut request: Map<String, Value> = serde_json::from_str(line).ok()?;
        let shape = SHAPES.into_iter().find(|shape| {
            let has = |name: &str| request.get(name).is_some_and(Value::is_array);
            has(shape.resources) || has(shape.scopes)
        })?;
        if request.contains_key(shape.scopes) {
            request = Map::from_iter([(shape.resources.to_owned(), Value::Array(vec![Value::Object(request)]))]);
        }
        let native = Native { shape, request };
        (native.records() > 0).then_some(native)
    }

    /// Log records, spans or data points in it.
    pub(crate) fn records(&self) -> u64 {
        let scopes = self.resources().flat_map(|resource| list(&resource[self.shape.scopes]));
        scopes.flat_map(|scope| list(&scope[self.shape.records])).map(points).sum()
    }

    fn resources(&self) -> impl Iterator<Item = &Value> {
        self.request.get(self.shape.resources).into_iter().flat_map(list)
    }

    /// The path of its signal, and the request with our attributes.
    pub(crate) fn finish(mut self, ours: &Resource) -> (&'static str, Bytes) {
        let resources = self.request.get_mut(self.shape.resources).and_then(Value::as_array_mut);
        for entry in resources.into_iter().flatten().filter_map(Value::as_object_mut) {
            let resource = entry.entry("resource").or_insert_with(|| json!({}));
            let Some(resource) = resource.as_object_mut() else { continue };
            let attributes = resource.entry("attributes").or_insert_with(|| json!([]));
            let Some(attributes) = attributes.as_array_mut() else { continue };
            let missing: Vec<Value> = ours
                .json_attributes()
                .filter(|added| !attributes.iter().any(|known| known["key"] == added["key"]))
                .collect();
            attributes.extend(missing);
        }
        (self.shape.path, Bytes::from(Value::Object(self.request).to_string()))
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Data points of a metric; anything else is one record.
fn points(record: &Value) -> u64 {
    let kinds = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"];
    let of_metric = kinds.into_iter().filter_map(|kind| record.get(kind)).map(|data| list(&data["dataPoints"]).len());
    of_metric.map(|points| points as u64).next().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Origins;

    fn ours() -> Resource {
        let flags =
            vec![("service.name".to_owned(), "ours".to_owned()), ("k8s.pod.name".to_owned(), "checkout-0".to_owned())];
        Resource::gather(&Origins { flags, ..Origins::default() }).0
    }

    #[test]
    fn lines_of_otlp_are_known() {
        let check = |line: &str, expect: Option<(&str, u64)>| {
            let found = Native::read(line).map(|native| (native.shape.path, native.records()));
            assert_eq!(found, expect, "{line}");
        };
        check(r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{}]}]}]}"#, Some(("/v1/logs", 2)));
        check(r#"{"resourceSpans":[{"resource":{},"scopeSpans":[{"spans":[{}]}]}]}"#, Some(("/v1/traces", 1)));
        check(
            r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","sum":{"dataPoints":[{},{},{}]}}]}]}]}"#,
            Some(("/v1/metrics", 3)),
        );
        // Java's form has no list around the resource.
        check(r#"{"resource":{"attributes":[]},"scopeLogs":[{"logRecords":[{}]}]}"#, Some(("/v1/logs", 1)));
        // What only looks like it stays a log line.
        check(r#"{"resourceLogs":[]} "scope"#, None);
        check(r#"{"resourceLogs":[{"scopeLogs":[]}]}"#, None);
        check(r#"{"resource":"pod","scope":"cluster","message":"created"}"#, None);
        check(r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{}"#, None);
    }

    #[test]
    fn our_attributes_fill_what_is_absent() {
        let line = r#"{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"theirs"}}]},
            "scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}],"schemaUrl":"u"}"#;
        let native = Native::read(&line.replace("\n            ", "")).expect("OTLP");
        let (path, body) = native.finish(&ours());
        let sent: Value = serde_json::from_slice(&body).expect("JSON");
        let entry = &sent["resourceLogs"][0];
        assert_eq!((path, entry["schemaUrl"].as_str()), ("/v1/logs", Some("u")));
        let attributes = list(&entry["resource"]["attributes"]);
        let value = |key: &str| {
            let of_key: Vec<&Value> = attributes.iter().filter(|attribute| attribute["key"] == key).collect();
            assert_eq!(of_key.len(), 1, "{key}");
            of_key[0]["value"]["stringValue"].clone()
        };
        assert_eq!((value("service.name"), value("k8s.pod.name")), ("theirs".into(), "checkout-0".into()));
        assert_eq!(entry["scopeLogs"][0]["logRecords"][0]["body"]["stringValue"], "x");
    }
}
