//! A bloom of the tokens of one block that are not in the term dictionary: 16 bits and 8 probes for each
//! distinct one, so that a look-up names one block in 1,700 too many.

use xxhash_rust::xxh3::xxh3_64;

const BYTES_PER_TOKEN: usize = 2;
/// A bloom of few tokens is made larger than their share: in a handful of bits, probes meet each other.
const BYTES_MIN: usize = 16;
const PROBES: u64 = 8;

/// Gathers the tokens of the block being built.
#[derive(Debug, Default)]
pub(crate) struct BlockBloomBuilder {
    hashes: Vec<u64>,
}

impl BlockBloomBuilder {
    pub(crate) fn add(&mut self, token: &str) {
        self.hashes.push(xxh3_64(token.as_bytes()));
    }

    /// Appends the bloom of what was gathered, which may be nothing, and begins anew; returns its bytes.
    pub(crate) fn finish_block(&mut self, out: &mut Vec<u8>) -> usize {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        if self.hashes.is_empty() {
            return 0;
        }
        let start = out.len();
        out.resize(start + (self.hashes.len() * BYTES_PER_TOKEN).max(BYTES_MIN), 0);
        let bloom = &mut out[start..];
        for hash in self.hashes.drain(..) {
            for bit in bits(hash, bloom.len()) {
                bloom[bit / 8] |= 1 << (bit % 8);
            }
        }
        bloom.len()
    }
}

fn bits(hash: u64, bytes: usize) -> impl Iterator<Item = usize> {
    // Two halves make all probes; the cubic term keeps two tokens with a like step apart (enhanced double
    // hashing, Dillinger and Manolios).
    let (first, step) = (hash & 0xffff_ffff, hash >> 32);
    let mixed = move |probe: u64| first + probe * step + (probe * probe * probe - probe) / 6;
    (0..PROBES).map(move |probe| (mixed(probe) % (bytes as u64 * 8)) as usize)
}

/// Whether a block's bloom may hold the token; an empty one holds none.
pub(crate) fn may_hold(bloom: &[u8], token_hash: u64) -> bool {
    !bloom.is_empty() && bits(token_hash, bloom.len()).all(|bit| bloom[bit / 8] & 1 << (bit % 8) != 0)
}

/// The hash [`may_hold`] takes.
pub(crate) fn hash_of(token: &str) -> u64 {
    xxh3_64(token.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_held_and_little_else() {
        for count in [0, 1, 2, 50, 1000] {
            let mut builder = BlockBloomBuilder::default();
            (0..count).for_each(|n| builder.add(&format!("token{n}")));
            (0..count).for_each(|n| builder.add(&format!("token{n}")));
            let mut bloom = vec![7];
            let expected = if count == 0 { 0 } else { (count * BYTES_PER_TOKEN).max(BYTES_MIN) };
            assert_eq!(builder.finish_block(&mut bloom), expected);
            let bloom = &bloom[1..];
            assert!((0..count).all(|n| may_hold(bloom, hash_of(&format!("token{n}")))));
            let wrong = (0..10_000).filter(|n| may_hold(bloom, hash_of(&format!("other{n}")))).count();
            assert!(wrong < 25, "{wrong} of 10000 among {count}");
        }
    }
}
