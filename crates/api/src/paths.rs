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

/// New log records as they are stored, over server-sent events.
pub const LOGS_TAIL: &str = "/api/v1/logs/tail";
/// One service in full: RED over time, instances, latest errors.
pub const SERVICE: &str = "/api/v1/services/{name}";
/// Operations of a service.
pub const OPERATIONS: &str = "/api/v1/services/{name}/operations";
/// Services and what they call.
pub const SERVICE_MAP: &str = "/api/v1/service-map";
/// The metrics catalog.
pub const METRICS: &str = "/api/v1/metrics";
/// Series of one metric, named by `metric=`.
pub const METRICS_SERIES: &str = "/api/v1/metrics/series";
/// Values of one metric over time, named by `metric=`.
pub const METRICS_RANGE: &str = "/api/v1/metrics/range";

/// Endpoints that are named but not there yet: they answer 501 and say so.
pub const LATER: &[&str] = &["/api/v1/logs/facets", "/api/v1/logs/context"];
