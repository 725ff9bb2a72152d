//! Writing one Parquet file, row group by row group, durably under its `.new` name.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{SchemaRef, TimestampNanosecondType};
use model::{Partition, Table};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use crate::columns::{conform, union_schema};
use crate::durable::{make_folder_durable, sync_folder};
use crate::error::{Context, StoreError};
use crate::fault;
use crate::parquet_settings::ParquetSettings;

/// What a finished file holds, as the catalog records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Rows.
    pub rows: u64,
    /// Bytes of the Parquet file, sidecars not counted.
    pub bytes: u64,
    /// Smallest value of the table's time column, Unix nanoseconds; 0 for a file without rows.
    pub min_time: i64,
    /// Greatest value of the table's time column, Unix nanoseconds; 0 for a file without rows.
    pub max_time: i64,
}

/// A file being written. Dropped before [`ParquetWriter::finish`] it leaves a useless file behind, which the
/// owner of the path removes.
pub struct ParquetWriter {
    writer: ArrowWriter<File>,
    path: PathBuf,
    table: Table,
    schema: SchemaRef,
    rows: u64,
    times: Option<(i64, i64)>,
}

impl ParquetWriter {
    /// Begins a file with these columns (from [`union_schema`]); makes missing folders.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`], [`StoreError::NoPermission`], [`StoreError::Io`]; [`StoreError::Rows`] when
    /// the columns cannot be written.
    pub fn create(
        partition: &Partition,
        schema: SchemaRef,
        path: &Path,
        settings: &ParquetSettings,
    ) -> Result<ParquetWriter, StoreError> {
        if let Some(folder) = path.parent() {
            make_folder_durable(folder)?;
        }
        let properties = settings.properties(partition, &schema).map_err(|error| write_error(path, error))?;
        let file = File::create(path).context("create", path)?;
        let writer =
            ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(|error| write_error(path, error))?;
        Ok(ParquetWriter { writer, path: path.to_owned(), table: partition.table, schema, rows: 0, times: None })
    }

    /// Appends rows, already in the table's order; columns the batch lacks become nulls.
    ///
    /// # Errors
    /// As [`ParquetWriter::create`].
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let batch = conform(batch, &self.schema)?;
        if fault::fails("fail_parquet_no_space") {
            return Err(StoreError::io("write", &self.path, std::io::ErrorKind::StorageFull.into()));
        }
        self.writer.write(&batch).map_err(|error| write_error(&self.path, error))?;
        self.rows += batch.num_rows() as u64;
        self.times = widen(self.times, extremes(self.table, &batch));
        Ok(())
    }

    /// Bytes held in memory for the row group being made.
    pub fn memory_bytes(&self) -> usize {
        self.writer.memory_size()
    }

    /// Ends the file and makes it durable: bytes, name and folders.
    ///
    /// # Errors
    /// As [`ParquetWriter::create`]; the file is useless then.
    pub fn finish(mut self) -> Result<Written, StoreError> {
        self.writer.finish().map_err(|error| write_error(&self.path, error))?;
        let bytes = self.writer.bytes_written() as u64;
        self.writer.inner().sync_all().context("sync", &self.path)?;
        if let Some(folder) = self.path.parent() {
            sync_folder(folder)?;
        }
        let (min_time, max_time) = self.times.unwrap_or_default();
        Ok(Written { rows: self.rows, bytes, min_time, max_time })
    }
}

/// Writes sorted batches as one durable file at `path` (a `.new` name), with the columns that occur in them.
///
/// # Errors
/// As [`ParquetWriter::create`]. What was begun at `path` is removed then.
pub fn write_parquet(
    partition: &Partition,
    batches: &[RecordBatch],
    path: &Path,
    settings: &ParquetSettings,
) -> Result<Written, StoreError> {
    let schema = union_schema(partition.table, batches)?;
    let write = || {
        let mut writer = ParquetWriter::create(partition, schema, path, settings)?;
        batches.iter().try_for_each(|batch| writer.write(batch))?;
        writer.finish()
    };
    write().inspect_err(|_| {
        // Best effort: an orphan is also removed by whoever owns the file number.
        let _ = std::fs::remove_file(path);
    })
}

/// Smallest and greatest value of the time column; nulls do not occur in it.
fn extremes(table: Table, batch: &RecordBatch) -> Option<(i64, i64)> {
    let column = batch.column_by_name(schema::time_column(table))?;
    let times = column.as_primitive_opt::<TimestampNanosecondType>()?;
    debug_assert_eq!(times.null_count(), 0);
    Some((times.values().iter().copied().min()?, times.values().iter().copied().max()?))
}

fn widen(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// An error while writing: the operating system's where there is one, else the rows do not fit.
fn write_error(path: &Path, error: ParquetError) -> StoreError {
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => StoreError::io("write", path, *source),
            Err(source) => StoreError::Rows { what: path.display().to_string(), reason: source.to_string() },
        },
        other => StoreError::Rows { what: path.display().to_string(), reason: other.to_string() },
    }
}
