//! What is added up of a service, by name: over all of a range and over its steps.

use std::collections::{BTreeMap, HashMap};

use api::{Red, RedSeries};
use model::TimeRange;
use store::rollup::{Cell, DurationHistogram, LogRollup, MINUTE_NANOS, OperationRollup, RollupInstance};
use tables::{Scan, TablesError, Unit};

use crate::by_minute::{Piece, log_pieces, span_pieces};
use crate::service::Question;
use crate::side_by_side::each_unit;
use crate::steps::Steps;

/// Calls, failures, durations.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RedTotals {
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    pub(crate) durations: DurationHistogram,
}

impl RedTotals {
    pub(crate) fn add(&mut self, cell: &Cell<'_>) {
        self.calls += cell.spans;
        self.errors += cell.errors;
        cell.durations.iter().for_each(|(bucket, count)| self.durations.add(*bucket, *count));
    }

    /// Adds one span.
    pub(crate) fn add_one(&mut self, bucket: u16, is_error: bool) {
        self.calls += 1;
        self.errors += u64::from(is_error);
        self.durations.add(bucket, 1);
    }

    /// Takes one span away again.
    pub(crate) fn remove_one(&mut self, bucket: u16, is_error: bool) {
        self.calls = self.calls.saturating_sub(1);
        self.errors = self.errors.saturating_sub(u64::from(is_error));
        self.durations.remove(bucket);
    }

    pub(crate) fn merge(&mut self, other: &RedTotals) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.durations.merge(&other.durations);
    }

    pub(crate) fn red(&self) -> Red {
        Red {
            calls: self.calls,
            errors: self.errors,
            p50_nano: self.durations.percentile(500),
            p95_nano: self.durations.percentile(950),
            p99_nano: self.durations.percentile(990),
        }
    }
}

/// Totals by step; steps without a call are absent.
pub(crate) type StepTotals = BTreeMap<usize, RedTotals>;

pub(crate) fn merge_steps(sum: &mut StepTotals, more: StepTotals) {
    for (step, totals) in more {
        sum.entry(step).or_default().merge(&totals);
    }
}

/// Calls, failures and 99th percentile of each step; with `whole`, the median and 95th percentile too.
pub(crate) fn series(by_step: &StepTotals, steps: &Steps, whole: bool) -> RedSeries {
    let each = |per_mille: u64| {
        (0..steps.count).map(move |step| by_step.get(&step).and_then(|totals| totals.durations.percentile(per_mille)))
    };
    let count = |count: fn(&RedTotals) -> u64| (0..steps.count).map(move |step| by_step.get(&step).map_or(0, count));
    RedSeries {
        calls: count(|totals| totals.calls).collect(),
        errors: count(|totals| totals.errors).collect(),
        p50_nano: if whole { each(500).collect() } else { Vec::new() },
        p95_nano: if whole { each(950).collect() } else { Vec::new() },
        p99_nano: each(990).collect(),
    }
}

/// A failed span, where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FailedPlace {
    pub(crate) unit: usize,
    pub(crate) row: u64,
}

/// Records of one instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct InstanceTotals {
    pub(crate) spans: u64,
    pub(crate) logs: u64,
    pub(crate) newest: i64,
}

/// What is known of a service.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServiceTotals {
    pub(crate) spans: u64,
    pub(crate) errors: u64,
    pub(crate) logs: u64,
    /// Time of the newest record, to the second; none without records.
    pub(crate) newest: Option<i64>,
    pub(crate) red: RedTotals,
    pub(crate) by_step: StepTotals,
    /// By resource; the number of the service in it means nothing.
    pub(crate) instances: HashMap<RollupInstance, InstanceTotals>,
    /// Failed spans of the newest second that has any, one a unit and instance.
    pub(crate) newest_failed: Option<(i64, Vec<FailedPlace>)>,
    /// Failed spans by minute and unit; where they are asked for.
    pub(crate) failed_minutes: BTreeMap<(i64, usize), u64>,
}

impl ServiceTotals {
    fn see(&mut self, time: i64) {
        self.newest = self.newest.max(Some(time));
    }

    fn note_failed(&mut self, time: i64, places: impl IntoIterator<Item = FailedPlace>) {
        match &mut self.newest_failed {
            Some((newest, _)) if *newest > time => {}
            Some((newest, known)) if *newest == time => known.extend(places),
            other => *other = Some((time, places.into_iter().collect())),
        }
    }

    fn merge(&mut self, more: ServiceTotals) {
        self.spans += more.spans;
        self.errors += more.errors;
        self.logs += more.logs;
        self.newest = self.newest.max(more.newest);
        self.red.merge(&more.red);
        merge_steps(&mut self.by_step, more.by_step);
        for (instance, totals) in more.instances {
            let sum = self.instances.entry(instance).or_default();
            sum.spans += totals.spans;
            sum.logs += totals.logs;
            sum.newest = sum.newest.max(totals.newest);
        }
        if let Some((time, places)) = more.newest_failed {
            self.note_failed(time, places);
        }
        for (place, count) in more.failed_minutes {
            *self.failed_minutes.entry(place).or_default() += count;
        }
    }
}

/// Which services are added up, and how finely.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    pub(crate) range: TimeRange,
    pub(crate) steps: Steps,
    /// This service alone, and the minutes of its failures.
    pub(crate) only: Option<&'a str>,
    pub(crate) services_max: usize,
}

