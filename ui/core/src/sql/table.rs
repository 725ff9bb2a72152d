//! How a result looks: the width of its columns, which are numbers, what a cell says.

use api::SqlAnswer;
use serde_json::Value;

/// Characters of a cell that are shown; the rest is in the file.
const CELL_CHARACTERS_MAX: usize = 400;
/// Rows that a column's width is measured on.
const MEASURED_ROWS: usize = 200;
/// Narrowest and widest column, in characters.
const WIDTHS: (usize, usize) = (6, 60);

/// How a column looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnLook {
    /// Name.
    pub name: String,
    /// Type, shortened.
    pub kind: String,
    /// Width in characters.
    pub width: usize,
    /// Whether its values stand to the right.
    pub is_number: bool,
    /// Whether its values are ids of traces.
    pub is_trace_id: bool,
}

/// The columns of an answer.
pub fn columns(answer: &SqlAnswer) -> Vec<ColumnLook> {
    let look = |(at, column): (usize, &api::Column)| {
        let kind = short_type(&column.kind);
        let cells = answer.rows.iter().take(MEASURED_ROWS).filter_map(|row| row.get(at));
        let widest = cells.map(|value| cell_text(value).chars().count()).max().unwrap_or(0);
        let head = column.name.chars().count() + 1 + kind.chars().count();
        let is_number = ["Int", "UInt", "Float", "Decimal"].iter().any(|number| column.kind.starts_with(number));
        ColumnLook {
            name: column.name.clone(),
            width: widest.max(head).clamp(WIDTHS.0, WIDTHS.1),
            is_number,
            is_trace_id: column.name == "trace_id",
            kind,
        }
    };
    answer.columns.iter().enumerate().map(look).collect()
}

/// An Arrow type in short: `Timestamp(ns)`, `Utf8`, `List(Utf8)`.
pub(super) fn short_type(kind: &str) -> String {
    let kind = match kind.strip_prefix("Dictionary(").and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => inner.split_once(", ").map_or(inner, |(_, values)| values),
        None => kind,
    };
    let short = kind
        .replace("Timestamp(Nanosecond, None)", "Timestamp(ns)")
        .replace("Timestamp(Nanosecond, Some(\"UTC\"))", "Timestamp(ns)")
        .replace("Timestamp(ns, \"UTC\")", "Timestamp(ns)")
        .replace("Utf8View", "Utf8")
        .replace("BinaryView", "Binary");
    match short.split_once(['(', '<']) {
        // The inside of a nested type is longer than its column.
        Some((outer, _)) if short.len() > 28 => format!("{outer}(…)"),
        _ => short,
    }
}

/// What a cell says in one line: texts as they are, the rest as JSON; empty for `null`.
pub fn cell_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        value => crate::format::cut(&crate::fields::one_line(value), CELL_CHARACTERS_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::Column;
    use serde_json::json;

    #[test]
    fn types_are_short() {
        let check = |kind: &str, expect: &str| assert_eq!(short_type(kind), expect);
        check("Utf8View", "Utf8");
        check("Dictionary(Int32, Utf8)", "Utf8");
        check("Timestamp(Nanosecond, None)", "Timestamp(ns)");
        check("Int64", "Int64");
        check("List(Struct(\"name\": Utf8, \"value\": Int64))", "List(…)");
    }

    #[test]
    fn columns_fit_what_they_hold() {
        let column = |name: &str, kind: &str| Column { name: name.into(), kind: kind.into() };
        let answer = SqlAnswer {
            columns: vec![column("n", "Int64"), column("trace_id", "Utf8"), column("body", "Utf8")],
            rows: vec![vec![json!(1), json!("ab".repeat(16)), json!("x".repeat(900))], vec![json!(null)]],
            ..SqlAnswer::default()
        };
        let looks = columns(&answer);
        assert_eq!(looks.iter().map(|look| look.width).collect::<Vec<_>>(), [7, 32, 60]);
        assert_eq!((looks[0].is_number, looks[1].is_trace_id, looks[2].is_number), (true, true, false));
        assert_eq!(cell_text(&json!("a\nb")), "a b");
        assert_eq!(cell_text(&json!({"a": 1})), "{\"a\":1}");
        assert_eq!(cell_text(&Value::Null), "");
    }
}
