//! Pod Security's `restricted` level, and what we ask of our own containers beyond it.

use serde_json::{Value, json};

use super::render::items;

/// Kinds of volumes that `restricted` lets through.
const VOLUMES: &[&str] =
    &["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];
/// Names of the containers that the chart makes itself.
const OURS: &[&str] = &["spyhop", "health"];

/// The pod of an object, where it has one.
pub fn pod_spec(object: &Value) -> Option<&Value> {
    match object["kind"].as_str() {
        Some("Pod") => Some(&object["spec"]),
        Some("StatefulSet" | "Deployment" | "DaemonSet" | "Job") => object.pointer("/spec/template/spec"),
        _ => None,
    }
}

/// What speaks against admitting the object's pod.
pub fn complaints(object: &Value) -> Vec<String> {
    let Some(pod) = pod_spec(object) else { return Vec::new() };
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let mut said = Vec::new();
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        if pod[host] == true {
            said.push(format!("{name}: {host}"));
        }
    }
    for volume in items(&pod["volumes"]) {
        let kind = volume.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).find(|key| *key != "name");
        if !kind.is_some_and(|kind| VOLUMES.contains(&kind)) {
            said.push(format!("{name}: volume {volume}"));
        }
    }
    for list in ["containers", "initContainers"] {
        for container in items(&pod[list]) {
            let own = container["name"].as_str().unwrap_or_default();
            said.extend(container_complaints(pod, container).iter().map(|what| format!("{name}/{own}: {what}")));
        }
    }
    if pod["automountServiceAccountToken"] != false {
        said.push(format!("{name}: a token of the ServiceAccount is mounted"));
    }
    said
}

fn container_complaints(pod: &Value, container: &Value) -> Vec<String> {
    let context = &container["securityContext"];
    let either = |key: &str| match &context[key] {
        Value::Null => pod["securityContext"][key].clone(),
        own => own.clone(),
    };
    let mut said = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            said.push(what.to_owned());
        }
    };
    must(context["allowPrivilegeEscalation"] == false, "allowPrivilegeEscalation is not false");
    must(context["capabilities"]["drop"] == json!(["ALL"]), "capabilities are not all dropped");
    must(context["capabilities"]["add"].is_null(), "a capability is added");
    must(context["privileged"] != true, "privileged");
    must(either("runAsNonRoot") == true, "runAsNonRoot is not true");
    must(either("runAsUser") != 0, "runs as root");
    let seccomp = either("seccompProfile")["type"].clone();
    must(seccomp == "RuntimeDefault" || seccomp == "Localhost", "no seccomp profile");
    must(items(&container["ports"]).iter().all(|port| port["hostPort"].is_null()), "a port of the host");
    if OURS.iter().any(|name| container["name"] == *name) {
        must(context["readOnlyRootFilesystem"] == true, "the root file system can be written");
    }
    said
}

#[test]
fn pods_that_may_too_much_are_found() {
    let safe = json!({"kind": "Pod", "metadata": {"name": "p"}, "spec": {
        "automountServiceAccountToken": false,
        "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "volumes": [{"name": "v", "emptyDir": {}}],
        "containers": [{"name": "spyhop", "ports": [{"containerPort": 1}], "securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}}}],
    }});
    assert_eq!(complaints(&safe), Vec::<String>::new());
    let check = |pointer: &str, value: Value, expect: &str| {
        let mut pod = safe.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
        let place = pod.pointer_mut(parent).expect("the pointer leads somewhere");
        match value {
            Value::Null => drop(place.as_object_mut().expect("an object").remove(key)),
            value => place[key] = value,
        }
        let said = complaints(&pod);
        assert!(said.iter().any(|complaint| complaint.contains(expect)), "{pointer}: {said:?}");
    };
    let context = "/spec/containers/0/securityContext";
    check("/spec/hostNetwork", json!(true), "hostNetwork");
    check("/spec/volumes", json!([{"name": "v", "hostPath": {"path": "/"}}]), "hostPath");
    check("/spec/securityContext/runAsNonRoot", Value::Null, "runAsNonRoot");
    check("/spec/securityContext/seccompProfile", Value::Null, "seccomp");
    check("/spec/automountServiceAccountToken", Value::Null, "token");
    check(&format!("{context}/runAsUser"), json!(0), "runs as root");
    check(&format!("{context}/privileged"), json!(true), "privileged");
    check(&format!("{context}/capabilities"), json!({"drop": ["NET_RAW"]}), "not all dropped");
    check(&format!("{context}/capabilities"), json!({"drop": ["ALL"], "add": ["SYS_TIME"]}), "added");
    check(&format!("{context}/allowPrivilegeEscalation"), Value::Null, "allowPrivilegeEscalation");
    check(&format!("{context}/readOnlyRootFilesystem"), json!(false), "can be written");
    check("/spec/containers/0/ports", json!([{"containerPort": 1, "hostPort": 1}]), "port of the host");
}
