//! The pages.

pub mod connect;
pub mod home;
pub mod logs;
pub mod missing;
pub mod trace;
pub mod traces;
