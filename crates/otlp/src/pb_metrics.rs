//! Protobuf metrics into the tables.

use crate::Stop;
use crate::any_value::attribute;
use crate::metrics::{MetricKind, MetricTables, RawAttributes};
use crate::notes::{Id, Notes};
use crate::origin::{Origin, replace};
use crate::points::{Distribution, ExemplarHead, ExemplarTable, ExpHead, NumberValue, PointHead};
use crate::sample_shapes::{EXP_HISTOGRAM_POINT, Field, HISTOGRAM_POINT, NUMBER_POINT, SUMMARY_POINT};
use crate::wire::{Fields, Value, repeated_fixed64, repeated_varint, zigzag};

/// The kind of metric this field of Metric holds.
pub(crate) fn kind_of(number: u32) -> Option<MetricKind> {
    Some(match number {
        5 => MetricKind::Gauge,
        7 => MetricKind::Sum,
        9 => MetricKind::Histogram,
        10 => MetricKind::ExponentialHistogram,
        11 => MetricKind::Summary,
        _ => return None,
    })
}

/// Reads one metric with its points. Its fields come in any order, so all but the points are read first.
pub(crate) fn metric(
    message: &[u8],
    tables: &mut MetricTables,
    origin: &Origin,
    notes: &mut Notes,
) -> Result<(), Stop> {
    tables.begin_metric();
    // Of several kinds the last one counts; several messages of it are one.
    let mut data: Option<(MetricKind, &[u8])> = None;
    let mut more = Vec::new();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.field()? {
        match field {
            (1, Value::Bytes(text)) => replace(&mut tables.head.name, &notes.text(text)),
            (2, Value::Bytes(text)) => replace(&mut tables.head.description, &notes.text(text)),
            (3, Value::Bytes(text)) => replace(&mut tables.head.unit, &notes.text(text)),
            (12, Value::Bytes(message)) => attribute(&mut tables.head.metadata, message, 1, notes)?,
            (number, Value::Bytes(message)) => match (kind_of(number), &data) {
                (Some(kind), Some((before, _))) if kind == *before => more.push(message),
                (Some(kind), _) => {
                    data = Some((kind, message));
                    more.clear();
                }
                (None, _) => {}
            },
            _ => {}
        }
    }
    let Some((kind, message)) = data else { return Ok(()) };
    let messages = || std::iter::once(&message).chain(&more);
    // What other kinds do not have need not be looked for between their points.
    for message in messages().filter(|_| kind.has_temporality()) {
        let mut fields = Fields::new(message);
        while let Some(field) = fields.field()? {
            match field {
                (2, Value::Varint(temporality)) => tables.head.temporality = temporality as i32,
                (3, Value::Varint(monotonic)) => tables.head.monotonic = monotonic != 0,
                _ => {}
            }
        }
    }
    tables.begin_points(kind, origin, notes);
    for message in messages() {
        let mut fields = Fields::new(message);
        while let Some(field) = fields.field()? {
            if let (1, Value::Bytes(point)) = field {
                match kind {
                    MetricKind::Gauge | MetricKind::Sum => number_point(point, tables, notes)?,
                    MetricKind::Histogram => histogram_point(point, tables, notes)?,
                    MetricKind::ExponentialHistogram => exp_histogram_point(point, tables, notes)?,
                    MetricKind::Summary => summary_point(point, tables, notes)?,
                }
                let (head, shape) = (&tables.head, shape_of(kind));
                notes.sample(|sample| sample.data_point(head, kind, |sample| sample.protobuf(point, shape)));
            }
        }
    }
    tables.end_points(kind, notes);
    Ok(())
}

/// Where the attributes of a point lie, in bytes left behind them.
#[derive(Default)]
enum Span {
    #[default]
    Nowhere,
    /// Side by side.
    Together { begin: usize, end: usize },
    /// With other fields between them.
    Apart,
}

impl Span {
    /// A field that begins and ends with so many bytes left.
    #[inline]
    fn add(&mut self, begin: usize, end: usize) {
        *self = match *self {
            Span::Nowhere => Span::Together { begin, end },
            Span::Together { begin: first, end: last } if last == begin => Span::Together { begin: first, end },
            Span::Together { .. } | Span::Apart => Span::Apart,
        };
    }

