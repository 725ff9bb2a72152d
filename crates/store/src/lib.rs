//! The data folder: where things lie, how they are made durable, and how Parquet files, trace blooms and rollups
//! are written and read. Every function blocks; call them from blocking threads.
//!
//! Vocabulary: a *file* is one Parquet file, known by its [`model::FileId`], with its *sidecars* beside it.
//! A file is called `.new` until its swap has renamed it, `.parquet` while it is live, `.dead` once it was
//! replaced; [`ParquetReader`] tries all three. *Durable* means that the bytes, the name and every folder
//! made for it have been fsynced (the standard library and `object_store` do none of that).
//!
//! Invariants: what this crate reports as written survives power loss. A sidecar that is missing or does not
//! carry its checksum reads as absent, never as a wrong answer (I9). Caches are bounded in bytes (I7).

mod bloom;
mod bounded_cache;
mod columns;
mod durable;
mod error;
pub mod fault;
mod layout;
mod page_index;
mod parquet_reader;
mod parquet_settings;
mod parquet_writer;
pub mod rollup;
mod sidecar;
mod source;
mod trace_blocks;

pub use bloom::{TraceBloom, TraceBloomBuilder};
pub use bounded_cache::BoundedCache;
pub use columns::{conform, union_schema};
pub use durable::{
    free_bytes, make_folder_durable, put_durable, put_synced, remove_durable, remove_if_exists, rename_durable,
    sync_folder,
};
pub use error::StoreError;
pub use layout::{FORMAT_VERSION, Layout, Name, Sidecar, open_data_folder, open_data_folder_to_rebuild};
pub use page_index::PageTimes;
pub use parquet_reader::{Batches, MetadataCache, ParquetReader};
pub use parquet_settings::ParquetSettings;
pub use parquet_writer::{ParquetWriter, Written, write_parquet};
pub use sidecar::{read_sidecar, read_trace_bloom};
