//! Status files: what a role tells the others about itself, `status/<role>.json` in the data folder.
//!
//! A role writes its file every second and replaces it by rename, so that a reader never sees half of one. Files
//! are bounded at both ends ([`FILE_BYTES_MAX`]); they are a convenience of observation, and nothing that must be
//! right depends on them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use api::{DigestWindow, RefusalCount, SignalCounts};
use serde::{Deserialize, Serialize};

/// Most bytes of a status file; a larger one is neither written nor read.
pub const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Roles that write status files, in the order `/metrics` shows them.
pub const ROLES: [&str; 3] = ["ingest", "query", "compact"];

/// How a role is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RoleStatus {
    /// `ingest`, `query` or `compact`.
    pub role: String,
    /// Version of the executable.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// When the role started, in Unix nanoseconds.
    pub started_unix_nano: i64,
    /// When this file was written, in Unix nanoseconds.
    pub written_unix_nano: i64,
    /// Whether the role does its work now.
    pub ready: bool,
    /// Why not, a sentence each; also what does not keep the role from working but should be looked at.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// Numbers for `/metrics`.
    #[serde(default)]
    pub metrics: Vec<Metric>,
    /// Counts of the ledger; of ingest alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signals: BTreeMap<String, SignalCounts>,
    /// Requests refused for load or a failing disk; of ingest alone.
    #[serde(default)]
    pub refused_requests: u64,
    /// Requests refused for any reason, by signal; of ingest alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<RefusalCount>,
    /// How far back resends are recognised; of ingest alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_window: Option<DigestWindow>,
}

/// One metric of a role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Name as Prometheus has it, base unit and `_total` included.
    pub name: String,
    /// What it counts, one line.
    pub help: String,
    /// Whether it may fall.
    pub kind: MetricKind,
    /// Values by labels.
    pub samples: Vec<Sample>,
}

impl Metric {
    /// A metric with one value and no labels.
    pub fn plain(name: &str, help: &str, kind: MetricKind, value: f64) -> Metric {
        let samples = vec![Sample { labels: BTreeMap::new(), value }];
        Metric { name: name.to_owned(), help: help.to_owned(), kind, samples }
    }
}

/// Kinds of metrics a status file carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    /// Only rises while the process lives.
    Counter,
    /// May rise and fall.
    Gauge,
}

/// A value with its labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Labels beside `role`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// Replaces the status file of `status.role` in `folder`.
///
/// # Errors
/// When the file cannot be written, or would be larger than [`FILE_BYTES_MAX`].
pub fn write(folder: &Path, status: &RoleStatus) -> io::Result<()> {
    let text = serde_json::to_vec(status)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "status file over its bound"));
    }
    let new = folder.join(format!("{}.json.new", status.role));
    File::create(&new)?.write_all(&text)?;
    fs::rename(&new, folder.join(format!("{}.json", status.role)))
}

/// Reads the status file of a role; `None` where there is none that can be read.
pub fn read(folder: &Path, role: &str) -> Option<RoleStatus> {
    let mut text = Vec::new();
    let file = File::open(folder.join(format!("{role}.json"))).ok()?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).ok()?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return None;
    }
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_file_comes_back_and_a_huge_one_does_not() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut status = RoleStatus { role: "ingest".to_owned(), ready: true, ..RoleStatus::default() };
        status.metrics.push(Metric::plain("spyhop_x", "An x.", MetricKind::Gauge, 1.5));
        write(folder.path(), &status).expect("a small file is written");
        assert_eq!(read(folder.path(), "ingest"), Some(status.clone()));
        status.remarks = vec!["x".repeat(FILE_BYTES_MAX as usize)];
        assert!(write(folder.path(), &status).is_err());
        fs::write(folder.path().join("query.json"), vec![b' '; FILE_BYTES_MAX as usize + 1]).expect("writes");
        assert_eq!(read(folder.path(), "query"), None);
        assert_eq!(read(folder.path(), "compact"), None);
    }
}
