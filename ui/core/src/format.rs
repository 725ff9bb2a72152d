//! Numbers and times as the pages print them.

use model::time::Civil;

use crate::range::{MINUTE, SECOND};

/// A duration with three significant digits and its unit: `1.23 ms`.
pub fn duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let size = nanos.unsigned_abs();
    let (value, unit) = match size {
        0..1_000 => return format!("{sign}{size} ns"),
        1_000..1_000_000 => (size as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => (size as f64 / 1e6, "ms"),
        1_000_000_000..60_000_000_000 => (size as f64 / 1e9, "s"),
        _ => return format!("{sign}{}", long_duration(size)),
    };
    // 999.6 µs must not print as "1000 µs".
    match (three_digits(value).as_str(), unit) {
        ("1000", "µs") => format!("{sign}1 ms"),
        ("1000", "ms") => format!("{sign}1 s"),
        (digits, unit) => format!("{sign}{digits} {unit}"),
    }
}

fn long_duration(nanos: u64) -> String {
    let seconds = nanos / 1_000_000_000;
    match seconds {
        0..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// Three significant digits without trailing zeros.
fn three_digits(value: f64) -> String {
    let text = match value {
        v if v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    };
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A whole count with thousands marked: `12,408`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count in little room: `12.4k`.
pub fn short_count(number: u64) -> String {
    match number {
        0..10_000 => count(number),
        10_000..1_000_000 => format!("{}k", three_digits(number as f64 / 1e3)),
        1_000_000..1_000_000_000 => format!("{}M", three_digits(number as f64 / 1e6)),
        _ => format!("{}G", three_digits(number as f64 / 1e9)),
    }
}

/// Bytes in decimal units: `2.1 MB`.
pub fn bytes(number: u64) -> String {
    match number {
        0..1_000 => format!("{number} B"),
        1_000..1_000_000 => format!("{} kB", three_digits(number as f64 / 1e3)),
        1_000_000..1_000_000_000 => format!("{} MB", three_digits(number as f64 / 1e6)),
        _ => format!("{} GB", three_digits(number as f64 / 1e9)),
    }
}

/// Noun with its number: `1 record`, `2 records`.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

fn local(time: i64, offset_minutes: i32) -> Civil {
    Civil::from_unix_nano(time.saturating_add(i64::from(offset_minutes) * MINUTE))
}

/// Clock time to the millisecond: `14:43:58.012`.
pub fn clock(time: i64, offset_minutes: i32) -> String {
    let c = local(time, offset_minutes);
    format!("{:02}:{:02}:{:02}.{:03}", c.hour, c.minute, c.second, c.nanosecond / 1_000_000)
}

/// Date: `2026-11-21`.
pub fn date(time: i64, offset_minutes: i32) -> String {
    let c = local(time, offset_minutes);
    format!("{:04}-{:02}-{:02}", c.year, c.month, c.day)
}

/// Date and time to the nanosecond: `2026-11-21 14:43:58.012 345 678`.
pub fn exact(time: i64, offset_minutes: i32) -> String {
    let c = local(time, offset_minutes);
    let (milli, micro, nano) = (c.nanosecond / 1_000_000, c.nanosecond / 1_000 % 1_000, c.nanosecond % 1_000);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{milli:03} {micro:03} {nano:03}",
        c.year, c.month, c.day, c.hour, c.minute, c.second
    )
}

/// The end of a window, as short as its length and date allow.
pub fn window_end(time: i64, length: i64, other: i64, offset_minutes: i32) -> String {
    let c = local(time, offset_minutes);
    let clock = match length < 5 * MINUTE {
        true => format!("{:02}:{:02}:{:02}", c.hour, c.minute, c.second),
        false => format!("{:02}:{:02}", c.hour, c.minute),
    };
    match date(time, offset_minutes) == date(other, offset_minutes) {
        true => clock,
        false => format!("{:02}-{:02} {clock}", c.month, c.day),
    }
}

/// Name of a zone by its distance from UTC: `UTC`, `UTC+05:30`.
pub fn zone(offset_minutes: i32) -> String {
    if offset_minutes == 0 {
        return "UTC".to_owned();
    }
    let sign = if offset_minutes < 0 { '-' } else { '+' };
    let size = offset_minutes.unsigned_abs();
    format!("UTC{sign}{:02}:{:02}", size / 60, size % 60)
}

/// How long ago: `now`, `12 s ago`, `3 h ago`.
pub fn ago(time: i64, now: i64) -> String {
    let seconds = now.saturating_sub(time) / SECOND;
    match seconds {
        ..-1 => format!("in {}", duration(time.saturating_sub(now))),
        -1..=1 => "now".to_owned(),
        2..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// At most so many characters, with `…` where cut.
pub fn cut(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// A share as percent: `0.4 %`.
pub fn percent(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return "–".to_owned();
    }
    format!("{} %", three_digits(part as f64 * 100.0 / whole as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |nanos: i64, expect: &str| assert_eq!(duration(nanos), expect);
        check(0, "0 ns");
        check(999, "999 ns");
        check(1_234, "1.23 µs");
        check(12_345, "12.3 µs");
        check(999_600, "1 ms");
        check(84_000_000, "84 ms");
        check(999_999_999, "1 s");
        check(2_410_000_000, "2.41 s");
        check(61_000_000_000, "1 min 1 s");
        check(7_260_000_000_000, "2 h 1 min");
        check(90_000_000_000_000, "1 d 1 h");
        check(-1_500_000, "-1.5 ms");
        check(i64::MIN, "-106751 d 23 h");
    }

    #[test]
    fn numbers() {
        assert_eq!(count(1_204_000), "1,204,000");
        assert_eq!(count(7), "7");
        assert_eq!(short_count(9_999), "9,999");
        assert_eq!(short_count(12_408), "12.4k");
        assert_eq!(bytes(2_100_000), "2.1 MB");
        assert_eq!(counted(1, "span"), "1 span");
        assert_eq!(percent(1, 0), "–");
        assert_eq!(percent(1, 8), "12.5 %");
    }

    #[test]
    fn times() {
        let time = 1_795_289_400_012_345_678;
        assert_eq!(clock(time, 0), "19:30:00.012");
        assert_eq!(clock(time, 330), "01:00:00.012");
        assert_eq!(exact(time, 0), "2026-11-21 19:30:00.012 345 678");
        assert_eq!(zone(-90), "UTC-01:30");
        assert_eq!(window_end(time, 60 * MINUTE, time - 60 * MINUTE, 0), "19:30");
        assert_eq!(window_end(time, 60 * MINUTE, time - 120 * MINUTE, 330), "11-22 01:00");
        assert_eq!(ago(time, time + 3 * SECOND), "3 s ago");
        assert_eq!(clock(i64::MIN, -720).len(), 12);
    }

    #[test]
    fn cuts_between_characters() {
        assert_eq!(cut("日本語", 2), "日本…");
        assert_eq!(cut("日本", 2), "日本");
    }
}
