//! Rate, errors and durations in numbers and words: what cards, tables and charts of services print.
//!
//! Vocabulary: a *share* is failed calls among calls, 0 to 1; a *jump* is the moment from which a series stays on
//! another level; *trouble* is a share above [`TROUBLE_SHARE`].

use std::borrow::Cow;

use api::{ErrorSample, Red, ServicesAnswer};

use crate::format;
use crate::order;
use crate::range::{MINUTE, SECOND, Window};
use crate::time_chart::Steps;

/// The share of failed calls above which a service is in trouble.
pub const TROUBLE_SHARE: f64 = 0.01;
/// How many times higher or lower a level must be to count as another one.
const JUMP_RATIO: f64 = 1.5;
/// Values on each side of a jump, at least.
const JUMP_SIDE_MIN: usize = 3;

/// Failed calls among calls; `None` without calls.
pub fn share(red: &Red) -> Option<f64> {
    (red.calls > 0).then(|| red.errors as f64 / red.calls as f64)
}

/// Whether so many failed calls are worth a colour.
pub fn is_trouble(share: Option<f64>) -> bool {
    share.is_some_and(|share| share > TROUBLE_SHARE)
}

/// Calls a second of a window.
pub fn rate(calls: u64, window: Window) -> f64 {
    calls as f64 * SECOND as f64 / window.length().max(1) as f64
}

/// Calls a second of each step. A step that the window cuts counts as long as it is inside; one of which next to
/// nothing is inside says nothing.
pub fn rates(calls: &[u64], steps: Steps, window: Window) -> Vec<Option<f64>> {
    let count = steps.count.min(calls.len());
    let rate = |index: usize| {
        let covered = steps.covered(index, window);
        (covered > steps.step / 5).then(|| calls[index] as f64 * SECOND as f64 / covered as f64)
    };
    (0..count).map(rate).collect()
}

/// Share of each step; a gap where there was no call.
pub fn shares(calls: &[u64], errors: &[u64]) -> Vec<Option<f64>> {
    let share = |(calls, errors): (&u64, &u64)| (*calls > 0).then(|| *errors as f64 / *calls as f64);
    calls.iter().zip(errors).map(share).collect()
}

/// Durations as a chart takes them.
pub fn durations(nanos: &[Option<u64>]) -> Vec<Option<f64>> {
    nanos.iter().map(|nanos| nanos.map(|nanos| nanos as f64)).collect()
}

/// Sums of each step.
fn add(sums: &mut Vec<u64>, more: &[u64]) {
    if sums.len() < more.len() {
        sums.resize(more.len(), 0);
    }
    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum = sum.saturating_add(*more));
}

/// Prints a rate: `1,284 /s`, `0.4 /s`.
pub fn rate_words(rate: f64) -> String {
    match rate {
        r if !r.is_finite() => "–".to_owned(),
        0.0 => "0 /s".to_owned(),
        r if r < 0.001 => "< 0.001 /s".to_owned(),
        r if r < 0.995 => format!("{} /s", digits(r, if r < 0.1 { 3 } else { 2 })),
        r if r < 99.95 => format!("{} /s", digits(r, 1)),
        r if r < 99_999.5 => format!("{} /s", format::count(r.round() as u64)),
        r => format!("{} /s", format::short_count(r.round().min(u64::MAX as f64) as u64)),
    }
}

fn digits(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Prints a share: `9.41 %`, `0.02 %`. What is there never prints as nothing.
pub fn share_words(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        p if !p.is_finite() => "–".to_owned(),
        0.0 => "0 %".to_owned(),
        p if p < 0.01 => "< 0.01 %".to_owned(),
        p if p < 9.995 => format!("{p:.2} %"),
        p if p < 99.95 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}

/// Prints a share on an axis, where the ticks are round.
pub fn share_tick(share: f64) -> String {
    format!("{} %", digits(share * 100.0, 3))
}

/// Prints a duration given as a number.
pub fn duration_words(nanos: f64) -> String {
    if nanos.is_finite() { format::duration(nanos.round() as i64) } else { "–".to_owned() }
}

/// Prints a duration that may not be known.
pub fn nano_words(nanos: Option<u64>) -> String {
    nanos.map_or_else(|| "–".to_owned(), |nanos| duration_words(nanos as f64))
}

/// RED in one line: `112 /s · 9.41 % errors · p99 1.84 s`.
pub fn words(red: &Red, window: Window) -> String {
    let rate = rate_words(rate(red.calls, window));
    match share(red) {
        None => "no calls".to_owned(),
        Some(share) => format!("{rate} · {} errors · p99 {}", share_words(share), nano_words(red.p99_nano)),
    }
}

/// Where a series changes its level for good.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jump {
    /// First step of the new level.
    pub step: usize,
    /// Median before.
    pub before: f64,
    /// Median from then on.
    pub after: f64,
}

