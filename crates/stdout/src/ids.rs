//! Trace and span ids as loggers write them.
//!
//! Accepted: hex in either case, with dashes as a UUID has them, half a trace id as Zipkin had it, the decimal ids of
//! Datadog, Google's `projects/…/traces/…`, and W3C `traceparent`. An id of zeros means that there is none.

use memchr::memmem::Finder;

/// What the search for ids in a text looks for first: a part of `trace` and `Trace`.
pub(crate) const IN_TEXT: &[u8] = b"race";

/// What an id's text turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parsed<const N: usize> {
    Id([u8; N]),
    /// Zeros, or an empty text: there is no id, and that is all the text says.
    Absent,
    /// Something else, which stays an attribute.
    Other,
}

/// Reads a trace id.
pub(crate) fn trace_id(text: &str) -> Parsed<16> {
    let text = match text.strip_prefix("projects/") {
        Some(rest) => rest.rsplit_once("/traces/").map_or(text, |(_, id)| id),
        None => text,
    };
    let mut id = [0; 16];
    match hex_digits(text, &mut id) {
        Some(32) => seal(id),
        Some(16) => {
            id.copy_within(0..8, 8);
            id[..8].fill(0);
            seal(id)
        }
        Some(count) if id == [0; 16] && (count == 0 || text == "0") => Parsed::Absent,
        _ => Parsed::Other,
    }
}

/// Reads a span id.
pub(crate) fn span_id(text: &str) -> Parsed<8> {
    let mut id = [0; 8];
    match hex_digits(text, &mut id) {
        Some(16) => seal(id),
        Some(count) if id == [0; 8] && (count == 0 || text == "0") => Parsed::Absent,
        _ => Parsed::Other,
    }
}

/// Reads a decimal id of 64 bits, or hex of full length.
pub(crate) fn datadog_trace_id(text: &str) -> Parsed<16> {
    match decimal(text) {
        Some(value) => seal(u128::from(value).to_be_bytes()),
        None => trace_id(text),
    }
}

/// Reads a decimal id of 64 bits, or hex of full length.
pub(crate) fn datadog_span_id(text: &str) -> Parsed<8> {
    match decimal(text) {
        Some(value) => seal(value.to_be_bytes()),
        None => span_id(text),
    }
}

/// Trace id, span id and flags of a W3C `traceparent`.
pub(crate) fn traceparent(text: &str) -> Option<([u8; 16], [u8; 8], u8)> {
    let mut fields = text.trim().split('-');
    let version = fields.next()?;
    let (trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?);
    if version.len() != 2 || version.eq_ignore_ascii_case("ff") || trace.len() != 32 || flags.len() != 2 {
        return None;
    }
    match (trace_id(trace), span_id(span)) {
        (Parsed::Id(trace), Parsed::Id(span)) => Some((trace, span, u8::from_str_radix(flags, 16).ok()?)),
        _ => None,
    }
}

fn seal<const N: usize>(id: [u8; N]) -> Parsed<N> {
    if id == [0; N] { Parsed::Absent } else { Parsed::Id(id) }
}

