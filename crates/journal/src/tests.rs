//! Tests of the journal as its users see it: what is appended is read, whatever happens in between.

mod faults;
mod fixture;
mod life;
mod reading;
mod surveying;
