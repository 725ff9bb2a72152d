//! Lines as real loggers print them, and the records they become.

use testkit::Message;
use testkit::proto::common::v1::{AnyValue, any_value::Value as Any};
use testkit::proto::logs::v1::{LogRecord, ScopeLogs};

use super::*;
use crate::tape::Tape;
use crate::{json, logfmt};

/// 2026-11-21T19:30:00Z.
const NOW: i64 = 1_795_289_400_000_000_000;
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// A value in short: texts in quotes, lists and objects in brackets.
pub(crate) fn show(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        None => "empty".to_owned(),
        Some(Any::StringValue(text)) => format!("'{text}'"),
        Some(Any::BoolValue(value)) => value.to_string(),
        Some(Any::IntValue(value)) => value.to_string(),
        Some(Any::DoubleValue(value)) => format!("{value:?}"),
        Some(Any::BytesValue(bytes)) => format!("{bytes:?}"),
        Some(Any::ArrayValue(list)) => {
            format!("[{}]", list.values.iter().map(|value| show(Some(value))).collect::<Vec<_>>().join(","))
        }
        Some(Any::KvlistValue(list)) => {
            let members = list.values.iter().map(|pair| format!("{}={}", pair.key, show(pair.value.as_ref())));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Some(other) => format!("{other:?}"),
    }
}

/// Attributes as `key=value`, apart from the stream's name.
pub(crate) fn attributes(record: &LogRecord) -> Vec<String> {
    let pairs = record.attributes.iter().filter(|pair| pair.key != "log.iostream");
    pairs.map(|pair| format!("{}={}", pair.key, show(pair.value.as_ref()))).collect()
}

/// The record that a draft is on the wire.
pub(crate) fn record(draft: &Draft) -> LogRecord {
    let mut bytes = Vec::new();
    draft.record.write(&mut bytes);
    let mut scope = ScopeLogs::decode(bytes.as_slice()).expect("valid protobuf");
    assert_eq!(scope.log_records.len(), 1);
    scope.log_records.remove(0)
}

fn mapped(line: &str, open: OpenService) -> Draft {
    let mut tape = Tape::default();
    assert!(json::read_object(line, &mut tape) || logfmt::read(line, &mut tape), "neither JSON nor logfmt: {line}");
    let mut draft = Draft::default();
    draft.begin(NOW, None);
    Mapper::new(open).map(Document { line, tape: &tape }, Clock { now: NOW, zone: 0 }, &mut draft);
    draft
}

/// What a line says: nanoseconds after `NOW` where it names a time, severity, body, and attributes.
fn check(line: &str, time: Option<i64>, severity: (i32, &str), body: &str, expect: &[&str]) {
    let draft = mapped(line, OpenService::default());
    let record = record(&draft);
    let found = (record.time_unix_nano > 0).then(|| record.time_unix_nano as i64 - NOW);
    assert_eq!(found, time, "time of {line}");
    assert_eq!((record.severity_number, record.severity_text.as_str()), severity, "severity of {line}");
    assert_eq!(show(record.body.as_ref()), body, "body of {line}");
    assert_eq!(attributes(&record), expect, "attributes of {line}");
}

const MILLI: i64 = 1_000_000;

