//! The Ingest page in headless Chromium, on the demo's data and some that is wrong. The steps are in `ingest.mjs`.

use std::time::Duration;

use testkit::{Server, ServerSettings};

use super::ui::{demo, script};
use crate::TestResult;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_rejected_is_found_by_keyboard_and_shown() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let _demo = demo(&server)?;
    for _ in 0..300 {
        if server.client().sql_count("select count(*) from logs").await.is_ok_and(|count| count > 500) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if !script(&server, "ingest.mjs", "demo", &[]).await? {
        testkit::skip("e2e::ingest::demo", "there is no Node.js or no Chromium");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_server_and_one_that_fails_say_so() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    if !script(&server, "ingest.mjs", "empty", &[]).await? {
        testkit::skip("e2e::ingest::empty", "there is no Node.js or no Chromium");
    }
    Ok(())
}
