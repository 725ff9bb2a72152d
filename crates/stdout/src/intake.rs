//! One stream of an app: bytes in, log records out.
//!
//! A line that is a JSON object or logfmt is a record of its own; other lines are grouped first. No line is lost: what
//! cannot be read as anything is the text of a record. Blank lines alone are no records.

use std::borrow::Cow;

use memchr::memmem::Finder;

use crate::draft::{Draft, Iostream, unix_nano};
use crate::framing::{Line, LineSplitter};
use crate::group::{Group, Grouper, PlainLine};
use crate::ids;
use crate::limits::LineLimits;
use crate::native::Native;
use crate::plain::Facts;
use crate::severity;
use crate::structured::{Mapper, OpenService};
use crate::tape::{Document, Tape};
use crate::times::Clock;
use crate::{exception, json, logfmt};

/// How lines are read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions {
    /// Bounds.
    pub limits: LineLimits,
    /// Which of the service's names lines may fill.
    pub open_service: OpenService,
    /// Offset from UTC of times that name none, in nanoseconds.
    pub zone: i64,
    /// Whether the text of structured lines is kept beside what was read from it.
    pub keep_original: bool,
    /// Whether colours are taken out of the body.
    pub strip_colors: bool,
}

/// Receives records.
pub(crate) trait Records {
    /// Takes a record; it is used again afterwards.
    fn take(&mut self, record: &Draft);

    /// Takes a line that is an export request already.
    fn take_native(&mut self, native: Native);
}

/// One stream of an app.
#[derive(Debug)]
pub struct Stream {
    splitter: LineSplitter,
    lines: Lines,
}

impl Stream {
    /// A stream that has not begun.
    pub fn new(iostream: Iostream, options: ReadOptions) -> Stream {
        Stream { splitter: LineSplitter::new(options.limits.line_bytes_max), lines: Lines::new(iostream, options) }
    }

    /// Takes what was read.
    pub(crate) fn take(&mut self, read: &[u8], now: i64, records: &mut impl Records) {
        self.splitter.take(read, |line| self.lines.take(line, now, records));
    }

    /// When [`Stream::end_silent`] has something to do, in Unix nanoseconds.
    pub(crate) fn deadline(&self) -> Option<i64> {
        self.lines.grouper.deadline()
    }

    /// Ends records that might have gone on, and were silent for too long.
    pub(crate) fn end_silent(&mut self, now: i64, records: &mut impl Records) {
        let Lines { grouper, writer, .. } = &mut self.lines;
        grouper.end_silent(now, |group| writer.group(group, records));
    }

    /// The stream has ended.
    pub(crate) fn end(&mut self, now: i64, records: &mut impl Records) {
        self.splitter.end(|line| self.lines.take(line, now, records));
        let Lines { grouper, writer, .. } = &mut self.lines;
        grouper.end(|group| writer.group(group, records));
    }
}

/// What becomes of the lines of a stream.
#[derive(Debug)]
struct Lines {
    grouper: Grouper,
    writer: Writer,
    last_observed: i64,
    plain: String,
}

impl Lines {
    fn new(iostream: Iostream, options: ReadOptions) -> Lines {
        Lines {
            grouper: Grouper::new(options.limits),
            writer: Writer::new(iostream, options),
            last_observed: 0,
            plain: String::new(),
        }
    }

    fn take(&mut self, line: Line<'_>, now: i64, records: &mut impl Records) {
        // Lines read at once keep their order: no two have the same time.
        self.last_observed = now.max(self.last_observed + 1);
        let clock = Clock { now: self.last_observed, zone: self.writer.options.zone };
        let Lines { grouper, writer, plain, .. } = self;
        let whole = String::from_utf8_lossy(line.bytes);
        let text = without_colors(&whole, plain);
        if line.part > 0 {
            grouper.interrupt(|group| writer.group(group, records));
            return writer.part(line, &whole, clock, records);
        }
        let trimmed = text.trim();
        let Some(first) = trimmed.bytes().next() else { return grouper.take_blank() };
        if let Some(native) = Native::read(trimmed) {
            grouper.interrupt(|group| writer.group(group, records));
            return records.take_native(native);
        }
        let structured = match first {
            b'{' => json::read_object(trimmed, &mut writer.tape),
            b'[' | b'<' | b'"' => false,
            _ => text.starts_with(first as char) && logfmt::read(trimmed, &mut writer.tape),
        };
        if structured {
            grouper.interrupt(|group| writer.group(group, records));
            return writer.structured(line, trimmed, clock, records);
        }
        grouper.take(PlainLine { bytes: line.bytes, text }, clock, |group| writer.group(group, records));
    }
}

/// Writes records.
#[derive(Debug)]
struct Writer {
    iostream: Iostream,
    options: ReadOptions,
    mapper: Mapper,
    tape: Tape,
    draft: Draft,
    facts: Facts,
    plain: String,
    id_finder: Finder<'static>,
}

/// Name of the attribute with a line as it was.
const ORIGINAL: &str = "log.record.original";
/// Name of the attribute with the place of a part of a line that was too long, from 1.
const PART: &str = "line.part";

impl Writer {
    fn new(iostream: Iostream, options: ReadOptions) -> Writer {
        Writer {
            iostream,
            options,
            mapper: Mapper::new(options.open_service),
            tape: Tape::default(),
            draft: Draft::default(),
            facts: Facts::default(),
            plain: String::new(),
            id_finder: Finder::new(ids::IN_TEXT),
        }
    }

