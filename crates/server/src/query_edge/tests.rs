//! The table of routes against the OpenAPI document.

use serde_json::Value;

use super::{OPENAPI_DOCUMENT, ROUTES, Route};
use api::paths;

fn document() -> Value {
    serde_json::from_str(OPENAPI_DOCUMENT).expect("openapi.json is JSON")
}

#[test]
fn every_route_is_documented_with_its_parameters() {
    let document = document();
    for Route { method, path, parameters } in ROUTES {
        let operation = &document["paths"][path][method];
        assert!(operation.is_object(), "{method} {path} is not in openapi.json");
        assert!(operation["summary"].is_string() && operation["operationId"].is_string(), "{path} says what it does");
        let mut named: Vec<&str> = Vec::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = resolved(&document, parameter);
            if parameter["in"] == "query" {
                named.push(parameter["name"].as_str().expect("a parameter has a name"));
            }
        }
        assert_eq!(&named, parameters, "query parameters of {path}");
    }
}

#[test]
fn nothing_is_documented_that_is_not_there() {
    let document = document();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let known = ROUTES.iter().any(|route| route.path == path && operations[route.method].is_object());
        let later = paths::LATER.contains(&path.as_str());
        assert!(known != later, "{path} is documented and routed once");
        if later {
            assert!(operations["get"]["responses"]["501"].is_object(), "{path} answers 501");
        }
    }
    for path in paths::LATER {
        assert!(document["paths"][path].is_object(), "{path} is named in openapi.json");
    }
}

#[test]
fn references_resolve_and_the_version_is_ours() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut values = vec![&document];
    while let Some(value) = values.pop() {
        match value {
            Value::Object(members) => {
                if members.contains_key("$ref") {
                    assert!(!resolved(&document, value).is_null(), "{value} points nowhere");
                }
                values.extend(members.values());
            }
            Value::Array(items) => values.extend(items),
            _ => {}
        }
    }
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null),
        None => value,
    }
}
