//! Rows of one metric: in a file the pages that may hold it, by the index of a table sorted by metric and series; in the
//! tail the pieces that have it at all.

use std::ops::Range;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use model::TimeRange;

use crate::engine::Engine;
use crate::error::TablesError;
use crate::scan::Scan;
use crate::units::{OpenSource, OpenUnit, Unit};

/// What is looked for in a table of series, points or exemplars.
#[derive(Debug, Clone, Copy)]
pub struct SeriesKey<'a> {
    /// Name of the metric.
    pub metric: &'a str,
    /// Ids of the series wanted, ascending; all of the metric's where absent.
    pub series: Option<&'a [u64]>,
    /// Times of the rows.
    pub range: TimeRange,
}

/// An open unit and which of its rows may be wanted.
pub type SeriesRows = (OpenUnit, Vec<Range<usize>>);

impl Engine {
    /// The unit, ready to be read, and its rows that may be wanted; none where it has no such row. Rows of other metrics,
    /// series and times may be among them. A file without any counts as pruned by its index.
    ///
    /// # Errors
    /// As [`Engine::open_unit`].
    pub fn open_series(
        &self,
        unit: &Unit,
        key: &SeriesKey<'_>,
        scan: &mut Scan,
    ) -> Result<Option<SeriesRows>, TablesError> {
        let mut apart = scan.fork();
        let open = self.open_unit(unit, &mut apart)?;
        let rows = match &open.source {
            OpenSource::File(file) => file.reader.rows_with_series(key.metric, key.series, &key.range),
            OpenSource::Tail(chunk) => match has_metric(&chunk.batch, key.metric) {
                true => open.all_rows(),
                false => Vec::new(),
            },
        };
        match rows.is_empty() {
            true => {
                scan.cost.files_pruned_by_index += u64::from(unit.file_id().is_some());
                Ok(None)
            }
            false => {
                scan.join(apart);
                Ok(Some((open, rows)))
            }
        }
    }
}

/// Whether a piece of the tail may have rows of this metric.
fn has_metric(batch: &RecordBatch, metric: &str) -> bool {
    let column = batch.column_by_name("metric").and_then(|column| column.as_dictionary_opt::<Int32Type>());
    let Some(names) = column.and_then(|column| column.values().as_string_opt::<i32>()) else { return true };
    names.iter().flatten().any(|name| name == metric)
}
