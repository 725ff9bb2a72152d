//! Time ranges: the text of the picker and the URL, and the window a run asks for.

use model::time::{self, Civil};

/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;
/// Nanoseconds in a minute.
pub const MINUTE: i64 = 60 * SECOND;

/// What the picker offers: name and how long before now it begins.
pub const PRESETS: &[(&str, &str)] = &[
    ("Last 5 minutes", "now-5m"),
    ("Last 15 minutes", "now-15m"),
    ("Last 30 minutes", "now-30m"),
    ("Last 1 hour", "now-1h"),
    ("Last 3 hours", "now-3h"),
    ("Last 6 hours", "now-6h"),
    ("Last 12 hours", "now-12h"),
    ("Last 24 hours", "now-24h"),
    ("Last 2 days", "now-2d"),
    ("Last 7 days", "now-7d"),
    ("Last 30 days", "now-30d"),
];

/// A range as the URL holds it: each end a relative time or RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeText {
    /// Where it begins.
    pub from: String,
    /// Where it ends.
    pub to: String,
}

impl Default for RangeText {
    fn default() -> Self {
        RangeText { from: "now-1h".to_owned(), to: "now".to_owned() }
    }
}

/// A range resolved against one "now", half-open, in Unix nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Window {
    /// First nanosecond inside.
    pub start: i64,
    /// First nanosecond outside.
    pub end: i64,
}

impl Window {
    /// How long it is.
    pub fn length(self) -> i64 {
        self.end.saturating_sub(self.start)
    }

    /// Twice as long around the same middle.
    pub fn zoomed_out(self) -> Window {
        let half = (self.length() / 2).max(1);
        Window { start: self.start.saturating_sub(half), end: self.end.saturating_add(half) }
    }

    /// Moved by half its length, back or forward.
    pub fn shifted(self, forward: bool) -> Window {
        let half = (self.length() / 2).max(1);
        let step = if forward { half } else { -half };
        Window { start: self.start.saturating_add(step), end: self.end.saturating_add(step) }
    }

    /// The window as absolute text.
    pub fn to_text(self) -> RangeText {
        RangeText { from: rfc3339(self.start), to: rfc3339(self.end) }
    }
}

/// RFC 3339 in UTC without trailing zeros: `2026-11-21T19:00:00.5Z`.
pub fn rfc3339(time: i64) -> String {
    let text = Civil::from_unix_nano(time).to_string();
    let kept = text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    format!("{kept}Z")
}

impl RangeText {
    /// From so long ago until now.
    pub fn last(from: &str) -> RangeText {
        RangeText { from: from.to_owned(), to: "now".to_owned() }
    }

    /// Whether it moves with the clock.
    pub fn is_relative(&self) -> bool {
        self.to.starts_with("now") || self.from.starts_with("now")
    }

    /// The window at this moment, or a sentence saying what is wrong with it.
    pub fn resolve(&self, now: i64) -> Result<Window, String> {
        let start = time::parse(&self.from, now).map_err(|error| error.to_string())?;
        let end = time::parse(&self.to, now).map_err(|error| error.to_string())?;
        match start < end {
            true => Ok(Window { start, end }),
            false => Err("The range ends before it begins.".to_owned()),
        }
    }

    /// The window, or the default one where the text means nothing.
    pub fn resolve_or_default(&self, now: i64) -> Window {
        self.resolve(now).unwrap_or(Window { start: now.saturating_sub(60 * MINUTE), end: now })
    }

    /// Words for the picker's button, `None` where only the two times say it.
    pub fn label(&self) -> Option<String> {
        if self.to != "now" {
            return None;
        }
        if let Some((name, _)) = PRESETS.iter().find(|(_, from)| *from == self.from) {
            return Some((*name).to_owned());
        }
        self.from.strip_prefix("now-").map(|ago| format!("Last {ago}"))
    }
}

/// Reads what a person types or pastes: `15m`, `last 2h`, `now-6h`, `now-6h to now-1h`, `today`, `yesterday`,
/// `2026-08-01 10:00 to 11:00`, epoch numbers. Times without a zone are local: `offset_minutes` says how far east
/// of UTC the viewer's clock is at a time.
pub fn parse_input(text: &str, now: i64, offset_minutes: &dyn Fn(i64) -> i32) -> Result<RangeText, String> {
    let text = text.trim();
    let day = 24 * 60 * MINUTE;
    let midnight = |at: i64| {
        let offset = i64::from(offset_minutes(at)) * MINUTE;
        (at + offset).div_euclid(day) * day - offset
    };
    match text {
        "" => return Err("Type a range such as 15m, or two times with 'to' between them.".to_owned()),
        "today" => return Ok(Window { start: midnight(now), end: now }.to_text()),
        "yesterday" => {
            let end = midnight(now);
            return Ok(Window { start: midnight(end - 1), end }.to_text());
        }
        _ => {}
    }
    if let Some((from, to)) = split_pair(text) {
        let start = end_text(from, None, now, offset_minutes)?;
        let end = end_text(to, Some(from), now, offset_minutes)?;
        let range = RangeText { from: start, to: end };
        return range.resolve(now).map(|_| range);
    }
    let ago = text.trim_start_matches("last ").trim_start_matches("now-").trim_start_matches('-').trim();
    if time::parse_duration(ago).is_some_and(|nanos| nanos > 0) {
        return Ok(RangeText::last(&format!("now-{ago}")));
    }
    let from = end_text(text, None, now, offset_minutes)?;
    let range = RangeText { from, to: "now".to_owned() };
    range.resolve(now).map(|_| range)
}

