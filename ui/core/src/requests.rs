//! What the pages ask the server: one function per request, so that paths and parameter names stand in one place.

use api::paths;

use crate::metrics::MetricsState;
use crate::params::Params;
use crate::range::Window;
use crate::state::{LogsState, TracesState};

/// Rows of the first page of a list: a few screens, so that they are there soon.
pub const FIRST_ROWS: usize = 100;
/// Rows of every further page of a list.
pub const PAGE_ROWS: usize = 500;
/// Metrics listed; a longer list is searched, not scrolled.
pub const METRICS_MAX: usize = 500;
/// Series that labels are gathered from.
pub const SERIES_MAX: usize = 1_000;
/// Traces of one page.
pub const PAGE_TRACES: usize = 100;

fn ranged(window: Window) -> Params {
    let mut params = Params::default();
    params.set("start", &window.start.to_string());
    params.set("end", &window.end.to_string());
    params
}

/// A page of log records, newest first; `cursor` continues an earlier page of the same window.
pub fn logs(query: &str, window: Window, limit: usize, cursor: Option<&str>) -> String {
    let mut params = ranged(window);
    params.set("query", query);
    params.set("limit", &limit.to_string());
    params.set("cursor", cursor.unwrap_or_default());
    params.behind(paths::LOGS)
}

/// The newest record there is, whatever its time.
pub fn newest_log(query: &str) -> String {
    let mut params = Params::default();
    params.set("query", query);
    params.set("limit", "1");
    params.behind(paths::LOGS)
}

/// Counts of log records in about `steps` steps.
pub fn log_histogram(state: &LogsState, window: Window, steps: usize) -> String {
    let mut params = ranged(window);
    params.set("query", &state.query);
    params.set("steps", &steps.to_string());
    params.behind(paths::LOGS_HISTOGRAM)
}

/// A page of traces.
pub fn traces(state: &TracesState, window: Window, cursor: Option<&str>) -> String {
    let mut params = ranged(window);
    params.set("query", &state.query);
    params.set("service", &state.service);
    params.set("operation", &state.operation);
    params.set("duration_min", &state.duration_min);
    if state.errors_only {
        params.set("errors_only", "true");
    }
    params.set("limit", &PAGE_TRACES.to_string());
    params.set("cursor", cursor.unwrap_or_default());
    params.behind(paths::TRACES)
}

/// Spans of a trace from which on it is drawn before it is whole.
const WHOLE_SPANS_MAX: usize = 2_000;

/// One trace with everything that carries its id, each resource and scope once; a large one in brief.
pub fn trace(id: &str) -> String {
    format!("{}&brief_above={WHOLE_SPANS_MAX}", trace_whole(id))
}

/// As [`trace`], with all attributes, events and links however many spans there are.
pub fn trace_whole(id: &str) -> String {
    format!("{}/{}?shared=true", paths::TRACES, crate::params::encode(id).replace('/', "%2F"))
}

/// Services of a window.
pub fn services(window: Window) -> String {
    ranged(window).behind(paths::SERVICES)
}

/// What became of the records that arrived in a window, in about `steps` steps.
pub fn ingest(window: Window, steps: usize) -> String {
    let mut params = ranged(window);
    params.set("steps", &steps.to_string());
    params.behind(paths::INGEST)
}

/// The counts of ingest since it started and where to send to, without the ledger.
pub fn ingest_status() -> String {
    format!("{}?status_only=true", paths::INGEST)
}

/// New log records as they come; `from` is where an earlier stream broke off.
pub fn log_tail(query: &str, from: Option<&str>) -> String {
    let mut params = Params::default();
    params.set("query", query);
    params.set("from", from.unwrap_or_default());
    params.behind(paths::LOGS_TAIL)
}

/// Metrics of a window whose name or description holds the words.
pub fn metrics(search: &str, window: Window) -> String {
    let mut params = ranged(window);
    params.set("query", search);
    params.set("limit", &METRICS_MAX.to_string());
    params.behind(paths::METRICS)
}

/// The series of a metric and their labels.
pub fn metric_series(metric: &str, window: Window) -> String {
    let mut params = ranged(window);
    params.set("metric", metric);
    params.set("limit", &SERIES_MAX.to_string());
    params.behind(paths::METRICS_SERIES)
}

/// Values of a metric over time.
pub fn metric_range(state: &MetricsState, window: Window) -> String {
    let mut params = ranged(window);
    params.set("metric", &state.metric);
    params.set("function", &state.function);
    params.set("quantile", &state.quantile);
    params.set("group_by", &state.group_by.join(","));
    params.set("filter", &state.filter);
    params.set("exemplars", "true");
    params.behind(paths::METRICS_RANGE)
}

/// Services of a window with their series in about `steps` steps.
pub fn services_over_time(window: Window, steps: usize) -> String {
    stepped(window, steps).behind(paths::SERVICES)
}

/// One service in full.
pub fn service(name: &str, window: Window, steps: usize) -> String {
    stepped(window, steps).behind(&named(paths::SERVICE, name))
}

/// Operations of a service.
pub fn operations(name: &str, window: Window, steps: usize) -> String {
    stepped(window, steps).behind(&named(paths::OPERATIONS, name))
}

/// Who calls whom; with a service, it and whom it calls or is called by.
pub fn service_map(window: Window, service: &str) -> String {
    let mut params = ranged(window);
    params.set("service", service);
    params.behind(paths::SERVICE_MAP)
}

fn stepped(window: Window, steps: usize) -> Params {
    let mut params = ranged(window);
    params.set("steps", &steps.to_string());
    params
}

/// A path with its `{name}` filled in.
fn named(path: &str, name: &str) -> String {
    path.replace("{name}", &crate::params::encode(name).replace('/', "%2F"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_urls() {
        let window = Window { start: 5, end: 9 };
        assert_eq!(
            logs("a b", window, 500, Some("c+d")),
            "/api/v1/logs?start=5&end=9&query=a%20b&limit=500&cursor=c%2Bd"
        );
        let state = TracesState { service: "cart".into(), errors_only: true, ..Default::default() };
        assert_eq!(
            traces(&state, window, None),
            "/api/v1/traces?start=5&end=9&service=cart&errors_only=true&limit=100"
        );
        let state = MetricsState { metric: "m".into(), group_by: vec!["a".into(), "b".into()], ..Default::default() };
        assert_eq!(
            metric_range(&state, window),
            "/api/v1/metrics/range?start=5&end=9&metric=m&group_by=a,b&exemplars=true"
        );
        assert_eq!(trace("../x?"), "/api/v1/traces/..%2Fx%3F?shared=true&brief_above=2000");
        assert_eq!(service("../x y", window, 60), "/api/v1/services/..%2Fx%20y?start=5&end=9&steps=60");
        assert_eq!(operations("cart", window, 40), "/api/v1/services/cart/operations?start=5&end=9&steps=40");
        assert_eq!(service_map(window, ""), "/api/v1/service-map?start=5&end=9");
    }
}
