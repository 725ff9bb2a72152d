//! `.blm`: which trace ids a file holds, and for tables not sorted by trace id, in which row blocks.
//!
//! A split-block bloom with 16 bits for each distinct id: an id sets eight bits within one block of 256, so a
//! test touches one cache line; about one absent id in two thousand is taken for present. Beside it
//! [`TraceBlocks`] maps ids to row blocks. Body: rows `u64`, bloom blocks `u32`, the bloom, then the map if
//! there is one.

use model::TraceId;
use xxhash_rust::xxh3::xxh3_64;

use crate::sidecar;
use crate::trace_blocks::TraceBlocks;

const MAGIC: [u8; 4] = *b"SBLM";
const VERSION: u16 = 1;
const BITS_PER_ID: usize = 16;
const BLOCK_BITS: usize = 256;
const BLOCK_BYTES: usize = BLOCK_BITS / 8;

/// Odd constants that spread one hash over the eight words of a block (those of Parquet's own bloom filter).
const SALTS: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// Gathers the trace ids of a file, row by row in the file's order.
#[derive(Debug)]
pub struct TraceBloomBuilder {
    /// Rows of a block, where a map to blocks is wanted.
    block_rows: Option<usize>,
    rows: usize,
    last: Option<([u8; 16], u32)>,
    /// Hash and block of each id, runs of equal ones once.
    entries: Vec<(u64, u32)>,
}

impl TraceBloomBuilder {
    /// For a table sorted by trace id (spans): no map to row blocks.
    pub fn sorted_by_trace() -> TraceBloomBuilder {
        TraceBloomBuilder { block_rows: None, rows: 0, last: None, entries: Vec::new() }
    }

    /// For a table in another order (logs, exemplars): with a map to blocks of so many rows.
    pub fn with_blocks(block_rows: usize) -> TraceBloomBuilder {
        TraceBloomBuilder { block_rows: Some(block_rows.max(1)), ..TraceBloomBuilder::sorted_by_trace() }
    }

    /// The next row's trace id; `None`, or bytes that are no trace id, for a row without one.
    pub fn push(&mut self, id: Option<&[u8]>) {
        let block = self.block_rows.map_or(0, |rows| self.rows / rows) as u32;
        self.rows += 1;
        let Some(id) = id.and_then(TraceId::from_bytes) else { return };
        if self.last != Some((id.0, block)) {
            self.last = Some((id.0, block));
            self.entries.push((hash_of(&id), block));
        }
    }

    /// The next rows, from a column of trace ids.
    pub fn push_column(&mut self, ids: &arrow::array::FixedSizeBinaryArray) {
        ids.iter().for_each(|id| self.push(id));
    }

    /// The next rows, none of which has a trace id.
    pub fn push_absent(&mut self, rows: usize) {
        self.rows += rows;
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The bloom, with its map where one was wanted.
    pub fn finish(mut self) -> TraceBloom {
        self.entries.sort_unstable();
        self.entries.dedup();
        let ids = self.entries.chunk_by(|a, b| a.0 == b.0).count();
        let mut words = vec![[0_u32; 8]; (ids * BITS_PER_ID).div_ceil(BLOCK_BITS).max(1)];
        for (hash, _) in &self.entries {
            let block = block_of(*hash, words.len());
            for (word, bit) in words[block].iter_mut().zip(bits_of(*hash)) {
                *word |= bit;
            }
        }
        let blocks = self.block_rows.map(|rows| TraceBlocks::build(&self.entries, ids, rows));
        TraceBloom { rows: self.rows as u64, words, blocks }
    }
}

fn hash_of(id: &TraceId) -> u64 {
    xxh3_64(&id.0)
}

fn block_of(hash: u64, blocks: usize) -> usize {
    (((hash >> 32) * blocks as u64) >> 32) as usize
}

fn bits_of(hash: u64) -> [u32; 8] {
    SALTS.map(|salt| 1 << ((hash as u32).wrapping_mul(salt) >> 27))
}

/// The trace ids of one file: exact in saying no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceBloom {
    rows: u64,
    words: Vec<[u32; 8]>,
    blocks: Option<TraceBlocks>,
}

impl TraceBloom {
    /// Whether the file may hold this trace; `false` is certain.
    pub fn contains(&self, id: &TraceId) -> bool {
        let hash = hash_of(id);
        let block = &self.words[block_of(hash, self.words.len())];
        block.iter().zip(bits_of(hash)).all(|(word, bit)| word & bit != 0)
    }

    /// The row blocks that may hold this trace, ascending: every block that does is among them, and the list
    /// is empty where none can. `None` when this bloom has no map, so that any block may.
    pub fn blocks_of(&self, id: &TraceId) -> Option<Vec<u32>> {
        let blocks = self.blocks.as_ref()?;
        Some(if self.contains(id) { blocks.of(hash_of(id)) } else { Vec::new() })
    }

