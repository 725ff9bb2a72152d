//! One message, written as protobuf and as JSON, stores the same rows.

use fastrand::Rng;
use model::Signal;
use otlp::{DecodeLimits, Encoding, TenantBuffer};
use testkit::proto::logs::v1::LogsData;
use testkit::proto::metrics::v1::MetricsData;
use testkit::proto::trace::v1::TracesData;
use testkit::{Message, loose_json};

use crate::decode::{SELECTORS, left_by};
use crate::{Seed, Target, protobuf, selected};

/// The selector chooses the signal, and what the JSON mapping leaves open; the rest is a message that another decoder
/// of protobuf reads and writes again, so that both encodings come from what it understood.
pub const TARGET: Target = Target { name: "same_rows", check, memory_bytes_max, seeds };

/// As the decoder twice over, and the messages of the other one, whose structs are large beside two bytes of input.
fn memory_bytes_max(input_bytes: usize) -> usize {
    (8 << 20) + 4096 * input_bytes
}

fn check(input: &[u8]) {
    let Some((selector, body)) = selected(input) else { return };
    let mut rng = Rng::with_seed(selector as u64);
    let Some((signal, protobuf, text)) = both(&mut rng, selector % 3, body) else { return };
    if has_odd_nan(&protobuf) {
        return;
    }
    let rows =
        [(Encoding::Protobuf, protobuf.as_slice()), (Encoding::Json, text.as_bytes())].map(|(encoding, body)| {
            let mut buffer = TenantBuffer::new(DecodeLimits::default());
            let left = left_by(&mut buffer, signal, encoding, body);
            left.map(|(appended, batches)| (appended.received, appended.rejected, appended.rows, batches))
        });
    assert!(rows[0] == rows[1], "{text}\n{:?}\n{:?}", rows[0], rows[1]);
}

/// Whether some eight bytes may be a NaN that is not the plain one: protobuf keeps its bits, JSON has but one word for all.
fn has_odd_nan(protobuf: &[u8]) -> bool {
    let mut doubles = protobuf.windows(8).filter_map(|window| Some(f64::from_le_bytes(*window.first_chunk()?)));
    doubles.any(|double| double.is_nan() && double.to_bits() != f64::NAN.to_bits())
}

/// The message in both encodings; nothing where it is none.
fn both(rng: &mut Rng, selector: usize, body: &[u8]) -> Option<(Signal, Vec<u8>, String)> {
    match selector {
        0 => {
            let data = TracesData::decode(body).ok()?;
            Some((Signal::Traces, data.encode_to_vec(), loose_json::traces(rng, &data)))
        }
        1 => {
            let data = LogsData::decode(body).ok()?;
            Some((Signal::Logs, data.encode_to_vec(), loose_json::logs(rng, &data)))
        }
        _ => {
            let data = MetricsData::decode(body).ok()?;
            Some((Signal::Metrics, data.encode_to_vec(), loose_json::metrics(rng, &data)))
        }
    }
}

/// The random ones of the protobuf target, which another decoder can read.
fn seeds() -> Vec<Seed> {
    let mut seeds = (protobuf::TARGET.seeds)();
    seeds.retain(|(name, input)| name.starts_with("random-") || name.contains("smallest") || input.len() < 16);
    seeds.iter_mut().for_each(|(_, input)| input[0] %= SELECTORS as u8);
    seeds
}
