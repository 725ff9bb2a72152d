//! Version 2: `Request { symbols: 4, timeseries: 5 }`; labels, help and unit are places in the list of symbols, and
//! every series has its own metadata. A place beyond the list costs its series.

use otlp_wire::{Fields, Malformed, Value, repeated_varint};

use super::exemplar::{self, Exemplar};
use super::series::{Counts, Labels, Sample, Series};
use super::version_1::{messages, read_sample};
use super::{Metadata, MetricType, Writing};
use crate::{DoorError, Reason};

/// Symbols of one request.
const SYMBOLS_MAX: usize = 1_000_000;

const BROKEN: &str = "the body is no io.prometheus.write.v2.Request in protobuf";

pub(super) fn read(body: &[u8], writing: &mut Writing) -> Result<(), DoorError> {
    let mut symbols: Vec<&[u8]> = Vec::new();
    let mut fields = Fields(body);
    while let Some((number, value)) = fields.field().map_err(|Malformed| DoorError::malformed(BROKEN))? {
        if let (4, Value::Bytes(symbol)) = (number, value) {
            if symbols.len() == SYMBOLS_MAX {
                return Err(DoorError::TooLarge(format!("a request may have {SYMBOLS_MAX} symbols")));
            }
            symbols.push(symbol);
        }
    }
    for message in messages(body, 5) {
        read_series(message, &symbols, writing)?;
    }
    Ok(())
}

fn read_series<'a>(message: &'a [u8], symbols: &[&'a [u8]], writing: &mut Writing) -> Result<(), DoorError> {
    match series_of(message, symbols) {
        Ok((labels, metadata, series)) => writing.add(&labels, metadata, &series),
        Err(Malformed) => {
            let lost = messages(message, 2).count() + messages(message, 3).count();
            let lost = u32::try_from(lost.max(1)).unwrap_or(u32::MAX);
            let detail = "a series is no protobuf message, or names a symbol that is not there";
            writing.turned_away.add_many(Reason::InvalidValue, lost, detail);
            Ok(())
        }
    }
}

type Described<'a, 'b> = (Labels<'a>, Metadata<'a>, SeriesTwo<'a, 'b>);

fn series_of<'a, 'b>(message: &'a [u8], symbols: &'b [&'a [u8]]) -> Result<Described<'a, 'b>, Malformed> {
    let mut labels = Labels::default();
    let mut metadata = Metadata::default();
    let mut series = SeriesTwo { message, symbols, created: 0, counts: Counts::default() };
    let mut name = None;
    let mut fields = Fields(message);
    while let Some(field) = fields.field()? {
        match field {
            (1, value) => pairs(value, &mut name, symbols, |name, value| labels.add(name, value))?,
            (2, Value::Bytes(_)) => series.counts.samples += 1,
            (3, Value::Bytes(_)) => series.counts.histograms += 1,
            (4, Value::Bytes(_)) => series.counts.exemplars += 1,
            (5, Value::Bytes(message)) => metadata = read_metadata(message, symbols)?,
            // Where earlier drafts had what is now each sample's start.
            (6, Value::Varint(millis)) => series.created = millis as i64,
            _ => {}
        }
    }
    // A name without a value.
    if name.is_some() { Err(Malformed) } else { Ok((labels, metadata, series)) }
}

fn symbol<'a>(place: u64, symbols: &[&'a [u8]]) -> Result<&'a [u8], Malformed> {
    usize::try_from(place).ok().and_then(|place| symbols.get(place)).copied().ok_or(Malformed)
}

/// Feeds pairs of symbols; `name` keeps one whose value has not come yet.
fn pairs<'a>(
    value: Value<'_>,
    name: &mut Option<&'a [u8]>,
    symbols: &[&'a [u8]],
    mut feed: impl FnMut(&'a [u8], &'a [u8]),
) -> Result<(), Malformed> {
    let mut is_wrong = false;
    repeated_varint(value, |place| match (symbol(place, symbols), name.take()) {
        (Ok(found), None) => *name = Some(found),
        (Ok(found), Some(name)) => feed(name, found),
        (Err(Malformed), _) => is_wrong = true,
    })?;
    if is_wrong { Err(Malformed) } else { Ok(()) }
}

fn read_metadata<'a>(message: &[u8], symbols: &[&'a [u8]]) -> Result<Metadata<'a>, Malformed> {
    let mut metadata = Metadata::default();
    let mut fields = Fields(message);
    while let Some(field) = fields.field()? {
        match field {
            (1, Value::Varint(kind)) => metadata.kind = MetricType::of(kind),
            (3, Value::Varint(place)) => metadata.help = symbol(place, symbols)?,
            (4, Value::Varint(place)) => metadata.unit = symbol(place, symbols)?,
            _ => {}
        }
    }
    Ok(metadata)
}

struct SeriesTwo<'a, 'b> {
    message: &'a [u8],
    symbols: &'b [&'a [u8]],
    /// Milliseconds; 0 where samples say it themselves, or nobody does.
    created: i64,
    counts: Counts,
}

impl<'a> Series<'a> for SeriesTwo<'a, '_> {
    fn samples(
        &self,
        feed: &mut dyn FnMut(Result<Sample, Malformed>) -> Result<(), DoorError>,
    ) -> Result<(), DoorError> {
        messages(self.message, 2).try_for_each(|message| {
            feed(read_sample(message).map(|mut sample| {
                if sample.start == 0 {
                    sample.start = self.created;
                }
                sample
            }))
        })
    }

    fn histograms(&self, feed: &mut dyn FnMut(&'a [u8]) -> Result<(), DoorError>) -> Result<(), DoorError> {
        messages(self.message, 3).try_for_each(feed)
    }

    fn exemplars(&self, feed: &mut dyn FnMut(Result<Exemplar<'a>, Malformed>)) {
        messages(self.message, 4).for_each(|message| feed(read_exemplar(message, self.symbols)));
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}

fn read_exemplar<'a>(message: &[u8], symbols: &[&'a [u8]]) -> Result<Exemplar<'a>, Malformed> {
    let mut found = Exemplar::default();
    let mut name = None;
    let mut fields = Fields(message);
    while let Some(field) = fields.field()? {
        match field {
            (1, value) => pairs(value, &mut name, symbols, |name, value| {
                if found.labels.len() < exemplar::LABELS_MAX {
                    found.labels.push((name, value));
                }
            })?,
            (2, Value::Fixed64(bits)) => found.value = f64::from_bits(bits),
            (3, Value::Varint(millis)) => found.timestamp = millis as i64,
            _ => {}
        }
    }
    Ok(found)
}
