//! Reads a logfmt line into a tape: `time=… level=info msg="two words" count=3`.
//!
//! A line is logfmt when it is nothing but pairs, two at least, and names a level, a message or a time, or has three.
//! A value is a number or a boolean where writing it again gives the same text; everything else is a text.

use crate::tape::{Tape, TextRange, Token};

/// Keys that make two pairs a log line.
const TELLING: [&str; 10] = ["level", "lvl", "severity", "msg", "message", "time", "ts", "timestamp", "at", "trace_id"];

/// Reads the line; false where it is no logfmt.
pub(crate) fn read(line: &str, tape: &mut Tape) -> bool {
    tape.clear();
    let mut reader = Reader { line: line.trim_end(), at: 0, tape };
    if !reader.first_key_plausible() {
        return false;
    }
    reader.tape.tokens.push(Token::Null);
    let (mut pairs, mut telling) = (0, false);
    while reader.at < reader.line.len() {
        let Some(key) = reader.pair() else { return false };
        telling |= TELLING.contains(&key);
        pairs += 1;
        while reader.line.as_bytes().get(reader.at) == Some(&b' ') {
            reader.at += 1;
        }
    }
    let end = tape.tokens.len();
    tape.tokens[0] = Token::Object(end as u32);
    pairs >= 3 || (pairs == 2 && telling)
}

struct Reader<'a, 't> {
    line: &'a str,
    at: usize,
    tape: &'t mut Tape,
}

impl<'a> Reader<'a, '_> {
    /// Cheap refusal of most plain lines: a key and `=` come before the first space.
    fn first_key_plausible(&self) -> bool {
        let key = self.line.bytes().position(|byte| !is_key(byte));
        key.is_some_and(|end| end > 0 && self.line.as_bytes()[end] == b'=')
    }

    fn pair(&mut self) -> Option<&'a str> {
        let bytes = self.line.as_bytes();
        let start = self.at;
        while bytes.get(self.at).is_some_and(|byte| is_key(*byte)) {
            self.at += 1;
        }
        let end = self.at;
        if start == end || bytes.get(end) != Some(&b'=') {
            return None;
        }
        self.tape.tokens.push(Token::Text(range(start, end)));
        self.at += 1;
        match bytes.get(self.at) {
            Some(b'"') => self.quoted()?,
            _ => self.bare()?,
        }
        Some(&self.line[start..end])
    }

    fn bare(&mut self) -> Option<()> {
        let start = self.at;
        let bytes = self.line.as_bytes();
        while bytes.get(self.at).is_some_and(|byte| !matches!(byte, b' ' | b'"')) {
            self.at += 1;
        }
        if bytes.get(self.at) == Some(&b'"') {
            return None;
        }
        let token = typed(&self.line[start..self.at]).unwrap_or(Token::Text(range(start, self.at)));
        self.tape.tokens.push(token);
        Some(())
    }

    fn quoted(&mut self) -> Option<()> {
        let bytes = self.line.as_bytes();
        let start = self.at + 1;
        let unescaped = self.tape.unescaped.len();
        let mut copied = start;
        let mut at = start;
        loop {
            match bytes.get(at)? {
                b'"' => break,
                b'\\' => {
                    self.tape.unescaped.push_str(&self.line[copied..at]);
                    let plain = match bytes.get(at + 1)? {
                        b'n' => '\n',
                        b't' => '\t',
                        b'r' => '\r',
                        b'"' => '"',
                        b'\\' => '\\',
                        // Other escapes stay as they are written.
                        _ => {
                            copied = at;
                            at += 1;
                            continue;
                        }
                    };
                    self.tape.unescaped.push(plain);
                    at += 2;
                    copied = at;
                }
                _ => at += 1,
            }
        }
        let token = if copied == start && self.tape.unescaped.len() == unescaped {
            range(start, at)
        } else {
            self.tape.unescaped.push_str(&self.line[copied..at]);
            TextRange { unescaped: true, ..range(unescaped, self.tape.unescaped.len()) }
        };
        self.tape.tokens.push(Token::Text(token));
        self.at = at + 1;
        matches!(bytes.get(self.at), None | Some(b' ')).then_some(())
    }
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@' | b'/' | b':') || byte >= 0x80
}

/// A number or boolean that prints as it was written.
fn typed(text: &str) -> Option<Token> {
    match text {
        "true" => return Some(Token::Bool(true)),
        "false" => return Some(Token::Bool(false)),
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || first == '-') || text.len() > 24 {
        return None;
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let no_zero_ahead = !digits.starts_with('0') || digits.len() == 1 || digits.starts_with("0.");
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().filter(|_| no_zero_ahead && text != "-0").map(Token::Int);
    }
    let value: f64 = digits.contains('.').then(|| text.parse().ok())??;
    (format!("{value:?}") == text).then_some(Token::Double(value))
}

fn range(start: usize, end: usize) -> TextRange {
    TextRange { start: start as u32, end: end as u32, unescaped: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Document;

    fn check(line: &str, expect: Option<&[(&str, &str)]>) {
        let mut tape = Tape::default();
        let read = read(line, &mut tape);
        let document = Document { line, tape: &tape };
        let pairs: Vec<(String, String)> = document
            .members(0)
            .map(|key| {
                let value = match document.token(key + 1) {
                    Token::Text(range) => format!("'{}'", document.range(range)),
                    other => format!("{other:?}"),
                };
                (document.text(key).unwrap_or_default().to_owned(), value)
            })
            .collect();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(read.then_some(pairs.as_slice()), expect, "{line}");
    }

    #[test]
    fn pairs() {
        check("level=info msg=hello", Some(&[("level", "'info'"), ("msg", "'hello'")]));
        check(
            r#"time="2026-11-21T19:30:00Z" level=warning msg="a \"b\"\n" n=3 f=0.5 ok=true e= p="" x=a=b"#,
            Some(&[
                ("time", "'2026-11-21T19:30:00Z'"),
                ("level", "'warning'"),
                ("msg", "'a \"b\"\n'"),
                ("n", "Int(3)"),
                ("f", "Double(0.5)"),
                ("ok", "Bool(true)"),
                ("e", "''"),
                ("p", "''"),
                ("x", "'a=b'"),
            ]),
        );
        check("a=007 b=-1 c=1.50", Some(&[("a", "'007'"), ("b", "Int(-1)"), ("c", "'1.50'")]));
        check(r#"at=info path="C:\dir\x" "#, Some(&[("at", "'info'"), ("path", r"'C:\dir\x'")]));
    }

    #[test]
    fn what_is_no_logfmt() {
        for line in [
            "",
            "hello",
            "a=b",
            "a=b c=d",
            "started with a=b c=d level=info",
            "a=b rest of it",
            "=x level=info",
            "level=info msg=\"unclosed",
            "url=http://x?a=b",
            "key=\"a\"b level=info",
            "x=y z",
        ] {
            check(line, None);
        }
    }
}
