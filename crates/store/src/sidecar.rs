//! The envelope of sidecars written here, and reading them: anything that is not exactly what was written
//! reads as absent.
//!
//! An envelope is a magic of four bytes, a version (`u16`), two zero bytes, the body, and the xxh3-64 of
//! everything before it; numbers are little-endian.

use std::path::Path;

use model::{FileId, Partition};
use xxhash_rust::xxh3::xxh3_64;

use crate::bloom::TraceBloom;
use crate::layout::{Layout, Sidecar};

const HEADER_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 8;

/// Begins an envelope; the body is appended to it.
pub(crate) fn begin(magic: [u8; 4], version: u16) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes
}

/// Ends an envelope with its checksum.
pub(crate) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The body, if magic, version and checksum are right.
pub(crate) fn body(bytes: &[u8], magic: [u8; 4], version: u16) -> Option<&[u8]> {
    let content_bytes = bytes.len().checked_sub(CHECKSUM_BYTES).filter(|content| *content >= HEADER_BYTES)?;
    let (content, checksum) = bytes.split_at(content_bytes);
    let is_whole = checksum == xxh3_64(content).to_le_bytes();
    (is_whole && content.starts_with(&begin(magic, version))).then(|| &content[HEADER_BYTES..])
}

/// The bytes of a sidecar; `None` when it is missing or cannot be read (its format checks what it holds).
pub fn read_sidecar(layout: &Layout, partition: &Partition, file: FileId, sidecar: Sidecar) -> Option<Vec<u8>> {
    read(&layout.sidecar_path(partition, file, sidecar))
}

fn read(path: &Path) -> Option<Vec<u8>> {
    // An unreadable sidecar is as good as none: the answer comes from the Parquet file.
    std::fs::read(path).ok()
}

/// The trace bloom of a file; `None` when it is missing or damaged.
pub fn read_trace_bloom(layout: &Layout, partition: &Partition, file: FileId) -> Option<TraceBloom> {
    TraceBloom::from_bytes(&read_sidecar(layout, partition, file, Sidecar::TraceBloom)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_opens() {
        let mut bytes = begin(*b"TEST", 3);
        bytes.extend_from_slice(b"body");
        let bytes = seal(bytes);
        assert_eq!(body(&bytes, *b"TEST", 3), Some(&b"body"[..]));
        assert_eq!(body(&bytes, *b"TEST", 4), None);
        assert_eq!(body(&bytes, *b"NOPE", 3), None);
        assert_eq!(body(&[], *b"TEST", 3), None);
        for length in 0..bytes.len() {
            assert_eq!(body(&bytes[..length], *b"TEST", 3), None, "cut to {length}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert_eq!(body(&damaged, *b"TEST", 3), None, "flipped at {at}");
        }
    }
}
