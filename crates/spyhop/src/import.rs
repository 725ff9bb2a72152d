//! `spyhop import`: sends OTLP/JSON lines to a server, as `spyhop export`, the Collector's file exporter and SDKs that
//! log OTLP write them.
//!
//! A line is one request. A line that is no OTLP is reported by its number and the rest goes on; what the server
//! rejects is counted. The same file sent twice within the digest window is stored once, like any resend.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::sync::mpsc;

use crate::demo::sender::{Delivery, Sender};
use crate::failure::Failure;
use crate::tls_arguments::TlsArguments;

/// Longest line, which is the largest request a server takes by default.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// Bad lines that are named one by one.
const NAMED_MAX: usize = 20;

/// What to import, and where to.
#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// Files of OTLP/JSON lines; - or none is standard input.
    files: Vec<PathBuf>,
    /// Where OTLP over HTTP is received.
    #[arg(long, default_value = "http://127.0.0.1:4318")]
    endpoint: String,
    #[command(flatten)]
    tls: TlsArguments,
    /// Requests in flight at once.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    connections: u8,
}

/// A line to send, and to which paths.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    paths: Vec<&'static str>,
    body: Vec<u8>,
}

/// A line on its way to a sender.
struct Line {
    place: String,
    request: Request,
}

/// What came of the lines.
#[derive(Debug, Default)]
struct Outcome {
    lines: u64,
    rejected: u64,
    bad: u64,
}

/// The members of a line that say what it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    resource_spans: Option<IgnoredAny>,
    resource_logs: Option<IgnoredAny>,
    resource_metrics: Option<IgnoredAny>,
    scope_spans: Option<IgnoredAny>,
    scope_logs: Option<IgnoredAny>,
    scope_metrics: Option<IgnoredAny>,
}

impl Request {
    /// What to send for a line; an error says why it is no OTLP.
    fn of(line: &[u8]) -> Result<Request, String> {
        let members: Members = serde_json::from_slice(line).map_err(|error| format!("no JSON object: {error}"))?;
        let whole = [
            (members.resource_spans.is_some(), "/v1/traces"),
            (members.resource_logs.is_some(), "/v1/logs"),
            (members.resource_metrics.is_some(), "/v1/metrics"),
        ];
        let paths: Vec<&'static str> = whole.iter().filter(|(is_there, _)| *is_there).map(|(_, path)| *path).collect();
        if !paths.is_empty() {
            return Ok(Request { paths, body: line.to_vec() });
        }
        // Java's logging exporters write what lies inside the list.
        let inner = [
            (members.scope_spans.is_some(), "/v1/traces", "resourceSpans"),
            (members.scope_logs.is_some(), "/v1/logs", "resourceLogs"),
            (members.scope_metrics.is_some(), "/v1/metrics", "resourceMetrics"),
        ];
        let Some((_, path, name)) = inner.iter().find(|(is_there, ..)| *is_there) else {
            return Err("no resourceSpans, resourceLogs or resourceMetrics in it".to_owned());
        };
        let body = [format!("{{\"{name}\":[").as_bytes(), line, b"]}"].concat();
        Ok(Request { paths: vec![path], body })
    }
}

