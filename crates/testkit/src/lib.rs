//! What tests and benches share: telemetry by seed, a client, and the shipped binary as a fixture.
//!
//! Vocabulary: a *generator* makes requests of one signal, the same for the same seed; a *payload* is one encoded
//! request with what is needed to send it; a [`Server`] is a running `spyhop serve` on free loopback ports and a
//! data folder of its own, which outlives kills and restarts.
//!
//! Invariants: nothing here reads the product's crates but `api`, so a test sees what a client sees. A test that
//! cannot run says so through [`skip()`], never silently.

mod client;
pub mod coding;
mod events;
mod logs;
pub mod loose_json;
mod metrics;
mod otlp_json;
mod payload;
pub mod pki;
mod processes;
mod random;
pub mod random_otlp;
pub mod raw;
mod relay;
mod resources;
mod server;
mod skip;
mod tls;
mod traces;

pub use client::{Answer, Client, Patience};
pub use events::{Events, ServerEvent};
pub use logs::Logs;
pub use metrics::Metrics;
pub use otlp_json::{logs_json, metrics_json, traces_json};
pub use payload::{Encoding, Payload, Signal, gzip, string_attribute};
pub use processes::{Process, descendants, kill, kill_group, process_group, terminate};
pub use prost::Message;
pub use random::Random;
pub use relay::{Exchange, Outcome, Relay};
pub use server::{Server, ServerSettings, binary, free_port, run_command};
pub use skip::skip;
pub use tls::TlsClient;
pub use traces::Traces;

/// The OTLP messages, for tests that build requests by hand.
pub mod proto {
    pub use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
    pub use opentelemetry_proto::tonic::collector::metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
    };
    pub use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
    pub use opentelemetry_proto::tonic::{common, logs, metrics, resource, trace};

    /// `google.rpc.Status`, the body of every refusal.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Status {
        /// A gRPC status code.
        #[prost(int32, tag = "1")]
        pub code: i32,
        /// What was wrong.
        #[prost(string, tag = "2")]
        pub message: String,
        /// More about it.
        #[prost(message, repeated, tag = "3")]
        pub details: Vec<Any>,
    }

    /// `google.protobuf.Any`.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Any {
        /// What `value` is.
        #[prost(string, tag = "1")]
        pub type_url: String,
        /// The message.
        #[prost(bytes = "vec", tag = "2")]
        pub value: Vec<u8>,
    }
}

/// Now, in Unix nanoseconds.
pub fn now_unix_nano() -> i64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    elapsed.as_nanos() as i64
}
