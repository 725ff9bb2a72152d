//! The compactor: takes the lease, settles what was left half done, then flushes, merges, and answers flush requests
//! ([`merging`]), and lets go what nobody needs any more ([`keeping`]).
//!
//! One job at a time, in this order at every pass: retention and reaping where they are due, which are short, then the
//! flush, and a merge only where nothing waits to be flushed.

mod keeping;
mod merging;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{Catalog, CatalogError, LedgerHour, LiveFile, NewFile, Segment, Swap, SwapId};
use journal::{HourLedgers, Ledger};
use model::{LeaseEpoch, SegmentId, SequenceNumber};
use store::{Layout, ParquetSettings, StoreError, fault, remove_durable};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::error::CompactError;
use crate::flush::{Flushed, flush_segments};
use crate::limits::CompactLimits;
use crate::manifest::Manifest;
use crate::plan::{self, PartitionClamp};
use crate::status::StatusHandle;
use crate::{reap, segment, swap};

use keeping::Keeping;
use merging::Merging;

/// Name of the lease that fences swaps.
pub const LEASE: &str = "compact";

/// What a swap left to do before the next one may begin.
#[derive(Debug)]
enum Unsettled {
    /// The catalog did not say whether it committed.
    Unknown(Manifest),
    /// Committed; names are not all changed.
    Committed(Manifest),
    /// Not committed; its manifest and outputs are still there.
    Uncommitted(Manifest),
}

/// What a swap changes.
#[derive(Debug, Default)]
struct Change {
    add: Vec<NewFile>,
    remove: Vec<LiveFile>,
    consume: Vec<SegmentId>,
    quarantine: Vec<(SegmentId, String)>,
    /// What the receipts of the consumed segments say.
    receipts: HourLedgers,
}

/// Compacts one data folder.
#[derive(Debug)]
pub struct Compactor {
    layout: Layout,
    catalog: Catalog,
    limits: Arc<CompactLimits>,
    settings: Arc<ParquetSettings>,
    status: StatusHandle,
    epoch: LeaseEpoch,
    counter: u64,
    unsettled: Option<Unsettled>,
    /// Segments that could not be read, until when they are left alone, and why.
    blocked: BTreeMap<SegmentId, (Instant, String)>,
    /// Damaged segments that have been reported.
    reported: BTreeSet<SegmentId>,
    merging: Merging,
    keeping: Keeping,
    /// The catalog's number when there was last nothing to do.
    idle_at: Option<SequenceNumber>,
    /// Cancelled once the running job is to stop where it can.
    stop: CancellationToken,
}

impl Compactor {
    /// A compactor of this folder. The caller holds the folder's lock of the role; nothing is touched before
    /// [`Compactor::run`].
    pub fn open(layout: Layout, catalog: Catalog, limits: CompactLimits) -> Compactor {
        let keeping = Keeping::new(Instant::now(), catalog.now(), &limits);
        Compactor {
            layout,
            catalog,
            limits: Arc::new(limits),
            settings: Arc::new(ParquetSettings::default()),
            status: StatusHandle::default(),
            epoch: LeaseEpoch(0),
            counter: 0,
            unsettled: None,
            blocked: BTreeMap::new(),
            reported: BTreeSet::new(),
            merging: Merging::default(),
            keeping,
            idle_at: None,
            stop: CancellationToken::new(),
        }
    }

    /// Shows how it stands, while it runs.
    pub fn status(&self) -> StatusHandle {
        self.status.clone()
    }

