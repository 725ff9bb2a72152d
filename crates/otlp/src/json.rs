//! A pull parser over JSON text: the caller says what it expects where, nothing is built in between.
//!
//! Lenient where OTLP/JSON producers are: a byte order mark is skipped, bytes that are no UTF-8 and halves of
//! surrogate pairs become U+FFFD, control characters may stand in strings. Strict about structure. Keys come
//! out in lowerCamelCase, whichever of the two spellings was sent. It never recurses.

use crate::Stop;

/// A place in the text to come back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position(usize);

/// What stood where an object, list or text was expected. `Other` has been skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Open,
    Null,
    Other,
}

pub(crate) struct Json<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The texts with escapes are unescaped here.
    buffer: String,
    /// Brackets open in what is being skipped: true for an object.
    nesting: Vec<bool>,
    /// The member just read was of no known key.
    unknown: bool,
    /// Some text was no valid Unicode.
    pub replaced: bool,
    /// Some known key came in snake_case.
    pub snake_case: bool,
}

/// Longer than any key OTLP knows.
const KEY_BYTES_MAX: usize = 40;

/// A key in lowerCamelCase; empty, which is no key, where it is longer than any known one.
enum Key<'a> {
    Plain(&'a [u8]),
    Built([u8; KEY_BYTES_MAX], usize),
}

impl Key<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Key::Plain(bytes) => bytes,
            Key::Built(bytes, length) => &bytes[..*length],
        }
    }
}

impl<'a> Json<'a> {
    pub fn new(bytes: &'a [u8]) -> Json<'a> {
        Json {
            bytes: bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes),
            at: 0,
            buffer: String::new(),
            nesting: Vec::new(),
            unknown: false,
            replaced: false,
            snake_case: false,
        }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn position(&self) -> Position {
        Position(self.at)
    }

    /// What was read since an earlier position.
    pub fn since(&self, position: Position) -> &'a [u8] {
        self.bytes.get(position.0..self.at).unwrap_or_default()
    }

    /// Reads what stands at an earlier position, and returns.
    pub fn revisit<T>(
        &mut self,
        position: Position,
        read: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let back = std::mem::replace(&mut self.at, position.0);
        let result = read(self)?;
        self.at = back;
        Ok(result)
    }

