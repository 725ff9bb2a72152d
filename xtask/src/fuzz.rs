//! `cargo xtask fuzz [seconds] [target]`: every fuzz target, one after another, and what each run came to.
//!
//! The properties are in `crates/properties`, the targets in `fuzz/`, a workspace of its own. They are built by
//! cargo-fuzz with a nightly toolchain and the address sanitizer. What libFuzzer finds to be new is gathered in the
//! cache; an input that breaks a property is left in `fuzz/artifacts`. `cargo xtask fuzz seeds` writes the seeds into
//! `fuzz/corpus`, which every run begins with and the ordinary tests replay.

mod figures;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{Step, say};
use crate::{folders, product};
use figures::Figures;

/// What builds fuzz targets, pinned.
const CARGO_FUZZ: (&str, &str) = ("cargo-fuzz", "0.13.2");

/// Seconds for each target where none are asked for.
const SECONDS: u64 = 60;

/// Bounds on one input: its length, the seconds it may take, and the memory of the whole process.
const LIMITS: &[&str] = &["-max_len=16384", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"];

/// Runs what the arguments ask for.
pub fn run(arguments: &[String]) -> Result<()> {
    if arguments.first().is_some_and(|word| word == "seeds") {
        return write_seeds();
    }
    let seconds = match arguments.first() {
        Some(text) => text.parse().with_context(|| format!("`{text}` is no number of seconds"))?,
        None => SECONDS,
    };
    let mut targets = targets()?;
    if let Some(wanted) = arguments.get(1) {
        targets.retain(|target| target == wanted);
        if targets.is_empty() {
            bail!("there is no fuzz target `{wanted}`");
        }
    }
    let built = build()?;
    let mut lines = vec![Figures::head()];
    let mut broken = Vec::new();
    for target in &targets {
        let (log, held) = fuzz(&built, target, seconds)?;
        let text = fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
        let line = Figures::of(&text).line(target);
        say(&line);
        lines.push(line);
        if !held {
            broken.push(format!("{target} (see {})", log.display()));
        }
    }
    println!("\n{}", lines.join("\n"));
    if !broken.is_empty() {
        bail!("a property was broken, or a bound passed: {}", broken.join(", "));
    }
    Ok(())
}

fn workspace() -> PathBuf {
    folders::root().join("fuzz")
}

/// Names of the targets, which are those of their files.
fn targets() -> Result<Vec<String>> {
    let folder = workspace().join("src/bin");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort();
    Ok(names)
}

/// Builds all targets; returns the folder they are in.
fn build() -> Result<PathBuf> {
    let target = folders::cache().join("fuzz-target");
    let (name, version) = CARGO_FUZZ;
    let tool = folders::cache().join(format!("{name}-{version}"));
    if !tool.join("bin/cargo-fuzz").is_file() {
        Step::cargo(format!("installing {name} {version}"), &target)
            .args(["install", name, "--version", version, "--locked", "--root"])
            .arg(&tool)
            .run()?;
    }
    // A nightly compiler has the sanitizer and the coverage that libFuzzer steers by.
    Step::cargo("building the fuzz targets (nightly)", &target)
        .program(tool.join("bin/cargo-fuzz"))
        .args(["fuzz", "build", "--strip-dead-code", "--target-dir"])
        .arg(&target)
        .env("RUSTUP_TOOLCHAIN", "nightly")
        .run()?;
    let host = Step::new("asking rustc for the host", "rustc").quiet().arg("-vV").output()?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    Ok(target.join(host).join("release"))
}

/// Runs one target; returns its log and whether everything held.
fn fuzz(built: &Path, target: &str, seconds: u64) -> Result<(PathBuf, bool)> {
    let found = folders::cache().join("fuzz-corpus").join(target);
    let artifacts = workspace().join("artifacts").join(target);
    let seeds = workspace().join("corpus").join(target);
    for folder in [&found, &artifacts, &seeds] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let log = folders::root().join(format!("target/fuzz-{target}.log"));
    fs::create_dir_all(folders::root().join("target")).context("cannot make the folder `target`")?;
    let held = Step::new(format!("fuzzing {target} for {seconds} s"), built.join(target))
        .args(LIMITS)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args([&found, &seeds])
        .env("ASAN_OPTIONS", "detect_odr_violation=0")
        .logged(&log)?;
    Ok((log, held))
}

fn write_seeds() -> Result<()> {
    let target = folders::server_target();
    Step::cargo("building what writes the seeds", &target)
        .arg("build")
        .args(product::SAME_FEATURES)
        .args(["--example", "seeds"])
        .run()?;
    Step::new("writing the seeds into fuzz/corpus", target.join("release/examples/seeds"))
        .arg(workspace().join("corpus"))
        .run()
}
