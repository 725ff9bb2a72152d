//! The edge of the query role: the native API, health, `/metrics`, and the UI.
//!
//! Handlers parse, make one call of `query`, and turn the answer into JSON. They run inside hyper's future of the
//! request and never spawn, so a client that goes away ends its query. Every error is a problem (`problem`);
//! endpoints that come later answer 501 and say so. `ROUTES` is the table that the 404, the parameter checks and
//! the test of the OpenAPI document share.

mod compression;
mod guard;
mod handlers;
mod health;
mod metric_handlers;
mod metrics;
mod ndjson;
mod parameters;
mod problem;
mod services;
mod tail;
mod ui_files;

use std::path::PathBuf;
use std::sync::Arc;

use api::paths;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use http::{HeaderValue, Method, StatusCode, header};
use model::TenantId;
use query::QueryService;

use crate::credentials::{Credentials, Scope};
pub(crate) use compression::PeerAddress;
use problem::Refusal;

/// What the edge of query is told.
#[derive(Debug, Clone, Default)]
pub struct QueryEdge {
    /// Whose records are asked about.
    pub tenant: TenantId,
    /// Folder of the status files.
    pub status_folder: PathBuf,
    /// Address that OTLP over gRPC is sent to, `host:port`; shown by the Connect page.
    pub otlp_grpc_address: String,
    /// Address that OTLP over HTTP is sent to, `host:port`.
    pub otlp_http_address: String,
    /// Host names that may be asked for beside `localhost` and addresses; `None` lets every name.
    pub allowed_hosts: Option<Vec<String>>,
    /// Who may ask.
    pub credentials: Credentials,
    /// Whether `/metrics` is answered without credentials, as `/livez` and `/readyz` are.
    pub are_metrics_open: bool,
    /// Answers to other machines are compressed from this size on.
    pub compress_bytes_min: usize,
}

/// What a handler sees.
pub(crate) struct Edge {
    query: QueryService,
    settings: QueryEdge,
}

/// An endpoint and the query parameters it knows.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) parameters: &'static [&'static str],
}

const fn read(path: &'static str, parameters: &'static [&'static str]) -> Route {
    Route { method: "get", path, parameters }
}

/// The correlated view of one trace.
pub(crate) const TRACE: &str = "/api/v1/traces/{trace_id}";

/// Every endpoint that is there, beside the UI.
pub(crate) const ROUTES: &[Route] = &[
    read(TRACE, &["shared", "brief_above"]),
    read(
        paths::TRACES,
        &[
            "query",
            "start",
            "end",
            "limit",
            "cursor",
            "service",
            "operation",
            "duration_min",
            "duration_max",
            "errors_only",
        ],
    ),
    read(paths::LOGS, &["query", "start", "end", "limit", "cursor", "direction"]),
    read(paths::LOGS_HISTOGRAM, &["query", "start", "end", "steps"]),
    read(paths::LOGS_TAIL, &["query", "last", "from"]),
    read(paths::SERVICES, &["start", "end", "steps"]),
    read(paths::SERVICE, &["start", "end", "steps"]),
    read(paths::OPERATIONS, &["start", "end", "limit", "steps"]),
    read(paths::SERVICE_MAP, &["start", "end", "service"]),
    read(paths::METRICS, &["query", "service", "start", "end", "limit"]),
    read(paths::METRICS_SERIES, &["metric", "type", "filter", "start", "end", "limit"]),
    read(
        paths::METRICS_RANGE,
        &["metric", "type", "start", "end", "step", "function", "quantile", "group_by", "filter", "exemplars", "limit"],
    ),
    Route { method: "post", path: paths::SQL, parameters: &[] },
    read(paths::INGEST, &["start", "end", "service", "steps", "status_only"]),
    read(paths::OPENAPI, &[]),
    read("/livez", &[]),
    read("/readyz", &[]),
    read("/metrics", &[]),
];

/// The query parameters of the endpoint at this path of the table.
fn known_parameters(path: &str) -> &'static [&'static str] {
    ROUTES.iter().find(|route| route.path == path).map_or(&[], |route| route.parameters)
}

