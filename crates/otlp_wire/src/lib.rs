//! OTLP messages written by hand: the protobuf writer, a reader that borrows, and a log record while it is put together.
//!
//! Vocabulary: a *field* is a number and a value of one of four wire types; a *message* is fields, and as a field of
//! another message its length comes first; a *draft* is a record whose texts and numbers come one after the other.
//!
//! Invariants: pure, bytes in and bytes out. Writing cannot fail and makes no tree of messages. Reading borrows, follows
//! no length beyond its bytes, and does not recurse.

mod log_draft;
mod read;
mod write;

pub use log_draft::LogDraft;
pub use read::{Fields, Malformed, Value, repeated_double, repeated_varint, zigzag};
pub use write::{
    close, field_bytes, open, put_bool, put_bytes, put_double, put_fixed32, put_fixed64, put_head, put_int,
    put_int_value, put_key_value, put_message, put_number, put_text, put_text_value, put_varint, put_zigzag,
    varint_bytes,
};
