//! The compose file agrees with the image and keeps it as closed as the chart does.

use std::fs;

use anyhow::Context;
use serde_json::{Value, json};

use super::dockerfile::Image;
use super::lint::text;
use super::render::{self, Tools, items};
use crate::TestResult;

#[test]
fn compose_runs_the_image_as_it_is_built() -> TestResult {
    let Some(tools) = Tools::find("compose") else { return Ok(()) };
    let image = Image::read()?;
    let yaml = fs::read_to_string(super::repository("deploy/compose.yaml"))?;
    let mut read = render::read(&tools, &[("compose".to_owned(), yaml, &[])])?;
    let compose = read.remove("compose").context("one was asked for")?;
    assert_eq!(compose.problems, Vec::<String>::new());
    let services = &compose.objects[0]["services"];
    let (spyhop, demo) = (&services["spyhop"], &services["demo"]);
    for service in [spyhop, demo] {
        assert_eq!(service["read_only"], true);
        assert_eq!(service["cap_drop"], json!(["ALL"]));
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]));
        assert_eq!(service["image"], spyhop["image"]);
    }
    let ports: Vec<String> = image.ports.iter().map(|port| format!("127.0.0.1:{port}:{port}")).collect();
    assert_eq!(items(&spyhop["ports"]).iter().map(text).collect::<Vec<_>>(), ports, "every port, on loopback alone");
    assert_eq!(spyhop["volumes"], json!([format!("data:{}", image.volumes[0])]));
    assert_eq!(compose.objects[0]["volumes"], json!({"data": null}));
    let health: Vec<String> = std::iter::once("CMD".to_owned()).chain(image.health.clone()).collect();
    assert_eq!(spyhop["healthcheck"]["test"], json!(health));
    // Longer than the supervisor takes with its default of 20 s.
    assert_eq!(spyhop["stop_grace_period"], "30s");
    assert_eq!(demo["depends_on"]["spyhop"]["condition"], "service_healthy");
    let endpoint = items(&demo["command"]).last().and_then(Value::as_str).unwrap_or_default();
    assert_eq!(endpoint, "http://spyhop:4318");
    let dockerfile = text(&spyhop["build"]["dockerfile"]);
    assert!(super::repository(&dockerfile).is_file(), "{dockerfile}");
    Ok(())
}

#[test]
fn chart_and_image_agree() -> TestResult {
    let Some(tools) = Tools::find("compose::chart") else { return Ok(()) };
    let image = Image::read()?;
    let objects = render::objects(&tools, None)?;
    let settings = &render::find(&objects, "ConfigMap", "")?["data"];
    for (name, value) in image.environment.iter().filter(|(name, _)| name.starts_with("SPYHOP_")) {
        assert_eq!(settings[name], *value, "{name}");
    }
    let pod = &render::find(&objects, "StatefulSet", "")?["spec"]["template"]["spec"];
    let context = &pod["securityContext"];
    let user = [&context["runAsUser"], &context["runAsGroup"], &context["fsGroup"]];
    assert_eq!(user, [&json!(image.user.0), &json!(image.user.1), &json!(image.user.1)]);
    let container = &pod["containers"][0];
    assert_eq!(container["command"], Value::Null, "the image's entrypoint");
    assert_eq!(container["args"], json!(image.command));
    let ports: Vec<u64> = items(&container["ports"]).iter().filter_map(|port| port["containerPort"].as_u64()).collect();
    assert_eq!(ports, image.ports.iter().map(|port| u64::from(*port)).collect::<Vec<_>>());
    assert_eq!(container["volumeMounts"][0]["mountPath"], image.volumes[0]);
    Ok(())
}
