//! How a stream of bytes is cut into messages: by a length before each, or by a newline after each (RFC 6587).
//!
//! Which of the two it is shows at the first byte of every message: a digit begins a length, anything else a message.
//! A message longer than the bound is cut; its rest is skipped.

/// A message as it was framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its end is missing: it was longer than a message may be.
    pub is_cut: bool,
}

impl<'a> Message<'a> {
    /// A whole message.
    pub fn whole(bytes: &'a [u8]) -> Message<'a> {
        Message { bytes, is_cut: false }
    }
}

/// Digits of a length; more are no length.
const LENGTH_DIGITS_MAX: usize = 9;

/// Cuts one connection's bytes.
#[derive(Debug)]
pub struct Framing {
    message_bytes_max: usize,
    /// What has come of the message that is not whole yet; at most a message and the head of its length.
    pending: Vec<u8>,
    /// Bytes of the pending message that are known to hold no line's end, so that bytes that drip are searched once.
    searched: usize,
    /// Bytes of the last message that are still to be skipped.
    skip: Skip,
}

/// What is left to skip of a message that was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skip {
    Nothing,
    Bytes(usize),
    Line,
}

/// What stands at the start of the pending bytes.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// More must come.
    Unknown,
    /// A message in these bytes, and how many follow it that belong to it.
    Message { start: usize, end: usize, is_cut: bool, then: Skip },
}

impl Framing {
    /// Messages may have so many bytes.
    pub fn new(message_bytes_max: usize) -> Framing {
        Framing { message_bytes_max: message_bytes_max.max(1), pending: Vec::new(), searched: 0, skip: Skip::Nothing }
    }

    /// Takes bytes that have come and feeds the messages that are whole now.
    pub fn take(&mut self, mut bytes: &[u8], feed: &mut dyn FnMut(Message<'_>)) {
        while !bytes.is_empty() {
            // In steps, so that what is pending stays within a message and a step.
            let (now, later) = bytes.split_at(bytes.len().min(self.message_bytes_max));
            self.pending.extend_from_slice(now);
            bytes = later;
            self.cut(feed);
        }
    }

    /// The stream has ended: what is left is a message too, unless it is the rest of one.
    pub fn end(&mut self, feed: &mut dyn FnMut(Message<'_>)) {
        let rest = std::mem::take(&mut self.pending);
        let start = length_head(&rest).map_or(0, |(_, head)| head);
        if self.skip == Skip::Nothing && !rest[start..].trim_ascii().is_empty() {
            // Counted, and cut by the end of the stream.
            feed(Message { bytes: &rest[start..], is_cut: start > 0 });
        }
        self.skip = Skip::Nothing;
    }

    /// Bytes kept.
    pub fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    fn cut(&mut self, feed: &mut dyn FnMut(Message<'_>)) {
        let mut at = 0;
        // Bytes of the first message that hold no line's end.
        let mut searched = std::mem::take(&mut self.searched);
        loop {
            at += self.skipped(at);
            // Line ends between messages, and a NUL that some senders end them with.
            at += self.pending[at..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r' | 0)).count();
            let rest = &self.pending[at..];
            match self.next(rest, if at == 0 { searched } else { 0 }) {
                Next::Unknown => {
                    self.searched = rest.len();
                    break;
                }
                Next::Message { start, end, is_cut, then } => {
                    let bytes = &rest[start..end];
                    if !bytes.trim_ascii().is_empty() {
                        feed(Message { bytes, is_cut });
                    }
                    at += end;
                    self.skip = then;
                    searched = 0;
                }
            }
        }
        self.pending.drain(..at);
    }

    /// Bytes from `at` on that belong to a message that was cut.
    fn skipped(&mut self, at: usize) -> usize {
        let rest = &self.pending[at..];
        match self.skip {
            Skip::Nothing => 0,
            Skip::Bytes(left) => {
                let now = left.min(rest.len());
                self.skip = if now == left { Skip::Nothing } else { Skip::Bytes(left - now) };
                now
            }
            Skip::Line => match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    self.skip = Skip::Nothing;
                    end + 1
                }
                None => rest.len(),
            },
        }
    }

    fn next(&self, rest: &[u8], searched: usize) -> Next {
        if rest.is_empty() || self.skip != Skip::Nothing {
            return Next::Unknown;
        }
        let is_digit = rest.iter().take(LENGTH_DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
        if is_digit > 0 && is_digit <= LENGTH_DIGITS_MAX {
            if is_digit == rest.len() {
                return Next::Unknown;
            }
            if let Some((length, start)) = length_head(rest) {
                let kept = length.min(self.message_bytes_max);
                if rest.len() < start + kept {
                    return Next::Unknown;
                }
                let then = if length > kept { Skip::Bytes(length - kept) } else { Skip::Nothing };
                return Next::Message { start, end: start + kept, is_cut: length > kept, then };
            }
        }
        let line_end = rest[searched..].iter().position(|byte| *byte == b'\n').map(|end| searched + end);
        match line_end {
            Some(end) if end <= self.message_bytes_max => {
                Next::Message { start: 0, end, is_cut: false, then: Skip::Nothing }
            }
            None if rest.len() <= self.message_bytes_max => Next::Unknown,
            _ => Next::Message { start: 0, end: self.message_bytes_max, is_cut: true, then: Skip::Line },
        }
    }
}

/// The length before a message and the bytes that it takes: digits, a space, and a message after it.
fn length_head(bytes: &[u8]) -> Option<(usize, usize)> {
    let digits = bytes.iter().take(LENGTH_DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > LENGTH_DIGITS_MAX || bytes.get(digits) != Some(&b' ') || bytes[0] == b'0' {
        return None;
    }
    let length = str::from_utf8(&bytes[..digits]).ok()?.parse().ok()?;
    Some((length, digits + 1))
}
