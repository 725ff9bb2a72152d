//! Rows as CSV by RFC 4180, safe to open in a spreadsheet.
//!
//! A spreadsheet takes a text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula, and
//! telemetry is written by strangers: such texts get an apostrophe in front. Numbers stay as they are.

use serde_json::Value;

/// The file: a line of names, then a line a row, each ended by CR LF.
pub fn file<'a>(names: impl IntoIterator<Item = &'a str>, rows: &[Vec<Value>]) -> String {
    let mut out = String::new();
    line(&mut out, names.into_iter().map(text));
    for row in rows {
        line(&mut out, row.iter().map(cell));
    }
    out
}

fn line(out: &mut String, cells: impl Iterator<Item = String>) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&cell);
    }
    out.push_str("\r\n");
}

/// A missing value is an empty cell, an empty text is a quoted one.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(value) => text(value),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => text(&value.to_string()),
    }
}

fn text(value: &str) -> String {
    let guard = if value.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    let needs_quotes = value.is_empty() || value.contains(['"', ',', '\r', '\n']) || value.trim() != value;
    match needs_quotes {
        true => format!("\"{guard}{}\"", value.replace('"', "\"\"")),
        false => format!("{guard}{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells() {
        let check = |value: Value, expect: &str| {
            assert_eq!(file(["n"], &[vec![value.clone()]]), format!("n\r\n{expect}\r\n"), "{value}");
        };
        check(json!(null), "");
        check(json!(""), "\"\"");
        check(json!("plain"), "plain");
        check(json!("a,b"), "\"a,b\"");
        check(json!("say \"hi\"\nthere"), "\"say \"\"hi\"\"\nthere\"");
        check(json!(" edge"), "\" edge\"");
        check(json!("=1+2"), "'=1+2");
        check(json!("=HYPERLINK(\"http://x\",\"y\")"), "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"");
        check(json!("-5"), "'-5");
        check(json!("@x"), "'@x");
        check(json!("\tx"), "\"'\tx\"");
        check(json!(-5), "-5");
        check(json!(1.5), "1.5");
        check(json!(true), "true");
        check(json!([1, "a"]), "\"[1,\"\"a\"\"]\"");
    }

    #[test]
    fn lines() {
        let rows = [vec![json!(1), json!("x")], vec![json!(2), json!(null)]];
        assert_eq!(file(["id", "=name"], &rows), "id,'=name\r\n1,x\r\n2,\r\n");
        assert_eq!(file([], &[]), "\r\n");
    }
}
