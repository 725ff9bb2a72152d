//! Type and message of the exception that a stack trace is of.

/// Type and message from a stack trace of Python, Java, .NET, Node, Go or Rust; nothing where they are not plain.
pub(crate) fn of_stack(text: &str) -> Option<(&str, &str)> {
    if let Some(at) = text.find("Traceback (most recent call last):") {
        return of_python(&text[at..]);
    }
    if let Some(found) = of_go(text).or_else(|| of_rust(text)) {
        return Some(found);
    }
    text.lines().take(8).find_map(of_head)
}

/// Python names the exception in the last line that is not indented, which with chains is the outermost one's.
fn of_python(trace: &str) -> Option<(&str, &str)> {
    let last = trace.lines().rev().find_map(|line| {
        // Within a group every line is drawn with bars.
        let line = line.strip_prefix("  | ").unwrap_or(line);
        split_python(line)
    })?;
    // What follows the first line of a long message belongs to it.
    let (kind, message) = last;
    let begin = message.as_ptr() as usize - trace.as_ptr() as usize;
    let whole = &trace[begin..];
    let end = whole.find("\n\n").unwrap_or(whole.len());
    let whole = whole[..end].trim_end();
    let plain = !message.is_empty() && !whole.contains("\n  ");
    Some((kind, if plain { whole } else { message }))
}

/// `ValueError: bad` and `KeyboardInterrupt` of a line, as Python prints them last.
pub(crate) fn split_python(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_end();
    let (kind, message) = match line.split_once(": ") {
        Some(parts) => parts,
        None => (line.strip_suffix(':').unwrap_or(line), &line[line.len()..]),
    };
    let dotted = kind.contains('.');
    let mut letters = kind.bytes();
    let begins_well =
        letters.next().is_some_and(|byte| byte.is_ascii_uppercase() || (dotted && byte.is_ascii_alphabetic()));
    let is_name = kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'<' | b'>'));
    let is_level = crate::severity::of_name(kind).is_some();
    (begins_well && is_name && !is_level && !kind.ends_with('.') && !kind.contains("..")).then_some((kind, message))
}

fn of_go(text: &str) -> Option<(&str, &str)> {
    let (at, length) = ["panic: ", "fatal error: "]
        .iter()
        .filter_map(|head| {
            let at = if text.starts_with(head) { Some(0) } else { text.find(&format!("\n{head}")).map(|at| at + 1) };
            at.map(|at| (at, head.len()))
        })
        .min()?;
    text.contains("goroutine ").then(|| {
        let message = text[at + length..].lines().next().unwrap_or_default();
        (&text[at..at + length - 2], message)
    })
}

fn of_rust(text: &str) -> Option<(&str, &str)> {
    let at = text.find("panicked at ")?;
    let rest = &text[at + "panicked at ".len()..];
    let first = rest.lines().next().unwrap_or_default();
    // Old: panicked at 'message', src/main.rs:2:5. New: the message follows on the next lines.
    if let Some(quoted) = first.strip_prefix('\'').and_then(|rest| rest.rsplit_once("', ")) {
        return Some(("panic", quoted.0));
    }
    let message = rest.get(first.len() + 1..)?;
    let end = ["\nnote: ", "\nstack backtrace:"].iter().filter_map(|end| message.find(end)).min();
    let message = message[..end.unwrap_or(message.len())].trim_end();
    (!message.is_empty()).then_some(("panic", message))
}

/// `java.lang.IllegalStateException: bad`, `TypeError: x is not a function`, alone on a line or at the end of a log
/// line, after words such as `Exception in thread "main"`, `Uncaught` and `Unhandled exception.`.
pub(crate) fn of_head(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let mut search = 0;
    // A type's name is followed by a colon or is the line's end.
    while search < line.len() {
        let rest = &line[search..];
        let word_end = rest.find([' ', '\t']).unwrap_or(rest.len());
        let word = &rest[..word_end];
        let (name, has_colon) = match word.strip_suffix(':') {
            Some(name) => (name, true),
            None => (word, false),
        };
        let at_end = word_end == rest.len();
        if (has_colon || at_end) && is_exception_name(name, search == 0) {
            return Some((name, rest[word_end..].trim()));
        }
        // Node: Error [ERR_X]: message.
        if is_exception_name(name, false) && rest[word_end..].starts_with(" [") {
            let after = &rest[word_end..];
            if let Some((_, message)) = after.split_once("]: ") {
                return Some((name, message.trim()));
            }
        }
        search += word_end;
        search += line[search..].len() - line[search..].trim_start().len();
    }
    None
}

