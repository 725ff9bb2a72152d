//! Windows: runs of a unit's rows that lie in the same pages of its file, decoded whole and kept for a while.
//!
//! Decoding a page is what reading some rows of it costs, and whoever asks for the newest records asks for them again
//! soon, with another word or a moment later. So columns are kept by window, bounded in bytes (I7).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Schema};
use model::FileId;
use store::{Batches, BoundedCache};

use crate::error::TablesError;
use crate::scan::Scan;
use crate::trace::project;
use crate::units::{OpenFile, OpenSource, OpenUnit};

/// Rows of a window.
pub const WINDOW_ROWS: usize = schema::PAGE_ROWS;

/// A column of a window: the file, the number of the window, the column's place in the file.
type ColumnKey = (FileId, u32, u16);

/// Decoded columns of windows.
pub(crate) type WindowCache = BoundedCache<ColumnKey, ArrayRef>;

/// The rows of a window, or what there are of them at the end of a unit.
#[derive(Debug, Clone)]
pub struct Window {
    /// Which rows of the unit.
    pub rows: Range<usize>,
    /// The columns asked for, as far as the unit has them.
    pub batch: RecordBatch,
}

impl OpenUnit {
    /// The rows of a window.
    pub fn window_rows(&self, window: usize) -> Range<usize> {
        let start = (window * WINDOW_ROWS).min(self.rows());
        start..(start + WINDOW_ROWS).min(self.rows())
    }

    /// These columns, as far as they exist, of these windows, which ascend. What is decoded is kept where `keep` says so.
    ///
    /// # Errors
    /// As [`OpenUnit::read`].
    pub fn windows(
        &self,
        columns: &[&str],
        windows: &[usize],
        keep: bool,
        scan: &mut Scan,
    ) -> Result<Vec<Window>, TablesError> {
        match &self.source {
            OpenSource::Tail(chunk) => {
                let projected = project(&chunk.batch, columns)?;
                let window = |window: &usize| {
                    let rows = self.window_rows(*window);
                    Window { batch: projected.slice(rows.start, rows.len()), rows }
                };
                Ok(windows.iter().map(window).collect())
            }
            OpenSource::File(file) => {
                let before = file.reader.bytes_read();
                let read = self.windows_of_file(file, columns, windows, keep, scan);
                scan.cost.bytes_scanned += file.reader.bytes_read() - before;
                read
            }
        }
    }

    fn windows_of_file(
        &self,
        file: &OpenFile,
        columns: &[&str],
        windows: &[usize],
        keep: bool,
        scan: &mut Scan,
    ) -> Result<Vec<Window>, TablesError> {
        let (schema, cache) = (file.reader.schema(), &file.windows);
        let is_wanted = |at: &usize| columns.contains(&schema.field(*at).name().as_str());
        let wanted: Vec<usize> = (0..schema.fields().len()).filter(is_wanted).collect();
        let key = |window: usize, column: usize| -> ColumnKey { (file.id, window as u32, column as u16) };
        let mut found: Vec<Vec<Option<ArrayRef>>> = windows
            .iter()
            .map(|window| wanted.iter().map(|column| cache.get(&key(*window, *column))).collect())
            .collect();
        // Windows that lack the same columns are read together.
        let mut by_missing: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for (at, columns) in found.iter().enumerate() {
            let missing = columns.iter().enumerate().filter(|(_, column)| column.is_none()).map(|(place, _)| place);
            by_missing.entry(missing.collect()).or_default().push(at);
        }
        for (missing, places) in by_missing.into_iter().filter(|(missing, _)| !missing.is_empty()) {
            let names: Vec<&str> = missing.iter().map(|place| schema.field(wanted[*place]).name().as_str()).collect();
            let ranges: Vec<Range<usize>> = places.iter().map(|at| self.window_rows(windows[*at])).collect();
            let mut rows = RowStream::new(file.reader.batches(&names, Some(&ranges), WINDOW_ROWS));
            for (at, range) in places.into_iter().zip(ranges) {
                scan.deadline.check()?;
                let batch = rows.take(range.len())?;
                for (place, column) in missing.iter().zip(batch.columns()) {
                    if keep {
                        cache.insert(key(windows[at], wanted[*place]), Arc::clone(column), column_bytes(column));
                    }
                    found[at][*place] = Some(Arc::clone(column));
                }
            }
        }
        let fields: Vec<_> = wanted.iter().map(|at| Arc::clone(&schema.fields()[*at])).collect();
        let schema = Arc::new(Schema::new(fields));
        let window = |(window, columns): (&usize, Vec<Option<ArrayRef>>)| {
            let rows = self.window_rows(*window);
            let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
            let columns = columns.into_iter().flatten().collect();
            let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options);
            let batch = batch.map_err(|error| TablesError::Internal(error.to_string()))?;
            Ok(Window { rows, batch })
        };
        windows.iter().zip(found).map(window).collect()
    }
}

/// Rows of batches that follow one another, in portions of any size.
struct RowStream {
    batches: Batches,
    current: Option<RecordBatch>,
}

impl RowStream {
    fn new(batches: Batches) -> RowStream {
        RowStream { batches, current: None }
    }

    /// The next rows.
    fn take(&mut self, rows: usize) -> Result<RecordBatch, TablesError> {
        let mut pieces: Vec<RecordBatch> = Vec::new();
        let mut left = rows;
        while left > 0 {
            let batch = match self.current.take() {
                Some(batch) => batch,
                None => match self.batches.next() {
                    Some(batch) => batch?,
                    None => return Err(TablesError::Damaged(format!("a file ends {left} rows early"))),
                },
            };
            let count = batch.num_rows().min(left);
            if count < batch.num_rows() {
                self.current = Some(batch.slice(count, batch.num_rows() - count));
            }
            pieces.push(batch.slice(0, count));
            left -= count;
        }
        match &pieces[..] {
            // Batches begin and end with windows unless row groups do not.
            [only] => Ok(only.clone()),
            [] => Err(TablesError::Internal("a window without rows".into())),
            [first, ..] => concat_batches(&first.schema(), &pieces)
                .map_err(|error| TablesError::Internal(format!("joining rows failed: {error}"))),
        }
    }
}

/// Bytes of a column, about. The values of a dictionary are shared by the windows of a row group.
fn column_bytes(column: &ArrayRef) -> usize {
    const OVERHEAD: usize = 256;
    match column.data_type() {
        DataType::Dictionary(..) => {
            let values = column.as_any_dictionary_opt().map_or(0, |keys| keys.values().get_array_memory_size());
            OVERHEAD + column.len() * 4 + values / 16
        }
        _ => OVERHEAD + column.get_array_memory_size(),
    }
}
