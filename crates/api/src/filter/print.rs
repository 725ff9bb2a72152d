//! A [`Filter`] as text that parses to the same filter.

use std::fmt::{Display, Formatter, Result};

use super::{Bound, Field, Filter, Interval, Number, Pattern, Test};

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Filter::All => f.write_str("*"),
            Filter::Text(pattern) => write_pattern(f, pattern, false),
            Filter::Field(field, test) => write_test(f, field, test),
            Filter::Not(inner) => {
                f.write_str("NOT ")?;
                write_grouped(f, inner)
            }
            Filter::And(parts) => write_list(f, parts, " "),
            Filter::Or(parts) => write_list(f, parts, " OR "),
        }
    }
}

fn write_list(f: &mut Formatter<'_>, parts: &[Filter], between: &str) -> Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        write_grouped(f, part)?;
    }
    Ok(())
}

fn write_grouped(f: &mut Formatter<'_>, filter: &Filter) -> Result {
    match filter {
        Filter::And(_) | Filter::Or(_) => write!(f, "({filter})"),
        _ => write!(f, "{filter}"),
    }
}

impl Display for Field {
    /// The name, quoted where it needs to be.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let name = match self {
            Field::Service => "service",
            Field::Severity => "severity",
            Field::SeverityText => "severity_text",
            Field::TraceId => "trace_id",
            Field::SpanId => "span_id",
            Field::ParentSpanId => "parent_span_id",
            Field::Body => "body",
            Field::EventName => "event_name",
            Field::Name => "name",
            Field::Status => "status",
            Field::StatusMessage => "status_message",
            Field::Kind => "kind",
            Field::Duration => "duration",
            Field::ScopeName => "scope.name",
            Field::Resource(key) => return write_name(f, "resource.", key),
            // The prefix keeps a key such as `name` from being read as the record's own part.
            Field::Attribute(key) if is_plain_attribute(key) => return write_name(f, "", key),
            Field::Attribute(key) => return write_name(f, "attributes.", key),
        };
        f.write_str(name)
    }
}

/// Whether no target reads this name as anything but an attribute.
fn is_plain_attribute(key: &str) -> bool {
    let reads_plain = |target| {
        super::parse(&format!("\"{}\":*", escape_quoted(key)), target)
            .is_ok_and(|read| read == Filter::Field(Field::Attribute(key.into()), Test::Exists))
    };
    reads_plain(super::Target::Logs) && reads_plain(super::Target::Spans)
}

fn write_name(f: &mut Formatter<'_>, prefix: &str, key: &str) -> Result {
    let name = format!("{prefix}{key}");
    let plain = name.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '@' | '$'))
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '@' | '$' | '/'));
    match plain {
        true => f.write_str(&name),
        false => write!(f, "\"{}\"", escape_quoted(&name)),
    }
}

fn write_test(f: &mut Formatter<'_>, field: &Field, test: &Test) -> Result {
    match test {
        Test::Exists => write!(f, "{field}:*"),
        Test::Is(pattern) => {
            write!(f, "{field}:")?;
            write_pattern(f, pattern, true)
        }
        Test::Within(interval) => write_interval(f, field, interval),
    }
}

fn write_interval(f: &mut Formatter<'_>, field: &Field, interval: &Interval) -> Result {
    let unit = if *field == Field::Duration { "ns" } else { "" };
    let ends = match (interval.low, interval.high) {
        (Bound::Included(low), Bound::Included(high)) if low == high => {
            return write!(f, "{field}:{}{unit}", Printed(low));
        }
        (low, high) => [(low, ">"), (high, "<")],
    };
    let severity = ends.iter().all(|(bound, _)| matches!(bound, Bound::Included(_)));
    if severity && let (Bound::Included(Number::Integer(low)), _) = (interval.low, interval.high) {
        // Only a severity class has two ends inside.
        return write!(f, "{field}:{}", super::Severity::of_number(low as i32).name());
    }
    for (bound, operator) in ends {
        match bound {
            Bound::None => {}
            Bound::Included(number) => write!(f, "{field}:{operator}={}{unit}", Printed(number))?,
            Bound::Excluded(number) => write!(f, "{field}:{operator}{}{unit}", Printed(number))?,
        }
    }
    Ok(())
}

struct Printed(Number);

impl Display for Printed {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            Number::Integer(whole) => write!(f, "{whole}"),
            Number::Double(double) => write!(f, "{double:?}"),
        }
    }
}

fn escape_quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// A literal is quoted unless it is one plain word; a pattern is escaped.
fn write_pattern(f: &mut Formatter<'_>, pattern: &Pattern, is_value: bool) -> Result {
    if let Some(literal) = pattern.as_literal() {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/') || (is_value && c == '-');
        let is_operator = matches!(literal, "AND" | "OR" | "NOT");
        // `name://` is how a URL begins, not a field.
        let is_plain = !literal.is_empty() && !literal.starts_with("//") && literal.chars().all(plain);
        return match is_plain && !is_operator {
            true => f.write_str(literal),
            false => write!(f, "\"{}\"", escape_quoted(literal)),
        };
    }
    for (at, piece) in pattern.pieces().iter().enumerate() {
        if at > 0 {
            f.write_str("*")?;
        }
        for c in piece.chars() {
            match c.is_alphanumeric() || matches!(c, '_' | '.') {
                true => write!(f, "{c}")?,
                false => write!(f, "\\{c}")?,
            }
        }
    }
    Ok(())
}
