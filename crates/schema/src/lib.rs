//! The Arrow schema, sort order and promoted columns of each table.
//!
//! Vocabulary: a *promoted* attribute has a column of its own with a native type, beside the canonical JSON
//! text of the other attributes ([`PROMOTED`]). A *schema version* numbers the set of columns a build writes:
//! version 1 is the only one so far.
//!
//! Invariants: a column is written only where it holds a value, so every column outside [`is_required`] is
//! nullable and may be missing from a journal part or a Parquet file; a reader fills it with nulls. Times are
//! `Timestamp(ns)` without a zone and mean UTC. Nothing here stores what the wire did not say (I11): a raw
//! time of zero is kept as `time_absent`, an absent field as null.

mod columns;
mod promoted;

pub use columns::{is_required, schema, time_column, trace_id_column};
pub use promoted::{PROMOTED, PROMOTED_RESOURCE, Promoted, PromotedType, promoted};

/// Version of the column sets of this build, stored in journals, files and catalog.
pub const SCHEMA_VERSION: u16 = 1;

/// Width of the buckets that logs and spans are sorted by first: five minutes.
pub const BUCKET_NANOS: i64 = 300_000_000_000;

/// Rows of a block: the unit of the text index, of the trace-id map of `.blm`, and of verified reads.
pub const BLOCK_ROWS: usize = 256;

/// Rows of a Parquet data page: eight blocks (measured: pages of one block cost 48 bytes a log against 34).
pub const PAGE_ROWS: usize = 8 * BLOCK_ROWS;

/// Rows of a Parquet row group.
pub const ROW_GROUP_ROWS: usize = 131_072;

/// What `service_name` holds when a resource names no service, as the semantic conventions have it.
pub const UNKNOWN_SERVICE: &str = "unknown_service";

/// What the ledger counts services under that are more than it tells apart.
pub const OTHER_SERVICES: &str = "(other services)";
