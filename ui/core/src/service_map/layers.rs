//! Which layer a node is in, and in which order the nodes of a layer stand.
//!
//! Vocabulary: an edge that closes a circle is *turned* while layers are made; a *bend* is where an edge that spans
//! several layers passes one between them. Nodes and bends together are *points*: nodes come first, by their index.

use super::Graph;
use crate::order;

/// Bends of one drawing; an edge that would need more is drawn without.
const BENDS_MAX: usize = 4_000;
/// Times the layers are put in order, to and fro.
const SWEEPS: usize = 12;
/// Times neighbours are swapped after each.
const SWAP_ROUNDS: usize = 8;

/// Layers and their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Layers {
    /// Points of each layer, in order.
    pub(super) order: Vec<Vec<usize>>,
    /// Points in the layer before that each point is joined with.
    pub(super) before: Vec<Vec<usize>>,
    /// Points in the layer after.
    pub(super) after: Vec<Vec<usize>>,
    /// Bends of each edge of the graph, from its source to its target.
    pub(super) bends: Vec<Vec<usize>>,
    /// Nodes that call nobody and are called by nobody but themselves.
    pub(super) alone: Vec<usize>,
}

/// Makes the layers of a graph.
pub(super) fn layers(graph: &Graph) -> Layers {
    let nodes = graph.nodes.len();
    let turned = turned_edges(graph);
    // Every edge between two nodes, in the direction that has no circles.
    let straight: Vec<Option<(usize, usize)>> = graph
        .edges
        .iter()
        .zip(&turned)
        .map(|(edge, turned)| match (edge.source == edge.target, turned) {
            (true, _) => None,
            (false, true) => Some((edge.target, edge.source)),
            (false, false) => Some((edge.source, edge.target)),
        })
        .collect();
    let layer = layer_numbers(nodes, &straight);
    let mut joined = vec![false; nodes];
    for (from, to) in straight.iter().flatten() {
        (joined[*from], joined[*to]) = (true, true);
    }
    let mut layers = Layers {
        before: vec![Vec::new(); nodes],
        after: vec![Vec::new(); nodes],
        alone: (0..nodes).filter(|node| !joined[*node]).collect(),
        ..Layers::default()
    };
    let mut point_layer: Vec<usize> = layer;
    for (edge, turned) in straight.iter().zip(&turned) {
        let bends = edge.map_or_else(Vec::new, |edge| join(&mut layers, &mut point_layer, edge));
        layers.bends.push(if *turned { bends.into_iter().rev().collect() } else { bends });
    }
    let count = (0..nodes).filter(|node| joined[*node]).map(|node| point_layer[node] + 1).max().unwrap_or(0);
    layers.order = vec![Vec::new(); count];
    for (point, layer) in point_layer.iter().enumerate() {
        if point >= nodes || joined[point] {
            layers.order[*layer].push(point);
        }
    }
    put_in_order(&mut layers);
    layers
}

/// Joins two nodes, with bends in the layers between them.
fn join(layers: &mut Layers, point_layer: &mut Vec<usize>, (from, to): (usize, usize)) -> Vec<usize> {
    let (first, last) = (point_layer[from], point_layer[to]);
    let needed = last.saturating_sub(first + 1);
    if point_layer.len() + needed > BENDS_MAX {
        return Vec::new();
    }
    let mut bends = Vec::with_capacity(needed);
    let mut at = from;
    for layer in first + 1..last {
        let bend = point_layer.len();
        point_layer.push(layer);
        layers.before.push(Vec::new());
        layers.after.push(Vec::new());
        link(layers, at, bend);
        bends.push(bend);
        at = bend;
    }
    link(layers, at, to);
    bends
}

fn link(layers: &mut Layers, from: usize, to: usize) {
    layers.after[from].push(to);
    layers.before[to].push(from);
}

