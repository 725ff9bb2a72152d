//! Why a command ends: one sentence for a person and an exit code for a script.

use std::fmt;

/// A command's failure.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What was wrong and what to do, one sentence.
    pub(crate) sentence: String,
    /// Exit code of the process.
    pub(crate) code: u8,
}

/// Exit code of a command that failed.
pub(crate) const CODE_FAILED: u8 = 1;
/// Exit code for settings and arguments that are wrong.
pub(crate) const CODE_USAGE: u8 = 2;
/// Exit code of a role that cannot start and would not by being restarted.
pub(crate) const CODE_CANNOT_START: u8 = 3;

impl Failure {
    /// Something went wrong.
    pub(crate) fn new(sentence: impl Into<String>) -> Failure {
        Failure { sentence: sentence.into(), code: CODE_FAILED }
    }

    /// A setting or an argument is wrong.
    pub(crate) fn usage(sentence: impl Into<String>) -> Failure {
        Failure { sentence: sentence.into(), code: CODE_USAGE }
    }

    /// The role cannot start, and a restart would not help.
    pub(crate) fn cannot_start(sentence: impl fmt::Display) -> Failure {
        Failure { sentence: sentence.to_string(), code: CODE_CANNOT_START }
    }
}