    /// The fields in the message.
    #[inline]
    fn of<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        match *self {
            Span::Nowhere => &[],
            Span::Together { begin, end } => &message[message.len() - begin..message.len() - end],
            Span::Apart => message,
        }
    }
}

fn shape_of(kind: MetricKind) -> &'static [Field] {
    match kind {
        MetricKind::Gauge | MetricKind::Sum => NUMBER_POINT,
        MetricKind::Histogram => HISTOGRAM_POINT,
        MetricKind::ExponentialHistogram => EXP_HISTOGRAM_POINT,
        MetricKind::Summary => SUMMARY_POINT,
    }
}

/// Tags of the fields of NumberDataPoint.
mod number_tag {
    use crate::wire::{bytes, fixed64, varint};

    pub const START_TIME: u32 = fixed64(2);
    pub const TIME: u32 = fixed64(3);
    pub const AS_DOUBLE: u32 = fixed64(4);
    pub const EXEMPLARS: u32 = bytes(5);
    pub const AS_INT: u32 = fixed64(6);
    pub const ATTRIBUTES: u32 = bytes(7);
    pub const FLAGS: u32 = varint(8);
}

fn number_point(message: &[u8], tables: &mut MetricTables, notes: &mut Notes) -> Result<(), Stop> {
    tables.begin_point(notes)?;
    let mut head = PointHead::default();
    let mut value = NumberValue::Absent;
    let mut attributes = Span::default();
    let mut fields = Fields::new(message);
    loop {
        let begin = fields.left();
        let Some(tag) = fields.tag()? else { break };
        match tag {
            number_tag::ATTRIBUTES => {
                fields.bytes()?;
                attributes.add(begin, fields.left());
            }
            number_tag::START_TIME => head.start_time = fields.fixed64()?,
            number_tag::TIME => head.time = fields.fixed64()?,
            number_tag::AS_DOUBLE => value = NumberValue::Double(f64::from_bits(fields.fixed64()?)),
            number_tag::AS_INT => value = NumberValue::Int(fields.fixed64()? as i64),
            number_tag::EXEMPLARS => exemplar(fields.bytes()?, &mut tables.exemplars, notes)?,
            number_tag::FLAGS => head.flags = fields.varint()? as u32,
            other => fields.skip(other)?,
        }
    }
    tables.point_attributes(RawAttributes { bytes: attributes.of(message), field: 7 }, head.time, notes)?;
    tables.end_number(&head, value, notes);
    Ok(())
}

fn histogram_point(message: &[u8], tables: &mut MetricTables, notes: &mut Notes) -> Result<(), Stop> {
    tables.begin_point(notes)?;
    tables.histograms.begin();
    let mut head = Distribution::default();
    let mut attributes = Span::default();
    let mut fields = Fields::new(message);
    loop {
        let begin = fields.left();
        let Some(field) = fields.field()? else { break };
        match field {
            (9, Value::Bytes(_)) => attributes.add(begin, fields.left()),
            (2, Value::Fixed64(time)) => head.point.start_time = time,
            (3, Value::Fixed64(time)) => head.point.time = time,
            (4, Value::Fixed64(count)) => head.count = count,
            (5, Value::Fixed64(bits)) => head.sum = Some(f64::from_bits(bits)),
            (6, value) => {
                let counts = &mut tables.histograms.bucket_counts.values;
                repeated_fixed64(value, |count| counts.push(count))?;
            }
            (7, value) => {
                let bounds = &mut tables.histograms.explicit_bounds.values;
                repeated_fixed64(value, |bits| bounds.push(f64::from_bits(bits)))?;
            }
            (8, Value::Bytes(message)) => exemplar(message, &mut tables.exemplars, notes)?,
            (10, Value::Varint(flags)) => head.point.flags = flags as u32,
            (11, Value::Fixed64(bits)) => head.min = Some(f64::from_bits(bits)),
            (12, Value::Fixed64(bits)) => head.max = Some(f64::from_bits(bits)),
            _ => {}
        }
    }
    tables.point_attributes(RawAttributes { bytes: attributes.of(message), field: 9 }, head.point.time, notes)?;
    tables.end_histogram(&head, notes);
    Ok(())
}