/// Edges to turn so that no circle is left, quiet ones where there is a choice: nodes are put in a row, callers first, and what
/// leads backwards in it is turned. Whom nobody calls goes to the front, who calls nobody to the end; in a circle the
/// one with the most calls out over calls in goes first.
fn turned_edges(graph: &Graph) -> Vec<bool> {
    let nodes = graph.nodes.len();
    let mut row = Row {
        beside: vec![Vec::new(); nodes],
        out: vec![(0, 0.0); nodes],
        into: vec![(0, 0.0); nodes],
        is_placed: vec![false; nodes],
    };
    for edge in graph.edges.iter().filter(|edge| edge.source != edge.target) {
        let weight = edge.red.calls as f64 + 1.0;
        row.beside[edge.source].push((edge.target, true, weight));
        row.beside[edge.target].push((edge.source, false, weight));
        row.out[edge.source] = (row.out[edge.source].0 + 1, row.out[edge.source].1 + weight);
        row.into[edge.target] = (row.into[edge.target].0 + 1, row.into[edge.target].1 + weight);
    }
    let (mut front, mut end) = (Vec::new(), Vec::new());
    while let Some((node, is_end)) = row.next() {
        if is_end {
            end.push(node)
        } else {
            front.push(node)
        }
        row.place(node);
    }
    let mut at = vec![0; nodes];
    front.into_iter().chain(end.into_iter().rev()).enumerate().for_each(|(index, node)| at[node] = index);
    graph.edges.iter().map(|edge| at[edge.source] > at[edge.target]).collect()
}

/// Nodes that have no place in the row yet, with the number and weight of the edges among them.
struct Row {
    /// The other end of each edge, whether it is the called one, and the edge's weight.
    beside: Vec<Vec<(usize, bool, f64)>>,
    out: Vec<(usize, f64)>,
    into: Vec<(usize, f64)>,
    is_placed: Vec<bool>,
}

impl Row {
    /// The node to place next, and whether at the end.
    fn next(&self) -> Option<(usize, bool)> {
        let mut rest = (0..self.is_placed.len()).filter(|node| !self.is_placed[*node]).peekable();
        rest.peek()?;
        let rest: Vec<usize> = rest.collect();
        if let Some(node) = rest.iter().rev().find(|node| self.out[**node].0 == 0 && self.into[**node].0 > 0) {
            return Some((*node, true));
        }
        if let Some(node) = rest.iter().find(|node| self.into[**node].0 == 0) {
            return Some((*node, false));
        }
        let lead = |node: usize| self.out[node].1 - self.into[node].1;
        let first = rest.into_iter().max_by(|a, b| lead(*a).total_cmp(&lead(*b)).then(b.cmp(a)));
        first.map(|node| (node, false))
    }

    fn place(&mut self, node: usize) {
        self.is_placed[node] = true;
        for (other, is_called, weight) in self.beside[node].clone() {
            let side = if is_called { &mut self.into[other] } else { &mut self.out[other] };
            *side = (side.0 - 1, side.1 - weight);
        }
    }
}

/// The layer of each node: one after the last of its callers; who is called by nobody stands right before the first
/// it calls.
fn layer_numbers(nodes: usize, edges: &[Option<(usize, usize)>]) -> Vec<usize> {
    let mut waits = vec![0_usize; nodes];
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    for (from, to) in edges.iter().flatten() {
        waits[*to] += 1;
        out[*from].push(*to);
    }
    let starts: Vec<usize> = (0..nodes).filter(|node| waits[*node] == 0).collect();
    let mut layer = vec![0_usize; nodes];
    let mut ready = starts.clone();
    while let Some(node) = ready.pop() {
        for to in &out[node] {
            layer[*to] = layer[*to].max(layer[node] + 1);
            waits[*to] -= 1;
            if waits[*to] == 0 {
                ready.push(*to);
            }
        }
    }
    for start in starts {
        let first = out[start].iter().map(|to| layer[*to]).min();
        layer[start] = first.map_or(0, |first| first.saturating_sub(1));
    }
    layer
}

