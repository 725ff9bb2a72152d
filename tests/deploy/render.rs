//! Real Helm over the chart, and real YAML and Kubernetes' schemas over what it renders.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::e2e::program;

/// Name and namespace that everything is rendered with.
pub const RELEASE: &str = "rel";
pub const NAMESPACE: &str = "shop";

/// The chart's folder.
pub fn chart() -> PathBuf {
    super::repository("deploy/helm/spyhop")
}

/// What these tests run.
pub struct Tools {
    pub helm_4: PathBuf,
    pub helm_3: PathBuf,
    pub python: PathBuf,
}

impl Tools {
    /// Nothing, and the test counted as skipped, where one is missing.
    pub fn find(test: &str) -> Option<Tools> {
        let find = |variable: &str| program(variable);
        match (find("SPYHOP_TEST_HELM_4"), find("SPYHOP_TEST_HELM_3"), find("SPYHOP_TEST_PYTHON")) {
            (Some(helm_4), Some(helm_3), Some(python)) => Some(Tools { helm_4, helm_3, python }),
            _ => {
                testkit::skip(&format!("deploy::{test}"), "there is no Helm 4, no Helm 3 or no Python");
                None
            }
        }
    }
}

/// The values files of a folder below the chart, by name.
pub fn values_files(folder: &str) -> Result<BTreeMap<String, PathBuf>> {
    let folder = chart().join(folder);
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().trim_end_matches("-values").to_owned();
            found.insert(name, path);
        }
    }
    Ok(found)
}

/// Runs Helm where no cluster and no configuration of the user can be found.
pub fn helm(helm: &Path, arguments: &[&str], values: Option<&Path>) -> Result<Output> {
    let home = tempfile::tempdir()?;
    let mut command = Command::new(helm);
    command.args(arguments).env_clear().env("HOME", home.path()).env("KUBECONFIG", "/dev/null").stdin(Stdio::null());
    if let Some(values) = values {
        command.arg("--values").arg(values);
    }
    command.output().with_context(|| format!("cannot run {}", helm.display()))
}

/// `helm template`: the YAML, or Helm's complaint.
pub fn template(program: &Path, release: &str, values: Option<&Path>) -> Result<Result<String, String>> {
    let chart = chart();
    let arguments = ["template", release, &*chart.to_string_lossy(), "--namespace", NAMESPACE];
    let output = helm(program, &arguments, values)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
}

/// What was rendered from one values file.
#[derive(Debug)]
pub struct Rendered {
    pub objects: Vec<Value>,
    /// What Kubernetes' schemas say against it.
    pub problems: Vec<String>,
}

/// Reads YAML and holds it against the schemas of these versions of Kubernetes; all in one run, because Python takes
/// its time to start.
pub fn read(tools: &Tools, texts: &[(String, String, &[&str])]) -> Result<BTreeMap<String, Rendered>> {
    let asked: serde_json::Map<String, Value> = texts
        .iter()
        .map(|(name, yaml, versions)| (name.clone(), json!({ "yaml": yaml, "versions": versions })))
        .collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/validate.py");
    let mut child = Command::new(&tools.python)
        .arg(script)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start Python")?;
    // It reads everything before it writes anything, so that neither waits for the other.
    child.stdin.take().context("stdin is piped")?.write_all(Value::Object(asked).to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("validate.py ended with {}", output.status);
    }
    let answers: BTreeMap<String, Value> =
        serde_json::from_slice(&output.stdout).context("validate.py wrote no JSON")?;
    let rendered = |answer: &Value| Rendered {
        objects: items(&answer["objects"]).to_vec(),
        problems: items(&answer["problems"]).iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    Ok(answers.iter().map(|(name, answer)| (name.clone(), rendered(answer))).collect())
}

/// The items of a list; none where it is absent.
pub fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The objects of the chart with this values file, as Helm 4 renders them.
pub fn objects(tools: &Tools, values: Option<&Path>) -> Result<Vec<Value>> {
    let yaml = template(&tools.helm_4, RELEASE, values)?.map_err(anyhow::Error::msg)?;
    let mut read = read(tools, &[("one".to_owned(), yaml, &[])])?;
    Ok(read.remove("one").context("one was asked for")?.objects)
}

/// The only object of a kind, or the one whose name ends so.
pub fn find<'a>(objects: &'a [Value], kind: &str, suffix: &str) -> Result<&'a Value> {
    let is = |object: &&Value| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        object["kind"] == kind && name.ends_with(suffix)
    };
    objects.iter().find(is).with_context(|| format!("no {kind} whose name ends with {suffix:?}"))
}