impl Jump {
    /// Whether the new level is the higher one.
    pub fn is_up(&self) -> bool {
        self.after > self.before
    }
}

/// The jump of a series, if one explains it: two levels fit it much better than one.
pub fn jump(values: &[Option<f64>]) -> Option<Jump> {
    let known: Vec<(usize, f64)> = values
        .iter()
        .enumerate()
        .filter_map(|(step, value)| value.filter(|value| value.is_finite()).map(|value| (step, value)))
        .collect();
    let numbers: Vec<f64> = known.iter().map(|(_, value)| *value).collect();
    let (_, whole) = level(&numbers);
    let mut best: Option<(f64, Jump)> = None;
    for cut in JUMP_SIDE_MIN..(numbers.len() + 1).saturating_sub(JUMP_SIDE_MIN) {
        let ((before, left), (after, right)) = (level(&numbers[..cut]), level(&numbers[cut..]));
        if best.as_ref().is_none_or(|(cost, _)| left + right < *cost) {
            best = Some((left + right, Jump { step: known[cut].0, before, after }));
        }
    }
    let (cost, jump) = best?;
    let ratio = jump.after.max(jump.before) / jump.after.min(jump.before);
    (ratio >= JUMP_RATIO && cost < whole * 0.6).then_some(jump)
}

/// Median, and how far the values are from it in all.
fn level(values: &[f64]) -> (f64, f64) {
    let median = quantile(values, 0.5).unwrap_or(0.0);
    (median, values.iter().map(|value| (value - median).abs()).sum())
}

fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let sorted = order::sorted(values.len(), &|a, b| values[a].total_cmp(&values[b]));
    let at = (sorted.len().checked_sub(1)? as f64 * share).round() as usize;
    values.get(*sorted.get(at)?).copied()
}

/// What became of a series in a few words: `steady`, `from 410 ms at 14:40`, `between 8 /s and 14 /s`.
pub fn trend_words(
    values: &[Option<f64>],
    print: fn(f64) -> String,
    steps: Steps,
    clock: &dyn Fn(i64) -> String,
) -> String {
    if let Some(jump) = jump(values) {
        let from = if jump.is_up() { "from" } else { "down from" };
        return format!("{from} {} at {}", print(jump.before), clock(steps.begin(jump.step)));
    }
    let known: Vec<f64> = values.iter().flatten().copied().filter(|value| value.is_finite()).collect();
    match (quantile(&known, 0.1), quantile(&known, 0.9)) {
        (Some(low), Some(high)) if high <= low * 1.3 || print(low) == print(high) => "steady".to_owned(),
        (Some(low), Some(high)) => format!("between {} and {}", print(low), print(high)),
        _ => "no calls".to_owned(),
    }
}

/// How long the share was above [`TROUBLE_SHARE`]: `12 min above 1 %`.
pub fn trouble_words(shares: &[Option<f64>], steps: Steps) -> String {
    let above = shares.iter().filter(|share| is_trouble(**share)).count() as i64;
    let limit = share_tick(TROUBLE_SHARE);
    match shares.iter().flatten().any(|share| *share > 0.0) {
        false => "no errors".to_owned(),
        true if above == 0 => format!("never above {limit}"),
        true => format!("{} above {limit}", length_words(steps.step.saturating_mul(above))),
    }
}

/// A length of time in whole units: `40 s`, `12 min`, `3 h 10 min`.
fn length_words(nanos: i64) -> String {
    let minutes = nanos / MINUTE;
    match minutes {
        ..=0 => format!("{} s", nanos / SECOND),
        1..=119 => format!("{minutes} min"),
        _ if minutes % 60 == 0 => format!("{} h", minutes / 60),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// What kind of error it is, short: the exception's own name, else the first line of its message.
pub fn error_title(sample: &ErrorSample) -> Cow<'_, str> {
    /// Types that say no more than that it is an error.
    const EMPTY: &[&str] = &["Error", "Exception", "errorString", "wrapError", "fundamental", "str"];
    let kind = sample.exception_type.rsplit('.').next().unwrap_or_default().trim_start_matches('*');
    let message = sample.message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    match (kind, message) {
        ("", "") if sample.operation.is_empty() => Cow::Borrowed("error"),
        ("", "") => Cow::Owned(format!("{} failed", format::cut(&sample.operation, 100))),
        ("", message) => Cow::Owned(format::cut(message, 120)),
        (kind, message) if EMPTY.contains(&kind) && !message.is_empty() => Cow::Owned(format::cut(message, 120)),
        (kind, _) => Cow::Borrowed(kind),
    }
}

/// All services together, for the cards above their table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Totals {
    /// Calls a second.
    pub rate: f64,
    /// Calls a second over time.
    pub rates: Vec<Option<f64>>,
    /// Share of failed calls.
    pub share: Option<f64>,
    /// Share over time.
    pub shares: Vec<Option<f64>>,
    /// The slowest service that takes part: its name, its p99.
    pub slowest: Option<(String, u64)>,
    /// p99 of that service over time.
    pub p99: Vec<Option<f64>>,
}

