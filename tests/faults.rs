//! Acknowledged records survive what goes wrong, and are stored once.

mod abort;
mod crash;
pub mod disk;
mod load;
mod overload;
