//! Elasticsearch's bulk requests: documents in, log records out, and an answer for every item.
//!
//! A document is a log record by the Elastic Common Schema, its names nested or dotted: `@timestamp`, `message`,
//! `log.level`, `trace.id`, `span.id` and the names of service, host and Kubernetes find their place (`fields`); every
//! other field is an attribute under its dotted name. `create` and `index` both append a record; `update` and `delete`
//! are refused, each with an error of its own, since a record that is stored is never changed.
//!
//! [`probe`] answers what clients ask before they send: who is there, which licence, whether templates exist.

mod answer;
mod bulk;
mod document;
mod fields;
mod probes;

pub use answer::{bulk_answer, error_answer};
pub use bulk::{Action, Bulk, Item, ItemError, translate};
pub use probes::{Probe, probe};

#[cfg(test)]
mod tests;
