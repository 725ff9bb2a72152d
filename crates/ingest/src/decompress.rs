//! Content codings of request bodies, inflated with a bound.
//!
//! Bombs cost no more than the bound: output is taken in steps and the inflating stops one byte beyond it; a length
//! that the input declares is checked before a byte is allocated for it.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::export::ExportError;

/// What a framed snappy stream begins with.
const SNAPPY_FRAMED: &[u8] = b"\xff\x06\x00\x00sNaPpY";

/// Largest window a zstd frame may ask for: 8 MiB, which RFC 8878 wants every decoder to have. It is allocated before
/// any output, so it counts against bombs too.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Memory that output first takes; it grows with what comes.
const OUTPUT_BYTES_FIRST: usize = 64 * 1024;

/// Inflates a body: `gzip` (also of several members), `zstd`, `deflate` (zlib or raw), `snappy` (block or framed),
/// `identity`. Names are matched without case.
///
/// # Errors
/// [`ExportError::TooLarge`] where more than `bytes_max` would come out, [`ExportError::Invalid`] for an unknown coding
/// and for input that is not what the coding says or ends early.
pub fn decompress(coding: &str, input: &[u8], bytes_max: usize) -> Result<Vec<u8>, ExportError> {
    match coding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" if input.len() > bytes_max => Err(too_large(bytes_max)),
        "" | "identity" => Ok(input.to_vec()),
        "gzip" | "x-gzip" => inflate("gzip", MultiGzDecoder::new(input), input.len(), bytes_max),
        "deflate" if is_zlib(input) => inflate("deflate", ZlibDecoder::new(input), input.len(), bytes_max),
        "deflate" => inflate("deflate", DeflateDecoder::new(input), input.len(), bytes_max),
        "zstd" => inflate_zstd(input, bytes_max),
        "snappy" if input.starts_with(SNAPPY_FRAMED) => {
            inflate("snappy", snap::read::FrameDecoder::new(input), input.len(), bytes_max)
        }
        "snappy" => inflate_snappy_block(input, bytes_max),
        other => {
            let name: String = other.chars().filter(|c| c.is_ascii_graphic()).take(40).collect();
            Err(ExportError::Invalid { message: format!("content coding '{name}' is not understood") })
        }
    }
}

fn too_large(bytes_max: usize) -> ExportError {
    ExportError::TooLarge { message: format!("the request is over the limit of {bytes_max} bytes when inflated") }
}

fn invalid(coding: &str) -> ExportError {
    ExportError::Invalid { message: format!("the body is no valid {coding} stream, or ends early") }
}

/// Whether deflated input has zlib's header: its method and window fit, and it is a multiple of 31.
fn is_zlib(input: &[u8]) -> bool {
    let Some(&[first, second]) = input.first_chunk::<2>() else { return false };
    first & 0x0f == 8 && first >> 4 <= 7 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

fn inflate(coding: &str, decoder: impl Read, input_bytes: usize, bytes_max: usize) -> Result<Vec<u8>, ExportError> {
    // An empty body is no stream of any coding, though some decoders take it for the end of one.
    if input_bytes == 0 {
        return Err(invalid(coding));
    }
    let mut output = Vec::with_capacity(input_bytes.saturating_mul(4).clamp(0, OUTPUT_BYTES_FIRST).min(bytes_max));
    // One byte more than allowed tells "exactly the limit" from "more".
    let mut bounded = decoder.take(bytes_max as u64 + 1);
    match bounded.read_to_end(&mut output) {
        Ok(_) if output.len() > bytes_max => Err(too_large(bytes_max)),
        Ok(_) => Ok(output),
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => Err(too_large(bytes_max)),
        Err(_) => Err(invalid(coding)),
    }
}

fn inflate_zstd(input: &[u8], bytes_max: usize) -> Result<Vec<u8>, ExportError> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(|_| invalid("zstd"))?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|_| invalid("zstd"))?;
    inflate("zstd", decoder, input.len(), bytes_max)
}

