//! Whose lines these are: resource attributes from flags, `OTEL_*` variables, Kubernetes' downward variables, the host
//! and the process.
//!
//! The first of these that names an attribute decides it. What none of them says of the service, a line may
//! (`service.name`, `service.version`, `deployment.environment.name`); where no line does either, the service is named
//! after the pod's workload or the program.

use otlp_wire::{put_int_value, put_key_value, put_text_value};

use crate::draft::OwnService;
use crate::structured::OpenService;

const SERVICE_NAME: &str = "service.name";
const SERVICE_VERSION: &str = "service.version";
const ENVIRONMENT: &str = "deployment.environment.name";

/// Attributes and the variables that name them, in the spellings that manifests use.
const DOWNWARD: &[(&str, &[&str])] = &[
    (
        "k8s.pod.name",
        &["POD_NAME", "K8S_POD_NAME", "MY_POD_NAME", "KUBERNETES_POD_NAME", "OTEL_RESOURCE_ATTRIBUTES_POD_NAME"],
    ),
    (
        "k8s.pod.uid",
        &["POD_UID", "K8S_POD_UID", "MY_POD_UID", "KUBERNETES_POD_UID", "OTEL_RESOURCE_ATTRIBUTES_POD_UID"],
    ),
    ("k8s.pod.ip", &["POD_IP", "K8S_POD_IP", "MY_POD_IP"]),
    (
        "k8s.namespace.name",
        &["POD_NAMESPACE", "K8S_NAMESPACE", "K8S_NAMESPACE_NAME", "MY_POD_NAMESPACE", "KUBERNETES_NAMESPACE"],
    ),
    (
        "k8s.node.name",
        &["NODE_NAME", "K8S_NODE_NAME", "MY_NODE_NAME", "KUBERNETES_NODE_NAME", "OTEL_RESOURCE_ATTRIBUTES_NODE_NAME"],
    ),
    ("k8s.container.name", &["CONTAINER_NAME", "K8S_CONTAINER_NAME", "MY_CONTAINER_NAME"]),
    ("k8s.deployment.name", &["K8S_DEPLOYMENT_NAME"]),
    ("k8s.cluster.name", &["K8S_CLUSTER_NAME"]),
];

/// The process that writes the lines, where it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessFacts {
    /// Its id.
    pub pid: u32,
    /// The program as it was named on the command line.
    pub command: String,
}

/// Reads a variable of the environment.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where attributes come from.
#[derive(Default)]
pub struct Origins<'a> {
    /// Attributes named by flags.
    pub flags: Vec<(String, String)>,
    /// Reads a variable of the environment.
    pub variable: Option<Variables<'a>>,
    /// Name of this machine.
    pub host_name: Option<String>,
    /// Namespace of the pod's service account, which Kubernetes mounts.
    pub mounted_namespace: Option<String>,
    /// The child, where we started it.
    pub process: Option<ProcessFacts>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(String),
    Int(i64),
}

/// Attributes of everything that is sent.
#[derive(Debug, Clone)]
pub struct Resource {
    attributes: Vec<(String, Value)>,
    /// Name of the service where neither the attributes nor a line has one.
    fallback_name: String,
}

