//! A quick hasher for numbers that are no one's to choose: keys made here, and ids spread by whoever drew them.
//!
//! Two multiplications mix every bit; ids that a sender drew badly make a table slower, never wrong, and what one
//! file or question holds of them is bounded.

use std::hash::{BuildHasher, Hasher};

/// Makes [`FoldingHasher`]s.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Folding;

impl BuildHasher for Folding {
    type Hasher = FoldingHasher;

    fn build_hasher(&self) -> FoldingHasher {
        FoldingHasher(0x243f_6a88_85a3_08d3)
    }
}

/// Folds numbers into one.
#[derive(Debug)]
pub(super) struct FoldingHasher(u64);

impl FoldingHasher {
    fn fold(&mut self, value: u64) {
        let product = u128::from(self.0 ^ value) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }
}

impl Hasher for FoldingHasher {
    fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..piece.len()].copy_from_slice(piece);
            self.fold(u64::from_le_bytes(word));
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.fold(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.fold(value);
    }

    fn write_i64(&mut self, value: i64) {
        self.fold(value as u64);
    }

    fn write_u128(&mut self, value: u128) {
        self.fold(value as u64);
        self.fold((value >> 64) as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
