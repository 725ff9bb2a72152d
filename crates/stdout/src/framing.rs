//! Bytes in, lines out.
//!
//! A line ends with `\n`; a `\r` before it belongs to the ending. The last line needs no ending. A line beyond the
//! limit is handed out in *parts*, so that memory stays bounded and no byte is lost.

use memchr::memchr;

/// A line, or a part of one, without its ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) bytes: &'a [u8],
    /// Place among the parts of a line that is too long, from 1; 0 for a whole line.
    pub(crate) part: u32,
}

/// Cuts a stream into lines. What was read of an unfinished line is kept until the next read.
#[derive(Debug)]
pub(crate) struct LineSplitter {
    unfinished: Vec<u8>,
    line_bytes_max: usize,
    /// Parts handed out of the unfinished line.
    parts: u32,
}

impl LineSplitter {
    pub(crate) fn new(line_bytes_max: usize) -> LineSplitter {
        LineSplitter { unfinished: Vec::new(), line_bytes_max: line_bytes_max.max(1), parts: 0 }
    }

    /// Takes what was read and hands out every line that ends in it.
    pub(crate) fn take(&mut self, mut read: &[u8], mut line: impl FnMut(Line<'_>)) {
        while let Some(end) = memchr(b'\n', read) {
            self.end_line(&read[..end], &mut line);
            read = &read[end + 1..];
        }
        self.keep(read, &mut line);
    }

    /// The stream has ended: hands out the last line if it had no ending.
    pub(crate) fn end(&mut self, mut line: impl FnMut(Line<'_>)) {
        if !self.unfinished.is_empty() {
            self.end_line(&[], &mut line);
        }
    }

    fn end_line(&mut self, rest: &[u8], line: &mut impl FnMut(Line<'_>)) {
        if self.unfinished.is_empty() && self.parts == 0 && rest.len() <= self.line_bytes_max {
            return line(Line { bytes: without_return(rest), part: 0 });
        }
        self.keep(rest, line);
        let part = if self.parts > 0 { self.parts + 1 } else { 0 };
        let last = without_return(&self.unfinished);
        if part == 0 || !last.is_empty() {
            line(Line { bytes: last, part });
        }
        self.unfinished.clear();
        self.parts = 0;
    }

    /// Keeps what has no ending yet, handing out parts where it grows too long.
    fn keep(&mut self, mut rest: &[u8], line: &mut impl FnMut(Line<'_>)) {
        while self.unfinished.len() + rest.len() > self.line_bytes_max {
            let room = self.line_bytes_max - self.unfinished.len();
            self.unfinished.extend_from_slice(&rest[..room]);
            rest = &rest[room..];
            // A character is not torn apart, where it is one.
            let whole = whole_characters(&self.unfinished);
            self.parts += 1;
            line(Line { bytes: &self.unfinished[..whole], part: self.parts });
            self.unfinished.drain(..whole);
        }
        self.unfinished.extend_from_slice(rest);
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Length without a character of UTF-8 that is cut off at the end; never 0.
fn whole_characters(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3);
    let Some(begin) = bytes[tail..].iter().rposition(|byte| *byte >= 0xC0) else { return bytes.len() };
    let needed = match bytes[tail + begin] {
        0xF0.. => 4,
        0xE0.. => 3,
        _ => 2,
    };
    let cut = tail + begin;
    if bytes.len() - cut < needed && cut > 0 { cut } else { bytes.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(max: usize, reads: &[&[u8]], expect: &[(&[u8], u32)]) {
        let mut splitter = LineSplitter::new(max);
        let mut lines: Vec<(Vec<u8>, u32)> = Vec::new();
        for read in reads {
            splitter.take(read, |line| lines.push((line.bytes.to_vec(), line.part)));
        }
        splitter.end(|line| lines.push((line.bytes.to_vec(), line.part)));
        let lines: Vec<(&[u8], u32)> = lines.iter().map(|(bytes, part)| (bytes.as_slice(), *part)).collect();
        assert_eq!(lines, expect, "{reads:?}");
    }

    #[test]
    fn lines_end_where_they_end() {
        check(100, &[b"a\nb\r\n\nc"], &[(b"a", 0), (b"b", 0), (b"", 0), (b"c", 0)]);
        check(100, &[b"a", b"b\nc", b"\n"], &[(b"ab", 0), (b"c", 0)]);
        check(100, &[b"a\r", b"\nb"], &[(b"a", 0), (b"b", 0)]);
        check(100, &[b"10%\r20%\r100%\n"], &[(b"10%\r20%\r100%", 0)]);
        check(100, &[b"\0\xff\n"], &[(b"\0\xff", 0)]);
        check(100, &[b""], &[]);
        check(100, &[b"\n"], &[(b"", 0)]);
    }

    #[test]
    fn a_long_line_comes_in_parts() {
        check(4, &[b"abcd\nx\n"], &[(b"abcd", 0), (b"x", 0)]);
        check(4, &[b"abcde\nx\n"], &[(b"abcd", 1), (b"e", 2), (b"x", 0)]);
        check(4, &[b"abcdefghij", b"k\nx"], &[(b"abcd", 1), (b"efgh", 2), (b"ijk", 3), (b"x", 0)]);
        check(4, &[b"abcdefgh\nx"], &[(b"abcd", 1), (b"efgh", 2), (b"x", 0)]);
        check(4, &[b"abcd\r\nx"], &[(b"abcd", 1), (b"x", 0)]);
        // No part ends within a character.
        check(4, &["abcé".as_bytes(), b"\n"], &[(b"abc", 1), ("é".as_bytes(), 2)]);
        check(4, &["ab😀c\n".as_bytes()], &[(b"ab", 1), ("😀".as_bytes(), 2), (b"c", 3)]);
        check(2, &[b"\xff\xff\xff\xff\n"], &[(b"\xff", 1), (b"\xff", 2), (b"\xff\xff", 3)]);
    }
}