fn exp_histogram_point(message: &[u8], tables: &mut MetricTables, notes: &mut Notes) -> Result<(), Stop> {
    tables.begin_point(notes)?;
    tables.exp_histograms.begin();
    let mut head = ExpHead::default();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.field()? {
        let distribution = &mut head.distribution;
        match field {
            (1, Value::Bytes(message)) => attribute(&mut tables.attributes, message, 1, notes)?,
            (2, Value::Fixed64(time)) => distribution.point.start_time = time,
            (3, Value::Fixed64(time)) => distribution.point.time = time,
            (4, Value::Fixed64(count)) => distribution.count = count,
            (5, Value::Fixed64(bits)) => distribution.sum = Some(f64::from_bits(bits)),
            (6, Value::Varint(scale)) => head.scale = zigzag(scale),
            (7, Value::Fixed64(count)) => head.zero_count = count,
            (8, Value::Bytes(message)) => {
                let counts = &mut tables.exp_histograms.positive_counts.values;
                buckets(message, &mut head.positive, counts)?;
            }
            (9, Value::Bytes(message)) => {
                let counts = &mut tables.exp_histograms.negative_counts.values;
                buckets(message, &mut head.negative, counts)?;
            }
            (10, Value::Varint(flags)) => distribution.point.flags = flags as u32,
            (11, Value::Bytes(message)) => exemplar(message, &mut tables.exemplars, notes)?,
            (12, Value::Fixed64(bits)) => distribution.min = Some(f64::from_bits(bits)),
            (13, Value::Fixed64(bits)) => distribution.max = Some(f64::from_bits(bits)),
            (14, Value::Fixed64(bits)) => head.zero_threshold = f64::from_bits(bits),
            _ => {}
        }
    }
    tables.end_exp_histogram(&head, notes);
    Ok(())
}

fn buckets(message: &[u8], offset: &mut Option<i32>, counts: &mut Vec<u64>) -> Result<(), Stop> {
    let offset = offset.get_or_insert(0);
    let mut fields = Fields::new(message);
    while let Some((number, value)) = fields.field()? {
        match (number, value) {
            (1, Value::Varint(value)) => *offset = zigzag(value),
            (2, value) => repeated_varint(value, |count| counts.push(count))?,
            _ => {}
        }
    }
    Ok(())
}

fn summary_point(message: &[u8], tables: &mut MetricTables, notes: &mut Notes) -> Result<(), Stop> {
    tables.begin_point(notes)?;
    tables.summaries.begin();
    let mut head = PointHead::default();
    let (mut count, mut sum) = (0, 0.0);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.field()? {
        match field {
            (7, Value::Bytes(message)) => attribute(&mut tables.attributes, message, 1, notes)?,
            (2, Value::Fixed64(time)) => head.start_time = time,
            (3, Value::Fixed64(time)) => head.time = time,
            (4, Value::Fixed64(value)) => count = value,
            (5, Value::Fixed64(bits)) => sum = f64::from_bits(bits),
            (6, Value::Bytes(message)) => {
                notes.count_one()?;
                let (quantile, value) = quantile(message)?;
                tables.summaries.push_quantile(quantile, value);
            }
            (8, Value::Varint(flags)) => head.flags = flags as u32,
            _ => {}
        }
    }
    tables.end_summary(&head, count, sum, notes);
    Ok(())
}

fn quantile(message: &[u8]) -> Result<(f64, f64), Stop> {
    let (mut quantile, mut value) = (0.0, 0.0);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.field()? {
        match field {
            (1, Value::Fixed64(bits)) => quantile = f64::from_bits(bits),
            (2, Value::Fixed64(bits)) => value = f64::from_bits(bits),
            _ => {}
        }
    }
    Ok((quantile, value))
}

fn exemplar(message: &[u8], table: &mut ExemplarTable, notes: &mut Notes) -> Result<(), Stop> {
    table.begin(notes)?;
    let mut head = ExemplarHead::default();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.field()? {
        match field {
            (7, Value::Bytes(message)) => attribute(&mut table.attributes, message, 1, notes)?,
            (2, Value::Fixed64(time)) => head.time = time,
            (3, Value::Fixed64(bits)) => head.value = NumberValue::Double(f64::from_bits(bits)),
            (6, Value::Fixed64(bits)) => head.value = NumberValue::Int(bits as i64),
            (4, Value::Bytes(id)) => head.span_id = Id::of(id),
            (5, Value::Bytes(id)) => head.trace_id = Id::of(id),
            _ => {}
        }
    }
    table.end(&head, notes);
    Ok(())
}
