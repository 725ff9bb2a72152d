//! The whole trace in a strip: spans drawn into a small grid, so that a hundred thousand cost no more than a hundred.

use super::{Layout, TraceDocument};

/// A horizontal piece of one colour, in grid cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinimapRect {
    /// First column.
    pub x: u32,
    /// Columns.
    pub width: u32,
    /// Line.
    pub line: u32,
    /// Index of the service, or `None` for an error.
    pub service: Option<u16>,
}

/// Draws the spans into `columns` by at most `lines` cells. Where errors began wins over everything else.
pub fn minimap(document: &TraceDocument, layout: &Layout, columns: u32, lines: u32) -> Vec<MinimapRect> {
    let count = layout.order.len();
    if count == 0 || columns == 0 || lines == 0 {
        return Vec::new();
    }
    let lines = (lines as usize).min(count);
    let columns = columns as usize;
    const EMPTY: u32 = u32::MAX;
    const ERROR: u32 = u32::MAX - 1;
    let mut grid = vec![EMPTY; columns * lines];
    for (position, index) in layout.order.iter().enumerate() {
        let span = &document.spans[*index as usize];
        let line = position * lines / count;
        let from = ((layout.share(span.start) * columns as f64) as usize).min(columns - 1);
        let to = ((layout.share(span.end.max(span.start)) * columns as f64).ceil() as usize).clamp(from + 1, columns);
        let paint = if layout.is_error_origin(document, *index as usize) { ERROR } else { u32::from(span.service) };
        for cell in &mut grid[line * columns + from..line * columns + to] {
            if *cell != ERROR {
                *cell = paint;
            }
        }
    }
    let mut rects = Vec::new();
    for (line, cells) in grid.chunks(columns).enumerate() {
        let mut at = 0;
        while at < columns {
            let paint = cells[at];
            let width = cells[at..].iter().take_while(|cell| **cell == paint).count();
            if paint != EMPTY {
                let service = (paint != ERROR).then_some(paint as u16);
                rects.push(MinimapRect { x: at as u32, width: width as u32, line: line as u32, service });
            }
            at += width;
        }
    }
    rects
}

#[cfg(test)]
mod tests {
    use super::super::document::tests::document;
    use super::*;

    #[test]
    fn spans_land_where_they_are() {
        let mut document = document(&[(1, None, 0, 100), (2, Some(1), 50, 100), (3, Some(1), 99, 99)]);
        document.spans[1].is_error = true;
        let layout = Layout::of(&document);
        let rects = minimap(&document, &layout, 10, 46);
        assert_eq!(
            rects,
            [
                MinimapRect { x: 0, width: 10, line: 0, service: Some(0) },
                MinimapRect { x: 5, width: 5, line: 1, service: None },
                MinimapRect { x: 9, width: 1, line: 2, service: Some(0) },
            ]
        );
        assert!(minimap(&document, &layout, 0, 5).is_empty());
    }

    #[test]
    fn many_spans_cost_no_more_than_the_grid() {
        let spans: Vec<_> = (1..=20_000_u64).map(|n| (n, Some(1).filter(|_| n > 1), n as i64, n as i64 + 9)).collect();
        let document = document(&spans);
        let rects = minimap(&document, &Layout::of(&document), 300, 23);
        assert!(rects.len() <= 300 * 23);
    }
}