impl Resource {
    /// Gathers the attributes; the texts say what was wrong in variables, and cost nothing but themselves.
    pub fn gather(origins: &Origins<'_>) -> (Resource, Vec<String>) {
        let variable = |name: &str| {
            let read = origins.variable.and_then(|read| read(name));
            read.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let mut complaints = Vec::new();
        let mut gathered = Resource { attributes: Vec::new(), fallback_name: String::new() };
        for (key, text) in &origins.flags {
            gathered.put(key, Some(text.clone()));
        }
        gathered.put(SERVICE_NAME, variable("OTEL_SERVICE_NAME"));
        if let Some(list) = variable("OTEL_RESOURCE_ATTRIBUTES") {
            let (pairs, wrong) = pairs(&list);
            pairs.into_iter().for_each(|(key, text)| gathered.put(&key, Some(text)));
            complaints.extend(wrong.map(|wrong| format!("OTEL_RESOURCE_ATTRIBUTES: {wrong}")));
        }
        for (key, names) in DOWNWARD {
            gathered.put(key, names.iter().find_map(|name| variable(name)));
        }
        let in_kubernetes = variable("KUBERNETES_SERVICE_HOST").is_some();
        if in_kubernetes {
            gathered.put("k8s.pod.name", variable("HOSTNAME"));
            gathered.put("k8s.namespace.name", origins.mounted_namespace.clone());
        }
        // In a pod the host is the node; the pod's own host name says the pod once more.
        let node = gathered.text("k8s.node.name").map(str::to_owned);
        gathered.put("host.name", node.or_else(|| origins.host_name.clone()).or_else(|| variable("HOSTNAME")));
        if let Some(process) = &origins.process {
            let program = process.command.rsplit('/').next().unwrap_or_default();
            gathered.put("process.executable.name", Some(program.to_owned()));
            gathered.put("process.command", Some(process.command.clone()));
            if gathered.text("process.pid").is_none() {
                gathered.attributes.push(("process.pid".to_owned(), Value::Int(i64::from(process.pid))));
            }
        }
        gathered.fallback_name = gathered.name_of_last_resort(in_kubernetes);
        (gathered, complaints)
    }

    /// What lines may fill.
    pub fn open_service(&self) -> OpenService {
        OpenService {
            name: self.text(SERVICE_NAME).is_none(),
            version: self.text(SERVICE_VERSION).is_none(),
            environment: self.text(ENVIRONMENT).is_none() && self.text("deployment.environment").is_none(),
        }
    }

    fn put(&mut self, key: &str, text: Option<String>) {
        if let Some(text) = text.filter(|text| !text.is_empty())
            && !self.attributes.iter().any(|(known, _)| known == key)
        {
            self.attributes.push((key.to_owned(), Value::Text(text)));
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == key).and_then(|(_, value)| match value {
            Value::Text(text) => Some(text.as_str()),
            Value::Int(_) => None,
        })
    }

    /// The workload that a pod belongs to, else OpenTelemetry's name for a service that has none.
    fn name_of_last_resort(&self, in_kubernetes: bool) -> String {
        if let Some(deployment) = self.text("k8s.deployment.name") {
            return deployment.to_owned();
        }
        if let Some(pod) = self.text("k8s.pod.name").filter(|_| in_kubernetes) {
            return workload(pod).to_owned();
        }
        match self.text("process.executable.name") {
            Some(program) => format!("unknown_service:{program}"),
            None => "unknown_service".to_owned(),
        }
    }

    /// The attributes as OTLP/JSON has them.
    pub(crate) fn json_attributes(&self) -> impl Iterator<Item = serde_json::Value> {
        self.attributes.iter().map(|(key, value)| match value {
            Value::Text(text) => serde_json::json!({"key": key, "value": {"stringValue": text}}),
            Value::Int(value) => serde_json::json!({"key": key, "value": {"intValue": value.to_string()}}),
        })
    }

    /// Appends the attributes as those of a `Resource`, with what a line said of its service.
    pub(crate) fn encode(&self, service: &OwnService, out: &mut Vec<u8>) {
        for (key, value) in &self.attributes {
            put_key_value(out, 1, key, |out| match value {
                Value::Text(text) => put_text_value(out, text),
                Value::Int(value) => put_int_value(out, *value),
            });
        }
        let open = self.open_service();
        let name = if service.name.is_empty() { &self.fallback_name } else { &service.name };
        for (is_open, key, text) in [
            (open.name, SERVICE_NAME, name),
            (open.version, SERVICE_VERSION, &service.version),
            (open.environment, ENVIRONMENT, &service.environment),
        ] {
            if is_open && !text.is_empty() {
                put_key_value(out, 1, key, |out| put_text_value(out, text));
            }
        }
    }
}

/// `checkout-7c9d8b6f5d-x2v9k` and `checkout-0` belong to `checkout`.
fn workload(pod: &str) -> &str {
    // Kubernetes draws its suffixes from these, so that they spell no words.
    let is_suffix = |part: &str, length: std::ops::RangeInclusive<usize>| {
        length.contains(&part.len()) && part.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte))
    };
    let Some((rest, last)) = pod.rsplit_once('-') else { return pod };
    if last.bytes().all(|byte| byte.is_ascii_digit()) && !last.is_empty() {
        return rest;
    }
    if !is_suffix(last, 5..=5) {
        return pod;
    }
    match rest.rsplit_once('-') {
        Some((name, hash)) if is_suffix(hash, 6..=10) => name,
        _ => rest,
    }
}

