//! The rows of the OTLP/JSON mapping that producers get wrong, and what becomes of them.

use model::{Signal, Table};
use otlp::{Encoding, RejectReason, Warning};

use super::rows::{bytes, double, int, text};
use super::{ARRIVAL, batch, decode};

const SPAN_IDS: &str = r#""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174""#;

fn log(record: &str) -> String {
    format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}"#)
}

fn span(members: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{SPAN_IDS},{members}}}]}}]}}]}}"#)
}

fn gauge(point: &str) -> String {
    let metric = format!(r#"{{"name":"m","gauge":{{"dataPoints":[{point}]}}}}"#);
    format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{metric}]}}]}}]}}"#)
}

/// The attributes text of a log record with one attribute `k` of this AnyValue.
fn check_value(value: &str, expect: Result<&str, RejectReason>, warnings: &[Warning]) {
    let body = log(&format!(r#"{{"attributes":[{{"key":"k","value":{value}}}]}}"#));
    let (appended, batches) = decode(Signal::Logs, Encoding::Json, body.as_bytes()).expect("valid JSON");
    match expect {
        Ok(expect) => {
            let found = text(batch(&batches, Table::Logs), "attributes", 0);
            assert_eq!(found, Some(format!(r#"{{"k":{expect}}}"#)), "{value}");
        }
        Err(reason) => assert_eq!(appended.rejected, [(reason, 1)], "{value}"),
    }
    assert_eq!(appended.warnings, warnings, "{value}");
}

#[test]
fn values() {
    let ok = |value, expect| check_value(value, Ok(expect), &[]);
    let bad = |value, reason| check_value(value, Err(reason), &[]);
    ok(r#"{"intValue":"123"}"#, "123");
    ok(r#"{"intValue":123}"#, "123");
    ok(r#"{"intValue":"-9223372036854775808"}"#, "-9223372036854775808");
    ok(r#"{"intValue":9007199254740993}"#, "9007199254740993");
    ok(r#"{"intValue":1.0}"#, "1");
    ok(r#"{"intValue":"1e3"}"#, "1000");
    ok(r#"{"doubleValue":1}"#, "1.0");
    ok(r#"{"doubleValue":"1.5"}"#, "1.5");
    ok(r#"{"doubleValue":"NaN"}"#, r#"{"$double":"NaN"}"#);
    ok(r#"{"doubleValue":"-Infinity"}"#, r#"{"$double":"-Infinity"}"#);
    ok(r#"{"doubleValue":null}"#, "null");
    ok(r#"{"stringValue":""}"#, r#""""#);
    ok(r#"{"stringValue":"a\u0000b"}"#, r#""a\u0000b""#);
    ok(r#"{"boolValue":false}"#, "false");
    ok(r#"{"arrayValue":{}}"#, "[]");
    ok(r#"{"arrayValue":{"values":null}}"#, "[]");
    ok(r#"{"arrayValue":{"values":[{"intValue":1},null,{}]}}"#, "[1,null]");
    ok(r#"{"kvlistValue":{}}"#, "{}");
    ok(r#"{"kvlistValue":{"values":[{"value":{"intValue":1},"key":"a"},{"key":"a"}]}}"#, r#"{"a":1,"a":null}"#);
    ok(r#"{"kvlistValue":{"values":[{"key":"$b","value":{}}]}}"#, r#"{"$kvlist":{"$b":null}}"#);
    ok("{}", "null");
    ok("null", "null");
    ok(r#"{"stringValue":"x","intValue":7}"#, "7");
    ok(r#"{"intValue":1,"intValue":2,"other":[{}]}"#, "2");
    for text in ["//79", "__79"] {
        check_value(&format!(r#"{{"bytesValue":"{text}"}}"#), Ok(r#"{"$bytes":"//79"}"#), &[]);
    }
    ok(r#"{"bytesValue":"AQ"}"#, r#"{"$bytes":"AQ=="}"#);
    check_value(r#"{"string_value":"x"}"#, Ok(r#""x""#), &[Warning::SnakeCaseKey]);
    check_value(r#"{"stringValue":"\ud83d"}"#, Ok("\"\u{fffd}\""), &[Warning::TextReplaced]);
    check_value(r#"{"stringValueStrindex":3}"#, Ok("null"), &[Warning::StringIndex]);
    bad(r#"{"intValue":"abc"}"#, RejectReason::InvalidNumber);
    bad(r#"{"intValue":1.5}"#, RejectReason::InvalidNumber);
    bad(r#"{"intValue":9223372036854775808}"#, RejectReason::InvalidNumber);
    bad(r#"{"intValue":""}"#, RejectReason::InvalidNumber);
    bad(r#"{"doubleValue":"x"}"#, RejectReason::InvalidNumber);
    bad(r#"{"bytesValue":"*"}"#, RejectReason::InvalidValue);
    bad(r#"{"stringValue":5}"#, RejectReason::InvalidValue);
    bad(r#"{"arrayValue":[]}"#, RejectReason::InvalidValue);
    bad(r#""bare""#, RejectReason::InvalidValue);
}

#[test]
fn log_records() {
    let check = |record: &str, column: &str, expect: Option<&str>, warnings: &[Warning]| {
        let (appended, batches) = decode(Signal::Logs, Encoding::Json, log(record).as_bytes()).expect("valid JSON");
        let batch = batch(&batches, Table::Logs);
        let found = match column {
            "trace_id" | "span_id" => bytes(batch, column, 0).map(|id| format!("{id:02x?}").replace(", ", "")),
            "body" | "attributes" | "severity_text" | "event_name" | "service_name" => text(batch, column, 0),
            _ => int(batch, column, 0).map(|value| value.to_string()),
        };
        assert_eq!(found.as_deref(), expect, "{record} {column}");
        assert_eq!(appended.warnings, warnings, "{record}");
    };
    let arrival = ARRIVAL.to_string();
    check("{}", "time", Some(&arrival), &[]);
    check("{}", "service_name", Some("unknown_service"), &[]);
    check("{}", "body", None, &[]);
    check("{}", "body_type", None, &[]);
    check(r#"{"body":{}}"#, "body_type", Some("7"), &[]);
    check(r#"{"body":null}"#, "body_type", None, &[]);
    check(r#"{"body":{"stringValue":"a\"b"}}"#, "body", Some("a\"b"), &[]);
    check(r#"{"body":{"stringValue":""}}"#, "body", Some(""), &[]);
    check(r#"{"body":{"intValue":7}}"#, "body", Some("7"), &[]);
    check(r#"{"body":{"intValue":7}}"#, "body_type", Some("2"), &[]);
    check(r#"{"body":{"arrayValue":{"values":[{"stringValue":"x"}]}}}"#, "body", Some(r#"["x"]"#), &[]);
    check(r#"{"timeUnixNano":"5"}"#, "time", Some("5"), &[]);
    check(r#"{"observedTimeUnixNano":6}"#, "time", Some("6"), &[]);
    check(r#"{"observedTimeUnixNano":6,"timeUnixNano":5}"#, "observed_time", Some("6"), &[]);
    check(r#"{"time_unix_nano":1.5447e18}"#, "time", Some("1544700000000000000"), &[Warning::SnakeCaseKey]);
    check(r#"{"severityNumber":9}"#, "severity_number", Some("9"), &[]);
    check(r#"{"severityNumber":99}"#, "severity_number", Some("99"), &[]);
    check(r#"{"severityNumber":"SEVERITY_NUMBER_ERROR"}"#, "severity_number", Some("17"), &[Warning::EnumName]);
    check(r#"{"flags":"1","droppedAttributesCount":"3"}"#, "flags", Some("1"), &[]);
    check(r#"{"flags":"1","droppedAttributesCount":"3"}"#, "dropped_attributes_count", Some("3"), &[]);
    check(r#"{"traceId":null,"spanId":"","attributes":null}"#, "trace_id", None, &[]);
    check(r#"{"traceId":"abc"}"#, "trace_id", None, &[Warning::IdDropped]);
    // Eleven bytes in hex, found by fuzzing: as long as sixteen in base64 without padding.
    check(r#"{"traceId":"F402FAFB050607082A0161"}"#, "trace_id", None, &[Warning::IdDropped]);
    check(r#"{"spanId":"7uGbfsPBsXQ="}"#, "span_id", Some("[eee19b7ec3c1b174]"), &[Warning::Base64Id]);
    check(r#"{"spanId":"EEE19B7EC3C1B174"}"#, "span_id", Some("[eee19b7ec3c1b174]"), &[]);
    check(r#"{"attributes":[null,{"value":{"intValue":1}},{}]}"#, "attributes", Some(r#"{"":1,"":null}"#), &[]);
    check(r#"{"unknown":{"deep":[[[{}]]]},"other_thing":1}"#, "body", None, &[]);
}

#[test]
fn spans() {
    let check = |members: &str, expect: Result<(&str, Option<i64>), RejectReason>| {
        let body = span(members);
        let (appended, batches) = decode(Signal::Traces, Encoding::Json, body.as_bytes()).expect("valid JSON");
        match expect {
            Ok((column, expect)) => assert_eq!(int(batch(&batches, Table::Spans), column, 0), expect, "{members}"),
            Err(reason) => assert_eq!((appended.rejected, appended.stored), (vec![(reason, 1)], 0), "{members}"),
        }
    };
    check(r#""kind":2"#, Ok(("kind", Some(2))));
    check(r#""kind":"SPAN_KIND_SERVER""#, Ok(("kind", Some(2))));
    check(r#""kind":99"#, Ok(("kind", Some(99))));
    check(r#""kind":"SERVER""#, Err(RejectReason::InvalidEnum));
    check(r#""status":{"code":"STATUS_CODE_ERROR"}"#, Ok(("status_code", Some(2))));
    check(r#""startTimeUnixNano":"10","endTimeUnixNano":"7""#, Ok(("duration_nanos", Some(-3))));
    check(r#""endTimeUnixNano":"7""#, Ok(("start_time", Some(ARRIVAL))));
    check(r#""startTimeUnixNano":"-1""#, Err(RejectReason::InvalidNumber));
    check(r#""startTimeUnixNano":"9223372036854775808""#, Err(RejectReason::TimeOutOfRange));
    check(r#""traceId":"00000000000000000000000000000000""#, Err(RejectReason::InvalidTraceId));
    check(r#""traceId":"5b8e""#, Err(RejectReason::InvalidTraceId));
    check(r#""spanId":null"#, Err(RejectReason::InvalidSpanId));
    check(r#""name":5"#, Err(RejectReason::InvalidValue));
    check(r#""events":{}"#, Err(RejectReason::InvalidValue));
    check(r#""events":[5]"#, Err(RejectReason::InvalidValue));
    check(r#""parentSpanId":null,"links":null,"status":null"#, Ok(("status_code", None)));
    check(r#""parentSpanId":"xyz""#, Ok(("kind", None)));
}

#[test]
fn points() {
    let check = |point: &str, expect: Result<(Option<f64>, Option<i64>), RejectReason>| {
        let body = gauge(point);
        let (appended, batches) = decode(Signal::Metrics, Encoding::Json, body.as_bytes()).expect("valid JSON");
        match expect {
            Ok(expect) => {
                let points = batch(&batches, Table::Points);
                let found = (double(points, "value", 0), int(points, "value_int", 0));
                assert_eq!(format!("{found:?}"), format!("{expect:?}"), "{point}");
            }
            Err(reason) => assert_eq!(appended.rejected, [(reason, 1)], "{point}"),
        }
    };
    check(r#"{"timeUnixNano":"1","asInt":"5"}"#, Ok((None, Some(5))));
    check(r#"{"timeUnixNano":"1","asInt":5}"#, Ok((None, Some(5))));
    check(r#"{"timeUnixNano":"1","asDouble":"1.5"}"#, Ok((Some(1.5), None)));
    check(r#"{"timeUnixNano":"1","asDouble":null}"#, Ok((Some(f64::NAN), None)));
    check(r#"{"timeUnixNano":"1","asDouble":"NaN"}"#, Ok((Some(f64::NAN), None)));
    check(r#"{"timeUnixNano":"1","flags":1}"#, Ok((None, None)));
    check(r#"{"timeUnixNano":"1"}"#, Err(RejectReason::ValueMissing));
    check(r#"{"asInt":1}"#, Err(RejectReason::TimeMissing));
    check(r#"{"timeUnixNano":"1","asInt":"x"}"#, Err(RejectReason::InvalidNumber));
    check("5", Err(RejectReason::InvalidValue));
}

#[test]
fn what_is_no_request_is_refused() {
    let check = |body: &[u8], valid: bool| {
        for signal in Signal::ALL {
            let found = decode(signal, Encoding::Json, body).is_ok();
            assert_eq!(found, valid, "{signal} {}", String::from_utf8_lossy(body));
        }
    };
    check(b"{}", true);
    check(b" \n{} \n", true);
    check(b"\xef\xbb\xbf{}", true);
    check(br#"{"resourceSpans":[],"resourceLogs":null,"resourceMetrics":[null]}"#, true);
    check(
        br#"{"resourceSpans":[{}],"resourceLogs":[{"scopeLogs":null}],"resourceMetrics":[{"scopeMetrics":[{}]}]}"#,
        true,
    );
    check(br#"{"resource_spans":[{"instrumentationLibrarySpans":[{"spans":[{}]}]}]}"#, true);
    for body in ["", "1234", "[]", "{", "null", "{} x", "{}{}", "{\"a\":}", "{\"a\" 1}", "{\"a\":1,}"] {
        check(body.as_bytes(), false);
    }
    let levels = br#"{"resourceSpans":[5],"resourceLogs":{"a":1},"resourceMetrics":[{"scopeMetrics":[[]]}]}"#;
    check(levels, false);
}

#[test]
fn a_poisoned_record_costs_itself() {
    let records: Vec<String> = (0..1000)
        .map(|number| match number {
            500 => r#"{"body":{"stringValue":"poison"},"timeUnixNano":"poison"}"#.into(),
            _ => format!(r#"{{"body":{{"stringValue":"{number}"}}}}"#),
        })
        .collect();
    let (appended, batches) =
        decode(Signal::Logs, Encoding::Json, log(&records.join(",")).as_bytes()).expect("valid JSON");
    assert_eq!((appended.received, appended.stored), (1000, 999));
    assert_eq!(appended.rejected, [(RejectReason::InvalidNumber, 1)]);
    assert_eq!(appended.message(), "1 rejected: a number is malformed or out of range");
    let bodies: Vec<_> = (0..999).map(|row| text(batch(&batches, Table::Logs), "body", row)).collect();
    assert!(bodies.iter().flatten().all(|body| body != "poison"));
    assert_eq!(bodies[500].as_deref(), Some("501"));
}
