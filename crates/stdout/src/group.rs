//! Puts the lines of one stack trace, and indented lines behind their first, together to one record.
//!
//! At any time there is at most one *open* group, the newest, and one *suspended* trace: one that another line has
//! interrupted before its end, as happens when two threads write at once. A line goes, in this order, to the open
//! group where it continues its trace, to the suspended one where it can only be a part of that, to the open group
//! where it is indented, and else begins a group of its own. Groups end by silence, by their bounds, and by the next.

use crate::limits::LineLimits;
use crate::plain::Facts;
use crate::severity;
use crate::stack::{self, Stack};
use crate::times::Clock;

/// Lines that are one record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    /// The lines as they came, joined by `\n`.
    pub(crate) bytes: Vec<u8>,
    pub(crate) facts: Facts,
    pub(crate) stack: Stack,
    /// When the first line was read, in Unix nanoseconds.
    pub(crate) observed: i64,
    lines: usize,
    /// Blank lines behind the last, which belong to the group only if it goes on.
    blanks: usize,
    last_read: i64,
    /// Whether an exception was named in the first line already.
    open_ended: bool,
}

impl Group {
    fn begin(&mut self, line: &[u8], text: &str, facts: &Facts, observed: i64) {
        self.bytes.clear();
        self.bytes.extend_from_slice(line);
        self.facts.clone_from(facts);
        self.stack = Stack::beginning(text);
        self.observed = observed;
        self.last_read = observed;
        self.lines = 1;
        self.blanks = 0;
        self.open_ended = matches!(text.trim_end().as_bytes().last(), Some(b'{' | b'[' | b'('));
    }

    fn append(&mut self, line: &[u8], now: i64) {
        for _ in 0..=self.blanks {
            self.bytes.push(b'\n');
        }
        self.bytes.extend_from_slice(line);
        self.lines += 1 + self.blanks;
        self.blanks = 0;
        self.last_read = now;
    }

    fn has_room(&self, line: &[u8], limits: &LineLimits) -> bool {
        self.lines + self.blanks < limits.group_lines_max
            && self.bytes.len() + self.blanks + 1 + line.len() <= limits.group_bytes_max
    }

    /// Whether a trace may begin in the next line of this record: a logger prints the message, then the trace.
    fn awaits_trace(&self) -> bool {
        self.stack == Stack::None && self.lines == 1 && self.facts.severity_number >= severity::WARN
    }

    /// Whether the record has more than one line.
    pub(crate) fn is_joined(&self) -> bool {
        self.lines > 1
    }
}

/// A line without its ending, as it came and as it reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlainLine<'a> {
    /// As it came.
    pub(crate) bytes: &'a [u8],
    /// As UTF-8, without colours.
    pub(crate) text: &'a str,
}

/// Groups the plain lines of one stream.
#[derive(Debug)]
pub(crate) struct Grouper {
    limits: LineLimits,
    open: Option<Group>,
    suspended: Option<Group>,
    /// Groups that were handed out, for their buffers.
    spare: Vec<Group>,
    facts: Facts,
}

impl Grouper {
    pub(crate) fn new(limits: LineLimits) -> Grouper {
        Grouper { limits, open: None, suspended: None, spare: Vec::new(), facts: Facts::default() }
    }

    /// Takes a line that is not blank; hands out the groups that it ends.
    pub(crate) fn take(&mut self, line: PlainLine<'_>, clock: Clock, mut done: impl FnMut(&Group)) {
        self.end_silent(clock.now, &mut done);
        if self.continue_one(line, clock) {
            return;
        }
        // The facts are those of the line since `continue_one` refused it.
        if let Some(open) = self.open.take() {
            self.close(open, &mut done);
        }
        let mut group = self.spare.pop().unwrap_or_default();
        group.begin(line.bytes, line.text, &self.facts, clock.now);
        self.open = Some(group);
    }

    /// A blank line was read.
    pub(crate) fn take_blank(&mut self) {
        if let Some(open) = &mut self.open {
            open.blanks += 1;
        }
    }

    /// A line that is a record of its own was read: what is open ends, or waits where it is a trace.
    pub(crate) fn interrupt(&mut self, mut done: impl FnMut(&Group)) {
        if let Some(open) = self.open.take() {
            self.close(open, &mut done);
        }
    }

    /// When the next group ends by silence, in Unix nanoseconds.
    pub(crate) fn deadline(&self) -> Option<i64> {
        let last = self.open.iter().chain(&self.suspended).map(|group| group.last_read).min()?;
        Some(last.saturating_add(nanos(&self.limits)))
    }

