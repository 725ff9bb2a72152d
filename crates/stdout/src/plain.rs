//! What a plain line says of itself at its beginning: when, and how bad.
//!
//! Only what stands where loggers put it is believed. A level in capitals may follow a time, a thread's name in
//! brackets and one word; a level in small letters must stand in brackets, right after the time, or at the very
//! beginning before a colon. "no error in info" has no level.

use otlp_wire::LogDraft;

use crate::access_log;
use crate::severity;
use crate::times::{self, Clock};

/// Bytes at a line's beginning that are looked at.
const LOOK_BYTES_MAX: usize = 128;
/// Words that are looked at.
const WORDS_MAX: usize = 12;

/// Which known form a line has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Free,
    /// Kubernetes' and Google's C++ logger: `E1121 19:30:00.123456 7 main.go:12] message`.
    Klog,
    /// A web server's line about one request.
    Access,
}

/// What a line says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// Unix nanoseconds; 0 where there is no time.
    pub(crate) time: i64,
    pub(crate) severity_number: u8,
    pub(crate) severity_text: String,
    form: Form,
}

impl Facts {
    /// Whether the line begins as log lines do, so that it cannot be the middle of something.
    pub(crate) fn is_head(&self) -> bool {
        self.time > 0 || self.severity_number > 0
    }

    /// Reads a line, without colours.
    pub(crate) fn read(&mut self, text: &str, clock: Clock) {
        self.time = 0;
        self.severity_number = 0;
        self.severity_text.clear();
        self.form = Form::Free;
        if self.klog(text, clock) || self.syslog(text, clock) || self.access(text, clock) {
            return;
        }
        let end = (0..=text.len().min(LOOK_BYTES_MAX)).rev().find(|end| text.is_char_boundary(*end));
        Search { text, head: &text[..end.unwrap_or(0)], facts: self, clock }.run();
        if self.severity_number == 0 {
            self.named_level(text);
        }
        if self.severity_number == 0 {
            self.php(text);
        }
    }

    fn level(&mut self, number: u8, text: &str) {
        self.severity_number = number;
        self.severity_text.push_str(text);
    }

    /// Appends what the form says beyond time and severity.
    pub(crate) fn attributes(&self, text: &str, draft: &mut LogDraft) {
        match self.form {
            Form::Free => {}
            Form::Klog => {
                let mut words = text.split_ascii_whitespace().skip(2);
                if let Some(thread) = words.next().and_then(|word| word.parse().ok()) {
                    draft.int_attribute("thread.id", thread);
                }
                let place = words.next().and_then(|word| word.strip_suffix(']')?.rsplit_once(':'));
                if let Some((file, line)) = place
                    && let Ok(line) = line.parse()
                {
                    draft.text_attribute("code.file.path", file);
                    draft.int_attribute("code.line.number", line);
                }
            }
            Form::Access => {
                if let Some(request) = access_log::read(text) {
                    request.attributes(draft);
                }
            }
        }
    }