/// Orders the layers to and fro by where the neighbours of each point stand, and keeps the order with the fewest
/// crossings.
fn put_in_order(layers: &mut Layers) {
    let mut best = (crossings(layers), layers.order.clone());
    for sweep in 0..SWEEPS {
        if best.0 == 0 {
            break;
        }
        let forward = sweep % 2 == 0;
        let count = layers.order.len();
        for step in 1..count {
            let (at, beside) = if forward { (step, step - 1) } else { (count - 1 - step, count - step) };
            order_layer(layers, at, beside, forward, sweep % 4 > 1);
        }
        swap_pairs(layers);
        let crossings = crossings(layers);
        if crossings < best.0 {
            best = (crossings, layers.order.clone());
        }
    }
    layers.order = best.1;
}

/// Orders one layer by the mean place of each point's neighbours; equals keep their order, or turn it around, so that
/// the next sweep begins from something else.
fn order_layer(layers: &mut Layers, at: usize, beside: usize, forward: bool, turns_equals: bool) {
    let mut place = vec![0.0; layers.before.len()];
    layers.order[beside].iter().enumerate().for_each(|(index, point)| place[*point] = index as f64);
    let joined = if forward { &layers.before } else { &layers.after };
    let mut keyed: Vec<(f64, usize)> = layers.order[at]
        .iter()
        .enumerate()
        .map(|(index, point)| {
            let neighbours = &joined[*point];
            let sum: f64 = neighbours.iter().map(|neighbour| place[*neighbour]).sum();
            // Who has no neighbour there stays about where it is.
            let key = if neighbours.is_empty() { index as f64 } else { sum / neighbours.len() as f64 };
            (key, *point)
        })
        .collect();
    if turns_equals {
        keyed.reverse();
    }
    order::sort(&mut keyed, |a, b| a.0.total_cmp(&b.0));
    layers.order[at] = keyed.into_iter().map(|(_, point)| point).collect();
}

/// Swaps neighbours of a layer wherever that takes crossings out.
fn swap_pairs(layers: &mut Layers) {
    let mut place = places(layers);
    for _ in 0..SWAP_ROUNDS {
        let mut has_swapped = false;
        for layer in &mut layers.order {
            for at in 1..layer.len() {
                let (above, below) = (layer[at - 1], layer[at]);
                let count = |first: usize, second: usize| {
                    let cross = |joined: &[Vec<usize>]| {
                        let ends = joined[first].iter().map(|end| place[*end]);
                        ends.map(|end| joined[second].iter().filter(|other| place[**other] < end).count())
                            .sum::<usize>()
                    };
                    cross(&layers.before) + cross(&layers.after)
                };
                if count(below, above) < count(above, below) {
                    layer.swap(at - 1, at);
                    (place[above], place[below]) = (at, at - 1);
                    has_swapped = true;
                }
            }
        }
        if !has_swapped {
            break;
        }
    }
}

/// Where each point stands in its layer.
fn places(layers: &Layers) -> Vec<usize> {
    let mut place = vec![0; layers.before.len()];
    layers.order.iter().for_each(|layer| layer.iter().enumerate().for_each(|(index, point)| place[*point] = index));
    place
}

/// Crossings between all neighbouring layers.
fn crossings(layers: &Layers) -> usize {
    let place = places(layers);
    let pairs = layers.order.windows(2);
    pairs.map(|pair| crossings_between(layers, &place, &pair[0], pair[1].len())).sum()
}

/// Edges sorted by where they begin cross as often as their ends are out of order; a tree of sums counts that.
fn crossings_between(layers: &Layers, place: &[usize], from: &[usize], width: usize) -> usize {
    let mut tree = vec![0_usize; width + 1];
    let (mut crossings, mut seen) = (0, 0);
    for point in from {
        let mut ends: Vec<usize> = layers.after[*point].iter().map(|to| place[*to]).collect();
        order::sort(&mut ends, Ord::cmp);
        for end in &ends {
            let (mut at, mut not_above) = (end + 1, 0);
            while at > 0 {
                not_above += tree[at];
                at &= at - 1;
            }
            crossings += seen - not_above;
        }
        for end in ends {
            let mut at = end + 1;
            while at <= width {
                tree[at] += 1;
                at += at & at.wrapping_neg();
            }
            seen += 1;
        }
    }
    crossings
}

