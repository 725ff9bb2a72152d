//! The services that telemetry comes from: 24 of them, each with three pods and twelve resource attributes.

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::payload::{int_attribute, string_attribute};
use crate::random::Random;

/// How many services there are.
pub const SERVICES: usize = 24;
/// Pods of each service.
pub const PODS: usize = 3;

const NAMES: [&str; SERVICES] = [
    "frontend",
    "cart",
    "checkout",
    "payment",
    "shipping",
    "catalog",
    "currency",
    "email",
    "ads",
    "recommendation",
    "quote",
    "accounting",
    "fraud",
    "auth",
    "profile",
    "search",
    "inventory",
    "pricing",
    "reviews",
    "loyalty",
    "notification",
    "gateway",
    "media",
    "audit",
];

/// Name of the service with this number.
pub fn service_name(service: usize) -> &'static str {
    NAMES[service % SERVICES]
}

/// All resources, by service and pod; the same for the same seed.
pub fn resources(seed: u64) -> Vec<Resource> {
    let mut random = Random::new(seed);
    let mut resources = Vec::with_capacity(SERVICES * PODS);
    for service in 0..SERVICES {
        for _ in 0..PODS {
            resources.push(Resource { attributes: attributes(service, &mut random), ..Default::default() });
        }
    }
    resources
}

fn attributes(service: usize, random: &mut Random) -> Vec<KeyValue> {
    let name = service_name(service);
    let pod = format!("{name}-{}-{}", random.hex(10), random.hex(5));
    let language = *random.pick(&["go", "java", "python", "nodejs", "rust"]);
    vec![
        string_attribute("service.name", name),
        string_attribute("service.namespace", "shop"),
        string_attribute("service.version", &format!("1.{}.{}", random.below(30), random.below(10))),
        string_attribute("service.instance.id", &random.hex(32)),
        string_attribute("telemetry.sdk.language", language),
        string_attribute("telemetry.sdk.name", "opentelemetry"),
        string_attribute("telemetry.sdk.version", "1.45.1"),
        string_attribute("k8s.namespace.name", "shop-production"),
        string_attribute("k8s.pod.name", &pod),
        string_attribute("k8s.node.name", &format!("node-{:02}", random.below(12))),
        string_attribute("deployment.environment.name", "production"),
        int_attribute("process.pid", 1 + random.below(30_000) as i64),
    ]
}

/// The instrumentation library of a service.
pub fn scope(service: usize) -> InstrumentationScope {
    InstrumentationScope {
        name: format!("io.opentelemetry.{}", service_name(service)),
        version: "2.11.0".to_owned(),
        ..Default::default()
    }
}
