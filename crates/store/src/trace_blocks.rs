//! A compact map from trace ids to the row blocks they lie in.
//!
//! Ids are cut to a hash of `hash_bits`, enough that a collision is rare and rare enough to be cheap: ids
//! that collide share their blocks, so a look-up can name a block too many, never one too few.
//!
//! Bytes: rows of a block `u32`, ids `u32`, hash bits `u8`, then for each id in hash order, as LEB128: the
//! difference to the hash before; then `block << 1` for a single block, or `count << 1 | 1`, the first block
//! and the differences between blocks.

/// Ids between two entry points of a look-up.
const STRIDE: usize = 64;

/// Spare bits of a hash beyond those that number the ids: one look-up in 128 meets a collision.
const SPARE_BITS: u32 = 7;

/// The map, encoded as it is on disk, with entry points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TraceBlocks {
    block_rows: u32,
    ids: u32,
    hash_bits: u8,
    encoded: Vec<u8>,
    /// Hash before, and offset of, every [`STRIDE`]th id.
    entries: Vec<(u64, u32)>,
}

impl TraceBlocks {
    /// Builds the map from (hash, block) pairs, sorted and distinct, of so many ids.
    pub(crate) fn build(pairs: &[(u64, u32)], ids: usize, block_rows: usize) -> TraceBlocks {
        let id_bits = usize::BITS - ids.leading_zeros();
        let hash_bits = (id_bits + SPARE_BITS).min(64);
        let mut encoded = Vec::new();
        let mut count = 0;
        let mut before = 0;
        let mut blocks: Vec<u32> = Vec::new();
        for same in pairs.chunk_by(|a, b| cut(a.0, hash_bits) == cut(b.0, hash_bits)) {
            blocks.clear();
            blocks.extend(same.iter().map(|pair| pair.1));
            // Sorted within one id already, but two ids may share the hash.
            blocks.sort_unstable();
            blocks.dedup();
            let hash = cut(same[0].0, hash_bits);
            write_number(&mut encoded, hash - before);
            write_blocks(&mut encoded, &blocks);
            before = hash;
            count += 1;
        }
        let map = TraceBlocks {
            block_rows: block_rows as u32,
            ids: count,
            hash_bits: hash_bits as u8,
            encoded,
            entries: Vec::new(),
        };
        // What was just written parses; the entry points come from the same walk as when it is read.
        let entries = map.walk().unwrap_or_default();
        TraceBlocks { entries, ..map }
    }

    /// Appends the map's bytes.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.block_rows.to_le_bytes());
        out.extend_from_slice(&self.ids.to_le_bytes());
        out.push(self.hash_bits);
        out.extend_from_slice(&self.encoded);
    }

    /// Reads the map; `None` when the bytes are not one.
    pub(crate) fn read(bytes: &[u8]) -> Option<TraceBlocks> {
        let (block_rows, bytes) = bytes.split_first_chunk::<4>()?;
        let (ids, bytes) = bytes.split_first_chunk::<4>()?;
        let (hash_bits, encoded) = bytes.split_first()?;
        let map = TraceBlocks {
            block_rows: u32::from_le_bytes(*block_rows),
            ids: u32::from_le_bytes(*ids),
            hash_bits: *hash_bits,
            encoded: encoded.to_vec(),
            entries: Vec::new(),
        };
        let is_sane = map.block_rows > 0 && (1..=64).contains(&map.hash_bits);
        let entries = is_sane.then(|| map.walk())??;
        Some(TraceBlocks { entries, ..map })
    }

    /// Reads everything once: the entry points, or `None` when the bytes do not parse to the end.
    fn walk(&self) -> Option<Vec<(u64, u32)>> {
        let mut entries = Vec::new();
        let mut rest = &self.encoded[..];
        let mut hash = 0_u64;
        for id in 0..self.ids as usize {
            if id.is_multiple_of(STRIDE) {
                entries.push((hash, (self.encoded.len() - rest.len()) as u32));
            }
            hash = hash.checked_add(read_number(&mut rest)?)?;
            read_blocks(&mut rest, |_| {})?;
        }
        rest.is_empty().then_some(entries)
    }

    /// The blocks of the id with this (whole) hash, ascending.
    pub(crate) fn of(&self, hash: u64) -> Vec<u32> {
        let wanted = cut(hash, u32::from(self.hash_bits));
        // The last entry point whose preceding hash is below the wanted one.
        let at = self.entries.partition_point(|(before, _)| *before < wanted).saturating_sub(1);
        let Some((before, offset)) = self.entries.get(at) else { return Vec::new() };
        let mut blocks = Vec::new();
        let mut rest = &self.encoded[*offset as usize..];
        let mut current = *before;
        while !rest.is_empty() {
            let Some(step) = read_number(&mut rest) else { break };
            current += step;
            if current > wanted {
                break;
            }
            let is_wanted = current == wanted;
            let read = read_blocks(&mut rest, |block| {
                if is_wanted {
                    blocks.push(block);
                }
            });
            if read.is_none() || is_wanted {
                break;
            }
        }
        blocks
    }

    /// Rows of a block.
    pub(crate) fn block_rows(&self) -> usize {
        self.block_rows as usize
    }

    /// Bytes on the heap.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.encoded.capacity() + self.entries.capacity() * size_of::<(u64, u32)>()
    }
}

