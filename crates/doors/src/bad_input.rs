//! Mutated bodies through every door: whatever comes, there is an answer, and what comes out is a request.

use otlp_wire::{Fields, Value, put_bytes, put_double, put_message, put_number};

use crate::syslog::{Batch, Framing};
use crate::{DoorError, Limits, Translation, elasticsearch, loki, remote_write, zipkin};

/// Mutations of each body.
const ROUNDS: usize = 4000;

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }

    fn mutate(&mut self, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(body.len());
            let to = at + self.below(body.len() - at + 1).min(40);
            match self.below(6) {
                0 if !body.is_empty() => body[at] = self.below(256) as u8,
                1 => body.truncate(at),
                2 => drop(body.drain(at..to)),
                3 => {
                    let copied = body[at..to].to_vec();
                    let place = self.below(body.len() + 1);
                    drop(body.splice(place..place, copied));
                }
                4 => {
                    let odd: [&[u8]; 8] =
                        [b"{", b"]", b"\"", b"\\u", b"null", &[0xff; 5], b"9999999999999999999", b"\n"];
                    drop(body.splice(at..at, odd[self.below(odd.len())].iter().copied()));
                }
                _ if at + 1 < body.len() => body.swap(at, at + 1),
                _ => {}
            }
        }
        body
    }
}

/// Records in a request: it must be whole messages down to them.
fn records(request: &[u8]) -> u32 {
    let mut count = 0;
    let mut resources = Fields(request);
    while let Some((_, Value::Bytes(resource))) = resources.field().expect("resources") {
        let mut scopes = Fields(resource);
        while let Some((number, Value::Bytes(scope))) = scopes.field().expect("scopes") {
            let mut messages = Fields(scope);
            while number == 2
                && let Some((number, Value::Bytes(record))) = messages.field().expect("records")
            {
                let mut fields = Fields(record);
                while fields.field().expect("fields").is_some() {}
                count += u32::from(number == 2);
            }
        }
    }
    count
}

fn check(seed: u64, body: &[u8], translate: impl Fn(&[u8], &Limits) -> Result<Translation, DoorError>) {
    let limits = Limits { request_bytes_max: 1 << 20, ..Limits::default() };
    assert!(translate(body, &limits).is_ok_and(|translated| translated.records > 0), "the body itself is good");
    let mut random = Random(seed);
    let mut stored = 0;
    for round in 0..ROUNDS {
        let body = random.mutate(body);
        match translate(&body, &limits) {
            Ok(translated) => {
                let found = records(&translated.request);
                assert!(found <= translated.records, "round {round}: {body:?}");
                assert_eq!(found == 0, translated.records == 0, "round {round}: {body:?}");
                stored += u32::from(found > 0);
            }
            Err(DoorError::Malformed(sentence) | DoorError::TooLarge(sentence)) => {
                assert!(!sentence.is_empty() && sentence.len() < 500, "{sentence}");
            }
            Err(DoorError::Full) => {}
        }
    }
    assert!(stored > 0, "some were good all the same");
}

/// A request of remote write 1 with a sample, a native histogram and an exemplar.
fn write_1() -> Vec<u8> {
    let mut out = Vec::new();
    put_message(&mut out, 1, |out| {
        for (name, value) in [("__name__", "latency"), ("job", "a/b"), ("le", "1")] {
            put_message(out, 1, |out| {
                put_bytes(out, 1, name.as_bytes());
                put_bytes(out, 2, value.as_bytes());
            });
        }
        put_message(out, 2, |out| {
            put_double(out, 1, 1.5);
            put_number(out, 2, 7);
        });
        put_message(out, 3, |out| {
            put_double(out, 2, 1.5);
            put_number(out, 3, 7);
        });
        put_message(out, 4, |out| {
            put_number(out, 1, 3);
            put_double(out, 3, 2.5);
            put_number(out, 4, 2);
            put_message(out, 11, |out| {
                put_number(out, 1, 2);
                put_number(out, 2, 2);
            });
            put_bytes(out, 12, &[2, 2]);
            put_number(out, 15, 7);
        });
    });
    out
}

/// A request of remote write 2.
fn write_2() -> Vec<u8> {
    let mut out = Vec::new();
    for symbol in ["", "__name__", "hits_total", "how often"] {
        put_bytes(&mut out, 4, symbol.as_bytes());
    }
    put_message(&mut out, 5, |out| {
        put_bytes(out, 1, &[1, 2]);
        put_message(out, 2, |out| {
            put_double(out, 1, 1.5);
            put_number(out, 2, 7);
        });
        put_message(out, 5, |out| {
            put_number(out, 1, 1);
            put_number(out, 3, 3);
        });
    });
    out
}

#[test]
fn bodies_in_json() {
    let push = br#"{"streams":[{"stream":{"app":"a","level":"info"},"values":[["1","line",{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}]]}]}"#;
    check(1, push, |body, limits| loki::translate(loki::Encoding::Json, body, limits));
    let bulk = b"{\"create\":{\"_index\":\"a\"}}\n{\"@timestamp\":1,\"message\":\"m\",\"log\":{\"level\":\"info\"},\"a\":[1,{\"b\":null}]}\n{\"delete\":{}}\n";
    check(2, bulk, |body, limits| {
        elasticsearch::translate(Some("index"), body, limits).map(|bulk| {
            let answer = elasticsearch::bulk_answer(&bulk, 1);
            assert!(serde_json::from_slice::<serde_json::Value>(&answer).is_ok(), "{answer:?}");
            bulk.translation
        })
    });
    let spans = br#"[{"traceId":"1","id":"2","timestamp":1,"duration":2,"kind":"SERVER","tags":{"error":"x"},"annotations":[{"timestamp":1,"value":"v"}],"localEndpoint":{"serviceName":"s","port":1}}]"#;
    check(3, spans, zipkin::translate);
}

#[test]
fn bodies_in_protobuf() {
    let mut push = Vec::new();
    put_message(&mut push, 1, |out| {
        put_bytes(out, 1, br#"{app="a",b="\x41\u00e9"}"#);
        put_message(out, 2, |out| {
            put_message(out, 1, |out| put_number(out, 1, 7));
            put_bytes(out, 2, b"line");
        });
    });
    check(4, &push, |body, limits| loki::translate(loki::Encoding::Protobuf, body, limits));
    let write = |version| {
        move |body: &[u8], limits: &Limits| {
            remote_write::translate(version, body, limits).map(|write| write.translation)
        }
    };
    check(5, &write_1(), write(remote_write::Version::One));
    check(6, &write_2(), write(remote_write::Version::Two));
}

#[test]
fn streams_of_syslog() {
    let stream = b"<13>1 2026-11-24T10:00:00Z h a 1 m [x@1 a=\"b\\\"\"][opentelemetry trace_id=\"1\"] text\n21 <13>Oct 11 22:14:15 h\n<34>Nov  4 09:00:00 h app[1]: text\nno syslog\n";
    check(7, stream, |body, limits| {
        let mut batch = Batch::new(limits.request_bytes_max);
        let mut framing = Framing::new(60);
        let mut result = Ok(());
        let mut feed = |message: crate::syslog::Message<'_>| result = batch.add(message, 1_795_514_400_000_000_000);
        framing.take(body, &mut feed);
        framing.end(&mut feed);
        result.map(|()| batch.finish())
    });
}
