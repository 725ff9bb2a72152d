//! The chart over its table of values files: what each renders, and what is refused with which words.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::Context;
use serde_json::{Value, json};

use super::render::{self, RELEASE, Tools, find, values_files};
use super::{lint, pod_security};
use crate::TestResult;

/// What one values file must render.
struct Expect {
    /// Name of the file in `ci`, without its ending.
    name: &'static str,
    /// Objects beside [`BASE`], by kind; a negative count takes away.
    kinds: &'static [(&'static str, i32)],
    /// Versions of Kubernetes that must accept it.
    versions: &'static [&'static str],
    /// Objects that it names and that somebody else makes.
    outside: &'static [&'static str],
    /// Kind, ending of its name, pointer and value.
    facts: &'static [(&'static str, &'static str, &'static str, Fact)],
}

/// A value in a rendered object.
enum Fact {
    Is(&'static str),
    Number(i64),
    Absent,
    Contains(&'static str),
}

use Fact::{Absent, Contains, Is, Number};

/// What every release has.
const BASE: &[(&str, i32)] = &[
    ("ConfigMap", 1),
    ("NetworkPolicy", 1),
    ("PersistentVolumeClaim", 1),
    ("Pod", 1),
    ("Service", 2),
    ("ServiceAccount", 1),
    ("StatefulSet", 1),
];

/// From the oldest version that the chart promises to the newest that there is a schema for.
const ALL: &[&str] = &["1.28", "1.31", "1.34", "1.37"];

const TABLE: &[Expect] = &[
    Expect {
        name: "default",
        kinds: &[],
        versions: ALL,
        outside: &[],
        facts: &[
            ("StatefulSet", "", "/spec/replicas", Number(1)),
            ("StatefulSet", "", "/spec/template/spec/containers/0/image", Is("spyhop/spyhop:0.1.0")),
            ("StatefulSet", "", "/spec/template/spec/containers/0/env", Absent),
            ("StatefulSet", "", "/spec/template/spec/securityContext/runAsUser", Number(65_532)),
            ("PersistentVolumeClaim", "", "/metadata/annotations/helm.sh~1resource-policy", Is("keep")),
            ("PersistentVolumeClaim", "", "/spec/storageClassName", Absent),
            ("ConfigMap", "", "/data/SPYHOP_API_ADDRESS", Is("0.0.0.0:4319")),
            ("Service", "rel-spyhop", "/spec/type", Is("ClusterIP")),
            ("Service", "rel-spyhop", "/spec/ports/3", Absent),
            ("ConfigMap", "", "/data/SPYHOP_SYSLOG_TCP_ADDRESS", Absent),
            ("NetworkPolicy", "", "/spec/egress", Is("[]")),
        ],
    },
    Expect {
        name: "ingress-tls",
        kinds: &[("Ingress", 1)],
        versions: ALL,
        outside: &[],
        facts: &[
            ("Ingress", "", "/spec/ingressClassName", Is("nginx")),
            ("Ingress", "", "/spec/rules/0/host", Is("spyhop.shop.example.org")),
            ("Ingress", "", "/spec/rules/0/http/paths/0/backend/service/port/name", Is("api")),
            ("Ingress", "", "/spec/rules/0/http/paths/1/backend/service/port/name", Is("otlp-http")),
            ("Ingress", "", "/spec/tls/0/hosts/0", Is("spyhop.shop.example.org")),
            ("NetworkPolicy", "", "/spec/ingress/1/from", Absent),
        ],
    },
    Expect {
        name: "existing-claim",
        kinds: &[("PersistentVolumeClaim", -1)],
        versions: ALL,
        outside: &["PersistentVolumeClaim rel-old-data"],
        facts: &[(
            "StatefulSet",
            "",
            "/spec/template/spec/volumes/0/persistentVolumeClaim/claimName",
            Is("rel-old-data"),
        )],
    },
    Expect {
        name: "no-persistence",
        kinds: &[("PersistentVolumeClaim", -1)],
        versions: ALL,
        outside: &[],
        facts: &[
            ("StatefulSet", "", "/spec/template/spec/volumes/0/emptyDir/sizeLimit", Is("2Gi")),
            ("ConfigMap", "", "/data/SPYHOP_JOURNAL_BYTES_MAX", Is("512MiB")),
        ],
    },
    Expect {
        name: "monitoring",
        kinds: &[("ServiceMonitor", 1)],
        versions: ALL,
        outside: &[],
        facts: &[
            ("ServiceMonitor", "", "/metadata/namespace", Is("monitoring")),
            ("ServiceMonitor", "", "/metadata/labels/release", Is("prometheus")),
            ("ServiceMonitor", "", "/spec/endpoints/0/interval", Is("15s")),
            ("NetworkPolicy", "", "/spec/ingress/0/from/0/namespaceSelector/matchLabels/team", Is("shop")),
            ("NetworkPolicy", "", "/spec/ingress/2/from/0/namespaceSelector/matchLabels", Contains("monitoring")),
            ("NetworkPolicy", "", "/spec/egress/0/ports/0/port", Number(53)),
        ],
    },
    Expect {
        name: "openshift",
        kinds: &[],
        versions: ALL,
        outside: &[],
        facts: &[
            ("StatefulSet", "", "/spec/template/spec/securityContext/runAsUser", Absent),
            ("StatefulSet", "", "/spec/template/spec/securityContext/runAsGroup", Absent),
            ("StatefulSet", "", "/spec/template/spec/securityContext/fsGroup", Absent),
            ("StatefulSet", "", "/spec/template/spec/securityContext/seccompProfile/type", Is("RuntimeDefault")),
            ("Pod", "-test", "/spec/securityContext/runAsUser", Absent),
        ],
    },
    Expect {
        name: "existing-secret",
        kinds: &[],
        versions: ALL,
        outside: &["Secret rel-vault"],
        facts: &[
            ("StatefulSet", "", "/spec/template/spec/containers/0/env/0/name", Is("SPYHOP_API_ALLOWED_HOSTS_FILE")),
            ("StatefulSet", "", "/spec/template/spec/containers/0/env/1/value", Is("/etc/spyhop/secrets/prefix")),
            ("StatefulSet", "", "/spec/template/spec/volumes/2/secret/secretName", Is("rel-vault")),
            ("StatefulSet", "", "/spec/template/metadata/annotations", Contains("reloader")),
        ],
    },
    Expect {
        name: "made-secret",
        kinds: &[("Secret", 1)],
        versions: ALL,
        outside: &[],
        facts: &[
            ("Secret", "", "/stringData/otlp.path_prefix", Is("/hidden-4711")),
            ("ConfigMap", "", "/data/SPYHOP_OTLP_PATH_PREFIX", Absent),
            ("ConfigMap", "", "/data/SPYHOP_COMPACT_RETENTION", Is("14d")),
            ("ConfigMap", "", "/data/SPYHOP_INGEST_REQUEST_BYTES_MAX", Is("16777216")),
            (
                "ConfigMap",
                "",
                "/data/SPYHOP_OTLP_CORS_ORIGINS",
                Is("https://shop.example.org,https://admin.example.org"),
            ),
            ("StatefulSet", "", "/spec/template/metadata/annotations", Contains("checksum/secret")),
        ],
    },
    Expect {
        name: "gateway",
        kinds: &[("HTTPRoute", 1), ("GRPCRoute", 1)],
        versions: ALL,
        outside: &[],
        facts: &[
            ("HTTPRoute", "", "/spec/rules/0/backendRefs/0/port", Number(8080)),
            ("HTTPRoute", "", "/spec/rules/1/backendRefs/0/port", Number(8000)),
            ("GRPCRoute", "", "/spec/rules/0/backendRefs/0/port", Number(80)),
            ("Service", "rel-spyhop", "/spec/ports/0/targetPort", Is("otlp-grpc")),
            ("Pod", "-test", "/spec/containers/0/args", Contains("http://rel-spyhop:8080")),
        ],
    },
    Expect {
        name: "load-balancer",
        kinds: &[],
        versions: ALL,
        outside: &[],
        facts: &[
            ("ConfigMap", "", "/data/SPYHOP_OTLP_GRPC_ADDRESS", Is("[::]:4317")),
            ("Service", "rel-spyhop", "/spec/loadBalancerClass", Is("service.k8s.aws/nlb")),
            ("Service", "rel-spyhop", "/spec/ports/0/nodePort", Number(30_317)),
            ("Service", "rel-spyhop", "/spec/ports/1/nodePort", Absent),
            ("Service", "-headless", "/spec/ports/0/nodePort", Absent),
            ("NetworkPolicy", "", "/spec/ingress/0/from", Absent),
        ],
    },
    Expect {
        name: "syslog",
        kinds: &[],
        versions: ALL,
        outside: &["Secret rel-tls"],
        facts: &[
            ("ConfigMap", "", "/data/SPYHOP_SYSLOG_TCP_ADDRESS", Is("0.0.0.0:5514")),
            ("ConfigMap", "", "/data/SPYHOP_SYSLOG_UDP_ADDRESS", Is("0.0.0.0:5515")),
            ("ConfigMap", "", "/data/SPYHOP_SYSLOG_TLS_ADDRESS", Is("0.0.0.0:6514")),
            ("ConfigMap", "", "/data/SPYHOP_SYSLOG_CONNECTIONS_MAX", Is("64")),
            ("Service", "rel-spyhop", "/spec/ports/3/port", Number(514)),
            ("Service", "rel-spyhop", "/spec/ports/3/targetPort", Is("syslog-tcp")),
            ("Service", "rel-spyhop", "/spec/ports/3/nodePort", Absent),
            ("Service", "rel-spyhop", "/spec/ports/4/protocol", Is("UDP")),
            ("Service", "rel-spyhop", "/spec/ports/5/port", Number(6514)),
            ("Service", "rel-spyhop", "/spec/ports/5/nodePort", Number(31_514)),
            ("Service", "-headless", "/spec/ports/5/nodePort", Absent),
            ("StatefulSet", "", "/spec/template/spec/containers/0/ports/4/containerPort", Number(5515)),
            ("NetworkPolicy", "", "/spec/ingress/0/ports/3/protocol", Is("UDP")),
            ("NetworkPolicy", "", "/spec/ingress/0/ports", Contains("syslog-tls")),
        ],
    },
    Expect {
        name: "bare",
        kinds: &[("NetworkPolicy", -1), ("Pod", -1), ("ServiceAccount", -1)],
        versions: ALL,
        outside: &["ServiceAccount shared"],
        facts: &[
            ("StatefulSet", "", "/spec/replicas", Number(0)),
            ("StatefulSet", "", "/spec/template/spec/serviceAccountName", Is("shared")),
            ("StatefulSet", "", "/spec/template/spec/containers/0/resources", Absent),
        ],
    },
    Expect {
        name: "full",
        kinds: &[("ConfigMap", 2), ("PodDisruptionBudget", 1)],
        // trafficDistribution and lifecycle.preStop.sleep are younger than what the chart promises without them.
        versions: &["1.31", "1.34", "1.37"],
        outside: &[],
        facts: &[
            ("StatefulSet", "whale", "/metadata/namespace", Is("observability")),
            ("StatefulSet", "whale", "/metadata/labels/team", Is("rel-team")),
            ("StatefulSet", "whale", "/metadata/annotations", Contains("example.org/owner")),
            ("StatefulSet", "whale", "/spec/minReadySeconds", Number(5)),
            ("StatefulSet", "whale", "/spec/template/spec/imagePullSecrets/0/name", Is("global-pull")),
            ("StatefulSet", "whale", "/spec/template/spec/imagePullSecrets/1/name", Is("own-pull")),
            (
                "StatefulSet",
                "whale",
                "/spec/template/spec/containers/0/image",
                Contains("registry.example.org:5000/mirror/spyhop@sha256:aaaa"),
            ),
            ("StatefulSet", "whale", "/spec/template/spec/containers/0/args/2", Is("all")),
            ("StatefulSet", "whale", "/spec/template/spec/containers/0/livenessProbe/failureThreshold", Number(10)),
            ("StatefulSet", "whale", "/spec/template/spec/containers/0/livenessProbe/httpGet/path", Is("/livez")),
            ("StatefulSet", "whale", "/spec/template/spec/containers/1/name", Is("proxy")),
            ("StatefulSet", "whale", "/spec/template/spec/priorityClassName", Is("observability-critical")),
            ("StatefulSet", "whale", "/spec/template/spec/runtimeClassName", Is("gvisor")),
            ("StatefulSet", "whale", "/spec/template/spec/schedulerName", Is("other-scheduler")),
            ("StatefulSet", "whale", "/spec/template/spec/nodeSelector/disk", Is("fast")),
            ("StatefulSet", "whale", "/spec/template/spec/tolerations/0/key", Is("dedicated")),
            (
                "StatefulSet",
                "whale",
                "/spec/template/spec/topologySpreadConstraints/0/labelSelector/matchLabels",
                Contains("rel"),
            ),
            ("StatefulSet", "whale", "/spec/template/spec/dnsConfig/options/0/name", Is("ndots")),
            ("PersistentVolumeClaim", "whale", "/spec/storageClassName", Is("")),
            ("PersistentVolumeClaim", "whale", "/metadata/annotations/helm.sh~1resource-policy", Absent),
            ("PersistentVolumeClaim", "whale", "/spec/volumeAttributesClassName", Is("gold")),
            ("Service", "whale", "/spec/trafficDistribution", Is("PreferClose")),
            ("PodDisruptionBudget", "whale", "/spec/minAvailable", Number(1)),
            ("ServiceAccount", "whale-account", "/metadata/annotations", Contains("role/whale")),
            ("ConfigMap", "-settings", "/data/SPYHOP_QUERY_ROWS_MAX", Is("1000000")),
            ("ConfigMap", "-settings", "/data/SPYHOP_SHUTDOWN_GRACE", Is("40s")),
            ("ConfigMap", "-notes", "/data/owner", Is("sea")),
            ("ConfigMap", "-more", "/metadata/name", Is("whale-more")),
        ],
    },
];

fn expected_kinds(expect: &Expect) -> BTreeMap<String, i32> {
    let mut kinds: BTreeMap<String, i32> = BTreeMap::new();
    for (kind, count) in BASE.iter().chain(expect.kinds) {
        *kinds.entry((*kind).to_owned()).or_default() += count;
    }
    kinds.retain(|_, count| *count != 0);
    kinds
}

fn kinds_of(objects: &[Value]) -> BTreeMap<String, i32> {
    let mut kinds = BTreeMap::new();
    for object in objects {
        *kinds.entry(object["kind"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    kinds
}

fn check_fact(name: &str, objects: &[Value], fact: &(&str, &str, &str, Fact)) -> TestResult {
    let (kind, suffix, pointer, expect) = fact;
    let found = find(objects, kind, suffix).with_context(|| name.to_owned())?.pointer(pointer);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let found = found.map(text);
    match expect {
        Is(text) => assert_eq!(found.as_deref(), Some(*text), "{name}: {kind} {pointer}"),
        Number(number) => assert_eq!(found, Some(number.to_string()), "{name}: {kind} {pointer}"),
        Absent => assert_eq!(found, None, "{name}: {kind} {pointer}"),
        Contains(part) => {
            assert!(found.as_deref().is_some_and(|text| text.contains(part)), "{name}: {kind} {pointer}: {found:?}");
        }
    }
    Ok(())
}

#[test]
fn every_values_file_renders_what_it_says() -> TestResult {
    let Some(tools) = Tools::find("chart::table") else { return Ok(()) };
    let begun = Instant::now();
    let files = values_files("ci")?;
    let known: BTreeSet<&str> = TABLE.iter().map(|expect| expect.name).collect();
    assert_eq!(files.keys().map(String::as_str).collect::<BTreeSet<_>>(), known, "the table has every file of ci");
    let mut texts = Vec::new();
    for expect in TABLE {
        let path = &files[expect.name];
        for (helm, name) in [(&tools.helm_4, "helm 4"), (&tools.helm_3, "helm 3")] {
            let yaml = render::template(helm, RELEASE, Some(path))?
                .map_err(|said| anyhow::anyhow!("{}: {name}: {said}", expect.name))?;
            texts.push((format!("{} by {name}", expect.name), yaml, expect.versions));
        }
    }
    let rendered = render::read(&tools, &texts)?;
    for expect in TABLE {
        let four = &rendered[&format!("{} by helm 4", expect.name)];
        let three = &rendered[&format!("{} by helm 3", expect.name)];
        assert_eq!(four.problems, Vec::<String>::new(), "{}", expect.name);
        assert_eq!(sorted(&four.objects), sorted(&three.objects), "{}: Helm 3 and 4 differ", expect.name);
        assert_eq!(kinds_of(&four.objects), expected_kinds(expect), "{}", expect.name);
        let complaints = lint::complaints(&four.objects, expect.outside);
        assert_eq!(complaints, Vec::<String>::new(), "{}", expect.name);
        for object in &four.objects {
            let complaints = pod_security::complaints(object);
            assert_eq!(complaints, Vec::<String>::new(), "{}", expect.name);
        }
        for fact in expect.facts {
            check_fact(expect.name, &four.objects, fact)?;
        }
        let shown: Vec<String> =
            kinds_of(&four.objects).iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        eprintln!("{:<16} {:>2} objects: {}", expect.name, four.objects.len(), shown.join(", "));
    }
    eprintln!("{} values files by Helm 3 and 4 in {:.1} s", TABLE.len(), begun.elapsed().as_secs_f64());
    Ok(())
}

fn sorted(objects: &[Value]) -> Vec<String> {
    let mut texts: Vec<String> = objects.iter().map(Value::to_string).collect();
    texts.sort();
    texts
}

#[test]
fn every_values_file_passes_helm_lint() -> TestResult {
    let Some(tools) = Tools::find("chart::lint") else { return Ok(()) };
    let chart = render::chart().to_string_lossy().into_owned();
    for (name, path) in values_files("ci")? {
        for helm in [&tools.helm_4, &tools.helm_3] {
            let output = render::helm(helm, &["lint", "--strict", &chart], Some(&path))?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.contains("0 chart(s) failed"), "{name}: {said}");
            assert!(!said.contains("[WARNING]") && !said.contains("[ERROR]"), "{name}: {said}");
        }
    }
    Ok(())
}

#[test]
fn what_cannot_work_is_refused_with_its_reason() -> TestResult {
    let Some(tools) = Tools::find("chart::refused") else { return Ok(()) };
    let files = values_files("ci/refused")?;
    assert!(files.len() >= 20, "{} files", files.len());
    for (name, path) in &files {
        let text = std::fs::read_to_string(path)?;
        let words = text.lines().next().and_then(|line| line.strip_prefix("# refused: "));
        let words = words.with_context(|| format!("{name} begins with '# refused: ' and words of the reason"))?;
        for helm in [&tools.helm_4, &tools.helm_3] {
            match render::template(helm, RELEASE, Some(path))? {
                Ok(_) => panic!("{name} was rendered"),
                Err(said) => assert!(said.contains(words), "{name}: no {words:?} in:\n{said}"),
            }
        }
    }
    eprintln!("{} values files refused by Helm 3 and 4", files.len());
    Ok(())
}

#[test]
fn the_default_fits_a_laptop() -> TestResult {
    let Some(tools) = Tools::find("chart::default") else { return Ok(()) };
    let objects = render::objects(&tools, None)?;
    let lasting = objects.iter().filter(|object| object["metadata"]["annotations"]["helm.sh/hook"].is_null()).count();
    assert!(lasting <= 8, "{lasting} objects");
    let requests = &find(&objects, "StatefulSet", "")?["spec"]["template"]["spec"]["containers"][0]["resources"];
    assert_eq!(requests["requests"], json!({"cpu": "100m", "memory": "256Mi"}));
    Ok(())
}

#[test]
fn a_long_release_name_makes_valid_names() -> TestResult {
    let Some(tools) = Tools::find("chart::names") else { return Ok(()) };
    // The longest that Helm takes.
    let release = "a".repeat(53);
    let yaml = render::template(&tools.helm_4, &release, None)?.map_err(anyhow::Error::msg)?;
    let read = render::read(&tools, &[("long".to_owned(), yaml, ALL)])?;
    let rendered = &read["long"];
    assert_eq!(rendered.problems, Vec::<String>::new());
    assert_eq!(lint::complaints(&rendered.objects, &[]), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_changed_setting_rolls_the_pod_and_nothing_else_does() -> TestResult {
    let Some(tools) = Tools::find("chart::checksum") else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let checksums = |values: &str| -> anyhow::Result<Value> {
        let path = folder.path().join("values.yaml");
        std::fs::write(&path, values)?;
        let objects = render::objects(&tools, Some(&path))?;
        Ok(find(&objects, "StatefulSet", "")?["spec"]["template"]["metadata"]["annotations"].clone())
    };
    let plain = checksums("{}")?;
    assert_eq!(plain, checksums("service: {type: NodePort}")?);
    assert_ne!(plain, checksums("settings: {log: debug}")?);
    let secret = checksums("secretSettings: {values: {otlp.path_prefix: /a}}")?;
    assert_ne!(secret, checksums("secretSettings: {values: {otlp.path_prefix: /b}}")?);
    Ok(())
}
