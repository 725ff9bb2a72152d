//! The footer of a sealed segment: its receipts once more, so that a start reads the digests without the rows.
//!
//! A record like a commit, its payload for each commit: number u64 · offset u64 · arrival i64 · receipts u32 ·
//! bytes of receipts u32 · the receipts as in the commit. The last sixteen bytes of the segment are the offset of the
//! footer u64 and a magic of its own. A segment without a footer is as good: its commits hold the same.

use model::SegmentId;

use crate::receipt::Receipt;
use crate::record::{RECORD_HEADER_BYTES, RecordHeader, RecordKind};
use crate::wire::Take;

/// Bytes at the very end of a sealed segment.
pub(crate) const TRAILER_BYTES: usize = 16;

const TRAILER_MAGIC: [u8; 8] = *b"SPYHEND1";

/// What a footer says about a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FooterEntry {
    pub(crate) arrival: i64,
    pub(crate) receipts: Vec<Receipt>,
}

/// Collects a footer while commits are appended.
#[derive(Debug)]
pub(crate) struct FooterBuilder {
    /// The record; the header's place is kept free.
    record: Vec<u8>,
    pub(crate) commits: u64,
}

impl Default for FooterBuilder {
    fn default() -> FooterBuilder {
        FooterBuilder { record: vec![0; RECORD_HEADER_BYTES], commits: 0 }
    }
}

impl FooterBuilder {
    /// Adds a commit; `receipt_bytes` are its receipts as they lie in it, padded.
    pub(crate) fn add(&mut self, number: u64, offset: u64, arrival: i64, receipts: u32, receipt_bytes: &[u8]) {
        self.record.extend_from_slice(&number.to_le_bytes());
        self.record.extend_from_slice(&offset.to_le_bytes());
        self.record.extend_from_slice(&arrival.to_le_bytes());
        self.record.extend_from_slice(&receipts.to_le_bytes());
        self.record.extend_from_slice(&(receipt_bytes.len() as u32).to_le_bytes());
        self.record.extend_from_slice(receipt_bytes);
        self.commits += 1;
    }

    /// The whole footer, to be written at `offset`.
    pub(crate) fn finish(&self, segment: SegmentId, salt: u32, offset: u64, number: u64, now: i64) -> Vec<u8> {
        let mut record = self.record.clone();
        record.extend_from_slice(&offset.to_le_bytes());
        record.extend_from_slice(&TRAILER_MAGIC);
        let header = RecordHeader {
            kind: RecordKind::Footer,
            salt,
            segment,
            number,
            arrival: now,
            length: 0,
            receipts: 0,
            receipt_bytes: 0,
            parts: 0,
            payload_checksum: 0,
        };
        header.seal(&mut record);
        record
    }
}

/// Where the footer begins, if these are the last bytes of a segment that has one.
pub(crate) fn parse_trailer(trailer: &[u8; TRAILER_BYTES]) -> Option<u64> {
    let mut take = Take::new(trailer);
    let offset = take.u64()?;
    (take.bytes(8)? == TRAILER_MAGIC).then_some(offset)
}

/// What a footer says, its checksums verified.
pub(crate) fn decode(header: &RecordHeader, record: &[u8]) -> Option<Vec<FooterEntry>> {
    let payload = record.get(RECORD_HEADER_BYTES..(header.length as usize).checked_sub(TRAILER_BYTES)?)?;
    let mut take = Take::new(payload);
    let mut entries = Vec::new();
    while take.left() > 0 {
        let (_number, _offset, arrival) = (take.u64()?, take.u64()?, take.i64()?);
        let (count, bytes) = (take.u32()?, take.u32()? as usize);
        let mut inner = Take::new(take.bytes(bytes)?);
        let receipts = (0..count).map(|_| Receipt::decode(&mut inner)).collect::<Option<Vec<_>>>()?;
        entries.push(FooterEntry { arrival, receipts });
    }
    Some(entries)
}
