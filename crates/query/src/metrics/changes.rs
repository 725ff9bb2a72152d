//! From the points of a counter, or of a histogram, to what came between them: resets, gaps, starts.
//!
//! A cumulative series begins anew where its start time is another, or where it says less than before: then all it says
//! came since. It may be the first point of a series that is known to have started a short while ago: then all it says
//! came since that start. After a gap (a point that says that no value was recorded, or two points farther apart than
//! the look-back) nobody knows when what came in between came: it is left out.

use super::function::Temporality;

/// When a point was made, and whether it says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// When.
    pub(crate) time: i64,
    /// Since when its value counts, where that is known: a start at the point's own time says that it is not.
    pub(crate) start: Option<i64>,
    /// It says that there is no value.
    pub(crate) is_gap: bool,
}

impl Head {
    /// From the stored columns; a start of zero was not sent.
    pub(crate) fn new(time: i64, start: Option<i64>, is_gap: bool) -> Head {
        Head { time, start: start.filter(|start| *start != 0 && *start < time), is_gap }
    }
}

/// A point whose value grows from one to the next.
pub(crate) trait Accumulated {
    /// What came between two points.
    type Change;

    /// When and whether.
    fn head(&self) -> Head;

    /// What came since an earlier point of the same series; none where the series has begun anew in between.
    fn since(&self, before: &Self) -> Option<Self::Change>;

    /// All that it says.
    fn whole(&self) -> Self::Change;
}

/// Hands out, in order, what came and between which two moments. The points are in order of time.
pub(crate) fn changes<P: Accumulated>(
    points: &[P],
    temporality: Temporality,
    look_back: i64,
    take: impl FnMut(i64, i64, P::Change),
) {
    match temporality {
        Temporality::Delta => deltas(points, look_back, take),
        Temporality::Cumulative => cumulative(points, look_back, take),
    }
}

fn deltas<P: Accumulated>(points: &[P], look_back: i64, mut take: impl FnMut(i64, i64, P::Change)) {
    let mut before: Option<i64> = None;
    for point in points {
        let head = point.head();
        if head.is_gap {
            before = None;
            continue;
        }
        let since_before = before.filter(|before| head.time.saturating_sub(*before) <= look_back);
        take(head.start.or(since_before).unwrap_or(head.time), head.time, point.whole());
        before = Some(head.time);
    }
}

