//! The ingest page: its state in the URL, the order of its rows, and its words.

use api::{DigestWindow, IngestAnswer, RefusalCount, ServiceIngest};

use crate::format;
use crate::order;
use crate::params::Params;
use crate::range::{MINUTE, RangeText, SECOND, Window};
use crate::red;
use crate::sort;
use crate::state::{UrlState, read_range, write_range};
use crate::time_chart::Steps;

/// `/ingest`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IngestState {
    /// The range of arrival times.
    pub range: RangeText,
    /// Only services whose name holds this.
    pub filter: String,
    /// The row that is open, as [`key`] names it.
    pub open: String,
}

impl UrlState for IngestState {
    const PATH: &'static str = "/ingest";

    fn read(params: &Params) -> Self {
        let text = |name: &str| params.get(name).unwrap_or_default().to_owned();
        IngestState { range: read_range(params), filter: text("find"), open: text("open") }
    }

    fn write(&self, params: &mut Params) {
        write_range(params, &self.range);
        params.set("find", &self.filter);
        params.set("open", &self.open);
    }
}

/// Names a row: signals hold no slash, services may.
pub fn key(row: &ServiceIngest) -> String {
    format!("{}/{}", row.signal, row.service)
}

/// Indices of the rows whose service holds the filter: those that lost most first, then the busiest.
pub fn rows(answer: &IngestAnswer, filter: &str) -> Vec<usize> {
    let services = &answer.services;
    let mut rows: Vec<usize> =
        (0..services.len()).filter(|index| sort::matches(&services[*index].service, filter)).collect();
    order::sort(&mut rows, |a, b| {
        let (a, b) = (&services[*a], &services[*b]);
        let numbers = b.rejected.cmp(&a.rejected).then(b.received.cmp(&a.received));
        numbers.then_with(|| a.service.cmp(&b.service)).then_with(|| a.signal.cmp(&b.signal))
    });
    rows
}

/// What all rows come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// Records received.
    pub received: u64,
    /// Records stored.
    pub stored: u64,
    /// Records that came again.
    pub duplicate: u64,
    /// Records rejected.
    pub rejected: u64,
}

impl Sum {
    /// The sum of an answer.
    pub fn of(answer: &IngestAnswer) -> Sum {
        answer.services.iter().fold(Sum::default(), |sum, row| Sum {
            received: sum.received + row.received,
            stored: sum.stored + row.stored,
            duplicate: sum.duplicate + row.duplicate,
            rejected: sum.rejected + row.rejected,
        })
    }
}

/// What an answer cost, and whether it is all: there are no rows or files to tell of.
pub fn cost_words(answer: &IngestAnswer) -> String {
    let took = format::duration((answer.stats.elapsed_ms * 1e6) as i64);
    match answer.completeness.complete {
        true => format!("{took} · complete"),
        false => format!("{took} · incomplete: {}", answer.completeness.incomplete_because.join("; ")),
    }
}

/// Records a minute of each step, for a sparkline.
pub fn per_minute(row: &ServiceIngest, steps: Steps, window: Window) -> Vec<Option<f64>> {
    let minute = (MINUTE / SECOND) as f64;
    red::rates(&row.received_by_step, steps, window).into_iter().map(|rate| rate.map(|rate| rate * minute)).collect()
}

/// What a row says of its rate: the highest of its steps.
pub fn peak_words(rates: &[Option<f64>]) -> String {
    let peak = rates.iter().flatten().copied().fold(0.0, f64::max);
    format!("at most {} records a minute", format::short_count(peak.round() as u64))
}

/// Why requests were refused, in words; the name itself where it is a new one.
pub fn refusal_words(reason: &str) -> &str {
    match reason {
        "overloaded" => "no room for more requests in flight",
        "over_rate" => "over a limit of rate",
        "backlog" => "the journal held as much as it may",
        "disk_reserve" => "the disk was nearly full",
        "journal" => "the journal could not be written",
        "stopping" => "the server was stopping",
        "unauthenticated" => "no valid credentials",
        "forbidden" => "credentials that may not send",
        "malformed" => "the request could not be read",
        "every_record_rejected" => "not one of its records could be stored",
        "too_large" => "larger than a request may be",
        "unsupported_media_type" => "an unknown content type or coding",
        "too_slow" => "the body took too long to arrive",
        "deadline_passed" => "the client's deadline passed",
        "not_there" => "a path or method that is not there",
        "method_not_allowed" => "an HTTP method that is not POST",
        other => other,
    }
}

