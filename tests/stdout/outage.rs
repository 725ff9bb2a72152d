//! The server is killed and comes back: nothing is lost below the spool's bound, and above it the loss is said.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use testkit::{Random, Server, ServerSettings};

use super::{said, start, wait};
use crate::TestResult;

/// Writes numbered lines, slowly enough that they spread over several requests.
async fn write_lines(stdin: &mut std::process::ChildStdin, numbers: std::ops::Range<u32>) -> TestResult {
    for first in numbers.clone().step_by(500) {
        let lines: String = (first..(first + 500).min(numbers.end)).map(|number| format!("line {number}\n")).collect();
        stdin.write_all(lines.as_bytes())?;
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_killed_server_loses_nothing_and_repeats_nothing() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let arguments = ["pipe", "--quiet", "--batch-age-max", "50ms", "--retry-wait-max", "300ms", "--grace", "30s"];
    let mut child = start(&server, &arguments)?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    for round in 0..4 {
        let first = round * 10_000;
        write_lines(&mut stdin, first..first + 5_000).await?;
        server.kill_group()?;
        write_lines(&mut stdin, first + 5_000..first + 10_000).await?;
        server.restart().await?;
    }
    drop(stdin);
    let output = wait(child).await?;
    assert!(output.status.success(), "{}: {}", output.status, said(&output));
    assert_eq!(client.sql_count("select count(distinct body) from logs").await?, 40_000, "lost");
    assert_eq!(client.sql_count("select count(*) from logs").await?, 40_000, "repeated");
    Ok(())
}

#[tokio::test]
async fn a_loss_above_the_bound_is_counted_and_said() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let arguments =
        ["pipe", "--quiet", "--spool-bytes", "256KiB", "--retry-wait-max", "300ms", "--grace", "30s", "--summary"];
    let mut child = start(&server, &arguments)?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    write_lines(&mut stdin, 0..1_000).await?;
    server.kill_group()?;
    // Digits by chance do not compress much below half, so this is far more than the spool holds.
    let mut random = Random::new(7);
    let lines = 20_000;
    for number in 0..lines {
        let noise: String = (0..10).map(|_| format!("{:016x}", random.below(usize::MAX))).collect();
        writeln!(stdin, "noise {number} {noise}")?;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.restart().await?;
    drop(stdin);
    let output = wait(child).await?;
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "a loss is no success: {said}");
    assert!(said.contains("the spool of 256 KiB is full"), "{said}");
    assert!(said.contains("takes no log records (") && said.contains("takes log records again"), "{said}");

    let total = client.sql_count("select count(*) from logs").await?;
    let told = client.sql("select body from logs where event_name = 'spyhop.records_dropped'").await?;
    let dropped: i64 = told.rows.iter().filter_map(|row| row[0].as_str()?.split(' ').next()?.parse::<i64>().ok()).sum();
    assert!(dropped > 1_000, "{told:?}");
    assert_eq!(
        total - told.rows.len() as i64 + dropped,
        i64::from(lines) + 1_000,
        "every line is stored or counted: {said}"
    );
    let newest =
        client.sql_count(&format!("select count(*) from logs where body like 'noise {} %'", lines - 1)).await?;
    assert_eq!(newest, 1, "the newest are kept");
    assert!(said.contains("log records were dropped: "), "{said}");
    Ok(())
}
