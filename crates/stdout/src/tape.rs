//! Values of a structured line, one after the other, without a tree: what JSON and logfmt lines are read into.
//!
//! An object is followed by its members, key before value; an array by its items. Texts are ranges of the line, or of
//! the tape's own buffer where they had to be unescaped. A tape is used again for every line, so that a line costs no
//! allocation.

use otlp_wire::{put_fixed64, put_int_value, put_key_value, put_message, put_number, put_text_value};

/// One value, or a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Token {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(TextRange),
    /// An array; the place after its last item.
    Array(u32),
    /// An object; the place after its last member.
    Object(u32),
}

/// Where a text lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextRange {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// In the tape's buffer and not in the line.
    pub(crate) unescaped: bool,
}

/// The values of one line.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    pub(crate) tokens: Vec<Token>,
    pub(crate) unescaped: String,
}

impl Tape {
    pub(crate) fn clear(&mut self) {
        self.tokens.clear();
        self.unescaped.clear();
    }
}

/// A line with its values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Document<'a> {
    pub(crate) line: &'a str,
    pub(crate) tape: &'a Tape,
}

impl<'a> Document<'a> {
    pub(crate) fn token(&self, at: usize) -> Token {
        self.tape.tokens.get(at).copied().unwrap_or(Token::Null)
    }

    pub(crate) fn range(&self, range: TextRange) -> &'a str {
        let source = if range.unescaped { self.tape.unescaped.as_str() } else { self.line };
        source.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    /// The text at this place, if it is one.
    pub(crate) fn text(&self, at: usize) -> Option<&'a str> {
        match self.token(at) {
            Token::Text(range) => Some(self.range(range)),
            _ => None,
        }
    }

    /// The integer at this place; a text of digits is one too.
    pub(crate) fn int(&self, at: usize) -> Option<i64> {
        match self.token(at) {
            Token::Int(value) => Some(value),
            Token::Text(range) => self.range(range).parse().ok(),
            _ => None,
        }
    }

    /// The place after the value at this place.
    pub(crate) fn after(&self, at: usize) -> usize {
        match self.token(at) {
            Token::Array(end) | Token::Object(end) => end as usize,
            _ => at + 1,
        }
    }

    /// Places of the members' keys; each value follows its key. Nothing where there is no object.
    pub(crate) fn members(self, at: usize) -> impl Iterator<Item = usize> + use<'a> {
        let end = match self.token(at) {
            Token::Object(end) => end as usize,
            _ => at,
        };
        let mut next = at + 1;
        std::iter::from_fn(move || {
            let key = (next < end).then_some(next)?;
            next = self.after(key + 1);
            Some(key)
        })
    }

    /// Place of the value of this member.
    pub(crate) fn member(self, at: usize, name: &str) -> Option<usize> {
        self.members(at).find(|key| self.text(*key) == Some(name)).map(|key| key + 1)
    }

    /// Appends the value at this place as the bytes of an `AnyValue`, without the members whose keys `skip` names.
    pub(crate) fn encode(self, at: usize, skip: &[bool], out: &mut Vec<u8>) {
        match self.token(at) {
            Token::Null => {}
            Token::Bool(value) => put_number(out, 2, u64::from(value)),
            Token::Int(value) => put_int_value(out, value),
            Token::Double(value) => put_fixed64(out, 4, value.to_bits()),
            Token::Text(range) => put_text_value(out, self.range(range)),
            Token::Array(end) => put_message(out, 5, |out| {
                let mut item = at + 1;
                while item < end as usize {
                    put_message(out, 1, |out| self.encode(item, skip, out));
                    item = self.after(item);
                }
            }),
            Token::Object(_) => put_message(out, 6, |out| {
                for key in self.members(at).filter(|key| !skip.get(*key).copied().unwrap_or_default()) {
                    let name = self.text(key).unwrap_or_default();
                    put_key_value(out, 1, name, |out| self.encode(key + 1, skip, out));
                }
            }),
        }
    }

    /// Appends the value as a person reads it: a text bare, a number in digits, anything nested not at all.
    pub(crate) fn print(self, at: usize, out: &mut String) {
        use std::fmt::Write as _;
        let _ = match self.token(at) {
            Token::Null => write!(out, "null"),
            Token::Bool(value) => write!(out, "{value}"),
            Token::Int(value) => write!(out, "{value}"),
            Token::Double(value) => write!(out, "{value}"),
            Token::Text(range) => write!(out, "{}", self.range(range)),
            Token::Array(_) => write!(out, "[…]"),
            Token::Object(_) => write!(out, "{{…}}"),
        };
    }
}