/// Whether clients send a request again that was refused with this status.
pub fn is_sent_again(refusal: &RefusalCount) -> bool {
    matches!(refusal.status, 429 | 502 | 503 | 504)
}

/// A span of whole seconds: `10 min`, `42 s`.
fn span_words(seconds: u64) -> String {
    let words = format::duration((seconds as i64).saturating_mul(SECOND));
    words.strip_suffix(" 0 s").map_or(words.clone(), str::to_owned)
}

/// How far back resends are recognised, in a sentence.
pub fn window_words(window: &DigestWindow) -> String {
    let width = span_words(window.seconds);
    let held = format!("{} of at most {} requests", format::count(window.entries), format::count(window.entries_max));
    match window.bound.as_str() {
        "entries" => format!(
            "A request that is sent again is recognised for {width}: the window holds {held}, which is shorter than the {} \
             it may last.",
            span_words(window.seconds_max)
        ),
        _ => format!("A request that is sent again is recognised for {width}. The window holds {held}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(service: &str, signal: &str, received: u64, rejected: u64) -> ServiceIngest {
        let (service, signal) = (service.to_owned(), signal.to_owned());
        ServiceIngest { service, signal, received, rejected, stored: received - rejected, ..ServiceIngest::default() }
    }

    #[test]
    fn the_state_is_in_the_url() {
        let state = IngestState {
            range: RangeText { from: "now-24h".to_owned(), to: "now".to_owned() },
            filter: "pay".to_owned(),
            open: key(&row("a/b c", "logs", 1, 0)),
        };
        assert_eq!(state.url(), "/ingest?from=now-24h&find=pay&open=logs/a/b%20c");
        assert_eq!(IngestState::parse("from=now-24h&find=pay&open=logs/a/b%20c"), state);
        assert_eq!(IngestState::default().url(), "/ingest");
    }

    #[test]
    fn rows_that_lost_something_come_first() {
        let services = vec![
            row("b", "logs", 10, 0),
            row("a", "traces", 10, 0),
            row("cart", "logs", 3, 1),
            row("a", "logs", 90, 0),
        ];
        let answer = IngestAnswer { services, ..IngestAnswer::default() };
        assert_eq!(rows(&answer, ""), [2, 3, 1, 0]);
        assert_eq!(rows(&answer, "A"), [2, 3, 1]);
        assert_eq!(Sum::of(&answer), Sum { received: 113, stored: 112, duplicate: 0, rejected: 1 });
    }

    #[test]
    fn the_window_says_what_bounds_it() {
        let window = DigestWindow {
            seconds: 600,
            seconds_max: 600,
            entries: 1234,
            entries_max: 1_000_000,
            bound: "time".to_owned(),
        };
        let expect = "A request that is sent again is recognised for 10 min. The window holds 1,234 of at most 1,000,000 requests.";
        assert_eq!(window_words(&window), expect);
        let short = DigestWindow { seconds: 42, bound: "entries".to_owned(), ..window };
        assert!(
            window_words(&short).contains("recognised for 42 s")
                && window_words(&short).contains("shorter than the 10 min")
        );
    }

    #[test]
    fn rates_are_by_the_minute() {
        let steps = Steps { start: 0, step: 5 * MINUTE, count: 3 };
        let row = ServiceIngest { received_by_step: vec![500, 0, 100], ..row("a", "logs", 600, 0) };
        let window = Window { start: 0, end: 12 * MINUTE };
        let rates = per_minute(&row, steps, window);
        assert_eq!(rates, [Some(100.0), Some(0.0), Some(50.0)]);
        assert_eq!(peak_words(&rates), "at most 100 records a minute");
    }
}
