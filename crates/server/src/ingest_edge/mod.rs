//! The edge of the ingest role: OTLP over gRPC and over HTTP on every listener, the other doors (`doors`), `/livez` and
//! `/readyz`.
//!
//! One dispatcher serves both protocols: a request with a gRPC content type is a call, anything else is HTTP.
//! Paths are normalised first (`//v1/logs`, `/v1/logs/`). Both protocols end in one function that reads the body
//! under the byte budget, inflates it and hands it to `ingest` (`body`), and in one enum of what can go wrong
//! (`error`).
//!
//! Where credentials are configured, every request but health and preflights shows them before anything else of it is
//! looked at; an edge that is added later is behind the same door.

mod body;
mod cors;
mod counters;
mod doors;
mod error;
mod grpc;
mod http_edge;
mod media;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, Version, header};
use ingest::Ingest;
use model::TenantId;

use crate::credentials::{Credentials, Denied, Scope};

pub use cors::Cors;
pub use counters::{EdgeCounters, Protocol};

/// What the edge of ingest is told.
#[derive(Debug, Clone)]
pub struct IngestEdge {
    /// Whose records come in.
    pub tenant: TenantId,
    /// Most bytes of a request, on the wire and inflated alike.
    pub request_bytes_max: usize,
    /// Longest wait for the next bytes of a body.
    pub body_idle_timeout: Duration,
    /// Prefix before `/v1/...` that is accepted too, such as `/otlp`; empty for none.
    pub path_prefix: String,
    /// Longest time that the whole body of a request may take.
    pub request_time_max: Duration,
    /// Who may send.
    pub credentials: Credentials,
    /// Which browser origins may send.
    pub cors: Cors,
    /// Requests answered, shared with the status file.
    pub counters: Arc<EdgeCounters>,
}

impl Default for IngestEdge {
    fn default() -> Self {
        IngestEdge {
            tenant: TenantId::default(),
            request_bytes_max: 64 * 1024 * 1024,
            body_idle_timeout: Duration::from_secs(10),
            request_time_max: Duration::from_secs(60),
            credentials: Credentials::default(),
            path_prefix: String::new(),
            cors: Cors::default(),
            counters: Arc::default(),
        }
    }
}

/// What a request handler sees.
pub(crate) struct Edge {
    pub(crate) ingest: Ingest,
    pub(crate) settings: IngestEdge,
}

/// The router of the ingest role; the same one serves 4317 and 4318.
pub fn ingest_router(ingest: Ingest, settings: IngestEdge) -> Router {
    Router::new().fallback(dispatch).with_state(Arc::new(Edge { ingest, settings }))
}

async fn dispatch(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    if let Err(denied) = check_credentials(&edge, &request) {
        // What is no HTTP/2 is told so, whatever it shows.
        return match media::is_grpc(request.headers()) && request.version() == Version::HTTP_2 {
            true => grpc::refuse(&edge, &request, denied.into()),
            false => match door_of(&edge, &request) {
                Some(door) => doors::refuse(&edge, &door, request.headers().get(header::ORIGIN), denied.into()),
                None => http_edge::refuse(&edge, &request, denied.into()),
            },
        };
    }
    if media::is_grpc(request.headers()) {
        return grpc::serve(&edge, request).await;
    }
    let path = normalised(request.uri().path(), &edge.settings.path_prefix);
    let readable = matches!(*request.method(), Method::GET | Method::HEAD);
    match path.as_str() {
        "/livez" if readable => (StatusCode::OK, "ok\n").into_response(),
        "/readyz" if readable => readiness(&edge),
        _ => match doors::door(request.method(), &path) {
            Some(door) => doors::serve(&edge, door, request).await,
            None => http_edge::serve(&edge, &path, request).await,
        },
    }
}

/// Which other door a request is for.
fn door_of(edge: &Edge, request: &Request) -> Option<doors::Door> {
    doors::door(request.method(), &normalised(request.uri().path(), &edge.settings.path_prefix))
}

/// Whether a request may go on: health is for everyone, and a browser's preflight cannot carry credentials.
fn check_credentials(edge: &Edge, request: &Request) -> Result<(), Denied> {
    let is_open = match (request.method(), request.uri().path()) {
        (&Method::OPTIONS, _) => true,
        (&Method::POST, path) => path == grpc::HEALTH && media::is_grpc(request.headers()),
        (&Method::GET | &Method::HEAD, path) => matches!(path, "/livez" | "/readyz"),
        _ => false,
    };
    if is_open { Ok(()) } else { edge.settings.credentials.check(Scope::Send, request.headers()) }
}

fn readiness(edge: &Edge) -> Response {
    if edge.ingest.ready() {
        (StatusCode::OK, "ready\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: exports are refused, see the log\n").into_response()
    }
}

/// The path with repeated slashes, a closing slash and the configured prefix taken away.
fn normalised(path: &str, prefix: &str) -> String {
    let mut normal = String::with_capacity(path.len());
    for part in path.split('/').filter(|part| !part.is_empty()) {
        normal.push('/');
        normal.push_str(part);
    }
    let prefix = prefix.trim_end_matches('/');
    match normal.strip_prefix(prefix) {
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        _ => normal,
    }
}

/// Headers that choose a tenant; refused until tenants ship, so that nobody believes that they work.
const TENANT_HEADERS: [&str; 2] = ["x-scope-orgid", "x-spyhop-tenant"];

fn tenant_header(headers: &HeaderMap) -> Option<&'static str> {
    TENANT_HEADERS.into_iter().find(|name| headers.contains_key(*name))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn empty() -> Body {
    Body::empty()
}

#[cfg(test)]
mod tests;