    fn klog(&mut self, text: &str, clock: Clock) -> bool {
        let bytes = text.as_bytes();
        let number = match bytes.first() {
            Some(b'I') => severity::INFO,
            Some(b'W') => severity::WARN,
            Some(b'E') => severity::ERROR,
            Some(b'F') => severity::FATAL,
            _ => return false,
        };
        let digits = bytes[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let time = match digits {
            4 if bytes.get(5) == Some(&b' ') && text.is_char_boundary(3) => {
                let rest = text.get(5..).unwrap_or_default();
                times::at_start(&format!("{}-{}{}", &text[1..3], &text[3..5], head(rest, 24)), clock)
            }
            8 => times::at_start(&text[1..], clock),
            _ => return false,
        };
        let Some((time, _)) = time else { return false };
        self.time = time;
        self.level(number, &text[..1]);
        self.form = Form::Klog;
        true
    }

    /// `<34>1 2026-…`, `<34>Nov 21 …`, and systemd's bare `<3>message`.
    fn syslog(&mut self, text: &str, clock: Clock) -> bool {
        let Some((priority, rest)) = text.strip_prefix('<').and_then(|rest| rest.split_once('>')) else { return false };
        if priority.is_empty() || priority.len() > 3 || !priority.bytes().all(|byte| byte.is_ascii_digit()) {
            return false;
        }
        let Ok(priority) = priority.parse::<i64>() else { return false };
        let Some(number) = severity::of_number(severity::Scale::Syslog, priority & 7).filter(|_| priority < 192) else {
            return false;
        };
        let rest = rest.strip_prefix("1 ").unwrap_or(rest);
        self.time = times::at_start(rest, clock).map_or(0, |(time, _)| time);
        const NAMES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
        self.level(number, NAMES[(priority & 7) as usize]);
        true
    }

    fn access(&mut self, text: &str, clock: Clock) -> bool {
        let Some(request) = access_log::read(text) else { return false };
        self.time = times::of_text(request.time, clock).unwrap_or_default();
        self.severity_number = match request.status {
            500.. => severity::ERROR,
            400..500 => severity::WARN,
            _ => severity::INFO,
        };
        self.form = Form::Access;
        true
    }

    /// `PHP Warning:  message`, perhaps behind a time.
    fn php(&mut self, text: &str) {
        let Some((before, rest)) = text.split_once("PHP ").filter(|(before, _)| before.len() < 48) else { return };
        let Some((kind, _)) = rest.split_once(": ").filter(|_| before.is_empty() || before.ends_with("] ")) else {
            return;
        };
        let number = match kind {
            "Notice" => 10,
            "Warning" | "Deprecated" => severity::WARN,
            "Parse error" | "Recoverable fatal error" => severity::ERROR,
            "Fatal error" => severity::FATAL,
            _ => return,
        };
        self.level(number, kind);
    }

    /// `level=info` anywhere, for lines that are almost logfmt.
    fn named_level(&mut self, text: &str) {
        for at in memchr::memmem::find_iter(text.as_bytes(), b"level=").take(2) {
            let before = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
            if before.is_some_and(|byte| byte.is_ascii_alphanumeric()) {
                continue;
            }
            let value = text[at + 6..].trim_start_matches('"');
            let end = value.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(value.len());
            if let Some(number) = severity::of_name(&value[..end]).filter(|number| *number > 0) {
                return self.level(number, &value[..end]);
            }
        }
    }
}

/// A search for time and level at a line's beginning.
struct Search<'a, 'f> {
    text: &'a str,
    /// The part of it that is looked at.
    head: &'a str,
    facts: &'f mut Facts,
    clock: Clock,
}

/// A word, and what stands around it.
struct Word<'a> {
    text: &'a str,
    start: usize,
    before: Option<u8>,
    after: Option<u8>,
}

impl Word<'_> {
    /// `[warn]`, `(warn)`, `<warn>`, `|warn|`, and `[core:warn]`.
    fn in_brackets(&self) -> bool {
        matches!(self.before, Some(b'[' | b'(' | b'<' | b'|' | b':'))
            && matches!(self.after, Some(b']' | b')' | b'>' | b'|'))
    }

    fn ends(&self) -> bool {
        !matches!(self.after, Some(b'=' | b'/' | b'"' | b'\'' | b'%'))
    }
}

const BREAKS: &[u8] = b" \t[](){}|<>,:=\"'";

