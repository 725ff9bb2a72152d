//! The pages.

pub mod connect;
pub mod home;
pub mod ingest;
pub mod logs;
pub mod map;
pub mod metrics;
pub mod missing;
pub mod service;
pub mod services;
pub mod sql;
pub mod trace;
pub mod traces;
