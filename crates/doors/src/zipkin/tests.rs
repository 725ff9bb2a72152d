//! Lists of spans in, OTLP out, as tables.

use otlp_wire::{Fields, Value};

use super::*;

fn spans(body: &str) -> Result<(u32, u32, Vec<u8>), DoorError> {
    let translated = translate(body.as_bytes(), &Limits::default())?;
    Ok((translated.records, translated.turned_away.count(), translated.request))
}

/// Every value below a path of field numbers.
fn all<'a>(message: &'a [u8], path: &[u64], found: &mut Vec<Value<'a>>) {
    let Some((number, rest)) = path.split_first() else { return };
    let mut fields = Fields(message);
    while let Some((field, value)) = fields.field().expect("a message") {
        match (field == *number, value, rest) {
            (true, value, []) => found.push(value),
            (true, Value::Bytes(inner), rest) => all(inner, rest, found),
            _ => {}
        }
    }
}

fn texts(message: &[u8], path: &[u64]) -> Vec<String> {
    let mut found = Vec::new();
    all(message, path, &mut found);
    let text = |value: &Value<'_>| match value {
        Value::Bytes(bytes) => String::from_utf8(bytes.to_vec()).expect("UTF-8"),
        other => format!("{other:?}"),
    };
    found.iter().map(text).collect()
}

const SPAN: [u64; 3] = [1, 2, 2];

fn in_span(path: &[u64]) -> Vec<u64> {
    [&SPAN[..], path].concat()
}

#[test]
fn a_span_becomes_a_span() {
    let body = r#"[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","id":"00f067aa0ba902b7","parentId":"1","kind":"CLIENT",
        "name":"get /cart","timestamp":1795514400000000,"duration":1500,"shared":true,
        "localEndpoint":{"serviceName":"shop","ipv4":"10.0.0.1","port":8080},
        "remoteEndpoint":{"serviceName":"cart","ipv6":"::1","port":0},
        "annotations":[{"timestamp":1795514400000100,"value":"ws"},{"value":"timeless"}],
        "tags":{"http.path":"/cart","error":"boom","otel.scope.name":"http","n":5}}]"#;
    let (stored, turned_away, request) = spans(body).expect("spans");
    assert_eq!((stored, turned_away), (1, 0));
    assert_eq!(texts(&request, &[1, 1, 1, 1]), ["service.name"]);
    assert_eq!(texts(&request, &[1, 1, 1, 2, 1]), ["shop"]);
    assert_eq!(texts(&request, &[1, 2, 1, 1]), ["http"]);
    assert_eq!(texts(&request, &in_span(&[5])), ["get /cart"]);
    let numbers = |path: &[u64]| {
        let (mut found, path) = (Vec::new(), in_span(path));
        all(&request, &path, &mut found);
        found.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&[6]), ["Varint(3)"]);
    assert_eq!(numbers(&[7]), ["Fixed64(1795514400000000000)"]);
    assert_eq!(numbers(&[8]), ["Fixed64(1795514400001500000)"]);
    assert_eq!(numbers(&[4]), ["Bytes([0, 0, 0, 0, 0, 0, 0, 1])"]);
    let attributes = texts(&request, &in_span(&[9, 1]));
    let expect = [
        "zipkin.shared",
        "network.local.address",
        "network.local.port",
        "service.peer.name",
        "network.peer.address",
        "http.path",
        "n",
    ];
    assert_eq!(attributes, expect);
    assert_eq!(texts(&request, &in_span(&[11, 2])), ["ws", "timeless"]);
    assert_eq!(numbers(&[11, 1]), ["Fixed64(1795514400000100000)"]);
    assert_eq!(texts(&request, &in_span(&[15, 2])), ["boom"]);
    assert_eq!(numbers(&[15, 3]), ["Varint(2)"]);
}

#[test]
fn a_bad_span_costs_itself() {
    let check = |span: &str, stored: u32, turned_away: u32| {
        let body = format!(r#"[{{"traceId":"1","id":"1"}},{span},{{"traceId":"a3ce929d0e0e4736","id":"2"}}]"#);
        let found = spans(&body).map(|(stored, turned_away, _)| (stored, turned_away));
        assert_eq!(found, Ok((stored + 2, turned_away)), "{span}");
    };
    check(r#"{"traceId":"1","id":"3","parentId":"0","kind":null,"tags":null,"annotations":[]}"#, 1, 0);
    check(r#"{"traceId":"1","id":"3","timestamp":0,"duration":5}"#, 1, 0);
    check("{}", 0, 1);
    check(r#"{"traceId":"0","id":"3"}"#, 0, 1);
    check(r#"{"traceId":"1","id":"xyz"}"#, 0, 1);
    check(r#"{"traceId":"1","id":7}"#, 0, 1);
    check(r#"{"traceId":"1","id":"3","kind":"OTHER"}"#, 0, 1);
    check(r#"{"traceId":"1","id":"3","timestamp":"soon"}"#, 0, 1);
    check(r#"{"traceId":"1","id":"3","timestamp":18446744073709551615}"#, 0, 1);
    check(r#"{"traceId":"1","id":"3","timestamp":9223372036854775,"duration":9223372036854775}"#, 0, 1);
    check(r#"{"traceId":"1","id":"3","tags":[1],"annotations":{"a":1}}"#, 0, 1);
    check(r#"{"traceId":"1","id":"3","parentId":"11112222333344445"}"#, 0, 1);
    check("5", 0, 1);
    check(r#"[{"traceId":"1"}]"#, 0, 1);
}

#[test]
fn what_is_no_list_is_malformed() {
    for body in ["", "{}", "5", "[", "[{}", "[] x", r#"[{"traceId":"1","id":"1"}"#, &"[".repeat(100_000)] {
        assert!(matches!(spans(body), Err(DoorError::Malformed(_))), "{body:.20}");
    }
    assert_eq!(spans("[]").map(|(stored, away, request)| (stored, away, request.len())), Ok((0, 0, 0)));
    let limits = Limits { request_bytes_max: 20, ..Limits::default() };
    assert_eq!(translate(br#"[{"traceId":"1","id":"1"}]"#, &limits), Err(DoorError::Full));
}
