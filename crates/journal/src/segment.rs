//! Segment files: their name, their header block, and how one is made.
//!
//! A segment is: header block · commits · footer (once sealed). The header block, little endian: magic 8 · checksum of
//! all that follows in the block u32 · format u16 · schemas u16 · bytes of the block u32 · zero u32 · segment u64 ·
//! created i64 · copy of segment u64 ·
//! salt of the records u32 · zero u32 · schemas, each: table u8 · zero u8 · version u16 · bytes u32 · the Arrow IPC
//! schema message, padded to eight. Zeros up to a multiple of 4096.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::root_as_message;
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
use model::{SegmentId, Table};

use crate::error::JournalError;
use crate::wire::{Take, pad, padded, patch};

/// Newest segment format this build reads, and the one it writes.
pub const SEGMENT_FORMAT: u16 = 1;

const SEGMENT_MAGIC: [u8; 8] = *b"SPYHSEG1";
const BLOCK_BYTES: usize = 4096;
const CHECKSUM_AT: usize = 8;
/// A header block longer than this is damage: all schemas together take some 30 KB.
const HEADER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Where a segment's file lies.
pub fn segment_path(folder: &Path, id: SegmentId) -> PathBuf {
    folder.join(format!("{id}.journal"))
}

/// The segment whose file has this path.
pub fn segment_id(path: &Path) -> Option<SegmentId> {
    path.file_name()?.to_str()?.strip_suffix(".journal")?.parse().ok()
}

/// Schemas of a segment: what its parts are decoded with.
#[derive(Debug)]
pub(crate) struct Schemas {
    /// By table and version.
    full: HashMap<(Table, u16), SchemaRef>,
    /// Columns of parts seen so far. Parts of one client have the same ones.
    seen: Mutex<HashMap<PartColumns, Arc<Columns>>>,
}

/// Table, schema version and bitmap of a part.
type PartColumns = (Table, u16, Vec<u8>);

/// Which columns a part has.
#[derive(Debug)]
pub(crate) struct Columns {
    pub(crate) schema: SchemaRef,
    /// Ids of the dictionary columns, in order.
    pub(crate) dictionary_ids: Vec<i64>,
    /// Schema of a dictionary's values.
    pub(crate) dictionary_values: SchemaRef,
}

/// Sets of columns remembered; beyond it all are forgotten.
const SEEN_MAX: usize = 256;

impl Schemas {
    fn new(full: HashMap<(Table, u16), SchemaRef>) -> Schemas {
        Schemas { full, seen: Mutex::default() }
    }

    /// The schemas of this build. Segments that hold the same ones share them, and what was seen of them.
    fn own() -> Arc<Schemas> {
        static OWN: LazyLock<Arc<Schemas>> = LazyLock::new(|| {
            let full = read_schemas(Take::new(own_schemas()), Table::ALL.len());
            Arc::new(Schemas::new(full.unwrap_or_default()))
        });
        Arc::clone(&OWN)
    }

    /// The columns of a part that has these.
    pub(crate) fn columns(&self, table: Table, version: u16, bitmap: &[u8]) -> Result<Arc<Columns>, ArrowError> {
        let key = (table, version, bitmap.to_vec());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(columns) = seen.get(&key) {
            return Ok(Arc::clone(columns));
        }
        let full = self.full.get(&(table, version));
        let full = full.ok_or_else(|| ArrowError::SchemaError(format!("no schema of {table} version {version}")))?;
        let present: Vec<usize> = (0..bitmap.len() * 8).filter(|at| bitmap[at / 8] & (1 << (at % 8)) != 0).collect();
        let schema = Arc::new(full.project(&present)?);
        // Ids number the dictionary columns of the whole schema. None of them lies inside a list or struct.
        let mut id_next = 0;
        let mut dictionary_ids = Vec::new();
        for (at, field) in full.fields().iter().enumerate() {
            if matches!(field.data_type(), DataType::Dictionary(..)) {
                if present.binary_search(&at).is_ok() {
                    dictionary_ids.push(id_next);
                }
                id_next += 1;
            }
        }
        let columns = Arc::new(Columns { schema, dictionary_ids, dictionary_values: dictionary_values() });
        if seen.len() >= SEEN_MAX {
            seen.clear();
        }
        seen.insert(key, Arc::clone(&columns));
        Ok(columns)
    }
}

/// Dictionaries hold text only.
fn dictionary_values() -> SchemaRef {
    static VALUES: LazyLock<SchemaRef> =
        LazyLock::new(|| Arc::new(Schema::new(vec![Field::new("", DataType::Utf8, true)])));
    Arc::clone(&VALUES)
}

/// A header block, read.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) segment: SegmentId,
    pub(crate) created: i64,
    /// The segment whose commits were copied into this one after its fsync failed (I12).
    pub(crate) copy_of: Option<SegmentId>,
    /// Salt of the records; unknown where the block is damaged.
    pub(crate) salt: Option<u32>,
    /// Bytes of the block: where the first commit begins.
    pub(crate) length: usize,
    pub(crate) schemas: Arc<Schemas>,
}

