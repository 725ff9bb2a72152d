//! Times: Unix nanoseconds in UTC inside; RFC 3339, epoch numbers and relative words at the edge.
//!
//! Every function that needs "now" is handed it, so that tests and replays decide it.

use std::fmt;

/// A half-open span of time in Unix nanoseconds; an absent end is unbounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TimeRange {
    /// First nanosecond inside, if bounded.
    pub start: Option<i64>,
    /// First nanosecond outside, if bounded.
    pub end: Option<i64>,
}

impl TimeRange {
    /// Everything.
    pub const ALL: TimeRange = TimeRange { start: None, end: None };

    /// A range bounded on both sides.
    pub fn new(start: i64, end: i64) -> TimeRange {
        TimeRange { start: Some(start), end: Some(end) }
    }

    /// Whether the time lies inside.
    pub fn contains(&self, time: i64) -> bool {
        self.start.is_none_or(|start| time >= start) && self.end.is_none_or(|end| time < end)
    }

    /// Whether any time of the closed interval `[min, max]` lies inside.
    pub fn overlaps(&self, min: i64, max: i64) -> bool {
        self.start.is_none_or(|start| max >= start) && self.end.is_none_or(|end| min < end)
    }

    /// Whether the closed interval `[min, max]` lies wholly inside.
    pub fn covers(&self, min: i64, max: i64) -> bool {
        self.contains(min) && self.contains(max)
    }
}

/// Why a text is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no time: use RFC 3339 (2026-11-21T19:00:00Z), Unix seconds to nanoseconds (1795287600), \
     or a relative time (-15m, now, now-1h)"
)]
pub struct TimeError(pub String);

/// Reads a time as the API accepts it: RFC 3339, Unix seconds, milliseconds, microseconds or nanoseconds
/// (told apart by size), `now`, `-15m`, `now-15m`.
pub fn parse(text: &str, now_unix_nano: i64) -> Result<i64, TimeError> {
    let text = text.trim();
    let found = if text == "now" {
        Some(now_unix_nano)
    } else if let Some(ago) = text.strip_prefix("now-").or_else(|| text.strip_prefix('-')) {
        parse_duration(ago).map(|nanos| now_unix_nano.saturating_sub(nanos))
    } else if let Some(ahead) = text.strip_prefix("now+").or_else(|| text.strip_prefix('+')) {
        parse_duration(ahead).map(|nanos| now_unix_nano.saturating_add(nanos))
    } else if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        parse_epoch(text)
    } else {
        parse_rfc3339(text)
    };
    found.ok_or_else(|| TimeError(text.chars().take(64).collect()))
}

/// Reads a duration such as `1.5h`, `15m`, `100ms`, `500us`, `7d` as nanoseconds.
pub fn parse_duration(text: &str) -> Option<i64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(unit_at);
    let number: f64 = number.parse().ok()?;
    let nanos = match unit {
        "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3600e9,
        "d" => 86_400e9,
        "w" => 604_800e9,
        _ => return None,
    };
    let total = number * nanos;
    (total < i64::MAX as f64).then_some(total as i64)
}

fn parse_epoch(text: &str) -> Option<i64> {
    if let Some((whole, fraction)) = text.split_once('.') {
        let seconds: i64 = whole.parse().ok()?;
        return seconds.checked_mul(1_000_000_000)?.checked_add(parse_fraction(fraction)?);
    }
    let number: i64 = text.parse().ok()?;
    let factor = match number {
        ..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    number.checked_mul(factor)
}

fn parse_fraction(digits: &str) -> Option<i64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let kept = &digits[..digits.len().min(9)];
    Some(kept.parse::<i64>().ok()? * 10_i64.pow(9 - kept.len() as u32))
}

