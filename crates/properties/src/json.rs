//! The JSON reader, all signals.

use fastrand::Rng;
use otlp::Encoding;
use testkit::{loose_json, random_otlp};

use crate::decode::{self, SELECTORS, chosen};
use crate::{Seed, Target, seed, selected};

/// The selector chooses the signal and the limits; the rest is the request.
pub const TARGET: Target = Target { name: "json", check, memory_bytes_max: decode::memory_bytes_max, seeds };

fn check(input: &[u8]) {
    let Some((selector, body)) = selected(input) else { return };
    let (signal, limits) = chosen(selector);
    decode::check(signal, limits, Encoding::Json, body);
}

/// Rows of the mapping's matrix that are no plain form of a request.
const LOG_RECORDS: &[&str] = &[
    r#""traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174""#,
    r#""traceId":"W47/95gDgQPSabYzgT/GDA==","spanId":"7uGbfsPBsXQ=""#,
    r#""traceId":"00","spanId":null,"severityNumber":"SEVERITY_NUMBER_INFO""#,
    r#""time_unix_nano":"1544712660000000000","observed_time_unix_nano":1544712660000000000"#,
    r#""timeUnixNano":1.5447e18,"flags":"1","droppedAttributesCount":"3""#,
    r#""timeUnixNano":"-1","severityNumber":99"#,
    r#""body":{"doubleValue":"NaN"},"attributes":[{"key":"a","value":{"doubleValue":null}}]"#,
    r#""body":{"arrayValue":{}},"attributes":[{"key":"a","value":{"kvlistValue":{}}},null,{"key":"a"}]"#,
    r#""body":{"bytesValue":"_-8","stringValue":"last wins"},"body":{"intValue":"-9223372036854775808"}"#,
    r#""body":{"stringValue":"cut \ud83d \u0000 \u00e9"},"unknown":[{"a":[1e5,{"b":null}]}]"#,
    r#""body":{"string_value":"x"},"attributes":[{"key":"$bytes","value":{"bool_value":true}}]"#,
];

const WHOLE: &[(&str, usize, &str)] = &[
    ("empty", 0, "{}"),
    ("list", 0, "[]"),
    ("number", 1, "1234"),
    ("cut", 1, r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"#),
    ("trailing", 1, r#"{"resourceLogs":[]} {}"#),
    ("nulls", 2, r#"{"resourceMetrics":[null,{"resource":null,"scopeMetrics":[{"metrics":[null]}]}]}"#),
    ("removed", 0, r#"{"resourceSpans":[{"instrumentationLibrarySpans":[{"spans":[{}]}]}]}"#),
    ("mark", 1, "\u{feff}{\"resourceLogs\":[]}"),
    (
        "points",
        2,
        r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"timeUnixNano":"1","asDouble":null},{"timeUnixNano":"1","asInt":"7"}]}},{"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":1,"count":"1","bucketCounts":[1,"0"],"explicitBounds":["Infinity"],"min":"NaN"}]}}]}]}]}"#,
    ),
];

fn seeds() -> Vec<Seed> {
    let mut seeds: Vec<Seed> =
        WHOLE.iter().map(|(name, selector, body)| seed(*name, *selector, body.as_bytes())).collect();
    for (at, record) in LOG_RECORDS.iter().enumerate() {
        let body = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{record}}}]}}]}}]}}"#);
        seeds.push(seed(format!("record-{at}"), 1, body.as_bytes()));
    }
    let deep = format!("{}{}", r#"{"a":["#.repeat(200), "]}".repeat(200));
    seeds.push(seed("deep-unknown", 1, deep.as_bytes()));
    for selector in 0..SELECTORS {
        for round in 0..2 {
            let mut rng = Rng::with_seed((selector * 100 + round) as u64);
            let body = random_text(&mut rng, selector % 3);
            let end = body.floor_char_boundary(6_000);
            seeds.push(seed(format!("random-{selector}-{round}"), selector, &body.as_bytes()[..end]));
        }
    }
    seeds
}

fn random_text(rng: &mut Rng, signal: usize) -> String {
    match signal {
        0 => {
            let data = random_otlp::traces(rng);
            loose_json::traces(rng, &data)
        }
        1 => {
            let data = random_otlp::logs(rng);
            loose_json::logs(rng, &data)
        }
        _ => {
            let data = random_otlp::metrics(rng);
            loose_json::metrics(rng, &data)
        }
    }
}
