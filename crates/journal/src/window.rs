//! The digest window: which requests would be recognised if they were sent again.
//!
//! Invariants: bounded in time, entries and response bytes, whichever is reached first; the oldest goes first.
//! Time is counted by a clock that never runs backwards, so that a jump back extends no digest.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use schema::OTHER_SERVICES;

use crate::receipt::{Digest, Owners, StoredReceipt};

/// Response bytes the window keeps at most. Nearly all responses are empty; partial successes are up to 4 KiB.
const RESPONSE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Uses eight bytes of the digest as its hash: BLAKE3's output is as good as random already.
#[derive(Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Debug)]
struct Entry {
    response: Option<Box<[u8]>>,
    received: u32,
    stored: u32,
    owners: Owners,
    /// How often the digest was inserted: only the last one's end ends it.
    inserts: u32,
}

/// Names of services that entries share.
const NAMES_MAX: usize = 16 * 1024;

/// Names of services, each once however many requests name it.
#[derive(Debug, Default)]
struct Names {
    known: HashSet<Arc<str>>,
    /// Names that were one too many since unused ones were last looked for.
    refused: usize,
}

impl Names {
    /// The name as it is shared; of one too many, what stands for the rest.
    fn shared(&mut self, name: &Arc<str>) -> Arc<str> {
        if let Some(known) = self.known.get(name) {
            return Arc::clone(known);
        }
        if self.known.len() >= NAMES_MAX {
            self.refused += 1;
            if self.refused.is_multiple_of(NAMES_MAX) {
                self.known.retain(|name| Arc::strong_count(name) > 1);
            }
            let others = self.known.get(OTHER_SERVICES).cloned();
            return others.unwrap_or_else(|| {
                let others: Arc<str> = OTHER_SERVICES.into();
                self.known.insert(Arc::clone(&others));
                others
            });
        }
        self.known.insert(Arc::clone(name));
        Arc::clone(name)
    }

    fn share(&mut self, owners: Owners) -> Owners {
        match owners {
            Owners::One(name) => Owners::One(self.shared(&name)),
            Owners::Several(shares) => {
                Owners::Several(shares.iter().map(|(name, count)| (self.shared(name), *count)).collect())
            }
        }
    }
}

/// What bounds the window at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowBound {
    /// Digests leave when they are too old.
    Time,
    /// Digests leave because there are too many; the window is shorter than its time.
    Entries,
}

/// How far the window reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowStatus {
    /// Digests in it.
    pub entries: usize,
    /// What bounds it.
    pub bound: WindowBound,
    /// Nanoseconds back to the oldest digest.
    pub reach_nanos: i64,
}

/// The digests inside the window and what their requests were answered with.
#[derive(Debug)]
pub(crate) struct DigestWindow {
    nanos_max: i64,
    entries_max: usize,
    entries: HashMap<Digest, Entry, BuildHasherDefault<DigestHasher>>,
    /// Digests by age, oldest first, with the clock's reading when they came.
    order: VecDeque<(i64, Digest)>,
    response_bytes: usize,
    names: Names,
    /// Never runs backwards; jumps of the wall clock forward make it run ahead, which only shortens the window.
    clock: i64,
    /// Wall time when `clock` was last moved.
    wall: i64,
    bound: WindowBound,
}

impl DigestWindow {
    pub(crate) fn new(nanos_max: i64, entries_max: usize, now: i64) -> DigestWindow {
        DigestWindow {
            nanos_max,
            entries_max,
            entries: HashMap::default(),
            order: VecDeque::new(),
            response_bytes: 0,
            names: Names::default(),
            clock: now,
            wall: now,
            bound: WindowBound::Time,
        }
    }

    /// Moves the clock and lets what is too old go.
    pub(crate) fn advance(&mut self, now: i64) {
        self.clock = self.clock.saturating_add(now.saturating_sub(self.wall).max(0));
        self.wall = now;
        while let Some((stamp, _)) = self.order.front()
            && self.clock.saturating_sub(*stamp) >= self.nanos_max
        {
            self.pop();
            self.bound = WindowBound::Time;
        }
    }

    /// Takes a digest of a commit that arrived at this time: now, or before the start.
    pub(crate) fn insert(&mut self, digest: Digest, arrival: i64, stored: StoredReceipt) {
        let age = self.wall.saturating_sub(arrival).max(0);
        if age >= self.nanos_max || self.entries_max == 0 {
            return;
        }
        let stamp = self.order.back().map_or(i64::MIN, |(last, _)| *last).max(self.clock - age);
        self.order.push_back((stamp, digest));
        self.response_bytes += stored.response.len();
        let response = (!stored.response.is_empty()).then(|| stored.response.into_boxed_slice());
        let inserts = self.entries.get(&digest).map_or(0, |entry| {
            self.response_bytes -= entry.response.as_ref().map_or(0, |response| response.len());
            entry.inserts
        });
        let owners = self.names.share(stored.owners);
        let entry = Entry { response, received: stored.received, stored: stored.stored, owners, inserts: inserts + 1 };
        self.entries.insert(digest, entry);
        while self.order.len() > self.entries_max || self.response_bytes > RESPONSE_BYTES_MAX {
            self.pop();
            self.bound = WindowBound::Entries;
        }
    }

