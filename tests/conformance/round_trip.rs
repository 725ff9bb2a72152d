//! I11 through the doors: random OTLP of every signal in, exported, imported into an empty store, exported again.
//!
//! Three comparisons, each field for field: the tables of the second store with those of the first, which was filled
//! over protobuf; the second export with the first; and the first export after compaction with the one before.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use serde_json::{Map, Value};
use testkit::{Payload, Server, ServerSettings, Signal, random_otlp};

use crate::TestResult;

/// Requests of each signal.
const REQUESTS: usize = 60;

/// A record with where it came from, and how often it is there.
type Records = BTreeMap<String, usize>;

/// The records of OTLP/JSON lines, whatever lines they share; attributes in order of their keys.
fn records(lines: &str) -> Result<Records> {
    let mut records = Records::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line:.200}"))?;
        for (resources, scopes, leaf) in [
            ("resourceSpans", "scopeSpans", "spans"),
            ("resourceLogs", "scopeLogs", "logRecords"),
            ("resourceMetrics", "scopeMetrics", "metrics"),
        ] {
            for resource in list(&line[resources]) {
                for scope in list(&resource[scopes]) {
                    let origin = (without(resource, scopes), without(scope, leaf));
                    for record in list(&scope[leaf]) {
                        for record in points(record) {
                            let key = sorted(serde_json::json!([origin.0, origin.1, record])).to_string();
                            *records.entry(key).or_default() += 1;
                        }
                    }
                }
            }
        }
    }
    Ok(records)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn without(value: &Value, name: &str) -> Value {
    let mut object = value.as_object().cloned().unwrap_or_default();
    object.remove(name);
    Value::Object(object)
}

/// A metric once for each of its points; any other record as it is.
fn points(record: &Value) -> Vec<Value> {
    let kinds = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"];
    let Some(kind) = kinds.into_iter().find(|kind| record.get(kind).is_some()) else { return vec![record.clone()] };
    let alone = |point: &Value| {
        let mut metric = record.clone();
        metric[kind]["dataPoints"] = Value::Array(vec![point.clone()]);
        metric
    };
    list(&record[kind]["dataPoints"]).map(alone).collect()
}

/// Attributes and exemplars in one order: OTLP gives theirs no meaning.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let sort = |(name, value): (String, Value)| {
                let value = sorted(value);
                match (name.as_str(), value) {
                    ("attributes" | "filteredAttributes" | "metadata" | "exemplars", Value::Array(mut items)) => {
                        items.sort_by_key(ToString::to_string);
                        (name, Value::Array(items))
                    }
                    (_, value) => (name, value),
                }
            };
            Value::Object(members.into_iter().map(sort).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

async fn export(server: &Server) -> Result<String> {
    let output = server.run(&["export"]).await?;
    ensure!(output.status.success(), "export: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("the export is no text")
}

/// Every row of a table as text, in one order; a time that was not sent is the arrival's and left out.
pub(super) async fn rows(server: &Server, table: &str) -> Result<Vec<String>> {
    let answer = server.client().sql(&format!("select * from {table}")).await?;
    ensure!(!answer.truncated, "{table}: too many rows for the comparison");
    let names: Vec<&str> = answer.columns.iter().map(|column| column.name.as_str()).collect();
    let at = |name: &str| names.iter().position(|other| *other == name);
    let mut rows: Vec<String> = answer
        .rows
        .into_iter()
        .map(|mut row| {
            if at("time_absent").is_some_and(|at| row[at] == Value::Bool(true)) {
                for name in ["time", "start_time"] {
                    at(name).into_iter().for_each(|at| row[at] = Value::Null);
                }
            }
            // Series rows are written once a segment and hour, whichever point came first.
            if table == "series" {
                at("time").into_iter().for_each(|at| row[at] = Value::Null);
            }
            Value::Array(row).to_string()
        })
        .collect();
    rows.sort_unstable();
    if table == "series" {
        rows.dedup();
    }
    Ok(rows)
}

pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, left: &[T], right: &[T]) -> Result<()> {
    ensure!(left.len() == right.len(), "{what}: {} and {}", left.len(), right.len());
    for (left, right) in left.iter().zip(right) {
        ensure!(left == right, "{what}:\n{left:?}\n{right:?}");
    }
    Ok(())
}

fn same_records(what: &str, left: &Records, right: &Records) -> Result<()> {
    let (left, right): (Vec<_>, Vec<_>) = (left.iter().collect(), right.iter().collect());
    same(what, &left, &right)
}

#[tokio::test]
async fn export_import_export_is_an_identity() -> TestResult {
    let first = Server::start(ServerSettings::default()).await?;
    let client = first.client();
    let mut rng = Rng::with_seed(11);
    for _ in 0..REQUESTS {
        for payload in [
            Payload::protobuf(Signal::Traces, &random_otlp::traces(&mut rng)),
            Payload::protobuf(Signal::Logs, &random_otlp::logs(&mut rng)),
            Payload::protobuf(Signal::Metrics, &random_otlp::metrics(&mut rng)),
        ] {
            let answer = client.send(&payload).await?;
            ensure!(answer.status == 200, "{}", answer.text());
        }
    }
    let from_journal = export(&first).await?;
    first.compact_now().await?;
    let from_files = export(&first).await?;
    let wanted = records(&from_journal)?;
    ensure!(wanted.len() > REQUESTS * 3, "only {} records", wanted.len());
    same_records("after compaction", &wanted, &records(&from_files)?)?;

    let second = Server::start(ServerSettings::default()).await?;
    let file = second.data_folder().with_extension("jsonl");
    std::fs::write(&file, &from_files)?;
    let endpoint = second.client().otlp_http_url().to_owned();
    let output = second.run(&["import", "--endpoint", &endpoint, &file.display().to_string()]).await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success() && said.contains(" 0 records rejected, 0 lines refused"), "import: {said}");
    for compacted in [false, true] {
        for table in ["logs", "spans", "points", "histograms", "exp_histograms", "summaries", "exemplars", "series"] {
            let (sent, imported) = (rows(&first, table).await?, rows(&second, table).await?);
            same(&format!("{table}, compacted: {compacted}"), &sent, &imported)?;
        }
        same_records("the second export", &wanted, &records(&export(&second).await?)?)?;
        second.compact_now().await?;
    }
    println!("{} records came back as they were sent, in {} bytes of lines", wanted.len(), from_files.len());
    Ok(())
}

#[tokio::test]
async fn a_bad_line_is_named_and_the_rest_goes_on() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let file = server.data_folder().with_extension("jsonl");
    let good = |body: &str| {
        format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{{"stringValue":"{body}"}}}}]}}]}}]}}"#)
    };
    let bare = r#"{"resource":{},"scopeLogs":[{"logRecords":[{"body":{"stringValue":"java"}}]}]}"#;
    let cut = &good("cut")[..40];
    std::fs::write(&file, format!("{}\n\nnot otlp\n{bare}\n{{}}\n{}\n{cut}", good("first"), good("last")))?;
    let endpoint = server.client().otlp_http_url().to_owned();
    let output = server.run(&["import", "--endpoint", &endpoint, &file.display().to_string()]).await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    for part in [":3: no JSON", ":5: no resourceSpans", ":7: no JSON", "3 lines stored", "3 lines refused"] {
        assert!(said.contains(part), "{said} lacks {part}");
    }
    assert_eq!(server.client().sql_count("select count(*) from logs").await?, 3);
    Ok(())
}
