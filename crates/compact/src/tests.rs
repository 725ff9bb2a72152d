//! Whole flushes and merges over real journals, catalogs and folders.

mod crash;
mod fixture;
mod flushing;
mod measure;
mod merging;
mod reaping;
mod rebuilding;
pub(crate) mod rows;
