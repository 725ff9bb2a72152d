//! An open index, and how it answers.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use tantivy::InvertedIndexReader;
use tantivy::directory::OwnedBytes;
use tantivy::postings::TermInfo;
use tantivy::schema::IndexRecordOption;

use crate::block_bloom::{hash_of, may_hold};
use crate::block_set::BlockSet;
use crate::error::TextIndexError;
use crate::format::{BlockInfo, FLAG_IDS, FLAG_LONG, SegmentFiles, read_index};
use crate::query::{Candidates, TermQuery};
use crate::segment::open_segment;
use crate::tokenizer::{is_indexed, may_begin_id, tokens};

/// Terms a prefix may stand for; one that stands for more excludes nothing.
const PREFIX_TERMS_MAX: usize = 8192;

/// Depth of And and Or that is followed; what is deeper excludes nothing.
const DEPTH_MAX: usize = 128;

/// An index over the blocks of one file, held in memory as its bytes.
pub struct TextIndex {
    blocks: Vec<BlockInfo>,
    /// Where each block's bloom lies in `blooms`.
    bloom_ranges: Vec<Range<usize>>,
    blooms: OwnedBytes,
    terms: Arc<InvertedIndexReader>,
    bytes: usize,
}

impl std::fmt::Debug for TextIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TextIndex({} blocks, {} bytes)", self.blocks.len(), self.bytes)
    }
}

