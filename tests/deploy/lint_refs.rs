//! What Kubernetes accepts and then does not work: objects that refer to each other wrongly.

use serde_json::{Value, json};

use super::lint::text;
use super::pod_security::pod_spec;
use super::render::items;

/// Complaints about references between these objects; `outside` as in [`super::lint::complaints`].
pub fn complaints(objects: &[Value], outside: &[&str]) -> Vec<String> {
    let all = All { objects, outside };
    let mut said = Vec::new();
    for object in objects {
        let own = match object["kind"].as_str().unwrap_or_default() {
            "StatefulSet" => all.workload(object),
            "Service" => all.service(object),
            "NetworkPolicy" => all.policy(object),
            "PodDisruptionBudget" => all.budget(object),
            "Ingress" => all.ingress(object),
            "HTTPRoute" | "GRPCRoute" => all.route(object),
            "ServiceMonitor" => all.monitor(object),
            _ => Vec::new(),
        };
        let id = format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]));
        said.extend(own.iter().chain(&all.references(object)).map(|what| format!("{id}: {what}")));
    }
    said
}

/// Whether every label of a selector is among these labels.
fn is_chosen(selector: &Value, labels: &Value) -> bool {
    let chosen = selector.as_object().is_some_and(|map| !map.is_empty());
    chosen && selector.as_object().into_iter().flatten().all(|(key, value)| labels[key] == *value)
}

struct All<'a> {
    objects: &'a [Value],
    outside: &'a [&'a str],
}

impl All<'_> {
    fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    fn named(&self, kind: &'static str, name: &Value) -> Option<&Value> {
        self.of_kind(kind).find(|object| object["metadata"]["name"] == *name)
    }

    /// Pods that a selector chooses.
    fn pods<'b>(&'b self, selector: &'b Value) -> impl Iterator<Item = &'b Value> {
        let labelled = |object: &'b Value| match object["kind"].as_str() {
            Some("Pod") => Some((object, &object["metadata"]["labels"])),
            _ => object.pointer("/spec/template/metadata/labels").map(|labels| (object, labels)),
        };
        self.objects
            .iter()
            .filter_map(labelled)
            .filter(move |(_, labels)| is_chosen(selector, labels))
            .filter_map(|(object, _)| pod_spec(object))
    }

    /// A selector must choose exactly one kind of pod, and that must have these named ports.
    fn chosen_pod(&self, selector: &Value, ports: &[&Value]) -> Vec<String> {
        let pods: Vec<&Value> = self.pods(selector).collect();
        let [pod] = pods[..] else {
            return vec![format!("its selector {selector} chooses {} kinds of pods", pods.len())];
        };
        let has = |name: &Value| {
            let mut all = items(&pod["containers"]).iter().flat_map(|container| items(&container["ports"]));
            all.any(|port| port["name"] == *name || port["containerPort"] == *name)
        };
        ports.iter().filter(|port| !has(port)).map(|port| format!("port {port} is none of its pod")).collect()
    }

    fn workload(&self, object: &Value) -> Vec<String> {
        let mut said = Vec::new();
        let selector = &object["spec"]["selector"]["matchLabels"];
        if !is_chosen(selector, &object["spec"]["template"]["metadata"]["labels"]) {
            said.push(format!("its selector {selector} does not choose its own pods"));
        }
        if self.named("Service", &object["spec"]["serviceName"]).is_none() {
            said.push(format!("its Service {} is missing", object["spec"]["serviceName"]));
        }
        said
    }

    fn service(&self, object: &Value) -> Vec<String> {
        let ports: Vec<&Value> = items(&object["spec"]["ports"]).iter().map(|port| &port["targetPort"]).collect();
        self.chosen_pod(&object["spec"]["selector"], &ports)
    }

    fn policy(&self, object: &Value) -> Vec<String> {
        let rules = items(&object["spec"]["ingress"]).iter();
        let ports: Vec<&Value> = rules.flat_map(|rule| items(&rule["ports"])).map(|port| &port["port"]).collect();
        self.chosen_pod(&object["spec"]["podSelector"]["matchLabels"], &ports)
    }

    fn budget(&self, object: &Value) -> Vec<String> {
        let mut said = self.chosen_pod(&object["spec"]["selector"]["matchLabels"], &[]);
        if object["spec"]["minAvailable"].is_null() == object["spec"]["maxUnavailable"].is_null() {
            said.push("needs minAvailable or maxUnavailable, and not both".to_owned());
        }
        said
    }

    /// Whether a Service has a port of this name or number.
    fn backend(&self, service: &Value, port: &Value) -> Option<String> {
        let Some(found) = self.named("Service", service) else {
            return Some(format!("leads to the Service {service}, which is missing"));
        };
        let has = items(&found["spec"]["ports"]).iter().any(|own| own["name"] == *port || own["port"] == *port);
        (!has).then(|| format!("leads to port {port}, which {service} does not have"))
    }

    fn ingress(&self, object: &Value) -> Vec<String> {
        let rules = items(&object["spec"]["rules"]).iter();
        let paths = rules.flat_map(|rule| items(&rule["http"]["paths"]));
        paths
            .filter_map(|path| {
                let service = &path["backend"]["service"];
                let port = if service["port"]["name"].is_null() { "number" } else { "name" };
                self.backend(&service["name"], &service["port"][port])
            })
            .collect()
    }

    fn route(&self, object: &Value) -> Vec<String> {
        let rules = items(&object["spec"]["rules"]).iter();
        let backends = rules.flat_map(|rule| items(&rule["backendRefs"]));
        let mut said: Vec<String> =
            backends.filter_map(|backend| self.backend(&backend["name"], &backend["port"])).collect();
        if items(&object["spec"]["parentRefs"]).is_empty() {
            said.push("belongs to no Gateway".to_owned());
        }
        let known = ["parentRefs", "hostnames", "rules"];
        let fields = object["spec"].as_object().into_iter().flatten();
        said.extend(fields.filter(|(key, _)| !known.contains(&key.as_str())).map(|(key, _)| format!("has a {key}")));
        said
    }

    /// Prometheus must find the metrics, and once.
    fn monitor(&self, object: &Value) -> Vec<String> {
        let selector = &object["spec"]["selector"];
        let absent: Vec<&Value> = items(&selector["matchExpressions"])
            .iter()
            .filter(|expression| expression["operator"] == "DoesNotExist")
            .map(|expression| &expression["key"])
            .collect();
        let is_scraped = |service: &&Value| {
            let labels = &service["metadata"]["labels"];
            let hidden = absent.iter().any(|key| !labels[text(key)].is_null());
            is_chosen(&selector["matchLabels"], labels) && !hidden
        };
        let services: Vec<&Value> = self.of_kind("Service").filter(is_scraped).collect();
        let [service] = services[..] else {
            return vec![format!("chooses {} Services", services.len())];
        };
        let mut said = Vec::new();
        if !items(&object["spec"]["namespaceSelector"]["matchNames"]).contains(&service["metadata"]["namespace"]) {
            said.push("does not look into the Service's namespace".to_owned());
        }
        for endpoint in items(&object["spec"]["endpoints"]) {
            said.extend(self.backend(&service["metadata"]["name"], &endpoint["port"]));
        }
        said
    }

    /// What a pod needs must be there.
    fn references(&self, object: &Value) -> Vec<String> {
        let Some(pod) = pod_spec(object) else { return Vec::new() };
        let mut needed: Vec<(&'static str, &Value)> = vec![("ServiceAccount", &pod["serviceAccountName"])];
        for volume in items(&pod["volumes"]) {
            needed.push(("PersistentVolumeClaim", &volume["persistentVolumeClaim"]["claimName"]));
            needed.push(("ConfigMap", &volume["configMap"]["name"]));
            needed.push(("Secret", &volume["secret"]["secretName"]));
        }
        for container in items(&pod["containers"]).iter().chain(items(&pod["initContainers"])) {
            for source in items(&container["envFrom"]) {
                needed.push(("ConfigMap", &source["configMapRef"]["name"]));
                needed.push(("Secret", &source["secretRef"]["name"]));
            }
            for variable in items(&container["env"]) {
                needed.push(("ConfigMap", &variable["valueFrom"]["configMapKeyRef"]["name"]));
                needed.push(("Secret", &variable["valueFrom"]["secretKeyRef"]["name"]));
            }
        }
        let is_there = |kind: &'static str, name: &Value| {
            self.named(kind, name).is_some() || self.outside.contains(&format!("{kind} {}", text(name)).as_str())
        };
        needed
            .into_iter()
            .filter(|(kind, name)| !name.is_null() && !is_there(kind, name))
            .map(|(kind, name)| format!("needs the {kind} {name}, which nobody makes"))
            .collect()
    }
}

