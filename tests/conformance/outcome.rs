//! O: success, empty requests, partial success, resends.

use testkit::raw::{exchange, request};
use testkit::{Message, Server, ServerSettings, now_unix_nano, proto};

use super::rows::{Body, Expect, Table, field, logs_json};
use crate::TestResult;

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];
const PROTOBUF: [(&str, &str); 1] = [("Content-Type", "application/x-protobuf")];

const GOOD: &str = r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"good","startTimeUnixNano":"TIME","endTimeUnixNano":"TIME"}"#;
const BAD: &str = r#"{"traceId":"5b8eff","spanId":"eee19b7ec3c1b174","name":"bad"}"#;

fn spans(spans: &[&str]) -> Vec<u8> {
    let spans = spans.join(",").replace("TIME", &now_unix_nano().to_string());
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#).into_bytes()
}

#[tokio::test]
async fn empty_requests_succeed() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let mut table = Table::new("O2-O3");
    for (signal, resources, scopes) in [
        ("logs", "resourceLogs", "scopeLogs"),
        ("traces", "resourceSpans", "scopeSpans"),
        ("metrics", "resourceMetrics", "scopeMetrics"),
    ] {
        let path = format!("/v1/{signal}");
        for body in [
            "{}".to_owned(),
            format!(r#"{{"{resources}":[]}}"#),
            format!(r#"{{"{resources}":[{{}}]}}"#),
            format!(r#"{{"{resources}":[{{"resource":{{}},"{scopes}":[]}}]}}"#),
            format!(r#"{{"{resources}":[{{"{scopes}":[{{"scope":{{}}}}]}}]}}"#),
        ] {
            table.row(&format!("O2 {body}"), http, &request("POST", &path, &JSON, body.as_bytes()), Expect::JSON).await;
        }
        for body in [vec![], field(0x0a, &[]), field(0x0a, &field(0x12, &[]))] {
            let sent = request("POST", &path, &PROTOBUF, &body);
            table.row(&format!("O2 {signal} {body:02x?}"), http, &sent, Expect::PROTOBUF).await;
        }
    }
    let record = format!(r#"{{"timeUnixNano":"{}","body":{{"stringValue":"o3"}}}}"#, now_unix_nano());
    let sent = request("POST", "/v1/logs", &JSON, &logs_json(&record));
    table.row("O3 full success is {}", http, &sent, Expect::JSON).await;
    table.row("O8 so is a resend", http, &sent, Expect::JSON).await;
    let stored = server.client().sql_count("select count(*) from logs").await?;
    table.note("O8 a resend is stored once", if stored == 1 { Ok(()) } else { Err(anyhow::anyhow!("{stored}")) });
    table.finish()
}

#[tokio::test]
async fn some_records_rejected() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let mut table = Table::new("O4-O7");
    let sent = request("POST", "/v1/traces", &JSON, &spans(&[GOOD, BAD, GOOD]));
    let answer = exchange(http, &sent).await?;
    let partial: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let rejected = &partial["partialSuccess"]["rejectedSpans"];
    let message = partial["partialSuccess"]["errorMessage"].as_str().unwrap_or_default();
    let is_right = answer.status == 200 && rejected == "1" && message.contains("trace");
    table.note("O4 one of three, in JSON", if is_right { Ok(()) } else { Err(anyhow::anyhow!("{}", answer.text())) });
    let again = exchange(http, &sent).await?;
    let same = again.body == answer.body && again.status == 200;
    table.note(
        "O8 a resend has the same partial success",
        if same { Ok(()) } else { Err(anyhow::anyhow!("{}", again.text())) },
    );
    server.kill_group()?;
    server.restart().await?;
    let stored = server.client().sql_count("select count(*) from spans").await?;
    table.note("O7 what was accepted is durable", if stored == 2 { Ok(()) } else { Err(anyhow::anyhow!("{stored}")) });
    let [_, http, _] = server.ports();
    let bad = field(0x12, &[field(0x0a, &[1, 2, 3]), field(0x12, &[1; 8])].concat());
    let good = field(0x12, &[field(0x0a, &[1; 16]), field(0x12, &[1; 8]), field(0x2a, b"a")].concat());
    let body = field(0x0a, &field(0x12, &[bad.clone(), good].concat()));
    let answer = exchange(http, &request("POST", "/v1/traces", &PROTOBUF, &body)).await?;
    let partial = proto::ExportTraceServiceResponse::decode(&answer.body[..])?.partial_success.unwrap_or_default();
    let is_right = partial.rejected_spans == 1 && !partial.error_message.is_empty();
    table.note("O4 one of two, in protobuf", if is_right { Ok(()) } else { Err(anyhow::anyhow!("{partial:?}")) });
    let snake = br#"{"resource_logs":[{"scope_logs":[{"log_records":[{"body":{"string_value":"o5"}}]}]}]}"#;
    let answer = exchange(http, &request("POST", "/v1/logs", &JSON, snake)).await?;
    let warned = answer.status == 200 && answer.text().contains("errorMessage") && !answer.text().contains("rejected");
    table.note("O5 stored with a warning", if warned { Ok(()) } else { Err(anyhow::anyhow!("{}", answer.text())) });
    let all_bad = field(0x0a, &field(0x12, &bad));
    let refused = Expect::new(400, Body::StatusProtobuf("trace"));
    table.row("O6 every record rejected", http, &request("POST", "/v1/traces", &PROTOBUF, &all_bad), refused).await;
    let refused = Expect::new(400, Body::Status("trace"));
    table.row("O6 in JSON", http, &request("POST", "/v1/traces", &JSON, &spans(&[BAD])), refused).await;
    let stored = server.client().sql_count("select count(*) from spans").await?;
    table.note("O6 stores nothing", if stored == 3 { Ok(()) } else { Err(anyhow::anyhow!("{stored}")) });
    table.finish()
}
