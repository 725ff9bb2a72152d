//! A trace: its answer kept as text, its tree, its rows, its minimap.

mod document;
mod layout;
mod minimap;
mod reading;
mod rows;
mod walk;

pub use document::{DecodeError, LogHead, SpanHead, TraceDocument};
pub use layout::Layout;
pub use minimap::{MinimapRect, minimap};
pub use rows::{Row, RowOptions, errors_in_order, find, reveal, row_of_span, rows};
