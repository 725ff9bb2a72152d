//! Stack traces as the languages print them, alone and among other lines.

use super::*;

/// 2026-11-21T19:30:00Z.
const NOW: i64 = 1_795_289_400_000_000_000;
const MILLI: i64 = 1_000_000;

/// Groups of lines that come a millisecond apart; blank lines are blank.
fn groups_within(limits: LineLimits, lines: &[&str]) -> Vec<String> {
    let mut grouper = Grouper::new(limits);
    let mut found = Vec::new();
    let mut push = |group: &Group| found.push(String::from_utf8(group.bytes.clone()).expect("text"));
    for (place, line) in lines.iter().enumerate() {
        let clock = Clock { now: NOW + place as i64 * MILLI, zone: 0 };
        match line.trim().is_empty() {
            true => grouper.take_blank(),
            false => grouper.take(PlainLine { bytes: line.as_bytes(), text: line }, clock, &mut push),
        }
    }
    grouper.end(&mut push);
    found
}

/// The same, from one text; every group of `expect` is the lines of one.
fn check(text: &str, expect: &[&str]) {
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(groups_within(LineLimits::default(), &lines), expect, "{text}");
}

const PYTHON: &str = "Traceback (most recent call last):\n  File \"/app/shop.py\", line 3, in order\n    pay(cart)\n    \
                      ~~~^^^^^^\n  File \"/app/pay.py\", line 9, in pay\n    raise ValueError(\"no card\")\nValueError: no card";
const JAVA: &str = "java.lang.IllegalStateException: no card\n\tat com.shop.Pay.pay(Pay.java:9)\n\tat com.shop.Shop.order(Shop.java:3)\n\
                    Caused by: java.io.IOException: closed\n\tat com.shop.Net.send(Net.java:1)\n\t... 2 more";
const NODE: &str = "/app/shop.js:3\n    throw new TypeError('no card');\n    ^\n\nTypeError: no card\n    at pay (/app/pay.js:9:11)\n    \
                    at async order (/app/shop.js:3:5) {\n  code: 'E_CARD',\n  [cause]: Error: closed\n      at send (/app/net.js:1:1)\n}\n\nNode.js v22.1.0";
const GO: &str = "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\nmain.pay(...)\n\t/app/pay.go:9\n\
                  main.(*Shop).Order(0xc000012345, {0x1, 0x2})\n\t/app/shop.go:3 +0x1d\ncreated by main.main in goroutine 1\n\t/app/main.go:12 +0x3a\nexit status 2";
const RUST: &str = "thread 'main' panicked at src/pay.rs:9:5:\nno card\nstack backtrace:\n   0: std::panicking::begin_panic\n             \
                    at /rustc/lib.rs:1:1\n   1: shop::pay\n             at ./src/pay.rs:9:5\nnote: Some details are omitted, run with \
                    `RUST_BACKTRACE=full` for a verbose backtrace.";

#[test]
fn a_trace_is_one_record() {
    for trace in [PYTHON, JAVA, NODE, GO, RUST] {
        check(trace, &[trace]);
        check(&format!("before\n{trace}\nafter"), &["before", trace, "after"]);
        check(&format!("{trace}\n{trace}"), &[trace, trace]);
        check(&format!("{trace}\n\n{trace}\n\n\nafter"), &[trace, trace, "after"]);
    }
}

#[test]
fn python() {
    let chained =
        format!("{PYTHON}\n\nDuring handling of the above exception, another exception occurred:\n\n{PYTHON}");
    check(&chained, &[&chained]);
    let group = "  + Exception Group Traceback (most recent call last):\n  |   File \"x\", line 1\n  | ExceptionGroup: two (2 \
                 sub-exceptions)\n  +-+---------------- 1 ----------------\n    | ValueError: 1\n    +------------------------------------";
    check(group, &[group]);
    let logged = format!("2026-11-21 19:30:00,716 ERROR shop failed\n{PYTHON}");
    check(&logged, &[&logged]);
    let thread = format!("Exception in thread Thread-1 (run):\n{PYTHON}");
    check(&thread, &[&thread]);
    let sql = "Traceback (most recent call last):\n  File \"x\"\nsqlalchemy.exc.OperationalError: no table\n[SQL: select 1]\n(Background on this error at: x)";
    check(&format!("{sql}\nafter"), &[sql, "after"]);
    // An INFO line says nothing of a trace that follows.
    check(
        &format!("2026-11-21 19:30:00,716 INFO shop up\n{PYTHON}"),
        &["2026-11-21 19:30:00,716 INFO shop up", PYTHON],
    );
    check(
        "Traceback (most recent call last):\n  File \"x\"\nKeyboardInterrupt\nbye",
        &["Traceback (most recent call last):\n  File \"x\"\nKeyboardInterrupt", "bye"],
    );
}

