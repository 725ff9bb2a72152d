//! The network edges: OTLP in over gRPC and HTTP, the other doors beside it, and the query API with the UI.
//!
//! Both edges are axum routers; [`serve()`] runs one on listeners that somebody else opened. The edges translate:
//! protocol in, one call of `ingest` or `query`, answer or error out. No state of theirs outlives a request but
//! counters.
//!
//! Vocabulary: an *edge* is what one role shows to the network; a *status file* is the small JSON file by which a
//! role tells the others how it is ([`status`]); a *coding* is an HTTP content coding or gRPC encoding; the *byte
//! budget* is `ingest`'s bound on request bytes in memory, wire and inflated.
//!
//! Invariants: no body is buffered before the budget covers it (I7); every OTLP error answers a `google.rpc.Status`
//! in the request's encoding; every error of the query edge is an RFC 9457 problem; dropping a request's future,
//! as hyper does when its client goes away, drops the work it waits for.

mod connection;
mod credentials;
mod idle;
pub mod ingest_edge;
mod linger;
pub mod query_edge;
mod serve;
pub mod status;
mod syslog;
mod tls;

pub use credentials::{Credentials, Scope, Secrets};
pub use ingest_edge::{Cors, EdgeCounters, IngestEdge, ingest_router};
pub use query_edge::{QueryEdge, query_router};
pub use serve::{ServeLimits, serve};
pub use syslog::{SyslogCounters, SyslogEdge, SyslogSockets, serve_syslog};
pub use tls::{Tls, TlsError, TlsFiles, TlsProbe, TlsVersion};
