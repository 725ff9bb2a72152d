//! Reading Parquet files: chosen columns of chosen rows by positioned reads, footers and page indexes cached.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use model::{FileId, Partition, Table, TimeRange, TraceId};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

use crate::bounded_cache::BoundedCache;
use crate::error::{Context, StoreError};
use crate::layout::{Layout, Name};
use crate::page_index::{self, PageTimes};
use crate::source::{CountedFile, Source};

/// Footers and page indexes by file, bounded in bytes. A file never changes, so nothing in it grows old.
pub type MetadataCache = BoundedCache<FileId, ArrowReaderMetadata>;

/// Rows of the batches that [`ParquetReader::read`] returns.
const BATCH_ROWS: usize = 8192;

/// Bytes of the end of a file read at once on opening: most footers with their page indexes fit.
const TAIL_BYTES: u64 = 64 << 10;

/// One open Parquet file. Once open it stays readable whatever becomes of its name.
#[derive(Debug, Clone)]
pub struct ParquetReader {
    path: PathBuf,
    table: Table,
    file: Arc<CountedFile>,
    metadata: ArrowReaderMetadata,
}

impl ParquetReader {
    /// Opens a file under whichever of its names it has.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when it has none, [`StoreError::Damaged`] when it is no Parquet file, else
    /// [`StoreError::Io`] and its kin.
    pub fn open(
        layout: &Layout,
        partition: &Partition,
        file: FileId,
        cache: &MetadataCache,
    ) -> Result<ParquetReader, StoreError> {
        // A file only ever goes from new to live to dead: with live tried again after new, one that is renamed
        // meanwhile is still met.
        for name in [Name::Live, Name::New, Name::Live, Name::Dead] {
            let path = layout.files_path(partition, file, name);
            match File::open(&path) {
                Ok(opened) => return ParquetReader::with_cache(opened, path, partition.table, file, cache),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(StoreError::io("open", &path, error)),
            }
        }
        Err(StoreError::Missing { path: layout.files_path(partition, file, Name::Live) })
    }

    /// Opens the file at a path, past any cache.
    ///
    /// # Errors
    /// As [`ParquetReader::open`].
    pub fn open_path(path: &Path, table: Table) -> Result<ParquetReader, StoreError> {
        let opened = File::open(path).context("open", path)?;
        let file = Arc::new(CountedFile::new(opened).context("look at", path)?);
        let metadata = load_metadata(&file).map_err(|error| read_error(path, error))?;
        Ok(ParquetReader { path: path.to_owned(), table, file, metadata })
    }

    fn with_cache(
        opened: File,
        path: PathBuf,
        table: Table,
        id: FileId,
        cache: &MetadataCache,
    ) -> Result<ParquetReader, StoreError> {
        let file = Arc::new(CountedFile::new(opened).context("look at", &path)?);
        let metadata = match cache.get(&id) {
            Some(metadata) => metadata,
            None => {
                let metadata = load_metadata(&file).map_err(|error| read_error(&path, error))?;
                cache.insert(id, metadata.clone(), metadata_bytes(&metadata));
                metadata
            }
        };
        Ok(ParquetReader { path, table, file, metadata })
    }

    /// The same open file for another reading, which counts its bytes apart.
    #[must_use]
    pub fn apart(&self) -> ParquetReader {
        ParquetReader { file: Arc::new(self.file.apart()), ..self.clone() }
    }

    /// Rows of the file.
    pub fn rows(&self) -> usize {
        self.metadata.metadata().file_metadata().num_rows().max(0) as usize
    }

    /// The columns the file has, in its order.
    pub fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    /// Footer and page index.
    pub fn metadata(&self) -> &Arc<ParquetMetaData> {
        self.metadata.metadata()
    }

    /// The path it was opened at; the file may have been renamed since.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes read from the file so far, through this reader and its clones.
    pub fn bytes_read(&self) -> u64 {
        self.file.bytes_read()
    }

    /// A key-value entry of the footer, such as `spyhop.hour`.
    pub fn footer_value(&self, key: &str) -> Option<&str> {
        let entries = self.metadata().file_metadata().key_value_metadata()?;
        entries.iter().find(|entry| entry.key == key)?.value.as_deref()
    }

