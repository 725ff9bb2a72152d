//! Kinds of metrics, the functions that are applied to them, and which fit together.

use model::Table;

use crate::error::QueryError;

/// What the points of a metric are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MetricKind {
    /// A level.
    Gauge,
    /// A sum over time, growing or not.
    Sum,
    /// Counts in buckets between bounds.
    Histogram,
    /// Counts in buckets whose bounds grow by a factor.
    ExponentialHistogram,
    /// Quantiles worked out by the sender.
    Summary,
}

impl MetricKind {
    /// All of them.
    pub const ALL: [MetricKind; 5] = [
        MetricKind::Gauge,
        MetricKind::Sum,
        MetricKind::Histogram,
        MetricKind::ExponentialHistogram,
        MetricKind::Summary,
    ];

    /// As the `type` column and the API have it.
    pub fn name(self) -> &'static str {
        match self {
            MetricKind::Gauge => "gauge",
            MetricKind::Sum => "sum",
            MetricKind::Histogram => "histogram",
            MetricKind::ExponentialHistogram => "exponential_histogram",
            MetricKind::Summary => "summary",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<MetricKind> {
        MetricKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Where its points lie.
    pub(crate) fn table(self) -> Table {
        match self {
            MetricKind::Gauge | MetricKind::Sum => Table::Points,
            MetricKind::Histogram => Table::Histograms,
            MetricKind::ExponentialHistogram => Table::ExpHistograms,
            MetricKind::Summary => Table::Summaries,
        }
    }
}

/// How a metric's points relate to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Temporality {
    /// Each point says what came since the one before.
    Delta,
    /// Each point says what came since the start; levels count as such.
    Cumulative,
}

/// What is made of the points of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// What came in, by second.
    Rate,
    /// What came in.
    Increase,
    /// Levels added up; of histograms, the sum of what was observed.
    Sum,
    /// The mean level; of histograms, of what was observed.
    Avg,
    /// The least.
    Min,
    /// The most.
    Max,
    /// The newest level.
    Last,
    /// How many points; of histograms, how many observations.
    Count,
    /// The value that this share of all does not exceed.
    Quantile,
}

impl Function {
    /// All of them.
    pub const ALL: [Function; 9] = [
        Function::Rate,
        Function::Increase,
        Function::Sum,
        Function::Avg,
        Function::Min,
        Function::Max,
        Function::Last,
        Function::Count,
        Function::Quantile,
    ];

    /// As the API has it.
    pub fn name(self) -> &'static str {
        match self {
            Function::Rate => "rate",
            Function::Increase => "increase",
            Function::Sum => "sum",
            Function::Avg => "avg",
            Function::Min => "min",
            Function::Max => "max",
            Function::Last => "last",
            Function::Count => "count",
            Function::Quantile => "quantile",
        }
    }

    /// What is shown of a metric where nothing else is asked for.
    pub(crate) fn default_of(kind: MetricKind, monotonic: bool, temporality: Temporality) -> Function {
        match kind {
            MetricKind::Sum if monotonic => Function::Rate,
            // What changed does not say where it stands.
            MetricKind::Sum if temporality == Temporality::Delta => Function::Increase,
            MetricKind::Gauge | MetricKind::Sum | MetricKind::Summary => Function::Avg,
            MetricKind::Histogram | MetricKind::ExponentialHistogram => Function::Quantile,
        }
    }

    /// Whether the function says anything of such a metric.
    pub(crate) fn check(self, kind: MetricKind) -> Result<(), QueryError> {
        let valid = match kind {
            MetricKind::Gauge | MetricKind::Sum => return Ok(()),
            MetricKind::Histogram | MetricKind::ExponentialHistogram if self != Function::Last => return Ok(()),
            MetricKind::Histogram | MetricKind::ExponentialHistogram => {
                "rate, increase, sum, avg, min, max, count, quantile"
            }
            MetricKind::Summary if !matches!(self, Function::Min | Function::Max | Function::Last) => return Ok(()),
            MetricKind::Summary => "rate, increase, sum, avg, count, quantile",
        };
        let (function, kind) = (self.name(), kind.name());
        Err(QueryError::invalid(format!("'{function}' says nothing of a metric of type {kind}: take one of {valid}")))
    }
}

/// Which series make one line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum GroupBy {
    /// Each of its own for levels, all together for sums and histograms.
    #[default]
    Usual,
    /// Each of its own.
    Each,
    /// All together.
    Together,
    /// Those that have these labels in common.
    Labels(Vec<String>),
}

