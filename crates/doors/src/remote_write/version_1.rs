//! Version 1: `WriteRequest { timeseries: 1, metadata: 3 }`, labels as pairs of texts.
//!
//! Metadata count for the series of the same request; most senders send them apart, and nothing is remembered.

use std::collections::HashMap;

use otlp_wire::{Fields, Malformed, Value};

use super::exemplar::{self, Exemplar};
use super::series::{Counts, Labels, Sample, Series};
use super::{Metadata, MetricType, Writing};
use crate::{DoorError, Reason};

/// Metrics of one request whose metadata are read.
const METADATA_MAX: usize = 100_000;

const BROKEN: &str = "the body is no prometheus.WriteRequest in protobuf";

pub(super) fn read(body: &[u8], writing: &mut Writing) -> Result<(), DoorError> {
    let mut metadata = HashMap::new();
    let mut fields = Fields(body);
    while let Some((number, value)) = fields.field().map_err(|Malformed| DoorError::malformed(BROKEN))? {
        if let (3, Value::Bytes(message)) = (number, value)
            && metadata.len() < METADATA_MAX
            && let Ok((name, described)) = read_metadata(message)
        {
            metadata.insert(name, described);
        }
    }
    let mut fields = Fields(body);
    while let Ok(Some((number, value))) = fields.field() {
        if let (1, Value::Bytes(message)) = (number, value) {
            read_series(message, &metadata, writing)?;
        }
    }
    Ok(())
}

fn read_metadata(message: &[u8]) -> Result<(&[u8], Metadata<'_>), Malformed> {
    let (mut name, mut described) = (&[][..], Metadata::default());
    let mut fields = Fields(message);
    while let Some(field) = fields.field()? {
        match field {
            (1, Value::Varint(kind)) => described.kind = MetricType::of(kind),
            (2, Value::Bytes(text)) => name = text,
            (4, Value::Bytes(text)) => described.help = text,
            (5, Value::Bytes(text)) => described.unit = text,
            _ => {}
        }
    }
    Ok((name, described))
}

/// Metadata of the series' own name, or of the family that its suffix belongs to.
fn metadata_of<'a>(name: &[u8], all: &HashMap<&'a [u8], Metadata<'a>>) -> Metadata<'a> {
    let families = [&b"_bucket"[..], b"_count", b"_sum", b"_total"];
    let family = || families.iter().find_map(|suffix| all.get(name.strip_suffix(*suffix)?));
    all.get(name).or_else(family).copied().unwrap_or_default()
}

fn read_series(
    message: &[u8],
    metadata: &HashMap<&[u8], Metadata<'_>>,
    writing: &mut Writing,
) -> Result<(), DoorError> {
    let mut labels = Labels::default();
    let mut counts = Counts::default();
    let mut fields = Fields(message);
    loop {
        match fields.field() {
            Ok(Some((1, Value::Bytes(pair)))) => {
                let Ok((name, value)) = read_label(pair) else {
                    writing.turned_away.add(Reason::InvalidValue, "a label is no protobuf message");
                    return Ok(());
                };
                labels.add(name, value);
            }
            Ok(Some((2, Value::Bytes(_)))) => counts.samples += 1,
            Ok(Some((3, Value::Bytes(_)))) => counts.exemplars += 1,
            Ok(Some((4, Value::Bytes(_)))) => counts.histograms += 1,
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(Malformed) => {
                writing.turned_away.add(Reason::InvalidValue, "a series is no protobuf message");
                return Ok(());
            }
        }
    }
    let described = metadata_of(labels.get("__name__").unwrap_or_default(), metadata);
    writing.add(&labels, described, &SeriesOne { message, counts })
}

fn read_label(pair: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (mut name, mut value) = (&[][..], &[][..]);
    let mut fields = Fields(pair);
    while let Some(field) = fields.field()? {
        match field {
            (1, Value::Bytes(text)) => name = text,
            (2, Value::Bytes(text)) => value = text,
            _ => {}
        }
    }
    Ok((name, value))
}

struct SeriesOne<'a> {
    message: &'a [u8],
    counts: Counts,
}

impl<'a> SeriesOne<'a> {
    /// The messages of a field, whose series was found to be a message before.
    fn messages(&self, wanted: u64) -> impl Iterator<Item = &'a [u8]> {
        messages(self.message, wanted)
    }
}

/// The messages of a field; what is malformed ends them.
pub(super) fn messages(message: &[u8], wanted: u64) -> impl Iterator<Item = &[u8]> {
    let mut fields = Fields(message);
    std::iter::from_fn(move || {
        loop {
            match fields.field() {
                Ok(Some((number, Value::Bytes(message)))) if number == wanted => return Some(message),
                Ok(Some(_)) => {}
                Ok(None) | Err(Malformed) => return None,
            }
        }
    })
}

/// A sample of either version; version 1 has no start.
pub(super) fn read_sample(message: &[u8]) -> Result<Sample, Malformed> {
    let mut sample = Sample::default();
    let mut fields = Fields(message);
    while let Some(field) = fields.field()? {
        match field {
            (1, Value::Fixed64(bits)) => sample.value = f64::from_bits(bits),
            (2, Value::Varint(millis)) => sample.timestamp = millis as i64,
            (3, Value::Varint(millis)) => sample.start = millis as i64,
            _ => {}
        }
    }
    Ok(sample)
}

impl<'a> Series<'a> for SeriesOne<'a> {
    fn samples(
        &self,
        feed: &mut dyn FnMut(Result<Sample, Malformed>) -> Result<(), DoorError>,
    ) -> Result<(), DoorError> {
        self.messages(2).try_for_each(|message| feed(read_sample(message)))
    }

    fn histograms(&self, feed: &mut dyn FnMut(&'a [u8]) -> Result<(), DoorError>) -> Result<(), DoorError> {
        self.messages(4).try_for_each(feed)
    }

    fn exemplars(&self, feed: &mut dyn FnMut(Result<Exemplar<'a>, Malformed>)) {
        self.messages(3).for_each(|message| feed(read_exemplar(message)));
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}

fn read_exemplar(message: &[u8]) -> Result<Exemplar<'_>, Malformed> {
    let mut found = Exemplar::default();
    let mut fields = Fields(message);
    while let Some(field) = fields.field()? {
        match field {
            (1, Value::Bytes(pair)) if found.labels.len() < exemplar::LABELS_MAX => {
                found.labels.push(read_label(pair)?);
            }
            (2, Value::Fixed64(bits)) => found.value = f64::from_bits(bits),
            (3, Value::Varint(millis)) => found.timestamp = millis as i64,
            _ => {}
        }
    }
    Ok(found)
}
