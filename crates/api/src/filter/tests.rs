use super::*;

fn logs(text: &str) -> Filter {
    parse(text, Target::Logs).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

fn word(text: &str) -> Filter {
    Filter::Text(Pattern::literal(text))
}

fn is(field: Field, text: &str) -> Filter {
    Filter::Field(field, Test::Is(Pattern::literal(text)))
}

fn attribute(key: &str) -> Field {
    Field::Attribute(key.into())
}

fn within(field: Field, low: Bound, high: Bound) -> Filter {
    Filter::Field(field, Test::Within(Interval { low, high }))
}

fn whole(number: i64) -> Number {
    Number::Integer(number)
}

#[test]
fn texts_parse() {
    let check = |text: &str, expect: Filter| assert_eq!(logs(text), expect, "{text}");
    check("", Filter::All);
    check("   ", Filter::All);
    check("*", Filter::All);
    check("timeout", word("timeout"));
    check("\"connection refused\"", word("connection refused"));
    check("a b", Filter::And(vec![word("a"), word("b")]));
    check("a AND b", Filter::And(vec![word("a"), word("b")]));
    check("a OR b c", Filter::Or(vec![word("a"), Filter::And(vec![word("b"), word("c")])]));
    check("(a OR b) c", Filter::And(vec![Filter::Or(vec![word("a"), word("b")]), word("c")]));
    check("NOT a", Filter::Not(Box::new(word("a"))));
    check("-a", Filter::Not(Box::new(word("a"))));
    check("- a", Filter::And(vec![word("-"), word("a")]));
    check("foo-bar", word("foo-bar"));
    check("and or not", Filter::And(vec![word("and"), word("or"), word("not")]));
    check("12:30:01", word("12:30:01"));
    check("http://shop/cart", word("http://shop/cart"));
    check("a\\:b", word("a:b"));
    check("\"say \\\"hi\\\" c:\\x\"", word("say \"hi\" c:\\x"));
    check("\"AND\"", word("AND"));
}

#[test]
fn fields_parse() {
    let check = |text: &str, expect: Filter| assert_eq!(logs(text), expect, "{text}");
    check("service:checkout", is(Field::Service, "checkout"));
    check("service.name:\"a b\"", is(Field::Service, "a b"));
    check("resource.service.name:x", is(Field::Service, "x"));
    check("resource.k8s.pod.name:x", is(Field::Resource("k8s.pod.name".into()), "x"));
    check("http.route:/cart", is(attribute("http.route"), "/cart"));
    check("attributes.body:x", is(attribute("body"), "x"));
    check("body:x", is(Field::Body, "x"));
    check("name:x", is(attribute("name"), "x"));
    check("\"my key\":1", is(attribute("my key"), "1"));
    check("user.id:*", Filter::Field(attribute("user.id"), Test::Exists));
    check("user.id:-5", is(attribute("user.id"), "-5"));
    check("user.id:\"\"", is(attribute("user.id"), ""));
    check("a:>=5", within(attribute("a"), Bound::Included(whole(5)), Bound::None));
    check("a:<-1.5", within(attribute("a"), Bound::None, Bound::Excluded(Number::Double(-1.5))));
    check("severity:>=warn", within(Field::Severity, Bound::Included(whole(13)), Bound::None));
    check("severity:>warn", within(Field::Severity, Bound::Excluded(whole(16)), Bound::None));
    check("severity:<warn", within(Field::Severity, Bound::None, Bound::Excluded(whole(13))));
    check("severity:<=WARN", within(Field::Severity, Bound::None, Bound::Included(whole(16))));
    check("severity:17", within(Field::Severity, Bound::Included(whole(17)), Bound::Included(whole(17))));
    check("level:error", within(Field::Severity, Bound::Included(whole(17)), Bound::Included(whole(20))));
    let pattern = |pieces: &[&str]| Pattern::from_pieces(pieces.iter().map(|piece| (*piece).into()).collect());
    check("conn*", Filter::Text(pattern(&["conn", ""])));
    check("a*b**c", Filter::Text(pattern(&["a", "b", "c"])));
    check("service:*cart*", Filter::Field(Field::Service, Test::Is(pattern(&["", "cart", ""]))));
    check("trace_id:9f3c*", Filter::Field(Field::TraceId, Test::Is(pattern(&["9f3c", ""]))));
    assert_eq!(
        parse("status:error kind:server duration:>1.5s", Target::Spans).ok(),
        Some(Filter::And(vec![
            within(Field::Status, Bound::Included(whole(2)), Bound::Included(whole(2))),
            within(Field::Kind, Bound::Included(whole(2)), Bound::Included(whole(2))),
            within(Field::Duration, Bound::Excluded(whole(1_500_000_000)), Bound::None),
        ]))
    );
}

#[test]
fn errors_say_where() {
    let check = |text: &str, position: usize, part: &str| match parse(text, Target::Spans) {
        Ok(filter) => panic!("{text} parsed: {filter:?}"),
        Err(error) => {
            assert_eq!(error.position, position, "{text}: {error}");
            assert!(error.message.contains(part), "{text}: {error}");
        }
    };
    check("a AND", 5, "expected a word");
    check("OR a", 0, "before this operator");
    check("a OR OR b", 5, "before this operator");
    check("(a", 0, "never closed");
    check("x (a (b)", 2, "never closed");
    check("a)", 1, "no '(' before");
    check("()", 1, "before ')'");
    check("\"abc", 0, "quote is never closed");
    check("a \"abc", 2, "quote is never closed");
    check("service:", 8, "expected a value after 'service:'");
    check("service: x", 8, "expected a value after 'service:'");
    check("a:>", 3, "expected a value");
    check("a:>=x", 4, "expected a number");
    check("name:>5", 6, "cannot be compared");
    check("status:bad", 7, "unset, ok, error");
    check("kind:9", 5, "internal");
    check("duration:>100", 10, "250ms");
    check("trace_id:xyz", 9, "hex");
    check("trace_id:abcd", 9, "32 hex digits");
    check("NOT", 3, "expected a word");
    check("-(", 2, "expected a word");
}

#[test]
fn bombs_are_refused() {
    let refused = |text: String, part: &str| {
        let error = parse(&text, Target::Logs).expect_err("a bomb");
        assert!(error.message.contains(part), "{error}");
    };
    refused("(".repeat(60_000), "nested deeper");
    refused("-".repeat(60_000) + "a", "nested deeper");
    refused("NOT ".repeat(15_000) + "a", "nested deeper");
    refused("a ".repeat(30_000), "more than 1024 terms");
    refused("a OR ".repeat(10_000) + "a", "more than 1024 terms");
    refused("a".repeat(TEXT_BYTES_MAX + 1), "64 KiB");
    assert!(parse(&("(".repeat(64) + "a" + &")".repeat(64)), Target::Logs).is_ok());
    assert!(parse(&"a".repeat(TEXT_BYTES_MAX), Target::Logs).is_ok());
}

#[test]
fn printing_and_parsing_give_the_same_filter() {
    let texts = [
        "a b OR NOT (c d)",
        "-a -\"b c\"",
        "\"AND\" \"a\\\"b\\\\c\" \"\"",
        "\"my key\":\"x y\" a:<=5 a:>-1.25 a:\"*\" a:x\\*y*",
        "conn* *fused /api/*/items http\\:x*",
        "attributes.body:x attributes.service:y resource.body:z attributes.name:q",
        "trace_id:9f3c* user.id:* - é:ü",
        "12:30:01 http://shop/cart",
    ];
    for text in texts {
        for target in [Target::Logs, Target::Spans] {
            let filter = parse(text, target).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            let printed = filter.to_string();
            assert_eq!(parse(&printed, target), Ok(filter), "{text} printed as {printed}");
        }
    }
    let severities = logs("service:checkout severity:>=warn severity:error severity:0 severity:<debug");
    assert_eq!(logs(&severities.to_string()), severities);
    let spans = "status:error kind:client duration:>=100ms duration:<2s name:\"GET /cart\"";
    let filter = parse(spans, Target::Spans).expect("parses");
    assert_eq!(parse(&filter.to_string(), Target::Spans), Ok(filter));
}

#[test]
fn any_text_lexes_and_never_panics() {
    let alphabet = ["a", ":", "\"", "\\", "(", ")", "-", "*", "<", ">=", " ", "AND", "NOT", "é", "\u{1F40B}", "://"];
    let mut state = 7_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..(state % 12) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(alphabet[(state >> 33) as usize % alphabet.len()]);
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mut end = 0;
        for lexeme in lex(&text) {
            assert!(lexeme.range.start >= end && text.get(lexeme.range.clone()).is_some(), "{text}");
            end = lexeme.range.end;
        }
        match parse(&text, Target::Logs) {
            Ok(filter) => {
                let printed = filter.to_string();
                assert_eq!(parse(&printed, Target::Logs), Ok(filter), "{text} printed as {printed}");
            }
            Err(error) => assert!(error.position <= text.len(), "{text}"),
        }
    }
}

