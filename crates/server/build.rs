//! Embeds the UI: every file of the folder that `SPYHOP_UI_DIST` names (`cargo xtask` sets it), else of
//! `target/ui-dist` at the workspace root, becomes a static of the binary.
//!
//! `x.br` and `x.gz` beside `x` are its compressed forms, served to whoever accepts them. Without the folder the
//! table is empty and the server answers with a page that says how to build the UI. The default folder is watched
//! only once it exists: a watched path that does not exist would rebuild the server at every call of cargo.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=SPYHOP_UI_DIST");
    println!("cargo::rerun-if-changed=build.rs");
    let named = env::var_os("SPYHOP_UI_DIST").filter(|path| !path.is_empty()).map(PathBuf::from);
    let folder = named.unwrap_or_else(|| manifest_folder().join("../../target/ui-dist"));
    let mut files = BTreeMap::new();
    if folder.is_dir() {
        println!("cargo::rerun-if-changed={}", folder.display());
        collect(&folder.canonicalize()?, String::new(), &mut files)?;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("ui_files.rs");
    fs::write(out, table(&files)?)
}

fn manifest_folder() -> PathBuf {
    PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"))
}

/// Every file below `folder`, by its path with forward slashes.
fn collect(folder: &Path, prefix: String, files: &mut BTreeMap<String, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), format!("{name}/"), files)?;
        } else {
            files.insert(name, entry.path());
        }
    }
    Ok(())
}

/// The table as Rust source: an array of `UiFile`, sorted by path.
fn table(files: &BTreeMap<String, PathBuf>) -> io::Result<String> {
    let mut source = String::from("[\n");
    for (name, path) in files {
        let plain = name.strip_suffix(".br").or_else(|| name.strip_suffix(".gz"));
        if plain.is_some_and(|plain| files.contains_key(plain)) {
            continue;
        }
        let mut hasher = DefaultHasher::new();
        hasher.write(&fs::read(path)?);
        let sibling = |suffix: &str| match files.get(&format!("{name}{suffix}")) {
            Some(path) => format!("Some(include_bytes!({path:?}))"),
            None => "None".to_owned(),
        };
        source.push_str(&format!(
            "    UiFile {{ path: {name:?}, etag: \"\\\"{:016x}\\\"\", plain: include_bytes!({path:?}), brotli: {}, gzip: {} }},\n",
            hasher.finish(),
            sibling(".br"),
            sibling(".gz"),
        ));
    }
    source.push_str("]\n");
    Ok(source)
}
