//! Tests that cannot run here say so.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;

/// Notes that a test is skipped and why; the caller returns right after.
///
/// `cargo xtask test` shows these lines and counts them as skipped, not as passed.
pub fn skip(test: &str, reason: &str) {
    let line = format!("{test}: {reason}\n");
    eprint!("SKIPPED {line}");
    let Some(path) = env::var_os("SPYHOP_TEST_SKIPS") else { return };
    let file = OpenOptions::new().create(true).append(true).open(path);
    if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
        panic!("{test} is skipped ({reason}) and that cannot be noted: {error}");
    }
}
