//! W8: the same message stores the same rows, whichever way it comes: protobuf, JSON, gRPC, and every content coding.
//!
//! A server for each way is sent the same random messages (every kind of value, NaN, infinities, empty values, keys
//! twice, and one value 64 levels deep), and all its tables are read and compared with those of plain protobuf. Ways
//! that carry protobuf are also sent what JSON has no words for: bytes that are no UTF-8, and unknown fields.

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use testkit::proto::common::v1::{AnyValue, ArrayValue, any_value};
use testkit::{Message, Server, ServerSettings, Signal, coding, loose_json, random_otlp, raw};

use super::round_trip::{rows, same};
use crate::TestResult;

/// Requests of each signal.
const REQUESTS: usize = 20;
/// As deep as SDKs nest values at most.
const DEPTH: usize = 64;
const TABLES: [&str; 8] =
    ["logs", "spans", "points", "histograms", "exp_histograms", "summaries", "exemplars", "series"];

/// One message in both encodings; what only protobuf can say has no JSON.
struct Sample {
    signal: Signal,
    protobuf: Vec<u8>,
    json: Option<Vec<u8>>,
}

/// A content coding's name, and what makes it.
type Coding = (&'static str, fn(&[u8]) -> Vec<u8>);

/// How a message travels.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Http { json: bool, coding: Option<Coding> },
    Grpc { gzip: bool },
}

const fn protobuf(coding: &'static str, encode: fn(&[u8]) -> Vec<u8>) -> Way {
    Way::Http { json: false, coding: Some((coding, encode)) }
}

const WAYS: [(&str, Way); 11] = [
    ("protobuf", Way::Http { json: false, coding: None }),
    ("JSON", Way::Http { json: true, coding: None }),
    ("gRPC", Way::Grpc { gzip: false }),
    ("gRPC, gzip", Way::Grpc { gzip: true }),
    ("gzip", protobuf("gzip", testkit::gzip)),
    ("zstd", protobuf("zstd", coding::zstd)),
    ("deflate with zlib's head", protobuf("deflate", coding::zlib)),
    ("deflate bare", protobuf("deflate", coding::deflate)),
    ("snappy block", protobuf("snappy", coding::snappy_block)),
    ("snappy framed", protobuf("snappy", coding::snappy_framed)),
    ("JSON, zstd", Way::Http { json: true, coding: Some(("zstd", coding::zstd)) }),
];

fn samples() -> Vec<Sample> {
    let mut rng = Rng::with_seed(8);
    let mut samples = Vec::new();
    for number in 0..REQUESTS {
        let traces = random_otlp::traces(&mut rng);
        let mut logs = random_otlp::logs(&mut rng);
        if number == 0 {
            deepen(&mut logs);
        }
        let metrics = random_otlp::metrics(&mut rng);
        let mut add = |signal, protobuf: Vec<u8>, json: String| {
            samples.push(Sample { signal, protobuf, json: Some(json.into_bytes()) });
        };
        add(Signal::Traces, traces.encode_to_vec(), loose_json::traces(&mut rng, &traces));
        add(Signal::Logs, logs.encode_to_vec(), loose_json::logs(&mut rng, &logs));
        add(Signal::Metrics, metrics.encode_to_vec(), loose_json::metrics(&mut rng, &metrics));
    }
    samples
}

/// Puts a value of so many levels into the first log record's body.
fn deepen(logs: &mut testkit::proto::logs::v1::LogsData) {
    let mut value = AnyValue { value: Some(any_value::Value::StringValue("at the bottom".to_owned())) };
    for _ in 0..DEPTH {
        value = AnyValue { value: Some(any_value::Value::ArrayValue(ArrayValue { values: vec![value] })) };
    }
    let records = logs.resource_logs.iter_mut().flat_map(|resource| &mut resource.scope_logs);
    if let Some(record) = records.flat_map(|scope| &mut scope.log_records).next() {
        record.body = Some(value);
    }
}

