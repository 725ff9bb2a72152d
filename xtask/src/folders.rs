//! Where things lie.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository")
}

/// What may be thrown away at any time and is shared by clones: `~/.cache/spyhop`.
pub fn cache() -> PathBuf {
    let base = match (env::var_os("XDG_CACHE_HOME"), env::var_os("HOME")) {
        (Some(cache), _) if !cache.is_empty() => PathBuf::from(cache),
        (_, Some(home)) => Path::new(&home).join(".cache"),
        _ => root().join("target"),
    };
    base.join("spyhop")
}

/// Cargo's outputs for server, tests and benches.
pub fn server_target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| cache().join("target"), PathBuf::from)
}

/// Cargo's outputs for the UI: another target and another profile, so they never disturb the server's.
pub fn ui_target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| cache().join("ui-target"), |folder| Path::new(&folder).join("ui"))
}

/// The built UI, which the server embeds.
pub fn ui_dist() -> PathBuf {
    root().join("target/ui-dist")
}

/// The product.
pub fn binary() -> PathBuf {
    root().join("target/release/spyhop")
}

/// Claims a target folder that other clones use too, before cargo runs in it.
///
/// Cargo gives our packages the same artifact names in every clone, and takes an artifact that is newer than the sources
/// for theirs, so that a clone would link code that another has built. Whenever the folder was last used by another
/// clone, what cargo knows of our packages is forgotten; dependencies stay. Two clones that build at the same moment are
/// not kept apart: give one of them a `CARGO_TARGET_DIR` of its own.
pub fn claim(target: &Path) -> std::io::Result<()> {
    let stamp = target.join("last-clone.txt");
    let us = root().to_string_lossy().into_owned();
    if fs::read_to_string(&stamp).is_ok_and(|last| last == us) {
        return Ok(());
    }
    let packages = our_packages()?;
    for profile in subfolders(target)?.into_iter().flat_map(|folder| {
        let below = subfolders(&folder).unwrap_or_default();
        std::iter::once(folder).chain(below)
    }) {
        for fingerprint in subfolders(&profile.join(".fingerprint"))? {
            let name = fingerprint.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.rsplit_once('-').is_some_and(|(package, _)| packages.iter().any(|ours| ours == package)) {
                fs::remove_dir_all(&fingerprint)?;
            }
        }
    }
    fs::create_dir_all(target)?;
    fs::write(stamp, us)
}

/// Names of our packages, which are those of their folders.
fn our_packages() -> std::io::Result<Vec<String>> {
    let mut folders = subfolders(&root().join("crates"))?;
    folders.extend(["tests", "benches", "fuzz", "ui", "xtask"].map(|name| root().join(name)));
    let mut names: Vec<String> =
        folders.iter().filter_map(|folder| Some(folder.file_name()?.to_string_lossy().into_owned())).collect();
    names.push("ui_core".to_owned());
    names.push("ui_pack".to_owned());
    names.push("rust_client".to_owned());
    Ok(names)
}

/// Folders in a folder; none where it is missing.
fn subfolders(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => {
            let paths = entries.map(|entry| entry.map(|entry| entry.path()));
            Ok(paths.collect::<std::io::Result<Vec<_>>>()?.into_iter().filter(|path| path.is_dir()).collect())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_clones_artifacts_are_forgotten_and_dependencies_stay() {
        let target = env::temp_dir().join(format!("spyhop-xtask-claim-{}", std::process::id()));
        let fingerprints = ["release/.fingerprint", "wasm32-unknown-unknown/wasm/.fingerprint"];
        let names = ["text_index-0123abcd", "tantivy-0123abcd", "model-ff", "model-thing-ff"];
        let make = |last: &str| {
            for folder in fingerprints {
                names.iter().for_each(|name| fs::create_dir_all(target.join(folder).join(name)).expect("made"));
            }
            fs::write(target.join("last-clone.txt"), last).expect("written");
        };
        let left = |folder: &str| {
            let mut left: Vec<String> = subfolders(&target.join(folder))
                .expect("listed")
                .iter()
                .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
                .collect();
            left.sort();
            left
        };
        make("/somewhere/else");
        claim(&target).expect("claimed");
        for folder in fingerprints {
            assert_eq!(left(folder), ["model-thing-ff", "tantivy-0123abcd"], "{folder}");
        }
        make(&root().to_string_lossy());
        claim(&target).expect("claimed");
        assert_eq!(left(fingerprints[0]).len(), names.len(), "our own stay");
        fs::remove_dir_all(&target).expect("removed");
    }
}
