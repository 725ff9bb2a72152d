//! One message, written as protobuf and as JSON, stores the same rows.

use fastrand::Rng;
use model::Signal;
use otlp::{DecodeLimits, Encoding, TenantBuffer};
use testkit::proto::logs::v1::LogsData;
use testkit::proto::metrics::v1::{MetricsData, metric::Data};
use testkit::proto::trace::v1::TracesData;
use testkit::{Message, loose_json};

use crate::decode::{SELECTORS, left_by};
use crate::{Seed, Target, protobuf, selected};

/// The selector chooses the signal, and what the JSON mapping leaves open; the rest is a message that another decoder
/// of protobuf reads and writes again, so that both encodings come from what it understood.
pub const TARGET: Target = Target { name: "same_rows", check, memory_bytes_max, seeds };

/// As the decoder twice over, and the messages of the other one, whose structs are large beside two bytes of input.
fn memory_bytes_max(input_bytes: usize) -> usize {
    (8 << 20) + 4096 * input_bytes
}

fn check(input: &[u8]) {
    let Some((selector, body)) = selected(input) else { return };
    let mut rng = Rng::with_seed(selector as u64);
    let Some((signal, protobuf, text)) = both(&mut rng, selector % 3, body) else { return };
    let rows =
        [(Encoding::Protobuf, protobuf.as_slice()), (Encoding::Json, text.as_bytes())].map(|(encoding, body)| {
            let mut buffer = TenantBuffer::new(DecodeLimits::default());
            let left = left_by(&mut buffer, signal, encoding, body);
            left.map(|(appended, batches)| (appended.received, appended.rejected, appended.rows, batches))
        });
    assert!(rows[0] == rows[1], "{text}\n{:?}\n{:?}", rows[0], rows[1]);
}

/// The message in both encodings; nothing where it is none, or where JSON cannot tell what protobuf tells.
fn both(rng: &mut Rng, selector: usize, body: &[u8]) -> Option<(Signal, Vec<u8>, String)> {
    match selector {
        0 => {
            let data = TracesData::decode(body).ok()?;
            let spans =
                || data.resource_spans.iter().flat_map(|level| &level.scope_spans).flat_map(|level| &level.spans);
            let links = || spans().flat_map(|span| &span.links);
            let known = spans().all(|span| ids(&span.trace_id, &span.span_id) && ids(&[], &span.parent_span_id))
                && links().all(|link| ids(&link.trace_id, &link.span_id));
            known.then(|| (Signal::Traces, data.encode_to_vec(), loose_json::traces(rng, &data)))
        }
        1 => {
            let data = LogsData::decode(body).ok()?;
            let records =
                data.resource_logs.iter().flat_map(|level| &level.scope_logs).flat_map(|level| &level.log_records);
            let known = { records }.all(|record| ids(&record.trace_id, &record.span_id));
            known.then(|| (Signal::Logs, data.encode_to_vec(), loose_json::logs(rng, &data)))
        }
        _ => {
            let data = MetricsData::decode(body).ok()?;
            let metrics = data.resource_metrics.iter().flat_map(|level| &level.scope_metrics);
            let known = metrics.flat_map(|level| &level.metrics).filter_map(|metric| metric.data.as_ref()).all(has_ids);
            known.then(|| (Signal::Metrics, data.encode_to_vec(), loose_json::metrics(rng, &data)))
        }
    }
}

fn has_ids(data: &Data) -> bool {
    let exemplars: Vec<_> = match data {
        Data::Gauge(data) => data.data_points.iter().flat_map(|point| &point.exemplars).collect(),
        Data::Sum(data) => data.data_points.iter().flat_map(|point| &point.exemplars).collect(),
        Data::Histogram(data) => data.data_points.iter().flat_map(|point| &point.exemplars).collect(),
        Data::ExponentialHistogram(data) => data.data_points.iter().flat_map(|point| &point.exemplars).collect(),
        Data::Summary(_) => Vec::new(),
    };
    exemplars.iter().all(|exemplar| ids(&exemplar.trace_id, &exemplar.span_id))
}

/// Whether the hex of these ids can be nothing else: that of 12 and of 6 bytes is as long as the base64 of a trace id
/// and of a span id, which some clients send and which is taken for one.
fn ids(trace_id: &[u8], span_id: &[u8]) -> bool {
    trace_id.len() != 12 && span_id.len() != 6
}

/// The random ones of the protobuf target, which another decoder can read.
fn seeds() -> Vec<Seed> {
    let mut seeds = (protobuf::TARGET.seeds)();
    seeds.retain(|(name, input)| name.starts_with("random-") || name.contains("smallest") || input.len() < 16);
    seeds.iter_mut().for_each(|(_, input)| input[0] %= SELECTORS as u8);
    seeds
}
