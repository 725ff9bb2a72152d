//! How long answers take, asked one after another.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::{Client, Signal};

use crate::requests::Requests;

/// One question's answer times.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What was asked.
    pub name: &'static str,
    /// Milliseconds, half are faster.
    pub p50_ms: f64,
    /// Milliseconds, 95 in a hundred are faster.
    pub p95_ms: f64,
    /// Rows the last answer looked at.
    pub rows_scanned: u64,
}

/// Asks what design §7 measures for this signal.
pub async fn ask(client: &Client, signal: Signal, requests: &Requests, times: usize) -> Result<Vec<Asked>> {
    let mut asked = Vec::new();
    let path = |query: &str| vec![format!("{}?limit=100&query={query}", api::paths::LOGS)];
    let questions: Vec<(&'static str, Vec<String>)> = match signal {
        Signal::Traces => {
            let ids = requests.trace_ids.iter().map(|id| format!("{}/{id}", api::paths::TRACES)).collect();
            vec![("trace by id", ids), ("recent traces", vec![format!("{}?limit=50", api::paths::TRACES)])]
        }
        Signal::Logs => {
            let words = requests.words.as_ref().context("words to ask for")?;
            for (name, (word, records)) in [("medium", &words.medium), ("common", &words.common)] {
                println!("  the {name} term is '{word}', in {records} records of a million");
            }
            vec![
                ("rare term (1 in 1 M)", path("quarrelsome")),
                ("medium term", path(&words.medium.0)),
                ("common term", path(&words.common.0)),
                ("newest 100", path("")),
            ]
        }
        Signal::Metrics => {
            let range = |question: &str| vec![format!("{}?{question}", api::paths::METRICS_RANGE)];
            vec![
                ("metrics catalog", vec![api::paths::METRICS.to_owned()]),
                ("rate of one counter in 40", range("metric=shop.requests.handled.0")),
                ("one gauge in 40, by route", range("metric=shop.pool.usage.4&group_by=http.route")),
                ("p95 of one histogram in 40", range("metric=shop.request.duration.15")),
            ]
        }
    };
    for (name, paths) in questions {
        asked.push(time(client, name, &paths, times).await?);
    }
    asked.push(count_by_service_and_minute(client, signal, times).await?);
    Ok(asked)
}

async fn time(client: &Client, name: &'static str, paths: &[String], times: usize) -> Result<Asked> {
    let mut milliseconds = Vec::with_capacity(times);
    let mut rows_scanned = 0;
    for at in 0..times {
        let path = &paths[at % paths.len()];
        let began = Instant::now();
        let answer = client.get(path).await?;
        milliseconds.push(began.elapsed().as_secs_f64() * 1e3);
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.text());
        let value: Value = answer.json()?;
        ensure!(value["complete"] == true, "{path} is incomplete: {}", value["incomplete_because"]);
        rows_scanned = value["stats"]["rows_scanned"].as_u64().unwrap_or_default();
    }
    Ok(asked(name, milliseconds, rows_scanned))
}

async fn count_by_service_and_minute(client: &Client, signal: Signal, times: usize) -> Result<Asked> {
    let (table, time, service) = match signal {
        Signal::Traces => ("spans", "start_time", "service_name"),
        Signal::Logs => ("logs", "time", "service_name"),
        Signal::Metrics => ("points", "time", "metric"),
    };
    let query = format!("select {service}, date_trunc('minute', {time}) m, count(*) from {table} group by 1, 2");
    let mut milliseconds = Vec::with_capacity(times);
    let mut rows_scanned = 0;
    for _ in 0..times {
        let began = Instant::now();
        let answer = client.sql(&query).await?;
        milliseconds.push(began.elapsed().as_secs_f64() * 1e3);
        rows_scanned = answer.stats.rows_scanned;
    }
    Ok(asked("count by service and minute", milliseconds, rows_scanned))
}

fn asked(name: &'static str, mut milliseconds: Vec<f64>, rows_scanned: u64) -> Asked {
    milliseconds.sort_by(f64::total_cmp);
    let at = |share: usize| milliseconds.get(milliseconds.len() * share / 100).copied().unwrap_or_default();
    Asked { name, p50_ms: at(50), p95_ms: at(95), rows_scanned }
}
