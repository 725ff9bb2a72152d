//! Round numbers along a time axis.

use crate::range::{MINUTE, SECOND};

/// Ticks of a duration axis that begins at zero: `(position, share of the whole)`, about `wanted` of them.
pub fn duration_ticks(length: i64, wanted: usize) -> Vec<(i64, f64)> {
    if length <= 0 || wanted == 0 {
        return vec![(0, 0.0)];
    }
    let rough = (length as f64 / wanted as f64).max(1.0);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|step| *step >= rough).unwrap_or(power * 10.0);
    let step = (step as i64).max(1);
    (0..)
        .map(|n: i64| n.saturating_mul(step))
        .take_while(|at| *at < length)
        .take(wanted * 2 + 2)
        .map(|at| (at, at as f64 / length as f64))
        .collect()
}

/// Ticks of a wall clock axis: times on round local minutes, hours or days.
pub fn clock_ticks(start: i64, end: i64, wanted: usize, offset_minutes: i32) -> Vec<i64> {
    const HOUR: i64 = 60 * MINUTE;
    const STEPS: [i64; 17] = [
        SECOND / 10,
        SECOND,
        2 * SECOND,
        5 * SECOND,
        10 * SECOND,
        30 * SECOND,
        MINUTE,
        2 * MINUTE,
        5 * MINUTE,
        10 * MINUTE,
        30 * MINUTE,
        HOUR,
        3 * HOUR,
        6 * HOUR,
        12 * HOUR,
        24 * HOUR,
        7 * 24 * HOUR,
    ];
    let length = end.saturating_sub(start);
    if length <= 0 || wanted == 0 {
        return Vec::new();
    }
    let rough = length / wanted as i64;
    let step = STEPS.into_iter().find(|step| *step >= rough).unwrap_or(30 * 24 * HOUR);
    let offset = i64::from(offset_minutes) * MINUTE;
    let first =
        (start.saturating_add(offset)).div_euclid(step).saturating_add(1).saturating_mul(step).saturating_sub(offset);
    (0..=wanted as i64).map(|n| first.saturating_add(n.saturating_mul(step))).filter(|at| *at < end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_round_ticks() {
        let check = |length: i64, wanted: usize, expect: &[i64]| {
            let ticks: Vec<i64> = duration_ticks(length, wanted).into_iter().map(|(at, _)| at).collect();
            assert_eq!(ticks, expect);
        };
        check(2_410, 5, &[0, 500, 1_000, 1_500, 2_000]);
        check(3, 5, &[0, 1, 2]);
        check(0, 5, &[0]);
        assert!(duration_ticks(i64::MAX, 5).len() <= 12);
    }

    #[test]
    fn clocks_have_round_ticks() {
        let hour = 60 * MINUTE;
        assert_eq!(clock_ticks(MINUTE, hour, 6, 0), (1..6).map(|n| n * 10 * MINUTE).collect::<Vec<_>>());
        assert_eq!(clock_ticks(0, 4 * 24 * hour, 4, 120).first(), Some(&(22 * hour)));
        assert!(clock_ticks(5, 5, 6, 0).is_empty());
        assert!(clock_ticks(i64::MIN, i64::MAX, 6, 0).len() <= 7);
    }
}
