//! Bytes in, messages out; messages in, records out.

use otlp_wire::{Fields, Value};

use super::*;

/// 2026-11-24T10:00:00Z.
const NOW: i64 = 1_795_514_400_000_000_000;

fn cut(chunks: &[&[u8]], max: usize) -> Vec<String> {
    let mut framing = Framing::new(max);
    let mut found = Vec::new();
    let mut feed = |message: Message<'_>| {
        let mark = if message.is_cut { "…" } else { "" };
        found.push(String::from_utf8_lossy(message.bytes).into_owned() + mark);
    };
    for chunk in chunks {
        framing.take(chunk, &mut feed);
        assert!(framing.pending_bytes() <= 2 * max + LENGTH, "bounded");
    }
    framing.end(&mut feed);
    found
}

const LENGTH: usize = 10;

#[test]
fn streams_are_cut_into_messages() {
    let check = |stream: &[u8], max: usize, expect: &[&str]| {
        assert_eq!(cut(&[stream], max), expect, "{:?}", String::from_utf8_lossy(stream));
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(cut(&bytes, max), expect, "byte by byte: {:?}", String::from_utf8_lossy(stream));
    };
    check(b"", 100, &[]);
    check(b"<1>a\n<1>b\r\n\n<1>c", 100, &["<1>a", "<1>b\r", "<1>c"]);
    check(b"5 <1>a\n6 <1>b\nc4 <1>d\n", 100, &["<1>a\n", "<1>b\nc", "<1>d"]);
    check(b"4 <1>a\n<1>line\n4 <1>b", 100, &["<1>a", "<1>line", "<1>b"]);
    check(b"<1>a\0<1>b\n", 100, &["<1>a\0<1>b"]);
    check(b"12 words are no length\n", 30, &["words are no", " length"]);
    check(b"0 a\n123: x\n", 100, &["0 a", "123: x"]);
    check(b"1234567890 x\n", 100, &["1234567890 x"]);
    check(b"<1>toolong\n<1>b\n", 5, &["<1>to…", "<1>b"]);
    check(b"10 <1>toolong4 <1>b", 5, &["<1>to…", "<1>b"]);
    check(b"999999999 <1>toolong", 5, &["<1>to…"]);
    check(b"9 <1>a", 100, &["<1>a…"]);
}

/// What is looked at of a record, shown.
fn record(message: &[u8]) -> String {
    let mut batch = Batch::new(1 << 20);
    batch.add(Message::whole(message), NOW).expect("room");
    assert_eq!(batch.records(), 1);
    let request = batch.finish().request;
    let mut shown = Vec::new();
    show(&request, "", &mut shown);
    shown.join(" ")
}

fn show(message: &[u8], path: &str, shown: &mut Vec<String>) {
    let mut fields = Fields(message);
    while let Some((number, value)) = fields.field().expect("a message") {
        let path = if path.is_empty() { number.to_string() } else { format!("{path}.{number}") };
        match (path.as_str(), value) {
            ("1" | "1.1" | "1.2" | "1.2.2", Value::Bytes(inner)) => show(inner, &path, shown),
            ("1.1.1" | "1.2.2.6", Value::Bytes(pair)) => {
                let mut inner = Fields(pair);
                let (Ok(Some((1, Value::Bytes(key)))), Ok(Some((2, Value::Bytes(value))))) =
                    (inner.field(), inner.field())
                else {
                    panic!("a pair")
                };
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                shown.push(format!("{}={}", text(key), text(&value[2..])));
            }
            ("1.2.2.1", Value::Fixed64(time)) => shown.push(format!("time={}", time / 1_000_000_000)),
            ("1.2.2.2", Value::Varint(number)) => shown.push(format!("severity={number}")),
            ("1.2.2.3", Value::Bytes(text)) => shown.push(format!("text={}", String::from_utf8_lossy(text))),
            ("1.2.2.5", Value::Bytes(body)) => shown.push(format!("body={}", String::from_utf8_lossy(&body[2..]))),
            ("1.2.2.8", Value::Fixed32(flags)) => shown.push(format!("flags={flags}")),
            ("1.2.2.9", Value::Bytes(id)) => shown.push(format!("trace={}", id.len())),
            ("1.2.2.10", Value::Bytes(id)) => shown.push(format!("span={}", id.len())),
            ("1.2.2.11", Value::Fixed64(time)) => assert_eq!(time, NOW as u64),
            (other, _) => panic!("field {other}"),
        }
    }
}

