//! SQL over a pinned snapshot: a session with the eight tables and nothing else to reach.
//!
//! The tenant is fixed by what the tables are made of (I8): no plan can name another's rows. The session knows no
//! object store but a placeholder, no file system, no temporary files, and no function that makes large values from
//! small ones at planning time.

mod bounds;
mod cost;
mod reader;
mod session;
mod table;

pub use cost::SqlCost;
