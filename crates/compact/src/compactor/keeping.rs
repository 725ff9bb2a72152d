//! How long things are kept: rows for their retention, what no snapshot names for its grace, manifests as long as
//! something they name is there.
//!
//! Retention is a swap like any other: first the rows of the catalog go (I3), the files are renamed to `.dead`, and the
//! reaper deletes them after the grace.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use model::{Hour, SegmentId};

use super::{Change, Compactor, blocking};
use crate::clock::Clock;
use crate::error::CompactError;
use crate::limits::CompactLimits;
use crate::{prune, reap, retention, swap};

/// A jump of the wall clock that keeps the reaper still for a grace.
const REAP_JUMP: Duration = Duration::from_secs(60);

/// A jump of the wall clock that keeps retention still, and for how long (design §1.4).
const RETENTION_JUMP: Duration = Duration::from_secs(3600);
const RETENTION_HOLD: Duration = Duration::from_secs(3600);

/// Files that one swap of retention removes.
const EXPIRED_FILES_MAX: usize = 256;

/// What keeping remembers from pass to pass.
#[derive(Debug)]
pub(super) struct Keeping {
    reap_clock: Clock,
    retention_clock: Clock,
    reap_next: Instant,
    expire_next: Instant,
    prune_next: Instant,
}

impl Keeping {
    pub fn new(steady: Instant, wall: i64, limits: &CompactLimits) -> Keeping {
        Keeping {
            reap_clock: Clock::new(steady, wall, REAP_JUMP, limits.grace),
            retention_clock: Clock::new(steady, wall, RETENTION_JUMP, RETENTION_HOLD),
            reap_next: steady,
            expire_next: steady,
            prune_next: steady,
        }
    }
}

impl Compactor {
    pub(super) async fn expire_if_due(&mut self) -> Result<(), CompactError> {
        let (steady, wall) = (Instant::now(), self.catalog.now());
        let look = self.keeping.retention_clock.look(steady, wall);
        if let Some(seconds) = look.jumped_seconds {
            tracing::warn!(seconds, "the clock jumped by more than an hour: retention deletes nothing for an hour");
        }
        self.status.change(|status| status.retention_held = !look.is_trusted);
        if steady < self.keeping.expire_next || !look.is_trusted {
            return Ok(());
        }
        self.keeping.expire_next = steady + self.limits.reap_interval;
        if self.expire(wall).await? == EXPIRED_FILES_MAX {
            self.keeping.expire_next = steady;
        }
        let keep = i64::try_from(self.limits.ledger_keep.as_nanos()).unwrap_or(i64::MAX);
        self.catalog.forget_ledger(Hour::of(wall.saturating_sub(keep))).await?;
        Ok(())
    }

    /// Removes files that have outlived their retention at this time: one swap. Says how many.
    pub(crate) async fn expire(&mut self, now: i64) -> Result<usize, CompactError> {
        let live = self.catalog.live_files().await?;
        let expired = retention::expired(&live, now, &self.limits.keep, EXPIRED_FILES_MAX);
        let (files, rows) = (expired.len(), expired.iter().map(|file| file.rows).sum::<u64>());
        if files == 0 {
            return Ok(0);
        }
        self.merging.forget_planned();
        self.commit(Change { remove: expired, ..Change::default() }).await?;
        self.status.change(|status| {
            status.files_expired += files as u64;
            status.rows_expired += rows;
        });
        tracing::info!(files, rows, "files have outlived their retention");
        Ok(files)
    }

    pub(super) async fn reap_if_due(&mut self) -> Result<(), CompactError> {
        let (steady, wall) = (Instant::now(), self.catalog.now());
        let look = self.keeping.reap_clock.look(steady, wall);
        if let Some(seconds) = look.jumped_seconds {
            tracing::warn!(seconds, "the clock jumped; nothing is reaped for a while");
        }
        if steady < self.keeping.reap_next || !look.is_trusted {
            return Ok(());
        }
        self.keeping.reap_next = steady + self.limits.reap_interval;
        self.reap(wall).await?;
        if steady >= self.keeping.prune_next {
            self.keeping.prune_next = steady + self.limits.prune_interval;
            self.prune().await?;
        }
        Ok(())
    }

    /// Deletes what is past its grace at this time.
    pub(crate) async fn reap(&mut self, now: i64) -> Result<(), CompactError> {
        let grace = self.limits.grace;
        let before = now.saturating_sub(i64::try_from(grace.as_nanos()).unwrap_or(i64::MAX));
        let segments = self.catalog.retired_segments(before).await?;
        let files = self.catalog.removed_files(before).await?;
        let reaped = (segments.len() + files.len()) as u64;
        if reaped > 0 {
            let (layout, ids, gone) = (self.layout.clone(), segments.clone(), files.clone());
            blocking(move || {
                reap::delete_segments(&layout, &ids)?;
                reap::delete_files(&layout, &gone)
            })
            .await?;
            if !segments.is_empty() {
                self.catalog.forget_segments(&segments).await?;
            }
            if !files.is_empty() {
                self.catalog.forget_files(&files.iter().map(|(id, _)| *id).collect::<Vec<_>>()).await?;
            }
            self.status.change(|status| status.reaped += reaped);
        }
        let folder = self.layout.journal_folder();
        let names = blocking(move || Ok(swap::list_names(&folder)?)).await?;
        let known: HashSet<SegmentId> = self.catalog.known_segments().await?.into_iter().collect();
        let layout = self.layout.clone();
        let found = blocking(move || reap::delete_orphan_segments(&layout, &names, &known, grace)).await?;
        for path in found.strange {
            let path = path.display().to_string();
            if !self.status.read().strange_files.contains(&path) {
                tracing::error!(path, "the catalog does not know this segment; it is left alone");
                self.status.change(|status| status.strange_files.push(path));
            }
        }
        Ok(())
    }

    /// Deletes manifests that nothing needs any more, and then forgets their swaps: a manifest without its swap would
    /// be taken for one that never committed.
    pub(crate) async fn prune(&mut self) -> Result<(), CompactError> {
        let committed = self.catalog.committed_swaps().await?;
        let files: HashSet<_> = self.catalog.known_files().await?.into_iter().collect();
        let segments: HashSet<_> = self.catalog.known_segments().await?.into_iter().collect();
        let layout = self.layout.clone();
        let gone = blocking(move || prune::delete_manifests(&layout, &committed, &files, &segments)).await?;
        if !gone.is_empty() {
            self.catalog.forget_swaps(&gone).await?;
            tracing::debug!(manifests = gone.len(), "manifests that nothing needs any more were deleted");
        }
        Ok(())
    }
}
