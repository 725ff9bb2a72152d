//! Canonical text to values. Strict: what [`super::write_value`] never writes (spaces, say) is an error.

use std::borrow::Cow;

use super::{AnyValue, DEPTH_MAX, base64};

/// The text is no canonical value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no canonical attribute text at byte {at}")]
pub struct ParseError {
    /// Where reading stopped, in bytes.
    pub at: usize,
}

/// Reads one value. Errors where the text is not canonical, or nests deeper than [`DEPTH_MAX`] allows.
pub fn parse(text: &str) -> Result<AnyValue, ParseError> {
    let mut cursor = Cursor { text, at: 0 };
    let value = cursor.value(0)?;
    cursor.end(value)
}

/// Reads an `attributes` column: an object that is a key-value list whatever its first key. Errors as [`parse`].
pub fn parse_key_values(text: &str) -> Result<Vec<(String, AnyValue)>, ParseError> {
    let mut cursor = Cursor { text, at: 0 };
    let entries = cursor.object(0)?;
    cursor.end(entries)
}

/// A place in a text.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    fn fail<T>(&self) -> Result<T, ParseError> {
        Err(ParseError { at: self.at })
    }

    fn end<T>(&self, value: T) -> Result<T, ParseError> {
        if self.at == self.text.len() { Ok(value) } else { self.fail() }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over `expected` if it is next.
    pub(super) fn take(&mut self, expected: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(expected.as_bytes());
        if found {
            self.at += expected.len();
        }
        found
    }

    fn need(&mut self, expected: &str) -> Result<(), ParseError> {
        if self.take(expected) { Ok(()) } else { self.fail() }
    }

    fn value(&mut self, depth: usize) -> Result<AnyValue, ParseError> {
        match self.peek() {
            Some(b'"') => Ok(AnyValue::String(self.string()?.into_owned())),
            Some(b'{') => self.tagged_or_object(depth),
            Some(b'[') => self.array(depth),
            Some(b'n') => self.need("null").map(|()| AnyValue::Empty),
            Some(b't') => self.need("true").map(|()| AnyValue::Bool(true)),
            Some(b'f') => self.need("false").map(|()| AnyValue::Bool(false)),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Result<AnyValue, ParseError> {
        let rest = &self.text[self.at..];
        let length = rest
            .bytes()
            .position(|b| !matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        let digits = &rest[..length];
        let value = if digits.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) {
            digits.parse().ok().filter(|value: &f64| value.is_finite()).map(AnyValue::Double)
        } else {
            digits.parse().ok().map(AnyValue::Int)
        };
        match value {
            Some(value) => {
                self.at += length;
                Ok(value)
            }
            None => self.fail(),
        }
    }

    fn array(&mut self, depth: usize) -> Result<AnyValue, ParseError> {
        if depth >= DEPTH_MAX {
            return self.fail();
        }
        self.need("[")?;
        let mut values = Vec::new();
        if self.take("]") {
            return Ok(AnyValue::Array(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            if self.take("]") {
                return Ok(AnyValue::Array(values));
            }
            self.need(",")?;
        }
    }

    /// An object in the place of a value: a tag where its first key starts with `$`.
    fn tagged_or_object(&mut self, depth: usize) -> Result<AnyValue, ParseError> {
        let value = if self.take(r#"{"$double":"#) {
            AnyValue::Double(self.tagged_double()?)
        } else if self.take(r#"{"$bytes":"#) {
            let text = self.string()?;
            let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
            if !base64::decode(&mut bytes, text.as_bytes()) {
                return self.fail();
            }
            AnyValue::Bytes(bytes)
        } else if self.take(r#"{"$kvlist":"#) {
            AnyValue::KeyValueList(self.object(depth)?)
        } else if self.text[self.at..].starts_with(r#"{"$"#) {
            return self.fail();
        } else {
            return self.object(depth).map(AnyValue::KeyValueList);
        };
        self.need("}")?;
        Ok(value)
    }

    fn tagged_double(&mut self) -> Result<f64, ParseError> {
        let text = self.string()?;
        match text.as_ref() {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            bits => match bits.strip_prefix("0x").map(|digits| u64::from_str_radix(digits, 16)) {
                Some(Ok(bits)) => Ok(f64::from_bits(bits)),
                _ => self.fail(),
            },
        }
    }

    fn object(&mut self, depth: usize) -> Result<Vec<(String, AnyValue)>, ParseError> {
        if depth >= DEPTH_MAX {
            return self.fail();
        }
        self.need("{")?;
        let mut entries = Vec::new();
        if self.take("}") {
            return Ok(entries);
        }
        loop {
            let key = self.string()?.into_owned();
            self.need(":")?;
            entries.push((key, self.value(depth + 1)?));
            if self.take("}") {
                return Ok(entries);
            }
            self.need(",")?;
        }
    }

    /// A quoted text; borrowed where nothing in it is escaped.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, ParseError> {
        self.need("\"")?;
        let start = self.at;
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Borrowed(&self.text[start..self.at - 1]));
                }
                Some(b'\\') => break,
                Some(_) => self.at += 1,
                None => return self.fail(),
            }
        }
        let mut out = self.text[start..self.at].to_owned();
        loop {
            let run = self.at;
            while !matches!(bytes.get(self.at), Some(b'"' | b'\\') | None) {
                self.at += 1;
            }
            out.push_str(&self.text[run..self.at]);
            match bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(out));
                }
                Some(_) => {
                    self.at += 1;
                    let character = self.escape()?;
                    out.push(character);
                }
                None => return self.fail(),
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<char, ParseError> {
        let Some(byte) = self.peek() else { return self.fail() };
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => byte as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.four_digits()?;
                let code = match high {
                    0xd800..0xdc00 if self.take("\\u") => {
                        let low = self.four_digits()?;
                        if !(0xdc00..0xe000).contains(&low) {
                            return self.fail();
                        }
                        0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
                    }
                    _ => high,
                };
                return char::from_u32(code).ok_or(ParseError { at: self.at });
            }
            _ => return self.fail(),
        })
    }

    fn four_digits(&mut self) -> Result<u32, ParseError> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let value = digits
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match value {
            Some(value) => {
                self.at += 4;
                Ok(value)
            }
            None => self.fail(),
        }
    }
}
