//! Times of questions over a million records; run with `ct test query -- --ignored --nocapture measure`.

use std::time::Instant;

use model::{Table, TenantId, TimeRange};

use super::fixture::{Folder, log_batch, logs, span_batch, spans, trace_id};
use crate::{LogHistogram, LogSearch, QueryService, ServiceMapSearch, ServiceSearch, TraceSearch};

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
