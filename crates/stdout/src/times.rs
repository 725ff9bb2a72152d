//! Timestamps as loggers write them.
//!
//! A time without a zone has the zone the reader was told, UTC unless told otherwise. A time without a year has the
//! year that brings it nearest to now. A time without a date is none: the time of arrival is better than a guess.

use model::time::{Civil, civil_to_nanos};

/// What a timestamp leaves open.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    /// Now, in Unix nanoseconds.
    pub(crate) now: i64,
    /// Offset from UTC of times that name none, in nanoseconds.
    pub(crate) zone: i64,
}

/// Largest Unix time that is taken for one, in nanoseconds: the year 2262.
const TIME_MAX: i64 = i64::MAX;

/// Reads a whole text as a time.
pub(crate) fn of_text(text: &str, clock: Clock) -> Option<i64> {
    let text = text.trim_matches([' ', '[', ']', '"']);
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && text.len() > 8 {
        return of_decimal(text).or_else(|| whole(text, clock));
    }
    whole(text, clock)
}

fn whole(text: &str, clock: Clock) -> Option<i64> {
    let (time, length) = at_start(text, clock)?;
    (length == text.len()).then_some(time)
}

/// Reads a number as a time, its unit told by its size: seconds, milliseconds, microseconds or nanoseconds.
pub(crate) fn of_int(value: i64) -> Option<i64> {
    let factor = match value {
        ..1 => return None,
        1..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    value.checked_mul(factor)
}

/// Reads a number with a fraction as a time. A double has no more than 53 bits, so microseconds are the best it gives.
pub(crate) fn of_double(value: f64) -> Option<i64> {
    let micros = match value {
        value if value.is_nan() || value < 1.0 => return None,
        value if value < 1e11 => value * 1e6,
        value if value < 1e14 => value * 1e3,
        value if value < 1e17 => value,
        value => value / 1e3,
    };
    (micros < TIME_MAX as f64 / 1e3).then(|| (micros.round() as i64).checked_mul(1_000))?
}

/// Digits with or without a fraction, read without loss.
fn of_decimal(text: &str) -> Option<i64> {
    let Some((whole, fraction)) = text.split_once('.') else { return of_int(text.parse().ok()?) };
    let whole: i64 = whole.parse().ok()?;
    let unit: i64 = match whole {
        ..1 => return None,
        1..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        _ => return None,
    };
    let mut scanner = Scanner::new(fraction);
    let nanos = scanner.fraction_digits()? / (1_000_000_000 / unit);
    (scanner.at == fraction.len()).then(|| whole.checked_mul(unit)?.checked_add(nanos))?
}

/// Reads a timestamp that a text begins with, and its length.
pub(crate) fn at_start(text: &str, clock: Clock) -> Option<(i64, usize)> {
    let mut scanner = Scanner::new(text);
    let time = match text.as_bytes().first()? {
        b'0'..=b'9' => scanner.numeric(clock)?,
        b'A'..=b'Z' => scanner.worded(clock)?,
        _ => return None,
    };
    let ends = scanner.peek().is_none_or(|byte| !byte.is_ascii_alphanumeric());
    ends.then_some((time, scanner.at))
}

/// A date, and whether its year was written.
#[derive(Clone, Copy)]
struct Date {
    year: Option<i64>,
    month: i64,
    day: i64,
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Scanner<'a> {
        Scanner { bytes: text.as_bytes(), at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Steps over one of these bytes.
    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let byte = self.peek().filter(|byte| allowed.contains(byte))?;
        self.at += 1;
        Some(byte)
    }

    /// Digits that come next.
    fn digits_ahead(&self) -> usize {
        self.bytes[self.at..].iter().take(20).take_while(|byte| byte.is_ascii_digit()).count()
    }

    /// A number of exactly so many digits.
    fn digits(&mut self, count: usize) -> Option<i64> {
        let digits = self.bytes.get(self.at..self.at + count)?;
        let mut value = 0;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            value = value * 10 + i64::from(digit - b'0');
        }
        self.at += count;
        Some(value)
    }

    fn numeric(&mut self, clock: Clock) -> Option<i64> {
        match self.digits_ahead() {
            4 => self.year_first(clock),
            2 => self.two_digits_first(clock),
            8 => {
                let date = Date { year: Some(self.digits(4)?), month: self.digits(2)?, day: self.digits(2)? };
                self.one_of(b"T -_")?;
                self.time(date, clock)
            }
            // Hadoop's file system: 081109 203518.
            6 => {
                let date = Date { year: Some(2000 + self.digits(2)?), month: self.digits(2)?, day: self.digits(2)? };
                self.one_of(b" ")?;
                if !matches!(self.digits_ahead(), 6) && self.bytes.get(self.at + 2) != Some(&b':') {
                    return None;
                }
                self.time(date, clock)
            }
            10 => {
                let seconds = self.digits(10)?;
                self.one_of(b".")?;
                let fraction = self.fraction_digits()?;
                (seconds > 1_000_000_000).then(|| seconds.checked_mul(1_000_000_000)?.checked_add(fraction))?
            }
            _ => None,
        }
    }

    /// 2026-11-21T19:30:00, 2026/11/21 19:30:00, 2026.11.21 19:30:00.
    fn year_first(&mut self, clock: Clock) -> Option<i64> {
        let year = Some(self.digits(4)?);
        let separator = self.one_of(b"-/.")?;
        let month = self.digits(2)?;
        self.one_of(&[separator])?;
        let date = Date { year, month, day: self.digits(2)? };
        self.one_of(b"Tt _")?;
        self.time(date, clock)
    }

    fn two_digits_first(&mut self, clock: Clock) -> Option<i64> {
        let first = self.digits(2)?;
        let separator = self.one_of(b"/- ")?;
        if self.peek()?.is_ascii_alphabetic() {
            // 21/Nov/2026:19:30:00 +0000, 21-Nov-2026 19:30:00, 21 Nov 2026 19:30:00.
            let month = self.month()?;
            self.one_of(&[separator])?;
            let date = Date { year: Some(self.digits(4)?), month, day: first };
            self.one_of(b": ")?;
            return self.time(date, clock);
        }
        let second = self.digits(2)?;
        match separator {
            // Spark: 26/11/21 19:30:00.
            b'/' => {
                self.one_of(b"/")?;
                let date = Date { year: Some(2000 + first), month: second, day: self.digits(2)? };
                self.one_of(b" ")?;
                self.time(date, clock)
            }
            // Android: 11-21 19:30:00.123.
            b'-' => {
                self.one_of(b" ")?;
                self.time(Date { year: None, month: first, day: second }, clock)
            }
            _ => None,
        }
    }

    /// Begins with the name of a day or a month.
    fn worded(&mut self, clock: Clock) -> Option<i64> {
        if self.week_day().is_some() {
            if self.one_of(b",").is_some() {
                // Sat, 21 Nov 2026 19:30:00 GMT.
                self.one_of(b" ")?;
                return self.two_digits_first(clock);
            }
            self.one_of(b" ")?;
        }
        // Nov 21 19:30:00, Nov  1 19:30:00; perhaps with a year: Nov 21 2026 19:30:00, Nov 21 19:30:00.123 2026.
        let month = self.month()?;
        self.one_of(b" ")?;
        let day =
            if self.one_of(b" ").is_some() { self.digits(1)? } else { self.digits(self.digits_ahead().clamp(1, 2))? };
        self.one_of(b" ")?;
        let mut year = None;
        if self.digits_ahead() == 4 {
            year = Some(self.digits(4)?);
            self.one_of(b" ")?;
        }
        let at = self.at;
        let time = self.time(Date { year, month, day }, clock)?;
        if year.is_none() && self.peek() == Some(b' ') {
            let end = self.at;
            self.at += 1;
            if self.digits_ahead() == 4 {
                let year = self.digits(4)?;
                let after = self.at;
                if (1970..2262).contains(&year) && !matches!(self.peek(), Some(b':' | b'-' | b'/' | b'.')) {
                    self.at = at;
                    let time = self.time(Date { year: Some(year), month, day }, clock)?;
                    self.at = after;
                    return Some(time);
                }
            }
            self.at = end;
        }
        Some(time)
    }

    fn three_letters(&mut self, names: &[&[u8; 3]]) -> Option<i64> {
        let word = self.bytes.get(self.at..self.at + 3)?;
        let place = names.iter().position(|name| word.eq_ignore_ascii_case(*name))?;
        self.at += 3;
        Some(place as i64 + 1)
    }

    fn month(&mut self) -> Option<i64> {
        self.three_letters(&[
            b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
        ])
    }

    fn week_day(&mut self) -> Option<i64> {
        self.three_letters(&[b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"])
    }

    /// Hours, minutes, perhaps seconds and a fraction, perhaps a zone.
    fn time(&mut self, date: Date, clock: Clock) -> Option<i64> {
        let hour = self.digits(2)?;
        let colons = self.one_of(b":").is_some();
        let minute = self.digits(2)?;
        let has_seconds = if colons { self.one_of(b":").is_some() } else { true };
        let second = if has_seconds { self.digits(2)? } else { 0 };
        let mut fraction = 0;
        if matches!(self.peek(), Some(b'.' | b',' | b':'))
            && self.bytes.get(self.at + 1).is_some_and(u8::is_ascii_digit)
        {
            self.at += 1;
            fraction = self.fraction_digits()?;
        }
        let zone = self.zone().unwrap_or(clock.zone);
        let in_year = |year| {
            civil_to_nanos(year, date.month, date.day, hour, minute, second)?.checked_add(fraction)?.checked_sub(zone)
        };
        match date.year {
            Some(year) => (1970..2262).contains(&year).then(|| in_year(year))?,
            None => {
                let this_year = Civil::from_unix_nano(clock.now).year;
                let years = [this_year - 1, this_year, this_year + 1];
                years.into_iter().filter_map(in_year).min_by_key(|time| time.abs_diff(clock.now))
            }
        }
    }

    /// One to any number of digits, as nanoseconds; those beyond nine are passed over.
    fn fraction_digits(&mut self) -> Option<i64> {
        let begin = self.at;
        let mut nanos = 0;
        let mut weight = 100_000_000;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            nanos += i64::from(digit - b'0') * weight;
            weight /= 10;
            self.at += 1;
        }
        (self.at > begin).then_some(nanos)
    }

    /// `Z`, `UTC`, `GMT`, `+01:00`, `+0100`, ` +0100`; leaves alone what is no zone.
    fn zone(&mut self) -> Option<i64> {
        let begin = self.at;
        let spaced = self.one_of(b" ").is_some();
        let zone = self.zone_without_space(spaced);
        if zone.is_none() {
            self.at = begin;
        }
        zone
    }

    fn zone_without_space(&mut self, spaced: bool) -> Option<i64> {
        let rest = &self.bytes[self.at..];
        for name in [&b"UTC"[..], b"GMT", b"Z", b"z"] {
            let ends = rest.get(name.len()).is_none_or(|byte| !byte.is_ascii_alphanumeric());
            if rest.starts_with(name) && ends && !(spaced && name.len() == 1 && rest.len() > 1) {
                self.at += name.len();
                return Some(0);
            }
        }
        let sign = match self.one_of(b"+-")? {
            b'-' => -1,
            _ => 1,
        };
        // ` -0800` is a zone, ` - message` and ` -5 degrees` are none.
        let hours = self.digits(2)?;
        let minutes = match self.one_of(b":") {
            Some(_) => self.digits(2)?,
            None if self.digits_ahead() == 2 => self.digits(2)?,
            None if self.digits_ahead() == 0 && !spaced => 0,
            None => return None,
        };
        (hours < 24 && minutes < 60 && self.digits_ahead() == 0)
            .then_some(sign * (hours * 60 + minutes) * 60_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21T19:30:00Z.
    const NOW: i64 = 1_795_289_400_000_000_000;
    const MILLI: i64 = 1_000_000;
    const HOUR: i64 = 3_600_000_000_000;
    const UTC: Clock = Clock { now: NOW, zone: 0 };

    #[test]
    fn timestamps_at_the_start_of_a_line() {
        let check = |text: &str, expect: Option<(i64, &str)>| {
            let found = at_start(text, UTC).map(|(time, length)| (time, &text[length..]));
            assert_eq!(found, expect, "{text}");
        };
        check("2026-11-21T19:30:00Z x", Some((NOW, " x")));
        check("2026-11-21T19:30:00.123456789Z", Some((NOW + 123_456_789, "")));
        check("2026-11-21T19:30:00.1234567891Z", Some((NOW + 123_456_789, "")));
        check("2026-11-21T21:30:00+02:00 x", Some((NOW, " x")));
        check("2026-11-21T21:30:00+02 x", Some((NOW, " x")));
        check("2026-11-21 20:30:00,716 +0100] x", Some((NOW + 716 * MILLI, "] x")));
        check("2026-11-21 19:30:00,716 - name", Some((NOW + 716 * MILLI, " - name")));
        check("2026-11-21 19:30:00 UTC [12]", Some((NOW, " [12]")));
        check("2026-11-21 19:30 x", Some((NOW, " x")));
        check("2026/11/21 19:30:00 [error]", Some((NOW, " [error]")));
        check("2026/11/21 19:30:00.000001 x", Some((NOW + 1000, " x")));
        check("20261121 19:30:00.000001 x", Some((NOW + 1000, " x")));
        check("20261121-19:30:00:606|Step", Some((NOW + 606 * MILLI, "|Step")));
        check("20261121T193000Z x", Some((NOW, " x")));
        check("261121 193000 148 INFO", Some((NOW, " 148 INFO")));
        check("26/11/21 19:30:00 INFO", Some((NOW, " INFO")));
        check("21/Nov/2026:19:30:00 +0000] \"GET", Some((NOW, "] \"GET")));
        check("21/Nov/2026:11:30:00 -0800] x", Some((NOW, "] x")));
        check("21-Nov-2026 19:30:00.250 SEVERE", Some((NOW + 250 * MILLI, " SEVERE")));
        check("21 Nov 2026 19:30:00.250 * Ready", Some((NOW + 250 * MILLI, " * Ready")));
        check("Sat, 21 Nov 2026 19:30:00 GMT x", Some((NOW, " x")));
        check("Sat Nov 21 19:30:00.250000 2026] [core", Some((NOW + 250 * MILLI, "] [core")));
        check("Nov 21 19:30:00 host app", Some((NOW, " host app")));
        check("Nov 21 2026 19:30:00 host", Some((NOW, " host")));
        check("Nov  1 19:30:00 host", Some((NOW - 20 * 24 * HOUR, " host")));
        check("11-21 19:30:00.250  1702", Some((NOW + 250 * MILLI, "  1702")));
        check("1795289400.250 x", Some((NOW + 250 * MILLI, " x")));
        for none in [
            "",
            "hello",
            "12:30:00 x",
            "2026-13-01T00:00:00Z",
            "2026-11-21",
            "1795289400 items",
            "2026-11-21x19:30:00",
            "123",
            "Nov",
            "Monday",
            "Sat",
            "2026-11-21T19:30:00Zulu",
            "42 Nov things",
            "99/99/99 19:30:00",
        ] {
            check(none, None);
        }
    }

    #[test]
    fn what_is_left_open() {
        let east = Clock { now: NOW, zone: 2 * HOUR };
        assert_eq!(of_text("2026-11-21 21:30:00", east), Some(NOW));
        assert_eq!(of_text("2026-11-21 19:30:00Z", east), Some(NOW), "a written zone counts");
        let new_year = Clock { now: 1_798_761_660_000_000_000, zone: 0 };
        assert_eq!(of_text("Dec 31 23:59:00", new_year), Some(1_798_761_540_000_000_000), "read a minute into 2027");
    }

    #[test]
    fn values_of_fields() {
        let check = |text: &str, expect: Option<i64>| assert_eq!(of_text(text, UTC), expect, "{text}");
        check("1795289400", Some(NOW));
        check("1795289400.123456789", Some(NOW + 123_456_789));
        check("1795289400250", Some(NOW + 250 * MILLI));
        check("1795289400250.5", Some(NOW + 250 * MILLI + 500_000));
        check("1795289400000000", Some(NOW));
        check("1795289400000000000", Some(NOW));
        check("[2026-11-21T19:30:00Z]", Some(NOW));
        check("2026-11-21T19:30:00Z later", None);
        check("yesterday", None);
        check("", None);
        assert_eq!(of_int(1_795_289_400), Some(NOW));
        assert_eq!(of_int(0), None);
        assert_eq!(of_double(1_795_289_400.25), Some(NOW + 250 * MILLI));
        assert_eq!(of_double(1_795_289_400_250.0), Some(NOW + 250 * MILLI));
        assert_eq!(of_double(f64::NAN), None);
    }
}
