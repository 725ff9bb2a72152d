//! Attributes as rows of a panel.

use serde_json::{Map, Value};

/// What a person would type for the value: texts without quotes, the rest as JSON.
pub fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Attributes by name, values as text.
pub fn rows(attributes: &Map<String, Value>) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> =
        attributes.iter().map(|(name, value)| (name.clone(), value_text(value))).collect();
    crate::order::sort(&mut rows, |a, b| a.0.cmp(&b.0));
    rows
}

/// A term of the filter language that finds this value: `http.route:"/api/cart"`, quoted where needed.
pub fn filter_term(field: &str, value: &str, exclude: bool) -> String {
    let plain = !value.is_empty()
        && value.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '/'))
        && !value.starts_with('-');
    let sign = if exclude { "-" } else { "" };
    match plain {
        true => format!("{sign}{field}:{value}"),
        false => format!("{sign}{field}:\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// The query with the term added, or without it where it is there already.
pub fn toggle_term(query: &str, term: &str) -> String {
    let query = query.trim();
    if query.is_empty() {
        return term.to_owned();
    }
    let spaced = format!(" {query} ");
    match spaced.find(&format!(" {term} ")) {
        Some(at) => {
            let left = spaced[..at].trim();
            let right = spaced[at + term.len() + 1..].trim();
            format!("{left} {right}").trim().to_owned()
        }
        None if query.contains(" OR ") && !query.ends_with(')') => format!("({query}) {term}"),
        None => format!("{query} {term}"),
    }
}

/// What an `exception` event or log record says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exception {
    /// Type, such as `java.net.SocketTimeoutException`.
    pub kind: String,
    /// Message.
    pub message: String,
    /// Stack trace.
    pub stacktrace: String,
}

/// The exception in these attributes, by OpenTelemetry's names.
pub fn exception(attributes: &Map<String, Value>) -> Option<Exception> {
    let text = |name: &str| attributes.get(name).map(value_text).unwrap_or_default();
    let found = Exception {
        kind: text("exception.type"),
        message: text("exception.message"),
        stacktrace: text("exception.stacktrace"),
    };
    (found != Exception::default()).then_some(found)
}

/// Bytes of a body shown at most in a panel; the JSON tab has all of it.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a body shown at most in one line of a list.
const LINE_BYTES_MAX: usize = 2_048;

/// A body as one line: control characters become spaces, terminal colours go, long text is cut.
pub fn one_line(body: &Value) -> String {
    let text = match body {
        Value::Null => return String::new(),
        Value::String(text) => std::borrow::Cow::Borrowed(text.as_str()),
        other => std::borrow::Cow::Owned(other.to_string()),
    };
    plain(&text, LINE_BYTES_MAX, |_| false)
}

/// The text without terminal colours and bidirectional controls, which could reorder what stands around it; control
/// characters become spaces, but for those to `keep`. Cut after so many bytes.
fn plain(text: &str, bytes_max: usize, keep: fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len().min(bytes_max));
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if out.len() >= bytes_max {
            out.push('…');
            break;
        }
        match c {
            '\u{1b}' => {
                if characters.as_str().starts_with('[') {
                    let _ = characters.by_ref().find(|c| c.is_ascii_alphabetic());
                }
            }
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() && !keep(c) => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A body for the detail panel: texts as they are, structures as indented JSON.
pub fn body_text(body: &Value) -> String {
    match body {
        Value::Null => String::new(),
        Value::String(text) => match text.trim_start().starts_with(['{', '[']) {
            true => serde_json::from_str::<Value>(text)
                .ok()
                .and_then(|value| serde_json::to_string_pretty(&value).ok())
                .unwrap_or_else(|| text.clone()),
            false => plain(text, BODY_BYTES_MAX, |c| c == '\n' || c == '\t'),
        },
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn terms() {
        let check = |value: &str, exclude, expect: &str| assert_eq!(filter_term("f", value, exclude), expect);
        check("checkout", false, "f:checkout");
        check("/api/cart", true, "-f:/api/cart");
        check("two words", false, "f:\"two words\"");
        check("a\"b\\", false, "f:\"a\\\"b\\\\\"");
        check("-5", false, "f:\"-5\"");
        check("", false, "f:\"\"");
        check("x*", false, "f:\"x*\"");
    }

    #[test]
    fn terms_toggle() {
        let check = |query: &str, expect: &str| assert_eq!(toggle_term(query, "a:b"), expect, "{query}");
        check("", "a:b");
        check("x", "x a:b");
        check("x a:b", "x");
        check("a:b x", "x");
        check("a:b", "");
        check("xa:b", "xa:b a:b");
        check("x OR y", "(x OR y) a:b");
    }

    #[test]
    fn lines_are_harmless() {
        assert_eq!(one_line(&json!("\u{1b}[31mred\u{1b}[0m\nnext\u{202e}x")), "red nextx");
        assert_eq!(one_line(&json!({"a": 1})), "{\"a\":1}");
        assert_eq!(one_line(&Value::Null), "");
        assert_eq!(one_line(&json!("\u{1b}")), "");
        assert!(one_line(&json!("日".repeat(100_000))).len() < 2_100);
    }

    #[test]
    fn bodies() {
        assert_eq!(body_text(&json!("{\"a\":1}")), "{\n  \"a\": 1\n}");
        assert_eq!(body_text(&json!("{broken")), "{broken");
        assert_eq!(body_text(&json!("\u{1b}[1mtwo\u{1b}[0m\nlines\t.\r")), "two\nlines\t. ");
    }

    #[test]
    fn exceptions() {
        let attributes = json!({"exception.type": "E", "exception.message": 5});
        let found = exception(attributes.as_object().expect("an object")).expect("an exception");
        assert_eq!((found.kind.as_str(), found.message.as_str()), ("E", "5"));
        assert_eq!(exception(&Map::new()), None);
    }
}
