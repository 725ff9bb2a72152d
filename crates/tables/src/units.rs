//! Files and pieces of the tail as blocks of rows, for scans that go newest first and stop early.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use catalog::LiveFile;
use model::{FileId, Table, TimeRange, TraceId, attributes};
use store::ParquetReader;
use text_index::{Candidates, TermQuery};

use crate::engine::Engine;
use crate::error::TablesError;
use crate::pinned::Pinned;
use crate::scan::Scan;
use crate::tail::TailChunk;
use crate::trace::project;
use crate::windows::WindowCache;

/// Rows read at once from a file.
const READ_ROWS: usize = 8192;

/// Where the rows of a unit lie.
#[derive(Debug, Clone)]
pub enum UnitSource {
    /// A Parquet file.
    File(Box<LiveFile>),
    /// Rows of the journal's tail.
    Tail(Arc<TailChunk>),
}

/// Rows of one table that are read together.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Earliest time.
    pub min_time: i64,
    /// Latest time.
    pub max_time: i64,
    /// How many rows.
    pub rows: usize,
    /// Where.
    pub source: UnitSource,
}

impl Unit {
    /// The file, if it is one.
    pub fn file_id(&self) -> Option<FileId> {
        match &self.source {
            UnitSource::File(file) => Some(file.id),
            UnitSource::Tail(_) => None,
        }
    }
}

/// A run of a unit's rows that may hold what is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Rows, counted in the unit.
    pub rows: Range<usize>,
    /// No row is earlier.
    pub min_time: i64,
    /// No row is later.
    pub max_time: i64,
}

/// A unit ready to be read.
pub struct OpenUnit {
    rows: usize,
    pub(crate) source: OpenSource,
}

pub(crate) enum OpenSource {
    File(Box<OpenFile>),
    Tail(Arc<TailChunk>),
}

/// An open file, and where decoded columns of it are kept.
pub(crate) struct OpenFile {
    pub(crate) id: FileId,
    pub(crate) reader: ParquetReader,
    pub(crate) windows: Arc<WindowCache>,
}

impl Engine {
    /// The units of a table with rows inside the range, newest first by their latest time.
    pub fn units(&self, pinned: &Pinned, table: Table, range: &TimeRange, scan: &mut Scan) -> Vec<Unit> {
        let files = pinned.files(table);
        let chunks = pinned.tail(table).iter();
        let mut units: Vec<Unit> = chunks
            .map(|chunk| Unit {
                min_time: chunk.min_time,
                max_time: chunk.max_time,
                rows: chunk.batch.num_rows(),
                source: UnitSource::Tail(Arc::clone(chunk)),
            })
            .chain(files.iter().map(|file| Unit {
                min_time: file.min_time,
                max_time: file.max_time,
                rows: file.rows as usize,
                source: UnitSource::File(Box::new(file.clone())),
            }))
            .filter(|unit| range.overlaps(unit.min_time, unit.max_time))
            .collect();
        let kept = units.iter().filter(|unit| matches!(unit.source, UnitSource::File(_))).count();
        scan.cost.files_total += files.len() as u64;
        scan.cost.files_pruned_by_time += (files.len() - kept) as u64;
        units.sort_by_key(|unit| std::cmp::Reverse(unit.max_time));
        units
    }

    /// The blocks of a unit of `logs` that may hold rows of this trace, by its bloom's map: in row order. `None` where
    /// it has none. A file without any such block counts as pruned.
    pub fn traced_blocks(&self, unit: &Unit, id: &TraceId, scan: &mut Scan) -> Option<Vec<Block>> {
        let UnitSource::File(file) = &unit.source else { return None };
        let (bloom, bytes) = self.inner.sidecars.bloom(file);
        scan.cost.bytes_scanned += bytes;
        let rows = bloom?.rows_of(id)?;
        scan.cost.used_bloom = true;
        if rows.is_empty() {
            scan.cost.files_pruned_by_index += 1;
        }
        let (min_time, max_time) = (unit.min_time, unit.max_time);
        Some(rows.into_iter().map(|rows| Block { rows, min_time, max_time }).collect())
    }

