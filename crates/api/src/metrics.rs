//! Answers about metrics: the catalog, the series of one metric, and its values over time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::answers::{Completeness, Stats};
use crate::records::{Exemplar, UnixNano};
use crate::services::StepRange;

/// One metric in the catalog.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MetricSummary {
    /// Name.
    pub name: String,
    /// `gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Unit, as sent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// Description, as sent; the newest where senders differ.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// `delta`, `cumulative` or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub temporality: String,
    /// Whether a sum only grows.
    #[serde(default)]
    pub monotonic: bool,
    /// Series in the range.
    pub series_count: u64,
    /// Services that send it, by name.
    pub services: Vec<String>,
    /// Newest hour or point in the range.
    pub last_seen_unix_nano: UnixNano,
}

/// The metrics catalog.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MetricsAnswer {
    /// By name, then type: senders that disagree about the type of a name make two entries.
    pub metrics: Vec<MetricSummary>,
    /// Whether there are more than the limit lets through.
    #[serde(default)]
    pub truncated: bool,
    /// What the answer cost.
    pub stats: Stats,
    /// Whether it is all.
    #[serde(flatten)]
    pub completeness: Completeness,
}

/// One series of a metric.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MetricSeries {
    /// 16 hex digits.
    pub series_id: String,
    /// Attributes of point, and of resource where the point has none of that name; values as text.
    pub labels: BTreeMap<String, String>,
    /// Service that sends it.
    pub service_name: String,
}

/// The series of one metric.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MetricSeriesAnswer {
    /// What it is.
    pub metric: MetricSummary,
    /// In order of their labels.
    pub series: Vec<MetricSeries>,
    /// Values of each label among all series, most frequent first, at most a hundred a label.
    pub labels: BTreeMap<String, Vec<String>>,
    /// Whether there are more series than the limit lets through.
    #[serde(default)]
    pub truncated: bool,
    /// What the answer cost.
    pub stats: Stats,
    /// Whether it is all.
    #[serde(flatten)]
    pub completeness: Completeness,
}

/// Values of one group of series.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MetricLine {
    /// What the group has in common: the `group_by` labels; all labels where the question names none.
    pub labels: BTreeMap<String, String>,
    /// A value a step; `null` where there is none. Infinities and NaN are `null` too.
    pub values: Vec<Option<f64>>,
}

/// One metric over time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MetricRangeAnswer {
    /// What it is.
    pub metric: MetricSummary,
    /// The function that was applied: `rate`, `increase`, `sum`, `avg`, `min`, `max`, `last`, `count` or `quantile`.
    pub function: String,
    /// The quantile, for `quantile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantile: Option<f64>,
    /// The steps that every line has a value for.
    pub steps: StepRange,
    /// In order of their labels.
    pub lines: Vec<MetricLine>,
    /// Exemplars in the range that name a trace, newest first, at most two hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exemplars: Vec<Exemplar>,
    /// Whether there are more lines than the limit lets through.
    #[serde(default)]
    pub truncated: bool,
    /// What the answer cost.
    pub stats: Stats,
    /// Whether it is all.
    #[serde(flatten)]
    pub completeness: Completeness,
}
