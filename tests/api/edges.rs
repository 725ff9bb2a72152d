//! What is asked wrongly, comes later, or is not there.

use serde_json::{Value, json};
use testkit::{Server, ServerSettings};

use crate::TestResult;

#[tokio::test]
async fn errors_are_problems_with_a_status_and_a_detail() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    for (path, status) in [
        ("/api/v1/traces/9f3c1b7a5d2e4c08b6a1f0d4c3b2e21b", 404),
        ("/api/v1/traces/not-hex", 400),
        ("/api/v1/logs?query=%28open", 400),
        ("/api/v1/logs?start=yesterdayish", 400),
        ("/api/v1/logs?cursor=%21%21", 400),
        ("/api/v1/nothing", 404),
        ("/api/v1/logs/facets", 501),
        ("/api/v1/logs/context", 501),
        ("/api/v1/logs/tail?from=nowhere", 400),
        ("/api/v1/logs/tail?query=%28", 400),
    ] {
        let answer = client.get(path).await?;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        let problem: api::Problem = answer.json()?;
        assert_eq!(problem.status, status, "{path}");
        assert!(!problem.detail.is_empty() || !problem.title.is_empty(), "{path}: {problem:?}");
    }
    let answer = client.post(api::paths::SQL, &json!({"query": "drop table logs"})).await?;
    assert_eq!(answer.status, 400, "{}", answer.text());
    Ok(())
}

#[tokio::test]
async fn an_empty_server_answers_every_question() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    for path in ["/api/v1/logs", "/api/v1/traces", "/api/v1/services", "/api/v1/logs/histogram?start=-1h"] {
        let answer: Value = client.get_json(path).await?;
        assert_eq!(answer["complete"], true, "{path}: {answer}");
        assert!(answer["stats"]["elapsed_ms"].is_number(), "{path}: {answer}");
    }
    assert_eq!(client.sql_count("select count(*) from logs").await?, 0);
    let status: api::IngestStatus = client.get_json(api::paths::INGEST).await?;
    assert!(!status.has_data);
    Ok(())
}

#[tokio::test]
async fn the_openapi_document_names_every_endpoint() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let document: Value = server.client().get_json(api::paths::OPENAPI).await?;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    let named = document["paths"].as_object().expect("paths");
    for path in [
        api::paths::TRACES,
        api::paths::LOGS,
        api::paths::LOGS_HISTOGRAM,
        api::paths::SERVICES,
        api::paths::SQL,
        api::paths::INGEST,
        "/api/v1/traces/{trace_id}",
    ] {
        assert!(named.contains_key(path), "{path} is not in the OpenAPI document");
    }
    Ok(())
}

#[tokio::test]
async fn the_page_is_served_for_every_route_of_the_ui() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    for path in ["/", "/logs", "/traces", "/traces/9f3c1b7a5d2e4c08b6a1f0d4c3b2e21a", "/connect"] {
        let answer = client.get(path).await?;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{path}");
        assert!(answer.header("content-security-policy").is_some(), "{path}");
    }
    Ok(())
}
