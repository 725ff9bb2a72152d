//! Parquet files of every table: what was written comes back, whole or in part.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::*;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use model::{FileId, Hour, Partition, Table, TenantId, TimeRange, TraceId};
use store::{
    Layout, MetadataCache, Name, ParquetReader, ParquetSettings, ParquetWriter, StoreError, conform, rename_durable,
    union_schema, write_parquet,
};

type Random = fastrand::Rng;

fn partition(table: Table) -> Partition {
    Partition { tenant: TenantId::default(), table, hour: Hour::of(1_795_289_400_000_000_000) }
}

fn text(random: &mut Random) -> String {
    let length = random.usize(..12);
    (0..length).map(|_| *random.choice(&['a', 'b', 'é', '日', '"', '\n']).expect("not empty")).collect()
}

/// Random values of a column; `rows` of them, nulls where the field allows.
fn array(random: &mut Random, field: &Field, rows: usize) -> ArrayRef {
    let nullable = field.is_nullable();
    let valid: Vec<bool> = (0..rows).map(|_| !nullable || random.u8(..4) > 0).collect();
    macro_rules! primitive {
        ($array:ty, $value:expr) => {
            Arc::new(valid.iter().map(|valid| valid.then(|| $value)).collect::<$array>())
        };
    }
    match field.data_type() {
        DataType::Boolean => primitive!(BooleanArray, random.bool()),
        DataType::UInt8 => primitive!(UInt8Array, random.u8(..)),
        DataType::UInt32 => primitive!(UInt32Array, random.u32(..)),
        DataType::UInt64 => primitive!(UInt64Array, random.u64(..)),
        DataType::Int32 => primitive!(Int32Array, random.i32(..)),
        DataType::Int64 => primitive!(Int64Array, random.i64(..)),
        DataType::Float64 => primitive!(Float64Array, f64::from_bits(random.u64(..))),
        DataType::Timestamp(..) => primitive!(TimestampNanosecondArray, random.i64(-5..1_000_000)),
        DataType::Utf8 => primitive!(StringArray, text(random)),
        DataType::Dictionary(..) => {
            let values: Vec<Option<String>> = valid.iter().map(|valid| valid.then(|| text(random))).collect();
            Arc::new(values.iter().map(Option::as_deref).collect::<DictionaryArray<Int32Type>>())
        }
        DataType::FixedSizeBinary(width) => {
            let values =
                valid.iter().map(|valid| valid.then(|| (0..*width).map(|_| random.u8(..)).collect::<Vec<u8>>()));
            let values: Vec<Option<Vec<u8>>> = values.collect();
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(values.into_iter(), *width).expect("ids"))
        }
        DataType::List(item) => {
            let lengths: Vec<usize> = valid.iter().map(|valid| if *valid { random.usize(..4) } else { 0 }).collect();
            let offsets = arrow::buffer::OffsetBuffer::from_lengths(lengths.iter().copied());
            let values = array(random, item, lengths.iter().sum());
            Arc::new(ListArray::new(item.clone(), offsets, values, Some(valid.into())))
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().map(|field| array(random, field, rows)).collect();
            Arc::new(StructArray::new(fields.clone(), columns, None))
        }
        other => panic!("no generator for {other}"),
    }
}

