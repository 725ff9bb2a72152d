//! Serves a router on listeners that are already open, HTTP/1.1 and HTTP/2 with prior knowledge on each.
//!
//! Bounds (I7): connections in all, streams a connection, buffers a connection, the time a connection may lie
//! silent, first byte included, and how old it may get (`connection`). A connection over the bound waits in the
//! kernel's queue. On shutdown accepting stops, answers in flight are finished within the grace, HTTP/2 clients are
//! told to go away.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::connection::Terms;
use crate::tls::Tls;

/// Bounds on connections.
#[derive(Debug, Clone)]
pub struct ServeLimits {
    /// Connections open at once, over all listeners.
    pub connections_max: usize,
    /// HTTP/2 streams open at once on one connection.
    pub streams_per_connection_max: u32,
    /// Time without a byte in either direction after which a connection is closed; also the longest a client may
    /// take to send a request's head.
    pub idle_timeout: Duration,
    /// Age at which a client is asked to connect anew, so that load balancers can spread it; none where absent.
    pub connection_age_max: Option<Duration>,
    /// Time that requests in flight have then.
    pub connection_age_grace: Duration,
    /// Time that answers in flight have at shutdown.
    pub drain_max: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        ServeLimits {
            connections_max: 2048,
            streams_per_connection_max: 1000,
            idle_timeout: Duration::from_secs(60),
            connection_age_max: None,
            connection_age_grace: Duration::from_secs(30),
            drain_max: Duration::from_secs(15),
        }
    }
}

/// Most bytes of a request's headers.
const HEADER_BYTES_MAX: u32 = 32 * 1024;
/// Read buffer of an HTTP/1 connection; also bounds the request line and headers.
const BUFFER_BYTES_MAX: usize = 128 * 1024;
/// Bytes an HTTP/2 client may send ahead of what is read, for a stream and for a connection.
const WINDOW_BYTES: u32 = 1024 * 1024;
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until `shutdown` is ready, then drains. Needs a tokio runtime with time and I/O. With `tls`, nothing else is
/// spoken on any of the listeners.
///
/// # Errors
/// When a listener cannot be handed to the runtime.
pub async fn serve(
    listeners: Vec<std::net::TcpListener>,
    router: Router,
    limits: ServeLimits,
    tls: Option<Tls>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let permits = Arc::new(Semaphore::new(limits.connections_max));
    let (stop, stopped) = watch::channel(false);
    let mut loops = JoinSet::new();
    if let Some(tls) = tls.clone() {
        loops.spawn(tls.run(stopped.clone()));
    }
    let terms = Arc::new(Terms { builder: connection_builder(&limits), router, limits, tls });
    for listener in listeners {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        loops.spawn(accept_loop(listener, terms.clone(), permits.clone(), stopped.clone()));
    }
    shutdown.await;
    stop.send_replace(true);
    while loops.join_next().await.is_some() {}
    Ok(())
}

async fn accept_loop(
    listener: TcpListener,
    terms: Arc<Terms>,
    permits: Arc<Semaphore>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &permits) => accepted,
        };
        let Some((stream, peer, permit)) = accepted else { continue };
        let (terms, stopped) = (terms.clone(), stopped.clone());
        connections.spawn(async move {
            terms.serve(stream, peer, stopped).await;
            drop(permit);
        });
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(terms.limits.drain_max, drained).await.is_err() {
        tracing::warn!("connections still open after the grace are cut");
    }
    // What is left ends with the set.
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "cannot set TCP_NODELAY");
            }
            Some((stream, peer, permit))
        }
        Err(error) => {
            // Out of descriptors, or the client is gone already: neither is cured by trying at once.
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

fn connection_builder(limits: &ServeLimits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.idle_timeout).max_buf_size(BUFFER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_per_connection_max)
        // Clients with short deadlines give up many calls at once; they cost no more than calls that are open.
        .max_pending_accept_reset_streams(limits.streams_per_connection_max as usize)
        .max_header_list_size(HEADER_BYTES_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
