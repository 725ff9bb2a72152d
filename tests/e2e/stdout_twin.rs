//! An app that only prints its logs, beside two that export theirs: one trace holds everything.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use testkit::{Client, Server, ServerSettings, free_port};

use super::python_app::Service;
use crate::TestResult;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn printed_logs_join_their_trace() -> TestResult {
    let Some(python) = crate::e2e::program("SPYHOP_TEST_PYTHON") else {
        testkit::skip("e2e::stdout_twin", "there is no Python with OpenTelemetry's packages");
        return Ok(());
    };
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let (front, back, side) = (free_port()?, free_port()?, free_port()?);
    let mut exec = server.command(&["exec", "--"]);
    exec.arg(&python).env("OTEL_SERVICE_NAME", "packing").env("OTEL_RESOURCE_ATTRIBUTES", "service.version=2.0.0");
    let mut packing = Service::spawn(exec, &server, "http/protobuf", "packing.py", &[side])?;
    let stock = Service::start(&python, &server, "http/protobuf", "stock.py", &[back])?;
    let storefront = Service::start(&python, &server, "http/protobuf", "storefront.py", &[front, back, side])?;
    stock.post("/flush", &json!({})).await?;
    packing.post("/flush", &json!({})).await?;
    let mut traces = Vec::new();
    for item in ["teapot", "kettle"] {
        let answer = storefront.post("/orders", &json!({"item": item})).await?;
        assert_eq!(answer["ordered"], true, "{answer}");
        traces.push(answer["trace_id"].as_str().context("the app returns its trace id")?.to_owned());
    }
    for service in [&storefront, &stock, &packing] {
        service.post("/flush", &json!({})).await?;
    }
    // What was printed is sent within a second; what the app says last, before the command ends.
    assert_eq!(packing.terminate().await?, Some(143), "SIGTERM ends the app, and its code is passed on");
    check_trace(&client, &traces[0]).await?;
    check_exception(&client, &traces[1]).await?;
    server.compact_now().await?;
    check_trace(&client, &traces[0]).await?;
    server.restart().await?;
    check_trace(&client, &traces[0]).await
}

/// Spans, exported logs, printed logs and exemplars, in one answer.
async fn check_trace(client: &Client, id: &str) -> TestResult {
    let answer = trace(client, id).await?;
    let named = |resource: &api::Resource, name: &str| resource.attributes["service.name"] == name;
    for service in ["storefront", "stock", "packing"] {
        assert!(answer.spans.iter().any(|span| named(&span.resource, service)), "no span of {service}");
    }
    for line in ["order for teapot received", "12 of teapot on the shelf"] {
        assert!(answer.logs.iter().any(|record| record.body == line), "no exported {line:?}");
    }
    assert!(answer.exemplars.iter().any(|exemplar| exemplar.metric == "order.duration"), "{:?}", answer.exemplars);

    let printed = answer.logs.iter().find(|record| record.body == "teapot packed").context("no printed line")?;
    assert!(named(&printed.resource, "packing"), "{:?}", printed.resource);
    assert_eq!(printed.resource.attributes["service.version"], "2.0.0");
    assert_eq!((printed.severity_number, printed.severity_text.as_str()), (9, "INFO"));
    assert_eq!(printed.scope.name, "packing.bench");
    assert_eq!(printed.attributes["log.iostream"], "stdout");
    assert_eq!(printed.attributes["order.item"], "teapot");
    assert_eq!(printed.attributes["box"]["padding"][1], "straw", "{:?}", printed.attributes);
    let span = answer.spans.iter().find(|span| named(&span.resource, "packing")).context("no span")?;
    assert_eq!(
        printed.span_id.as_deref(),
        Some(span.span_id.as_str()),
        "the line belongs to the span it was printed in"
    );
    let call = answer.spans.iter().find(|other| Some(&other.span_id) == span.parent_span_id.as_ref());
    assert!(call.is_some_and(|call| named(&call.resource, "storefront")), "context travelled");
    Ok(())
}

async fn check_exception(client: &Client, id: &str) -> TestResult {
    let answer = trace(client, id).await?;
    let printed = answer.logs.iter().find(|record| record.body == "no box for kettle").context("no printed line")?;
    assert_eq!(printed.severity_number, 17);
    assert_eq!(printed.attributes["exception.type"], "KeyError");
    let stack = printed.attributes["exception.stacktrace"].as_str().unwrap_or_default();
    assert!(stack.starts_with("Traceback (most recent call last):"), "{stack}");
    Ok(())
}

async fn trace(client: &Client, id: &str) -> Result<api::TraceAnswer> {
    for _ in 0..50 {
        let answer: api::TraceAnswer = client.get_json(&format!("{}/{id}", api::paths::TRACES)).await?;
        let packed = answer.logs.iter().any(|record| record.resource.attributes["service.name"] == "packing");
        if packed && !answer.exemplars.is_empty() {
            assert!(answer.completeness.complete, "{:?}", answer.completeness);
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    client.get_json(&format!("{}/{id}", api::paths::TRACES)).await
}
