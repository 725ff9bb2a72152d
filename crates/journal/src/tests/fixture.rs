//! A data folder, a catalog and drafts to append.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, ListArray,
    RecordBatch, StringArray, StructArray, TimestampNanosecondArray, UInt8Array, UInt32Array, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Schema};
use catalog::{Catalog, Segment};
use model::{SegmentId, Signal, Table, TenantId};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    CommitDraft, Digest, End, Journal, JournalLimits, Part, Receipt, RecoveryReport, SegmentReader, ServiceCounts,
    segment_path,
};

/// A time to begin at.
pub(crate) const NOW: i64 = 1_795_289_400_000_000_000;
pub(crate) const SECOND: i64 = 1_000_000_000;

pub(crate) struct Fixture {
    folder: TempDir,
    runtime: Runtime,
    pub(crate) catalog: Catalog,
}

impl Fixture {
    pub(crate) fn new() -> Fixture {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let catalog = runtime.block_on(Catalog::open(&folder.path().join("catalog.sqlite"))).expect("a catalog");
        std::fs::create_dir(folder.path().join("journal")).expect("a journal folder");
        Fixture { folder, runtime, catalog }
    }

    pub(crate) fn limits() -> JournalLimits {
        JournalLimits { segment_bytes_max: 256 * 1024, ..JournalLimits::default() }
    }

