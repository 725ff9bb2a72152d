//! Page state as URLs hold it: every state is a link, defaults are left out, unknown parameters survive.

use crate::params::Params;
use crate::range::RangeText;

/// State that lives in a URL's query.
pub trait UrlState: Sized {
    /// Path of the page.
    const PATH: &'static str;
    /// Reads the state; what makes no sense is the default.
    fn read(params: &Params) -> Self;
    /// Writes the state over the parameters.
    fn write(&self, params: &mut Params);

    /// Reads the state of a URL's query.
    fn parse(query: &str) -> Self {
        Self::read(&Params::parse(query))
    }

    /// The state's query behind the page's path, keeping what else `query` holds.
    fn url_over(&self, query: &str) -> String {
        let mut params = Params::parse(query);
        self.write(&mut params);
        params.behind(Self::PATH)
    }

    /// The state's URL.
    fn url(&self) -> String {
        self.url_over("")
    }
}

/// Reads `from` and `to`.
pub fn read_range(params: &Params) -> RangeText {
    let default = RangeText::default();
    match (params.get("from"), params.get("to")) {
        (Some(from), to) => RangeText { from: from.to_owned(), to: to.unwrap_or("now").to_owned() },
        (None, _) => default,
    }
}

/// Writes `from` and `to`; the default leaves both out.
pub fn write_range(params: &mut Params, range: &RangeText) {
    let is_default = *range == RangeText::default();
    params.set("from", if is_default { "" } else { &range.from });
    params.set("to", if is_default || range.to == "now" { "" } else { &range.to });
}

/// The log record a panel shows: its time, to find it again, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPanel {
    /// Time of the record in Unix nanoseconds.
    pub time: i64,
    /// [`crate::logs::key`] of the record.
    pub key: u64,
}

impl LogPanel {
    fn parse(text: &str) -> Option<LogPanel> {
        let (time, key) = text.strip_prefix("log:")?.split_once(':')?;
        Some(LogPanel { time: time.parse().ok()?, key: u64::from_str_radix(key, 16).ok()? })
    }
}

/// `/logs`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogsState {
    /// The filter.
    pub query: String,
    /// The time range.
    pub range: RangeText,
    /// Whether new records are fetched as they come.
    pub live: bool,
    /// The record shown beside the list.
    pub panel: Option<LogPanel>,
    /// The panel's tab; empty is the first.
    pub tab: String,
}

impl UrlState for LogsState {
    const PATH: &'static str = "/logs";

    fn read(params: &Params) -> Self {
        LogsState {
            query: params.get("q").unwrap_or_default().to_owned(),
            range: read_range(params),
            live: params.get("live") == Some("1"),
            panel: params.get("panel").and_then(LogPanel::parse),
            tab: params.get("tab").unwrap_or_default().to_owned(),
        }
    }

    fn write(&self, params: &mut Params) {
        params.set("q", &self.query);
        write_range(params, &self.range);
        params.set_flag("live", self.live);
        let panel = self.panel.as_ref().map(|panel| format!("log:{}:{:016x}", panel.time, panel.key));
        params.set("panel", &panel.unwrap_or_default());
        params.set("tab", if self.panel.is_some() { &self.tab } else { "" });
    }
}

/// `/traces`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TracesState {
    /// The filter, over spans.
    pub query: String,
    /// The time range.
    pub range: RangeText,
    /// Only traces with a span of this service.
    pub service: String,
    /// Only traces with a span of this name.
    pub operation: String,
    /// Only traces with an error.
    pub errors_only: bool,
    /// Least duration as typed: `100ms`.
    pub duration_min: String,
}

impl UrlState for TracesState {
    const PATH: &'static str = "/traces";

    fn read(params: &Params) -> Self {
        let text = |name: &str| params.get(name).unwrap_or_default().to_owned();
        TracesState {
            query: text("q"),
            range: read_range(params),
            service: text("service"),
            operation: text("operation"),
            errors_only: params.get("errors") == Some("1"),
            duration_min: text("min"),
        }
    }

    fn write(&self, params: &mut Params) {
        params.set("q", &self.query);
        write_range(params, &self.range);
        params.set("service", &self.service);
        params.set("operation", &self.operation);
        params.set_flag("errors", self.errors_only);
        params.set("min", &self.duration_min);
    }
}

