//! The ingest ledger as an answer: what became of records by service and signal, over a range and over its steps.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Instant;

use api::{Completeness, IngestAnswer, RejectedReason, RejectedSample, ServiceIngest, Stats, UnixNano};
use journal::{Ledger, LedgerLimits, LedgerSample, SLOT_NANOS, ServiceLedger};
use model::{Hour, Signal, TenantId, TimeRange};
use schema::OTHER_SERVICES;
use tables::{Deadline, TablesError};
use tokio::runtime::Handle;

use crate::error::QueryError;
use crate::service::QueryService;
use crate::steps::Steps;

/// Steps where nobody says how many.
const STEPS_DEFAULT: usize = 60;

/// Bytes of the samples of one answer.
const SAMPLE_BYTES_MAX: usize = 1 << 20;

/// A question for the ledger.
#[derive(Debug, Clone, Default)]
pub struct IngestSearch {
    /// Times of arrival; where an end is open, all there is.
    pub range: TimeRange,
    /// One service alone.
    pub service: Option<String>,
    /// Most steps of the series.
    pub steps: usize,
}

/// One service and signal while hours are added up.
#[derive(Debug, Default)]
struct Total {
    received: u64,
    stored: u64,
    duplicate: u64,
    last_received: i64,
    /// Records received, by slot where the range is open, by step else.
    by_slot: BTreeMap<i64, u64>,
    reasons: BTreeMap<String, ReasonTotal>,
}

#[derive(Debug, Default)]
struct ReasonTotal {
    count: u64,
    /// The newest, oldest first.
    samples: Vec<LedgerSample>,
}

/// Adds up hours within bounds.
struct Totals<'a> {
    search: &'a IngestSearch,
    limits: LedgerLimits,
    /// Slots that are inside, half-open.
    slots: (i64, i64),
    services: BTreeMap<String, BTreeMap<Signal, Total>>,
}

impl Totals<'_> {
    fn new(search: &IngestSearch, limits: LedgerLimits) -> Totals<'_> {
        let start = search.range.start.map_or(i64::MIN, |start| start.div_euclid(SLOT_NANOS));
        let end = search.range.end.map_or(i64::MAX, |end| end.saturating_sub(1).div_euclid(SLOT_NANOS) + 1);
        Totals { search, limits, slots: (start, end), services: BTreeMap::new() }
    }

    fn add(&mut self, ledger: &Ledger) {
        for (service, signal, entry) in ledger.iter() {
            if self.search.service.as_deref().is_none_or(|asked| asked == service) {
                self.add_entry(service, signal, entry);
            }
        }
    }

    fn add_entry(&mut self, service: &str, signal: Signal, entry: &ServiceLedger) {
        let (start, end) = self.slots;
        let mut inside = entry.slots.range(start..end.max(start)).peekable();
        if inside.peek().is_none() {
            return;
        }
        let told_apart = self.services.len() - usize::from(self.services.contains_key(OTHER_SERVICES));
        let is_told_apart = self.services.contains_key(service) || told_apart < self.limits.services_max;
        let name = if is_told_apart { service } else { OTHER_SERVICES };
        let total = self.services.entry(name.to_owned()).or_default().entry(signal).or_default();
        let mut last_slot = start;
        for (slot, counts) in inside {
            total.received += counts.received;
            total.stored += counts.stored;
            total.duplicate += counts.duplicate;
            *total.by_slot.entry(*slot).or_default() += counts.received;
            last_slot = *slot;
        }
        // Within the range it is known to the slot, unless the last of all lies inside.
        let last = entry.last_received.min(last_slot.saturating_add(1).saturating_mul(SLOT_NANOS).saturating_sub(1));
        total.last_received = total.last_received.max(last);
        for (name, reason) in &entry.reasons {
            let count: u64 = reason.slots.range(start..end.max(start)).map(|(_, count)| count).sum();
            if count == 0 {
                continue;
            }
            let of_reason = total.reasons.entry(name.clone()).or_default();
            of_reason.count += count;
            let inside = |sample: &&LedgerSample| (start..end).contains(&sample.arrival.div_euclid(SLOT_NANOS));
            of_reason.samples.extend(reason.samples.iter().filter(inside).cloned());
            of_reason.samples.sort_by_key(|sample| sample.arrival);
            let over = of_reason.samples.len().saturating_sub(self.limits.samples_max);
            of_reason.samples.drain(..over);
        }
    }

    /// The steps: over the range, or over what was found where it is open.
    fn steps(&self, now: i64) -> Steps {
        let slots =
            || self.services.values().flat_map(BTreeMap::values).flat_map(|total| total.by_slot.keys().copied());
        let found_start = slots().min().map(|slot| slot.saturating_mul(SLOT_NANOS));
        let end = self.search.range.end.unwrap_or(now);
        let start = self.search.range.start.or(found_start).unwrap_or(end.saturating_sub(1)).min(end);
        let count = if self.search.steps == 0 { STEPS_DEFAULT } else { self.search.steps };
        Steps::covering(start, end, count, i128::from(SLOT_NANOS / 1_000_000_000))
    }

    fn answers(self, steps: &Steps) -> Vec<ServiceIngest> {
        let mut answers: Vec<ServiceIngest> = Vec::new();
        for (service, signals) in self.services {
            for (signal, total) in signals {
                let mut by_step = vec![0; steps.count];
                for (slot, count) in &total.by_slot {
                    if let Some(step) = steps.of(slot.saturating_mul(SLOT_NANOS)) {
                        by_step[step] += count;
                    }
                }
                answers.push(ServiceIngest {
                    service: service.clone(),
                    signal: signal.name().to_owned(),
                    received: total.received,
                    stored: total.stored,
                    duplicate: total.duplicate,
                    rejected: total.received.saturating_sub(total.stored).saturating_sub(total.duplicate),
                    last_received_unix_nano: UnixNano(total.last_received),
                    received_by_step: by_step,
                    reasons: reasons(total.reasons),
                });
            }
        }
        thin_samples(&mut answers);
        answers
    }
}