#[test]
fn patterns_match() {
    let check = |pattern: &str, text: &str, anchored: bool, within: bool| {
        let Filter::Field(_, Test::Is(pattern)) = logs(&format!("x:{pattern}")) else { panic!("{pattern}") };
        assert_eq!(pattern.matches(text), anchored, "{pattern:?} {text}");
        assert_eq!(pattern.is_within(text), within, "{pattern:?} {text}");
    };
    check("abc", "abc", true, true);
    check("abc", "xabcx", false, true);
    check("ab*", "abc", true, true);
    check("ab*", "xabc", false, true);
    check("*bc", "abc", true, true);
    check("a*c", "abbc", true, true);
    check("a*a", "a", false, false);
    check("a*b*c", "a-b-c", true, true);
    check("a*b*c", "acb", false, false);
}

#[test]
fn numbers_compare_exactly() {
    use std::cmp::Ordering;
    let check = |a: Number, b: Number, expect: Option<Ordering>| {
        assert_eq!(a.compare(b), expect, "{a:?} {b:?}");
        assert_eq!(b.compare(a), expect.map(Ordering::reverse), "{b:?} {a:?}");
    };
    check(whole(i64::MAX), whole(i64::MAX - 1), Some(Ordering::Greater));
    check(whole(i64::MAX), Number::Double(i64::MAX as f64), Some(Ordering::Less));
    check(whole(9_007_199_254_740_993), Number::Double(9_007_199_254_740_992.0), Some(Ordering::Greater));
    check(whole(5), Number::Double(5.5), Some(Ordering::Less));
    check(whole(-5), Number::Double(-5.5), Some(Ordering::Greater));
    check(whole(5), Number::Double(5.0), Some(Ordering::Equal));
    check(whole(5), Number::Double(f64::NAN), None);
    check(whole(i64::MIN), Number::Double(f64::NEG_INFINITY), Some(Ordering::Greater));
}

#[test]
fn severities_have_classes() {
    assert_eq!(Severity::of(0, "WARNING"), Severity::Warn);
    assert_eq!(Severity::of(17, "info"), Severity::Error);
    assert_eq!(Severity::of(0, "odd"), Severity::Unknown);
    assert_eq!(Severity::number_of(0, "error"), 17);
    for class in Severity::ALL {
        let (low, high) = class.numbers();
        assert_eq!((Severity::of_number(low), Severity::of_number(high)), (class, class));
    }
}
