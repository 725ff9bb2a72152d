//! The other doors: whatever body comes, what comes out is an OTLP request of as many records as are said, each of which
//! the decoder stores.

use doors::syslog::{Batch, Framing};
use doors::{DoorError, Limits, Translation, elasticsearch, loki, remote_write, zipkin};
use otlp::{DecodeLimits, Encoding, TenantBuffer};
use testkit::random_otlp::ARRIVAL;

use crate::{Seed, Target, seed, selected};

/// Loki's push; the selector chooses JSON or protobuf.
pub const LOKI: Target = Target { name: "loki", check: check_loki, memory_bytes_max, seeds: loki_seeds };
/// Elasticsearch's bulk request.
pub const BULK: Target = Target { name: "bulk", check: check_bulk, memory_bytes_max, seeds: bulk_seeds };
/// Zipkin's spans.
pub const ZIPKIN: Target = Target { name: "zipkin", check: check_zipkin, memory_bytes_max, seeds: zipkin_seeds };
/// Prometheus' remote write; the selector chooses the version.
pub const REMOTE_WRITE: Target =
    Target { name: "remote_write", check: check_remote_write, memory_bytes_max, seeds: remote_write_seeds };
/// A stream of syslog; the selector says after how many bytes each read ends.
pub const SYSLOG: Target = Target { name: "syslog", check: check_syslog, memory_bytes_max, seeds: syslog_seeds };

const LIMITS: Limits = Limits {
    request_bytes_max: 1 << 20,
    items_max: 1000,
    document_bytes_max: 1 << 16,
    document_fields_max: 200,
    buckets_max: 256,
};

/// The longest request, gathered and copied, and the decoder's columns of it.
fn memory_bytes_max(input_bytes: usize) -> usize {
    (24 << 20) + 2048 * input_bytes
}

fn check(translated: Result<Translation, DoorError>) {
    let Translation { signal, request, records, turned_away } = match translated {
        Ok(translation) => translation,
        Err(error) => return assert!(error.to_string().len() < 500, "{error}"),
    };
    assert!(request.len() <= LIMITS.request_bytes_max, "{} bytes", request.len());
    assert!(turned_away.count() == 0 || turned_away.sentence("records", records).len() < 1000);
    let mut buffer = TenantBuffer::new(DecodeLimits::default());
    let appended = buffer.append(signal, Encoding::Protobuf, &request, ARRIVAL).expect("a request of OTLP");
    assert_eq!((appended.received, appended.stored), (records, records), "{}", appended.message());
}

fn check_loki(input: &[u8]) {
    let Some((selector, body)) = selected(input) else { return };
    let encoding = if selector.is_multiple_of(2) { loki::Encoding::Json } else { loki::Encoding::Protobuf };
    check(loki::translate(encoding, body, &LIMITS));
}

fn check_bulk(body: &[u8]) {
    check(elasticsearch::translate(Some("index"), body, &LIMITS).map(|bulk| {
        let answer = elasticsearch::bulk_answer(&bulk, 1);
        assert!(answer.starts_with(b"{") && answer.ends_with(b"}") && std::str::from_utf8(&answer).is_ok());
        bulk.translation
    }));
}

fn check_zipkin(body: &[u8]) {
    check(zipkin::translate(body, &LIMITS));
}

fn check_remote_write(input: &[u8]) {
    let Some((selector, body)) = selected(input) else { return };
    let version = if selector.is_multiple_of(2) { remote_write::Version::One } else { remote_write::Version::Two };
    check(remote_write::translate(version, body, &LIMITS).map(|write| write.translation));
}

fn check_syslog(input: &[u8]) {
    let Some((selector, stream)) = selected(input) else { return };
    let mut batch = Batch::new(LIMITS.request_bytes_max);
    let mut framing = Framing::new(512);
    let mut result = Ok(());
    let mut at = 0;
    let mut feed = |message: doors::syslog::Message<'_>| {
        at += 1;
        if result.is_ok() {
            result = batch.add(message, ARRIVAL + at);
        }
    };
    for read in stream.chunks(selector + 1) {
        framing.take(read, &mut feed);
        assert!(framing.pending_bytes() <= 1024, "{} bytes wait", framing.pending_bytes());
    }
    framing.end(&mut feed);
    check(result.map(|()| batch.finish()));
}

/// A protobuf field of bytes, shorter than 128.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

fn double(number: u8, value: f64) -> Vec<u8> {
    [&[number << 3 | 1][..], &value.to_le_bytes()].concat()
}

fn loki_seeds() -> Vec<Seed> {
    let push = br#"{"streams":[{"stream":{"app":"a","level":"info"},"values":[["1","line",{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}]]}]}"#;
    let entry = [field(1, &[8, 7]), field(2, b"line")].concat();
    let stream = [field(1, br#"{app="a",b="\x41\u00e9"}"#), field(2, &entry)].concat();
    vec![seed("json", 0, push), seed("protobuf", 1, &field(1, &stream))]
}

fn bulk_seeds() -> Vec<Seed> {
    let bulk = b"{\"create\":{\"_index\":\"a\"}}\n{\"@timestamp\":1,\"message\":\"m\",\"log\":{\"level\":\"info\"},\"trace.id\":\"1\",\"a\":[1,{\"b\":null}]}\n{\"delete\":{}}\n{\"index\":{}}\n{\"message\":7}\n";
    vec![("bulk".to_owned(), bulk.to_vec())]
}

fn zipkin_seeds() -> Vec<Seed> {
    let spans = br#"[{"traceId":"1","id":"2","parentId":"3","timestamp":1,"duration":2,"kind":"SERVER","shared":true,"tags":{"error":"x"},"annotations":[{"timestamp":1,"value":"v"}],"localEndpoint":{"serviceName":"s","ipv4":"1.2.3.4","port":1}}]"#;
    vec![("spans".to_owned(), spans.to_vec())]
}

fn remote_write_seeds() -> Vec<Seed> {
    let label = |name: &[u8], value: &[u8]| field(1, &[field(1, name), field(2, value)].concat());
    let sample = [double(1, 1.5), vec![0x10, 7]].concat();
    let series = [label(b"__name__", b"latency"), label(b"job", b"a/b"), field(2, &sample)].concat();
    let symbols = ["", "__name__", "hits_total", "how often"].map(|symbol| field(4, symbol.as_bytes())).concat();
    let by_symbol = [field(1, &[1, 2]), field(2, &sample), field(5, &[8, 1, 0x18, 3])].concat();
    vec![seed("one", 0, &field(1, &series)), seed("two", 1, &[symbols, field(5, &by_symbol)].concat())]
}

fn syslog_seeds() -> Vec<Seed> {
    let stream = b"<13>1 2026-11-24T10:00:00Z h a 1 m [x@1 a=\"b\\\"\"][opentelemetry trace_id=\"1\"] text\n21 <13>Oct 11 22:14:15 h\n<34>Nov  4 09:00:00 h app[1]: text\nno syslog\n";
    vec![seed("stream", 40, stream), seed("stream-by-bytes", 0, stream)]
}
