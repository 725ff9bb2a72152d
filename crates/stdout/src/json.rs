//! Reads a JSON line into a tape.
//!
//! More is accepted than the standard has, because what is refused here ends as plain text: the numbers `NaN` and
//! `Infinity` as Python prints them, control characters inside texts, and half a surrogate pair, which becomes U+FFFD.
//! An integer beyond 64 bits stays a text of its digits. What is nested deeper than [`DEPTH_MAX`] is no JSON here.

use memchr::memchr2;

use crate::tape::{Tape, TextRange, Token};

/// Deepest nesting.
const DEPTH_MAX: usize = 64;

/// Reads a line that is one JSON object and nothing else; false where it is not.
pub(crate) fn read_object(line: &str, tape: &mut Tape) -> bool {
    tape.clear();
    let mut reader = Reader { line, at: 0, tape };
    reader.skip_space();
    reader.peek() == Some(b'{') && reader.value(0).is_some() && {
        reader.skip_space();
        reader.at == line.len()
    }
}

struct Reader<'a, 't> {
    line: &'a str,
    at: usize,
    tape: &'t mut Tape,
}

impl Reader<'_, '_> {
    fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn word(&mut self, word: &str, token: Token) -> Option<()> {
        self.line.as_bytes()[self.at..].starts_with(word.as_bytes()).then(|| {
            self.at += word.len();
            self.tape.tokens.push(token);
        })
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.text(),
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b't' => self.word("true", Token::Bool(true)),
            b'f' => self.word("false", Token::Bool(false)),
            b'n' => self.word("null", Token::Null),
            b'N' => self.word("NaN", Token::Double(f64::NAN)),
            b'I' => self.word("Infinity", Token::Double(f64::INFINITY)),
            b'-' if self.line.as_bytes()[self.at..].starts_with(b"-I") => {
                self.word("-Infinity", Token::Double(f64::NEG_INFINITY))
            }
            b'-' | b'0'..=b'9' => self.number(),
            _ => None,
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        let place = self.open(depth)?;
        if self.expect(b'}').is_none() {
            loop {
                (self.peek()? == b'"').then(|| self.text())??;
                self.skip_space();
                self.expect(b':')?;
                self.skip_space();
                self.value(depth + 1)?;
                self.skip_space();
                if self.expect(b',').is_none() {
                    break self.expect(b'}')?;
                }
                self.skip_space();
            }
        }
        self.tape.tokens[place] = Token::Object(u32::try_from(self.tape.tokens.len()).ok()?);
        Some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        let place = self.open(depth)?;
        if self.expect(b']').is_none() {
            loop {
                self.value(depth + 1)?;
                self.skip_space();
                if self.expect(b',').is_none() {
                    break self.expect(b']')?;
                }
                self.skip_space();
            }
        }
        self.tape.tokens[place] = Token::Array(u32::try_from(self.tape.tokens.len()).ok()?);
        Some(())
    }

    /// Steps over the bracket and keeps a place for the container.
    fn open(&mut self, depth: usize) -> Option<usize> {
        let place = self.tape.tokens.len();
        self.tape.tokens.push(Token::Null);
        self.at += 1;
        self.skip_space();
        (depth < DEPTH_MAX).then_some(place)
    }

    fn number(&mut self) -> Option<()> {
        let bytes = self.line.as_bytes();
        let start = self.at;
        let mut integral = true;
        self.at += 1;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'0'..=b'9' => {}
                b'.' | b'e' | b'E' | b'+' | b'-' => integral = false,
                _ => break,
            }
            self.at += 1;
        }
        let text = &self.line[start..self.at];
        let token = match integral {
            true => text
                .parse()
                .map(Token::Int)
                .or_else(|error: std::num::ParseIntError| {
                    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
                    matches!(error.kind(), PosOverflow | NegOverflow)
                        .then(|| Token::Text(source_range(start, self.at)))
                        .ok_or(error)
                })
                .ok()?,
            false => Token::Double(text.parse().ok()?),
        };
        self.tape.tokens.push(token);
        Some(())
    }

    fn text(&mut self) -> Option<()> {
        let bytes = self.line.as_bytes();
        let start = self.at + 1;
        let mut end = start + memchr2(b'"', b'\\', &bytes[start..])?;
        let range = if bytes[end] == b'"' {
            source_range(start, end)
        } else {
            let unescaped = self.tape.unescaped.len();
            let mut copied = start;
            while bytes[end] == b'\\' {
                self.tape.unescaped.push_str(&self.line[copied..end]);
                copied = self.escape(end + 1)?;
                end = copied + memchr2(b'"', b'\\', bytes.get(copied..)?)?;
            }
            self.tape.unescaped.push_str(&self.line[copied..end]);
            TextRange { unescaped: true, ..source_range(unescaped, self.tape.unescaped.len()) }
        };
        self.at = end + 1;
        self.tape.tokens.push(Token::Text(range));
        Some(())
    }

    /// Unescapes what follows the backslash and returns the place after it.
    fn escape(&mut self, at: usize) -> Option<usize> {
        let plain = match self.line.as_bytes().get(at)? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.escaped_unit(at + 1),
            _ => return None,
        };
        self.tape.unescaped.push(plain);
        Some(at + 1)
    }

    fn escaped_unit(&mut self, at: usize) -> Option<usize> {
        let unit = |at: usize| {
            let digits = self.line.get(at..at + 4)?;
            digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
        };
        let first = unit(at)?;
        let mut after = at + 4;
        let mut code = first;
        if (0xD800..0xDC00).contains(&first) && self.line.as_bytes()[after..].starts_with(b"\\u") {
            let second = unit(after + 2).filter(|second| (0xDC00..0xE000).contains(second));
            if let Some(second) = second {
                code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                after += 6;
            }
        }
        self.tape.unescaped.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        Some(after)
    }
}

