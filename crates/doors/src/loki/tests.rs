//! Pushes in, records out, as tables.

use otlp_wire::{Fields, Value, put_bytes, put_message, put_number};

use super::*;

/// What is looked at of a record.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    resource: Vec<(String, String)>,
    time: u64,
    severity: (u64, String),
    body: String,
    attributes: Vec<(String, String)>,
    has_trace: bool,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn fields(message: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut fields = Fields(message);
    std::iter::from_fn(move || fields.field().expect("a message")).collect()
}

fn pair(message: &[u8]) -> (String, String) {
    let mut pair = (String::new(), String::new());
    for field in fields(message) {
        match field {
            (1, Value::Bytes(key)) => pair.0 = text(key),
            (2, Value::Bytes(value)) => {
                for field in fields(value) {
                    if let (1, Value::Bytes(value)) = field {
                        pair.1 = text(value);
                    }
                }
            }
            _ => {}
        }
    }
    pair
}

fn record(message: &[u8], resource: &[(String, String)]) -> Found {
    let mut found = Found { resource: resource.to_vec(), ..Found::default() };
    for field in fields(message) {
        match field {
            (1, Value::Fixed64(time)) => found.time = time,
            (2, Value::Varint(number)) => found.severity.0 = number,
            (3, Value::Bytes(name)) => found.severity.1 = text(name),
            (5, Value::Bytes(body)) => {
                if let [(1, Value::Bytes(body))] = fields(body)[..] {
                    found.body = text(body);
                }
            }
            (6, Value::Bytes(attribute)) => found.attributes.push(pair(attribute)),
            (9, Value::Bytes(_)) => found.has_trace = true,
            _ => {}
        }
    }
    found
}

fn records(request: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    for (_, group) in fields(request) {
        let Value::Bytes(group) = group else { panic!("a resource") };
        let mut resource = Vec::new();
        for field in fields(group) {
            match field {
                (1, Value::Bytes(message)) => {
                    resource = fields(message)
                        .iter()
                        .map(|(_, value)| match value {
                            Value::Bytes(bytes) => pair(bytes),
                            _ => panic!("an attribute"),
                        })
                        .collect();
                }
                (2, Value::Bytes(scope)) => {
                    for field in fields(scope) {
                        if let (2, Value::Bytes(message)) = field {
                            found.push(record(message, &resource));
                        }
                    }
                }
                _ => {}
            }
        }
    }
    found
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn json(body: &str) -> Result<(Vec<Found>, u32), DoorError> {
    let translated = translate(Encoding::Json, body.as_bytes(), &Limits::default())?;
    let found = records(&translated.request);
    assert_eq!(translated.records as usize, found.len(), "{body}");
    Ok((found, translated.turned_away.count()))
}

#[test]
fn a_json_push_becomes_records() {
    let body = r#"{"streams":[{"stream":{"app":"cart","level":"warn","k8s_pod_name":"cart-1"},"values":[
        ["1795289400000000001","one",{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","user":"7","severity":"error"}],
        ["1795289400000000002","two \u00e9",{"trace_id":"no","n":5,"deep":{"a":1}}], [1795289400000000003,""]]},
        {"values":[["0","early"]],"stream":{"service_name":"shop","job":"j"}}]}"#;
    let (found, turned_away) = json(body).expect("a push");
    assert_eq!((found.len(), turned_away), (4, 0));
    let resource = pairs(&[("app", "cart"), ("level", "warn"), ("k8s.pod.name", "cart-1"), ("service.name", "cart")]);
    let first = Found {
        resource: resource.clone(),
        time: 1_795_289_400_000_000_001,
        severity: (17, "error".to_owned()),
        body: "one".to_owned(),
        attributes: pairs(&[("user", "7")]),
        has_trace: true,
    };
    assert_eq!(found[0], first);
    assert_eq!((found[1].body.as_str(), &found[1].severity), ("two é", &(13, "warn".to_owned())));
    assert_eq!(found[1].attributes, pairs(&[("trace_id", "no"), ("n", "5")]));
    assert_eq!((found[2].time, found[2].body.as_str()), (1_795_289_400_000_000_003, ""));
    assert_eq!(found[3].resource, pairs(&[("service.name", "shop"), ("job", "j")]));
    assert_eq!((found[3].time, found[3].body.as_str()), (0, "early"), "no time is no time");
}

