//! The histogram's geometry: stacked bars as one path per severity, and back from pixels to times.

use std::fmt::Write;

use api::HistogramAnswer;

use crate::format;
use crate::range::Window;
use crate::severity::{LEVELS, Severity};

/// What is drawn.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bars {
    /// One SVG path per severity that occurs, in a box of [`Bars::width`] by [`Bars::height`].
    pub paths: Vec<(Severity, String)>,
    /// Totals of the severities that occur, worst first.
    pub totals: Vec<(Severity, u64)>,
    /// Units of the box across: ten a bucket.
    pub width: u32,
    /// Units of the box down.
    pub height: u32,
    /// Highest bar's count.
    pub count_max: u64,
}

/// Units of a bucket's width, gap included.
const BUCKET_UNITS: u32 = 10;
/// Units of the gap between bars.
const GAP_UNITS: u32 = 2;
/// Units of the box down.
const HEIGHT_UNITS: u32 = 100;

fn count_of(answer: &HistogramAnswer, bucket: usize, severity: Severity) -> u64 {
    answer.buckets.get(bucket).and_then(|bucket| bucket.counts.get(severity.name())).copied().unwrap_or(0)
}

/// Lays the bars out. Least severe at the bottom, so that errors stand on top where they are seen.
pub fn bars(answer: &HistogramAnswer) -> Bars {
    let sums: Vec<u64> = answer.buckets.iter().map(|bucket| bucket.counts.values().sum()).collect();
    let count_max = sums.iter().copied().max().unwrap_or(0);
    let mut bars =
        Bars { width: answer.buckets.len() as u32 * BUCKET_UNITS, height: HEIGHT_UNITS, count_max, ..Bars::default() };
    let units = |count: u64| count as f64 * f64::from(HEIGHT_UNITS) / count_max.max(1) as f64;
    let mut below = vec![0_u64; answer.buckets.len()];
    for severity in LEVELS.into_iter().rev() {
        let mut path = String::new();
        let mut total = 0;
        for (index, below) in below.iter_mut().enumerate() {
            let count = count_of(answer, index, severity);
            if count == 0 {
                continue;
            }
            total += count;
            // A single record must stay visible beside thousands.
            let height = units(count).max(1.5);
            let bottom = f64::from(HEIGHT_UNITS) - units(*below);
            let x = index as u32 * BUCKET_UNITS + GAP_UNITS / 2;
            let width = BUCKET_UNITS - GAP_UNITS;
            let _ = write!(path, "M{x} {bottom:.2}h{width}v{:.2}h-{width}z", -height);
            *below += count;
        }
        if total > 0 {
            bars.paths.push((severity, path));
            bars.totals.push((severity, total));
        }
    }
    bars.totals.reverse();
    bars
}

/// The bucket at a share (0 to 1) of the width.
pub fn bucket_at(answer: &HistogramAnswer, share: f64) -> Option<usize> {
    let count = answer.buckets.len();
    (count > 0).then(|| ((share.clamp(0.0, 1.0) * count as f64) as usize).min(count - 1))
}

/// Words for a bucket: its times and counts, worst first.
pub fn bucket_words(answer: &HistogramAnswer, bucket: usize, offset_minutes: i32) -> String {
    let Some(found) = answer.buckets.get(bucket) else { return String::new() };
    let (start, step) = (found.time_unix_nano.0, answer.step_nano.0);
    let end = start.saturating_add(step);
    let clock = |time| match step < crate::range::SECOND {
        true => format::clock(time, offset_minutes),
        false => format::clock(time, offset_minutes)[..8].to_owned(),
    };
    let mut words = format!("{} – {}", clock(start), clock(end));
    let mut none = true;
    for severity in LEVELS {
        let count = count_of(answer, bucket, severity);
        if count > 0 {
            none = false;
            let _ = write!(words, " · {} {}", severity.name(), format::count(count));
        }
    }
    if none {
        words.push_str(" · no records");
    }
    words
}

/// The window between two shares of the width, widened to whole buckets.
pub fn selection(answer: &HistogramAnswer, one: f64, other: f64) -> Option<Window> {
    let first = bucket_at(answer, one.min(other))?;
    let last = bucket_at(answer, one.max(other))?;
    let start = answer.buckets[first].time_unix_nano.0;
    let end = answer.buckets[last].time_unix_nano.0.saturating_add(answer.step_nano.0);
    (start < end).then_some(Window { start, end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::{HistogramBucket, UnixNano};

    fn answer(counts: &[&[(&str, u64)]]) -> HistogramAnswer {
        let bucket = |(index, counts): (usize, &&[(&str, u64)])| HistogramBucket {
            time_unix_nano: UnixNano(index as i64 * 10),
            counts: counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        };
        HistogramAnswer {
            step_nano: UnixNano(10),
            buckets: counts.iter().enumerate().map(bucket).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn bars_stack() {
        let bars = bars(&answer(&[&[("info", 3), ("error", 1)], &[], &[("info", 2)]]));
        assert_eq!(bars.totals, [(Severity::Error, 1), (Severity::Info, 5)]);
        assert_eq!(bars.paths[0].1, "M1 100.00h8v-75.00h-8zM21 100.00h8v-50.00h-8z");
        assert_eq!(bars.paths[1].1, "M1 25.00h8v-25.00h-8z");
        assert_eq!((bars.width, bars.count_max), (30, 4));
        assert!(super::bars(&HistogramAnswer::default()).paths.is_empty());
    }

    #[test]
    fn pixels_become_times() {
        let answer = answer(&[&[], &[], &[], &[]]);
        assert_eq!(bucket_at(&answer, 1.0), Some(3));
        assert_eq!(bucket_at(&answer, -3.0), Some(0));
        assert_eq!(selection(&answer, 0.6, 0.3), Some(Window { start: 10, end: 30 }));
        assert_eq!(selection(&HistogramAnswer::default(), 0.0, 1.0), None);
        assert_eq!(bucket_words(&answer, 0, 0), "00:00:00.000 – 00:00:00.000 · no records");
    }
}
