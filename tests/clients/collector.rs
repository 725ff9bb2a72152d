//! What a Collector is fed with: it makes no telemetry itself and passes on what apps send it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use testkit::proto::common::v1::{AnyValue, any_value::Value};
use testkit::proto::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use testkit::proto::metrics::v1::{
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point,
};
use testkit::proto::resource::v1::Resource;
use testkit::proto::trace::v1::{ResourceSpans, ScopeSpans, Span};
use testkit::proto::{ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest};
use testkit::{Client, Patience, Payload, Relay, Signal, free_port, now_unix_nano, string_attribute};
use tokio::task::JoinHandle;

use super::senders::Load;
use super::wire::Wire;

/// How long a Collector may take to pass on what it has once it has everything.
const DRAIN_PATIENCE: Duration = Duration::from_secs(60);

/// An app that sends to a Collector, until it has sent its load.
pub struct Feed {
    service: &'static str,
    load: Load,
    port: u16,
    task: Option<JoinHandle<Result<()>>>,
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Feed {
    /// An app that will send to a port which is free now.
    pub fn new(service: &'static str, load: Load) -> Result<Feed> {
        Ok(Feed { service, load, port: free_port()?, task: None })
    }

    /// Where the Collector is to listen.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Begins to send.
    pub fn start(mut self) -> Feed {
        self.task = Some(tokio::spawn(feed(self.service, self.load, self.port)));
        self
    }

    /// Waits until everything is sent and the Collector has passed it on, or has given some of it up.
    pub async fn finish(&mut self, relay: &Relay) -> Result<()> {
        if let Some(task) = self.task.take() {
            task.await.context("the feed panicked")??;
        }
        let begun = Instant::now();
        while Wire::of(&relay.exchanges()).acknowledged().count() < 2 * self.load.records as usize {
            if begun.elapsed() > DRAIN_PATIENCE {
                bail!("the Collector has not passed everything on");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

async fn feed(service: &'static str, load: Load, port: u16) -> Result<()> {
    let client = Client::new(port, port, port);
    // The Collector's own clients wait for it; it takes a moment to start.
    let patience = Patience { total: Duration::from_secs(30), attempt: Duration::from_secs(5) };
    let pause = Duration::from_secs(load.seconds.into()) / load.records;
    let mut metrics_sent = None;
    for number in 0..load.records {
        let requests = [
            Payload::protobuf(Signal::Traces, &traces(service, number)),
            Payload::protobuf(Signal::Logs, &logs(service, number)),
        ];
        for request in &requests {
            client.send_until_acknowledged(request, patience).await?;
        }
        let interval = Duration::from_millis(load.metric_interval.into());
        if metrics_sent.is_none_or(|sent: Instant| sent.elapsed() >= interval) {
            metrics_sent = Some(Instant::now());
            let request = Payload::protobuf(Signal::Metrics, &metrics(service, load.points));
            client.send_until_acknowledged(&request, patience).await?;
        }
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

fn resource(service: &str) -> Option<Resource> {
    Some(Resource { attributes: vec![string_attribute("service.name", service)], ..Default::default() })
}

fn traces(service: &str, number: u32) -> ExportTraceServiceRequest {
    let now = now_unix_nano() as u64;
    let mut trace_id = vec![7; 16];
    trace_id[..4].copy_from_slice(&number.to_be_bytes());
    let span = Span {
        trace_id,
        span_id: vec![7; 8],
        name: format!("span #{number:06}#"),
        start_time_unix_nano: now,
        end_time_unix_nano: now + 1,
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..Default::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: resource(service), scope_spans, ..Default::default() }],
    }
}

fn logs(service: &str, number: u32) -> ExportLogsServiceRequest {
    let body = AnyValue { value: Some(Value::StringValue(format!("log #{number:06}#"))) };
    let record = LogRecord { time_unix_nano: now_unix_nano() as u64, body: Some(body), ..Default::default() };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..Default::default() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource: resource(service), scope_logs, ..Default::default() }],
    }
}

fn metrics(service: &str, points: u32) -> ExportMetricsServiceRequest {
    let now = now_unix_nano() as u64;
    let point = |number: u32| NumberDataPoint {
        attributes: vec![string_attribute("number", &format!("point #{number:06}#"))],
        time_unix_nano: now,
        value: Some(number_data_point::Value::AsInt(1)),
        ..Default::default()
    };
    let sum = Sum { data_points: (0..points).map(point).collect(), aggregation_temporality: 2, is_monotonic: true };
    let metric = Metric { name: "client.points".into(), data: Some(Data::Sum(sum)), ..Default::default() };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..Default::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { resource: resource(service), scope_metrics, ..Default::default() }],
    }
}