fn inflate_snappy_block(input: &[u8], bytes_max: usize) -> Result<Vec<u8>, ExportError> {
    if input.is_empty() {
        return Err(invalid("snappy"));
    }
    let declared = snap::raw::decompress_len(input).map_err(|error| match error {
        snap::Error::TooBig { .. } => too_large(bytes_max),
        _ => invalid("snappy"),
    })?;
    if declared > bytes_max {
        return Err(too_large(bytes_max));
    }
    // Two bytes of input make at most 64 of output, so a declared length far beyond that is a lie not worth memory.
    if declared > input.len().saturating_mul(64) {
        return Err(invalid("snappy"));
    }
    snap::raw::Decoder::new().decompress_vec(input).map_err(|_| invalid("snappy"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn deflated(raw: bool, bytes: &[u8]) -> Vec<u8> {
        let level = flate2::Compression::fast();
        match raw {
            true => {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
                encoder.write_all(bytes).expect("deflates");
                encoder.finish().expect("deflates")
            }
            false => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(bytes).expect("deflates");
                encoder.finish().expect("deflates")
            }
        }
    }

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("zips");
        encoder.finish().expect("zips")
    }

    fn snappy_framed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = snap::write::FrameEncoder::new(Vec::new());
        encoder.write_all(bytes).expect("compresses");
        encoder.into_inner().expect("compresses")
    }

    fn snappy_block(bytes: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(bytes).expect("compresses")
    }

    fn zstd_frame(bytes: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(bytes, 3).expect("compresses")
    }

    type Coding = (&'static str, fn(&[u8]) -> Vec<u8>);

    const CODINGS: [Coding; 8] = [
        ("identity", |bytes| bytes.to_vec()),
        ("gzip", gzipped),
        ("X-Gzip", gzipped),
        ("zstd", zstd_frame),
        ("deflate", |bytes| deflated(false, bytes)),
        (" Deflate ", |bytes| deflated(true, bytes)),
        ("snappy", snappy_framed),
        ("snappy", snappy_block),
    ];

    fn is_too_large(result: &Result<Vec<u8>, ExportError>) -> bool {
        matches!(result, Err(ExportError::TooLarge { .. }))
    }

    fn is_invalid(result: &Result<Vec<u8>, ExportError>) -> bool {
        matches!(result, Err(ExportError::Invalid { .. }))
    }

    #[test]
    fn every_coding_comes_back_up_to_exactly_the_limit() {
        for (coding, encode) in CODINGS {
            for length in [1, 10, 1000, 200_000] {
                let bytes: Vec<u8> = (0..length as u32).map(|at| (at % 251) as u8).collect();
                let encoded = encode(&bytes);
                assert_eq!(decompress(coding, &encoded, length).as_deref(), Ok(&bytes[..]), "{coding} {length}");
                assert!(is_too_large(&decompress(coding, &encoded, length - 1)), "{coding} {length}");
            }
            let nothing = encode(b"");
            // Framed snappy of nothing is no bytes at all, which is no stream.
            if nothing.is_empty() && coding != "identity" {
                continue;
            }
            assert_eq!(decompress(coding, &nothing, 0).as_deref(), Ok(&[][..]), "{coding}");
        }
    }

    #[test]
    fn several_members_and_frames_are_one_body() {
        let two = |encode: fn(&[u8]) -> Vec<u8>| [encode(b"one "), encode(b"two")].concat();
        assert_eq!(decompress("gzip", &two(gzipped), 100).as_deref(), Ok(&b"one two"[..]));
        assert_eq!(decompress("zstd", &two(zstd_frame), 100).as_deref(), Ok(&b"one two"[..]));
    }

    #[test]
    fn a_stream_cut_short_or_of_another_coding_is_invalid() {
        let bytes: Vec<u8> = (0..5000_u32).map(|at| (at * at % 253) as u8).collect();
        for (coding, encode) in CODINGS.into_iter().skip(1) {
            let encoded = encode(&bytes);
            assert!(is_invalid(&decompress(coding, &encoded[..encoded.len() - 9], 10_000)), "{coding} cut");
            assert!(is_invalid(&decompress(coding, b"", 10_000)), "{coding} empty");
            let plain = decompress(coding, b"{\"resourceLogs\":[]}", 10_000);
            assert!(is_invalid(&plain) || is_too_large(&plain), "{coding} of plain text: {plain:?}");
        }
        assert!(is_invalid(&decompress("br", b"x", 10)));
        assert!(is_invalid(&decompress("gzip, gzip", b"x", 10)));
    }

    #[test]
    fn bombs_are_refused_for_the_price_of_the_limit() {
        let zeros = vec![0; 64 * 1024 * 1024];
        let limit = 1024 * 1024;
        for (coding, encode) in CODINGS.into_iter().skip(1) {
            let bomb = encode(&zeros);
            let began = std::time::Instant::now();
            assert!(is_too_large(&decompress(coding, &bomb, limit)), "{coding}");
            assert!(began.elapsed().as_millis() < 500, "{coding} took {:?}", began.elapsed());
        }
    }

    #[test]
    fn lengths_that_lie_allocate_nothing() {
        // Varint of 4 GiB - 1, then of 32 MiB, then nothing.
        let check = |bytes: &[u8], limit: usize| decompress("snappy", bytes, limit);
        assert!(is_too_large(&check(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0], 64 << 20)));
        assert!(is_invalid(&check(&[0x80, 0x80, 0x80, 0x10, 0, 0], 64 << 20)));
        // A zstd frame that asks for a window of 128 MiB: magic, descriptor, window descriptor (exponent 17).
        let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3, 0x01, 0x00, 0x00];
        assert!(is_invalid(&decompress("zstd", &window, 64 << 20)));
    }
}
