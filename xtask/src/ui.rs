//! The UI: Rust to WebAssembly to `target/ui-dist`, skipped while its inputs are unchanged.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hasher;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{Step, find_program, say};
use crate::{folders, tools};

/// The target of the UI.
pub const WASM: &str = "wasm32-unknown-unknown";

/// What the UI is made from, beside the toolchain.
const INPUTS: &[&str] = &["ui", "crates/api", "crates/model", "xtask/ui_pack"];

/// Builds `target/ui-dist` where anything it is made from has changed.
pub fn build() -> Result<()> {
    if !folders::root().join("ui/Cargo.toml").is_file() {
        say("there is no ui folder: the server is built without its pages");
        return Ok(());
    }
    let optimizer = tools::wasm_opt()?;
    let stamp = stamp(optimizer.is_some())?;
    let stamp_path = folders::ui_dist().with_extension("stamp");
    let fresh = folders::ui_dist().join("index.html").is_file();
    if fresh && fs::read_to_string(&stamp_path).is_ok_and(|old| old == stamp) {
        say("the UI is unchanged");
        return Ok(());
    }
    add_wasm_target()?;
    let target = folders::ui_target();
    Step::cargo("building the UI (WebAssembly, optimised for size)", &target)
        .args(["build", "--manifest-path", "ui/Cargo.toml", "--package", "ui", "--lib"])
        .args(["--profile", "wasm", "--target", WASM])
        .run()?;
    Step::cargo("building the UI packer", &target)
        .args(["build", "--release", "--manifest-path", "xtask/ui_pack/Cargo.toml"])
        .run()?;
    let dist = folders::ui_dist();
    fs::create_dir_all(dist.parent().context("the UI has a folder")?)?;
    Step::new("packing the UI", target.join("release/ui_pack"))
        .arg(target.join(WASM).join("wasm/ui.wasm"))
        .arg(folders::root().join("ui"))
        .arg(&dist)
        .args(optimizer.unwrap_or_default())
        .run()?;
    fs::write(&stamp_path, stamp).with_context(|| format!("cannot write {}", stamp_path.display()))
}

/// Makes sure that this toolchain can compile to WebAssembly.
pub fn add_wasm_target() -> Result<()> {
    let libdir = Step::new("asking where the WebAssembly library lies", "rustc")
        .quiet()
        .args(["--print", "target-libdir", "--target", WASM])
        .output();
    if libdir.is_ok_and(|folder| Path::new(folder.trim()).is_dir()) {
        return Ok(());
    }
    if find_program(&["rustup"]).is_none() {
        bail!("the UI needs Rust's {WASM} target and there is no rustup to add it: install that target, then retry");
    }
    Step::new(format!("adding Rust's {WASM} target"), "rustup").args(["target", "add", WASM]).run().with_context(|| {
        format!("the UI needs Rust's {WASM} target; run `rustup target add {WASM}` where the network allows it")
    })
}

/// A hash of every input's path and content and of the toolchain.
fn stamp(optimized: bool) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    let rustc = Step::new("asking rustc for its version", "rustc").quiet().arg("--version").output()?;
    hasher.write(rustc.as_bytes());
    hasher.write_u8(u8::from(optimized));
    for input in INPUTS {
        let mut files = Vec::new();
        collect(&folders::root().join(input), &mut files)?;
        files.sort();
        for path in files {
            hasher.write(path.to_string_lossy().as_bytes());
            hasher.write(&fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
        }
    }
    Ok(format!("{:016x}\n", hasher.finish()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if !path.is_dir() {
            files.push(path);
        } else if path.file_name().is_some_and(|name| name != "target" && name != "node_modules") {
            collect(&path, files)?;
        }
    }
    Ok(())
}