    /// Whether the resource of any row of the unit has an attribute of this name.
    ///
    /// # Errors
    /// As [`OpenUnit::read`].
    pub fn resource_has_key(&self, unit: &Unit, key: &str, scan: &mut Scan) -> Result<bool, TablesError> {
        let known = unit.file_id().and_then(|id| self.inner.resource_keys.get(&id));
        let keys = match known {
            Some(keys) => keys,
            None => {
                // This is knowledge about the file, not part of looking for the answer.
                let mut apart = scan.fork();
                let keys = Arc::new(self.open_unit(unit, &mut apart)?.resource_keys(&mut apart)?);
                scan.cost.bytes_scanned += apart.cost.bytes_scanned;
                if let Some(id) = unit.file_id() {
                    let bytes = keys.iter().map(|key| key.len() + 64).sum::<usize>() + 64;
                    self.inner.resource_keys.insert(id, Arc::clone(&keys), bytes);
                }
                keys
            }
        };
        Ok(keys.contains(key))
    }

    /// Makes a unit ready; its file is opened.
    ///
    /// # Errors
    /// [`TablesError::Missing`] (pin again), [`TablesError::Damaged`], the system's errors.
    pub fn open_unit(&self, unit: &Unit, scan: &mut Scan) -> Result<OpenUnit, TablesError> {
        let source = match &unit.source {
            UnitSource::File(file) => {
                scan.cost.files_scanned += 1;
                let (reader, windows) = (self.open(file)?, Arc::clone(&self.inner.windows));
                OpenSource::File(Box::new(OpenFile { id: file.id, reader, windows }))
            }
            UnitSource::Tail(chunk) => OpenSource::Tail(Arc::clone(chunk)),
        };
        Ok(OpenUnit { rows: unit.rows, source })
    }

    /// The blocks of a unit that may hold rows with these terms, by its text index: in row order. `None` where it
    /// has no text index. A file without any such block counts as pruned.
    pub fn indexed_blocks(&self, unit: &Unit, terms: &TermQuery, scan: &mut Scan) -> Option<Vec<Block>> {
        let UnitSource::File(file) = &unit.source else { return None };
        let (index, bytes) = self.inner.sidecars.text_index(file);
        scan.cost.bytes_scanned += bytes;
        let index = index?;
        let candidates = index.candidates(terms);
        scan.cost.used_text_index |= matches!(candidates, Candidates::Blocks(_));
        let mut blocks = Vec::new();
        let mut start = 0;
        for number in 0..index.blocks() {
            let end = start + index.block_rows(number) as usize;
            if candidates.contains(number) {
                let (min_time, max_time) = index.block_time(number);
                blocks.push(Block { rows: start..end, min_time, max_time });
            }
            start = end;
        }
        if blocks.is_empty() {
            scan.cost.files_pruned_by_index += 1;
        }
        Some(blocks)
    }
}

impl OpenUnit {
    /// All blocks of the unit, as far as they can be told apart without an index: pages of a file, a whole chunk.
    pub fn blocks(&self, unit: &Unit) -> Vec<Block> {
        let whole = || vec![Block { rows: 0..unit.rows, min_time: unit.min_time, max_time: unit.max_time }];
        let OpenSource::File(file) = &self.source else { return whole() };
        let pages = file.reader.page_times();
        match pages.last().is_some_and(|last| last.rows.end == unit.rows) {
            true => pages
                .into_iter()
                .map(|page| Block { rows: page.rows, min_time: page.min_time, max_time: page.max_time })
                .collect(),
            false => whole(),
        }
    }

