//! The ledger: receipts added up, by service and signal over time.
//!
//! Vocabulary: a *slot* is five minutes of arrival, the finest that the ledger tells apart; a [`Ledger`] holds some
//! slots, most often those of one hour, which is the unit that is kept ([`Ledger::content`]); [`HourLedgers`] are the
//! ledgers of all tenants and hours that some receipts fall into.
//!
//! Invariants: what was received was stored, rejected, or had been stored before ([`SlotCounts`]). Adding up segment
//! by segment gives the same as adding up what was kept of them before, so a flush changes nothing that is shown.
//! Bounded: services beyond `services_max` and reasons beyond `reasons_max` are counted together, samples are the
//! newest few of each reason, and not more bytes of them than [`SAMPLE_BYTES_MAX`] in a ledger (I7).

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Hour, Signal, TenantId};
use schema::OTHER_SERVICES;
use serde::{Deserialize, Serialize};

use crate::error::JournalError;
use crate::reader::{Damage, End, SegmentReader};
use crate::receipt::{Receipt, ServiceCounts};

/// Width of a slot.
pub const SLOT_NANOS: i64 = 300_000_000_000;

/// Bytes of all samples of one ledger.
pub const SAMPLE_BYTES_MAX: usize = 256 * 1024;

/// What reasons are counted under that are more than are told apart.
const OTHER_REASONS: &str = "other";

/// Version of [`Ledger::content`].
const CONTENT_VERSION: u32 = 1;

/// Bounds of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerLimits {
    /// Services that are told apart.
    pub services_max: usize,
    /// Reasons that are told apart for each service and signal.
    pub reasons_max: usize,
    /// Samples kept of each reason.
    pub samples_max: usize,
}

impl Default for LedgerLimits {
    fn default() -> LedgerLimits {
        LedgerLimits { services_max: 1000, reasons_max: 32, samples_max: 3 }
    }
}

/// Counts of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlotCounts {
    /// All of them.
    pub received: u64,
    /// Those that were stored.
    pub stored: u64,
    /// Those of requests that were recognised as sent again.
    pub duplicate: u64,
}

impl SlotCounts {
    /// Those that could not be stored.
    pub fn rejected(&self) -> u64 {
        self.received.saturating_sub(self.stored).saturating_sub(self.duplicate)
    }

    fn add(&mut self, other: SlotCounts) {
        self.received += other.received;
        self.stored += other.stored;
        self.duplicate += other.duplicate;
    }
}

/// A record that was rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerSample {
    /// When it arrived.
    pub arrival: i64,
    /// What it looked like.
    pub text: String,
}

/// Records that were rejected for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReasonLedger {
    /// How many, by slot: the slot's number since the Unix epoch.
    pub slots: BTreeMap<i64, u64>,
    /// The newest of them, oldest first.
    pub samples: Vec<LedgerSample>,
}

/// Records of one service and signal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceLedger {
    /// By slot: the slot's number since the Unix epoch.
    pub slots: BTreeMap<i64, SlotCounts>,
    /// When the last of them arrived.
    pub last_received: i64,
    /// Those that were rejected, by reason.
    pub reasons: BTreeMap<String, ReasonLedger>,
}

/// What became of records, by service and signal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    services: BTreeMap<Arc<str>, BTreeMap<Signal, ServiceLedger>>,
    sample_bytes: usize,
}

