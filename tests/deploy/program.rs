//! The chart configures the program it ships: what it renders is handed to the real binary.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use serde_json::Value;
use testkit::{Server, ServerSettings, run_command};

use super::render::{self, Tools, find, items, values_files};
use crate::TestResult;

/// The environment of the server's container: its ConfigMaps, then its variables, files of secrets below `secrets`.
fn environment(objects: &[Value], secrets: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let container = &find(objects, "StatefulSet", "")?["spec"]["template"]["spec"]["containers"][0];
    let mut found = BTreeMap::new();
    for source in items(&container["envFrom"]) {
        let name = source["configMapRef"]["name"].as_str().context("the chart hands ConfigMaps over")?;
        let data = find(objects, "ConfigMap", name)?["data"].as_object().context("a ConfigMap has data")?;
        found.extend(data.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())));
    }
    for variable in items(&container["env"]) {
        let (Some(name), Some(value)) = (variable["name"].as_str(), variable["value"].as_str()) else { continue };
        let value = value.replace("/etc/spyhop/secrets", &secrets.to_string_lossy());
        if name.ends_with("_FILE") && !Path::new(&value).exists() {
            fs::write(&value, "/from-a-secret")?;
        }
        found.insert(name.to_owned(), value);
    }
    Ok(found)
}

#[tokio::test]
async fn every_values_file_is_a_valid_configuration() -> TestResult {
    let Some(tools) = Tools::find("program::settings") else { return Ok(()) };
    for (name, path) in values_files("ci")? {
        let objects = render::objects(&tools, Some(&path))?;
        let secrets = tempfile::tempdir()?;
        let mut command = Command::new(testkit::binary());
        command.args(["config", "show"]).env_clear().envs(environment(&objects, secrets.path())?);
        let output = run_command(command).await?;
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(shown.contains("$SPYHOP_API_ADDRESS"), "{name}: {shown}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_rendered_starts_and_becomes_ready() -> TestResult {
    let Some(tools) = Tools::find("program::start") else { return Ok(()) };
    let path = values_files("ci")?.remove("made-secret").context("ci has made-secret")?;
    let objects = render::objects(&tools, Some(&path))?;
    let secrets = tempfile::tempdir()?;
    let mut settings = ServerSettings::default();
    for (name, value) in environment(&objects, secrets.path())? {
        // Addresses and data folder are the test's: ports of a test are free ones on loopback.
        if !name.ends_with("_ADDRESS") && name != "SPYHOP_DATA_DIR" {
            settings = settings.with(&name, value);
        }
    }
    let server = Server::start(settings).await?;
    let container = &find(&objects, "StatefulSet", "")?["spec"]["template"]["spec"]["containers"][0];
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let path = container[probe]["httpGet"]["path"].as_str().context("probes ask a path")?;
        assert_eq!(server.client().get_ingest(path).await?.status, 200, "{probe} asks {path}");
    }
    let monitored = server.client().get("/metrics").await?;
    assert_eq!(monitored.status, 200);
    // What the pod of `helm test` runs.
    let client = server.client();
    let pod = find(&objects, "Pod", "-test")?;
    let arguments: Vec<&str> = items(&pod["spec"]["containers"][0]["args"]).iter().filter_map(Value::as_str).collect();
    let urls = [("http://rel-spyhop:4318", client.otlp_http_url()), ("http://rel-spyhop:4319", client.api_url())];
    let arguments: Vec<String> = arguments
        .iter()
        .map(|argument| urls.iter().fold((*argument).to_owned(), |text, (from, to)| text.replace(from, to)))
        .collect();
    assert_eq!(arguments.len(), 4, "{arguments:?}");
    let output = server.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2, "{output:?}");
    Ok(())
}

#[tokio::test]
async fn health_says_why_a_server_is_not_ready() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let healthy = server.run(&["health"]).await?;
    assert!(healthy.status.success(), "without a URL it asks the server of its settings: {healthy:?}");
    server.kill_group()?;
    let dead = server.run(&["health"]).await?;
    assert_eq!(dead.status.code(), Some(1));
    let said = String::from_utf8_lossy(&dead.stderr).into_owned();
    assert!(said.contains("is not ready") && said.contains("refused"), "{said}");
    let wrong = server.run(&["health", "--url", "spyhop:4318"]).await?;
    assert_eq!(wrong.status.code(), Some(2));
    Ok(())
}

/// Settings that the chart sets by values of its own.
const OF_THE_CHART: &[&str] = &[
    "data_dir",
    "shutdown_grace",
    "otlp.grpc_address",
    "otlp.http_address",
    "api.address",
    "syslog.tcp_address",
    "syslog.udp_address",
    "syslog.tls_address",
];

#[tokio::test]
async fn the_chart_knows_the_settings_of_the_binary() -> TestResult {
    let mut command = Command::new(testkit::binary());
    command.args(["config", "show"]).env_clear();
    let shown = String::from_utf8(run_command(command).await?.stdout)?;
    let names = shown.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = "));
    let binary: BTreeSet<String> =
        names.map(|(name, _)| name.to_owned()).filter(|name| !OF_THE_CHART.contains(&name.as_str())).collect();
    let schema: Value = serde_json::from_str(&fs::read_to_string(render::chart().join("values.schema.json"))?)?;
    let settings = schema["properties"]["settings"]["properties"].as_object().context("the schema has settings")?;
    let mut chart = BTreeSet::new();
    for (name, entry) in settings {
        match entry["properties"].as_object() {
            Some(group) => chart.extend(group.keys().map(|inner| format!("{name}.{inner}"))),
            None => drop(chart.insert(name.clone())),
        }
    }
    assert_eq!(chart, binary, "run `cargo xtask chart` after `cargo xtask build`");
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md"))?;
    for line in shown.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, rest)) = line.split_once(" = ") else { continue };
        let default = rest.rsplit_once("  # ").map_or(rest, |(value, _)| value).trim_matches('"');
        let row = page.lines().find(|row| row.starts_with(&format!("| `{name}` |"))).context(name.to_owned())?;
        assert!(row.contains(&format!("| `{default}` |")) || default.is_empty(), "{name}: run `cargo xtask chart`");
    }
    Ok(())
}
