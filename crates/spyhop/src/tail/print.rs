//! Records as lines.
//!
//! What a record holds comes from whoever sent it. Nothing of it reaches a terminal that the terminal would obey:
//! control characters, escape sequences and marks that turn the direction of text are written out as `\x1b` and such.

use std::fmt::Write;

use api::filter::Severity;
use api::{LogRecord, TailEvent};
use model::time::Civil;
use serde_json::Value;

/// How records are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A JSON object a line.
    Json,
    /// For people.
    Text {
        has_colours: bool,
        /// Whether a record with several lines is printed on one.
        is_folded: bool,
    },
}

/// Prints events.
pub(super) struct Lines {
    pub(super) form: Form,
}

/// What is to be said about one event.
#[derive(Debug, Default)]
pub(super) struct Printed {
    pub(super) text: String,
    pub(super) dropped: u64,
    pub(super) incomplete_because: Vec<String>,
}

/// Attributes shown of a record, and characters of a value.
const ATTRIBUTES_MAX: usize = 8;
const VALUE_CHARS_MAX: usize = 80;

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const RESET: &str = "\x1b[0m";

impl Lines {
    /// The lines of an event's data.
    pub(super) fn of(&self, data: &str) -> serde_json::Result<Printed> {
        let event: TailEvent = serde_json::from_str(data)?;
        let mut printed =
            Printed { text: String::new(), dropped: event.dropped, incomplete_because: event.incomplete_because };
        match self.form {
            Form::Json => {
                // As the server wrote them, members that this release does not know included.
                let raw: Value = serde_json::from_str(data)?;
                for record in raw["logs"].as_array().into_iter().flatten() {
                    // Writing to a String cannot fail.
                    let _ = writeln!(printed.text, "{record}");
                }
            }
            Form::Text { has_colours, is_folded } => {
                for record in &event.logs {
                    put_record(&mut printed.text, record, has_colours, is_folded);
                }
            }
        }
        Ok(printed)
    }
}

/// `19:30:00.123 ERROR payment  card declined  order.id=7  trace=9f3c…`.
fn put_record(out: &mut String, record: &LogRecord, has_colours: bool, is_folded: bool) {
    let styled = |out: &mut String, style: &str, text: &str| match has_colours && !style.is_empty() {
        true => out.extend([style, text, RESET]),
        false => out.push_str(text),
    };
    let time = Civil::from_unix_nano(record.time_unix_nano.0).to_string();
    styled(out, DIM, time.get(11..23).unwrap_or(&time));
    let class = severity(record);
    out.push(' ');
    styled(out, colour(class), &format!("{:<5}", class.name().to_ascii_uppercase()));
    let service = record.resource.attributes.get("service.name").and_then(Value::as_str).unwrap_or("-");
    out.push(' ');
    styled(out, BOLD, &harmless(service));
    out.push_str("  ");
    put_body(out, &text_of(&record.body), is_folded);
    for (key, value) in record.attributes.iter().take(ATTRIBUTES_MAX) {
        out.push_str("  ");
        styled(out, DIM, &format!("{}=", harmless(key)));
        let text = text_of(value);
        let cut: String = text.chars().take(VALUE_CHARS_MAX).collect();
        let more = if cut.len() < text.len() { "…" } else { "" };
        out.push_str(&format!("{}{more}", harmless(&cut)));
    }
    if record.attributes.len() > ATTRIBUTES_MAX {
        out.push_str("  ");
        styled(out, DIM, &format!("+{}", record.attributes.len() - ATTRIBUTES_MAX));
    }
    if let Some(trace_id) = &record.trace_id {
        out.push_str("  ");
        styled(out, DIM, &format!("trace={}", harmless(trace_id)));
    }
    out.push('\n');
}

/// The body; further lines of it below the first, unless they are folded.
fn put_body(out: &mut String, body: &str, is_folded: bool) {
    if is_folded {
        out.push_str(&harmless(body));
        return;
    }
    for (at, line) in body.trim_end_matches(['\n', '\r']).split('\n').enumerate() {
        if at > 0 {
            out.push_str("\n    ");
        }
        out.push_str(&harmless(line.trim_end_matches('\r')));
    }
}

fn severity(record: &LogRecord) -> Severity {
    match Severity::of_number(record.severity_number) {
        Severity::Unknown => Severity::of_text(&record.severity_text).unwrap_or(Severity::Unknown),
        known => known,
    }
}

fn colour(class: Severity) -> &'static str {
    match class {
        Severity::Fatal => "\x1b[1;31m",
        Severity::Error => "\x1b[31m",
        Severity::Warn => "\x1b[33m",
        Severity::Info => "\x1b[32m",
        Severity::Trace | Severity::Debug => DIM,
        Severity::Unknown => "",
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The text with everything a terminal would obey written out. It has one line.
pub(super) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push('\t'),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => out.push_str(&format!("\\x{:02x}", u32::from(character))),
            // Marks of direction, which can make a line read as what it is not, and further ends of lines.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(character)));
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> String {
        json!({
            "logs": [{
                "time_unix_nano": "1795289400123456789",
                "severity_number": 17,
                "body": "card \u{1b}[2Jdeclined\n  at pay()\n",
                "attributes": {"order.id": 7, "evil\u{1b}": "\u{202e}x"},
                "resource": {"attributes": {"service.name": "pay\u{7}ment"}},
                "trace_id": "9f3c1b7a5d2e4c08b6a1f0d4c3b2e21a",
                "later": "unknown to this release",
            }],
            "dropped": 4,
        })
        .to_string()
    }

    fn printed(form: Form) -> Printed {
        Lines { form }.of(&event()).expect("an event")
    }

    #[test]
    fn records_are_lines() {
        let plain = printed(Form::Text { has_colours: false, is_folded: true });
        assert_eq!(plain.dropped, 4);
        assert_eq!(
            plain.text,
            "19:30:00.123 ERROR pay\\x07ment  card \\x1b[2Jdeclined\\n  at pay()\\n  evil\\x1b=\\u{202e}x  order.id=7  \
             trace=9f3c1b7a5d2e4c08b6a1f0d4c3b2e21a\n"
        );
        let terminal = printed(Form::Text { has_colours: true, is_folded: false }).text;
        assert!(
            terminal.contains("\x1b[31mERROR\x1b[0m") && terminal.contains("declined\n      at pay()"),
            "{terminal:?}"
        );
        let obeyed = terminal.matches('\x1b').count();
        assert_eq!(obeyed, terminal.matches("\x1b[").count(), "only our own sequences: {terminal:?}");
        assert!(!terminal.contains("\x1b[2J"));
    }

    #[test]
    fn json_is_as_the_server_wrote_it() {
        let text = printed(Form::Json).text;
        let record: Value = serde_json::from_str(&text).expect("one object");
        assert_eq!(record["later"], "unknown to this release");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn what_terminals_obey_is_written_out() {
        let check = |text: &str, expect: &str| assert_eq!(harmless(text), expect);
        check("plain é 日本 😀\tx", "plain é 日本 😀\tx");
        check("\u{1b}]0;title\u{7}", "\\x1b]0;title\\x07");
        check("\u{9b}31m", "\\x9b31m");
        check("a\r\nb\u{2028}", "a\\r\\nb\\u{2028}");
    }
}
