//! J: the JSON mapping, what producers get wrong in it, and what becomes of each value.
//!
//! Every case is a request of its own, under a service name of its own, so that the record it leaves can be asked for.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testkit::raw::{exchange, request};
use testkit::{Server, ServerSettings};

use super::rows::Table;
use crate::TestResult;

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];
const IDS: &str = r#""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174""#;
const TRACE: &str = "5b8efff798038103d269b633813fc60c";

/// What becomes of a case's one record.
enum Becomes {
    /// Stored; the value at this JSON pointer of the API's record is this.
    Stored(&'static str, Value),
    /// Stored, and the answer warns with this part of a message; of the same words it warns once a minute.
    Warned(&'static str, Value, &'static str),
    /// Rejected, or the only record of a refused request, with this part of a message.
    Rejected(&'static str),
}

use Becomes::{Rejected, Stored, Warned};

fn resource(service: &str) -> String {
    format!(r#""resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{service}"}}}}]}}"#)
}

fn log_request(service: &str, record: &str) -> String {
    format!(r#"{{"resourceLogs":[{{{},"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}"#, resource(service))
}

fn span_request(service: &str, span: &str) -> String {
    format!(r#"{{"resourceSpans":[{{{},"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#, resource(service))
}

/// Sends a case and compares the answer, then the record that `fetch` finds.
async fn case(
    server: &Server,
    path: &str,
    body: String,
    (becomes, warned): (&Becomes, &mut BTreeSet<&'static str>),
    fetch: impl AsyncFn() -> Result<Value>,
) -> Result<()> {
    let answer = exchange(server.ports()[1], &request("POST", path, &JSON, body.as_bytes())).await?;
    match becomes {
        Rejected(part) => {
            ensure!(matches!(answer.status, 200 | 400), "status {}", answer.status);
            ensure!(answer.status == 400 || answer.text().contains("rejected"), "accepted: {}", answer.text());
            ensure!(answer.text().contains(part), "{} lacks {part:?}", answer.text());
        }
        Stored(pointer, expect) | Warned(pointer, expect, _) => {
            ensure!(answer.status == 200, "status {}: {}", answer.status, answer.text());
            match becomes {
                Warned(.., part) if warned.insert(part) => {
                    ensure!(answer.text().contains(part), "{} lacks {part:?}", answer.text());
                }
                Warned(..) => {}
                _ => ensure!(answer.text() == "{}", "a warning: {}", answer.text()),
            }
            let record = fetch().await?;
            let found = record.pointer(pointer).cloned().unwrap_or(Value::Null);
            ensure!(found == *expect, "{pointer} is {found} instead of {expect} in {record}");
        }
    }
    Ok(())
}

/// Cases of a log record; `attribute` ones are values of an attribute `k`.
fn log_cases() -> Vec<(String, Becomes)> {
    let attribute = |value: &str| format!(r#"{{"attributes":[{{"key":"k","value":{value}}}]}}"#);
    let ok = |value: &str, expect: Value| (attribute(value), Stored("/attributes/k", expect));
    let bad = |value: &str, part: &'static str| (attribute(value), Rejected(part));
    let mut cases = vec![
        ok(r#"{"intValue":"123"}"#, json!(123)),
        ok(r#"{"intValue":123}"#, json!(123)),
        ok(r#"{"intValue":"-9223372036854775808"}"#, json!(i64::MIN)),
        ok(r#"{"intValue":"9223372036854775807"}"#, json!(i64::MAX)),
        ok(r#"{"intValue":9007199254740993}"#, json!(9_007_199_254_740_993_i64)),
        ok(r#"{"intValue":1.0}"#, json!(1)),
        ok(r#"{"intValue":"1e3"}"#, json!(1000)),
        ok(r#"{"doubleValue":1.5}"#, json!(1.5)),
        ok(r#"{"doubleValue":"1.5"}"#, json!(1.5)),
        ok(r#"{"doubleValue":"NaN"}"#, json!("NaN")),
        ok(r#"{"doubleValue":"Infinity"}"#, json!("Infinity")),
        ok(r#"{"doubleValue":"-Infinity"}"#, json!("-Infinity")),
        ok(r#"{"doubleValue":null}"#, Value::Null),
        ok(r#"{"boolValue":true}"#, json!(true)),
        ok(r#"{"stringValue":""}"#, json!("")),
        ok(r#"{"stringValue":"a\u0000b"}"#, json!("a\u{0}b")),
        ok(r#"{"arrayValue":{}}"#, json!([])),
        ok(r#"{"arrayValue":{"values":null}}"#, json!([])),
        ok(r#"{"arrayValue":{"values":[{"intValue":1},null,{}]}}"#, json!([1, null])),
        ok(r#"{"kvlistValue":{}}"#, json!({})),
        ok(r#"{"kvlistValue":{"values":[{"key":"a","value":{"intValue":"1"}}]}}"#, json!({"a": 1})),
        ok("{}", Value::Null),
        ok("null", Value::Null),
        ok(r#"{"stringValue":"x","intValue":7}"#, json!(7)),
        ok(r#"{"intValue":1,"intValue":2}"#, json!(2)),
        ok(r#"{"unknown":[{"a":[]}],"intValue":1}"#, json!(1)),
        bad(r#"{"intValue":"abc"}"#, "number"),
        bad(r#"{"intValue":1.5}"#, "number"),
        bad(r#"{"intValue":9223372036854775808}"#, "number"),
        bad(r#"{"intValue":""}"#, "number"),
        bad(r#"{"doubleValue":"x"}"#, "number"),
        bad(r#"{"bytesValue":"*"}"#, "type"),
        bad(r#"{"stringValue":5}"#, "type"),
        bad(r#"{"arrayValue":[]}"#, "type"),
    ];
    for bytes in ["//79", "__79", "-_8", "_-8="] {
        let expect = if bytes.len() == 4 && bytes.ends_with('9') {
            "//79"
        } else if bytes.starts_with('-') {
            "+/8="
        } else {
            "/+8="
        };
        cases.push(ok(&format!(r#"{{"bytesValue":"{bytes}"}}"#), json!(expect)));
    }
    let warned = |value: &str, expect: Value, part| (attribute(value), Warned("/attributes/k", expect, part));
    cases.extend([
        warned(r#"{"string_value":"x"}"#, json!("x"), "lowerCamelCase"),
        warned(r#"{"stringValue":"\ud83d"}"#, json!("\u{fffd}"), "UTF-8"),
        warned(r#"{"stringValueStrindex":3}"#, Value::Null, "string table"),
    ]);
    let record = |text: &str, pointer, expect| (text.to_owned(), Stored(pointer, expect));
    let warned = |text: &str, pointer, expect, part| (text.to_owned(), Warned(pointer, expect, part));
    cases.extend([
        record(&format!(r#"{{"traceId":"{}"}}"#, TRACE.to_uppercase()), "/trace_id", json!(TRACE)),
        record(r#"{"spanId":"EEE19B7EC3C1B174"}"#, "/span_id", json!("eee19b7ec3c1b174")),
        record(r#"{"traceId":"","spanId":null}"#, "/trace_id", Value::Null),
        record(r#"{"traceId":"00000000000000000000000000000000"}"#, "/trace_id", Value::Null),
        warned(r#"{"traceId":"abc"}"#, "/trace_id", Value::Null, "id"),
        warned(r#"{"traceId":"W47/95gDgQPSabYzgT/GDA=="}"#, "/trace_id", json!(TRACE), "base64"),
        warned(r#"{"spanId":"7uGbfsPBsXQ="}"#, "/span_id", json!("eee19b7ec3c1b174"), "base64"),
        record(r#"{"severityNumber":9}"#, "/severity_number", json!(9)),
        record(r#"{"severityNumber":99}"#, "/severity_number", json!(99)),
        warned(r#"{"severityNumber":"SEVERITY_NUMBER_ERROR"}"#, "/severity_number", json!(17), "enum"),
        (r#"{"severityNumber":"ERROR"}"#.to_owned(), Rejected("enum")),
        record(r#"{"flags":"1"}"#, "/flags", json!(1)),
        record(r#"{"droppedAttributesCount":"3"}"#, "/dropped_attributes_count", json!(3)),
        record(r#"{"body":{"stringValue":"text"}}"#, "/body", json!("text")),
        record(r#"{"body":{"intValue":"5"}}"#, "/body", json!(5)),
        record(
            r#"{"body":{"kvlistValue":{"values":[{"key":"a","value":{"boolValue":true}}]}}}"#,
            "/body",
            json!({"a": true}),
        ),
        record(r#"{"body":{}}"#, "/body", Value::Null),
        record(r#"{"eventName":"deploy"}"#, "/event_name", json!("deploy")),
        record(r#"{"attributes":[{"key":"","value":{"intValue":1}}]}"#, "/attributes/", json!(1)),
        record(r#"{"attributes":null,"body":null}"#, "/attributes", json!({})),
        record(r#"{"other":{"deep":[[[{}]]]},"body":{"stringValue":"b"}}"#, "/body", json!("b")),
        (r#"{"timeUnixNano":"x"}"#.to_owned(), Rejected("number")),
        (r#"{"timeUnixNano":"-1"}"#.to_owned(), Rejected("number")),
        (r#"{"timeUnixNano":"9223372036854775808"}"#.to_owned(), Rejected("2262")),
        (r#"{"body":5}"#.to_owned(), Rejected("type")),
    ]);
    cases
}

#[tokio::test]
async fn values_and_log_records() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let mut table = Table::new("J logs");
    let mut warned = BTreeSet::new();
    for (number, (record, becomes)) in log_cases().iter().enumerate() {
        let service = format!("case-{number}");
        let fetch = async || {
            let answer: Value = client.get_json(&format!("/api/v1/logs?query=service.name:{service}")).await?;
            Ok(answer["logs"][0].clone())
        };
        table.note(
            record,
            case(&server, "/v1/logs", log_request(&service, record), (becomes, &mut warned), fetch).await,
        );
    }
    table.finish()
}

fn span_cases() -> Vec<(String, Becomes)> {
    let with = |members: &str, becomes| (format!("{{{IDS},{members}}}"), becomes);
    let deep = r#"{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{"bytesValue":"AQ=="}]}}}]}}"#;
    vec![
        with(r#""kind":2"#, Stored("/kind", json!(2))),
        with(r#""kind":"SPAN_KIND_SERVER""#, Warned("/kind", json!(2), "enum")),
        with(r#""kind":99"#, Stored("/kind", json!(99))),
        with(r#""kind":"SERVER""#, Rejected("enum")),
        with(r#""status":{"code":2,"message":"m"}"#, Stored("/status/message", json!("m"))),
        with(r#""status":{"code":7}"#, Stored("/status/code", json!(7))),
        with(r#""parentSpanId":"""#, Stored("/parent_span_id", Value::Null)),
        with(r#""parentSpanId":null"#, Stored("/parent_span_id", Value::Null)),
        with(r#""parentSpanId":"0000000000000000""#, Stored("/parent_span_id", Value::Null)),
        with(r#""parentSpanId":"eee19b7ec3c1b175""#, Stored("/parent_span_id", json!("eee19b7ec3c1b175"))),
        with(r#""flags":257"#, Stored("/flags", json!(257))),
        with(r#""traceState":"a=b""#, Stored("/trace_state", json!("a=b"))),
        with(r#""startTimeUnixNano":"10","endTimeUnixNano":"7""#, Stored("/end_time_unix_nano", json!("7"))),
        with(r#""startTimeUnixNano":10"#, Stored("/start_time_unix_nano", json!("10"))),
        with(
            r#""links":[{"traceId":"xyz","spanId":"eee19b7ec3c1b175"}]"#,
            Warned("/links/0/span_id", json!("eee19b7ec3c1b175"), "id"),
        ),
        with(
            r#""links":[{"traceId":"5b8efff798038103d269b633813fc60d","spanId":"eee19b7ec3c1b175","flags":"257"}]"#,
            Stored("/links/0/flags", json!(257)),
        ),
        with(
            r#""events":[{"timeUnixNano":"5","name":"e","attributes":[{"key":"k","value":{"intValue":"1"}}]}]"#,
            Stored("/events/0/attributes/k", json!(1)),
        ),
        with(r#""events":null,"links":null,"status":null,"attributes":null"#, Stored("/name", json!(""))),
        with(
            &format!(r#""attributes":[{{"key":"k","value":{deep}}}]"#),
            Stored("/attributes/k", json!({"a": ["AQ=="]})),
        ),
        with(r#""droppedEventsCount":"3","droppedLinksCount":4"#, Stored("/dropped_links_count", json!(4))),
        with(r#""name":5"#, Rejected("type")),
        with(r#""events":{}"#, Rejected("type")),
        with(r#""startTimeUnixNano":"-1""#, Rejected("number")),
        with(r#""startTimeUnixNano":"9223372036854775808""#, Rejected("2262")),
        (r#"{"traceId":"5b8e","spanId":"eee19b7ec3c1b174"}"#.to_owned(), Rejected("trace id")),
        (r#"{"spanId":"eee19b7ec3c1b174"}"#.to_owned(), Rejected("trace id")),
        (format!(r#"{{"traceId":"{TRACE}"}}"#), Rejected("span id")),
        (format!(r#"{{"traceId":"{TRACE}","spanId":"0000000000000000"}}"#), Rejected("span id")),
        (format!(r#"{{"traceId":"{}","spanId":"eee19b7ec3c1b174"}}"#, "0".repeat(32)), Rejected("trace id")),
        (
            r#"{"traceId":"W47/95gDgQPSabYzgT/GDA==","spanId":"7uGbfsPBsXQ="}"#.to_owned(),
            Warned("/trace_id", json!(TRACE), "base64"),
        ),
        (
            format!(r#"{{"trace_id":"{TRACE}","span_id":"eee19b7ec3c1b174","start_time_unix_nano":"5"}}"#),
            Warned("/start_time_unix_nano", json!("5"), "lowerCamelCase"),
        ),
    ]
}

#[tokio::test]
async fn spans_events_and_links() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let mut table = Table::new("J spans");
    let mut warned = BTreeSet::new();
    for (number, (span, becomes)) in span_cases().iter().enumerate() {
        let service = format!("case-{number}");
        let fetch = async || {
            let answer: Value = client.get_json(&format!("/api/v1/traces/{TRACE}")).await?;
            let of_case = |span: &&Value| span["resource"]["attributes"]["service.name"] == service.as_str();
            Ok(answer["spans"].as_array().and_then(|spans| spans.iter().find(of_case)).cloned().unwrap_or_default())
        };
        table
            .note(span, case(&server, "/v1/traces", span_request(&service, span), (becomes, &mut warned), fetch).await);
    }
    table.finish()
}

fn point_cases() -> Vec<(String, Becomes)> {
    let gauge = |point: &str| format!(r#"{{"name":"NAME","gauge":{{"dataPoints":[{point}]}}}}"#);
    let sum = |members: &str| {
        format!(r#"{{"name":"NAME","sum":{{{members},"dataPoints":[{{"timeUnixNano":"1","asInt":"5"}}]}}}}"#)
    };
    let histogram = |point: &str| {
        format!(
            r#"{{"name":"NAME","histogram":{{"aggregationTemporality":2,"dataPoints":[{{"timeUnixNano":"1",{point}}}]}}}}"#
        )
    };
    vec![
        (gauge(r#"{"timeUnixNano":"1","asInt":"5"}"#), Stored("/value_int", json!(5))),
        (gauge(r#"{"timeUnixNano":1,"asInt":5}"#), Stored("/value_int", json!(5))),
        (gauge(r#"{"timeUnixNano":"1","asDouble":1.5}"#), Stored("/value", json!(1.5))),
        (gauge(r#"{"timeUnixNano":"1","asDouble":"1.5"}"#), Stored("/value", json!(1.5))),
        (gauge(r#"{"timeUnixNano":"1","asDouble":null}"#), Warned("/value", json!("NaN"), "NaN")),
        (gauge(r#"{"timeUnixNano":"1","flags":1}"#), Stored("/value", Value::Null)),
        (gauge(r#"{"timeUnixNano":"1"}"#), Rejected("no value")),
        (gauge(r#"{"asInt":1}"#), Rejected("time")),
        (gauge(r#"{"timeUnixNano":"1","asInt":"x"}"#), Rejected("number")),
        (sum(r#""aggregationTemporality":2,"isMonotonic":true"#), Stored("/value_int", json!(5))),
        (sum(r#""aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA""#), Warned("/value_int", json!(5), "enum")),
        (sum(r#""isMonotonic":true"#), Rejected("temporality")),
        (
            histogram(r#""count":"3","sum":4.5,"bucketCounts":["1","2"],"explicitBounds":[1.0]"#),
            Stored("/count", json!(3)),
        ),
        (histogram(r#""count":3,"bucketCounts":[1,2],"explicitBounds":["1"]"#), Stored("/sum", Value::Null)),
        (histogram(r#""count":"3","bucketCounts":["3"],"explicitBounds":[1,2]"#), Rejected("bounds")),
        (histogram(r#""count":"3","bucketCounts":["1","1","1"],"explicitBounds":[2,1]"#), Rejected("increase")),
        (histogram(r#""count":"-1""#), Rejected("number")),
        (histogram(r#""count":"18446744073709551615""#), Stored("/count", json!(u64::MAX))),
        (
            histogram(r#""count":"9","bucketCounts":["1","2"],"explicitBounds":[1]"#),
            Warned("/count", json!(9), "buckets"),
        ),
    ]
}

#[tokio::test]
async fn points_of_every_kind() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let mut table = Table::new("J points");
    let mut warned = BTreeSet::new();
    for (number, (metric, becomes)) in point_cases().iter().enumerate() {
        let name = format!("case.{number}");
        let of = if metric.contains("histogram") { "histograms" } else { "points" };
        let fetch = async || {
            let answer = client.sql(&format!("select * from {of} where metric = '{name}'")).await?;
            let row = answer.rows.first().cloned().unwrap_or_default();
            let names = answer.columns.iter().map(|column| column.name.clone());
            Ok(Value::Object(names.zip(row).collect()))
        };
        let metric = metric.replace("NAME", &name);
        let body = format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{metric}]}}]}}]}}"#);
        table.note(&metric, case(&server, "/v1/metrics", body, (becomes, &mut warned), fetch).await);
    }
    table.finish()
}
