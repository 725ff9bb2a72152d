//! Bytes on disk by kind.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Bytes of each kind: `parquet`, `tix`, `blm`, `rlp`, `journal`, `catalog`, `other`.
pub fn by_kind(folder: &Path) -> BTreeMap<&'static str, u64> {
    let mut sizes = BTreeMap::new();
    add(folder, &mut sizes);
    sizes
}

fn add(folder: &Path, sizes: &mut BTreeMap<&'static str, u64>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            add(&path, sizes);
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = match name.rsplit('.').next().unwrap_or_default() {
            "parquet" => "parquet",
            "tix" => "tix",
            "blm" => "blm",
            "rlp" => "rlp",
            "journal" => "journal",
            _ if name.starts_with("catalog.sqlite") => "catalog",
            _ => "other",
        };
        *sizes.entry(kind).or_default() += entry.metadata().map(|metadata| metadata.len()).unwrap_or_default();
    }
}

/// What a record costs for good: Parquet and sidecars, without the journal that is about to be deleted.
pub fn files(sizes: &BTreeMap<&'static str, u64>) -> u64 {
    ["parquet", "tix", "blm", "rlp"].iter().filter_map(|kind| sizes.get(kind)).sum()
}
