//! What a service does: its spans by name and kind.

use std::collections::HashMap;

use api::{OperationSummary, OperationsAnswer, UnixNano};
use model::Table;
use store::rollup::{MINUTE_NANOS, OperationRollup};
use tables::{Scan, TablesError};

use super::detail::last_heard_of;
use super::totals::{RedTotals, StepTotals, Wanted, merge_steps, series};
use super::{OperationSearch, step_count, steps_of};
use crate::by_minute::{Piece, span_pieces};
use crate::service::{QueryLimits, Question};
use crate::side_by_side::each_unit;
use crate::steps::Steps;

#[derive(Debug, Default)]
struct OfOperation {
    red: RedTotals,
    by_step: StepTotals,
    newest: Option<i64>,
}

#[derive(Debug, Default)]
struct Operations {
    by_name_and_kind: HashMap<(String, i32), OfOperation>,
    has_more: bool,
}

impl Operations {
    fn place(&mut self, name: &str, kind: i32, operations_max: usize) -> Option<&mut OfOperation> {
        let key = (name.to_owned(), kind);
        if self.by_name_and_kind.len() >= operations_max && !self.by_name_and_kind.contains_key(&key) {
            self.has_more = true;
            return None;
        }
        Some(self.by_name_and_kind.entry(key).or_default())
    }

    fn add(&mut self, piece: &Piece<'_, OperationRollup>, service: &str, steps: &Steps, operations_max: usize) {
        let rollup = piece.rollup;
        let Some(number) = rollup.services().iter().position(|name| name == service) else { return };
        rollup.each_cell(|operation, cell| {
            if operation.service as usize != number || !piece.holds(cell.minute) {
                return;
            }
            let name = &rollup.names()[operation.name as usize];
            let Some(totals) = self.place(name, operation.kind, operations_max) else { return };
            totals.red.add(cell);
            totals.newest = totals.newest.max(Some(cell.newest_unix_nano));
            if let Some(step) = steps.of(cell.minute.saturating_mul(MINUTE_NANOS)) {
                totals.by_step.entry(step).or_default().add(cell);
            }
        });
    }

    fn merge(&mut self, more: Operations, operations_max: usize) {
        self.has_more |= more.has_more;
        for ((name, kind), totals) in more.by_name_and_kind {
            let Some(sum) = self.place(&name, kind, operations_max) else { continue };
            sum.red.merge(&totals.red);
            sum.newest = sum.newest.max(totals.newest);
            merge_steps(&mut sum.by_step, totals.by_step);
        }
    }
}

pub(super) fn operations(
    question: &Question<'_>,
    search: &OperationSearch,
    limits: &QueryLimits,
    scan: &mut Scan,
) -> Result<Option<OperationsAnswer>, TablesError> {
    let (range, service) = (search.range, search.service.as_str());
    let steps = steps_of(question, &range, step_count(search.steps, limits));
    let units = question.engine.units(question.pinned, Table::Spans, &range, scan);
    let mut sum = Operations::default();
    for part in each_unit(question, &units, scan, Operations::default, |operations, unit, scan| {
        span_pieces(question, unit, &range, scan, &mut |piece| {
            operations.add(piece, service, &steps, limits.operations_max);
        })
    })? {
        sum.merge(part, limits.operations_max);
    }
    if sum.by_name_and_kind.is_empty() {
        let wanted = Wanted { range, steps, only: Some(service), services_max: 1 };
        if last_heard_of(question, service, &wanted, scan)?.is_none() {
            return Ok(None);
        }
    }
    if sum.has_more {
        let most = limits.operations_max;
        scan.note(format!("the service has more than {most} operations; their names should not hold ids"));
    }
    let mut all: Vec<((String, i32), OfOperation)> = sum.by_name_and_kind.into_iter().collect();
    all.sort_by(|a, b| b.1.red.calls.cmp(&a.1.red.calls).then_with(|| a.0.cmp(&b.0)));
    let limit = if search.limit == 0 { usize::MAX } else { search.limit };
    let truncated = all.len() > limit;
    let summary = |((name, kind), totals): ((String, i32), OfOperation)| OperationSummary {
        name,
        kind,
        red: totals.red.red(),
        series: series(&totals.by_step, &steps, false),
        last_seen_unix_nano: UnixNano(totals.newest.unwrap_or_default()),
    };
    Ok(Some(OperationsAnswer {
        service: service.to_owned(),
        operations: all.into_iter().take(limit).map(summary).collect(),
        truncated,
        steps: steps.range(),
        ..OperationsAnswer::default()
    }))
}
