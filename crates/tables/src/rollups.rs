//! What a file holds by minute: from its sidecar, else counted from its rows and kept.

use std::sync::Arc;

use catalog::LiveFile;
use model::TimeRange;
use store::rollup::{LogRollup, LogRollupBuilder, SpanRollup, SpanRollupBuilder};

use crate::engine::Engine;
use crate::error::TablesError;
use crate::scan::Scan;

/// Rows counted at once.
const READ_ROWS: usize = 8192;

/// What an absent rollup counts for in a cache.
const ABSENT_BYTES: usize = 64;

impl Engine {
    /// The rollup of a file of spans. Without a sidecar its rows are counted, once while the cache holds it.
    ///
    /// # Errors
    /// [`TablesError::Missing`] (pin again), [`TablesError::Damaged`], [`TablesError::Stopped`], the system's errors.
    pub fn span_rollup(&self, file: &LiveFile, scan: &mut Scan) -> Result<Arc<SpanRollup>, TablesError> {
        let sidecars = &self.inner.sidecars;
        if let Some(known) = sidecars.span_rollups.get(&file.id) {
            scan.cost.used_rollup = true;
            return Ok(known);
        }
        let bytes = sidecars.rollup_bytes(file);
        scan.cost.bytes_scanned += bytes.as_ref().map_or(0, Vec::len) as u64;
        let stored = bytes.and_then(|bytes| SpanRollup::from_bytes(&bytes)).filter(|rollup| rollup.rows() == file.rows);
        scan.cost.used_rollup |= stored.is_some();
        let rollup = match stored {
            Some(rollup) => rollup,
            None => {
                let mut builder = SpanRollupBuilder::default();
                self.count_rows(file, &SpanRollupBuilder::columns(), scan, |batch| builder.push(batch))?;
                builder.finish(&self.inner.limits.rollup)
            }
        };
        let rollup = Arc::new(rollup);
        sidecars.span_rollups.insert(file.id, Arc::clone(&rollup), rollup.memory_bytes() + ABSENT_BYTES);
        Ok(rollup)
    }

    /// The rollup of a file of log records; none where it would have to tell too much apart.
    ///
    /// # Errors
    /// As [`Engine::span_rollup`].
    pub fn log_rollup(&self, file: &LiveFile, scan: &mut Scan) -> Result<Option<Arc<LogRollup>>, TablesError> {
        let sidecars = &self.inner.sidecars;
        if let Some(known) = sidecars.log_rollups.get(&file.id) {
            scan.cost.used_rollup |= known.is_some();
            return Ok(known);
        }
        let bytes = sidecars.rollup_bytes(file);
        scan.cost.bytes_scanned += bytes.as_ref().map_or(0, Vec::len) as u64;
        let stored = bytes.and_then(|bytes| LogRollup::from_bytes(&bytes)).filter(|rollup| rollup.rows() == file.rows);
        scan.cost.used_rollup |= stored.is_some();
        let rollup = match stored {
            Some(rollup) => Some(rollup),
            None => {
                let mut builder = LogRollupBuilder::default();
                self.count_rows(file, &LogRollupBuilder::COLUMNS, scan, |batch| builder.push(batch, &TimeRange::ALL))?;
                builder.finish(&self.inner.limits.rollup)
            }
        };
        let rollup = rollup.map(Arc::new);
        let held = rollup.as_ref().map_or(0, |rollup| rollup.memory_bytes());
        sidecars.log_rollups.insert(file.id, rollup.clone(), held + ABSENT_BYTES);
        Ok(rollup)
    }

    fn count_rows(
        &self,
        file: &LiveFile,
        columns: &[&str],
        scan: &mut Scan,
        mut count: impl FnMut(&arrow::array::RecordBatch),
    ) -> Result<(), TablesError> {
        let reader = self.open(file)?;
        scan.cost.files_scanned += 1;
        for batch in reader.batches(columns, None, READ_ROWS) {
            scan.deadline.check()?;
            let batch = batch?;
            scan.cost.rows_scanned += batch.num_rows() as u64;
            count(&batch);
        }
        scan.cost.bytes_scanned += reader.bytes_read();
        Ok(())
    }
}
