//! RFC 3164: `Mmm dd hh:mm:ss HOSTNAME TAG[pid]: message`, and what is sent in its name.
//!
//! The year is missing: it is the latest that does not bring the time more than a day ahead of when the message was
//! received. So is the zone, which is taken for UTC. Many senders write RFC 3339 instead of the time, or leave the host out; a part that is not
//! there is not guessed, and what cannot be read stays in the message.

use model::time::{Civil, civil_to_nanos, parse_rfc3339};
use otlp_wire::LogDraft;

use super::Origin;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const DAY_NANOS: i64 = 86_400_000_000_000;

/// Longest tag that is taken for one.
const TAG_BYTES_MAX: usize = 64;

/// Reads what follows the priority and returns the message.
pub(super) fn read<'a>(text: &'a str, received: i64, draft: &mut LogDraft, origin: &mut Origin) -> &'a str {
    let Some((time, rest)) = time(text, received) else { return tag(text, draft, origin) };
    draft.time = u64::try_from(time).unwrap_or_default();
    // A host stands between time and tag; where it is left out, the next word is the tag.
    match rest.split_once(' ') {
        Some((host, after)) if !host.is_empty() && !host.ends_with(':') && !host.contains('[') => {
            origin.host.push_str(host);
            tag(after, draft, origin)
        }
        _ => tag(rest, draft, origin),
    }
}

/// Reads a time at the start and returns what follows it and a space.
fn time(text: &str, received: i64) -> Option<(i64, &str)> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        let (word, rest) = text.split_once(' ')?;
        return Some((parse_rfc3339(word)?, rest));
    }
    let month = MONTHS.iter().position(|month| text.starts_with(month))? as i64 + 1;
    let number = |from: usize, to: usize| text.get(from..to)?.trim_start().parse::<i64>().ok();
    let day = number(4, 6)?;
    let mark = |at: usize, byte: u8| text.as_bytes().get(at) == Some(&byte);
    // Some senders, Cisco's among them, write the year after the day.
    let (year, at) = match number(7, 11) {
        Some(year) if mark(11, b' ') => (Some(year), 12),
        _ => (None, 7),
    };
    if !(mark(at + 2, b':') && mark(at + 5, b':')) {
        return None;
    }
    let (hour, minute, second) = (number(at, at + 2)?, number(at + 3, at + 5)?, number(at + 6, at + 8)?);
    let in_year = |year: i64| civil_to_nanos(year, month, day, hour, minute, second);
    let time = match year {
        Some(year) => in_year(year)?,
        None => {
            let now = Civil::from_unix_nano(received).year;
            // The 29th of February is in few years; in the others it would be another day.
            let is_right = |time: &i64| {
                *time <= received.saturating_add(DAY_NANOS) && i64::from(Civil::from_unix_nano(*time).day) == day
            };
            (0..9).find_map(|back| in_year(now + 1 - back).filter(is_right))?
        }
    };
    Some((time, text.get(at + 8..)?.trim_start_matches(':').strip_prefix(' ')?))
}

/// Reads `tag: `, `tag[pid]: ` at the start and returns the message after it.
fn tag<'a>(text: &'a str, draft: &mut LogDraft, origin: &mut Origin) -> &'a str {
    let end = text.find([':', '[', ' ']).unwrap_or(text.len());
    let (tag, rest) = text.split_at(end);
    // A program's name or path; anything else is the message's own.
    let is_tag = tag.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '_' | '-' | '('));
    if !is_tag || tag.len() > TAG_BYTES_MAX {
        return text;
    }
    let (process, rest) = match rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((process, rest)) if !process.contains(' ') => (process, rest),
        _ => ("", rest),
    };
    let Some(message) = rest.strip_prefix(':') else { return text };
    origin.app.push_str(tag);
    if !process.is_empty() {
        draft.text_attribute("syslog.procid", process);
    }
    message.strip_prefix(' ').unwrap_or(message)
}
