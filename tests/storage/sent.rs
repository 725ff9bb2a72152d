//! A day's telemetry whose every record is known, so that every answer can be compared with what was sent.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use testkit::proto::ExportMetricsServiceRequest;
use testkit::proto::common::v1::{KeyValue, any_value};
use testkit::proto::metrics::v1::number_data_point::Value;
use testkit::proto::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric};
use testkit::{Client, Logs, Patience, Payload, Signal, Traces, now_unix_nano, string_attribute};

/// Nanoseconds of an hour.
pub const HOUR: i64 = 3_600_000_000_000;

/// Series that points belong to.
const SERIES: i64 = 7;

/// Everything that was acknowledged.
#[derive(Debug, Default)]
pub struct Sent {
    /// Time and number of each log record.
    pub logs: BTreeSet<(i64, i64)>,
    /// Numbers of the spans of each trace.
    pub traces: BTreeMap<String, BTreeSet<i64>>,
    /// Number and time of each point.
    pub points: BTreeMap<i64, i64>,
}

/// Makes and sends records of all signals for any time.
pub struct Sender {
    client: Client,
    logs: Logs,
    traces: Traces,
    sent: Sent,
}

impl Sender {
    pub fn new(client: Client, seed: u64) -> Sender {
        let now = now_unix_nano();
        Sender { client, logs: Logs::new(seed, now), traces: Traces::new(seed + 1, now), sent: Sent::default() }
    }

    /// What was sent so far.
    pub fn sent(&self) -> &Sent {
        &self.sent
    }

    /// Sends so many records of each signal whose times lie in the minute before this one.
    pub async fn send(&mut self, time: i64, records: usize) -> Result<()> {
        self.logs.set_now(time);
        self.traces.set_now(time);
        let logs = self.logs.request(records);
        for record in logs.resource_logs.iter().flat_map(|by| &by.scope_logs).flat_map(|by| &by.log_records) {
            self.sent.logs.insert((record.time_unix_nano as i64, number_of(&record.attributes)?));
        }
        let traces = self.traces.request(records);
        for span in traces.resource_spans.iter().flat_map(|by| &by.scope_spans).flat_map(|by| &by.spans) {
            let numbers = self.sent.traces.entry(hex(&span.trace_id)).or_default();
            numbers.insert(number_of(&span.attributes)?);
        }
        let first = self.sent.points.len() as i64;
        let points = points(first, records as i64, time);
        self.sent.points.extend((first..first + records as i64).map(|number| (number, time)));
        let payloads = [
            Payload::protobuf(Signal::Logs, &logs),
            Payload::protobuf(Signal::Traces, &traces),
            Payload::protobuf(Signal::Metrics, &points),
        ];
        for payload in &payloads {
            self.client.send_until_acknowledged(payload, Patience::default()).await?;
        }
        Ok(())
    }
}

fn number_of(attributes: &[KeyValue]) -> Result<i64> {
    let entry = attributes.iter().find(|entry| entry.key == "thread.id").context("a record without a number")?;
    match entry.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::IntValue(number)) => Ok(*number),
        other => anyhow::bail!("{other:?} is no number"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Points whose values are their numbers.
fn points(first: i64, count: i64, time: i64) -> ExportMetricsServiceRequest {
    let point = |number: i64| NumberDataPoint {
        time_unix_nano: time as u64,
        attributes: vec![string_attribute("series", &(number % SERIES).to_string())],
        value: Some(Value::AsInt(number)),
        ..Default::default()
    };
    let data_points = (first..first + count).map(point).collect();
    let metric = Metric {
        name: "day.points".to_owned(),
        data: Some(metric::Data::Gauge(Gauge { data_points })),
        ..Default::default()
    };
    let scope = ScopeMetrics { metrics: vec![metric], ..Default::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { scope_metrics: vec![scope], ..Default::default() }],
    }
}

impl Sent {
    /// Spans in all traces.
    pub fn spans(&self) -> i64 {
        self.traces.values().map(|numbers| numbers.len() as i64).sum()
    }

