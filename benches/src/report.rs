//! The table: what was measured beside what design §7 accepts.

use std::collections::BTreeMap;

use testkit::Signal;

use crate::collector::Dropped;
use crate::disk;
use crate::meter::ByRole;
use crate::questions::Asked;

/// One run.
#[derive(Debug)]
pub struct Measured {
    pub signal: Signal,
    pub batch: usize,
    /// Requests were compressed.
    pub gzip: bool,
    /// What a Collector used to receive the same bytes and drop them.
    pub dropped: Option<Dropped>,
    pub records: usize,
    pub connections: usize,
    pub start_ms: f64,
    pub wire_bytes: u64,
    pub retries: usize,
    pub acknowledge_p99_ms: f64,
    pub acknowledged_seconds: f64,
    pub quiet_seconds: f64,
    pub cpu_acknowledged: ByRole<f64>,
    pub cpu_quiet: ByRole<f64>,
    pub sender_seconds: f64,
    pub idle_memory: ByRole<u64>,
    pub ingest_memory: ByRole<u64>,
    pub query_memory: ByRole<u64>,
    pub disk: BTreeMap<&'static str, u64>,
    pub questions: Vec<Asked>,
}

/// What design §7 accepts for a signal: CPU-seconds a million to quiet, bytes a record.
fn accepted(signal: Signal) -> (f64, f64) {
    match signal {
        Signal::Traces => (6.0, 48.0),
        Signal::Logs => (7.5, 40.0),
        Signal::Metrics => (1.5, 3.5),
    }
}

/// What design §7 accepts for a question over 10 M records, in milliseconds.
fn accepted_ms(question: &str) -> Option<f64> {
    match question {
        "trace by id" => Some(3.0),
        "rare term (1 in 1 M)" => Some(15.0),
        "medium term" => Some(40.0),
        "common term" => Some(15.0),
        "count by service and minute" => Some(120.0),
        _ => None,
    }
}

/// Accepted memory of all roles, in bytes: idle, ingesting, asking.
const MEMORY: [(&str, u64); 3] = [("idle", 80_000_000), ("ingesting", 500_000_000), ("asking", 700_000_000)];
/// Accepted milliseconds from start to first answer of an empty server.
const START_MS: f64 = 150.0;

/// All runs.
#[derive(Debug, Default)]
pub struct Report(Vec<Measured>);

impl Report {
    /// Adds a run.
    pub fn add(&mut self, measured: Measured) {
        self.0.push(measured);
    }

    /// Prints the last run; numbers beyond what is accepted are marked with `!`.
    pub fn print(&self) {
        if let Some(run) = self.0.last() {
            run.print();
        }
    }
}

fn line(what: &str, measured: f64, unit: &str, accept: Option<f64>) {
    let (accepted, mark) = match accept {
        Some(accept) => (format!("{accept}"), if measured > accept { "!" } else { "" }),
        None => ("–".to_owned(), ""),
    };
    println!("  {what:<46} {measured:>11.2} {unit:<8} {accepted:>8} {mark}");
}

impl Measured {
    fn print(&self) {
        let millions = self.records as f64 / 1e6;
        let (cpu, bytes) = accepted(self.signal);
        println!(
            "\n{:?}: {} records, {} a request, {} connections, {}, {:.0} B a record",
            self.signal,
            self.records,
            self.batch,
            self.connections,
            if self.gzip { "gzip" } else { "identity" },
            self.wire_bytes as f64 / self.records as f64
        );
        println!("  {:<46} {:>11} {:<8} {:>8}", "", "measured", "", "accept");
        line("CPU-seconds a million, to the acknowledgement", sum(&self.cpu_acknowledged) / millions, "s", None);
        line("CPU-seconds a million, to quiet", sum(&self.cpu_quiet) / millions, "s", Some(cpu));
        for (role, seconds) in &self.cpu_quiet {
            line(&format!("  of these {role}"), seconds / millions, "s", None);
        }
        self.print_rates();
        if let Some(dropped) = self.dropped {
            let collector = dropped.cpu_seconds / millions;
            line("  a Collector, to receive and drop them", collector, "s", None);
            line(
                "  Spyhop, to make them durable, beside it",
                sum(&self.cpu_acknowledged) / millions / collector,
                "times",
                Some(1.0),
            );
            line("  Collector, records a second", self.records as f64 / dropped.seconds, "", None);
        }
        if self.questions.is_empty() {
            return;
        }
        for (kind, size) in &self.disk {
            line(&format!("bytes a record, {kind}"), *size as f64 / self.records as f64, "B", None);
        }
        let files = disk::files(&self.disk) as f64 / self.records as f64;
        line("bytes a record, files with sidecars", files, "B", Some(bytes));
        for ((state, accept), memory) in MEMORY.iter().zip([&self.idle_memory, &self.ingest_memory, &self.query_memory])
        {
            let roles: Vec<String> =
                memory.iter().map(|(role, bytes)| format!("{role} {:.0}", *bytes as f64 / 1e6)).collect();
            let all = memory.values().sum::<u64>() as f64 / 1e6;
            line(&format!("memory {state}"), all, "MB", Some(*accept as f64 / 1e6));
            println!("    {}", roles.join(", "));
        }
        line("start to first answer, empty", self.start_ms, "ms", Some(START_MS));
        for asked in &self.questions {
            line(&format!("{}, p50", asked.name), asked.p50_ms, "ms", accepted_ms(asked.name));
            line(&format!("{}, p95 ({} rows)", asked.name, asked.rows_scanned), asked.p95_ms, "ms", None);
        }
    }

    fn print_rates(&self) {
        let accept = match (self.signal, self.batch < 64) {
            (Signal::Traces, false) => " (accept 250,000)",
            (Signal::Traces, true) => " (accept 60,000)",
            _ => "",
        };
        let ingest = self.cpu_acknowledged.get("ingest").copied().unwrap_or_default();
        let per_core = self.records as f64 / ingest.max(1e-9);
        println!("  records a second and core, ack path alone (ingest): {per_core:.0}{accept}");
        println!(
            "  {:.0} records a second, quiet after {:.1} s, {} retries, acknowledgement p99 {:.1} ms, sender used {:.1} CPU-s",
            self.records as f64 / self.acknowledged_seconds,
            self.quiet_seconds,
            self.retries,
            self.acknowledge_p99_ms,
            self.sender_seconds
        );
    }
}

fn sum(by_role: &ByRole<f64>) -> f64 {
    by_role.values().sum()
}
