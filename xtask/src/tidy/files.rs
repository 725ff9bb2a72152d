//! Files: short enough to read, opened by what they are for, named by what they hold.

use std::path::Path;

/// Longest file, in lines.
const LINES_MAX: usize = 600;

/// Names that say nothing of what a file holds.
const FORBIDDEN: &[&str] = &["manager", "handler", "util", "utils", "helper", "helpers", "common", "misc", "core"];

/// Complaints about one source file.
pub fn check(path: &Path, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let shown = path.display();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        complaints.push(format!("{shown} has {lines} lines, {LINES_MAX} at most: split it by what it does"));
    }
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if stem.split('_').any(|word| FORBIDDEN.contains(&word)) {
        complaints.push(format!("{shown}: a name with `{stem}` says nothing of what the file holds"));
    }
    let rust = path.extension().is_some_and(|extension| extension == "rs") && stem != "tests";
    let head = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if rust && !head.starts_with("//!") {
        complaints.push(format!("{shown} must open with `//!` and what it is for"));
    }
    complaints.extend(bare_notes(path, text));
    complaints
}

/// Notes to do something later need an issue number: `TODO(#12)`.
fn bare_notes(path: &Path, text: &str) -> Vec<String> {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X ")];
    text.lines()
        .enumerate()
        .filter(|(_, line)| words.iter().any(|word| line.contains(word)) && !line.contains("(#"))
        .map(|(at, _)| format!("{}:{}: a note for later needs an issue number", path.display(), at + 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> usize {
        check(Path::new(path), text).len()
    }

    #[test]
    fn files_say_what_they_are_for() {
        assert_eq!(complaints("crates/a/src/lib.rs", "//! Things.\n\nfn f() {}\n"), 0);
        assert_eq!(complaints("crates/a/src/lib.rs", "fn f() {}\n"), 1);
        assert_eq!(complaints("ui/boot.js", "start();\n"), 0);
    }

    #[test]
    fn long_files_and_empty_names_fail() {
        assert_eq!(complaints("crates/a/src/long.rs", &format!("//! Long.\n{}", "\n".repeat(600))), 1);
        assert_eq!(complaints("crates/a/src/file_utils.rs", "//! Things.\n"), 1);
        assert_eq!(complaints("crates/a/src/a.rs", &format!("//! A.\n// {}: later\n", concat!("TO", "DO"))), 1);
        assert_eq!(complaints("crates/a/src/a.rs", &format!("//! A.\n// {}(#7): later\n", concat!("TO", "DO"))), 0);
    }
}
