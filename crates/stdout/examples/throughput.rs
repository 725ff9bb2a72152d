//! Lines per second and core, from bytes to encoded export requests: `cargo run --release -p stdout --example throughput`.
//!
//! One thread, no network, no compression. Of several rounds the median is printed.

use std::fmt::Write as _;
use std::time::Instant;

use stdout::{BatchLimits, Origins, ReadOptions, Resource, encode_all};

const LINES: usize = 200_000;
const ROUNDS: usize = 9;

fn main() {
    let json = lines(|out, n| {
        let _ = writeln!(
            out,
            r#"{{"time":"2026-11-21T19:30:{:02}.{:03}Z","level":"info","msg":"order {n} received","logger":"shop.orders","trace_id":"4bf92f3577b34da6a3ce929d{n:08x}","span_id":"00f067aa{n:08x}","order":{n},"item":"teapot"}}"#,
            n % 60,
            n % 1000
        );
    });
    let logfmt = lines(|out, n| {
        let _ = writeln!(
            out,
            r#"time="2026-11-21T19:30:{:02}Z" level=info msg="order {n} received" logger=shop.orders trace_id=4bf92f3577b34da6a3ce929d{n:08x} span_id=00f067aa{n:08x} order={n} item=teapot status=200"#,
            n % 60
        );
    });
    let plain = lines(|out, n| {
        let _ = writeln!(
            out,
            "2026-11-21 19:30:{:02},{:03} INFO [http-nio-8080-exec-{}] com.shop.Orders - order {n} of customer {} received, 3 items, teapot first, to be delivered on Monday",
            n % 60,
            n % 1000,
            n % 16,
            n % 977
        );
    });
    let access = lines(|out, n| {
        let _ = writeln!(
            out,
            r#"10.0.{}.{} - - [21/Nov/2026:19:30:{:02} +0000] "GET /orders/{n}?page=2 HTTP/1.1" 200 {} "https://shop.example/" "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0""#,
            n % 256,
            n % 251,
            n % 60,
            n % 9000
        );
    });
    let trace = "2026-11-21 19:30:00,716 ERROR shop failed\nTraceback (most recent call last):\n  File \"/app/shop.py\", line 3, in order\n    pay(cart)\n  File \"/app/pay.py\", line 9, in pay\n    raise ValueError(\"no card\")\nValueError: no card\n";
    let traces = lines(|out, n| {
        if n % 7 == 0 {
            out.push_str(trace);
        }
    });
    for (name, input) in
        [("JSON", json), ("logfmt", logfmt), ("plain", plain), ("access log", access), ("stack traces", traces)]
    {
        measure(name, input.as_bytes());
    }
}

fn lines(write: impl Fn(&mut String, usize)) -> String {
    let mut out = String::new();
    (0..LINES).for_each(|n| write(&mut out, n));
    out
}

fn measure(name: &str, input: &[u8]) {
    let (resource, _) = Resource::gather(&Origins::default());
    let count = input.iter().filter(|byte| **byte == b'\n').count();
    let (mut seconds, mut records, mut encoded) = (Vec::new(), 0, 0);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let (made, requests) = encode_all(input, ReadOptions::default(), &resource, BatchLimits::default());
        seconds.push(begun.elapsed().as_secs_f64());
        (records, encoded) = (made, requests.iter().map(Vec::len).sum());
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds[ROUNDS / 2];
    println!(
        "{name:<12} {:>5.0} B a line  {:>9.0} lines/s  {:>6.0} MB/s  {records} records, {} B each encoded",
        input.len() as f64 / count as f64,
        count as f64 / median,
        input.len() as f64 / median / 1e6,
        encoded as u64 / records.max(1),
    );
}
