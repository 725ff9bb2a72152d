//! The ingest role: the journal first, then the edges, since no export may be answered before the journal knows what
//! was stored in the last minutes.

use std::net::TcpListener;
use std::sync::Arc;

use api::{DigestWindow, SignalCounts};
use ingest::{Ingest, IngestCounters, IngestLimits, Running};
use journal::{Journal, JournalLimits, RecoveryReport};
use server::status::{Metric, MetricKind, RoleStatus, Sample};
use server::{
    Cors, Credentials, EdgeCounters, IngestEdge, SyslogCounters, SyslogEdge, SyslogSockets, Tls, ingest_router, serve,
    serve_syslog,
};
use store::Layout;
use tokio::runtime::Runtime;

use super::{Role, runtime, serve_limits};
use crate::failure::Failure;
use crate::listeners::{OTLP_LISTENERS, Sockets};
use crate::locks::RoleLock;
use crate::settings::Settings;
use crate::signals::Shutdown;
use crate::status_writer::StatusWriter;
use crate::{clock, start};

/// Runs the role until a signal asks for its end.
pub(super) fn run(settings: &Settings, layout: Layout, lock: RoleLock, sockets: Sockets) -> Result<(), Failure> {
    let runtime = runtime(settings.ingest.workers, "ingest")?;
    let tls = start::load_tls(settings)?;
    let (ingest, running) = open(settings, &layout, &runtime)?;
    let (edge, syslog) = (edge(settings), syslog(settings));
    let (streams, syslog_sockets) = parted(settings, sockets, tls.as_ref());
    let ended = runtime.block_on(async {
        let mut signals = Shutdown::listen()?;
        let counters = Counters { edge: edge.counters.clone(), syslog: syslog.counters.clone() };
        let _writer = report(settings, &layout, &ingest, counters, tls.clone())?;
        let router = ingest_router(ingest.clone(), edge);
        tracing::info!("taking exports");
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let mut stopped_too = stopped.clone();
        let served = serve(streams, router, serve_limits(settings), tls, async move {
            signals.signal().await;
            tracing::info!("stopping: what is in flight is answered");
            stop.send_replace(true);
        });
        let syslog = serve_syslog(syslog_sockets, ingest.clone(), syslog, async move {
            let _ = stopped_too.wait_for(|stop| *stop).await;
        });
        drop(stopped);
        let served = tokio::try_join!(served, syslog).map(|_| ());
        running.drain().await;
        served.map_err(|error| Failure::cannot_start(format!("cannot serve: {error}")))
    });
    drop(lock);
    ended
}

/// The listeners of OTLP, and what lies behind them: those of syslog, over TLS last.
fn parted(settings: &Settings, sockets: Sockets, tls: Option<&Tls>) -> (Vec<TcpListener>, SyslogSockets) {
    let Sockets { mut streams, datagrams } = sockets;
    let mut plain = streams.split_off(streams.len().min(OTLP_LISTENERS));
    let over_tls = settings.syslog.tls_address.as_ref().and_then(|_| plain.pop());
    let plain = plain.into_iter().map(|listener| (listener, None));
    // Settings with an address for it and without TLS do not start.
    let streams_of_syslog =
        plain.chain(over_tls.zip(tls).map(|(listener, tls)| (listener, Some(tls.clone())))).collect();
    (streams, SyslogSockets { streams: streams_of_syslog, datagrams })
}

fn open(settings: &Settings, layout: &Layout, runtime: &Runtime) -> Result<(Ingest, Running), Failure> {
    let catalog = runtime.block_on(start::open_catalog(layout))?;
    let limits = JournalLimits {
        segment_bytes_max: settings.journal.segment_bytes_max,
        segment_age_max_seconds: settings.journal.segment_age_max.as_secs().max(1),
        digest_window_seconds: settings.journal.digest_window.as_secs(),
        digest_entries_max: settings.journal.digest_entries_max,
        ..JournalLimits::default()
    };
    let (journal, report) = Journal::open(
        &layout.journal_folder(),
        catalog.clone(),
        runtime.handle().clone(),
        limits,
        clock::now_unix_nano(),
    )
    .map_err(|error| Failure::cannot_start(format!("the journal cannot be opened: {error}")))?;
    say_what_was_recovered(&report);
    let mut limits = IngestLimits {
        request_bytes_max: settings.ingest.request_bytes_max,
        inflight_bytes_max: settings.ingest.inflight_bytes_max,
        admission_wait: settings.ingest.admission_wait,
        retry_after: settings.ingest.retry_after,
        rates: settings.limits,
        journal_bytes_max: settings.journal.bytes_max,
        disk_reserve_bytes: settings.journal.disk_reserve_bytes,
        ..IngestLimits::default()
    };
    limits.decode.sample_bytes_max = settings.ledger.sample_bytes_max;
    limits.decode.samples_per_second_max = u32::try_from(settings.ledger.limits.samples_max).unwrap_or(u32::MAX);
    ingest::start(journal, catalog, layout.root().to_owned(), limits, runtime.handle())
        .map_err(|error| Failure::cannot_start(format!("cannot start a thread: {error}")))
}

fn say_what_was_recovered(report: &RecoveryReport) {
    tracing::info!(
        segments_sealed = report.sealed.len(),
        segments_dropped = report.dropped.len(),
        digests = report.digests,
        "journal opened"
    );
    for segment in &report.torn {
        tracing::warn!(%segment, "the last commit was torn and is cut; nobody was told that it was stored");
    }
    for damage in &report.damage {
        tracing::error!(?damage, "the journal is damaged here; the rest is read");
    }
    for segment in &report.missing {
        tracing::error!(%segment, "a segment's file is missing");
    }
}

