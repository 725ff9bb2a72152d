//! Parts: the rows of one tenant and table in a commit.
//!
//! Layout, little endian, everything padded to eight bytes: length of the part u64 · rows u32 · schema version u16 ·
//! table u8 · bytes of the tenant u8 · smallest time i64 · largest time i64 · bytes of the bitmap u16 · messages u16 ·
//! zero u32 · tenant · bitmap of the columns that are there, by their place in the table's schema · messages. A
//! message is: bytes of metadata u32 · zero u32 · bytes of body u64 · metadata · body, both as Arrow IPC has them. The
//! dictionaries of the dictionary columns come first, in their order, the record batch last. No schema is among them:
//! the segment's header has it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, TimestampNanosecondArray};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use arrow::ipc::reader::read_record_batch;
use arrow::ipc::writer::{DictionaryTracker, EncodedData, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};
use arrow::ipc::{MetadataVersion, root_as_message};
use model::{Table, TenantId};

use crate::error::JournalError;
use crate::segment::Schemas;
use crate::wire::{ALIGNMENT, Take, pad, padded, patch};

const PART_HEADER_BYTES: usize = 40;

/// Rows of one tenant and table, in a commit to be.
#[derive(Debug, Clone)]
pub struct Part {
    /// Whose rows.
    pub tenant: TenantId,
    /// Of which table.
    pub table: Table,
    /// The rows: columns of `schema::schema(table)`, in its order, those that are all null left out.
    pub batch: RecordBatch,
}

/// Writes parts; keeps what can be used again.
pub(crate) struct PartEncoder {
    generator: IpcDataGenerator,
    tracker: DictionaryTracker,
    options: IpcWriteOptions,
    context: IpcWriteContext,
}

impl PartEncoder {
    pub(crate) fn new() -> PartEncoder {
        let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5);
        PartEncoder {
            generator: IpcDataGenerator::default(),
            tracker: DictionaryTracker::new(false),
            options: options.unwrap_or_default(),
            context: IpcWriteContext::default(),
        }
    }

    /// Appends a part at a place aligned to eight bytes.
    pub(crate) fn encode(&mut self, part: &Part, out: &mut Vec<u8>) -> Result<(), JournalError> {
        let schema = schema::schema(part.table);
        let bitmap = bitmap(&schema, part.batch.schema_ref(), part.table)?;
        let (time_min, time_max) = time_range(part)?;
        let tenant = part.tenant.as_str().as_bytes();
        self.tracker.clear();
        for column in part.batch.columns() {
            if matches!(column.data_type(), DataType::Dictionary(..)) {
                self.tracker.next_dict_id();
            }
        }
        let (dictionaries, rows) = self
            .generator
            .encode(&part.batch, &mut self.tracker, &self.options, &mut self.context)
            .map_err(|error| invalid(part.table, &error))?;

        let start = out.len();
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&(part.batch.num_rows() as u32).to_le_bytes());
        out.extend_from_slice(&schema::SCHEMA_VERSION.to_le_bytes());
        out.extend_from_slice(&[part.table.number(), tenant.len() as u8]);
        out.extend_from_slice(&time_min.to_le_bytes());
        out.extend_from_slice(&time_max.to_le_bytes());
        out.extend_from_slice(&(bitmap.len() as u16).to_le_bytes());
        out.extend_from_slice(&(dictionaries.len() as u16 + 1).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(tenant);
        out.extend_from_slice(&bitmap);
        pad(out);
        for message in dictionaries.iter().chain([&rows]) {
            put_message(message, out);
        }
        let length = (out.len() - start) as u64;
        patch(out, start, &length.to_le_bytes());
        Ok(())
    }
}

