//! How fast records come in now: counters of ingest, looked at again and again.

use api::IngestStatus;

use crate::format;
use crate::range::SECOND;

/// Looks kept: five minutes at one in five seconds.
const LOOKS_MAX: usize = 60;

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    time: i64,
    received: u64,
}

/// What was seen of the counters so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pulse {
    looks: Vec<Look>,
    rejected: u64,
    duplicate: u64,
}

impl Pulse {
    /// Takes in the counters as they are at `time`. Counters that fell were set back by a restart: what was seen
    /// before says nothing any more.
    pub fn add(&mut self, status: &IngestStatus, time: i64) {
        let received = status.signals.values().map(|counts| counts.received).sum();
        self.rejected = status.signals.values().flat_map(|counts| counts.rejected.values()).sum();
        self.duplicate = status.signals.values().map(|counts| counts.duplicate).sum();
        if self.looks.last().is_some_and(|last| received < last.received || time <= last.time) {
            self.looks.clear();
        }
        if self.looks.len() >= LOOKS_MAX {
            self.looks.remove(0);
        }
        self.looks.push(Look { time, received });
    }

    /// Records a second between each two looks, oldest first.
    pub fn rates(&self) -> Vec<Option<f64>> {
        let rate = |pair: &[Look]| {
            let (before, after) = (pair[0], pair[1]);
            let seconds = after.time.saturating_sub(before.time) as f64 / SECOND as f64;
            Some((after.received - before.received) as f64 / seconds)
        };
        self.looks.windows(2).map(rate).collect()
    }

    /// Records a second now; `None` until there were two looks.
    pub fn rate(&self) -> Option<f64> {
        self.rates().last().copied().flatten()
    }

    /// What came of the records that were not stored.
    pub fn words(&self) -> String {
        let duplicates = if self.duplicate == 1 { "duplicate" } else { "duplicates" };
        format!(
            "{} rejected · {} {duplicates} dropped",
            format::short_count(self.rejected),
            format::short_count(self.duplicate)
        )
    }
}

/// Prints records a second: `48.1 k records/s`.
pub fn rate_words(rate: f64) -> String {
    let number = match rate {
        r if r < 9.95 => format!("{}", (r * 10.0).round() / 10.0),
        r => format::short_count(r.round() as u64),
    };
    match number.strip_suffix(['k', 'M', 'G']) {
        Some(digits) => format!("{digits} {} records/s", &number[digits.len()..]),
        None => format!("{number} records/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::SignalCounts;

    fn status(received: u64, duplicate: u64, rejected: u64) -> IngestStatus {
        let counts = SignalCounts {
            received,
            duplicate,
            rejected: [("no_time".to_owned(), rejected)].into(),
            ..SignalCounts::default()
        };
        IngestStatus { signals: [("logs".to_owned(), counts)].into(), ..IngestStatus::default() }
    }

    #[test]
    fn two_looks_make_a_rate() {
        let mut pulse = Pulse::default();
        pulse.add(&status(100, 1, 0), 0);
        assert_eq!((pulse.rate(), pulse.words().as_str()), (None, "0 rejected · 1 duplicate dropped"));
        pulse.add(&status(600, 112, 3), 5 * SECOND);
        assert_eq!((pulse.rate(), pulse.words().as_str()), (Some(100.0), "3 rejected · 112 duplicates dropped"));
        pulse.add(&status(600, 112, 3), 10 * SECOND);
        assert_eq!(pulse.rates(), [Some(100.0), Some(0.0)]);
    }

    #[test]
    fn a_restart_begins_anew() {
        let mut pulse = Pulse::default();
        pulse.add(&status(100, 0, 0), 0);
        pulse.add(&status(900, 0, 0), SECOND);
        pulse.add(&status(5, 0, 0), 2 * SECOND);
        assert_eq!(pulse.rate(), None);
        pulse.add(&status(5, 0, 0), 2 * SECOND);
        assert_eq!(pulse.rate(), None, "two looks at one moment are one");
    }

    #[test]
    fn looks_are_bounded() {
        let mut pulse = Pulse::default();
        (0..500).for_each(|n| pulse.add(&status(n, 0, 0), n as i64 * SECOND));
        assert_eq!(pulse.rates().len(), LOOKS_MAX - 1);
    }

    #[test]
    fn rates_have_words() {
        let check = |rate: f64, expect: &str| assert_eq!(rate_words(rate), expect);
        check(48_100.0, "48.1 k records/s");
        check(312.4, "312 records/s");
        check(0.44, "0.4 records/s");
        check(0.0, "0 records/s");
    }
}
