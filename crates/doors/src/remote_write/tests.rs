//! Requests in, OTLP out, as tables.

use otlp_wire::{Fields, Value, put_bytes, put_double, put_message, put_number, put_varint, put_zigzag};

use super::*;

/// Every value below a path of field numbers, shown.
fn all(message: &[u8], path: &[u64]) -> Vec<String> {
    let Some((number, rest)) = path.split_first() else { return Vec::new() };
    let mut found = Vec::new();
    let mut fields = Fields(message);
    while let Some((field, value)) = fields.field().expect("a message") {
        match (field == *number, value, rest) {
            (true, Value::Bytes(bytes), []) => found.push(match std::str::from_utf8(bytes) {
                Ok(text) if text.chars().all(|c| !c.is_control()) => text.to_owned(),
                _ => format!("{bytes:?}"),
            }),
            (true, Value::Fixed64(bits), []) => found.push(bits.to_string()),
            (true, Value::Varint(number), []) => found.push(number.to_string()),
            (true, Value::Bytes(inner), rest) => found.extend(all(inner, rest)),
            _ => {}
        }
    }
    found
}

const METRIC: [u64; 3] = [1, 2, 2];

fn in_metric(request: &[u8], path: &[u64]) -> Vec<String> {
    all(request, &[&METRIC[..], path].concat())
}

type Put<'a> = &'a dyn Fn(&mut Vec<u8>);

