//! Errors of a question, by what the asker can do about them.

use std::time::Duration;

use tables::TablesError;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The question itself is wrong.
    #[error("{message}")]
    Invalid {
        /// What is wrong and what to write instead.
        message: String,
        /// Byte offset in the text where reading it stopped.
        position: Option<usize>,
    },
    /// The question asks for more than one may.
    #[error("{message}")]
    TooLarge {
        /// Which limit, and how to stay inside.
        message: String,
    },
    /// It took longer than a question may take.
    #[error("the query took longer than it may: narrow its time range or its filter")]
    Timeout,
    /// Too many questions at once.
    #[error("too many queries at once")]
    Busy {
        /// When to ask again.
        retry_after: Duration,
    },
    /// As many live tails as there may be.
    #[error("{streams_max} live tails are open, as many as may be")]
    TailsBusy {
        /// How many.
        streams_max: usize,
        /// When to ask again.
        retry_after: Duration,
    },
    /// The server failed.
    #[error("{0}")]
    Internal(String),
}

impl QueryError {
    pub(crate) fn invalid(message: impl Into<String>) -> QueryError {
        QueryError::Invalid { message: message.into(), position: None }
    }
}

impl From<api::filter::FilterError> for QueryError {
    fn from(error: api::filter::FilterError) -> QueryError {
        QueryError::Invalid { message: error.message, position: Some(error.position) }
    }
}

impl From<TablesError> for QueryError {
    fn from(error: TablesError) -> QueryError {
        match error {
            TablesError::Stopped => QueryError::Timeout,
            other => QueryError::Internal(other.to_string()),
        }
    }
}
