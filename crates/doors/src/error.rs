//! Why a foreign body is not translated at all.

/// Why nothing of a body can be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DoorError {
    /// It is not what it says it is; never worth a retry.
    #[error("{0}")]
    Malformed(String),
    /// It holds more than one request may; never worth a retry.
    #[error("{0}")]
    TooLarge(String),
    /// As OTLP it is longer than [`crate::Limits::request_bytes_max`]: translate it again with more room, if there is.
    #[error("the request is too large once it is translated to OTLP")]
    Full,
}

impl DoorError {
    pub(crate) fn malformed(what: impl Into<String>) -> DoorError {
        DoorError::Malformed(what.into())
    }
}
