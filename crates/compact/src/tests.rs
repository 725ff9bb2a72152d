//! Whole flushes over real journals, catalogs and folders.

mod crash;
mod fixture;
mod flushing;
mod measure;
mod reaping;
pub(crate) mod rows;
