//! The flush: rows of some sealed segments, sorted and written as outputs. It blocks and is run on a blocking thread.

use std::collections::VecDeque;

use catalog::{NewFile, Segment};
use journal::{HourLedgers, LedgerLimits};
use model::{FileId, Partition, SegmentId, Table, TenantId};
use store::{Layout, ParquetSettings};

use crate::error::CompactError;
use crate::output::{remove_output, write_output};
use crate::plan::PartitionClamp;
use crate::segment::{RowsByTable, read_segment};
use crate::series::SeriesHours;
use crate::sort::sort_rows;
use crate::table_rows::{RowPart, SortedRows, TableRows};

/// What a flush made, not committed yet.
#[derive(Debug, Default)]
pub(crate) struct Flushed {
    /// Outputs, durable as `.new`.
    pub outputs: Vec<NewFile>,
    /// Segments that were read, damaged ones included.
    pub consumed: Vec<SegmentId>,
    /// Segments with damage, and what it is.
    pub damaged: Vec<(SegmentId, String)>,
    /// Segments that could not be read at all, and why: they stay live.
    pub blocked: Vec<(SegmentId, String)>,
    /// What the receipts of the consumed segments say.
    pub ledger: HourLedgers,
}

impl Flushed {
    /// Rows in the outputs.
    pub fn rows(&self) -> u64 {
        self.outputs.iter().map(|file| file.rows).sum()
    }
}

/// Gives file numbers; draws some ahead, so that many small tables do not mean as many catalog writes.
pub(crate) type DrawFiles<'a> = &'a mut dyn FnMut(u64) -> Result<FileId, CompactError>;

/// File numbers drawn at once.
const FILES_DRAWN: u64 = 16;

/// Reads these segments and writes what they hold, one partition at a time.
///
/// # Errors
/// [`CompactError::Store`], [`CompactError::Catalog`], [`CompactError::Rows`]: what was written is removed then.
pub(crate) fn flush_segments(
    layout: &Layout,
    segments: &[Segment],
    clamp: PartitionClamp,
    settings: &ParquetSettings,
    ledger: &LedgerLimits,
    draw: DrawFiles<'_>,
) -> Result<Flushed, CompactError> {
    let mut flushed = Flushed::default();
    let mut rows = RowsByTable::new();
    for segment in segments {
        match read_segment(layout, segment, ledger, &mut rows) {
            Ok((damaged, receipts)) => {
                flushed.consumed.push(segment.id);
                flushed.ledger.merge(&receipts, ledger);
                if !damaged.is_empty() {
                    flushed.damaged.push((segment.id, summary(&damaged)));
                }
            }
            Err(error) => flushed.blocked.push((segment.id, error.to_string())),
        }
    }
    let mut writer = OutputWriter {
        layout,
        clamp,
        settings,
        draw,
        numbers: VecDeque::new(),
        begun: Vec::new(),
        outputs: Vec::new(),
    };
    match writer.write_all(rows) {
        Ok(()) => {
            flushed.outputs = writer.outputs;
            Ok(flushed)
        }
        Err(error) => {
            for (partition, id) in &writer.begun {
                // What cannot be removed now is an orphan, which the next start removes.
                let _ = remove_output(layout, partition, *id);
            }
            Err(error)
        }
    }
}

/// The first few of what was found wrong, and how many more there are.
fn summary(damaged: &[String]) -> String {
    let shown = damaged.iter().take(DAMAGE_SHOWN).map(String::as_str).collect::<Vec<_>>().join("; ");
    match damaged.len().saturating_sub(DAMAGE_SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

/// Places of damage that a quarantine names.
const DAMAGE_SHOWN: usize = 8;

struct OutputWriter<'a> {
    layout: &'a Layout,
    clamp: PartitionClamp,
    settings: &'a ParquetSettings,
    draw: DrawFiles<'a>,
    numbers: VecDeque<FileId>,
    /// Outputs that may exist, for removal.
    begun: Vec<(Partition, FileId)>,
    outputs: Vec<NewFile>,
}

impl OutputWriter<'_> {
    fn write_all(&mut self, mut rows: RowsByTable) -> Result<(), CompactError> {
        // Tables of one tenant follow each other; its series rows wait until its points have been seen.
        let mut tenants: Vec<TenantId> = rows.keys().map(|(tenant, _)| tenant.clone()).collect();
        tenants.dedup();
        for tenant in tenants {
            let mut series_hours = SeriesHours::default();
            for table in Table::ALL.into_iter().filter(|table| *table != Table::Series) {
                let Some(parts) = rows.remove(&(tenant.clone(), table)) else { continue };
                let sorted = sort_rows(TableRows::new(table, parts)?, &self.clamp)?;
                if is_points(table) {
                    series_hours.note(&sorted)?;
                }
                self.write_table(&tenant, &sorted)?;
            }
            if let Some(parts) = rows.remove(&(tenant.clone(), Table::Series)) {
                self.write_series(&tenant, parts, &series_hours)?;
            }
        }
        Ok(())
    }

    fn write_series(
        &mut self,
        tenant: &TenantId,
        parts: Vec<RowPart>,
        hours: &SeriesHours,
    ) -> Result<(), CompactError> {
        let sorted = hours.place(TableRows::new(Table::Series, parts)?, &self.clamp)?;
        self.write_table(tenant, &sorted)
    }

    /// Writes the rows of a table hour by hour: one partition is open at a time.
    fn write_table(&mut self, tenant: &TenantId, sorted: &SortedRows) -> Result<(), CompactError> {
        for (hour, rows) in &sorted.hours {
            let partition = Partition { tenant: tenant.clone(), table: sorted.table, hour: *hour };
            let batch = sorted.batch(rows)?;
            let id = self.next_number()?;
            self.begun.push((partition.clone(), id));
            self.outputs.push(write_output(self.layout, &partition, id, &batch, self.settings)?);
        }
        Ok(())
    }

    fn next_number(&mut self) -> Result<FileId, CompactError> {
        if self.numbers.is_empty() {
            let first = (self.draw)(FILES_DRAWN)?;
            self.numbers.extend((first.0..first.0 + FILES_DRAWN).map(FileId));
        }
        self.numbers.pop_front().ok_or_else(|| CompactError::Job("no file number was drawn".into()))
    }
}

fn is_points(table: Table) -> bool {
    matches!(table, Table::Points | Table::Histograms | Table::ExpHistograms | Table::Summaries)
}
