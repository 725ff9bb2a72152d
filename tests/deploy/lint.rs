//! What Kubernetes accepts and then does not work: rules within one object. Rules between objects are in
//! [`super::lint_refs`]. Pure functions from rendered objects to complaints.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::lint_refs;
use super::pod_security::pod_spec;
use super::render::items;

/// Every complaint about objects that are applied together. `outside` names what they may refer to and somebody else
/// makes, as `Kind name`.
pub fn complaints(objects: &[Value], outside: &[&str]) -> Vec<String> {
    let mut said = Vec::new();
    let mut seen = BTreeSet::new();
    for object in objects {
        let key = [&object["kind"], &object["metadata"]["namespace"], &object["metadata"]["name"]].map(text);
        let id = format!("{} {}", key[0], key[2]);
        let mut own = metadata(object);
        if let Some(pod) = pod_spec(object) {
            own.extend(pod_complaints(pod));
        }
        own.extend(settings_complaints(object));
        said.extend(own.iter().map(|what| format!("{id}: {what}")));
        if !seen.insert(key) {
            said.push(format!("{id} is there twice"));
        }
    }
    said.extend(grace(objects));
    said.extend(lint_refs::complaints(objects, outside));
    said
}

/// A string's text; other values as JSON.
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn metadata(object: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let metadata = &object["metadata"];
    let name = text(&metadata["name"]);
    let limit = if object["kind"] == "StatefulSet" { 52 } else { 63 };
    if name.len() > limit || name.is_empty() {
        said.push(format!("its name has {} characters, {limit} at most", name.len()));
    }
    if metadata["namespace"].as_str().is_none_or(str::is_empty) {
        said.push("has no namespace".to_owned());
    }
    for label in ["app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by"] {
        // What a user adds is the user's.
        let added = object["kind"] == "ConfigMap" && metadata["labels"].is_null();
        if metadata["labels"][label].is_null() && !added {
            said.push(format!("has no label {label}"));
        }
    }
    for (key, value) in metadata["labels"].as_object().into_iter().flatten() {
        if text(value).len() > 63 {
            said.push(format!("label {key} is longer than 63 characters"));
        }
    }
    if let Some(hook) = metadata["annotations"]["helm.sh/hook"].as_str().filter(|hook| *hook != "test") {
        said.push(format!("is a hook ({hook}), which tools that only apply objects ignore"));
    }
    said
}

fn pod_complaints(pod: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let volumes: Vec<String> = items(&pod["volumes"]).iter().map(|volume| text(&volume["name"])).collect();
    let mut mounted = BTreeSet::new();
    for container in items(&pod["containers"]).iter().chain(items(&pod["initContainers"])) {
        for mount in items(&container["volumeMounts"]) {
            let name = text(&mount["name"]);
            if !volumes.contains(&name) {
                said.push(format!("mounts {name}, which is no volume"));
            }
            mounted.insert(name);
        }
        said.extend(container_complaints(container));
    }
    said.extend(volumes.iter().filter(|name| !mounted.contains(*name)).map(|name| format!("volume {name} is unused")));
    said
}

fn container_complaints(container: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let ports: Vec<String> = items(&container["ports"]).iter().map(|port| text(&port["name"])).collect();
    said.extend(ports.iter().filter(|name| name.len() > 15).map(|name| format!("port name {name} is too long")));
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let port = &container[probe]["httpGet"]["port"];
        if port.is_string() && !ports.contains(&text(port)) {
            said.push(format!("{probe} asks port {port}, which the container does not have"));
        }
    }
    let mut names = BTreeSet::new();
    for variable in items(&container["env"]) {
        if !names.insert(text(&variable["name"])) {
            said.push(format!("variable {} is set twice", variable["name"]));
        }
        if variable["value"].is_null() == variable["valueFrom"].is_null() {
            said.push(format!("variable {} needs a value or a place to take it from", variable["name"]));
        }
    }
    for (resource, request) in container["resources"]["requests"].as_object().into_iter().flatten() {
        let limit = &container["resources"]["limits"][resource];
        if !limit.is_null() && quantity(request) > quantity(limit) {
            said.push(format!("requests more {resource} than its limit"));
        }
    }
    let image = text(&container["image"]);
    let tag = image.rsplit('/').next().unwrap_or_default();
    if !tag.contains([':', '@']) || tag.ends_with(":latest") || tag.ends_with(':') {
        said.push(format!("image {image} names no version"));
    }
    said
}

/// A quantity as a number, as far as charts use them.
fn quantity(value: &Value) -> f64 {
    let text = text(value);
    let split = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        _ => 1.0,
    };
    number.parse::<f64>().unwrap_or(f64::NAN) * factor
}

/// A ConfigMap is for everybody to read.
fn settings_complaints(object: &Value) -> Vec<String> {
    if object["kind"] != "ConfigMap" {
        return Vec::new();
    }
    let words = ["password", "passwd", "secret", "token", "credential", "private"];
    let names = object["data"].as_object().into_iter().flatten().map(|(name, _)| name);
    names
        .filter(|name| words.iter().any(|word| name.to_ascii_lowercase().contains(word)))
        .map(|name| format!("{name} belongs into a Secret"))
        .collect()
}

