//! Reading segments: what query, compact and recovery see of the journal. Nothing here repairs anything.
//!
//! Where a commit is invalid, what it is depends on what follows. If a valid commit follows, it is *damage*: it is
//! skipped and reported, and an answer without it is incomplete. If none does, a live segment simply ends there (the
//! commit is being written, or was torn by a crash and is cut by the owner at its next start); in a sealed segment,
//! whose end is known, it is damage all the same.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::buffer::{Buffer, MutableBuffer};
use model::SegmentId;

use crate::error::JournalError;
use crate::footer::FooterEntry;
use crate::part::EncodedPart;
use crate::receipt::Receipt;
use crate::record::{RECORD_HEADER_BYTES, RECORD_MAGIC, RecordHeader, RecordKind};
use crate::segment::{Schemas, read_header, read_up_to, segment_id};
use crate::wire::{ALIGNMENT, Take};

/// Bytes read at once. A commit that is longer is read in one piece.
pub const READ_BYTES: usize = 256 * 1024;

/// Bytes of a segment that cannot be read, between what can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub segment: SegmentId,
    /// First byte.
    pub start: u64,
    /// First byte that is good again.
    pub end: u64,
}

/// Where a reader stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The segment is being appended to: at the first commit that is not there yet.
    Live,
    /// The segment is sealed with this length: all of it must be there.
    Sealed(u64),
    /// The segment's owner is gone: at the last valid commit in the file.
    Abandoned,
}

/// An open segment file.
#[derive(Debug)]
pub struct SegmentReader {
    path: PathBuf,
    file: File,
    id: SegmentId,
    start: u64,
    created: i64,
    copy_of: Option<SegmentId>,
    /// None where the header block is damaged: the first valid record tells.
    salt: Option<u32>,
    schemas: Arc<Schemas>,
}

impl SegmentReader {
    /// Opens a segment's file, whose name is made by [`crate::segment_path`].
    ///
    /// # Errors
    /// [`JournalError::Missing`], [`JournalError::Read`], [`JournalError::NewerFormat`]. A damaged header block is no
    /// error: it is reported with the commits.
    pub fn open(path: &Path) -> Result<SegmentReader, JournalError> {
        let id = segment_id(path).ok_or_else(|| JournalError::Invalid(format!("{} is no segment", path.display())))?;
        let file = File::open(path).map_err(|error| JournalError::read(path, error))?;
        let header = read_header(path, &file, id)?;
        Ok(SegmentReader {
            path: path.into(),
            file,
            id,
            start: header.length as u64,
            created: header.created,
            copy_of: header.copy_of,
            salt: header.salt,
            schemas: header.schemas,
        })
    }

    /// The segment.
    pub fn id(&self) -> SegmentId {
        self.id
    }

    /// Where its first commit begins: the offset to read from first.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// When it was made, Unix nanoseconds; 0 where the header block is damaged.
    pub fn created_unix_nano(&self) -> i64 {
        self.created
    }

    /// The segment this one was copied from after its fsync failed.
    pub fn copy_of(&self) -> Option<SegmentId> {
        self.copy_of
    }

    /// The commits from this offset on: [`SegmentReader::start`], or where an earlier reading ended
    /// ([`Commits::offset`]). The end is fixed here, once.
    ///
    /// # Errors
    /// [`JournalError::Read`].
    pub fn read_from(&self, offset: u64, end: End) -> Result<Commits<'_>, JournalError> {
        let length = self.file_length()?;
        let expected = match end {
            End::Sealed(sealed) => sealed,
            End::Live | End::Abandoned => length,
        };
        let missing = (expected > length).then_some(Damage { segment: self.id, start: length, end: expected });
        let end_at = expected.min(length);
        Ok(Commits {
            reader: self,
            offset,
            end,
            end_at,
            salt: self.salt,
            number_next: 0,
            chunk: Buffer::from(MutableBuffer::new(0)),
            chunk_at: 0,
            damage: Vec::new(),
            missing,
            torn: false,
            done: false,
        })
    }

    /// Whether nothing has been written at this offset yet, by the look of its first bytes: far cheaper than
    /// [`SegmentReader::read_from`] for whoever looks often.
    ///
    /// # Errors
    /// [`JournalError::Read`].
    pub fn is_empty_at(&self, offset: u64) -> Result<bool, JournalError> {
        let mut front = [0; ALIGNMENT];
        read_up_to(&self.file, &mut front, offset).map_err(|error| JournalError::read(&self.path, error))?;
        Ok(front == [0; ALIGNMENT])
    }

    /// What the footer of a sealed segment of this length says about its commits; `None` where there is no footer,
    /// or a damaged one: the commits say the same.
    ///
    /// # Errors
    /// [`JournalError::Read`].
    pub(crate) fn footer(&self, length: u64) -> Result<Option<Vec<FooterEntry>>, JournalError> {
        let read_error = |error| JournalError::read(&self.path, error);
        let Some(trailer_at) = length.checked_sub(crate::footer::TRAILER_BYTES as u64) else { return Ok(None) };
        let mut trailer = [0; crate::footer::TRAILER_BYTES];
        if read_up_to(&self.file, &mut trailer, trailer_at).map_err(read_error)? < trailer.len() {
            return Ok(None);
        }
        let Some(footer_at) = crate::footer::parse_trailer(&trailer).filter(|at| *at < trailer_at) else {
            return Ok(None);
        };
        let mut bytes = vec![0; (length - footer_at) as usize];
        let got = read_up_to(&self.file, &mut bytes, footer_at).map_err(read_error)?;
        let header = RecordHeader::parse(&bytes[..got]);
        let valid = header.filter(|header| {
            let is_ours = header.segment == self.id && self.salt.is_none_or(|salt| salt == header.salt);
            header.kind == RecordKind::Footer && is_ours && header.holds(&bytes[..got])
        });
        Ok(valid.and_then(|header| crate::footer::decode(&header, &bytes)))
    }

    pub(crate) fn file_length(&self) -> Result<u64, JournalError> {
        Ok(self.file.metadata().map_err(|error| JournalError::read(&self.path, error))?.len())
    }

    fn read_at(&self, offset: u64, bytes: usize) -> Result<Buffer, JournalError> {
        let mut buffer = MutableBuffer::from_len_zeroed(bytes);
        let got = read_up_to(&self.file, buffer.as_slice_mut(), offset);
        buffer.truncate(got.map_err(|error| JournalError::read(&self.path, error))?);
        Ok(buffer.into())
    }
}

