//! Requests of each door over HTTP, which the tables of `doors` share.

use testkit::coding::snappy_block;

use super::rows::field;

/// A door: a path, headers, a request of one record that a seed tells apart, and what success looks like.
pub struct Door {
    pub name: &'static str,
    pub path: &'static str,
    pub headers: &'static [(&'static str, &'static str)],
    pub body: fn(u32) -> Vec<u8>,
    pub success: u16,
}

/// Every door over HTTP.
pub const DOORS: [Door; 6] = [
    Door { name: "Loki in JSON", path: "/loki/api/v1/push", headers: &[JSON], body: loki_json, success: 204 },
    Door {
        name: "Loki in protobuf",
        path: "/loki/api/v1/push",
        headers: &[PROTOBUF],
        body: loki_protobuf,
        success: 204,
    },
    Door { name: "Elasticsearch", path: "/_bulk", headers: &[NDJSON], body: bulk, success: 200 },
    Door { name: "Zipkin", path: "/api/v2/spans", headers: &[JSON], body: zipkin, success: 202 },
    Door { name: "remote write 1", path: "/api/v1/write", headers: &[PROTOBUF, SNAPPY], body: write_1, success: 204 },
    Door { name: "remote write 2", path: "/api/v1/write", headers: &[PROTOBUF_2, SNAPPY], body: write_2, success: 204 },
];

pub const JSON: (&str, &str) = ("Content-Type", "application/json");
pub const NDJSON: (&str, &str) = ("Content-Type", "application/x-ndjson");
pub const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");
pub const PROTOBUF_2: (&str, &str) = ("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request");
pub const SNAPPY: (&str, &str) = ("Content-Encoding", "snappy");

/// 2026-11-24T10:00:00Z in seconds.
const TIME: u64 = 1_795_514_400;

pub fn loki_json(seed: u32) -> Vec<u8> {
    format!(r#"{{"streams":[{{"stream":{{"app":"cart"}},"values":[["{TIME}000000000","line {seed}"]]}}]}}"#)
        .into_bytes()
}

pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

pub fn loki_protobuf(seed: u32) -> Vec<u8> {
    let time = field(0x0a, &[&[0x08][..], &varint(TIME)].concat());
    let entry = field(0x12, &[time, field(0x12, format!("line {seed}").as_bytes())].concat());
    snappy_block(&field(0x0a, &[field(0x0a, b"{app=\"cart\"}"), entry].concat()))
}

pub fn bulk(seed: u32) -> Vec<u8> {
    format!("{{\"create\":{{\"_index\":\"a\"}}}}\n{{\"@timestamp\":{TIME}000,\"message\":\"line {seed}\"}}\n")
        .into_bytes()
}

pub fn zipkin(seed: u32) -> Vec<u8> {
    format!(r#"[{{"traceId":"{:x}","id":"1","name":"get","timestamp":{TIME}000000,"duration":5}}]"#, seed + 1)
        .into_bytes()
}

/// A sample of this value.
pub fn sample(value: f64, millis: u64) -> Vec<u8> {
    [&[0x09][..], &value.to_le_bytes(), &[0x10], &varint(millis)].concat()
}

pub fn write_1(seed: u32) -> Vec<u8> {
    let name = field(0x0a, &[field(0x0a, b"__name__"), field(0x12, b"up")].concat());
    let sample = field(0x12, &sample(f64::from(seed), TIME * 1000));
    snappy_block(&field(0x0a, &[name, sample].concat()))
}

pub fn write_2(seed: u32) -> Vec<u8> {
    let symbols = [field(0x22, b""), field(0x22, b"__name__"), field(0x22, b"up")].concat();
    let series = [field(0x0a, &[1, 2]), field(0x12, &sample(f64::from(seed), TIME * 1000))].concat();
    snappy_block(&[symbols, field(0x2a, &series)].concat())
}
