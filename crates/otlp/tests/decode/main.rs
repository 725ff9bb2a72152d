//! Tests of the decoder through its public interface: messages are made with prost's types, which know nothing
//! of this crate, and rendered as JSON by [`testkit::loose_json`].

mod differential;
mod json_matrix;
mod limits;
mod protobuf;
mod rejection;
mod robustness;
mod round_trip;
mod rows;

use arrow::array::RecordBatch;
use model::{Signal, Table};
use otlp::{Appended, DecodeError, DecodeLimits, Encoding, TenantBuffer};
use testkit::random_otlp::ARRIVAL;

/// Appends one request to a new buffer and freezes it.
fn decode(
    signal: Signal,
    encoding: Encoding,
    body: &[u8],
) -> Result<(Appended, Vec<(Table, RecordBatch)>), DecodeError> {
    let mut buffer = TenantBuffer::new(DecodeLimits::default());
    let appended = buffer.append(signal, encoding, body, ARRIVAL)?;
    Ok((appended, buffer.freeze().expect("columns fit the schema")))
}

/// The one batch of a table.
fn batch(batches: &[(Table, RecordBatch)], table: Table) -> &RecordBatch {
    &batches.iter().find(|(found, _)| *found == table).expect("the table has rows").1
}
