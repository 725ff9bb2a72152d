//! An HTTP client for OTLP (HTTP and gRPC) and for the API: no retries of its own, so that tests see every answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Frame;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::events::Events;
use crate::payload::{Payload, Signal};
use crate::processes::pause;

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers, and trailers where there were any.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON of this type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("{}: not what was expected: {}", self.status, self.text()))
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// How long [`Client::send_until_acknowledged`] goes on.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// In all.
    pub total: Duration,
    /// For one attempt.
    pub attempt: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { total: Duration::from_secs(60), attempt: Duration::from_secs(10) }
    }
}

/// A body that stalls after its first bytes.
struct Stalled(Option<Bytes>);

impl hyper::body::Body for Stalled {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.0.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Poll::Pending,
        }
    }
}

/// A client of one server. Clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    http1: Pool<HttpConnector, Full<Bytes>>,
    http2: Pool<HttpConnector, Full<Bytes>>,
    otlp_http: String,
    otlp_grpc: String,
    api: String,
}

impl Client {
    /// A client for a server on loopback with these ports.
    pub fn new(grpc_port: u16, http_port: u16, api_port: u16) -> Client {
        let builder = || {
            let mut builder = Pool::builder(TokioExecutor::new());
            builder.pool_timer(TokioTimer::new()).pool_idle_timeout(Duration::from_secs(20));
            builder
        };
        Client {
            http1: builder().build(HttpConnector::new()),
            http2: builder().http2_only(true).build(HttpConnector::new()),
            otlp_http: format!("http://127.0.0.1:{http_port}"),
            otlp_grpc: format!("http://127.0.0.1:{grpc_port}"),
            api: format!("http://127.0.0.1:{api_port}"),
        }
    }

    /// Where the UI and the API are.
    pub fn api_url(&self) -> &str {
        &self.api
    }

    /// Where OTLP over HTTP goes.
    pub fn otlp_http_url(&self) -> &str {
        &self.otlp_http
    }

    /// Where OTLP over gRPC goes.
    pub fn otlp_grpc_url(&self) -> &str {
        &self.otlp_grpc
    }

    /// Sends a request over OTLP/HTTP once.
    pub async fn send(&self, payload: &Payload) -> Result<Answer> {
        let mut request = Request::post(format!("{}{}", self.otlp_http, payload.signal.path()))
            .header("content-type", payload.encoding.content_type());
        if payload.gzip {
            request = request.header("content-encoding", "gzip");
        }
        self.exchange(&self.http1, request.body(Full::new(payload.body.clone()))?).await
    }

