//! The catalog: which files and journal segments are live, who compacts, what was asked for.
//!
//! It is the only mutable state of a data folder. Embedded, it is one SQLite file (WAL, `synchronous=FULL`) that
//! the ingest, compact and query processes open at the same time.
//!
//! Vocabulary: a *sequence number* counts committed write transactions; a *snapshot* is what was live at one
//! sequence number, copied out in one short read transaction; a *swap* replaces segments and files by files in one
//! transaction; a *lease epoch* counts how often the right to swap has changed hands.
//!
//! Invariants:
//! - Every write transaction begins immediate with the update of the one counter row, which numbers it: numbers are
//!   in commit order and a reader never sees a number without everything below it (I6).
//! - A segment or file is live in every snapshot from the number that added it up to, not including, the number that
//!   removed it; both sides of a swap have the same number (I2).
//! - A row is written after the object it names is durable, and deleted after that object is gone (I3); what a swap
//!   removed stays listed as removed until the reaper has deleted the object.
//! - A swap commits only while its lease epoch is current and each of its inputs is live.
//!
//! Layout of the code: `sql` holds the statements that SQLite and PostgreSQL share, `sqlite` what is SQLite's own
//! (definitions, connection, error codes); the operations are methods of [`Catalog`], one module a subject.

mod error;
mod files;
mod flush_requests;
mod ledger;
mod rebuilt;
mod records;
mod segments;
mod sql;
mod sqlite;
mod swaps;

#[cfg(test)]
mod tests;

pub use error::CatalogError;
pub use ledger::LedgerHistory;
pub use rebuilt::{Rebuilt, RebuiltSegment, RebuiltState};
pub use records::{
    FlushRequest, LedgerHour, LiveFile, NewFile, Quarantined, RequestId, Segment, SegmentState, Snapshot, Swap, SwapId,
};
pub use sqlite::{CATALOG_FORMAT, Catalog};
