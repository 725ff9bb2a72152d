//! Rates of tenants and services: what is over them is refused whole, in words, and taken a moment later.

use std::time::Duration;

use testkit::raw::{exchange, grpc_frame, request};
use testkit::{Message, Server, ServerSettings, Signal, proto};

use super::rows::{Body, Expect, Table, header_bytes, log_protobuf};
use crate::TestResult;

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A log request with so many records of each of these services; `seed` makes it differ from others.
fn logs_of(services: &[(&str, usize)], seed: usize) -> Vec<u8> {
    let resources: Vec<String> = services
        .iter()
        .map(|(service, count)| {
            let records: Vec<String> = (0..*count)
                .map(|number| {
                    format!(r#"{{"timeUnixNano":"{}","body":{{"stringValue":"{seed} {number}"}}}}"#, number + 1)
                })
                .collect();
            format!(
                r#"{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{service}"}}}}]}},
                "scopeLogs":[{{"logRecords":[{}]}}]}}"#,
                records.join(",")
            )
        })
        .collect();
    format!(r#"{{"resourceLogs":[{}]}}"#, resources.join(",")).into_bytes()
}

#[tokio::test]
async fn a_tenant_over_its_rate_is_asked_to_wait() -> TestResult {
    let settings = ServerSettings::default()
        .with("SPYHOP_LIMITS_TENANT_RECORDS_PER_SECOND", "50")
        .with("SPYHOP_LIMITS_TENANT_BYTES_PER_SECOND", "100KiB")
        .with("SPYHOP_LIMITS_BURST", "2s");
    let server = Server::start(settings).await?;
    let [_, http, _] = server.ports();
    let client = server.client();
    let mut table = Table::new("rates of a tenant");
    let send = |services: &[(&str, usize)], seed| request("POST", "/v1/logs", &[JSON], &logs_of(services, seed));
    table.row("a burst", http, &send(&[("a", 150)], 1), Expect::JSON).await;
    let refused = Expect::new(429, Body::Status("tenant 'default' sends more than 50 records a second"))
        .with(&[("retry-after", ""), ("content-type", "application/json")]);
    let refusal = exchange(http, &send(&[("b", 10)], 2)).await?;
    table.note("over it", refused.check(&refusal));
    let seconds = refusal.header("retry-after").and_then(|value| value.parse::<u64>().ok()).unwrap_or_default();
    let is_right = (1..=5).contains(&seconds);
    table.note(
        "X6 the wait is one that exporters keep",
        if is_right { Ok(()) } else { Err(anyhow::anyhow!("{seconds}")) },
    );
    let call = client.grpc_call(Signal::Logs.grpc_path(), &[], grpc_frame(0, &log_protobuf(b"x"))).await?;
    let info = header_bytes(call.header("google.rpc.retryinfo-bin"));
    let details = proto::Status::decode(&header_bytes(call.header("grpc-status-details-bin"))[..])?;
    let is_right = call.header("grpc-status") == Some("8")
        && info.starts_with(&[0x0a, 0x02, 0x08])
        && details.message.contains("limits.tenant_records_per_second")
        && details.details.iter().any(|any| any.value == info);
    table.note("gRPC, with RetryInfo twice", if is_right { Ok(()) } else { Err(anyhow::anyhow!("{call:?}")) });
    tokio::time::sleep(Duration::from_secs(seconds.max(1) + 1)).await;
    table.row("after the wait", http, &send(&[("b", 10)], 2), Expect::JSON).await;
    let large = logs_of(&[(&"x".repeat(300_000), 1)], 3);
    table.row("bytes, a large request", http, &request("POST", "/v1/logs", &[JSON], &large), Expect::JSON).await;
    let refused = Expect::new(429, Body::Status("102400 bytes a second"));
    table.row("bytes, the next one", http, &send(&[("c", 1)], 4), refused).await;
    let count = client.sql_count("select count(*) from logs").await?;
    table.note("refused is not stored", if count == 161 { Ok(()) } else { Err(anyhow::anyhow!("{count}")) });
    table.finish()
}

#[tokio::test]
async fn a_service_over_its_rate_costs_the_request_and_no_other_service() -> TestResult {
    let settings = ServerSettings::default()
        .with("SPYHOP_LIMITS_SERVICE_RECORDS_PER_SECOND", "20")
        .with("SPYHOP_LIMITS_BURST", "1s");
    let server = Server::start(settings).await?;
    let [_, http, api] = server.ports();
    let mut table = Table::new("rates of a service");
    let send = |services: &[(&str, usize)], seed| request("POST", "/v1/logs", &[JSON], &logs_of(services, seed));
    table.row("within it", http, &send(&[("cart", 500)], 1), Expect::JSON).await;
    let refused = Expect::new(429, Body::Status("service 'cart' sends more than 20 records a second"));
    table.row("one of two is over it", http, &send(&[("shop", 5), ("cart", 1)], 2), refused).await;
    table.row("the other alone", http, &send(&[("shop", 5)], 3), Expect::JSON).await;
    let odd = "a\u{1F40B}b\\\"c";
    let named = odd.replace('\\', "\\\\").replace('"', "\\\"");
    table.row("an odd name", http, &send(&[(&named, 100)], 4), Expect::JSON).await;
    table.row("an odd name, refused", http, &send(&[(&named, 1)], 5), Expect::new(429, Body::Status(odd))).await;
    let client = server.client();
    let counts = client.sql("select service_name, count(*) from logs group by 1 order by 1").await;
    let stored = client.sql_count("select count(*) from logs").await?;
    table.note(
        "a refused request is refused whole",
        if stored == 605 { Ok(()) } else { Err(anyhow::anyhow!("{stored} {counts:?}")) },
    );
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let metrics = exchange(api, &request("GET", "/metrics", &[], b"")).await?.text();
    let line = r#"spyhop_refusals_total{role="ingest",reason="over_rate"} 2"#;
    table.note("N7 it is counted", if metrics.contains(line) { Ok(()) } else { Err(anyhow::anyhow!("{metrics}")) });
    table.finish()
}
