//! The pages.

pub mod connect;
pub mod home;
pub mod logs;
pub mod metrics;
pub mod missing;
pub mod sql;
pub mod trace;
pub mod traces;
