//! Resends that were answered, until a commit says so: the ledger is made from receipts alone.
//!
//! A resend is answered at once, without waiting for a disk. How many records came again goes into the next commit, or
//! into one of its own where none comes for a while; a crash before that loses this count and nothing else. Bounded:
//! services beyond a number are counted together.

use std::collections::BTreeMap;
use std::sync::Arc;

use journal::{Receipt, ServiceCounts, StoredReceipt};
use model::{Signal, TenantId};
use schema::OTHER_SERVICES;

/// How long counts wait for a commit to go with.
const WAIT_NANOS: i64 = 500_000_000;

/// Services whose counts wait at the same time.
const SERVICES_MAX: usize = 1024;

/// Services of one receipt.
const RECEIPT_SERVICES_MAX: usize = 256;

/// Records that came again, by whose they are.
#[derive(Debug, Default)]
pub(crate) struct Resends {
    counts: BTreeMap<(TenantId, Signal), BTreeMap<Arc<str>, u64>>,
    services: usize,
    /// When the first of them came; moved back with the clock.
    since: Option<i64>,
}

impl Resends {
    /// Counts a resend of a request that this receipt was for.
    pub(crate) fn add(&mut self, tenant: &TenantId, signal: Signal, stored: &StoredReceipt, now: i64) {
        let counts = self.counts.entry((tenant.clone(), signal)).or_default();
        for (service, records) in stored.owners.shares(stored.received) {
            let is_known = counts.contains_key(&service);
            let service = if is_known || self.services < SERVICES_MAX { service } else { OTHER_SERVICES.into() };
            let count = counts.entry(service).or_insert_with(|| {
                self.services += 1;
                0
            });
            *count += u64::from(records);
        }
        self.since.get_or_insert(now);
    }

    /// Whether the counts have waited for long enough.
    pub(crate) fn is_due(&mut self, now: i64) -> bool {
        let Some(since) = self.since else { return false };
        self.since = Some(since.min(now));
        now - since >= WAIT_NANOS
    }

    /// Lets the counts wait anew: they could not be written.
    pub(crate) fn put_off(&mut self, now: i64) {
        self.since = self.since.map(|_| now);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.since.is_none()
    }

    /// The receipts that say so.
    pub(crate) fn receipts(&self) -> Vec<Receipt> {
        let mut receipts = Vec::new();
        for ((tenant, signal), services) in &self.counts {
            let counts = services.iter().flat_map(|(service, count)| pieces(service, *count)).collect::<Vec<_>>();
            let chunks = counts.chunks(RECEIPT_SERVICES_MAX);
            receipts.extend(chunks.map(|some| Receipt::of_resends(tenant.clone(), *signal, some.to_vec())));
        }
        receipts
    }

    /// The receipts are durable.
    pub(crate) fn clear(&mut self) {
        *self = Resends::default();
    }
}

/// A count in pieces that fit a receipt.
fn pieces(service: &Arc<str>, count: u64) -> impl Iterator<Item = ServiceCounts> {
    let whole = count / u64::from(u32::MAX);
    let rest = (count % u64::from(u32::MAX)) as u32;
    let duplicates = (0..whole).map(|_| u32::MAX).chain((rest > 0).then_some(rest));
    duplicates.map(|duplicate| ServiceCounts {
        service: Arc::clone(service),
        received: 0,
        stored: 0,
        duplicate,
        rejected: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use journal::Owners;

    use super::*;

    fn stored(received: u32, owners: Owners) -> StoredReceipt {
        StoredReceipt { response: Vec::new(), received, stored: received, owners }
    }

    #[test]
    fn counts_wait_a_while_and_add_up() {
        let mut resends = Resends::default();
        let tenant = TenantId::default();
        assert!(!resends.is_due(i64::MAX) && resends.receipts().is_empty());
        let several = Owners::Several([("cart".into(), 2), ("shop".into(), 3)].into());
        resends.add(&tenant, Signal::Logs, &stored(10, Owners::One("cart".into())), 1000);
        resends.add(&tenant, Signal::Logs, &stored(5, several), 2000);
        resends.add(&tenant, Signal::Traces, &stored(1, Owners::One("cart".into())), 3000);
        assert!(!resends.is_due(1000 + WAIT_NANOS - 1) && resends.is_due(1000 + WAIT_NANOS));
        let shown = |receipts: &[Receipt]| {
            let all = receipts.iter().flat_map(|receipt| receipt.services.iter().map(|each| (receipt.signal, each)));
            all.map(|(signal, each)| (signal, each.service.to_string(), each.duplicate)).collect::<Vec<_>>()
        };
        let expect = [
            (Signal::Traces, "cart".to_owned(), 1),
            (Signal::Logs, "cart".to_owned(), 12),
            (Signal::Logs, "shop".to_owned(), 3),
        ];
        assert_eq!(shown(&resends.receipts()), expect);
        resends.put_off(5000);
        assert!(!resends.is_due(1000 + WAIT_NANOS));
        assert!(
            !resends.is_due(0) && resends.is_due(WAIT_NANOS),
            "a clock that jumps back does not make it wait longer"
        );
        resends.clear();
        assert!(resends.is_empty() && resends.receipts().is_empty());
    }

    #[test]
    fn services_are_bounded_and_large_counts_fit() {
        let mut resends = Resends::default();
        for number in 0..10_000 {
            let owner = Owners::One(format!("service {number}").into());
            resends.add(&TenantId::default(), Signal::Logs, &stored(u32::MAX, owner), 0);
        }
        let receipts = resends.receipts();
        let counts = receipts.iter().flat_map(|receipt| &receipt.services);
        assert_eq!(counts.map(|each| u64::from(each.duplicate)).sum::<u64>(), 10_000 * u64::from(u32::MAX));
        assert!(receipts.iter().all(|receipt| receipt.services.len() <= RECEIPT_SERVICES_MAX));
        assert!(resends.services <= SERVICES_MAX + 1);
    }
}
