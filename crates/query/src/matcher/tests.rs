use std::collections::BTreeSet;
use std::sync::Arc;

use api::filter::parse;
use arrow::array::{ArrayRef, DictionaryArray, FixedSizeBinaryArray, Int32Array, Int64Array, StringArray};
use arrow::datatypes::Int32Type;

use super::*;

fn keyword(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<DictionaryArray<Int32Type>>())
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .expect("a batch")
}

fn logs() -> RecordBatch {
    let ids = [Some([1_u8; 16]), None, Some([0xab; 16])];
    batch(vec![
        ("trace_id", Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(ids.into_iter(), 16).expect("ids"))),
        ("severity_number", Arc::new(Int32Array::from(vec![Some(17), None, Some(9)]))),
        ("severity_text", keyword(&[Some("ERR"), Some("warning"), None])),
        ("body", Arc::new(StringArray::from(vec![Some("payment failed"), Some("all good"), None]))),
        ("service_name", keyword(&[Some("shop"), Some("cart"), Some("shop")])),
        (
            "resource",
            keyword(&[Some(r#"{"attributes":{"env":"prod","user":"resource"}}"#), Some(r#"{"schema_url":"x"}"#), None]),
        ),
        ("scope", keyword(&[Some(r#"{"name":"lib.a"}"#), None, None])),
        (
            "attributes",
            Arc::new(StringArray::from(vec![
                Some(r#"{"n":5,"user":"ann","n":7}"#),
                Some(r#"{"n":"12","tags":["x","y"]}"#),
                None,
            ])),
        ),
        ("http_request_method", keyword(&[Some("GET"), None, Some("POST")])),
        ("server_port", Arc::new(Int64Array::from(vec![Some(80), None, Some(8080)]))),
    ])
}

fn matching(batch: &RecordBatch, query: &str, target: Target) -> Vec<usize> {
    let filter = parse(query, target).unwrap_or_else(|error| panic!("{query}: {error}"));
    let matcher = Matcher::new(&filter, target);
    let mut rows = vec![true; batch.num_rows()];
    matcher.narrow(batch, &mut rows);
    rows.iter().enumerate().filter(|(_, row)| **row).map(|(at, _)| at).collect()
}

#[test]
fn filters_match_log_rows() {
    let batch = logs();
    let check = |query: &str, expect: &[usize]| assert_eq!(matching(&batch, query, Target::Logs), expect, "{query}");
    check("", &[0, 1, 2]);
    check("payment", &[0]);
    check("GET", &[0]);
    check("8080", &[2]);
    check("ann", &[0]);
    check("prod", &[]);
    check("body:good", &[1]);
    check("body:*", &[0, 1]);
    check("service:shop", &[0, 2]);
    check("service:SHOP", &[0, 2]);
    check("-service:shop", &[1]);
    check("severity:error", &[0]);
    check("severity:>=warn", &[0, 1]);
    check("severity:<warn", &[2]);
    check("severity:13", &[1]);
    check("severity_text:err", &[0]);
    check("trace_id:01010101010101010101010101010101", &[0]);
    check("trace_id:abab*", &[2]);
    check("trace_id:*", &[0, 2]);
    check("scope.name:lib.a", &[0]);
    check("resource.env:prod", &[0]);
    check("env:prod", &[0]);
    check("user:ann", &[0]);
    check("user:resource", &[]);
    check("n:7", &[0]);
    check("n:>6", &[0, 1]);
    check("n:*", &[0, 1]);
    check("-n:*", &[2]);
    check("http.request.method:get", &[0]);
    check("server.port:>100", &[2]);
    check("server.port:80*", &[0, 2]);
    check("tags:*x*", &[1]);
    check("payment OR good", &[0, 1]);
    check("(payment OR good) NOT service:cart", &[0]);
    check("missing:1", &[]);
    check("NOT missing:1", &[0, 1, 2]);
    check("event_name:x", &[]);
    check("span_id:*", &[]);
}

#[test]
fn filters_match_span_rows() {
    let batch = batch(vec![
        ("name", keyword(&[Some("GET /cart"), Some("SELECT")])),
        ("status_code", Arc::new(Int32Array::from(vec![Some(2), None]))),
        ("duration_nanos", Arc::new(Int64Array::from(vec![2_000_000_000, 5_000_000]))),
        ("status_message", Arc::new(StringArray::from(vec![Some("card declined"), None]))),
        ("attributes", Arc::new(StringArray::from(vec![None, Some(r#"{"status":"x"}"#)]))),
    ]);
    let check = |query: &str, expect: &[usize]| assert_eq!(matching(&batch, query, Target::Spans), expect, "{query}");
    check("status:error", &[0]);
    check("status:unset", &[1]);
    check("kind:unspecified", &[0, 1]);
    check("duration:>1s", &[0]);
    check("duration:<=5ms", &[1]);
    check("name:\"GET /cart\"", &[0]);
    check("name:GET*", &[0]);
    check("cart", &[0]);
    check("declined", &[0]);
    check("attributes.status:x", &[1]);
}

/// Records of senders old and new: whichever name is asked for, both are found.
#[test]
fn names_of_yesterday_and_today_are_one_field() {
    let attributes = [
        None,
        Some(r#"{"http.method":"GET","http.status_code":200,"net.peer.name":"db.internal"}"#),
        Some(r#"{"http.method":"POST","http.response.status_code":"200","url.path":"/cart"}"#),
        Some(r#"{"http.target":"/cart?x=1","db.statement":"select 1","http.method":"PUT"}"#),
        Some(r#"{"http.target":"/cart","x":1}"#),
    ];
    let batch = batch(vec![
        ("http_request_method", keyword(&[Some("GET"), None, None, Some("GET"), None])),
        ("http_response_status_code", Arc::new(Int64Array::from(vec![Some(500), None, None, None, None]))),
        ("server_address", keyword(&[Some("db.internal"), None, None, None, None])),
        ("attributes", Arc::new(StringArray::from(attributes.to_vec()))),
        (
            "resource",
            keyword(&[
                Some(r#"{"attributes":{"deployment.environment.name":"prod"}}"#),
                Some(r#"{"attributes":{"deployment.environment":"prod"}}"#),
                None,
                Some(r#"{"attributes":{"http.method":"DELETE"}}"#),
                Some(r#"{"attributes":{"http.method":"DELETE"}}"#),
            ]),
        ),
    ]);
    let check = |query: &str, expect: &[usize]| {
        for target in [Target::Logs, Target::Spans, Target::Metrics] {
            assert_eq!(matching(&batch, query, target), expect, "{query} {target:?}");
        }
    };
    for (today, yesterday, tests) in [
        (
            "http.request.method",
            "http.method",
            &[
                ("GET", &[0, 1, 3][..]),
                ("POST", &[2]),
                // Sent under both names: either value is found.
                ("PUT", &[3]),
                // The resource speaks only where the record has neither name.
                ("DELETE", &[4]),
                ("*", &[0, 1, 2, 3, 4]),
            ][..],
        ),
        ("http.response.status_code", "http.status_code", &[("200", &[1, 2]), (">=500", &[0]), ("*", &[0, 1, 2])]),
        ("url.path", "http.target", &[("/cart", &[2, 4]), ("/cart*", &[2, 3, 4])]),
        ("db.query.text", "db.statement", &[("\"select 1\"", &[3])]),
        ("server.address", "net.peer.name", &[("db.internal", &[0, 1])]),
        ("server.address", "net.host.name", &[("db.internal", &[0, 1])]),
        ("deployment.environment.name", "deployment.environment", &[("prod", &[0, 1])]),
        ("resource.deployment.environment.name", "resource.deployment.environment", &[("prod", &[0, 1])]),
        ("resource.http.request.method", "resource.http.method", &[("DELETE", &[3, 4])]),
    ] {
        for (test, expect) in tests {
            check(&format!("{today}:{test}"), expect);
            check(&format!("{yesterday}:{test}"), expect);
        }
    }
    check("-http.method:GET", &[2, 4]);
    check("HTTP.METHOD:GET", &[]);
}

#[test]
fn labels_are_never_taken_for_parts_of_other_records() {
    let batch = batch(vec![
        ("service_name", keyword(&[Some("shop"), Some("cart")])),
        (
            "attributes",
            Arc::new(StringArray::from(vec![
                r#"{"status":"error","kind":"x","level":"3","trace_id":"t","name":"a b"}"#,
                r#"{"status":"ok","duration":5}"#,
            ])),
        ),
    ]);
    let check = |query: &str, expect: &[usize]| assert_eq!(matching(&batch, query, Target::Metrics), expect, "{query}");
    check("status:error", &[0]);
    check("kind:x level:3 trace_id:t name:\"a b\"", &[0]);
    check("duration:>4", &[1]);
    check("service:cart", &[1]);
    check("error", &[0]);
    check("cart", &[1]);
    check("shop OR ok", &[0, 1]);
}

#[test]
fn what_an_index_is_asked() {
    let ask = |query: &str, keys: &[&str]| {
        let matcher = Matcher::new(&parse(query, Target::Logs).expect("parses"), Target::Logs);
        matcher.terms(&keys.iter().copied().collect::<BTreeSet<_>>())
    };
    let token = |text: &str| TermQuery::Token(text.into());
    assert_eq!(ask("Timeout", &[]), token("timeout"));
    assert_eq!(ask("service:x", &[]), TermQuery::All);
    assert_eq!(ask("user:ann", &[]), TermQuery::And(vec![token("ann")]));
    assert_eq!(ask("user:ann", &["user"]), TermQuery::All);
    let get = TermQuery::And(vec![token("get")]);
    assert_eq!(ask("http.method:GET", &[]), get);
    assert_eq!(ask("http.request.method:GET", &[]), get);
    assert_eq!(ask("http.request.method:GET", &["http.method"]), TermQuery::All);
    assert_eq!(ask("n:5", &[]), token("5"));
    assert_eq!(ask("n:>5", &[]), TermQuery::All);
    assert_eq!(ask("-timeout", &[]), TermQuery::All);
    assert_eq!(ask("conn*", &[]), TermQuery::Prefix("conn".into()));
    assert_eq!(ask("a OR b", &[]), TermQuery::Or(vec![token("a"), token("b")]));
}

#[test]
fn a_filter_may_name_one_trace() {
    let named = |query: &str| Matcher::new(&parse(query, Target::Logs).expect("parses"), Target::Logs).trace_id();
    let id = "0af7651916cd43dd8448eb211c80319c";
    assert_eq!(named(&format!("trace_id:{id}")).map(|id| id.to_string()).as_deref(), Some(id));
    assert!(named(&format!("x trace_id:{id}")).is_some());
    assert!(named(&format!("x OR trace_id:{id}")).is_none());
    assert!(named(&format!("-trace_id:{id}")).is_none());
    assert!(named("trace_id:0af7*").is_none());
}