impl Ledger {
    /// Every service and signal.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Signal, &ServiceLedger)> {
        let all = self.services.iter();
        all.flat_map(|(name, signals)| signals.iter().map(move |(signal, ledger)| (&**name, *signal, ledger)))
    }

    /// Adds what a receipt says.
    pub fn add(&mut self, arrival: i64, receipt: &Receipt, limits: &LedgerLimits) {
        if receipt.services.is_empty() {
            return self.add_unnamed(arrival, receipt, limits);
        }
        for counts in &receipt.services {
            self.add_counts(arrival, receipt.signal, counts, limits);
        }
    }

    /// Adds a receipt that does not tell services apart.
    fn add_unnamed(&mut self, arrival: i64, receipt: &Receipt, limits: &LedgerLimits) {
        let counts = SlotCounts { received: receipt.received.into(), stored: receipt.stored.into(), duplicate: 0 };
        let entry = self.entry(OTHER_SERVICES, receipt.signal, limits);
        entry.add(arrival, counts);
        for rejection in &receipt.rejected {
            entry.reason(&rejection.reason, limits).add(arrival.div_euclid(SLOT_NANOS), rejection.count.into());
        }
    }

    fn add_counts(&mut self, arrival: i64, signal: Signal, counts: &ServiceCounts, limits: &LedgerLimits) {
        let duplicate = u64::from(counts.duplicate);
        let received = u64::from(counts.received) + duplicate;
        let entry = self.entry(&counts.service, signal, limits);
        entry.add(arrival, SlotCounts { received, stored: counts.stored.into(), duplicate });
        let mut bytes = 0;
        for rejection in &counts.rejected {
            let reason = entry.reason(&rejection.reason, limits);
            reason.add(arrival.div_euclid(SLOT_NANOS), rejection.count.into());
            if let Some(sample) = &rejection.sample {
                bytes += reason.keep(LedgerSample { arrival, text: sample.clone() }, limits.samples_max);
            }
        }
        self.note_samples(bytes);
    }

    /// Adds what another ledger says.
    pub fn merge(&mut self, other: &Ledger, limits: &LedgerLimits) {
        for (service, signal, theirs) in other.iter() {
            let entry = self.entry(service, signal, limits);
            entry.last_received = entry.last_received.max(theirs.last_received);
            for (slot, counts) in &theirs.slots {
                entry.slots.entry(*slot).or_default().add(*counts);
            }
            let mut bytes = 0;
            for (name, reason) in &theirs.reasons {
                let ours = entry.reason(name, limits);
                reason.slots.iter().for_each(|(slot, count)| ours.add(*slot, *count));
                bytes += reason.samples.iter().map(|each| ours.keep(each.clone(), limits.samples_max)).sum::<isize>();
            }
            self.note_samples(bytes);
        }
    }

    fn entry(&mut self, service: &str, signal: Signal, limits: &LedgerLimits) -> &mut ServiceLedger {
        let name = match self.services.get_key_value(service) {
            Some((name, _)) => Arc::clone(name),
            None => {
                let told_apart = self.services.len() - usize::from(self.services.contains_key(OTHER_SERVICES));
                if told_apart < limits.services_max { service.into() } else { OTHER_SERVICES.into() }
            }
        };
        self.services.entry(name).or_default().entry(signal).or_default()
    }

    /// Takes note of how many bytes of samples there are more; the oldest go where there are too many.
    fn note_samples(&mut self, more: isize) {
        self.sample_bytes = self.sample_bytes.saturating_add_signed(more);
        while self.sample_bytes > SAMPLE_BYTES_MAX {
            let reasons = self.services.values_mut().flat_map(BTreeMap::values_mut);
            let reasons = reasons.flat_map(|entry| entry.reasons.values_mut());
            let oldest =
                reasons.filter(|reason| !reason.samples.is_empty()).min_by_key(|reason| reason.samples[0].arrival);
            let Some(oldest) = oldest else { return self.sample_bytes = 0 };
            self.sample_bytes = self.sample_bytes.saturating_sub(oldest.samples.remove(0).text.len());
        }
    }

    /// Bytes in memory, about.
    pub fn bytes(&self) -> usize {
        let of_entry = |entry: &ServiceLedger| {
            let reasons = entry.reasons.values().map(|reason| 128 + reason.slots.len() * 32).sum::<usize>();
            192 + entry.slots.len() * 48 + reasons
        };
        self.sample_bytes + self.iter().map(|(service, _, entry)| service.len() + of_entry(entry)).sum::<usize>()
    }

    /// The ledger of this hour as text.
    pub fn content(&self, hour: Hour) -> String {
        let first = hour.start_unix_nano().div_euclid(SLOT_NANOS);
        let services = self.iter().map(|(service, signal, entry)| ServiceContent {
            service: service.to_owned(),
            signal,
            last_received: entry.last_received,
            slots: (entry.slots.iter())
                .map(|(slot, counts)| (slot - first, counts.received, counts.stored, counts.duplicate))
                .collect(),
            rejected: (entry.reasons.iter())
                .map(|(reason, ledger)| ReasonContent {
                    reason: reason.clone(),
                    slots: ledger.slots.iter().map(|(slot, count)| (slot - first, *count)).collect(),
                    samples: ledger.samples.iter().map(|sample| (sample.arrival, sample.text.clone())).collect(),
                })
                .collect(),
        });
        let content = HourContent { version: CONTENT_VERSION, services: services.collect() };
        // Nothing in it has no form in JSON.
        serde_json::to_string(&content).unwrap_or_default()
    }

    /// Reads what [`Ledger::content`] wrote; `None` where it is nothing that this build knows.
    pub fn parse(hour: Hour, content: &str) -> Option<Ledger> {
        let content: HourContent = serde_json::from_str(content).ok()?;
        if content.version > CONTENT_VERSION {
            return None;
        }
        let first = hour.start_unix_nano().div_euclid(SLOT_NANOS);
        let mut ledger = Ledger::default();
        for ServiceContent { service, signal, last_received, slots, rejected } in content.services {
            let counts = |(slot, received, stored, duplicate)| {
                (first.saturating_add(slot), SlotCounts { received, stored, duplicate })
            };
            let mut entry = ServiceLedger {
                slots: slots.into_iter().map(counts).collect(),
                last_received,
                reasons: BTreeMap::new(),
            };
            for ReasonContent { reason, slots, samples } in rejected {
                let slots = slots.into_iter().map(|(slot, count)| (first.saturating_add(slot), count)).collect();
                let samples = samples.into_iter().map(|(arrival, text)| LedgerSample { arrival, text });
                let samples: Vec<LedgerSample> = samples.collect();
                ledger.sample_bytes += samples.iter().map(|sample| sample.text.len()).sum::<usize>();
                entry.reasons.insert(reason, ReasonLedger { slots, samples });
            }
            ledger.services.entry(service.into()).or_default().insert(signal, entry);
        }
        Some(ledger)
    }
}