/// Most labels to group by.
const LABELS_MAX: usize = 16;

impl GroupBy {
    /// Reads `a,b`; `*` is each, `-` is together, and an empty text is as usual.
    pub fn parse(text: &str) -> Result<GroupBy, QueryError> {
        let labels: Vec<String> =
            text.split(',').map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()).collect();
        match labels.as_slice() {
            [] => Ok(GroupBy::Usual),
            [only] if only == "*" => Ok(GroupBy::Each),
            [only] if only == "-" => Ok(GroupBy::Together),
            labels if labels.len() > LABELS_MAX => {
                Err(QueryError::invalid(format!("at most {LABELS_MAX} labels can be grouped by")))
            }
            _ => Ok(GroupBy::Labels(labels)),
        }
    }

    /// The same with the usual choice made: users of gauges want to see each, of counters and histograms the whole.
    pub(crate) fn settled(self, kind: MetricKind, monotonic: bool, function: Function) -> GroupBy {
        let is_level = match kind {
            MetricKind::Gauge | MetricKind::Summary => true,
            MetricKind::Sum => !monotonic,
            MetricKind::Histogram | MetricKind::ExponentialHistogram => false,
        };
        let is_over_series = match function {
            Function::Sum | Function::Count => true,
            // Of a single level every quantile is the same; a summary brings its own.
            Function::Quantile => kind != MetricKind::Summary,
            _ => false,
        };
        match self {
            GroupBy::Usual if is_level && !is_over_series => GroupBy::Each,
            GroupBy::Usual => GroupBy::Together,
            asked => asked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_depends_on_the_kind() {
        use Function::*;
        use MetricKind::{ExponentialHistogram, Gauge, Histogram, Summary};
        let check =
            |kind: MetricKind, monotonic: bool, temporality: Temporality, function: Function, group: GroupBy| {
                let found = Function::default_of(kind, monotonic, temporality);
                assert_eq!(found, function, "{kind:?} {monotonic}");
                assert_eq!(GroupBy::Usual.settled(kind, monotonic, found), group, "{kind:?} {monotonic}");
            };
        check(Gauge, false, Temporality::Cumulative, Avg, GroupBy::Each);
        check(MetricKind::Sum, true, Temporality::Cumulative, Rate, GroupBy::Together);
        check(MetricKind::Sum, true, Temporality::Delta, Rate, GroupBy::Together);
        check(MetricKind::Sum, false, Temporality::Cumulative, Avg, GroupBy::Each);
        check(MetricKind::Sum, false, Temporality::Delta, Increase, GroupBy::Each);
        check(Histogram, false, Temporality::Cumulative, Quantile, GroupBy::Together);
        check(ExponentialHistogram, false, Temporality::Delta, Quantile, GroupBy::Together);
        check(Summary, false, Temporality::Cumulative, Avg, GroupBy::Each);
        assert_eq!(GroupBy::Usual.settled(Gauge, false, Sum), GroupBy::Together);
        assert_eq!(GroupBy::Each.settled(Histogram, false, Rate), GroupBy::Each);
        assert_eq!(GroupBy::Together.settled(Gauge, false, Avg), GroupBy::Together);
    }

    #[test]
    fn groups_are_read() {
        let check = |text: &str, expect: GroupBy| assert_eq!(GroupBy::parse(text), Ok(expect), "{text}");
        check("", GroupBy::Usual);
        check(" , ", GroupBy::Usual);
        check("*", GroupBy::Each);
        check("-", GroupBy::Together);
        check("a, http.route", GroupBy::Labels(vec!["a".into(), "http.route".into()]));
        assert!(GroupBy::parse(&["a"; LABELS_MAX].join(",")).is_ok());
        assert!(GroupBy::parse(&["a"; LABELS_MAX + 1].join(",")).is_err());
    }

    #[test]
    fn what_says_nothing_is_refused_with_what_does() {
        for (kind, function) in [
            (MetricKind::Histogram, Function::Last),
            (MetricKind::ExponentialHistogram, Function::Last),
            (MetricKind::Summary, Function::Max),
        ] {
            let error = function.check(kind).expect_err("nothing");
            assert!(error.to_string().contains("take one of rate"), "{error}");
        }
        assert!(Function::ALL.into_iter().all(|function| function.check(MetricKind::Gauge).is_ok()));
        assert_eq!(MetricKind::parse("exponential_histogram"), Some(MetricKind::ExponentialHistogram));
    }
}
