//! Lines over time: scales, ticks, paths, and back from pixels to times.
//!
//! Vocabulary: a *step* is one of the equal pieces of time that all lines of a chart share, and a value stands in the
//! middle of its step; `None` is a gap, which no line crosses. A *plot* is the box lines are drawn in, [`WIDTH`] by
//! [`HEIGHT`] units, stretched over whatever room the page has. What is not finite is a gap.

use std::fmt::Write;

use api::StepRange;

use crate::format;
use crate::range::{SECOND, Window};

/// Units of a plot across.
pub const WIDTH: f64 = 1_000.0;
/// Units of a plot down.
pub const HEIGHT: f64 = 100.0;
/// Steps a chart may have; what comes after is not drawn.
const STEPS_MAX: usize = 10_000;

/// Equal pieces of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Steps {
    /// Start of the first.
    pub start: i64,
    /// Length of each.
    pub step: i64,
    /// How many there are.
    pub count: usize,
}

impl Steps {
    /// The steps of an answer.
    pub fn of(range: &StepRange) -> Steps {
        let (start, step) = (range.start_unix_nano.0, range.step_nano.0);
        let length = range.end_unix_nano.0.saturating_sub(start);
        if step <= 0 || length <= 0 {
            return Steps { start, ..Steps::default() };
        }
        let count = length.saturating_add(step - 1) / step;
        Steps { start, step, count: usize::try_from(count).unwrap_or(STEPS_MAX).min(STEPS_MAX) }
    }

    /// Start of a step.
    pub fn begin(self, index: usize) -> i64 {
        self.start.saturating_add(self.step.saturating_mul(index as i64))
    }

    /// First nanosecond after a step.
    pub fn end(self, index: usize) -> i64 {
        self.begin(index).saturating_add(self.step)
    }

    /// The step a time lies in.
    pub fn at(self, time: i64) -> Option<usize> {
        if self.step <= 0 {
            return None;
        }
        let index = time.saturating_sub(self.start).div_euclid(self.step);
        usize::try_from(index).ok().filter(|index| *index < self.count)
    }

    /// How much of a step lies in the window, in nanoseconds.
    pub fn covered(self, index: usize, window: Window) -> i64 {
        self.end(index).min(window.end).saturating_sub(self.begin(index).max(window.start)).max(0)
    }
}

/// Where values and times stand in the box.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// The steps of its lines.
    pub steps: Steps,
    /// Time across.
    pub window: Window,
    /// Value at the bottom: zero, or the least value where that is below.
    pub bottom: f64,
    /// Value at the top.
    pub top: f64,
    /// Values with a line across, bottom and top among them.
    pub ticks: Vec<f64>,
}

