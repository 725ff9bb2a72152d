//! One output of a swap: a Parquet file as `.new`, with the sidecars of its table.

use std::ops::Range;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use catalog::NewFile;
use model::{FileId, Partition, Table, TimeRange};
use schema::BLOCK_ROWS;
use store::rollup::{LogRollupBuilder, RollupLimits, SpanRollupBuilder};
use store::{
    Layout, Name, ParquetSettings, Sidecar, StoreError, TraceBloomBuilder, fault, put_synced, remove_if_exists,
    sync_folder, write_parquet,
};
use text_index::IndexBuilder;

use crate::error::CompactError;
use crate::log_texts::LogTexts;

/// Writes a sorted batch as a durable output of this partition.
///
/// A sidecar that cannot be made is left out: it changes speed, never an answer (I9).
///
/// # Errors
/// [`CompactError::Store`]; what was begun may stay under `.new`, for the caller to remove.
pub(crate) fn write_output(
    layout: &Layout,
    partition: &Partition,
    id: FileId,
    batch: &RecordBatch,
    settings: &ParquetSettings,
) -> Result<NewFile, CompactError> {
    let path = layout.files_path(partition, id, Name::New);
    let written = write_parquet(partition, std::slice::from_ref(batch), &path, settings)?;
    fault::hit("after_output");
    for (sidecar, bytes) in sidecars(partition, batch) {
        put_synced(&layout.sidecar_path(partition, id, sidecar), &bytes)?;
    }
    sync_folder(&layout.partition_folder(partition))?;
    fault::hit("after_sidecars");
    Ok(NewFile {
        id,
        partition: partition.clone(),
        rows: written.rows,
        bytes: written.bytes,
        min_time: written.min_time,
        max_time: written.max_time,
        schema_version: schema::SCHEMA_VERSION,
    })
}

/// Removes what is there of an output that never became live, sidecars first.
pub(crate) fn remove_output(layout: &Layout, partition: &Partition, id: FileId) -> Result<(), StoreError> {
    for sidecar in Sidecar::ALL {
        remove_if_exists(&layout.sidecar_path(partition, id, sidecar))?;
    }
    remove_if_exists(&layout.files_path(partition, id, Name::New))?;
    Ok(())
}

pub(crate) fn sidecars(partition: &Partition, batch: &RecordBatch) -> Vec<(Sidecar, Vec<u8>)> {
    let mut made = Vec::new();
    if partition.table == Table::Logs {
        match text_index(batch) {
            Ok(bytes) => made.push((Sidecar::TextIndex, bytes)),
            Err(error) => tracing::warn!(%partition, %error, "no text index was made; searches scan this file"),
        }
    }
    if let Some(bytes) = trace_bloom(partition.table, batch) {
        made.push((Sidecar::TraceBloom, bytes));
    }
    if let Some(bytes) = rollup(partition.table, batch) {
        made.push((Sidecar::Rollup, bytes));
    }
    made
}

/// The blocks of a file's rows.
fn blocks(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(BLOCK_ROWS).map(move |start| start..rows.min(start + BLOCK_ROWS))
}

fn text_index(batch: &RecordBatch) -> Result<Vec<u8>, text_index::TextIndexError> {
    let times = batch.column_by_name("time").and_then(|array| array.as_primitive_opt::<TimestampNanosecondType>());
    let times: &[i64] = times.map_or(&[], |array| array.values());
    let texts = LogTexts::new(batch);
    let mut builder = IndexBuilder::new();
    for rows in blocks(batch.num_rows()) {
        let of_block = times.get(rows.clone()).unwrap_or(&[]);
        let min = of_block.iter().copied().min().unwrap_or(i64::MIN);
        let max = of_block.iter().copied().max().unwrap_or(i64::MAX);
        texts.each(rows.clone(), |text| builder.add_text(text));
        builder.end_block(min, max, rows.len() as u32);
    }
    builder.finish()
}

/// The trace bloom of a table that has trace ids. A column left out means that no row has one.
fn trace_bloom(table: Table, batch: &RecordBatch) -> Option<Vec<u8>> {
    let column = schema::trace_id_column(table)?;
    let mut builder = match table {
        Table::Spans => TraceBloomBuilder::sorted_by_trace(),
        _ => TraceBloomBuilder::with_blocks(BLOCK_ROWS),
    };
    match batch.column_by_name(column).and_then(|array| array.as_fixed_size_binary_opt()) {
        Some(ids) => builder.push_column(ids),
        None => builder.push_absent(batch.num_rows()),
    }
    Some(builder.finish().to_bytes())
}

/// The rollup of a table that has one; none where the rows have more to tell apart than it may.
fn rollup(table: Table, batch: &RecordBatch) -> Option<Vec<u8>> {
    let limits = RollupLimits::default();
    match table {
        Table::Logs => {
            let mut builder = LogRollupBuilder::default();
            builder.push(batch, &TimeRange::ALL);
            builder.finish(&limits).map(|rollup| rollup.to_bytes())
        }
        Table::Spans => {
            let mut builder = SpanRollupBuilder::default();
            builder.push(batch);
            Some(builder.finish(&limits).to_bytes())
        }
        _ => None,
    }
}
