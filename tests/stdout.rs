//! What apps print, through `spyhop pipe` and `spyhop exec`: passed on unchanged, and found through the API.

mod exec;
mod outage;
mod pipe;

use std::io::Write;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use testkit::{Client, Server};

/// The command with these arguments, sending to the server, its three streams in our hands.
fn start(server: &Server, arguments: &[&str]) -> Result<Child> {
    let mut command = server.command(arguments);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", server.client().otlp_http_url());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().context("cannot start the command")
}

/// Runs the command on this input to its end.
async fn run(server: &Server, arguments: &[&str], input: Vec<u8>) -> Result<Output> {
    let mut child = start(server, arguments)?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    let writing = std::thread::spawn(move || stdin.write_all(&input));
    let output = wait(child).await?;
    writing.join().expect("the writer does not panic").context("the command did not read everything")?;
    Ok(output)
}

/// Waits for the command's end and takes all that it printed.
async fn wait(child: Child) -> Result<Output> {
    let waiting = tokio::task::spawn_blocking(move || child.wait_with_output());
    Ok(tokio::time::timeout(Duration::from_secs(60), waiting).await.context("the command does not end")???)
}

/// The one record whose body is this.
async fn record(client: &Client, body: &str) -> Result<api::LogRecord> {
    let path = format!("{}?limit=1000&direction=forward", api::paths::LOGS);
    let answer: api::LogSearchAnswer = client.get_json(&path).await?;
    let mut found: Vec<api::LogRecord> = answer.logs.into_iter().filter(|record| record.body == body).collect();
    anyhow::ensure!(found.len() == 1, "{} records are {body:?}", found.len());
    found.pop().context("one")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