impl Plot {
    /// Fits the lines into a window. `top_min` keeps noise near zero from filling the box.
    pub fn new<'a>(
        steps: Steps,
        window: Window,
        lines: impl IntoIterator<Item = &'a [Option<f64>]>,
        top_min: f64,
    ) -> Plot {
        let (mut least, mut most) = (0.0_f64, top_min.max(0.0));
        for value in lines.into_iter().flatten().flatten().filter(|value| value.is_finite()) {
            least = least.min(*value);
            most = most.max(*value);
        }
        let ticks = value_ticks(least, most, 4);
        let (bottom, top) = (ticks.first().copied().unwrap_or(0.0), ticks.last().copied().unwrap_or(1.0));
        Plot { steps, window, bottom, top, ticks }
    }

    /// How far across a time is.
    pub fn x(&self, time: i64) -> f64 {
        let length = self.window.length().max(1) as f64;
        time.saturating_sub(self.window.start) as f64 / length * WIDTH
    }

    /// How far down a value is.
    pub fn y(&self, value: f64) -> f64 {
        HEIGHT - (value - self.bottom) / (self.top - self.bottom).max(f64::MIN_POSITIVE) * HEIGHT
    }

    /// How far across the point of a step is: its middle, as far as the step lies in the window.
    pub fn point_x(&self, index: usize) -> f64 {
        let begin = self.steps.begin(index).max(self.window.start);
        let end = self.steps.end(index).min(self.window.end).max(begin);
        self.x(begin.saturating_add(end.saturating_sub(begin) / 2))
    }

    /// The line through the values, broken at gaps.
    pub fn line(&self, values: &[Option<f64>]) -> String {
        let mut path = String::new();
        for run in self.runs(values) {
            write_run(&mut path, &run);
        }
        path
    }

    /// The area between the values and zero.
    pub fn area(&self, values: &[Option<f64>]) -> String {
        let mut path = String::new();
        let zero = self.y(0.0_f64.clamp(self.bottom, self.top));
        for run in self.runs(values) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            if run.len() > 1 {
                write_run(&mut path, &run);
                let _ = write!(path, "L{:.1} {zero:.1}L{:.1} {zero:.1}Z", last.0, first.0);
            }
        }
        path
    }

    /// The points between gaps.
    fn runs(&self, values: &[Option<f64>]) -> Vec<Vec<(f64, f64)>> {
        let mut runs = vec![Vec::new()];
        for (index, value) in values.iter().take(self.steps.count).enumerate() {
            match (value.filter(|value| value.is_finite()), runs.last_mut()) {
                (Some(value), Some(run)) => run.push((self.point_x(index), self.y(value))),
                (None, Some(run)) if !run.is_empty() => runs.push(Vec::new()),
                _ => {}
            }
        }
        runs
    }

    /// The step at a share (0 to 1) of the width.
    pub fn step_at(&self, share: f64) -> Option<usize> {
        self.steps.at(self.time_at(share))
    }

    fn time_at(&self, share: f64) -> i64 {
        let into = (share.clamp(0.0, 1.0) * self.window.length() as f64) as i64;
        self.window.start.saturating_add(into.min(self.window.length() - 1).max(0))
    }

    /// The window between two shares of the width, widened to whole steps.
    pub fn selection(&self, one: f64, other: f64) -> Option<Window> {
        let first = self.step_at(one.min(other))?;
        let last = self.step_at(one.max(other))?;
        let selected = Window { start: self.steps.begin(first), end: self.steps.end(last) };
        (selected.start < selected.end).then_some(selected)
    }

    /// Words for a step's time: `14:40 – 14:41`.
    pub fn step_words(&self, index: usize, offset_minutes: i32) -> String {
        let clock = |time: i64| {
            let clock = format::clock(time, offset_minutes);
            let length = match self.steps.step {
                ..SECOND => clock.len(),
                step if step % (60 * SECOND) == 0 => 5,
                _ => 8,
            };
            clock.get(..length).unwrap_or_default().to_owned()
        };
        let (begin, end) = (self.steps.begin(index), self.steps.end(index));
        let day = match format::date(self.window.start, offset_minutes) == format::date(self.window.end, offset_minutes)
        {
            true => String::new(),
            false => format!("{} ", format::date(begin, offset_minutes).get(5..).unwrap_or_default()),
        };
        format!("{day}{} – {}", clock(begin), clock(end))
    }
}

/// A run of one point gets a length that is drawn as a dot, its ends being round.
fn write_run(path: &mut String, run: &[(f64, f64)]) {
    for (index, (x, y)) in run.iter().enumerate() {
        let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
    }
    if run.len() == 1 {
        path.push_str("h.1");
    }
}

/// Round values from at most `least` to at least `most`, about `wanted` steps of 1, 2 or 5 times a power of ten.
fn value_ticks(least: f64, most: f64, wanted: usize) -> Vec<f64> {
    let span = most - least;
    if !span.is_finite() || span <= 0.0 {
        return vec![0.0, 1.0];
    }
    let rough = span / wanted.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().map(|n| n * power).find(|step| *step >= rough).unwrap_or(power * 10.0);
    if !(step.is_finite() && step > 0.0) {
        return vec![least, most];
    }
    let (first, last) = ((least / step).floor(), (most / step).ceil());
    let count = (last - first).clamp(1.0, 20.0) as usize;
    (0..=count).map(|n| (first + n as f64) * step).collect()
}

