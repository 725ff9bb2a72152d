//! Log search, histogram, recent traces, services.

use testkit::{Client, Logs, Payload, Server, ServerSettings, Signal, Traces, now_unix_nano};

use crate::TestResult;

const RECORDS: usize = 2_000;

async fn filled() -> anyhow::Result<(Server, Client)> {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let now = now_unix_nano();
    let (mut logs, mut traces) = (Logs::new(21, now), Traces::new(22, now));
    for _ in 0..4 {
        client.send(&Payload::protobuf(Signal::Logs, &logs.request(RECORDS / 4))).await?;
        client.send(&Payload::protobuf(Signal::Traces, &traces.request(RECORDS / 4))).await?;
    }
    client.send(&Payload::protobuf(Signal::Logs, &logs.line("quarrelsome zebra at gate 17"))).await?;
    Ok((server, client))
}

async fn search(client: &Client, query: &str) -> anyhow::Result<api::LogSearchAnswer> {
    client.get_json(&format!("{}?query={}&limit=500", api::paths::LOGS, encoded(query))).await
}

/// A query as a URL carries it.
pub(super) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[tokio::test]
async fn log_search_finds_words_and_fields_in_journal_and_files() -> TestResult {
    let (server, client) = filled().await?;
    for round in ["journal", "files"] {
        for (query, expect) in [
            ("quarrelsome", 1),
            ("Quarrelsome ZEBRA", 1),
            ("\"zebra at gate\"", 1),
            ("quarrelsome AND nothing", 0),
            ("quarrelsome -zebra", 0),
            ("quarrelsome OR nosuchword", 1),
            ("service:frontend quarrel*", 1),
            ("service:nobody", 0),
        ] {
            assert_eq!(search(&client, query).await?.logs.len(), expect, "{round}: {query}");
        }
        let errors = client.sql_count("select count(*) from logs where severity_number >= 17").await?;
        assert_eq!(search(&client, "severity:>=error").await?.logs.len() as i64, errors, "{round}");
        let gold = search(&client, "customer.tier:gold").await?;
        assert!(!gold.logs.is_empty(), "{round}");
        assert!(gold.logs.iter().all(|record| record.attributes["customer.tier"] == "gold"), "{round}");
        server.compact_now().await?;
    }
    Ok(())
}

#[tokio::test]
async fn pages_are_newest_first_and_miss_nothing() -> TestResult {
    let (server, client) = filled().await?;
    // Half of the records in files, half in the journal.
    server.compact_now().await?;
    let mut logs = Logs::new(23, now_unix_nano());
    client.send(&Payload::protobuf(Signal::Logs, &logs.request(RECORDS))).await?;
    let mut cursor = None;
    let mut seen = Vec::new();
    loop {
        let from = cursor.as_ref().map(|cursor: &String| format!("&cursor={}", encoded(cursor))).unwrap_or_default();
        let page: api::LogSearchAnswer = client.get_json(&format!("{}?limit=333{from}", api::paths::LOGS)).await?;
        assert!(page.completeness.complete);
        seen.extend(page.logs.into_iter().map(|record| (record.time_unix_nano, record.id)));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 2 * RECORDS + 1);
    assert!(seen.windows(2).all(|pair| pair[0].0 >= pair[1].0), "newest first");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 2 * RECORDS + 1, "every record once");
    Ok(())
}

#[tokio::test]
async fn the_histogram_counts_every_record_once() -> TestResult {
    let (server, client) = filled().await?;
    for round in ["journal", "files"] {
        let path = format!("{}?start=-10m&end=now", api::paths::LOGS_HISTOGRAM);
        let answer: api::HistogramAnswer = client.get_json(&path).await?;
        assert_eq!(answer.total, RECORDS as u64 + 1, "{round}");
        let sum: u64 = answer.buckets.iter().flat_map(|bucket| bucket.counts.values()).sum();
        assert_eq!(sum, answer.total, "{round}");
        let errors: u64 = answer.buckets.iter().filter_map(|bucket| bucket.counts.get("error")).sum();
        let by_sql = client.sql_count("select count(*) from logs where severity_number between 17 and 20").await?;
        assert_eq!(errors as i64, by_sql, "{round}");
        server.compact_now().await?;
    }
    Ok(())
}

#[tokio::test]
async fn recent_traces_and_services_are_listed() -> TestResult {
    let (server, client) = filled().await?;
    for round in ["journal", "files"] {
        let recent: api::TraceSearchAnswer = client.get_json(&format!("{}?limit=20", api::paths::TRACES)).await?;
        assert_eq!(recent.traces.len(), 20, "{round}");
        let first = &recent.traces[0];
        let by_id: api::TraceAnswer = client.get_json(&format!("{}/{}", api::paths::TRACES, first.trace_id)).await?;
        assert_eq!(by_id.spans.len() as u64, first.span_count, "{round}");
        let services: api::ServicesAnswer = client.get_json(api::paths::SERVICES).await?;
        let expect = client.sql_count("select count(distinct service_name) from spans").await?;
        assert!(services.services.len() as i64 >= expect, "{round}");
        let spans: u64 = services.services.iter().map(|service| service.span_count).sum();
        assert_eq!(spans, RECORDS as u64, "{round}");
        server.compact_now().await?;
    }
    Ok(())
}
