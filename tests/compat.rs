//! What others read and what may be deleted.

mod duckdb;
mod sidecars;
