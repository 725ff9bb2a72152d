//! Cells: how many spans of a key fell into a minute, how many failed, and how long they took.
//!
//! Bytes, as bits: the minutes in use, then for each key the number of its cells and the cells by minute. A cell has
//! the place of its minute, its spans, its failures, perhaps the second of its newest span, and its durations: the first
//! bucket, then either the distances from each span's bucket to the next, or the count of each bucket up to the last,
//! whichever is shorter.

use std::collections::HashMap;

use super::bits::{BitReader, BitWriter, rice_bits};
use super::hash::Folding;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Nanoseconds of a minute.
pub const MINUTE_NANOS: i64 = 60 * NANOS_PER_SECOND;

/// Number of the minute, since the Unix epoch, that holds a time.
pub fn minute_of(time_unix_nano: i64) -> i64 {
    time_unix_nano.div_euclid(MINUTE_NANOS)
}

/// The second of its minute.
pub(super) fn second_of(time_unix_nano: i64) -> u8 {
    (time_unix_nano.rem_euclid(MINUTE_NANOS) / NANOS_PER_SECOND) as u8
}

/// The time of a second of a minute.
pub(super) fn time_of(minute: i64, second: u8) -> i64 {
    minute.saturating_mul(MINUTE_NANOS).saturating_add(i64::from(second) * NANOS_PER_SECOND)
}

/// Distinct minutes, numbered as they come.
#[derive(Debug, Default)]
pub(super) struct Minutes {
    last: Option<(i64, u32)>,
    numbers: HashMap<i64, u32, Folding>,
    pub(super) list: Vec<i64>,
}

impl Minutes {
    pub(super) fn number(&mut self, minute: i64) -> u32 {
        if let Some((_, number)) = self.last.filter(|last| last.0 == minute) {
            return number;
        }
        let number = *self.numbers.entry(minute).or_insert_with(|| {
            self.list.push(minute);
            self.list.len() as u32 - 1
        });
        self.last = Some((minute, number));
        number
    }

    /// The minutes in order, and of each number its place among them.
    pub(super) fn sorted(&self) -> (Vec<i64>, Vec<u32>) {
        let mut order: Vec<u32> = (0..self.list.len() as u32).collect();
        order.sort_unstable_by_key(|number| self.list[*number as usize]);
        let mut places = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, number)| places[*number as usize] = place as u32);
        (order.iter().map(|number| self.list[*number as usize]).collect(), places)
    }
}

pub(super) fn write_minutes(out: &mut BitWriter, minutes: &[i64]) {
    out.golomb(minutes.len() as u64, 4);
    let mut before = None;
    for minute in minutes {
        match before {
            None => out.signed(*minute, 24),
            Some(before) => out.golomb((minute - before - 1) as u64, 0),
        }
        before = Some(*minute);
    }
}

pub(super) fn read_minutes(bits: &mut BitReader<'_>) -> Option<Vec<i64>> {
    let count = bits.golomb(4)?;
    let mut minutes: Vec<i64> = Vec::new();
    for _ in 0..count {
        let minute = match minutes.last() {
            None => bits.signed(24)?,
            Some(before) => before.checked_add(i64::try_from(bits.golomb(0)?).ok()?)?.checked_add(1)?,
        };
        minutes.push(minute);
    }
    Some(minutes)
}

/// One span on its way into a cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) key: u32,
    /// Number in [`Minutes`].
    pub(super) minute: u32,
    pub(super) bucket: u16,
    pub(super) second: u8,
    pub(super) is_error: bool,
}

/// Most keys and minutes that a sample packs into one number.
const KEY_BITS: u32 = 24;
const MINUTE_BITS: u32 = 24;
/// Where key, minute and bucket begin in it; below lie the second and the failure.
const MINUTE_AT: u32 = 16;
const BUCKET_AT: u32 = 7;
const KEY_AT: u32 = MINUTE_AT + MINUTE_BITS;

