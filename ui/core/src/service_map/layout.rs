//! Places of nodes and curves of edges, in pixels of a drawing that is not zoomed.

use std::fmt::Write;

use super::Graph;
use super::layers::{Layers, layers};
use crate::order;

/// Width of a node.
pub const NODE_WIDTH: f64 = 168.0;
/// Height of a node.
pub const NODE_HEIGHT: f64 = 46.0;
/// Room between two layers.
const LAYER_GAP: f64 = 72.0;
/// Room between two nodes of a layer.
const NODE_GAP: f64 = 22.0;
/// Room between two edges that pass a layer.
const BEND_GAP: f64 = 8.0;
/// Room a bend takes.
const BEND_HEIGHT: f64 = 6.0;
/// Times nodes move towards their neighbours, to and fro.
const PULLS: usize = 8;
/// How far the ends of a node's edges lie apart, at most.
const PORT_GAP_MAX: f64 = 8.0;

/// Upper left corner of a node.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Place {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

impl Place {
    /// The middle of the node.
    pub fn centre(self) -> (f64, f64) {
        (self.x + NODE_WIDTH / 2.0, self.y + NODE_HEIGHT / 2.0)
    }
}

/// A drawing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layout {
    /// Place of each node.
    pub places: Vec<Place>,
    /// SVG path of each edge, from its source to its target.
    pub curves: Vec<String>,
    /// A point on each edge's curve, for what is said of it.
    pub middles: Vec<(f64, f64)>,
    /// Width of all.
    pub width: f64,
    /// Height of all.
    pub height: f64,
}

/// Lays a graph out: layers from left to right, below them in rows whoever has nothing to do with others.
pub fn layout(graph: &Graph) -> Layout {
    let layers = layers(graph);
    let nodes = graph.nodes.len();
    let y = heights(&layers, nodes);
    let mut out = Layout { places: vec![Place::default(); nodes], ..Layout::default() };
    let mut centres = vec![(0.0, 0.0); layers.before.len()];
    for (layer, points) in layers.order.iter().enumerate() {
        let x = layer as f64 * (NODE_WIDTH + LAYER_GAP);
        out.width = x + NODE_WIDTH;
        for point in points {
            centres[*point] = (x + NODE_WIDTH / 2.0, y[*point]);
            // An edge that only passes a layer needs its room too.
            out.height = out.height.max(y[*point] + BEND_HEIGHT / 2.0);
            if let Some(place) = out.places.get_mut(*point) {
                *place = Place { x, y: y[*point] - NODE_HEIGHT / 2.0 };
                out.height = out.height.max(place.y + NODE_HEIGHT);
            }
        }
    }
    place_alone(&mut out, &layers.alone);
    draw_edges(graph, &layers, &centres, &mut out);
    out
}

/// Rows of nodes below the layers.
fn place_alone(out: &mut Layout, alone: &[usize]) {
    if alone.is_empty() {
        return;
    }
    let step = NODE_WIDTH + NODE_GAP;
    let fitting = ((out.width + NODE_GAP) / step).floor() as usize;
    let columns = fitting.max((alone.len() as f64).sqrt().ceil() as usize).clamp(1, alone.len());
    let top = if out.height > 0.0 { out.height + 2.0 * NODE_GAP } else { 0.0 };
    for (index, node) in alone.iter().enumerate() {
        let (column, row) = ((index % columns) as f64, (index / columns) as f64);
        let place = Place { x: column * step, y: top + row * (NODE_HEIGHT + NODE_GAP) };
        out.places[*node] = place;
        out.width = out.width.max(place.x + NODE_WIDTH);
        out.height = out.height.max(place.y + NODE_HEIGHT);
    }
}

/// The middle of every point, from the top: as near to its neighbours as the order and the room between points allow.
fn heights(layers: &Layers, nodes: usize) -> Vec<f64> {
    let half = |point: usize| if point < nodes { NODE_HEIGHT / 2.0 } else { BEND_HEIGHT / 2.0 };
    let gap = |above: usize, below: usize| match (above < nodes, below < nodes) {
        (true, true) => NODE_GAP,
        (false, false) => BEND_GAP,
        _ => (NODE_GAP + BEND_GAP) / 2.0,
    };
    let apart = |above: usize, below: usize| half(above) + half(below) + gap(above, below);
    let mut y = vec![0.0; layers.before.len()];
    for points in &layers.order {
        for pair in points.windows(2) {
            y[pair[1]] = y[pair[0]] + apart(pair[0], pair[1]);
        }
    }
    let count = layers.order.len();
    for pull in 0..PULLS {
        for step in 0..count {
            let points = &layers.order[if pull % 2 == 0 { step } else { count - 1 - step }];
            let wanted: Vec<f64> = points
                .iter()
                .map(|point| {
                    let joined = layers.before[*point].iter().chain(&layers.after[*point]);
                    let (sum, number) = joined.fold((0.0, 0), |(sum, number), other| (sum + y[*other], number + 1));
                    if number == 0 { y[*point] } else { sum / f64::from(number) }
                })
                .collect();
            let gaps: Vec<f64> = points.windows(2).map(|pair| apart(pair[0], pair[1])).collect();
            for (point, place) in points.iter().zip(spread(&wanted, &gaps)) {
                y[*point] = place;
            }
        }
    }
    let top = layers.order.iter().flatten().map(|point| y[*point] - half(*point)).fold(f64::INFINITY, f64::min);
    if top.is_finite() {
        y.iter_mut().for_each(|y| *y -= top);
    }
    y
}

