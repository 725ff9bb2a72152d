//! A data folder with made-up records, written through the same interfaces as ingest and compact use.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, ListArray,
    RecordBatch, StringArray, StructArray, TimestampNanosecondArray, UInt64Array, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Int32Type};
use catalog::{Catalog, LiveFile, SegmentState, Swap};
use journal::{CommitDraft, Journal, JournalLimits, Part};
use model::{Hour, Partition, SegmentId, Table, TenantId, TimeRange, TraceId};
use store::rollup::{LogRollupBuilder, RollupLimits, SpanRollupBuilder};
use store::{Layout, Name, ParquetSettings, Sidecar, TraceBloomBuilder};

use crate::{QueryService, QuerySettings};

/// 2026-11-21T19:30:00Z
pub(super) const NOW: i64 = 1_795_289_400_000_000_000;
pub(super) const SECOND: i64 = 1_000_000_000;

/// A small random number generator, so that runs are the same.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    pub(super) fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

pub(super) fn trace_id(number: usize) -> TraceId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[8..].copy_from_slice(&(number as u64 + 1).to_be_bytes());
    TraceId(bytes)
}

pub(super) fn keyword<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<DictionaryArray<Int32Type>>())
}

/// One made-up log record.
#[derive(Clone)]
pub(super) struct Log {
    pub(super) time: i64,
    pub(super) service: &'static str,
    severity: Option<i32>,
    severity_text: Option<&'static str>,
    pub(super) body: String,
    attributes: Option<String>,
    method: Option<&'static str>,
    trace: Option<usize>,
}

const SERVICES: [&str; 3] = ["cart", "payment", "shop"];
const WORDS: [&str; 14] = [
    "connection",
    "refused",
    "timeout",
    "order",
    "user",
    "cache",
    "miss",
    "hit",
    "retry",
    "Payment",
    "é",
    "日本",
    "item-7",
    "a=b",
];

