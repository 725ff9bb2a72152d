//! What can go wrong in compaction, by what the caller does about it.

use arrow::error::ArrowError;
use catalog::CatalogError;
use journal::JournalError;
use model::LeaseEpoch;
use store::StoreError;

/// Why compaction stopped or did not get on.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// Another compactor has taken over: exit.
    #[error("another compactor has taken over since epoch {0}")]
    Fenced(LeaseEpoch),
    /// The catalog did not do what was asked.
    #[error(transparent)]
    Catalog(CatalogError),
    /// A file could not be written, renamed or removed: try again later.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A segment could not be read at all: leave it, go on with the others, try again later.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Rows do not fit their table: a defect of this build.
    #[error("rows of {table} do not fit their table: {reason}")]
    Rows {
        /// Which table.
        table: model::Table,
        /// What is wrong.
        reason: String,
    },
    /// The catalog cannot be made anew from what lies there: what is in the way, and what to do.
    #[error("the catalog cannot be rebuilt: {0}")]
    Rebuild(String),
    /// The job's thread did not end: a panic, or the runtime is shutting down.
    #[error("the compaction job ended early: {0}")]
    Job(String),
}

impl CompactError {
    /// Whether trying again later, in this process, can help.
    pub fn is_retryable(&self) -> bool {
        !matches!(
            self,
            CompactError::Fenced(_)
                | CompactError::Catalog(CatalogError::Corrupt { .. } | CatalogError::NewerFormat { .. })
        )
    }

    pub(crate) fn rows(table: model::Table, reason: impl std::fmt::Display) -> CompactError {
        CompactError::Rows { table, reason: reason.to_string() }
    }
}

impl From<CatalogError> for CompactError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Fenced { epoch, .. } => CompactError::Fenced(epoch),
            error => CompactError::Catalog(error),
        }
    }
}

/// Gives results of Arrow kernels the words of [`CompactError`].
pub(crate) trait OfTable<T> {
    fn of(self, table: model::Table) -> Result<T, CompactError>;
}

impl<T> OfTable<T> for Result<T, ArrowError> {
    fn of(self, table: model::Table) -> Result<T, CompactError> {
        self.map_err(|error| CompactError::rows(table, error))
    }
}
