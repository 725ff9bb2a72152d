//! Rules about the source that no compiler checks: which crate may use which, one version of what must be single,
//! files of a readable length that say what they are for, a chart whose README knows its values.
//!
//! Each rule is a pure function from facts to complaints; this module gathers the facts.

mod edges;
mod files;
mod pins;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{Step, say};
use crate::{chart, folders};

/// Runs all rules and fails with every complaint.
pub fn run() -> Result<()> {
    say("tidy: crate edges, pins, file lengths, module heads, the chart's README");
    let metadata = Step::new("asking cargo for the workspace", "cargo")
        .quiet()
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .output()?;
    let crates = edges::crates_of(&serde_json::from_str(&metadata).context("cargo metadata is no JSON")?)?;
    let lock = fs::read_to_string(folders::root().join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let mut complaints = edges::check(&crates);
    complaints.extend(pins::check(&lock));
    complaints.extend(chart::complaints()?);
    for path in sources()? {
        let text = fs::read_to_string(folders::root().join(&path)).unwrap_or_default();
        complaints.extend(files::check(&path, &text));
    }
    if complaints.is_empty() {
        return Ok(());
    }
    for complaint in &complaints {
        eprintln!("tidy: {complaint}");
    }
    bail!("tidy has {} complaint(s)", complaints.len());
}

/// Every source file of ours, by its path in the repository.
fn sources() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in ["crates", "xtask", "tests", "benches", "fuzz", "ui"] {
        walk(Path::new(folder), &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let absolute = folders::root().join(folder);
    for entry in fs::read_dir(&absolute).with_context(|| format!("cannot list {}", absolute.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let path = folder.join(&name);
        if entry.file_type()?.is_dir() {
            if name != "target" && name != "node_modules" && name != "__pycache__" {
                walk(&path, found)?;
            }
        } else if path
            .extension()
            .is_some_and(|extension| ["rs", "js", "mjs", "py", "css"].iter().any(|e| extension == *e))
        {
            found.push(path);
        }
    }
    Ok(())
}