#[test]
fn what_refers_to_nothing_is_found() {
    use super::lint::check;
    let pod = |path: &str| format!("/spec/template/spec{path}");
    check("StatefulSet", "/spec/selector/matchLabels", json!({"a": "b"}), "does not choose its own pods");
    check("StatefulSet", "/spec/serviceName", json!("t"), "its Service \"t\" is missing");
    check("StatefulSet", &pod("/serviceAccountName"), json!("other"), "ServiceAccount \"other\"");
    check("StatefulSet", &pod("/volumes/0/persistentVolumeClaim/claimName"), json!("d"), "PersistentVolumeClaim \"d\"");
    check("StatefulSet", &pod("/volumes/0"), json!({"name": "v", "secret": {"secretName": "k"}}), "Secret \"k\"");
    check("StatefulSet", &pod("/containers/0/envFrom/0/configMapRef/name"), json!("e"), "ConfigMap \"e\"");
    check("Service", "/spec/selector", json!({"app.kubernetes.io/name": "z"}), "chooses 0 kinds of pods");
    check("Service", "/spec/selector", json!({}), "chooses 0 kinds of pods");
    check("Service", "/spec/ports/0/targetPort", json!("grpc"), "port \"grpc\" is none of its pod");
    check("NetworkPolicy", "/spec/podSelector/matchLabels", json!({"x": "y"}), "chooses 0");
    check("NetworkPolicy", "/spec/ingress/0/ports/0/port", json!("grpc"), "none of its pod");
    check("PodDisruptionBudget", "/spec/selector/matchLabels", json!({"x": "y"}), "chooses 0");
    check("PodDisruptionBudget", "/spec/minAvailable", Value::Null, "needs minAvailable or");
    check("Ingress", "/spec/rules/0/http/paths/0/backend/service/name", json!("t"), "\"t\", which is missing");
    check("Ingress", "/spec/rules/0/http/paths/0/backend/service/port/name", json!("web"), "port \"web\"");
    check("HTTPRoute", "/spec/rules/0/backendRefs/0/port", json!(81), "port 81");
    check("HTTPRoute", "/spec/parentRefs", json!([]), "no Gateway");
    check("ServiceMonitor", "/spec/selector/matchLabels", json!({"x": "y"}), "chooses 0 Services");
    check("ServiceMonitor", "/spec/endpoints/0/port", json!("metrics"), "port \"metrics\"");
    check("ServiceMonitor", "/spec/namespaceSelector/matchNames/0", json!("o"), "Service's namespace");
}
