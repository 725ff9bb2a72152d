//! Admission: one byte budget for all requests in flight, from their first byte to their answer.
//!
//! The budget is counted in KiB, first come first served. A request that finds no room waits a while, which absorbs
//! bursts that clients would not survive (some never send again), and is refused then.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::counters::Refusal;
use crate::export::{ExportError, Shared};

const UNIT_BYTES: usize = 1024;

/// The byte budget.
#[derive(Debug)]
pub(crate) struct Budget {
    free: Arc<Semaphore>,
    units_max: usize,
}

impl Budget {
    pub(crate) fn new(bytes_max: usize) -> Budget {
        let units_max = (bytes_max / UNIT_BYTES).clamp(1, u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        Budget { free: Arc::new(Semaphore::new(units_max)), units_max }
    }

    /// Bytes taken.
    pub(crate) fn bytes_taken(&self) -> u64 {
        ((self.units_max - self.free.available_permits().min(self.units_max)) * UNIT_BYTES) as u64
    }
}

/// Room in the budget, given back when dropped.
#[derive(Debug)]
pub struct Admission {
    shared: Arc<Shared>,
    permit: OwnedSemaphorePermit,
    bytes: usize,
}

impl Admission {
    pub(crate) async fn new(shared: &Arc<Shared>, bytes: usize) -> Result<Admission, ExportError> {
        let permit = take(shared, bytes.div_ceil(UNIT_BYTES), bytes).await?;
        Ok(Admission { shared: Arc::clone(shared), permit, bytes })
    }

    /// Takes room for this many bytes more, waiting a while for it.
    ///
    /// # Errors
    /// [`ExportError::Overloaded`]; what was admitted stays admitted. [`ExportError::TooLarge`] where the whole budget
    /// has not that much room.
    pub async fn grow(&mut self, more: usize) -> Result<(), ExportError> {
        let bytes = self.bytes.saturating_add(more);
        let units = bytes.div_ceil(UNIT_BYTES).saturating_sub(self.permit.num_permits());
        if units > 0 {
            let permit = take(&self.shared, units, bytes).await?;
            self.permit.merge(permit);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Bytes admitted.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Takes units for a request of `bytes` in all.
async fn take(shared: &Shared, units: usize, bytes: usize) -> Result<OwnedSemaphorePermit, ExportError> {
    let budget = &shared.budget;
    if bytes.div_ceil(UNIT_BYTES) > budget.units_max {
        let message = format!("the request is over the limit of {} bytes", shared.limits.inflight_bytes_max);
        return Err(ExportError::TooLarge { message });
    }
    let taken = Arc::clone(&budget.free).acquire_many_owned(units as u32);
    match tokio::time::timeout(shared.limits.admission_wait, taken).await {
        Ok(Ok(permit)) => Ok(permit),
        // The semaphore is never closed; no room is the honest answer in any case.
        Ok(Err(_)) | Err(_) => Err(shared.refuse(Refusal::Overloaded)),
    }
}
