//! W: the protobuf wire, byte by byte.

use serde_json::{Value, json};
use testkit::raw::request;
use testkit::{Server, ServerSettings};

use super::rows::{Body, Expect, Table, field, log_protobuf};
use crate::TestResult;

const PROTOBUF: [(&str, &str); 1] = [("Content-Type", "application/x-protobuf")];

/// A request of one record of these fields, its service named.
fn record(service: &str, fields: &[u8]) -> Vec<u8> {
    let name = [field(0x0a, b"service.name"), field(0x12, &field(0x0a, service.as_bytes()))].concat();
    let resource = field(0x0a, &field(0x0a, &name));
    let scope = field(0x12, &field(0x12, fields));
    field(0x0a, &[resource, scope].concat())
}

fn body(text: &[u8]) -> Vec<u8> {
    field(0x2a, &field(0x0a, text))
}

/// An AnyValue nested in arrays this deep, around a text.
fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(field(0x0a, b"x"), |inner, _| field(0x2a, &field(0x0a, &inner)))
}

#[tokio::test]
async fn records_byte_by_byte() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let client = server.client();
    let mut table = Table::new("W");
    let unknown_fields: Vec<u8> = [
        vec![0xf8, 0x07, 0x05],                               // field 127, varint
        vec![0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8],             // field 127, fixed64
        vec![0xfa, 0x07, 0x02, 0xff, 0xff],                   // field 127, bytes
        vec![0xfd, 0x07, 1, 2, 3, 4],                         // field 127, fixed32
        vec![0xfb, 0x07, 0x08, 0x01, 0x13, 0x14, 0xfc, 0x07], // field 127, a group with a group in it
    ]
    .concat();
    let negative_severity = [vec![0x10], vec![0xff; 9], vec![0x01]].concat();
    let merged = [field(0x2a, &field(0x0a, b"first")), field(0x2a, &field(0x0a, b"last"))].concat();
    let cases: [(&str, Vec<u8>, &str, Value, Body); 11] = [
        ("W1 fields in any order", [body(b"w1"), vec![0x10, 9]].concat(), "/severity_number", json!(9), Body::Empty),
        ("W1 the last value wins", merged, "/body", json!("last"), Body::Empty),
        ("W1 the last scalar wins", vec![0x10, 1, 0x10, 17], "/severity_number", json!(17), Body::Empty),
        ("W3 unknown fields", [unknown_fields, body(b"w3")].concat(), "/body", json!("w3"), Body::Empty),
        ("W5 bytes that are no UTF-8", body(b"a\xffb"), "/body", json!("a\u{fffd}b"), Body::Any),
        ("W7 ids of no length", [field(0x4a, b""), field(0x52, b"")].concat(), "/trace_id", Value::Null, Body::Empty),
        ("W7 flags as fixed32", vec![0x45, 1, 1, 0, 0], "/flags", json!(257), Body::Empty),
        (
            "W7 a severity in five bytes",
            vec![0x10, 0x89, 0x80, 0x80, 0x80, 0x00],
            "/severity_number",
            json!(9),
            Body::Empty,
        ),
        ("W7 a negative severity", negative_severity, "/severity_number", json!(-1), Body::Any),
        ("W7 a body without a value", field(0x2a, b""), "/body", Value::Null, Body::Empty),
        ("W7 a zero byte in a text", body(b"a\0b"), "/body", json!("a\u{0}b"), Body::Empty),
    ];
    for (number, (row, fields, pointer, expect, answer)) in cases.into_iter().enumerate() {
        let service = format!("case-{number}");
        let sent = request("POST", "/v1/logs", &PROTOBUF, &record(&service, &fields));
        table.row(row, http, &sent, Expect::new(200, answer)).await;
        let found: Value = client.get_json(&format!("/api/v1/logs?query=service.name:{service}")).await?;
        let value = found["logs"][0].pointer(pointer).cloned().unwrap_or_default();
        table.note(row, if value == expect { Ok(()) } else { Err(anyhow::anyhow!("{value}: {}", found["logs"][0])) });
    }
    for (depth, kept) in [(1, true), (64, true), (1000, false)] {
        let service = format!("depth-{depth}");
        let sent = request("POST", "/v1/logs", &PROTOBUF, &record(&service, &field(0x2a, &nested(depth))));
        table.row(&format!("W depth {depth}"), http, &sent, Expect::new(200, Body::Any)).await;
        let found: Value = client.get_json(&format!("/api/v1/logs?query=service.name:{service}")).await?;
        let mut value = &found["logs"][0]["body"];
        let mut levels = 0;
        while let Some(inner) = value.as_array().and_then(|list| list.first()) {
            (value, levels) = (inner, levels + 1);
        }
        // What is deeper is cut, and shown as text from the depth on that JSON readers refuse.
        let is_right = if kept { levels == depth && value == "x" } else { (64..128).contains(&levels) };
        table.note(
            &format!("W depth {depth}"),
            if is_right { Ok(()) } else { Err(anyhow::anyhow!("{levels}: {value}")) },
        );
    }
    let answer = Expect::new(200, Body::Any);
    let removed = field(0x0a, &[vec![0xc2, 0x3e], field(0x12, b"")[1..].to_vec()].concat());
    table.row("W6 instrumentation libraries", http, &request("POST", "/v1/traces", &PROTOBUF, &removed), answer).await;
    // No length, too many bytes of a varint, a length beyond the end: refused, and the process goes on.
    let whole = log_protobuf(b"w4 whole");
    for cut in 1..whole.len() {
        let sent = request("POST", "/v1/logs", &PROTOBUF, &whole[..cut]);
        table.row(&format!("W4 cut at {cut}"), http, &sent, Expect::new(400, Body::StatusProtobuf(""))).await;
    }
    table.row("W4 and whole", http, &request("POST", "/v1/logs", &PROTOBUF, &whole), Expect::PROTOBUF).await;
    table.finish()
}

#[tokio::test]
async fn packed_and_unpacked_numbers_are_the_same() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let client = server.client();
    let mut table = Table::new("W2");
    let number = |value: u64| value.to_le_bytes().to_vec();
    let packed = field(0x32, &[number(42), number(1)].concat());
    let unpacked = [vec![0x31], number(42), vec![0x31], number(1)].concat();
    let bounds = field(0x3a, &1.5_f64.to_le_bytes());
    for (name, counts) in [("packed", packed), ("unpacked", unpacked)] {
        // time_unix_nano, count, bucket_counts, explicit_bounds.
        let point = [vec![0x19], number(1), vec![0x21], number(43), counts, bounds.clone()].concat();
        let histogram = [field(0x0a, &point), vec![0x10, 2]].concat();
        let metric = [field(0x0a, name.as_bytes()), field(0x4a, &histogram)].concat();
        let body = field(0x0a, &field(0x12, &field(0x12, &metric)));
        table.row(name, http, &request("POST", "/v1/metrics", &PROTOBUF, &body), Expect::PROTOBUF).await;
        let answer = client.sql(&format!("select bucket_counts from histograms where metric = '{name}'")).await?;
        let found = answer.rows.first().and_then(|row| row.first()).cloned().unwrap_or_default();
        table.note(name, if found == json!([42, 1]) { Ok(()) } else { Err(anyhow::anyhow!("{found}")) });
    }
    table.finish()
}