/// A batch with the required columns of a table and some of the optional ones.
fn batch(random: &mut Random, table: Table, rows: usize, optional_in_8: u8) -> RecordBatch {
    let whole = schema::schema(table);
    let fields: Vec<_> =
        whole.fields().iter().filter(|field| !field.is_nullable() || random.u8(..8) < optional_in_8).cloned().collect();
    let columns = fields.iter().map(|field| array(random, field, rows)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a batch")
}

fn small_pages() -> ParquetSettings {
    ParquetSettings { row_group_rows: 700, page_rows: 64, ..ParquetSettings::default() }
}

fn whole(schema: &SchemaRef, batches: &[RecordBatch]) -> RecordBatch {
    let fitted: Vec<RecordBatch> = batches.iter().map(|batch| conform(batch, schema).expect("fits")).collect();
    concat_batches(schema, &fitted).expect("one schema")
}

fn read(reader: &ParquetReader, columns: &[&str], rows: Option<&[Range<usize>]>) -> Option<RecordBatch> {
    let batches = reader.read(columns, rows).expect("reads");
    let schema = batches.first()?.schema();
    Some(concat_batches(&schema, &batches).expect("one schema"))
}

fn random_ranges(random: &mut Random, rows: usize) -> Vec<Range<usize>> {
    let mut cuts: Vec<usize> = (0..random.usize(1..6) * 2).map(|_| random.usize(..=rows)).collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect()
}

/// The rows of a batch within ranges.
fn pick(batch: &RecordBatch, ranges: &[Range<usize>]) -> RecordBatch {
    let slices: Vec<RecordBatch> = ranges.iter().map(|range| batch.slice(range.start, range.len())).collect();
    concat_batches(batch.schema_ref(), &slices).expect("one schema")
}

#[test]
fn every_table_comes_back_whole_and_in_part() {
    let mut random = Random::with_seed(1);
    let root = tempfile::tempdir().expect("a folder");
    for (round, table) in Table::ALL.into_iter().flat_map(|table| [(0, table), (4, table), (8, table)]) {
        let path = root.path().join(format!("{table}-{round}.new"));
        let batches: Vec<RecordBatch> = [900, 1, 600].map(|rows| batch(&mut random, table, rows, round)).into();
        let written = write_parquet(&partition(table), &batches, &path, &small_pages()).expect("writes");
        let union = union_schema(table, &batches).expect("a schema");
        let expected = whole(&union, &batches);
        let times = expected[schema::time_column(table)].as_primitive::<arrow::datatypes::TimestampNanosecondType>();
        let extremes = (times.values().iter().min().copied(), times.values().iter().max().copied());
        assert_eq!((Some(written.min_time), Some(written.max_time)), extremes);
        assert_eq!((written.rows, written.bytes), (1501, std::fs::metadata(&path).expect("file").len()));

        let reader = ParquetReader::open_path(&path, table).expect("opens");
        assert_eq!(reader.rows(), 1501);
        assert_eq!(reader.footer_value("spyhop.table"), Some(table.name()));
        assert_eq!(reader.footer_value("spyhop.hour"), Some(partition(table).hour.0.to_string().as_str()));
        let all = schema::schema(table);
        let all: Vec<&str> = all.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(read(&reader, &all, None).as_ref(), Some(&expected), "{table}");
        for _ in 0..6 {
            let columns: Vec<&str> = all.iter().copied().filter(|_| random.u8(..3) == 0).collect();
            let kept: Vec<usize> =
                columns.iter().filter_map(|column| expected.schema().index_of(column).ok()).collect();
            let ranges = random_ranges(&mut random, 1501);
            let expected = pick(&expected, &ranges).project(&kept).expect("columns");
            let found = read(&reader, &columns, Some(&ranges));
            assert_eq!(found.unwrap_or_else(|| expected.slice(0, 0)), expected, "{table} {columns:?} {ranges:?}");
        }
    }
}

#[test]
fn columns_that_do_not_exist_leave_the_rows() {
    let mut random = Random::with_seed(2);
    let root = tempfile::tempdir().expect("a folder");
    let path = root.path().join("x.new");
    let rows = batch(&mut random, Table::Logs, 100, 0);
    write_parquet(&partition(Table::Logs), &[rows], &path, &small_pages()).expect("writes");
    let reader = ParquetReader::open_path(&path, Table::Logs).expect("opens");
    let found = reader.read(&["http_route", "no_such"], Some(&[10..20, 30..31])).expect("reads");
    assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 11);
    assert!(found.iter().all(|batch| batch.num_columns() == 0));
    assert!(reader.read(&["time"], Some(&[])).expect("reads").is_empty());
}

/// Spans as they lie in a file: three buckets, trace ids ascending in each.
fn spans_by_trace(random: &mut Random) -> (Vec<TraceId>, RecordBatch) {
    let pool: Vec<TraceId> = (0..60).map(|_| TraceId(std::array::from_fn(|_| random.u8(..)))).collect();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let mut bucket: Vec<TraceId> = (0..600).map(|_| pool[random.usize(..pool.len())]).collect();
        bucket.sort_unstable();
        ids.extend(bucket);
    }
    let spans = batch(random, Table::Spans, ids.len(), 2);
    let column = FixedSizeBinaryArray::try_from_iter(ids.iter().map(|id| id.0)).expect("ids");
    let at = spans.schema().index_of("trace_id").expect("required");
    let mut columns = spans.columns().to_vec();
    columns[at] = Arc::new(column);
    (ids, RecordBatch::try_new(spans.schema(), columns).expect("a batch"))
}

