//! Native histograms: spans of buckets whose counts are deltas, turned into the dense buckets that OTLP has.
//!
//! Prometheus' bucket `i` ends where OTLP's bucket `i - 1` does, and schema and scale are the same number. Buckets of
//! schema -53 have the bounds that the message names. Counts that are no whole numbers, which recording rules make, have
//! no place in OTLP.

use otlp_wire::{
    Fields, Malformed, Value, put_bytes, put_double, put_fixed64, put_message, put_number, put_varint, put_zigzag,
    repeated_double, repeated_varint, zigzag,
};

use super::nanos;
use super::series::{NO_RECORDED_VALUE, is_stale};
use crate::Reason;

/// The schema of histograms with bounds of their own.
const CUSTOM: i64 = -53;

/// The reset hint of a histogram that does not only grow.
const HINT_GAUGE: u64 = 3;

type Wrong = (Reason, &'static str);

const NOT_WHOLE: Wrong = (Reason::Unsupported, "a native histogram has counts that are no whole numbers");
const MISMATCH: Wrong = (Reason::InvalidValue, "the buckets of a native histogram do not fit its spans");
const TOO_MANY: Wrong = (Reason::TooLarge, "a native histogram has too many buckets");
const BROKEN: Wrong = (Reason::InvalidValue, "a native histogram is no protobuf message");

/// One native histogram.
#[derive(Debug, Default)]
pub(super) struct Native {
    count: u64,
    sum: f64,
    schema: i64,
    zero_threshold: f64,
    zero_count: u64,
    positive: Dense,
    negative: Dense,
    bounds: Vec<f64>,
    time: u64,
    start: u64,
    pub(super) is_gauge: bool,
}

/// Buckets without gaps.
#[derive(Debug, Default, PartialEq)]
struct Dense {
    /// Prometheus' index of the first.
    first: i64,
    counts: Vec<u64>,
}

/// One side's buckets as they are sent.
#[derive(Debug, Default)]
struct Sparse {
    /// Offset from the end of the one before, and length.
    spans: Vec<(i32, u32)>,
    deltas: Vec<i64>,
    counts: Vec<f64>,
}

/// A whole number that a double holds exactly.
fn whole(value: f64) -> Option<u64> {
    (value >= 0.0 && value.fract() == 0.0 && value <= 9_007_199_254_740_992.0).then_some(value as u64)
}

impl Sparse {
    fn span(&mut self, message: &[u8], buckets_max: usize) -> Result<(), Wrong> {
        let (mut offset, mut length) = (0, 0);
        let mut fields = Fields(message);
        while let Some(field) = fields.field().map_err(|Malformed| BROKEN)? {
            match field {
                (1, Value::Varint(value)) => offset = i32::try_from(zigzag(value)).map_err(|_| MISMATCH)?,
                (2, Value::Varint(value)) => length = u32::try_from(value).map_err(|_| TOO_MANY)?,
                _ => {}
            }
        }
        if self.spans.len() == buckets_max {
            return Err(TOO_MANY);
        }
        self.spans.push((offset, length));
        Ok(())
    }

    fn counts(&self) -> Result<Vec<u64>, Wrong> {
        if !self.counts.is_empty() {
            return self.counts.iter().map(|count| whole(*count).ok_or(NOT_WHOLE)).collect();
        }
        let mut count = 0_i64;
        let next = |delta: &i64| {
            count = count.checked_add(*delta)?;
            u64::try_from(count).ok()
        };
        self.deltas.iter().map(next).collect::<Option<_>>().ok_or(MISMATCH)
    }

    /// Fills the gaps between the spans.
    fn dense(&self, buckets_max: usize) -> Result<Dense, Wrong> {
        let counts = self.counts()?;
        let mut left = &counts[..];
        let mut dense = Dense::default();
        let mut next = 0_i64;
        for (offset, length) in &self.spans {
            next += i64::from(*offset);
            if *length == 0 {
                continue;
            }
            let (now, later) = left.split_at_checked(*length as usize).ok_or(MISMATCH)?;
            left = later;
            if dense.counts.is_empty() {
                dense.first = next;
            }
            let gap = next - dense.first - dense.counts.len() as i64;
            let gap = usize::try_from(gap).map_err(|_| MISMATCH)?;
            if dense.counts.len().saturating_add(gap).saturating_add(now.len()) > buckets_max {
                return Err(TOO_MANY);
            }
            dense.counts.resize(dense.counts.len() + gap, 0);
            dense.counts.extend_from_slice(now);
            next += i64::from(*length);
        }
        if left.is_empty() { Ok(dense) } else { Err(MISMATCH) }
    }
}

impl Native {
    /// Reads a `Histogram` message, which both versions have alike.
    pub(super) fn read(message: &[u8], buckets_max: usize) -> Result<Native, Wrong> {
        let mut native = Native::default();
        let (mut positive, mut negative) = (Sparse::default(), Sparse::default());
        let mut fields = Fields(message);
        while let Some((number, value)) = fields.field().map_err(|Malformed| BROKEN)? {
            match (number, value) {
                (8, Value::Bytes(span)) => negative.span(span, buckets_max)?,
                (11, Value::Bytes(span)) => positive.span(span, buckets_max)?,
                (9, value) => read_deltas(value, &mut negative.deltas, buckets_max)?,
                (12, value) => read_deltas(value, &mut positive.deltas, buckets_max)?,
                (10, value) => read_doubles(value, &mut negative.counts, buckets_max)?,
                (13, value) => read_doubles(value, &mut positive.counts, buckets_max)?,
                (16, value) => read_doubles(value, &mut native.bounds, buckets_max)?,
                (number, value) => native.number(number, value)?,
            }
        }
        if native.time == 0 {
            return Err((Reason::InvalidTime, "a native histogram has no time, or one beyond the year 2262"));
        }
        if native.start > native.time {
            native.start = 0;
        }
        native.positive = positive.dense(buckets_max)?;
        native.negative = negative.dense(buckets_max)?;
        native.check()?;
        Ok(native)
    }

    fn number(&mut self, number: u64, value: Value<'_>) -> Result<(), Wrong> {
        match (number, value) {
            (1, Value::Varint(count)) => self.count = count,
            (2, Value::Fixed64(bits)) => self.count = whole(f64::from_bits(bits)).ok_or(NOT_WHOLE)?,
            (3, Value::Fixed64(bits)) => self.sum = f64::from_bits(bits),
            (4, Value::Varint(value)) => self.schema = zigzag(value),
            (5, Value::Fixed64(bits)) => self.zero_threshold = f64::from_bits(bits),
            (6, Value::Varint(count)) => self.zero_count = count,
            (7, Value::Fixed64(bits)) => self.zero_count = whole(f64::from_bits(bits)).ok_or(NOT_WHOLE)?,
            (14, Value::Varint(hint)) => self.is_gauge = hint == HINT_GAUGE,
            (15, Value::Varint(millis)) => self.time = nanos(millis as i64).unwrap_or_default(),
            (17, Value::Varint(millis)) => self.start = nanos(millis as i64).unwrap_or_default(),
            _ => {}
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Wrong> {
        if !self.is_explicit() {
            let is_known = (-10..=20).contains(&self.schema);
            let index = |first: i64| i32::try_from(first - 1).is_ok();
            return match is_known && index(self.positive.first) && index(self.negative.first) {
                true => Ok(()),
                false => Err((Reason::Unsupported, "the schema of a native histogram is unknown")),
            };
        }
        let is_rising = self.bounds.is_sorted_by(|low, high| low < high) && !self.bounds.iter().any(|b| b.is_nan());
        if !is_rising {
            return Err((Reason::InvalidValue, "the bounds of a native histogram do not increase"));
        }
        let last = self.positive.first + self.positive.counts.len() as i64;
        match self.positive.first >= 0 && last <= self.bounds.len() as i64 + 1 && self.negative.counts.is_empty() {
            true => Ok(()),
            false => Err(MISMATCH),
        }
    }

    /// Whether its buckets have bounds of their own.
    pub(super) fn is_explicit(&self) -> bool {
        self.schema == CUSTOM
    }

    pub(super) fn exemplars_field(&self) -> u32 {
        if self.is_explicit() { 8 } else { 11 }
    }

    pub(super) fn attributes_field(&self) -> u32 {
        if self.is_explicit() { 9 } else { 1 }
    }

    /// Appends the fields of its point, without attributes and exemplars.
    pub(super) fn put_fields(&self, out: &mut Vec<u8>) {
        if self.start > 0 {
            put_fixed64(out, 2, self.start);
        }
        put_fixed64(out, 3, self.time);
        if is_stale(self.sum) {
            return put_number(out, 10, NO_RECORDED_VALUE);
        }
        put_fixed64(out, 4, self.count);
        put_double(out, 5, self.sum);
        match self.is_explicit() {
            true => self.put_explicit(out),
            false => self.put_exponential(out),
        }
    }

    fn put_exponential(&self, out: &mut Vec<u8>) {
        put_zigzag(out, 6, self.schema as i32);
        put_fixed64(out, 7, self.zero_count);
        for (field, buckets) in [(8, &self.positive), (9, &self.negative)] {
            if buckets.counts.is_empty() {
                continue;
            }
            let mut packed = Vec::with_capacity(buckets.counts.len());
            buckets.counts.iter().for_each(|count| put_varint(&mut packed, *count));
            put_message(out, field, |out| {
                put_zigzag(out, 1, (buckets.first - 1) as i32);
                put_bytes(out, 2, &packed);
            });
        }
        put_double(out, 14, self.zero_threshold);
    }

    fn put_explicit(&self, out: &mut Vec<u8>) {
        let mut counts = vec![0; self.bounds.len() + 1];
        let first = self.positive.first as usize;
        for (place, count) in counts.iter_mut().skip(first).zip(&self.positive.counts) {
            *place = *count;
        }
        let counts: Vec<u8> = counts.iter().flat_map(|count: &u64| count.to_le_bytes()).collect();
        let bounds: Vec<u8> = self.bounds.iter().flat_map(|bound| bound.to_le_bytes()).collect();
        put_bytes(out, 6, &counts);
        put_bytes(out, 7, &bounds);
    }
}

fn read_deltas(value: Value<'_>, deltas: &mut Vec<i64>, max: usize) -> Result<(), Wrong> {
    let mut is_over = false;
    let read = repeated_varint(value, |value| match deltas.len() < max {
        true => deltas.push(zigzag(value)),
        false => is_over = true,
    });
    read.map_err(|Malformed| BROKEN)?;
    if is_over { Err(TOO_MANY) } else { Ok(()) }
}

fn read_doubles(value: Value<'_>, doubles: &mut Vec<f64>, max: usize) -> Result<(), Wrong> {
    let mut is_over = false;
    let read = repeated_double(value, |value| match doubles.len() < max {
        true => doubles.push(value),
        false => is_over = true,
    });
    read.map_err(|Malformed| BROKEN)?;
    if is_over { Err(TOO_MANY) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled() {
        let check = |spans: &[(i32, u32)], deltas: &[i64], expect: Result<(i64, &[u64]), Wrong>| {
            let sparse = Sparse { spans: spans.to_vec(), deltas: deltas.to_vec(), counts: Vec::new() };
            let dense = sparse.dense(100);
            assert_eq!(
                dense.as_ref().map(|dense| (dense.first, &dense.counts[..])),
                expect.as_ref().map(|e| *e),
                "{spans:?}"
            );
        };
        check(&[], &[], Ok((0, &[])));
        check(&[(0, 2), (3, 1)], &[1, 1, -1], Ok((0, &[1, 2, 0, 0, 0, 1])));
        check(&[(-5, 1), (0, 1)], &[4, 0], Ok((-5, &[4, 4])));
        check(&[(2, 0), (2, 1)], &[7], Ok((4, &[7])));
        check(&[(0, 2)], &[1], Err(MISMATCH));
        check(&[(0, 1)], &[1, 1], Err(MISMATCH));
        check(&[(0, 2)], &[1, -2], Err(MISMATCH));
        check(&[(0, 1), (-1, 1)], &[1, 1], Err(MISMATCH));
        check(&[(0, 1), (i32::MAX, 1)], &[1, 1], Err(TOO_MANY));
        check(&[(0, 1), (98, 1)], &[1, 0], Ok((0, &[&[1][..], &[0; 98], &[1]].concat())));
        check(&[(0, u32::MAX)], &[1], Err(MISMATCH));
    }

    #[test]
    fn counts_must_be_whole() {
        for (value, expect) in
            [(0.0, Some(0)), (3.0, Some(3)), (0.5, None), (-1.0, None), (f64::NAN, None), (1e300, None)]
        {
            assert_eq!(whole(value), expect, "{value}");
        }
    }
}