    /// Compacts until `shutdown`; a flush that has begun is ended first, a merge given up unless it is being committed.
    ///
    /// # Errors
    /// [`CompactError::Fenced`] once another compactor has the lease, and what no later try can help
    /// ([`CompactError::is_retryable`]). Everything else is logged and tried again.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), CompactError> {
        self.stop = shutdown.clone();
        let mut is_started = false;
        let mut failures = 0;
        while !shutdown.is_cancelled() {
            let pass = match is_started {
                true => self.pass().await,
                false => self.start().await.map(|()| true),
            };
            let wait = match pass {
                Ok(worked) => {
                    (is_started, failures) = (true, 0);
                    self.status.change(|status| status.last_error = None);
                    if worked { Duration::ZERO } else { self.limits.poll }
                }
                Err(error) if error.is_retryable() => {
                    self.report(&error);
                    self.idle_at = None;
                    self.merging.forget_planned();
                    failures += 1;
                    back_off(self.limits.retry_after, failures)
                }
                Err(error) => return Err(error),
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        Ok(())
    }

    /// Logs an error, once as long as it stays the same.
    fn report(&self, error: &CompactError) {
        let text = error.to_string();
        if self.status.read().last_error.as_ref() != Some(&text) {
            tracing::error!(error = text, "compaction did not get on; it tries again");
        }
        self.status.change(|status| status.last_error = Some(text));
    }

    /// Makes the running job stop by this, without [`Compactor::run`].
    #[cfg(test)]
    pub(crate) fn stop_by(&mut self, stop: CancellationToken) {
        self.stop = stop;
    }

    /// Takes the lease and settles what earlier owners left.
    pub(crate) async fn start(&mut self) -> Result<(), CompactError> {
        let owner = format!("process {}", std::process::id());
        self.epoch = self.catalog.acquire_lease(LEASE, &owner).await?;
        self.counter = 0;
        self.unsettled = None;
        self.merging = Merging::default();
        self.status.change(|status| status.lease_epoch = self.epoch.0);

        // The lease is ours: what is not committed now never will be.
        let committed = self.catalog.committed_swaps().await?;
        let last = committed.last().copied();
        let layout = self.layout.clone();
        blocking(move || {
            for id in swap::list_manifests(&layout)? {
                if !committed.contains(&id) {
                    undo_manifest(&layout, id)?;
                }
            }
            // A swap begins only after the one before has its names, so only the last can lack some.
            let Some(id) = last else { return Ok(()) };
            let Some(manifest) = swap::read_manifest(&layout, id)? else {
                return Err(StoreError::Missing { path: layout.manifest_path(id.epoch, id.counter) }.into());
            };
            finish(&layout, &manifest)
        })
        .await?;
        self.delete_orphans().await?;
        self.refresh_quarantined().await
    }

    async fn delete_orphans(&mut self) -> Result<(), CompactError> {
        let known: HashSet<_> = self.catalog.known_files().await?.into_iter().collect();
        let layout = self.layout.clone();
        let found = blocking(move || reap::delete_orphans(&layout, &known)).await?;
        if found.deleted > 0 {
            tracing::info!(files = found.deleted, "outputs of swaps that never committed were deleted");
        }
        for path in &found.strange {
            tracing::error!(path = %path.display(), "the catalog does not know this file; it is left alone");
        }
        let strange = found.strange.iter().map(|path| path.display().to_string()).collect();
        self.status.change(|status| status.strange_files = strange);
        Ok(())
    }

    async fn refresh_quarantined(&mut self) -> Result<(), CompactError> {
        let quarantined = self.catalog.quarantined_segments().await?;
        let quarantined = quarantined.into_iter().map(|segment| (segment.id.to_string(), segment.reason)).collect();
        self.status.change(|status| status.quarantined = quarantined);
        Ok(())
    }

    /// One look at the catalog and what follows from it. Says whether there may be more to do at once.
    pub(crate) async fn pass(&mut self) -> Result<bool, CompactError> {
        self.settle().await?;
        self.expire_if_due().await?;
        self.reap_if_due().await?;
        let sequence = self.catalog.sequence().await?;
        self.unblock();
        let may_rest = self.blocked.is_empty() && !self.merging.is_due(sequence, Instant::now(), self.catalog.now());
        if self.idle_at == Some(sequence) && may_rest {
            return Ok(false);
        }
        // The request is read before the segments: what it asks for is then among them, or in files.
        let request = self.catalog.pending_flush().await?;
        let segments = self.catalog.segments().await?;
        self.note_waiting(&segments);
        let blocked = self.blocked.keys().copied().collect();
        let chosen = plan::choose_segments(&segments, &blocked, &self.limits);
        if !chosen.is_empty() {
            self.flush(chosen).await?;
            return Ok(true);
        }
        let Some(request) = request else {
            if self.merge_if_due(sequence).await? {
                return Ok(true);
            }
            self.idle_at = Some(sequence);
            return Ok(false);
        };
        let layout = self.layout.clone();
        let asked = request.clone();
        let is_done = blocking(move || {
            Ok(plan::is_flush_done(&asked, &segments, |listed| segment::holds_commit(&layout, listed)))
        });
        if !is_done.await? {
            return Ok(false);
        }
        if self.merge_for_request(request.id).await? {
            return Ok(true);
        }
        self.catalog.finish_flush(request.id).await?;
        Ok(false)
    }

    /// Lets segments be tried again whose time has come.
    fn unblock(&mut self) {
        let now = Instant::now();
        self.blocked.retain(|_, (until, _)| *until > now);
    }

    fn note_waiting(&self, segments: &[Segment]) {
        let waiting = segments.iter().filter(|segment| plan::is_waiting(segment));
        let (count, bytes) = waiting.fold((0, 0), |(count, bytes), segment| (count + 1, bytes + segment.length));
        self.status.change(|status| (status.segments_waiting, status.bytes_waiting) = (count, bytes));
    }

    /// Flushes these segments: one swap.
    async fn flush(&mut self, chosen: Vec<Segment>) -> Result<(), CompactError> {
        let began = Instant::now();
        let (layout, catalog, settings) = (self.layout.clone(), self.catalog.clone(), self.settings.clone());
        let (clamp, ledger) = (PartitionClamp::of(&self.limits), self.limits.ledger);
        let runtime = Handle::current();
        let flushed = blocking(move || {
            let mut draw = |count| Ok(runtime.block_on(catalog.draw_file_ids(count))?);
            flush_segments(&layout, &chosen, clamp, &settings, &ledger, &mut draw)
        })
        .await?;
        self.note_flushed(&flushed);
        if flushed.consumed.is_empty() {
            return Ok(());
        }
        let rows = flushed.rows();
        let bytes: u64 = flushed.outputs.iter().map(|file| file.bytes).sum();
        let (files, segments, is_damaged) =
            (flushed.outputs.len(), flushed.consumed.len(), !flushed.damaged.is_empty());
        let now = self.catalog.now();
        self.merging.note_flush(flushed.outputs.iter().map(|file| &file.partition), now);
        self.commit(Change {
            add: flushed.outputs,
            consume: flushed.consumed,
            quarantine: flushed.damaged,
            receipts: flushed.ledger,
            ..Change::default()
        })
        .await?;
        let micros = began.elapsed().as_micros() as u64;
        self.status.change(|status| {
            status.last_flush_unix_nano = Some(now);
            status.flushes += 1;
            status.rows_flushed += rows;
            status.bytes_written += bytes;
            status.flush_micros += micros;
        });
        tracing::info!(segments, rows, files, bytes, milliseconds = micros / 1000, "flushed");
        if is_damaged {
            self.refresh_quarantined().await?;
        }
        Ok(())
    }

    /// The ledger's history of some hours with these receipts added to it. Whoever has the lease is its one writer, so
    /// it is what it was read as when the swap commits.
    async fn ledger_with(&self, added: &HourLedgers) -> Result<Vec<LedgerHour>, CompactError> {
        let mut hours = Vec::new();
        for ((tenant, hour), receipts) in &added.0 {
            let content = self.catalog.ledger_hour(tenant, *hour).await?;
            let mut ledger = content.map_or_else(Ledger::default, |content| {
                Ledger::parse(*hour, &content).unwrap_or_else(|| {
                    tracing::error!(%tenant, hour = hour.0, "the ledger of an hour cannot be read and begins anew");
                    Ledger::default()
                })
            });
            ledger.merge(receipts, &self.limits.ledger);
            hours.push(LedgerHour { tenant: tenant.clone(), hour: *hour, content: ledger.content(*hour) });
        }
        Ok(hours)
    }

    /// Reports what could not be read, each once.
    fn note_flushed(&mut self, flushed: &Flushed) {
        for (id, reason) in &flushed.damaged {
            if self.reported.insert(*id) {
                tracing::error!(segment = %id, reason, "a segment is damaged; its file is kept, the rest is flushed");
            }
        }
        let until = Instant::now() + self.limits.retry_after;
        for (id, reason) in &flushed.blocked {
            if self.reported.insert(*id) {
                tracing::error!(segment = %id, reason, "a segment cannot be read; it is tried again");
            }
            self.blocked.insert(*id, (until, reason.clone()));
        }
        for id in &flushed.consumed {
            self.blocked.remove(id);
            if flushed.damaged.iter().all(|(damaged, _)| damaged != id) {
                self.reported.remove(id);
            }
        }
        let blocked = self.blocked.iter().map(|(id, (_, reason))| (id.to_string(), reason.clone())).collect();
        self.status.change(|status| status.blocked = blocked);
    }

    /// Steps 2 to 4 of a swap, whose outputs are durable.
    async fn commit(&mut self, change: Change) -> Result<(), CompactError> {
        let mut swap = Swap {
            lease_name: LEASE.into(),
            epoch: self.epoch,
            counter: self.counter,
            add: change.add,
            remove: change.remove.iter().map(|file| file.id).collect(),
            consume: change.consume,
            quarantine: change.quarantine,
            ledger: Vec::new(),
            now: self.catalog.now(),
        };
        self.counter += 1;
        let manifest = Manifest::of(&swap, &change.remove);
        let (layout, written) = (self.layout.clone(), manifest.clone());
        self.unsettled = Some(Unsettled::Uncommitted(manifest.clone()));
        blocking(move || swap::write_manifest(&layout, &written)).await?;
        swap.ledger = self.ledger_with(&change.receipts).await?;
        self.unsettled = Some(Unsettled::Unknown(manifest.clone()));
        let committed = self.catalog.swap(&swap).await;
        if committed.is_ok() {
            fault::hit("after_catalog_commit");
        }
        match committed {
            Ok(_) => {
                self.unsettled = Some(Unsettled::Committed(manifest));
                self.settle().await
            }
            Err(error @ (CatalogError::Fenced { .. } | CatalogError::InputGone(_))) => {
                self.unsettled = Some(Unsettled::Uncommitted(manifest));
                self.settle().await?;
                Err(error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Ends what the last swap left to do. Until this has succeeded no other swap begins.
    async fn settle(&mut self) -> Result<(), CompactError> {
        let layout = self.layout.clone();
        match self.unsettled.take() {
            None => Ok(()),
            Some(Unsettled::Committed(manifest)) => {
                self.unsettled = Some(Unsettled::Committed(manifest.clone()));
                blocking(move || finish(&layout, &manifest)).await?;
                self.unsettled = None;
                Ok(())
            }
            Some(Unsettled::Uncommitted(manifest)) => {
                self.unsettled = Some(Unsettled::Uncommitted(manifest.clone()));
                blocking(move || swap::undo_swap(&layout, &manifest)).await?;
                self.unsettled = None;
                Ok(())
            }
            Some(Unsettled::Unknown(manifest)) => {
                let id = manifest.id();
                self.unsettled = Some(Unsettled::Unknown(manifest.clone()));
                let is_committed = self.catalog.is_swap_committed(id.epoch, id.counter).await?;
                self.unsettled = Some(match is_committed {
                    true => Unsettled::Committed(manifest),
                    false => Unsettled::Uncommitted(manifest),
                });
                Box::pin(self.settle()).await
            }
        }
    }
}

/// How long to wait after so many failures in a row: twice as long each time, up to 32 times.
fn back_off(first: Duration, failures: u32) -> Duration {
    first * 2_u32.pow(failures.saturating_sub(1).min(5))
}

/// Undoes a swap of an earlier owner that never committed.
fn undo_manifest(layout: &Layout, id: SwapId) -> Result<(), CompactError> {
    match swap::read_manifest(layout, id) {
        Ok(Some(manifest)) => swap::undo_swap(layout, &manifest),
        Ok(None) => Ok(()),
        Err(CompactError::Store(error @ StoreError::Damaged { .. })) => {
            // Without it its outputs are orphans, which are deleted next.
            tracing::error!(%error, "the manifest of a swap that never committed is deleted");
            Ok(remove_durable(&layout.manifest_path(id.epoch, id.counter))?)
        }
        Err(error) => Err(error),
    }
}

/// Step 4. A file without any of its names is reported: waiting would not bring it back.
fn finish(layout: &Layout, manifest: &Manifest) -> Result<(), CompactError> {
    match swap::finish_swap(layout, manifest) {
        Err(CompactError::Store(error @ StoreError::Missing { .. })) => {
            tracing::error!(%error, "a file of a committed swap is missing");
            Ok(())
        }
        result => result,
    }
}

/// Runs a job on a blocking thread.
async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, CompactError> + Send + 'static,
) -> Result<T, CompactError> {
    tokio::task::spawn_blocking(job).await.map_err(|error| CompactError::Job(error.to_string()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound() {
        let seconds = |failures| back_off(Duration::from_secs(2), failures).as_secs();
        assert_eq!([1, 2, 3, 6, 7, 1000].map(seconds), [2, 4, 8, 64, 64, 64]);
    }
}
