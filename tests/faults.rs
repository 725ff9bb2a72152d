//! Acknowledged records survive what goes wrong, and are stored once.

mod abort;
mod crash;
mod disk;
mod load;
mod overload;
