//! The segment that is written to, and how it ends.
//!
//! A segment is open until it is full, too old or asked for (*closing*), has its footer and final length on disk
//! (*closed*), and is sealed in the catalog: then it is nobody's here any more. If an fsync of it fails it is
//! *suspect* instead: what is valid is copied to a new file, which takes its place in the catalog (I12). A segment
//! without a commit is dropped.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use model::SegmentId;
use store::fault;

use crate::error::JournalError;
use crate::footer::FooterBuilder;
use crate::reader::{Commit, End, SegmentReader};
use crate::record::renumber;
use crate::segment::SegmentFile;

/// How far the end of a segment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Takes commits.
    Open,
    /// Takes no more; what lies behind the last good commit is to be cut.
    Closing,
    /// Final on disk with this length; the catalog is to be told.
    Closed(u64),
    /// An fsync failed. Once what is valid has been copied, the copy.
    Suspect(Option<Copied>),
}

/// A durable copy of a suspect segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Copied {
    pub(crate) id: SegmentId,
    pub(crate) length: u64,
}

/// A segment being written to.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) file: SegmentFile,
    pub(crate) stage: Stage,
    /// Behind the last good commit.
    pub(crate) offset: u64,
    /// Number of the next commit.
    pub(crate) number_next: u64,
    pub(crate) rows: u64,
    /// When the first commit came, by the wall clock; moved back with it.
    pub(crate) first_commit_at: Option<i64>,
    pub(crate) footer: FooterBuilder,
}

impl Active {
    pub(crate) fn new(file: SegmentFile) -> Active {
        let offset = file.start;
        Active {
            file,
            stage: Stage::Open,
            offset,
            number_next: 0,
            rows: 0,
            first_commit_at: None,
            footer: FooterBuilder::default(),
        }
    }

    /// Takes note of a commit found on disk by recovery.
    pub(crate) fn note(&mut self, commit: &Commit) {
        self.offset = commit.end();
        self.number_next = commit.number() + 1;
        self.rows += commit.rows();
        let (number, offset, arrival) = (commit.number(), commit.offset(), commit.arrival_unix_nano());
        self.footer.add(number, offset, arrival, commit.receipt_count(), commit.receipt_bytes());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.footer.commits == 0
    }

    /// Writes a commit at the end and makes it durable. The caller takes note of it only after that.
    ///
    /// # Errors
    /// What is left behind decides the stage: nothing written, nothing changed; a bad write, closing; a bad sync,
    /// suspect.
    pub(crate) fn write(&mut self, record: &[u8]) -> Result<(), JournalError> {
        let end = self.offset + record.len() as u64;
        self.file.reserve(end).map_err(|error| JournalError::write(&self.file.path, error))?;
        if let Err(error) = self.put(record) {
            self.stage = Stage::Closing;
            return Err(JournalError::write(&self.file.path, error));
        }
        fault::hit("after_append");
        if let Err(error) = sync_data(&self.file) {
            self.stage = Stage::Suspect(None);
            return Err(JournalError::sync(&self.file.path, error));
        }
        fault::hit("after_fdatasync");
        Ok(())
    }

    fn put(&self, record: &[u8]) -> io::Result<()> {
        if fault::fails("fail_append_no_space") {
            self.file.file.write_all_at(&record[..record.len() / 2], self.offset)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.file.write_all_at(record, self.offset)
    }

    /// Writes the footer, cuts what lies behind it, and syncs; gives the final length.
    ///
    /// # Errors
    /// The sync failed: the segment is suspect.
    pub(crate) fn close(&mut self, now: i64) -> Result<u64, JournalError> {
        let file = &mut self.file;
        let footer = self.footer.finish(file.id, file.salt, self.offset, self.number_next, now);
        let end = self.offset + footer.len() as u64;
        let written = file.reserve(end).and_then(|()| file.file.write_all_at(&footer, self.offset));
        let length = match written {
            Ok(()) => end,
            Err(error) => {
                // The commits hold all that the footer would have said.
                tracing::warn!(segment = %file.id, %error, "a segment is sealed without its footer");
                self.offset
            }
        };
        fault::hit("after_footer");
        let sync = || -> io::Result<()> {
            file.file.set_len(length)?;
            if fault::fails("fail_seal_sync") {
                return Err(io::Error::other("injected fault"));
            }
            file.file.sync_all()
        };
        sync().map_err(|error| JournalError::sync(&file.path, error))?;
        Ok(length)
    }

    /// Copies the good commits to a new file and makes it durable (I12). What fails leaves no file behind.
    pub(crate) fn copy_to(&self, folder: &Path, id: SegmentId, now: i64) -> Result<Copied, JournalError> {
        let file = SegmentFile::create(folder, id, now, Some(self.file.id), self.offset)?;
        let path = file.path.clone();
        self.copy_into(Active::new(file), now).inspect_err(|_| {
            // The number is drawn and never used again; a file that stays is an orphan, reaped later.
            let _ = std::fs::remove_file(&path);
        })
    }

    fn copy_into(&self, mut copy: Active, now: i64) -> Result<Copied, JournalError> {
        let reader = SegmentReader::open(&self.file.path)?;
        let (id, salt) = (copy.file.id, copy.file.salt);
        let mut commits = reader.read_from(self.file.start, End::Sealed(self.offset))?;
        for commit in &mut commits {
            let commit = commit?;
            let mut record = commit.record().to_vec();
            renumber(&mut record, id, salt);
            copy.file
                .reserve(copy.offset + record.len() as u64)
                .and_then(|()| copy.file.file.write_all_at(&record, copy.offset))
                .map_err(|error| JournalError::write(&copy.file.path, error))?;
            let (number, arrival) = (commit.number(), commit.arrival_unix_nano());
            copy.footer.add(number, copy.offset, arrival, commit.receipt_count(), commit.receipt_bytes());
            copy.offset += record.len() as u64;
            copy.number_next = number + 1;
        }
        for damage in commits.damage() {
            tracing::error!(segment = %damage.segment, start = damage.start, end = damage.end,
                "damage could not be copied from a segment whose fsync failed");
        }
        let length = copy.close(now)?;
        sync_data(&copy.file).map_err(|error| JournalError::sync(&copy.file.path, error))?;
        Ok(Copied { id, length })
    }
}

fn sync_data(file: &SegmentFile) -> io::Result<()> {
    if fault::fails("fail_fdatasync") {
        return Err(io::Error::other("injected fault"));
    }
    file.file.sync_data()
}