#[test]
fn a_bad_entry_costs_itself() {
    let check = |entries: &str, stored: usize, turned_away: u32| {
        let body = format!(r#"{{"streams":[{{"stream":{{"a":"b"}},"values":[["1","good"],{entries}]}}]}}"#);
        let (found, away) = json(&body).expect("a push");
        assert_eq!((found.len(), away), (stored + 1, turned_away), "{entries}");
    };
    check(r#"["2","also good"]"#, 1, 0);
    check(r#"["x","line"]"#, 0, 1);
    check(r#"["-5","line"],["9223372036854775808","late"]"#, 0, 2);
    check(r#"["1",7],["1"],[],[null,null]"#, 0, 4);
    check(r#"5,"x",true,{"a":[1]},null"#, 0, 4);
    check(r#"["1","more","no metadata",[1]]"#, 1, 0);
}

#[test]
fn what_is_no_push_is_malformed() {
    for body in ["", "1", "\"x\"", "{", "[1", "{} x", r#"{"streams":[{"stream":{}"#, &"[".repeat(100_000)] {
        assert!(matches!(json(body), Err(DoorError::Malformed(_))), "{body:.20}");
    }
    for body in ["{}", r#"{"streams":null}"#, r#"{"streams":[]}"#, r#"{"other":[[[]]]}"#] {
        assert_eq!(json(body), Ok((vec![], 0)), "{body}");
    }
    assert_eq!(json(r#"{"streams":[{"labels":"{app=\"x\"}","values":[["1","a"]]}]}"#).expect("a push").0.len(), 1);
    let limits = Limits { request_bytes_max: 10, ..Limits::default() };
    let body = br#"{"streams":[{"stream":{"a":"b"},"values":[["1","x"]]}]}"#;
    assert_eq!(translate(Encoding::Json, body, &limits), Err(DoorError::Full));
}

fn entry(seconds: i64, line: &str) -> Vec<u8> {
    let mut entry = Vec::new();
    put_message(&mut entry, 1, |out| put_number(out, 1, seconds as u64));
    put_bytes(&mut entry, 2, line.as_bytes());
    entry
}

#[test]
fn a_protobuf_push_becomes_records() {
    let mut body = Vec::new();
    put_message(&mut body, 1, |out| {
        put_bytes(out, 1, br#"{service_name="cart",level="info"}"#);
        let mut with_metadata = entry(7, "one");
        put_message(&mut with_metadata, 3, |out| {
            put_bytes(out, 1, b"user");
            put_bytes(out, 2, b"ann");
        });
        for entry in [with_metadata, vec![0xff], entry(-1, "before"), entry(i64::MAX, "after"), entry(8, "two")] {
            put_bytes(out, 2, &entry);
        }
    });
    put_message(&mut body, 1, |out| {
        put_bytes(out, 1, b"no labels");
        put_bytes(out, 2, &entry(1, "lost"));
    });
    let translated = translate(Encoding::Protobuf, &body, &Limits::default()).expect("a push");
    assert_eq!(translated.turned_away.count(), 4);
    let found = records(&translated.request);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].resource, pairs(&[("service.name", "cart"), ("level", "info")]));
    assert_eq!((found[0].time, found[0].severity.0, found[0].body.as_str()), (7_000_000_000, 9, "one"));
    assert_eq!(found[0].attributes, pairs(&[("user", "ann")]));
    assert_eq!(found[1].body, "two");
    let cut = translate(Encoding::Protobuf, &body[..body.len() - 1], &Limits::default());
    assert!(matches!(cut, Err(DoorError::Malformed(_))));
    assert!(translate(Encoding::Protobuf, b"", &Limits::default()).is_ok());
}
