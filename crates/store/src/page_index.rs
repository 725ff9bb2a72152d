//! From a trace id or a time range to the rows whose pages can hold it, by the page index of a Parquet file.

use std::ops::Range;

use arrow::datatypes::{DataType, Schema};
use model::{TimeRange, TraceId};
use parquet::basic::Type;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;

/// The rows of one page and the span of their times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageTimes {
    /// Rows, counted through the whole file.
    pub rows: Range<usize>,
    /// Smallest time, Unix nanoseconds.
    pub min_time: i64,
    /// Greatest time, Unix nanoseconds.
    pub max_time: i64,
}

/// Position of a top-level column of one leaf.
pub(crate) fn leaf_of(metadata: &ParquetMetaData, column: &str) -> Option<usize> {
    let columns = metadata.file_metadata().schema_descr().columns();
    columns.iter().position(|leaf| leaf.path().parts() == [column])
}

/// First row of each row group, and the number of rows at the end.
pub(crate) fn row_group_starts(metadata: &ParquetMetaData) -> Vec<usize> {
    let mut starts = vec![0];
    let mut row = 0;
    for group in metadata.row_groups() {
        row += group.num_rows().max(0) as usize;
        starts.push(row);
    }
    starts
}

/// The rows of each page of a column in one row group, counted within the group; `None` without an index.
fn page_rows(metadata: &ParquetMetaData, group: usize, leaf: usize) -> Option<Vec<Range<usize>>> {
    let pages = metadata.offset_index()?.get(group)?.get(leaf)?.page_locations();
    let rows = metadata.row_group(group).num_rows().max(0) as usize;
    let start = |page: usize| pages.get(page).map_or(rows, |page| page.first_row_index.max(0) as usize);
    Some((0..pages.len()).map(|page| start(page)..start(page + 1)).collect())
}

fn column_index(metadata: &ParquetMetaData, group: usize, leaf: usize) -> Option<&ColumnIndexMetaData> {
    metadata.column_index()?.get(group)?.get(leaf)
}

/// Adds rows to ascending ranges, joining neighbours.
pub(crate) fn push_rows(ranges: &mut Vec<Range<usize>>, rows: Range<usize>) {
    match ranges.last_mut() {
        _ if rows.is_empty() => {}
        Some(last) if last.end >= rows.start => last.end = last.end.max(rows.end),
        _ => ranges.push(rows),
    }
}

/// Rows of every page that may hold this value of a fixed-length column; every row where nothing is known.
pub(crate) fn rows_with_bytes(metadata: &ParquetMetaData, column: &str, id: &TraceId) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let Some(leaf) = leaf_of(metadata, column) else { return found };
    let wanted = &id.0[..];
    let starts = row_group_starts(metadata);
    for group in 0..metadata.num_row_groups() {
        let whole = starts[group]..starts[group + 1];
        if !chunk_may_hold(metadata.row_group(group).column(leaf).statistics(), wanted) {
            continue;
        }
        let pages = page_rows(metadata, group, leaf);
        let (Some(pages), Some(ColumnIndexMetaData::FIXED_LEN_BYTE_ARRAY(index))) =
            (pages, column_index(metadata, group, leaf))
        else {
            push_rows(&mut found, whole);
            continue;
        };
        for (page, rows) in pages.into_iter().enumerate() {
            // A page of nulls only has neither.
            let (min, max) = (index.min_value(page), index.max_value(page));
            if min.zip(max).is_some_and(|(min, max)| min <= wanted && wanted <= max) {
                push_rows(&mut found, starts[group] + rows.start..starts[group] + rows.end);
            }
        }
    }
    found
}

fn chunk_may_hold(statistics: Option<&Statistics>, wanted: &[u8]) -> bool {
    let extremes = statistics.and_then(|statistics| statistics.min_bytes_opt().zip(statistics.max_bytes_opt()));
    // Statistics here are 16 bytes and never cut, so they compare exactly.
    extremes.is_none_or(|(min, max)| min <= wanted && wanted <= max)
}

