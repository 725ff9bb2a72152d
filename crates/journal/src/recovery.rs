//! Opening the journal: what the owner before left is brought to its end, then the digests are loaded.
//!
//! Segments that are listed and not sealed are abandoned. An empty one is dropped. Of any other, the torn tail is cut
//! whole, the rest synced and sealed. Damage in the middle is reported and stays, so that readers report it too. Files
//! the catalog does not know are left to compact's reaper.

use std::path::Path;

use catalog::{Catalog, CatalogError, SegmentState};
use model::SegmentId;
use std::os::unix::fs::FileExt;
use tokio::runtime::Handle;

use crate::active::{Active, Stage};
use crate::error::JournalError;
use crate::journal::{Journal, JournalLimits};
use crate::reader::{Damage, End, SegmentReader};
use crate::segment::{SegmentFile, segment_path};

/// What was found and done at a start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Segments sealed, with the number of commits in them.
    pub sealed: Vec<(SegmentId, u64)>,
    /// Empty segments dropped.
    pub dropped: Vec<SegmentId>,
    /// Segments whose last commit was torn and cut.
    pub torn: Vec<SegmentId>,
    /// Bytes that cannot be read, between commits that can.
    pub damage: Vec<Damage>,
    /// Segments the catalog lists whose file is gone.
    pub missing: Vec<SegmentId>,
    /// Requests that will be recognised when they are sent again.
    pub digests: usize,
}

impl Journal {
    /// Takes over the journal in this folder, which exists. The caller holds the lock that makes it the only one.
    ///
    /// Blocks; call it outside of the runtime that `runtime` is the handle of.
    ///
    /// # Errors
    /// The catalog or the folder cannot be used. A damaged segment is no error.
    pub fn open(
        folder: &Path,
        catalog: Catalog,
        runtime: Handle,
        limits: JournalLimits,
        now: i64,
    ) -> Result<(Journal, RecoveryReport), JournalError> {
        let mut journal = Journal::new(folder, catalog, runtime, limits, now);
        let mut report = RecoveryReport::default();
        let segments = journal.runtime.block_on(journal.catalog.segments())?;
        for segment in segments.iter().filter(|segment| segment.state == SegmentState::Listed) {
            journal.recover(segment.id, now, &mut report)?;
        }
        journal.load_digests(now, &mut report)?;
        journal.settle(now)?;
        report.digests = journal.window.status().entries;
        Ok((journal, report))
    }

    fn recover(&mut self, id: SegmentId, now: i64, report: &mut RecoveryReport) -> Result<(), JournalError> {
        let path = segment_path(&self.folder, id);
        let reader = match SegmentReader::open(&path) {
            Ok(reader) => reader,
            Err(JournalError::Missing(_)) => return self.forget_missing(id, report),
            Err(error) => return Err(error),
        };
        let mut commits = reader.read_from(reader.start(), End::Abandoned)?;
        let file = SegmentFile::open(&path, id, 0, reader.start())?;
        let mut active = Active::new(file);
        active.stage = Stage::Closing;
        let mut last = None;
        for commit in &mut commits {
            let commit = commit?;
            active.note(&commit);
            last = Some(commit);
        }
        active.file.salt = commits.salt().unwrap_or_default();
        report.damage.extend_from_slice(commits.damage());
        if commits.is_torn() {
            report.torn.push(id);
        }
        if let Some(last) = last {
            // Written anew, because if its sync failed before the crash its pages read well and count as clean: only
            // dirty pages are synced.
            active
                .file
                .file
                .write_all_at(last.record(), last.offset())
                .map_err(|error| JournalError::write(&path, error))?;
        }
        match active.is_empty() {
            true => report.dropped.push(id),
            false => report.sealed.push((id, active.footer.commits)),
        }
        self.active = Some(active);
        self.retire(now)
    }

    /// The file of a listed segment is gone. It was kept ahead, most likely; if not, its records are lost, and a
    /// journal that refuses to start would lose what comes next too.
    fn forget_missing(&mut self, id: SegmentId, report: &mut RecoveryReport) -> Result<(), JournalError> {
        tracing::error!(segment = %id, "the catalog lists a segment that has no file");
        report.missing.push(id);
        match self.runtime.block_on(self.catalog.drop_segment(id)) {
            Ok(_) | Err(CatalogError::UnknownSegment(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Loads the digests inside the window from sealed segments and from consumed ones still on disk.
    fn load_digests(&mut self, now: i64, report: &mut RecoveryReport) -> Result<(), JournalError> {
        let window_nanos = (self.limits.digest_window_seconds as i64).saturating_mul(1_000_000_000);
        let live = self.runtime.block_on(self.catalog.segments())?;
        let consumed = self.runtime.block_on(self.catalog.consumed_segments(i64::MAX))?;
        let mut segments: Vec<(SegmentId, Option<u64>)> = consumed.into_iter().map(|id| (id, None)).collect();
        for segment in live {
            // Sealed before the window began: all its commits are older still. A clock that jumped back since makes
            // it look younger, never older.
            let is_old = segment.sealed_at.is_some_and(|sealed_at| sealed_at < now.saturating_sub(window_nanos));
            if segment.state == SegmentState::Sealed && !is_old {
                segments.push((segment.id, Some(segment.length)));
            }
        }
        segments.sort_unstable();
        for (id, length) in segments {
            match self.load_segment_digests(id, length) {
                Ok(()) => {}
                // A consumed segment may be reaped at any time, after its grace, which is longer than the window.
                Err(JournalError::Missing(_)) if length.is_none() => {}
                Err(JournalError::Missing(_)) => report.missing.push(id),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn load_segment_digests(&mut self, id: SegmentId, length: Option<u64>) -> Result<(), JournalError> {
        let reader = SegmentReader::open(&segment_path(&self.folder, id))?;
        let length = match length {
            Some(length) => length,
            None => reader.file_length()?,
        };
        if let Some(entries) = reader.footer(length)? {
            for entry in entries {
                self.remember(entry.arrival, &entry.receipts);
            }
            return Ok(());
        }
        for commit in reader.read_from(reader.start(), End::Sealed(length))? {
            let commit = commit?;
            self.remember(commit.arrival_unix_nano(), &commit.receipts());
        }
        Ok(())
    }
}
