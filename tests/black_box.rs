//! The shipped binary as a black box: one test binary, a module a theme.
//!
//! Everything here runs `target/release/spyhop` (`SPYHOP_BINARY`) and talks to it as clients do. Where a test needs
//! Python, Node.js, a browser or root and there is none, it says so and is counted as skipped. Tests are named after
//! what is promised; `cargo xtask test faults` runs those of one module.

mod api;
mod clients;
mod compat;
mod conformance;
mod deploy;
mod doors;
mod e2e;
mod faults;
mod settings;
mod stdout;
mod storage;

/// What a test returns, so that `?` is enough.
type TestResult = anyhow::Result<()>;