/// Why a header block cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Newer(u16),
    Damaged,
}

/// Where the schemas begin in a header block.
const SCHEMAS_AT: usize = 56;

/// The schemas of this build as header blocks hold them.
fn own_schemas() -> &'static [u8] {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut out = Vec::new();
        for table in Table::ALL {
            // A tracker of its own, so that ids number the dictionary columns of each table from 0.
            let message = IpcDataGenerator::default()
                .schema_to_bytes_with_dictionary_tracker(
                    &schema::schema(table),
                    &mut DictionaryTracker::new(false),
                    &IpcWriteOptions::default(),
                )
                .ipc_message;
            out.extend_from_slice(&[table.number(), 0]);
            out.extend_from_slice(&schema::SCHEMA_VERSION.to_le_bytes());
            out.extend_from_slice(&(message.len() as u32).to_le_bytes());
            out.extend_from_slice(&message);
            pad(&mut out);
        }
        out
    });
    &BYTES
}

fn read_schemas(mut take: Take<'_>, count: usize) -> Option<HashMap<(Table, u16), SchemaRef>> {
    let mut full = HashMap::new();
    for _ in 0..count {
        let table = take.u8()?;
        take.u8()?;
        let version = take.u16()?;
        let message_bytes = take.u32()? as usize;
        // What stands before the message is eight bytes long, so padding the message pads the entry.
        let message = take.bytes(padded(message_bytes))?.get(..message_bytes)?;
        let schema = fb_to_schema(root_as_message(message).ok()?.header_as_schema()?);
        full.insert((Table::from_number(table)?, version), Arc::new(schema));
    }
    Some(full)
}

/// The header block of a segment this build makes.
fn own_header(id: SegmentId, created: i64, copy_of: Option<SegmentId>, salt: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 * BLOCK_BYTES);
    out.extend_from_slice(&SEGMENT_MAGIC);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&SEGMENT_FORMAT.to_le_bytes());
    out.extend_from_slice(&(Table::ALL.len() as u16).to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&id.0.to_le_bytes());
    out.extend_from_slice(&created.to_le_bytes());
    out.extend_from_slice(&copy_of.map_or(0, |id| id.0).to_le_bytes());
    out.extend_from_slice(&salt.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(own_schemas());
    out.resize(out.len().next_multiple_of(BLOCK_BYTES), 0);
    let length = out.len() as u32;
    patch(&mut out, 16, &length.to_le_bytes());
    let checksum = crc32c::crc32c(&out[CHECKSUM_AT + 4..]);
    patch(&mut out, CHECKSUM_AT, &checksum.to_le_bytes());
    out
}

impl Header {
    /// Reads the header block at the front of these bytes.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Header, HeaderError> {
        Header::parse_block(bytes)?.ok_or(HeaderError::Damaged)
    }

    fn parse_block(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
        let Some((format, length, checksum)) = header_frame(bytes) else { return Ok(None) };
        let Some(block) = bytes.get(..length) else { return Ok(None) };
        if crc32c::crc32c(&block[CHECKSUM_AT + 4..]) != checksum {
            return Ok(None);
        }
        if format > SEGMENT_FORMAT {
            return Err(HeaderError::Newer(format));
        }
        let mut take = Take::new(&block[24..]);
        let mut read = || -> Option<Header> {
            let (segment, created, copy_of) = (SegmentId(take.u64()?), take.i64()?, take.u64()?);
            let copy_of = (copy_of != 0).then_some(SegmentId(copy_of));
            let salt = Some(take.u32()?);
            take.u32()?;
            let count = usize::from(u16::from_le_bytes(block.get(14..16)?.try_into().ok()?));
            let is_own = count == Table::ALL.len() && block[SCHEMAS_AT..].starts_with(own_schemas());
            let schemas = match is_own {
                true => Schemas::own(),
                false => Arc::new(Schemas::new(read_schemas(take, count)?)),
            };
            Some(Header { segment, created, copy_of, salt, length, schemas })
        };
        Ok(read())
    }
}

/// Format, length and checksum that a header block claims.
fn header_frame(bytes: &[u8]) -> Option<(u16, usize, u32)> {
    let mut take = Take::new(bytes);
    if take.bytes(8)? != SEGMENT_MAGIC {
        return None;
    }
    let (checksum, format, _schemas, length) = (take.u32()?, take.u16()?, take.u16()?, take.u32()? as usize);
    let valid = (BLOCK_BYTES..=HEADER_BYTES_MAX).contains(&length) && length.is_multiple_of(BLOCK_BYTES);
    valid.then_some((format, length, checksum))
}

