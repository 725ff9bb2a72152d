//! DuckDB reads the files while the server runs, compacts and is killed.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;
use testkit::{Payload, Server, ServerSettings, Signal, Traces, now_unix_nano, run_command};

use crate::TestResult;

/// What DuckDB finds just now; nothing where there is no Python with it.
async fn read(python: &Path, folder: &Path) -> Result<Value> {
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("compat/duckdb_reader.py")).arg(folder);
    let output = run_command(command).await?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "DuckDB could not read the files: {said}");
    serde_json::from_slice(&output.stdout).context("the reader prints JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duckdb_never_counts_twice_and_finds_all_after_compact_now() -> TestResult {
    let Some(python) = crate::e2e::program("SPYHOP_TEST_PYTHON") else {
        testkit::skip("compat::duckdb", "there is no Python with duckdb");
        return Ok(());
    };
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let mut traces = Traces::new(91, now_unix_nano());
    let mut sent = 0;
    for round in 0..6 {
        for _ in 0..10 {
            let request = traces.request(200);
            let logs = logs_of(&request);
            client.send(&Payload::protobuf(Signal::Traces, &request)).await?;
            client.send(&Payload::protobuf(Signal::Logs, &logs)).await?;
            sent += 200;
        }
        let flush = server.compact_now();
        let folder = server.data_folder();
        let reader = read(&python, &folder);
        let (flushed, during) = tokio::join!(flush, reader);
        flushed?;
        let during = during?;
        for (all, different) in [("spans", "span_numbers"), ("logs", "log_numbers")] {
            assert_eq!(during[all], during[different], "round {round}: rows counted twice: {during}");
            assert!(during[all].as_i64().is_some_and(|count| count <= sent), "round {round}: {during}");
        }
        let after = read(&python, &server.data_folder()).await?;
        assert_eq!((after["spans"].as_i64(), after["logs"].as_i64()), (Some(sent), Some(sent)), "round {round}");
        assert_eq!(after["joined"].as_i64(), Some(sent), "round {round}: every log record joins its span: {after}");
        if round == 3 {
            server.restart().await?;
        }
    }
    Ok(())
}

/// A log record for every span, with its ids and its number.
fn logs_of(request: &testkit::proto::ExportTraceServiceRequest) -> testkit::proto::ExportLogsServiceRequest {
    use testkit::proto::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    let resource_logs = request.resource_spans.iter().map(|by_resource| {
        let spans = by_resource.scope_spans.iter().flat_map(|scope| &scope.spans);
        let log_records = spans.map(|span| LogRecord {
            time_unix_nano: span.start_time_unix_nano,
            trace_id: span.trace_id.clone(),
            span_id: span.span_id.clone(),
            attributes: span.attributes[..1].to_vec(),
            ..Default::default()
        });
        ResourceLogs {
            resource: by_resource.resource.clone(),
            scope_logs: vec![ScopeLogs { log_records: log_records.collect(), ..Default::default() }],
            schema_url: String::new(),
        }
    });
    testkit::proto::ExportLogsServiceRequest { resource_logs: resource_logs.collect() }
}