#[cfg(test)]
mod tests {
    use super::super::tests::graph;
    use super::*;

    /// Names by layer, bends as dots.
    fn drawn(text: &str) -> String {
        let graph = graph(text);
        let layers = layers(&graph);
        let name = |point: &usize| graph.nodes.get(*point).map_or(".", |node| node.id.as_str()).to_owned();
        let layer = |points: &Vec<usize>| points.iter().map(name).collect::<Vec<_>>().join(" ");
        layers.order.iter().map(layer).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn callers_stand_before_the_called() {
        let check = |text: &str, expect: &str| assert_eq!(drawn(text), expect, "{text}");
        check("", "");
        check("a", "");
        check("a>b", "a | b");
        check("b>a", "b | a");
        check("a>b b>c a>c", "a | b . | c");
        check("a>b b>c x>c", "a | b x | c");
        check("a>a", "");
    }

    #[test]
    fn circles_are_opened_at_their_quietest_edge() {
        let mut found = graph("start>b b>c c>d d>b");
        let quiet = |found: &mut Graph, source: usize, calls: u64| {
            found.edges.iter_mut().filter(|edge| edge.source == source).for_each(|edge| edge.red.calls = calls);
        };
        quiet(&mut found, 1, 1);
        let turned = |found: &Graph| turned_edges(found).iter().position(|turned| *turned);
        assert_eq!(turned(&found), Some(1), "c hardly calls d");
        quiet(&mut found, 0, 900);
        quiet(&mut found, 1, 900);
        quiet(&mut found, 2, 1);
        assert_eq!(turned(&found), Some(2), "d hardly calls b");
    }

    #[test]
    fn circles_are_opened_where_they_begin() {
        let check = |text: &str, expect: &str| assert_eq!(drawn(text), expect, "{text}");
        check("a>b b>a", "a | b");
        check("start>b b>c c>b", "start | b | c");
        check("a>b b>c c>a", "a | b . | c");
        check("a>b b>a a>a", "a | b");
    }

    #[test]
    fn crossings_are_taken_out() {
        assert_eq!(drawn("a>z b>y c>x"), "a b c | z y x");
        let graph = graph("a>y a>z b>x b>y c>w c>x d>w e>z");
        assert_eq!(crossings(&layers(&graph)), 0);
    }

    #[test]
    fn crossings_are_counted_as_by_hand() {
        let graph = graph("a>x a>z b>y c>x c>y d>x");
        let layers = layers(&graph);
        let place = places(&layers);
        let edges: Vec<(usize, usize)> = graph.edges.iter().map(|e| (place[e.source], place[e.target])).collect();
        let mut by_hand = 0;
        for (index, a) in edges.iter().enumerate() {
            by_hand +=
                edges[index + 1..].iter().filter(|b| (a.0 < b.0 && a.1 > b.1) || (a.0 > b.0 && a.1 < b.1)).count();
        }
        assert_eq!(crossings(&layers), by_hand);
    }

    #[test]
    fn bends_follow_their_edge_and_are_bounded() {
        let found = graph("a>b b>c c>d d>a");
        let layers = layers(&found);
        let back = found.edges.iter().position(|edge| edge.source == 3).expect("d calls a");
        let bends = &layers.bends[back];
        assert_eq!(bends.len(), 2);
        assert!(layers.order[2].contains(&bends[0]) && layers.order[1].contains(&bends[1]), "from d back to a");
        // A chain of 120 where everybody also calls the last: 7,021 bends, were there no bound.
        let chain: String = (0..120).map(|n| format!("n{n:03}>n{:03} n{n:03}>n120 ", n + 1)).collect();
        assert!(self::layers(&graph(&chain)).before.len() <= BENDS_MAX + 1);
    }
}