    fn pop(&mut self) {
        let Some((_, digest)) = self.order.pop_front() else { return };
        if let Some(entry) = self.entries.get_mut(&digest) {
            entry.inserts -= 1;
            if entry.inserts == 0 {
                self.response_bytes -= entry.response.as_ref().map_or(0, |response| response.len());
                self.entries.remove(&digest);
            }
        }
    }

    /// What the request with this digest was answered with, if it is inside the window.
    pub(crate) fn get(&self, digest: &Digest) -> Option<StoredReceipt> {
        let entry = self.entries.get(digest)?;
        let response = entry.response.as_ref().map(|response| response.to_vec()).unwrap_or_default();
        Some(StoredReceipt { response, received: entry.received, stored: entry.stored, owners: entry.owners.clone() })
    }

    pub(crate) fn status(&self) -> WindowStatus {
        let reach_nanos = self.order.front().map_or(0, |(stamp, _)| self.clock - stamp);
        WindowStatus { entries: self.entries.len(), bound: self.bound, reach_nanos }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> Digest {
        Digest([number; 16])
    }

    fn stored(response: &[u8]) -> StoredReceipt {
        StoredReceipt { response: response.to_vec(), received: 1, stored: 1, owners: Owners::One("cart".into()) }
    }

    #[test]
    fn the_window_ends_by_time() {
        let mut window = DigestWindow::new(100, 10, 1000);
        window.insert(digest(1), 1000, stored(b"x"));
        window.insert(digest(2), 901, stored(b""));
        window.insert(digest(3), 900, stored(b""));
        assert_eq!(window.get(&digest(1)), Some(stored(b"x")));
        assert!(window.get(&digest(2)).is_some(), "loaded with its age");
        assert_eq!(window.get(&digest(3)), None, "too old when loaded");
        window.advance(1099);
        assert!(window.get(&digest(1)).is_some());
        window.advance(1100);
        assert_eq!(window.get(&digest(1)), None);
        assert_eq!(window.status().entries, 0);
    }

    #[test]
    fn the_window_ends_by_entries() {
        let mut window = DigestWindow::new(100, 2, 0);
        for number in 1..=3 {
            window.insert(digest(number), 0, stored(b""));
        }
        assert_eq!(window.get(&digest(1)), None);
        assert!(window.get(&digest(2)).is_some() && window.get(&digest(3)).is_some());
        assert_eq!(window.status().bound, WindowBound::Entries);
    }

    #[test]
    fn a_jump_back_extends_nothing() {
        let mut window = DigestWindow::new(100, 10, 1000);
        window.insert(digest(1), 1000, stored(b""));
        window.advance(1050);
        window.advance(10);
        window.insert(digest(2), 10, stored(b""));
        window.advance(60);
        assert_eq!(window.get(&digest(1)), None, "its 100 are over");
        assert!(window.get(&digest(2)).is_some());
        window.advance(110);
        assert_eq!(window.get(&digest(2)), None);
    }

    #[test]
    fn a_digest_inserted_twice_lives_as_long_as_the_second() {
        let mut window = DigestWindow::new(100, 10, 0);
        window.insert(digest(1), 0, stored(b"a"));
        window.advance(50);
        window.insert(digest(1), 50, stored(b"b"));
        window.advance(120);
        assert_eq!(window.get(&digest(1)), Some(stored(b"b")));
        window.advance(150);
        assert_eq!(window.get(&digest(1)), None);
        assert_eq!(window.response_bytes, 0);
    }

    #[test]
    fn names_of_services_are_shared_and_bounded() {
        let mut window = DigestWindow::new(100, 10, 0);
        for number in 0..5 {
            window.insert(digest(number), 0, stored(b""));
        }
        assert_eq!(window.names.known.len(), 1);
        let of = |name: String| StoredReceipt { owners: Owners::One(name.into()), ..stored(b"") };
        for number in 0..3 * NAMES_MAX {
            window.insert(digest((number % 200) as u8), 0, of(format!("service {number}")));
        }
        assert!(window.names.known.len() <= NAMES_MAX + 1);
        window.insert(digest(250), 0, of("one more".to_owned()));
        let owners = window.get(&digest(250)).expect("inside").owners;
        assert!(
            matches!(&owners, Owners::One(name) if **name == *"one more" || **name == *OTHER_SERVICES),
            "{owners:?}"
        );
    }
}
