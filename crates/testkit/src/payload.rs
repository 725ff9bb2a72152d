//! An encoded request and how it travels.

use std::io::Write;

use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};

/// One of OTLP's signals, with its path and its gRPC method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Data points.
    Metrics,
}

impl Signal {
    /// Path of OTLP over HTTP.
    pub fn path(self) -> &'static str {
        match self {
            Signal::Traces => "/v1/traces",
            Signal::Logs => "/v1/logs",
            Signal::Metrics => "/v1/metrics",
        }
    }

    /// Path of the gRPC method.
    pub fn grpc_path(self) -> &'static str {
        match self {
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        }
    }
}

/// How a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Protobuf.
    Protobuf,
    /// OTLP/JSON.
    Json,
}

impl Encoding {
    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Encoding::Protobuf => "application/x-protobuf",
            Encoding::Json => "application/json",
        }
    }
}

/// One encoded request: sending it twice sends the same bytes.
#[derive(Debug, Clone)]
pub struct Payload {
    /// Which signal.
    pub signal: Signal,
    /// How `body` is written.
    pub encoding: Encoding,
    /// Whether `body` is compressed.
    pub gzip: bool,
    /// The bytes.
    pub body: Bytes,
}

impl Payload {
    /// A protobuf request.
    pub fn protobuf(signal: Signal, request: &impl prost::Message) -> Payload {
        Payload { signal, encoding: Encoding::Protobuf, gzip: false, body: request.encode_to_vec().into() }
    }

    /// A JSON request.
    pub fn json(signal: Signal, request: &serde_json::Value) -> Payload {
        Payload { signal, encoding: Encoding::Json, gzip: false, body: request.to_string().into() }
    }

    /// The same, compressed.
    pub fn gzipped(self) -> Payload {
        Payload { gzip: true, body: gzip(&self.body).into(), ..self }
    }
}

/// Compresses as clients do.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("a vector takes every byte");
    encoder.finish().expect("a vector takes every byte")
}

/// An attribute with a text.
pub fn string_attribute(key: &str, value: &str) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.to_owned()))
}

/// An attribute with an integer.
pub fn int_attribute(key: &str, value: i64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(value))
}

/// An attribute.
pub fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}
