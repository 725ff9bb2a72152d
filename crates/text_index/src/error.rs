//! What can go wrong; a caller does the same about all of it when reading: it scans instead.

/// Why index bytes could not be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum TextIndexError {
    /// The bytes are no index, or not whole: read as if there were none.
    #[error("the text index is damaged: {0}")]
    Damaged(&'static str),
    /// The index was written by a newer release: read as if there were none.
    #[error("the text index has format {0}, which this release does not know")]
    NewerFormat(u16),
    /// tantivy refused: when building, go on without an index.
    #[error("the text index cannot be built or opened: {0}")]
    Tantivy(String),
}

impl From<tantivy::TantivyError> for TextIndexError {
    fn from(error: tantivy::TantivyError) -> TextIndexError {
        TextIndexError::Tantivy(error.to_string())
    }
}

impl From<std::io::Error> for TextIndexError {
    fn from(error: std::io::Error) -> TextIndexError {
        TextIndexError::Tantivy(error.to_string())
    }
}
