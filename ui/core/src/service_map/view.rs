//! How the drawing is seen: moved, zoomed, and walked with arrow keys.

use super::layout::{Layout, NODE_HEIGHT, NODE_WIDTH, Place};

/// Smallest and largest zoom.
const SCALES: (f64, f64) = (0.12, 2.5);
/// Largest zoom that fitting chooses: a few nodes need not fill the page.
const FIT_SCALE_MAX: f64 = 1.15;
/// Room kept free around a fitted drawing.
const MARGIN: f64 = 32.0;

/// Where the drawing is and how large: a point of it is at `scale * point + (x, y)` of the page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Zoom.
    pub scale: f64,
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

impl Default for View {
    fn default() -> Self {
        View { scale: 1.0, x: MARGIN, y: MARGIN }
    }
}

impl View {
    /// The whole drawing in the middle of a box.
    pub fn fitted(layout: &Layout, size: (f64, f64)) -> View {
        View::fitted_to(Place::default(), (layout.width, layout.height), size)
    }

    /// Some of the nodes in the middle of a box; all of them where none is given.
    pub fn around(layout: &Layout, nodes: impl IntoIterator<Item = usize>, size: (f64, f64)) -> View {
        let places = nodes.into_iter().filter_map(|node| layout.places.get(node));
        let corners = places.fold(None::<(f64, f64, f64, f64)>, |corners, place| {
            let (left, top, right, bottom) = corners.unwrap_or((place.x, place.y, place.x, place.y));
            Some((left.min(place.x), top.min(place.y), right.max(place.x), bottom.max(place.y)))
        });
        let Some((left, top, right, bottom)) = corners else { return View::fitted(layout, size) };
        let span = (right - left + NODE_WIDTH, bottom - top + NODE_HEIGHT);
        View::fitted_to(Place { x: left, y: top }, span, size)
    }

    fn fitted_to(corner: Place, span: (f64, f64), (width, height): (f64, f64)) -> View {
        let room = (width - 2.0 * MARGIN, height - 2.0 * MARGIN);
        let scale = (room.0 / span.0.max(1.0)).min(room.1 / span.1.max(1.0));
        let scale = scale.clamp(SCALES.0, FIT_SCALE_MAX);
        let x = ((width - span.0 * scale) / 2.0).max(MARGIN) - corner.x * scale;
        View { scale, x, y: ((height - span.1 * scale) / 2.0).max(MARGIN) - corner.y * scale }
    }

    /// Zoomed so that the point of the drawing at `(x, y)` of the page stays there.
    pub fn zoomed(self, factor: f64, (x, y): (f64, f64)) -> View {
        let scale = (self.scale * factor).clamp(SCALES.0, SCALES.1);
        let change = scale / self.scale;
        View { scale, x: x - (x - self.x) * change, y: y - (y - self.y) * change }
    }

    /// Moved.
    pub fn moved(self, x: f64, y: f64) -> View {
        View { x: self.x + x, y: self.y + y, ..self }
    }

    /// Moved no further than needed to show a node in a box.
    pub fn showing(self, layout: &Layout, node: usize, (width, height): (f64, f64)) -> View {
        let Some(place) = layout.places.get(node) else { return self };
        let (x, y) = place.centre();
        let (x, y) = (x * self.scale + self.x, y * self.scale + self.y);
        let half_width = NODE_WIDTH / 2.0 * self.scale + MARGIN / 2.0;
        let half_height = NODE_HEIGHT / 2.0 * self.scale + MARGIN / 2.0;
        let into = |at: f64, half: f64, length: f64| match length < 2.0 * half {
            true => length / 2.0 - at,
            false => at.clamp(half, length - half) - at,
        };
        self.moved(into(x, half_width, width), into(y, half_height, height))
    }

    /// As an SVG transform.
    pub fn transform(self) -> String {
        format!("translate({:.2} {:.2}) scale({:.4})", self.x, self.y, self.scale)
    }
}

/// A way to go from a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// Up.
    Up,
    /// Down.
    Down,
}