/// Reads an RFC 3339 time (`T` or a space between date and time; a missing zone is UTC).
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let mark = |at: usize, allowed: &[u8]| text.as_bytes().get(at).is_some_and(|b| allowed.contains(b));
    if !(mark(4, b"-") && mark(7, b"-")) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    if text.len() == 10 {
        return civil_to_nanos(year, month, day, 0, 0, 0);
    }
    if !(mark(10, b"Tt ") && mark(13, b":")) {
        return None;
    }
    let (hour, minute) = (number(11..13)?, number(14..16)?);
    let (second, mut rest) = match mark(16, b":") {
        true => (number(17..19)?, text.get(19..)?),
        false => (0, text.get(16..)?),
    };
    let mut fraction = 0;
    if let Some(after) = rest.strip_prefix(['.', ',']) {
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        fraction = parse_fraction(&after[..end])?;
        rest = &after[end..];
    }
    let offset_minutes = parse_offset(rest)?;
    civil_to_nanos(year, month, day, hour, minute, second)?
        .checked_add(fraction)?
        .checked_sub(offset_minutes * 60_000_000_000)
}

fn parse_offset(text: &str) -> Option<i64> {
    if text.is_empty() || text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match text.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// Unix nanoseconds of a civil time in UTC; nothing where a part of it is out of range.
pub fn civil_to_nanos(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Option<i64> {
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    valid.then(|| seconds.checked_mul(1_000_000_000))?
}

/// Days since the epoch of a date of the proleptic Gregorian calendar (Howard Hinnant's algorithm).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// A time taken apart, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Civil {
    pub year: i64,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub nanosecond: u32,
}

impl Civil {
    /// Takes a time apart.
    pub fn from_unix_nano(time: i64) -> Civil {
        let days = time.div_euclid(86_400_000_000_000);
        let of_day = time.rem_euclid(86_400_000_000_000);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_index = (5 * day_of_year + 2) / 153;
        let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
        Civil {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: month as u32,
            day: (day_of_year - (153 * month_index + 2) / 5 + 1) as u32,
            hour: (of_day / 3_600_000_000_000) as u32,
            minute: (of_day / 60_000_000_000 % 60) as u32,
            second: (of_day / 1_000_000_000 % 60) as u32,
            nanosecond: (of_day % 1_000_000_000) as u32,
        }
    }
}

impl fmt::Display for Civil {
    /// RFC 3339 with nanoseconds, `2026-11-21T19:42:29.716000000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z",
            self.year, self.month, self.day, self.hour, self.minute, self.second, self.nanosecond
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_289_400_000_000_000;

    #[test]
    fn times_parse() {
        let check = |text: &str, expect: Option<i64>| assert_eq!(parse(text, NOW).ok(), expect, "{text}");
        check("now", Some(NOW));
        check("-15m", Some(NOW - 900_000_000_000));
        check("now-1h", Some(NOW - 3_600_000_000_000));
        check("1795289400", Some(NOW));
        check("1795289400.5", Some(NOW + 500_000_000));
        check("1795289400000", Some(NOW));
        check("1795289400000000", Some(NOW));
        check("1795289400000000000", Some(NOW));
        check("2026-11-21T19:30:00Z", Some(NOW));
        check("2026-11-21 19:30", Some(NOW));
        check("2026-11-21T21:30:00.000000001+02:00", Some(NOW + 1));
        check("1969-12-31T23:59:59Z", Some(-1_000_000_000));
        check("2026-13-01T00:00:00Z", None);
        check("yesterday-ish", None);
        check("", None);
        check("-15q", None);
    }

    #[test]
    fn civil_is_the_inverse_of_parse() {
        for time in [0, NOW, NOW + 123_456_789, -1, 951_782_400_000_000_000, 4_102_444_799_999_999_999] {
            assert_eq!(parse_rfc3339(&Civil::from_unix_nano(time).to_string()), Some(time));
        }
    }

    #[test]
    fn ranges_are_half_open() {
        let range = TimeRange::new(10, 20);
        assert!(range.contains(10) && range.contains(19) && !range.contains(20));
        assert!(range.overlaps(0, 10) && !range.overlaps(20, 30));
        assert!(range.covers(10, 19) && !range.covers(10, 20));
        assert!(TimeRange::ALL.contains(i64::MIN));
    }
}
