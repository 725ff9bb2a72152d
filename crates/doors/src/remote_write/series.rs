//! One series: its labels, and the metric that its samples and histograms become.

use otlp_wire::{Malformed, close, open, put_bytes, put_double, put_fixed64, put_number, put_text};

use super::exemplar::{self, Exemplar};
use super::histogram::Native;
use super::{Metadata, MetricType, Writing, nanos};
use crate::{DoorError, Reason};

/// The value that marks the end of a series.
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// Flag of a point: it says that no value was recorded.
pub(super) const NO_RECORDED_VALUE: u64 = 1;

/// Labels of one series; more turn it away.
const LABELS_MAX: usize = 4096;

/// Fields of a `Metric`.
const GAUGE: u32 = 5;
const SUM: u32 = 7;
const HISTOGRAM: u32 = 9;
const EXP_HISTOGRAM: u32 = 10;
const METADATA: u32 = 12;

const CUMULATIVE: u64 = 2;

/// Name of the scope of exemplars that came without a sample.
const EXEMPLARS_SCOPE: &str = "exemplars";

/// A sample.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sample {
    pub(super) value: f64,
    /// Milliseconds.
    pub(super) timestamp: i64,
    pub(super) start: i64,
}

/// The labels of a series.
#[derive(Debug, Default)]
pub(super) struct Labels<'a> {
    pairs: Vec<(&'a [u8], &'a [u8])>,
    is_over: bool,
}

impl<'a> Labels<'a> {
    pub(super) fn add(&mut self, name: &'a [u8], value: &'a [u8]) {
        if self.pairs.len() == LABELS_MAX {
            self.is_over = true;
        } else if !value.is_empty() {
            // A label without a value is a label that is not there.
            self.pairs.push((name, value));
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.pairs.iter().find(|(label, _)| *label == name.as_bytes()).map(|(_, value)| *value)
    }

    /// Bytes of the resource: who was scraped.
    fn resource(&self) -> Vec<u8> {
        let mut resource = Vec::new();
        let job = self.get("job").map(String::from_utf8_lossy);
        if let Some(job) = job {
            match job.split_once('/') {
                Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                    put_text(&mut resource, 1, "service.namespace", namespace);
                    put_text(&mut resource, 1, "service.name", name);
                }
                _ => put_text(&mut resource, 1, "service.name", &job),
            }
        }
        if let Some(instance) = self.get("instance") {
            put_text(&mut resource, 1, "service.instance.id", &String::from_utf8_lossy(instance));
        }
        resource
    }

    /// Appends the attributes of a point as this field.
    pub(super) fn put_attributes(&self, out: &mut Vec<u8>, field: u32) {
        for (name, value) in &self.pairs {
            if !matches!(*name, b"__name__" | b"job" | b"instance") {
                put_text(out, field, &String::from_utf8_lossy(name), &String::from_utf8_lossy(value));
            }
        }
    }
}

