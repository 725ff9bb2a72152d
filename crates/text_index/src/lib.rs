//! A text index over blocks of rows: blocks of text in, index bytes out; query in, the blocks that may match
//! out. No I/O.
//!
//! Vocabulary: a *block* is a run of rows (256 of them) and one tantivy document; a *token* is what
//! [`tokens`] makes of text; an *id-like* token (a UUID, long hex, a long number) or a very long one is not in
//! the term dictionary but in a small bloom of its block, see [`is_indexed`].
//!
//! Invariants: the index never excludes a block that holds a match, whatever the query; it may name blocks
//! too many, so whoever asks decodes and verifies with [`tokens`]. Postings are document numbers only: no
//! positions, norms, frequencies or stored fields. Index bytes carry a checksum; anything else does not open.

mod block_bloom;
mod block_set;
mod builder;
mod error;
mod format;
mod index;
mod query;
mod segment;
mod term_table;
mod tokenizer;

pub use block_set::BlockSet;
pub use builder::IndexBuilder;
pub use error::TextIndexError;
pub use index::TextIndex;
pub use query::{Candidates, TermQuery};
pub use tokenizer::{is_indexed, tokens};
