//! Real clients from end to end: Python apps, a Node app, and a browser.

mod ingest;
mod node_app;
mod pages;
mod python_app;
mod services;
mod stdout_twin;
mod ui;

use std::env;
use std::path::PathBuf;

/// A program that `cargo xtask test` has found or installed; nothing where it could not.
pub fn program(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_file())
}