/// Services by name.
#[derive(Debug, Default)]
pub(crate) struct Services {
    numbers: HashMap<String, usize>,
    totals: Vec<ServiceTotals>,
    has_more: bool,
}

impl Services {
    fn place(&mut self, name: &str, wanted: &Wanted<'_>) -> Option<usize> {
        if let Some(number) = self.numbers.get(name) {
            return Some(*number);
        }
        if wanted.only.is_some_and(|only| only != name) {
            return None;
        }
        if self.totals.len() >= wanted.services_max {
            self.has_more = true;
            return None;
        }
        self.numbers.insert(name.to_owned(), self.totals.len());
        self.totals.push(ServiceTotals::default());
        Some(self.totals.len() - 1)
    }

    fn add_spans(&mut self, wanted: &Wanted<'_>, piece: &Piece<'_, OperationRollup>) {
        let rollup = piece.rollup;
        let mut places: Vec<Option<Option<usize>>> = vec![None; rollup.services().len()];
        let mut place = |services: &mut Services, number: u32| {
            let name = &rollup.services()[number as usize];
            *places[number as usize].get_or_insert_with(|| services.place(name, wanted))
        };
        rollup.each_cell(|operation, cell| {
            if !piece.holds(cell.minute) {
                return;
            }
            let Some(place) = place(self, operation.service) else { return };
            let totals = &mut self.totals[place];
            totals.spans += cell.spans;
            totals.errors += cell.errors;
            totals.see(cell.newest_unix_nano);
            if cell.errors > 0 && wanted.only.is_some() {
                *totals.failed_minutes.entry((cell.minute, piece.unit)).or_default() += cell.errors;
            }
            if operation.is_call {
                totals.red.add(cell);
                if let Some(step) = wanted.steps.of(cell.minute.saturating_mul(MINUTE_NANOS)) {
                    totals.by_step.entry(step).or_default().add(cell);
                }
            }
        });
        for cell in rollup.instance_cells().iter().filter(|cell| piece.holds(cell.minute)) {
            let instance = &rollup.instances()[cell.instance as usize];
            let Some(place) = place(self, instance.service) else { continue };
            let totals = &mut self.totals[place];
            let of_instance = of_instance(&mut totals.instances, instance);
            of_instance.spans += cell.spans;
            of_instance.newest = of_instance.newest.max(cell.newest_unix_nano);
            if let Some(failed) = cell.newest_failed {
                totals.note_failed(failed.time_unix_nano, [FailedPlace { unit: piece.unit, row: failed.row }]);
            }
        }
    }

    fn add_logs(&mut self, wanted: &Wanted<'_>, piece: &Piece<'_, LogRollup>) {
        let rollup = piece.rollup;
        for cell in rollup.cells().iter().filter(|cell| piece.holds(cell.minute)) {
            let instance = &rollup.instances()[cell.instance as usize];
            let Some(place) = self.place(&rollup.services()[instance.service as usize], wanted) else { continue };
            let totals = &mut self.totals[place];
            let records = cell.counts.iter().map(|count| u64::from(*count)).sum::<u64>();
            totals.logs += records;
            totals.see(cell.newest_unix_nano);
            let of_instance = of_instance(&mut totals.instances, instance);
            of_instance.logs += records;
            of_instance.newest = of_instance.newest.max(cell.newest_unix_nano);
        }
    }

    fn merge(&mut self, wanted: &Wanted<'_>, more: Services) {
        self.has_more |= more.has_more;
        let mut totals: Vec<Option<ServiceTotals>> = more.totals.into_iter().map(Some).collect();
        for (name, number) in more.numbers {
            if let (Some(place), Some(totals)) = (self.place(&name, wanted), totals[number].take()) {
                self.totals[place].merge(totals);
            }
        }
    }

    fn into_map(mut self) -> BTreeMap<String, ServiceTotals> {
        self.numbers.into_iter().map(|(name, number)| (name, std::mem::take(&mut self.totals[number]))).collect()
    }
}

fn of_instance<'a>(
    instances: &'a mut HashMap<RollupInstance, InstanceTotals>,
    instance: &RollupInstance,
) -> &'a mut InstanceTotals {
    // Services are told apart already, and each rollup numbers them its own way.
    let instance = RollupInstance { service: 0, ..instance.clone() };
    instances.entry(instance).or_insert(InstanceTotals { newest: i64::MIN, ..InstanceTotals::default() })
}

/// Adds up what the services sent; the units of spans are where [`FailedPlace`]s lie.
pub(crate) fn add_up(
    question: &Question<'_>,
    wanted: &Wanted<'_>,
    scan: &mut Scan,
) -> Result<(BTreeMap<String, ServiceTotals>, Vec<Unit>), TablesError> {
    let spans = question.engine.units(question.pinned, model::Table::Spans, &wanted.range, scan);
    let mut sum = Services::default();
    for part in each_unit(question, &spans, scan, Services::default, |services, unit, scan| {
        span_pieces(question, unit, &wanted.range, scan, &mut |piece| services.add_spans(wanted, piece))
    })? {
        sum.merge(wanted, part);
    }
    let logs = question.engine.units(question.pinned, model::Table::Logs, &wanted.range, scan);
    for part in each_unit(question, &logs, scan, Services::default, |services, unit, scan| {
        log_pieces(question, unit, &wanted.range, scan, &mut |piece| services.add_logs(wanted, piece))
    })? {
        sum.merge(wanted, part);
    }
    if sum.has_more {
        scan.note(format!("there are more than {} services", wanted.services_max));
    }
    Ok((sum.into_map(), spans))
}
