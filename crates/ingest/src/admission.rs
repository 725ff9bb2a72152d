//! Admission: one byte budget for all requests in flight, from their first byte to their answer.
//!
//! The budget is counted in KiB, first come first served. A request that finds no room waits a while, which absorbs
//! bursts that clients would not survive (some never send again), and is refused then.
//!
//! An eighth of the budget is a *reserve* for the first [`SMALL_BYTES`] of each request, taken where the rest is full:
//! large uploads that stall hold the rest for as long as they may, and small requests pass them by.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::counters::Refusal;
use crate::export::{ExportError, Shared};

const UNIT_BYTES: usize = 1024;

/// The part of a request that the reserve has room for.
const SMALL_BYTES: usize = 64 * 1024;

/// One part of so many of the budget is the reserve; where that has no room for [`RESERVE_REQUESTS_MIN`] small
/// requests there is none.
const RESERVE_SHARE: usize = 8;
const RESERVE_REQUESTS_MIN: usize = 4;

/// The byte budget.
#[derive(Debug)]
pub(crate) struct Budget {
    general: Pool,
    reserve: Pool,
}

#[derive(Debug)]
struct Pool {
    free: Arc<Semaphore>,
    units_max: usize,
}

impl Pool {
    fn new(units_max: usize) -> Pool {
        Pool { free: Arc::new(Semaphore::new(units_max)), units_max }
    }

    fn units_taken(&self) -> usize {
        self.units_max - self.free.available_permits().min(self.units_max)
    }
}

impl Budget {
    pub(crate) fn new(bytes_max: usize) -> Budget {
        let units_max = (bytes_max / UNIT_BYTES).clamp(1, u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        let reserve = reserve_units(units_max);
        Budget { general: Pool::new(units_max - reserve), reserve: Pool::new(reserve) }
    }

    /// Bytes taken.
    pub(crate) fn bytes_taken(&self) -> u64 {
        ((self.general.units_taken() + self.reserve.units_taken()) * UNIT_BYTES) as u64
    }
}

/// The reserve of a budget of so many units.
fn reserve_units(units_max: usize) -> usize {
    let reserve = units_max / RESERVE_SHARE;
    if reserve >= RESERVE_REQUESTS_MIN * SMALL_BYTES / UNIT_BYTES { reserve } else { 0 }
}

/// Room in the budget, given back when dropped.
#[derive(Debug)]
pub struct Admission {
    shared: Arc<Shared>,
    /// Of the reserve, or of the general part; the first step of a request is taken from one of them.
    first: OwnedSemaphorePermit,
    general: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Admission {
    pub(crate) async fn new(shared: &Arc<Shared>, bytes: usize) -> Result<Admission, ExportError> {
        let first = take_first(shared, bytes).await?;
        Ok(Admission { shared: Arc::clone(shared), first, general: None, bytes })
    }

    /// Takes room for this many bytes more, waiting a while for it.
    ///
    /// # Errors
    /// [`ExportError::Overloaded`]; what was admitted stays admitted. [`ExportError::TooLarge`] where the whole budget
    /// has not that much room.
    pub async fn grow(&mut self, more: usize) -> Result<(), ExportError> {
        let bytes = self.bytes.saturating_add(more);
        let held = self.first.num_permits() + self.general.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let units = bytes.div_ceil(UNIT_BYTES).saturating_sub(held);
        if units > 0 {
            let permit = take(&self.shared, &self.shared.budget.general, units, bytes).await?;
            match &mut self.general {
                Some(general) => general.merge(permit),
                None => self.general = Some(permit),
            }
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Bytes admitted.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Room for the first bytes of a request: what is small goes into the reserve where the rest is full.
async fn take_first(shared: &Shared, bytes: usize) -> Result<OwnedSemaphorePermit, ExportError> {
    let budget = &shared.budget;
    let units = bytes.div_ceil(UNIT_BYTES);
    if bytes > SMALL_BYTES || budget.reserve.units_max == 0 {
        return take(shared, &budget.general, units, bytes).await;
    }
    match Arc::clone(&budget.general.free).try_acquire_many_owned(units as u32) {
        Ok(permit) => Ok(permit),
        Err(_) => take(shared, &budget.reserve, units, bytes).await,
    }
}

/// Takes units of a pool for a request of `bytes` in all.
async fn take(shared: &Shared, pool: &Pool, units: usize, bytes: usize) -> Result<OwnedSemaphorePermit, ExportError> {
    if bytes.div_ceil(UNIT_BYTES) > pool.units_max {
        let message = format!("the request is over the limit of {} bytes", pool.units_max * UNIT_BYTES);
        return Err(ExportError::TooLarge { message });
    }
    let taken = Arc::clone(&pool.free).acquire_many_owned(units as u32);
    match tokio::time::timeout(shared.limits.admission_wait, taken).await {
        Ok(Ok(permit)) => Ok(permit),
        // The semaphore is never closed; no room is the honest answer in any case.
        Ok(Err(_)) | Err(_) => Err(shared.refuse(Refusal::Overloaded)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limits::IngestLimits;

    #[test]
    fn a_small_budget_has_no_reserve() {
        let check = |kib: usize, expect: usize| assert_eq!(reserve_units(kib), expect, "{kib} KiB");
        check(1, 0);
        check(2047, 0);
        check(2048, 256);
        check(256 * 1024, 32 * 1024);
    }

    #[tokio::test]
    async fn small_requests_pass_large_ones_by() {
        let limits = IngestLimits {
            inflight_bytes_max: 8 << 20,
            admission_wait: Duration::from_millis(50),
            ..IngestLimits::default()
        };
        let shared = Arc::new(Shared::new(limits));
        // Two uploads that have all but their last bytes, and a third that cannot go on.
        let mut held = Vec::new();
        for _ in 0..2 {
            let mut admission = Admission::new(&shared, SMALL_BYTES).await.expect("room");
            admission.grow((7 << 20) / 2 - SMALL_BYTES).await.expect("room");
            held.push(admission);
        }
        let mut third = Admission::new(&shared, SMALL_BYTES).await.expect("the reserve has room");
        assert_eq!(shared.budget.bytes_taken(), (7 << 20) + SMALL_BYTES as u64);
        assert!(matches!(third.grow(1).await, Err(ExportError::Overloaded { .. })));
        drop(third);
        let mut small = Vec::new();
        for _ in 0..16 {
            small.push(Admission::new(&shared, SMALL_BYTES).await.expect("the reserve has room"));
        }
        assert!(matches!(Admission::new(&shared, 1).await, Err(ExportError::Overloaded { .. })), "the reserve is full");
        assert!(matches!(Admission::new(&shared, 8 << 20).await, Err(ExportError::TooLarge { .. })));
        drop((small, held));
        assert_eq!(shared.budget.bytes_taken(), 0);
        drop(Admission::new(&shared, 7 << 20).await.expect("all of the general part is free"));
    }
}