/// Points as they lie in a file: by metric, series and time; ids on both sides of the largest signed number.
fn points_by_series(random: &mut Random) -> (Vec<(String, u64, i64)>, RecordBatch) {
    let long = "x".repeat(80);
    let metrics = ["a", "http.server.duration", "http.server.duration.more", &long, &format!("{long}y")];
    let mut keys: Vec<(String, u64, i64)> = Vec::new();
    for metric in metrics {
        for _ in 0..30 {
            let id = random.u64(..);
            keys.extend((0..12).map(|time| (metric.to_owned(), id, time * 1_000)));
        }
    }
    keys.sort();
    let points = batch(random, Table::Points, keys.len(), 4);
    let replace = |points: RecordBatch, name: &str, column: ArrayRef| {
        let at = points.schema().index_of(name).expect("required");
        let mut columns = points.columns().to_vec();
        columns[at] = column;
        RecordBatch::try_new(points.schema(), columns).expect("a batch")
    };
    let names: DictionaryArray<Int32Type> = keys.iter().map(|(metric, ..)| metric.as_str()).collect();
    let points = replace(points, "metric", Arc::new(names));
    let points = replace(points, "series_id", Arc::new(keys.iter().map(|key| key.1).collect::<UInt64Array>()));
    let times = keys.iter().map(|key| Some(key.2)).collect::<TimestampNanosecondArray>();
    (keys, replace(points, "time", Arc::new(times)))
}

#[test]
fn the_page_index_finds_metrics_and_series() {
    let mut random = Random::with_seed(5);
    let root = tempfile::tempdir().expect("a folder");
    let path = root.path().join("x.new");
    let (keys, points) = points_by_series(&mut random);
    write_parquet(&partition(Table::Points), std::slice::from_ref(&points), &path, &small_pages()).expect("writes");
    let reader = ParquetReader::open_path(&path, Table::Points).expect("opens");
    let covered = |ranges: &[Range<usize>], row: usize| ranges.iter().any(|range| range.contains(&row));
    let length = |ranges: &[Range<usize>]| ranges.iter().map(Range::len).sum::<usize>();
    for (metric, id, _) in keys.iter().step_by(37) {
        let all = reader.rows_with_series(metric, None, &TimeRange::ALL);
        let one = reader.rows_with_series(metric, Some(&[*id]), &TimeRange::ALL);
        for (row, key) in keys.iter().enumerate() {
            assert!(key.0 != *metric || covered(&all, row), "{metric} {row}");
            assert!((&key.0, &key.1) != (metric, id) || covered(&one, row), "{metric} {id} {row}");
        }
        // Its own pages, and those where one metric ends and the next begins: ids of both lie in them.
        assert!(length(&one) <= 5 * 64, "{one:?}");
        assert!(length(&all) <= 2 * (360 + 128), "{all:?}");
        assert!(reader.rows_with_series(metric, Some(&[]), &TimeRange::ALL).is_empty());
        assert!(reader.rows_with_series(metric, Some(&[*id]), &TimeRange::new(50_000, 60_000)).is_empty());
    }
    for absent in ["", "Z", "zz"] {
        assert!(reader.rows_with_series(absent, None, &TimeRange::ALL).is_empty(), "{absent}");
    }
}

#[test]
fn the_page_index_finds_traces_and_times() {
    let mut random = Random::with_seed(3);
    let root = tempfile::tempdir().expect("a folder");
    let path = root.path().join("x.new");
    let (ids, spans) = spans_by_trace(&mut random);
    write_parquet(&partition(Table::Spans), std::slice::from_ref(&spans), &path, &small_pages()).expect("writes");
    let reader = ParquetReader::open_path(&path, Table::Spans).expect("opens");
    for id in ids.iter().step_by(37) {
        let ranges = reader.rows_with_trace(id);
        let covered = |row: usize| ranges.iter().any(|range| range.contains(&row));
        assert!(ids.iter().enumerate().all(|(row, at)| at != id || covered(row)));
        assert!(ranges.iter().map(Range::len).sum::<usize>() < 500, "{ranges:?}");
    }
    assert!(reader.rows_with_trace(&TraceId([0xff; 16])).is_empty());

    let times = spans["start_time"].as_primitive::<arrow::datatypes::TimestampNanosecondType>();
    let pages = reader.page_times();
    assert_eq!(pages.iter().map(|page| page.rows.len()).sum::<usize>(), 1800);
    for page in &pages {
        let inside = &times.values()[page.rows.clone()];
        assert_eq!((Some(&page.min_time), Some(&page.max_time)), (inside.iter().min(), inside.iter().max()));
    }
    let range = TimeRange::new(100, 9_000);
    let ranges = reader.rows_in_time(&range);
    let covered = |row: usize| ranges.iter().any(|range| range.contains(&row));
    assert!(times.values().iter().enumerate().all(|(row, time)| !range.contains(*time) || covered(row)));
    assert!(reader.rows_in_time(&TimeRange::new(2_000_000, 3_000_000)).is_empty());
}

