//! The UI in headless Chromium: what a newcomer sees, numbers against the budgets, screenshots for a person.
//!
//! The steps are in `ui.mjs`, driven by node; this side prepares the server and reports.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use testkit::{Payload, Server, ServerSettings, Signal, Traces, now_unix_nano, run_command};

use crate::TestResult;

/// A process that ends with the test.
pub(super) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The demo's shop, sending to this server.
pub(super) fn demo(server: &Server) -> Result<Running> {
    let mut demo = server.command(&["demo", "--endpoint", server.client().otlp_http_url()]);
    let demo = demo.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Ok(Running(demo.context("cannot start the demo")?))
}

/// Runs one scenario of `ui.mjs`; it prints what it measured.
async fn scenario(server: &Server, name: &str, facts: &[(&str, String)]) -> Result<bool> {
    script(server, "ui.mjs", name, facts).await
}

/// Runs one scenario of a script.
pub(super) async fn script(server: &Server, script: &str, name: &str, facts: &[(&str, String)]) -> Result<bool> {
    let (Some(node), Some(chromium)) =
        (crate::e2e::program("SPYHOP_TEST_NODE"), crate::e2e::program("SPYHOP_TEST_CHROMIUM"))
    else {
        return Ok(false);
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e");
    let screenshots = std::env::var_os("SPYHOP_TEST_SCREENSHOTS")
        .map_or_else(|| folder.join("../../target/screenshots"), PathBuf::from);
    std::fs::create_dir_all(&screenshots)?;
    let mut command = Command::new(node);
    command
        .arg(folder.join(script))
        .arg(name)
        .current_dir(&folder)
        .env("SPYHOP_TEST_CHROMIUM", chromium)
        .env("SPYHOP_TEST_SCREENSHOTS", screenshots)
        .env("SPYHOP_URL", server.client().api_url())
        .env("SPYHOP_OTLP_URL", server.client().otlp_http_url())
        .envs(facts.iter().map(|(name, value)| (name, value)));
    let output = run_command(command).await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    eprintln!("{said}");
    anyhow::ensure!(output.status.success(), "{name}: {said}");
    // Kept for whoever looks at the numbers after the run.
    let report = folder.join("../../target/ui-measurements.txt");
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(report)?;
    std::io::Write::write_all(&mut file, format!("## {name}\n{said}\n").as_bytes())?;
    Ok(true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_server_shows_how_to_connect() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    if !scenario(&server, "empty", &[]).await? {
        testkit::skip("e2e::ui::empty", "there is no Node.js or no Chromium");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_shows_logs_and_traces_within_a_second() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let _demo = demo(&server)?;
    for _ in 0..200 {
        if client.sql_count("select count(*) from logs where trace_id is not null").await.is_ok_and(|count| count > 300)
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The trace with most to show: the one that the most log records name.
    let query = "select trace_id, count(*) from logs where trace_id is not null group by 1 order by 2 desc limit 1";
    let answer = client.sql(query).await?;
    let id = answer.rows[0][0].as_str().context("ids are hex texts")?.to_owned();
    if !scenario(&server, "demo", &[("TRACE_ID", id)]).await? {
        testkit::skip("e2e::ui::demo", "there is no Node.js or no Chromium");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_of_ten_thousand_spans_opens_and_scrolls() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let (id, request) = Traces::new(111, now_unix_nano()).trace_of(10_000);
    assert_eq!(client.send(&Payload::protobuf(Signal::Traces, &request)).await?.status, 200);
    server.compact_now().await?;
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    if !scenario(&server, "large-trace", &[("TRACE_ID", id)]).await? {
        testkit::skip("e2e::ui::large_trace", "there is no Node.js or no Chromium");
    }
    Ok(())
}
