//! The release binary: UI first, then the server with the UI inside.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::shell::{Step, say};
use crate::{folders, ui};

/// The packages whose features decide how DataFusion and friends are compiled.
///
/// Product, tests and benches select the same packages, so cargo unifies the same features and compiles every
/// heavy dependency once.
pub const SAME_FEATURES: &[&str] = &["--release", "--workspace", "--exclude", "xtask"];

/// Builds UI and server; returns the path of the binary.
pub fn build() -> Result<PathBuf> {
    ui::build()?;
    Step::cargo("building the server (release); the first time takes several minutes", &folders::server_target())
        .arg("build")
        .args(SAME_FEATURES)
        .args(["--bin", "spyhop"])
        .run()?;
    let built = folders::server_target().join("release/spyhop");
    let binary = folders::binary();
    install(&built, &binary)?;
    let size = fs::metadata(&binary).map(|metadata| metadata.len() / 1_048_576).unwrap_or_default();
    say(format!("built {} ({size} MiB)", binary.display()));
    Ok(binary)
}

/// Copies the binary beside its place and renames it: a running server keeps the file it was started from.
fn install(built: &std::path::Path, binary: &std::path::Path) -> Result<()> {
    let folder = binary.parent().context("the binary has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    if built == binary {
        return Ok(());
    }
    let beside = binary.with_extension("new");
    fs::copy(built, &beside).with_context(|| format!("cannot copy {} to {}", built.display(), beside.display()))?;
    fs::rename(&beside, binary).with_context(|| format!("cannot put the binary at {}", binary.display()))
}

/// Builds and becomes the server.
pub fn run(arguments: &[String]) -> Result<()> {
    let binary = build()?;
    say("starting Spyhop on ./data; Ctrl-C stops it");
    say("  UI and API   http://127.0.0.1:4319");
    say("  OTLP gRPC    http://127.0.0.1:4317");
    say("  OTLP HTTP    http://127.0.0.1:4318");
    say("  for sample data type in another terminal: target/release/spyhop demo");
    Step::new("running `spyhop serve`", binary).quiet().arg("serve").args(arguments).replace_us()
}