impl TextIndex {
    /// Opens the bytes of [`crate::IndexBuilder::finish`].
    ///
    /// # Errors
    /// Any of [`TextIndexError`] when they are not exactly that: go on as if there were no index.
    pub fn open(bytes: impl Into<Vec<u8>>) -> Result<TextIndex, TextIndexError> {
        let bytes: Vec<u8> = bytes.into();
        let parts = read_index(&bytes)?;
        let length = bytes.len();
        let bytes = OwnedBytes::new(bytes);
        let terms = open_segment(SegmentFiles {
            terms: bytes.slice(parts.files.terms),
            postings: bytes.slice(parts.files.postings),
            positions: bytes.slice(parts.files.positions),
        })?;
        let mut at = 0;
        let mut next = |block: &BlockInfo| {
            let start = at;
            at += block.bloom_bytes as usize;
            start..at
        };
        let bloom_ranges = parts.blocks.iter().map(&mut next).collect();
        Ok(TextIndex { bloom_ranges, blooms: bytes.slice(parts.blooms), blocks: parts.blocks, terms, bytes: length })
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Smallest and greatest time of a block, Unix nanoseconds. Panics when there is no such block.
    pub fn block_time(&self, block: usize) -> (i64, i64) {
        (self.blocks[block].min_time, self.blocks[block].max_time)
    }

    /// Rows of a block. Panics when there is no such block.
    pub fn block_rows(&self, block: usize) -> u32 {
        self.blocks[block].rows
    }

    /// Rows of all blocks.
    pub fn rows(&self) -> u64 {
        self.blocks.iter().map(|block| u64::from(block.rows)).sum()
    }

    /// Distinct terms of the dictionary.
    pub fn terms(&self) -> usize {
        self.terms.terms().num_terms()
    }

    /// Bytes in memory.
    pub fn memory_bytes(&self) -> usize {
        self.bytes + self.blocks.capacity() * (size_of::<BlockInfo>() + size_of::<Range<usize>>()) + 4096
    }

    /// The blocks that may hold a match; every block that does is among them.
    pub fn candidates(&self, query: &TermQuery) -> Candidates {
        self.at_depth(query, 0)
    }

    fn at_depth(&self, query: &TermQuery, depth: usize) -> Candidates {
        if depth > DEPTH_MAX {
            return Candidates::All;
        }
        match query {
            TermQuery::Token(text) => self.text(text),
            TermQuery::Prefix(prefix) => self.prefix_of_text(prefix),
            TermQuery::And(parts) => {
                parts.iter().fold(Candidates::All, |all, part| all.and(self.at_depth(part, depth + 1)))
            }
            TermQuery::Or(parts) => {
                let nothing = Candidates::Blocks(BlockSet::empty(self.blocks()));
                parts.iter().fold(nothing, |any, part| any.or(self.at_depth(part, depth + 1)))
            }
            TermQuery::All => Candidates::All,
        }
    }

    /// Blocks with every token of the text.
    fn text(&self, text: &str) -> Candidates {
        let mut found = Candidates::All;
        tokens(text, |token| {
            let taken = std::mem::replace(&mut found, Candidates::All);
            found = taken.and(self.token(token));
        });
        found
    }

    fn token(&self, token: &str) -> Candidates {
        if is_indexed(token) {
            return or_all(self.indexed_token(token));
        }
        let hash = hash_of(token);
        self.blocks_where(|block| may_hold(&self.blooms[self.bloom_ranges[block].clone()], hash))
    }

    fn blocks_where(&self, wanted: impl Fn(usize) -> bool) -> Candidates {
        let mut found = BlockSet::empty(self.blocks());
        (0..self.blocks()).filter(|block| wanted(*block)).for_each(|block| found.insert(block));
        Candidates::Blocks(found)
    }

    fn indexed_token(&self, token: &str) -> io::Result<Candidates> {
        let mut found = BlockSet::empty(self.blocks());
        if let Some(info) = self.terms.terms().get(token)? {
            self.add_postings(&info, &mut found)?;
        }
        Ok(Candidates::Blocks(found))
    }

    fn add_postings(&self, info: &TermInfo, found: &mut BlockSet) -> io::Result<()> {
        let mut postings = self.terms.read_block_postings_from_terminfo(info, IndexRecordOption::Basic)?;
        while !postings.docs().is_empty() {
            postings.docs().iter().for_each(|block| found.insert(*block as usize));
            postings.advance();
        }
        Ok(())
    }

    /// Blocks with a token that begins so. What a user typed may itself part into tokens (`foo-ba`, `foo-`):
    /// the last one is the prefix then, or all of it is the beginning of a UUID.
    fn prefix_of_text(&self, text: &str) -> Candidates {
        let mut parts: Vec<String> = Vec::new();
        tokens(text, |token| parts.push(token.to_owned()));
        let by_tokens = match parts.pop() {
            None => Candidates::All,
            Some(last) => parts.iter().fold(self.prefix(&last), |all, part| all.and(self.token(part))),
        };
        match text.contains('-') && may_begin_id(text) {
            true => by_tokens.or(self.blocks_where(|block| self.blocks[block].flags & FLAG_IDS != 0)),
            false => by_tokens,
        }
    }

    fn prefix(&self, prefix: &str) -> Candidates {
        let unindexed = if may_begin_id(prefix) { FLAG_IDS | FLAG_LONG } else { FLAG_LONG };
        let in_blooms = self.blocks_where(|block| self.blocks[block].flags & unindexed != 0);
        or_all(self.indexed_prefix(prefix)).or(in_blooms)
    }

    fn indexed_prefix(&self, prefix: &str) -> io::Result<Candidates> {
        let mut found = BlockSet::empty(self.blocks());
        let mut stream = self.terms.terms().range().ge(prefix).into_stream()?;
        let mut visited = 0;
        while let Some((term, info)) = stream.next() {
            if !term.starts_with(prefix.as_bytes()) {
                break;
            }
            visited += 1;
            if visited > PREFIX_TERMS_MAX {
                return Ok(Candidates::All);
            }
            self.add_postings(info, &mut found)?;
        }
        Ok(Candidates::Blocks(found))
    }
}

/// An index that cannot be read excludes nothing.
fn or_all(read: io::Result<Candidates>) -> Candidates {
    read.unwrap_or(Candidates::All)
}

#[cfg(test)]
mod tests;
