//! What can go wrong with the journal, by what a caller would do about it.

use std::io;
use std::path::{Path, PathBuf};

use catalog::CatalogError;

/// Why a journal operation did not happen. After any error of an append the commit is not stored and is not going
/// to be: the caller refuses retryably, except where the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A write failed or was short (usually: the disk is full). The segment was sealed at its last good commit.
    #[error("the journal cannot be written: {path}: {source}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// fdatasync failed (I12): what was acknowledged is copied to a new file before anything else is accepted.
    #[error("the journal cannot be made durable: {path}: {source}")]
    Sync {
        /// The file that is not used any more.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The commit is longer than `commit_bytes_max`. Split it; a single request that is too long is refused for good.
    #[error("a commit of {bytes} bytes is longer than the {bytes_max} allowed")]
    TooLarge {
        /// Bytes it would have.
        bytes: usize,
        /// Bytes it may have.
        bytes_max: usize,
    },
    /// The draft does not fit the tables' schemas: a defect of the caller's.
    #[error("not a commit: {0}")]
    Invalid(String),
    /// The catalog did not take what the journal has to say. Refuse retryably.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// No file of this name: it was dropped or deleted after its grace. Pin the catalog again.
    #[error("{0} does not exist")]
    Missing(PathBuf),
    /// A file cannot be read.
    #[error("the journal cannot be read: {path}: {source}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The content is not what this program wrote. Skip it, report it, answer `incomplete`.
    #[error("{path} is damaged at byte {offset}: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What was found.
        reason: String,
    },
    /// A newer Spyhop wrote the file.
    #[error("{path} has format {found}, written by a newer Spyhop; this one reads formats up to {known}")]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Format in the file.
        found: u16,
        /// Newest format this build knows.
        known: u16,
    },
}

impl JournalError {
    pub(crate) fn write(path: &Path, source: io::Error) -> JournalError {
        JournalError::Write { path: path.into(), source }
    }

    pub(crate) fn sync(path: &Path, source: io::Error) -> JournalError {
        JournalError::Sync { path: path.into(), source }
    }

    pub(crate) fn read(path: &Path, source: io::Error) -> JournalError {
        match source.kind() {
            io::ErrorKind::NotFound => JournalError::Missing(path.into()),
            _ => JournalError::Read { path: path.into(), source },
        }
    }
}
