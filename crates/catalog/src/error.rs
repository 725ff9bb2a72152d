//! What can go wrong with the catalog, by what a caller would do about it.

use std::path::PathBuf;

use model::{LeaseEpoch, SegmentId};

/// Why a catalog operation did not happen.
///
/// After an error of a write the transaction may still have committed when the error is [`CatalogError::Busy`] or
/// [`CatalogError::Unavailable`]: ask again before undoing anything (`Catalog::is_swap_committed`).
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Another process held the write lock for longer than the busy timeout. Try again.
    #[error("the catalog is busy: another process holds its write lock")]
    Busy,
    /// The catalog cannot be reached or written (I/O error, permission). Try again later, refuse meanwhile.
    #[error("the catalog {path} is unavailable: {reason}")]
    Unavailable {
        /// The catalog's file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// No space is left for the catalog. Refuse, free space, try again.
    #[error("the disk is full: the catalog cannot be written")]
    Full,
    /// The content is not what this program wrote. Stop; a rebuild from the files is the way out.
    #[error("the catalog {path} is damaged ({reason}); `spyhop catalog rebuild` makes a new one from the files")]
    Corrupt {
        /// The catalog's file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A newer Spyhop wrote the catalog. Stop and run that version or a later one.
    #[error(
        "the catalog {path} has format {found}, written by a newer Spyhop; this one reads formats up to {known}: \
         start the newer version again"
    )]
    NewerFormat {
        /// The catalog's file.
        path: PathBuf,
        /// Format in the file.
        found: i64,
        /// Newest format this build knows.
        known: i64,
    },
    /// Another owner has taken the lease since. Stop swapping; undo what was prepared.
    #[error("lease '{lease}' has passed on: this owner's epoch is {epoch}")]
    Fenced {
        /// Name of the lease.
        lease: String,
        /// The epoch that is no longer current.
        epoch: LeaseEpoch,
    },
    /// An input of a swap is not live any more. Undo what was prepared and plan again.
    #[error("an input of the swap is not live any more: {0}")]
    InputGone(String),
    /// No live segment has this number, or it is in another state than the operation needs.
    #[error("segment {0} is not in the state this needs")]
    UnknownSegment(SegmentId),
}
