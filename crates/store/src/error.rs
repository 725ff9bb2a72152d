//! What can go wrong in the data folder, told apart by what the caller does next.

use std::io;
use std::path::{Path, PathBuf};

/// Why an operation on the data folder failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder was written by a newer release: stop.
    #[error(
        "the data folder {} has format {found}, and this release of spyhop knows formats up to {supported}: \
         use the release that wrote it, or a newer one", path.display()
    )]
    NewerFormat {
        /// The data folder.
        path: PathBuf,
        /// Its format version.
        found: u32,
        /// The highest version this build reads.
        supported: u32,
    },
    /// The process may not do this here: stop and say so.
    #[error("no permission to {action} {}: spyhop must own its data folder", path.display())]
    NoPermission {
        /// File or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
    },
    /// There is data, and no catalog that knows it: stop, nothing may be written.
    #[error(
        "the data folder {} holds files or journal segments but no catalog.sqlite: run 'spyhop catalog rebuild' \
         to make the catalog again from them, or name an empty folder", path.display()
    )]
    CatalogMissing {
        /// The data folder.
        path: PathBuf,
    },
    /// The folder is no data folder of ours: stop.
    #[error("{} is no spyhop data folder: {reason}", path.display())]
    NotADataFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong, in words.
        reason: String,
    },
    /// The disk or the quota is full: refuse, and try again later.
    #[error("no space left to {action} {}", path.display())]
    NoSpace {
        /// File or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
    },
    /// The file has none of its names: pin a newer snapshot and try again.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The file by its live name.
        path: PathBuf,
    },
    /// The bytes are not what they should be: the file is to be quarantined.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, in words.
        reason: String,
    },
    /// The caller's rows do not fit the table: a defect of this build.
    #[error("rows do not fit {what}: {reason}")]
    Rows {
        /// File or table.
        what: String,
        /// What is wrong, in words.
        reason: String,
    },
    /// Anything else the operating system said.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The operating system's error.
        source: io::Error,
    },
}

impl StoreError {
    /// Sorts an error of the operating system.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> StoreError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => StoreError::Missing { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                StoreError::NoPermission { path, action }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::NoSpace { path, action },
            _ => StoreError::Io { path, action, source },
        }
    }

    pub(crate) fn damaged(path: &Path, reason: impl std::fmt::Display) -> StoreError {
        StoreError::Damaged { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// Gives an I/O result the words of [`StoreError`].
pub(crate) trait Context<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::io(action, path, source))
    }
}

impl<T> Context<T> for rustix::io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::io(action, path, source.into()))
    }
}