fn reasons(totals: BTreeMap<String, ReasonTotal>) -> Vec<RejectedReason> {
    let reason = |(reason, total): (String, ReasonTotal)| RejectedReason {
        reason,
        explanation: String::new(),
        count: total.count,
        // The newest first.
        samples: (total.samples.into_iter().rev())
            .map(|sample| RejectedSample { time_unix_nano: UnixNano(sample.arrival), record: sample.text })
            .collect(),
    };
    let mut reasons: Vec<RejectedReason> = totals.into_iter().map(reason).collect();
    reasons.sort_by_key(|reason| Reverse(reason.count));
    reasons
}

/// Keeps the newest samples that an answer has room for.
fn thin_samples(answers: &mut [ServiceIngest]) {
    let all = || answers.iter().flat_map(|answer| &answer.reasons).flat_map(|reason| &reason.samples);
    let mut ages: Vec<(i64, usize)> = all().map(|sample| (sample.time_unix_nano.0, sample.record.len())).collect();
    ages.sort_unstable_by_key(|(time, _)| Reverse(*time));
    let mut bytes = 0;
    let fits = ages.iter().take_while(|(_, length)| {
        bytes += length;
        bytes <= SAMPLE_BYTES_MAX
    });
    let kept = fits.count();
    if let Some((oldest, _)) = ages.get(kept) {
        let reasons = answers.iter_mut().flat_map(|answer| &mut answer.reasons);
        reasons.for_each(|reason| reason.samples.retain(|sample| sample.time_unix_nano.0 > *oldest));
    }
}

impl QueryService {
    /// What became of the records that arrived in a range. The counts since ingest started are the caller's to add.
    ///
    /// # Errors
    /// [`QueryError::Timeout`], [`QueryError::Busy`], [`QueryError::Internal`].
    pub async fn ingest_ledger(&self, tenant: &TenantId, search: IngestSearch) -> Result<IngestAnswer, QueryError> {
        let begun = Instant::now();
        let (engine, wall) = (self.engine().clone(), self.limits().wall);
        let deadline = Deadline::at(begun + wall);
        let slot = self.slot().await?;
        let (tenant, runtime, until) = (tenant.clone(), Handle::current(), deadline.clone());
        let run = move || {
            let _slot = slot;
            let once = || runtime.block_on(answer(&engine, &tenant, &search, &until));
            match once() {
                // A swap came between the catalog and the file of a segment.
                Err(TablesError::Missing(_)) => once(),
                other => other,
            }
        };
        let joined = tokio::time::timeout_at(deadline.instant().into(), tokio::task::spawn_blocking(run)).await;
        let joined = joined.map_err(|_| QueryError::Timeout)?;
        let mut answer = joined.map_err(|error| QueryError::Internal(format!("the ledger failed: {error}")))??;
        answer.stats.elapsed_ms = begun.elapsed().as_secs_f64() * 1e3;
        Ok(answer)
    }
}

async fn answer(
    engine: &tables::Engine,
    tenant: &TenantId,
    search: &IngestSearch,
    deadline: &Deadline,
) -> Result<IngestAnswer, TablesError> {
    let limits = engine.limits().ledger;
    let mut totals = Totals::new(search, limits);
    let first = search.range.start.map_or(Hour(i64::MIN), Hour::of);
    let last = search.range.end.map_or(Hour(i64::MAX), |end| Hour::of(end.saturating_sub(1)));
    let read = engine.ledger(tenant, (first, last), deadline, |_, ledger| totals.add(ledger)).await?;
    let steps = totals.steps(engine.catalog().now());
    let mut incomplete_because = read.incomplete_because;
    if !read.is_whole && search.range.start.is_some_and(|start| start < read.since) {
        incomplete_because.push("the ledger does not reach as far back as the range".to_owned());
    }
    Ok(IngestAnswer {
        services: totals.answers(&steps),
        steps: steps.range(),
        counted_since_unix_nano: UnixNano(read.since),
        stats: Stats {
            bytes_scanned: read.bytes,
            index_used: "none".to_owned(),
            snapshot: read.sequence.0,
            ..Stats::default()
        },
        completeness: Completeness::of(incomplete_because),
        ..IngestAnswer::default()
    })
}