    /// Sends a request over gRPC once; the status is in `grpc-status`.
    pub async fn send_grpc(&self, signal: Signal, message: &impl prost::Message) -> Result<Answer> {
        let encoded = message.encode_to_vec();
        let mut frame = BytesMut::with_capacity(encoded.len() + 5);
        frame.put_u8(0);
        frame.put_u32(encoded.len() as u32);
        frame.put_slice(&encoded);
        let request = Request::post(format!("{}{}", self.otlp_grpc, signal.grpc_path()))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(frame.freeze()))?;
        self.exchange(&self.http2, request).await
    }

    /// Makes a gRPC call of these bytes, frames and all, with these headers beside the usual ones.
    pub async fn grpc_call(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Result<Answer> {
        let mut request = Request::post(format!("{}{path}", self.otlp_grpc)).header("te", "trailers");
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/grpc");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.exchange(&self.http2, request.body(Full::new(body.into()))?).await
    }

    /// The same with a body that never ends after these bytes.
    pub async fn grpc_call_stalled(&self, path: &str, headers: &[(&str, &str)], begin: Vec<u8>) -> Result<Answer> {
        let pool: Pool<HttpConnector, Stalled> =
            Pool::builder(TokioExecutor::new()).http2_only(true).build(HttpConnector::new());
        let mut request = Request::post(format!("{}{path}", self.otlp_grpc)).header("te", "trailers");
        request = request.header("content-type", "application/grpc");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = pool.request(request.body(Stalled(Some(begin.into())))?).await.context("no answer")?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.context("the answer broke off")?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    /// Sends the same bytes again and again until they are acknowledged, as OTLP clients do; returns the attempts.
    ///
    /// # Errors
    /// When the request is refused for good, or patience ends.
    pub async fn send_until_acknowledged(&self, payload: &Payload, patience: Patience) -> Result<u32> {
        let begun = Instant::now();
        let mut attempts = 0;
        let mut last = String::from("no attempt was made");
        while begun.elapsed() < patience.total {
            attempts += 1;
            match tokio::time::timeout(patience.attempt, self.send(payload)).await {
                Ok(Ok(answer)) if answer.status.is_success() => return Ok(attempts),
                Ok(Ok(answer)) if matches!(answer.status.as_u16(), 429 | 502 | 503 | 504) => {
                    last = format!("{} {}", answer.status, answer.text());
                }
                Ok(Ok(answer)) => bail!("refused for good: {} {}", answer.status, answer.text()),
                Ok(Err(error)) => last = format!("{error:#}"),
                Err(_) => last = format!("no answer within {:?}", patience.attempt),
            }
            pause(50).await;
        }
        bail!("not acknowledged after {attempts} attempts in {:?}: {last}", begun.elapsed())
    }

    /// GET of a path of the API, with its query.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        let request = Request::get(format!("{}{path}", self.api)).body(Full::default())?;
        self.exchange(&self.http1, request).await
    }

    /// GET of server-sent events, which must begin; `last_event_id` is where they are to go on.
    pub async fn events(&self, path: &str, last_event_id: Option<&str>) -> Result<Events> {
        let mut request = Request::get(format!("{}{path}", self.api));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = self.http1.request(request.body(Full::default())?).await.context("no answer")?;
        if response.status() != StatusCode::OK {
            let (status, body) = (response.status(), response.into_body().collect().await?.to_bytes());
            bail!("GET {path}: {status} {}", String::from_utf8_lossy(&body));
        }
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        if kind != Some("text/event-stream") {
            bail!("GET {path}: these are no events but {kind:?}");
        }
        Ok(Events::new(response.into_body()))
    }

    /// GET that must succeed, as this type.
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self.get(path).await?;
        if !answer.status.is_success() {
            bail!("GET {path}: {} {}", answer.status, answer.text());
        }
        answer.json()
    }

    /// POST of a JSON value to a path of the API.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        let request = Request::post(format!("{}{path}", self.api))
            .header("content-type", "application/json")
            .body(Full::from(body.to_string()))?;
        self.exchange(&self.http1, request).await
    }

    /// SQL that must succeed.
    pub async fn sql(&self, query: &str) -> Result<api::SqlAnswer> {
        let answer = self.post(api::paths::SQL, &json!({"query": query})).await?;
        if !answer.status.is_success() {
            bail!("{query}: {} {}", answer.status, answer.text());
        }
        answer.json()
    }

    /// The integer in the first row and column of a SQL answer.
    pub async fn sql_count(&self, query: &str) -> Result<i64> {
        let answer = self.sql(query).await?;
        let value = answer.rows.first().and_then(|row| row.first()).cloned().unwrap_or_default();
        value.as_i64().with_context(|| format!("{query}: {value} is no integer"))
    }

    /// GET on the port of OTLP over HTTP.
    pub async fn get_ingest(&self, path: &str) -> Result<Answer> {
        let request = Request::get(format!("{}{path}", self.otlp_http)).body(Full::default())?;
        self.exchange(&self.http1, request).await
    }

    async fn exchange(&self, pool: &Pool<HttpConnector, Full<Bytes>>, request: Request<Full<Bytes>>) -> Result<Answer> {
        let response = pool.request(request).await.context("no answer")?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.context("the answer broke off")?;
        let mut headers = head.headers;
        if let Some(trailers) = body.trailers() {
            headers.extend(trailers.clone());
        }
        Ok(Answer { status: head.status, headers, body: body.to_bytes() })
    }
}
