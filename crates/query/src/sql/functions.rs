//! Functions that make a large value of a small one: what they are given is bounded before the plan is optimised,
//! since optimising computes what is constant.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan};

use crate::error::QueryError;

/// Functions with a size, and which argument it is.
const SIZED: &[(&str, usize)] = &[("repeat", 1), ("lpad", 1), ("rpad", 1), ("space", 0)];

/// Functions whose work on one value grows with the square of its length.
const DENIED: &[&str] = &["levenshtein"];

/// Refuses a plan whose sized functions could make more than `size_max` of one character between them.
pub(crate) fn check(plan: &LogicalPlan, size_max: i64) -> std::result::Result<(), QueryError> {
    let mut product: i64 = 1;
    let mut refusal = None;
    let outcome = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| expr.apply(|expr| Ok(check_expr(expr, size_max, &mut product, &mut refusal))))?;
        Ok(if refusal.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match (refusal, outcome) {
        (Some(message), _) => Err(QueryError::TooLarge { message }),
        (None, Err(error)) => Err(QueryError::invalid(error.to_string())),
        (None, Ok(_)) => Ok(()),
    }
}

fn check_expr(expr: &Expr, size_max: i64, product: &mut i64, refusal: &mut Option<String>) -> TreeNodeRecursion {
    let Expr::ScalarFunction(call) = expr else { return TreeNodeRecursion::Continue };
    let name = call.func.name();
    if DENIED.contains(&name) {
        *refusal = Some(format!("the function {name} is not available"));
        return TreeNodeRecursion::Stop;
    }
    let Some((_, at)) = SIZED.iter().find(|(sized, _)| *sized == name) else { return TreeNodeRecursion::Continue };
    let size = call.args.get(*at).and_then(literal);
    match size {
        Some(size) => *product = product.saturating_mul(size.max(1)),
        None => *refusal = Some(format!("the size given to {name} must be a plain number")),
    }
    if *product > size_max {
        *refusal = Some(format!("{name} and its like may make {size_max} characters at most, between them"));
    }
    if refusal.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue }
}

/// A whole number as it is written; a cast of one counts too.
fn literal(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(value, _) => to_i64(value).ok(),
        Expr::Negative(inner) => literal(inner).map(i64::saturating_neg),
        Expr::Cast(cast) => literal(&cast.expr),
        _ => None,
    }
}

fn to_i64(value: &ScalarValue) -> Result<i64> {
    match value.cast_to(&arrow::datatypes::DataType::Int64)? {
        ScalarValue::Int64(whole) => Ok(whole.unwrap_or(0)),
        other => Err(datafusion::error::DataFusionError::Internal(format!("{other} is no integer"))),
    }
}
