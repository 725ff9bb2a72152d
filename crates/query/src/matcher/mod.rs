//! A filter made ready to be asked of many rows: which columns it needs, which rows of a batch it matches, what an
//! index can say.
//!
//! Rows are tested column by column, narrowest tests first, and only those rows that the tests before have left.
//! A dictionary's values are tested once each.

mod leaf;
mod text;
mod values;

use std::collections::BTreeSet;
use std::sync::Arc;

use api::filter::{Field, Filter, Target, Test};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use model::TraceId;
use text_index::TermQuery;

use leaf::Leaf;

/// A filter made ready.
#[derive(Debug, Clone)]
pub(crate) struct Matcher {
    root: Node,
}

#[derive(Debug, Clone)]
enum Node {
    All,
    Leaf(Leaf),
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
}

impl Matcher {
    pub(crate) fn new(filter: &Filter, target: Target) -> Matcher {
        Matcher { root: Node::new(filter, target) }
    }

    /// Whether it matches every row.
    pub(crate) fn is_all(&self) -> bool {
        matches!(self.root, Node::All)
    }

    /// Whether nothing but a record's service decides.
    pub(crate) fn is_about_services(&self) -> bool {
        self.columns().iter().all(|column| *column == "service_name")
    }

    /// Which of these services' records match, where nothing else decides.
    pub(crate) fn services(&self, names: &[String]) -> Vec<bool> {
        let mut matching = vec![true; names.len()];
        let names: ArrayRef = Arc::new(names.iter().map(|name| Some(name.as_str())).collect::<StringArray>());
        if let Ok(batch) = RecordBatch::try_from_iter([("service_name", names)]) {
            self.narrow(&batch, &mut matching);
        }
        matching
    }

    /// Both filters.
    pub(crate) fn and(self, other: Matcher) -> Matcher {
        let root = match (self.root, other.root) {
            (Node::All, node) | (node, Node::All) => node,
            (a, b) => Node::and(vec![a, b]),
        };
        Matcher { root }
    }

    /// Columns it looks at.
    pub(crate) fn columns(&self) -> BTreeSet<&'static str> {
        let mut columns = BTreeSet::new();
        self.root.each_leaf(&mut |leaf| columns.extend(leaf.columns()));
        columns
    }

    /// Attribute names that a resource may have as well; an index of the records' own texts says nothing of those
    /// that one does have.
    pub(crate) fn fallback_keys(&self) -> BTreeSet<&str> {
        let mut keys = BTreeSet::new();
        self.root.each_leaf(&mut |leaf| keys.extend(leaf.fallback_keys()));
        keys
    }

    /// What an index of the records' texts can say, where the resources have these of [`Matcher::fallback_keys`].
    pub(crate) fn terms(&self, resource_keys: &BTreeSet<&str>) -> TermQuery {
        self.root.terms(resource_keys)
    }

    /// The trace that every matching row belongs to, if the filter names one.
    pub(crate) fn trace_id(&self) -> Option<TraceId> {
        match &self.root {
            Node::Leaf(leaf) => leaf.trace_id(),
            Node::And(parts) => parts.iter().find_map(|part| match part {
                Node::Leaf(leaf) => leaf.trace_id(),
                _ => None,
            }),
            _ => None,
        }
    }

    /// Leaves of `rows` those that match.
    pub(crate) fn narrow(&self, batch: &RecordBatch, rows: &mut Vec<bool>) {
        if !self.is_all() {
            *rows = self.root.matching(batch, rows);
        }
    }
}

impl Node {
    fn new(filter: &Filter, target: Target) -> Node {
        match filter {
            Filter::All => Node::All,
            Filter::Text(pattern) => Node::Leaf(Leaf::free_text(pattern, target)),
            Filter::Field(field, test) => Node::Leaf(Leaf::new(field, test)),
            Filter::Not(inner) => Node::Not(Box::new(Node::new(inner, target))),
            Filter::And(parts) => Node::and(parts.iter().map(|part| Node::new(part, target)).collect()),
            Filter::Or(parts) => Node::Or(parts.iter().map(|part| Node::new(part, target)).collect()),
        }
    }

    /// All of the parts, cheapest first.
    fn and(mut parts: Vec<Node>) -> Node {
        parts.sort_by_key(Node::effort);
        Node::And(parts)
    }

    fn effort(&self) -> u32 {
        match self {
            Node::All => 0,
            Node::Leaf(leaf) => leaf.effort(),
            Node::Not(inner) => inner.effort(),
            Node::And(parts) | Node::Or(parts) => parts.iter().map(Node::effort).max().unwrap_or(0) + 1,
        }
    }

    fn each_leaf<'a>(&'a self, visit: &mut impl FnMut(&'a Leaf)) {
        match self {
            Node::All => {}
            Node::Leaf(leaf) => visit(leaf),
            Node::Not(inner) => inner.each_leaf(visit),
            Node::And(parts) | Node::Or(parts) => parts.iter().for_each(|part| part.each_leaf(visit)),
        }
    }

    fn terms(&self, resource_keys: &BTreeSet<&str>) -> TermQuery {
        match self {
            // Rows without the term match a negation, and every block has those.
            Node::All | Node::Not(_) => TermQuery::All,
            Node::Leaf(leaf) => leaf.terms(resource_keys),
            Node::And(parts) => TermQuery::And(parts.iter().map(|part| part.terms(resource_keys)).collect()),
            Node::Or(parts) => TermQuery::Or(parts.iter().map(|part| part.terms(resource_keys)).collect()),
        }
    }

    /// Which of the rows match.
    fn matching(&self, batch: &RecordBatch, rows: &[bool]) -> Vec<bool> {
        match self {
            Node::All => rows.to_vec(),
            Node::Leaf(leaf) => leaf.matching(batch, rows),
            Node::Not(inner) => {
                let matched = inner.matching(batch, rows);
                rows.iter().zip(matched).map(|(row, matched)| *row && !matched).collect()
            }
            Node::And(parts) => {
                let mut left = rows.to_vec();
                for part in parts {
                    if !left.contains(&true) {
                        break;
                    }
                    left = part.matching(batch, &left);
                }
                left
            }
            Node::Or(parts) => {
                let mut left = rows.to_vec();
                let mut found = vec![false; rows.len()];
                for part in parts {
                    let matched = part.matching(batch, &left);
                    for ((found, left), matched) in found.iter_mut().zip(&mut left).zip(matched) {
                        *found |= matched;
                        *left &= !matched;
                    }
                }
                found
            }
        }
    }
}

/// A test of one field that is not written in the filter's language.
pub(crate) fn field_is(field: Field, value: &str) -> Filter {
    Filter::Field(field, Test::Is(api::filter::Pattern::literal(value)))
}

#[cfg(test)]
mod tests;