/// Spans of one key in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell<'a> {
    /// The minute, since the Unix epoch.
    pub minute: i64,
    /// Spans.
    pub spans: u64,
    /// Spans with status error.
    pub errors: u64,
    /// Time of the newest span, to the second; the minute's begin where this is not kept.
    pub newest_unix_nano: i64,
    /// Buckets of the durations, ascending, and how many spans fell into each.
    pub durations: &'a [(u16, u64)],
}

/// Writes the samples of keys 0 to `keys` as cells; `None` where there are too many keys or minutes to pack.
pub(super) fn write_cells(samples: &[Sample], keys: usize, minutes: &Minutes, with_second: bool) -> Option<Vec<u8>> {
    let (sorted, places) = minutes.sorted();
    if keys >= 1 << KEY_BITS || sorted.len() >= 1 << MINUTE_BITS {
        return None;
    }
    let pack = |sample: &Sample| {
        u64::from(sample.key) << KEY_AT
            | u64::from(places[sample.minute as usize]) << MINUTE_AT
            | u64::from(sample.bucket) << BUCKET_AT
            | u64::from(sample.second) << 1
            | u64::from(sample.is_error)
    };
    let mut packed: Vec<u64> = samples.iter().map(pack).collect();
    packed.sort_unstable();
    let mut out = BitWriter::default();
    write_minutes(&mut out, &sorted);
    let mut rest = &packed[..];
    let mut body = CellBody::default();
    for key in 0..keys as u64 {
        let of_key = take_while(&mut rest, |sample| sample >> KEY_AT == key);
        let cells = of_key.chunk_by(|a, b| a >> MINUTE_AT == b >> MINUTE_AT);
        out.golomb(cells.clone().count() as u64, 2);
        let mut place_before = None;
        let mut bucket_before = USUAL_BUCKET;
        for cell in cells {
            let place = cell[0] >> MINUTE_AT & ((1 << MINUTE_BITS) - 1);
            out.golomb(place_before.map_or(place, |before| place - before - 1), 0);
            place_before = Some(place);
            body.gather(cell);
            bucket_before = body.write(&mut out, bucket_before, with_second);
        }
    }
    Some(out.finish())
}

/// Cuts off the front of a list.
fn take_while<'a>(rest: &mut &'a [u64], is_wanted: impl Fn(u64) -> bool) -> &'a [u64] {
    let end = rest.iter().position(|sample| !is_wanted(*sample)).unwrap_or(rest.len());
    let (front, back) = rest.split_at(end);
    *rest = back;
    front
}

/// A bucket of about a millisecond, where the first cell of a key is guessed to begin.
const USUAL_BUCKET: u16 = 140;

/// Widths of Rice codes that are tried.
const WIDTHS: u32 = 8;

#[derive(Debug, Default)]
struct CellBody {
    spans: u64,
    errors: u64,
    second: u8,
    buckets: Vec<(u16, u64)>,
}

impl CellBody {
    fn gather(&mut self, packed: &[u64]) {
        self.buckets.clear();
        (self.spans, self.errors, self.second) = (packed.len() as u64, 0, 0);
        for sample in packed {
            let bucket = (sample >> BUCKET_AT & 0x1ff) as u16;
            self.errors += sample & 1;
            self.second = self.second.max((sample >> 1 & 0x3f) as u8);
            match self.buckets.last_mut() {
                Some((last, count)) if *last == bucket => *count += 1,
                _ => self.buckets.push((bucket, 1)),
            }
        }
    }