#[test]
fn java_dotnet_and_php() {
    let logged = format!("2026-11-21 19:30:00.250 ERROR 7 --- [main] c.e.Shop : failed\n{JAVA}");
    check(&logged, &[&logged]);
    let main = "Exception in thread \"main\" java.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\n\tSuppressed: java.io.IOException: x\n\t\tat a.B.d(B.java:2)\n\t... 3 common frames omitted";
    check(main, &[main]);
    let dotnet = "Unhandled exception. System.InvalidOperationException: no\n ---> System.IO.IOException: closed\n   at Net.Send() in /app/Net.cs:line 1\n   --- End of inner exception stack trace ---\n   at Shop.Order() in /app/Shop.cs:line 3";
    check(dotnet, &[dotnet]);
    let php = "PHP Fatal error:  Uncaught Exception: no in /a.php:3\nStack trace:\n#0 /a.php(9): pay()\n#1 {main}\n  thrown in /a.php on line 3";
    check(&format!("{php}\nafter"), &[php, "after"]);
    let two = format!("{JAVA}\n2026-11-21 19:30:00.250 ERROR failed\n{JAVA}");
    check(&two, &[JAVA, &format!("2026-11-21 19:30:00.250 ERROR failed\n{JAVA}")]);
}

#[test]
fn go_and_rust() {
    let served = "2026/11/21 19:30:00 http: panic serving 127.0.0.1:52341: boom\ngoroutine 19 [running]:\nnet/http.(*conn).serve.func1()\n\t/go/server.go:1 +0xbf\npanic({0x1, 0x2})\n\t/go/panic.go:1 +0x1";
    check(&format!("{served}\n2026/11/21 19:30:01 next"), &[served, "2026/11/21 19:30:01 next"]);
    let dead = "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\nmain.main()\n\t/app/main.go:3 +0x1d";
    check(dead, &[dead]);
    let fault = "panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x1]\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:3 +0x1d";
    check(fault, &[fault]);
    let assertion = "thread 'main' panicked at src/a.rs:2:5:\nassertion `left == right` failed\n  left: 1\n right: 2\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace";
    check(&format!("{assertion}\nafter"), &[assertion, "after"]);
    let returned =
        "Error: cannot start\n\nCaused by:\n    0: cannot open x\n    1: No such file or directory (os error 2)";
    check(&format!("{returned}\nafter"), &[returned, "after"]);
    check(
        "thread 'main' panicked at src/a.rs:2:5:\n2026-11-21 19:30:00 INFO x",
        &["thread 'main' panicked at src/a.rs:2:5:", "2026-11-21 19:30:00 INFO x"],
    );
}

#[test]
fn indented_lines_belong_to_their_first() {
    check(
        "info: Microsoft.Hosting[14]\n      Now listening on: http://x\nnext",
        &["info: Microsoft.Hosting[14]\n      Now listening on: http://x", "next"],
    );
    check("{\n  \"a\": 1,\n  \"b\": [\n    2\n  ]\n}\nnext", &["{\n  \"a\": 1,\n  \"b\": [\n    2\n  ]\n}", "next"]);
    check("first\n\n  indented later", &["first", "  indented later"]);
    check("first\n  2026-11-21 19:30:00 INFO x", &["first", "  2026-11-21 19:30:00 INFO x"]);
    check("a\nb\n\n\nc", &["a", "b", "c"]);
}