impl Search<'_, '_> {
    fn run(&mut self) {
        if self.shorthand() {
            return;
        }
        let bytes = self.head.as_bytes();
        let (mut at, mut words, mut free_words, mut since_time) = (0, 0, 0, usize::MAX);
        let (mut depth, mut numbers) = (0_u32, 0);
        while at < bytes.len() && words < WORDS_MAX {
            if BREAKS.contains(&bytes[at]) {
                match bytes[at] {
                    b'[' | b'(' | b'{' => depth += 1,
                    b']' | b')' | b'}' => depth = depth.saturating_sub(1),
                    b'"' => return,
                    _ => {}
                }
                at += 1;
                continue;
            }
            let may_be_time = self.facts.time == 0 && free_words <= 1 && words <= 3;
            if may_be_time
                && (words <= 2 || bytes[at].is_ascii_digit())
                && let Some((time, length)) = times::at_start(&self.text[at..], self.clock)
            {
                self.facts.time = time;
                at += length;
                (free_words, since_time) = (0, 0);
                if self.facts.severity_number > 0 {
                    return;
                }
                continue;
            }
            let length = bytes[at..].iter().position(|byte| BREAKS.contains(byte)).unwrap_or(bytes.len() - at);
            let word = Word {
                text: &self.head[at..at + length],
                start: at,
                before: at.checked_sub(1).map(|before| bytes[before]),
                after: bytes.get(at + length).copied(),
            };
            at += length;
            if self.facts.severity_number == 0 {
                let level = self.level_of(&word, free_words, words, since_time, numbers);
                if let Some((number, text)) = level {
                    self.facts.level(number, text);
                    if self.facts.time > 0 {
                        return;
                    }
                }
            }
            let digits = word.text.bytes().all(|byte| byte.is_ascii_digit());
            numbers = if digits { numbers + 1 } else { 0 };
            let meta = word.text.len() == 1
                || word.text.bytes().any(|byte| {
                    byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'/' | b'_' | b'#' | b'$' | b'@')
                });
            free_words += usize::from(!meta && depth == 0);
            since_time = since_time.saturating_add(1);
            words += 1;
            // A message has begun: what follows is prose.
            if free_words > 1 || (self.facts.time == 0 && free_words > 0 && self.facts.severity_number == 0) {
                return;
            }
        }
    }

    /// Forms that begin with a single letter: Ruby's `I, [`, Tornado's `[I 261121 …]`, Android's `D/Tag( 1): `.
    fn shorthand(&mut self) -> bool {
        let (letter, time) = match self.head.as_bytes() {
            [letter, b',', b' ', b'[', ..] => (*letter, times::at_start(&self.text[4..], self.clock)),
            [b'[', letter, b' ', ..] => (*letter, times::at_start(&self.text[3..], self.clock)),
            [letter, b'/', ..] if is_android_tag(&self.head[2..]) => (*letter, Some((0, 0))),
            _ => return false,
        };
        let (Some(number), Some((time, _))) = (letter_level(letter), time) else { return false };
        self.facts.time = time;
        self.facts.level(number, (letter as char).encode_utf8(&mut [0; 4]));
        true
    }

    /// The level that a word is, where it stands.
    fn level_of<'w>(
        &self,
        word: &Word<'w>,
        free_words: usize,
        words: usize,
        since_time: usize,
        numbers: usize,
    ) -> Option<(u8, &'w str)> {
        // Monolog writes app.ERROR: message, Celery INFO/MainProcess.
        let text = match (word.text.rsplit_once('.'), word.text.split_once('/')) {
            (Some((_, level)), _) if word.after == Some(b':') && is_capitals(level) => level,
            (_, Some((level, _))) if is_capitals(level) => level,
            _ => word.text,
        };
        if let Some(number) = self.letter_or_sign(word, since_time, numbers) {
            return Some((number, text));
        }
        if text.len() < 3 || !word.ends() {
            return None;
        }
        let number = severity::of_name(text).filter(|number| *number > 0)?;
        let is_timed = self.facts.time > 0;
        let before_colon = word.after == Some(b':') && free_words == 0 && (is_timed || word.start == 0);
        let stands_out = match trust(text) {
            Trust::Level if is_capitals(text) => free_words <= usize::from(is_timed),
            Trust::Level => word.in_brackets() || since_time == 0 || before_colon,
            Trust::LevelInCapitals => {
                is_capitals(text)
                    && (word.in_brackets()
                        || (word.after == Some(b':') && free_words <= 1 && words > 0)
                        || since_time == 0)
            }
            Trust::LevelInBrackets => word.in_brackets(),
            Trust::None => false,
        };
        stands_out.then_some((number, text))
    }

    /// Android's letter after two numbers, Redis' sign after the time, and a capital letter in brackets.
    fn letter_or_sign(&self, word: &Word<'_>, since_time: usize, numbers: usize) -> Option<u8> {
        let [sign] = word.text.as_bytes() else { return None };
        let redis = since_time == 0
            && self.head.split_once(':').is_some_and(|(process, role)| {
                process.bytes().all(|byte| byte.is_ascii_digit()) && role.starts_with(|c: char| c.is_ascii_uppercase())
            });
        let android = since_time == 2 && numbers == 2 && word.after == Some(b' ');
        match sign {
            b'.' if redis => Some(5),
            b'-' if redis => Some(6),
            b'*' if redis => Some(10),
            b'#' if redis => Some(severity::WARN),
            letter if android || word.in_brackets() => letter_level(*letter),
            _ => None,
        }
    }
}

/// How much a level's name must stand out, since some are words of prose too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Level,
    LevelInCapitals,
    LevelInBrackets,
    None,
}

fn trust(name: &str) -> Trust {
    let is_one_of = |names: &[&str]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
    if is_one_of(&["note", "system"]) {
        Trust::LevelInBrackets
    } else if is_one_of(&["log", "config", "fine", "finer", "success"]) {
        Trust::LevelInCapitals
    } else if is_one_of(&["http", "help", "silly", "default", "off", "none", "unknown"]) {
        Trust::None
    } else {
        Trust::Level
    }
}

fn letter_level(letter: u8) -> Option<u8> {
    let number = match letter {
        b'V' => 1,
        b'D' => 5,
        b'I' => severity::INFO,
        b'W' => severity::WARN,
        b'E' => severity::ERROR,
        b'F' | b'C' => severity::FATAL,
        _ => return None,
    };
    Some(number)
}

/// `WindowManager( 1702): …`.
fn is_android_tag(text: &str) -> bool {
    let Some((tag, rest)) = text.split_once('(') else { return false };
    let Some((process, rest)) = rest.split_once(')') else { return false };
    let process = process.trim_start();
    !tag.contains(' ')
        && !process.is_empty()
        && process.bytes().all(|byte| byte.is_ascii_digit())
        && rest.starts_with(':')
}

fn is_capitals(word: &str) -> bool {
    word.len() >= 3 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The first bytes of a text, whole characters.
fn head(text: &str, bytes_max: usize) -> &str {
    let end = (0..=text.len().min(bytes_max)).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
#[path = "plain_tests.rs"]
mod tests;