    /// Writes the cell but for its minute; gives its first bucket.
    fn write(&self, out: &mut BitWriter, bucket_before: u16, with_second: bool) -> u16 {
        out.golomb(self.spans - 1, 0);
        out.golomb(self.errors, 0);
        if with_second {
            out.bits(u64::from(self.second), 6);
        }
        let (first, last) = (self.buckets[0].0, self.buckets[self.buckets.len() - 1].0);
        out.signed(i64::from(first) - i64::from(bucket_before), 3);
        if self.spans == 1 {
            return first;
        }
        let by_gaps = (0..WIDTHS).map(|width| (self.gap_bits(width), width)).min();
        let by_counts = (0..WIDTHS).map(|width| (self.count_bits(width), width)).min();
        let ((gap_bits, gap_width), (count_bits, count_width)) =
            (by_gaps.unwrap_or((0, 0)), by_counts.unwrap_or((0, 0)));
        if gap_bits <= count_bits {
            out.bits(0, 1);
            out.bits(u64::from(gap_width), 3);
            self.each_gap(|gap, times| (0..times).for_each(|_| out.rice(gap, gap_width)));
        } else {
            out.bits(1, 1);
            out.bits(u64::from(count_width), 3);
            out.golomb(u64::from(last - first), WIDTH_ORDER);
            self.each_count(|count, times| (0..times).for_each(|_| out.rice(count, count_width)));
        }
        first
    }

    /// Distances from each span's bucket to the next span's, runs of equal ones together.
    fn each_gap(&self, mut take: impl FnMut(u64, u64)) {
        let mut before = self.buckets[0].0;
        for (bucket, count) in &self.buckets {
            let gap = u64::from(bucket - before);
            if gap > 0 {
                take(gap, 1);
            }
            take(0, count - 1);
            before = *bucket;
        }
    }

    /// Counts of the buckets from the first to the one before the last, runs of empty ones together.
    fn each_count(&self, mut take: impl FnMut(u64, u64)) {
        let mut next = self.buckets[0].0;
        for (at, (bucket, count)) in self.buckets.iter().enumerate() {
            take(0, u64::from(bucket - next));
            if at + 1 < self.buckets.len() {
                take(*count, 1);
            }
            next = bucket + 1;
        }
    }

    fn gap_bits(&self, width: u32) -> u64 {
        let mut bits = 0;
        self.each_gap(|gap, times| bits += times * rice_bits(gap, width));
        bits
    }

    fn count_bits(&self, width: u32) -> u64 {
        let mut bits = 2 * u64::from(WIDTH_ORDER);
        self.each_count(|count, times| bits += times * rice_bits(count, width));
        bits
    }
}

/// Order of the code for how many buckets a cell spans.
const WIDTH_ORDER: u32 = 5;

