//! The rules an OTLP receiver must keep, as tables: raw bytes in, raw bytes out, over real sockets.
//!
//! Each row is named by the rule it tests: P paths, C content, O outcome, X refusals, G gRPC, J the JSON mapping,
//! W the protobuf wire, R records, N network, D the other doors. `rows` has the words the tables are written in. A table runs whole; its
//! failures are told together.

mod content;
mod credentials;
mod doors;
mod doors_shared;
mod doors_syslog;
mod doors_syslog_tls;
mod grpc;
mod json;
mod network;
mod outcome;
mod paths;
mod rates;
mod records;
mod refusals;
mod round_trip;
mod rows;
mod stalled;
mod tls;
mod tls_senders;
mod transports;
mod wire;
