//! Compaction: sealed journal segments become sorted Parquet files with their sidecars, small files become larger ones,
//! and what has outlived its retention goes.
//!
//! Vocabulary: a *flush* is a swap of segments into files, a *merge* one of small files into a larger one, retention one
//! of files into nothing. An *output* is one Parquet file of a swap with its
//! sidecars. A *manifest* is the immutable record of a swap, written before it is committed. The *partition time* of a
//! row decides its bucket and hour; it is the row's time, clamped around its arrival.
//!
//! A swap goes, and its names change, in exactly this order (design §1.3), so that it can stop at any point:
//! 1. outputs are written durably as `.new`;
//! 2. the manifest is written;
//! 3. the catalog commits, if the lease epoch is unchanged and every input live;
//! 4. inputs are renamed to `.dead`, then outputs to `.parquet`.
//!
//! At start, and before the next swap, what stopped on the way is settled: committed swaps finish step 4, a manifest
//! that was never committed is deleted, its folder synced, and only then its outputs are. For tests the process can be
//! made to die (`store::fault`) at `after_output`, `after_sidecars`, `after_manifest`, `after_catalog_commit`,
//! `after_dead_rename`, `after_rename`, `after_manifest_removed` and `after_manifests_pruned`.
//!
//! Invariants: a flush and a merge keep the multiset of rows (I4; series rows may repeat or merge); nothing is deleted that the
//! catalog holds live, and a consumed segment or replaced file only after its grace (I3); a damaged commit costs itself,
//! its segment's file is kept and named (design P4). One job runs at a time, its memory bounded by
//! [`CompactLimits::flush_bytes_max`] or [`CompactLimits::merge_bytes_max`] (I7). What to do is decided in pure
//! functions ([`plan`], [`merge_plan`], [`retention`], `sort`, `series`, `rebuild::decide`).

mod clock;
mod columns;
mod compactor;
mod error;
mod flush;
mod keywords;
mod limits;
mod log_texts;
mod manifest;
mod merge;
pub mod merge_plan;
mod output;
pub mod plan;
mod prune;
mod reap;
mod rebuild;
pub mod retention;
mod segment;
mod series;
mod sort;
mod status;
mod swap;
mod table_rows;

#[cfg(test)]
mod tests;

pub use compactor::{Compactor, LEASE};
pub use error::CompactError;
pub use limits::{CompactLimits, Keep};
pub use manifest::{Manifest, ManifestFile, ManifestQuarantine};
pub use rebuild::{RebuildReport, rebuild_catalog};
pub use status::{CompactStatus, StatusHandle};
