//! What the tests of real OTLP clients need: OpenTelemetry for Python and Rust, for Java and Go where they are installed.
//!
//! Everything is pinned in `tests/clients` and lies in the cache, so that clones share it. Java and Go are not
//! installed here: nothing else of this project needs them, and the tests that do say that they are skipped.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::shell::{Step, find_program, say};
use crate::{folders, tools};

/// What copies the jars that a pom names.
const COPY_JARS: &str = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies";

/// What builds a Collector of the parts that a manifest names.
const COLLECTOR_BUILDER: &str = "go.opentelemetry.io/collector/cmd/builder@v0.159.0";

/// A Python with OpenTelemetry's SDK and all of its OTLP exporters.
pub fn python() -> Result<PathBuf> {
    tools::python_environment("clients-python", "tests/clients/python/requirements.txt")
}

/// The Rust client, built.
pub fn rust() -> Result<PathBuf> {
    let target = folders::cache().join("clients-target");
    Step::cargo("building the Rust client of the tests", &target)
        .args(["build", "--locked", "--manifest-path", "tests/clients/rust/Cargo.toml"])
        .run()?;
    Ok(target.join("debug/rust_client"))
}

/// A folder with the jars of OpenTelemetry for Java; nothing where there is no Java.
pub fn java() -> Result<Option<PathBuf>> {
    let (Some(_), Some(maven)) = (find_program(&["java"]), find_program(&["mvn"])) else {
        say("Java or Maven is missing: the tests of the Java client are skipped");
        return Ok(None);
    };
    let pom = folders::root().join("tests/clients/java/pom.xml");
    let wanted = fs::read_to_string(&pom).context("cannot read the Java client's pom.xml")?;
    let folder = folders::cache().join("clients-java");
    let stamp = folder.join("pom.stamp");
    if fs::read_to_string(&stamp).is_ok_and(|old| old == wanted) {
        return Ok(Some(folder));
    }
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Step::new("copying the jars of OpenTelemetry for Java (pinned)", maven)
        .args(["--quiet", "--batch-mode", "--file"])
        .arg(&pom)
        .arg(COPY_JARS)
        .arg(format!("-DoutputDirectory={}", folder.display()))
        .run()?;
    fs::write(&stamp, wanted).context("cannot note which jars are there")?;
    Ok(Some(folder))
}

/// An OpenTelemetry Collector; nothing where there is no Go.
pub fn collector() -> Result<Option<PathBuf>> {
    let Some(go) = find_program(&["go"]) else {
        say("Go is missing: the tests of the Collector are skipped");
        return Ok(None);
    };
    let manifest = fs::read_to_string(folders::root().join("tests/clients/collector/builder.yaml"))
        .context("cannot read the Collector's builder.yaml")?;
    let folder = folders::cache().join("clients-collector");
    let (program, stamp) = (folder.join("otelcol"), folder.join("builder.stamp"));
    if program.is_file() && fs::read_to_string(&stamp).is_ok_and(|old| old == manifest) {
        return Ok(Some(program));
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let with_output = manifest.replace("\ndist:\n", &format!("\ndist:\n  output_path: {}\n", folder.display()));
    let written = folder.join("builder.yaml");
    fs::write(&written, with_output).with_context(|| format!("cannot write {}", written.display()))?;
    Step::new("building an OpenTelemetry Collector (pinned); the first time takes several minutes", go)
        .args(["run", COLLECTOR_BUILDER, "--config"])
        .arg(&written)
        .env("CGO_ENABLED", "0")
        .folder(&folder)
        .run()?;
    if !program.is_file() {
        bail!("the Collector's builder left no {}", program.display());
    }
    fs::write(&stamp, manifest).context("cannot note what the Collector was built of")?;
    Ok(Some(program))
}