fn split_pair(text: &str) -> Option<(&str, &str)> {
    [" to ", " – ", " - ", "..", "/"].iter().find_map(|mark| text.split_once(mark)).map(|(a, b)| (a.trim(), b.trim()))
}

/// One end as the URL will hold it. A clock time alone takes its date from the other end.
fn end_text(text: &str, other: Option<&str>, now: i64, offset: &dyn Fn(i64) -> i32) -> Result<String, String> {
    if text.starts_with("now") || text.starts_with('-') || text.starts_with('+') {
        time::parse(text, now).map_err(|error| error.to_string())?;
        let prefix = if text.starts_with("now") { "" } else { "now" };
        return Ok(format!("{prefix}{text}"));
    }
    let is_clock = text.len() >= 4 && text.as_bytes().iter().take(3).any(|b| *b == b':');
    let dated = match (is_clock, other.and_then(|from| from.get(..10))) {
        (true, Some(date)) if time::parse_rfc3339(date).is_some() => format!("{date} {text}"),
        (true, _) => {
            let local = now.saturating_add(i64::from(offset(now)) * MINUTE);
            format!("{} {text}", Civil::from_unix_nano(local).to_string().get(..10).unwrap_or_default())
        }
        _ => text.to_owned(),
    };
    let dated = if dated.get(11..12).is_some() && dated.as_bytes().get(12) == Some(&b':') {
        format!("{}0{}", &dated[..11], &dated[11..])
    } else {
        dated
    };
    let parsed = time::parse(&dated, now).map_err(|error| error.to_string())?;
    let local = time::parse_rfc3339(&dated).is_some() && !has_zone(&dated);
    let shift = if local { i64::from(offset(parsed)) * MINUTE } else { 0 };
    Ok(rfc3339(parsed.saturating_sub(shift)))
}

fn has_zone(text: &str) -> bool {
    text.ends_with(['Z', 'z']) || text.get(11..).is_some_and(|clock| clock.contains(['+', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_289_400_000_000_000; // 2026-11-21T19:30:00Z

    #[test]
    fn typed_ranges() {
        let check = |text: &str, from: &str, to: &str| {
            let expect = RangeText { from: from.to_owned(), to: to.to_owned() };
            assert_eq!(parse_input(text, NOW, &|_| 120), Ok(expect), "{text}");
        };
        check("15m", "now-15m", "now");
        check("last 2h", "now-2h", "now");
        check("now-6h", "now-6h", "now");
        check("now-6h to now-1h", "now-6h", "now-1h");
        check("-6h to -1h", "now-6h", "now-1h");
        check("2026-11-21 10:00 to 11:00", "2026-11-21T08:00:00Z", "2026-11-21T09:00:00Z");
        check("2026-11-21 9:00 to 11:00", "2026-11-21T07:00:00Z", "2026-11-21T09:00:00Z");
        check("10:00 to 11:30", "2026-11-21T08:00:00Z", "2026-11-21T09:30:00Z");
        check("2026-11-21T10:00:00Z to 2026-11-21T13:00:00+01:00", "2026-11-21T10:00:00Z", "2026-11-21T12:00:00Z");
    }

    #[test]
    fn wrong_ranges_say_so() {
        let check = |text: &str| assert!(parse_input(text, NOW, &|_| 0).is_err(), "{text}");
        check("");
        check("soon");
        check("now to now-1h");
        check("2026-11-21 11:00 to 10:00");
        check("ü to 日");
    }

    #[test]
    fn days_are_the_viewers() {
        let range = parse_input("yesterday", NOW, &|_| 330).expect("a word we know");
        // 19:30 UTC is 01:00 of the 22nd there.
        assert_eq!(range.from, "2026-11-20T18:30:00Z");
        assert_eq!(range.to, "2026-11-21T18:30:00Z");
    }

    #[test]
    fn windows_resolve_zoom_and_shift() {
        let window = RangeText::default().resolve(NOW).expect("the default is a range");
        assert_eq!(window, Window { start: NOW - 60 * MINUTE, end: NOW });
        assert_eq!(window.zoomed_out().length(), 120 * MINUTE);
        assert_eq!(window.shifted(false).end, NOW - 30 * MINUTE);
        assert_eq!(window.to_text().from, "2026-11-21T18:30:00Z");
        assert_eq!(rfc3339(NOW + 500_000_000), "2026-11-21T19:30:00.5Z");
        let text = Window { start: NOW + 1, end: NOW + 7 }.to_text();
        assert_eq!(text.resolve(0), Ok(Window { start: NOW + 1, end: NOW + 7 }));
    }

    #[test]
    fn labels() {
        assert_eq!(RangeText::default().label().as_deref(), Some("Last 1 hour"));
        assert_eq!(RangeText::last("now-90m").label().as_deref(), Some("Last 90m"));
        assert_eq!(Window { start: 0, end: SECOND }.to_text().label(), None);
    }
}
