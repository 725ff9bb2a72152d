//! The filter language of `query=`: one text, read the same by the server and by the UI.
//!
//! ```text
//! timeout                        a word: a record's text holds it as a whole word
//! "connection refused"           a phrase: the words, next to each other, with what is between them
//! conn*  *fused  /api/*          a pattern: `*` stands for any text
//! service:checkout               a field is exactly this value; `field:"two words"`, `field:che*`
//! http.response.status_code:>=500    < <= > >= compare numbers, severities and durations
//! user.id:*                      the field has a value
//! a b   a AND b   a OR b   NOT a   -a   ( … )
//! ```
//!
//! Rules, the whole of them:
//! - Matching never minds case. Words next to each other mean AND, which binds tighter than OR. The operators are
//!   upper case; `and` is a word like any other. `-` negates where it stands directly before a term.
//! - A *word* is cut as the text index cuts text ([`Pattern`] says how it is then matched). Free text is searched in
//!   the body and the attribute values of a log record; in the name, status message and attribute values of a span.
//! - A backslash takes the next character literally; quotes do so for all but `\` and `"`.
//! - `field:value` splits at the first colon where what stands before it looks like a name, so `12:30:01` and
//!   `http://shop/cart` are text. A field with odd characters is quoted: `"my key":1`.
//! - [`Field`] lists the names that mean a part of the record; `resource.<key>` is a resource attribute; every other
//!   name is an attribute of the record, or of its resource where the record has none of that name. A name of earlier
//!   semantic conventions and today's are one field (`model::attribute_names`).
//!
//! Invariants: parsing is linear in the text, never recurses deeper than [`DEPTH_MAX`], and an error carries the
//! byte offset where reading stopped. Printing a [`Filter`] and parsing it again gives the same filter.

mod lexer;
mod parser;
mod print;
mod severity;
#[cfg(test)]
mod tests;

pub use lexer::{Lexeme, LexemeKind, lex};
pub use parser::parse;
pub use severity::Severity;

/// Longest text of a filter, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Deepest nesting of parentheses and negations.
pub const DEPTH_MAX: usize = 64;

/// Most words, phrases and field tests in one filter.
pub const TERMS_MAX: usize = 1024;

/// What kind of record a filter is about: some names mean a part of one and an attribute of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// Log records.
    Logs,
    /// Spans.
    Spans,
    /// Series of metrics: names are labels, but for `service` and `scope.name`.
    Metrics,
}

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// What was wrong and what to write instead.
    pub message: String,
    /// Byte offset in the text where reading stopped.
    pub position: usize,
}

/// A condition on one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Every record; the filter of an empty text.
    All,
    /// Free text.
    Text(Pattern),
    /// A test of one field.
    Field(Field, Test),
    /// Not this.
    Not(Box<Filter>),
    /// All of these; two at least.
    And(Vec<Filter>),
    /// One of these; two at least.
    Or(Vec<Filter>),
}

/// What a field test looks at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Field {
    /// `service`, `service.name`, `resource.service.name`.
    Service,
    /// `severity`, `severity_number`, `level`, of logs: the number, or what the text says where there is none.
    Severity,
    /// `severity_text` of logs.
    SeverityText,
    /// `trace_id`.
    TraceId,
    /// `span_id`.
    SpanId,
    /// `parent_span_id` of spans.
    ParentSpanId,
    /// `body` of logs; tested as free text is, in the body alone.
    Body,
    /// `event_name` of logs.
    EventName,
    /// `name` of spans.
    Name,
    /// `status` of spans: `unset`, `ok`, `error`.
    Status,
    /// `status_message` of spans.
    StatusMessage,
    /// `kind` of spans: `internal`, `server`, `client`, `producer`, `consumer`, `unspecified`.
    Kind,
    /// `duration` of spans, in nanoseconds.
    Duration,
    /// `scope.name`.
    ScopeName,
    /// `resource.<key>`.
    Resource(String),
    /// `attributes.<key>`, or any other name: an attribute of the record, else of its resource.
    Attribute(String),
}

/// The test of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The field has a value.
    Exists,
    /// The value's text is this.
    Is(Pattern),
    /// The value is a number in this interval. Texts that read as numbers count as numbers.
    Within(Interval),
}

/// An interval of numbers. Whole numbers are kept whole, so that 64-bit values compare exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lowest number inside, or just outside.
    pub low: Bound,
    /// Highest number inside, or just outside.
    pub high: Bound,
}

/// One end of an [`Interval`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// No end.
    None,
    /// This number is inside.
    Included(Number),
    /// This number is outside.
    Excluded(Number),
}

/// A number of a filter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Whole.
    Integer(i64),
    /// Any other.
    Double(f64),
}

