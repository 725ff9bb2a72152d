//! Manifests: what a swap adds, removes and consumes, in a file of its own that never changes.
//!
//! `spyhop catalog rebuild` replays them in order, so they hold all that the catalog knows of files.

use std::str::FromStr;

use catalog::{LiveFile, NewFile, Swap, SwapId};
use model::{FileId, Hour, LeaseEpoch, Partition, SegmentId, Table, TenantId};
use serde::{Deserialize, Serialize};

/// Format of manifests this build writes, and the newest it reads.
pub(crate) const MANIFEST_FORMAT: u32 = 1;

/// One swap. Ids are 16 hex digits, times Unix nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this shape.
    pub format: u32,
    /// Lease epoch of who made it.
    pub epoch: u64,
    /// Its number within the epoch.
    pub counter: u64,
    /// When it was made.
    pub created_unix_nano: i64,
    /// Files it adds.
    pub adds: Vec<ManifestFile>,
    /// Files it removes.
    pub removes: Vec<ManifestFile>,
    /// Segments whose rows the added files hold.
    pub segments: Vec<String>,
    /// Those of `segments` that hold damage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<ManifestQuarantine>,
}

/// A file in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its number, also its file stem.
    pub file: String,
    /// Whose rows.
    pub tenant: String,
    /// Which table.
    pub table: String,
    /// Hours since the Unix epoch.
    pub hour: i64,
    /// Rows.
    pub rows: u64,
    /// Bytes without sidecars.
    pub bytes: u64,
    /// Smallest value of the time column.
    pub min_time: i64,
    /// Largest value of the time column.
    pub max_time: i64,
    /// Version of the column set.
    pub schema_version: u16,
}

/// A damaged segment in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestQuarantine {
    /// The segment.
    pub segment: String,
    /// What is wrong.
    pub reason: String,
}

impl ManifestFile {
    fn of(file: &LiveFile) -> ManifestFile {
        ManifestFile {
            file: file.id.to_string(),
            tenant: file.partition.tenant.to_string(),
            table: file.partition.table.to_string(),
            hour: file.partition.hour.0,
            rows: file.rows,
            bytes: file.bytes,
            min_time: file.min_time,
            max_time: file.max_time,
            schema_version: file.schema_version,
        }
    }

    /// The file as the catalog knows it; `None` where a name is not one of ours.
    pub fn file(&self) -> Option<LiveFile> {
        let partition = Partition {
            tenant: TenantId::new(&self.tenant).ok()?,
            table: Table::from_str(&self.table).ok()?,
            hour: Hour(self.hour),
        };
        Some(NewFile {
            id: self.file.parse().ok()?,
            partition,
            rows: self.rows,
            bytes: self.bytes,
            min_time: self.min_time,
            max_time: self.max_time,
            schema_version: self.schema_version,
        })
    }
}

impl Manifest {
    /// The manifest of a swap; `removed` are the files of `swap.remove`.
    pub fn of(swap: &Swap, removed: &[LiveFile]) -> Manifest {
        let quarantined =
            |(id, reason): &(SegmentId, String)| ManifestQuarantine { segment: id.to_string(), reason: reason.clone() };
        Manifest {
            format: MANIFEST_FORMAT,
            epoch: swap.epoch.0,
            counter: swap.counter,
            created_unix_nano: swap.now,
            adds: swap.add.iter().map(ManifestFile::of).collect(),
            removes: removed.iter().map(ManifestFile::of).collect(),
            segments: swap.consume.iter().map(SegmentId::to_string).collect(),
            quarantined: swap.quarantine.iter().map(quarantined).collect(),
        }
    }

    /// Its number.
    pub fn id(&self) -> SwapId {
        SwapId { epoch: LeaseEpoch(self.epoch), counter: self.counter }
    }

    /// The files it adds.
    pub fn added(&self) -> impl Iterator<Item = (FileId, Partition)> {
        self.adds.iter().filter_map(ManifestFile::file).map(|file| (file.id, file.partition))
    }

    /// The files it removes.
    pub fn removed(&self) -> impl Iterator<Item = (FileId, Partition)> {
        self.removes.iter().filter_map(ManifestFile::file).map(|file| (file.id, file.partition))
    }
}

/// The number in the name of a manifest, `<epoch>-<counter>.json`.
pub(crate) fn id_of_name(name: &str) -> Option<SwapId> {
    let (epoch, counter) = name.strip_suffix(".json")?.split_once('-')?;
    // The counter is printed as ids are.
    let counter: LeaseEpoch = counter.parse().ok()?;
    Some(SwapId { epoch: epoch.parse().ok()?, counter: counter.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_holds_all_that_the_catalog_knows_of_a_file() {
        let file = LiveFile {
            id: FileId(255),
            partition: Partition { tenant: TenantId::default(), table: Table::ExpHistograms, hour: Hour(-7) },
            rows: 3,
            bytes: 4,
            min_time: i64::MIN,
            max_time: i64::MAX,
            schema_version: 1,
        };
        let swap = Swap {
            lease_name: "compact".into(),
            epoch: LeaseEpoch(2),
            counter: 3,
            add: vec![file.clone()],
            remove: vec![FileId(1)],
            consume: vec![SegmentId(9)],
            quarantine: vec![(SegmentId(9), "torn".into())],
            ledger: vec![],
            now: 5,
        };
        let manifest = Manifest::of(&swap, &[LiveFile { id: FileId(1), ..file.clone() }]);
        let text = serde_json::to_string(&manifest).expect("serializes");
        let read: Manifest = serde_json::from_str(&text).expect("parses");
        assert_eq!(read, manifest);
        assert_eq!(read.adds[0].file(), Some(file));
        assert_eq!(read.segments, ["0000000000000009"]);
        assert_eq!(id_of_name("0000000000000002-0000000000000003.json"), Some(read.id()));
        assert_eq!(id_of_name("0000000000000002-0000000000000003.json.tmp"), None);
    }
}