fn put_message(message: &EncodedData, out: &mut Vec<u8>) {
    out.extend_from_slice(&(message.ipc_message.len() as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(message.arrow_data.len() as u64).to_le_bytes());
    out.extend_from_slice(&message.ipc_message);
    pad(out);
    out.extend_from_slice(&message.arrow_data);
    pad(out);
}

fn invalid(table: Table, error: &ArrowError) -> JournalError {
    JournalError::Invalid(format!("{table}: {error}"))
}

/// Which columns of `schema` the batch has; both are in the same order.
fn bitmap(schema: &Schema, batch: &Schema, table: Table) -> Result<Vec<u8>, JournalError> {
    let mut bits = vec![0_u8; schema.fields().len().div_ceil(8)];
    let mut columns = schema.fields().iter().enumerate();
    for field in batch.fields() {
        let found = columns.find(|(_, column)| column.name() == field.name());
        match found {
            Some((at, column)) if column.data_type() == field.data_type() => bits[at / 8] |= 1 << (at % 8),
            Some((_, column)) => {
                let (expected, actual) = (column.data_type(), field.data_type());
                let name = field.name();
                return Err(JournalError::Invalid(format!("{table}.{name} is {actual}, the schema says {expected}")));
            }
            None => {
                let name = field.name();
                return Err(JournalError::Invalid(format!("{table}.{name} is unknown or out of order")));
            }
        }
    }
    Ok(bits)
}

fn time_range(part: &Part) -> Result<(i64, i64), JournalError> {
    let column = part.batch.column_by_name(schema::time_column(part.table));
    let times = column.and_then(|column| column.as_any().downcast_ref::<TimestampNanosecondArray>());
    let times = times.ok_or_else(|| JournalError::Invalid(format!("{} has no time column", part.table)))?;
    let (mut min, mut max) = (i64::MAX, i64::MIN);
    for time in times.values() {
        min = min.min(*time);
        max = max.max(*time);
    }
    Ok((min, max))
}

/// A part as it lies in a segment, not decoded yet.
///
/// Decoding shares memory with the bytes that were read: a batch keeps up to [`crate::READ_BYTES`] alive, and
/// `get_array_memory_size` of it counts them once per column. Count [`EncodedPart::bytes`] instead.
#[derive(Debug, Clone)]
pub struct EncodedPart {
    tenant: TenantId,
    table: Table,
    rows: usize,
    schema_version: u16,
    time_min: i64,
    time_max: i64,
    bitmap: Vec<u8>,
    message_count: u16,
    messages: Buffer,
    schemas: Arc<Schemas>,
}

impl EncodedPart {
    /// Takes the part at the front of `bytes`; gives it and its length. `None` where the bytes are no part.
    pub(crate) fn parse(bytes: &Buffer, schemas: &Arc<Schemas>) -> Option<(EncodedPart, usize)> {
        let mut take = Take::new(bytes);
        let length = usize::try_from(take.u64()?).ok()?;
        if length > bytes.len() || !length.is_multiple_of(ALIGNMENT) {
            return None;
        }
        let rows = take.u32()? as usize;
        let schema_version = take.u16()?;
        let table = Table::from_number(take.u8()?)?;
        let tenant_bytes = usize::from(take.u8()?);
        let (time_min, time_max) = (take.i64()?, take.i64()?);
        let bitmap_bytes = usize::from(take.u16()?);
        let message_count = take.u16()?;
        take.u32()?;
        let tenant = TenantId::new(std::str::from_utf8(take.bytes(tenant_bytes)?).ok()?).ok()?;
        let bitmap = take.bytes(bitmap_bytes)?.to_vec();
        let messages_at = padded(PART_HEADER_BYTES + tenant_bytes + bitmap_bytes);
        let messages = bytes.slice_with_length(messages_at, length.checked_sub(messages_at)?);
        let schemas = Arc::clone(schemas);
        let part = EncodedPart {
            tenant,
            table,
            rows,
            schema_version,
            time_min,
            time_max,
            bitmap,
            message_count,
            messages,
            schemas,
        };
        Some((part, length))
    }

    /// Whose rows.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Of which table.
    pub fn table(&self) -> Table {
        self.table
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Version of the column set it was written with.
    pub fn schema_version(&self) -> u16 {
        self.schema_version
    }

    /// Smallest and largest value of the table's time column.
    pub fn time_range(&self) -> (i64, i64) {
        (self.time_min, self.time_max)
    }

    /// Bytes of the columns, encoded and, about, decoded.
    pub fn bytes(&self) -> usize {
        self.messages.len()
    }

    /// The rows. A column that is all null is absent; the others are in the order of the table's schema.
    ///
    /// # Errors
    /// The content does not fit its schema, although its checksum holds: damage, or a defect of the writer's.
    pub fn decode(&self) -> Result<RecordBatch, ArrowError> {
        let columns = self.schemas.columns(self.table, self.schema_version, &self.bitmap)?;
        let mut take = Messages { rest: self.messages.clone() };
        let mut dictionaries: HashMap<i64, ArrayRef> = HashMap::new();
        for id in &columns.dictionary_ids {
            dictionaries.insert(*id, take.next(&columns.dictionary_values, &HashMap::new(), true)?);
        }
        if usize::from(self.message_count) != columns.dictionary_ids.len() + 1 {
            return Err(ArrowError::IpcError("the number of dictionaries is not the schema's".into()));
        }
        let batch = take.next_batch(&columns.schema, &dictionaries, false)?;
        if batch.num_rows() != self.rows {
            return Err(ArrowError::IpcError("the number of rows is not the part's".into()));
        }
        Ok(batch)
    }
}

/// Messages of a part, in order.
struct Messages {
    rest: Buffer,
}

impl Messages {
    fn next(
        &mut self,
        schema: &Arc<Schema>,
        dictionaries: &HashMap<i64, ArrayRef>,
        is_dictionary: bool,
    ) -> Result<ArrayRef, ArrowError> {
        let batch = self.next_batch(schema, dictionaries, is_dictionary)?;
        Ok(Arc::clone(batch.column(0)))
    }

    fn next_batch(
        &mut self,
        schema: &Arc<Schema>,
        dictionaries: &HashMap<i64, ArrayRef>,
        is_dictionary: bool,
    ) -> Result<RecordBatch, ArrowError> {
        let wrong = |what: &str| ArrowError::IpcError(what.into());
        let (metadata_bytes, body_bytes) = message_lengths(&self.rest).ok_or_else(|| wrong("a message is cut off"))?;
        let body_at = padded(16 + metadata_bytes);
        let metadata = self.rest.slice_with_length(16, metadata_bytes);
        let body = self.rest.slice_with_length(body_at, body_bytes);
        self.rest = self.rest.slice(body_at + padded(body_bytes));
        let message = root_as_message(&metadata).map_err(|error| ArrowError::IpcError(error.to_string()))?;
        let batch = match is_dictionary {
            true => message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data()),
            false => message.header_as_record_batch(),
        };
        let batch = batch.ok_or_else(|| wrong("a message is of another kind"))?;
        // arrow asserts what is checked here, and a panic is no way to report damage.
        let inside = |offset: i64, length: i64| {
            let end = offset.checked_add(length);
            offset >= 0 && length >= 0 && end.is_some_and(|end| end <= body_bytes as i64)
        };
        let buffers = batch.buffers().ok_or_else(|| wrong("a message has no buffers"))?;
        if !buffers.iter().all(|buffer| inside(buffer.offset(), buffer.length())) || batch.length() < 0 {
            return Err(wrong("a buffer lies outside its message"));
        }
        read_record_batch(&body, batch, Arc::clone(schema), dictionaries, None, &message.version())
    }
}

/// Bytes of metadata and of body of the message at the front, if it is all there.
fn message_lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut take = Take::new(bytes);
    let metadata_bytes = take.u32()? as usize;
    take.u32()?;
    let body_bytes = usize::try_from(take.u64()?).ok()?;
    take.bytes(padded(metadata_bytes))?;
    take.bytes(body_bytes.checked_next_multiple_of(ALIGNMENT)?)?;
    Some((metadata_bytes, body_bytes))
}
