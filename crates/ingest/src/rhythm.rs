//! When a commit is worth a moment's wait.
//!
//! A few clients that send one request after another come back together, right after a commit has answered them. Taken
//! as they come, the first of them would have a commit of its own while the others queue for the next: two where one
//! would do, and each costs an fdatasync and the encoding of a part. So for a fraction of what a commit takes, the
//! committer waits for as many as it has just answered. A lone client is never waited for, nor are clients that have
//! not come back by then: waiting is never longer than that fraction after the last answer.

use std::time::{Duration, Instant};

/// How long the committer sleeps before it looks again.
pub(crate) const WAIT_STEP: Duration = Duration::from_micros(40);

/// Longest wait, however slow the disk.
const WAIT_MAX: Duration = Duration::from_millis(1);

/// Requests of a commit from which on waiting for more saves nothing.
const ENOUGH: usize = 32;

/// What the last commit tells of the clients.
#[derive(Debug, Default)]
pub(crate) struct Rhythm {
    /// Requests it answered, and those that came meanwhile.
    clients: usize,
    /// When their next requests are no longer waited for.
    until: Option<Instant>,
}

impl Rhythm {
    /// A commit of so many requests has been answered.
    pub(crate) fn note(&mut self, requests: usize, began: Instant, ended: Instant) {
        self.clients = requests;
        self.until = Some(ended + (ended - began).min(2 * WAIT_MAX) / 2);
    }

    /// Whether more requests than those waiting are likely to come in a moment.
    pub(crate) fn is_worth_waiting(&self, waiting: usize, now: Instant) -> bool {
        waiting > 0 && waiting < self.clients.min(ENOUGH) && self.until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_just_answered_are_waited_for_a_moment() {
        let began = Instant::now();
        let ended = began + Duration::from_micros(400);
        let check = |clients: usize, waiting: usize, micros_after: u64, expect: bool| {
            let mut rhythm = Rhythm::default();
            rhythm.note(clients, began, ended);
            let now = ended + Duration::from_micros(micros_after);
            assert_eq!(rhythm.is_worth_waiting(waiting, now), expect, "{clients} {waiting} {micros_after}");
        };
        // A lone client, now or then.
        check(1, 1, 10, false);
        check(4, 0, 10, false);
        // Three of four are back.
        check(4, 3, 10, true);
        check(4, 4, 10, false);
        check(4, 9, 10, false);
        // Half of what the commit took, then no longer.
        check(4, 1, 199, true);
        check(4, 1, 200, false);
        check(200, 31, 10, true);
        check(200, 32, 10, false);
        assert!(!Rhythm::default().is_worth_waiting(3, ended), "nobody has been answered");
    }

    #[test]
    fn a_slow_disk_is_no_reason_to_wait_for_long() {
        let began = Instant::now();
        let ended = began + Duration::from_secs(3);
        let mut rhythm = Rhythm::default();
        rhythm.note(4, began, ended);
        assert!(rhythm.is_worth_waiting(1, ended + WAIT_MAX - Duration::from_micros(1)));
        assert!(!rhythm.is_worth_waiting(1, ended + WAIT_MAX));
    }
}
