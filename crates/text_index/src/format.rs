//! The bytes of an index, numbers little-endian:
//!
//! magic `STIX`, version `u16`, two zero bytes; blocks `u32`; lengths `u32` of tantivy's `.term`, `.idx` and
//! `.pos` and of the blooms; then by column, for every block: rows `u32`, smallest and greatest time `i64`,
//! bytes of its bloom `u32`, flags `u8`; the three tantivy files; the blooms; xxh3-64 of everything before.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::error::TextIndexError;

const MAGIC: [u8; 4] = *b"STIX";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 28;
const CHECKSUM_BYTES: usize = 8;
const BLOCK_BYTES: usize = 4 + 8 + 8 + 4 + 1;

/// The block holds id-like tokens.
pub(crate) const FLAG_IDS: u8 = 1;
/// The block holds tokens too long for the dictionary.
pub(crate) const FLAG_LONG: u8 = 2;

/// What is known of a block beside its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockInfo {
    pub(crate) rows: u32,
    pub(crate) min_time: i64,
    pub(crate) max_time: i64,
    pub(crate) bloom_bytes: u32,
    pub(crate) flags: u8,
}

/// The files of a tantivy segment that are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SegmentFiles<T> {
    pub(crate) terms: T,
    pub(crate) postings: T,
    pub(crate) positions: T,
}

/// Packs everything into one.
pub(crate) fn write_index(blocks: &[BlockInfo], files: &SegmentFiles<Vec<u8>>, blooms: &[u8]) -> Vec<u8> {
    let parts = [&files.terms[..], &files.postings, &files.positions, blooms];
    let part_bytes: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(HEADER_BYTES + blocks.len() * BLOCK_BYTES + part_bytes + CHECKSUM_BYTES);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&(blocks.len() as u32).to_le_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(&(part.len() as u32).to_le_bytes()));
    blocks.iter().for_each(|block| out.extend_from_slice(&block.rows.to_le_bytes()));
    blocks.iter().for_each(|block| out.extend_from_slice(&block.min_time.to_le_bytes()));
    blocks.iter().for_each(|block| out.extend_from_slice(&block.max_time.to_le_bytes()));
    blocks.iter().for_each(|block| out.extend_from_slice(&block.bloom_bytes.to_le_bytes()));
    out.extend(blocks.iter().map(|block| block.flags));
    parts.iter().for_each(|part| out.extend_from_slice(part));
    let checksum = xxh3_64(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// Where the parts of an index lie in its bytes.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) blocks: Vec<BlockInfo>,
    pub(crate) files: SegmentFiles<Range<usize>>,
    pub(crate) blooms: Range<usize>,
}

/// Takes index bytes apart, after checking that they are whole.
pub(crate) fn read_index(bytes: &[u8]) -> Result<Parts, TextIndexError> {
    let content_bytes = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or(TextIndexError::Damaged("too short"))?;
    let (content, checksum) = bytes.split_at(content_bytes);
    if content.len() < HEADER_BYTES || !content.starts_with(&MAGIC) {
        return Err(TextIndexError::Damaged("no text index"));
    }
    if checksum != xxh3_64(content).to_le_bytes() {
        return Err(TextIndexError::Damaged("wrong checksum"));
    }
    let version = u16::from_le_bytes([content[4], content[5]]);
    if version != VERSION {
        return Err(TextIndexError::NewerFormat(version));
    }
    // The checksum was right, so what follows fails only on a defect of the writer.
    read_parts(content).ok_or(TextIndexError::Damaged("lengths do not fit"))
}

fn read_parts(content: &[u8]) -> Option<Parts> {
    let number =
        |at: usize| u32::from_le_bytes([content[at], content[at + 1], content[at + 2], content[at + 3]]) as usize;
    let count = number(8);
    let columns = count.checked_mul(BLOCK_BYTES)?;
    let (columns, _) = content[HEADER_BYTES..].split_at_checked(columns)?;
    let mut at = HEADER_BYTES + columns.len();
    let mut part = |length_at: usize| {
        let range = at..at.checked_add(number(length_at))?;
        at = range.end;
        Some(range)
    };
    let files = SegmentFiles { terms: part(12)?, postings: part(16)?, positions: part(20)? };
    let blooms = part(24)?;
    if blooms.end != content.len() {
        return None;
    }
    let blocks = read_blocks(columns, count);
    let bloom_bytes: usize = blocks.iter().map(|block| block.bloom_bytes as usize).sum();
    (bloom_bytes == blooms.len()).then_some(Parts { blocks, files, blooms })
}

/// Reads the columns of so many blocks; they are as long as that.
fn read_blocks(columns: &[u8], count: usize) -> Vec<BlockInfo> {
    let (rows, rest) = columns.split_at(count * 4);
    let (min_times, rest) = rest.split_at(count * 8);
    let (max_times, rest) = rest.split_at(count * 8);
    let (bloom_bytes, flags) = rest.split_at(count * 4);
    let (rows, bloom_bytes) = (rows.as_chunks::<4>().0, bloom_bytes.as_chunks::<4>().0);
    let (min_times, max_times) = (min_times.as_chunks::<8>().0, max_times.as_chunks::<8>().0);
    let block = |at: usize| BlockInfo {
        rows: u32::from_le_bytes(rows[at]),
        min_time: i64::from_le_bytes(min_times[at]),
        max_time: i64::from_le_bytes(max_times[at]),
        bloom_bytes: u32::from_le_bytes(bloom_bytes[at]),
        flags: flags[at],
    };
    (0..count).map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_where_they_lie() {
        let block =
            |n: u32| BlockInfo { rows: n, min_time: -i64::from(n), max_time: i64::MAX, bloom_bytes: n, flags: n as u8 };
        let blocks: Vec<BlockInfo> = (0..3).map(block).collect();
        let files = SegmentFiles { terms: b"terms".to_vec(), postings: b"postings".to_vec(), positions: Vec::new() };
        let bytes = write_index(&blocks, &files, b"123");
        let parts = read_index(&bytes).expect("opens");
        assert_eq!(parts.blocks, blocks);
        assert_eq!(&bytes[parts.files.terms], b"terms");
        assert_eq!(&bytes[parts.files.postings], b"postings");
        assert_eq!(&bytes[parts.blooms], b"123");
        assert!(matches!(read_index(&write_index(&blocks, &files, b"1")), Err(TextIndexError::Damaged(_))));
        assert!(read_index(&write_index(&[], &SegmentFiles::default(), b"")).is_ok());
    }
}
