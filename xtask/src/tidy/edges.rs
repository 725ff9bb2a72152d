//! Arrows between crates point down the layers of design §3, and a heavy dependency is named by its owner alone.

use anyhow::{Context, Result};
use serde_json::Value;

/// One crate of ours: its layer, what it may use of ours, what it owns.
struct Rule {
    name: &'static str,
    layer: u8,
    /// Crates of ours that it must not use although they lie below it.
    never: &'static [&'static str],
}

const fn rule(layer: u8, name: &'static str) -> Rule {
    Rule { name, layer, never: &[] }
}

const fn apart(layer: u8, name: &'static str, never: &'static [&'static str]) -> Rule {
    Rule { name, layer, never }
}

/// The crate table of design §3. `promql` is in it and not yet in the tree.
const CRATES: &[Rule] = &[
    rule(0, "model"),
    rule(1, "schema"),
    rule(1, "api"),
    rule(1, "text_index"),
    rule(1, "otlp_wire"),
    rule(2, "doors"),
    rule(2, "otlp"),
    rule(2, "promql"),
    rule(2, "catalog"),
    rule(2, "store"),
    rule(3, "journal"),
    rule(4, "ingest"),
    rule(4, "tables"),
    // `ingest`, `compact` and `query` never import each other: they meet in journal, store and catalog.
    apart(5, "compact", &["ingest"]),
    apart(5, "query", &["ingest"]),
    apart(5, "stdout", &["ingest"]),
    rule(6, "server"),
    rule(7, "spyhop"),
];

/// Beside the layers: what exists for developers. These may be used only by each other, and by anyone in tests.
const DEVELOPER_CRATES: &[&str] = &["testkit", "properties", "xtask", "tests", "benches", "depset"];

/// Heavy dependencies and who may name them.
const OWNERS: &[(&str, &[&str])] = &[
    ("tantivy", &["text_index"]),
    ("sqlx", &["catalog"]),
    ("object_store", &["store", "tables"]),
    ("parquet", &["store"]),
    ("datafusion", &["tables", "query", "compact"]),
    ("tonic", &["server"]),
    ("axum", &["server"]),
    ("rustls", &["server", "stdout", "testkit"]),
    ("hyper-rustls", &["stdout"]),
    ("rustls-native-certs", &["stdout"]),
    ("clap", &["spyhop", "benches"]),
    ("promql-parser", &["promql"]),
    ("opentelemetry-proto", &["testkit", "spyhop"]),
];

/// Heavy dependencies that every crate from this layer on may name.
const FREE_FROM: &[(&str, u8)] = &[("arrow", 1), ("tokio", 1)];

/// A crate of the workspace and what its manifest names.
#[derive(Debug, Clone)]
pub struct Crate {
    pub name: String,
    pub dependencies: Vec<Dependency>,
}

/// One line of a manifest.
#[derive(Debug, Clone)]
pub struct Dependency {
    pub name: String,
    /// Used by tests alone.
    pub dev: bool,
}

/// The crates that `cargo metadata --no-deps` lists.
pub fn crates_of(metadata: &Value) -> Result<Vec<Crate>> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    Ok(packages
        .iter()
        .map(|package| Crate {
            name: package["name"].as_str().unwrap_or_default().to_owned(),
            dependencies: package["dependencies"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|line| Dependency {
                    name: line["name"].as_str().unwrap_or_default().to_owned(),
                    dev: line["kind"].as_str() == Some("dev"),
                })
                .collect(),
        })
        .collect())
}

