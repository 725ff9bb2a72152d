use super::AnyValue::*;
use super::*;

fn text(value: &AnyValue) -> std::string::String {
    let mut out = std::string::String::new();
    write_value(&mut out, value);
    out
}

fn string(text: &str) -> AnyValue {
    String(text.into())
}

fn list(entries: &[(&str, AnyValue)]) -> AnyValue {
    KeyValueList(entries.iter().map(|(key, value)| (key.to_string(), value.clone())).collect())
}

#[test]
fn every_value_has_its_text_and_comes_back() {
    let check = |value: AnyValue, expect: &str| {
        assert_eq!(text(&value), expect);
        assert_eq!(parse(expect), Ok(value), "{expect}");
        assert!(serde_json::from_str::<serde_json::Value>(expect).is_ok(), "{expect} is JSON");
    };
    check(Empty, "null");
    check(Bool(true), "true");
    check(Int(0), "0");
    check(Int(i64::MIN), "-9223372036854775808");
    check(Int(i64::MAX), "9223372036854775807");
    check(Double(1.0), "1.0");
    check(Double(-0.0), "-0.0");
    check(Double(1e300), "1e300");
    check(Double(0.1), "0.1");
    check(Double(5e-324), "5e-324");
    check(Double(f64::MAX), "1.7976931348623157e308");
    check(Double(f64::NAN), r#"{"$double":"NaN"}"#);
    check(Double(f64::NEG_INFINITY), r#"{"$double":"-Infinity"}"#);
    check(Double(f64::from_bits(0x7ff0_0000_0000_0002)), r#"{"$double":"0x7ff0000000000002"}"#);
    check(string(""), r#""""#);
    check(string("a\"b\\c\n\r\t\0\u{1f}\u{7f}é😀/"), "\"a\\\"b\\\\c\\n\\r\\t\\u0000\\u001f\u{7f}é😀/\"");
    check(string("12345678\"2345678"), r#""12345678\"2345678""#);
    check(Bytes(vec![]), r#"{"$bytes":""}"#);
    check(Bytes(vec![0xff, 0xfe]), r#"{"$bytes":"//4="}"#);
    check(Array(vec![]), "[]");
    check(Array(vec![Int(1), string("x"), Array(vec![Empty])]), r#"[1,"x",[null]]"#);
    check(list(&[]), "{}");
    check(list(&[("a", Int(1)), ("a", Int(2)), ("", Empty)]), r#"{"a":1,"a":2,"":null}"#);
    check(list(&[("$bytes", string("x"))]), r#"{"$kvlist":{"$bytes":"x"}}"#);
    check(list(&[("a", Int(1)), ("$b", Int(2))]), r#"{"a":1,"$b":2}"#);
    check(list(&[("$kvlist", list(&[("$x", Int(1))]))]), r#"{"$kvlist":{"$kvlist":{"$kvlist":{"$x":1}}}}"#);
}

#[test]
fn attributes_are_never_wrapped_at_the_top() {
    let entries = vec![("$double".to_string(), string("NaN")), ("b".to_string(), Bytes(vec![1]))];
    let mut out = std::string::String::new();
    write_key_values(&mut out, &entries);
    assert_eq!(out, r#"{"$double":"NaN","b":{"$bytes":"AQ=="}}"#);
    assert_eq!(parse_key_values(&out), Ok(entries));
}

#[test]
fn what_is_not_canonical_is_refused() {
    for text in
        ["", "{", "[1,]", "nul", "1 ", " 1", "{\"a\"}", "{\"$what\":1}", "\"\\ud800\"", "\"\\x\"", "--1", "1e999"]
    {
        assert!(parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn depth_is_bounded_and_deep_text_overflows_nothing() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse(&nested(DEPTH_MAX)).is_ok());
    assert!(parse(&nested(DEPTH_MAX + 1)).is_err());
    assert!(parse(&"[".repeat(1_000_000)).is_err());
    assert!(parse(&r#"{"a":"#.repeat(1_000_000)).is_err());
}

#[test]
fn entries_give_keys_and_raw_values() {
    let check = |text: &str, expect: &[(&str, &str)]| {
        let found: Vec<_> = entries(text).map(|(key, raw)| (key.into_owned(), raw)).collect();
        let expect: Vec<_> = expect.iter().map(|(key, raw)| (key.to_string(), *raw)).collect();
        assert_eq!(found, expect, "{text}");
    };
    check("{}", &[]);
    check(r#"{"a":1}"#, &[("a", "1")]);
    check(
        r#"{"a\"b":"x,}\"]","n":{"k":[1,{"z":"]"}]},"e":null,"d":1.5}"#,
        &[("a\"b", r#""x,}\"]""#), ("n", r#"{"k":[1,{"z":"]"}]}"#), ("e", "null"), ("d", "1.5")],
    );
    check(r#"{"a":1,"b"#, &[("a", "1")]);
    check("", &[]);
}

#[test]
fn native_forms() {
    let check = |raw: &str, expect: &str| assert_eq!(native_text(raw), expect, "{raw}");
    check(r#""a\"b""#, "a\"b");
    check("12", "12");
    check("1.0", "1.0");
    check("null", "null");
    check(r#"{"$bytes":"AQ=="}"#, "AQ==");
    check(r#"{"$double":"NaN"}"#, "NaN");
    check(r#"[1,{"$bytes":"AQ=="}]"#, r#"[1,"AQ=="]"#);
    check("{\"$broken", "{\"$broken");
    let value = list(&[("a", Int(1)), ("a", Double(2.5)), ("i", Int(i64::MAX))]);
    assert_eq!(to_native(&value).to_string(), r#"{"a":2.5,"i":9223372036854775807}"#);
}

#[test]
fn base64_reads_both_alphabets_padded_or_not() {
    let check = |text: &str, expect: Option<&[u8]>| {
        let mut out = Vec::new();
        assert_eq!(base64::decode(&mut out, text.as_bytes()).then_some(out.as_slice()), expect, "{text}");
    };
    check("//79", Some(&[0xff, 0xfe, 0xfd]));
    check("__79", Some(&[0xff, 0xfe, 0xfd]));
    check("AQ==", Some(&[1]));
    check("AQ", Some(&[1]));
    check("AQI=", Some(&[1, 2]));
    check("AQ=", None);
    check("A", None);
    check("A*==", None);
    check("", Some(&[]));
}

#[test]
fn deep_values_stay_readable_for_others() {
    let nested = |depth: usize| (0..depth).fold(Int(1), |inner, _| Array(vec![inner]));
    for depth in [1, NATIVE_DEPTH_MAX, NATIVE_DEPTH_MAX + 1, DEPTH_MAX] {
        let answer = to_native(&nested(depth)).to_string();
        assert_eq!(answer.contains("\"["), depth > NATIVE_DEPTH_MAX, "{depth}");
        assert_eq!(answer.matches('[').count(), depth, "{depth}");
        assert!(serde_json::from_str::<serde_json::Value>(&answer).is_ok(), "{depth}");
    }
}
