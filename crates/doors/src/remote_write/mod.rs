//! Prometheus remote write, versions 1 and 2: series of samples in, OTLP metrics out.
//!
//! A series is a metric under its own name; its labels are attributes of its points, except `job` and `instance`, which
//! are the resource (`service.name`, with a namespace before a slash, and `service.instance.id`). Samples become points
//! of a monotonic cumulative sum or of a gauge (`series` says which), native histograms exponential ones, those with
//! custom buckets explicit ones. A stale marker is a point without a recorded value.
//!
//! Exemplars come in entries of their own, without a sample: such an entry is a point without a recorded value that
//! carries them, in a series of its own (scope `exemplars`), where it is no gap between samples.

mod exemplar;
mod histogram;
mod series;
mod version_1;
mod version_2;

use model::Signal;

use crate::envelope::Envelope;
use crate::{DoorError, Limits, Translation, TurnedAway};

/// Which message a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `prometheus.WriteRequest`
    One,
    /// `io.prometheus.write.v2.Request`
    Two,
}

/// How much of a request is in its translation, as the answer's headers say it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Samples.
    pub samples: u64,
    /// Native histograms.
    pub histograms: u64,
    /// Exemplars.
    pub exemplars: u64,
}

/// A request as a translation, and what of it is in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteWrite {
    /// What is to be stored.
    pub translation: Translation,
    /// What of the request that is.
    pub written: Written,
}

/// Translates a request, after snappy.
///
/// # Errors
/// See [`DoorError`]; nothing of the body can be stored.
pub fn translate(version: Version, body: &[u8], limits: &Limits) -> Result<RemoteWrite, DoorError> {
    let mut writing = Writing {
        envelope: Envelope::new(limits.request_bytes_max),
        turned_away: TurnedAway::default(),
        written: Written::default(),
        points: 0,
        limits: *limits,
        metric: Vec::new(),
    };
    match version {
        Version::One => version_1::read(body, &mut writing)?,
        Version::Two => version_2::read(body, &mut writing)?,
    }
    let Writing { envelope, turned_away, written, points, .. } = writing;
    let translation = Translation { signal: Signal::Metrics, request: envelope.finish(), records: points, turned_away };
    Ok(RemoteWrite { translation, written })
}

/// A request while it is translated.
struct Writing {
    envelope: Envelope,
    turned_away: TurnedAway,
    written: Written,
    /// Data points in the envelope.
    points: u32,
    limits: Limits,
    /// The metric that is being written; used again for the next.
    metric: Vec<u8>,
}

/// What a request says of a metric's type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum MetricType {
    #[default]
    Unknown,
    Counter,
    Gauge,
    Histogram,
    GaugeHistogram,
    Summary,
    Info,
    StateSet,
}

impl MetricType {
    /// Both versions number them alike.
    fn of(number: u64) -> MetricType {
        match number {
            1 => MetricType::Counter,
            2 => MetricType::Gauge,
            3 => MetricType::Histogram,
            4 => MetricType::GaugeHistogram,
            5 => MetricType::Summary,
            6 => MetricType::Info,
            7 => MetricType::StateSet,
            _ => MetricType::Unknown,
        }
    }

    /// The name in exposition formats; nothing where it is not known.
    fn name(self) -> Option<&'static str> {
        Some(match self {
            MetricType::Unknown => return None,
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::GaugeHistogram => "gaugehistogram",
            MetricType::Summary => "summary",
            MetricType::Info => "info",
            MetricType::StateSet => "stateset",
        })
    }
}

/// What a request says of a metric.
#[derive(Debug, Clone, Copy, Default)]
struct Metadata<'a> {
    kind: MetricType,
    help: &'a [u8],
    unit: &'a [u8],
}

/// Unix nanoseconds of milliseconds; nothing where it is no time that OTLP has.
fn nanos(millis: i64) -> Option<u64> {
    let nanos = millis.checked_mul(1_000_000)?;
    u64::try_from(nanos).ok().filter(|nanos| *nanos > 0)
}

#[cfg(test)]
mod tests;