/// Every edge that the table does not hold, as a sentence.
pub fn check(crates: &[Crate]) -> Vec<String> {
    let mut complaints = Vec::new();
    for from in crates {
        let rule = CRATES.iter().find(|rule| rule.name == from.name);
        if rule.is_none() && !DEVELOPER_CRATES.contains(&from.name.as_str()) {
            complaints
                .push(format!("crate `{}` is not in the table of design §3 (xtask/src/tidy/edges.rs)", from.name));
            continue;
        }
        let developer = rule.is_none();
        for to in &from.dependencies {
            let complaint = match CRATES.iter().find(|rule| rule.name == to.name) {
                Some(target) => rule.and_then(|rule| edge(rule, target)),
                None if DEVELOPER_CRATES.contains(&to.name.as_str()) => {
                    (!developer && !to.dev).then(|| format!("`{}` uses `{}`, which is for tests", from.name, to.name))
                }
                None => heavy(&from.name, rule, to),
            };
            complaints.extend(complaint);
        }
    }
    complaints
}

/// Why this arrow between two of our crates is wrong.
fn edge(from: &Rule, to: &Rule) -> Option<String> {
    if from.name == to.name {
        return None;
    }
    if to.layer >= from.layer {
        return Some(format!(
            "`{}` (layer {}) uses `{}` (layer {}): arrows point only downwards",
            from.name, from.layer, to.name, to.layer
        ));
    }
    from.never
        .contains(&to.name)
        .then(|| format!("`{}` uses `{}`: these two never import each other", from.name, to.name))
}

/// Why this crate may not name this dependency of others.
fn heavy(from: &str, rule: Option<&Rule>, to: &Dependency) -> Option<String> {
    if from == "depset" {
        return None;
    }
    if let Some((_, owners)) = OWNERS.iter().find(|(name, _)| *name == to.name) {
        let allowed = owners.contains(&from) || to.dev;
        return (!allowed).then(|| format!("`{from}` names `{}`, which {} own(s)", to.name, owners.join(" and ")));
    }
    let (_, layer) = FREE_FROM.iter().find(|(name, _)| *name == to.name)?;
    let too_low = rule.is_some_and(|rule| rule.layer < *layer);
    too_low.then(|| format!("`{from}` names `{}`, which begins at layer {layer}", to.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crates(list: &[(&str, &[&str])]) -> Vec<Crate> {
        let dependency = |name: &&str| match name.strip_prefix("dev:") {
            Some(name) => Dependency { name: name.to_owned(), dev: true },
            None => Dependency { name: (*name).to_owned(), dev: false },
        };
        list.iter()
            .map(|(name, dependencies)| Crate {
                name: (*name).to_owned(),
                dependencies: dependencies.iter().map(dependency).collect(),
            })
            .collect()
    }

    fn check_edges(list: &[(&str, &[&str])], expect: &[&str]) {
        let complaints = check(&crates(list));
        assert_eq!(complaints.len(), expect.len(), "{list:?}: {complaints:?}");
        for (complaint, words) in complaints.iter().zip(expect) {
            assert!(complaint.contains(words), "{complaint:?} lacks {words:?}");
        }
    }

    #[test]
    fn an_arrow_outside_the_table_fails() {
        check_edges(&[("query", &["tables", "api", "model", "datafusion"])], &[]);
        check_edges(&[("tables", &["query"])], &["arrows point only downwards"]);
        check_edges(&[("catalog", &["store"])], &["arrows point only downwards"]);
        check_edges(&[("query", &["ingest"])], &["never import each other"]);
        check_edges(&[("compact", &["query"])], &["arrows point only downwards"]);
        check_edges(&[("chunk_manager", &[])], &["not in the table"]);
    }

    #[test]
    fn a_heavy_dependency_has_one_owner() {
        check_edges(&[("text_index", &["tantivy"]), ("store", &["parquet", "arrow"])], &[]);
        check_edges(&[("query", &["tantivy"])], &["`query` names `tantivy`"]);
        check_edges(&[("model", &["arrow"])], &["begins at layer 1"]);
        check_edges(&[("ingest", &["axum"])], &["which server own"]);
    }

    #[test]
    fn test_crates_stay_in_tests() {
        check_edges(&[("otlp", &["dev:testkit", "dev:opentelemetry-proto"]), ("tests", &["testkit"])], &[]);
        check_edges(&[("otlp", &["testkit"])], &["which is for tests"]);
    }
}
