//! Content codings: what is inflated stays within its bound, and what was deflated comes back.

use ingest::{ExportError, decompress};
use testkit::{coding, gzip};

use crate::{Seed, Target, seed, selected};

/// The selector chooses a coding, and whether the rest is inflated as it is or deflated first.
pub const TARGET: Target = Target { name: "codings", check, memory_bytes_max, seeds };

/// Most bytes that may come out.
const BYTES_MAX: usize = 1 << 20;

/// Output grows by doubling, so at one moment there are two buffers of it; beside them a zstd window of 8 MiB with its
/// tables. Deflating first, which some selectors do, takes the compressors' own tables.
fn memory_bytes_max(input_bytes: usize) -> usize {
    3 * BYTES_MAX + (24 << 20) + 16 * input_bytes
}

type Deflate = fn(&[u8]) -> Vec<u8>;

const CODINGS: [(&str, Deflate); 6] = [
    ("gzip", gzip),
    ("zstd", coding::zstd),
    ("deflate", coding::zlib),
    ("deflate", coding::deflate),
    ("snappy", coding::snappy_block),
    ("snappy", coding::snappy_framed),
];

fn check(input: &[u8]) {
    let Some((selector, body)) = selected(input) else { return };
    let (name, deflate) = CODINGS[selector % CODINGS.len()];
    if selector / CODINGS.len() % 2 == 1 {
        check_round_trip(name, deflate, body);
        return;
    }
    match decompress(name, body, BYTES_MAX) {
        Ok(output) => {
            assert!(output.len() <= BYTES_MAX, "{} bytes came out", output.len());
            // The bound is exact: with room for what comes out it comes out, with a byte less it does not.
            assert_eq!(decompress(name, body, output.len()).as_deref(), Ok(&output[..]));
            if let Some(less) = output.len().checked_sub(1) {
                assert!(is_too_large(&decompress(name, body, less)), "{name} within less than it takes");
            }
        }
        Err(ExportError::TooLarge { .. } | ExportError::Invalid { .. }) => {}
        Err(other) => panic!("inflating asks to send again: {other}"),
    }
}

fn check_round_trip(name: &str, deflate: Deflate, body: &[u8]) {
    let deflated = deflate(body);
    // Framed snappy of nothing is nothing, which is no stream.
    if deflated.is_empty() {
        return;
    }
    assert_eq!(decompress(name, &deflated, body.len()).as_deref(), Ok(body), "{name}");
}

fn is_too_large(result: &Result<Vec<u8>, ExportError>) -> bool {
    matches!(result, Err(ExportError::TooLarge { .. }))
}

fn seeds() -> Vec<Seed> {
    let text = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}"#;
    let mut seeds = Vec::new();
    for (selector, (name, deflate)) in CODINGS.iter().enumerate() {
        let named = |what: &str| format!("{name}-{selector}-{what}");
        let whole = deflate(&text.repeat(3));
        seeds.push(seed(named("text"), selector, &whole));
        seeds.push(seed(named("cut"), selector, &whole[..whole.len() - 4]));
        seeds.push(seed(named("two"), selector, &[deflate(b"one "), deflate(b"two")].concat()));
        seeds.push(seed(named("zeros"), selector, &deflate(&[0; 100_000])));
        seeds.push(seed(named("nothing"), selector, &deflate(b"")));
        seeds.push(seed(named("back"), selector + CODINGS.len(), text));
    }
    seeds.push(seed("gzip-bomb", 0, &coding::gzip_zeros(3 << 20)));
    seeds.push(seed("zstd-bomb", 1, &coding::zstd_zeros(3 << 20)));
    seeds.push(seed("zstd-window", 1, &[0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3, 0x01, 0x00, 0x00]));
    seeds.push(seed("snappy-4-gib", 4, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]));
    seeds.push(seed("snappy-32-mib", 4, &[0x80, 0x80, 0x80, 0x10, 0, 0]));
    seeds
}