    /// A record from the line that lies in the tape.
    fn structured(&mut self, line: Line<'_>, text: &str, clock: Clock, records: &mut impl Records) {
        self.draft.begin(clock.now, Some(self.iostream));
        self.mapper.map(Document { line: text, tape: &self.tape }, clock, &mut self.draft);
        if self.draft.record.body.is_empty() {
            self.draft.record.text_body(text.as_bytes());
        }
        if std::str::from_utf8(line.bytes).is_err() {
            self.draft.record.bytes_attribute(ORIGINAL, line.bytes);
        } else if self.options.keep_original {
            self.draft.record.text_attribute(ORIGINAL, text);
        }
        records.take(&self.draft);
    }

    /// A part of a line that is too long. The first says when and how bad.
    fn part(&mut self, line: Line<'_>, text: &str, clock: Clock, records: &mut impl Records) {
        self.draft.begin(clock.now, Some(self.iostream));
        if line.part == 1 {
            self.facts.read(text, clock);
            self.draft.record.time = unix_nano(self.facts.time);
            self.draft.record.severity(self.facts.severity_number, &self.facts.severity_text);
        }
        self.draft.record.int_attribute(PART, i64::from(line.part));
        self.body(line.bytes);
        records.take(&self.draft);
    }

    /// A record from plain lines.
    fn group(&mut self, group: &Group, records: &mut impl Records) {
        let clock = Clock { now: group.observed, zone: self.options.zone };
        let Facts { time, severity_number, severity_text, .. } = &group.facts;
        let whole = String::from_utf8_lossy(&group.bytes);
        let mut plain = std::mem::take(&mut self.plain);
        let text = without_colors(&whole, &mut plain);
        self.draft.begin(group.observed, Some(self.iostream));
        self.tail(text, clock);
        if *time > 0 {
            self.draft.record.time = unix_nano(*time);
        }
        if *severity_number > 0 {
            self.draft.record.severity(*severity_number, severity_text);
        }
        // A trace without a level is an error, and a panic is one whatever it calls itself.
        let of_trace = group.stack.severity_number();
        if group.is_joined() && group.stack.is_trace() && (*severity_number == 0 || of_trace == severity::FATAL) {
            self.draft.record.severity_number = of_trace;
        }
        if self.draft.record.trace_id.is_none() {
            let (trace_id, span_id, flags) = ids::in_text(&self.id_finder, text);
            self.draft.record.trace_id = trace_id;
            self.draft.record.span_id = self.draft.record.span_id.or(span_id);
            self.draft.record.flags |= flags.unwrap_or_default();
        }
        group.facts.attributes(text, &mut self.draft.record);
        if group.is_joined()
            && let Some((kind, message)) = exception::of_stack(text)
        {
            self.draft.record.text_attribute("exception.type", kind);
            if !message.is_empty() {
                self.draft.record.text_attribute("exception.message", message);
            }
        }
        self.plain = plain;
        self.body(&group.bytes);
        records.take(&self.draft);
    }

    /// Fields behind the message, as zap's console form has them: a tab and a JSON object at the line's end.
    fn tail(&mut self, text: &str, clock: Clock) {
        if !text.ends_with('}') {
            return;
        }
        let Some((_, tail)) = text.rsplit_once("\t{").filter(|(message, _)| !message.contains('\n')) else { return };
        let object = &text[text.len() - tail.len() - 1..];
        if json::read_object(object, &mut self.tape) {
            self.mapper.map(Document { line: object, tape: &self.tape }, clock, &mut self.draft);
        }
    }

    /// The body is the text as it came; bytes that are no UTF-8 are kept beside it.
    fn body(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if self.options.strip_colors {
            let mut plain = std::mem::take(&mut self.plain);
            self.draft.record.text_body(without_colors(&text, &mut plain).as_bytes());
            self.plain = plain;
        } else {
            self.draft.record.text_body(text.as_bytes());
        }
        if matches!(text, Cow::Owned(_)) {
            self.draft.record.bytes_attribute(ORIGINAL, bytes);
        }
    }
}

/// The text without the escape sequences that colour it; `plain` is used where there are any.
fn without_colors<'a>(text: &'a str, plain: &'a mut String) -> &'a str {
    let Some(mut escape) = memchr::memchr(0x1b, text.as_bytes()) else { return text };
    plain.clear();
    let mut copied = 0;
    loop {
        plain.push_str(&text[copied..escape]);
        copied = escape + sequence_bytes(&text.as_bytes()[escape..]);
        match memchr::memchr(0x1b, &text.as_bytes()[copied..]) {
            Some(next) => escape = copied + next,
            None => break,
        }
    }
    plain.push_str(&text[copied..]);
    plain
}

/// Length of the escape sequence at the start: `ESC [ … letter`; a lone escape is one byte.
fn sequence_bytes(bytes: &[u8]) -> usize {
    if bytes.get(1) != Some(&b'[') {
        return 1;
    }
    let end = bytes[2..].iter().position(|byte| (0x40..=0x7e).contains(byte) || !byte.is_ascii());
    match end {
        Some(end) if bytes[2 + end].is_ascii() => end + 3,
        Some(end) => end + 2,
        None => bytes.len(),
    }
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
