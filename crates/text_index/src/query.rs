//! What can be asked of an index, and what it answers.

use crate::block_set::BlockSet;

/// A question about the tokens of rows, as far as blocks can answer it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TermQuery {
    /// Some text of the row holds this token. Text that is no single token is taken as all of its tokens.
    Token(String),
    /// Some text of the row holds a token that begins with this.
    Prefix(String),
    /// All of these; of none of them, everything.
    And(Vec<TermQuery>),
    /// Any of these; of none of them, nothing.
    Or(Vec<TermQuery>),
    /// Nothing can be excluded: negations, and whatever is not about tokens.
    All,
}

/// Where matches may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidates {
    /// Anywhere: the index cannot exclude a block.
    All,
    /// In these blocks only.
    Blocks(BlockSet),
}

impl Candidates {
    /// Whether a match may be in this block.
    pub fn contains(&self, block: usize) -> bool {
        match self {
            Candidates::All => true,
            Candidates::Blocks(blocks) => blocks.contains(block),
        }
    }

    pub(crate) fn and(self, other: Candidates) -> Candidates {
        match (self, other) {
            (Candidates::All, other) | (other, Candidates::All) => other,
            (Candidates::Blocks(mut blocks), Candidates::Blocks(other)) => {
                blocks.intersect(&other);
                Candidates::Blocks(blocks)
            }
        }
    }

    pub(crate) fn or(self, other: Candidates) -> Candidates {
        match (self, other) {
            (Candidates::All, _) | (_, Candidates::All) => Candidates::All,
            (Candidates::Blocks(mut blocks), Candidates::Blocks(other)) => {
                blocks.unite(&other);
                Candidates::Blocks(blocks)
            }
        }
    }
}