fn edge(settings: &Settings) -> IngestEdge {
    IngestEdge {
        request_bytes_max: settings.ingest.request_bytes_max,
        body_idle_timeout: settings.server.body_idle_timeout,
        request_time_max: settings.server.request_time_max,
        credentials: Credentials::new(&settings.auth),
        path_prefix: settings.otlp.path_prefix.clone(),
        cors: Cors {
            origins: settings.otlp.cors_origins.clone(),
            headers: settings.otlp.cors_headers.clone(),
            max_age_seconds: u32::try_from(settings.otlp.cors_max_age.as_secs()).unwrap_or(u32::MAX),
        },
        ..IngestEdge::default()
    }
}

fn syslog(settings: &Settings) -> SyslogEdge {
    SyslogEdge {
        message_bytes_max: settings.syslog.message_bytes_max,
        connections_max: settings.syslog.connections_max,
        idle_timeout: settings.syslog.idle_timeout,
        drain_max: settings.shutdown_grace,
        ..SyslogEdge::default()
    }
}

/// Counters of what is served.
struct Counters {
    edge: Arc<EdgeCounters>,
    syslog: Arc<SyslogCounters>,
}

fn report(
    settings: &Settings,
    layout: &Layout,
    ingest: &Ingest,
    counters: Counters,
    tls: Option<Tls>,
) -> Result<StatusWriter, Failure> {
    let ingest = ingest.clone();
    let (seconds_max, entries_max) =
        (settings.journal.digest_window.as_secs(), settings.journal.digest_entries_max as u64);
    let look = move |out: &mut RoleStatus| {
        out.ready = ingest.ready();
        out.metrics.extend(counters.edge.metrics());
        out.metrics.extend(counters.syslog.metrics());
        let status = ingest.status();
        out.refusals = counters.edge.refusals();
        out.digest_window = Some(digest_window(&status, seconds_max, entries_max));
        fill(&status, out);
        start::report_tls(tls.as_ref(), out);
    };
    StatusWriter::start(layout.status_folder(), Role::Ingest, look)
        .map_err(|error| Failure::cannot_start(format!("cannot start a thread: {error}")))
}

/// How wide the window is: its time, or back to the oldest request where there are too many for that.
fn digest_window(counters: &IngestCounters, seconds_max: u64, entries_max: u64) -> DigestWindow {
    let is_bound_by_entries = counters.digest_bound_by_entries;
    DigestWindow {
        seconds: if is_bound_by_entries { counters.digest_reach_seconds.min(seconds_max) } else { seconds_max },
        seconds_max,
        entries: counters.digest_entries,
        entries_max,
        bound: if is_bound_by_entries { "entries" } else { "time" }.to_owned(),
    }
}

fn fill(counters: &IngestCounters, out: &mut RoleStatus) {
    out.remarks.extend(counters.refusing.map(|refusal| format!("exports are refused: {}", refusal.message())));
    out.remarks.extend(counters.last_error.as_ref().map(|(error, _)| format!("last error: {error}")));
    out.refused_requests = counters.refused.values().sum();
    for (signal, counts) in &counters.signals {
        let counts = SignalCounts {
            // The ledger adds up: what was received was stored, rejected, or had been stored before.
            received: counts.received + counts.duplicate,
            stored: counts.stored,
            duplicate: counts.duplicate,
            rejected: counts.rejected.clone(),
        };
        out.signals.insert(signal.name().to_owned(), counts);
    }
    let mut add = |name: &str, help: &str, kind, value: f64| out.metrics.push(Metric::plain(name, help, kind, value));
    let (counter, gauge) = (MetricKind::Counter, MetricKind::Gauge);
    add("spyhop_commits_total", "Commits made durable.", counter, counters.commits as f64);
    add("spyhop_commit_requests_total", "Requests in them.", counter, counters.commit_requests as f64);
    add("spyhop_decode_seconds_total", "Time spent reading requests.", counter, counters.decode_nanos as f64 / 1e9);
    add(
        "spyhop_append_seconds_total",
        "Time spent making commits durable.",
        counter,
        counters.append_nanos as f64 / 1e9,
    );
    add(
        "spyhop_journal_failures_total",
        "Commits that could not be made durable.",
        counter,
        counters.journal_failures as f64,
    );
    add("spyhop_inflight_bytes", "Bytes of requests in flight.", gauge, counters.inflight_bytes as f64);
    add("spyhop_journal_backlog_bytes", "Journal not yet in files.", gauge, counters.backlog_bytes as f64);
    add("spyhop_disk_free_bytes", "Bytes free on the disk of the data folder.", gauge, counters.free_bytes as f64);
    add(
        "spyhop_digest_entries",
        "Requests that would be recognised if sent again.",
        gauge,
        counters.digest_entries as f64,
    );
    add("spyhop_digest_reach_seconds", "How far back that reaches.", gauge, counters.digest_reach_seconds as f64);
    let samples = counters.refused.iter().map(|(refusal, count)| {
        let reason = serde_json::to_value(refusal).ok().and_then(|value| value.as_str().map(str::to_owned));
        Sample { labels: [("reason".to_owned(), reason.unwrap_or_default())].into(), value: *count as f64 }
    });
    out.metrics.push(Metric {
        name: "spyhop_refusals_total".to_owned(),
        help: "Export requests refused so that they are sent again, by reason.".to_owned(),
        kind: counter,
        samples: samples.collect(),
    });
}
