//! Virtual rows: which of many rows of one height are near the viewport.

use std::ops::Range;

/// Rows kept outside the viewport on each side, so that a frame's scroll finds them painted.
pub const OVERSCAN: usize = 10;

/// First and last row to build. The start is a multiple of `STEP`, so that small scrolls change nothing.
pub fn visible(scroll_top: f64, viewport: f64, row_height: f64, rows: usize) -> Range<usize> {
    const STEP: usize = 4;
    if rows == 0 || row_height <= 0.0 {
        return 0..0;
    }
    let first = (scroll_top.max(0.0) / row_height) as usize;
    let shown = (viewport.max(0.0) / row_height) as usize + 2;
    let start = first.min(rows).saturating_sub(OVERSCAN) / STEP * STEP;
    let end = first.saturating_add(shown + OVERSCAN + STEP) / STEP * STEP;
    start.min(rows)..end.clamp(start.min(rows), rows)
}

/// Where to scroll so that the row is wholly shown, `None` where it is already. `margin` rows stay around it.
pub fn scroll_to_show(row: usize, scroll_top: f64, viewport: f64, row_height: f64, margin: usize) -> Option<f64> {
    let margin = margin as f64 * row_height;
    let (top, bottom) = (row as f64 * row_height, (row as f64 + 1.0) * row_height);
    if top - margin < scroll_top {
        let target = (top - margin).max(0.0);
        return (target < scroll_top).then_some(target);
    }
    (bottom + margin > scroll_top + viewport).then(|| (bottom + margin - viewport).max(0.0))
}

/// Where to scroll so that the row lies a third below the top, for jumps from afar.
pub fn scroll_to_centre(row: usize, viewport: f64, row_height: f64) -> f64 {
    (row as f64 * row_height - viewport / 3.0).max(0.0)
}

/// The cursor after a step, kept inside; `None` begins at the first or last row.
pub fn step(cursor: Option<usize>, by: i64, rows: usize) -> Option<usize> {
    let last = i64::try_from(rows).ok()?.checked_sub(1).filter(|last| *last >= 0)?;
    let next = match cursor {
        None if by >= 0 => 0,
        None => last,
        Some(at) => (at as i64).saturating_add(by).clamp(0, last),
    };
    usize::try_from(next).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_in_view_is_built_and_few_others() {
        for rows in [1, 5, 60, 10_000] {
            for scroll in [0.0, 11.0, 24.0, 1_000.5, 239_000.0] {
                let range = visible(scroll, 600.0, 24.0, rows);
                let first = (scroll / 24.0) as usize;
                for row in first..(first + 26).min(rows) {
                    assert!(range.contains(&row), "{row} of {rows} at {scroll}: {range:?}");
                }
                assert!(range.len() <= 56 && range.end <= rows);
            }
        }
        assert_eq!(visible(0.0, 600.0, 24.0, 0), 0..0);
        assert_eq!(visible(f64::NAN, 600.0, 24.0, 3), 0..3);
    }

    #[test]
    fn scrolling_to_a_row() {
        let check = |row, expect| assert_eq!(scroll_to_show(row, 240.0, 240.0, 24.0, 0), expect, "{row}");
        check(9, Some(216.0));
        check(10, None);
        check(19, None);
        check(20, Some(264.0));
        assert_eq!(scroll_to_show(0, 0.0, 240.0, 24.0, 3), None);
    }

    #[test]
    fn stepping() {
        assert_eq!(step(None, 1, 3), Some(0));
        assert_eq!(step(None, -1, 3), Some(2));
        assert_eq!(step(Some(2), 1, 3), Some(2));
        assert_eq!(step(Some(9), -1, 3), Some(2));
        assert_eq!(step(Some(0), 1, 0), None);
    }
}
