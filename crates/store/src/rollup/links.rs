//! Spans and their parents: who called whom.
//!
//! A span is *called* by its parent where the two belong to different services. A client or producer span *reaches* a
//! place without telemetry where nothing called by it is known ([`REACH_MINUTES`]); a consumer span without a parent
//! takes from a queue.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::Int64Type;

use super::cells::minute_of;
use super::durations::duration_bucket;
use super::hash::Folding;
use super::operations::STATUS_ERROR;
use super::rows::{Ids, Lookup, Numbered, SmallNumbers, numbers, times};
use super::targets::{CallTarget, TargetColumns};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

/// Minutes between a call and what it reached; an answer that begins later is no answer to it.
pub const REACH_MINUTES: i64 = 10;

/// What the map needs of one span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkedSpan {
    /// Trace.
    pub trace: u128,
    /// Span.
    pub span: u64,
    /// Its parent; 0 is none.
    pub parent: u64,
    /// The minute it starts in.
    pub minute: i64,
    /// Number of its service.
    pub service: u32,
    /// Number of what it calls or takes from, plus one; 0 is nothing.
    target: u32,
    /// Kind, as OTLP numbers them.
    pub kind: i32,
    /// Bucket of its duration.
    pub bucket: u16,
    /// Whether it failed.
    pub is_error: bool,
}

impl LinkedSpan {
    /// Number of what it calls or takes from.
    pub fn target(&self) -> Option<u32> {
        self.target.checked_sub(1)
    }
}

/// Spans, found by their ids.
#[derive(Debug, Default)]
pub struct SpanLinks {
    services: Numbered,
    targets: Vec<CallTarget>,
    target_numbers: HashMap<CallTarget, u32>,
    spans: Vec<LinkedSpan>,
    /// Number of a span plus one, by hash; 0 is empty. A power of two, twice as many as spans at least.
    slots: Vec<u32>,
}

impl SpanLinks {
    /// Columns it looks at.
    pub const COLUMNS: [&'static str; 14] = [
        "start_time",
        "duration_nanos",
        "trace_id",
        "span_id",
        "parent_span_id",
        "kind",
        "status_code",
        "service_name",
        TargetColumns::COLUMNS[0],
        TargetColumns::COLUMNS[1],
        TargetColumns::COLUMNS[2],
        TargetColumns::COLUMNS[3],
        TargetColumns::COLUMNS[4],
        TargetColumns::COLUMNS[5],
    ];

    /// Adds the rows of a batch.
    pub fn push(&mut self, batch: &RecordBatch) {
        let (Some(starts), Some(durations)) =
            (times(batch, "start_time"), numbers::<Int64Type>(batch, "duration_nanos"))
        else {
            return;
        };
        let mut services = Lookup::new(batch, "service_name");
        let (kinds, statuses) = (SmallNumbers::new(batch, "kind"), SmallNumbers::new(batch, "status_code"));
        let (traces, spans) = (Ids::<16>::new(batch, "trace_id"), Ids::<8>::new(batch, "span_id"));
        let parents = Ids::<8>::new(batch, "parent_span_id");
        let targets = TargetColumns::new(batch);
        for (row, start) in starts.iter().enumerate() {
            let (Some(trace), Some(span)) = (traces.get(row), spans.get(row)) else { continue };
            let kind = kinds.get(row);
            let target = targets.target(row, kind).map_or(0, |target| self.target_number(target) + 1);
            let duration = if durations.is_valid(row) { durations.value(row) } else { 0 };
            self.spans.push(LinkedSpan {
                trace: u128::from_be_bytes(trace),
                span: u64::from_be_bytes(span),
                parent: parents.get(row).map_or(0, u64::from_be_bytes),
                minute: minute_of(*start),
                service: services.get(row, |text| self.services.number(text)),
                target,
                kind,
                bucket: duration_bucket(duration),
                is_error: statuses.get(row) == STATUS_ERROR,
            });
        }
    }

    fn target_number(&mut self, target: CallTarget) -> u32 {
        *self.target_numbers.entry(target).or_insert_with_key(|target| {
            self.targets.push(target.clone());
            self.targets.len() as u32 - 1
        })
    }

    /// Services that spans number.
    pub fn services(&self) -> &[String] {
        &self.services.list
    }

    /// Places that spans number.
    pub fn targets(&self) -> &[CallTarget] {
        &self.targets
    }

    /// All spans, in the order they came.
    pub fn spans(&self) -> &[LinkedSpan] {
        &self.spans
    }

    pub(super) fn into_names(self) -> (Vec<String>, Vec<CallTarget>) {
        (self.services.list, self.targets)
    }

    /// Makes spans findable; once all are there. Of several with the same ids the one of the service that comes first
    /// by name is found, whatever order they came in.
    pub fn index(&mut self) {
        self.slots = vec![0; (self.spans.len() * 2).next_power_of_two()];
        let mask = self.slots.len() - 1;
        for (at, span) in self.spans.iter().enumerate() {
            let mut slot = hash(span.trace, span.span) as usize & mask;
            loop {
                let Some(known) = self.slots[slot].checked_sub(1) else {
                    self.slots[slot] = at as u32 + 1;
                    break;
                };
                let known = &self.spans[known as usize];
                if (known.trace, known.span) == (span.trace, span.span) {
                    let name = |number: u32| &self.services.list[number as usize];
                    if name(span.service) < name(known.service) {
                        self.slots[slot] = at as u32 + 1;
                    }
                    break;
                }
                slot = (slot + 1) & mask;
            }
        }
    }

    /// Position of the span with these ids, after [`SpanLinks::index`].
    pub fn find(&self, trace: u128, span: u64) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = hash(trace, span) as usize & mask;
        loop {
            let at = self.slots[slot].checked_sub(1)? as usize;
            let known = &self.spans[at];
            if (known.trace, known.span) == (trace, span) {
                return Some(at);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Position of the parent of a span, if it has one and it is here.
    pub fn parent_of(&self, span: &LinkedSpan) -> Option<usize> {
        (span.parent != 0 && span.parent != span.span).then(|| self.find(span.trace, span.parent))?
    }
}

/// Whether a call and what it called lie near enough in time for the call to have reached it.
pub fn is_within_reach(caller_minute: i64, called_minute: i64) -> bool {
    caller_minute.abs_diff(called_minute) <= REACH_MINUTES as u64
}

fn hash(trace: u128, span: u64) -> u64 {
    let mut hasher = Folding.build_hasher();
    hasher.write_u128(trace);
    hasher.write_u64(span);
    hasher.finish()
}
