//! No input panics: random bytes, cut and changed requests, in either encoding.

use std::time::{Duration, Instant};

use fastrand::Rng;
use model::Signal;
use otlp::{DecodeLimits, Encoding, TenantBuffer};
use prost::Message;

use testkit::{loose_json as json, random_otlp as generate};

use super::ARRIVAL;

const TIME: Duration = Duration::from_secs(2);

fn damaged(rng: &mut Rng, mut body: Vec<u8>) -> Vec<u8> {
    for _ in 0..rng.usize(..4) {
        if body.is_empty() {
            break;
        }
        let at = rng.usize(..body.len());
        match rng.u8(..5) {
            0 => body.truncate(at),
            1 => body[at] = rng.u8(..),
            2 => body.insert(at, rng.u8(..)),
            3 => drop(body.remove(at)),
            _ => body[at] ^= 1 << rng.u8(..8),
        }
    }
    body
}

#[test]
fn no_input_panics() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let mut buffer = TenantBuffer::new(DecodeLimits::default());
    let start = Instant::now();
    let mut rounds = 0;
    while start.elapsed() < TIME {
        let signal = Signal::ALL[rng.usize(..3)];
        let encoding = if rng.bool() { Encoding::Protobuf } else { Encoding::Json };
        let whole = match (signal, encoding) {
            _ if rng.u8(..10) == 0 => (0..rng.usize(..200)).map(|_| rng.u8(..)).collect(),
            (Signal::Traces, Encoding::Protobuf) => generate::traces(&mut rng).encode_to_vec(),
            (Signal::Logs, Encoding::Protobuf) => generate::logs(&mut rng).encode_to_vec(),
            (Signal::Metrics, Encoding::Protobuf) => generate::metrics(&mut rng).encode_to_vec(),
            (Signal::Traces, Encoding::Json) => {
                let data = generate::traces(&mut rng);
                json::traces(&mut rng, &data).into_bytes()
            }
            (Signal::Logs, Encoding::Json) => {
                let data = generate::logs(&mut rng);
                json::logs(&mut rng, &data).into_bytes()
            }
            (Signal::Metrics, Encoding::Json) => {
                let data = generate::metrics(&mut rng);
                json::metrics(&mut rng, &data).into_bytes()
            }
        };
        for _ in 0..8 {
            let body = damaged(&mut rng, whole.clone());
            let rows = buffer.rows();
            match buffer.append(signal, encoding, &body, ARRIVAL) {
                Ok(appended) => {
                    let rejected: u32 = appended.rejected.iter().map(|(_, count)| count).sum();
                    assert_eq!(appended.received, appended.stored + rejected);
                    assert_eq!(rows + appended.rows.iter().map(|(_, rows)| rows.len()).sum::<usize>(), buffer.rows());
                }
                Err(_) => assert_eq!(buffer.rows(), rows),
            }
            rounds += 1;
        }
        if rng.u8(..4) == 0 {
            buffer.freeze().expect("what was appended fits");
        }
    }
    buffer.freeze().expect("what was appended fits");
    println!("{rounds} bodies");
}