/// Kubernetes must wait longer than the supervisor, which kills its children five seconds after their grace.
fn grace(objects: &[Value]) -> Vec<String> {
    let settings = objects.iter().find_map(|object| object["data"]["SPYHOP_SHUTDOWN_GRACE"].as_str());
    let Some(grace) = settings.and_then(|text| text.trim_end_matches('s').parse::<u64>().ok()) else {
        return vec!["no ConfigMap sets SPYHOP_SHUTDOWN_GRACE in seconds".to_owned()];
    };
    let mut said = Vec::new();
    for object in objects.iter().filter(|object| object["kind"] == "StatefulSet") {
        let pod = &object["spec"]["template"]["spec"];
        let hook = pod.pointer("/containers/0/lifecycle/preStop/sleep/seconds").and_then(Value::as_u64).unwrap_or(0);
        let period = pod["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
        if period < grace + hook + 5 {
            said.push(format!("the pod is killed after {period} s, and needs {grace} + {hook} + 5"));
        }
    }
    said
}

/// Objects that work together, for the tests of the rules.
pub fn working() -> Vec<Value> {
    let labels = json!({"app.kubernetes.io/name": "a", "app.kubernetes.io/instance": "r", "app.kubernetes.io/managed-by": "Helm"});
    let metadata = |name: &str| json!({"name": name, "namespace": "n", "labels": labels});
    let chosen = json!({"app.kubernetes.io/name": "a"});
    vec![
        json!({"kind": "ConfigMap", "metadata": metadata("c"), "data": {"SPYHOP_SHUTDOWN_GRACE": "20s"}}),
        json!({"kind": "ServiceAccount", "metadata": metadata("sa")}),
        json!({"kind": "PersistentVolumeClaim", "metadata": metadata("claim")}),
        json!({"kind": "Service", "metadata": metadata("s"), "spec": {
            "selector": chosen, "ports": [{"name": "http", "port": 80, "targetPort": "web"}]}}),
        json!({"kind": "StatefulSet", "metadata": metadata("set"), "spec": {
            "serviceName": "s", "selector": {"matchLabels": chosen},
            "template": {"metadata": {"labels": labels}, "spec": {
                "serviceAccountName": "sa", "terminationGracePeriodSeconds": 30,
                "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "claim"}}],
                "containers": [{
                    "name": "spyhop", "image": "x/y:1",
                    "envFrom": [{"configMapRef": {"name": "c"}}], "env": [{"name": "A", "value": "1"}],
                    "ports": [{"name": "web", "containerPort": 1}],
                    "livenessProbe": {"httpGet": {"port": "web"}},
                    "resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "1025Mi"}},
                    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                }],
            }},
        }}),
        json!({"kind": "NetworkPolicy", "metadata": metadata("p"), "spec": {
            "podSelector": {"matchLabels": chosen}, "ingress": [{"ports": [{"port": "web"}]}]}}),
        json!({"kind": "PodDisruptionBudget", "metadata": metadata("b"), "spec": {
            "selector": {"matchLabels": chosen}, "minAvailable": 1}}),
        json!({"kind": "Ingress", "metadata": metadata("i"), "spec": {"rules": [{"http": {"paths": [
            {"backend": {"service": {"name": "s", "port": {"name": "http"}}}}]}}]}}),
        json!({"kind": "HTTPRoute", "metadata": metadata("h"), "spec": {"parentRefs": [{"name": "g"}], "rules": [
            {"backendRefs": [{"name": "s", "port": 80}]}]}}),
        json!({"kind": "ServiceMonitor", "metadata": metadata("m"), "spec": {
            "selector": {"matchLabels": labels}, "namespaceSelector": {"matchNames": ["n"]},
            "endpoints": [{"port": "http"}]}}),
    ]
}

/// Changes one value of an object of [`working`] and expects a complaint with these words.
pub fn check(kind: &str, pointer: &str, value: Value, expect: &str) {
    let mut objects = working();
    let object = objects.iter_mut().find(|object| object["kind"] == kind).expect("the kind is there");
    *object.pointer_mut(pointer).unwrap_or_else(|| panic!("{kind} has no {pointer}")) = value;
    let said = complaints(&objects, &[]);
    assert!(said.iter().any(|complaint| complaint.contains(expect)), "{kind} {pointer}: no {expect:?} in {said:?}");
}

#[test]
fn what_does_not_work_alone_is_found() {
    assert_eq!(complaints(&working(), &[]), Vec::<String>::new());
    let container = "/spec/template/spec/containers/0";
    let of = |path: &str| format!("{container}{path}");
    check("Service", "/metadata/name", json!("x".repeat(64)), "63 at most");
    check("StatefulSet", "/metadata/name", json!("x".repeat(53)), "52 at most");
    check("Service", "/metadata/namespace", Value::Null, "no namespace");
    check("Service", "/metadata/labels", json!({}), "no label");
    check("ConfigMap", "/data", json!({"SPYHOP_SHUTDOWN_GRACE": "20s", "PG_PASSWORD": ""}), "belongs into a Secret");
    check("ConfigMap", "/data/SPYHOP_SHUTDOWN_GRACE", json!("26s"), "needs 26 + 0 + 5");
    check("StatefulSet", &of("/volumeMounts/0/name"), json!("w"), "mounts w");
    check("StatefulSet", &of("/volumeMounts"), json!([]), "volume v is unused");
    check("StatefulSet", &of("/livenessProbe/httpGet/port"), json!("webb"), "livenessProbe asks");
    check("StatefulSet", &of("/env"), json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]), "set twice");
    check("StatefulSet", &of("/env/0"), json!({"name": "A"}), "needs a value");
    check("StatefulSet", &of("/resources/limits/memory"), json!("1023Mi"), "requests more memory");
    check("StatefulSet", &of("/image"), json!("host:5000/x/y"), "names no version");
    check("StatefulSet", &of("/image"), json!("x/y:latest"), "names no version");
    check("StatefulSet", &of("/ports/0/name"), json!("a-name-of-sixteen"), "too long");
}

#[test]
fn objects_that_come_twice_are_found() {
    let mut objects = working();
    objects.push(objects[0].clone());
    assert!(complaints(&objects, &[]).iter().any(|complaint| complaint.contains("twice")));
}
