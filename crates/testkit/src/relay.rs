//! A relay between OTLP clients and a server: passes requests on as they are and keeps what was sent and answered.
//!
//! Where the server goes away in the middle of a request, so does the client's connection, without an answer; while
//! the relay is closed nobody listens on its ports. So a client sees what it would see of the server itself.

use std::convert::Infallible;
use std::io::Read;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

/// How long a graceful end waits for answers that are under way.
const GRACE: Duration = Duration::from_secs(10);

/// One request and what became of it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// When it had arrived whole.
    pub at: Instant,
    /// `/v1/logs`, or the path of a gRPC method.
    pub path: String,
    /// The media type.
    pub content_type: String,
    /// The message, inflated and out of its gRPC frame.
    pub message: Bytes,
    /// What came back.
    pub outcome: Outcome,
}

/// What came back for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// An answer over HTTP with this status.
    Http(u16),
    /// An answer over gRPC with this status.
    Grpc(u16),
    /// No answer.
    Broken,
}

impl Outcome {
    /// Whether the client was told that its records are stored.
    pub fn is_success(self) -> bool {
        matches!(self, Outcome::Http(200..300) | Outcome::Grpc(0))
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// What connections share.
struct Shared {
    http1: Pool<HttpConnector, Full<Bytes>>,
    http2: Pool<HttpConnector, Full<Bytes>>,
    exchanges: Mutex<Vec<Exchange>>,
}

/// Listens on two ports of its own for a server's two. Ends with the test.
pub struct Relay {
    shared: Arc<Shared>,
    /// Own port and the server's, for gRPC and HTTP.
    ports: [(u16, u16); 2],
    listening: Vec<JoinHandle<()>>,
    ending: watch::Sender<bool>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listening.drain(..).for_each(|task| task.abort());
    }
}

impl Relay {
    /// A relay to the server's ports for gRPC and HTTP, open.
    pub async fn to(grpc_port: u16, http_port: u16) -> Result<Relay> {
        let pool = || Pool::builder(TokioExecutor::new());
        let shared = Shared {
            http1: pool().build(HttpConnector::new()),
            http2: pool().http2_only(true).build(HttpConnector::new()),
            exchanges: Mutex::new(Vec::new()),
        };
        let mut relay = Relay {
            shared: Arc::new(shared),
            ports: [(0, grpc_port), (0, http_port)],
            listening: Vec::new(),
            ending: watch::channel(false).0,
        };
        relay.open().await?;
        Ok(relay)
    }

    /// Own ports for gRPC and HTTP.
    pub fn ports(&self) -> [u16; 2] {
        self.ports.map(|(own, _)| own)
    }

    /// Listens again, on the same ports.
    pub async fn open(&mut self) -> Result<()> {
        self.ending.send_replace(false);
        for (own, target) in &mut self.ports {
            let listener = TcpListener::bind(("127.0.0.1", *own)).await.context("the relay's port is taken")?;
            *own = listener.local_addr()?.port();
            self.listening.push(tokio::spawn(listen(listener, *target, self.shared.clone(), self.ending.subscribe())));
        }
        Ok(())
    }

    /// Breaks every connection and stops listening, as a server does that is killed.
    pub fn kill(&mut self) {
        self.listening.drain(..).for_each(|task| task.abort());
    }

    /// Stops listening, lets every request that has begun have its answer and ends the connections.
    pub async fn close(&mut self) -> Result<()> {
        self.ending.send_replace(true);
        for task in self.listening.drain(..) {
            if tokio::time::timeout(GRACE, task).await.is_err() {
                bail!("a connection does not end");
            }
        }
        Ok(())
    }

    /// What has passed, in the order it came.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.exchanges().clone()
    }
}