    /// Ends the groups that were silent for too long.
    pub(crate) fn end_silent(&mut self, now: i64, mut done: impl FnMut(&Group)) {
        let idle = nanos(&self.limits);
        let is_silent = |group: &Option<Group>| {
            // A clock that was set back ends nothing early and nothing never: the next line counts anew.
            group.as_ref().is_some_and(|group| now.saturating_sub(group.last_read) >= idle)
        };
        if is_silent(&self.suspended) {
            self.hand_out_suspended(&mut done);
        }
        if is_silent(&self.open)
            && let Some(open) = self.open.take()
        {
            self.hand_out(open, &mut done);
        }
    }

    /// The stream has ended.
    pub(crate) fn end(&mut self, mut done: impl FnMut(&Group)) {
        self.hand_out_suspended(&mut done);
        if let Some(open) = self.open.take() {
            self.hand_out(open, &mut done);
        }
    }

    /// Appends the line to the group that it continues. Where there is none, `self.facts` are those of the line.
    fn continue_one(&mut self, line: PlainLine<'_>, clock: Clock) -> bool {
        let PlainLine { bytes, text } = line;
        let mut read_facts = false;
        let facts = &mut self.facts;
        if let Some(open) = self.open.as_mut().filter(|open| open.has_room(bytes, &self.limits)) {
            // A frame without its exception belongs to the trace that was interrupted, if there is one.
            let orphan = open.stack == Stack::None
                && open.facts.severity_number < severity::ERROR
                && self.suspended.as_ref().is_some_and(|trace| {
                    let mut probe = trace.stack;
                    trace.has_room(bytes, &self.limits) && probe.continues(text, 0, true, || false)
                });
            let mut head = || {
                read_facts = true;
                facts.read(text, clock);
                facts.is_head()
            };
            if !orphan && open.stack.continues(text, open.blanks, false, &mut head) {
                open.append(bytes, clock.now);
                return true;
            }
            if !orphan && open.blanks == 0 && joins(open, text, &mut head) {
                open.append(bytes, clock.now);
                return true;
            }
        }
        if let Some(trace) = self.suspended.as_mut().filter(|trace| trace.has_room(bytes, &self.limits)) {
            let mut head = || {
                read_facts = true;
                facts.read(text, clock);
                facts.is_head()
            };
            if trace.stack.continues(text, trace.blanks, true, &mut head) {
                trace.append(bytes, clock.now);
                return true;
            }
        }
        if !read_facts {
            facts.read(text, clock);
        }
        let Some(open) = self.open.as_mut().filter(|open| open.has_room(bytes, &self.limits)) else { return false };
        let indented = text.starts_with([' ', '\t']) && open.blanks == 0 && !facts.is_head();
        let closes = open.open_ended && matches!(text.as_bytes().first(), Some(b'}' | b']' | b')'));
        if indented || closes {
            open.append(bytes, clock.now);
        }
        indented || closes
    }

    /// Ends the open group; a trace of which more may come waits.
    fn close(&mut self, group: Group, done: &mut impl FnMut(&Group)) {
        let waits = group.stack.is_resumable() && group.has_room(b"", &self.limits);
        if waits {
            self.hand_out_suspended(done);
            self.suspended = Some(group);
        } else {
            self.hand_out(group, done);
        }
    }

    fn hand_out_suspended(&mut self, done: &mut impl FnMut(&Group)) {
        if let Some(trace) = self.suspended.take() {
            self.hand_out(trace, done);
        }
    }

    fn hand_out(&mut self, group: Group, done: &mut impl FnMut(&Group)) {
        done(&group);
        // Two groups are alive at most, so two buffers are enough; a large one is not kept.
        if self.spare.len() < 2 && group.bytes.capacity() <= 16 << 10 {
            self.spare.push(group);
        }
    }
}

/// Whether a trace begins in this line that belongs to the record before it.
fn joins(open: &mut Group, text: &str, head: &mut impl FnMut() -> bool) -> bool {
    if stack::is_goroutine(text) && (open.awaits_trace() || memchr::memmem::find(&open.bytes, b"panic").is_some()) {
        open.stack = Stack::Go;
        return true;
    }
    let announced = open.lines == 1 && open.bytes.trim_ascii_end().ends_with(b":") && open.stack == Stack::None;
    if !(open.awaits_trace() || announced) {
        return false;
    }
    let found = Stack::joining(text);
    let python = matches!(found, Stack::Python(_));
    if (python || (found == (Stack::Frames { braces: false }) && !announced)) && !head() {
        open.stack = found;
        return true;
    }
    false
}

fn nanos(limits: &LineLimits) -> i64 {
    i64::try_from(limits.group_idle.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
