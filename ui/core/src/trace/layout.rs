//! The tree of a trace: order, depth, self time. Any set of spans has a layout.

use super::TraceDocument;
use super::document::spans_by_id;
use crate::order;

/// Where each span stands; every vector but `order` is indexed by span.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// Spans in the order they are shown: parents before children, siblings by start.
    pub order: Vec<u32>,
    /// Position of each span in `order`.
    pub position: Vec<u32>,
    /// Levels above each span.
    pub depth: Vec<u16>,
    /// The span above, as far as the tree shows one.
    pub parent: Vec<Option<u32>>,
    /// Spans below each span, at any depth.
    pub descendants: Vec<u32>,
    /// Spans with errors below each span.
    pub errors_below: Vec<u32>,
    /// Nanoseconds of each span that none of its children covers.
    pub self_time: Vec<i64>,
    /// Earliest start.
    pub start: i64,
    /// Latest end, at least `start`.
    pub end: i64,
    /// Spans whose parent is not here.
    pub missing_parents: usize,
    /// Spans that begin before their parent or end after it: clocks differ, or work outlives its caller.
    pub outside_parent: usize,
    /// Spans whose end lies before their start.
    pub negative: usize,
    /// Spans that were cut loose because their parents form a circle.
    pub circles: usize,
    /// Most levels.
    pub depth_max: u16,
}

impl Layout {
    /// Latest end minus earliest start.
    pub fn duration(&self) -> i64 {
        self.end.saturating_sub(self.start)
    }

    /// Where a time lies between start and end, 0 to 1.
    pub fn share(&self, time: i64) -> f64 {
        let length = self.duration().max(1) as f64;
        (time.saturating_sub(self.start) as f64 / length).clamp(0.0, 1.0)
    }

    /// Whether a span failed and nothing below it did: where an error began, as far as the trace tells.
    pub fn is_error_origin(&self, document: &TraceDocument, span: usize) -> bool {
        document.spans[span].is_error && self.errors_below[span] == 0
    }

    /// Lays the document out.
    pub fn of(document: &TraceDocument) -> Layout {
        let spans = &document.spans;
        let mut layout = Layout { parent: parents(document), ..Layout::default() };
        layout.missing_parents =
            spans.iter().zip(&layout.parent).filter(|(span, parent)| span.parent.is_some() && parent.is_none()).count();
        layout.start = spans.iter().map(|span| span.start).chain(first_log(document)).min().unwrap_or(0);
        layout.end = spans.iter().map(|span| span.end.max(span.start)).chain(last_log(document)).max().unwrap_or(0);
        layout.negative = spans.iter().filter(|span| span.end < span.start).count();
        layout.walk(document);
        layout.sum_up(document);
        layout
    }

    /// Fills order and depth: depth first without recursion, roots and siblings by start.
    fn walk(&mut self, document: &TraceDocument) {
        let count = document.spans.len();
        let by_start = order::sorted_by_number(count, &|index| document.spans[index].start);
        let by_start: Vec<u32> = by_start.into_iter().map(|index| index as u32).collect();
        let mut children: Vec<Vec<u32>> = vec![Vec::new(); count];
        let mut roots = Vec::new();
        for index in &by_start {
            match self.parent[*index as usize] {
                Some(parent) => children[parent as usize].push(*index),
                None => roots.push(*index),
            }
        }
        self.depth = vec![0; count];
        self.position = vec![u32::MAX; count];
        // What no root reaches lies in circles: the earliest span of each is cut loose.
        for root in roots.into_iter().chain(by_start) {
            if self.position[root as usize] != u32::MAX {
                continue;
            }
            if self.parent[root as usize].take().is_some() {
                self.circles += 1;
            }
            let mut stack = vec![(root, 0_u16)];
            while let Some((index, depth)) = stack.pop() {
                let at = index as usize;
                if self.position[at] != u32::MAX {
                    continue;
                }
                self.position[at] = self.order.len() as u32;
                self.order.push(index);
                self.depth[at] = depth;
                self.depth_max = self.depth_max.max(depth);
                stack.extend(children[at].iter().rev().map(|child| (*child, depth.saturating_add(1))));
            }
        }
    }

    /// Fills what follows from the children, from the last row up.
    fn sum_up(&mut self, document: &TraceDocument) {
        let spans = &document.spans;
        self.descendants = vec![0; spans.len()];
        self.errors_below = vec![0; spans.len()];
        self.self_time = spans.iter().map(|span| span.duration()).collect();
        // Children come by start, so that their union is one sweep: `covered[i]` is where the sweep of span i stands.
        let mut covered: Vec<i64> = spans.iter().map(|span| span.start).collect();
        for index in &self.order {
            let child = &spans[*index as usize];
            let Some(parent) = self.parent[*index as usize] else { continue };
            let parent = parent as usize;
            let from = child.start.max(covered[parent]);
            let to = child.end.min(spans[parent].end);
            if to > from {
                self.self_time[parent] = self.self_time[parent].saturating_sub(to.saturating_sub(from)).max(0);
                covered[parent] = to;
            }
            let is_outside = child.start < spans[parent].start || child.end > spans[parent].end;
            self.outside_parent += usize::from(is_outside);
        }
        for index in self.order.iter().rev() {
            let index = *index as usize;
            if let Some(parent) = self.parent[index] {
                let parent = parent as usize;
                self.descendants[parent] += self.descendants[index] + 1;
                self.errors_below[parent] += self.errors_below[index] + u32::from(spans[index].is_error);
            }
        }
    }
}

