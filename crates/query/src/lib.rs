//! Answers: traces with everything that belongs to them, log search, histograms, services and who calls whom, metrics,
//! SQL.
//!
//! Vocabulary: a *question* is one call of [`QueryService`]; it pins a snapshot (`tables`), reads until its deadline,
//! and gives an `api` answer that says what it cost and whether it is all. A *matcher* is a filter made ready to be
//! asked of rows. A *cursor* is the place in an order of records where the next page begins; it pins nothing. A *live
//! tail* is no question: it goes on until its listener leaves (`tail`).
//!
//! Invariants:
//! - An answer is the same with and without sidecars, before and after compaction (I9); only its cost differs.
//! - Every question is bounded in time, rows and bytes (I7). Work that nobody waits for any more stops at the next
//!   block of rows.
//! - Nothing a user writes ends the process: filters are parsed iteratively or to a bounded depth, SQL is checked before
//!   it is planned, planned on a large stack under a watchdog, and run in a bounded memory pool. A panic costs the
//!   question.

mod by_minute;
mod columns;
mod error;
pub mod export;
mod histogram;
mod identity;
mod ledger;
mod log_search;
mod matcher;
mod metrics;
mod records;
mod service;
mod service_map;
mod services;
mod side_by_side;
mod sql;
mod steps;
mod tail;
mod trace_search;
mod trace_view;
mod walk;

#[cfg(test)]
mod tests;

pub use error::QueryError;
pub use histogram::LogHistogram;
pub use ledger::IngestSearch;
pub use log_search::{Direction, LogSearch};
pub use metrics::{Function, GroupBy, MetricKind, MetricLimits, MetricRange, MetricSearch, MetricSeriesSearch};
pub use service::{QueryLimits, QueryService, QuerySettings};
pub use service_map::ServiceMapSearch;
pub use services::{OperationSearch, ServiceSearch};
pub use sql::SqlLimits;
pub use tail::{LogTail, LogTailStream, TailLimits, TailStep};
pub use trace_search::TraceSearch;
pub use trace_view::TraceForm;