/// Places in order, each at least its gap after the one before, with the least sum of squared distances from where
/// they want to be: neighbours that push one another stand together around the middle of their wishes.
fn spread(wanted: &[f64], gaps: &[f64]) -> Vec<f64> {
    // Sum and number of wishes of each block, gaps taken out.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    let mut offset = 0.0;
    let mut offsets = Vec::with_capacity(wanted.len());
    for (index, wish) in wanted.iter().enumerate() {
        offsets.push(offset);
        blocks.push((wish - offset, 1));
        offset += gaps.get(index).copied().unwrap_or(0.0);
        while let [.., (above, above_count), (below, below_count)] = blocks[..] {
            if above / above_count as f64 <= below / below_count as f64 {
                break;
            }
            blocks.truncate(blocks.len() - 2);
            blocks.push((above + below, above_count + below_count));
        }
    }
    let bases = blocks.iter().flat_map(|(sum, count)| std::iter::repeat_n(sum / *count as f64, *count));
    bases.zip(offsets).map(|(base, offset)| base + offset).collect()
}

/// Curves from the right of the caller to the left of the called; an edge that leads back takes the other sides.
fn draw_edges(graph: &Graph, layers: &Layers, centres: &[(f64, f64)], out: &mut Layout) {
    let ports = ports(graph, &out.places);
    for (index, edge) in graph.edges.iter().enumerate() {
        let (from, to) = (out.places[edge.source], out.places[edge.target]);
        if edge.source == edge.target {
            let (x, y) = (from.x + NODE_WIDTH - 52.0, from.y);
            out.curves.push(format!("M{x:.1} {y:.1}c0 -18 28 -18 28 -1"));
            out.middles.push((x + 14.0, y - 13.0));
            continue;
        }
        let leads_on = from.x < to.x;
        let (start_side, end_side) = if leads_on { (NODE_WIDTH, 0.0) } else { (0.0, NODE_WIDTH) };
        let (start_port, end_port) = ports[index];
        let start = (from.x + start_side, from.centre().1 + start_port);
        let end = (to.x + end_side, to.centre().1 + end_port);
        let half = if leads_on { NODE_WIDTH / 2.0 } else { -NODE_WIDTH / 2.0 };
        let mut curve = format!("M{:.1} {:.1}", start.0, start.1);
        let mut at = start;
        for bend in &layers.bends[index] {
            let (x, y) = centres[*bend];
            write_curve(&mut curve, at, (x - half, y));
            let _ = write!(curve, "H{:.1}", x + half);
            at = (x + half, y);
        }
        write_curve(&mut curve, at, end);
        out.curves.push(curve);
        out.middles.push(match layers.bends[index].get(layers.bends[index].len() / 2) {
            Some(bend) => centres[*bend],
            None => ((start.0 + end.0) / 2.0, (start.1 + end.1) / 2.0),
        });
    }
}

fn write_curve(path: &mut String, from: (f64, f64), to: (f64, f64)) {
    let middle = (from.0 + to.0) / 2.0;
    let _ = write!(path, "C{middle:.1} {:.1} {middle:.1} {:.1} {:.1} {:.1}", from.1, to.1, to.0, to.1);
}

