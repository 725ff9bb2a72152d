//! Which lines belong to one stack trace: a state machine for each family of languages.
//!
//! Vocabulary: a trace *begins* with a line that says so by itself; a line *continues* it where the language's own
//! printer would have written it there. Lines come without colours. Blank lines are counted by the caller, who puts
//! them back when the next line continues.

use crate::exception;

/// A trace, and what of it has been seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Stack {
    /// No trace so far.
    #[default]
    None,
    Python(Python),
    /// Java, Kotlin, Scala, .NET, and Node from the error on: frames begin with `at`.
    Frames {
        /// Node closes an error's properties with `}`.
        braces: bool,
    },
    /// Node before the error: the place and the line of source.
    NodeSource,
    Go,
    Rust(Rust),
    /// PHP: `Stack trace:`, `#0 …`.
    Php,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Python {
    /// In the frames; the exception is still to come.
    Frames,
    /// The same within an exception group, where every line is indented.
    Group,
    /// The exception was named.
    Named,
    /// A sentence said that another exception is to follow.
    Chained,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rust {
    /// The message is still to come.
    Message,
    /// Notes and the backtrace.
    Notes,
    /// `Error: …` of a `main` that returned it: causes follow.
    Causes,
}

const PYTHON: &str = "Traceback (most recent call last):";

impl Stack {
    /// The trace that a line begins, whatever came before.
    pub(crate) fn beginning(line: &str) -> Stack {
        let end = line.trim_end();
        if end.ends_with(PYTHON) {
            return Stack::Python(if end.contains("+ Exception Group") { Python::Group } else { Python::Frames });
        }
        match line.as_bytes().first() {
            Some(b'p') if line.starts_with("panic: ") => Stack::Go,
            Some(b'f') if line.starts_with("fatal error: ") => Stack::Go,
            Some(b'S') if line.starts_with("SIG") && line.contains(": ") => Stack::Go,
            Some(b'u') if line.starts_with("unexpected fault address") => Stack::Go,
            Some(b'g') if is_goroutine(line) => Stack::Go,
            Some(b't') if line.starts_with("thread '") && line.contains(" panicked at ") => {
                Stack::Rust(if end.ends_with(':') { Rust::Message } else { Rust::Notes })
            }
            Some(b'E') if line.starts_with("Error: ") => Stack::Rust(Rust::Causes),
            Some(b'P') if line.starts_with("PHP Fatal error:") => Stack::Php,
            Some(b'/' | b'n' | b'f') if is_node_place(end) => Stack::NodeSource,
            Some(first) if first.is_ascii_alphabetic() && exception::names_at_start(line) => {
                Stack::Frames { braces: false }
            }
            _ => Stack::None,
        }
    }

    /// Whether a line that names an exception may be the second line of a log record, and what it begins there.
    pub(crate) fn joining(line: &str) -> Stack {
        match Stack::beginning(line) {
            Stack::Rust(Rust::Causes) => Stack::Frames { braces: false },
            found => found,
        }
    }

    /// Whether anything but a trace is ruled out.
    pub(crate) fn is_trace(self) -> bool {
        !matches!(self, Stack::None | Stack::NodeSource | Stack::Rust(Rust::Causes))
    }

    /// Whether more of it is to be expected, so that it is worth waiting for through other lines.
    pub(crate) fn is_resumable(self) -> bool {
        matches!(
            self,
            Stack::Python(Python::Frames | Python::Group | Python::Chained)
                | Stack::Frames { .. }
                | Stack::Go
                | Stack::Rust(Rust::Notes)
                | Stack::Php
        )
    }

    /// Severity of a trace that names none: a process that panicked is gone.
    pub(crate) fn severity_number(self) -> u8 {
        match self {
            Stack::Go | Stack::Rust(Rust::Message | Rust::Notes) => crate::severity::FATAL,
            _ => crate::severity::ERROR,
        }
    }

    /// Takes the next line, after so many blank ones, and says whether it continues the trace. `strict` leaves out
    /// lines that could be anybody's, for a trace that other lines have interrupted. `head` says whether the line
    /// begins as log lines do.
    pub(crate) fn continues(&mut self, line: &str, blanks: usize, strict: bool, head: impl FnOnce() -> bool) -> bool {
        let indented = line.starts_with([' ', '\t']);
        match self {
            Stack::None => {
                let frame = blanks == 0 && is_frame(line);
                if frame {
                    *self = Stack::Frames { braces: line.trim_end().ends_with('{') };
                } else if blanks == 0 && line.starts_with("Stack trace:") {
                    *self = Stack::Php;
                    return true;
                }
                frame
            }
            Stack::Python(state) => python(state, line, blanks, indented, head),
            Stack::Frames { braces } => {
                if blanks > 0 {
                    return blanks == 1 && line.starts_with("Node.js v");
                }
                if is_frame(line) {
                    *braces |= line.trim_end().ends_with('{');
                    return true;
                }
                let closes = *braces && line.starts_with('}');
                *braces &= !closes;
                let require = line.starts_with("Require stack:") || line.starts_with("- /");
                closes || (!strict && (require || indented))
            }
            Stack::NodeSource => {
                if blanks == 0 {
                    return !strict && indented;
                }
                let named = blanks == 1 && exception::of_head(line).is_some();
                if named {
                    *self = Stack::Frames { braces: false };
                }
                named
            }
            Stack::Go => blanks <= 1 && is_go(line),
            Stack::Rust(Rust::Causes) if blanks == 0 && is_frame(line) => {
                *self = Stack::Frames { braces: line.trim_end().ends_with('{') };
                true
            }
            Stack::Rust(state) => rust(state, line, blanks, indented, strict, head),
            Stack::Php => {
                let numbered =
                    line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
                blanks == 0
                    && (numbered
                        || line.starts_with("Stack trace:")
                        || line.starts_with("  thrown in")
                        || (!strict && indented))
            }
        }
    }
}

fn python(state: &mut Python, line: &str, blanks: usize, indented: bool, head: impl FnOnce() -> bool) -> bool {
    let chain = line.starts_with("During handling of the above exception")
        || line.starts_with("The above exception was the direct cause");
    match state {
        Python::Frames if blanks > 0 => false,
        Python::Frames if indented => true,
        Python::Frames => {
            let named = exception::split_python(line).is_some() && !head();
            if named {
                *state = Python::Named;
            }
            named
        }
        Python::Group => blanks == 0 && indented,
        Python::Named if blanks == 1 && chain => {
            *state = Python::Chained;
            true
        }
        // SQLAlchemy's messages have more than one line.
        Python::Named => {
            blanks == 0
                && (indented
                    || ["[SQL: ", "[parameters: ", "(Background on"].iter().any(|begin| line.starts_with(begin)))
        }
        Python::Chained => {
            let again = blanks <= 1 && line.trim_end().ends_with(PYTHON);
            if again {
                *state = if line.contains("+ Exception Group") { Python::Group } else { Python::Frames };
            }
            again
        }
    }
}

fn rust(
    state: &mut Rust,
    line: &str,
    blanks: usize,
    indented: bool,
    strict: bool,
    head: impl FnOnce() -> bool,
) -> bool {
    let note = line.starts_with("note: ") || line.starts_with("stack backtrace:");
    match state {
        Rust::Message => {
            let message = blanks == 0 && !strict && (indented || !head());
            if message {
                *state = Rust::Notes;
            }
            message
        }
        Rust::Notes => {
            let frame = indented && is_numbered_frame(line);
            blanks <= 1 && (note || frame || is_frame(line) || (!strict && indented && blanks == 0))
        }
        Rust::Causes => {
            let causes = blanks <= 1 && (line.starts_with("Caused by:") || line.starts_with("Stack backtrace:"));
            causes || (!strict && blanks == 0 && indented)
        }
    }
}

/// `   12: core::panicking::panic`.
fn is_numbered_frame(line: &str) -> bool {
    line.trim_start()
        .split_once(": ")
        .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A frame or what stands between frames, in Java, .NET and Node.
fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    let indented = text.len() < line.len();
    match text.as_bytes().first() {
        Some(b'a') if indented => text.starts_with("at "),
        Some(b'e') if indented => text.starts_with("eval at "),
        Some(b'C') => text.starts_with("Caused by: "),
        Some(b'S') => text.starts_with("Suppressed: "),
        Some(b'.') => {
            let rest = text.strip_prefix("... ");
            rest.and_then(|rest| rest.split_once(' ')).is_some_and(|(count, rest)| {
                count.parse::<u32>().is_ok()
                    && ["more", "common frames omitted", "frames", "lines matching"]
                        .iter()
                        .any(|end| rest.starts_with(end))
            })
        }
        Some(b'-') => text.starts_with("--- End of "),
        Some(b'[') if indented => text.starts_with("[cause]:") || text.starts_with("[errors]:"),
        _ => false,
    }
}

/// `goroutine 1 [running]:`.
pub(crate) fn is_goroutine(line: &str) -> bool {
    line.starts_with("goroutine ") && line.trim_end().ends_with("]:")
}

fn is_go(line: &str) -> bool {
    if line.starts_with('\t') || is_goroutine(line) {
        return true;
    }
    if ["[signal ", "created by ", "exit status ", "runtime stack:", "PC="].iter().any(|begin| line.starts_with(begin))
    {
        return true;
    }
    // A function with its arguments: main.(*Server).Serve(0xc000010000, {0x7, 0x1}).
    let end = line.trim_end();
    if end.ends_with(')') || end.ends_with("...)") {
        let name = end.split(' ').next().unwrap_or_default();
        return name.contains('(') && (name.contains('.') || name.starts_with("panic("));
    }
    // Registers of a crash: rax    0x0.
    let mut words = end.split_ascii_whitespace();
    let (name, value, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next());
    rest.is_none() && name.len() <= 6 && value.starts_with("0x")
}

/// `/app/index.js:3`, `node:internal/modules/cjs/loader:1228`, `file:///app/x.mjs:3`.
fn is_node_place(line: &str) -> bool {
    let Some((path, number)) = line.rsplit_once(':') else { return false };
    !path.contains(' ')
        && (path.starts_with('/') || path.starts_with("node:") || path.starts_with("file://"))
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}
