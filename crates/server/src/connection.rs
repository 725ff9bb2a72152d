//! One connection: its handshake, its requests, and how it ends.
//!
//! A connection ends when its client closes it, when it falls silent, at shutdown, or for its age. Over HTTP/2 old age
//! is a GOAWAY: what is in flight is answered, and new requests go to a new connection. Over HTTP/1 the next answer
//! says `Connection: close`, since a connection that is closed between two requests may meet the second one on its
//! way and lose it. Whatever is still open after the grace is closed.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use http::{HeaderValue, Request, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt;

use crate::idle::IdleTimeout;
use crate::linger::Lingering;
use crate::query_edge::PeerAddress;
use crate::serve::ServeLimits;
use crate::tls::Tls;

/// What every connection is served with.
pub(crate) struct Terms {
    pub(crate) builder: auto::Builder<TokioExecutor>,
    pub(crate) router: Router,
    pub(crate) limits: ServeLimits,
    pub(crate) tls: Option<Tls>,
}

/// What the requests of a connection and its clock tell each other.
#[derive(Default)]
struct Age {
    is_old: AtomicBool,
    /// A request came over HTTP/1.
    is_http1: AtomicBool,
}

/// How far the end of an old connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Young,
    /// Asked to go.
    Old,
    /// Closed as soon as nothing is in flight.
    Closing,
}

impl Terms {
    /// Serves a connection to its end.
    pub(crate) async fn serve(&self, stream: TcpStream, peer: SocketAddr, stopped: watch::Receiver<bool>) {
        let idle_timeout = self.limits.idle_timeout;
        let wrap = |stream| IdleTimeout::new(Lingering::new(stream), idle_timeout);
        let Some(tls) = &self.tls else { return self.serve_stream(wrap(stream), peer, stopped).await };
        match tls.accept(stream, wrap).await {
            Ok(stream) => self.serve_stream(stream, peer, stopped).await,
            Err(error) => tracing::debug!(%error, "no TLS handshake"),
        }
    }

    async fn serve_stream<S>(&self, stream: S, peer: SocketAddr, mut stopped: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let age = Arc::new(Age::default());
        let service = service_fn(|request| answer(self.router.clone(), peer, age.clone(), request));
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(stream), service));
        let mut stage = Stage::Young;
        let mut is_stopping = false;
        let age_max = self.limits.connection_age_max.map(|age_max| spread(age_max, fastrand::f64()));
        let mut next = age_max.map(|age_max| Instant::now() + age_max);
        loop {
            let due = async move {
                match next {
                    Some(next) => sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                served = connection.as_mut() => {
                    if let Err(error) = served {
                        tracing::debug!(%error, "connection closed");
                    }
                    return;
                }
                _ = stopped.wait_for(|stop| *stop), if !is_stopping => {
                    is_stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = due => {
                    let Some(then) = later(stage) else { return tracing::debug!("an old connection is cut") };
                    stage = then;
                    next = Some(Instant::now() + self.limits.connection_age_grace);
                    age.is_old.store(true, Ordering::Relaxed);
                    if stage == Stage::Closing || !age.is_http1.load(Ordering::Relaxed) {
                        connection.as_mut().graceful_shutdown();
                    }
                }
            }
        }
    }
}

/// What follows when a stage's time is over; after the last one the connection is cut.
fn later(stage: Stage) -> Option<Stage> {
    match stage {
        Stage::Young => Some(Stage::Old),
        Stage::Old => Some(Stage::Closing),
        Stage::Closing => None,
    }
}

/// An age within a tenth of the one that is set, so that connections made together do not all end together.
fn spread(age_max: Duration, fraction: f64) -> Duration {
    age_max.mul_f64(0.9 + 0.2 * fraction)
}

async fn answer(
    router: Router,
    peer: SocketAddr,
    age: Arc<Age>,
    mut request: Request<Incoming>,
) -> Result<Response, Infallible> {
    request.extensions_mut().insert(PeerAddress(peer));
    let is_http1 = request.version() != Version::HTTP_2;
    if is_http1 {
        age.is_http1.store(true, Ordering::Relaxed);
    }
    let mut answer = router.oneshot(request).await?;
    if is_http1 && age.is_old.load(Ordering::Relaxed) {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_spread() {
        let check = |fraction, milliseconds| {
            assert_eq!(spread(Duration::from_secs(10), fraction), Duration::from_millis(milliseconds));
        };
        check(0.0, 9_000);
        check(0.5, 10_000);
        check(1.0, 11_000);
    }
}
