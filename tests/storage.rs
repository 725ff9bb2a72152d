//! What lies on disk: merged, expired, rebuilt, and the same answers over it all the while.

mod day;
mod retention;
mod sent;