impl Totals {
    /// Adds up an answer. A service takes part in the search for the slowest with one call in a hundred; else a job
    /// that runs twice a day would always be named.
    pub fn of(answer: &ServicesAnswer, window: Window) -> Totals {
        let (mut calls, mut errors) = (Vec::new(), Vec::new());
        let mut red = Red::default();
        for service in &answer.services {
            add(&mut calls, &service.series.calls);
            add(&mut errors, &service.series.errors);
            red.calls = red.calls.saturating_add(service.red.calls);
            red.errors = red.errors.saturating_add(service.red.errors);
        }
        let takes_part = |calls: u64| calls > 0 && calls.saturating_mul(100) >= red.calls;
        let slowest = answer
            .services
            .iter()
            .filter(|service| takes_part(service.red.calls))
            .filter_map(|service| Some((service.red.p99_nano?, service)))
            .max_by(|a, b| a.0.cmp(&b.0).then(b.1.name.cmp(&a.1.name)));
        Totals {
            rate: rate(red.calls, window),
            rates: rates(&calls, Steps::of(&answer.steps), window),
            share: share(&red),
            shares: shares(&calls, &errors),
            p99: slowest.map(|(_, service)| durations(&service.series.p99_nano)).unwrap_or_default(),
            slowest: slowest.map(|(p99, service)| (service.name.clone(), p99)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::{RedSeries, ServiceSummary, StepRange, UnixNano};

    const STEPS: Steps = Steps { start: 0, step: MINUTE, count: 60 };

    fn series(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().map(|value| Some(*value)).collect()
    }

    fn clock(time: i64) -> String {
        format::clock(time, 0)[..5].to_owned()
    }

    #[test]
    fn steps_that_the_window_cuts_keep_their_rate() {
        let steps = Steps { start: 0, step: 10 * SECOND, count: 4 };
        let window = Window { start: 5 * SECOND, end: 31 * SECOND };
        assert_eq!(rates(&[50, 100, 100, 9], steps, window), [Some(10.0), Some(10.0), Some(10.0), None]);
        assert_eq!(rates(&[50], Steps::default(), window), []);
        assert_eq!(shares(&[0, 4], &[0, 1]), [None, Some(0.25)]);
    }

    #[test]
    fn numbers_read_well() {
        let check = |rate: f64, expect: &str| assert_eq!(rate_words(rate), expect);
        check(0.0, "0 /s");
        check(0.000_4, "< 0.001 /s");
        check(0.017, "0.017 /s");
        check(0.4, "0.4 /s");
        check(0.999, "1 /s");
        check(12.04, "12 /s");
        check(99.96, "100 /s");
        check(1_284.2, "1,284 /s");
        check(2_500_000.0, "2.5M /s");
        check(f64::NAN, "–");
        let check = |share: f64, expect: &str| assert_eq!(share_words(share), expect);
        check(0.0, "0 %");
        check(0.000_01, "< 0.01 %");
        check(0.0941, "9.41 %");
        check(0.0996, "9.96 %");
        check(0.125, "12.5 %");
        check(1.0, "100 %");
        assert_eq!(share_tick(0.0005), "0.05 %");
        let red = Red { calls: 6_720, errors: 632, p99_nano: Some(1_840_000_000), ..Red::default() };
        assert_eq!(words(&red, Window { start: 0, end: MINUTE }), "112 /s · 9.40 % errors · p99 1.84 s");
        assert_eq!(words(&Red::default(), Window { start: 0, end: MINUTE }), "no calls");
    }

    #[test]
    fn jumps_are_found_where_there_are_some() {
        let mut values = series(&[410.0; 38]);
        values.extend(series(&[1_840.0; 22]));
        assert_eq!(jump(&values), Some(Jump { step: 38, before: 410.0, after: 1_840.0 }));
        values[20] = None;
        values[10] = Some(4_000.0);
        assert_eq!(jump(&values).map(|jump| jump.step), Some(38), "one high value and one gap change nothing");
        let check = |values: &[f64]| assert_eq!(jump(&series(values)), None, "{values:?}");
        check(&[]);
        check(&[1.0, 9.0]);
        check(&[5.0; 30]);
        check(&[1.0, 1.0, 1.0, 1.0, 1.0, 9.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        check(&[1.0, 2.0, 9.0, 1.0, 2.0, 9.0, 1.0, 2.0, 9.0, 1.0, 2.0, 9.0]);
        assert_eq!(jump(&series(&[0.0, 0.0, 0.0, 4.0, 4.0, 4.0])).map(|jump| jump.is_up()), Some(true));
    }

    #[test]
    fn trends_have_words() {
        let check = |values: &[f64], expect: &str| {
            assert_eq!(trend_words(&series(values), rate_words, STEPS, &clock), expect, "{values:?}");
        };
        let mut jumped = vec![700.0; 40];
        jumped.extend([1_284.0; 20]);
        check(&jumped, "from 700 /s at 00:40");
        jumped.reverse();
        check(&jumped, "down from 1,284 /s at 00:20");
        check(&[100.0, 104.0, 96.0, 101.0, 99.0], "steady");
        check(&[8.0, 14.0, 8.0, 14.0, 8.0, 14.0], "between 8 /s and 14 /s");
        check(&[], "no calls");
        check(&[0.0, 0.0, 0.0], "steady");
    }

    #[test]
    fn trouble_has_a_length() {
        let check = |shares: &[f64], step: i64, expect: &str| {
            assert_eq!(trouble_words(&series(shares), Steps { step, ..STEPS }), expect);
        };
        check(&[0.0, 0.005, 0.02, 0.09], 6 * MINUTE, "12 min above 1 %");
        check(&[0.02, 0.02], 20 * SECOND, "40 s above 1 %");
        check(&[0.02; 10], 60 * MINUTE, "10 h above 1 %");
        check(&[0.02; 10], 19 * MINUTE, "3 h 10 min above 1 %");
        check(&[0.01, 0.0], MINUTE, "never above 1 %");
        check(&[0.0, 0.0], MINUTE, "no errors");
        check(&[], MINUTE, "no errors");
    }

    #[test]
    fn errors_have_short_titles() {
        let check = |kind: &str, message: &str, operation: &str, expect: &str| {
            let sample = ErrorSample {
                exception_type: kind.into(),
                message: message.into(),
                operation: operation.into(),
                ..Default::default()
            };
            assert_eq!(error_title(&sample), expect);
        };
        check("java.net.SocketTimeoutException", "Read timed out", "POST", "SocketTimeoutException");
        check("reqwest::Error", "closed", "", "reqwest::Error");
        check("*errors.errorString", "upstream failed", "", "upstream failed");
        check("Error", "", "", "Error");
        check("", "\n  deadline exceeded\nat x", "", "deadline exceeded");
        check("", "", "GET /", "GET / failed");
        check("", "", "", "error");
        check("", &"x".repeat(500), "", &format!("{}…", "x".repeat(120)));
    }

    #[test]
    fn totals_add_up_and_a_rare_job_is_not_the_slowest() {
        let service = |name: &str, calls: u64, errors: u64, p99: u64| ServiceSummary {
            name: name.into(),
            red: Red { calls, errors, p99_nano: Some(p99), ..Red::default() },
            series: RedSeries {
                calls: vec![calls / 2; 2],
                errors: vec![0, errors],
                p99_nano: vec![None, Some(p99)],
                ..RedSeries::default()
            },
            ..ServiceSummary::default()
        };
        let answer = ServicesAnswer {
            services: vec![service("a", 600, 6, 5), service("b", 594, 0, 9), service("nightly", 6, 0, 1_000)],
            steps: StepRange {
                step_nano: UnixNano(MINUTE),
                start_unix_nano: UnixNano(0),
                end_unix_nano: UnixNano(2 * MINUTE),
            },
            ..ServicesAnswer::default()
        };
        let totals = Totals::of(&answer, Window { start: 0, end: 2 * MINUTE });
        assert_eq!((totals.rate, totals.share), (10.0, Some(0.005)));
        assert_eq!(totals.rates, [Some(10.0), Some(10.0)]);
        assert_eq!(totals.shares, [Some(0.0), Some(0.01)]);
        assert_eq!(totals.slowest, Some(("b".into(), 9)));
        assert_eq!(totals.p99, [None, Some(9.0)]);
        let none = Totals::of(&ServicesAnswer::default(), Window::default());
        assert_eq!((none.share, none.slowest), (None, None));
    }
}