/// The nearest node in a direction; what lies straight ahead counts as nearer than what lies aside.
pub fn neighbour(layout: &Layout, from: usize, direction: Direction) -> Option<usize> {
    let start = layout.places.get(from)?.centre();
    let cost = |node: usize| {
        let centre = layout.places[node].centre();
        let (right, down) = (centre.0 - start.0, centre.1 - start.1);
        let (ahead, aside) = match direction {
            Direction::Left => (-right, down),
            Direction::Right => (right, down),
            Direction::Up => (-down, right),
            Direction::Down => (down, right),
        };
        (ahead > 1.0).then(|| ahead + 2.0 * aside.abs())
    };
    let nodes = (0..layout.places.len()).filter(|node| *node != from);
    let nearest = nodes.filter_map(|node| Some((cost(node)?, node)));
    nearest.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, node)| node)
}

#[cfg(test)]
mod tests {
    use super::super::layout::layout;
    use super::super::tests::graph;
    use super::*;

    #[test]
    fn a_fitted_drawing_is_wholly_seen() {
        for text in ["a", "a>b b>c c>d d>e e>f", "a>b a>c a>d a>e a>f a>g a>h a>i"] {
            let layout = layout(&graph(text));
            let view = View::fitted(&layout, (1_000.0, 600.0));
            assert!(view.x >= MARGIN && view.y >= MARGIN && view.scale <= FIT_SCALE_MAX);
            assert!(view.x + layout.width * view.scale <= 1_000.0 - MARGIN + 0.01, "{text}");
            assert!(view.y + layout.height * view.scale <= 600.0 - MARGIN + 0.01, "{text}");
        }
        assert!(View::fitted(&Layout::default(), (0.0, 0.0)).scale > 0.0);
    }

    #[test]
    fn a_part_is_seen_as_large_as_it_fits() {
        let layout = layout(&graph("a>b b>c c>d d>e e>f f>g g>h"));
        let view = View::around(&layout, [5, 6], (600.0, 400.0));
        assert_eq!(view.scale, FIT_SCALE_MAX);
        let (x, y) = layout.places[5].centre();
        let at = (x * view.scale + view.x, y * view.scale + view.y);
        assert!(at.0 > 0.0 && at.0 < 300.0 && (at.1 - 200.0).abs() < 1.0, "{at:?}");
        assert_eq!(View::around(&layout, [], (600.0, 400.0)), View::fitted(&layout, (600.0, 400.0)));
    }

    #[test]
    fn zooming_keeps_the_point_under_the_pointer() {
        let view = View { scale: 0.5, x: 10.0, y: 20.0 };
        let zoomed = view.zoomed(2.0, (110.0, 220.0));
        assert_eq!(zoomed, View { scale: 1.0, x: -90.0, y: -180.0 });
        assert_eq!(view.zoomed(1_000.0, (0.0, 0.0)).scale, SCALES.1);
        assert_eq!(view.zoomed(0.0, (0.0, 0.0)).scale, SCALES.0);
    }

    #[test]
    fn showing_moves_no_further_than_needed() {
        let layout = layout(&graph("a>b b>c c>d d>e"));
        let view = View { scale: 1.0, x: 40.0, y: 40.0 };
        assert_eq!(view.showing(&layout, 0, (600.0, 400.0)), view);
        let shown = view.showing(&layout, 4, (600.0, 400.0));
        assert_eq!(shown.x, 600.0 - 16.0 - 4.0 * 240.0 - 168.0);
        assert_eq!(shown.y, view.y);
        assert_eq!(view.showing(&layout, 99, (600.0, 400.0)), view);
    }

    #[test]
    fn arrows_lead_to_the_nearest() {
        let graph = graph("a>b a>c a>d b>e");
        let layout = layout(&graph);
        let go = |from: &str, direction| {
            let node = neighbour(&layout, graph.find(from).expect("it is there"), direction)?;
            Some(graph.nodes[node].id.clone())
        };
        assert_eq!(go("a", Direction::Right).as_deref(), Some("c"));
        assert_eq!(go("c", Direction::Up).as_deref(), Some("b"));
        assert_eq!(go("c", Direction::Down).as_deref(), Some("d"));
        assert_eq!(go("b", Direction::Right).as_deref(), Some("e"));
        assert_eq!(go("e", Direction::Left).as_deref(), Some("b"));
        assert_eq!(go("a", Direction::Left), None);
    }
}