/// Whether a line begins with the name of an exception, as a logger prints it below its message.
pub(crate) fn names_at_start(line: &str) -> bool {
    let line = line.strip_prefix("Uncaught ").unwrap_or(line);
    let end = line.find([' ', '\t']).unwrap_or(line.len());
    let word = &line[..end];
    match word.strip_suffix(':') {
        Some(name) => is_exception_name(name, true),
        None => (end == line.len() || line[end..].starts_with(" [")) && is_exception_name(word, true),
    }
}

/// A name that ends as exceptions do; alone at the beginning of a line a dotted path to a class is enough.
fn is_exception_name(name: &str, at_start: bool) -> bool {
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$' | b'/' | b'@'));
    if !is_name || name.ends_with('.') {
        return false;
    }
    let class = name.rsplit(['.', '$', '/']).next().unwrap_or(name);
    if !class.starts_with(|first: char| first.is_ascii_uppercase()) {
        return false;
    }
    let ends_well = ["Exception", "Error", "Throwable", "Failure", "Fault"].iter().any(|end| class.ends_with(end));
    let is_path = name.split('.').count() >= 3 && name.starts_with(|first: char| first.is_ascii_lowercase());
    ends_well || (at_start && is_path && class.bytes().any(|byte| byte.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_and_message() {
        let check = |text: &str, expect: Option<(&str, &str)>| assert_eq!(of_stack(text), expect, "{text}");
        check(
            "Traceback (most recent call last):\n  File \"x\", line 1\nValueError: bad: very",
            Some(("ValueError", "bad: very")),
        );
        check(
            "Traceback (most recent call last):\n  File \"x\", line 1\nKeyboardInterrupt",
            Some(("KeyboardInterrupt", "")),
        );
        check(
            "Traceback (most recent call last):\n  File \"x\"\nKeyError: 'a'\n\nDuring handling of the above exception, \
             another exception occurred:\n\nTraceback (most recent call last):\n  File \"y\"\napp.errors.Refused: no",
            Some(("app.errors.Refused", "no")),
        );
        check(
            "Traceback (most recent call last):\n  File \"x\"\nsqlalchemy.exc.OperationalError: no table\n[SQL: select 1]",
            Some(("sqlalchemy.exc.OperationalError", "no table\n[SQL: select 1]")),
        );
        check(
            "  + Exception Group Traceback (most recent call last):\n  |   File \"x\"\n  | ExceptionGroup: two (2 \
             sub-exceptions)\n  +-+---------------- 1 ----------------\n    | ValueError: 1\n    +---",
            Some(("ExceptionGroup", "two (2 sub-exceptions)")),
        );
        check(
            "Exception in thread \"main\" java.lang.IllegalStateException: bad\n\tat a.B.c(B.java:1)\nCaused by: x.Y: z",
            Some(("java.lang.IllegalStateException", "bad")),
        );
        check("java.lang.NullPointerException\n\tat a.B.c(B.java:1)", Some(("java.lang.NullPointerException", "")));
        check("com.shop.OutOfStock: teapot\n\tat a.B.c(B.java:1)", Some(("com.shop.OutOfStock", "teapot")));
        check(
            "2026-11-21 10:00:00 ERROR a.B - failed: java.io.IOException: disk\n\tat",
            Some(("java.io.IOException", "disk")),
        );
        check(
            "Unhandled exception. System.InvalidOperationException: no\n   at X",
            Some(("System.InvalidOperationException", "no")),
        );
        check(
            "/app/x.js:3\n    throw new TypeError('x');\n    ^\n\nTypeError: x is not a function\n    at f (/app/x.js:3:1)",
            Some(("TypeError", "x is not a function")),
        );
        check("Error [ERR_SOCKET]: closed\n    at x", Some(("Error", "closed")));
        check("panic: boom\n\ngoroutine 1 [running]:\nmain.main()", Some(("panic", "boom")));
        check(
            "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:",
            Some(("fatal error", "all goroutines are asleep - deadlock!")),
        );
        check("thread 'main' panicked at src/main.rs:2:5:\nboom\nnote: run with", Some(("panic", "boom")));
        check(
            "thread 'main' panicked at src/main.rs:2:5:\nassertion `left == right` failed\n  left: 1\n right: 2",
            Some(("panic", "assertion `left == right` failed\n  left: 1\n right: 2")),
        );
        check("thread 'main' panicked at 'boom, really', src/main.rs:2:5", Some(("panic", "boom, really")));
        check("nothing of the kind: here", None);
        check("", None);
    }

    #[test]
    fn last_lines_of_python() {
        let check = |line: &str, expect: bool| assert_eq!(split_python(line).is_some(), expect, "{line}");
        check("ValueError: bad", true);
        check("requests.exceptions.ConnectionError: x", true);
        check("KeyboardInterrupt", true);
        check("AssertionError", true);
        check("ERROR: bad", false);
        check("ERROR:root:bad", false);
        check("done", false);
        check("Starting server: now", false);
        check("2026-11-21 10:00:00 INFO x: y", false);
        check("", false);
    }
}
