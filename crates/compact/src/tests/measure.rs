//! What a flush and a merge cost, by step: `cargo test --release -p compact -- --ignored --nocapture measure`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampNanosecondArray,
};
use arrow::datatypes::{Int32Type, Schema};
use fastrand::Rng;
use model::{FileId, Hour, Partition, Table, TenantId};
use store::{Layout, Name, ParquetSettings, write_parquet};

use super::fixture::{NOW, SECOND};
use crate::limits::CompactLimits;
use crate::merge::{Merged, merge_files};
use crate::output::{sidecars, write_output};
use crate::plan::PartitionClamp;
use crate::sort::sort_rows;
use crate::table_rows::{RowPart, TableRows};

const SERVICES: [&str; 6] = ["web", "cart", "checkout", "payment", "catalog", "mail"];

fn keyword(rows: usize, mut pick: impl FnMut(usize) -> Option<String>) -> ArrayRef {
    let texts: Vec<Option<String>> = (0..rows).map(&mut pick).collect();
    Arc::new(texts.iter().map(|text| text.as_deref()).collect::<DictionaryArray<Int32Type>>())
}

fn bytes(random: &mut Rng, rows: usize, size: usize, distinct: usize) -> ArrayRef {
    let pool: Vec<Vec<u8>> = (0..distinct).map(|_| (0..size).map(|_| random.u8(..)).collect()).collect();
    let all: Vec<u8> = (0..rows).flat_map(|row| pool[row * distinct / rows].clone()).collect();
    Arc::new(FixedSizeBinaryArray::new(size as i32, all.into(), None))
}

fn resource(row: usize) -> String {
    format!(
        "{{\"attributes\":{{\"service.name\":\"{0}\",\"service.version\":\"1.4.2\",\"host.name\":\"node-7\",\
         \"k8s.pod.name\":\"{0}-5d8f7c9b6-x2x7k\",\"telemetry.sdk.language\":\"python\",\"telemetry.sdk.name\":\
         \"opentelemetry\",\"telemetry.sdk.version\":\"1.30.0\"}}}}",
        SERVICES[row % 6]
    )
}

/// Rows as a collector sends them: spans of 12 a trace, logs with a body of about 120 bytes.
fn batch(random: &mut Rng, table: Table, rows: usize, arrival: i64) -> RecordBatch {
    let service = random.usize(..6);
    let times: Vec<i64> = (0..rows).map(|_| arrival - random.i64(0..5 * SECOND)).collect();
    let method = |row: usize| Some(["GET", "POST"][row % 2].to_owned());
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("trace_id", bytes(random, rows, 16, rows.div_ceil(12))),
        ("span_id", bytes(random, rows, 8, rows)),
        ("host_name", keyword(rows, |_| Some("node-7".into()))),
        ("service_name", keyword(rows, |_| Some(SERVICES[service].into()))),
        ("resource", keyword(rows, |_| Some(resource(service)))),
        (
            "scope",
            keyword(rows, |_| Some("{\"name\":\"opentelemetry.instrumentation.flask\",\"version\":\"0.51b0\"}".into())),
        ),
    ];
    let numbers = |random: &mut Rng, max: i64| -> ArrayRef {
        Arc::new(Int64Array::from((0..rows).map(|_| random.i64(0..max)).collect::<Vec<_>>()))
    };
    let attributes: Vec<String> = (0..rows)
        .map(|_| {
            format!(
                "{{\"app.user\":\"u{}\",\"net.peer.port\":{},\"app.flag\":true}}",
                random.u16(..1000),
                random.u8(..8)
            )
        })
        .collect();
    columns.push(("attributes", Arc::new(StringArray::from(attributes))));
    let times: ArrayRef = Arc::new(TimestampNanosecondArray::from(times));
    if table == Table::Spans {
        let names = ["GET /cart", "POST /order", "SELECT shop", "charge", "send"];
        columns.push(("start_time", times));
        columns.push(("duration_nanos", numbers(random, 900_000_000)));
        columns.push(("parent_span_id", bytes(random, rows, 8, rows)));
        columns.push(("name", keyword(rows, |row| Some(names[row % 5].into()))));
        columns.push(("kind", Arc::new(Int32Array::from_iter_values((0..rows).map(|row| row as i32 % 5 + 1)))));
        columns.push(("http_request_method", keyword(rows, method)));
        columns.push(("http_response_status_code", numbers(random, 3)));
        columns.push(("http_route", keyword(rows, |row| Some(format!("/r/{}", row % 9)))));
        columns.push((
            "url_path",
            Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("/r/{}", row % 99)))),
        ));
        columns.push(("server_address", keyword(rows, |_| Some("shop.internal".into()))));
        columns.push(("server_port", numbers(random, 2)));
    } else {
        let words = ["order", "accepted", "for", "customer", "payment", "failed", "timeout", "retry", "cache", "miss"];
        let body = |random: &mut Rng| {
            let mut text = format!("request {:08x} took {} ms:", random.u32(..), random.u16(..999));
            (0..12).for_each(|_| text.extend([" ", words[random.usize(..10)]]));
            text
        };
        let bodies: Vec<String> = (0..rows).map(|_| body(random)).collect();
        columns.push(("time", times.clone()));
        columns.push(("observed_time", times));
        columns.push((
            "severity_number",
            Arc::new(Int32Array::from_iter_values((0..rows).map(|row| 5 + row as i32 % 4 * 4))),
        ));
        columns.push(("severity_text", keyword(rows, |row| Some(["DEBUG", "INFO", "WARN", "ERROR"][row % 4].into()))));
        columns.push(("body", Arc::new(StringArray::from(bodies))));
    }
    let schema = schema::schema(table);
    let (fields, arrays): (Vec<_>, Vec<_>) = schema
        .fields()
        .iter()
        .filter_map(|field| Some((field.clone(), columns.iter().find(|(name, _)| name == field.name())?.1.clone())))
        .unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("fits")
}

