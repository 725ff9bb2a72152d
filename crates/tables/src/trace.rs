//! Rows by trace id, without a time range: every file whose bloom does not rule the id out.

use std::collections::HashSet;
use std::ops::Range;

use arrow::array::UInt32Array;
use arrow::array::{Array, AsArray, FixedSizeBinaryArray, RecordBatch};
use arrow::compute::take_record_batch;
use catalog::LiveFile;
use model::{Table, TraceId};
use store::{ParquetReader, TraceBloom};

use crate::engine::Engine;
use crate::error::TablesError;
use crate::pinned::Pinned;
use crate::scan::Scan;

/// Most rows of one table to show of one trace; beyond it the answer says that it is not all.
pub const TRACE_ROWS_MAX: usize = 200_000;

/// Which columns to read of the rows found.
#[derive(Debug, Clone, Copy)]
pub enum TraceColumns<'a> {
    /// The same of every row.
    All(&'a [&'a str]),
    /// All of the first rows; once there are more than so many, a few of those in files and pieces of the journal that
    /// follow, so that very many rows come quickly.
    FewAbove {
        /// So many.
        rows: usize,
        /// Columns of the first ones.
        all: &'a [&'a str],
        /// Columns of the others.
        few: &'a [&'a str],
    },
}

impl<'a> TraceColumns<'a> {
    /// The columns of rows after which there are `rows` in all.
    fn of(self, rows: usize) -> &'a [&'a str] {
        match self {
            TraceColumns::FewAbove { rows: above, few, .. } if rows > above => few,
            TraceColumns::All(all) | TraceColumns::FewAbove { all, .. } => all,
        }
    }
}

/// The ids looked for.
struct Wanted<'a> {
    ids: &'a [TraceId],
    /// For more than a few.
    set: HashSet<[u8; 16]>,
}

impl Wanted<'_> {
    fn new(ids: &[TraceId]) -> Wanted<'_> {
        let set = if ids.len() > 4 { ids.iter().map(|id| id.0).collect() } else { HashSet::new() };
        Wanted { ids, set }
    }

    fn has(&self, bytes: &[u8]) -> bool {
        match self.set.is_empty() {
            true => self.ids.iter().any(|id| id.0 == bytes),
            false => <[u8; 16]>::try_from(bytes).is_ok_and(|id| self.set.contains(&id)),
        }
    }

    /// The rows of a column that hold one of the ids.
    fn rows(&self, column: &FixedSizeBinaryArray) -> Vec<usize> {
        let values = column.value_data();
        let is_wanted = |row: &usize| {
            // An absent id is stored as null, but its bytes may be anything.
            values.get(row * 16..row * 16 + 16).is_some_and(|bytes| self.has(bytes)) && column.is_valid(*row)
        };
        match column.value_length() {
            16 => (0..column.len()).filter(is_wanted).collect(),
            _ => Vec::new(),
        }
    }
}

impl Engine {
    /// Rows of a table that carry one of these trace ids, with these columns as far as they exist; in no order, and
    /// batches may differ in their columns as [`TraceColumns`] has it. No
    /// further file is read once there are more than `rows_max`, and the scan notes it.
    ///
    /// # Errors
    /// [`TablesError::Missing`] (pin again), [`TablesError::Stopped`], the system's errors. Damaged files are noted
    /// in the scan.
    pub fn trace_rows(
        &self,
        pinned: &Pinned,
        table: Table,
        ids: &[TraceId],
        columns: TraceColumns<'_>,
        rows_max: usize,
        scan: &mut Scan,
    ) -> Result<Vec<RecordBatch>, TablesError> {
        let Some(id_column) = schema::trace_id_column(table) else { return Ok(Vec::new()) };
        let wanted = Wanted::new(ids);
        let mut found = Vec::new();
        let mut rows = 0;
        for chunk in pinned.tail(table) {
            scan.deadline.check()?;
            scan.cost.rows_scanned += chunk.batch.num_rows() as u64;
            scan.cost.journal_rows += chunk.batch.num_rows() as u64;
            let batch = take_from_tail(&chunk.batch, id_column, |more| columns.of(rows + more), &wanted)?;
            rows += batch.as_ref().map_or(0, RecordBatch::num_rows);
            found.extend(batch);
        }
        let files = pinned.files(table);
        scan.cost.files_total += files.len() as u64;
        for file in files {
            scan.deadline.check()?;
            if rows > rows_max {
                scan.note(format!("more than {rows_max} rows of {table} carry the trace ids looked for"));
                break;
            }
            let from_file = self.trace_rows_of_file(file, id_column, |more| columns.of(rows + more), &wanted, scan);
            for batch in scan.without_damage(from_file)? {
                rows += batch.num_rows();
                found.push(batch);
            }
        }
        Ok(found)
    }