/// Line and area of a sparkline, in a box of `width` by `height`. The highest value, or `top_min` where that is more,
/// is just below the upper edge.
pub fn sparkline(values: &[Option<f64>], top_min: f64, width: f64, height: f64) -> (String, String) {
    let most = values.iter().flatten().copied().filter(|value| value.is_finite()).fold(top_min, f64::max);
    let top = if most > 0.0 { most } else { 1.0 };
    let across = width / values.len().saturating_sub(1).max(1) as f64;
    let (mut line, mut area) = (String::new(), String::new());
    let mut run: Vec<(f64, f64)> = Vec::new();
    let mut close = |run: &mut Vec<(f64, f64)>| {
        write_run(&mut line, run);
        if let (Some(first), Some(last), true) = (run.first(), run.last(), run.len() > 1) {
            write_run(&mut area, run);
            let _ = write!(area, "L{:.1} {height:.1}L{:.1} {height:.1}Z", last.0, first.0);
        }
        run.clear();
    };
    for (index, value) in values.iter().enumerate() {
        match value.filter(|value| value.is_finite()) {
            Some(value) => {
                let y = height - 1.0 - value.max(0.0) / top * (height - 3.0);
                run.push((index as f64 * across, y));
            }
            None => close(&mut run),
        }
    }
    close(&mut run);
    (line, area)
}

