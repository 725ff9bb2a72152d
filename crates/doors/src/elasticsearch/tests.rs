//! Bulk requests in, records and answers out, as tables.

use otlp_wire::{Fields, Value};

use super::*;
use crate::any_value::of_json;
use crate::{DoorError, Limits};

fn bulk(body: &str) -> Result<Bulk, DoorError> {
    translate(None, body.as_bytes(), &Limits::default())
}

/// The fields of a message below a path of field numbers, the first at each level.
fn at<'a>(message: &'a [u8], path: &[u64]) -> Option<Value<'a>> {
    let (number, rest) = path.split_first()?;
    let mut fields = Fields(message);
    while let Some((found, value)) = fields.field().expect("a message") {
        match (found == *number, value, rest) {
            (true, value, []) => return Some(value),
            (true, Value::Bytes(inner), rest) => return at(inner, rest),
            _ => {}
        }
    }
    None
}

fn attributes(message: &[u8], number: u64) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut fields = Fields(message);
    while let Some(field) = fields.field().expect("a message") {
        if let (field, Value::Bytes(pair)) = field
            && field == number
        {
            let (Some(Value::Bytes(key)), Some(Value::Bytes(value))) = (at(pair, &[1]), at(pair, &[2])) else {
                panic!("a pair")
            };
            found.push((String::from_utf8(key.to_vec()).expect("UTF-8"), value.to_vec()));
        }
    }
    found
}

/// The one record of a document: its message, and the attributes of its resource.
fn record(document: &str) -> (Vec<u8>, Vec<(String, Vec<u8>)>) {
    let bulk = bulk(&format!("{{\"create\":{{}}}}\n{document}\n")).expect("a bulk request");
    assert_eq!(bulk.items[0].error, None, "{document}");
    let request = bulk.translation.request;
    let Some(Value::Bytes(record)) = at(&request, &[1, 2, 2]) else { panic!("a record: {request:?}") };
    let resource = match at(&request, &[1, 1]) {
        Some(Value::Bytes(resource)) => attributes(resource, 1),
        _ => Vec::new(),
    };
    (record.to_vec(), resource)
}

fn named(list: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    list.iter().map(|(name, json)| ((*name).to_owned(), of_json(json))).collect()
}

#[test]
fn documents_become_records() {
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let nested = format!(
        r#"{{"@timestamp":"2026-11-24T10:00:00.5Z","message":"hi","log":{{"level":"WARN","logger":"a.b"}},"trace":{{"id":"{trace}"}},
        "span":{{"id":"00f067aa0ba902b7"}},"service":{{"name":"cart","version":"1"}},"http":{{"response":{{"status_code":404}}}},
        "tags":["a",{{"b":1}}],"empty":{{}},"none":null,"error":{{"type":"E"}}}}"#
    );
    let dotted = format!(
        r#"{{"@timestamp":1795514400500,"message":"hi","log.level":"WARN","log.logger":"a.b","trace.id":"{trace}",
        "span.id":"00f067aa0ba902b7","service.name":"cart","service.version":"1","http.response.status_code":404,
        "tags":["a",{{"b":1}}],"empty":{{}},"none":null,"error.type":"E"}}"#
    );
    let (found, resource) = record(&nested.replace('\n', ""));
    assert_eq!((found.clone(), resource.clone()), record(&dotted.replace('\n', "")), "nested and dotted are the same");
    assert_eq!(at(&found, &[1]), Some(Value::Fixed64(1_795_514_400_500_000_000)));
    assert_eq!(at(&found, &[2]), Some(Value::Varint(13)));
    assert_eq!(at(&found, &[3]), Some(Value::Bytes(b"WARN")));
    assert_eq!(at(&found, &[5, 1]), Some(Value::Bytes(b"hi")));
    assert!(at(&found, &[9]).is_some() && at(&found, &[10]).is_some() && at(&found, &[11]).is_none());
    assert_eq!(resource, named(&[("service.name", "\"cart\""), ("service.version", "\"1\"")]));
    let expect = named(&[
        ("http.response.status_code", "404"),
        ("tags", r#"["a",{"b":1}]"#),
        ("empty", "{}"),
        ("none", "null"),
        ("exception.type", "\"E\""),
    ]);
    assert_eq!(attributes(&found, 6), expect);
}

