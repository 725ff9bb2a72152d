//! Reading a sealed segment for a flush. Nothing here repairs anything.

use std::collections::BTreeMap;

use catalog::Segment;
use journal::{End, HourLedgers, JournalError, LedgerLimits, SegmentReader};
use model::{Table, TenantId};
use store::Layout;

use crate::table_rows::{RowPart, fits};

/// Rows of a flush by owner and table, in the order they arrived.
pub(crate) type RowsByTable = BTreeMap<(TenantId, Table), Vec<RowPart>>;

/// What was found wrong with a segment, each once.
pub(crate) type Damaged = Vec<String>;

/// Adds the rows of a sealed segment; what is damaged is left out and named. Gives what its receipts say, too.
///
/// # Errors
/// The file cannot be read at all. Nothing of it counts then.
pub(crate) fn read_segment(
    layout: &Layout,
    segment: &Segment,
    ledger: &LedgerLimits,
    rows: &mut RowsByTable,
) -> Result<(Damaged, HourLedgers), JournalError> {
    let reader = SegmentReader::open(&layout.segment_path(segment.id))?;
    // Receipts that cannot be read are those of commits that cannot, and are named with them.
    let (receipts, _) = HourLedgers::of_sealed(&reader, segment.length, ledger)?;
    let mut found: Vec<(TenantId, Table, RowPart)> = Vec::new();
    let mut damaged = Damaged::new();
    let mut commits = reader.read_from(reader.start(), End::Sealed(segment.length))?;
    for commit in commits.by_ref() {
        let commit = commit?;
        for part in commit.parts() {
            let table = part.table();
            let batch = part.decode().map_err(|error| error.to_string());
            match batch.and_then(|batch| fits(table, part.schema_version(), &batch).map(|()| batch)) {
                Ok(batch) if batch.num_rows() == 0 => {}
                Ok(batch) => {
                    let arrival = commit.arrival_unix_nano();
                    found.push((part.tenant().clone(), table, RowPart { arrival, batch }));
                }
                Err(reason) => {
                    damaged.push(format!("commit {}: {} rows of {table}: {reason}", commit.number(), part.rows()));
                }
            }
        }
    }
    damaged.extend(commits.damage().iter().map(|damage| format!("bytes {} to {}", damage.start, damage.end)));
    for (tenant, table, part) in found {
        rows.entry((tenant, table)).or_default().push(part);
    }
    Ok((damaged, receipts))
}

/// Whether a segment that is not sealed holds a commit. One that cannot be read is taken to hold one.
pub(crate) fn holds_commit(layout: &Layout, segment: &Segment) -> bool {
    let look = || -> Result<bool, JournalError> {
        let reader = SegmentReader::open(&layout.segment_path(segment.id))?;
        let mut commits = reader.read_from(reader.start(), End::Live)?;
        Ok(commits.next().transpose()?.is_some())
    };
    match look() {
        Ok(holds) => holds,
        // A listed segment without a file was dropped, or its owner is about to.
        Err(JournalError::Missing(_)) => false,
        Err(_) => true,
    }
}
