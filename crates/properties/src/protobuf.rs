//! The protobuf walker, all signals.

use fastrand::Rng;
use otlp::Encoding;
use testkit::{Message, random_otlp};

use crate::decode::{self, SELECTORS, chosen};
use crate::{Seed, Target, seed, selected};

/// The selector chooses the signal and the limits; the rest is the request.
pub const TARGET: Target = Target { name: "protobuf", check, memory_bytes_max: decode::memory_bytes_max, seeds };

fn check(input: &[u8]) {
    let Some((selector, body)) = selected(input) else { return };
    let (signal, limits) = chosen(selector);
    decode::check(signal, limits, Encoding::Protobuf, body);
}

/// Bytes that the reference calls out: the smallest requests, invalid UTF-8, ids of wrong lengths, removed fields,
/// numbers packed and not, varints and lengths that lie, groups, nothing many times over.
pub(crate) const PROBES: &[(&str, usize, &[u8])] = &[
    ("smallest-log", 1, b"\x0a\x09\x12\x07\x12\x05\x2a\x03\x0a\x01x"),
    ("log-no-utf8", 1, b"\x0a\x09\x12\x07\x12\x05\x2a\x03\x0a\x01\xff"),
    (
        "smallest-span",
        0,
        b"\x0a\x23\x12\x21\x12\x1f\x0a\x10\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\
          \x12\x08\x01\x02\x03\x04\x05\x06\x07\x08\x2a\x01a",
    ),
    ("span-short-trace-id", 0, b"\x0a\x0f\x12\x0d\x12\x0b\x0a\x03\x01\x02\x03\x12\x01\x02\x2a\x01a"),
    ("removed-field", 0, b"\x0a\x05\xc2\x3e\x02\x0a\x00"),
    (
        "packed-buckets",
        2,
        b"\x0a\x27\x12\x25\x12\x23\x0a\x01h\x4a\x1e\x0a\x1a\x19\x01\0\0\0\0\0\0\0\x21\x2a\0\0\0\0\0\0\0\
          \x32\x08\x2a\0\0\0\0\0\0\0\x10\x02",
    ),
    (
        "unpacked-buckets",
        2,
        b"\x0a\x26\x12\x24\x12\x22\x0a\x01h\x4a\x1d\x0a\x19\x19\x01\0\0\0\0\0\0\0\x21\x2a\0\0\0\0\0\0\0\
          \x31\x2a\0\0\0\0\0\0\0\x10\x02",
    ),
    ("undecodable", 1, b"\x0a\x05\x12\x03\x12\x01\xff"),
    ("cut-varint", 1, b"\x0a\x80"),
    ("long-varint", 1, b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
    ("lying-length", 1, b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    ("groups", 1, b"\x0b\x13\x18\x01\x14\x22\x01\x09\x0c\x0a\x00"),
    ("group-flood", 1, &[0x0b; 300]),
    ("empty-resources", 1, &[0x0a, 0, 0x0a, 0, 0x0a, 0, 0x0a, 0, 0x0a, 0, 0x0a, 0, 0x0a, 0, 0x0a, 0]),
];

fn seeds() -> Vec<Seed> {
    let mut seeds: Vec<Seed> = PROBES.iter().map(|(name, selector, body)| seed(*name, *selector, body)).collect();
    seeds.push(seed("flood", 1, &[&[0x0a, 0xca, 1, 0x12, 0xc7, 1][..], &[0x12, 0].repeat(99)].concat()));
    seeds.push(seed("deep", 1, &deep(140)));
    for selector in 0..SELECTORS {
        for round in 0..2 {
            let mut rng = Rng::with_seed((selector * 100 + round) as u64);
            let body = match selector % 3 {
                0 => random_otlp::traces(&mut rng).encode_to_vec(),
                1 => random_otlp::logs(&mut rng).encode_to_vec(),
                _ => random_otlp::metrics(&mut rng).encode_to_vec(),
            };
            seeds.push(seed(format!("random-{selector}-{round}"), selector, &body[..body.len().min(4_000)]));
        }
    }
    seeds
}

/// A log record whose body is arrays in one another.
fn deep(levels: usize) -> Vec<u8> {
    let field = |tag: u8, content: &[u8]| {
        let length = content.len();
        assert!(length < 1 << 14, "two bytes of length");
        [&[tag, length as u8 | 0x80, (length >> 7) as u8][..], content].concat()
    };
    let mut value = b"\x0a\x01x".to_vec();
    for _ in 0..levels {
        value = field(0x2a, &field(0x0a, &value));
    }
    field(0x0a, &field(0x12, &field(0x12, &field(0x2a, &value))))
}