/// Words for a line, for those who do not see it: `checkout: least 3 ms, most 9 ms, last 4 ms`.
pub fn line_words(name: &str, values: &[Option<f64>], print: &dyn Fn(f64) -> String) -> String {
    let known: Vec<f64> = values.iter().flatten().copied().filter(|value| value.is_finite()).collect();
    let Some(last) = known.last() else { return format!("{name}: no data") };
    let least = known.iter().copied().fold(f64::INFINITY, f64::min);
    let most = known.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{name}: least {}, most {}, last {}", print(least), print(most), print(*last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::MINUTE;
    use api::UnixNano;

    fn plot(values: &[Option<f64>]) -> Plot {
        let steps = Steps { start: 0, step: 10, count: values.len() };
        Plot::new(steps, Window { start: 0, end: 10 * values.len() as i64 }, [values], 0.0)
    }

    #[test]
    fn steps_cover_the_answers_range() {
        let check = |start: i64, end: i64, step: i64, expect: usize| {
            let range =
                StepRange { start_unix_nano: UnixNano(start), end_unix_nano: UnixNano(end), step_nano: UnixNano(step) };
            assert_eq!(Steps::of(&range).count, expect);
        };
        check(0, 60, 10, 6);
        check(0, 61, 10, 7);
        check(0, 60, 0, 0);
        check(60, 0, 10, 0);
        check(i64::MIN, i64::MAX, 1, STEPS_MAX);
        let steps = Steps { start: 100, step: 10, count: 3 };
        assert_eq!((steps.at(99), steps.at(100), steps.at(129), steps.at(130)), (None, Some(0), Some(2), None));
        assert_eq!(steps.covered(0, Window { start: 104, end: 900 }), 6);
        assert_eq!(steps.covered(2, Window { start: 0, end: 90 }), 0);
    }

    #[test]
    fn lines_break_at_gaps_and_a_lone_point_is_a_dot() {
        let values = [Some(0.0), Some(2.0), None, Some(4.0), Some(f64::NAN), Some(1.0), Some(1.0), None];
        let plot = plot(&values);
        assert_eq!((plot.bottom, plot.top), (0.0, 4.0));
        assert_eq!(
            plot.line(&values),
            "M62.5 100.0L187.5 50.0M437.5 0.0h.1M687.5 75.0L812.5 75.0",
            "the middle of each of eight steps"
        );
        assert_eq!(
            plot.area(&values),
            "M62.5 100.0L187.5 50.0L187.5 100.0L62.5 100.0ZM687.5 75.0L812.5 75.0L812.5 100.0L687.5 100.0Z"
        );
        assert_eq!(plot.line(&[]), "");
    }

    #[test]
    fn a_step_that_the_window_cuts_keeps_its_point_inside() {
        let steps = Steps { start: 0, step: 10, count: 3 };
        let plot = Plot::new(steps, Window { start: 6, end: 26 }, [], 0.0);
        assert_eq!([0, 1, 2].map(|step| plot.point_x(step)), [100.0, 450.0, 850.0]);
    }

    #[test]
    fn ticks_are_round_and_hold_every_value() {
        let check = |least: f64, most: f64, expect: &[f64]| assert_eq!(value_ticks(least, most, 4), expect);
        check(0.0, 140.0, &[0.0, 50.0, 100.0, 150.0]);
        check(0.0, 4.0, &[0.0, 1.0, 2.0, 3.0, 4.0]);
        check(-3.0, 7.0, &[-5.0, 0.0, 5.0, 10.0]);
        check(0.0, 0.0, &[0.0, 1.0]);
        check(0.0, f64::INFINITY, &[0.0, 1.0]);
        for most in [1e-300, 0.094, 1.0, 99.9, 1_840_000_000.0, 1e300] {
            let ticks = value_ticks(0.0, most, 4);
            assert!(ticks.len() <= 6 && ticks.last().is_some_and(|top| *top >= most), "{most}: {ticks:?}");
        }
    }

    #[test]
    fn a_floor_keeps_noise_small() {
        let values = [Some(0.01), Some(0.02)];
        let plot = Plot::new(Steps { start: 0, step: 1, count: 2 }, Window { start: 0, end: 2 }, [&values[..]], 1.0);
        assert!(plot.y(0.02) > 97.0);
    }

    #[test]
    fn pixels_become_times() {
        let values = [Some(1.0); 4];
        let plot = plot(&values);
        assert_eq!((plot.step_at(0.0), plot.step_at(0.26), plot.step_at(7.0)), (Some(0), Some(1), Some(3)));
        assert_eq!(plot.selection(0.6, 0.3), Some(Window { start: 10, end: 30 }));
        let empty = Plot::new(Steps::default(), Window::default(), [], 0.0);
        assert_eq!((empty.step_at(0.5), empty.selection(0.0, 1.0)), (None, None));
        let minutes = Steps { start: 0, step: MINUTE, count: 60 };
        let hour = Plot::new(minutes, Window { start: 0, end: 60 * MINUTE }, [], 0.0);
        assert_eq!(hour.step_words(40, 0), "00:40 – 00:41");
        assert_eq!(hour.step_words(40, -60), "12-31 23:40 – 23:41");
    }

    #[test]
    fn sparklines_fill_their_box() {
        let (line, area) = sparkline(&[Some(0.0), Some(4.0), None, Some(1.0)], 0.0, 90.0, 23.0);
        assert_eq!(line, "M0.0 22.0L30.0 2.0M90.0 17.0h.1");
        assert_eq!(area, "M0.0 22.0L30.0 2.0L30.0 23.0L0.0 23.0Z");
        assert_eq!(sparkline(&[None, None], 0.0, 90.0, 24.0), (String::new(), String::new()));
        assert_eq!(sparkline(&[Some(0.0)], 0.0, 90.0, 24.0).0, "M0.0 23.0h.1");
        assert!(sparkline(&[Some(1.0), Some(1.0)], 10.0, 90.0, 24.0).0.contains("20.9"), "the floor keeps it low");
    }

    #[test]
    fn lines_have_words() {
        let print = |value: f64| format!("{value}");
        assert_eq!(line_words("p99", &[Some(2.0), None, Some(1.0)], &print), "p99: least 1, most 2, last 1");
        assert_eq!(line_words("p99", &[None], &print), "p99: no data");
    }
}