/// A commit, its parts not decoded yet.
#[derive(Debug, Clone)]
pub struct Commit {
    header: RecordHeader,
    offset: u64,
    parts: Vec<EncodedPart>,
    /// The whole record.
    bytes: Buffer,
}

impl Commit {
    /// Its number in the segment.
    pub fn number(&self) -> u64 {
        self.header.number
    }

    /// Where it begins in the segment.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Where it ends in the segment: read on from here.
    pub fn end(&self) -> u64 {
        self.offset + self.header.length
    }

    /// When it was made, Unix nanoseconds.
    pub fn arrival_unix_nano(&self) -> i64 {
        self.header.arrival
    }

    /// Its parts: rows by tenant and table.
    pub fn parts(&self) -> &[EncodedPart] {
        &self.parts
    }

    /// Rows in all parts.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.rows() as u64).sum()
    }

    /// The receipts of its requests.
    pub fn receipts(&self) -> Vec<Receipt> {
        let mut take = Take::new(self.receipt_bytes());
        (0..self.header.receipts).map_while(|_| Receipt::decode(&mut take)).collect()
    }

    /// The receipts as they lie in the record, padding included.
    pub(crate) fn receipt_bytes(&self) -> &[u8] {
        &self.bytes[RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + self.header.receipt_bytes as usize]
    }

    pub(crate) fn receipt_count(&self) -> u32 {
        self.header.receipts
    }

    pub(crate) fn record(&self) -> &[u8] {
        &self.bytes
    }
}

/// The commits of a segment, in order.
#[derive(Debug)]
pub struct Commits<'a> {
    reader: &'a SegmentReader,
    offset: u64,
    end: End,
    end_at: u64,
    salt: Option<u32>,
    /// Smallest number the next commit may have.
    number_next: u64,
    chunk: Buffer,
    chunk_at: u64,
    damage: Vec<Damage>,
    missing: Option<Damage>,
    torn: bool,
    done: bool,
}

/// What is found at an offset.
enum Found {
    Commit(Commit),
    Footer,
    /// The end of the file, or of what counts of it.
    End,
    /// Not a byte has been written there.
    Nothing,
    /// Something that is no valid record; if its header is valid, where the next one begins.
    Invalid(Option<u64>),
}

