//! The census: counted without decoding, it finds at least the records that decoding finds.

use ingest::Census;
use otlp::{DecodeLimits, Encoding, TenantBuffer};
use testkit::random_otlp::ARRIVAL;

use crate::decode::{self, chosen};
use crate::{Seed, Target, json, protobuf, selected};

/// The selector chooses the signal and the encoding; the rest is the request.
pub const TARGET: Target = Target { name: "census", check, memory_bytes_max: decode::memory_bytes_max, seeds };

fn check(input: &[u8]) {
    let Some((selector, body)) = selected(input) else { return };
    let (signal, _) = chosen(selector);
    let encoding = if (selector / 3).is_multiple_of(2) { Encoding::Protobuf } else { Encoding::Json };
    let census = Census::of(signal, encoding, body);
    assert!(census.services().all(|(name, records)| !name.is_empty() && records > 0), "{census:?}");
    assert_eq!(census.records(), census.services().map(|(_, records)| records).sum::<u64>());
    let mut buffer = TenantBuffer::new(DecodeLimits::default());
    if let Ok(appended) = buffer.append(signal, encoding, body, ARRIVAL) {
        assert!(!census.is_guess(), "guessed, yet {appended:?}");
        assert!(census.records() >= u64::from(appended.received), "{census:?} of {appended:?}");
    }
}

/// Those of the two encodings; their selectors mean the same but for the encoding.
fn seeds() -> Vec<Seed> {
    let chosen = |target: &Target, shift: u8| {
        let prefix = target.name;
        let mut seeds = (target.seeds)();
        seeds.retain(|(name, input)| input[0] < 3 && !name.starts_with("record-"));
        seeds.iter_mut().for_each(|(name, input)| {
            *name = format!("{prefix}-{name}");
            input[0] += shift;
        });
        seeds
    };
    [chosen(&protobuf::TARGET, 0), chosen(&json::TARGET, 3)].concat()
}
