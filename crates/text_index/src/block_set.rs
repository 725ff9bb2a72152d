//! A set of blocks of one file.

/// Blocks by number, as a bitmap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockSet {
    words: Vec<u64>,
    blocks: usize,
}

impl BlockSet {
    /// No block of so many.
    pub fn empty(blocks: usize) -> BlockSet {
        BlockSet { words: vec![0; blocks.div_ceil(64)], blocks }
    }

    /// Puts a block in; numbers beyond the file are ignored.
    pub fn insert(&mut self, block: usize) {
        if block < self.blocks {
            self.words[block / 64] |= 1 << (block % 64);
        }
    }

    /// Whether a block is in.
    pub fn contains(&self, block: usize) -> bool {
        block < self.blocks && self.words[block / 64] & 1 << (block % 64) != 0
    }

    /// Number of blocks in.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no block is in.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The blocks in, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        (0..self.blocks).filter(|block| self.contains(*block))
    }

    /// Keeps what is in both.
    pub fn intersect(&mut self, other: &BlockSet) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    /// Adds what is in the other.
    pub fn unite(&mut self, other: &BlockSet) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_put_in() {
        let mut a = BlockSet::empty(130);
        [0, 63, 64, 129, 130, 500].into_iter().for_each(|block| a.insert(block));
        assert_eq!(a.iter().collect::<Vec<_>>(), [0, 63, 64, 129]);
        assert_eq!((a.count(), a.is_empty(), a.contains(130)), (4, false, false));
        let mut b = BlockSet::empty(130);
        [1, 64].into_iter().for_each(|block| b.insert(block));
        let mut both = a.clone();
        both.intersect(&b);
        assert_eq!(both.iter().collect::<Vec<_>>(), [64]);
        a.unite(&b);
        assert_eq!(a.iter().rev().collect::<Vec<_>>(), [129, 64, 63, 1, 0]);
        assert!(BlockSet::empty(0).is_empty());
    }
}