fn source_range(start: usize, end: usize) -> TextRange {
    // A line is bounded far below 4 GiB.
    TextRange { start: start as u32, end: end as u32, unescaped: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Document;

    /// The tape as JSON-like text, in the order of the line.
    fn show(document: Document<'_>, at: usize) -> String {
        match document.token(at) {
            Token::Array(end) => {
                let mut items = Vec::new();
                let mut item = at + 1;
                while item < end as usize {
                    items.push(show(document, item));
                    item = document.after(item);
                }
                format!("[{}]", items.join(","))
            }
            Token::Object(_) => {
                let members: Vec<String> = document
                    .members(at)
                    .map(|key| format!("{}:{}", document.text(key).unwrap_or("?"), show(document, key + 1)))
                    .collect();
                format!("{{{}}}", members.join(","))
            }
            Token::Text(range) => format!("{:?}", document.range(range)),
            Token::Int(value) => format!("{value}"),
            Token::Double(value) => format!("{value:?}"),
            Token::Bool(value) => format!("{value}"),
            Token::Null => "null".to_owned(),
        }
    }

    fn check(line: &str, expect: Option<&str>) {
        let mut tape = Tape::default();
        let shown = read_object(line, &mut tape).then(|| show(Document { line, tape: &tape }, 0));
        assert_eq!(shown.as_deref(), expect, "{line}");
    }

    #[test]
    fn objects() {
        check("{}", Some("{}"));
        check(" { \"a\" : 1 , \"b\":[ ] } \r", Some("{a:1,b:[]}"));
        check(r#"{"a":{"b":[1,-2.5,true,false,null,"x"]},"a":2}"#, Some(r#"{a:{b:[1,-2.5,true,false,null,"x"]},a:2}"#));
        check(r#"{"a":1e3,"b":-0,"c":1.0,"d":0.1}"#, Some("{a:1000.0,b:0,c:1.0,d:0.1}"));
        check(r#"{"a":NaN,"b":Infinity,"c":-Infinity}"#, Some("{a:NaN,b:inf,c:-inf}"));
        check(r#"{"a":18446744073709551615}"#, Some(r#"{a:"18446744073709551615"}"#));
    }

    #[test]
    fn texts() {
        check(r#"{"a":"x\n\"y\"\\\/\t\u0041"}"#, Some(r#"{a:"x\n\"y\"\\/\tA"}"#));
        check(r#"{"a":"\ud83d\ude00 é"}"#, Some(r#"{a:"😀 é"}"#));
        check(r#"{"a":"\ud83d"}"#, Some("{a:\"\u{FFFD}\"}"));
        check(r#"{"a":"\ud83dx\ude00"}"#, Some("{a:\"\u{FFFD}x\u{FFFD}\"}"));
        check("{\"a\":\"x\ty\"}", Some(r#"{a:"x\ty"}"#));
        check(r#"{"\u0061b":""}"#, Some(r#"{ab:""}"#));
    }

    #[test]
    fn what_is_no_object() {
        for line in [
            "",
            "{",
            "}",
            "[]",
            "1",
            "\"a\"",
            "null",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":1} x",
            "{\"a\":1}{\"b\":2}",
            "{\"a\":tru}",
            "{\"a\":\"x}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":-}",
            "{\"a\":1.2.3}",
            "{\"a\":[1,]}",
            "{\"a\":\"\\",
            "{'a':1}",
            "{\"a\":\"\\u+123\"}",
        ] {
            check(line, None);
        }
        let deep = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        let mut tape = Tape::default();
        assert!(read_object(&deep(DEPTH_MAX - 1), &mut tape));
        assert!(!read_object(&deep(DEPTH_MAX), &mut tape));
    }
}
