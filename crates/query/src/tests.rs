//! Questions over real folders: the same records in the journal, in files with sidecars, and in files without.

mod fixture;
mod logs;
mod measure;
mod metrics;
mod services;
mod snapshot;
mod sql;
mod tail;
mod traces;