/// Reads cells of keys 0 to `keys`, in order; `None` where the bytes are not cells.
pub(super) fn read_cells(
    bytes: &[u8],
    keys: usize,
    with_second: bool,
    mut take: impl FnMut(usize, &Cell<'_>),
) -> Option<()> {
    let mut bits = BitReader::new(bytes);
    let minutes = read_minutes(&mut bits)?;
    let mut buckets: Vec<(u16, u64)> = Vec::new();
    for key in 0..keys {
        let count = bits.golomb(2)?;
        let mut place = 0_u64;
        let mut bucket_before = USUAL_BUCKET;
        for cell in 0..count {
            place = place.checked_add(bits.golomb(0)?)?.checked_add(u64::from(cell > 0))?;
            let minute = *minutes.get(usize::try_from(place).ok()?)?;
            let (spans, errors) = (bits.golomb(0)?.checked_add(1)?, bits.golomb(0)?);
            let second = if with_second { bits.bits(6)? as u8 } else { 0 };
            read_durations(&mut bits, spans, bucket_before, &mut buckets)?;
            bucket_before = buckets.first()?.0;
            let newest_unix_nano = time_of(minute, second);
            take(key, &Cell { minute, spans, errors, newest_unix_nano, durations: &buckets });
        }
    }
    Some(())
}

fn read_durations(
    bits: &mut BitReader<'_>,
    spans: u64,
    bucket_before: u16,
    buckets: &mut Vec<(u16, u64)>,
) -> Option<()> {
    buckets.clear();
    let first = i64::from(bucket_before).checked_add(bits.signed(3)?)?;
    let mut bucket = u16::try_from(first).ok()?;
    if spans == 1 {
        buckets.push((bucket, 1));
        return Some(());
    }
    let (by_counts, width) = (bits.bits(1)? == 1, bits.bits(3)? as u32);
    if !by_counts {
        buckets.push((bucket, 1));
        for _ in 1..spans {
            match bits.rice(width)? {
                0 => buckets.last_mut()?.1 += 1,
                gap => {
                    bucket = bucket.checked_add(u16::try_from(gap).ok()?)?;
                    buckets.push((bucket, 1));
                }
            }
        }
        return Some(());
    }
    let last = bucket.checked_add(u16::try_from(bits.golomb(WIDTH_ORDER)?).ok()?)?;
    let mut left = spans;
    while bucket < last {
        let count = bits.rice(width)?;
        left = left.checked_sub(count)?;
        if count > 0 {
            buckets.push((bucket, count));
        }
        bucket += 1;
    }
    buckets.push((last, left));
    (left > 0).then_some(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type Counted = BTreeMap<(usize, i64), (u64, u64, u8, BTreeMap<u16, u64>)>;

    #[test]
    fn cells_read_back_as_counted() {
        let mut random = fastrand::Rng::with_seed(1);
        for (count, keys, spread) in
            [(0, 1, 1), (1, 3, 1), (500, 1, 1), (500, 400, 60), (20_000, 7, 3), (9_000, 2, 400)]
        {
            let mut minutes = Minutes::default();
            let mut expect = Counted::new();
            let samples: Vec<Sample> = (0..count)
                .map(|_| {
                    let minute = random.i64(0..spread) * if random.u8(..50) == 0 { -300_000 } else { 1 };
                    let bucket = 100 + if random.bool() { random.u16(..6) } else { random.u16(..340) };
                    let (key, second, is_error) = (random.u32(..keys), random.u8(..60), random.u8(..9) == 0);
                    let cell = expect.entry((key as usize, minute)).or_default();
                    cell.0 += 1;
                    cell.1 += u64::from(is_error);
                    cell.2 = cell.2.max(second);
                    *cell.3.entry(bucket).or_default() += 1;
                    Sample { key, minute: minutes.number(minute), bucket, second, is_error }
                })
                .collect();
            for with_second in [true, false] {
                let bytes = write_cells(&samples, keys as usize, &minutes, with_second).expect("few keys");
                let mut found = Counted::new();
                let read = read_cells(&bytes, keys as usize, with_second, |key, cell| {
                    let second = ((cell.newest_unix_nano - cell.minute * MINUTE_NANOS) / NANOS_PER_SECOND) as u8;
                    let durations = cell.durations.iter().copied().collect();
                    let before = found.insert((key, cell.minute), (cell.spans, cell.errors, second, durations));
                    assert_eq!(before, None);
                });
                assert_eq!(read, Some(()));
                if !with_second {
                    expect.values_mut().for_each(|cell| cell.2 = 0);
                }
                assert_eq!(found, expect, "{count} spans, {keys} keys");
                for cut in 0..bytes.len().min(60) {
                    assert_eq!(read_cells(&bytes[..cut], keys as usize, with_second, |_, _| {}), None, "cut to {cut}");
                }
            }
        }
    }

    #[test]
    fn dense_cells_cost_far_less_than_a_byte_a_span() {
        let mut random = fastrand::Rng::with_seed(2);
        let check = |spans: u32, bits_max: usize, random: &mut fastrand::Rng| {
            let mut minutes = Minutes::default();
            let minute = minutes.number(7);
            let sample = |random: &mut fastrand::Rng| {
                let normal: f64 = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
                let bucket = (160.0 + 12.0 * normal) as u16;
                Sample { key: 0, minute, bucket, second: 5, is_error: false }
            };
            let samples: Vec<Sample> = (0..spans).map(|_| sample(random)).collect();
            let bytes = write_cells(&samples, 1, &minutes, true).expect("few keys");
            assert!(bytes.len() * 8 <= bits_max * spans as usize, "{spans} spans: {} bytes", bytes.len());
        };
        check(20, 9, &mut random);
        check(100, 3, &mut random);
        check(1000, 1, &mut random);
    }
}
