//! The metrics page without a browser: its state, what can be asked of which kind of metric, its lines and legend.
//!
//! Vocabulary: a *function* turns the series of a metric into lines (`rate`, `quantile` …); a *line* is a group of
//! series with its values; its *key* is its labels as text, which names it in the URL.

mod exemplars;
mod lines;

pub use exemplars::{Dot, dots};
pub use lines::{Legend, LegendColumn, Line, legend_order, lines};

use api::MetricSummary;

use crate::params::Params;
use crate::range::RangeText;
use crate::state::{UrlState, read_range, write_range};

/// Lines drawn at most; the legend says how many more there are.
pub const LINES_MAX: usize = 50;
/// Groups that are no labels, as the API has them, with the words for them.
pub const GROUPS: &[(&str, &str)] = &[("-", "All together"), ("*", "Each series")];

/// `/metrics`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetricsState {
    /// Words that the list is narrowed by.
    pub search: String,
    /// The time range.
    pub range: RangeText,
    /// The metric that is charted; empty for none.
    pub metric: String,
    /// What is done to its series; empty for what the server does by default.
    pub function: String,
    /// The quantile as text; empty for the default.
    pub quantile: String,
    /// Labels that lines are grouped by.
    pub group_by: Vec<String>,
    /// Filter over labels.
    pub filter: String,
    /// Key of the only line shown.
    pub only: String,
    /// What is below the chart; empty is the legend.
    pub tab: String,
}

impl UrlState for MetricsState {
    const PATH: &'static str = "/metrics";

    fn read(params: &Params) -> Self {
        let text = |name: &str| params.get(name).unwrap_or_default().to_owned();
        let group_by = text("by").split(',').filter(|label| !label.is_empty()).map(str::to_owned).collect();
        MetricsState {
            search: text("q"),
            range: read_range(params),
            metric: text("metric"),
            function: text("fn"),
            quantile: text("quantile"),
            group_by,
            filter: text("where"),
            only: text("only"),
            tab: text("tab"),
        }
    }

    fn write(&self, params: &mut Params) {
        let shown = |value: &str| if self.metric.is_empty() { String::new() } else { value.to_owned() };
        params.set("q", &self.search);
        write_range(params, &self.range);
        params.set("metric", &self.metric);
        params.set("fn", &shown(&self.function));
        params.set("quantile", &shown(&self.quantile));
        params.set("by", &shown(&self.group_by.join(",")));
        params.set("where", &shown(&self.filter));
        params.set("only", &shown(&self.only));
        params.set("tab", &shown(&self.tab));
    }
}

impl MetricsState {
    /// Another metric, or none: what was asked of the one before does not apply to it.
    pub fn choose(&mut self, metric: &str) {
        let kept = MetricsState { search: self.search.clone(), range: self.range.clone(), ..MetricsState::default() };
        *self = MetricsState { metric: metric.to_owned(), ..kept };
    }

    /// Adds a label to the grouping, or takes it away. What is no label stands alone.
    pub fn toggle_group(&mut self, label: &str) {
        let is_alone = |label: &str| GROUPS.iter().any(|(name, _)| *name == label);
        match self.group_by.iter().position(|known| known == label) {
            Some(at) => drop(self.group_by.remove(at)),
            None if is_alone(label) => self.group_by = vec![label.to_owned()],
            None => {
                self.group_by.retain(|known| !is_alone(known));
                self.group_by.push(label.to_owned());
            }
        }
        self.only.clear();
    }
}

/// Functions that make sense of a metric of this kind, the likeliest first.
pub fn functions(metric: &MetricSummary) -> &'static [&'static str] {
    match (metric.kind.as_str(), metric.monotonic) {
        ("histogram" | "exponential_histogram", _) => {
            &["quantile", "avg", "rate", "increase", "count", "sum", "min", "max"]
        }
        ("summary", _) => &["avg", "quantile", "rate", "increase", "count", "sum"],
        ("sum", true) => &["rate", "increase", "last", "sum", "count"],
        _ => &["avg", "last", "sum", "min", "max", "count", "quantile"],
    }
}

/// Quantiles that are offered, with the words for them.
pub const QUANTILES: &[(&str, &str)] =
    &[("0.5", "p50"), ("0.75", "p75"), ("0.9", "p90"), ("0.95", "p95"), ("0.99", "p99"), ("0.999", "p99.9")];