impl Shared {
    fn exchanges(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts until it is told to end, then waits for the connections. Aborting it breaks them.
async fn listen(listener: TcpListener, target: u16, shared: Arc<Shared>, mut ending: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(serve(stream, target, shared.clone(), ending.clone()))),
                Err(_) => break,
            },
            () = told_to_end(&mut ending) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn told_to_end(ending: &mut watch::Receiver<bool>) {
    let _ = ending.wait_for(|end| *end).await;
}

async fn serve(stream: TcpStream, target: u16, shared: Arc<Shared>, mut ending: watch::Receiver<bool>) {
    let broken = Arc::new(Notify::new());
    let service = service_fn(|request| pass(request, target, shared.clone(), broken.clone()));
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = broken.notified() => return,
        () = told_to_end(&mut ending) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Passes one request on.
async fn pass(
    request: Request<Incoming>,
    target: u16,
    shared: Arc<Shared>,
    broken: Arc<Notify>,
) -> Result<Answer, anyhow::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let grpc = header_text(&head.headers, "content-type").starts_with("application/grpc");
    let at = {
        let mut exchanges = shared.exchanges();
        exchanges.push(Exchange {
            at: Instant::now(),
            path: head.uri.path().to_owned(),
            content_type: header_text(&head.headers, "content-type").to_owned(),
            message: if grpc {
                framed(&head.headers, &body)
            } else {
                inflated(&head.headers, "content-encoding", &body)
            },
            outcome: Outcome::Broken,
        });
        exchanges.len() - 1
    };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut onward = Request::builder().method(head.method).uri(format!("http://127.0.0.1:{target}{path}"));
    let own = [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::EXPECT];
    for (name, value) in head.headers.iter().filter(|(name, _)| !own.contains(name)) {
        onward = onward.header(name, value);
    }
    let pool = if head.version == Version::HTTP_2 { &shared.http2 } else { &shared.http1 };
    let answered = answer(pool, onward.body(Full::new(body))?).await;
    match answered {
        Ok((answer, outcome)) => {
            if let Some(exchange) = shared.exchanges().get_mut(at) {
                exchange.outcome = outcome;
            }
            Ok(answer)
        }
        Err(_) => {
            broken.notify_one();
            // No answer at all: one that breaks off would be a stream that is reset with an error, which clients take for
            // an answer. The connection ends instead, as that to a server that was killed does.
            std::future::pending().await
        }
    }
}

async fn answer(pool: &Pool<HttpConnector, Full<Bytes>>, request: Request<Full<Bytes>>) -> Result<(Answer, Outcome)> {
    let (mut head, body) = pool.request(request).await.context("no answer")?.into_parts();
    let collected = body.collect().await.context("the answer broke off")?;
    let trailers = collected.trailers().cloned();
    let status = |headers: &HeaderMap| headers.get("grpc-status")?.to_str().ok()?.parse().ok();
    let outcome = match status(&head.headers).or_else(|| trailers.as_ref().and_then(status)) {
        Some(code) => Outcome::Grpc(code),
        None => Outcome::Http(head.status.as_u16()),
    };
    for name in [header::TRANSFER_ENCODING, header::CONTENT_LENGTH] {
        head.headers.remove(name);
    }
    let body = Full::new(collected.to_bytes());
    // Without trailers nothing may follow the headers: that is what gRPC calls trailers-only.
    let body = match trailers {
        Some(trailers) => body.with_trailers(async move { Some(Ok(trailers)) }).boxed_unsync(),
        None => body.boxed_unsync(),
    };
    Ok((Response::from_parts(head, body), outcome))
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The message in a gRPC frame.
fn framed(headers: &HeaderMap, body: &Bytes) -> Bytes {
    match body.first() {
        Some(0) => body.slice(5.min(body.len())..),
        Some(_) => inflated(headers, "grpc-encoding", &body.slice(5.min(body.len())..)),
        None => Bytes::new(),
    }
}

/// What clients are known to send; other codings stay as they are.
fn inflated(headers: &HeaderMap, name: &str, body: &Bytes) -> Bytes {
    let mut out = Vec::new();
    let read = match header_text(headers, name) {
        "gzip" => flate2::read::MultiGzDecoder::new(&body[..]).read_to_end(&mut out).is_ok(),
        "zstd" => zstd::stream::copy_decode(&body[..], &mut out).is_ok(),
        _ => false,
    };
    if read { out.into() } else { body.clone() }
}