impl ServiceLedger {
    fn add(&mut self, arrival: i64, counts: SlotCounts) {
        self.slots.entry(arrival.div_euclid(SLOT_NANOS)).or_default().add(counts);
        self.last_received = self.last_received.max(arrival);
    }

    fn reason(&mut self, name: &str, limits: &LedgerLimits) -> &mut ReasonLedger {
        let is_told_apart = self.reasons.contains_key(name) || self.reasons.len() < limits.reasons_max;
        let name = if is_told_apart { name } else { OTHER_REASONS };
        self.reasons.entry(name.to_owned()).or_default()
    }
}

impl ReasonLedger {
    fn add(&mut self, slot: i64, count: u64) {
        *self.slots.entry(slot).or_default() += count;
    }

    /// Keeps a sample among the newest; says how many bytes of samples there are more.
    fn keep(&mut self, sample: LedgerSample, samples_max: usize) -> isize {
        let mut more = sample.text.len() as isize;
        let at = self.samples.partition_point(|kept| kept.arrival <= sample.arrival);
        self.samples.insert(at, sample);
        while self.samples.len() > samples_max {
            more -= self.samples.remove(0).text.len() as isize;
        }
        more
    }
}

/// [`Ledger::content`]: of slots the number within the hour, then received, stored, duplicate.
#[derive(Serialize, Deserialize)]
struct HourContent {
    version: u32,
    services: Vec<ServiceContent>,
}

#[derive(Serialize, Deserialize)]
struct ServiceContent {
    service: String,
    signal: Signal,
    last_received: i64,
    slots: Vec<(i64, u64, u64, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rejected: Vec<ReasonContent>,
}

#[derive(Serialize, Deserialize)]
struct ReasonContent {
    reason: String,
    slots: Vec<(i64, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    samples: Vec<(i64, String)>,
}

/// Ledgers by tenant and hour of arrival.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HourLedgers(pub BTreeMap<(TenantId, Hour), Ledger>);

impl HourLedgers {
    /// Adds the receipts of a commit.
    pub fn add(&mut self, arrival: i64, receipts: &[Receipt], limits: &LedgerLimits) {
        for receipt in receipts {
            let ledger = self.0.entry((receipt.tenant.clone(), Hour::of(arrival))).or_default();
            ledger.add(arrival, receipt, limits);
        }
    }

