//! Exemplars as dots on a chart.

use std::collections::HashSet;

use api::Exemplar;

use crate::order;
use crate::time_chart::{HEIGHT, Plot, WIDTH};

/// Dots drawn at most.
const DOTS_MAX: usize = 200;
/// How far apart dots stand at least, across and down, in percent: closer ones could not be told apart or pointed at.
const CELL: (f64, f64) = (1.2, 4.0);

/// One exemplar and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dot {
    /// Index of the exemplar.
    pub index: usize,
    /// How far across, in percent.
    pub left: f64,
    /// How far down, in percent.
    pub top: f64,
    /// Whether its value lies beyond the scale, so that it stands at the edge.
    pub is_beyond: bool,
}

/// Places the exemplars that name a trace and lie in the plot; of those that stand in one place, the greatest. Where
/// values do not stand on its scale (`has_scale` is false) they stand along its lower edge.
pub fn dots(exemplars: &[Exemplar], plot: &Plot, has_scale: bool) -> Vec<Dot> {
    let value = |index: usize| exemplars[index].value.as_f64().filter(|value| value.is_finite());
    let greatest_first = order::sorted(exemplars.len(), &|one, other| {
        let value = |index| value(index).unwrap_or(f64::NEG_INFINITY);
        value(other).total_cmp(&value(one))
    });
    let mut taken = HashSet::new();
    let place = |index: usize| {
        let exemplar = &exemplars[index];
        exemplar.trace_id.as_ref()?;
        let left = plot.x(exemplar.time_unix_nano.0) / WIDTH * 100.0;
        let value = value(index)?;
        let top = if has_scale { plot.y(value) / HEIGHT * 100.0 } else { 100.0 };
        let dot = Dot { index, left, top: top.clamp(0.0, 100.0), is_beyond: !(0.0..=100.0).contains(&top) };
        let cell = ((left / CELL.0) as i64, (dot.top / CELL.1) as i64);
        ((0.0..=100.0).contains(&left) && taken.insert(cell)).then_some(dot)
    };
    greatest_first.into_iter().filter_map(place).take(DOTS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::Window;
    use crate::time_chart::Steps;
    use api::UnixNano;
    use serde_json::json;

    #[test]
    fn exemplars_stand_at_their_time_and_value() {
        let plot =
            Plot::new(Steps { start: 0, step: 10, count: 10 }, Window { start: 0, end: 100 }, [&[Some(4.0)][..]], 0.0);
        let exemplar = |time: i64, value: serde_json::Value, trace: bool| Exemplar {
            time_unix_nano: UnixNano(time),
            value,
            trace_id: trace.then(|| "ab".to_owned()),
            ..Exemplar::default()
        };
        let all = [
            exemplar(50, json!(2), true),
            exemplar(50, json!(2.01), true),
            exemplar(50, json!(2), false),
            exemplar(25, json!(40.0), true),
            exemplar(200, json!(1), true),
            exemplar(10, json!("NaN"), true),
        ];
        let place = |dot: &Dot| (dot.index, dot.left, (dot.top * 100.0).round() / 100.0, dot.is_beyond);
        let found: Vec<_> = dots(&all, &plot, true).iter().map(place).collect();
        assert_eq!(found, [(3, 25.0, 0.0, true), (1, 50.0, 49.75, false)], "of two in one place the greater");
        let found: Vec<_> = dots(&all, &plot, false).iter().map(place).collect();
        assert_eq!(found, [(3, 25.0, 100.0, false), (1, 50.0, 100.0, false)]);
    }
}
