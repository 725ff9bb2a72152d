//! The service map: who calls whom, laid out in layers from callers to callees.
//!
//! [`layers`] gives every node a layer and an order within it, [`layout`] makes places and curves of that, [`view`] is
//! how the drawing is moved and zoomed. Everything is a function of the answer: the same map is drawn the same way for
//! everybody. Any answer has a layout: circles, nodes that call themselves, edges to nodes that are not there.

mod layers;
mod layout;
mod view;

pub use layout::{Layout, NODE_HEIGHT, NODE_WIDTH, Place, layout};
pub use view::{Direction, View, neighbour};

use std::collections::{BTreeSet, HashMap};

use api::{MapNode, Red, ServiceMapAnswer};

use crate::order;

/// Nodes up to which a drawing is of use; beyond, the map begins as a list.
pub const DRAWN_NODES_MAX: usize = 150;

/// Calls from one node to another, by their indices.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// The caller.
    pub source: usize,
    /// The called.
    pub target: usize,
    /// The calls.
    pub red: Red,
}

/// The map's nodes and edges.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Graph {
    /// By id.
    pub nodes: Vec<MapNode>,
    /// By source, then target; at most one from a node to another.
    pub edges: Vec<Edge>,
}

impl Graph {
    /// The graph of an answer. What names a node that is not there is left out.
    pub fn of(answer: &ServiceMapAnswer) -> Graph {
        let mut nodes = answer.nodes.clone();
        order::sort(&mut nodes, |a, b| a.id.cmp(&b.id));
        nodes.dedup_by(|a, b| a.id == b.id);
        let index: HashMap<&str, usize> =
            nodes.iter().enumerate().map(|(index, node)| (node.id.as_str(), index)).collect();
        let find = |id: &str| index.get(id).copied();
        let mut edges: Vec<Edge> = answer
            .edges
            .iter()
            .filter_map(|edge| {
                Some(Edge { source: find(&edge.source)?, target: find(&edge.target)?, red: edge.red.clone() })
            })
            .collect();
        order::sort(&mut edges, |a, b| (a.source, a.target).cmp(&(b.source, b.target)));
        edges.dedup_by_key(|edge| (edge.source, edge.target));
        Graph { nodes, edges }
    }

    /// The node of an id.
    pub fn find(&self, id: &str) -> Option<usize> {
        self.nodes.binary_search_by(|node| node.id.as_str().cmp(id)).ok()
    }

    /// Edges that come in, busiest first.
    pub fn callers(&self, node: usize) -> Vec<&Edge> {
        self.busiest(|edge| edge.target == node)
    }

    /// Edges that go out, busiest first.
    pub fn callees(&self, node: usize) -> Vec<&Edge> {
        self.busiest(|edge| edge.source == node)
    }

    fn busiest(&self, wanted: impl Fn(&Edge) -> bool) -> Vec<&Edge> {
        let mut edges: Vec<&Edge> = self.edges.iter().filter(|edge| wanted(edge)).collect();
        order::sort(&mut edges, |a, b| b.red.calls.cmp(&a.red.calls));
        edges
    }

    /// All nodes, busiest first.
    pub fn by_calls(&self) -> Vec<usize> {
        order::sorted(self.nodes.len(), &|a, b| self.nodes[b].red.calls.cmp(&self.nodes[a].red.calls))
    }

    /// The node and those it calls or is called by.
    pub fn near(&self, node: usize) -> BTreeSet<usize> {
        let touching = self.edges.iter().filter(|edge| edge.source == node || edge.target == node);
        touching.flat_map(|edge| [edge.source, edge.target]).chain([node]).collect()
    }

    /// The part of the graph that these nodes make.
    pub fn part(&self, kept: &BTreeSet<usize>) -> Graph {
        let place: HashMap<usize, usize> = kept.iter().enumerate().map(|(to, from)| (*from, to)).collect();
        let edges = self.edges.iter().filter_map(|edge| {
            let (source, target) = (*place.get(&edge.source)?, *place.get(&edge.target)?);
            Some(Edge { source, target, red: edge.red.clone() })
        });
        let nodes = kept.iter().filter_map(|index| self.nodes.get(*index).cloned());
        Graph { nodes: nodes.collect(), edges: edges.collect() }
    }

    /// How thick each edge is drawn, 1 to 4: by the logarithm of its calls.
    pub fn widths(&self) -> Vec<f64> {
        let log = |edge: &Edge| (edge.red.calls as f64).ln_1p();
        let most = self.edges.iter().map(log).fold(1.0, f64::max);
        self.edges.iter().map(|edge| 1.0 + 3.0 * log(edge) / most).collect()
    }
}

/// What a kind of node is called.
pub fn kind_words(kind: &str) -> &'static str {
    match kind {
        "service" => "service",
        "database" => "database",
        "queue" => "queue",
        _ => "outside",
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use api::MapEdge;

    /// A graph of `a>b` pairs; nodes are named by them and by the words without `>`.
    pub(crate) fn graph(text: &str) -> Graph {
        let mut answer = ServiceMapAnswer::default();
        let node = |id: &str| MapNode { id: id.into(), name: id.into(), kind: "service".into(), ..MapNode::default() };
        for word in text.split_whitespace() {
            answer.nodes.extend(word.split('>').map(node));
            if let Some((source, target)) = word.split_once('>') {
                let red = Red { calls: 10, ..Red::default() };
                answer.edges.push(MapEdge { source: source.into(), target: target.into(), red });
            }
        }
        Graph::of(&answer)
    }

    fn names(graph: &Graph) -> String {
        graph.nodes.iter().map(|node| node.id.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn graphs_are_made_of_any_answer() {
        let mut answer = ServiceMapAnswer::default();
        let edge =
            |source: &str, target: &str| MapEdge { source: source.into(), target: target.into(), ..MapEdge::default() };
        answer.nodes =
            vec![MapNode { id: "b".into(), ..MapNode::default() }, MapNode { id: "a".into(), ..MapNode::default() }];
        answer.nodes.push(answer.nodes[0].clone());
        answer.edges = vec![edge("b", "a"), edge("a", "b"), edge("a", "b"), edge("a", "nowhere"), edge("a", "a")];
        let graph = Graph::of(&answer);
        assert_eq!(names(&graph), "a b");
        let pairs: Vec<_> = graph.edges.iter().map(|edge| (edge.source, edge.target)).collect();
        assert_eq!(pairs, [(0, 0), (0, 1), (1, 0)]);
        assert_eq!((graph.find("b"), graph.find("c")), (Some(1), None));
    }

    #[test]
    fn neighbours_are_a_part() {
        let graph = graph("a>b b>c c>d e");
        let near = graph.part(&graph.near(1));
        assert_eq!(names(&near), "a b c");
        assert_eq!(near.edges.len(), 2);
        assert_eq!(names(&graph.part(&graph.near(4))), "e");
        assert_eq!((graph.callers(1).len(), graph.callees(1).len(), graph.callers(0).len()), (1, 1, 0));
    }

    #[test]
    fn busy_edges_are_thick() {
        let mut graph = graph("a>b a>c a>d");
        for (edge, calls) in graph.edges.iter_mut().zip([0, 100, 100_000]) {
            edge.red.calls = calls;
        }
        let widths = graph.widths();
        assert!(widths[0] == 1.0 && (widths[2] - 4.0).abs() < 1e-9, "{widths:?}");
        assert!(widths[1] > 2.0 && widths[1] < 3.0);
    }
}
