//! What is sent: requests encoded once, before the clock starts, and what to ask for afterwards.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use testkit::{Logs, Metrics, Signal, Traces};

/// A word that one record in the whole set holds.
pub const RARE_TERM: &str = "quokkaburrow";

/// Encoded requests of one signal.
#[derive(Debug)]
pub struct DataSet {
    /// Which signal.
    pub signal: Signal,
    /// Protobuf bodies in the order they are sent.
    pub requests: Vec<Vec<u8>>,
    /// Records in all of them.
    pub records: u64,
    /// Trace ids that occur, a sample.
    pub trace_ids: Vec<String>,
}

impl DataSet {
    /// Makes so many records in requests of this size, the same for the same seed.
    pub fn generate(signal: Signal, records: u64, request_records: usize) -> DataSet {
        let now = testkit::now_unix_nano();
        let mut set = DataSet { signal, requests: Vec::new(), records: 0, trace_ids: Vec::new() };
        match signal {
            Signal::Traces => set.add_traces(Traces::new(1, now), records, request_records),
            Signal::Logs => set.add_logs(Logs::new(2, now), records, request_records),
            Signal::Metrics => set.add_metrics(Metrics::new(3, now), records, request_records),
        }
        set
    }

    /// Bytes of all requests.
    pub fn wire_bytes(&self) -> u64 {
        self.requests.iter().map(|body| body.len() as u64).sum()
    }

    fn add_traces(&mut self, mut traces: Traces, records: u64, request_records: usize) {
        while self.records < records {
            let request = traces.request(request_records);
            self.records += count_spans(&request);
            if self.requests.len() % 16 == 0 {
                self.trace_ids.extend(first_trace_id(&request));
            }
            self.requests.push(request.encode_to_vec());
        }
    }

    fn add_logs(&mut self, mut logs: Logs, records: u64, request_records: usize) {
        while self.records < records {
            if self.records >= records / 2 && self.records < records / 2 + request_records as u64 {
                self.requests.push(logs.line(&format!("burrow of the {RARE_TERM} found")).encode_to_vec());
                self.records += 1;
            }
            let request = logs.request(request_records);
            self.records += count_logs(&request);
            self.requests.push(request.encode_to_vec());
        }
    }

    fn add_metrics(&mut self, mut metrics: Metrics, records: u64, request_records: usize) {
        while self.records < records {
            let request = metrics.request(request_records);
            self.records += count_points(&request);
            self.requests.push(request.encode_to_vec());
        }
    }
}

fn count_spans(request: &ExportTraceServiceRequest) -> u64 {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    scopes.map(|scope| scope.spans.len() as u64).sum()
}

fn count_logs(request: &ExportLogsServiceRequest) -> u64 {
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    scopes.map(|scope| scope.log_records.len() as u64).sum()
}

fn count_points(
    request: &opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest,
) -> u64 {
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    scopes
        .flat_map(|scope| &scope.metrics)
        .map(|metric| match &metric.data {
            Some(Data::Gauge(gauge)) => gauge.data_points.len(),
            Some(Data::Sum(sum)) => sum.data_points.len(),
            Some(Data::Histogram(histogram)) => histogram.data_points.len(),
            Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
            Some(Data::Summary(summary)) => summary.data_points.len(),
            None => 0,
        } as u64)
        .sum()
}

fn first_trace_id(request: &ExportTraceServiceRequest) -> Option<String> {
    let span = request.resource_spans.first()?.scope_spans.first()?.spans.first()?;
    Some(span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect())
}