    /// The next byte that is no white space.
    #[inline]
    pub fn peek(&mut self) -> Result<u8, Stop> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return Ok(*byte),
                None => return Err(Stop::Malformed("the JSON ends early")),
            }
        }
    }

    /// Nothing but white space may follow.
    pub fn end(&mut self) -> Result<(), Stop> {
        match self.peek() {
            Ok(_) => Err(Stop::Malformed("something follows the JSON object")),
            Err(_) => Ok(()),
        }
    }

    #[inline]
    fn need(&mut self, expected: u8, what: &'static str) -> Result<(), Stop> {
        if self.peek()? == expected {
            self.at += 1;
            Ok(())
        } else {
            Err(Stop::Malformed(what))
        }
    }

    fn literal(&mut self, literal: &'static [u8]) -> Result<(), Stop> {
        if !self.bytes[self.at..].starts_with(literal) {
            return Err(Stop::Malformed("a JSON value was expected"));
        }
        self.at += literal.len();
        Ok(())
    }

    /// Steps over a null.
    #[inline]
    pub fn null(&mut self) -> Result<bool, Stop> {
        let found = self.peek()? == b'n';
        if found {
            self.literal(b"null")?;
        }
        Ok(found)
    }

    /// The boolean that stands here; anything else but null is skipped.
    pub fn boolean(&mut self) -> Result<(Shape, bool), Stop> {
        match self.peek()? {
            b't' => self.literal(b"true").map(|()| (Shape::Open, true)),
            b'f' => self.literal(b"false").map(|()| (Shape::Open, false)),
            b'n' => self.literal(b"null").map(|()| (Shape::Null, false)),
            _ => self.skip().map(|()| (Shape::Other, false)),
        }
    }

    /// Calls `member` for each key, which must read or skip the value.
    #[inline]
    pub fn object(&mut self, mut member: impl FnMut(&mut Self, &[u8]) -> Result<(), Stop>) -> Result<Shape, Stop> {
        if self.peek()? != b'{' {
            return self.other();
        }
        self.at += 1;
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(Shape::Open);
        }
        loop {
            let (key, snake_case) = self.key()?;
            self.need(b':', "a colon was expected")?;
            self.unknown = false;
            member(self, key.bytes())?;
            self.snake_case |= snake_case && !self.unknown;
            self.unknown = false;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(Shape::Open);
                }
                _ => return Err(Stop::Malformed("a comma or a closing brace was expected")),
            }
        }
    }

    /// Calls `element` for each element but nulls, which must read or skip it.
    #[inline]
    pub fn array(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), Stop>) -> Result<Shape, Stop> {
        if self.peek()? != b'[' {
            return self.other();
        }
        self.at += 1;
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(Shape::Open);
        }
        loop {
            if !self.null()? {
                element(self)?;
            }
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(Shape::Open);
                }
                _ => return Err(Stop::Malformed("a comma or a closing bracket was expected")),
            }
        }
    }

    /// Null, or something else to skip.
    fn other(&mut self) -> Result<Shape, Stop> {
        if self.null()? { Ok(Shape::Null) } else { self.skip().map(|()| Shape::Other) }
    }

    fn key(&mut self) -> Result<(Key<'a>, bool), Stop> {
        let (raw, escaped) = self.raw_string()?;
        if !escaped && !raw.contains(&b'_') {
            return Ok((Key::Plain(raw), false));
        }
        let mut built = [0; KEY_BYTES_MAX];
        let (mut length, mut upper, mut snake_case) = (0, false, false);
        let unescaped = if escaped { self.unescaped(raw) } else { String::new() };
        for &byte in if escaped { unescaped.as_bytes() } else { raw } {
            if byte == b'_' {
                (upper, snake_case) = (true, true);
                continue;
            }
            let Some(place) = built.get_mut(length) else {
                length = 0;
                break;
            };
            *place = if upper { byte.to_ascii_uppercase() } else { byte };
            upper = false;
            length += 1;
        }
        Ok((Key::Built(built, length), snake_case))
    }

    /// Calls `read` with the text that stands here; anything else but null is skipped.
    #[inline]
    pub fn string(&mut self, read: impl FnOnce(&str)) -> Result<Shape, Stop> {
        if self.peek()? != b'"' {
            return self.other();
        }
        let (raw, escaped) = self.raw_string()?;
        if !escaped && let Ok(text) = std::str::from_utf8(raw) {
            read(text);
        } else {
            let text = self.unescaped(raw);
            read(&text);
            self.buffer = text;
        }
        Ok(Shape::Open)
    }

    /// The bytes between the quotes of a string, and whether there are escapes among them.
    #[inline]
    pub fn raw_string(&mut self) -> Result<(&'a [u8], bool), Stop> {
        self.need(b'"', "a string was expected")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = &self.bytes[self.at..];
            self.at += quote_or_backslash(rest).ok_or(Stop::Malformed("a string is cut short"))?;
            if self.bytes[self.at] == b'"' {
                self.at += 1;
                return Ok((&self.bytes[start..self.at - 1], escaped));
            }
            escaped = true;
            self.at += 2;
            if self.at > self.bytes.len() {
                return Err(Stop::Malformed("a string is cut short"));
            }
        }
    }

    /// The text of a raw string, in the buffer's memory.
    fn unescaped(&mut self, raw: &[u8]) -> String {
        let mut out = std::mem::take(&mut self.buffer);
        out.clear();
        let mut rest = raw;
        while let Some(at) = quote_or_backslash(rest) {
            self.push_lossy(&mut out, &rest[..at]);
            let (character, length) = escape(&rest[at..]);
            self.replaced |= character.is_none();
            out.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
            rest = &rest[at + length..];
        }
        self.push_lossy(&mut out, rest);
        out
    }

    fn push_lossy(&mut self, out: &mut String, bytes: &[u8]) {
        match std::str::from_utf8(bytes) {
            Ok(text) => out.push_str(text),
            Err(_) => {
                self.replaced = true;
                out.push_str(&String::from_utf8_lossy(bytes));
            }
        }
    }

    /// The characters of a number, unchecked; none where no number stands here.
    pub fn raw_number(&mut self) -> &'a [u8] {
        let start = self.at;
        while let Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
        }
        &self.bytes[start..self.at]
    }

    /// Skips the value of a key nobody knows.
    pub fn skip_unknown(&mut self) -> Result<(), Stop> {
        self.skip()?;
        self.unknown = true;
        Ok(())
    }

    /// Skips any value, however deep.
    pub fn skip(&mut self) -> Result<(), Stop> {
        self.nesting.clear();
        loop {
            match self.peek()? {
                b'"' => drop(self.raw_string()?),
                open @ (b'{' | b'[') => {
                    self.at += 1;
                    if self.peek()? == open + 2 {
                        self.at += 1;
                    } else {
                        self.nesting.push(open == b'{');
                        self.skip_key()?;
                        continue;
                    }
                }
                b't' => self.literal(b"true")?,
                b'f' => self.literal(b"false")?,
                b'n' => self.literal(b"null")?,
                _ => {
                    if self.raw_number().is_empty() {
                        return Err(Stop::Malformed("a JSON value was expected"));
                    }
                }
            }
            // A value has ended: so may any number of brackets.
            loop {
                let Some(&object) = self.nesting.last() else { return Ok(()) };
                match self.peek()? {
                    b',' => {
                        self.at += 1;
                        self.skip_key()?;
                        break;
                    }
                    b'}' if object => self.at += 1,
                    b']' if !object => self.at += 1,
                    _ => return Err(Stop::Malformed("brackets do not match")),
                }
                self.nesting.pop();
            }
        }
    }

    fn skip_key(&mut self) -> Result<(), Stop> {
        if self.nesting.last() == Some(&true) {
            self.raw_string()?;
            self.need(b':', "a colon was expected")?;
        }
        Ok(())
    }
}