#[test]
fn a_file_is_read_under_each_of_its_names_and_once_open_stays_so() {
    let mut random = Random::with_seed(4);
    let root = tempfile::tempdir().expect("a folder");
    let (layout, partition, cache) = (Layout::new(root.path()), partition(Table::Logs), MetadataCache::new(1 << 20));
    let path = |name| layout.files_path(&partition, FileId(7), name);
    let open = || ParquetReader::open(&layout, &partition, FileId(7), &cache);
    assert!(matches!(open(), Err(StoreError::Missing { .. })));
    let rows = batch(&mut random, Table::Logs, 50, 8);
    write_parquet(&partition, &[rows], &path(Name::New), &small_pages()).expect("writes");
    let first = open().expect("new");
    assert!(first.bytes_read() > 0);
    rename_durable(&path(Name::New), &path(Name::Live)).expect("rename");
    let second = open().expect("live");
    assert_eq!(second.bytes_read(), 0, "the footer comes from the cache");
    rename_durable(&path(Name::Live), &path(Name::Dead)).expect("rename");
    assert_eq!(open().expect("dead").rows(), 50);
    std::fs::remove_file(path(Name::Dead)).expect("remove");
    assert!(matches!(open(), Err(StoreError::Missing { .. })));
    let rows_of = |reader: &ParquetReader| reader.read(&["time", "body"], None).expect("reads");
    assert_eq!(rows_of(&first), rows_of(&second));
    assert!(second.bytes_read() > 0);
}

#[test]
fn a_damaged_file_is_an_error_never_a_wrong_answer_of_other_length() {
    let mut random = Random::with_seed(5);
    let root = tempfile::tempdir().expect("a folder");
    let path = root.path().join("x.new");
    let rows = batch(&mut random, Table::Logs, 300, 8);
    write_parquet(&partition(Table::Logs), &[rows], &path, &small_pages()).expect("writes");
    let bytes = std::fs::read(&path).expect("read");
    let open_with = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("write");
        ParquetReader::open_path(&path, Table::Logs)
    };
    let check = |name: &str, bytes: &[u8]| {
        assert!(matches!(open_with(bytes), Err(StoreError::Damaged { .. })), "{name}");
    };
    check("empty", &[]);
    check("four bytes", &bytes[..4]);
    check("half", &bytes[..bytes.len() / 2]);
    check("one byte short", &bytes[..bytes.len() - 1]);
    check("zeroed", &vec![0; bytes.len()]);
    let mut cut_middle = bytes[..bytes.len() / 4].to_vec();
    cut_middle.extend_from_slice(&bytes[bytes.len() / 4 * 3..]);
    if let Ok(reader) = open_with(&cut_middle) {
        assert!(matches!(reader.read(&["body", "attributes"], None), Err(StoreError::Damaged { .. })));
    }
}

#[test]
fn a_full_disk_leaves_no_file() {
    let mut random = Random::with_seed(6);
    let root = tempfile::tempdir().expect("a folder");
    let path = root.path().join("deep/er/x.new");
    let rows = batch(&mut random, Table::Points, 10, 8);
    let armed = store::fault::arm_thread("fail_parquet_no_space");
    let written = write_parquet(&partition(Table::Points), std::slice::from_ref(&rows), &path, &small_pages());
    assert!(matches!(written, Err(StoreError::NoSpace { .. })));
    assert!(!path.exists());
    drop(armed);
    write_parquet(&partition(Table::Points), &[rows], &path, &small_pages()).expect("writes");
    assert!(Path::new(&path).exists());
}

#[test]
fn rows_can_be_streamed_in() {
    let mut random = Random::with_seed(7);
    let root = tempfile::tempdir().expect("a folder");
    let path = root.path().join("x.new");
    let batches: Vec<RecordBatch> = (0..5).map(|_| batch(&mut random, Table::Series, 400, 5)).collect();
    let union = union_schema(Table::Series, &batches).expect("a schema");
    let mut writer =
        ParquetWriter::create(&partition(Table::Series), union.clone(), &path, &small_pages()).expect("creates");
    batches.iter().for_each(|batch| writer.write(batch).expect("writes"));
    assert!(writer.memory_bytes() > 0);
    assert_eq!(writer.finish().expect("finishes").rows, 2000);
    let reader = ParquetReader::open_path(&path, Table::Series).expect("opens");
    assert_eq!(reader.metadata().num_row_groups(), 3);
    let names: Vec<&str> = union.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(read(&reader, &names, None), Some(whole(&union, &batches)));
}