#[test]
fn a_trace_goes_on_after_other_lines() {
    const INFO: &str = "2026-11-21 19:30:00,716 INFO other thread";
    for trace in [PYTHON, JAVA, GO, RUST] {
        let lines: Vec<&str> = trace.lines().collect();
        // Where a trace cannot be told from prose any more, the pieces are records of their own; nowhere is one lost.
        for at in 1..lines.len() {
            let mut mixed = lines.clone();
            mixed.insert(at, INFO);
            let mut found = groups_within(LineLimits::default(), &mixed);
            assert!(found.iter().any(|group| group == INFO), "{at}: {found:#?}");
            found.retain(|group| group != INFO);
            let kept: usize = found.iter().map(|group| group.lines().filter(|line| !line.is_empty()).count()).sum();
            assert_eq!(kept, lines.iter().filter(|line| !line.is_empty()).count(), "{at}: {found:#?}");
            let frames_over = lines[at..].iter().any(|line| line.starts_with([' ', '\t']));
            if trace != RUST && trace != GO && frames_over {
                assert_eq!(found, [trace], "interrupted before line {at}");
            }
        }
    }
}

#[test]
fn records_of_their_own_interrupt_and_traces_wait() {
    let mut grouper = Grouper::new(LineLimits::default());
    let mut found = Vec::new();
    let lines: Vec<&str> = PYTHON.lines().collect();
    for (place, line) in lines.iter().enumerate() {
        if place == 2 {
            grouper.interrupt(|group| found.push(String::from_utf8(group.bytes.clone()).expect("text")));
        }
        let clock = Clock { now: NOW + place as i64, zone: 0 };
        grouper.take(PlainLine { bytes: line.as_bytes(), text: line }, clock, |_| {});
    }
    grouper.end(|group| found.push(String::from_utf8(group.bytes.clone()).expect("text")));
    assert_eq!(found, [PYTHON]);
}

#[test]
fn silence_ends_a_group() {
    let mut grouper = Grouper::new(LineLimits::default());
    let mut found = Vec::new();
    let clock = |millis: i64| Clock { now: NOW + millis * MILLI, zone: 0 };
    let line = |text: &'static str| PlainLine { bytes: text.as_bytes(), text };
    assert_eq!(grouper.deadline(), None);
    grouper.take(line("first"), clock(0), |_| {});
    assert_eq!(grouper.deadline(), Some(NOW + 500 * MILLI));
    grouper.take(line("  second"), clock(400), |_| {});
    grouper.end_silent(NOW + 899 * MILLI, |_| panic!("too early"));
    grouper.end_silent(NOW + 900 * MILLI, |group| found.push(group.bytes.clone()));
    assert_eq!(found, [b"first\n  second"]);
    assert_eq!(grouper.deadline(), None);
    // A line that would have continued comes too late.
    grouper.take(line("first"), clock(1000), |_| {});
    grouper.take(line("  late"), clock(1500), |group| found.push(group.bytes.clone()));
    assert_eq!(found.len(), 2);
    // An interrupted trace ends by its own silence.
    let mut grouper = Grouper::new(LineLimits::default());
    grouper.take(line("Traceback (most recent call last):"), clock(0), |_| {});
    grouper.take(line("2026-11-21 19:30:00 INFO x"), clock(300), |_| panic!("the trace waits"));
    let mut ended = Vec::new();
    grouper.end_silent(NOW + 500 * MILLI, |group| ended.push(group.stack));
    assert_eq!(ended.len(), 1);
    assert!(ended[0].is_trace());
}

#[test]
fn groups_are_bounded() {
    let frames: Vec<String> = (0..25).map(|at| format!("\tat a.B.c{at}(B.java:{at})")).collect();
    let mut lines = vec!["java.lang.IllegalStateException: no"];
    lines.extend(frames.iter().map(String::as_str));
    let found = groups_within(LineLimits { group_lines_max: 10, ..LineLimits::default() }, &lines);
    assert_eq!(found.iter().map(|group| group.lines().count()).collect::<Vec<_>>(), [10, 10, 6]);
    let found = groups_within(LineLimits { group_bytes_max: 100, ..LineLimits::default() }, &lines);
    assert!(found.iter().all(|group| group.len() <= 100), "{found:?}");
    assert_eq!(found.iter().map(|group| group.lines().count()).sum::<usize>(), 26);
    let longest = "x".repeat(300);
    let found = groups_within(LineLimits { group_bytes_max: 100, ..LineLimits::default() }, &[&longest, "  y"]);
    assert_eq!(found, [longest.as_str(), "  y"], "a single line is a group whatever its length");
}
