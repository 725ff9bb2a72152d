//! The live tail without a browser: records on their way to the list, and how long to wait before the next try.

use std::time::Duration;

use api::{LogRecord, TailEvent};

use crate::format;

/// Records that wait to be shown; what comes beyond is counted and left out.
const WAITING_MAX: usize = 10_000;

/// Waits between tries: longer each time, up to a bound.
#[derive(Debug, Clone, Copy, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long to wait after another failure.
    pub fn after_failure(&mut self) -> Duration {
        let wait = Duration::from_secs((1_u64 << self.failures.min(5)).min(30));
        self.failures += 1;
        wait
    }

    /// It works again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// What has come and is not shown yet, and what will never be.
#[derive(Debug, Clone, Default)]
pub struct Waiting {
    records: Vec<LogRecord>,
    dropped: u64,
    because: Vec<String>,
}

impl Waiting {
    /// Takes an event in.
    pub fn push(&mut self, event: TailEvent) {
        self.dropped = self.dropped.saturating_add(event.dropped);
        self.records.extend(event.logs);
        let over = self.records.len().saturating_sub(WAITING_MAX);
        self.records.drain(..over);
        self.dropped = self.dropped.saturating_add(over as u64);
        if !event.incomplete_because.is_empty() {
            self.because = event.incomplete_because;
        }
    }

    /// The records, newest first; they wait no longer.
    pub fn take(&mut self) -> Vec<LogRecord> {
        let mut records = std::mem::take(&mut self.records);
        records.reverse();
        records
    }

    /// What is to be said of records that are not shown.
    pub fn note(&self) -> Option<String> {
        let dropped = (self.dropped > 0).then(|| {
            format!(
                "{} came faster than can be shown and are left out here; refresh to see all.",
                format::counted(self.dropped, "record")
            )
        });
        let because = (!self.because.is_empty()).then(|| format!("Some may be missing: {}.", self.because.join("; ")));
        let words: Vec<String> = dropped.into_iter().chain(because).collect();
        (!words.is_empty()).then(|| words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::UnixNano;

    fn event(times: std::ops::Range<i64>, dropped: u64) -> TailEvent {
        let logs = times.map(|time| LogRecord { time_unix_nano: UnixNano(time), ..LogRecord::default() }).collect();
        TailEvent { logs, dropped, ..TailEvent::default() }
    }

    #[test]
    fn waits_grow_to_a_bound() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..8).map(|_| backoff.after_failure().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
        backoff.reset();
        assert_eq!(backoff.after_failure().as_secs(), 1);
    }

    #[test]
    fn records_wait_in_order_and_what_is_left_out_is_counted() {
        let mut waiting = Waiting::default();
        assert_eq!(waiting.note(), None);
        waiting.push(event(0..2, 0));
        waiting.push(event(2..3, 1));
        assert_eq!(waiting.take().iter().map(|log| log.time_unix_nano.0).collect::<Vec<_>>(), [2, 1, 0]);
        assert!(waiting.take().is_empty());
        assert!(waiting.note().is_some_and(|note| note.starts_with("1 record came")));
        waiting.push(event(0..12_000, 0));
        let kept = waiting.take();
        assert_eq!((kept.len(), kept[0].time_unix_nano.0), (WAITING_MAX, 11_999));
        waiting.push(TailEvent { incomplete_because: vec!["a file is gone".into()], ..TailEvent::default() });
        let note = waiting.note().expect("a note");
        assert!(note.starts_with("2,001 records") && note.ends_with("missing: a file is gone."), "{note}");
    }
}
