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

/// Rows of every page that may hold points of this metric, of one of these series (ascending; `None` for all): in a
/// table sorted by both, few more than there are. Every row where nothing is known.
pub(crate) fn rows_with_series(metadata: &ParquetMetaData, metric: &str, series: Option<&[u64]>) -> Vec<Range<usize>> {
    let wanted = metric.as_bytes();
    // Texts may be cut short in an index; even so what is kept is no greater than the least and no less than the most.
    let by_metric = rows_by_page(metadata, "metric", |bounds| match bounds {
        PageBounds::Bytes(min, max) => min <= wanted && wanted <= max,
        _ => true,
    });
    let Some(series) = series else { return by_metric };
    let by_series = rows_by_page(metadata, "series_id", |bounds| match bounds {
        PageBounds::Integers(min, max) => {
            // Unsigned numbers lie in signed ones, in the order of unsigned ones.
            let (min, max) = (min as u64, max as u64);
            series.get(series.partition_point(|id| *id < min)).is_some_and(|id| *id <= max)
        }
        _ => true,
    });
    intersection(&by_metric, &by_series)
}

/// What an index says of the values of a page or a row group.
enum PageBounds<'a> {
    Bytes(&'a [u8], &'a [u8]),
    Integers(i64, i64),
}

/// Rows of the pages that may hold what is looked for; a page or row group of which nothing is known may.
fn rows_by_page(
    metadata: &ParquetMetaData,
    column: &str,
    may_hold: impl Fn(PageBounds<'_>) -> bool,
) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let starts = row_group_starts(metadata);
    let Some(leaf) = leaf_of(metadata, column) else { return whole_file(&starts) };
    for group in 0..metadata.num_row_groups() {
        let statistics = metadata.row_group(group).column(leaf).statistics();
        if !chunk_bounds(statistics).is_none_or(&may_hold) {
            continue;
        }
        let pages = page_rows(metadata, group, leaf);
        let (Some(pages), Some(index)) = (pages, column_index(metadata, group, leaf)) else {
            push_rows(&mut found, starts[group]..starts[group + 1]);
            continue;
        };
        for (page, rows) in pages.into_iter().enumerate() {
            let bounds = match index {
                ColumnIndexMetaData::BYTE_ARRAY(index) => {
                    index.min_value(page).zip(index.max_value(page)).map(|(min, max)| PageBounds::Bytes(min, max))
                }
                ColumnIndexMetaData::INT64(index) => {
                    index.min_value(page).zip(index.max_value(page)).map(|(min, max)| PageBounds::Integers(*min, *max))
                }
                _ => None,
            };
            if bounds.is_none_or(&may_hold) {
                push_rows(&mut found, starts[group] + rows.start..starts[group] + rows.end);
            }
        }
    }
    found
}

fn whole_file(starts: &[usize]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    push_rows(&mut found, 0..starts.last().copied().unwrap_or(0));
    found
}

fn chunk_bounds(statistics: Option<&Statistics>) -> Option<PageBounds<'_>> {
    match statistics? {
        Statistics::Int64(values) => Some(PageBounds::Integers(*values.min_opt()?, *values.max_opt()?)),
        bytes @ Statistics::ByteArray(_) => Some(PageBounds::Bytes(bytes.min_bytes_opt()?, bytes.max_bytes_opt()?)),
        _ => None,
    }
}

/// Rows that are in both of two lists of ascending ranges.
pub(crate) fn intersection(left: &[Range<usize>], right: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut at, mut other) = (0, 0);
    while let (Some(a), Some(b)) = (left.get(at), right.get(other)) {
        push_rows(&mut found, a.start.max(b.start)..a.end.min(b.end));
        match a.end <= b.end {
            true => at += 1,
            false => other += 1,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_both_lists() {
        let ranges = |pairs: &[(usize, usize)]| pairs.iter().map(|(start, end)| *start..*end).collect::<Vec<_>>();
        let check = |left: &[(usize, usize)], right: &[(usize, usize)], expect: &[(usize, usize)]| {
            let (left, right, expect) = (ranges(left), ranges(right), ranges(expect));
            assert_eq!(intersection(&left, &right), expect, "{left:?} {right:?}");
            assert_eq!(intersection(&right, &left), expect, "{right:?} {left:?}");
        };
        check(&[(0, 10), (20, 30)], &[(5, 25)], &[(5, 10), (20, 25)]);
        check(&[(0, 10)], &[(10, 20)], &[]);
        check(&[], &[(0, 5)], &[]);
        check(&[(0, 5), (7, 9)], &[(0, 5), (5, 8)], &[(0, 5), (7, 8)]);
        check(&[(2, 4)], &[(0, 1), (3, 9)], &[(3, 4)]);
    }
}
