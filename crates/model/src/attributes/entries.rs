//! The top level of an `attributes` text, without reading the values.

use std::borrow::Cow;

use super::parse::Cursor;

/// Iterator over the keys of an `attributes` text and the raw text of their values, in order.
///
/// It ends early where the text is not canonical.
pub struct Entries<'a> {
    cursor: Cursor<'a>,
    started: bool,
}

/// The top level of an `attributes` text.
pub fn entries(text: &str) -> Entries<'_> {
    Entries { cursor: Cursor { text, at: 0 }, started: false }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Cow<'a, str>, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let opened = self.cursor.take(if self.started { "," } else { "{" });
        self.started = true;
        if !opened {
            return None;
        }
        let key = self.cursor.string().ok()?;
        if !self.cursor.take(":") {
            return None;
        }
        let start = self.cursor.at;
        let end = value_end(self.cursor.text.as_bytes(), start)?;
        self.cursor.at = end;
        Some((key, self.cursor.text.get(start..end)?))
    }
}

/// Where the value that begins at `at` ends: quotes and brackets are counted, nothing else is looked at.
fn value_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match *bytes.get(at)? {
            b'"' => {
                at += 1;
                loop {
                    match *bytes.get(at)? {
                        b'"' => break,
                        b'\\' => at += 2,
                        _ => at += 1,
                    }
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                if depth == 0 {
                    return Some(at);
                }
                depth -= 1;
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            b',' if depth == 0 => return Some(at),
            _ => at += 1,
        }
    }
}
