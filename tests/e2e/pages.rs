//! The pages of metrics and SQL and the live logs in headless Chromium, on the demo's data. The steps are in
//! `pages.mjs`.

use std::time::Duration;

use anyhow::Result;
use testkit::{Client, Server, ServerSettings};

use super::ui::{demo, script};
use crate::TestResult;

/// Waits until a count of rows is more than `least`.
async fn until_more_than(client: &Client, query: &str, least: i64) -> Result<()> {
    for _ in 0..300 {
        if client.sql_count(query).await.is_ok_and(|count| count > least) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("{query} stays at {least} or below")
}

async fn on_demo_data(name: &str, ready: (&str, i64), facts: &[(&str, &str)]) -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let _demo = demo(&server)?;
    until_more_than(&server.client(), ready.0, ready.1).await?;
    let facts: Vec<(&str, String)> = facts.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    if !script(&server, "pages.mjs", name, &facts).await? {
        testkit::skip(&format!("e2e::pages::{name}"), "there is no Node.js or no Chromium");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_metric_is_found_charted_and_leads_to_a_trace() -> TestResult {
    let ready = ("select count(*) from exemplars where trace_id is not null", 20);
    let facts = [("METRIC", "http.server.request.duration"), ("LABEL", "http.route")];
    on_demo_data("metrics", ready, &facts).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_is_completed_run_and_downloaded() -> TestResult {
    on_demo_data("sql", ("select count(*) from logs", 500), &[]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_logs_come_over_a_stream_and_move_no_line_that_is_read() -> TestResult {
    on_demo_data("live", ("select count(*) from logs", 500), &[]).await
}
