//! The SQL page without a browser: its state, the words of the language, what can be typed next, how results look.

mod complete;
mod lex;
mod table;

pub use complete::{Schema, complete};
pub use lex::{LexemeKind, lex};
pub use table::{ColumnLook, cell_text, columns};

use crate::params::Params;
use crate::state::UrlState;

/// `/sql`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SqlState {
    /// The query.
    pub query: String,
}

impl UrlState for SqlState {
    const PATH: &'static str = "/sql";

    fn read(params: &Params) -> Self {
        SqlState { query: params.get("q").unwrap_or_default().to_owned() }
    }

    fn write(&self, params: &mut Params) {
        params.set("q", &self.query);
    }
}

/// A question worth asking, for those who see the page for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// What it answers.
    pub title: &'static str,
    /// The query.
    pub query: &'static str,
}

/// Examples, the simplest first. Each runs on an empty store too.
pub const EXAMPLES: &[Example] = &[
    Example {
        title: "Newest errors",
        query: "SELECT time, service_name, body\nFROM logs\nWHERE severity_number >= 17\n  AND time > now() - interval '1 hour'\nORDER BY time DESC\nLIMIT 100",
    },
    Example {
        title: "Slowest operations",
        query: "SELECT service_name, name, count(*) AS calls,\n  round(approx_percentile_cont(duration_nanos, 0.95) / 1e6, 1) AS p95_ms\nFROM spans\nWHERE start_time > now() - interval '1 hour'\nGROUP BY service_name, name\nORDER BY p95_ms DESC\nLIMIT 50",
    },
    Example {
        title: "Log records by minute",
        query: "SELECT date_trunc('minute', time) AS minute, severity_text, count(*) AS records\nFROM logs\nWHERE time > now() - interval '1 hour'\nGROUP BY 1, 2\nORDER BY 1 DESC",
    },
    Example {
        title: "Traces with the most log records",
        query: "SELECT l.trace_id, count(*) AS records, max(s.duration_nanos) / 1e6 AS longest_ms\nFROM logs l JOIN spans s ON s.trace_id = l.trace_id\nWHERE l.time > now() - interval '15 minutes'\nGROUP BY l.trace_id\nORDER BY records DESC\nLIMIT 20",
    },
    Example {
        title: "What is stored",
        query: "SELECT table_name, column_name, data_type\nFROM information_schema.columns\nWHERE table_schema = 'public'\nORDER BY table_name, ordinal_position",
    },
];

/// Where a message of the server says the fault is, as a byte offset, where it says it in words: `Line: 2, Column: 8`.
pub fn position_in_words(query: &str, message: &str) -> Option<usize> {
    let number = |after: &str| {
        let digits = message.split(after).nth(1)?.trim_start();
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        digits[..end].parse::<usize>().ok()
    };
    let (line, column) = (number("Line:")?.checked_sub(1)?, number("Column:")?.checked_sub(1)?);
    let start = match line {
        0 => 0,
        line => query.match_indices('\n').nth(line - 1)?.0 + 1,
    };
    let text = query.get(start..)?;
    Some(start + text.char_indices().nth(column).map_or(text.len(), |(at, _)| at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_in_the_url() {
        let state = SqlState { query: "SELECT 1\n-- a & b".into() };
        assert_eq!(state.url(), "/sql?q=SELECT%201%0A--%20a%20%26%20b");
        assert_eq!(SqlState::parse(&state.url()[4..]), state);
        assert_eq!(SqlState::default().url(), "/sql");
    }

    #[test]
    fn faults_are_found_in_words() {
        let check = |message: &str, expect: Option<usize>| {
            assert_eq!(position_in_words("SELECT\n日 x", message), expect, "{message}");
        };
        check("Expected: y, found: x at Line: 2, Column: 3", Some(11));
        check("at Line: 1, Column: 1", Some(0));
        check("at Line: 9, Column: 1", None);
        check("at Line: 2, Column: 99", Some(12));
        check("no column", None);
    }
}
