//! What must exist in one version only, because its types cross crates.

/// Package and the version every occurrence must begin with (design §3).
const SINGLE: &[(&str, &str)] = &[
    ("arrow", "59."),
    ("parquet", "59."),
    ("object_store", "0.13."),
    ("datafusion", "55.2."),
    ("tantivy", "0.27."),
    ("prost", "0.14."),
    ("axum", "0.8."),
    ("sqlx", "0.9."),
    ("hyper", "1."),
    ("http", "1."),
    ("rustls", "0.23."),
    ("tokio", "1."),
];

/// Complains of each pinned package that the lock file holds in another version, or twice.
pub fn check(lock: &str) -> Vec<String> {
    SINGLE
        .iter()
        .filter_map(|(name, version)| {
            let found = versions(lock, name);
            let fine = found.len() <= 1 && found.iter().all(|found| found.starts_with(version));
            (!fine)
                .then(|| format!("`{name}` must be single and at {version}*, but Cargo.lock has {}", found.join(", ")))
        })
        .collect()
}

fn versions<'a>(lock: &'a str, name: &str) -> Vec<&'a str> {
    let head = format!("name = \"{name}\"\nversion = \"");
    lock.match_indices(&head).filter_map(|(at, _)| lock[at + head.len()..].split('"').next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_versions_or_a_wrong_one_fail() {
        let package =
            |name: &str, version: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n");
        assert!(check(&package("arrow", "59.2.0")).is_empty());
        assert_eq!(check(&package("arrow", "60.0.0")).len(), 1);
        assert_eq!(check(&(package("arrow", "59.2.0") + &package("arrow", "59.1.0"))).len(), 1);
        assert!(check(&package("arrow-array", "60.0.0")).is_empty());
    }
}