impl TracesState {
    /// Whether anything but the time range narrows the list.
    pub fn is_filtered(&self) -> bool {
        *self != TracesState { range: self.range.clone(), ..TracesState::default() }
    }
}

/// `/traces/{id}`; the id is in the path.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TraceState {
    /// Id of the span shown beside the waterfall.
    pub span: String,
    /// The panel's tab; empty is the first.
    pub tab: String,
    /// What is looked for.
    pub find: String,
    /// Whether log records are left out of the waterfall.
    pub hides_logs: bool,
    /// Part of the trace shown, as shares of its length; `None` is all of it.
    pub zoom: Option<(f64, f64)>,
}

impl UrlState for TraceState {
    const PATH: &'static str = "/traces";

    fn read(params: &Params) -> Self {
        let text = |name: &str| params.get(name).unwrap_or_default().to_owned();
        TraceState {
            span: text("span"),
            tab: text("tab"),
            find: text("find"),
            hides_logs: params.get("logs") == Some("0"),
            zoom: params.get("zoom").and_then(parse_zoom),
        }
    }

    fn write(&self, params: &mut Params) {
        params.set("span", &self.span);
        params.set("tab", if self.span.is_empty() { "" } else { &self.tab });
        params.set("find", &self.find);
        params.set("logs", if self.hides_logs { "0" } else { "" });
        let zoom = self.zoom.map(|(from, to)| format!("{from:.6}-{to:.6}"));
        params.set("zoom", &zoom.unwrap_or_default());
    }
}

impl TraceState {
    /// The URL of this state of a trace, keeping what else `query` holds.
    pub fn url_of(&self, trace_id: &str, query: &str) -> String {
        let mut params = Params::parse(query);
        self.write(&mut params);
        params.behind(&trace_path(trace_id))
    }
}

/// Path of a trace's page.
pub fn trace_path(trace_id: &str) -> String {
    format!("/traces/{}", crate::params::encode(trace_id).replace('/', "%2F"))
}

fn parse_zoom(text: &str) -> Option<(f64, f64)> {
    let (from, to) = text.split_once('-')?;
    let (from, to): (f64, f64) = (from.parse().ok()?, to.parse().ok()?);
    (from >= 0.0 && to <= 1.0 && to - from >= 1e-6).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_round_trip() {
        let check = |state: LogsState| assert_eq!(LogsState::parse(&state.url()[5..]), state, "{}", state.url());
        check(LogsState::default());
        check(LogsState {
            query: "service:a AND \"x & y\" 日".into(),
            range: RangeText { from: "2026-11-21T19:00:00Z".into(), to: "now-5m".into() },
            live: true,
            panel: Some(LogPanel { time: -5, key: u64::MAX }),
            tab: "json".into(),
        });
        assert_eq!(LogsState::default().url(), "/logs");
        assert_eq!(LogsState { query: "x".into(), ..Default::default() }.url_over("later=1&q=y"), "/logs?later=1&q=x");
    }

    #[test]
    fn traces_round_trip() {
        let state = TracesState {
            service: "checkout".into(),
            operation: "POST /a b".into(),
            errors_only: true,
            duration_min: "1.2s".into(),
            query: "q".into(),
            ..Default::default()
        };
        assert_eq!(TracesState::parse(&state.url()["/traces".len()..]), state);
        assert!(state.is_filtered() && !TracesState::default().is_filtered());
    }

    #[test]
    fn trace_round_trip() {
        let state = TraceState {
            span: "00ff".into(),
            tab: "logs".into(),
            find: "GET /".into(),
            hides_logs: true,
            zoom: Some((0.25, 0.5)),
        };
        let url = state.url_of("ab", "from=now-2d");
        assert_eq!(url, "/traces/ab?from=now-2d&span=00ff&tab=logs&find=GET%20/&logs=0&zoom=0.250000-0.500000");
        assert_eq!(TraceState::parse(url.split_once('?').expect("a query").1), state);
    }

    #[test]
    fn hostile_urls_are_defaults() {
        assert_eq!(LogsState::parse("panel=log:x:y&live=yes"), LogsState::default());
        for zoom in ["1-0", "NaN-1", "-1", "0.5", "0-2"] {
            assert_eq!(TraceState::parse(&format!("zoom={zoom}")).zoom, None);
        }
        assert_eq!(trace_path("../x"), "/traces/..%2Fx");
    }
}
