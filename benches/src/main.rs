//! The load generator: what a million records cost the shipped binary, beside what design §7 accepts.
//!
//! Requests are encoded before the clock starts and sent over raw HTTP/1.1 connections in a closed loop, so that the
//! sender's cost stays small beside the server's. CPU time is counted over the whole process tree, to the last
//! acknowledgement and to *quiet*: when `spyhop compact --now` has returned. Nothing is reported before a count has
//! shown that every record is there.

mod collector;
mod disk;
mod meter;
mod questions;
mod replay;
mod report;
mod requests;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use testkit::{Server, ServerSettings, Signal};

use meter::Meter;
use report::{Measured, Report};
use requests::Requests;

/// What a million records cost.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Arguments {
    /// Records of each signal.
    #[arg(long, default_value_t = 1_000_000)]
    records: usize,
    /// Records a request; one run for each.
    #[arg(long, value_delimiter = ',', default_value = "512,10")]
    batch: Vec<usize>,
    /// Signals to send: traces, logs, metrics.
    #[arg(long, value_delimiter = ',', default_value = "traces,logs,metrics")]
    signals: Vec<String>,
    /// Connections, one run for each; without it large batches come over 4, small ones (fewer than 64 records) over 200.
    #[arg(long, value_delimiter = ',')]
    connections: Vec<usize>,
    /// Compresses requests by gzip.
    #[arg(long)]
    gzip: bool,
    /// Ends at the last acknowledgement: nothing is compacted, counted or asked.
    #[arg(long)]
    acknowledged_only: bool,
    /// An OpenTelemetry Collector with an OTLP receiver and a nop exporter, which is sent the same bytes.
    #[arg(long)]
    collector: Option<PathBuf>,
    /// How often each question is asked.
    #[arg(long, default_value_t = 30)]
    questions: usize,
    /// Makes the same records again.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Environment for the server, as NAME=VALUE; may be given more than once.
    #[arg(long)]
    env: Vec<String>,
}

/// Connections of requests with few records: SDKs without a Collector.
const SDK_CONNECTIONS: usize = 200;
/// Connections of requests with many records: a few Collectors.
const COLLECTOR_CONNECTIONS: usize = 4;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut report = Report::default();
    for name in &arguments.signals {
        let signal = match name.as_str() {
            "traces" => Signal::Traces,
            "logs" => Signal::Logs,
            "metrics" => Signal::Metrics,
            other => anyhow::bail!("there is no signal {other}"),
        };
        for batch in &arguments.batch {
            eprintln!("encoding {} records of {signal:?}, {batch} a request", arguments.records);
            let requests = Requests::encode(signal, arguments.records, *batch, arguments.seed, arguments.gzip);
            for connections in arguments.connections_of(*batch) {
                let run = Run { signal, batch: *batch, connections, requests: &requests };
                let measured = runtime
                    .block_on(measure(&arguments, run))
                    .with_context(|| format!("{name}, {batch} records a request, {connections} connections"))?;
                report.add(measured);
                report.print();
            }
        }
    }
    Ok(())
}

impl Arguments {
    fn connections_of(&self, batch: usize) -> Vec<usize> {
        match self.connections.as_slice() {
            [] if batch < 64 => vec![SDK_CONNECTIONS],
            [] => vec![COLLECTOR_CONNECTIONS],
            given => given.to_vec(),
        }
    }
}

/// One row of the table.
struct Run<'a> {
    signal: Signal,
    batch: usize,
    connections: usize,
    requests: &'a Requests,
}

async fn measure(arguments: &Arguments, run: Run<'_>) -> Result<Measured> {
    let Run { signal, batch, connections, requests } = run;
    let settings = arguments
        .env
        .iter()
        .filter_map(|pair| pair.split_once('='))
        .fold(ServerSettings::default(), |settings, (name, value)| settings.with(name, value));
    let launched = Instant::now();
    let server = Server::start(settings).await?;
    server.client().sql_count("select count(*) from logs").await?;
    let start_ms = launched.elapsed().as_secs_f64() * 1e3;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;

    let meter = Meter::start(server.id()?);
    let idle = meter.sample();
    let port = server.ports()[1];
    let wire_bytes = requests.bytes();
    let sender_before = meter::own_cpu_seconds();
    let began = Instant::now();
    let sent = {
        let requests = requests.http();
        tokio::task::spawn_blocking(move || replay::send_all(port, connections, requests)).await??
    };
    let acknowledged_seconds = began.elapsed().as_secs_f64();
    let acknowledged = meter.sample();
    let sender_seconds = meter::own_cpu_seconds() - sender_before;
    if !arguments.acknowledged_only {
        server.compact_now().await?;
    }
    let quiet_seconds = began.elapsed().as_secs_f64();
    let quiet = meter.sample();
    let ingest_memory = meter.peak_and_reset();
    let mut questions = Vec::new();
    if !arguments.acknowledged_only {
        let found = count(&server, signal).await?;
        ensure!(found == arguments.records as i64, "{found} of {} records are there", arguments.records);
        questions = questions::ask(&server.client(), signal, requests, arguments.questions).await?;
    }
    let query_memory = meter.peak_and_reset();
    let dropped = match &arguments.collector {
        Some(binary) => Some(collector::measure(binary, connections, requests.http())?),
        None => None,
    };
    let measured = Measured {
        signal,
        batch,
        gzip: arguments.gzip,
        dropped,
        records: arguments.records,
        connections,
        start_ms,
        wire_bytes,
        retries: sent.retries,
        acknowledge_p99_ms: sent.p99_ms,
        acknowledged_seconds,
        quiet_seconds,
        cpu_acknowledged: acknowledged.since(&idle),
        cpu_quiet: quiet.since(&idle),
        sender_seconds,
        idle_memory: idle.memory,
        ingest_memory,
        query_memory,
        disk: disk::by_kind(&server.data_folder()),
        questions,
    };
    Ok(measured)
}

async fn count(server: &Server, signal: Signal) -> Result<i64> {
    let tables: &[&str] = match signal {
        Signal::Traces => &["spans"],
        Signal::Logs => &["logs"],
        Signal::Metrics => &["points", "histograms"],
    };
    let mut sum = 0;
    for table in tables {
        sum += server.client().sql_count(&format!("select count(*) from {table}")).await?;
    }
    Ok(sum)
}