#[test]
fn what_is_odd_stays_an_attribute() {
    let check = |document: &str, expect: &[(&str, &str)]| {
        let (found, _) = record(document);
        assert_eq!(attributes(&found, 6), named(expect), "{document}");
        assert_eq!(at(&found, &[1]), None, "{document}: no time");
    };
    check("{}", &[]);
    check(r#"{"@timestamp":"yesterday"}"#, &[("@timestamp", "\"yesterday\"")]);
    check(r#"{"@timestamp":-1}"#, &[("@timestamp", "-1")]);
    check(r#"{"message":{"a":1}}"#, &[("message.a", "1")]);
    check(r#"{"trace.id":"x","log.level":5}"#, &[("trace.id", "\"x\""), ("log.level", "5")]);
    check(r#"{"level":"unheard"}"#, &[("level", "\"unheard\"")]);
    check(r#"{"log":"a line","a":1,"a":2}"#, &[("a", "1"), ("a", "2")]);
    check(r#"{"message":"m","log":"l"}"#, &[("log", "\"l\"")]);
    check(r#"{"service":{"name":"x"},"service.name":"y"}"#, &[("service.name", "\"y\"")]);
}

#[test]
fn every_item_is_answered() {
    let body = concat!(
        "{\"index\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{\"message\":\"x\"}\n\n",
        "{\"update\":{\"_index\":\"a\",\"_id\":2}}\n{\"doc\":{}}\r\n",
        "{\"delete\":{\"_index\":\"b\",\"_id\":\"q\\\"\"}}\n",
        "{\"create\":{}}\n[1]\n{\"create\":{}}\n{\"a\":\n{\"create\":{\"_index\":\"a\"}}\n{\"message\":\"last\"}",
    );
    let bulk = translate(Some("default"), body.as_bytes(), &Limits::default()).expect("a bulk request");
    assert_eq!((bulk.translation.records, bulk.translation.turned_away.count()), (2, 4));
    let answer: serde_json::Value = serde_json::from_slice(&bulk_answer(&bulk, 7)).expect("JSON");
    assert_eq!((answer["took"].as_u64(), answer["errors"].as_bool()), (Some(7), Some(true)));
    let check = |place: usize, action: &str, index: &str, status: u64, part: &str| {
        let item = &answer["items"][place][action];
        assert_eq!((item["_index"].as_str(), item["status"].as_u64()), (Some(index), Some(status)), "{place}");
        assert!(item["error"]["reason"].as_str().unwrap_or_default().contains(part), "{place}: {item}");
        assert!(item["_id"].is_string(), "{place}");
    };
    check(0, "index", "a", 201, "");
    check(1, "update", "a", 400, "never changed");
    check(2, "delete", "b", 400, "never changed");
    check(3, "create", "default", 400, "no JSON object");
    check(4, "create", "default", 400, "no JSON object");
    check(5, "create", "a", 201, "");
    assert_eq!(answer["items"].as_array().map(Vec::len), Some(6));
}

#[test]
fn what_is_no_bulk_request_is_malformed() {
    for body in [
        "",
        "\n\n",
        "x\n",
        "{}\n{}\n",
        "[]\n",
        "{\"create\":{}}",
        "{\"create\":{}}\n",
        "{\"create\":5}\n{}\n",
        "{\"upsert\":{}}\n{}\n",
    ] {
        assert!(matches!(bulk(body), Err(DoorError::Malformed(_))), "{body}");
    }
    let limits = Limits { items_max: 2, ..Limits::default() };
    let body = "{\"create\":{}}\n{}\n".repeat(3);
    assert!(matches!(translate(None, body.as_bytes(), &limits), Err(DoorError::TooLarge(_))));
    let limits = Limits { request_bytes_max: 100, ..Limits::default() };
    let body = format!("{{\"create\":{{}}}}\n{{\"message\":\"{}\"}}\n", "x".repeat(200));
    assert_eq!(translate(None, body.as_bytes(), &limits), Err(DoorError::Full));
}

#[test]
fn a_document_beyond_its_bounds_costs_itself() {
    let limits = Limits { document_bytes_max: 1000, document_fields_max: 5, ..Limits::default() };
    let check = |document: &str, part: &str| {
        let body = format!("{{\"create\":{{}}}}\n{document}\n{{\"create\":{{}}}}\n{{\"message\":\"next\"}}\n");
        let bulk = translate(None, body.as_bytes(), &limits).expect("a bulk request");
        assert_eq!(bulk.translation.records, 1);
        let error = bulk.items[0].error.as_ref().expect("an error");
        assert!(error.reason.contains(part), "{error:?}");
    };
    check(&format!("{{\"a\":\"{}\"}}", "x".repeat(1000)), "longer than 1000");
    check(r#"{"a":1,"b":{"c":1,"d":1},"e":1,"f":1,"g":1}"#, "total fields [5]");
    check(&format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200)), "recursion limit");
    let wide = (0..10_000).map(|n| format!("\"{n}\":1")).collect::<Vec<_>>().join(",");
    let document = format!("{{\"{}\":{{{wide}}}}}", "x".repeat(100_000));
    let body = format!("{{\"create\":{{}}}}\n{document}\n");
    let bulk = translate(None, body.as_bytes(), &Limits::default()).expect("a bulk request");
    assert!(bulk.items[0].error.is_some(), "a long name repeated for each field under it");
}

#[test]
fn probes() {
    let check = |method: &str, path: &str, part: Option<&str>| {
        let found = probe(method, path).map(|probe| probe.body);
        assert_eq!(found.is_some(), part.is_some(), "{method} {path}");
        assert!(found.unwrap_or_default().contains(part.unwrap_or_default()), "{method} {path}: {found:?}");
        if let Some(body) = found {
            assert!(serde_json::from_str::<serde_json::Value>(body).is_ok(), "{method} {path}");
        }
    };
    check("GET", "", Some("You Know, for Search"));
    check("HEAD", "", Some(""));
    check("POST", "", None);
    check("GET", "/_license", Some("active"));
    check("GET", "/_xpack", Some("basic"));
    check("GET", "/_cluster/health", Some("green"));
    check("GET", "/_nodes/_all/http", Some("nodes"));
    check("HEAD", "/_index_template/logs", Some("{}"));
    check("PUT", "/_ilm/policy/logs", Some("acknowledged"));
    check("GET", "/_ingest/pipeline/logs", Some("{}"));
    check("GET", "/_ilmx", None);
    check("GET", "/index/_search", None);
    check("PATCH", "/_ilm/policy/x", None);
}
