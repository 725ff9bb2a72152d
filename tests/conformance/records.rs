//! R: what is wrong with a record costs that record, and what is only odd is kept as it came.

use serde_json::{Value, json};
use testkit::raw::{exchange, request};
use testkit::{Server, ServerSettings, now_unix_nano};

use super::rows::{Body, Expect, Table, logs_json};
use crate::TestResult;

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

#[tokio::test]
async fn one_bad_record_in_a_thousand() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let records: Vec<String> = (0..1000)
        .map(|number| match number {
            500 => r#"{"timeUnixNano":"poison","body":{"stringValue":"poison"}}"#.to_owned(),
            _ => format!(r#"{{"body":{{"stringValue":"record {number}"}}}}"#),
        })
        .collect();
    let answer = exchange(http, &request("POST", "/v1/logs", &JSON, &logs_json(&records.join(",")))).await?;
    let answer: Value = serde_json::from_slice(&answer.body)?;
    assert_eq!(answer["partialSuccess"]["rejectedLogRecords"], "1");
    assert_eq!(server.client().sql_count("select count(*) from logs").await?, 999);
    Ok(())
}

#[tokio::test]
async fn odd_records_are_kept_as_they_came() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let client = server.client();
    let mut table = Table::new("R");
    let now = now_unix_nano();
    let hour = 3_600_000_000_000_i64;
    let attribute = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{value}}}"#);
    let text = |value: &str| format!(r#"{{"stringValue":"{value}"}}"#);
    let cases: Vec<(&str, String, &str, Value)> = vec![
        (
            "a time a year ago",
            format!(r#"{{"timeUnixNano":"{}"}}"#, now - 365 * 24 * hour),
            "/time_unix_nano",
            json!((now - 365 * 24 * hour).to_string()),
        ),
        (
            "a time in a hundred years",
            format!(r#"{{"timeUnixNano":"{}"}}"#, now + 876_000 * hour),
            "/time_unix_nano",
            json!((now + 876_000 * hour).to_string()),
        ),
        ("time 1", r#"{"timeUnixNano":"1"}"#.into(), "/time_unix_nano", json!("1")),
        ("observed where there is no time", r#"{"observedTimeUnixNano":"5"}"#.into(), "/time_unix_nano", json!("5")),
        (
            "a span id without a trace id",
            r#"{"spanId":"eee19b7ec3c1b174"}"#.into(),
            "/span_id",
            json!("eee19b7ec3c1b174"),
        ),
        (
            "a key twice",
            format!(r#"{{"attributes":[{},{}]}}"#, attribute("k", &text("a")), attribute("k", &text("b"))),
            "/attributes/k",
            json!("b"),
        ),
        ("an empty key", format!(r#"{{"attributes":[{}]}}"#, attribute("", &text("a"))), "/attributes/", json!("a")),
        (
            "keys named like our columns",
            format!(
                r#"{{"attributes":[{},{}],"body":{}}}"#,
                attribute("body", &text("a")),
                attribute("trace_id", &text("b")),
                text("real")
            ),
            "/body",
            json!("real"),
        ),
        (
            "and they stay attributes",
            format!(
                r#"{{"attributes":[{},{}],"body":{}}}"#,
                attribute("body", &text("a")),
                attribute("trace_id", &text("b")),
                text("real")
            ),
            "/attributes/trace_id",
            json!("b"),
        ),
        (
            "one key as a number",
            format!(r#"{{"attributes":[{}]}}"#, attribute("mixed", r#"{"intValue":"5"}"#)),
            "/attributes/mixed",
            json!(5),
        ),
        (
            "the same key as a text",
            format!(r#"{{"attributes":[{}]}}"#, attribute("mixed", &text("5"))),
            "/attributes/mixed",
            json!("5"),
        ),
        (
            "a promoted key with another type",
            format!(r#"{{"attributes":[{}]}}"#, attribute("http.response.status_code", &text("teapot"))),
            "/attributes/http.response.status_code",
            json!("teapot"),
        ),
        ("a MiB of text", format!(r#"{{"body":{}}}"#, text(&"x".repeat(1 << 20))), "/body", json!("x".repeat(1 << 20))),
        ("no service", "{}".into(), "/resource/attributes/service.name", Value::Null),
    ];
    for (number, (row, record, pointer, expect)) in cases.into_iter().enumerate() {
        let scope = format!("case-{number}");
        let body = format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"scope":{{"name":"{scope}"}},"logRecords":[{record}]}}]}}]}}"#
        );
        table.row(row, http, &request("POST", "/v1/logs", &JSON, body.as_bytes()), Expect::new(200, Body::Any)).await;
        let found: Value = client.get_json(&format!("/api/v1/logs?query=scope.name:{scope}")).await?;
        let value = found["logs"][0].pointer(pointer).cloned().unwrap_or_default();
        let note = format!("{:.200}", found["logs"][0].to_string());
        table.note(row, if value == expect { Ok(()) } else { Err(anyhow::anyhow!("{value:.100} in {note}")) });
    }
    let keys: Vec<String> =
        (0..10_000).map(|number| attribute(&format!("key.{number}"), r#"{"intValue":"1"}"#)).collect();
    let wide = format!(r#"{{"attributes":[{}],"body":{}}}"#, keys.join(","), text("wide"));
    table
        .row(
            "ten thousand keys",
            http,
            &request("POST", "/v1/logs", &JSON, &logs_json(&wide)),
            Expect::new(200, Body::Any),
        )
        .await;
    let found: Value = client.get_json("/api/v1/logs?query=key.9999:1").await?;
    let kept = found["logs"][0]["attributes"].as_object().map_or(0, serde_json::Map::len);
    table.note("ten thousand keys are kept", if kept == 10_000 { Ok(()) } else { Err(anyhow::anyhow!("{kept}")) });
    let unknown: i64 = client.sql_count("select count(*) from logs where service_name = 'unknown_service'").await?;
    table.note("no service is unknown_service", if unknown == 15 { Ok(()) } else { Err(anyhow::anyhow!("{unknown}")) });
    table.finish()
}
