//! What holds of a request that is decoded, in either encoding.

use std::sync::OnceLock;

use arrow::array::RecordBatch;
use model::{Signal, Table};
use otlp::{Appended, DecodeLimits, Encoding, TenantBuffer, response_body};
use testkit::random_otlp::ARRIVAL;

use crate::stored;

/// Selectors that tell requests apart; a larger one counts from 0 again.
pub(crate) const SELECTORS: usize = 6;

/// Memory that a decoder, its buffers and the batches may take: columns have room for a few rows from the start, and
/// a record of two bytes becomes a row of all columns that have values.
pub(crate) fn memory_bytes_max(input_bytes: usize) -> usize {
    (4 << 20) + 1024 * input_bytes
}

/// Answers of any request, in either encoding.
const RESPONSE_BYTES_MAX: usize = 4096;

/// The signal, and limits as they are by default or small enough to be met.
pub(crate) fn chosen(selector: usize) -> (Signal, DecodeLimits) {
    let small = DecodeLimits { attributes_max: 3, value_bytes_max: 16, records_max: 40, ..DecodeLimits::default() };
    let limits = if (selector / 3).is_multiple_of(2) { DecodeLimits::default() } else { small };
    (Signal::ALL[selector % 3], limits)
}

/// What a request leaves: the counts and the rows.
type Left = (Appended, Vec<(Table, RecordBatch)>);

/// Appends a request and freezes the buffer; nothing where the request was refused.
pub(crate) fn left_by(buffer: &mut TenantBuffer, signal: Signal, encoding: Encoding, body: &[u8]) -> Option<Left> {
    let appended = buffer.append(signal, encoding, body, ARRIVAL).ok()?;
    Some((appended, buffer.freeze().expect("what was appended fits the schema")))
}

/// Decodes a request and checks what came of it.
pub(crate) fn check(signal: Signal, limits: DecodeLimits, encoding: Encoding, body: &[u8]) {
    let mut buffer = TenantBuffer::new(limits);
    match buffer.append(signal, encoding, body, ARRIVAL) {
        Ok(appended) => {
            check_counts(&appended, &buffer);
            check_answers(signal, encoding, &appended);
            let batches = buffer.freeze().expect("what was appended fits the schema");
            assert_eq!((buffer.rows(), buffer.bytes()), (0, 0), "a frozen buffer is empty");
            batches.iter().for_each(|(table, batch)| stored::check(*table, batch));
            // A buffer that was used before gives the same rows once more.
            buffer.forget_series();
            let again = left_by(&mut buffer, signal, encoding, body);
            assert_eq!(again, Some((appended, batches)), "the second time differs");
        }
        Err(_) => {
            assert_eq!((buffer.rows(), buffer.bytes()), (0, 0), "a refused request leaves rows or bytes behind");
            check_untouched(buffer, signal, limits);
        }
    }
}

fn check_counts(appended: &Appended, buffer: &TenantBuffer) {
    let rejected: u32 = appended.rejected.iter().map(|(_, count)| count).sum();
    assert_eq!(appended.received, appended.stored + rejected, "records are neither stored nor rejected");
    let rows: usize = appended.rows.iter().map(|(_, rows)| rows.len()).sum();
    assert_eq!(rows, buffer.rows(), "rows that no request has");
    assert!(appended.stored > 0 || rows == 0, "rows of no record");
}

fn check_answers(signal: Signal, encoding: Encoding, appended: &Appended) {
    let body = response_body(signal, encoding, appended.rejected_count(), &appended.message());
    assert!(body.len() <= RESPONSE_BYTES_MAX, "an answer of {} bytes", body.len());
}

/// A request that cannot be read leaves nothing: what comes next is stored as if it had come first.
fn check_untouched(mut buffer: TenantBuffer, signal: Signal, limits: DecodeLimits) {
    // Kept, since most of what a fuzzer makes up ends here.
    static ALONE: [OnceLock<(Vec<u8>, Option<Left>)>; 6] = [const { OnceLock::new() }; 6];
    let place = signal as usize * 2 + usize::from(limits == DecodeLimits::default());
    let (body, alone) = ALONE[place].get_or_init(|| {
        let body = small_request(signal);
        let left = left_by(&mut TenantBuffer::new(limits), signal, Encoding::Protobuf, &body);
        (body, left)
    });
    let after = left_by(&mut buffer, signal, Encoding::Protobuf, body);
    assert!(after.is_some() && after == *alone, "a refused request changes what the next one stores: {after:?}");
}

fn small_request(signal: Signal) -> Vec<u8> {
    use testkit::Message;
    match signal {
        Signal::Traces => testkit::Traces::new(1, ARRIVAL).request(1).encode_to_vec(),
        Signal::Logs => testkit::Logs::new(1, ARRIVAL).request(1).encode_to_vec(),
        Signal::Metrics => testkit::Metrics::new(1, ARRIVAL).request(1).encode_to_vec(),
    }
}