/// The upper bits of a hash: cutting keeps the order.
fn cut(hash: u64, bits: u32) -> u64 {
    hash >> (64 - bits)
}

fn write_blocks(out: &mut Vec<u8>, blocks: &[u32]) {
    if let [block] = blocks {
        return write_number(out, u64::from(*block) << 1);
    }
    write_number(out, (blocks.len() as u64) << 1 | 1);
    let mut before = 0;
    for block in blocks {
        write_number(out, u64::from(block - before));
        before = *block;
    }
}

fn read_blocks(bytes: &mut &[u8], mut each: impl FnMut(u32)) -> Option<()> {
    let head = read_number(bytes)?;
    if head & 1 == 0 {
        each(u32::try_from(head >> 1).ok()?);
        return Some(());
    }
    let mut block = 0_u32;
    for _ in 0..head >> 1 {
        block = block.checked_add(u32::try_from(read_number(bytes)?).ok()?)?;
        each(block);
    }
    Some(())
}

fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_found() {
        let mut random = fastrand::Rng::with_seed(4);
        for ids in [0_usize, 1, 2, 63, 64, 65, 1000, 5000] {
            let mut pairs: Vec<(u64, u32)> = Vec::new();
            for _ in 0..ids {
                let hash = random.u64(..);
                pairs.extend((0..random.u32(1..6)).map(|_| (hash, random.u32(..512))));
            }
            pairs.sort_unstable();
            pairs.dedup();
            let mut bytes = Vec::new();
            TraceBlocks::build(&pairs, ids, 256).write(&mut bytes);
            let map = TraceBlocks::read(&bytes).expect("round trip");
            assert!(pairs.iter().all(|(hash, block)| map.of(*hash).contains(block)), "{ids} ids");
            let wrong = (0..1000).filter(|_| !map.of(random.u64(..)).is_empty()).count();
            assert!(wrong < 40, "{wrong} of 1000 absent ids found among {ids}");
        }
    }

    #[test]
    fn hashes_at_the_ends_are_found() {
        let pairs = [(0, 1), (0, 7), (1 << 40, 2), (u64::MAX, 3)];
        let map = TraceBlocks::build(&pairs, 3, 256);
        assert_eq!(map.of(u64::MAX), [3]);
        assert!(map.of(0).starts_with(&[1]) && map.of(0).ends_with(&[7]));
    }

    #[test]
    fn what_does_not_parse_is_refused() {
        let check = |bytes: &[u8]| assert_eq!(TraceBlocks::read(bytes), None, "{bytes:?}");
        check(&[]);
        check(&[0, 1, 0, 0, 1, 0, 0, 0, 8]);
        check(&[0, 1, 0, 0, 0, 0, 0, 0, 8, 1]);
        check(&[0, 0, 0, 0, 0, 0, 0, 0, 8]);
        check(&[0, 1, 0, 0, 0, 0, 0, 0, 65]);
        check(&[0, 1, 0, 0, 1, 0, 0, 0, 8, 1, 0xff]);
    }
}
