//! Syslog over TCP, over TLS (RFC 5425) and over UDP, on listeners that somebody else opened.
//!
//! Nobody answers syslog, so nothing is acknowledged; messages take the path of an export all the same, with its
//! admission, limits and rates, and nothing more is read from a connection until what it sent is durable. Where an
//! export is refused, a connection waits and tries again, which its sender sees as a full window; datagrams that cannot
//! be taken are dropped and counted. Syslog knows no credentials: whoever reaches a port may send, but where TLS demands a
//! certificate of its clients.
//!
//! Bounds (I7): connections, a chunk and a message of each, the time one may lie silent, exports of datagrams in flight.

mod tcp;
mod udp;

use std::future::Future;
use std::io;
use std::net;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use doors::Translation;
use ingest::{ExportError, ExportRequest, Ingest};
use model::TenantId;
use otlp::Encoding;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::status::{Metric, MetricKind, Sample};
use crate::tls::Tls;

/// What syslog is told.
#[derive(Debug, Clone)]
pub struct SyslogEdge {
    /// Whose records come in.
    pub tenant: TenantId,
    /// Bytes of one message; a longer one is cut, and says so.
    pub message_bytes_max: usize,
    /// Connections open at once on each listener; more wait in the kernel's queue.
    pub connections_max: usize,
    /// Silence after which a connection is closed.
    pub idle_timeout: Duration,
    /// Time that messages in flight have at shutdown.
    pub drain_max: Duration,
    /// Messages stored and dropped, shared with the status file.
    pub counters: Arc<SyslogCounters>,
}

impl Default for SyslogEdge {
    fn default() -> SyslogEdge {
        SyslogEdge {
            tenant: TenantId::default(),
            message_bytes_max: 64 * 1024,
            connections_max: 256,
            idle_timeout: Duration::from_secs(3600),
            drain_max: Duration::from_secs(15),
            counters: Arc::default(),
        }
    }
}

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Tcp = 0,
    Udp = 1,
    Tls = 2,
}

const TRANSPORTS: [&str; 3] = ["tcp", "udp", "tls"];

/// Messages stored and dropped, by transport.
#[derive(Debug, Default)]
pub struct SyslogCounters {
    stored: [AtomicU64; 3],
    dropped: [AtomicU64; 3],
}

impl SyslogCounters {
    /// The counts as metrics of the status file.
    pub fn metrics(&self) -> Vec<Metric> {
        let metric = |name: &str, help: &str, counts: &[AtomicU64; 3]| Metric {
            name: name.to_owned(),
            help: help.to_owned(),
            kind: MetricKind::Counter,
            samples: TRANSPORTS
                .iter()
                .zip(counts)
                .map(|(transport, count)| Sample {
                    labels: [("transport".to_owned(), (*transport).to_owned())].into(),
                    value: count.load(Ordering::Relaxed) as f64,
                })
                .collect(),
        };
        vec![
            metric("spyhop_syslog_messages_total", "Syslog messages made durable.", &self.stored),
            metric("spyhop_syslog_dropped_total", "Syslog messages that could not be taken.", &self.dropped),
        ]
    }
}

/// What connections and datagrams share.
struct Shared {
    ingest: Ingest,
    edge: SyslogEdge,
    /// The moment that the last message was given.
    last: AtomicI64,
}

impl Shared {
    /// A moment for a message: now, and one that no other message has.
    fn moment(&self) -> i64 {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX);
        let next = |last: i64| now.max(last.saturating_add(1));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        next(last.unwrap_or_default())
    }

    /// Makes messages durable once.
    async fn try_store(&self, translation: &Translation, request: &Bytes) -> Result<(), ExportError> {
        let admission = self.ingest.admit(request.len()).await?;
        let request = ExportRequest {
            tenant: self.edge.tenant.clone(),
            signal: translation.signal,
            encoding: Encoding::Protobuf,
            body: request.clone(),
            admission,
            turned_away: Vec::new(),
        };
        self.ingest.export(request).await.map(drop)
    }

    fn count(&self, transport: Transport, records: u32, is_stored: bool) {
        let counters = &self.edge.counters;
        let counts = if is_stored { &counters.stored } else { &counters.dropped };
        counts[transport as usize].fetch_add(u64::from(records), Ordering::Relaxed);
    }
}

/// When to try again, where that helps.
fn retry_after(error: &ExportError) -> Option<Duration> {
    match error {
        ExportError::Overloaded { retry_after }
        | ExportError::Unavailable { retry_after, .. }
        | ExportError::OverRate { retry_after, .. } => Some(*retry_after),
        ExportError::Invalid { .. } | ExportError::Rejected { .. } | ExportError::TooLarge { .. } => None,
    }
}

/// Sockets that syslog comes in at.
#[derive(Debug, Default)]
pub struct SyslogSockets {
    /// Listeners, and what is spoken on them where it is TLS. Its files are looked after elsewhere.
    pub streams: Vec<(net::TcpListener, Option<Tls>)>,
    /// Where datagrams come in.
    pub datagrams: Vec<net::UdpSocket>,
}

/// Serves until `shutdown` is ready; then nothing more is read, and what was read is made durable within the grace.
///
/// # Errors
/// When a socket cannot be handed to the runtime.
pub async fn serve_syslog(
    sockets: SyslogSockets,
    ingest: Ingest,
    edge: SyslogEdge,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let drain_max = edge.drain_max;
    let shared = Arc::new(Shared { ingest, edge, last: AtomicI64::new(0) });
    let (stop, stopped) = watch::channel(false);
    let mut loops = JoinSet::new();
    for (listener, tls) in sockets.streams {
        listener.set_nonblocking(true)?;
        loops.spawn(tcp::accept(TcpListener::from_std(listener)?, tls, shared.clone(), stopped.clone()));
    }
    for socket in sockets.datagrams {
        socket.set_nonblocking(true)?;
        loops.spawn(udp::receive(UdpSocket::from_std(socket)?, shared.clone(), stopped.clone()));
    }
    drop(stopped);
    shutdown.await;
    stop.send_replace(true);
    let drained = async { while loops.join_next().await.is_some() {} };
    if tokio::time::timeout(drain_max, drained).await.is_err() {
        tracing::warn!("syslog messages that could not be made durable within the grace are dropped");
    }
    Ok(())
}
