//! `spyhop exec -- my-app`: it ends as the app ends.

use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use testkit::{Server, ServerSettings, free_port};

use super::{record, run, said, start, wait};
use crate::TestResult;

#[tokio::test]
async fn both_streams_pass_on_and_are_told_apart() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let script = "echo to stdout; echo ERROR: to stderr >&2; cat; printf 'no ending'";
    let output = run(&server, &["exec", "--", "sh", "-c", script], b"from stdin\n".to_vec()).await?;
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "to stdout\nfrom stdin\nno ending");
    assert_eq!(said(&output), "ERROR: to stderr\n");
    let (out, error) = (record(&client, "to stdout").await?, record(&client, "ERROR: to stderr").await?);
    assert_eq!((&out.attributes["log.iostream"], out.severity_number), (&"stdout".into(), 0));
    assert_eq!((&error.attributes["log.iostream"], error.severity_number), (&"stderr".into(), 17));
    assert_eq!(out.resource.attributes["process.executable.name"], "sh");
    assert_eq!(out.resource.attributes["service.name"], "unknown_service:sh");
    assert!(out.resource.attributes["process.pid"].as_i64().is_some_and(|pid| pid > 1));
    record(&client, "from stdin").await?;
    record(&client, "no ending").await?;
    Ok(())
}

#[tokio::test]
async fn the_exit_code_is_the_apps() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    for (script, code) in [("exit 0", 0), ("echo x; exit 3", 3), ("kill -KILL $$", 137), ("kill -TERM $$", 143)] {
        let output = run(&server, &["exec", "sh", "-c", script], Vec::new()).await?;
        assert_eq!(output.status.code(), Some(code), "{script}: {}", said(&output));
    }
    let output = run(&server, &["exec", "--", "there-is-no-such-program"], Vec::new()).await?;
    assert_eq!(output.status.code(), Some(127));
    assert!(said(&output).contains("there-is-no-such-program"), "{}", said(&output));
    Ok(())
}

#[tokio::test]
async fn signals_reach_the_app_and_its_last_words_are_kept() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    for (signal, code) in [("TERM", 7), ("INT", 7), ("HUP", 7), ("USR1", 7)] {
        let script =
            format!("trap 'echo last words at {signal}; exit 7' {signal}; echo ready; while :; do sleep 0.05; done");
        let mut child = start(&server, &["exec", "--", "sh", "-c", &script])?;
        let mut stdout = BufReader::new(child.stdout.take().context("no stdout")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        assert_eq!(line, "ready\n");
        let sent = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status()?;
        assert!(sent.success());
        let output = wait(child).await?;
        assert_eq!(output.status.code(), Some(code), "{signal}: {}", said(&output));
        record(&server.client(), &format!("last words at {signal}")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn traces_of_both_streams_are_one_record_each() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let java = "java.lang.IllegalStateException: no card\n\tat com.shop.Pay.pay(Pay.java:9)\n\tat com.shop.Shop.order(Shop.java:3)\nCaused by: java.io.IOException: closed\n\tat com.shop.Net.send(Net.java:1)\n\t... 2 more";
    let python = "Traceback (most recent call last):\n  File \"/app/shop.py\", line 3, in order\n    pay(cart)\n  File \"/app/pay.py\", line 9, in pay\n    raise ValueError(\"no card\")\nValueError: no card";
    // Line by line in turn: Java on stdout, Python on stderr, and log lines of other threads between them on both.
    let mut script = String::new();
    for (java, python) in java.lines().zip(python.lines()) {
        script += &format!("printf '%s\\n' '{java}'; printf '%s\\n' '{}' >&2; ", python.replace('\'', "'\\''"));
        script += "echo '2026-11-21 19:30:00,000 INFO other'; echo '2026-11-21 19:30:00,000 INFO other' >&2; ";
    }
    let output = run(&server, &["exec", "--", "sh", "-c", &script], Vec::new()).await?;
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(record(&client, java).await?.attributes["exception.type"], "java.lang.IllegalStateException");
    assert_eq!(record(&client, python).await?.attributes["log.iostream"], "stderr");
    let others =
        client.sql_count("select count(*) from logs where body = '2026-11-21 19:30:00,000 INFO other'").await?;
    assert_eq!(others, 12);
    assert_eq!(client.sql_count("select count(*) from logs").await?, 14);
    Ok(())
}

#[tokio::test]
async fn an_app_whose_children_hold_its_streams_does_not_hold_us() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let begun = Instant::now();
    let output = run(&server, &["exec", "sh", "-c", "sleep 20 & echo done"], Vec::new());
    // The orphan inherits no end of ours: only the app's own streams, which are pipes that we read.
    let output = tokio::time::timeout(Duration::from_secs(15), output).await??;
    assert!(output.status.success() && begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    record(&server.client(), "done").await?;
    Ok(())
}

#[tokio::test]
async fn without_a_server_the_app_runs_as_ever() -> TestResult {
    let server = Server::prepare(ServerSettings::default())?;
    let nobody = format!("http://127.0.0.1:{}", free_port()?);
    let begun = Instant::now();
    let arguments = ["exec", "--endpoint", &nobody, "--grace", "500ms", "--", "sh", "-c", "seq 1 200000; exit 4"];
    let output = run(&server, &arguments, Vec::new()).await?;
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 200_000);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let said = said(&output);
    assert!(said.contains("200000 log records could not be sent to") && said.contains("--grace"), "{said}");
    Ok(())
}

#[tokio::test]
async fn an_app_is_not_started_where_nothing_could_be_sent() -> TestResult {
    let server = Server::prepare(ServerSettings::default())?;
    let arguments =
        ["exec", "--endpoint", "https://logs.example", "--ca-file", "/no/such/file", "--", "echo", "started"];
    let output = run(&server, &arguments, Vec::new()).await?;
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{}", said(&output));
    assert!(said(&output).contains("--ca-file is '/no/such/file'"), "{}", said(&output));
    Ok(())
}