/// Reads a segment's header block. Where it is damaged, the schemas are this build's and commits are looked for from
/// the start: they say themselves which segment they belong to.
pub(crate) fn read_header(path: &Path, file: &File, id: SegmentId) -> Result<Header, JournalError> {
    let read_error = |error| JournalError::read(path, error);
    let mut first = vec![0; BLOCK_BYTES];
    let got = read_up_to(file, &mut first, 0).map_err(read_error)?;
    first.truncate(got);
    let length = header_frame(&first).map_or(0, |(_, length, _)| length);
    let mut block = vec![0; length];
    let got = read_up_to(file, &mut block, 0).map_err(read_error)?;
    block.truncate(got);
    match Header::parse(&block) {
        Ok(header) if header.segment == id => Ok(header),
        Err(HeaderError::Newer(found)) => {
            Err(JournalError::NewerFormat { path: path.into(), found, known: SEGMENT_FORMAT })
        }
        Ok(_) | Err(HeaderError::Damaged) => {
            let schemas = Schemas::own();
            Ok(Header { segment: id, created: 0, copy_of: None, salt: None, length: 0, schemas })
        }
    }
}

/// Reads until the buffer is full or the file ends; gives how much.
pub(crate) fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read_at(&mut buffer[got..], offset + got as u64) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

/// A segment file open for appending.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    pub(crate) id: SegmentId,
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    /// What its records are salted with.
    pub(crate) salt: u32,
    /// Where the first commit goes.
    pub(crate) start: u64,
    /// Bytes that are preallocated.
    pub(crate) allocated: u64,
}

impl SegmentFile {
    /// Makes the file, preallocated and durable, folder included. What an error leaves behind is removed.
    pub(crate) fn create(
        folder: &Path,
        id: SegmentId,
        created: i64,
        copy_of: Option<SegmentId>,
        bytes: u64,
    ) -> Result<SegmentFile, JournalError> {
        let path = segment_path(folder, id);
        let make = || -> io::Result<SegmentFile> {
            let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
            let salt = random();
            let header = own_header(id, created, copy_of, salt);
            let allocated = bytes.max(header.len() as u64);
            allocate(&file, 0, allocated)?;
            file.write_all_at(&header, 0)?;
            file.sync_all()?;
            store::sync_folder(folder).map_err(io::Error::other)?;
            Ok(SegmentFile { id, path: path.clone(), file, salt, start: header.len() as u64, allocated })
        };
        make().map_err(|error| {
            // Numbers are never used twice, so nothing else has this name.
            let _ = std::fs::remove_file(&path);
            JournalError::write(&path, error)
        })
    }

    /// Opens a segment whose owner is gone.
    pub(crate) fn open(path: &Path, id: SegmentId, salt: u32, start: u64) -> Result<SegmentFile, JournalError> {
        let open = || -> io::Result<(File, u64)> {
            let file = OpenOptions::new().read(true).write(true).open(path)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let (file, allocated) = open().map_err(|error| JournalError::read(path, error))?;
        Ok(SegmentFile { id, path: path.into(), file, salt, start, allocated })
    }

    /// Preallocates up to `end`, so that the write to come cannot run out of space.
    pub(crate) fn reserve(&mut self, end: u64) -> io::Result<()> {
        if end > self.allocated {
            allocate(&self.file, self.allocated, end - self.allocated)?;
            self.allocated = end;
        }
        Ok(())
    }
}

/// A number nobody outside can know: the standard library seeds its hash maps with it.
fn random() -> u32 {
    RandomState::new().build_hasher().finish() as u32
}

/// Reserves disk space; where the file system cannot, the file is only made long enough.
fn allocate(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), offset, bytes) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
            let length = file.metadata()?.len();
            file.set_len(length.max(offset + bytes))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_and_damage_is_seen() {
        let block = own_header(SegmentId(5), 99, Some(SegmentId(3)), 7);
        let header = Header::parse(&block).expect("valid");
        assert_eq!((header.segment, header.created, header.copy_of), (SegmentId(5), 99, Some(SegmentId(3))));
        assert_eq!((header.length, header.salt), (block.len(), Some(7)));
        for table in Table::ALL {
            let read = &header.schemas.full[&(table, schema::SCHEMA_VERSION)];
            assert_eq!(**read, *schema::schema(table), "{table}");
        }
        for bit in (0..block.len() * 8).step_by(37) {
            let mut flipped = block.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::parse(&flipped).is_err(), "bit {bit}");
        }
        for cut in (0..block.len()).step_by(101) {
            assert!(Header::parse(&block[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let mut block = own_header(SegmentId(5), 99, None, 7);
        patch(&mut block, 12, &(SEGMENT_FORMAT + 1).to_le_bytes());
        let checksum = crc32c::crc32c(&block[CHECKSUM_AT + 4..]);
        patch(&mut block, CHECKSUM_AT, &checksum.to_le_bytes());
        assert_eq!(Header::parse(&block).err(), Some(HeaderError::Newer(SEGMENT_FORMAT + 1)));
    }

    #[test]
    fn names_and_numbers() {
        let path = segment_path(Path::new("/data/journal"), SegmentId(255));
        assert_eq!(path, Path::new("/data/journal/00000000000000ff.journal"));
        assert_eq!(segment_id(&path), Some(SegmentId(255)));
        assert_eq!(segment_id(Path::new("/x/y.parquet")), None);
    }
}