fn cumulative<P: Accumulated>(points: &[P], look_back: i64, mut take: impl FnMut(i64, i64, P::Change)) {
    let mut before: Option<&P> = None;
    let mut is_apart = false;
    for point in points {
        let head = point.head();
        if head.is_gap {
            is_apart = true;
            continue;
        }
        let recent_start = head.start.filter(|start| head.time.saturating_sub(*start) <= look_back);
        match before {
            None => {
                if let Some(start) = recent_start {
                    take(start, head.time, point.whole());
                }
            }
            Some(before) => {
                let earlier = before.head();
                is_apart |= head.time.saturating_sub(earlier.time) > look_back;
                let has_new_start = earlier.start.zip(head.start).is_some_and(|(earlier, start)| earlier != start);
                let since = if has_new_start { None } else { point.since(before) };
                match since {
                    Some(change) if !is_apart => take(earlier.time, head.time, change),
                    Some(_) => {}
                    None => {
                        let from = if is_apart { recent_start } else { Some(head.start.unwrap_or(earlier.time)) };
                        if let Some(from) = from {
                            take(from.max(earlier.time), head.time, point.whole());
                        }
                    }
                }
            }
        }
        before = Some(point);
        is_apart = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    struct Count(Head, i64);

    impl Accumulated for Count {
        type Change = i64;

        fn head(&self) -> Head {
            self.0
        }

        fn since(&self, before: &Count) -> Option<i64> {
            (self.1 >= before.1).then(|| self.1 - before.1)
        }

        fn whole(&self) -> i64 {
            self.1
        }
    }

    const GAP: i64 = i64::MIN;

    /// Points as (time, start or 0, value or [`GAP`]); expected as (from, to, change).
    fn check(temporality: Temporality, points: &[(i64, i64, i64)], expect: &[(i64, i64, i64)]) {
        let points: Vec<Count> = points
            .iter()
            .map(|(time, start, value)| Count(Head::new(*time, Some(*start), *value == GAP), *value))
            .collect();
        let mut found = Vec::new();
        changes(&points, temporality, 100, |from, to, change| found.push((from, to, change)));
        assert_eq!(found, expect);
    }

    #[test]
    fn cumulative_points_are_told_apart() {
        let cumulative = |points: &[_], expect: &[_]| check(Temporality::Cumulative, points, expect);
        cumulative(&[], &[]);
        // Without a start the first point is only where counting begins.
        cumulative(&[(1_000, 0, 5)], &[]);
        cumulative(&[(1_000, 0, 5), (1_010, 0, 7), (1_020, 0, 7)], &[(1_000, 1_010, 2), (1_010, 1_020, 0)]);
        // A start long ago says as little; a recent one says when all of it came.
        cumulative(&[(1_000, 1, 5), (1_010, 1, 7)], &[(1_000, 1_010, 2)]);
        cumulative(&[(1_000, 950, 5), (1_010, 950, 7)], &[(950, 1_000, 5), (1_000, 1_010, 2)]);
        cumulative(&[(1_000, 900, 5)], &[(900, 1_000, 5)]);
        cumulative(&[(1_000, 899, 5)], &[]);
        // A value that goes down began anew.
        cumulative(&[(1_000, 0, 5), (1_010, 0, 3)], &[(1_000, 1_010, 3)]);
        cumulative(&[(1_000, 1, 5), (1_010, 1, 3)], &[(1_000, 1_010, 3)]);
        // So did one with another start, even where it is no less; it cannot have come before its start.
        cumulative(&[(1_000, 1, 5), (1_010, 1_004, 6)], &[(1_004, 1_010, 6)]);
        cumulative(&[(1_000, 1, 5), (1_010, 990, 6)], &[(1_000, 1_010, 6)]);
        // A start at the point's own time is none.
        cumulative(&[(1_000, 1_000, 5), (1_010, 1_010, 6)], &[(1_000, 1_010, 1)]);
        cumulative(&[(1_000, 1, 5), (1_010, 1_010, 6)], &[(1_000, 1_010, 1)]);
        // Missing points within the look-back do not matter, beyond it they leave a gap.
        cumulative(&[(1_000, 0, 5), (1_100, 0, 9)], &[(1_000, 1_100, 4)]);
        cumulative(&[(1_000, 0, 5), (1_101, 0, 9), (1_110, 0, 10)], &[(1_101, 1_110, 1)]);
        cumulative(&[(1_000, 1, 5), (1_300, 1_250, 9)], &[(1_250, 1_300, 9)]);
        cumulative(&[(1_000, 1, 5), (1_300, 1_050, 9)], &[]);
        cumulative(&[(1_000, 0, 5), (1_300, 0, 3), (1_310, 0, 4)], &[(1_300, 1_310, 1)]);
        // So does a point that says there is none.
        cumulative(&[(1_000, 0, 5), (1_005, 0, GAP), (1_010, 0, 9), (1_020, 0, 10)], &[(1_010, 1_020, 1)]);
        cumulative(&[(1_000, 950, 5), (1_005, 0, GAP), (1_010, 950, 9)], &[(950, 1_000, 5)]);
        cumulative(&[(1_000, 1, 5), (1_005, 0, GAP), (1_010, 1_006, 2)], &[(1_006, 1_010, 2)]);
        cumulative(&[(1_005, 0, GAP), (1_010, 1_006, 2)], &[(1_006, 1_010, 2)]);
        // Two points of one moment.
        cumulative(&[(1_000, 0, 5), (1_000, 0, 5), (1_010, 0, 6)], &[(1_000, 1_000, 0), (1_000, 1_010, 1)]);
    }

    #[test]
    fn deltas_add_up() {
        let delta = |points: &[_], expect: &[_]| check(Temporality::Delta, points, expect);
        delta(&[(1_000, 990, 5), (1_010, 1_000, 3)], &[(990, 1_000, 5), (1_000, 1_010, 3)]);
        // A start is believed however long ago it is; without one the point before tells since when.
        delta(&[(1_000, 500, 5)], &[(500, 1_000, 5)]);
        delta(&[(1_000, 0, 5), (1_010, 0, 3)], &[(1_000, 1_000, 5), (1_000, 1_010, 3)]);
        delta(&[(1_000, 0, 5), (1_200, 0, 3)], &[(1_000, 1_000, 5), (1_200, 1_200, 3)]);
        delta(&[(1_000, 0, 5), (1_005, 0, GAP), (1_010, 0, 3)], &[(1_000, 1_000, 5), (1_010, 1_010, 3)]);
    }
}
