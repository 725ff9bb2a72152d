//! Bytes and time of a file of generated spans and of log records, column by column. Prints:
//! `cargo test --release -p store --test measure -- --ignored --nocapture`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::*;
use arrow::datatypes::{Field, Int32Type, Schema};
use model::{Hour, Partition, Table, TenantId, TimeRange};
use store::rollup::{LogRollup, LogRollupBuilder, OperationBuilder, RollupLimits, SpanRollup, SpanRollupBuilder};
use store::{ParquetReader, ParquetSettings, TraceBloomBuilder, write_parquet};

const ROWS: usize = 131_072;
const START: i64 = 1_795_287_600_000_000_000;
const BUCKET: i64 = schema::BUCKET_NANOS;

/// The product's allocator: opening a zstd context costs thrice as much with the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Random = fastrand::Rng;

/// A number from a heavy-tailed distribution around 1 (log-normal, sigma as given).
fn tail(random: &mut Random, sigma: f64) -> f64 {
    let normal: f64 = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
    (normal * sigma).exp()
}

fn zipf(random: &mut Random, count: usize) -> usize {
    ((count as f64).powf(random.f64()) as usize).min(count) - 1
}

fn resource(service: usize, pod: usize) -> String {
    format!(
        r#"{{"attributes":{{"service.name":"service-{service}","service.namespace":"shop","service.version":"1.{service}.3","service.instance.id":"{service:08x}-{pod:04x}-4c2e-9d10-{service:012x}","k8s.namespace.name":"prod","k8s.pod.name":"service-{service}-7d9f8b6c5-x{pod}k2p","k8s.node.name":"node-{pod}","host.name":"node-{pod}","os.type":"linux","telemetry.sdk.name":"opentelemetry","telemetry.sdk.language":"java","telemetry.sdk.version":"1.44.1"}}}}"#
    )
}

#[derive(Default)]
struct Columns(Vec<(&'static str, ArrayRef)>);

impl Columns {
    fn add(&mut self, name: &'static str, array: impl Array + 'static) {
        self.0.push((name, Arc::new(array)));
    }

    fn keyword(&mut self, name: &'static str, values: impl Iterator<Item = Option<String>>) {
        let values: Vec<Option<String>> = values.collect();
        self.add(name, values.iter().map(Option::as_deref).collect::<DictionaryArray<Int32Type>>());
    }

    fn batch(self, table: Table) -> RecordBatch {
        let whole = schema::schema(table);
        let mut columns = self.0;
        columns.sort_by_key(|(name, _)| whole.index_of(name).expect("a column"));
        let fields: Vec<Field> =
            columns.iter().map(|(name, _)| whole.field_with_name(name).expect("a column").clone()).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, array)| array).collect())
            .expect("a batch")
    }
}

#[derive(Clone)]
struct Span {
    trace: [u8; 16],
    id: [u8; 8],
    parent: Option<[u8; 8]>,
    start: i64,
    duration: i64,
    service: usize,
    pod: usize,
    operation: usize,
    failed: bool,
    user: usize,
    url: usize,
}

fn spans(random: &mut Random) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    while spans.len() < ROWS {
        let trace = std::array::from_fn(|_| random.u8(..));
        let count = ((8.2 * tail(random, 0.9)) as usize).clamp(1, 400);
        let first = spans.len();
        let begin = START + random.i64(0..2 * BUCKET);
        let (user, failed) = (zipf(random, 20_000), random.u8(..50) == 0);
        for number in 0..count {
            let parent = (number > 0).then(|| first + random.usize(number / 3..number));
            let start = parent.map_or(begin, |parent| spans[parent].start + (tail(random, 1.0) * 400_000.0) as i64);
            let start = if spans.len().is_multiple_of(2) { start / 1000 * 1000 } else { start };
            let service = zipf(random, 24);
            spans.push(Span {
                trace,
                id: std::array::from_fn(|_| random.u8(..)),
                parent: parent.map(|parent| spans[parent].id),
                start,
                duration: (tail(random, 1.2) * 5_000_000.0) as i64,
                service,
                pod: random.usize(..3),
                operation: zipf(random, 12),
                failed: failed && number == count - 1,
                user,
                url: zipf(random, 50_000),
            });
        }
    }
    spans.truncate(ROWS);
    spans.sort_by_key(|span| (span.start.div_euclid(BUCKET), span.trace, span.start));
    spans
}

