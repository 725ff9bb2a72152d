//! A load whose every record can be found again: numbers, acknowledgements, exact resends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use testkit::proto::ExportMetricsServiceRequest;
use testkit::proto::metrics::v1::number_data_point::Value;
use testkit::proto::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric};
use testkit::{Client, Logs, Patience, Payload, Random, Signal, Traces, now_unix_nano};
use tokio::task::JoinSet;

/// Metric whose points carry their number as value.
const NUMBERED_METRIC: &str = "numbered.points";

/// Records acknowledged so far, by signal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Acknowledged {
    pub spans: i64,
    pub logs: i64,
    pub points: i64,
    /// Requests sent a second time after they were acknowledged.
    pub resent_requests: i64,
    /// Attempts beyond the first: requests in flight at a kill, or refused.
    pub retries: i64,
}

/// Senders that go on until they are told to stop; every request is resent until it is acknowledged.
pub struct Load {
    stop: Arc<AtomicBool>,
    senders: JoinSet<Result<Acknowledged>>,
}

impl Load {
    /// One sender for each of these numbers of records a request. `salt` makes this load's records its own.
    pub fn start(client: &Client, records_per_request: &[usize], salt: i64) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let mut senders = JoinSet::new();
        for (sender, records) in records_per_request.iter().enumerate() {
            // Numbers of different senders and loads never meet.
            let first = (salt * 16 + sender as i64) * 10_000_000;
            senders.spawn(send(client.clone(), *records, first, stop.clone()));
        }
        Load { stop, senders }
    }

    /// Stops the senders once what they have in flight is acknowledged.
    pub async fn finish(mut self) -> Result<Acknowledged> {
        self.stop.store(true, Ordering::Relaxed);
        let mut sum = Acknowledged::default();
        while let Some(sender) = self.senders.join_next().await {
            let one = sender.context("a sender panicked")??;
            sum.spans += one.spans;
            sum.logs += one.logs;
            sum.points += one.points;
            sum.resent_requests += one.resent_requests;
            sum.retries += one.retries;
        }
        Ok(sum)
    }
}

async fn send(client: Client, records: usize, first: i64, stop: Arc<AtomicBool>) -> Result<Acknowledged> {
    let mut random = Random::new(first as u64 + 1);
    let mut traces = Traces::new(first as u64 + 2, now_unix_nano()).numbered_from(first);
    let mut logs = Logs::new(first as u64 + 3, now_unix_nano()).numbered_from(first);
    let mut next_point = first;
    let mut acknowledged = Acknowledged::default();
    let mut earlier: Vec<Payload> = Vec::new();
    let patience = Patience { total: Duration::from_secs(60), attempt: Duration::from_secs(5) };
    while !stop.load(Ordering::Relaxed) {
        let count = records as i64;
        let payload = match random.below(3) {
            0 => {
                acknowledged.spans += count;
                Payload::protobuf(Signal::Traces, &traces.sdk_request(records))
            }
            1 => {
                acknowledged.logs += count;
                Payload::protobuf(Signal::Logs, &logs.request(records))
            }
            _ => {
                acknowledged.points += count;
                next_point += count;
                Payload::protobuf(Signal::Metrics, &numbered_points(next_point - count, records))
            }
        };
        let attempts = client.send_until_acknowledged(&payload, patience).await?;
        acknowledged.retries += i64::from(attempts) - 1;
        if random.chance(0.1) && !earlier.is_empty() {
            let again = random.pick(&earlier).clone();
            client.send_until_acknowledged(&again, patience).await?;
            acknowledged.resent_requests += 1;
        }
        if earlier.len() < 64 {
            earlier.push(payload);
        } else {
            let place = random.below(earlier.len());
            earlier[place] = payload;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(acknowledged)
}

fn numbered_points(first: i64, count: usize) -> ExportMetricsServiceRequest {
    let now = now_unix_nano();
    let data_points = (0..count as i64)
        .map(|point| NumberDataPoint {
            time_unix_nano: now as u64,
            value: Some(Value::AsInt(first + point)),
            ..Default::default()
        })
        .collect();
    let metric = Metric {
        name: NUMBERED_METRIC.to_owned(),
        data: Some(metric::Data::Gauge(Gauge { data_points })),
        ..Default::default()
    };
    let scope = ScopeMetrics { metrics: vec![metric], ..Default::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { scope_metrics: vec![scope], ..Default::default() }],
    }
}

/// Panics unless every acknowledged record is found exactly once and nothing else is.
pub async fn assert_exactly_once(client: &Client, sent: Acknowledged, when: &str) -> Result<()> {
    for (what, table, number, expect) in [
        ("spans", "spans", "thread_id", sent.spans),
        ("log records", "logs", "thread_id", sent.logs),
        ("points", "points", "value_int", sent.points),
    ] {
        let rows = client.sql_count(&format!("select count(*) from {table}")).await?;
        let distinct = client.sql_count(&format!("select count(distinct {number}) from {table}")).await?;
        if (rows, distinct) != (expect, expect) {
            let repeated = client
                .sql(&format!(
                    "select {number}, count(*) from {table} group by {number} having count(*) > 1 order by 1 limit 10"
                ))
                .await?;
            panic!(
                "{when}: {expect} {what} were acknowledged, {distinct} different ones are found in {rows} rows: \
                 {} lost, {} repeated, for instance {:?}",
                expect - distinct,
                rows - distinct,
                repeated.rows
            );
        }
    }
    Ok(())
}