/// Protobuf that JSON cannot say.
fn only_protobuf() -> Vec<Sample> {
    // A log record whose body is one byte that is no UTF-8; the same with an unknown field (number 1000, a varint)
    // behind each message's known ones.
    let invalid = [0x0a, 0x09, 0x12, 0x07, 0x12, 0x05, 0x2a, 0x03, 0x0a, 0x01, 0xff];
    let unknown = [
        0x0a, 0x12, 0x12, 0x0d, 0x12, 0x08, 0x2a, 0x03, 0x0a, 0x01, b'x', 0xc0, 0x3e, 0x07, 0xc0, 0x3e, 0x07, 0xc0,
        0x3e, 0x07, 0xc0, 0x3e, 0x07,
    ];
    [invalid.to_vec(), unknown.to_vec()].map(|protobuf| Sample { signal: Signal::Logs, protobuf, json: None }).into()
}

async fn send(server: &Server, way: Way, sample: &Sample) -> Result<()> {
    match way {
        Way::Http { json, coding } => {
            let (content_type, body) = match (json, &sample.json) {
                (true, Some(body)) => ("application/json", body),
                (true, None) => return Ok(()),
                (false, _) => ("application/x-protobuf", &sample.protobuf),
            };
            let mut headers = vec![("Content-Type", content_type), ("Connection", "close")];
            headers.extend(coding.map(|(name, _)| ("Content-Encoding", name)));
            let body = coding.map_or_else(|| body.clone(), |(_, encode)| encode(body));
            // Framed snappy of nothing is no bytes at all: what has lost everything looks the same, and is refused.
            if body.is_empty() && coding.is_some() {
                return Ok(());
            }
            let request = raw::request("POST", sample.signal.path(), &headers, &body);
            let answer = raw::exchange(server.ports()[1], &request).await?;
            ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
        }
        Way::Grpc { gzip } => {
            let (flag, message) =
                if gzip { (1, testkit::gzip(&sample.protobuf)) } else { (0, sample.protobuf.clone()) };
            let headers: &[(&str, &str)] = if gzip { &[("grpc-encoding", "gzip")] } else { &[] };
            let frame = raw::grpc_frame(flag, &message);
            let answer = server.client().grpc_call(sample.signal.grpc_path(), headers, frame).await?;
            let status = answer.headers.get("grpc-status").context("a gRPC status")?;
            ensure!(status == "0", "{:?}", answer.headers);
        }
    }
    Ok(())
}

/// Every table's rows after all samples have come this way.
async fn stored(way: Way, samples: &[Sample]) -> Result<Vec<Vec<String>>> {
    let server = Server::start(ServerSettings::default()).await?;
    for sample in samples {
        send(&server, way, sample).await?;
    }
    let mut tables = Vec::new();
    for table in TABLES {
        tables.push(rows(&server, table).await?);
    }
    Ok(tables)
}

#[tokio::test]
async fn every_way_stores_the_same_rows() -> TestResult {
    let samples = samples();
    let expect = stored(WAYS[0].1, &samples).await?;
    ensure!(expect.iter().all(|rows| !rows.is_empty()), "every table has rows");
    for (name, way) in &WAYS[1..] {
        let found = stored(*way, &samples).await.with_context(|| (*name).to_owned())?;
        for ((table, expect), found) in TABLES.iter().zip(&expect).zip(&found) {
            same(&format!("{table}, {name}"), expect, found)?;
        }
    }
    let rows: usize = expect.iter().map(Vec::len).sum();
    println!("{} requests stored the same {rows} rows in {} ways", samples.len(), WAYS.len());
    Ok(())
}

#[tokio::test]
async fn what_only_protobuf_says_is_stored_the_same() -> TestResult {
    let samples = only_protobuf();
    let expect = stored(WAYS[0].1, &samples).await?;
    ensure!(expect[0].len() == 2 && expect[0].iter().any(|row| row.contains('\u{fffd}')), "{:?}", expect[0]);
    for (name, way) in WAYS[1..].iter().filter(|(_, way)| !matches!(way, Way::Http { json: true, .. })) {
        let found = stored(*way, &samples).await.with_context(|| (*name).to_owned())?;
        same(&format!("logs, {name}"), &expect[0], &found[0])?;
    }
    Ok(())
}
