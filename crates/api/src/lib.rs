//! The HTTP API as types: what `/api/v1` answers, shared by the server, its tests and the UI.
//!
//! Conventions (design §6): times are decimal strings of Unix nanoseconds; ids are lowercase hex; `attributes`
//! is an object of native JSON values; every answer carries [`Stats`] and [`Completeness`]; errors are RFC 9457
//! [`Problem`]s. Absent values are left out of the JSON.
//!
//! [`filter`] is the language of `query=`; [`paths`] names the endpoints once.

mod answers;
pub mod filter;
pub mod paths;
mod records;

pub use answers::{
    Column, Completeness, HistogramAnswer, HistogramBucket, IngestStatus, LogSearchAnswer, Problem, ServiceSummary,
    ServicesAnswer, SignalCounts, SqlAnswer, SqlRequest, Stats, TraceAnswer, TraceSearchAnswer, TraceSummary,
};
pub use records::{Event, Exemplar, Link, LogRecord, Resource, Scope, Span, Status, UnixNano};