fn span_batch(random: &mut Random, spans: &[Span]) -> RecordBatch {
    let mut columns = Columns::default();
    columns.add("start_time", spans.iter().map(|span| Some(span.start)).collect::<TimestampNanosecondArray>());
    columns.add("duration_nanos", spans.iter().map(|span| Some(span.duration)).collect::<Int64Array>());
    columns.add("trace_id", FixedSizeBinaryArray::try_from_iter(spans.iter().map(|span| span.trace)).expect("ids"));
    columns.add("span_id", FixedSizeBinaryArray::try_from_iter(spans.iter().map(|span| span.id)).expect("ids"));
    let parents = FixedSizeBinaryArray::try_from_sparse_iter_with_size(spans.iter().map(|span| span.parent), 8);
    columns.add("parent_span_id", parents.expect("ids"));
    columns.keyword("name", spans.iter().map(|span| Some(format!("operation-{}-{}", span.service, span.operation))));
    columns.add("kind", spans.iter().map(|span| Some(1 + (span.operation % 5) as i32)).collect::<Int32Array>());
    columns.add(
        "flags",
        spans.iter().map(|span| Some(if span.parent.is_some() { 0x101 } else { 1 })).collect::<UInt32Array>(),
    );
    columns.add("status_code", spans.iter().map(|span| span.failed.then_some(2)).collect::<Int32Array>());
    columns.keyword("service_name", spans.iter().map(|span| Some(format!("service-{}", span.service))));
    columns.keyword("service_namespace", spans.iter().map(|_| Some("shop".to_owned())));
    columns.keyword("k8s_namespace_name", spans.iter().map(|_| Some("prod".to_owned())));
    columns.keyword(
        "k8s_pod_name",
        spans.iter().map(|span| Some(format!("service-{}-7d9f8b6c5-x{}k2p", span.service, span.pod))),
    );
    columns.keyword("k8s_node_name", spans.iter().map(|span| Some(format!("node-{}", span.pod))));
    columns.keyword("host_name", spans.iter().map(|span| Some(format!("node-{}", span.pod))));
    columns.keyword("resource", spans.iter().map(|span| Some(resource(span.service, span.pod))));
    columns.keyword(
        "scope",
        spans.iter().map(|span| {
            Some(format!(r#"{{"name":"io.opentelemetry.scope-{}","version":"2.9.0"}}"#, span.operation % 4))
        }),
    );
    let is_http = |span: &Span| span.operation.is_multiple_of(3);
    let is_db = |span: &Span| span.operation % 3 == 1;
    columns.keyword("http_request_method", spans.iter().map(|span| is_http(span).then(|| "GET".to_owned())));
    columns.keyword(
        "http_route",
        spans.iter().map(|span| is_http(span).then(|| format!("/api/v{}/item/{{id}}", span.operation))),
    );
    columns.add(
        "http_response_status_code",
        spans.iter().map(|span| is_http(span).then_some(if span.failed { 500 } else { 200 })).collect::<Int64Array>(),
    );
    columns.add(
        "url_path",
        spans
            .iter()
            .map(|span| is_http(span).then(|| format!("/api/v{}/item/{}", span.operation, span.url)))
            .collect::<StringArray>(),
    );
    columns.add(
        "network_peer_address",
        spans
            .iter()
            .map(|span| is_http(span).then(|| format!("10.0.{}.{}", span.user % 8, span.user % 251)))
            .collect::<StringArray>(),
    );
    columns.add("server_port", spans.iter().map(|span| is_http(span).then_some(8080)).collect::<Int64Array>());
    columns.keyword("db_system_name", spans.iter().map(|span| is_db(span).then(|| "postgresql".to_owned())));
    columns.add(
        "db_query_text",
        spans
            .iter()
            .map(|span| {
                is_db(span).then(|| {
                    format!("SELECT * FROM item_{} WHERE id = $1 AND shard = {}", span.operation, span.url % 40)
                })
            })
            .collect::<StringArray>(),
    );
    columns.add(
        "enduser_id",
        spans.iter().map(|span| is_http(span).then(|| format!("user-{}", span.user))).collect::<StringArray>(),
    );
    columns.add("thread_id", spans.iter().map(|span| Some((span.url % 50) as i64)).collect::<Int64Array>());
    columns.keyword("thread_name", spans.iter().map(|span| Some(format!("worker-{}", span.url % 50))));
    let attributes = spans.iter().map(|span| {
        let cached = random.bool();
        Some(format!(
            r#"{{"shop.cache.hit":{cached},"shop.region":"eu-{}","shop.items":{},"shop.session":"s-{}"}}"#,
            span.user % 4,
            span.url % 20,
            span.user
        ))
    });
    columns.add("attributes", attributes.collect::<StringArray>());
    columns.batch(Table::Spans)
}

fn log_batch(random: &mut Random) -> RecordBatch {
    struct Log {
        time: i64,
        service: usize,
        pod: usize,
        kind: usize,
        trace: Option<([u8; 16], [u8; 8])>,
    }
    let mut logs: Vec<Log> = (0..ROWS)
        .map(|_| Log {
            time: START + random.i64(0..2 * BUCKET) / 1000 * 1000,
            service: zipf(random, 24),
            pod: random.usize(..3),
            kind: random.usize(..10),
            trace: (random.u8(..10) < 3)
                .then(|| (std::array::from_fn(|_| random.u8(..)), std::array::from_fn(|_| random.u8(..)))),
        })
        .collect();
    // Traces log more than once.
    for at in 1..logs.len() {
        if logs[at].trace.is_some() && random.u8(..4) > 0 {
            let near = at - random.usize(1..=at.min(30));
            if let Some((trace, _)) = logs[near].trace {
                logs[at].trace = logs[at].trace.map(|(_, span)| (trace, span));
            }
        }
    }
    logs.sort_by_key(|log| (log.time.div_euclid(BUCKET), log.service, log.time));
    let mut columns = Columns::default();
    columns.add("time", logs.iter().map(|log| Some(log.time)).collect::<TimestampNanosecondArray>());
    columns.add(
        "observed_time",
        logs.iter()
            .map(|log| Some(log.time + 35_000 + (log.time / 1000) % 9_000))
            .collect::<TimestampNanosecondArray>(),
    );
    let traces =
        FixedSizeBinaryArray::try_from_sparse_iter_with_size(logs.iter().map(|log| log.trace.map(|trace| trace.0)), 16);
    columns.add("trace_id", traces.expect("ids"));
    let ids =
        FixedSizeBinaryArray::try_from_sparse_iter_with_size(logs.iter().map(|log| log.trace.map(|trace| trace.1)), 8);
    columns.add("span_id", ids.expect("ids"));
    columns.add(
        "severity_number",
        logs.iter().map(|log| Some([9, 9, 9, 9, 9, 5, 5, 13, 17, 9][log.kind])).collect::<Int32Array>(),
    );
    columns.keyword(
        "severity_text",
        logs.iter().map(|log| {
            Some(
                ["INFO", "INFO", "INFO", "INFO", "INFO", "DEBUG", "DEBUG", "WARN", "ERROR", "INFO"][log.kind]
                    .to_owned(),
            )
        }),
    );
    columns.keyword("service_name", logs.iter().map(|log| Some(format!("service-{}", log.service))));
    columns.keyword(
        "k8s_pod_name",
        logs.iter().map(|log| Some(format!("service-{}-7d9f8b6c5-x{}k2p", log.service, log.pod))),
    );
    columns.keyword("k8s_node_name", logs.iter().map(|log| Some(format!("node-{}", log.pod))));
    columns.keyword("resource", logs.iter().map(|log| Some(resource(log.service, log.pod))));
    columns.keyword("scope", logs.iter().map(|log| Some(format!(r#"{{"name":"com.shop.service{}"}}"#, log.service))));
    let mut body = |log: &Log| {
        let (service, user, millis) = (log.service, zipf(random, 20_000), tail(random, 1.0) * 20.0);
        match log.kind {
            0..4 => format!(
                "10.0.{}.{} - - \"GET /api/v{}/item/{user} HTTP/1.1\" 200 {} \"-\" \"Mozilla/5.0\" {millis:.2}ms",
                random.u8(..),
                random.u8(..),
                log.kind,
                random.u32(100..60_000)
            ),
            4..6 => {
                format!("order placed by user-{user} total={}.{:02} EUR items={}", user % 400, user % 100, user % 9)
            }
            6 => format!(
                "[service-{service}] request {:016x}{:016x} finished in {millis:.1} ms with status OK",
                random.u64(..),
                random.u64(..)
            ),
            7 => format!(
                "connection to service-{}-{}.default.svc:5432 timed out after {millis:.0}ms, retry {}",
                service,
                user % 12,
                user % 4
            ),
            8 => format!(
                "payment for order {} declined by provider: insufficient funds, card ending in {:04}",
                random.u32(..1_000_000),
                user % 10_000
            ),
            _ => format!("cache miss for product sku-{:05} in shard {}: loading from database", user % 3000, user % 16),
        }
    };
    columns.add("body", logs.iter().map(|log| Some(body(log))).collect::<StringArray>());
    let attributes = logs.iter().map(|log| {
        (log.kind % 3 == 0)
            .then(|| format!(r#"{{"log.file":"/var/log/service-{}.log","shop.region":"eu-{}"}}"#, log.service, log.pod))
    });
    columns.add("attributes", attributes.collect::<StringArray>());
    columns.batch(Table::Logs)
}

/// Fifteen-second points of series: counters, gauges with two decimals, full-precision doubles, constants.
fn point_batch(random: &mut Random) -> RecordBatch {
    struct Point {
        metric: usize,
        series: u64,
        time: i64,
        value: Option<f64>,
        value_int: Option<i64>,
    }
    let mut points = Vec::with_capacity(ROWS);
    let mut series: Vec<(usize, u64)> = (0..ROWS / 64).map(|number| (number % 40, random.u64(..))).collect();
    series.sort_unstable();
    for (metric, series) in series {
        let offset = random.i64(0..15_000) * 1_000_000;
        let (mut counter, mut gauge, rate) = (random.i64(0..1_000_000), random.f64() * 100.0, random.i64(1..500));
        for number in 0..64 {
            counter += random.i64(0..=rate * 2);
            gauge += random.f64() - 0.5;
            let (value, value_int) = match metric % 10 {
                0..4 => (None, Some(counter)),
                4..7 => (Some((gauge * 100.0).round() / 100.0), None),
                7 => (Some(gauge), None),
                _ => (Some(rate as f64), None),
            };
            points.push(Point { metric, series, time: START + offset + number * 15_000_000_000, value, value_int });
        }
    }
    let mut columns = Columns::default();
    columns.keyword("metric", points.iter().map(|point| Some(format!("shop.metric.number_{}", point.metric))));
    columns.add("series_id", points.iter().map(|point| Some(point.series)).collect::<UInt64Array>());
    columns.add("time", points.iter().map(|point| Some(point.time)).collect::<TimestampNanosecondArray>());
    columns.add(
        "start_time",
        points.iter().map(|point| Some(START - (point.series % 500) as i64)).collect::<TimestampNanosecondArray>(),
    );
    columns.add("value", points.iter().map(|point| point.value).collect::<Float64Array>());
    columns.add("value_int", points.iter().map(|point| point.value_int).collect::<Int64Array>());
    columns.batch(Table::Points)
}

fn report(table: Table, batch: &RecordBatch) {
    let root = tempfile::tempdir().expect("a folder");
    let partition = Partition { tenant: TenantId::default(), table, hour: Hour::of(START) };
    let path = std::env::var("SPYHOP_MEASURE_OUT")
        .map(|folder| std::path::Path::new(&folder).join(format!("{table}.parquet")))
        .unwrap_or_else(|_| root.path().join("x.new"));
    let settings = ParquetSettings::default();
    let mut best = f64::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        write_parquet(&partition, std::slice::from_ref(batch), &path, &settings).expect("writes");
        best = best.min(start.elapsed().as_secs_f64());
    }
    let reader = ParquetReader::open_path(&path, table).expect("opens");
    let rows = batch.num_rows() as f64;
    let bytes = std::fs::metadata(&path).expect("a file").len() as f64;
    let mut columns: BTreeMap<String, i64> = BTreeMap::new();
    for column in reader.metadata().row_groups().iter().flat_map(|group| group.columns()) {
        *columns.entry(column.column_path().string()).or_default() += column.compressed_size();
    }
    let data: i64 = columns.values().sum();
    println!(
        "{table}: {:.2} bytes a row ({:.2} of it footer and indexes), written in {:.2} µs a row",
        bytes / rows,
        (bytes - data as f64) / rows,
        best * 1e6 / rows
    );
    let mut columns: Vec<(String, i64)> = columns.into_iter().collect();
    columns.sort_by_key(|column| -column.1);
    for (name, bytes) in columns {
        println!("  {:>7.3} {name}", bytes as f64 / rows);
    }
    let start = Instant::now();
    let names: Vec<&str> = batch.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
    reader.read(&names, None).expect("reads");
    println!("  read whole in {:.2} µs a row", start.elapsed().as_secs_f64() * 1e6 / rows);
    let start = Instant::now();
    reader.read(&names, Some(std::slice::from_ref(&(40_000..40_256)))).expect("reads");
    println!("  read 256 rows in {:?}", start.elapsed());
    for name in &names {
        let start = Instant::now();
        reader.read(&[name], Some(std::slice::from_ref(&(40_000..40_256)))).expect("reads");
        println!("    {:?} {name}", start.elapsed());
    }
    let start = Instant::now();
    ParquetReader::open_path(&path, table).expect("opens");
    println!("  opened in {:?}, {} bytes of metadata in memory", start.elapsed(), reader.metadata().memory_size());
    report_rollup(table, batch);
    let Some(ids) = batch.column_by_name("trace_id") else { return };
    let start = Instant::now();
    let mut bloom = match table {
        Table::Spans => TraceBloomBuilder::sorted_by_trace(),
        _ => TraceBloomBuilder::with_blocks(schema::BLOCK_ROWS),
    };
    bloom.push_column(ids.as_fixed_size_binary());
    let bytes = bloom.finish().to_bytes().len();
    println!(
        "  bloom {:.3} bytes a row, {:.3} µs a row",
        bytes as f64 / rows,
        start.elapsed().as_secs_f64() * 1e6 / rows
    );
}

/// Bytes of the rollup, what making it costs, and what going through it costs.
fn report_rollup(table: Table, batch: &RecordBatch) {
    let (rows, limits) = (batch.num_rows() as f64, RollupLimits::default());
    let micros = |start: Instant| start.elapsed().as_secs_f64() * 1e6 / rows;
    let (bytes, made, read) = match table {
        Table::Logs => {
            let start = Instant::now();
            let mut builder = LogRollupBuilder::default();
            builder.push(batch, &TimeRange::ALL);
            let bytes = builder.finish(&limits).expect("few instances").to_bytes();
            let (made, start) = (micros(start), Instant::now());
            LogRollup::from_bytes(&bytes).expect("whole");
            (bytes.len(), made, micros(start))
        }
        Table::Spans => {
            let start = Instant::now();
            let mut operations = OperationBuilder::default();
            operations.push(batch, &TimeRange::ALL, |row| row as u64);
            operations.finish(&limits).expect("few operations");
            println!("  rollup of operations alone made in {:.3} µs a row", micros(start));
            let start = Instant::now();
            let mut builder = SpanRollupBuilder::default();
            builder.push(batch);
            let rollup = builder.finish(&limits);
            let bytes = rollup.to_bytes();
            let made = micros(start);
            let pairs = bytes.len() - operations_bytes(batch);
            println!("  map part {:.3} bytes a row, {} dangling", pairs as f64 / rows, rollup.map().dangling().len());
            let start = Instant::now();
            SpanRollup::from_bytes(&bytes).expect("whole");
            (bytes.len(), made, micros(start))
        }
        _ => return,
    };
    println!("  rollup {:.3} bytes a row, made in {made:.3} µs a row, read in {read:.4}", bytes as f64 / rows);
}

/// Bytes of a rollup whose map is empty.
fn operations_bytes(batch: &RecordBatch) -> usize {
    let mut builder = SpanRollupBuilder::default();
    builder.push(batch);
    let none = RollupLimits { pairs_max: 0, dangling_max: 0, ..RollupLimits::default() };
    builder.finish(&none).to_bytes().len()
}

#[test]
#[ignore = "a measurement"]
fn measure() {
    let mut random = Random::with_seed(1);
    let spans = spans(&mut random);
    report(Table::Spans, &span_batch(&mut random, &spans));
    report(Table::Logs, &log_batch(&mut random));
    report(Table::Points, &point_batch(&mut random));
}