/// The times of every page of the time column, in row order; a row group without an index is one page, with
/// the widest times where even its statistics are missing.
pub(crate) fn page_times(metadata: &ParquetMetaData, column: &str) -> Vec<PageTimes> {
    let mut found = Vec::new();
    let Some(leaf) = leaf_of(metadata, column) else { return found };
    let starts = row_group_starts(metadata);
    for group in 0..metadata.num_row_groups() {
        let pages = page_rows(metadata, group, leaf);
        match (pages, column_index(metadata, group, leaf)) {
            (Some(pages), Some(ColumnIndexMetaData::INT64(index))) => {
                for (page, rows) in pages.into_iter().enumerate() {
                    found.push(PageTimes {
                        rows: starts[group] + rows.start..starts[group] + rows.end,
                        min_time: index.min_value(page).copied().unwrap_or(i64::MIN),
                        max_time: index.max_value(page).copied().unwrap_or(i64::MAX),
                    });
                }
            }
            _ => {
                let (min_time, max_time) = chunk_times(metadata.row_group(group).column(leaf).statistics());
                found.push(PageTimes { rows: starts[group]..starts[group + 1], min_time, max_time });
            }
        }
    }
    found
}

fn chunk_times(statistics: Option<&Statistics>) -> (i64, i64) {
    match statistics {
        Some(Statistics::Int64(times)) => {
            (times.min_opt().copied().unwrap_or(i64::MIN), times.max_opt().copied().unwrap_or(i64::MAX))
        }
        _ => (i64::MIN, i64::MAX),
    }
}

/// Bytes the rows take once they are decoded, roughly: what a reader of the whole file must have room for.
///
/// Not what the pages say they inflate to: a text that a page's dictionary holds once counts as often as it occurs,
/// unless the column stays a dictionary in memory.
pub(crate) fn decoded_bytes(metadata: &ParquetMetaData, schema: &Schema) -> u64 {
    let mut bytes = 0;
    for group in 0..metadata.num_row_groups() {
        for (leaf, chunk) in metadata.row_group(group).columns().iter().enumerate() {
            let root = chunk.column_path().parts().first().map_or("", String::as_str);
            let stays_dictionary =
                schema.field_with_name(root).is_ok_and(|field| matches!(field.data_type(), DataType::Dictionary(..)));
            let values = chunk.num_values().max(0) as u64;
            let inflated = chunk.uncompressed_size().max(0) as u64;
            bytes += match chunk.column_type() {
                Type::BYTE_ARRAY if stays_dictionary => 4 * values + inflated,
                Type::BYTE_ARRAY => 4 * values + text_bytes(metadata, group, leaf).unwrap_or(inflated),
                Type::FIXED_LEN_BYTE_ARRAY => values * chunk.column_descr().type_length().max(0) as u64,
                Type::BOOLEAN => values.div_ceil(8),
                Type::INT32 | Type::FLOAT => 4 * values,
                Type::INT64 | Type::DOUBLE | Type::INT96 => 8 * values,
            };
        }
    }
    bytes
}

/// Bytes of all texts of a column chunk, each occurrence counted, where the file says so.
fn text_bytes(metadata: &ParquetMetaData, group: usize, leaf: usize) -> Option<u64> {
    let whole = metadata.row_group(group).column(leaf).unencoded_byte_array_data_bytes();
    let by_page = || {
        let pages = metadata.offset_index()?.get(group)?.get(leaf)?.unencoded_byte_array_data_bytes()?;
        Some(pages.iter().sum::<i64>())
    };
    whole.or_else(by_page).and_then(|bytes| u64::try_from(bytes).ok())
}

/// Rows of every page with a time inside the range.
pub(crate) fn rows_in_time(pages: &[PageTimes], range: &TimeRange) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for page in pages.iter().filter(|page| range.overlaps(page.min_time, page.max_time)) {
        push_rows(&mut found, page.rows.clone());
    }
    found
}