/// A text with holes: the literal pieces between its stars, as written.
///
/// Against a field's value a pattern is anchored at both ends. In free text (and `body`), a pattern without a star
/// matches where the text holds it with all its words whole; one with stars whose pieces are letters and digits
/// only matches within one word (`conn*` a word that begins so); any other matches anywhere in the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    pieces: Vec<String>,
}

impl Pattern {
    /// A pattern without stars.
    pub fn literal(text: impl Into<String>) -> Pattern {
        Pattern { pieces: vec![text.into()] }
    }

    fn from_pieces(pieces: Vec<String>) -> Pattern {
        Pattern { pieces }
    }

    /// The text, where there is no star.
    pub fn as_literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [text] => Some(text),
            _ => None,
        }
    }

    /// Whether it is stars alone, so that any value matches.
    pub fn is_any(&self) -> bool {
        self.pieces.len() > 1 && self.pieces.iter().all(String::is_empty)
    }

    /// The pieces between the stars, one more than there are stars; the first and last are empty where the pattern
    /// begins or ends with one.
    pub fn pieces(&self) -> &[String] {
        &self.pieces
    }

    /// The same pattern in lower case, for texts in lower case.
    pub fn to_lowercase(&self) -> Pattern {
        Pattern { pieces: self.pieces.iter().map(|piece| piece.to_lowercase()).collect() }
    }

    /// Whether the whole of `text` is this pattern, case and all.
    pub fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.pieces.first().is_some_and(|only| only == text);
        };
        let Some(rest) = text.strip_prefix(first.as_str()) else { return false };
        let Some(rest) = rest.strip_suffix(last.as_str()) else { return false };
        find_in_order(rest, middle)
    }

    /// Whether `text` holds this pattern somewhere, case and all.
    pub fn is_within(&self, text: &str) -> bool {
        find_in_order(text, &self.pieces)
    }
}

/// Whether the pieces occur in the text one after the other.
fn find_in_order(text: &str, pieces: &[String]) -> bool {
    let mut rest = text;
    for piece in pieces {
        match rest.find(piece.as_str()) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    true
}

impl Number {
    /// How this number stands to another, exact for whole numbers; none with NaN.
    pub fn compare(self, other: Number) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => Some(a.cmp(&b)),
            (Number::Double(a), Number::Double(b)) => a.partial_cmp(&b),
            (Number::Integer(a), Number::Double(b)) => compare_mixed(a, b),
            (Number::Double(a), Number::Integer(b)) => compare_mixed(b, a).map(std::cmp::Ordering::reverse),
        }
    }

    /// Reads a JSON number or a text that looks like one.
    pub fn parse(text: &str) -> Option<Number> {
        let starts_well = text.bytes().next().is_some_and(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.'));
        if !starts_well {
            return None;
        }
        match text.parse::<i64>() {
            Ok(whole) => Some(Number::Integer(whole)),
            Err(_) => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Number::Double),
        }
    }
}

/// Compares without rounding the integer to a double first.
fn compare_mixed(whole: i64, double: f64) -> Option<std::cmp::Ordering> {
    use std::cmp::Ordering;
    if double.is_nan() {
        return None;
    }
    // 2^63 is exact as a double, i64::MAX is not.
    if double >= 9_223_372_036_854_775_808.0 {
        return Some(Ordering::Less);
    }
    if double < -9_223_372_036_854_775_808.0 {
        return Some(Ordering::Greater);
    }
    let floor = double.floor();
    let by_whole = whole.cmp(&(floor as i64));
    Some(if by_whole == Ordering::Equal && double > floor { Ordering::Less } else { by_whole })
}

impl Interval {
    /// Exactly this number.
    pub fn only(number: Number) -> Interval {
        Interval { low: Bound::Included(number), high: Bound::Included(number) }
    }

    /// Both ends inside.
    pub fn closed(low: i64, high: i64) -> Interval {
        Interval { low: Bound::Included(Number::Integer(low)), high: Bound::Included(Number::Integer(high)) }
    }

    /// Whether the number lies inside.
    pub fn contains(&self, number: Number) -> bool {
        let above = match self.low {
            Bound::None => true,
            Bound::Included(low) => number.compare(low).is_some_and(|order| order.is_ge()),
            Bound::Excluded(low) => number.compare(low).is_some_and(|order| order.is_gt()),
        };
        let below = match self.high {
            Bound::None => true,
            Bound::Included(high) => number.compare(high).is_some_and(|order| order.is_le()),
            Bound::Excluded(high) => number.compare(high).is_some_and(|order| order.is_lt()),
        };
        above && below
    }
}