fn decimal(text: &str) -> Option<u64> {
    (text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Writes hex digits into `out`, skipping dashes, and returns how many there were; nothing where there is another
/// character or no room.
fn hex_digits(text: &str, out: &mut [u8]) -> Option<usize> {
    let mut count = 0;
    for byte in text.bytes() {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'-' => continue,
            _ => return None,
        };
        let place = out.get_mut(count / 2)?;
        *place = *place << 4 | digit;
        count += 1;
    }
    Some(count)
}

/// Trace id, span id and flags found in plain text: `trace_id=… span_id=…` as OpenTelemetry's own logging set-ups
/// print them, a `traceparent`, or Spring's `[name,<trace>,<span>]` and `[<trace>-<span>]`.
pub(crate) fn in_text(finder: &Finder<'_>, text: &str) -> (Option<[u8; 16]>, Option<[u8; 8]>, Option<u8>) {
    let mut found = (None, None, None);
    for at in finder.find_iter(text.as_bytes()) {
        let Some(rest) = after_t(text, at, at + 4) else { continue };
        if rest.len() >= 6 && rest.as_bytes()[..6].eq_ignore_ascii_case(b"parent") {
            if let Some((trace, span, flags)) = value(&rest[6..]).and_then(traceparent) {
                return (Some(trace), Some(span), Some(flags));
            }
        } else if let Some(rest) = after_id_word(rest)
            && let Some(Parsed::Id(id)) = value(rest).map(trace_id)
        {
            found.0 = Some(id);
            break;
        }
    }
    if found.0.is_none() {
        return in_brackets(text).map_or(found, |(trace, span)| (Some(trace), Some(span), None));
    }
    for at in memchr::memmem::find_iter(text.as_bytes(), b"pan") {
        if at > 0
            && text.as_bytes()[at - 1].eq_ignore_ascii_case(&b's')
            && let Some(rest) = text.get(at + 3..).and_then(after_id_word)
            && let Some(Parsed::Id(id)) = value(rest).map(span_id)
        {
            found.1 = Some(id);
            break;
        }
    }
    found
}

/// The text from `end` on where a `t` stands before `at`.
fn after_t(text: &str, at: usize, end: usize) -> Option<&str> {
    let before = *text.as_bytes().get(at.checked_sub(1)?)?;
    before.eq_ignore_ascii_case(&b't').then(|| text.get(end..))?
}

/// What follows `_id`, `Id`, `.id`, `-id` or `ID`.
fn after_id_word(rest: &str) -> Option<&str> {
    let rest = rest.strip_prefix(['_', '.', '-', ' ']).unwrap_or(rest);
    (rest.len() >= 2 && rest.as_bytes()[..2].eq_ignore_ascii_case(b"id")).then(|| rest.get(2..))?
}

/// The value after `=` or `:`, without quotes.
fn value(rest: &str) -> Option<&str> {
    let rest = rest.trim_start_matches(['"', '\'', ' ']);
    let rest = rest.strip_prefix(['=', ':'])?.trim_start_matches(['"', '\'', ' ']);
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
    Some(&rest[..end])
}

/// 32 hex digits, a comma or dash, 16 hex digits and the end of a bracket.
fn in_brackets(text: &str) -> Option<([u8; 16], [u8; 8])> {
    for close in memchr::memchr_iter(b']', text.as_bytes()).take(4) {
        let Some(ids) = close.checked_sub(49).and_then(|begin| text.get(begin..close)) else { continue };
        if !matches!(ids.as_bytes()[32], b',' | b'-') {
            continue;
        }
        let (Some(trace), Some(span)) = (ids.get(..32), ids.get(33..)) else { continue };
        if let (Parsed::Id(trace), Parsed::Id(span)) = (trace_id(trace), span_id(span)) {
            return Some((trace, span));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: [u8; 16] =
        [0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36];
    const SPAN: [u8; 8] = [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7];

    #[test]
    fn trace_ids() {
        let check = |text: &str, expect| assert_eq!(trace_id(text), expect, "{text}");
        check("4bf92f3577b34da6a3ce929d0e0e4736", Parsed::Id(TRACE));
        check("4BF92F3577B34DA6A3CE929D0E0E4736", Parsed::Id(TRACE));
        check("4bf92f35-77b3-4da6-a3ce-929d0e0e4736", Parsed::Id(TRACE));
        check("projects/shop/traces/4bf92f3577b34da6a3ce929d0e0e4736", Parsed::Id(TRACE));
        check("00000000000000000000000000000000", Parsed::Absent);
        check("0", Parsed::Absent);
        check("", Parsed::Absent);
        check("a3ce929d0e0e4736", Parsed::Id([0, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36]));
        check("0000000000000000", Parsed::Absent);
        check("a", Parsed::Other);
        check("4bf92f3577b34da6a3ce929d0e0e47", Parsed::Other);
        check("4bf92f3577b34da6a3ce929d0e0e47361", Parsed::Other);
        check("not an id", Parsed::Other);
        assert_eq!(datadog_trace_id("255"), Parsed::Id(255_u128.to_be_bytes()));
        assert_eq!(datadog_span_id("18446744073709551615"), Parsed::Id([0xff; 8]));
        assert_eq!(datadog_span_id("0"), Parsed::Absent);
        assert_eq!(datadog_trace_id("4bf92f3577b34da6a3ce929d0e0e4736"), Parsed::Id(TRACE));
    }

    #[test]
    fn span_ids_and_traceparent() {
        let check = |text: &str, expect| assert_eq!(span_id(text), expect, "{text}");
        check("00f067aa0ba902b7", Parsed::Id(SPAN));
        check("00F067AA0BA902B7", Parsed::Id(SPAN));
        check("0000000000000000", Parsed::Absent);
        check("f067aa0ba902b7", Parsed::Other);
        let check = |text: &str, expect: bool| assert_eq!(traceparent(text).is_some(), expect, "{text}");
        assert_eq!(traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), Some((TRACE, SPAN, 1)));
        check("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false);
        check("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736", false);
    }

    #[test]
    fn ids_in_plain_text() {
        let both = (Some(TRACE), Some(SPAN), None);
        let check = |text: &str, expect| assert_eq!(in_text(&Finder::new(IN_TEXT), text), expect, "{text}");
        check("x [trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 trace_sampled=True] - m", both);
        check("traceId: \"4bf92f3577b34da6a3ce929d0e0e4736\", spanId: \"00f067aa0ba902b7\"", both);
        check("TraceID=4bf92f3577b34da6a3ce929d0e0e4736 SpanID=00f067aa0ba902b7", both);
        check("trace.id=4bf92f3577b34da6a3ce929d0e0e4736,span.id=00f067aa0ba902b7", both);
        check("[shop,4bf92f3577b34da6a3ce929d0e0e4736,00f067aa0ba902b7] m", both);
        check("[main] [4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7] c.e.Shop : m", both);
        check(
            "traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            (Some(TRACE), Some(SPAN), Some(1)),
        );
        check("trace_id=4bf92f3577b34da6a3ce929d0e0e4736", (Some(TRACE), None, None));
        check("trace_id=0 span_id=0", (None, None, None));
        check("span_id=00f067aa0ba902b7", (None, None, None));
        check("Traceback, a race, trace id", (None, None, None));
        check("race", (None, None, None));
    }
}
