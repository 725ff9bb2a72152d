//! A cache bounded in bytes: what was used longest ago goes first.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

struct Entry<V> {
    value: V,
    bytes: usize,
    /// Tick of the last use.
    used: u64,
}

struct State<K, V> {
    entries: HashMap<K, Entry<V>>,
    bytes: usize,
    tick: u64,
}

/// Values by key, together never more than so many bytes; shared by reference between threads.
///
/// Values are handed out as clones, so they are meant to be `Arc`s or as cheap.
pub struct BoundedCache<K, V> {
    bytes_max: usize,
    state: Mutex<State<K, V>>,
}

impl<K: Eq + Hash + Clone, V: Clone> BoundedCache<K, V> {
    /// An empty cache.
    pub fn new(bytes_max: usize) -> BoundedCache<K, V> {
        let state = State { entries: HashMap::new(), bytes: 0, tick: 0 };
        BoundedCache { bytes_max, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State<K, V>> {
        // Every change leaves the state whole, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of a key, if it is still here.
    pub fn get(&self, key: &K) -> Option<V> {
        let mut state = self.state();
        state.tick += 1;
        let tick = state.tick;
        let entry = state.entries.get_mut(key)?;
        entry.used = tick;
        Some(entry.value.clone())
    }

    /// Keeps a value that takes so many bytes, unless it alone is over the bound.
    pub fn insert(&self, key: K, value: V, bytes: usize) {
        if bytes > self.bytes_max {
            return;
        }
        let mut state = self.state();
        state.tick += 1;
        let used = state.tick;
        state.bytes += bytes;
        if let Some(replaced) = state.entries.insert(key, Entry { value, bytes, used }) {
            state.bytes -= replaced.bytes;
        }
        if state.bytes > self.bytes_max {
            evict(&mut state, self.bytes_max);
        }
    }

    /// Forgets a key.
    pub fn remove(&self, key: &K) {
        let mut state = self.state();
        if let Some(entry) = state.entries.remove(key) {
            state.bytes -= entry.bytes;
        }
    }

    /// Bytes of all values.
    pub fn bytes(&self) -> usize {
        self.state().bytes
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.state().entries.len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Makes room down to seven eighths of the bound at once, so that the sort is paid once for many inserts.
fn evict<K: Eq + Hash + Clone, V>(state: &mut State<K, V>, bytes_max: usize) {
    let mut oldest: Vec<(u64, K)> = state.entries.iter().map(|(key, entry)| (entry.used, key.clone())).collect();
    oldest.sort_unstable_by_key(|(used, _)| *used);
    // The newest stays: it fits alone, and it is what the caller is about to use.
    oldest.pop();
    for (_, key) in oldest {
        if state.bytes <= bytes_max - bytes_max / 8 {
            break;
        }
        if let Some(entry) = state.entries.remove(&key) {
            state.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_and_the_least_used_goes_first() {
        let cache = BoundedCache::new(100);
        for key in 0..10 {
            cache.insert(key, key, 10);
        }
        assert_eq!((cache.bytes(), cache.len()), (100, 10));
        assert_eq!(cache.get(&0), Some(0));
        cache.insert(10, 10, 10);
        assert!(cache.bytes() <= 100);
        assert_eq!(cache.get(&0), Some(0), "used last");
        assert_eq!(cache.get(&1), None, "used longest ago");
        cache.insert(11, 11, 101);
        assert_eq!(cache.get(&11), None, "too large alone");
        cache.insert(12, 12, 100);
        assert_eq!((cache.get(&12), cache.bytes()), (Some(12), 100));
        cache.insert(12, 13, 50);
        assert_eq!((cache.get(&12), cache.bytes()), (Some(13), 50));
        cache.remove(&12);
        assert!(cache.is_empty() && cache.bytes() == 0);
    }
}
