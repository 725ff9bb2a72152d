//! The time range that a scan's filters leave, for ruling files out by the catalog's times.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};
use model::TimeRange;

/// What the conjunction of these filters says about the time column; unbounded where it says nothing.
pub(crate) fn time_range(filters: &[Expr], time_column: &str) -> TimeRange {
    let mut range = TimeRange::ALL;
    for filter in filters {
        narrow(&mut range, filter, time_column);
    }
    range
}

fn narrow(range: &mut TimeRange, filter: &Expr, column: &str) {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            narrow(range, left, column);
            narrow(range, right, column);
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            if is_column(left, column)
                && let Some(time) = nanos(right)
            {
                compare(range, *op, time);
            } else if is_column(right, column)
                && let Some(time) = nanos(left)
                && let Some(op) = op.swap()
            {
                compare(range, op, time);
            }
        }
        Expr::Between(Between { expr, negated: false, low, high }) if is_column(expr, column) => {
            if let Some(low) = nanos(low) {
                compare(range, Operator::GtEq, low);
            }
            if let Some(high) = nanos(high) {
                compare(range, Operator::LtEq, high);
            }
        }
        _ => {}
    }
}

/// Narrows the half-open range. The latest nanosecond has none after it, so there the end stays open.
fn compare(range: &mut TimeRange, op: Operator, time: i64) {
    let start_at = |range: &mut TimeRange, time: i64| range.start = Some(range.start.map_or(time, |now| now.max(time)));
    let end_at = |range: &mut TimeRange, time: i64| range.end = Some(range.end.map_or(time, |now| now.min(time)));
    match op {
        Operator::Gt | Operator::GtEq => start_at(range, time),
        Operator::Lt => end_at(range, time),
        Operator::LtEq => {
            if let Some(after) = time.checked_add(1) {
                end_at(range, after);
            }
        }
        Operator::Eq => {
            start_at(range, time);
            compare(range, Operator::LtEq, time);
        }
        _ => {}
    }
}

fn is_column(expr: &Expr, name: &str) -> bool {
    matches!(expr, Expr::Column(column) if column.name == name)
}

fn nanos(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::TimestampNanosecond(time, _), _) => *time,
        Expr::Literal(ScalarValue::TimestampMicrosecond(time, _), _) => time.as_ref()?.checked_mul(1_000),
        Expr::Literal(ScalarValue::TimestampMillisecond(time, _), _) => time.as_ref()?.checked_mul(1_000_000),
        Expr::Literal(ScalarValue::TimestampSecond(time, _), _) => time.as_ref()?.checked_mul(1_000_000_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::prelude::{col, lit};

    #[test]
    fn filters_bound_the_time() {
        let at = |time: i64| Expr::Literal(ScalarValue::TimestampNanosecond(Some(time), None), None);
        let check = |filter: Expr, start: Option<i64>, end: Option<i64>| {
            assert_eq!(time_range(std::slice::from_ref(&filter), "time"), TimeRange { start, end }, "{filter}");
        };
        check(col("time").gt_eq(at(5)), Some(5), None);
        check(col("time").lt(at(9)).and(col("time").gt(at(5))), Some(5), Some(9));
        check(at(9).gt_eq(col("time")), None, Some(10));
        check(col("time").between(at(5), at(9)), Some(5), Some(10));
        check(col("time").eq(at(5)), Some(5), Some(6));
        check(col("other").gt(at(5)), None, None);
        check(col("time").gt(at(5)).or(col("name").eq(lit("x"))), None, None);
        check(col("time").lt_eq(at(i64::MAX)), None, None);
    }
}
