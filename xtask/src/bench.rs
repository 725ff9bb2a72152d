//! The load generator: `cargo xtask bench [--records 1000000 …]`.

use anyhow::Result;

use crate::shell::Step;
use crate::{folders, product};

/// Builds the product and the load generator, then runs it with the given arguments.
pub fn run(arguments: &[String]) -> Result<()> {
    let binary = product::build()?;
    Step::cargo("building the load generator", &folders::server_target())
        .arg("build")
        .args(product::SAME_FEATURES)
        .args(["--bin", "load"])
        .run()?;
    Step::new("running the load generator", folders::server_target().join("release/load"))
        .args(arguments)
        .env("SPYHOP_BINARY", binary)
        .run()
}
