//! How Spyhop is deployed: the Helm chart as Helm and Kubernetes' schemas see it, and the image's files under an OCI
//! runtime.

mod chart;
mod compose;
mod container;
mod dockerfile;
mod lint;
mod lint_refs;
mod notes;
mod pod_security;
mod program;
mod render;

use std::path::PathBuf;

/// A path in the repository.
fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
