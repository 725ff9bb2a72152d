//! Every developer command, as `cargo xtask <command>`: one entry point, the same on a laptop and in CI.
//!
//! Commands say what they are doing before they do it and fail with one sentence. Few dependencies, so that
//! this program builds in seconds; the heavy part of the UI build (wasm-bindgen, brotli) is a program of its
//! own in `xtask/ui_pack`, built only when the UI has changed.
//!
//! Folders: cargo's outputs go to `$CARGO_TARGET_DIR`, else to `~/.cache/spyhop/target`, so that clones share
//! them; what a person looks for lies in `target/` of the repository (`target/release/spyhop`, `target/ui-dist`,
//! `target/screenshots`).

mod bench;
mod chart;
mod check;
mod client_tools;
mod deploy_tools;
mod folders;
mod fuzz;
mod image;
mod product;
mod shell;
mod test;
mod test_counts;
mod tidy;
mod tools;
mod ui;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask <command>

  run [args…]     build everything, start Spyhop on ./data and print its URLs (Ctrl-C stops it)
  build           build the UI and the server into target/release/spyhop
  ui              build the UI alone into target/ui-dist
  test [filter]   install what tests need, then run unit tests, UI tests and black-box tests
  check           formatting, clippy, tidy, documentation
  tidy            crate edges, single-version pins, file lengths, module heads
  chart           write what the Helm chart says of its values and of the binary's settings
  image [folder]  gather the container image's files into target/image
  bench [args…]   run the load generator against the built binary and print its table
  fuzz [seconds]  run every fuzz target for so long, one after another, and print their figures
  fuzz seeds      write the seeds of the fuzz targets into fuzz/corpus
  ci              check, then test: what .ci/run runs
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments),
    };
    match command {
        "run" => product::run(rest),
        "build" => product::build().map(drop),
        "ui" => ui::build(),
        "test" => test::run(rest),
        "check" => check::run(),
        "tidy" => tidy::run(),
        "chart" => chart::run(),
        "image" => image::run(rest),
        "bench" => bench::run(rest),
        "fuzz" => fuzz::run(rest),
        "ci" => check::run().and_then(|()| test::run(&[])),
        "help" | "-h" | "--help" => {
            print!("{HELP}");
            Ok(())
        }
        other => bail!("there is no command `{other}`; `cargo xtask help` lists them"),
    }
}
