//! Every way in: protobuf, JSON, gzip and gRPC, for every signal.

use anyhow::Context;
use testkit::{Client, Logs, Message, Metrics, Payload, Server, ServerSettings, Signal, Traces};
use testkit::{logs_json, metrics_json, now_unix_nano, proto, traces_json};

use crate::TestResult;

const RECORDS: usize = 40;

/// Sends one request of a signal in every encoding; the generator makes other records each time.
async fn send_all_ways<M, F, J>(client: &Client, signal: Signal, mut make: F, json: J) -> TestResult
where
    M: Message,
    F: FnMut() -> M,
    J: Fn(&M) -> serde_json::Value,
{
    let payloads = [
        Payload::protobuf(signal, &make()),
        Payload::protobuf(signal, &make()).gzipped(),
        Payload::json(signal, &json(&make())),
        Payload::json(signal, &json(&make())).gzipped(),
    ];
    for payload in &payloads {
        let answer = client.send(payload).await?;
        assert_eq!(answer.status, 200, "{signal:?} {:?}: {}", payload.encoding, answer.text());
        assert_eq!(answer.header("content-type"), Some(payload.encoding.content_type()));
        let full_success: &[&str] = if payload.encoding == testkit::Encoding::Json { &["{}"] } else { &[""] };
        assert!(full_success.contains(&answer.text().as_str()), "{signal:?}: {:?}", answer.text());
    }
    let answer = client.send_grpc(signal, &make()).await?;
    assert_eq!(answer.header("grpc-status"), Some("0"), "{signal:?}: {:?}", answer.headers);
    Ok(())
}

/// Ways in that [`send_all_ways`] tries.
const WAYS: i64 = 5;

#[tokio::test]
async fn every_signal_comes_in_every_encoding() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let now = now_unix_nano();
    let (mut traces, mut logs, mut metrics) = (Traces::new(1, now), Logs::new(2, now), Metrics::new(3, now));
    send_all_ways(&client, Signal::Traces, || traces.request(RECORDS), traces_json).await?;
    send_all_ways(&client, Signal::Logs, || logs.request(RECORDS), logs_json).await?;
    send_all_ways(&client, Signal::Metrics, || metrics.request(RECORDS), metrics_json).await?;
    for round in 0..2 {
        let count = |table| client.sql_count(table);
        assert_eq!(count("select count(*) from spans").await?, WAYS * RECORDS as i64, "round {round}");
        assert_eq!(count("select count(*) from logs").await?, WAYS * RECORDS as i64, "round {round}");
        let points = count("select count(*) from points").await? + count("select count(*) from histograms").await?;
        assert_eq!(points, WAYS * RECORDS as i64, "round {round}");
        let distinct = count("select count(distinct thread_id) from spans").await?;
        assert_eq!(distinct, WAYS * RECORDS as i64, "round {round}");
        server.compact_now().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_exact_resend_is_stored_once_and_answered_the_same() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let payload = Payload::protobuf(Signal::Logs, &Logs::new(4, now_unix_nano()).request(10));
    let first = client.send(&payload).await?;
    let again = client.send(&payload).await?;
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    server.restart().await?;
    assert_eq!(client.send(&payload).await?.status, 200);
    assert_eq!(client.sql_count("select count(*) from logs").await?, 10);
    // Ingest writes its counters to a status file about once a second.
    let mut duplicates = 0;
    for _ in 0..50 {
        let status: api::IngestStatus = client.get_json(api::paths::INGEST).await?;
        duplicates = status.signals.get("logs").map_or(0, |logs| logs.duplicate);
        if duplicates > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(duplicates, 10);
    Ok(())
}

#[tokio::test]
async fn a_bad_record_costs_itself_alone() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let mut request = Traces::new(5, now_unix_nano()).sdk_request(10);
    request.resource_spans[0].scope_spans[0].spans[3].trace_id = vec![1, 2, 3];
    let answer = client.send(&Payload::protobuf(Signal::Traces, &request)).await?;
    assert_eq!(answer.status, 200);
    let body: proto::ExportTraceServiceResponse = Message::decode(answer.body)?;
    let partial = body.partial_success.context("no partial success")?;
    assert_eq!(partial.rejected_spans, 1, "{partial:?}");
    assert!(!partial.error_message.is_empty());
    assert_eq!(client.sql_count("select count(*) from spans").await?, 9);
    Ok(())
}

#[tokio::test]
async fn what_is_no_otlp_is_refused_for_good() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let good = Payload::protobuf(Signal::Traces, &Traces::new(6, now_unix_nano()).request(5));
    let garbage = Payload { body: vec![0xff; 200].into(), ..good.clone() };
    assert_eq!(client.send(&garbage).await?.status, 400);
    let no_json = Payload { encoding: testkit::Encoding::Json, body: "{\"resourceSpans\": [".into(), ..good.clone() };
    assert_eq!(client.send(&no_json).await?.status, 400);
    let no_gzip = Payload { gzip: true, ..good.clone() };
    assert_eq!(client.send(&no_gzip).await?.status, 400);
    assert_eq!(client.send(&good).await?.status, 200);
    assert_eq!(client.sql_count("select count(*) from spans").await?, 5);
    Ok(())
}