/// Log records over some 25 minutes, many of them at the same time as another, some of them equal.
pub(super) fn logs(count: usize, seed: u64) -> Vec<Log> {
    let mut random = Random(seed);
    let mut list: Vec<Log> = Vec::new();
    for number in 0..count {
        if number > 3 && random.below(20) == 0 {
            let again = list[random.below(number.min(50))].clone();
            list.push(again);
            continue;
        }
        let words: Vec<&str> = (0..1 + random.below(5)).map(|_| random.pick(&WORDS)).collect();
        let rare = if random.below(400) == 0 { " needle" } else { "" };
        list.push(Log {
            time: NOW + (random.below(1500) as i64) * SECOND,
            service: random.pick(&SERVICES),
            severity: [Some(9), Some(17), None][random.below(3)],
            severity_text: [Some("INFO"), Some("warning"), None][random.below(3)],
            body: format!("{}{rare} id {:08x}", words.join(" "), number * 7919),
            attributes: [
                None,
                Some(format!(r#"{{"n":{},"user.id":"u{}"}}"#, random.below(50), random.below(9))),
                Some(format!(r#"{{"n":{}.5,"tags":["x","y z"]}}"#, random.below(9))),
            ][random.below(3)]
            .clone(),
            method: [None, Some("GET"), Some("POST")][random.below(3)],
            trace: [None, Some(random.below(count / 8 + 1))][random.below(2)],
        });
    }
    list
}

/// Services of a larger shop.
const MANY_SERVICES: [&str; 24] = [
    "ads",
    "auth",
    "billing",
    "cart",
    "catalog",
    "checkout",
    "currency",
    "email",
    "fraud",
    "gateway",
    "images",
    "inventory",
    "ledger",
    "mobile",
    "orders",
    "payment",
    "pricing",
    "quotes",
    "recommend",
    "reviews",
    "search",
    "shipping",
    "storefront",
    "users",
];

/// Log records as a busy shop has them, over so many seconds from `start` on: 24 services of very different sizes, some
/// 130 bytes of body, "session" in one of 10, "carrier" in one of 1,000, "quarrelsome" in one of 500,000.
pub(super) fn busy_logs(count: usize, seed: u64, start: i64, seconds: usize) -> Vec<Log> {
    let mut random = Random(seed);
    let word = |random: &mut Random| format!("w{:03x}", random.below(4096) & random.below(4096));
    let log = |number: usize| {
        let mut words: Vec<String> = (0..18).map(|_| word(&mut random)).collect();
        for (term, chance) in [("session", 10), ("carrier", 1_000), ("quarrelsome", 500_000)] {
            if random.below(chance) == 0 {
                let at = random.below(words.len());
                words[at] = term.to_owned();
            }
        }
        let service = MANY_SERVICES[random.below(24).min(random.below(24))];
        Log {
            time: start + random.below(seconds * 1_000_000) as i64 * 1_000,
            service,
            severity: Some([9, 9, 9, 9, 13, 17][random.below(6)]),
            severity_text: Some("INFO"),
            body: format!("{} id {:08x}", words.join(" "), number * 7919),
            attributes: Some(format!(
                r#"{{"user.id":"u{}","order.id":{},"region":"eu-{}","took_ms":{}}}"#,
                random.below(20_000),
                random.below(1 << 30),
                random.below(4),
                random.below(500)
            )),
            method: [None, Some("GET"), Some("POST")][random.below(3)],
            trace: [None, None, Some(random.below(count / 8 + 1))][random.below(3)],
        }
    };
    (0..count).map(log).collect()
}

/// One trace of so many spans with attributes, resources of a few services, and an event for some.
pub(super) fn wide_trace(count: usize) -> RecordBatch {
    let resource = |at: usize| {
        let service = MANY_SERVICES[at % 24];
        format!(
            r#"{{"attributes":{{"service.name":"{service}","service.version":"1.2.{at}","host.name":"node-{0}","k8s.pod.name":"{service}-6f7d9c-{0}","k8s.namespace.name":"shop","deployment.environment.name":"production","telemetry.sdk.language":"rust","telemetry.sdk.name":"opentelemetry","telemetry.sdk.version":"0.33.1","os.type":"linux","process.pid":{at}}}}}"#,
            at % 5
        )
    };
    let resources: Vec<String> = (0..72).map(resource).collect();
    let attributes = |at: usize| {
        format!(
            r#"{{"thread.id":{at},"net.transport":"ip_tcp","request.id":"{at:032x}","retry":false,"ratio":0.5,"peer.zone":"eu-{}","rows":{}}}"#,
            at % 4,
            at % 997
        )
    };
    let start = |at: usize| NOW + at as i64 * 10_000;
    batch(
        Table::Spans,
        vec![
            ("start_time", Arc::new((0..count).map(|at| Some(start(at))).collect::<TimestampNanosecondArray>())),
            ("duration_nanos", Arc::new((0..count).map(|at| Some(1_000 + at as i64)).collect::<Int64Array>())),
            (
                "trace_id",
                Arc::new(FixedSizeBinaryArray::try_from_iter((0..count).map(|_| trace_id(77).0)).expect("ids")),
            ),
            (
                "span_id",
                Arc::new(
                    FixedSizeBinaryArray::try_from_iter((0..count).map(|at| (at as u64 + 1).to_be_bytes()))
                        .expect("ids"),
                ),
            ),
            (
                "parent_span_id",
                Arc::new(
                    FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                        (0..count).map(|at| (at > 0).then(|| (at as u64 / 8 + 1).to_be_bytes())),
                        8,
                    )
                    .expect("ids"),
                ),
            ),
            ("name", keyword((0..count).map(|at| Some(["GET /orders/{id}", "SELECT orders", "publish"][at % 3])))),
            ("kind", Arc::new((0..count).map(|at| Some(at as i32 % 5 + 1)).collect::<Int32Array>())),
            ("service_name", keyword((0..count).map(|at| Some(MANY_SERVICES[at % 24])))),
            ("resource", keyword((0..count).map(|at| Some(resources[at % resources.len()].as_str())))),
            ("scope", keyword((0..count).map(|_| Some(r#"{"name":"shop.instrumentation","version":"2.1.0"}"#)))),
            ("attributes", Arc::new((0..count).map(|at| Some(attributes(at))).collect::<StringArray>())),
            ("http_route", keyword((0..count).map(|at| (at % 3 == 0).then_some("/orders/{id}")))),
            ("http_response_status_code", {
                Arc::new((0..count).map(|at| (at % 3 == 0).then_some(200)).collect::<Int64Array>())
            }),
            ("db_query_text", {
                let text = |at: usize| (at % 3 == 1).then_some("SELECT id, state FROM orders WHERE customer = $1");
                Arc::new((0..count).map(text).collect::<StringArray>())
            }),
        ],
    )
}

pub(super) fn log_batch(logs: &[Log]) -> RecordBatch {
    let ids = logs.iter().map(|log| log.trace.map(|number| trace_id(number).0));
    let span_ids = logs.iter().map(|log| log.trace.map(|number| [(number as u8).wrapping_add(1); 8]));
    let resource = |log: &Log| match log.service {
        "cart" => r#"{"attributes":{"service.name":"cart","env":"prod","n":"5"}}"#,
        "payment" => r#"{"attributes":{"service.name":"payment","env":"test"}}"#,
        _ => r#"{"attributes":{"service.name":"shop"}}"#,
    };
    batch(
        Table::Logs,
        vec![
            ("time", Arc::new(logs.iter().map(|log| Some(log.time)).collect::<TimestampNanosecondArray>())),
            ("trace_id", Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(ids, 16).expect("ids"))),
            ("span_id", Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(span_ids, 8).expect("ids"))),
            ("severity_number", Arc::new(logs.iter().map(|log| log.severity).collect::<Int32Array>())),
            ("severity_text", keyword(logs.iter().map(|log| log.severity_text))),
            ("body", Arc::new(logs.iter().map(|log| Some(log.body.as_str())).collect::<StringArray>())),
            ("service_name", keyword(logs.iter().map(|log| Some(log.service)))),
            ("resource", keyword(logs.iter().map(|log| Some(resource(log))))),
            ("attributes", Arc::new(logs.iter().map(|log| log.attributes.as_deref()).collect::<StringArray>())),
            ("http_request_method", keyword(logs.iter().map(|log| log.method))),
        ],
    )
}

/// One made-up span.
#[derive(Clone)]
pub(super) struct SpanRow {
    pub(super) trace: usize,
    pub(super) start: i64,
    pub(super) duration: i64,
    pub(super) service: &'static str,
    pub(super) is_root: bool,
    pub(super) is_error: bool,
    id: u64,
}

/// Traces of one to six spans over some 25 minutes.
pub(super) fn spans(traces: usize, seed: u64) -> Vec<SpanRow> {
    let mut random = Random(seed);
    let mut list = Vec::new();
    for trace in 0..traces {
        let start = NOW + random.below(1_500_000) as i64 * 1_000_000;
        for number in 0..1 + random.below(6) {
            list.push(SpanRow {
                trace,
                start: start + number as i64 * 10_000_000,
                duration: 1_000_000 * (1 + random.below(2000) as i64),
                service: random.pick(&SERVICES),
                is_root: number == 0,
                is_error: random.below(10) == 0,
                id: list.len() as u64 + 1,
            });
        }
    }
    list
}

pub(super) fn span_batch(spans: &[SpanRow]) -> RecordBatch {
    let ids = spans.iter().map(|span| trace_id(span.trace).0);
    let span_ids = spans.iter().map(|span| span.id.to_be_bytes());
    let parents = spans.iter().map(|span| (!span.is_root).then_some([9_u8; 8]));
    batch(
        Table::Spans,
        vec![
            ("start_time", Arc::new(spans.iter().map(|span| Some(span.start)).collect::<TimestampNanosecondArray>())),
            ("duration_nanos", Arc::new(spans.iter().map(|span| Some(span.duration)).collect::<Int64Array>())),
            ("trace_id", Arc::new(FixedSizeBinaryArray::try_from_iter(ids).expect("ids"))),
            ("span_id", Arc::new(FixedSizeBinaryArray::try_from_iter(span_ids).expect("ids"))),
            (
                "parent_span_id",
                Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(parents, 8).expect("ids")),
            ),
            ("name", keyword(spans.iter().map(|span| Some(if span.is_root { "GET /" } else { "SELECT" })))),
            ("status_code", Arc::new(spans.iter().map(|span| span.is_error.then_some(2)).collect::<Int32Array>())),
            ("service_name", keyword(spans.iter().map(|span| Some(span.service)))),
        ],
    )
}

/// Two spans: one with everything a span may have, one with next to nothing.
pub(super) fn eventful_span_batch() -> RecordBatch {
    let whole = schema::schema(Table::Spans);
    let list = |name: &str, fill: Vec<(&str, ArrayRef)>, rows: usize| -> ArrayRef {
        let DataType::List(item) = whole.field_with_name(name).expect("a column").data_type() else { panic!("a list") };
        let DataType::Struct(fields) = item.data_type() else { panic!("structs") };
        let columns = fields.iter().map(|field| {
            let filled = fill.iter().find(|(name, _)| *name == field.name()).map(|(_, column)| Arc::clone(column));
            filled.unwrap_or_else(|| new_null_array(field.data_type(), rows))
        });
        let items = StructArray::new(fields.clone(), columns.collect(), None);
        let offsets = OffsetBuffer::from_lengths([rows, 0]);
        Arc::new(ListArray::new(Arc::clone(item), offsets, Arc::new(items), None))
    };
    let ids = |ids: Vec<Option<Vec<u8>>>, bytes: i32| -> ArrayRef {
        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(ids.into_iter(), bytes).expect("ids"))
    };
    let events = vec![
        ("time", Arc::new(TimestampNanosecondArray::from(vec![NOW + 1, NOW + 2])) as ArrayRef),
        ("name", Arc::new(StringArray::from(vec!["exception", "retry"]))),
        ("attributes", Arc::new(StringArray::from(vec![Some(r#"{"exception.message":"it \"broke\""}"#), None]))),
    ];
    let links = vec![("trace_id", ids(vec![Some(vec![6; 16])], 16)), ("span_id", ids(vec![Some(vec![7; 8])], 8))];
    batch(
        Table::Spans,
        vec![
            ("start_time", Arc::new(TimestampNanosecondArray::from(vec![NOW, NOW]))),
            ("time_absent", Arc::new(BooleanArray::from(vec![None, Some(true)]))),
            ("duration_nanos", Arc::new(Int64Array::from(vec![5, 5]))),
            ("trace_id", ids(vec![Some(vec![1; 16]), Some(vec![1; 16])], 16)),
            ("span_id", ids(vec![Some(vec![2; 8]), Some(vec![3; 8])], 8)),
            ("parent_span_id", ids(vec![Some(vec![3; 8]), None], 8)),
            ("name", keyword([Some("GET /"), Some("")].into_iter())),
            ("status_code", Arc::new(Int32Array::from(vec![Some(2), None]))),
            ("status_message", Arc::new(StringArray::from(vec![Some("no\nway"), None]))),
            ("attributes", Arc::new(StringArray::from(vec![Some(r#"{"n":1.5,"b":{"$bytes":"AQ=="}}"#), None]))),
            ("http_route", keyword([Some("/x"), None].into_iter())),
            ("events", list("events", events, 2)),
            ("links", list("links", links, 1)),
        ],
    )
}

pub(super) fn exemplar_batch(count: usize) -> RecordBatch {
    batch(
        Table::Exemplars,
        vec![
            ("metric", keyword((0..count).map(|_| Some("latency")))),
            ("series_id", Arc::new((0..count).map(|_| Some(7)).collect::<UInt64Array>())),
            ("time", Arc::new((0..count as i64).map(|at| Some(NOW + at)).collect::<TimestampNanosecondArray>())),
            (
                "trace_id",
                Arc::new(FixedSizeBinaryArray::try_from_iter((0..count).map(|at| trace_id(at).0)).expect("ids")),
            ),
            ("value", Arc::new((0..count).map(|at| Some(at as f64 + 0.5)).collect::<Float64Array>())),
            ("service_name", keyword((0..count).map(|_| Some("shop")))),
        ],
    )
}

pub(super) fn series_batch() -> RecordBatch {
    batch(
        Table::Series,
        vec![
            ("metric", keyword([Some("latency")].into_iter())),
            ("series_id", Arc::new(UInt64Array::from(vec![7]))),
            ("time", Arc::new(TimestampNanosecondArray::from(vec![NOW]))),
            ("type", keyword([Some("histogram")].into_iter())),
            ("unit", keyword([Some("ms")].into_iter())),
            ("monotonic", Arc::new(BooleanArray::from(vec![None]))),
            ("service_name", keyword([Some("shop")].into_iter())),
        ],
    )
}

/// The columns as a batch of the table, all-null ones left out.
pub(super) fn batch(table: Table, columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let whole = schema::schema(table);
    let kept: Vec<(&str, ArrayRef)> =
        columns.into_iter().filter(|(_, column)| column.null_count() < column.len()).collect();
    let fields: Vec<_> =
        kept.iter().map(|(name, _)| Arc::new(whole.field_with_name(name).expect("a column").clone())).collect();
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    RecordBatch::try_new(schema, kept.into_iter().map(|(_, column)| column).collect()).expect("a batch")
}

/// A data folder that is deleted in the end.
pub(super) struct Folder {
    folder: tempfile::TempDir,
    pub(super) layout: Layout,
    pub(super) catalog: Catalog,
}

impl Folder {
    pub(super) async fn new() -> Folder {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = store::open_data_folder(folder.path()).expect("opens");
        let catalog = Catalog::open(&layout.catalog_path()).await.expect("opens");
        Folder { folder, layout, catalog }
    }

    /// A service with empty caches.
    pub(super) fn service(&self) -> QueryService {
        QueryService::open(QuerySettings::default(), self.layout.clone(), self.catalog.clone()).expect("opens")
    }

    /// Rows as one file with its sidecars, live at once.
    pub(super) async fn add_file(&self, table: Table, batch: &RecordBatch) {
        self.add_file_instead_of(table, batch, &[]).await;
    }

    /// Brings every sealed segment, whose rows these are, into a file; says which they were.
    pub(super) async fn flush(&self, table: Table, batch: &RecordBatch) -> Vec<SegmentId> {
        let segments = self.catalog.segments().await.expect("segments");
        let sealed = segments.iter().filter(|segment| segment.state == SegmentState::Sealed);
        let sealed: Vec<SegmentId> = sealed.map(|segment| segment.id).collect();
        self.add_file_instead_of(table, batch, &sealed).await;
        sealed
    }

    async fn add_file_instead_of(&self, table: Table, batch: &RecordBatch, consumed: &[SegmentId]) {
        let (batch, times) = sorted(table, batch);
        let id = self.catalog.draw_file_ids(1).await.expect("drawn");
        let partition = Partition { tenant: TenantId::default(), table, hour: Hour::of(times[0]) };
        let path = self.layout.files_path(&partition, id, Name::Live);
        let written =
            store::write_parquet(&partition, std::slice::from_ref(&batch), &path, &ParquetSettings::default());
        let written = written.expect("written");
        for (sidecar, bytes) in sidecars(table, &batch, &times) {
            store::put_durable(&self.layout.sidecar_path(&partition, id, sidecar), &bytes).expect("written");
        }
        let file = LiveFile {
            id,
            partition,
            rows: written.rows,
            bytes: written.bytes,
            min_time: written.min_time,
            max_time: written.max_time,
            schema_version: schema::SCHEMA_VERSION,
        };
        let epoch = self.catalog.acquire_lease("compact", "test").await.expect("acquired");
        let swap = Swap {
            lease_name: "compact".into(),
            epoch,
            counter: id.0,
            add: vec![file],
            remove: Vec::new(),
            consume: consumed.to_vec(),
            quarantine: Vec::new(),
            ledger: vec![],
            now: NOW,
        };
        self.catalog.swap(&swap).await.expect("swapped");
    }

    /// Rows as commits of the journal, so many rows each.
    pub(super) async fn append(&self, table: Table, batch: &RecordBatch, rows: usize) {
        let (folder, catalog, batch) = (self.layout.journal_folder(), self.catalog.clone(), batch.clone());
        let handle = tokio::runtime::Handle::current();
        let work = move || {
            let opened = Journal::open(&folder, catalog, handle, JournalLimits::default(), NOW);
            let (mut journal, _) = opened.expect("opens");
            for start in (0..batch.num_rows()).step_by(rows) {
                let piece = batch.slice(start, rows.min(batch.num_rows() - start));
                let part = Part { tenant: TenantId::default(), table, batch: piece };
                let draft = CommitDraft { arrival_unix_nano: NOW, parts: vec![part], receipts: Vec::new() };
                journal.append(&draft, NOW).expect("appended");
            }
        };
        tokio::task::spawn_blocking(move || std::thread::spawn(work).join()).await.expect("ran").expect("ran");
    }

    /// Deletes every sidecar; says how many there were.
    pub(super) fn delete_sidecars(&self) -> usize {
        let mut left = vec![self.folder.path().join("files")];
        let mut deleted = 0;
        while let Some(folder) = left.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    left.push(path);
                } else if path
                    .extension()
                    .is_some_and(|extension| ["tix", "blm", "rlp"].iter().any(|kind| extension == *kind))
                {
                    std::fs::remove_file(path).expect("removed");
                    deleted += 1;
                }
            }
        }
        deleted
    }
}

/// Rows in the table's order, and their times.
fn sorted(table: Table, batch: &RecordBatch) -> (RecordBatch, Vec<i64>) {
    let times = batch.column_by_name(schema::time_column(table)).expect("times");
    let times = times.as_any().downcast_ref::<TimestampNanosecondArray>().expect("times").clone();
    let texts = |name: &str, row: usize| -> String {
        let column = batch.column_by_name(name).and_then(crate::columns::Texts::of);
        column.and_then(|column| column.get(row)).unwrap_or_default().to_owned()
    };
    let ids = batch.column_by_name("trace_id").and_then(|ids| ids.as_any().downcast_ref::<FixedSizeBinaryArray>());
    let series = batch.column_by_name("series_id").and_then(|ids| ids.as_any().downcast_ref::<UInt64Array>());
    let mut rows: Vec<u32> = (0..batch.num_rows() as u32).collect();
    rows.sort_by_cached_key(|row| {
        let at = *row as usize;
        let time = times.value(at);
        let bucket = if matches!(table, Table::Logs | Table::Spans) { time / schema::BUCKET_NANOS } else { 0 };
        let id = match (table, ids) {
            (Table::Spans, Some(ids)) => ids.value(at).to_vec(),
            _ => Vec::new(),
        };
        let series = series.map(|series| (texts("metric", at), series.value(at)));
        let service = if series.is_none() { texts("service_name", at) } else { String::new() };
        (bucket, id, series, service, time)
    });
    let rows = arrow::array::UInt32Array::from(rows);
    let batch = take_record_batch(batch, &rows).expect("taken");
    let times = rows.values().iter().map(|row| times.value(*row as usize)).collect();
    (batch, times)
}

fn sidecars(table: Table, batch: &RecordBatch, times: &[i64]) -> Vec<(Sidecar, Vec<u8>)> {
    let mut made = Vec::new();
    if table == Table::Logs {
        let texts = tables::LogTexts::new(batch);
        let mut builder = text_index::IndexBuilder::new();
        for start in (0..batch.num_rows()).step_by(schema::BLOCK_ROWS) {
            let rows = start..batch.num_rows().min(start + schema::BLOCK_ROWS);
            rows.clone().for_each(|row| texts.each(row, |text| builder.add_text(text)));
            let of_block = &times[rows.clone()];
            let (min, max) = (of_block.iter().min().expect("rows"), of_block.iter().max().expect("rows"));
            builder.end_block(*min, *max, rows.len() as u32);
        }
        made.push((Sidecar::TextIndex, builder.finish().expect("an index")));
    }
    if schema::trace_id_column(table).is_some() {
        let mut builder = match table {
            Table::Spans => TraceBloomBuilder::sorted_by_trace(),
            _ => TraceBloomBuilder::with_blocks(schema::BLOCK_ROWS),
        };
        let ids = batch.column_by_name("trace_id").expect("ids");
        builder.push_column(ids.as_any().downcast_ref::<FixedSizeBinaryArray>().expect("ids"));
        made.push((Sidecar::TraceBloom, builder.finish().to_bytes()));
    }
    made.extend(rollup(table, batch).map(|bytes| (Sidecar::Rollup, bytes)));
    made
}

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