/// Each span's parent by index. Where several spans share an id, the first that is another span counts.
fn parents(document: &TraceDocument) -> Vec<Option<u32>> {
    let by_id = spans_by_id(&document.spans);
    (0_u32..)
        .zip(&document.spans)
        .map(|(index, span)| by_id.get(&span.parent?).copied().filter(|parent| *parent != index))
        .collect()
}

fn first_log(document: &TraceDocument) -> Option<i64> {
    document.spans.is_empty().then(|| document.logs.iter().map(|log| log.time).min()).flatten()
}

fn last_log(document: &TraceDocument) -> Option<i64> {
    document.spans.is_empty().then(|| document.logs.iter().map(|log| log.time).max()).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::document::tests::document;
    use super::*;

    #[test]
    fn children_follow_parents_by_start() {
        let layout = Layout::of(&document(&[
            (3, Some(1), 50, 60),
            (1, None, 0, 100),
            (2, Some(1), 10, 40),
            (4, Some(2), 20, 30),
        ]));
        assert_eq!(layout.order, [1, 2, 3, 0]);
        assert_eq!(layout.depth, [1, 0, 1, 2]);
        assert_eq!(layout.descendants, [0, 3, 1, 0]);
        assert_eq!(layout.self_time, [10, 60, 20, 10]);
        assert_eq!((layout.start, layout.end, layout.depth_max), (0, 100, 2));
        assert_eq!(layout.outside_parent, 0);
    }

    #[test]
    fn errors_begin_at_the_deepest_failed_span() {
        let mut document = document(&[(1, None, 0, 9), (2, Some(1), 1, 8), (3, Some(2), 2, 7), (4, Some(1), 3, 4)]);
        for failed in [0, 1, 3] {
            document.spans[failed].is_error = true;
        }
        let layout = Layout::of(&document);
        let origins: Vec<usize> = (0..4).filter(|span| layout.is_error_origin(&document, *span)).collect();
        assert_eq!(origins, [1, 3]);
        assert_eq!(layout.errors_below, [2, 0, 0, 0]);
    }

    #[test]
    fn overlapping_children_count_once() {
        let layout = Layout::of(&document(&[
            (1, None, 0, 100),
            (2, Some(1), 10, 60),
            (3, Some(1), 40, 80),
            (4, Some(1), 90, 500),
        ]));
        assert_eq!(layout.self_time[0], 100 - 70 - 10);
        assert_eq!(layout.outside_parent, 1);
    }

    #[test]
    fn every_shape_has_a_layout() {
        let check = |spans: &[(u64, Option<u64>, i64, i64)], circles, missing| {
            let document = document(spans);
            let layout = Layout::of(&document);
            assert_eq!(layout.order.len(), spans.len(), "{spans:?}");
            assert_eq!((layout.circles, layout.missing_parents), (circles, missing), "{spans:?}");
            let mut sorted = layout.order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..spans.len() as u32).collect::<Vec<_>>());
            for index in 0..spans.len() {
                if let Some(parent) = layout.parent[index] {
                    assert_eq!(layout.depth[index], layout.depth[parent as usize] + 1, "{spans:?}");
                    assert!(layout.position[index] > layout.position[parent as usize], "{spans:?}");
                }
            }
        };
        check(&[], 0, 0);
        check(&[(1, Some(1), 0, 1)], 0, 1);
        check(&[(1, Some(2), 0, 1), (2, Some(1), 0, 1)], 1, 0);
        check(&[(1, Some(3), 5, 1), (2, Some(1), 0, 1), (3, Some(2), 1, 2), (9, None, 0, 1)], 1, 0);
        check(&[(7, Some(99), 0, 1)], 0, 1);
        check(&[(1, None, 0, 9), (1, Some(1), 1, 2), (1, Some(1), 2, 3)], 0, 0);
        check(&[(1, None, i64::MAX, i64::MIN), (2, Some(1), i64::MIN, i64::MAX)], 0, 0);
        let chain: Vec<_> = (1..70_000_u64).map(|n| (n, (n > 1).then(|| n - 1), 0, 1)).collect();
        assert_eq!(Layout::of(&document(&chain)).depth_max, u16::MAX);
    }

    #[test]
    fn random_trees_agree_with_brute_force() {
        let mut seed = 7_u64;
        let mut random = move |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..50 {
            let count = 1 + random(40);
            let spans: Vec<_> = (0..count)
                .map(|n| {
                    let start = random(100) as i64;
                    (n + 1, Some(random(count + 2)).filter(|p| *p != 0), start, start + random(60) as i64)
                })
                .collect();
            let document = document(&spans);
            let layout = Layout::of(&document);
            for (index, span) in document.spans.iter().enumerate() {
                let children: Vec<_> =
                    (0..document.spans.len()).filter(|c| layout.parent[*c] == Some(index as u32)).collect();
                let own = (span.start..span.end)
                    .filter(|t| {
                        !children.iter().any(|c| (document.spans[*c].start..document.spans[*c].end).contains(t))
                    })
                    .count();
                assert_eq!(layout.self_time[index], own as i64, "{spans:?} span {index}");
                let below = children.iter().map(|c| layout.descendants[*c] + 1).sum::<u32>();
                assert_eq!(layout.descendants[index], below);
            }
        }
    }
}