    /// Hands these rows (ascending ranges, apart from each other), with these columns as far as they exist, to
    /// `take`, batch by batch in row order, with the positions of each batch's rows among all of them.
    ///
    /// # Errors
    /// [`TablesError::Stopped`], [`TablesError::Damaged`], the system's errors, and those of `take`.
    pub fn read(
        &self,
        columns: &[&str],
        ranges: &[Range<usize>],
        scan: &mut Scan,
        mut take: impl FnMut(&RecordBatch, Range<usize>, &mut Scan) -> Result<(), TablesError>,
    ) -> Result<(), TablesError> {
        let mut next = 0;
        let mut positions = |rows: usize| {
            next += rows;
            next - rows..next
        };
        match &self.source {
            OpenSource::Tail(chunk) => {
                let projected = project(&chunk.batch, columns)?;
                for range in ranges {
                    scan.deadline.check()?;
                    scan.cost.rows_scanned += range.len() as u64;
                    scan.cost.journal_rows += range.len() as u64;
                    take(&projected.slice(range.start, range.len()), positions(range.len()), scan)?;
                }
                Ok(())
            }
            OpenSource::File(file) => {
                let reader = &file.reader;
                let is_whole = matches!(ranges, [only] if only.len() == self.rows);
                let selected = (!is_whole).then_some(ranges);
                let before = reader.bytes_read();
                for batch in reader.batches(columns, selected, READ_ROWS) {
                    scan.deadline.check()?;
                    let batch = batch?;
                    scan.cost.rows_scanned += batch.num_rows() as u64;
                    take(&batch, positions(batch.num_rows()), scan)?;
                }
                scan.cost.bytes_scanned += reader.bytes_read() - before;
                Ok(())
            }
        }
    }

    /// The same unit for another reading at the same time, whose cost is counted apart.
    #[must_use]
    pub fn apart(&self) -> OpenUnit {
        let source = match &self.source {
            OpenSource::Tail(chunk) => OpenSource::Tail(Arc::clone(chunk)),
            OpenSource::File(file) => {
                let windows = Arc::clone(&file.windows);
                OpenSource::File(Box::new(OpenFile { id: file.id, reader: file.reader.apart(), windows }))
            }
        };
        OpenUnit { rows: self.rows, source }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Every row, as [`OpenUnit::read`] takes them.
    pub fn all_rows(&self) -> Vec<Range<usize>> {
        std::iter::once(0..self.rows).collect()
    }

    /// Names of all resource attributes of the unit's rows.
    fn resource_keys(&self, scan: &mut Scan) -> Result<HashSet<String>, TablesError> {
        let mut keys = HashSet::new();
        let mut seen: Vec<ArrayRef> = Vec::new();
        self.read(&["resource"], &self.all_rows(), scan, |batch, _, _| {
            let Some(column) = batch.column_by_name("resource").and_then(|column| column.as_any_dictionary_opt())
            else {
                return Ok(());
            };
            // The batches of a row group share their dictionary.
            let values = column.values();
            if seen.iter().any(|known| known.to_data().ptr_eq(&values.to_data())) {
                return Ok(());
            }
            seen.push(Arc::clone(values));
            for text in values.as_string_opt::<i32>().into_iter().flatten().flatten() {
                add_resource_keys(text, &mut keys);
            }
            Ok(())
        })?;
        Ok(keys)
    }

    /// Columns the unit has.
    pub fn has_column(&self, name: &str) -> bool {
        match &self.source {
            OpenSource::Tail(chunk) => chunk.batch.column_by_name(name).is_some(),
            OpenSource::File(file) => file.reader.schema().column_with_name(name).is_some(),
        }
    }
}

/// The keys of a `resource` text.
fn add_resource_keys(text: &str, keys: &mut HashSet<String>) {
    for (name, raw) in attributes::entries(text) {
        if name == "attributes" {
            keys.extend(attributes::entries(raw).map(|(key, _)| key.into_owned()));
        }
    }
}
