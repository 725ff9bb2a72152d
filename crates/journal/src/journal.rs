//! The journal: appending commits, and the turn from one segment to the next.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use catalog::{Catalog, CatalogError};
use model::SegmentId;
use store::fault;
use tokio::runtime::Handle;

use crate::active::{Active, Stage};
use crate::error::JournalError;
use crate::part::{Part, PartEncoder};
use crate::receipt::{Digest, Receipt, StoredReceipt};
use crate::record::{RECORD_HEADER_BYTES, RecordHeader, RecordKind};
use crate::segment::SegmentFile;
use crate::window::{DigestWindow, WindowStatus};
use crate::wire::pad;

/// The buffer commits are encoded in is given back beyond this size.
const BUFFER_KEPT_BYTES: usize = 16 * 1024 * 1024;

/// How long after a failed attempt to leave a suspect segment the next one is made.
const RETRY_NANOS: i64 = 1_000_000_000;

/// Bounds of the journal.
#[derive(Debug, Clone)]
pub struct JournalLimits {
    /// A segment is to be sealed once it is longer than this; its last commit may go beyond.
    pub segment_bytes_max: u64,
    /// A segment is sealed this long after its first commit.
    pub segment_age_max_seconds: u64,
    /// A longer commit is refused. Above the longest request by some, because columns can be longer than the wire.
    pub commit_bytes_max: usize,
    /// How long a resend is recognised.
    pub digest_window_seconds: u64,
    /// How many requests are recognised at most, if that is shorter. Some 120 bytes of memory each.
    pub digest_entries_max: usize,
}

impl Default for JournalLimits {
    fn default() -> JournalLimits {
        JournalLimits {
            segment_bytes_max: 32 * 1024 * 1024,
            segment_age_max_seconds: 300,
            commit_bytes_max: 192 * 1024 * 1024,
            digest_window_seconds: 600,
            digest_entries_max: 1_000_000,
        }
    }
}

/// One group of requests that becomes durable together or not at all.
#[derive(Debug, Clone)]
pub struct CommitDraft {
    /// Now, Unix nanoseconds.
    pub arrival_unix_nano: i64,
    /// The rows, one part per tenant and table.
    pub parts: Vec<Part>,
    /// One per request.
    pub receipts: Vec<Receipt>,
}

/// What the journal is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalStatus {
    /// The segment appended to, if there is one.
    pub segment: Option<SegmentId>,
    /// Bytes in it.
    pub segment_bytes: u64,
    /// How far resends are recognised.
    pub window: WindowStatus,
}

/// The journal's one writer. It blocks: on the disk, and on the catalog through a runtime's handle, so it lives on a
/// thread of its own outside of the runtime.
#[derive(Debug)]
pub struct Journal {
    pub(crate) folder: PathBuf,
    pub(crate) catalog: Catalog,
    pub(crate) runtime: Handle,
    pub(crate) limits: JournalLimits,
    pub(crate) active: Option<Active>,
    ahead: Option<JoinHandle<Result<SegmentFile, JournalError>>>,
    pub(crate) window: DigestWindow,
    encoder: Encoder,
    /// When leaving a suspect segment failed last.
    failed_at: Option<i64>,
}

struct Encoder {
    parts: PartEncoder,
    record: Vec<u8>,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("capacity", &self.record.capacity()).finish()
    }
}

impl Journal {
    /// A journal without a segment, before recovery.
    pub(crate) fn new(folder: &Path, catalog: Catalog, runtime: Handle, limits: JournalLimits, now: i64) -> Journal {
        let window_nanos = (limits.digest_window_seconds as i64).saturating_mul(1_000_000_000);
        Journal {
            folder: folder.into(),
            catalog,
            runtime,
            window: DigestWindow::new(window_nanos, limits.digest_entries_max, now),
            limits,
            active: None,
            ahead: None,
            encoder: Encoder { parts: PartEncoder::new(), record: Vec::new() },
            failed_at: None,
        }
    }

    /// Appends a commit; when this returns `Ok` it is durable (I1). It never turns to another segment before it: ask
    /// [`Journal::needs_seal`] after it.
    ///
    /// # Errors
    /// Nothing of the commit is stored. The journal itself goes on: what stands in its way (a failed sync, a full
    /// disk, a busy catalog) is tried to be left at every call.
    pub fn append(&mut self, draft: &CommitDraft, now: i64) -> Result<(), JournalError> {
        self.window.advance(now);
        self.settle(now)?;
        let header = self.encode(draft)?;
        let bytes = self.encoder.record.len() as u64;
        let Some(active) = self.active.as_mut() else {
            return Err(JournalError::Invalid("no segment to append to".into()));
        };
        let header =
            RecordHeader { salt: active.file.salt, segment: active.file.id, number: active.number_next, ..header };
        header.seal(&mut self.encoder.record);
        if let Err(error) = active.write(&self.encoder.record) {
            self.after_failure(now, &error);
            return Err(error);
        }
        let record = &self.encoder.record;
        let receipts = &record[RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + header.receipt_bytes as usize];
        active.footer.add(header.number, active.offset, header.arrival, header.receipts, receipts);
        active.offset += bytes;
        active.number_next += 1;
        active.rows += draft.parts.iter().map(|part| part.batch.num_rows() as u64).sum::<u64>();
        active.first_commit_at.get_or_insert(now);
        self.remember(draft.arrival_unix_nano, &draft.receipts);
        self.encoder.record.shrink_to(BUFFER_KEPT_BYTES);
        Ok(())
    }

