//! Where things lie.

use std::env;
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
