//! Making the catalog anew from what lies on disk: `spyhop catalog rebuild`.
//!
//! [`survey`] reads manifests in order, footers of Parquet files, and segments; [`decide`] says, without I/O, what is
//! live; here the new catalog is written beside the place of the old one and takes its name once it is durable. Then
//! the names of the last swap are brought to their end, as a start of the compactor would.
//!
//! **Which swaps were committed** only the lost catalog knew; the order of a swap tells it again. A swap begins only
//! after the one before it has all its names, and before it begins what was never committed is deleted. So of the
//! manifests that lie there all but the last were committed, and names are final: `.parquet` is live, `.dead` is not,
//! `.new` never was. The last one was committed if a name says so, since names change only after the commit: an output
//! is `.parquet`, or an input is `.dead`, or has been reaped. If no name says so, it was either not committed, or it was
//! and the process died before the first name changed. Both cannot be told apart, and need not be: the inputs, files
//! or segments, are all still there and whole, because nothing of them is deleted before the next look at the folder
//! has finished the names. So it is read as never committed: the inputs are live, the outputs and the manifest go,
//! and every record is there exactly once, as if the swap had not happened yet. Only where an input is gone and the
//! outputs are there is it taken for committed: then they are all there is.
//!
//! **Manifests that were pruned** named nothing any more that is there but live files, if any; those are known by
//! their names and footers.
//!
//! **Segments** that no committed manifest consumed are live. One that was ended in order has a footer and is sealed at
//! its length; any other is listed, and the next start of ingest cuts its torn tail, syncs and seals it. Of an original
//! and its copy (I12) the one that holds all that was acknowledged is live (see [`decide`]).
//!
//! What only the catalog held does not come back: settings kept in it, and the history of the ledger.

mod decide;
mod survey;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::Path;

use catalog::Catalog;
use store::{Layout, StoreError, fault, remove_if_exists, sync_folder};

use crate::compactor::LEASE;
use crate::error::CompactError;
use crate::swap;
use decide::{Decision, LastSwap};

/// What a rebuild did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RebuildReport {
    /// What was done, sentence by sentence.
    pub done: Vec<String>,
    /// What is missing or odd, sentence by sentence.
    pub warnings: Vec<String>,
}

/// Makes the catalog of a data folder anew and puts it in place. A catalog that is there is put aside.
///
/// The caller holds the locks of every role.
///
/// # Errors
/// [`CompactError::Rebuild`] says what is in the way; then nothing has changed. [`CompactError::Store`],
/// [`CompactError::Catalog`]: it may be run again.
pub async fn rebuild_catalog(layout: &Layout, now: i64) -> Result<RebuildReport, CompactError> {
    let surveyed = layout.clone();
    let survey = tokio::task::spawn_blocking(move || survey::survey(&surveyed));
    let survey = survey.await.map_err(|error| CompactError::Job(error.to_string()))??;
    let decision = decide::decide(survey, LEASE, now)?;
    let path = layout.catalog_rebuild_path();
    remove_database(&path)?;
    Catalog::create_rebuilt(&path, &decision.catalog).await?;
    put_in_place(layout, &path)?;
    match &decision.last {
        LastSwap::Committed(manifest) => match swap::finish_swap(layout, manifest) {
            // It is among the warnings.
            Err(CompactError::Store(StoreError::Missing { .. })) => {}
            result => result?,
        },
        LastSwap::Uncommitted(manifest) => swap::undo_swap(layout, manifest)?,
        LastSwap::None => {}
    }
    Ok(report(decision))
}

/// The files of a SQLite database: itself and what it may have left beside it.
const DATABASE_SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

fn with_suffix(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove_database(path: &Path) -> Result<(), StoreError> {
    DATABASE_SUFFIXES.iter().try_for_each(|suffix| remove_if_exists(&with_suffix(path, suffix)).map(drop))
}

/// Puts what is there aside, then the new catalog in its place. A crash in between leaves a folder without a catalog,
/// which is refused with the sentence that names the rebuild.
fn put_in_place(layout: &Layout, made: &Path) -> Result<(), StoreError> {
    let io = |path: &Path, action| {
        let path = path.to_owned();
        move |source| StoreError::Io { path, action, source }
    };
    File::open(made).and_then(|file| file.sync_all()).map_err(io(made, "sync"))?;
    let (place, old) = (layout.catalog_path(), layout.catalog_old_path());
    if DATABASE_SUFFIXES.iter().any(|suffix| with_suffix(&place, suffix).exists()) {
        remove_database(&old)?;
        for suffix in DATABASE_SUFFIXES {
            let (from, to) = (with_suffix(&place, suffix), with_suffix(&old, suffix));
            match std::fs::rename(&from, &to) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                result => result.map_err(io(&from, "put aside"))?,
            }
        }
        // A write-ahead log of the old catalog must not meet the new one, not even after a power loss.
        sync_folder(layout.root())?;
    }
    fault::hit("after_catalog_put_aside");
    std::fs::rename(made, &place).map_err(io(&place, "rename to"))?;
    sync_folder(layout.root())
}

fn report(decision: Decision) -> RebuildReport {
    let catalog = &decision.catalog;
    let rows: u64 = catalog.files.iter().map(|file| file.rows).sum();
    let count = |wanted: fn(&catalog::RebuiltState) -> bool| {
        catalog.segments.iter().filter(|segment| wanted(&segment.state)).count()
    };
    let live = count(|state| matches!(state, catalog::RebuiltState::Listed | catalog::RebuiltState::Sealed { .. }));
    let kept = catalog.segments.len() - live;
    let mut done = vec![
        format!("{} manifests were replayed", catalog.swaps.len()),
        format!(
            "{} files with {rows} rows are live, {} wait for their deletion",
            catalog.files.len(),
            catalog.removed.len()
        ),
        format!("{live} journal segments are not in files yet, {kept} others are kept for now"),
        format!(
            "numbers go on at {} for files, {} for segments, {} for the lease",
            catalog.file_next,
            catalog.segment_next,
            catalog.lease_epoch.0 + 1
        ),
    ];
    done.extend(match &decision.last {
        LastSwap::Committed(manifest) => Some(format!("the last swap, {}, was committed", swap_name(manifest))),
        LastSwap::Uncommitted(manifest) => {
            Some(format!("the last swap, {}, had changed nothing yet and was undone", swap_name(manifest)))
        }
        LastSwap::None => None,
    });
    RebuildReport { done, warnings: decision.warnings }
}

fn swap_name(manifest: &crate::Manifest) -> String {
    let id = manifest.id();
    format!("{}-{:016x}", id.epoch, id.counter)
}
