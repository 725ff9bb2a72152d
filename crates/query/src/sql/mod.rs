//! SQL: checked before it is parsed, planned on a large stack under a watchdog, run in a bounded pool on threads of its
//! own, cut to a bounded answer.
//!
//! What the checks are for is measured in `reference/ops.md` §4.3: a few KB of `1+1+…` overflow the stack, `repeat`
//! with a large number takes gigabytes while planning, and neither planning nor one batch's work yields to a timeout.
//! The process is expendable all the same: it is a child of the supervisor, and [`SqlRunner::is_wedged`] says when it
//! should be replaced.

mod errors;
mod functions;
mod guard;
mod run;
mod values;

use std::time::Duration;

pub(crate) use guard::check_text;
pub(crate) use run::SqlRunner;

/// Bounds of SQL questions.
#[derive(Debug, Clone)]
pub struct SqlLimits {
    /// Bytes of the text.
    pub text_bytes_max: usize,
    /// Words, numbers and signs.
    pub tokens_max: usize,
    /// Operators in all: each may nest the plan one deeper.
    pub operators_max: usize,
    /// Parentheses and brackets inside one another.
    pub nesting_max: usize,
    /// SELECTs, subqueries and set operations included.
    pub selects_max: usize,
    /// JOINs.
    pub joins_max: usize,
    /// The size that functions such as `repeat` may be given, multiplied over all of them.
    pub function_size_max: i64,
    /// How many times as long a text may become by concatenations in queries inside one another.
    pub growth_max: u64,
    /// Rows of an answer.
    pub rows_max: usize,
    /// Bytes of an answer's values, about.
    pub bytes_max: usize,
    /// How long planning may take.
    pub planning: Duration,
    /// How long a question's work may outlive its deadline before the process counts as wedged.
    pub overdue: Duration,
}

impl Default for SqlLimits {
    fn default() -> SqlLimits {
        SqlLimits {
            text_bytes_max: 64 * 1024,
            tokens_max: 16_000,
            operators_max: 500,
            nesting_max: 40,
            selects_max: 32,
            joins_max: 24,
            function_size_max: 10_000,
            growth_max: 256,
            rows_max: 10_000,
            bytes_max: 32 << 20,
            planning: Duration::from_secs(10),
            overdue: Duration::from_secs(2),
        }
    }
}
