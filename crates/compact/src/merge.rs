//! The merge: small files of one partition, gathered, sorted and written as one. It blocks and is run on a blocking
//! thread.
//!
//! A file is read as it is: dictionaries stay dictionaries, and a row's bucket follows from its own time within the
//! hour, since its arrival is not stored. Series rows are kept once a series.
//!
//! Memory is bounded by what the inputs take once they are decoded, which their footers tell before anything is read:
//! inputs are taken as long as they fit [`CompactLimits::merge_bytes_max`], and given away column by column while the
//! output's columns are gathered. An output has less than twice [`CompactLimits::final_rows`], because a merge ends
//! with the file that makes it final; so it is one file, and no output needs to be cut.

use catalog::{LiveFile, NewFile};
use model::{FileId, Table};
use store::{Layout, MetadataCache, ParquetReader, ParquetSettings, StoreError};

use crate::error::CompactError;
use crate::flush::DrawFiles;
use crate::limits::CompactLimits;
use crate::output::{remove_output, write_output};
use crate::plan::PartitionClamp;
use crate::series::merge_series;
use crate::sort::sort_rows;
use crate::table_rows::{RowPart, SortedRows, TableRows, fits};

/// How a merge ended.
#[derive(Debug)]
pub(crate) enum Merged {
    /// Its output is durable as `.new`, not committed yet.
    Output {
        /// What was written.
        output: NewFile,
        /// What it holds the rows of.
        inputs: Vec<LiveFile>,
    },
    /// This file cannot be merged, and why; nothing was written.
    LeaveAlone(FileId, String),
    /// It was asked to stop; nothing was written.
    Stopped,
}

/// Merges files of one partition, or as many of them as fit, from the first on.
///
/// # Errors
/// [`CompactError::Store`], [`CompactError::Catalog`], [`CompactError::Rows`]: what was written is removed then.
pub(crate) fn merge_files(
    layout: &Layout,
    inputs: &[LiveFile],
    limits: &CompactLimits,
    settings: &ParquetSettings,
    draw: DrawFiles<'_>,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Merged, CompactError> {
    let mut opened: Vec<(&LiveFile, ParquetReader)> = Vec::new();
    let mut bytes = 0;
    for input in inputs {
        let reader = match open(layout, input) {
            Ok(reader) => reader,
            Err(error) => return leave_alone(input, error),
        };
        let of_file = reader.decoded_bytes();
        if bytes + of_file > limits.merge_bytes_max && opened.len() < 2 {
            // It, or its one companion, is too large to be merged with anything.
            let first = opened.first().map_or((input, of_file), |(first, _)| (*first, bytes));
            let (heavy, held) = if of_file > first.1 { (input, of_file) } else { first };
            let reason = format!("its rows take {held} bytes, and a merge reads up to {}", limits.merge_bytes_max);
            return Ok(Merged::LeaveAlone(heavy.id, reason));
        }
        if bytes + of_file > limits.merge_bytes_max {
            break;
        }
        bytes += of_file;
        opened.push((input, reader));
    }
    let mut parts = Vec::with_capacity(opened.len());
    for (input, reader) in &opened {
        if is_stopped() {
            return Ok(Merged::Stopped);
        }
        match read(input, reader) {
            Ok(of_file) => parts.extend(of_file),
            Err(error) => return leave_alone(input, error),
        }
    }
    let inputs: Vec<LiveFile> = opened.into_iter().map(|(input, _)| input.clone()).collect();
    let Some(sorted) = sort(&inputs, parts)?.filter(|_| !is_stopped()) else { return Ok(Merged::Stopped) };
    let output = write(layout, &inputs, &sorted, settings, draw)?;
    Ok(Merged::Output { output, inputs })
}

/// Damage of a file is its own affair; what the system refuses may pass.
fn leave_alone(input: &LiveFile, error: StoreError) -> Result<Merged, CompactError> {
    match error {
        StoreError::Missing { .. } | StoreError::Damaged { .. } | StoreError::Rows { .. } => {
            Ok(Merged::LeaveAlone(input.id, error.to_string()))
        }
        error => Err(error.into()),
    }
}

fn open(layout: &Layout, input: &LiveFile) -> Result<ParquetReader, StoreError> {
    // Every file is read once: nothing is worth remembering.
    let reader = ParquetReader::open(layout, &input.partition, input.id, &MetadataCache::new(0))?;
    if reader.rows() as u64 == input.rows {
        return Ok(reader);
    }
    let reason = format!("it has {} rows, the catalog says {}", reader.rows(), input.rows);
    Err(StoreError::Damaged { path: reader.path().to_owned(), reason })
}

fn read(input: &LiveFile, reader: &ParquetReader) -> Result<Vec<RowPart>, StoreError> {
    let table = input.partition.table;
    let arrival = input.partition.hour.start_unix_nano();
    let names: Vec<&str> = reader.schema().fields().iter().map(|field| field.name().as_str()).collect();
    let mut parts = Vec::new();
    for batch in reader.batches(&names, None, schema::ROW_GROUP_ROWS) {
        let batch = batch?;
        let path = || reader.path().to_owned();
        fits(table, input.schema_version, &batch).map_err(|reason| StoreError::Damaged { path: path(), reason })?;
        parts.push(RowPart { arrival, batch });
    }
    Ok(parts)
}

/// The rows in the order of their table; none where there are none.
fn sort(inputs: &[LiveFile], parts: Vec<RowPart>) -> Result<Option<SortedRows>, CompactError> {
    let Some(first) = inputs.first() else { return Ok(None) };
    let (table, hour) = (first.partition.table, first.partition.hour);
    let rows = TableRows::new(table, parts)?;
    let sorted = match table {
        Table::Series => merge_series(rows, hour)?,
        _ => sort_rows(rows, &PartitionClamp::within_hour())?,
    };
    Ok(Some(sorted))
}

fn write(
    layout: &Layout,
    inputs: &[LiveFile],
    sorted: &SortedRows,
    settings: &ParquetSettings,
    draw: DrawFiles<'_>,
) -> Result<NewFile, CompactError> {
    let table = sorted.table;
    let (Some(first), [(hour, rows)]) = (inputs.first(), sorted.hours.as_slice()) else {
        return Err(CompactError::rows(table, "a merge has rows outside of its hour"));
    };
    let expected: u64 = inputs.iter().map(|file| file.rows).sum();
    // The last look before the inputs go (I4).
    if *hour != first.partition.hour || table != Table::Series && rows.len() as u64 != expected {
        return Err(CompactError::rows(table, format_args!("a merge of {expected} rows made {}", rows.len())));
    }
    let batch = sorted.batch(rows)?;
    let id = draw(1)?;
    write_output(layout, &first.partition, id, &batch, settings).inspect_err(|_| {
        // What cannot be removed now is an orphan, which the next start removes.
        let _ = remove_output(layout, &first.partition, id);
    })
}
