//! The distinct tokens of an index being built, and in which blocks they occur.
//!
//! One hash table for the whole index also removes repeats within a block: a token remembers the block it was
//! last seen in, so most tokens of a line cost one probe and nothing more.

use xxhash_rust::xxh3::xxh3_64;

/// A distinct token.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Upper bits of its hash, to compare before the text.
    hash: u32,
    start: u32,
    length: u32,
    /// Block it was last seen in, plus one.
    last_block: u32,
    /// Blocks it was seen in.
    blocks: u32,
}

/// Tokens and their postings, appended block after block.
#[derive(Debug)]
pub(crate) struct TermTable {
    /// Number of an entry plus one, by hash; 0 is free. A power of two long, at most half full.
    slots: Vec<u32>,
    entries: Vec<Entry>,
    text: Vec<u8>,
    /// Entry and block, in the order they were met.
    postings: Vec<(u32, u32)>,
}

impl TermTable {
    pub(crate) fn new() -> TermTable {
        TermTable { slots: vec![0; 1 << 12], entries: Vec::new(), text: Vec::new(), postings: Vec::new() }
    }

    /// Notes that the block holds the token. Blocks come in ascending order.
    pub(crate) fn add(&mut self, token: &str, block: u32) {
        let hash = xxh3_64(token.as_bytes());
        let number = self.find_or_insert(token.as_bytes(), hash);
        let entry = &mut self.entries[number as usize];
        if entry.last_block != block + 1 {
            entry.last_block = block + 1;
            entry.blocks += 1;
            self.postings.push((number, block));
        }
    }

    fn find_or_insert(&mut self, token: &[u8], hash: u64) -> u32 {
        let mask = self.slots.len() - 1;
        let tag = (hash >> 32) as u32;
        let mut slot = hash as usize & mask;
        while let Some(number) = self.slots[slot].checked_sub(1) {
            let entry = &self.entries[number as usize];
            if entry.hash == tag && self.text_of(entry) == token {
                return number;
            }
            slot = (slot + 1) & mask;
        }
        let number = self.entries.len() as u32;
        let start = self.text.len() as u32;
        self.text.extend_from_slice(token);
        self.entries.push(Entry { hash: tag, start, length: token.len() as u32, last_block: 0, blocks: 0 });
        self.slots[slot] = number + 1;
        if self.entries.len() * 2 > self.slots.len() {
            self.grow();
        }
        number
    }

    /// Doubles the slots.
    fn grow(&mut self) {
        let mask = self.slots.len() * 4 - 1;
        let mut slots = vec![0; mask + 1];
        for (number, entry) in self.entries.iter().enumerate() {
            let mut slot = xxh3_64(self.text_of(entry)) as usize & mask;
            while slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            slots[slot] = number as u32 + 1;
        }
        self.slots = slots;
    }

    fn text_of(&self, entry: &Entry) -> &[u8] {
        &self.text[entry.start as usize..(entry.start + entry.length) as usize]
    }

    /// Distinct pairs of token and block.
    pub(crate) fn posting_count(&self) -> u64 {
        self.postings.len() as u64
    }

    /// Bytes on the heap.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.text.capacity()
            + self.postings.capacity() * size_of::<(u32, u32)>()
    }

    /// Calls `emit` with each token and its blocks, tokens in byte order, blocks ascending.
    pub(crate) fn for_each_sorted<E>(&self, mut emit: impl FnMut(&[u8], &[u32]) -> Result<(), E>) -> Result<(), E> {
        // A counting sort: where each entry's blocks begin, then every posting to its place.
        let mut starts: Vec<u32> = Vec::with_capacity(self.entries.len());
        let mut total = 0;
        for entry in &self.entries {
            starts.push(total);
            total += entry.blocks;
        }
        let mut blocks = vec![0; self.postings.len()];
        let mut next = starts.clone();
        for (number, block) in &self.postings {
            let place = &mut next[*number as usize];
            blocks[*place as usize] = *block;
            *place += 1;
        }
        let mut order: Vec<(u64, u32)> =
            self.entries.iter().enumerate().map(|(number, entry)| (head(self.text_of(entry)), number as u32)).collect();
        let text = |number: u32| self.text_of(&self.entries[number as usize]);
        order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| text(a.1).cmp(text(b.1))));
        for (_, number) in order {
            let start = starts[number as usize] as usize;
            let count = self.entries[number as usize].blocks as usize;
            emit(text(number), &blocks[start..start + count])?;
        }
        Ok(())
    }
}

/// The first eight bytes as a number that orders as they do: most comparisons end here.
fn head(text: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = text.len().min(8);
    bytes[..length].copy_from_slice(&text[..length]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn tokens_come_out_sorted_with_their_blocks() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut expected: BTreeMap<Vec<u8>, BTreeSet<u32>> = BTreeMap::new();
        let mut table = TermTable::new();
        for block in 0..40 {
            for _ in 0..1000 {
                let bits = random.u32(1..16);
                let token = format!("{:x}", random.u32(0..1 << bits));
                table.add(&token, block);
                expected.entry(token.into_bytes()).or_default().insert(block);
            }
        }
        let mut found = Vec::new();
        let emitted: Result<(), ()> = table.for_each_sorted(|token, blocks| {
            found.push((token.to_vec(), blocks.to_vec()));
            Ok(())
        });
        assert!(emitted.is_ok());
        let expected: Vec<(Vec<u8>, Vec<u32>)> =
            expected.into_iter().map(|(token, blocks)| (token, blocks.into_iter().collect())).collect();
        assert_eq!(found, expected);
    }
}
