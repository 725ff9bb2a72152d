//! A catalog made anew from what lies on disk: everything in one transaction, in a file that nobody has opened yet.
//!
//! Numbers go on above everything that was found, so that no number is used twice. Leases keep their epoch, so that
//! later manifests sort behind earlier ones.

use std::path::Path;

use model::{FileId, LeaseEpoch, SegmentId};

use crate::sql::segment_state;
use crate::sqlite::Write;
use crate::swaps::insert_file;
use crate::{Catalog, CatalogError, LiveFile, SwapId, ledger, sql};

/// All that a new catalog is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Live files.
    pub files: Vec<LiveFile>,
    /// Files that swaps removed and whose objects are still there.
    pub removed: Vec<LiveFile>,
    /// Segments whose files are there.
    pub segments: Vec<RebuiltSegment>,
    /// Committed swaps whose manifests are there.
    pub swaps: Vec<SwapId>,
    /// The lease that fences swaps.
    pub lease_name: String,
    /// Its last epoch.
    pub lease_epoch: LeaseEpoch,
    /// The next segment's number.
    pub segment_next: SegmentId,
    /// The next file's number.
    pub file_next: FileId,
    /// Now, by the catalog's clock: graces begin here.
    pub now: i64,
}

/// A segment as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuiltSegment {
    /// Its number.
    pub id: SegmentId,
    /// What it is to be.
    pub state: RebuiltState,
    /// When it was made.
    pub created_at: i64,
}

/// What a segment that was found is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RebuiltState {
    /// Its end is not known: the next start of ingest cuts, syncs and seals it.
    Listed,
    /// Complete, with so many bytes and rows.
    Sealed {
        /// Bytes that count.
        length: u64,
        /// Rows of all tables and tenants.
        rows: u64,
    },
    /// Its rows are in files; where it holds damage, what is wrong.
    Consumed {
        /// What is wrong with it.
        quarantine: Option<String>,
    },
    /// A copy took its place.
    Replaced,
}

impl Catalog {
    /// Makes a new catalog in the file `path`, which does not exist, and closes it: then it is one durable file.
    ///
    /// # Errors
    /// As [`Catalog::open`]; what was begun at `path` stays, for the caller to remove.
    pub async fn create_rebuilt(path: &Path, rebuilt: &Rebuilt) -> Result<(), CatalogError> {
        let catalog = Catalog::open(path).await?;
        let mut write = catalog.begin_write().await?;
        for file in rebuilt.files.iter().chain(&rebuilt.removed) {
            insert_file(&mut write, file).await?;
        }
        ledger::mark_partial(&mut write).await?;
        let sequence = write.sequence.0 as i64;
        for file in &rebuilt.removed {
            let remove = sqlx::query(sql::REMOVE_FILE).bind(file.id.0 as i64).bind(rebuilt.now).bind(sequence);
            write.run(remove).await?;
        }
        for segment in &rebuilt.segments {
            insert_segment(&mut write, segment, rebuilt.now).await?;
        }
        for swap in &rebuilt.swaps {
            let (epoch, counter) = (swap.epoch.0 as i64, swap.counter as i64);
            let insert = sqlx::query(sql::INSERT_SWAP).bind(epoch).bind(counter).bind(sequence).bind(rebuilt.now);
            write.run(insert).await?;
        }
        let lease = sqlx::query(sql::INSERT_LEASE)
            .bind(&rebuilt.lease_name)
            .bind(rebuilt.lease_epoch.0 as i64)
            .bind("catalog rebuild")
            .bind(rebuilt.now);
        write.run(lease).await?;
        let numbers =
            sqlx::query(sql::SET_NUMBERS).bind(rebuilt.segment_next.0 as i64).bind(rebuilt.file_next.0 as i64);
        write.run(numbers).await?;
        write.commit().await?;
        catalog.checkpoint().await?;
        catalog.close().await;
        Ok(())
    }
}

async fn insert_segment(write: &mut Write<'_>, segment: &RebuiltSegment, now: i64) -> Result<(), CatalogError> {
    let sequence = write.sequence.0 as i64;
    let (length, rows) = match segment.state {
        RebuiltState::Sealed { length, rows } => (length, rows),
        _ => (0, 0),
    };
    let is_listed = segment.state == RebuiltState::Listed;
    let insert = sqlx::query(sql::INSERT_SEGMENT)
        .bind(segment.id.0 as i64)
        .bind(if is_listed { segment_state::LISTED } else { segment_state::SEALED })
        .bind(length as i64)
        .bind(rows as i64)
        .bind(segment.created_at)
        .bind((!is_listed).then_some(now))
        .bind(sequence)
        .bind((!is_listed).then_some(sequence));
    write.run(insert).await?;
    let id = segment.id.0 as i64;
    match &segment.state {
        RebuiltState::Listed | RebuiltState::Sealed { .. } => Ok(()),
        RebuiltState::Consumed { quarantine } => {
            let reason = quarantine.as_deref();
            write.run(sqlx::query(sql::CONSUME_SEGMENT).bind(id).bind(now).bind(sequence).bind(reason)).await.map(drop)
        }
        RebuiltState::Replaced => {
            let replaced = segment_state::REPLACED;
            write.run(sqlx::query(sql::RETIRE_SEGMENT).bind(id).bind(replaced).bind(now).bind(sequence)).await.map(drop)
        }
    }
}
