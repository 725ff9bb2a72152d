//! What the UI decides without a browser: everything here runs and is tested on the host.
//!
//! Vocabulary: a *range* is what the time picker holds, as text (`now-1h`); a *window* is a range resolved once
//! per run to nanoseconds, shared by everything that run asks; a *slot* is a service's place in the palette; a
//! *row* is one line of the waterfall, a span or a log record; a *document* is an answer kept as text, of which
//! only the heads are parsed.
//!
//! Invariants: nothing panics on hostile telemetry (cycles, missing parents, negative durations, text that is
//! no text); times stay integer nanoseconds; no function is generic over its caller where it does heavy work, so
//! that this crate's optimisation level applies.

pub mod axis;
pub mod colour;
pub mod completion;
pub mod connect;
pub mod csv;
pub mod fields;
pub mod format;
pub mod highlight;
pub mod histogram;
pub mod ingest;
pub mod ledger;
pub mod live;
pub mod logs;
pub mod metrics;
pub mod order;
pub mod params;
pub mod range;
pub mod red;
pub mod requests;
pub mod service_map;
pub mod service_state;
pub mod severity;
pub mod sort;
pub mod sql;
pub mod state;
pub mod time_chart;
pub mod trace;
pub mod units;
pub mod window;
