//! Words every crate shares: ids, signals and tables, tenants, times, canonical attribute text.
//!
//! Nothing here does I/O, reads a clock or allocates without a bound of its caller's; it builds for
//! WebAssembly too, so the UI speaks the same words as the server.
//!
//! Vocabulary: a *tenant* owns data; a *table* is one kind of row; a *partition* is one tenant, table and
//! hour; a *segment* is one journal file; a *file* is one Parquet file with its sidecars; a *sequence
//! number* is the catalog's numbering of its own write transactions, and pins a snapshot.

pub mod attribute_names;
pub mod attributes;
mod ids;
mod partition;
mod signal;
mod tenant;
pub mod time;

pub use ids::{FileId, IdError, LeaseEpoch, SegmentId, SequenceNumber, SpanId, TraceId};
pub use partition::{Hour, Partition};
pub use signal::{Signal, Table};
pub use tenant::{TenantError, TenantId};
pub use time::TimeRange;
