//! What goes in over OTLP comes back over the API.

mod edges;
mod otlp;
mod search;
mod tail;
mod trace_view;
