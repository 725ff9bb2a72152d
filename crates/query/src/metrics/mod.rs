//! Metrics: the catalog, the series of a metric, and its values over time.
//!
//! Vocabulary: a *series* is what one sender says of one metric under one set of attributes; its *labels* are the
//! attributes of its points, and those of its resource that its points do not have. A *step* is one of the equal pieces
//! of time a line has a value for. A *level* is what a gauge says: it holds until the next point. A *change* is what a
//! counter or a histogram has gathered between two moments: it is spread evenly over the time between them, so that
//! steps narrower than the sender's interval show no spikes. The *look-back* is how far apart two points of a series may
//! be and still belong together; beyond it there is a gap.
//!
//! Three layers, so that another language can be put on the first two: which series there are ([`series`]), their
//! points ([`reader`]), and what is made of them ([`evaluate`] and the modules of pure functions it calls).
//!
//! Invariants: an answer does not depend on whether points lie in files or in the journal, nor on the order in which
//! they came. What is held at once is bounded in bytes: series are read some at a time (I7).

mod amounts;
mod catalog;
mod changes;
mod distributions;
mod evaluate;
mod exemplars;
mod explicit;
mod exponential;
mod function;
mod grid;
mod labels;
mod levels;
mod points;
mod range;
mod reader;
mod series;
mod series_list;
mod service;
mod steps;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use catalog::MetricSearch;
pub use function::{Function, GroupBy, MetricKind};
pub use range::MetricRange;
pub use series_list::MetricSeriesSearch;

/// Bounds of questions about metrics.
#[derive(Debug, Clone)]
pub struct MetricLimits {
    /// Most metrics of a catalog.
    pub metrics_max: usize,
    /// Most series of one metric that are looked at.
    pub series_max: usize,
    /// Most series of an answer.
    pub series_listed_max: usize,
    /// Most lines of an answer.
    pub lines_max: usize,
    /// Most steps of a line.
    pub steps_max: usize,
    /// Bytes that the points of a question, or the values made of them, may take at once.
    pub bytes_max: usize,
    /// How far apart two points of a series may be and still belong together; twice a step where that is longer.
    pub look_back: Duration,
}

impl Default for MetricLimits {
    fn default() -> MetricLimits {
        MetricLimits {
            metrics_max: 5_000,
            series_max: 100_000,
            series_listed_max: 10_000,
            lines_max: 1_000,
            steps_max: 5_000,
            bytes_max: 128 << 20,
            look_back: Duration::from_secs(300),
        }
    }
}
