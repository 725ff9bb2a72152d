//! Paths of the HTTP API.

/// Prefix of the native API.
pub const API: &str = "/api/v1";
/// OpenAPI document.
pub const OPENAPI: &str = "/api/v1/openapi.json";
/// Search over traces; with `/{trace_id}` the correlated view of one.
pub const TRACES: &str = "/api/v1/traces";
/// Search over log records.
pub const LOGS: &str = "/api/v1/logs";
/// Counts of log records over time, by severity.
pub const LOGS_HISTOGRAM: &str = "/api/v1/logs/histogram";
/// Services seen in a time range.
pub const SERVICES: &str = "/api/v1/services";
/// SQL, by POST.
pub const SQL: &str = "/api/v1/sql";
/// What ingest has received, stored and refused.
pub const INGEST: &str = "/api/v1/ingest";

/// Endpoints that are named but not there yet: they answer 501 and say so.
pub const LATER: &[&str] = &[
    "/api/v1/logs/facets",
    "/api/v1/logs/context",
    "/api/v1/logs/tail",
    "/api/v1/services/{name}/operations",
    "/api/v1/service-map",
    "/api/v1/metrics",
];