    /// Records of all signals.
    pub fn records(&self) -> i64 {
        self.logs.len() as i64 + self.spans() + self.points.len() as i64
    }

    /// Panics unless every kind of answer is what brute force over what was sent says.
    pub async fn assert_answers(&self, client: &Client, when: &str) -> Result<()> {
        self.assert_pages(client, when).await?;
        self.assert_counts(client, when).await?;
        self.assert_traces(client, when).await
    }

    /// All pages of a search for everything, newest first.
    async fn assert_pages(&self, client: &Client, when: &str) -> Result<()> {
        let mut cursor: Option<String> = None;
        let mut seen: Vec<(i64, i64)> = Vec::new();
        loop {
            let from = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let path = format!("{}?limit=4000{from}", api::paths::LOGS);
            let page: api::LogSearchAnswer = client.get_json(&path).await?;
            assert!(page.completeness.complete, "{when}: {:?}", page.completeness);
            for record in &page.logs {
                let number = record.attributes["thread.id"].as_i64().context("a number")?;
                seen.push((record.time_unix_nano.0, number));
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert!(seen.windows(2).all(|pair| pair[0].0 >= pair[1].0), "{when}: not newest first");
        let different: BTreeSet<(i64, i64)> = seen.iter().copied().collect();
        assert_eq!((seen.len(), different.len()), (self.logs.len(), self.logs.len()), "{when}: pages");
        assert!(different == self.logs, "{when}: pages hold other records than were sent");
        Ok(())
    }

    /// Counts by hour, and numbers of points by series.
    async fn assert_counts(&self, client: &Client, when: &str) -> Result<()> {
        let by_hour = |times: &mut dyn Iterator<Item = i64>| {
            let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
            times.for_each(|time| *counts.entry(time.div_euclid(HOUR)).or_default() += 1);
            counts
        };
        for (table, expect) in [
            ("logs", by_hour(&mut self.logs.iter().map(|(time, _)| *time))),
            ("points", by_hour(&mut self.points.values().copied())),
        ] {
            let query = format!(
                "select arrow_cast(time, 'Int64') / {HOUR} as hour, count(*) from {table} group by 1 order by 1 limit 100"
            );
            let answer = client.sql(&query).await?;
            let found: BTreeMap<i64, i64> =
                answer.rows.iter().filter_map(|row| Some((row[0].as_i64()?, row[1].as_i64()?))).collect();
            assert_eq!(found, expect, "{when}: {table} by hour");
        }
        let spans = client.sql_count("select count(distinct thread_id) from spans").await?;
        assert_eq!(spans, self.spans(), "{when}: spans");
        assert_eq!(client.sql_count("select count(*) from spans").await?, self.spans(), "{when}: spans once");
        let sum = client.sql_count("select sum(value_int) from points").await?;
        assert_eq!(sum, self.points.keys().sum::<i64>(), "{when}: points");
        let series = client.sql_count("select count(distinct series_id) from series").await?;
        assert_eq!(series, SERIES.min(self.points.len() as i64), "{when}: series");
        let joined = "select count(distinct p.series_id) from points p join series s on p.series_id = s.series_id";
        assert_eq!(client.sql_count(joined).await?, series, "{when}: every point has its series");
        Ok(())
    }

    /// Some traces by their ids.
    async fn assert_traces(&self, client: &Client, when: &str) -> Result<()> {
        for (id, numbers) in self.traces.iter().step_by((self.traces.len() / 15).max(1)) {
            let answer: api::TraceAnswer = client.get_json(&format!("{}/{id}", api::paths::TRACES)).await?;
            let found: BTreeSet<i64> =
                answer.spans.iter().filter_map(|span| span.attributes["thread.id"].as_i64()).collect();
            assert_eq!((&found, answer.spans.len()), (numbers, numbers.len()), "{when}: trace {id}");
        }
        Ok(())
    }
}