/// How far above or below the middle of its nodes each edge begins and ends, so that edges of one side do not lie on
/// one another. Edges are ordered by where they lead.
fn ports(graph: &Graph, places: &[Place]) -> Vec<(f64, f64)> {
    let mut ends: Vec<(usize, bool, f64, usize, bool)> = Vec::new();
    for (index, edge) in graph.edges.iter().enumerate().filter(|(_, edge)| edge.source != edge.target) {
        let (from, to) = (places[edge.source], places[edge.target]);
        let leads_on = from.x < to.x;
        ends.push((edge.source, leads_on, to.y, index, true));
        ends.push((edge.target, !leads_on, from.y, index, false));
    }
    order::sort(&mut ends, |a, b| {
        (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)).then((a.3, a.4).cmp(&(b.3, b.4)))
    });
    let mut ports = vec![(0.0, 0.0); graph.edges.len()];
    for side in ends.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let last = side.len() - 1;
        let gap = PORT_GAP_MAX.min((NODE_HEIGHT - 16.0) / last.max(1) as f64);
        for (at, (_, _, _, edge, is_start)) in side.iter().enumerate() {
            let port = (at as f64 - last as f64 / 2.0) * gap;
            let slot = if *is_start { &mut ports[*edge].0 } else { &mut ports[*edge].1 };
            *slot = port;
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    use super::super::tests::graph;
    use super::*;

    fn overlap(a: Place, b: Place) -> bool {
        (a.x - b.x).abs() < NODE_WIDTH && (a.y - b.y).abs() < NODE_HEIGHT
    }

    /// What every layout must be, whatever the graph.
    fn check(text: &str) -> Layout {
        let graph = graph(text);
        let layout = layout(&graph);
        assert_eq!(layout, super::layout(&graph), "twice the same: {text}");
        assert_eq!(layout.places.len(), graph.nodes.len());
        assert_eq!((layout.curves.len(), layout.middles.len()), (graph.edges.len(), graph.edges.len()));
        for (index, place) in layout.places.iter().enumerate() {
            assert!(place.x >= 0.0 && place.y >= -0.01, "{place:?} in {text}");
            assert!(place.x + NODE_WIDTH <= layout.width + 0.01 && place.y + NODE_HEIGHT <= layout.height + 0.01);
            for other in &layout.places[index + 1..] {
                assert!(!overlap(*place, *other), "{place:?} and {other:?} overlap in {text}");
            }
        }
        assert!(layout.curves.iter().all(|curve| !curve.contains("NaN") && !curve.contains("inf")));
        layout
    }

    #[test]
    fn nothing_overlaps_in_any_graph() {
        check("");
        check("a");
        check("a b c d e f g");
        check("a>b b>a a>a c");
        check("a>b a>c a>d a>e b>f c>f d>f e>f f>a");
        check(
            "gateway>checkout gateway>cart gateway>catalog checkout>cart checkout>payment payment>bank cart>redis alone",
        );
        // Everybody calls everybody.
        let all: String = (0..9).flat_map(|a| (0..9).map(move |b| format!("n{a}>n{b} "))).collect();
        check(&all);
        // A made-up landscape of 150, by a small generator of numbers.
        let mut seed = 7_u64;
        let mut next = move |below: u64| {
            seed = seed * 16_807 % 2_147_483_647;
            seed % below
        };
        let many: String = (0..300).map(|_| format!("s{:03}>s{:03} ", next(150), next(150))).collect();
        check(&many);
    }

    #[test]
    fn a_chain_is_a_straight_line() {
        let layout = check("a>b b>c c>d");
        assert!(layout.places.iter().all(|place| place.y == 0.0), "{:?}", layout.places);
        assert_eq!(layout.height, NODE_HEIGHT);
        assert_eq!(layout.curves[0], "M168.0 23.0C204.0 23.0 204.0 23.0 240.0 23.0");
    }

    #[test]
    fn a_caller_stands_in_the_middle_of_whom_it_calls() {
        let layout = check("a>b a>c a>d");
        let ys: Vec<f64> = layout.places.iter().map(|place| place.y).collect();
        assert!((ys[0] - ys[2]).abs() < 0.01 && ys[1] < ys[2] && ys[2] < ys[3], "{ys:?}");
    }

    #[test]
    fn an_edge_back_leaves_on_the_left() {
        let layout = check("a>b b>a");
        assert!(layout.curves[0].starts_with("M168.0 "), "{}", layout.curves[0]);
        assert!(
            layout.curves[1].starts_with("M240.0 ") && layout.curves[1].contains(" 168.0 "),
            "{}",
            layout.curves[1]
        );
        assert!(check("a>a").curves[0].starts_with("M116.0 0.0c"));
    }

    #[test]
    fn places_are_as_near_to_their_wishes_as_they_may() {
        let check = |wanted: &[f64], gaps: &[f64], expect: &[f64]| assert_eq!(spread(wanted, gaps), expect);
        check(&[], &[], &[]);
        check(&[5.0], &[], &[5.0]);
        check(&[0.0, 100.0], &[10.0], &[0.0, 100.0]);
        check(&[50.0, 50.0], &[10.0], &[45.0, 55.0]);
        check(&[9.0, 0.0, 0.0], &[3.0, 3.0], &[0.0, 3.0, 6.0]);
        check(&[0.0, 100.0, 90.0], &[10.0, 10.0], &[0.0, 90.0, 100.0]);
    }
}
