//! Decoding alone: OTLP protobuf into columns by our walkers, beside `prost` into its structs, on the same bytes.
//!
//! Rounds of the two alternate and the fastest of each is reported, so that a noisy machine disturbs both alike. What
//! `prost` makes is dropped inside its time, as a receiver would drop it; columns are frozen to Arrow once for every
//! 32,768 records, about as often as a busy server's commit, and that is counted too.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use otlp::{DecodeLimits, Encoding, TenantBuffer};
use testkit::proto::{ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest};
use testkit::{Logs, Message, Metrics, Traces, now_unix_nano};

/// The product's allocator, for both.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Records before columns are frozen.
const RECORDS_PER_FREEZE: usize = 32_768;

/// Nanoseconds a record, ours and prost's.
#[derive(Debug, Parser)]
#[command(name = "decode")]
struct Arguments {
    /// Records of each signal.
    #[arg(long, default_value_t = 262_144)]
    records: usize,
    /// Records a request.
    #[arg(long, value_delimiter = ',', default_value = "10,512,8192")]
    batch: Vec<usize>,
    /// Signals: traces, logs, metrics.
    #[arg(long, value_delimiter = ',', default_value = "traces,logs,metrics")]
    signals: Vec<String>,
    /// Rounds of each; the fastest counts.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Leaves `prost` out, for a profile of ours alone.
    #[arg(long)]
    ours_only: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    println!(
        "{:<10}{:>8}{:>8}{:>14}{:>14}{:>12}{:>12}{:>9}",
        "signal", "batch", "B", "append ns", "+ freeze ns", "prost ns", "MB/s", "ratio"
    );
    let asked = |signal: &model::Signal| arguments.signals.iter().any(|name| name == signal.name());
    for signal in model::Signal::ALL.into_iter().filter(asked) {
        for batch in &arguments.batch {
            compare(&arguments, signal, *batch)?;
        }
    }
    Ok(())
}

fn compare(arguments: &Arguments, signal: model::Signal, batch: usize) -> Result<()> {
    let bodies = bodies(signal, arguments.records, batch);
    let records = (bodies.len() * batch) as f64;
    let bytes = bodies.iter().map(Vec::len).sum::<usize>() as f64;
    let (mut append, mut with_freeze, mut prost) = (f64::MAX, f64::MAX, f64::MAX);
    // One for all rounds, as a server has one for as long as it runs: all but the first see series that are known.
    let mut buffer = TenantBuffer::new(DecodeLimits::default());
    for _ in 0..arguments.rounds {
        let (appending, all) = ours(&mut buffer, signal, batch, &bodies)?;
        append = append.min(appending);
        with_freeze = with_freeze.min(all);
        if !arguments.ours_only {
            prost = prost.min(theirs(signal, &bodies)?);
        }
    }
    let nanos = |seconds: f64| seconds * 1e9 / records;
    println!(
        "{:<10}{batch:>8}{:>8.0}{:>14.0}{:>14.0}{:>12.0}{:>12.0}{:>9.2}",
        format!("{signal:?}"),
        bytes / records,
        nanos(append),
        nanos(with_freeze),
        nanos(prost),
        bytes / append / 1e6,
        prost / append
    );
    Ok(())
}

fn bodies(signal: model::Signal, records: usize, batch: usize) -> Vec<Vec<u8>> {
    let now = now_unix_nano();
    let (mut traces, mut logs, mut metrics) =
        (Traces::new(1, now).in_threads(64), Logs::new(1, now).in_threads(64), Metrics::new(1, now));
    let body = |_| match signal {
        model::Signal::Traces if batch < 64 => traces.sdk_request(batch).encode_to_vec(),
        model::Signal::Traces => traces.request(batch).encode_to_vec(),
        model::Signal::Logs => logs.request(batch).encode_to_vec(),
        model::Signal::Metrics => metrics.request(batch).encode_to_vec(),
    };
    (0..records / batch).map(body).collect()
}

/// Seconds of appending, and of appending and freezing.
fn ours(buffer: &mut TenantBuffer, signal: model::Signal, batch: usize, bodies: &[Vec<u8>]) -> Result<(f64, f64)> {
    let arrival = now_unix_nano();
    let (mut appending, mut all) = (0.0, 0.0);
    for group in bodies.chunks((RECORDS_PER_FREEZE / batch).max(1)) {
        let began = Instant::now();
        for body in group {
            let appended = buffer.append(signal, Encoding::Protobuf, body, arrival).context("our walker")?;
            anyhow::ensure!(appended.stored as usize == batch, "{} of {batch} stored", appended.stored);
        }
        appending += began.elapsed().as_secs_f64();
        black_box(buffer.freeze().context("freezing")?);
        all += began.elapsed().as_secs_f64();
    }
    Ok((appending, all))
}

/// Seconds of decoding into structs and dropping them.
fn theirs(signal: model::Signal, bodies: &[Vec<u8>]) -> Result<f64> {
    let began = Instant::now();
    for body in bodies {
        match signal {
            model::Signal::Traces => drop(black_box(ExportTraceServiceRequest::decode(body.as_slice())?)),
            model::Signal::Logs => drop(black_box(ExportLogsServiceRequest::decode(body.as_slice())?)),
            model::Signal::Metrics => drop(black_box(ExportMetricsServiceRequest::decode(body.as_slice())?)),
        }
    }
    Ok(began.elapsed().as_secs_f64())
}