#[test]
fn rfc_5424() {
    let check = |message: &str, expect: &str| assert_eq!(record(message.as_bytes()), expect, "{message}");
    check(
        "<165>1 2026-11-24T09:00:00.5Z web1 shop 42 ID47 [a@1 x=\"y\\\"z\\]\" e=\"\"][b@1] \u{feff}a message",
        "service.name=shop host.name=web1 time=1795510800 severity=10 text=notice body=a message \
         syslog.facility=local4 syslog.version=1 syslog.procid=42 syslog.msgid=ID47 \
         syslog.structured_data.a@1.x=y\"z] syslog.structured_data.a@1.e=",
    );
    check("<0>1 - - - - - -", "severity=21 text=emerg body= syslog.facility=kern syslog.version=1");
    let trace = "[opentelemetry trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\" span_id=\"00f067aa0ba902b7\" trace_flags=\"01\" x=\"1\"]";
    check(
        &format!("<14>1 - h a - - {trace} m"),
        "service.name=a host.name=h severity=9 text=info body=m syslog.facility=user syslog.version=1 \
         syslog.structured_data.opentelemetry.x=1 flags=1 trace=16 span=8",
    );
    let long = "x".repeat(200);
    let message = format!("<14>1 - h a - - [{long} a=\"1\"] m");
    assert!(record(message.as_bytes()).contains(&format!("1 - h a - - [{long} a=\"1\"] m")), "an id that is none");
    check(
        "<14>1 soon h a - - - m",
        "service.name=a host.name=h severity=9 text=info body=m syslog.facility=user syslog.timestamp=soon syslog.version=1",
    );
}

#[test]
fn rfc_3164_and_less() {
    let check = |message: &str, expect: &str| assert_eq!(record(message.as_bytes()), expect, "{message}");
    check(
        "<34>Oct 11 22:14:15 mymachine su[12]: 'su root' failed",
        "service.name=su host.name=mymachine time=1791756855 severity=18 text=crit body='su root' failed \
         syslog.facility=auth syslog.procid=12",
    );
    check(
        "<13>Nov  4 09:00:00 h app: x\r\n",
        "service.name=app host.name=h time=1793782800 severity=10 text=notice body=x syslog.facility=user",
    );
    check(
        "<13>Dec 31 23:59:59 h app: last year",
        "service.name=app host.name=h time=1767225599 severity=10 text=notice body=last year syslog.facility=user",
    );
    check(
        "<13>May  1 00:00:00 app: no host",
        "service.name=app time=1777593600 severity=10 text=notice body=no host syslog.facility=user",
    );
    check(
        "<13>2026-11-24T09:00:00+01:00 h app[7]: iso",
        "service.name=app host.name=h time=1795507200 severity=10 text=notice body=iso syslog.facility=user syslog.procid=7",
    );
    check(
        "<189>Nov 24 2026 09:00:00: %LINK-3: down",
        "time=1795510800 severity=10 text=notice body=%LINK-3: down syslog.facility=local7",
    );
    check(
        "<13>Feb 29 00:00:00 h app: leap",
        "service.name=app host.name=h time=1709164800 severity=10 text=notice body=leap syslog.facility=user",
    );
    check(
        "<13>Nov 25 09:00:00 h app: a clock ahead",
        "service.name=app host.name=h time=1795597200 severity=10 text=notice body=a clock ahead syslog.facility=user",
    );
    check("<13>just words: here", "severity=10 text=notice body=just words: here syslog.facility=user");
    check("<13>app: x", "service.name=app severity=10 text=notice body=x syslog.facility=user");
    check("no priority", "body=no priority");
    check("<999>x", "body=<999>x");
    check("<13", "body=<13");
    check("<13>1 cut", "severity=10 text=notice body=1 cut syslog.facility=user");
}

#[test]
fn bytes_that_are_no_text_and_messages_that_were_cut() {
    assert_eq!(record(b"\xff\xfe"), "body=\u{fffd}\u{fffd}");
    let mut batch = Batch::new(10);
    let message = Message { bytes: b"<13>app: x", is_cut: true };
    assert_eq!(batch.add(message, NOW), Err(DoorError::Full));
}
