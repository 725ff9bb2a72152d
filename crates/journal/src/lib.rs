//! The journal: where an export becomes durable before it is answered (I1).
//!
//! Vocabulary: a *commit* is one group of requests made durable together, its *parts* are the rows by tenant and
//! table, its *receipts* say per request what became of it. A *segment* is one append-only file of commits. A *digest*
//! recognises a request that is sent again; the digest *window* is how long it does. A *torn* commit is an invalid
//! last one, which nobody was told about; *damage* is any other invalid one.
//!
//! Invariants: there is one writer, on a thread of its own; at most one commit is unsynced, so only the last one can be
//! torn, and it is cut whole. A segment is durable and listed in the catalog before it takes a commit, and sealed in
//! the catalog before the next one takes one. After a failed fsync nothing is acknowledged until what is valid is in a
//! new file (I12). Readers never repair.
//!
//! Layout of the code: [`Journal`] writes, [`SegmentReader`] reads; the formats are documented where they are written:
//! `segment` (header block), `record` (commit header), `part` (rows), `receipt`, `footer`. [`Ledger`] adds receipts up.

mod active;
mod error;
mod footer;
mod journal;
mod ledger;
mod part;
mod reader;
mod receipt;
mod record;
mod recovery;
mod segment;
mod survey;
mod window;
mod wire;

#[cfg(test)]
mod tests;

pub use error::JournalError;
pub use journal::{CommitDraft, Journal, JournalLimits, JournalStatus};
pub use ledger::{
    HourLedgers, Ledger, LedgerLimits, LedgerSample, ReasonLedger, SLOT_NANOS, ServiceLedger, SlotCounts,
};
pub use part::{EncodedPart, Part};
pub use reader::{Commit, Commits, Damage, End, READ_BYTES, SegmentReader};
pub use receipt::{Digest, Owners, Receipt, Rejection, SampledRejection, ServiceCounts, StoredReceipt};
pub use recovery::RecoveryReport;
pub use segment::{SEGMENT_FORMAT, segment_id, segment_path};
pub use survey::{SegmentSurvey, survey};
pub use window::{WindowBound, WindowStatus};