    /// Bytes its rows take once they are all decoded, roughly.
    pub fn decoded_bytes(&self) -> u64 {
        page_index::decoded_bytes(self.metadata(), self.schema())
    }

    /// Smallest and greatest value of the time column, as its statistics have them; none for a file without rows.
    pub fn time_bounds(&self) -> Option<(i64, i64)> {
        let pages = self.page_times().into_iter().map(|page| (page.min_time, page.max_time));
        pages.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Rows of the pages that may hold this trace, by the page index: ascending, apart from each other. For
    /// spans these are few; a table not sorted by trace id has a map in its bloom instead.
    pub fn rows_with_trace(&self, id: &TraceId) -> Vec<Range<usize>> {
        let column = schema::trace_id_column(self.table);
        column.map(|column| page_index::rows_with_bytes(self.metadata(), column, id)).unwrap_or_default()
    }

    /// Rows of the pages that may hold points of this metric, of one of these series (ascending; `None` for all of
    /// them) and with a time inside the range, by the page index: ascending, apart from each other.
    pub fn rows_with_series(&self, metric: &str, series: Option<&[u64]>, range: &TimeRange) -> Vec<Range<usize>> {
        let of_series = page_index::rows_with_series(self.metadata(), metric, series);
        match of_series.is_empty() || (range.start.is_none() && range.end.is_none()) {
            true => of_series,
            false => page_index::intersection(&of_series, &self.rows_in_time(range)),
        }
    }

    /// Rows of the pages with a time inside the range: ascending, apart from each other.
    pub fn rows_in_time(&self, range: &TimeRange) -> Vec<Range<usize>> {
        page_index::rows_in_time(&self.page_times(), range)
    }

    /// Rows and times of every page of the time column, in row order.
    pub fn page_times(&self) -> Vec<PageTimes> {
        page_index::page_times(self.metadata(), schema::time_column(self.table))
    }

    /// Reads these columns (all that exist of them, in the file's order) of these rows (ascending ranges, apart
    /// from each other; `None` for every row), in row order. A column the file lacks is absent from the answer.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when pages cannot be decoded, else [`StoreError::Io`] and its kin.
    pub fn read(&self, columns: &[&str], rows: Option<&[Range<usize>]>) -> Result<Vec<RecordBatch>, StoreError> {
        self.batches(columns, rows, BATCH_ROWS).collect()
    }

    /// Like [`ParquetReader::read`], batch by batch: one row group's chosen pages are in memory at a time.
    pub fn batches(&self, columns: &[&str], rows: Option<&[Range<usize>]>, batch_rows: usize) -> Batches {
        let descriptor = self.metadata.parquet_schema();
        let is_wanted = |leaf: usize| columns.contains(&descriptor.column(leaf).path().parts()[0].as_str());
        let leaves: Vec<usize> = (0..descriptor.num_columns()).filter(|leaf| is_wanted(*leaf)).collect();
        Batches {
            groups: chosen_groups(self.metadata(), rows),
            mask: ProjectionMask::leaves(descriptor, leaves.iter().copied()),
            leaves,
            batch_rows,
            current: None,
            reader: self.clone(),
        }
    }
}

/// Row groups with chosen rows: number, and ranges within the group (`None` for all of it).
type ChosenGroups = std::vec::IntoIter<(usize, Option<Vec<Range<usize>>>)>;

fn chosen_groups(metadata: &ParquetMetaData, rows: Option<&[Range<usize>]>) -> ChosenGroups {
    let starts = page_index::row_group_starts(metadata);
    let groups = starts.windows(2).enumerate().filter_map(|(group, bounds)| {
        let Some(rows) = rows else { return Some((group, None)) };
        let mut chosen = Vec::new();
        let first = rows.partition_point(|range| range.end <= bounds[0]);
        for range in rows[first..].iter().take_while(|range| range.start < bounds[1]) {
            let (start, end) = (range.start.max(bounds[0]), range.end.min(bounds[1]));
            if start < end {
                page_index::push_rows(&mut chosen, start - bounds[0]..end - bounds[0]);
            }
        }
        let is_whole = matches!(&chosen[..], [only] if only.len() == bounds[1] - bounds[0]);
        (!chosen.is_empty()).then_some((group, (!is_whole).then_some(chosen)))
    });
    groups.collect::<Vec<_>>().into_iter()
}

/// The batches of a read, row group after row group; see [`ParquetReader::batches`].
pub struct Batches {
    reader: ParquetReader,
    mask: ProjectionMask,
    leaves: Vec<usize>,
    batch_rows: usize,
    groups: ChosenGroups,
    current: Option<ParquetRecordBatchReader>,
}

impl Batches {
    fn open_group(
        &self,
        group: usize,
        rows: Option<Vec<Range<usize>>>,
    ) -> Result<ParquetRecordBatchReader, ParquetError> {
        let metadata = self.reader.metadata();
        let total = metadata.row_group(group).num_rows().max(0) as usize;
        let selection = rows.map(|rows| RowSelection::from_consecutive_ranges(rows.into_iter(), total));
        let wanted: Vec<Range<u64>> =
            self.leaves.iter().flat_map(|leaf| byte_ranges(metadata, group, *leaf, selection.as_ref())).collect();
        let source = Source::new(self.reader.file.clone())
            .fetch(wanted)
            .map_err(|error| ParquetError::External(Box::new(error)))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(source, self.reader.metadata.clone())
            .with_row_groups(vec![group])
            .with_projection(self.mask.clone())
            .with_batch_size(self.batch_rows.clamp(1, total.max(1)));
        match selection {
            Some(selection) => builder.with_row_selection(selection).build(),
            None => builder.build(),
        }
    }

