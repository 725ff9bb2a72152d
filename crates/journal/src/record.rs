//! The record header: what every commit and every footer begins with.
//!
//! 64 bytes, little endian: magic 4 · salt of the segment u32 · checksum of bytes 12..64 u32 · checksum of the payload u32 · kind u16 ·
//! zero u16 · receipts u32 · segment u64 · number u64 · arrival i64 · length of the record u64 ·
//! bytes of receipts u32 · parts u32. Checksums are CRC-32C; the header's covers the payload's, so together they cover
//! all of the record, while a damaged payload still tells where the next record begins.
//!
//! The salt is random and never leaves the machine, so that no client can send bytes that would pass for a record
//! when a reader looks for the next one behind a damaged one.

use model::SegmentId;

use crate::wire::{ALIGNMENT, Take, patch};

/// Bytes of a record header.
pub(crate) const RECORD_HEADER_BYTES: usize = 64;

/// What every record begins with, before its salt.
pub(crate) const RECORD_MAGIC: [u8; 4] = *b"SPYR";

const SALT_AT: usize = 4;
const HEADER_CHECKSUM_AT: usize = 8;
const PAYLOAD_CHECKSUM_AT: usize = 12;
const SEGMENT_AT: usize = 24;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordKind {
    Commit,
    Footer,
}

/// A record header, its checksum already verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) kind: RecordKind,
    /// The segment's salt.
    pub(crate) salt: u32,
    pub(crate) segment: SegmentId,
    /// Position among the segment's commits; of a footer, how many there are.
    pub(crate) number: u64,
    /// When the commit was made, Unix nanoseconds.
    pub(crate) arrival: i64,
    /// Bytes of the whole record, a multiple of eight.
    pub(crate) length: u64,
    pub(crate) receipts: u32,
    /// Bytes of the receipts, which lie first, padded to eight.
    pub(crate) receipt_bytes: u32,
    pub(crate) parts: u32,
    pub(crate) payload_checksum: u32,
}

impl RecordHeader {
    /// Fills in the header at the front of a record whose payload is complete; `payload_checksum` and `length` are
    /// computed here.
    pub(crate) fn seal(mut self, record: &mut [u8]) {
        self.length = record.len() as u64;
        self.payload_checksum = crc32c::crc32c(&record[RECORD_HEADER_BYTES..]);
        let kind: u16 = match self.kind {
            RecordKind::Commit => 1,
            RecordKind::Footer => 2,
        };
        patch(record, 0, &RECORD_MAGIC);
        patch(record, SALT_AT, &self.salt.to_le_bytes());
        patch(record, PAYLOAD_CHECKSUM_AT, &self.payload_checksum.to_le_bytes());
        patch(record, 16, &kind.to_le_bytes());
        patch(record, 18, &[0; 2]);
        patch(record, 20, &self.receipts.to_le_bytes());
        patch(record, SEGMENT_AT, &self.segment.0.to_le_bytes());
        patch(record, 32, &self.number.to_le_bytes());
        patch(record, 40, &self.arrival.to_le_bytes());
        patch(record, 48, &self.length.to_le_bytes());
        patch(record, 56, &self.receipt_bytes.to_le_bytes());
        patch(record, 60, &self.parts.to_le_bytes());
        checksum_header(record);
    }

    /// The header at the front of these bytes, if there is a whole one and its checksum holds.
    pub(crate) fn parse(bytes: &[u8]) -> Option<RecordHeader> {
        let header = bytes.get(..RECORD_HEADER_BYTES)?;
        let mut take = Take::new(header);
        if take.bytes(4)? != RECORD_MAGIC {
            return None;
        }
        let salt = take.u32()?;
        if take.u32()? != crc32c::crc32c(&header[PAYLOAD_CHECKSUM_AT..]) {
            return None;
        }
        let payload_checksum = take.u32()?;
        let kind = match take.u16()? {
            1 => RecordKind::Commit,
            2 => RecordKind::Footer,
            _ => return None,
        };
        take.u16()?;
        let receipts = take.u32()?;
        let segment = SegmentId(take.u64()?);
        let (number, arrival, length) = (take.u64()?, take.i64()?, take.u64()?);
        let (receipt_bytes, parts) = (take.u32()?, take.u32()?);
        let fits = length >= RECORD_HEADER_BYTES as u64 + u64::from(receipt_bytes)
            && length.is_multiple_of(ALIGNMENT as u64)
            && (receipt_bytes as usize).is_multiple_of(ALIGNMENT);
        fits.then_some(RecordHeader {
            kind,
            salt,
            segment,
            number,
            arrival,
            length,
            receipts,
            receipt_bytes,
            parts,
            payload_checksum,
        })
    }

    /// Whether the payload of this record, which begins the bytes, is what was written.
    pub(crate) fn holds(&self, record: &[u8]) -> bool {
        record.len() as u64 == self.length && crc32c::crc32c(&record[RECORD_HEADER_BYTES..]) == self.payload_checksum
    }
}

/// Moves a record to another segment. The payload's checksum stays as it is.
pub(crate) fn renumber(record: &mut [u8], segment: SegmentId, salt: u32) {
    patch(record, SALT_AT, &salt.to_le_bytes());
    patch(record, SEGMENT_AT, &segment.0.to_le_bytes());
    checksum_header(record);
}

fn checksum_header(record: &mut [u8]) {
    let checksum = crc32c::crc32c(&record[PAYLOAD_CHECKSUM_AT..RECORD_HEADER_BYTES]);
    patch(record, HEADER_CHECKSUM_AT, &checksum.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_every_flipped_bit_is_seen() {
        let header = RecordHeader {
            kind: RecordKind::Commit,
            salt: 77,
            segment: SegmentId(7),
            number: 3,
            arrival: -5,
            length: 0,
            receipts: 2,
            receipt_bytes: 8,
            parts: 1,
            payload_checksum: 0,
        };
        let mut record = vec![0; RECORD_HEADER_BYTES];
        record.extend_from_slice(&[9; 16]);
        header.seal(&mut record);
        let read = RecordHeader::parse(&record).expect("valid");
        assert_eq!(RecordHeader { length: 0, payload_checksum: 0, ..read }, header);
        assert!(read.length == 80 && read.holds(&record));
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let valid =
                RecordHeader::parse(&flipped).is_some_and(|header| header.holds(&flipped) && header.salt == read.salt);
            assert!(!valid, "bit {bit}");
        }
        renumber(&mut record, SegmentId(8), 78);
        let moved = RecordHeader::parse(&record).expect("valid");
        assert!(moved.segment == SegmentId(8) && moved.salt == 78 && moved.holds(&record));
    }
}