    /// The same as ranges of rows, clipped to the file.
    pub fn rows_of(&self, id: &TraceId) -> Option<Vec<std::ops::Range<usize>>> {
        let block_rows = self.blocks.as_ref()?.block_rows();
        let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
        for block in self.blocks_of(id)? {
            let start = block as usize * block_rows;
            let end = (start + block_rows).min(self.rows as usize);
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ if start < end => ranges.push(start..end),
                _ => {}
            }
        }
        Some(ranges)
    }

    /// Rows of the file it was made from.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes in memory.
    pub fn memory_bytes(&self) -> usize {
        size_of::<TraceBloom>()
            + self.words.len() * BLOCK_BYTES
            + self.blocks.as_ref().map_or(0, TraceBlocks::memory_bytes)
    }

    /// The content of a `.blm` file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = sidecar::begin(MAGIC, VERSION);
        bytes.extend_from_slice(&self.rows.to_le_bytes());
        bytes.extend_from_slice(&(self.words.len() as u32).to_le_bytes());
        bytes.extend(self.words.as_flattened().iter().flat_map(|word| word.to_le_bytes()));
        if let Some(blocks) = &self.blocks {
            blocks.write(&mut bytes);
        }
        sidecar::seal(bytes)
    }

    /// Reads the content of a `.blm` file; `None` for anything else, a damaged one above all.
    pub fn from_bytes(bytes: &[u8]) -> Option<TraceBloom> {
        let body = sidecar::body(bytes, MAGIC, VERSION)?;
        let (rows, body) = body.split_first_chunk::<8>()?;
        let (count, body) = body.split_first_chunk::<4>()?;
        let count = u32::from_le_bytes(*count) as usize;
        let (bloom, map) = body.split_at_checked(count.checked_mul(BLOCK_BYTES)?)?;
        let words: Vec<[u32; 8]> = bloom.as_chunks::<BLOCK_BYTES>().0.iter().map(words_of).collect();
        let blocks = match map {
            [] => None,
            map => Some(TraceBlocks::read(map)?),
        };
        (!words.is_empty()).then_some(TraceBloom { rows: u64::from_le_bytes(*rows), words, blocks })
    }
}

fn words_of(block: &[u8; BLOCK_BYTES]) -> [u32; 8] {
    let mut words = [0; 8];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn random_id(random: &mut fastrand::Rng) -> TraceId {
        TraceId(std::array::from_fn(|_| random.u8(..)))
    }

    /// Rows over a pool of trace ids, some without one, and the bloom over them.
    fn sample(random: &mut fastrand::Rng, rows: usize, ids: usize, map: bool) -> (Vec<Option<TraceId>>, TraceBloom) {
        let pool: Vec<TraceId> = (0..ids).map(|_| random_id(random)).collect();
        let pick = |random: &mut fastrand::Rng| (random.u8(..10) > 0).then(|| pool[random.usize(..ids)]);
        let rows: Vec<Option<TraceId>> = (0..rows).map(|_| pick(random)).collect();
        let mut builder = match map {
            true => TraceBloomBuilder::with_blocks(256),
            false => TraceBloomBuilder::sorted_by_trace(),
        };
        rows.iter().for_each(|id| builder.push(id.as_ref().map(|id| &id.0[..])));
        (rows, builder.finish())
    }

    #[test]
    fn every_id_is_found_in_every_block_it_lies_in() {
        let mut random = fastrand::Rng::with_seed(1);
        for (row_count, id_count) in [(0, 1), (1, 1), (1000, 1), (5000, 700), (20_000, 20_000)] {
            let (rows, bloom) = sample(&mut random, row_count, id_count, true);
            let bloom = TraceBloom::from_bytes(&bloom.to_bytes()).expect("round trip");
            let mut expected: BTreeMap<TraceId, BTreeSet<u32>> = BTreeMap::new();
            for (row, id) in rows.iter().enumerate() {
                if let Some(id) = id {
                    expected.entry(*id).or_default().insert((row / 256) as u32);
                }
            }
            let mut surplus = 0;
            for (id, blocks) in &expected {
                assert!(bloom.contains(id));
                let found: BTreeSet<u32> = bloom.blocks_of(id).expect("a map").into_iter().collect();
                assert!(found.is_superset(blocks));
                surplus += found.len() - blocks.len();
                let ranges = bloom.rows_of(id).expect("a map");
                assert!(ranges.iter().all(|range| range.end <= row_count && !range.is_empty()));
                let in_ranges = |row: usize| ranges.iter().any(|range| range.contains(&row));
                assert!(rows.iter().enumerate().all(|(row, at)| at.as_ref() != Some(id) || in_ranges(row)));
            }
            assert!(surplus <= 1 + row_count / 50, "{surplus} blocks too many for {row_count} rows");
        }
    }

    #[test]
    fn absent_ids_are_rarely_taken_for_present() {
        let mut random = fastrand::Rng::with_seed(2);
        let (_, bloom) = sample(&mut random, 50_000, 10_000, false);
        let wrong = (0..100_000).filter(|_| bloom.contains(&random_id(&mut random))).count();
        assert!(wrong < 150, "{wrong} of 100000");
        assert_eq!(bloom.blocks_of(&random_id(&mut random)), None);
        assert!(bloom.to_bytes().len() < 10_000 * 2 + 64);
    }

    #[test]
    fn a_damaged_sidecar_reads_as_absent() {
        let mut random = fastrand::Rng::with_seed(3);
        let (_, bloom) = sample(&mut random, 300, 20, true);
        let bytes = bloom.to_bytes();
        let check = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let mut damaged = bytes.clone();
            change(&mut damaged);
            assert_eq!(TraceBloom::from_bytes(&damaged), None, "{name}");
        };
        check("empty", &|bytes| bytes.clear());
        check("cut in half", &|bytes| bytes.truncate(bytes.len() / 2));
        check("one byte short", &|bytes| bytes.truncate(bytes.len() - 1));
        check("one byte more", &|bytes| bytes.push(0));
        check("zeroed", &|bytes| bytes.fill(0));
        check("other magic", &|bytes| bytes[0] = b'X');
        check("newer version", &|bytes| bytes[4] = 9);
        for at in 0..bytes.len() {
            check("a flipped bit", &|bytes| bytes[at] ^= 1);
        }
    }
}
