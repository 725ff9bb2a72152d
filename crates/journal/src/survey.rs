//! What a segment holds, told from its file alone: for a catalog that is made anew.

use std::path::Path;

use model::SegmentId;

use crate::error::JournalError;
use crate::reader::{Damage, End, SegmentReader};

/// What was found in a segment's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentSurvey {
    /// The segment.
    pub id: SegmentId,
    /// When it was made, Unix nanoseconds; 0 where the header block is damaged.
    pub created_unix_nano: i64,
    /// The segment it was copied from after that one's fsync failed.
    pub copy_of: Option<SegmentId>,
    /// Valid commits.
    pub commits: u64,
    /// Rows in them.
    pub rows: u64,
    /// The whole length, where a valid footer says that the segment was ended in order.
    pub sealed_length: Option<u64>,
    /// Whether something that is no valid commit lies at the end.
    pub is_torn: bool,
    /// Bytes that cannot be read, between what can.
    pub damage: Vec<Damage>,
}

/// Looks through a segment's file. Nothing is decoded or repaired.
///
/// # Errors
/// [`JournalError::Missing`], [`JournalError::Read`], [`JournalError::NewerFormat`]. Damage is no error.
pub fn survey(path: &Path) -> Result<SegmentSurvey, JournalError> {
    let reader = SegmentReader::open(path)?;
    let length = reader.file_length()?;
    let sealed_length = reader.footer(length)?.map(|_| length);
    let mut found = SegmentSurvey {
        id: reader.id(),
        created_unix_nano: reader.created_unix_nano(),
        copy_of: reader.copy_of(),
        commits: 0,
        rows: 0,
        sealed_length,
        is_torn: false,
        damage: Vec::new(),
    };
    let mut commits = reader.read_from(reader.start(), sealed_length.map_or(End::Abandoned, End::Sealed))?;
    for commit in commits.by_ref() {
        let commit = commit?;
        found.commits += 1;
        found.rows += commit.rows();
    }
    found.is_torn = commits.is_torn();
    found.damage = commits.damage().to_vec();
    Ok(found)
}