impl Commits<'_> {
    /// Where the next reading goes on: behind the last commit given.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What was skipped so far; complete once the iterator has ended.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Whether an abandoned segment ends with a torn commit.
    pub(crate) fn is_torn(&self) -> bool {
        self.torn
    }

    /// The salt of the records, if anything told it.
    pub(crate) fn salt(&self) -> Option<u32> {
        self.salt
    }

    fn next_commit(&mut self) -> Result<Option<Commit>, JournalError> {
        while !self.done {
            match self.look(self.offset)? {
                Found::Commit(commit) => {
                    self.offset = commit.end();
                    self.number_next = commit.number() + 1;
                    self.salt = Some(commit.header.salt);
                    return Ok(Some(commit));
                }
                Found::Footer | Found::End => self.done = true,
                // Behind a header block that is gone, commits may follow nothing.
                Found::Nothing if self.end == End::Live && self.salt.is_some() => self.done = true,
                Found::Nothing => self.skip(None, false)?,
                Found::Invalid(next) => self.skip(next, true)?,
            }
        }
        if let Some(missing) = self.missing.take() {
            self.damage.push(missing);
        }
        Ok(None)
    }

    /// Goes on behind what is invalid at the offset, if anything valid follows. `next` is where the record that begins
    /// here says it ends.
    fn skip(&mut self, next: Option<u64>, is_something: bool) -> Result<(), JournalError> {
        let begins = match next {
            Some(next) if self.is_record(next)? => Some(next),
            // Somebody is writing this commit at the moment: its header is complete, what follows is not.
            Some(_) if self.end == End::Live => None,
            // Never look inside of a record whose header is valid: what lies there is what clients sent.
            Some(next) => self.scan(next)?,
            None => self.scan(self.offset + ALIGNMENT as u64)?,
        };
        if let Some(next) = begins {
            // A live segment may have grown between the two looks.
            self.chunk = Buffer::from(MutableBuffer::new(0));
            if !self.is_record(self.offset)? {
                self.damage.push(Damage { segment: self.reader.id, start: self.offset, end: next });
                self.offset = next;
            }
            return Ok(());
        }
        self.done = true;
        match self.end {
            End::Live => {}
            End::Abandoned => self.torn = is_something,
            End::Sealed(_) => {
                let (start, end) = (self.offset, self.end_at);
                self.damage.push(Damage { segment: self.reader.id, start, end });
            }
        }
        Ok(())
    }

    fn is_record(&mut self, offset: u64) -> Result<bool, JournalError> {
        Ok(matches!(self.look(offset)?, Found::Commit(_) | Found::Footer))
    }

    /// The next place at or behind `from` where a valid record begins.
    fn scan(&mut self, from: u64) -> Result<Option<u64>, JournalError> {
        let mut at = from;
        while at + RECORD_HEADER_BYTES as u64 <= self.end_at {
            let bytes = READ_BYTES.min((self.end_at - at) as usize);
            let chunk = self.reader.read_at(at, bytes)?;
            for (place, word) in chunk.chunks_exact(ALIGNMENT).enumerate() {
                if word.starts_with(&RECORD_MAGIC) {
                    let candidate = at + (place * ALIGNMENT) as u64;
                    if self.is_record(candidate)? {
                        return Ok(Some(candidate));
                    }
                }
            }
            if chunk.len() < bytes {
                break;
            }
            at += (bytes - bytes % ALIGNMENT) as u64;
        }
        Ok(None)
    }

    fn look(&mut self, offset: u64) -> Result<Found, JournalError> {
        let Some(front) = self.view(offset, RECORD_HEADER_BYTES as u64)? else {
            // Less than a header is left: nothing at all at the exact end, else the rest of something.
            return Ok(if offset >= self.end_at { Found::End } else { Found::Invalid(None) });
        };
        let Some(header) = RecordHeader::parse(&front) else {
            let is_empty = front.iter().all(|byte| *byte == 0);
            return Ok(if is_empty { Found::Nothing } else { Found::Invalid(None) });
        };
        let is_ours = header.segment == self.reader.id && self.salt.is_none_or(|salt| salt == header.salt);
        if !is_ours || header.number < self.number_next {
            return Ok(Found::Invalid(None));
        }
        let next = offset.checked_add(header.length);
        let Some(bytes) = self.view(offset, header.length)? else { return Ok(Found::Invalid(next)) };
        if !header.holds(&bytes) {
            return Ok(Found::Invalid(next));
        }
        if header.kind == RecordKind::Footer {
            return Ok(Found::Footer);
        }
        let parts = self.parts(&header, &bytes);
        Ok(parts.map_or(Found::Invalid(next), |parts| Found::Commit(Commit { header, offset, parts, bytes })))
    }

    fn parts(&self, header: &RecordHeader, bytes: &Buffer) -> Option<Vec<EncodedPart>> {
        let mut at = RECORD_HEADER_BYTES + header.receipt_bytes as usize;
        let mut parts = Vec::new();
        for _ in 0..header.parts {
            if at > bytes.len() {
                return None;
            }
            let (part, length) = EncodedPart::parse(&bytes.slice(at), &self.reader.schemas)?;
            at += length;
            parts.push(part);
        }
        Some(parts)
    }

    /// These bytes of the segment, if it has them all.
    fn view(&mut self, offset: u64, bytes: u64) -> Result<Option<Buffer>, JournalError> {
        if offset.checked_add(bytes).is_none_or(|end| end > self.end_at) {
            return Ok(None);
        }
        let bytes = bytes as usize;
        let inside = offset.checked_sub(self.chunk_at).filter(|from| from + bytes as u64 <= self.chunk.len() as u64);
        let from = match inside {
            Some(from) => from as usize,
            None => {
                let rest = (self.end_at - offset) as usize;
                self.chunk = self.reader.read_at(offset, READ_BYTES.max(bytes).min(rest))?;
                self.chunk_at = offset;
                0
            }
        };
        let is_there = from + bytes <= self.chunk.len();
        Ok(is_there.then(|| self.chunk.slice_with_length(from, bytes)))
    }
}

impl Iterator for Commits<'_> {
    type Item = Result<Commit, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_commit().transpose();
        if matches!(next, Some(Err(_))) {
            self.done = true;
        }
        next
    }
}
