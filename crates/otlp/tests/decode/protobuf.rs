//! The protobuf wire in the forms that are allowed but rare. Fields are put together by hand here.

use model::{Signal, Table};
use otlp::{Encoding, Warning};

use super::rows::{bytes, double_list, int, text, unsigned_list};
use super::{batch, decode};

pub fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// A length-delimited field.
pub fn field(number: u64, content: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

pub fn fixed64(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3 | 1), value.to_le_bytes().to_vec()].concat()
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// A request with these records in one scope.
pub fn request(records: &[Vec<u8>]) -> Vec<u8> {
    let scope: Vec<u8> = records.iter().flat_map(|record| field(2, record)).collect();
    field(1, &field(2, &scope))
}

fn string_value(text: &[u8]) -> Vec<u8> {
    field(1, text)
}

pub fn attribute(key: &str, value: &[u8]) -> Vec<u8> {
    [field(1, key.as_bytes()), field(2, value)].concat()
}

#[test]
fn smallest_probes() {
    let log = [0x0a, 0x09, 0x12, 0x07, 0x12, 0x05, 0x2a, 0x03, 0x0a, 0x01];
    let check = |last: u8, expect: &str, warnings: &[Warning]| {
        let body = [&log[..], &[last]].concat();
        let (appended, batches) = decode(Signal::Logs, Encoding::Protobuf, &body).expect("valid");
        assert_eq!(text(batch(&batches, Table::Logs), "body", 0).as_deref(), Some(expect));
        assert_eq!(appended.warnings, warnings);
        assert!(!appended.has_own_time);
    };
    check(b'x', "x", &[]);
    check(0xff, "\u{fffd}", &[Warning::TextReplaced]);

    let good = [field(1, &[1; 16]), field(2, &[2; 8]), field(5, b"a")].concat();
    let (appended, batches) =
        decode(Signal::Traces, Encoding::Protobuf, &request(std::slice::from_ref(&good))).expect("valid");
    assert_eq!((appended.received, appended.stored), (1, 1));
    assert_eq!(bytes(batch(&batches, Table::Spans), "trace_id", 0), Some(vec![1; 16]));
    let bad = [field(1, &[1, 2, 3]), field(2, &[2; 8])].concat();
    let (appended, _) = decode(Signal::Traces, Encoding::Protobuf, &request(&[good, bad])).expect("valid");
    assert_eq!((appended.received, appended.stored), (2, 1));

    for body in [&[0x0a, 0x05, 0x12, 0x03, 0x12, 0x01, 0xff][..], &[0x0a], &[0xff; 11], &[0x08]] {
        assert!(decode(Signal::Traces, Encoding::Protobuf, body).is_err(), "{body:02x?}");
    }
    for body in [&[][..], &[0x0a, 0x00], &[0x0a, 0x02, 0x12, 0x00]] {
        let (appended, batches) = decode(Signal::Metrics, Encoding::Protobuf, body).expect("empty is valid");
        assert_eq!((appended.received, batches.len()), (0, 0));
    }
}

#[test]
fn packed_unpacked_and_merged() {
    let metric = |buckets: Vec<u8>| {
        let point = [fixed64(3, 1), fixed64(4, 42), buckets].concat();
        let histogram = [field(1, &point), number(2, 2)].concat();
        request(&[[field(1, b"h"), field(9, &histogram)].concat()])
    };
    let check = |buckets: Vec<u8>, expect: &[u64]| {
        let (_, batches) = decode(Signal::Metrics, Encoding::Protobuf, &metric(buckets)).expect("valid");
        assert_eq!(unsigned_list(batch(&batches, Table::Histograms), "bucket_counts", 0), expect);
    };
    check(field(6, &42_u64.to_le_bytes()), &[42]);
    check(fixed64(6, 42), &[42]);
    let bounds = [field(7, &1.0_f64.to_le_bytes()), fixed64(7, 2.0_f64.to_bits())].concat();
    let counts = [fixed64(6, 1), field(6, &[2_u64.to_le_bytes(), 3_u64.to_le_bytes()].concat())].concat();
    let (_, batches) = decode(Signal::Metrics, Encoding::Protobuf, &metric([bounds, counts].concat())).expect("valid");
    let histograms = batch(&batches, Table::Histograms);
    assert_eq!(unsigned_list(histograms, "bucket_counts", 0), [1, 2, 3]);
    assert_eq!(double_list(histograms, "explicit_bounds", 0), [1.0, 2.0]);

    // Exponential buckets: repeated varints.
    let point = |counts: Vec<u8>| [fixed64(3, 1), field(8, &[number(1, 3), counts].concat())].concat();
    for counts in [field(2, &[1, 0x96, 1]), [number(2, 1), number(2, 150)].concat()] {
        let data = [field(1, &point(counts)), number(2, 1)].concat();
        let body = request(&[[field(1, b"e"), field(10, &data)].concat()]);
        let (_, batches) = decode(Signal::Metrics, Encoding::Protobuf, &body).expect("valid");
        let histograms = batch(&batches, Table::ExpHistograms);
        assert_eq!(unsigned_list(histograms, "positive_counts", 0), [1, 150]);
        assert_eq!(int(histograms, "positive_offset", 0), Some(-2));
        assert_eq!(int(histograms, "negative_offset", 0), None);
    }
}

