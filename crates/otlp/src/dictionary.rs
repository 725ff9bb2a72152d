//! Distinct texts by number, found again by hash.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::columns::take_vec;

/// Hashes that are well mixed already, as keys of a map.
#[derive(Default)]
pub(crate) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// Keeps a client from choosing texts that collide.
pub(crate) static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));

/// Whether two texts are the same. Most are so short that calling `memcmp` would take longer than comparing.
#[inline(always)]
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    // The last bytes may overlap those before.
    if let (Some(last), Some(other_last)) = (one.last_chunk::<8>(), other.last_chunk::<8>()) {
        let (chunks, other_chunks) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
        return last == other_last && chunks.iter().zip(other_chunks).all(|(one, other)| one == other);
    }
    if let (Some(last), Some(other_last)) = (one.last_chunk::<4>(), other.last_chunk::<4>()) {
        return last == other_last && one.first_chunk::<4>() == other.first_chunk::<4>();
    }
    one.iter().zip(other).all(|(one, other)| one == other)
}

/// Places of [`Dictionary::recent`].
const RECENT: usize = 64;

/// Where a text is looked for first: a few bytes tell most of a column's texts apart.
#[inline(always)]
fn recent_place(text: &[u8]) -> usize {
    let (Some(first), Some(last)) = (text.first(), text.last()) else { return 0 };
    let middle = text[text.len() / 2];
    let mixed = u32::from(*first) | u32::from(middle) << 8 | u32::from(*last) << 16 | (text.len() as u32) << 24;
    (mixed.wrapping_mul(0x9e37_79b1) >> 26) as usize
}

/// Texts numbered in the order they first came.
///
/// Open addressing with linear probes. Entries leave only in the reverse order of their coming, and slots are
/// filled in the order of numbers when the table grows: so emptying a slot never breaks another's probe.
pub(crate) struct Dictionary {
    /// Start of each text in `bytes`, and the end of the last.
    offsets: Vec<i32>,
    bytes: Vec<u8>,
    hashes: Vec<u64>,
    /// Number plus one of the text in this slot; zero where it is empty. A power of two, at most half full.
    slots: Vec<u32>,
    /// Numbers of texts found lately, which mostly come again. They may be gone or others by now.
    recent: [u32; RECENT],
}

impl Default for Dictionary {
    fn default() -> Dictionary {
        Dictionary { offsets: vec![0], bytes: Vec::new(), hashes: Vec::new(), slots: Vec::new(), recent: [0; RECENT] }
    }
}

impl Dictionary {
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    #[inline(always)]
    pub fn text(&self, number: usize) -> &[u8] {
        &self.bytes[self.offsets[number] as usize..self.offsets[number + 1] as usize]
    }

    /// The text's number, a new one if it is new.
    pub fn intern(&mut self, text: &str) -> i32 {
        if self.slots.len() < 2 * (self.len() + 1) {
            self.grow();
        }
        let (hash, slot) = match self.find(text.as_bytes()) {
            Ok(number) => return number,
            Err(vacant) => vacant,
        };
        self.bytes.extend_from_slice(text.as_bytes());
        self.offsets.push(self.bytes.len() as i32);
        self.hashes.push(hash);
        self.slots[slot] = self.len() as u32;
        self.recent[recent_place(text.as_bytes())] = self.len() as u32 - 1;
        self.len() as i32 - 1
    }

    /// The number of a text that is known, else its hash and the slot it would have. What is known is UTF-8, so
    /// bytes that are found need no check.
    #[inline(always)]
    pub fn find(&mut self, text: &[u8]) -> Result<i32, (u64, usize)> {
        let place = recent_place(text);
        let number = self.recent[place] as usize;
        if number < self.len() && same(self.text(number), text) {
            return Ok(number as i32);
        }
        self.find_by_hash(text, place)
    }

    fn find_by_hash(&mut self, text: &[u8], place: usize) -> Result<i32, (u64, usize)> {
        let hash = xxh3_64_with_seed(text, *SEED);
        let mask = self.slots.len().wrapping_sub(1);
        let mut slot = hash as usize & mask;
        while let Some(&found @ 1..) = self.slots.get(slot) {
            let number = found as usize - 1;
            if self.hashes[number] == hash && same(self.text(number), text) {
                self.recent[place] = number as u32;
                return Ok(number as i32);
            }
            slot = (slot + 1) & mask;
        }
        Err((hash, slot))
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(16);
        self.slots.clear();
        self.slots.resize(size, 0);
        for (number, &hash) in self.hashes.iter().enumerate() {
            let mut slot = hash as usize & (size - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (size - 1);
            }
            self.slots[slot] = number as u32 + 1;
        }
    }

    /// Forgets the texts from this number on.
    pub fn truncate(&mut self, len: usize) {
        while self.len() > len {
            let number = self.len();
            let mut slot = self.hashes[number - 1] as usize & (self.slots.len() - 1);
            while self.slots[slot] != number as u32 {
                slot = (slot + 1) & (self.slots.len() - 1);
            }
            self.slots[slot] = 0;
            self.hashes.pop();
            self.offsets.pop();
        }
        self.bytes.truncate(self.offsets.last().map_or(0, |end| *end as usize));
    }

    /// The offsets and bytes of all texts; the dictionary is empty afterwards.
    pub fn take(&mut self) -> (Vec<i32>, Vec<u8>) {
        let offsets = take_vec(&mut self.offsets);
        self.offsets.push(0);
        self.hashes.clear();
        self.slots.fill(0);
        // A table far larger than what it held costs each commit its clearing: let it shrink.
        if self.slots.len() > 64 * offsets.len() {
            self.slots = Vec::new();
        }
        (offsets, take_vec(&mut self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_same_in_every_byte() {
        for length in 0..40 {
            let one: Vec<u8> = (0..length).collect();
            assert!(same(&one, &one.clone()), "{length}");
            assert!(!same(&one, &[&one[..], b"x"].concat()), "{length}");
            for at in 0..one.len() {
                let mut other = one.clone();
                other[at] ^= 0x80;
                assert!(!same(&one, &other), "{length} {at}");
            }
        }
    }

    #[test]
    fn texts_keep_their_numbers_and_leave_in_reverse() {
        let mut dictionary = Dictionary::default();
        for round in 0..3 {
            for number in 0..1000 {
                assert_eq!(dictionary.intern(&format!("text {number}")), number, "round {round}");
            }
        }
        dictionary.truncate(10);
        assert_eq!(dictionary.len(), 10);
        assert_eq!(dictionary.intern("text 999"), 10);
        assert_eq!(dictionary.intern("text 9"), 9);
        assert_eq!(dictionary.intern(""), 11);
        let (offsets, bytes) = dictionary.take();
        assert_eq!(offsets.len(), 13);
        assert!(bytes.ends_with(b"text 9text 999"));
        assert_eq!(dictionary.intern("new"), 0);
    }
}