    /// Seals the segment appended to, if it holds a commit, and turns to the next.
    ///
    /// # Errors
    /// It is not sealed yet; every later call, and every append, goes on with it.
    pub fn seal(&mut self, now: i64) -> Result<(), JournalError> {
        if let Some(active) = self.active.as_mut()
            && active.stage == Stage::Open
            && !active.is_empty()
        {
            active.stage = Stage::Closing;
        }
        self.settle(now)
    }

    /// Whether the segment appended to is full or old enough to be sealed.
    pub fn needs_seal(&mut self, now: i64) -> bool {
        let age_max = (self.limits.segment_age_max_seconds as i64).saturating_mul(1_000_000_000);
        let Some(active) = self.active.as_mut() else { return false };
        // A clock that jumps back must not keep a segment open for longer.
        let Some(first) = active.first_commit_at.map(|first| first.min(now)) else { return false };
        active.first_commit_at = Some(first);
        active.offset >= self.limits.segment_bytes_max || now - first >= age_max
    }

    /// Goes on with what an earlier failure left undone, so that the next append finds an open segment.
    ///
    /// # Errors
    /// What stands in the way still does.
    pub fn mend(&mut self, now: i64) -> Result<(), JournalError> {
        self.settle(now)
    }

    /// What a request was answered with, if this one is a resend of it.
    pub fn receipt(&mut self, digest: &Digest, now: i64) -> Option<StoredReceipt> {
        self.window.advance(now);
        self.window.get(digest)
    }

    /// What the journal is at.
    pub fn status(&self) -> JournalStatus {
        let active = self.active.as_ref();
        JournalStatus {
            segment: active.map(|active| active.file.id),
            segment_bytes: active.map_or(0, |active| active.offset),
            window: self.window.status(),
        }
    }

    /// The bounds it was opened with.
    pub fn limits(&self) -> &JournalLimits {
        &self.limits
    }

    pub(crate) fn remember(&mut self, arrival: i64, receipts: &[Receipt]) {
        for receipt in receipts {
            if let Some(digest) = receipt.digest {
                let (received, stored, owners) = (receipt.received, receipt.stored, receipt.owners());
                let stored = StoredReceipt { response: receipt.response.clone(), received, stored, owners };
                self.window.insert(digest, arrival, stored);
            }
        }
    }

    /// Encodes everything but the header into the buffer.
    fn encode(&mut self, draft: &CommitDraft) -> Result<RecordHeader, JournalError> {
        let Encoder { parts, record } = &mut self.encoder;
        record.clear();
        record.resize(RECORD_HEADER_BYTES, 0);
        for receipt in &draft.receipts {
            receipt.encode(record);
        }
        pad(record);
        let receipt_bytes = (record.len() - RECORD_HEADER_BYTES) as u32;
        let bytes_max = self.limits.commit_bytes_max;
        for part in &draft.parts {
            parts.encode(part, record)?;
            if record.len() > bytes_max {
                let bytes = record.len();
                record.clear();
                record.shrink_to(BUFFER_KEPT_BYTES);
                return Err(JournalError::TooLarge { bytes, bytes_max });
            }
        }
        Ok(RecordHeader {
            kind: RecordKind::Commit,
            salt: 0,
            segment: SegmentId(0),
            number: 0,
            arrival: draft.arrival_unix_nano,
            length: 0,
            receipts: draft.receipts.len() as u32,
            receipt_bytes,
            parts: draft.parts.len() as u32,
            payload_checksum: 0,
        })
    }

    /// Leaves a segment that failed as far as it goes now; the next append goes on with it.
    fn after_failure(&mut self, now: i64, error: &JournalError) {
        tracing::error!(%error, "a commit was not stored");
        if let Err(error) = self.settle(now) {
            tracing::error!(%error, "the journal takes no commit until this is over");
        }
    }

    /// Brings the segment's end to its end, and makes sure that there is one to append to.
    pub(crate) fn settle(&mut self, now: i64) -> Result<(), JournalError> {
        self.retire(now)?;
        if self.active.is_none() {
            let file = self.next_segment(now)?;
            self.active = Some(Active::new(file));
            self.ahead = Some(self.begin_segment(now)?);
        }
        Ok(())
    }