    /// Adds what others say.
    pub fn merge(&mut self, other: &HourLedgers, limits: &LedgerLimits) {
        for (key, ledger) in &other.0 {
            self.0.entry(key.clone()).or_default().merge(ledger, limits);
        }
    }

    /// What the receipts of a sealed segment of this length say, from its footer where it has one; and what could not
    /// be read.
    ///
    /// # Errors
    /// [`JournalError::Read`].
    pub fn of_sealed(
        reader: &SegmentReader,
        length: u64,
        limits: &LedgerLimits,
    ) -> Result<(HourLedgers, Vec<Damage>), JournalError> {
        let mut ledgers = HourLedgers::default();
        if let Some(entries) = reader.footer(length)? {
            entries.iter().for_each(|entry| ledgers.add(entry.arrival, &entry.receipts, limits));
            return Ok((ledgers, Vec::new()));
        }
        let mut commits = reader.read_from(reader.start(), End::Sealed(length))?;
        for commit in commits.by_ref() {
            let commit = commit?;
            ledgers.add(commit.arrival_unix_nano(), &commit.receipts(), limits);
        }
        let damage = commits.damage().to_vec();
        Ok((ledgers, damage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::{Rejection, SampledRejection};

    const LIMITS: LedgerLimits = LedgerLimits { services_max: 3, reasons_max: 2, samples_max: 2 };
    const HOUR: Hour = Hour(500_000);

    fn at(minute: i64) -> i64 {
        HOUR.start_unix_nano() + minute * 60_000_000_000
    }

    fn counts(service: &str, received: u32, duplicate: u32, rejected: &[(&str, u32, &str)]) -> ServiceCounts {
        let rejections = rejected.iter().map(|(reason, count, sample)| SampledRejection {
            reason: (*reason).to_owned(),
            count: *count,
            sample: (!sample.is_empty()).then(|| (*sample).to_owned()),
        });
        let stored = received - rejected.iter().map(|(_, count, _)| count).sum::<u32>();
        ServiceCounts { service: service.into(), received, stored, duplicate, rejected: rejections.collect() }
    }

    fn receipt(services: Vec<ServiceCounts>) -> Receipt {
        Receipt::of_resends(TenantId::default(), Signal::Logs, services)
    }

    /// Service, slot within the hour, received, stored, duplicate, rejected.
    fn shown(ledger: &Ledger) -> Vec<(String, i64, [u64; 4])> {
        let first = HOUR.start_unix_nano() / SLOT_NANOS;
        let rows = ledger.iter().flat_map(|(service, _, entry)| {
            entry.slots.iter().map(move |(slot, counts)| {
                let SlotCounts { received, stored, duplicate } = *counts;
                (service.to_owned(), slot - first, [received, stored, duplicate, counts.rejected()])
            })
        });
        rows.collect()
    }

    #[test]
    fn receipts_add_up_by_service_and_slot() {
        let mut ledger = Ledger::default();
        ledger.add(at(1), &receipt(vec![counts("cart", 10, 0, &[("a", 2, "x")]), counts("shop", 5, 0, &[])]), &LIMITS);
        ledger.add(at(4), &receipt(vec![counts("cart", 1, 0, &[])]), &LIMITS);
        ledger.add(at(5), &receipt(vec![counts("cart", 0, 10, &[])]), &LIMITS);
        let cart = "cart".to_owned();
        let expect =
            [(cart.clone(), 0, [11, 9, 0, 2]), (cart, 1, [10, 0, 10, 0]), ("shop".to_owned(), 0, [5, 5, 0, 0])];
        assert_eq!(shown(&ledger), expect);
        let (_, signal, entry) = ledger.iter().next().expect("cart");
        assert_eq!((signal, entry.last_received), (Signal::Logs, at(5)));
        assert_eq!(entry.reasons["a"].samples, [LedgerSample { arrival: at(1), text: "x".to_owned() }]);
        assert_eq!(Ledger::parse(HOUR, &ledger.content(HOUR)).as_ref(), Some(&ledger));
        assert_eq!(Ledger::parse(HOUR, r#"{"version":2,"services":[]}"#), None);
        assert_eq!(Ledger::parse(HOUR, "no"), None);
    }

    #[test]
    fn a_receipt_that_names_no_service_is_counted_all_the_same() {
        let rejected = vec![Rejection { reason: "a".to_owned(), count: 3 }];
        let old = Receipt { received: 8, stored: 5, rejected, ..receipt(Vec::new()) };
        let mut ledger = Ledger::default();
        ledger.add(at(0), &old, &LIMITS);
        assert_eq!(shown(&ledger), [(OTHER_SERVICES.to_owned(), 0, [8, 5, 0, 3])]);
        assert_eq!(ledger.iter().next().expect("one").2.reasons["a"].slots.values().sum::<u64>(), 3);
    }

    #[test]
    fn it_is_bounded_and_still_adds_up() {
        let mut ledger = Ledger::default();
        for number in 0..10_000 {
            let reason = format!("reason {number}");
            let name = format!("service {}", number % 100);
            ledger.add(at(0), &receipt(vec![counts(&name, 2, 0, &[(&reason, 1, "sample")])]), &LIMITS);
        }
        let rows = shown(&ledger);
        assert_eq!(rows.len(), 4, "{rows:?}");
        assert_eq!(rows.iter().map(|(_, _, [received, ..])| received).sum::<u64>(), 20_000);
        for (_, _, entry) in ledger.iter() {
            assert_eq!(entry.reasons.len(), 3);
            assert!(entry.reasons.values().all(|reason| reason.samples.len() <= 2));
        }
        let limits = LedgerLimits { services_max: 1000, ..LIMITS };
        let mut full = Ledger::default();
        for (service, minute) in (0..1000).flat_map(|service| (0..12).map(move |slot| (service, slot * 5))) {
            let counts = counts(&format!("service-{service}"), 12_345, 0, &[]);
            for signal in Signal::ALL {
                full.add(at(minute), &Receipt { signal, ..receipt(vec![counts.clone()]) }, &limits);
            }
        }
        assert!(full.content(HOUR).len() < 1_000_000, "{} bytes at the bounds", full.content(HOUR).len());
        let mut wide = Ledger::default();
        let long = "x".repeat(1024);
        for number in 0..1000 {
            wide.add(at(number / 60), &receipt(vec![counts(&number.to_string(), 1, 0, &[("a", 1, &long)])]), &limits);
        }
        assert!(wide.sample_bytes <= SAMPLE_BYTES_MAX);
        assert!(wide.bytes() < 2 * SAMPLE_BYTES_MAX + 1000 * 400);
        let newest = wide.iter().find(|(name, ..)| *name == "999").expect("told apart");
        assert_eq!(newest.2.reasons["a"].samples.len(), 1, "it is the oldest that go");
    }

    /// A flush adds segments to what is kept one by one; a question before it adds up the same.
    #[test]
    fn what_is_kept_and_added_to_is_what_is_added_up_at_once() {
        let segments: Vec<HourLedgers> = (0..20)
            .map(|segment| {
                let mut ledgers = HourLedgers::default();
                for number in 0..7 {
                    let name = format!("service {}", (segment * 3 + number) % 5);
                    let reason = format!("reason {}", number % 4);
                    let counts = counts(&name, 10, number, &[(&reason, 1, &format!("{segment} {number}"))]);
                    ledgers.add(at(segment as i64 * 5), &[receipt(vec![counts])], &LIMITS);
                }
                ledgers
            })
            .collect();
        let mut at_once = HourLedgers::default();
        segments.iter().for_each(|segment| at_once.merge(segment, &LIMITS));
        let mut kept: BTreeMap<(TenantId, Hour), String> = BTreeMap::new();
        for flush in segments.chunks(6) {
            let mut added = HourLedgers::default();
            for (key, content) in &kept {
                added.0.insert(key.clone(), Ledger::parse(key.1, content).expect("kept"));
            }
            flush.iter().for_each(|segment| added.merge(segment, &LIMITS));
            kept.extend(added.0.iter().map(|(key, ledger)| (key.clone(), ledger.content(key.1))));
        }
        let kept = kept.iter().map(|(key, content)| (key.clone(), Ledger::parse(key.1, content).expect("kept")));
        assert_eq!(HourLedgers(kept.collect()), at_once);
        assert_eq!(at_once.0.len(), 2);
    }
}