    pub(crate) fn journal_folder(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    pub(crate) fn path(&self, id: SegmentId) -> PathBuf {
        segment_path(&self.journal_folder(), id)
    }

    pub(crate) fn open(&self, now: i64) -> (Journal, RecoveryReport) {
        self.open_with(Fixture::limits(), now)
    }

    pub(crate) fn open_with(&self, limits: JournalLimits, now: i64) -> (Journal, RecoveryReport) {
        let handle = self.runtime.handle().clone();
        Journal::open(&self.journal_folder(), self.catalog.clone(), handle, limits, now).expect("opens")
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(crate) fn segments(&self) -> Vec<Segment> {
        self.block_on(self.catalog.segments()).expect("segments")
    }

    /// The tags of all commits of all live segments, in order, as a query would see them; and whether there was damage.
    pub(crate) fn tags(&self) -> (Vec<i64>, bool) {
        let mut tags = Vec::new();
        let mut is_damaged = false;
        for segment in self.segments() {
            let end = match segment.length {
                0 => End::Live,
                length => End::Sealed(length),
            };
            let (found, damaged) = read_tags(&self.path(segment.id), end);
            tags.extend(found);
            is_damaged |= damaged;
        }
        (tags, is_damaged)
    }
}

/// The tags of a segment's commits, and whether there is damage between them.
pub(crate) fn read_tags(path: &Path, end: End) -> (Vec<i64>, bool) {
    let reader = SegmentReader::open(path).expect("opens");
    let mut commits = reader.read_from(reader.start(), end).expect("reads");
    let mut tags = Vec::new();
    for commit in &mut commits {
        let commit = commit.expect("no I/O error");
        let tag = commit.arrival_unix_nano() - NOW;
        for part in commit.parts() {
            let expect = batch(part.table(), part.rows(), tag as u64, |_| true);
            assert_eq!(part.decode().expect("decodes"), expect, "commit {tag}");
        }
        tags.push(tag);
    }
    let is_damaged = !commits.damage().is_empty();
    (tags, is_damaged)
}

pub(crate) fn tenant() -> TenantId {
    TenantId::default()
}

pub(crate) fn digest(tag: i64) -> Digest {
    Digest::of(&tenant(), Signal::Logs, "protobuf", &tag.to_le_bytes())
}

/// A commit of a few log rows that only this tag makes; it arrives `tag` nanoseconds after [`NOW`].
pub(crate) fn draft(tag: i64, rows: usize) -> CommitDraft {
    let part = Part { tenant: tenant(), table: Table::Points, batch: batch(Table::Points, rows, tag as u64, |_| true) };
    let receipt = Receipt {
        digest: Some(digest(tag)),
        tenant: tenant(),
        signal: Signal::Metrics,
        response: tag.to_string().into_bytes(),
        received: rows as u32,
        stored: rows as u32,
        rejected: Vec::new(),
        rows: vec![(Table::Points, 0..rows as u32)],
        services: vec![ServiceCounts {
            service: "cart".into(),
            received: rows as u32,
            stored: rows as u32,
            duplicate: 0,
            rejected: Vec::new(),
        }],
    };
    CommitDraft { arrival_unix_nano: NOW + tag, parts: vec![part], receipts: vec![receipt] }
}

/// Rows of a table, made from a seed; only the columns asked for, and those that are required.
pub(crate) fn batch(table: Table, rows: usize, seed: u64, has: impl Fn(usize) -> bool) -> RecordBatch {
    let schema = schema::schema(table);
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (at, field) in schema.fields().iter().enumerate() {
        if has(at) || !field.is_nullable() {
            fields.push(field.clone());
            columns.push(column(field, rows, seed.wrapping_add(at as u64)));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("fits the schema")
}

fn column(field: &Field, rows: usize, seed: u64) -> ArrayRef {
    let number = |row: usize| (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20).wrapping_add(row as u64 * 7919);
    let is_null = |row: usize| field.is_nullable() && (number(row) >> 3).is_multiple_of(3);
    let values = |row: usize| (!is_null(row)).then(|| number(row));
    let texts = |row: usize| values(row).map(|number| format!("é{}", number % 17));
    match field.data_type() {
        DataType::Timestamp(..) => {
            Arc::new(TimestampNanosecondArray::from_iter((0..rows).map(|row| values(row).map(|value| value as i64))))
        }
        DataType::Boolean => Arc::new(BooleanArray::from_iter((0..rows).map(|row| values(row).map(|v| v % 2 == 0)))),
        DataType::UInt8 => Arc::new(UInt8Array::from_iter((0..rows).map(|row| values(row).map(|v| v as u8)))),
        DataType::UInt32 => Arc::new(UInt32Array::from_iter((0..rows).map(|row| values(row).map(|v| v as u32)))),
        DataType::UInt64 => Arc::new(UInt64Array::from_iter((0..rows).map(values))),
        DataType::Int32 => Arc::new(Int32Array::from_iter((0..rows).map(|row| values(row).map(|v| v as i32)))),
        DataType::Int64 => Arc::new(Int64Array::from_iter((0..rows).map(|row| values(row).map(|v| v as i64)))),
        DataType::Float64 => Arc::new(Float64Array::from_iter((0..rows).map(|row| values(row).map(|v| v as f64)))),
        DataType::Utf8 => Arc::new(StringArray::from_iter((0..rows).map(texts))),
        DataType::FixedSizeBinary(width) => {
            let ids = (0..rows).map(|row| values(row).map(|value| vec![value as u8; *width as usize]));
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(ids, *width).expect("one width"))
        }
        DataType::Dictionary(..) => {
            let keys = Int32Array::from_iter((0..rows).map(|row| values(row).map(|value| (value % 3) as i32)));
            let words = StringArray::from_iter_values((0..3).map(|word| format!("word {seed} {word}")));
            Arc::new(DictionaryArray::new(keys, Arc::new(words)))
        }
        DataType::List(item) => {
            let lengths: Vec<usize> = (0..rows).map(|row| if is_null(row) { 0 } else { row % 3 }).collect();
            let elements = column(item, lengths.iter().sum(), seed + 1);
            let nulls = NullBuffer::from_iter((0..rows).map(|row| !is_null(row)));
            Arc::new(ListArray::new(item.clone(), OffsetBuffer::from_lengths(lengths), elements, Some(nulls)))
        }
        DataType::Struct(fields) => {
            let children = fields.iter().enumerate().map(|(at, field)| column(field, rows, seed + at as u64)).collect();
            Arc::new(StructArray::new(fields.clone(), children, None))
        }
        other => panic!("no test column of {other}"),
    }
}
