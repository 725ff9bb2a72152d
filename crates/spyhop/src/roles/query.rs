//! The query role: answers on the API port. A crash of it costs its questions, never an acknowledged record.

use std::net::TcpListener;
use std::time::Duration;

use query::{MetricLimits, QueryLimits, QueryService, QuerySettings, SqlLimits, TailLimits};
use server::status::RoleStatus;
use server::{Credentials, QueryEdge, query_router, serve};
use store::Layout;
use tables::EngineLimits;

use super::{Role, runtime, serve_limits};
use crate::failure::{CODE_FAILED, Failure};
use crate::locks::RoleLock;
use crate::settings::Settings;
use crate::signals::Shutdown;
use crate::start;
use crate::status_writer::StatusWriter;

/// How often the role looks whether planning threads are stuck.
const WEDGE_CHECK: Duration = Duration::from_secs(1);

/// Runs the role until a signal asks for its end.
pub(super) fn run(
    settings: &Settings,
    layout: Layout,
    lock: RoleLock,
    listeners: Vec<TcpListener>,
) -> Result<(), Failure> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let tls = start::load_tls(settings)?;
    let runtime = runtime(cores, "query")?;
    let ended = runtime.block_on(async {
        let mut signals = Shutdown::listen()?;
        let catalog = start::open_catalog(&layout).await?;
        let service = QueryService::open(query_settings(settings, cores), layout.clone(), catalog)
            .map_err(|error| Failure::cannot_start(format!("queries cannot be run: {error}")))?;
        let watched = service.clone();
        let reported = tls.clone();
        let look = move |out: &mut RoleStatus| {
            out.ready = !watched.is_wedged();
            start::report_tls(reported.as_ref(), out);
        };
        let _writer = StatusWriter::start(layout.status_folder(), Role::Query, look)
            .map_err(|error| Failure::cannot_start(format!("cannot start a thread: {error}")))?;
        tokio::spawn(leave_when_wedged(service.clone()));
        let is_loopback = listeners.iter().all(|listener| listener.local_addr().is_ok_and(|at| at.ip().is_loopback()));
        let edge = QueryEdge {
            status_folder: layout.status_folder(),
            otlp_grpc_address: settings.otlp.grpc_address.clone(),
            otlp_http_address: settings.otlp.http_address.clone(),
            allowed_hosts: is_loopback.then(|| settings.api.allowed_hosts.clone()),
            credentials: Credentials::new(&settings.auth),
            are_metrics_open: is_loopback,
            compress_bytes_min: settings.api.compress_bytes_min,
            ..QueryEdge::default()
        };
        tracing::info!("answering");
        let tailed = service.clone();
        let served = serve(listeners, query_router(service, edge), serve_limits(settings), tls, async move {
            signals.signal().await;
            tracing::info!("stopping: what is being asked is answered");
            tailed.close_tails();
        });
        served.await.map_err(|error| Failure::cannot_start(format!("cannot serve: {error}")))
    });
    drop(lock);
    // Work on blocking threads whose askers are gone must not hold the end up.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

fn query_settings(settings: &Settings, cores: usize) -> QuerySettings {
    let query = &settings.query;
    QuerySettings {
        engine: EngineLimits {
            sql_memory_bytes_max: query.memory_bytes_max,
            partitions: cores,
            ledger: settings.ledger.limits,
            ..EngineLimits::default()
        },
        limits: QueryLimits {
            concurrent_max: query.running_max,
            wall: query.time_max,
            sql: SqlLimits { rows_max: query.rows_max, ..SqlLimits::default() },
            metrics: MetricLimits {
                bytes_max: query.metric_bytes_max,
                series_max: query.metric_series_max,
                look_back: query.metric_look_back,
                ..MetricLimits::default()
            },
            tail: TailLimits {
                streams_max: query.tail.streams_max,
                records_per_second_max: query.tail.records_per_second_max,
                replay_records_max: query.tail.replay_records_max,
                feed_bytes_max: query.tail.bytes_max,
                heartbeat_interval: query.tail.heartbeat,
                ..TailLimits::default()
            },
            ..QueryLimits::default()
        },
    }
}

/// Memory and threads of a question that cannot be stopped come back only with a new process; the supervisor starts
/// one.
async fn leave_when_wedged(service: QueryService) {
    loop {
        tokio::time::sleep(WEDGE_CHECK).await;
        if service.is_wedged() {
            tracing::error!("questions are stuck beyond their time: this process ends, and a new one takes over");
            std::process::exit(i32::from(CODE_FAILED));
        }
    }
}
