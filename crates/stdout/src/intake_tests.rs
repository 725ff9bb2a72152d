//! Whole streams: bytes in, records out.

use testkit::proto::logs::v1::LogRecord;

use super::*;
use crate::structured::tests::{attributes, record, show};

/// 2026-11-21T19:30:00Z.
const NOW: i64 = 1_795_289_400_000_000_000;

struct Gather(Vec<LogRecord>);

impl Records for Gather {
    fn take(&mut self, draft: &Draft) {
        self.0.push(record(draft));
    }

    fn take_native(&mut self, native: Native) {
        // Stands for its records in the order of what came.
        for _ in 0..native.records() {
            self.0.push(LogRecord { event_name: "native".to_owned(), ..LogRecord::default() });
        }
    }
}

#[test]
fn lines_of_otlp_pass_as_they_are() {
    let input = b"before\n{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{},{}]}]}]}\n\
        {\"resource\":\"pod\",\"scope\":\"cluster\",\"msg\":\"created\"}\nafter\n";
    let records = records_of(ReadOptions::default(), &[input]);
    let names: Vec<&str> = records.iter().map(|record| record.event_name.as_str()).collect();
    assert_eq!(names, ["", "native", "native", "", ""]);
}

fn records_of(options: ReadOptions, reads: &[&[u8]]) -> Vec<LogRecord> {
    let mut gather = Gather(Vec::new());
    let mut stream = Stream::new(Iostream::Stderr, options);
    for read in reads {
        stream.take(read, NOW, &mut gather);
    }
    stream.end(NOW, &mut gather);
    gather.0
}

fn bodies(input: &[u8]) -> Vec<String> {
    records_of(ReadOptions::default(), &[input]).iter().map(|record| show(record.body.as_ref())).collect()
}

#[test]
fn formats_may_be_mixed() {
    let input = b"plain\n{\"msg\":\"json\",\"level\":\"info\"}\nlevel=warn msg=logfmt a=1\n\n  \nERROR:root:bad\n{broken\n[1,2]\n\"text\"\n";
    assert_eq!(
        bodies(input),
        ["'plain'", "'json'", "'logfmt'", "'ERROR:root:bad'", "'{broken'", "'[1,2]'", "'\"text\"'"]
    );
    let severities: Vec<i32> =
        records_of(ReadOptions::default(), &[input]).iter().map(|record| record.severity_number).collect();
    assert_eq!(severities, [0, 9, 13, 17, 0, 0, 0]);
}

#[test]
fn every_record_says_its_stream_and_when_it_was_read() {
    let records = records_of(ReadOptions::default(), &[b"a\n{\"msg\":\"b\"}\nc\nd"]);
    let observed: Vec<i64> = records.iter().map(|record| record.observed_time_unix_nano as i64 - NOW).collect();
    assert_eq!(observed, [0, 1, 2, 3], "lines read at once keep their order");
    for record in records {
        let stream =
            record.attributes.iter().find(|pair| pair.key == "log.iostream").map(|pair| show(pair.value.as_ref()));
        assert_eq!(stream.as_deref(), Some("'stderr'"));
        assert_eq!(record.time_unix_nano, 0, "arrival is no time of the line's own");
    }
}

#[test]
fn the_text_of_a_plain_line_stays_as_it_is() {
    for line in [
        "  indented",
        "tab\there ",
        "a \"quoted\" {brace",
        "\u{1b}[32mINFO\u{1b}[0m up",
        "10%\r20%\r30%",
        "nul\0byte",
        "é😀",
    ] {
        assert_eq!(bodies(format!("{line}\n").as_bytes()), [format!("'{line}'")]);
    }
    let colored = b"\x1b[2m2026-11-21T19:30:00Z\x1b[0m \x1b[31mERROR\x1b[0m bad\n";
    let record = &records_of(ReadOptions::default(), &[colored])[0];
    assert_eq!((record.severity_number, record.time_unix_nano as i64), (17, NOW), "colours are no hindrance");
    let options = ReadOptions { strip_colors: true, ..ReadOptions::default() };
    assert_eq!(show(records_of(options, &[colored])[0].body.as_ref()), "'2026-11-21T19:30:00Z ERROR bad'");
    assert_eq!(bodies(b"\x1b[1m{\"msg\":\"json\"}\x1b[0m\n"), ["'json'"]);
}

#[test]
fn bytes_that_are_no_text_are_kept() {
    let record = &records_of(ReadOptions::default(), &[b"caf\xe9 open\n"])[0];
    assert_eq!(show(record.body.as_ref()), "'caf\u{FFFD} open'");
    assert_eq!(attributes(record), [format!("log.record.original={:?}", b"caf\xe9 open")]);
    let record = &records_of(ReadOptions::default(), &[b"{\"msg\":\"caf\xe9\",\"a\":1}\n"])[0];
    assert_eq!(show(record.body.as_ref()), "'caf\u{FFFD}'");
    assert_eq!(attributes(record).len(), 2);
}