/// Nanoseconds this thread has run: the machine is shared.
fn cpu_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().expect("a field").parse().expect("a number")
}

#[test]
#[ignore = "measures"]
fn measure_a_flush() {
    let clamp = PartitionClamp::of(&CompactLimits::default());
    for (table, part_rows) in [(Table::Spans, 512), (Table::Spans, 20), (Table::Logs, 512), (Table::Logs, 20)] {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = Layout::new(folder.path());
        let mut random = Rng::with_seed(1);
        let rows = 150_000;
        let parts: Vec<RowPart> = (0..rows / part_rows)
            .map(|part| {
                let arrival = NOW + part as i64 * SECOND / 10;
                RowPart { arrival, batch: batch(&mut random, table, part_rows, arrival) }
            })
            .collect();
        let per_row = |began: u64| (cpu_nanos() - began) as f64 / 1e3 / rows as f64;
        let began = cpu_nanos();
        let rows = TableRows::new(table, parts).expect("fits");
        let sorted = sort_rows(rows, &clamp).expect("sorts");
        let sort = per_row(began);
        let partition = Partition { tenant: TenantId::default(), table, hour: Hour(1) };
        let batch = sorted.batch(&sorted.hours[0].1).expect("a batch");
        let settings = ParquetSettings::default();
        let path = layout.files_path(&partition, FileId(1), Name::New);
        let began = cpu_nanos();
        let written = write_parquet(&partition, std::slice::from_ref(&batch), &path, &settings).expect("writes");
        let parquet = per_row(began);
        let began = cpu_nanos();
        let bytes: usize = sidecars(&partition, &batch).iter().map(|(_, bytes)| bytes.len()).sum();
        let sidecar = per_row(began);
        write_output(&layout, &partition, FileId(2), &batch, &settings).expect("writes");
        println!(
            "{table} in parts of {part_rows}: gather and sort {sort:.2}, Parquet {parquet:.2}, sidecars {sidecar:.2} CPU-µs a row; \
             {:.1} + {:.1} bytes a row, {} hours",
            written.bytes as f64 / batch.num_rows() as f64,
            bytes as f64 / batch.num_rows() as f64,
            sorted.hours.len()
        );
    }
}

#[test]
#[ignore = "measures"]
fn measure_a_merge() {
    let settings = ParquetSettings::default();
    for (table, files) in [(Table::Spans, 4_u64), (Table::Spans, 32), (Table::Logs, 4), (Table::Logs, 32)] {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = Layout::new(folder.path());
        let mut random = Rng::with_seed(2);
        let rows = 160_000 / files as usize;
        let hour = Hour::of(NOW);
        let partition = Partition { tenant: TenantId::default(), table, hour };
        let mut written = Vec::new();
        for file in 0..files {
            let arrival = NOW + file as i64 * 60 * SECOND;
            let part = RowPart { arrival, batch: batch(&mut random, table, rows, arrival) };
            let part_rows = TableRows::new(table, vec![part]).expect("fits");
            let sorted = sort_rows(part_rows, &PartitionClamp::within_hour()).expect("sorts");
            let first = sorted.batch(&(0..rows)).expect("a batch");
            written.push(write_output(&layout, &partition, FileId(file + 1), &first, &settings).expect("writes"));
        }
        let began = cpu_nanos();
        let mut draw = |_| Ok(FileId(1_000));
        let limits = CompactLimits::default();
        let merged = merge_files(&layout, &written, &limits, &settings, &mut draw, &|| false).expect("merges");
        let seconds = (cpu_nanos() - began) as f64 / 1e9;
        let Merged::Output { output, inputs } = merged else { panic!("{merged:?}") };
        let before: u64 = inputs.iter().map(|file| file.bytes).sum();
        println!(
            "{table} in {} of {files} files: {:.2} CPU-seconds per million rows; {:.1} bytes a row, {:.1} before",
            inputs.len(),
            seconds / output.rows as f64 * 1e6,
            output.bytes as f64 / output.rows as f64,
            before as f64 / output.rows as f64
        );
    }
}