#[test]
fn any_order_merging_and_unknown_fields() {
    // Schema url before the scopes, resource behind them in two parts, a field and a group nobody knows between.
    let record = field(5, &string_value(b"x"));
    let resource = |key: &str| field(1, &field(1, &attribute(key, &string_value(b"v"))));
    let group = [varint(77 << 3 | 3), number(1, 5), field(2, b"z"), varint(77 << 3 | 4)].concat();
    let scope = [field(3, b"scope url"), field(2, &record), field(1, &field(1, b"lib"))].concat();
    let level = [field(3, b"url"), resource("b"), field(2, &scope), group, field(99, b"?"), resource("a")].concat();
    let (appended, batches) = decode(Signal::Logs, Encoding::Protobuf, &field(1, &level)).expect("valid");
    let logs = batch(&batches, Table::Logs);
    assert_eq!(text(logs, "resource", 0).as_deref(), Some(r#"{"attributes":{"a":"v","b":"v"},"schema_url":"url"}"#));
    assert_eq!(text(logs, "scope", 0).as_deref(), Some(r#"{"name":"lib","schema_url":"scope url"}"#));
    assert_eq!(appended.warnings, []);

    // The status in two parts, the last name wins, the severity as a ten-byte negative.
    let span = [
        field(1, &[1; 16]),
        field(2, &[2; 8]),
        field(5, b"first"),
        field(15, &number(3, 2)),
        field(15, &field(2, b"boom")),
        field(5, b"last"),
        number(6, -1_i64 as u64),
    ]
    .concat();
    let (_, batches) = decode(Signal::Traces, Encoding::Protobuf, &request(&[span])).expect("valid");
    let spans = batch(&batches, Table::Spans);
    assert_eq!(text(spans, "name", 0).as_deref(), Some("last"));
    assert_eq!(int(spans, "status_code", 0), Some(2));
    assert_eq!(text(spans, "status_message", 0).as_deref(), Some("boom"));
    assert_eq!(int(spans, "kind", 0), Some(-1));

    let removed = field(1, &field(1000, &field(2, &record)));
    let (appended, _) = decode(Signal::Logs, Encoding::Protobuf, &removed).expect("valid");
    assert_eq!(appended.warnings, [Warning::RemovedField]);
}

#[test]
fn promoted_keys_leave_the_json_where_they_fit_and_occur_once() {
    let int_value = |value: u64| number(3, value);
    let check = |attributes: &[(&str, Vec<u8>)], json: Option<&str>, method: Option<&str>, status: Option<i64>| {
        let attributes = attributes.iter().flat_map(|(key, value)| field(6, &attribute(key, value)));
        let body = request(&[attributes.collect()]);
        let (_, batches) = decode(Signal::Logs, Encoding::Protobuf, &body).expect("valid");
        let logs = batch(&batches, Table::Logs);
        assert_eq!(text(logs, "attributes", 0).as_deref(), json);
        assert_eq!(text(logs, "http_request_method", 0).as_deref(), method);
        assert_eq!(int(logs, "http_response_status_code", 0), status);
    };
    let (method, status) = ("http.request.method", "http.response.status_code");
    let get = || string_value(b"GET");
    check(&[(method, get()), (status, int_value(200))], None, Some("GET"), Some(200));
    check(&[(method, get()), ("k", get())], Some(r#"{"k":"GET"}"#), Some("GET"), None);
    check(&[(method, int_value(7))], Some(r#"{"http.request.method":7}"#), None, None);
    check(&[(status, get())], Some(r#"{"http.response.status_code":"GET"}"#), None, None);
    check(&[(method, vec![])], Some(r#"{"http.request.method":null}"#), None, None);
    let twice = r#"{"k":1,"http.request.method":"GET","http.request.method":2}"#;
    check(&[(method, get()), ("k", int_value(1)), (method, int_value(2))], Some(twice), None, None);
    let thrice = r#"{"http.response.status_code":1,"http.response.status_code":2,"http.response.status_code":3}"#;
    check(&[(status, int_value(1)), (status, int_value(2)), (status, int_value(3))], Some(thrice), None, None);
    let unfit_first = r#"{"http.request.method":2,"http.request.method":"GET"}"#;
    check(&[(method, int_value(2)), (method, get())], Some(unfit_first), None, None);
    check(&[(method, string_value(b""))], None, Some(""), None);
}

#[test]
fn resource_columns() {
    let attributes = [
        field(1, &attribute("service.name", &string_value(b"cart \"1\""))),
        field(1, &attribute("host.name", &number(3, 5))),
        field(1, &attribute("k8s.pod.name", &string_value(b"first"))),
        field(1, &attribute("k8s.pod.name", &string_value(b"last"))),
        number(2, 3),
    ];
    let scope = field(2, &field(2, &field(5, &string_value(b"x"))));
    let level = [field(1, &attributes.concat()), scope].concat();
    let (_, batches) = decode(Signal::Logs, Encoding::Protobuf, &field(1, &level)).expect("valid");
    let logs = batch(&batches, Table::Logs);
    assert_eq!(text(logs, "service_name", 0).as_deref(), Some("cart \"1\""));
    assert_eq!(text(logs, "host_name", 0), None);
    assert_eq!(text(logs, "k8s_pod_name", 0).as_deref(), Some("last"));
    let expect = concat!(
        r#"{"attributes":{"host.name":5,"k8s.pod.name":"first","k8s.pod.name":"last","#,
        r#""service.name":"cart \"1\""},"dropped_attributes_count":3}"#
    );
    assert_eq!(text(logs, "resource", 0).as_deref(), Some(expect));
}