#[test]
fn structured_lines_without_a_message_are_their_own_text() {
    assert_eq!(bodies(b" {\"a\":1} \n"), ["'{\"a\":1}'"]);
    assert_eq!(bodies(b"at=info method=GET status=200\n"), ["'at=info method=GET status=200'"]);
    let options = ReadOptions { keep_original: true, ..ReadOptions::default() };
    let record = &records_of(options, &[b"{\"msg\":\"x\"}\n"])[0];
    assert_eq!(attributes(record), ["log.record.original='{\"msg\":\"x\"}'"]);
}

#[test]
fn long_lines_come_in_parts() {
    let options =
        ReadOptions { limits: LineLimits { line_bytes_max: 8, ..LineLimits::default() }, ..ReadOptions::default() };
    let records = records_of(options, &[b"short\nERROR: a long one\nlast\n"]);
    let shown: Vec<(String, i32, Vec<String>)> =
        records.iter().map(|record| (show(record.body.as_ref()), record.severity_number, attributes(record))).collect();
    let part = |number: u32| vec![format!("line.part={number}")];
    assert_eq!(
        shown,
        [
            ("'short'".to_owned(), 0, vec![]),
            ("'ERROR: a'".to_owned(), 17, part(1)),
            ("' long on'".to_owned(), 0, part(2)),
            ("'e'".to_owned(), 0, part(3)),
            ("'last'".to_owned(), 0, vec![]),
        ]
    );
}

#[test]
fn traces_have_severity_and_exception() {
    let check = |input: &str, severity: (i32, &str), expect: &[&str]| {
        let records = records_of(ReadOptions::default(), &[input.as_bytes()]);
        assert_eq!(records.len(), 1, "{input}");
        assert_eq!((records[0].severity_number, records[0].severity_text.as_str()), severity, "{input}");
        assert_eq!(attributes(&records[0]), expect, "{input}");
        assert_eq!(show(records[0].body.as_ref()), format!("'{input}'"));
    };
    check(
        "Traceback (most recent call last):\n  File \"x\", line 1, in f\nValueError: no",
        (17, ""),
        &["exception.type='ValueError'", "exception.message='no'"],
    );
    check(
        "WARNING:shop:slow\nTraceback (most recent call last):\n  File \"x\", line 1, in f\nKeyError: 'a'",
        (13, "WARNING"),
        &["exception.type='KeyError'", "exception.message=''a''"],
    );
    check(
        "panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:3 +0x1d",
        (21, "panic"),
        &["exception.type='panic'", "exception.message='boom'"],
    );
    check(
        "thread 'main' panicked at src/a.rs:2:5:\nboom\nnote: run with `RUST_BACKTRACE=1` environment variable",
        (21, ""),
        &["exception.type='panic'", "exception.message='boom'"],
    );
    check("Error: bad\n    at f (/x.js:1:1)", (17, "Error"), &["exception.type='Error'", "exception.message='bad'"]);
}

#[test]
fn plain_lines_may_name_their_trace() {
    let line = "2026-11-21 19:30:00,000 INFO [shop] [app.py:3] [trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 trace_sampled=True] - up";
    let record = &records_of(ReadOptions::default(), &[line.as_bytes()])[0];
    assert_eq!((record.trace_id.len(), record.span_id.len()), (16, 8));
    let zap = "2026-11-21T19:30:00.000Z\tINFO\tmain.go:12\tup\t{\"port\": 80, \"trace_id\": \"4bf92f3577b34da6a3ce929d0e0e4736\"}";
    let record = &records_of(ReadOptions::default(), &[zap.as_bytes()])[0];
    assert_eq!((record.trace_id.len(), record.severity_number), (16, 9));
    assert_eq!(attributes(record), ["port=80"]);
    assert_eq!(show(record.body.as_ref()), format!("'{zap}'"));
}

#[test]
fn silence_hands_out_what_might_have_gone_on() {
    let mut gather = Gather(Vec::new());
    let mut stream = Stream::new(Iostream::Stdout, ReadOptions::default());
    stream.take(b"a line\npart of", NOW, &mut gather);
    assert!(gather.0.is_empty());
    let deadline = stream.deadline().expect("a line waits");
    stream.end_silent(deadline, &mut gather);
    assert_eq!(gather.0.len(), 1);
    assert_eq!(stream.deadline(), None, "an unfinished line waits for its end");
    stream.take(b" a line\n", NOW, &mut gather);
    stream.end(NOW, &mut gather);
    assert_eq!(show(gather.0[1].body.as_ref()), "'part of a line'");
}
