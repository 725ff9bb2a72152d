//! Compaction: sealed journal segments become sorted Parquet files with their sidecars.
//!
//! Vocabulary: a *flush* is a swap of segments into files. An *output* is one Parquet file of a swap with its
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
//! `after_dead_rename`, `after_rename` and `after_manifest_removed`.
//!
//! Invariants: a flush keeps the multiset of rows (I4; series rows may repeat or merge); nothing is deleted that the
//! catalog holds live, and a consumed segment or replaced file only after its grace (I3); a damaged commit costs itself,
//! its segment's file is kept and named (design P4). One job runs at a time, its memory bounded by
//! [`CompactLimits::flush_bytes_max`] (I7). What to do is decided in pure functions ([`plan`], `sort`, `series`).

mod columns;
mod compactor;
mod error;
mod flush;
mod keywords;
mod limits;
mod log_texts;
mod manifest;
mod output;
pub mod plan;
mod reap;
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
pub use limits::CompactLimits;
pub use manifest::{Manifest, ManifestFile, ManifestQuarantine};
pub use status::{CompactStatus, StatusHandle};