/// A series as either version's message has it.
pub(super) trait Series<'a> {
    /// Feeds the samples in order.
    fn samples(
        &self,
        feed: &mut dyn FnMut(Result<Sample, Malformed>) -> Result<(), DoorError>,
    ) -> Result<(), DoorError>;
    /// Feeds the messages of histograms in order.
    fn histograms(&self, feed: &mut dyn FnMut(&'a [u8]) -> Result<(), DoorError>) -> Result<(), DoorError>;
    /// Feeds the exemplars in order.
    fn exemplars(&self, feed: &mut dyn FnMut(Result<Exemplar<'a>, Malformed>));
    /// How many there are of each.
    fn counts(&self) -> Counts;
}

/// How many records a series has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) samples: u32,
    pub(super) histograms: u32,
    pub(super) exemplars: u32,
}

/// Whether a series only ever grows: by its type where that is known, else by its name where that leaves no doubt.
pub(super) fn is_monotonic(name: &[u8], kind: MetricType, has_bound: bool) -> bool {
    let is_part = || [&b"_bucket"[..], b"_count", b"_sum"].iter().any(|suffix| name.ends_with(suffix));
    match kind {
        MetricType::Counter => true,
        MetricType::Histogram | MetricType::Summary => is_part(),
        MetricType::Unknown => name.ends_with(b"_total") || (has_bound && name.ends_with(b"_bucket")),
        MetricType::Gauge | MetricType::GaugeHistogram | MetricType::Info | MetricType::StateSet => false,
    }
}

/// A series with what its metrics are written from.
struct Entry<'a, 'b, S> {
    name: &'a [u8],
    labels: &'b Labels<'a>,
    metadata: Metadata<'b>,
    series: &'b S,
    counts: Counts,
    /// Bytes of the resource.
    resource: Vec<u8>,
}

impl<S> Entry<'_, '_, S> {
    fn is_sum(&self) -> bool {
        is_monotonic(self.name, self.metadata.kind, self.labels.get("le").is_some())
    }
}

impl Writing {
    /// Adds a series, or turns its records away.
    pub(super) fn add<'a>(
        &mut self,
        labels: &Labels<'a>,
        metadata: Metadata<'_>,
        series: &impl Series<'a>,
    ) -> Result<(), DoorError> {
        let counts = series.counts();
        let records = counts.samples.saturating_add(counts.histograms).saturating_add(counts.exemplars);
        let Some(name) = labels.get("__name__").filter(|_| !labels.is_over) else {
            let (reason, detail) = match labels.is_over {
                true => (Reason::TooLarge, "a series has too many labels"),
                false => (Reason::InvalidValue, "a series has no name (label __name__)"),
            };
            self.turned_away.add_many(reason, records, detail);
            return Ok(());
        };
        let entry = Entry { name, labels, metadata, series, counts, resource: labels.resource() };
        if counts.samples > 0 {
            self.numbers(&entry)?;
        }
        if counts.histograms > 0 {
            self.histograms(&entry)?;
        }
        if counts.samples == 0 && counts.histograms == 0 && counts.exemplars > 0 {
            self.exemplars_alone(&entry)?;
        }
        Ok(())
    }

    /// Adds the metric of a series' samples.
    fn numbers<'a>(&mut self, entry: &Entry<'a, '_, impl Series<'a>>) -> Result<(), DoorError> {
        let kind = if entry.is_sum() { SUM } else { GAUGE };
        let (mut metric, data) = self.begin(entry.name, entry.metadata, entry.metadata.kind.name(), kind);
        let (mut at, mut points) = (0, 0);
        entry.series.samples(&mut |sample| {
            at += 1;
            let is_last = at == entry.counts.samples;
            match sample {
                Ok(sample) if nanos(sample.timestamp).is_some() => {
                    let point = open(&mut metric, 1);
                    put_sample(&mut metric, sample);
                    if is_last {
                        self.put_exemplars(&mut metric, 5, entry.series);
                    }
                    entry.labels.put_attributes(&mut metric, 7);
                    close(&mut metric, point);
                    points += 1;
                }
                Ok(_) => self.turned_away.add(Reason::InvalidTime, "a sample has no time, or one beyond the year 2262"),
                Err(Malformed) => self.turned_away.add(Reason::InvalidValue, "a sample is no protobuf message"),
            }
            self.check_room(metric.len())
        })?;
        self.written.samples += u64::from(points);
        put_temporality(&mut metric, kind);
        self.end(metric, data, points, &entry.resource, &[])
    }

    /// Adds the metrics of a series' histograms, one for each: their kinds may differ.
    fn histograms<'a>(&mut self, entry: &Entry<'a, '_, impl Series<'a>>) -> Result<(), DoorError> {
        let mut at = 0;
        entry.series.histograms(&mut |message| {
            at += 1;
            let native = match Native::read(message, self.limits.buckets_max) {
                Ok(native) => native,
                Err((reason, detail)) => {
                    self.turned_away.add(reason, detail);
                    return Ok(());
                }
            };
            let kind = if native.is_gauge { Some("gaugehistogram") } else { entry.metadata.kind.name() };
            let field = if native.is_explicit() { HISTOGRAM } else { EXP_HISTOGRAM };
            let (mut metric, data) = self.begin(entry.name, entry.metadata, kind, field);
            let point = open(&mut metric, 1);
            native.put_fields(&mut metric);
            if at == entry.counts.histograms && entry.counts.samples == 0 {
                self.put_exemplars(&mut metric, native.exemplars_field(), entry.series);
            }
            entry.labels.put_attributes(&mut metric, native.attributes_field());
            close(&mut metric, point);
            put_temporality(&mut metric, field);
            self.written.histograms += 1;
            self.end(metric, data, 1, &entry.resource, &[])
        })
    }

    /// Begins a metric; its points follow in the message that is open.
    fn begin(&mut self, name: &[u8], metadata: Metadata<'_>, kind: Option<&str>, field: u32) -> (Vec<u8>, usize) {
        let mut metric = std::mem::take(&mut self.metric);
        metric.clear();
        put_bytes(&mut metric, 1, name);
        for (number, text) in [(2, metadata.help), (3, metadata.unit)] {
            if !text.is_empty() {
                put_bytes(&mut metric, number, text);
            }
        }
        if let Some(kind) = kind {
            put_text(&mut metric, METADATA, "prometheus.type", kind);
        }
        let data = open(&mut metric, field);
        (metric, data)
    }

    /// Ends a metric that [`Writing::begin`] began.
    fn end(
        &mut self,
        mut metric: Vec<u8>,
        data: usize,
        points: u32,
        resource: &[u8],
        scope: &[u8],
    ) -> Result<(), DoorError> {
        close(&mut metric, data);
        let mut added = Ok(());
        if points > 0 {
            added = self.envelope.add(resource, scope, |out| put_bytes(out, 2, &metric));
            self.points += points;
        }
        self.metric = metric;
        added
    }

    fn check_room(&self, bytes: usize) -> Result<(), DoorError> {
        self.envelope.check_room(bytes)
    }

    /// Appends the exemplars of a series to its last point.
    fn put_exemplars<'a>(&mut self, out: &mut Vec<u8>, field: u32, series: &impl Series<'a>) {
        series.exemplars(&mut |found| match found.as_ref().ok().filter(|found| nanos(found.timestamp).is_some()) {
            Some(found) => {
                exemplar::put(out, field, found);
                self.written.exemplars += 1;
            }
            None => self.turned_away.add(Reason::InvalidTime, "an exemplar has no time, or is no protobuf message"),
        });
    }

    /// Adds a metric with a point without a recorded value for the exemplars of an entry that has nothing else.
    ///
    /// It has a scope of its own, and so it is a series of its own: in the series of the samples such a point would be a
    /// gap, and what came around it would be in no rate.
    fn exemplars_alone<'a>(&mut self, entry: &Entry<'a, '_, impl Series<'a>>) -> Result<(), DoorError> {
        let is_sum = entry.is_sum();
        let is_native = entry.metadata.kind == MetricType::Histogram && !is_sum;
        // Fields of the metric, and of the point for exemplars, attributes and flags.
        let (kind, exemplars, attributes, flags) = match (is_native, is_sum) {
            (true, _) => (EXP_HISTOGRAM, 11, 1, 10),
            (false, true) => (SUM, 5, 7, 8),
            (false, false) => (GAUGE, 5, 7, 8),
        };
        let mut time = 0;
        entry.series.exemplars(&mut |found| {
            let found = found.ok().and_then(|found| nanos(found.timestamp));
            time = time.max(found.unwrap_or_default());
        });
        let (mut metric, data) = self.begin(entry.name, entry.metadata, entry.metadata.kind.name(), kind);
        let point = open(&mut metric, 1);
        put_fixed64(&mut metric, 3, time);
        self.put_exemplars(&mut metric, exemplars, entry.series);
        entry.labels.put_attributes(&mut metric, attributes);
        put_number(&mut metric, flags, NO_RECORDED_VALUE);
        close(&mut metric, point);
        put_temporality(&mut metric, kind);
        let mut scope = Vec::new();
        put_bytes(&mut scope, 1, EXEMPLARS_SCOPE.as_bytes());
        // Without a time none of them could be taken.
        self.end(metric, data, u32::from(time > 0), &entry.resource, &scope)
    }
}

/// Appends what a metric of this kind says of all its points; a gauge says nothing.
fn put_temporality(out: &mut Vec<u8>, kind: u32) {
    if kind != GAUGE {
        put_number(out, 2, CUMULATIVE);
    }
    if kind == SUM {
        put_number(out, 3, 1);
    }
}

/// Appends time and value of a sample.
fn put_sample(out: &mut Vec<u8>, sample: Sample) {
    let time = nanos(sample.timestamp).unwrap_or_default();
    if let Some(start) = nanos(sample.start).filter(|start| *start <= time) {
        put_fixed64(out, 2, start);
    }
    put_fixed64(out, 3, time);
    match sample.value.to_bits() {
        STALE => put_number(out, 8, NO_RECORDED_VALUE),
        _ => put_double(out, 4, sample.value),
    }
}

/// Whether a value is the stale marker.
pub(super) fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE
}
