//! What can go wrong while reading, told apart by what the caller does next.

use catalog::CatalogError;
use datafusion::error::DataFusionError;
use journal::JournalError;
use store::StoreError;

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    /// A file or segment of the snapshot is gone: pin again and retry once.
    #[error("{0}")]
    Missing(String),
    /// Time is up, or nobody waits for the answer any more.
    #[error("the query was stopped")]
    Stopped,
    /// The content of a file or of the journal is not what it should be.
    #[error("{0}")]
    Damaged(String),
    /// The catalog did not answer.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The SQL engine refused.
    #[error(transparent)]
    Sql(#[from] DataFusionError),
    /// Anything else: the operating system's answer, or a defect.
    #[error("{0}")]
    Internal(String),
}

impl From<StoreError> for TablesError {
    fn from(error: StoreError) -> TablesError {
        match error {
            StoreError::Missing { .. } => TablesError::Missing(error.to_string()),
            StoreError::Damaged { .. } => TablesError::Damaged(error.to_string()),
            other => TablesError::Internal(other.to_string()),
        }
    }
}

impl From<JournalError> for TablesError {
    fn from(error: JournalError) -> TablesError {
        match error {
            JournalError::Missing(_) => TablesError::Missing(error.to_string()),
            JournalError::Damaged { .. } => TablesError::Damaged(error.to_string()),
            other => TablesError::Internal(other.to_string()),
        }
    }
}
