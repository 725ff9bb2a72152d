//! What goes in over OTLP comes back over the API.

mod edges;
mod ledger;
mod metrics;
mod old_names;
mod otlp;
mod search;
mod services;
mod tail;
mod trace_view;
