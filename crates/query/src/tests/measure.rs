//! Times of questions over a million records and more, to be run in the release profile:
//! `cargo test --release -p query --lib -- --ignored --nocapture measure`. `SPYHOP_MEASURE_ROWS` says how many log
//! records [`measure_newest`] asks about.

use std::time::Instant;

use model::{Table, TenantId, TimeRange};

use super::fixture::{Folder, NOW, SECOND, busy_logs, log_batch, logs, span_batch, spans, trace_id, wide_trace};
use crate::{LogHistogram, LogSearch, QueryService, ServiceMapSearch, ServiceSearch, TraceForm, TraceSearch};

async fn time<T>(what: &str, ask: impl AsyncFn() -> T) {
    let mut times = Vec::new();
    for _ in 0..7 {
        let begun = Instant::now();
        ask().await;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let first = times[0];
    times.sort_by(f64::total_cmp);
    println!("{what:40} first {first:8.2} ms, median {:8.2} ms", times[times.len() / 2]);
}

async fn questions(service: &QueryService) {
    let tenant = TenantId::default();
    time("trace by id", async || service.trace(&tenant, trace_id(4_321)).await.expect("an answer")).await;
    for query in ["", "needle", "nowhere", "timeout", "service:cart timeout", "severity:error", "user.id:u3"] {
        let search = LogSearch { query: query.into(), limit: 100, ..LogSearch::default() };
        let ask = async || service.search_logs(&tenant, search.clone()).await.expect("an answer");
        time(&format!("logs '{query}'"), ask).await;
        let stats = ask().await.stats;
        println!("{:40} {} rows, {} bytes", "", stats.rows_scanned, stats.bytes_scanned);
    }
    for query in ["", "timeout", "needle"] {
        let ask = LogHistogram { query: query.into(), steps: 60, range: TimeRange::ALL };
        let ask = async || service.log_histogram(&tenant, ask.clone()).await.expect("an answer");
        time(&format!("histogram '{query}'"), ask).await;
    }
    time("traces", async || service.search_traces(&tenant, TraceSearch::default()).await.expect("an answer")).await;
    let errors = TraceSearch { errors_only: true, ..TraceSearch::default() };
    time("traces with errors", async || service.search_traces(&tenant, errors.clone()).await.expect("an answer")).await;
    time("services", async || service.services(&tenant, ServiceSearch::default()).await.expect("an answer")).await;
    let map = ServiceMapSearch::default();
    time("service map", async || service.service_map(&tenant, map.clone()).await.expect("an answer")).await;
    for query in ["select count(*) from logs", "select service_name, count(*) from logs group by 1"] {
        let request = || api::SqlRequest { query: query.into(), limit: None };
        time(query, async || service.sql(&tenant, request()).await.expect("an answer")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn measure() {
    let folder = Folder::new().await;
    let records = logs(1_000_000, 1);
    for part in records.chunks(130_000) {
        folder.add_file(Table::Logs, &log_batch(part)).await;
    }
    let rows = spans(290_000, 1);
    for part in rows.chunks(130_000) {
        folder.add_file(Table::Spans, &span_batch(part)).await;
    }
    println!("{} logs, {} spans", records.len(), rows.len());
    questions(&folder.service()).await;
    folder.delete_sidecars();
    println!("without sidecars:");
    questions(&folder.service()).await;
}

/// CPU time of the process so far, in milliseconds.
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    // Fields 14 and 15 are ticks of a hundredth of a second; the name is the second.
    after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() * 10.0
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn measure_wide_trace() {
    const SPANS: usize = 10_000;
    const TIMES: usize = 20;
    let folder = Folder::new().await;
    folder.add_file(Table::Spans, &wide_trace(SPANS)).await;
    folder.add_file(Table::Spans, &span_batch(&spans(50_000, 1))).await;
    let service = folder.service();
    let tenant = TenantId::default();
    for (is_shared, brief_above) in [(false, None), (true, None), (true, Some(100)), (true, None), (true, Some(100))] {
        let mut times = Vec::new();
        let (mut bytes, cpu) = (0, cpu_ms());
        for _ in 0..TIMES {
            let begun = Instant::now();
            let json = service
                .trace_json(&tenant, trace_id(77), TraceForm { is_shared, brief_above })
                .await
                .expect("an answer")
                .expect("known");
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            bytes = json.len();
        }
        times.sort_by(f64::total_cmp);
        let cpu = (cpu_ms() - cpu) / TIMES as f64;
        println!(
            "{SPANS} spans, shared {is_shared:5}, brief above {brief_above:?}: {bytes} bytes, median {:.1} ms, {cpu:.1} ms CPU",
            times[TIMES / 2]
        );
    }
}

/// Newest first over files that follow one another in time, and over files that all cover the same minute.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn measure_newest() {
    const FILE_ROWS: usize = 131_072;
    let rows = std::env::var("SPYHOP_MEASURE_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000);
    let files = usize::max(1, rows / FILE_ROWS);
    for (name, step) in [("one after another", 60 * SECOND), ("all at the same time", 0)] {
        let folder = Folder::new().await;
        for file in 0..files {
            let start = NOW + file as i64 * step;
            folder.add_file(Table::Logs, &log_batch(&busy_logs(FILE_ROWS, file as u64 + 1, start, 60))).await;
        }
        println!("{files} files of {FILE_ROWS} rows, {name}:");
        let service = folder.service();
        for query in ["quarrelsome", "carrier", "session", "session carrier", "", "service:cart session", "nowhere"] {
            let search = LogSearch { query: query.into(), limit: 100, ..LogSearch::default() };
            let ask = async || service.search_logs(&TenantId::default(), search.clone()).await.expect("an answer");
            time(&format!("  newest 100 '{query}'"), ask).await;
            let answer = ask().await;
            let (found, stats) = (answer.logs.len(), answer.stats);
            println!("{:40} {found} found, {} rows, {} bytes", "", stats.rows_scanned, stats.bytes_scanned);
        }
    }
}