/// Runs the command.
pub(crate) fn run(arguments: ImportArguments) -> Result<(), Failure> {
    let sender = Arc::new(Sender::new(&arguments.endpoint, &arguments.tls)?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?;
    let outcome = runtime.block_on(send_all(sender, arguments))?;
    let Outcome { lines, rejected, bad } = outcome;
    let _ = writeln!(io::stderr(), "{lines} lines stored, {rejected} records rejected, {bad} lines refused");
    match bad {
        0 => Ok(()),
        bad => Err(Failure::new(format!("{bad} lines were not imported; each is named above, up to {NAMED_MAX}"))),
    }
}

async fn send_all(sender: Arc<Sender>, arguments: ImportArguments) -> Result<Outcome, Failure> {
    let (lines, queue) = mpsc::channel::<Line>(1);
    let queue = Arc::new(tokio::sync::Mutex::new(queue));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..arguments.connections {
        let (sender, queue) = (Arc::clone(&sender), Arc::clone(&queue));
        senders.spawn(async move {
            let mut outcome = Outcome::default();
            loop {
                let next = queue.lock().await.recv().await;
                let Some(line) = next else { return Ok::<Outcome, Failure>(outcome) };
                send_line(&sender, line, &mut outcome).await?;
            }
        });
    }
    let files = if arguments.files.is_empty() { vec![PathBuf::from("-")] } else { arguments.files };
    let reading = tokio::task::spawn_blocking(move || {
        let mut bad = 0;
        for file in &files {
            read_lines(file, &lines, &mut bad)?;
        }
        Ok::<u64, Failure>(bad)
    });
    let mut total = Outcome::default();
    while let Some(joined) = senders.join_next().await {
        let outcome = joined.map_err(|error| Failure::new(format!("sending ended early: {error}")))??;
        total.lines += outcome.lines;
        total.rejected += outcome.rejected;
        total.bad += outcome.bad;
    }
    total.bad += reading.await.map_err(|error| Failure::new(format!("reading ended early: {error}")))??;
    Ok(total)
}

async fn send_line(sender: &Sender, line: Line, outcome: &mut Outcome) -> Result<(), Failure> {
    let Line { place, request } = line;
    for path in request.paths {
        match sender.deliver(path, request.body.clone()).await? {
            Delivery::Taken(answer) => {
                let rejected = rejected(&answer);
                outcome.rejected += rejected;
                if rejected > 0 {
                    report(outcome.rejected, &format!("{place}: {answer}"));
                }
            }
            Delivery::Refused(said) => {
                outcome.bad += 1;
                report(outcome.bad, &format!("{place}: refused: {said}"));
                return Ok(());
            }
        }
    }
    outcome.lines += 1;
    Ok(())
}

/// Records that an answer says were rejected.
fn rejected(answer: &str) -> u64 {
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap_or_default();
    let count = |value: &serde_json::Value| value.as_str().and_then(|text| text.parse::<u64>().ok());
    let partial = answer["partialSuccess"].as_object();
    partial.into_iter().flatten().filter(|(key, _)| key.starts_with("rejected")).filter_map(|(_, v)| count(v)).sum()
}

fn report(number: u64, text: &str) {
    if number <= NAMED_MAX as u64 {
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// Hands on the lines of a file; those that are no OTLP are named and counted.
fn read_lines(path: &Path, lines: &mpsc::Sender<Line>, bad: &mut u64) -> Result<(), Failure> {
    let name = path.display();
    let cannot = |error: io::Error| Failure::new(format!("cannot read {name}: {error}"));
    let mut reader: Box<dyn BufRead> = match path == Path::new("-") {
        true => Box::new(BufReader::new(io::stdin())),
        false => Box::new(BufReader::with_capacity(1 << 20, File::open(path).map_err(cannot)?)),
    };
    for number in 1.. {
        let mut line = Vec::new();
        if reader.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line).map_err(cannot)? == 0 {
            break;
        }
        let is_long = line.len() as u64 > LINE_BYTES_MAX;
        while is_long && line.last() != Some(&b'\n') {
            line.clear();
            if reader.by_ref().take(1 << 20).read_until(b'\n', &mut line).map_err(cannot)? == 0 {
                break;
            }
        }
        let request = match is_long {
            true => Err(format!("longer than {} MiB", LINE_BYTES_MAX >> 20)),
            false if line.trim_ascii().is_empty() => continue,
            false => Request::of(line.trim_ascii()),
        };
        match request {
            Ok(request) => {
                let line = Line { place: format!("{name}:{number}"), request };
                if lines.blocking_send(line).is_err() {
                    // The senders have ended, with an error that is told elsewhere.
                    return Ok(());
                }
            }
            Err(reason) => {
                *bad += 1;
                report(*bad, &format!("{name}:{number}: {reason}"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let check = |line: &str, expect: Result<(&[&str], &str), &str>| match (Request::of(line.as_bytes()), expect) {
            (Ok(request), Ok((paths, body))) => {
                assert_eq!((request.paths.as_slice(), request.body.as_slice()), (paths, body.as_bytes()), "{line}");
            }
            (Err(reason), Err(part)) => assert!(reason.contains(part), "{line}: {reason}"),
            (found, expect) => panic!("{line}: {found:?} instead of {expect:?}"),
        };
        let line = r#"{"resourceLogs":[]}"#;
        check(line, Ok((&["/v1/logs"], line)));
        let line = r#"{"resourceSpans":[{"x":1}],"resourceMetrics":[]}"#;
        check(line, Ok((&["/v1/traces", "/v1/metrics"], line)));
        let line = r#"{"resource":{},"scopeSpans":[]}"#;
        check(line, Ok((&["/v1/traces"], r#"{"resourceSpans":[{"resource":{},"scopeSpans":[]}]}"#)));
        check("{}", Err("no resourceSpans"));
        check("[]", Err("no JSON object"));
        check(r#"{"resourceLogs":["#, Err("no JSON object"));
    }

    #[test]
    fn rejections_are_counted() {
        assert_eq!(rejected("{}"), 0);
        assert_eq!(rejected(r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"x"}}"#), 3);
        assert_eq!(rejected(r#"{"partialSuccess":{"errorMessage":"5"}}"#), 0);
    }
}
