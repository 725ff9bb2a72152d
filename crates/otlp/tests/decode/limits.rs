//! What is too deep, too long or too many.

use model::attributes::{DEPTH_MAX, parse, parse_key_values};
use model::{Signal, Table};
use otlp::{DecodeError, DecodeLimits, Encoding, TenantBuffer, Warning};

use super::protobuf::{attribute, field, request};
use super::rows::{int, text};
use super::{ARRIVAL, batch, decode};

/// An AnyValue of arrays, or of key-value lists, in one another.
fn nested(levels: usize, lists: bool) -> Vec<u8> {
    let mut value = field(1, b"bottom");
    for _ in 0..levels {
        let entry = if lists { attribute("k", &value) } else { value };
        value = field(if lists { 6 } else { 5 }, &field(1, &entry));
    }
    value
}

fn nested_json(levels: usize, lists: bool) -> String {
    let (open, close) = match lists {
        false => (r#"{"arrayValue":{"values":["#, "]}}"),
        true => (r#"{"kvlistValue":{"values":[{"key":"k","value":"#, "}]}}"),
    };
    format!("{}{{\"stringValue\":\"bottom\"}}{}", open.repeat(levels), close.repeat(levels))
}

#[test]
fn deep_values_are_cut_and_stay_readable() {
    for lists in [false, true] {
        for (levels, whole) in [(1, true), (64, true), (127, true), (128, true), (129, false), (2_000, false)] {
            let value = nested(levels, lists);
            let record = [field(5, &value), field(6, &attribute("a", &value))].concat();
            let json = nested_json(levels, lists);
            let json = format!(
                r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{json},"attributes":[{{"key":"a","value":{json}}}]}}]}}]}}]}}"#
            );
            let found = [(Encoding::Protobuf, request(&[record])), (Encoding::Json, json.into_bytes())].map(
                |(encoding, body)| {
                    let (appended, batches) = decode(Signal::Logs, encoding, &body).expect("valid");
                    let logs = batch(&batches, Table::Logs);
                    let (body, attributes) = (text(logs, "body", 0), text(logs, "attributes", 0));
                    assert!(parse(&body.clone().expect("kept")).is_ok(), "{levels}");
                    assert!(parse_key_values(&attributes.clone().expect("kept")).is_ok(), "{levels}");
                    assert_eq!(body.as_ref().map(|text| text.contains("bottom")), Some(whole), "{levels}");
                    // One level of the limit is the attributes themselves.
                    let cut = levels >= DEPTH_MAX;
                    assert_eq!(appended.warnings.contains(&Warning::DepthCut), cut, "{levels}");
                    (body, attributes)
                },
            );
            assert_eq!(found[0], found[1]);
        }
    }
}

#[test]
fn nothing_overflows_the_stack() {
    let mut deep = Vec::new();
    for _ in 0..5_000 {
        deep = field(5, &field(1, &deep));
    }
    assert!(decode(Signal::Logs, Encoding::Protobuf, &request(&[field(5, &deep)])).is_ok());
    let json = format!(
        r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{}}}]}}]}}]}}"#,
        nested_json(100_000, true)
    );
    assert!(decode(Signal::Logs, Encoding::Json, json.as_bytes()).is_ok());
    for open in ["[", "{\"a\":", "{\"resourceLogs\":["] {
        assert!(decode(Signal::Logs, Encoding::Json, open.repeat(1_000_000).as_bytes()).is_err());
    }
}

#[test]
fn attributes_and_values_beyond_the_limits_are_cut_and_counted() {
    let limits = DecodeLimits { attributes_max: 3, value_bytes_max: 4, ..DecodeLimits::default() };
    let text_value = |text: &str| field(1, text.as_bytes());
    let attributes = ["a", "http.route", "b", "c", "d"].map(|key| field(6, &attribute(key, &text_value("ééé"))));
    let record = [attributes.concat(), field(5, &text_value("abcdefgh")), vec![7 << 3, 5]].concat();
    let mut buffer = TenantBuffer::new(limits);
    let appended = buffer.append(Signal::Logs, Encoding::Protobuf, &request(&[record]), ARRIVAL).expect("valid");
    assert_eq!(appended.warnings, [Warning::AttributesCut, Warning::ValueCut]);
    let batches = buffer.freeze().expect("fits");
    let logs = batch(&batches, Table::Logs);
    assert_eq!(text(logs, "attributes", 0).as_deref(), Some(r#"{"a":"éé","b":"éé"}"#));
    assert_eq!(text(logs, "body", 0).as_deref(), Some("abcd"));
    assert_eq!(int(logs, "dropped_attributes_count", 0), Some(7));
}

#[test]
fn floods_of_nothing_are_refused() {
    let limits = DecodeLimits { records_max: 1000, ..DecodeLimits::default() };
    let mut buffer = TenantBuffer::new(limits);
    let flood = request(&vec![vec![]; 1001]);
    let result = buffer.append(Signal::Logs, Encoding::Protobuf, &flood, ARRIVAL);
    assert!(matches!(result, Err(DecodeError::TooLarge(_))));
    assert_eq!((buffer.rows(), buffer.bytes()), (0, 0));
    let events = request(&[vec![field(11, &[]); 1000].concat()]);
    assert!(buffer.append(Signal::Traces, Encoding::Protobuf, &events, ARRIVAL).is_err());
    let empty_resources = [0x0a, 0x00].repeat(1 << 20);
    assert!(buffer.append(Signal::Logs, Encoding::Protobuf, &empty_resources, ARRIVAL).is_ok());
}

#[test]
fn columns_without_values_and_tables_without_rows_are_left_out() {
    let (_, batches) = decode(Signal::Logs, Encoding::Protobuf, &request(&[vec![], vec![]])).expect("valid");
    assert_eq!(batches.len(), 1);
    let schema = batches[0].1.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["time", "time_absent", "service_name"]);
}

#[test]
fn a_buffer_is_good_for_many_commits() {
    let mut buffer = TenantBuffer::new(DecodeLimits::default());
    let record = |body: &str| field(5, &field(1, body.as_bytes()));
    for round in 0..3 {
        let first = request(&[record("a"), record("b")]);
        let appended = buffer.append(Signal::Logs, Encoding::Protobuf, &first, ARRIVAL).expect("valid");
        assert_eq!(appended.rows, [(Table::Logs, 0..2)]);
        let second = buffer.append(Signal::Logs, Encoding::Protobuf, &request(&[record("c")]), ARRIVAL);
        assert_eq!(second.expect("valid").rows, [(Table::Logs, 2..3)]);
        assert_eq!(buffer.rows(), 3, "{round}");
        let batches = buffer.freeze().expect("fits");
        assert_eq!(text(batch(&batches, Table::Logs), "body", 2).as_deref(), Some("c"));
        assert_eq!((buffer.rows(), buffer.bytes()), (0, 0));
        assert!(buffer.freeze().expect("fits").is_empty());
    }
}