    /// Ends the active segment unless it is open.
    pub(crate) fn retire(&mut self, now: i64) -> Result<(), JournalError> {
        while let Some(active) = self.active.as_mut() {
            match active.stage {
                Stage::Open => return Ok(()),
                Stage::Closing | Stage::Suspect(_) if active.is_empty() => self.drop_active()?,
                Stage::Closing => {
                    active.stage = match active.close(now) {
                        Ok(length) => Stage::Closed(length),
                        Err(error) => {
                            tracing::error!(%error, "a segment is copied because it cannot be synced");
                            Stage::Suspect(None)
                        }
                    };
                }
                Stage::Closed(length) => {
                    let (id, rows) = (active.file.id, active.rows);
                    self.runtime.block_on(self.catalog.seal_segment(id, length, rows, now))?;
                    fault::hit("after_seal");
                    self.active = None;
                }
                Stage::Suspect(_) => self.replace_active(now)?,
            }
        }
        Ok(())
    }

    /// Unlists and removes a segment without a commit. The row goes before the file (I3).
    fn drop_active(&mut self) -> Result<(), JournalError> {
        let Some(active) = self.active.as_ref() else { return Ok(()) };
        match self.runtime.block_on(self.catalog.drop_segment(active.file.id)) {
            Ok(_) | Err(CatalogError::UnknownSegment(_)) => {}
            Err(error) => return Err(error.into()),
        }
        if let Err(error) = std::fs::remove_file(&active.file.path) {
            tracing::warn!(segment = %active.file.id, %error, "an empty segment stays on disk");
        }
        self.active = None;
        Ok(())
    }

    /// Puts a copy in the place of a suspect segment (I12).
    fn replace_active(&mut self, now: i64) -> Result<(), JournalError> {
        let Some(active) = self.active.as_mut() else { return Ok(()) };
        let Stage::Suspect(copied) = active.stage else { return Ok(()) };
        if let Some(failed_at) = self.failed_at
            && (now - failed_at).abs() < RETRY_NANOS
        {
            return Err(JournalError::sync(&active.file.path, std::io::Error::other("an earlier sync failed")));
        }
        self.failed_at = Some(now);
        let copied = match copied {
            Some(copied) => copied,
            None => {
                let id = self.runtime.block_on(self.catalog.draw_segment(now))?;
                active.copy_to(&self.folder, id, now)?
            }
        };
        active.stage = Stage::Suspect(Some(copied));
        let (id, rows) = (active.file.id, active.rows);
        let replaced = self.runtime.block_on(self.catalog.replace_segment(id, copied.id, copied.length, rows, now));
        match replaced {
            Ok(_) => {}
            // An earlier call may have committed although it said otherwise.
            Err(CatalogError::UnknownSegment(_)) if self.is_live(copied.id)? => {}
            Err(error) => return Err(error.into()),
        }
        tracing::warn!(segment = %id, copy = %copied.id, "a segment whose fsync failed was replaced by a copy");
        self.failed_at = None;
        self.active = None;
        Ok(())
    }

    fn is_live(&self, id: SegmentId) -> Result<bool, JournalError> {
        let segments = self.runtime.block_on(self.catalog.segments())?;
        Ok(segments.iter().any(|segment| segment.id == id))
    }

    /// The segment kept ahead, or where making it failed, one made now.
    fn next_segment(&mut self, now: i64) -> Result<SegmentFile, JournalError> {
        if let Some(ahead) = self.ahead.take()
            && let Ok(made) = ahead.join()
        {
            match made {
                Ok(file) => return Ok(file),
                Err(error) => tracing::warn!(%error, "no segment could be made ahead"),
            }
        }
        make_segment(&self.folder, &self.catalog, &self.runtime, self.limits.segment_bytes_max, now)
    }

    /// Begins to make the segment to be kept ahead, beside what the journal does.
    fn begin_segment(&self, now: i64) -> Result<JoinHandle<Result<SegmentFile, JournalError>>, JournalError> {
        let (folder, catalog, runtime) = (self.folder.clone(), self.catalog.clone(), self.runtime.clone());
        let bytes = self.limits.segment_bytes_max;
        std::thread::Builder::new()
            .name("segment-ahead".into())
            .spawn(move || make_segment(&folder, &catalog, &runtime, bytes, now))
            .map_err(|error| JournalError::write(&self.folder, error))
    }
}

impl Drop for Journal {
    /// A segment being made is waited for, so that nothing is listed behind the back of the next owner.
    fn drop(&mut self) {
        if let Some(ahead) = self.ahead.take() {
            let _ = ahead.join();
        }
    }
}

/// Draws a number, makes the file durable, then lists it.
fn make_segment(
    folder: &Path,
    catalog: &Catalog,
    runtime: &Handle,
    bytes: u64,
    now: i64,
) -> Result<SegmentFile, JournalError> {
    let id = runtime.block_on(catalog.draw_segment(now))?;
    let file = SegmentFile::create(folder, id, now, None, bytes)?;
    fault::hit("after_segment_created");
    runtime.block_on(catalog.list_segment(id, now))?;
    fault::hit("after_segment_listed");
    Ok(file)
}