/// The unit of what the function gives.
pub fn unit_of(metric: &MetricSummary, function: &str) -> String {
    let is_distribution = matches!(metric.kind.as_str(), "histogram" | "exponential_histogram" | "summary");
    let unit = if metric.unit.is_empty() { "1" } else { metric.unit.as_str() };
    match (function, is_distribution) {
        ("rate", true) => "1/s".to_owned(),
        ("increase" | "count", true) | ("count", false) => "1".to_owned(),
        ("rate", false) => format!("{unit}/s"),
        _ => unit.to_owned(),
    }
}

/// Whether an exemplar's value stands on the scale of what the function gives.
pub fn shows_samples(metric: &MetricSummary, function: &str) -> bool {
    match metric.kind.as_str() {
        "histogram" | "exponential_histogram" => matches!(function, "quantile" | "avg" | "min" | "max"),
        "gauge" => function != "count",
        _ => false,
    }
}

/// A short name for a kind of metric.
pub fn kind_words(metric: &MetricSummary) -> &'static str {
    match (metric.kind.as_str(), metric.monotonic) {
        ("gauge", _) => "gauge",
        ("sum", true) => "counter",
        ("sum", false) => "up-down counter",
        ("histogram", _) => "histogram",
        ("exponential_histogram", _) => "exp. histogram",
        ("summary", _) => "summary",
        _ => "unknown",
    }
}

/// What the chart shows, in words: `p95 of http.server.request.duration by http.route`.
pub fn title(metric: &str, function: &str, quantile: Option<f64>, group_by: &[String]) -> String {
    let function = match (function, quantile) {
        ("quantile", Some(quantile)) => format!("p{}", crate::units::number(quantile * 100.0)),
        (function, _) => function.to_owned(),
    };
    let labels: Vec<&str> =
        group_by.iter().map(String::as_str).filter(|label| GROUPS.iter().all(|(name, _)| name != label)).collect();
    let by = if labels.is_empty() { String::new() } else { format!(" by {}", labels.join(", ")) };
    format!("{function} of {metric}{by}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(kind: &str, monotonic: bool, unit: &str) -> MetricSummary {
        MetricSummary { kind: kind.into(), monotonic, unit: unit.into(), ..MetricSummary::default() }
    }

    #[test]
    fn state_round_trips() {
        let state = MetricsState {
            search: "http".into(),
            range: RangeText::last("now-6h"),
            metric: "http.server.request.duration".into(),
            function: "quantile".into(),
            quantile: "0.99".into(),
            group_by: vec!["http.route".into(), "service.name".into()],
            filter: "service.name:\"a b\"".into(),
            only: "http.route=/cart".into(),
            tab: "exemplars".into(),
        };
        assert_eq!(MetricsState::parse(&state.url()["/metrics".len()..]), state);
        let mut other = state.clone();
        other.choose("m");
        assert_eq!(other.url(), "/metrics?q=http&from=now-6h&metric=m");
        other.choose("");
        other.function = "rate".into();
        assert_eq!(other.url(), "/metrics?q=http&from=now-6h", "without a metric there is nothing to ask of it");
        let mut grouped = state;
        grouped.toggle_group("http.route");
        assert_eq!((grouped.group_by.join(","), grouped.only.as_str()), ("service.name".to_owned(), ""));
        for (label, expect) in [("*", "*"), ("a", "a"), ("b", "a,b"), ("-", "-"), ("-", "")] {
            grouped.toggle_group(label);
            assert_eq!(grouped.group_by.join(","), expect, "{label}");
        }
    }

    #[test]
    fn functions_give_units() {
        let check = |metric: &MetricSummary, function: &str, expect: &str| {
            assert_eq!(unit_of(metric, function), expect, "{function}");
        };
        check(&metric("histogram", false, "s"), "quantile", "s");
        check(&metric("histogram", false, "s"), "rate", "1/s");
        check(&metric("histogram", false, "s"), "count", "1");
        check(&metric("sum", true, "By"), "rate", "By/s");
        check(&metric("sum", true, "By"), "increase", "By");
        check(&metric("gauge", false, ""), "avg", "1");
        check(&metric("gauge", false, "s"), "count", "1");
        assert_eq!(functions(&metric("sum", true, ""))[0], "rate");
        assert_eq!(functions(&metric("histogram", false, ""))[0], "quantile");
        assert!(shows_samples(&metric("histogram", false, ""), "quantile"));
        assert!(!shows_samples(&metric("histogram", false, ""), "rate"));
        assert_eq!(title("m", "quantile", Some(0.999), &["a".into()]), "p99.9 of m by a");
        assert_eq!(title("m", "rate", None, &["*".into()]), "rate of m");
    }
}
