//! Expressions that make large values of small ones: how far they can go is bounded before the plan is optimised,
//! since optimising computes what is constant, and since no memory pool counts the values of one batch.

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

use super::SqlLimits;
use crate::error::QueryError;

/// Functions with a size, and which argument it is.
const SIZED: &[(&str, usize)] = &[("repeat", 1), ("lpad", 1), ("rpad", 1), ("space", 0)];

/// Functions that put a text in the place of another, and which argument it is.
const REPLACING: &[(&str, usize)] = &[("replace", 2), ("regexp_replace", 2), ("overlay", 1)];

/// Functions that join their arguments.
const JOINING: &[&str] = &[
    "concat",
    "concat_ws",
    "make_array",
    "array_concat",
    "array_append",
    "array_prepend",
    "struct",
    "named_struct",
    "map",
];

/// Functions whose work on one value grows with the square of its length.
const DENIED: &[&str] = &["levenshtein"];

/// Refuses a plan whose expressions could make far larger values than there are.
pub(crate) fn check(plan: &LogicalPlan, limits: &SqlLimits) -> Result<(), QueryError> {
    let mut checked = Checked { size_max: limits.function_size_max, product: 1, refusal: None };
    let growth = checked.growth(plan).map_err(|error| QueryError::invalid(error.to_string()))?;
    if let Some(message) = checked.refusal {
        return Err(QueryError::TooLarge { message });
    }
    match growth > limits.growth_max {
        true => Err(QueryError::TooLarge {
            message: format!(
                "concatenations in queries inside one another could make a text more than {} times as long",
                limits.growth_max
            ),
        }),
        false => Ok(()),
    }
}

struct Checked {
    size_max: i64,
    /// All sizes so far, multiplied.
    product: i64,
    refusal: Option<String>,
}

impl Checked {
    /// How many times as long a text can be after this plan as before: what each level joins, multiplied along the
    /// deepest way. It recurses as deep as the plan, on a planning thread's stack.
    fn growth(&mut self, plan: &LogicalPlan) -> Result<u64, DataFusionError> {
        let mut joined: u64 = 1;
        plan.apply_expressions(|expr| {
            expr.apply(|expr| {
                joined = joined.saturating_add(self.joins(expr));
                Ok(if self.refusal.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })?;
        let mut below: u64 = 1;
        for input in plan.inputs() {
            below = below.max(self.growth(input)?);
        }
        plan.apply_subqueries(|subquery| {
            below = below.max(self.growth(subquery)?);
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(joined.saturating_mul(below))
    }

    /// How many values beyond the first this expression joins into one.
    fn joins(&mut self, expr: &Expr) -> u64 {
        match expr {
            Expr::BinaryExpr(BinaryExpr { op: Operator::StringConcat, .. }) => 1,
            Expr::ScalarFunction(call) => {
                self.check_call(call);
                match JOINING.contains(&call.func.name()) {
                    true => call.args.len().saturating_sub(1) as u64,
                    false => 0,
                }
            }
            _ => 0,
        }
    }

    fn check_call(&mut self, call: &ScalarFunction) {
        let name = call.func.name();
        if DENIED.contains(&name) {
            self.refusal = Some(format!("the function {name} is not available"));
        }
        let argument = |list: &[(&str, usize)]| {
            let (_, at) = list.iter().find(|(listed, _)| *listed == name)?;
            Some(call.args.get(*at))
        };
        if let Some(size) = argument(SIZED) {
            match size.and_then(whole_number) {
                Some(size) => self.multiply(name, size),
                None => self.refusal = Some(format!("the size given to {name} must be a plain number")),
            }
        }
        if let Some(text) = argument(REPLACING) {
            match text.map(text_length) {
                Some(Some(length)) => self.multiply(name, length),
                Some(None) => self.refusal = Some(format!("what {name} puts in must be a plain text")),
                None => {}
            }
        }
    }

    fn multiply(&mut self, name: &str, size: i64) {
        self.product = self.product.saturating_mul(size.max(1));
        if self.product > self.size_max {
            let max = self.size_max;
            self.refusal = Some(format!("{name} and its like may make {max} characters at most, between them"));
        }
    }
}

/// A whole number as it is written; a cast of one counts too.
fn whole_number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(value, _) => match value.cast_to(&arrow::datatypes::DataType::Int64).ok()? {
            ScalarValue::Int64(whole) => Some(whole.unwrap_or(0)),
            _ => None,
        },
        Expr::Negative(inner) => whole_number(inner).map(i64::saturating_neg),
        Expr::Cast(cast) => whole_number(&cast.expr),
        _ => None,
    }
}

/// Length of a text as it is written.
fn text_length(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(value, _) => Some(value.try_as_str().flatten().map_or(0, str::len) as i64),
        Expr::Cast(cast) => text_length(&cast.expr),
        _ => None,
    }
}
