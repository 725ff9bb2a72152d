//! The HTTP API as types: what `/api/v1` answers, shared by the server, its tests and the UI.
//!
//! Conventions (design §6): times are decimal strings of Unix nanoseconds; ids are lowercase hex; `attributes`
//! is an object of native JSON values; every answer carries [`Stats`] and [`Completeness`]; errors are RFC 9457
//! [`Problem`]s. Absent values are left out of the JSON.
//!
//! [`filter`] is the language of `query=`; [`paths`] names the endpoints once.

mod answers;
pub mod filter;
mod ingest;
mod metrics;
pub mod paths;
mod records;
mod services;

pub use answers::{
    Column, Completeness, HistogramAnswer, HistogramBucket, LogSearchAnswer, Problem, SqlAnswer, SqlRequest, Stats,
    TailEvent, TraceAnswer, TraceSearchAnswer, TraceSummary,
};
pub use ingest::{
    DigestWindow, IngestAnswer, IngestStatus, RefusalCount, RejectedReason, RejectedSample, ServiceIngest, SignalCounts,
};
pub use metrics::{MetricLine, MetricRangeAnswer, MetricSeries, MetricSeriesAnswer, MetricSummary, MetricsAnswer};
pub use records::{Event, Exemplar, Link, LogRecord, Resource, Scope, Span, Status, UnixNano};
pub use services::{
    ErrorSample, Instance, MapEdge, MapNode, OperationSummary, OperationsAnswer, Red, RedSeries, ServiceAnswer,
    ServiceMapAnswer, ServiceSummary, ServicesAnswer, StepRange,
};