/// Where the first quote or backslash is.
#[inline]
fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let zero_byte = |x: u64| x.wrapping_sub(ONES) & !x & (ONES << 7);
    let (eights, rest) = bytes.as_chunks::<8>();
    for (at, eight) in eights.iter().enumerate() {
        let eight = u64::from_le_bytes(*eight);
        let found = zero_byte(eight ^ (ONES * 0x22)) | zero_byte(eight ^ (ONES * 0x5c));
        if found != 0 {
            // False hits of the borrow lie above the first true one.
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some(eights.len() * 8 + at)
}

/// The character a backslash and what follows stand for, and their length; none where they stand for none.
fn escape(bytes: &[u8]) -> (Option<char>, usize) {
    let character = match bytes.get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
        Some(b'u') => {
            let Some(high) = four_digits(bytes, 2) else { return (None, 2) };
            if (0xd800..0xdc00).contains(&high)
                && bytes.get(6..8) == Some(b"\\u")
                && let Some(low @ 0xdc00..0xe000) = four_digits(bytes, 8)
            {
                return (char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)), 12);
            }
            return (char::from_u32(high), 6);
        }
        _ => return (None, bytes.len().min(2)),
    };
    (Some(character), 2)
}

fn four_digits(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let check = |json: &[u8], expect: &str, replaced: bool| {
            let mut parser = Json::new(json);
            let mut found = None;
            let shape = parser.string(|text| found = Some(text.to_owned()));
            assert_eq!((shape, found.as_deref()), (Ok(Shape::Open), Some(expect)), "{json:?}");
            assert_eq!(parser.replaced, replaced, "{json:?}");
            assert_eq!(parser.end(), Ok(()));
        };
        check(br#" "" "#, "", false);
        check(br#""plain text of some length""#, "plain text of some length", false);
        check(br#""a\"\\\/\b\f\n\r\t\u0041\u0000""#, "a\"\\/\u{8}\u{c}\n\r\tA\0", false);
        check(br#""\ud83d\ude00!""#, "\u{1f600}!", false);
        check(br#""cut \ud83d""#, "cut \u{fffd}", true);
        check(br#""\ude00\ud83dx""#, "\u{fffd}\u{fffd}x", true);
        check(br#""\x""#, "\u{fffd}", true);
        check(br#""\u12g4""#, "\u{fffd}12g4", true);
        check(b"\"a\xffb\"", "a\u{fffd}b", true);
        check(b"\"a\xff\\n\"", "a\u{fffd}\n", true);
        check(b"\"two\nlines\"", "two\nlines", false);
        check("\"é😀\"".as_bytes(), "é😀", false);
    }

    #[test]
    fn keys_are_camel_case_and_known_aliases_noticed() {
        let check = |json: &str, expect: &[&str], snake_case: bool| {
            let mut parser = Json::new(json.as_bytes());
            let mut found = Vec::new();
            let shape = parser.object(|json, key| {
                found.push(String::from_utf8_lossy(key).into_owned());
                if key == b"knownKey" { json.skip() } else { json.skip_unknown() }
            });
            assert_eq!(shape, Ok(Shape::Open), "{json}");
            assert_eq!(found, expect, "{json}");
            assert_eq!(parser.snake_case, snake_case, "{json}");
        };
        check("{}", &[], false);
        check(r#"{"knownKey":1}"#, &["knownKey"], false);
        check(r#"{"known_key":{"a_b":1}}"#, &["knownKey"], true);
        check(r#"{"other_key":1, "x":[]}"#, &["otherKey", "x"], false);
        check(r#"{"\u006bnownKey":1}"#, &["knownKey"], false);
        check(&format!(r#"{{"{}":1}}"#, "long_".repeat(50)), &[""], false);
    }

    #[test]
    fn anything_is_skipped_and_nothing_malformed() {
        let check = |json: &str, valid: bool| {
            let mut parser = Json::new(json.as_bytes());
            assert_eq!(parser.skip().and_then(|()| parser.end()).is_ok(), valid, "{json:.80}");
        };
        check(r#"{"a":[1,-2.5e+7,{"b":null,"c":[]},"x\"]"],"d":{}}"#, true);
        check("true", true);
        check(r#"[1,2"#, false);
        check(r#"[1}"#, false);
        check(r#"{"a"}"#, false);
        check(r#"{a:1}"#, false);
        check(r#"[,]"#, false);
        check("nul", false);
        check("", false);
        check(r#""\"#, false);
        check(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), true);
        check(&"[".repeat(100_000), false);
        check(&r#"{"a":"#.repeat(100_000), false);
    }
}
