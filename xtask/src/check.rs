//! What must hold before tests are worth running: format, lints, tidy, documentation.

use anyhow::Result;

use crate::shell::Step;
use crate::{folders, product, tidy, ui};

/// Runs all checks, the quick ones first.
pub fn run() -> Result<()> {
    let target = folders::server_target();
    Step::cargo("checking the format of the workspace", &target).args(["fmt", "--all", "--check"]).run()?;
    for (what, manifest) in [
        ("the UI", "ui/Cargo.toml"),
        ("the fuzz targets", "fuzz/Cargo.toml"),
        ("the Rust client of the tests", "tests/clients/rust/Cargo.toml"),
    ] {
        if folders::root().join(manifest).is_file() {
            Step::cargo(format!("checking the format of {what}"), &target)
                .args(["fmt", "--all", "--check", "--manifest-path", manifest])
                .run()?;
        }
    }
    tidy::run()?;
    Step::cargo("running clippy on the workspace", &target)
        .arg("clippy")
        .args(product::SAME_FEATURES)
        .args(["--all-targets", "--", "-D", "warnings"])
        .run()?;
    Step::cargo("running clippy on xtask", &folders::root().join("target"))
        .args(["clippy", "-p", "xtask", "--all-targets", "--", "-D", "warnings"])
        .run()?;
    if folders::root().join("ui/Cargo.toml").is_file() {
        ui::add_wasm_target()?;
        Step::cargo("running clippy on the UI", &folders::ui_target())
            .args(["clippy", "--workspace", "--manifest-path", "ui/Cargo.toml", "--target", ui::WASM])
            .args(["--", "-D", "warnings"])
            .run()?;
    }
    Step::cargo("building the documentation", &target)
        .arg("doc")
        .args(product::SAME_FEATURES)
        .args(["--no-deps", "--document-private-items"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()
}