    fn trace_rows_of_file<'a>(
        &self,
        file: &LiveFile,
        id_column: &str,
        columns_of: impl Fn(usize) -> &'a [&'a str],
        wanted: &Wanted<'_>,
        scan: &mut Scan,
    ) -> Result<Vec<RecordBatch>, TablesError> {
        let (bloom, bytes) = self.inner.sidecars.bloom(file);
        scan.cost.bytes_scanned += bytes;
        scan.cost.used_bloom |= bloom.is_some();
        if bloom.as_ref().is_some_and(|bloom| !wanted.ids.iter().any(|id| bloom.contains(id))) {
            scan.cost.files_pruned_by_index += 1;
            return Ok(Vec::new());
        }
        let reader = self.open(file)?;
        scan.cost.files_scanned += 1;
        let candidates = candidates(&reader, bloom.as_deref(), wanted.ids);
        let rows = matching_rows(&reader, id_column, &candidates, wanted, scan)?;
        let found = match rows.is_empty() {
            true => Vec::new(),
            false => reader.read(columns_of(rows.iter().map(Range::len).sum()), Some(&rows))?,
        };
        scan.cost.bytes_scanned += reader.bytes_read();
        Ok(found)
    }
}

/// Rows that may hold one of the ids: by the bloom's map, else by the page index, else all.
fn candidates(reader: &ParquetReader, bloom: Option<&TraceBloom>, ids: &[TraceId]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for id in ids.iter().filter(|id| bloom.is_none_or(|bloom| bloom.contains(id))) {
        let by_map = bloom.and_then(|bloom| bloom.rows_of(id));
        ranges.extend(by_map.unwrap_or_else(|| reader.rows_with_trace(id)));
    }
    merge(ranges)
}

/// Sorts ranges and joins those that touch.
pub(crate) fn merge(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Joins ascending rows to ranges.
pub(crate) fn ranges_of(rows: impl IntoIterator<Item = usize>) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for row in rows {
        match ranges.last_mut() {
            Some(last) if last.end == row => last.end += 1,
            _ => ranges.push(row..row + 1),
        }
    }
    ranges
}

fn matching_rows(
    reader: &ParquetReader,
    id_column: &str,
    candidates: &[Range<usize>],
    wanted: &Wanted<'_>,
    scan: &mut Scan,
) -> Result<Vec<Range<usize>>, TablesError> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let mut file_rows = candidates.iter().cloned().flatten();
    let mut found = Vec::new();
    for batch in reader.batches(&[id_column], Some(candidates), 8192) {
        scan.deadline.check()?;
        let batch = batch?;
        scan.cost.rows_scanned += batch.num_rows() as u64;
        let rows_here: Vec<usize> = file_rows.by_ref().take(batch.num_rows()).collect();
        let Some(ids) = batch.column_by_name(id_column).and_then(|column| column.as_fixed_size_binary_opt()) else {
            continue;
        };
        found.extend(wanted.rows(ids).into_iter().map(|row| rows_here[row]));
    }
    Ok(ranges_of(found))
}

/// The wanted rows of a piece of the tail.
fn take_from_tail<'a>(
    batch: &RecordBatch,
    id_column: &str,
    columns_of: impl Fn(usize) -> &'a [&'a str],
    wanted: &Wanted<'_>,
) -> Result<Option<RecordBatch>, TablesError> {
    let Some(ids) = batch.column_by_name(id_column).and_then(|column| column.as_fixed_size_binary_opt()) else {
        return Ok(None);
    };
    let rows = wanted.rows(ids);
    if rows.is_empty() {
        return Ok(None);
    }
    let rows: UInt32Array = rows.into_iter().map(|row| row as u32).collect();
    let projected = project(batch, columns_of(rows.len()))?;
    let taken = take_record_batch(&projected, &rows).map_err(|error| TablesError::Internal(error.to_string()))?;
    Ok(Some(taken))
}

/// The batch with these columns, as far as it has them.
pub(crate) fn project(batch: &RecordBatch, columns: &[&str]) -> Result<RecordBatch, TablesError> {
    let schema = batch.schema_ref();
    let kept: Vec<usize> =
        (0..schema.fields().len()).filter(|at| columns.contains(&schema.field(*at).name().as_str())).collect();
    batch.project(&kept).map_err(|error| TablesError::Internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join() {
        assert_eq!(merge(vec![5..7, 0..2, 2..4, 6..9]), [0..4, 5..9]);
        assert_eq!(ranges_of([1, 2, 3, 7, 9, 10]), [1..4, 7..8, 9..11]);
        assert!(ranges_of([]).is_empty() && merge(Vec::new()).is_empty());
    }

    #[test]
    fn few_and_many_ids_match_alike() {
        let ids: Vec<TraceId> = (1..=9).map(|n| TraceId([n; 16])).collect();
        let column = FixedSizeBinaryArray::try_from_sparse_iter_with_size(
            [Some([3_u8; 16]), None, Some([200; 16]), Some([9; 16])].into_iter(),
            16,
        )
        .expect("an array");
        assert_eq!(Wanted::new(&ids).rows(&column), [0, 3]);
        assert_eq!(Wanted::new(&ids[2..3]).rows(&column), [0]);
    }
}
