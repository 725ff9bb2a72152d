//! The engine's errors in words for who wrote the query.

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use tables::TablesError;

use super::guard::offset_of;
use crate::error::QueryError;

/// What went wrong, for the asker; `Err` gives back an error of ours from inside the engine.
pub(crate) fn explain(error: DataFusionError, text: &str, memory_bytes_max: usize) -> Result<QueryError, TablesError> {
    if let Some(ours) = find_ours(&error) {
        return Err(ours);
    }
    let root = error.find_root();
    Ok(match root {
        DataFusionError::ResourcesExhausted(_) => QueryError::TooLarge {
            message: format!(
                "the query needs more memory than the {} MiB it may use: aggregate or filter more, or narrow the time range",
                memory_bytes_max >> 20
            ),
        },
        DataFusionError::IoError(_) | DataFusionError::ObjectStore(_) => QueryError::Internal(clean(&root.to_string())),
        DataFusionError::ExecutionJoin(_) => QueryError::Internal("the query failed: a defect of the server".into()),
        DataFusionError::SchemaError(schema, _) => QueryError::invalid(schema_message(schema)),
        DataFusionError::SQL(parser, _) if matches!(**parser, ParserError::RecursionLimitExceeded) => {
            QueryError::TooLarge { message: "the query has too many levels inside one another".into() }
        }
        _ => {
            let message = clean(&root.to_string());
            let position = position_in(&message, text);
            QueryError::Invalid { message, position }
        }
    })
}

/// An error of ours that a table or reader raised.
fn find_ours(error: &DataFusionError) -> Option<TablesError> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = source {
        if let Some(ours) = current.downcast_ref::<TablesError>() {
            return Some(match ours {
                TablesError::Missing(message) => TablesError::Missing(message.clone()),
                TablesError::Stopped => TablesError::Stopped,
                other => TablesError::Internal(other.to_string()),
            });
        }
        source = current.source();
    }
    None
}

fn schema_message(error: &SchemaError) -> String {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let mut names: Vec<String> = valid_fields.iter().map(|column| column.name.clone()).collect();
            names.dedup();
            let more = if names.len() > 12 { ", …" } else { "" };
            names.truncate(12);
            match names.is_empty() {
                true => format!("there is no column '{}'", field.name),
                false => format!("there is no column '{}'; there are {}{more}", field.name, names.join(", ")),
            }
        }
        other => clean(&other.to_string()),
    }
}

/// The message without the engine's wrapping, its stack traces and its request for bug reports.
fn clean(message: &str) -> String {
    let mut message = message.split("\n\nbacktrace:").next().unwrap_or_default();
    message = message.split("\nThis issue was likely caused by a bug").next().unwrap_or_default();
    message = message.split(".\nThis was likely caused by a bug").next().unwrap_or_default();
    const PREFIXES: [&str; 8] = [
        "Error during planning: ",
        "SQL error: ",
        "Schema error: ",
        "Execution error: ",
        "Internal error: ",
        "Arrow error: ",
        "This feature is not implemented: ",
        "Optimizer rule ",
    ];
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| message.strip_prefix(prefix)) {
        message = rest;
    }
    let inner = message.strip_prefix("ParserError(\"").and_then(|rest| rest.strip_suffix("\")"));
    let inner = inner.or_else(|| message.strip_prefix("TokenizerError(\"").and_then(|rest| rest.strip_suffix("\")")));
    let text = inner.map_or_else(|| message.to_owned(), |inner| inner.replace("\\\"", "\"").replace("\\n", " "));
    text.trim().chars().take(2000).collect()
}

/// Where the parser stopped: it says so as `at Line: 1, Column: 15`.
fn position_in(message: &str, text: &str) -> Option<usize> {
    let (_, place) = message.rsplit_once("at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let digits: String = column.chars().take_while(char::is_ascii_digit).collect();
    offset_of(text, line.parse().ok()?, digits.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_unwrapped() {
        let check = |message: &str, expect: &str| assert_eq!(clean(message), expect);
        check("Error during planning: table 'x' not found", "table 'x' not found");
        check(
            "SQL error: ParserError(\"Expected: \\\"a\\\" at Line: 1, Column: 9\")",
            "Expected: \"a\" at Line: 1, Column: 9",
        );
        check("Arrow error: Divide by zero error", "Divide by zero error");
        check("Internal error: odd.\nThis issue was likely caused by a bug in it", "odd.");
        assert_eq!(position_in("x at Line: 1, Column: 9", "select * frm"), Some(8));
    }
}