/// A series of version 1.
fn series(labels: &[(&str, &str)], records: &[(u32, Put<'_>)]) -> Vec<u8> {
    let mut out = Vec::new();
    put_message(&mut out, 1, |out| {
        for (name, value) in labels {
            put_message(out, 1, |out| {
                put_bytes(out, 1, name.as_bytes());
                put_bytes(out, 2, value.as_bytes());
            });
        }
        for (field, put) in records {
            put_message(out, *field, |out| put(out));
        }
    });
    out
}

fn sample(out: &mut Vec<u8>, value: f64, millis: i64) {
    put_double(out, 1, value);
    put_number(out, 2, millis as u64);
}

fn one(body: &[u8]) -> RemoteWrite {
    translate(Version::One, body, &Limits::default()).expect("a request")
}

#[test]
fn series_become_sums_and_gauges() {
    let check = |name: &str, labels: &[(&str, &str)], field: u64| {
        let labels = [&[("__name__", name)], labels].concat();
        let found = one(&series(&labels, &[(2, &|out| sample(out, 1.5, 7))]));
        let request = &found.translation.request;
        assert_eq!((found.translation.records, found.written.samples), (1, 1), "{name}");
        assert_eq!(in_metric(request, &[1]), [name]);
        assert_eq!(in_metric(request, &[field, 1, 3]), ["7000000"], "{name}");
        assert_eq!(in_metric(request, &[field, 1, 4]), [1.5_f64.to_bits().to_string()], "{name}");
        let sum = if field == 7 { vec!["2"] } else { vec![] };
        assert_eq!(in_metric(request, &[7, 2]), sum, "{name}");
    };
    check("up", &[], 5);
    check("requests_total", &[("code", "200")], 7);
    check("latency_bucket", &[("le", "0.5")], 7);
    check("bucket_bucket", &[], 5);
    check("nodes_count", &[], 5);
    let (gauge, monotonic) = (false, true);
    for (name, kind, expect) in [
        ("x", MetricType::Counter, monotonic),
        ("x_total", MetricType::Gauge, gauge),
        ("x_count", MetricType::Histogram, monotonic),
        ("x_sum", MetricType::Summary, monotonic),
        ("x", MetricType::Summary, gauge),
        ("x_info", MetricType::Info, gauge),
    ] {
        assert_eq!(series::is_monotonic(name.as_bytes(), kind, false), expect, "{name} {kind:?}");
    }
}

#[test]
fn labels_are_resource_and_attributes() {
    let check = |labels: &[(&str, &str)], resource: &[(&str, &str)], attributes: &[&str]| {
        let labels = [&[("__name__", "up")], labels].concat();
        let request = one(&series(&labels, &[(2, &|out| sample(out, 1.0, 7))])).translation.request;
        let (names, values): (Vec<_>, Vec<_>) = resource.iter().copied().unzip();
        assert_eq!(all(&request, &[1, 1, 1, 1]), names, "{labels:?}");
        assert_eq!(all(&request, &[1, 1, 1, 2, 1]), values, "{labels:?}");
        assert_eq!(in_metric(&request, &[5, 1, 7, 1]), attributes, "{labels:?}");
    };
    check(&[], &[], &[]);
    check(
        &[("job", "shop/cart"), ("instance", "a:1"), ("zone", "z"), ("none", "")],
        &[("service.namespace", "shop"), ("service.name", "cart"), ("service.instance.id", "a:1")],
        &["zone"],
    );
    check(&[("job", "/a")], &[("service.name", "/a")], &[]);
    check(&[("job", "a/b/c")], &[("service.name", "a/b/c")], &[]);
}

#[test]
fn stale_markers_metadata_and_exemplars() {
    let mut body = Vec::new();
    put_message(&mut body, 3, |out| {
        put_number(out, 1, 1);
        put_bytes(out, 2, b"hits");
        put_bytes(out, 4, b"how often");
        put_bytes(out, 5, b"1");
    });
    let exemplar = |out: &mut Vec<u8>| {
        for (name, value) in [("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"), ("user", "ann"), ("span_id", "no")] {
            put_message(out, 1, |out| {
                put_bytes(out, 1, name.as_bytes());
                put_bytes(out, 2, value.as_bytes());
            });
        }
        put_double(out, 2, 0.5);
        put_number(out, 3, 8);
    };
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);
    body.extend(series(
        &[("__name__", "hits_total")],
        &[(2, &|out| sample(out, 2.0, 7)), (2, &|out| sample(out, stale, 9)), (3, &exemplar)],
    ));
    let found = one(&body);
    assert_eq!(found.written, Written { samples: 2, histograms: 0, exemplars: 1 });
    let request = &found.translation.request;
    assert_eq!(
        (in_metric(request, &[2]), in_metric(request, &[3])),
        (vec!["how often".to_owned()], vec!["1".to_owned()])
    );
    assert_eq!(in_metric(request, &[12, 2, 1]), ["counter"]);
    assert_eq!(in_metric(request, &[7, 1, 8]), ["1"], "one point without a value");
    assert_eq!(in_metric(request, &[7, 1, 4]).len(), 1);
    assert_eq!(in_metric(request, &[7, 1, 5, 2]), ["8000000"]);
    assert_eq!(in_metric(request, &[7, 1, 5, 5]).len(), 1, "its trace");
    assert_eq!(in_metric(request, &[7, 1, 5, 7, 1]), ["user", "span_id"]);
    let alone = one(&series(&[("__name__", "hits_total")], &[(3, &exemplar)]));
    assert_eq!((alone.translation.records, alone.written.exemplars), (1, 1));
    assert_eq!(in_metric(&alone.translation.request, &[7, 1, 8]), ["1"]);
    assert_eq!(all(&alone.translation.request, &[1, 2, 1, 1]), ["exemplars"], "a series of its own");
}

#[test]
fn a_bad_record_costs_itself() {
    let check = |body: Vec<u8>, records: u32, turned_away: u32| {
        let mut all = series(&[("__name__", "up")], &[(2, &|out| sample(out, 1.0, 7))]);
        all.extend(body);
        let found = one(&all).translation;
        assert_eq!((found.records, found.turned_away.count()), (records + 1, turned_away));
    };
    check(series(&[("__name__", "a")], &[(2, &|out| sample(out, 1.0, 0)), (2, &|out| sample(out, 1.0, 5))]), 1, 1);
    check(series(&[("__name__", "a")], &[(2, &|out| sample(out, 1.0, i64::MAX))]), 0, 1);
    check(series(&[("__name__", "a")], &[(2, &|out| out.push(0x80))]), 0, 1);
    check(series(&[("job", "a")], &[(2, &|out| sample(out, 1.0, 5)), (2, &|out| sample(out, 1.0, 6))]), 0, 2);
    check(series(&[("__name__", "a")], &[(3, &|out| put_double(out, 2, 1.0))]), 0, 1);
    check(series(&[("__name__", "a")], &[(4, &|out| put_number(out, 15, 0))]), 0, 1);
    check(series(&[("__name__", "a")], &[]), 0, 0);
    check(vec![0x0a, 1, 0x80], 0, 1);
    for (version, body) in [(Version::One, &[0x0a_u8, 5][..]), (Version::Two, &[0x22, 9])] {
        let found = translate(version, body, &Limits::default());
        assert!(matches!(found, Err(DoorError::Malformed(_))), "{version:?}");
    }
    let limits = Limits { request_bytes_max: 1000, ..Limits::default() };
    let samples: Vec<(u32, Put<'_>)> = vec![(2, &|out: &mut Vec<u8>| sample(out, 1.0, 5)); 100];
    let long = "x".repeat(300);
    let body = series(&[("__name__", "a"), ("b", &long)], &samples);
    assert_eq!(translate(Version::One, &body, &limits), Err(DoorError::Full), "labels are repeated for each sample");
}

/// A native histogram of two positive buckets and a negative one.
fn histogram(out: &mut Vec<u8>, schema: i32) {
    put_number(out, 1, 12);
    put_double(out, 3, 18.4);
    put_zigzag(out, 4, schema);
    put_double(out, 5, 0.001);
    put_number(out, 6, 2);
    for (field, offset) in [(8, -1), (11, 0)] {
        put_message(out, field, |out| {
            put_zigzag(out, 1, offset);
            put_number(out, 2, 2);
        });
    }
    for field in [9, 12] {
        let mut packed = Vec::new();
        // 3, then 3 - 1.
        [6, 1].iter().for_each(|delta| put_varint(&mut packed, *delta));
        put_bytes(out, field, &packed);
    }
    put_number(out, 15, 7);
}

#[test]
fn native_histograms_become_exponential_ones() {
    let found = one(&series(&[("__name__", "latency")], &[(4, &|out| histogram(out, 3))]));
    assert_eq!((found.translation.records, found.written.histograms), (1, 1));
    let request = &found.translation.request;
    let point = |path: &[u64]| in_metric(request, &[&[10, 1], path].concat());
    assert_eq!(in_metric(request, &[10, 2]), ["2"], "cumulative");
    assert_eq!(
        (point(&[3]), point(&[4]), point(&[6]), point(&[7])),
        (vec!["7000000".into()], vec!["12".into()], vec!["6".into()], vec!["2".into()])
    );
    assert_eq!((point(&[8, 1]), point(&[8, 2])), (vec!["1".to_owned()], vec!["[3, 2]".to_owned()]), "offset -1");
    assert_eq!(point(&[9, 1]), ["3"], "offset -2");
    let refused = one(&series(&[("__name__", "latency")], &[(4, &|out| histogram(out, 99))]));
    assert_eq!((refused.translation.records, refused.translation.turned_away.count()), (0, 1));
}

#[test]
fn custom_buckets_become_explicit_ones() {
    let put = |out: &mut Vec<u8>| {
        put_number(out, 1, 5);
        put_double(out, 3, 9.0);
        put_zigzag(out, 4, -53);
        put_message(out, 11, |out| {
            put_zigzag(out, 1, 1);
            put_number(out, 2, 2);
        });
        put_bytes(out, 12, &[4, 2]);
        put_bytes(out, 16, &[0.5_f64.to_le_bytes(), 1.0_f64.to_le_bytes()].concat());
        put_number(out, 15, 7);
    };
    let found = one(&series(&[("__name__", "latency")], &[(4, &put)]));
    assert_eq!(found.translation.records, 1);
    let counts = in_metric(&found.translation.request, &[9, 1, 6]);
    let expect: Vec<u8> = [0_u64, 2, 3].iter().flat_map(|count| count.to_le_bytes()).collect();
    assert_eq!(counts, [format!("{expect:?}")]);
}

#[test]
fn version_2_names_symbols() {
    let symbols = ["", "__name__", "hits_total", "job", "cart", "how often", "trace_id", "a3ce929d0e0e4736"];
    let request = |refs: &[u8], with: Put<'_>| {
        let mut body = Vec::new();
        symbols.iter().for_each(|symbol| put_bytes(&mut body, 4, symbol.as_bytes()));
        put_message(&mut body, 5, |out| {
            put_bytes(out, 1, refs);
            put_message(out, 2, |out| {
                sample(out, 2.0, 7);
                put_number(out, 3, 5);
            });
            with(out);
        });
        body
    };
    let with = |out: &mut Vec<u8>| {
        put_message(out, 4, |out| {
            put_bytes(out, 1, &[6, 7]);
            put_double(out, 2, 0.5);
            put_number(out, 3, 7);
        });
        put_message(out, 5, |out| {
            put_number(out, 1, 1);
            put_number(out, 3, 5);
        });
    };
    let found = translate(Version::Two, &request(&[1, 2, 3, 4], &with), &Limits::default()).expect("a request");
    assert_eq!(found.written, Written { samples: 1, histograms: 0, exemplars: 1 });
    let message = &found.translation.request;
    assert_eq!(all(message, &[1, 1, 1, 2, 1]), ["cart"]);
    assert_eq!(
        (in_metric(message, &[1]), in_metric(message, &[2])),
        (vec!["hits_total".to_owned()], vec!["how often".to_owned()])
    );
    assert_eq!(in_metric(message, &[7, 1, 2]), ["5000000"], "its start");
    assert_eq!(in_metric(message, &[7, 1, 5, 5]).len(), 1);
    for refs in [&[1, 2, 3][..], &[1, 99], &[3, 4], &[0x80]] {
        let found = translate(Version::Two, &request(refs, &|_| {}), &Limits::default()).expect("a request");
        assert_eq!((found.translation.records, found.translation.turned_away.count()), (0, 1), "{refs:?}");
    }
}
