//! The pages about services in headless Chromium: on the demo's data from the real server, and on made-up answers that
//! hold what the demo's shop does not. The steps are in `services.mjs`.

use std::time::Duration;

use testkit::{Server, ServerSettings};

use super::ui::{demo, script};
use crate::TestResult;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_services_the_keyboard_alone_leads_to_a_trace() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let _demo = demo(&server)?;
    // Five minutes of history come first; failed payments are among them.
    let failed = "select count(*) from spans where service_name = 'payment' and status_code = 2";
    let mut count = 0;
    for _ in 0..300 {
        count = server.client().sql_count(failed).await.unwrap_or(0);
        if count > 20 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::ensure!(count > 20, "the demo has sent {count} failed payments");
    if !script(&server, "services.mjs", "demo", &[]).await? {
        testkit::skip("e2e::services::demo", "there is no Node.js or no Chromium");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_and_maps_of_every_shape_are_drawn() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    if !script(&server, "services.mjs", "fixture", &[]).await? {
        testkit::skip("e2e::services::fixture", "there is no Node.js or no Chromium");
    }
    Ok(())
}