    fn step(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        loop {
            if let Some(current) = &mut self.current {
                match current.next() {
                    Some(Ok(batch)) => return Ok(Some(batch)),
                    Some(Err(error)) => return Err(StoreError::damaged(&self.reader.path, error)),
                    None => self.current = None,
                }
            }
            let Some((group, rows)) = self.groups.next() else { return Ok(None) };
            let opened = self.open_group(group, rows);
            self.current = Some(opened.map_err(|error| read_error(&self.reader.path, error))?);
        }
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step().transpose();
        if matches!(step, Some(Err(_))) {
            // After an error there is nothing more.
            self.groups = Vec::new().into_iter();
            self.current = None;
        }
        step
    }
}

/// Where the chosen pages of a column lie, its dictionary included.
fn byte_ranges(
    metadata: &ParquetMetaData,
    group: usize,
    leaf: usize,
    selection: Option<&RowSelection>,
) -> Vec<Range<u64>> {
    let (start, length) = metadata.row_group(group).column(leaf).byte_range();
    let whole = start..start.saturating_add(length);
    let pages = metadata.offset_index().and_then(|index| Some(index.get(group)?.get(leaf)?.page_locations()));
    let (Some(selection), Some(pages)) = (selection, pages.filter(|pages| !pages.is_empty())) else {
        return vec![whole];
    };
    let mut ranges = selection.scan_ranges(pages);
    let first_page = pages[0].offset.max(0) as u64;
    ranges.push(start..first_page.max(start));
    ranges
}

fn load_metadata(file: &Arc<CountedFile>) -> Result<ArrowReaderMetadata, ParquetError> {
    let source = Source::new(file.clone());
    let length = parquet::file::reader::Length::len(&source);
    let tail = length.saturating_sub(TAIL_BYTES)..length;
    let source = source.fetch(vec![tail]).map_err(|error| ParquetError::External(Box::new(error)))?;
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    ArrowReaderMetadata::load(&source, options)
}

/// Bytes a footer takes in memory: the Parquet part as it counts itself, and the Arrow schema roughly.
fn metadata_bytes(metadata: &ArrowReaderMetadata) -> usize {
    metadata.metadata().memory_size() + metadata.schema().flattened_fields().len() * 200 + 512
}

/// An error while reading: the operating system's where there is one, else the file is damaged.
fn read_error(path: &Path, error: ParquetError) -> StoreError {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) if source.kind() != io::ErrorKind::UnexpectedEof => StoreError::io("read", path, *source),
            Ok(source) => StoreError::damaged(path, source),
            Err(source) => StoreError::damaged(path, source),
        },
        other => StoreError::damaged(path, other),
    }
}
