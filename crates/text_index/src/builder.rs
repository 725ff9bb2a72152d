//! Building an index in memory.

use crate::block_bloom::BlockBloomBuilder;
use crate::error::TextIndexError;
use crate::format::{BlockInfo, FLAG_IDS, FLAG_LONG, write_index};
use crate::segment::write_segment;
use crate::term_table::TermTable;
use crate::tokenizer::{Kind, kind, tokens};

/// Takes blocks of text and makes the bytes of an index over them.
#[derive(Debug)]
pub struct IndexBuilder {
    terms: TermTable,
    bloom: BlockBloomBuilder,
    blooms: Vec<u8>,
    /// Flags of the block being built.
    flags: u8,
    blocks: Vec<BlockInfo>,
}

impl Default for IndexBuilder {
    fn default() -> IndexBuilder {
        IndexBuilder::new()
    }
}

impl IndexBuilder {
    /// An index of no blocks.
    pub fn new() -> IndexBuilder {
        let (terms, bloom) = (TermTable::new(), BlockBloomBuilder::default());
        IndexBuilder { terms, bloom, blooms: Vec::new(), flags: 0, blocks: Vec::new() }
    }

    /// Adds a block: every text of its rows, its smallest and greatest time (Unix nanoseconds), its rows.
    pub fn add_block(
        &mut self,
        texts: impl IntoIterator<Item = impl AsRef<str>>,
        min_time: i64,
        max_time: i64,
        rows: u32,
    ) {
        for text in texts {
            self.add_text(text.as_ref());
        }
        self.end_block(min_time, max_time, rows);
    }

    /// Adds a text to the block that the next [`IndexBuilder::end_block`] ends.
    pub fn add_text(&mut self, text: &str) {
        let block = self.blocks.len() as u32;
        tokens(text, |token| match kind(token) {
            Kind::Indexed => self.terms.add(token, block),
            Kind::IdLike => {
                self.flags |= FLAG_IDS;
                self.bloom.add(token);
            }
            Kind::Long => {
                self.flags |= FLAG_LONG;
                self.bloom.add(token);
            }
        });
    }

    /// Ends a block; see [`IndexBuilder::add_block`].
    pub fn end_block(&mut self, min_time: i64, max_time: i64, rows: u32) {
        let bloom_bytes = self.bloom.finish_block(&mut self.blooms) as u32;
        let flags = std::mem::take(&mut self.flags);
        self.blocks.push(BlockInfo { rows, min_time, max_time, bloom_bytes, flags });
    }

    /// Blocks so far.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Bytes held in memory.
    pub fn memory_bytes(&self) -> usize {
        self.terms.memory_bytes() + self.blooms.capacity() + self.blocks.capacity() * size_of::<BlockInfo>()
    }

    /// The bytes of the index.
    ///
    /// # Errors
    /// [`TextIndexError::Tantivy`]; the rows are then to be kept without an index.
    pub fn finish(self) -> Result<Vec<u8>, TextIndexError> {
        let files = write_segment(&self.terms)?;
        Ok(write_index(&self.blocks, &files, &self.blooms))
    }
}