/// The OpenAPI 3.1 document, written by hand.
pub(crate) const OPENAPI_DOCUMENT: &str = include_str!("../../openapi.json");

/// The router of the query role.
pub fn query_router(query: QueryService, settings: QueryEdge) -> Router {
    let edge = Arc::new(Edge { query, settings });
    let mut router = Router::new();
    for route in ROUTES {
        router = router.route(route.path, handler(route));
    }
    for path in paths::LATER {
        router = router.route(path, any(later));
    }
    router
        .fallback(elsewhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(edge.clone(), compression::compressed))
        .layer(middleware::from_fn_with_state(edge.clone(), guarded))
        .layer(middleware::map_response(async |answer: Response| guard::add_headers(answer)))
        .with_state(edge)
}

fn handler(route: &Route) -> MethodRouter<Arc<Edge>> {
    match route.path {
        TRACE => get(handlers::trace),
        paths::TRACES => get(handlers::traces),
        paths::LOGS => get(handlers::logs),
        paths::LOGS_HISTOGRAM => get(handlers::histogram),
        paths::LOGS_TAIL => get(tail::tail),
        paths::SERVICES => get(services::services),
        paths::SERVICE => get(services::service),
        paths::OPERATIONS => get(services::operations),
        paths::SERVICE_MAP => get(services::service_map),
        paths::METRICS => get(metric_handlers::metrics),
        paths::METRICS_SERIES => get(metric_handlers::series),
        paths::METRICS_RANGE => get(metric_handlers::range),
        paths::SQL => post(handlers::sql),
        paths::INGEST => get(handlers::ingest),
        paths::OPENAPI => get(openapi),
        "/livez" => get(health::livez),
        "/readyz" => get(health::readyz),
        "/metrics" => get(health::metrics),
        // A route without a handler answers like one that comes later; the test of the table finds it.
        _ => any(later),
    }
}

async fn guarded(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    if let Err(refusal) = guard::check(&request, edge.settings.allowed_hosts.as_deref()) {
        return refusal.into_response();
    }
    if is_open(&edge.settings, request.uri().path()) {
        return next.run(request).await;
    }
    match edge.settings.credentials.check(Scope::Read, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(denied) => {
            let mut answer = problem::denied(denied).into_response();
            denied.challenge(answer.headers_mut());
            answer
        }
    }
}

/// What is for everyone.
fn is_open(settings: &QueryEdge, path: &str) -> bool {
    matches!(path, "/livez" | "/readyz") || (path == "/metrics" && settings.are_metrics_open)
}

async fn later(request: Request) -> Refusal {
    let path = request.uri().path();
    Refusal::new(
        StatusCode::NOT_IMPLEMENTED,
        format!("{path} comes with a later version; {} lists what is there", paths::OPENAPI),
    )
}

async fn wrong_method(request: Request) -> Refusal {
    let allowed = match ROUTES.iter().find(|route| route.path == request.uri().path()) {
        Some(Route { method: "post", .. }) => "POST",
        _ => "GET",
    };
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} takes {allowed}", request.uri().path()))
}

/// Files and pages of the UI; any other path is a 404.
async fn elsewhere(request: Request) -> Response {
    let path = request.uri().path();
    if path == "/api" || path.starts_with("/api/") {
        let paths: Vec<&str> = ROUTES.iter().map(|route| route.path).filter(|path| path.starts_with("/api/")).collect();
        return Refusal::not_found(format!("no endpoint at this path; there are {}", paths.join(", "))).into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let detail = "OTLP is received on ports 4317 and 4318; this port has the UI and /api/v1";
        return Refusal::new(StatusCode::METHOD_NOT_ALLOWED, detail).into_response();
    }
    let page = ui_files::serve(ui_files::FILES, request.method(), path, request.headers());
    page.unwrap_or_else(|| Refusal::not_found("nothing at this path").into_response())
}

async fn openapi() -> Response {
    let mut answer = Response::new(Body::from(OPENAPI_DOCUMENT));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

#[cfg(test)]
mod tests;
