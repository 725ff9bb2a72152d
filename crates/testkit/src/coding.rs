//! Content codings as clients and attackers make them.

use std::io::{Read, Write, repeat};

use flate2::Compression;

/// Why a vector is written to without looking: it takes every byte.
const TAKES_ALL: &str = "a vector takes every byte";

/// zstd.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).expect(TAKES_ALL)
}

/// What HTTP calls `deflate`: zlib's format.
pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect(TAKES_ALL);
    encoder.finish().expect(TAKES_ALL)
}

/// What some clients call `deflate`: no header, no checksum.
pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect(TAKES_ALL);
    encoder.finish().expect(TAKES_ALL)
}

/// snappy, one block.
pub fn snappy_block(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).expect("snappy takes what fits in memory")
}

/// snappy, framed.
pub fn snappy_framed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).expect(TAKES_ALL);
    encoder.into_inner().expect(TAKES_ALL)
}

/// gzip of so many zeros, made without holding them.
pub fn gzip_zeros(zeros: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::best());
    std::io::copy(&mut repeat(0).take(zeros as u64), &mut encoder).expect(TAKES_ALL);
    encoder.finish().expect(TAKES_ALL)
}

/// zstd of so many zeros, made without holding them.
pub fn zstd_zeros(zeros: usize) -> Vec<u8> {
    zstd::stream::encode_all(repeat(0).take(zeros as u64), 3).expect(TAKES_ALL)
}
