//! Steps over JSON text, so that a value is looked at once and where it stands is known.
//!
//! Nothing is built and nothing is checked beyond what finding the end of a value needs: what is read here is parsed
//! in full, and may fail, when it is shown. Depth costs no stack.

use std::borrow::Cow;
use std::ops::Range;

/// A place in the text, between tokens.
pub(super) struct Walk<'a> {
    text: &'a str,
    at: usize,
}

/// The text is no JSON, or not the value that was expected here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unexpected {
    /// Byte it was noticed at.
    pub(super) at: usize,
}

impl<'a> Walk<'a> {
    /// Begins at the head of the text.
    pub(super) fn new(text: &'a str) -> Walk<'a> {
        Walk { text, at: 0 }
    }

    /// The text at a place.
    pub(super) fn slice(&self, place: Range<usize>) -> &'a str {
        self.text.get(place).unwrap_or_default()
    }

    /// Where the walk stands.
    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// Steps to the next token and says where it stands.
    pub(super) fn skip_ahead(&mut self) -> Result<usize, Unexpected> {
        match self.peek() {
            Some(_) => Ok(self.at),
            None => self.unexpected(),
        }
    }

    fn unexpected<T>(&self) -> Result<T, Unexpected> {
        Err(Unexpected { at: self.at })
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn expect(&mut self, wanted: u8) -> Result<(), Unexpected> {
        if self.peek() != Some(wanted) {
            return self.unexpected();
        }
        self.at += 1;
        Ok(())
    }

    /// Steps into a list or object of which `is_first` is still to come; says whether there is another element.
    fn more(&mut self, end: u8, is_first: &mut bool) -> Result<bool, Unexpected> {
        if self.peek() == Some(end) {
            self.at += 1;
            return Ok(false);
        }
        if !std::mem::take(is_first) {
            self.expect(b',')?;
            self.peek();
        }
        Ok(true)
    }

    /// Calls `each` with the name of every member; it must step over the member's value.
    pub(super) fn members(
        &mut self,
        mut each: impl FnMut(&mut Walk<'a>, &str) -> Result<(), Unexpected>,
    ) -> Result<(), Unexpected> {
        self.expect(b'{')?;
        let mut is_first = true;
        while self.more(b'}', &mut is_first)? {
            let name = self.string()?;
            self.expect(b':')?;
            each(self, &name)?;
        }
        Ok(())
    }

    /// Calls `each` at every element; where it fails, the element is stepped over and counted.
    pub(super) fn elements(
        &mut self,
        mut each: impl FnMut(&mut Walk<'a>) -> Result<(), Unexpected>,
    ) -> Result<usize, Unexpected> {
        self.expect(b'[')?;
        let (mut is_first, mut failed) = (true, 0);
        while self.more(b']', &mut is_first)? {
            let start = self.at;
            if each(self).is_err() {
                self.at = start;
                self.skip()?;
                failed += 1;
            }
        }
        Ok(failed)
    }

    /// Steps over any value and says where it stood.
    pub(super) fn skip(&mut self) -> Result<Range<usize>, Unexpected> {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'"') => self.skip_string()?,
            Some(b'{' | b'[') => self.skip_nested()?,
            Some(b',' | b'}' | b']' | b':') | None => return self.unexpected(),
            Some(_) => {
                let rest = &self.text.as_bytes()[start..];
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
            }
        }
        Ok(start..self.at)
    }

    fn skip_nested(&mut self) -> Result<(), Unexpected> {
        let mut depth = 0_usize;
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => {
                    self.skip_string()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
                None => return self.unexpected(),
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Steps over the string that begins here.
    fn skip_string(&mut self) -> Result<(), Unexpected> {
        let bytes = self.text.as_bytes();
        let mut at = self.at + 1;
        loop {
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
                None => return self.unexpected(),
            }
        }
        self.at = at + 1;
        Ok(())
    }

    /// Reads a string.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Unexpected> {
        if self.peek() != Some(b'"') {
            return self.unexpected();
        }
        let start = self.at;
        self.skip_string()?;
        let inside = self.slice(start + 1..self.at - 1);
        match inside.contains('\\') {
            false => Ok(Cow::Borrowed(inside)),
            true => {
                serde_json::from_str(self.slice(start..self.at)).map(Cow::Owned).map_err(|_| Unexpected { at: start })
            }
        }
    }

    /// Reads a string, or `null` as `None`.
    pub(super) fn optional_string(&mut self) -> Result<Option<Cow<'a, str>>, Unexpected> {
        match self.peek() {
            Some(b'"') => self.string().map(Some),
            _ => self.skip().map(|_| None),
        }
    }

    /// Reads a number, bare or in a string as OTLP/JSON has 64-bit ones.
    pub(super) fn integer(&mut self) -> Result<i64, Unexpected> {
        let place = self.skip()?;
        let at = place.start;
        self.slice(place).trim_matches('"').parse().map_err(|_| Unexpected { at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_they_end() {
        let check = |text: &str, expect: Option<&str>| {
            let mut walk = Walk::new(text);
            let found = walk.skip().ok().map(|place| walk.slice(place));
            assert_eq!(found, expect, "{text}");
        };
        check(" 12,", Some("12"));
        check("-1.5e3", Some("-1.5e3"));
        check("true}", Some("true"));
        check(r#""a\"b\\" x"#, Some(r#""a\"b\\""#));
        check(r#"{"a":[1,{"b":"}]"}],"c":"\""} tail"#, Some(r#"{"a":[1,{"b":"}]"}],"c":"\""}"#));
        check("\"日本\"", Some("\"日本\""));
        check("", None);
        check("  ", None);
        check("\"open", None);
        check("\"open\\", None);
        check("{\"a\":", None);
        check("}", None);
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        check(&deep, Some(&deep));
    }

    #[test]
    fn members_and_elements() {
        let mut seen = Vec::new();
        let mut walk = Walk::new(r#" { "a" : 1 , "b\u0041": [ {"x":2} , 7, {} ] } "#);
        let outcome = walk.members(|walk, name| {
            seen.push(name.to_owned());
            match name {
                "a" => walk.integer().map(|number| seen.push(number.to_string())),
                _ => walk.elements(|walk| walk.members(|walk, _| walk.skip().map(drop))).map(|failed| {
                    seen.push(format!("{failed} failed"));
                }),
            }
        });
        assert_eq!(outcome, Ok(()));
        assert_eq!(seen, ["a", "1", "bA", "1 failed"]);
        assert!(Walk::new("{\"a\" 1}").members(|walk, _| walk.skip().map(drop)).is_err());
        assert!(Walk::new("[1 2]").elements(|walk| walk.skip().map(drop)).is_err());
        assert_eq!(Walk::new("\"-5\"").integer(), Ok(-5));
        assert!(Walk::new("\"x\"").integer().is_err());
        assert_eq!(Walk::new("null").optional_string(), Ok(None));
    }
}