#[test]
fn loggers_of_node() {
    // pino, with its defaults and with names for levels.
    check(
        r#"{"level":30,"time":1795289400250,"pid":1,"hostname":"vm","msg":"hi","user":{"id":7}}"#,
        Some(250 * MILLI),
        (9, "INFO"),
        "'hi'",
        &["pid=1", "hostname='vm'", "user={id=7}"],
    );
    check(r#"{"level":"warn","time":"2026-11-21T19:30:00.000Z","msg":"hi"}"#, Some(0), (13, "warn"), "'hi'", &[]);
    check(
        r#"{"level":35,"time":1795289400000,"err":{"type":"Error","message":"boom","stack":"Error: boom\n    at f (/x.js:1:2)"},"msg":"boom"}"#,
        Some(0),
        (11, "INFO"),
        "'boom'",
        &[
            "exception.type='Error'",
            "exception.message='boom'",
            "exception.stacktrace='Error: boom\n    at f (/x.js:1:2)'",
            "level=35",
        ],
    );
    // winston.
    check(
        r#"{"level":"http","message":"GET /","timestamp":"2026-11-21T19:30:00.000Z","user":1}"#,
        Some(0),
        (7, "http"),
        "'GET /'",
        &["user=1"],
    );
    check(
        r#"{"level":"error","message":"bad","stack":"TypeError: bad\n    at f (x.js:1:1)"}"#,
        None,
        (17, "error"),
        "'bad'",
        &[
            "exception.type='TypeError'",
            "exception.message='bad'",
            "exception.stacktrace='TypeError: bad\n    at f (x.js:1:1)'",
        ],
    );
    // bunyan: the logger's name is `name`.
    let bunyan = r#"{"name":"app","hostname":"vm","pid":1,"level":50,"err":{"message":"no","name":"Refused","stack":"s"},"msg":"bad","time":"2026-11-21T19:30:00.000Z","v":0}"#;
    check(
        bunyan,
        Some(0),
        (17, "ERROR"),
        "'bad'",
        &[
            "exception.type='Refused'",
            "exception.message='no'",
            "exception.stacktrace='s'",
            "hostname='vm'",
            "pid=1",
            "v=0",
        ],
    );
    assert_eq!(mapped(bunyan, OpenService::default()).scope, "app");
}

#[test]
fn loggers_of_python() {
    check(
        r#"{"asctime": "2026-11-21 19:30:00,716", "levelname": "WARNING", "name": "shop.cart", "message": "hi x", "lineno": 7, "threadName": "MainThread"}"#,
        Some(716 * MILLI),
        (13, "WARNING"),
        "'hi x'",
        &["code.line.number=7", "thread.name='MainThread'"],
    );
    check(r#"{"message": "only this", "ratio": NaN}"#, None, (0, ""), "'only this'", &["ratio=NaN"]);
    check(
        r#"{"message": "bad", "levelname": "ERROR", "exc_info": "Traceback (most recent call last):\n  File \"x\", line 1\nValueError: no"}"#,
        None,
        (17, "ERROR"),
        "'bad'",
        &[
            "exception.type='ValueError'",
            "exception.message='no'",
            "exception.stacktrace='Traceback (most recent call last):\n  File \"x\", line 1\nValueError: no'",
        ],
    );
    // structlog, plain and with exceptions as objects.
    check(
        r#"{"event": "placed", "level": "info", "timestamp": "2026-11-21T19:30:00Z", "logger": "shop", "items": [1, "two", null]}"#,
        Some(0),
        (9, "info"),
        "'placed'",
        &["items=[1,'two',empty]"],
    );
    check(
        r#"{"event": "bad", "level": "error", "exception": [{"exc_type": "KeyError", "exc_value": "'a'", "frames": []}]}"#,
        None,
        (17, "error"),
        "'bad'",
        &[
            "exception.type='KeyError'",
            "exception.message=''a''",
            "exception=[{exc_type='KeyError',exc_value=''a'',frames=[]}]",
        ],
    );
    // loguru.
    check(
        r#"{"text": "rendered\n", "record": {"level": {"icon": "x", "name": "SUCCESS", "no": 25}, "message": "done", "name": "app", "time": {"repr": "2026-11-21 19:30:00+00:00", "timestamp": 1795289400.25}, "extra": {"user": 7}, "line": 3, "function": "f"}}"#,
        Some(250 * MILLI),
        (9, "SUCCESS"),
        "'done'",
        &["code.line.number=3", "code.function.name='f'", "text='rendered\n'", "user=7"],
    );
    // Elastic's format: a flat key beside an object of the same name.
    check(
        r#"{"@timestamp":"2026-11-21T19:30:00.000Z","log.level":"info","message":"hi","log":{"logger":"root","origin":{"file":{"line":1,"name":"x.py"},"function":"f"},"original":"hi"},"ecs":{"version":"1.6.0"},"process":{"pid":3,"thread":{"name":"MainThread"}},"error":{"type":"E","message":"m","stack_trace":"s"}}"#,
        Some(0),
        (9, "info"),
        "'hi'",
        &[
            "code.file.path='x.py'",
            "code.line.number=1",
            "code.function.name='f'",
            "thread.name='MainThread'",
            "exception.type='E'",
            "exception.message='m'",
            "exception.stacktrace='s'",
            "log={original='hi'}",
            "ecs={version='1.6.0'}",
            "process={pid=3}",
        ],
    );
}

#[test]
fn loggers_of_go() {
    // zap, zerolog, logrus, slog.
    check(
        r#"{"level":"info","ts":1795289400.25,"caller":"a/b.go:12","msg":"up","port":8080}"#,
        Some(250 * MILLI),
        (9, "info"),
        "'up'",
        &["code.file.path='a/b.go'", "code.line.number=12", "port=8080"],
    );
    check(
        r#"{"level":"error","ts":1795289400.25,"msg":"bad","error":"disk full","stacktrace":"main.f\n\t/x.go:1"}"#,
        Some(250 * MILLI),
        (17, "error"),
        "'bad'",
        &["exception.message='disk full'", "exception.stacktrace='main.f\n\t/x.go:1'"],
    );
    check(
        r#"{"level":"error","error":"no","time":1795289400,"message":"bad"}"#,
        Some(0),
        (17, "error"),
        "'bad'",
        &["exception.message='no'"],
    );
    check(
        r#"{"level":"warning","msg":"slow","time":"2026-11-21T19:30:00Z","duration":1.5}"#,
        Some(0),
        (13, "warning"),
        "'slow'",
        &["duration=1.5"],
    );
    check(
        r#"{"time":"2026-11-21T20:30:00.25+01:00","level":"INFO+2","source":{"function":"main.f","file":"/x.go","line":3},"msg":"hi","req":{"id":1}}"#,
        Some(250 * MILLI),
        (11, "INFO+2"),
        "'hi'",
        &["code.file.path='/x.go'", "code.line.number=3", "code.function.name='main.f'", "req={id=1}"],
    );
    check(
        r#"time="2026-11-21T19:30:00Z" level=warning msg="a walrus appears" animal=walrus size=10"#,
        Some(0),
        (13, "warning"),
        "'a walrus appears'",
        &["animal='walrus'", "size=10"],
    );
    check(
        r#"ts=2026-11-21T19:30:00.250Z caller=main.go:12 level=info component=tsdb msg="Head GC completed" duration=1.5ms"#,
        Some(250 * MILLI),
        (9, "info"),
        "'Head GC completed'",
        &["code.file.path='main.go'", "code.line.number=12", "component='tsdb'", "duration='1.5ms'"],
    );
    check(
        "at=info method=GET path=/ status=200",
        None,
        (0, ""),
        "empty",
        &["at='info'", "method='GET'", "path='/'", "status=200"],
    );
}

#[test]
fn loggers_of_java_and_dotnet() {
    check(
        r#"{"@timestamp":"2026-11-21T19:30:00.250+00:00","@version":"1","message":"hi","logger_name":"c.e.Shop","thread_name":"main","level":"INFO","level_value":20000,"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","stack_trace":"java.lang.IllegalStateException: no\n\tat c.e.Shop.f(Shop.java:1)"}"#,
        Some(250 * MILLI),
        (9, "INFO"),
        "'hi'",
        &[
            "thread.name='main'",
            "exception.type='java.lang.IllegalStateException'",
            "exception.message='no'",
            "exception.stacktrace='java.lang.IllegalStateException: no\n\tat c.e.Shop.f(Shop.java:1)'",
            "@version='1'",
            "level_value=20000",
        ],
    );
    check(
        r#"{"instant":{"epochSecond":1795289400,"nanoOfSecond":250000000},"thread":"main","level":"WARN","loggerName":"c.e.Shop","message":"hi","thrown":{"name":"c.e.X","message":"m","extendedStackTrace":"s"},"contextMap":{"user":"mia","spanId":"00f067aa0ba902b7"}}"#,
        Some(250 * MILLI),
        (13, "WARN"),
        "'hi'",
        &["exception.type='c.e.X'", "exception.message='m'", "exception.stacktrace='s'", "thread='main'", "user='mia'"],
    );
    // Serilog's compact form.
    check(
        r#"{"@t":"2026-11-21T19:30:00.25Z","@mt":"Hello, {User} {Count:000} {{x}} {Gone}","User":"mia","Count":3,"@tr":"4bf92f3577b34da6a3ce929d0e0e4736","@sp":"00f067aa0ba902b7"}"#,
        Some(250 * MILLI),
        (9, "Information"),
        "'Hello, mia 3 {x}} {Gone}'",
        &["@mt='Hello, {User} {Count:000} {{x}} {Gone}'", "User='mia'", "Count=3"],
    );
    check(
        r#"{"@t":"2026-11-21T19:30:00Z","@m":"bad","@l":"Fatal","@x":"System.InvalidOperationException: no\n   at X"}"#,
        Some(0),
        (21, "Fatal"),
        "'bad'",
        &[
            "exception.type='System.InvalidOperationException'",
            "exception.message='no'",
            "exception.stacktrace='System.InvalidOperationException: no\n   at X'",
        ],
    );
    // The console formatter of .NET.
    check(
        r#"{"Timestamp":"2026-11-21T19:30:00Z","EventId":14,"LogLevel":"Information","Category":"Microsoft.Hosting","Message":"up","State":{"address":"http://x"}}"#,
        Some(0),
        (9, "Information"),
        "'up'",
        &["EventId=14", "State={address='http://x'}"],
    );
}

#[test]
fn other_loggers() {
    // tracing in Rust.
    check(
        r#"{"timestamp":"2026-11-21T19:30:00.250000Z","level":"WARN","fields":{"message":"hello","user":7,"nan":null},"target":"app::cart","span":{"name":"req","id":3},"spans":[{"name":"req"}]}"#,
        Some(250 * MILLI),
        (13, "WARN"),
        "'hello'",
        &["user=7", "nan=empty", "span={name='req',id=3}", "spans=[{name='req'}]"],
    );
    // Google Cloud.
    check(
        r#"{"severity":"CRITICAL","message":"hi","timestamp":{"seconds":1795289400,"nanos":250000000},"logging.googleapis.com/trace":"projects/p/traces/4bf92f3577b34da6a3ce929d0e0e4736","logging.googleapis.com/spanId":"00f067aa0ba902b7","logging.googleapis.com/trace_sampled":true,"logging.googleapis.com/labels":{"a":"b"},"serviceContext":{"service":"shop","version":"3"}}"#,
        Some(250 * MILLI),
        (21, "CRITICAL"),
        "'hi'",
        &["logging.googleapis.com/labels={a='b'}"],
    );
    check(
        r#"{"timestampSeconds":1795289400,"timestampNanos":250000000,"severity":500,"message":"hi"}"#,
        Some(250 * MILLI),
        (17, "ERROR"),
        "'hi'",
        &["timestampNanos=250000000"],
    );
    // MongoDB.
    check(
        r#"{"t":{"$date":"2026-11-21T19:30:00.250+00:00"},"s":"I","c":"NETWORK","id":22943,"ctx":"listener","msg":"Connection accepted","attr":{"remote":"10.0.0.1"}}"#,
        Some(250 * MILLI),
        (9, "I"),
        "'Connection accepted'",
        &["c='NETWORK'", "id=22943", "ctx='listener'", "attr={remote='10.0.0.1'}"],
    );
    // GELF, Monolog, journald.
    check(
        r#"{"version":"1.1","host":"vm","short_message":"bad","full_message":"bad\nmore","timestamp":1795289400.25,"level":3,"_user":"mia"}"#,
        Some(250 * MILLI),
        (17, "ERROR"),
        "'bad'",
        &["version='1.1'", "host='vm'", "full_message='bad\nmore'", "_user='mia'"],
    );
    check(
        r#"{"message":"bad","context":{"order":7},"level":400,"level_name":"ERROR","channel":"app","datetime":"2026-11-21T19:30:00.250000+00:00","extra":{"message":"other"}}"#,
        Some(250 * MILLI),
        (17, "ERROR"),
        "'bad'",
        &["order=7", "level=400", "extra.message='other'"],
    );
    check(
        r#"{"__REALTIME_TIMESTAMP":"1795289400250000","PRIORITY":"4","MESSAGE":"hot","_PID":"7"}"#,
        Some(250 * MILLI),
        (13, "WARN"),
        "'hot'",
        &["_PID='7'"],
    );
    // Envoy and nginx as people set them up: no message at all, and a duration that is called time.
    check(
        r#"{"start_time":"2026-11-21T19:30:00.250Z","method":"GET","response_code":503,"time":0.25}"#,
        Some(250 * MILLI),
        (0, ""),
        "empty",
        &["method='GET'", "response_code=503", "time=0.25"],
    );
}

#[test]
fn values_that_do_not_fit_stay_attributes() {
    check(r#"{"level":"deep","msg":"x"}"#, None, (0, ""), "'x'", &["level='deep'"]);
    check(r#"{"level":3,"msg":"x"}"#, None, (0, ""), "'x'", &["level=3"]);
    check(r#"{"time":"soon","ts":"2026-11-21T19:30:00Z","msg":"x"}"#, Some(0), (0, ""), "'x'", &["time='soon'"]);
    check(r#"{"msg":{"a":[1]},"name":"Bob","s":"small"}"#, None, (0, ""), "{a=[1]}", &["name='Bob'", "s='small'"]);
    check(r#"{"msg":null,"event":7}"#, None, (0, ""), "empty", &["msg=empty", "event=7"]);
    check(r#"{"msg":"","message":7}"#, None, (0, ""), "7", &["msg=''"]);
    check(r#"{"trace_id":"a","msg":"x"}"#, None, (0, ""), "'x'", &["trace_id='a'"]);
    check(r#"{"a":1,"a":2,"msg":"x"}"#, None, (0, ""), "'x'", &["a=1", "a=2"]);
    check(r#"{"severity_number":18,"severity_text":"ERROR2","msg":"x"}"#, None, (18, "ERROR2"), "'x'", &[]);
}

#[test]
fn ids_and_flags() {
    let both = Some((TRACE, SPAN));
    let check = |line: &str, expect: Option<(&str, &str)>, flags: u8, attributes_left: usize| {
        let draft = mapped(line, OpenService::default());
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let found =
            draft.record.trace_id.map(|id| (hex(&id), draft.record.span_id.map(|id| hex(&id)).unwrap_or_default()));
        let found = found.as_ref().map(|(trace, span)| (trace.as_str(), span.as_str()));
        assert_eq!((found, draft.record.flags), (expect, flags), "{line}");
        assert_eq!(attributes(&record(&draft)).len(), attributes_left, "{line}");
    };
    for (trace, span) in [
        ("trace_id", "span_id"),
        ("traceId", "spanId"),
        ("traceID", "spanID"),
        ("TraceId", "SpanId"),
        ("trace.id", "span.id"),
        ("otelTraceID", "otelSpanID"),
        ("@tr", "@sp"),
        ("x_b3_traceid", "X-B3-SpanId"),
    ] {
        check(&format!(r#"{{"msg":"x","{trace}":"{TRACE}","{span}":"{SPAN}"}}"#), both, 0, 0);
    }
    check(&format!(r#"{{"trace":{{"id":"{TRACE}"}},"span":{{"id":"{SPAN}"}}}}"#), both, 0, 0);
    check(&format!(r#"{{"mdc":{{"traceId":"{TRACE}","spanId":"{SPAN}","user":"x"}}}}"#), both, 0, 1);
    check(&format!(r#"{{"otelTraceID":"{TRACE}","otelSpanID":"{SPAN}","otelTraceSampled":true}}"#), both, 1, 0);
    check(&format!(r#"{{"trace_id":"{TRACE}","span_id":"{SPAN}","trace_flags":"01"}}"#), both, 1, 0);
    check(&format!(r#"{{"traceparent":"00-{TRACE}-{SPAN}-01"}}"#), both, 1, 0);
    check(
        r#"{"dd.trace_id":"255","dd.span_id":16}"#,
        Some(("000000000000000000000000000000ff", "0000000000000010")),
        0,
        0,
    );
    check(
        r#"{"dd":{"trace_id":"255","span_id":"16","env":"x"}}"#,
        Some(("000000000000000000000000000000ff", "0000000000000010")),
        0,
        0,
    );
    check(r#"{"trace_id":"00000000000000000000000000000000","span_id":"0000000000000000"}"#, None, 0, 0);
    check(r#"{"trace_id":"","span_id":"0"}"#, None, 0, 0);
    check(&format!("level=info msg=x trace_id={TRACE} span_id={SPAN}"), both, 0, 0);
}

#[test]
fn a_line_names_its_service_where_that_is_open() {
    let check = |line: &str, open: OpenService, expect: (&str, &str, &str), left: &[&str]| {
        let draft = mapped(line, open);
        let service = &draft.service;
        assert_eq!((service.name.as_str(), service.version.as_str(), service.environment.as_str()), expect, "{line}");
        assert_eq!(attributes(&record(&draft)), left, "{line}");
    };
    let all = OpenService::default();
    check(
        r#"{"msg":"x","service_name":"cart","service_version":"1.2","environment":"prod"}"#,
        all,
        ("cart", "1.2", "prod"),
        &[],
    );
    check(
        r#"{"msg":"x","service.name":"cart","service.version":"1.2","deployment.environment.name":"prod"}"#,
        all,
        ("cart", "1.2", "prod"),
        &[],
    );
    check(
        r#"{"msg":"x","service":{"name":"cart","version":"1.2","id":7}}"#,
        all,
        ("cart", "1.2", ""),
        &["service={id=7}"],
    );
    check(r#"{"msg":"x","service":"cart","env":"prod"}"#, all, ("cart", "", "prod"), &[]);
    check(
        r#"{"msg":"x","service_name":"cart","service_version":"1.2"}"#,
        OpenService { name: false, ..all },
        ("", "1.2", ""),
        &["service_name='cart'"],
    );
}
