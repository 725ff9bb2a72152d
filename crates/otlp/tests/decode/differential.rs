//! The same message gives the same rows in either encoding, whatever JSON leaves open.

use fastrand::Rng;
use model::Signal;
use otlp::{DecodeLimits, Encoding, TenantBuffer};
use prost::Message;

use testkit::{loose_json as json, random_otlp as generate};

use super::ARRIVAL;

#[test]
fn protobuf_and_json_give_the_same_rows() {
    let mut rng = Rng::with_seed(7);
    for signal in Signal::ALL {
        for round in 0..400 {
            let (protobuf, text) = match signal {
                Signal::Traces => {
                    let data = generate::traces(&mut rng);
                    (data.encode_to_vec(), json::traces(&mut rng, &data))
                }
                Signal::Logs => {
                    let data = generate::logs(&mut rng);
                    (data.encode_to_vec(), json::logs(&mut rng, &data))
                }
                Signal::Metrics => {
                    let data = generate::metrics(&mut rng);
                    (data.encode_to_vec(), json::metrics(&mut rng, &data))
                }
            };
            let frozen = [(Encoding::Protobuf, protobuf.as_slice()), (Encoding::Json, text.as_bytes())].map(
                |(encoding, body)| {
                    let mut buffer = TenantBuffer::new(DecodeLimits::default());
                    let appended = buffer.append(signal, encoding, body, ARRIVAL).expect("valid");
                    assert_eq!(appended.rejected, [], "{signal} {round}");
                    (appended.received, appended.rows, appended.has_own_time, buffer.freeze().expect("fits"))
                },
            );
            assert!(frozen[0] == frozen[1], "{signal} {round}: {text}\n{:?}\n{:?}", frozen[0], frozen[1]);
        }
    }
}