/// Pairs of a list such as `a=1,b=two%20words`, and what was wrong with it.
pub(crate) fn pairs(list: &str) -> (Vec<(String, String)>, Option<String>) {
    let (mut pairs, mut wrong) = (Vec::new(), None);
    for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let pair = item.split_once('=').filter(|(key, _)| !key.trim().is_empty());
        let decoded = pair.and_then(|(key, text)| Some((percent_decoded(key.trim())?, percent_decoded(text.trim())?)));
        match decoded {
            Some(pair) => pairs.push(pair),
            None => wrong = Some(format!("'{item}' is no pair such as service.version=1.2.0, and is left out")),
        }
    }
    (pairs, wrong)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(variables: &[(&str, &str)], flags: &[(&str, &str)], process: Option<&str>) -> (Resource, Vec<String>) {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
        Resource::gather(&Origins {
            flags: flags.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect(),
            variable: Some(&variable),
            host_name: Some("box".to_owned()),
            mounted_namespace: Some("mounted".to_owned()),
            process: process.map(|command| ProcessFacts { pid: 7, command: command.to_owned() }),
        })
    }

    fn check(
        variables: &[(&str, &str)],
        flags: &[(&str, &str)],
        process: Option<&str>,
        expect: &[(&str, &str)],
        name: &str,
    ) {
        let (resource, complaints) = gather(variables, flags, process);
        let shown: Vec<(String, String)> = resource
            .attributes
            .iter()
            .map(|(key, value)| match value {
                Value::Text(text) => (key.clone(), text.clone()),
                Value::Int(value) => (key.clone(), value.to_string()),
            })
            .collect();
        let shown: Vec<(&str, &str)> = shown.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
        assert_eq!(shown, expect, "{variables:?}");
        assert_eq!(resource.fallback_name, name, "{variables:?}");
        assert!(complaints.is_empty(), "{complaints:?}");
    }

    #[test]
    fn who_names_what() {
        check(&[], &[], None, &[("host.name", "box")], "unknown_service");
        check(
            &[],
            &[],
            Some("/usr/bin/python3"),
            &[
                ("host.name", "box"),
                ("process.executable.name", "python3"),
                ("process.command", "/usr/bin/python3"),
                ("process.pid", "7"),
            ],
            "unknown_service:python3",
        );
        check(
            &[
                ("OTEL_SERVICE_NAME", "shop"),
                ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other, service.version=1%2C2,host.name=mine"),
            ],
            &[("service.version", "3")],
            None,
            &[("service.version", "3"), ("service.name", "shop"), ("host.name", "mine")],
            "unknown_service",
        );
        check(
            &[
                ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
                ("HOSTNAME", "cart-7c9d8b6f5d-x2v9k"),
                ("MY_NODE_NAME", "node-3"),
                ("POD_UID", "u"),
            ],
            &[],
            None,
            &[
                ("k8s.pod.uid", "u"),
                ("k8s.node.name", "node-3"),
                ("k8s.pod.name", "cart-7c9d8b6f5d-x2v9k"),
                ("k8s.namespace.name", "mounted"),
                ("host.name", "node-3"),
            ],
            "cart",
        );
    }

    #[test]
    fn workloads_of_pods() {
        let check = |pod: &str, expect: &str| assert_eq!(workload(pod), expect);
        check("checkout-7c9d8b6f5d-x2v9k", "checkout");
        check("my-shop-7c9d8b6f5d-x2v9k", "my-shop");
        check("db-0", "db");
        check("agent-x2v9k", "agent");
        check("my-shop", "my-shop");
        check("shop", "shop");
    }

    #[test]
    fn malformed_lists_cost_themselves() {
        let (found, wrong) = pairs("a=1,nonsense,b=%41%zz,,c=");
        assert_eq!(found, [("a".to_owned(), "1".to_owned()), ("c".to_owned(), String::new())]);
        assert!(wrong.is_some_and(|wrong| wrong.contains("b=%41%zz")));
        let (_, complaints) = gather(&[("OTEL_RESOURCE_ATTRIBUTES", "a")], &[], None);
        assert!(complaints[0].starts_with("OTEL_RESOURCE_ATTRIBUTES: 'a'"), "{complaints:?}");
    }

    #[test]
    fn lines_fill_what_is_open() {
        let (resource, _) = gather(&[("OTEL_SERVICE_NAME", "shop")], &[], None);
        assert_eq!(resource.open_service(), OpenService { name: false, version: true, environment: true });
        let (resource, _) = gather(&[("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=x")], &[], None);
        assert_eq!(resource.open_service(), OpenService { name: true, version: true, environment: false });
    }
}
