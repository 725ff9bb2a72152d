//! What a log record is known by: its time, a hash of all it holds, and its ordinal among equals.
//!
//! The hash is taken of the canonical record, not of how it lies: promoted attributes count as the attributes they
//! are, so a record keeps its hash when it moves from the journal to a file, and when a later release promotes more.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt8Type, UInt32Type, UInt64Type,
};
use model::attributes;
use xxhash_rust::xxh3::Xxh3;

use crate::columns::{Columns, Texts};

/// Hashes rows of `logs`.
pub(crate) struct LogHasher<'a> {
    columns: Columns<'a>,
    attributes: Option<Texts<'a>>,
    /// Columns that are neither the attributes nor promoted from them, in the schema's order.
    plain: Vec<usize>,
    /// Promoted columns that the batch has: key, and position.
    promoted: Vec<(&'static str, usize)>,
}

impl<'a> LogHasher<'a> {
    pub(crate) fn new(batch: &'a RecordBatch) -> LogHasher<'a> {
        let columns = Columns(batch);
        let position = |name: &str| batch.schema_ref().index_of(name).ok();
        let promoted: Vec<(&str, usize)> =
            schema::PROMOTED.iter().filter_map(|promoted| Some((promoted.key, position(promoted.column)?))).collect();
        // What is promoted from the resource is in `resource` as well.
        let of_resource = |name: &str| schema::PROMOTED_RESOURCE.iter().any(|promoted| promoted.column == name);
        let is_plain = |at: &usize| {
            let name = batch.schema_ref().field(*at).name();
            name != "attributes" && !of_resource(name) && !promoted.iter().any(|(_, position)| position == at)
        };
        let plain = (0..batch.num_columns()).filter(is_plain).collect();
        LogHasher { attributes: columns.texts("attributes"), columns, plain, promoted }
    }

    /// The hash of a row.
    pub(crate) fn hash(&self, row: usize) -> u64 {
        let mut hash = Xxh3::new();
        for at in &self.plain {
            let name = self.columns.0.schema_ref().field(*at).name().as_bytes();
            with_value(self.columns.0.column(*at), row, |bytes| {
                put(&mut hash, name);
                put(&mut hash, bytes);
            });
        }
        let text = self.attributes.as_ref().and_then(|texts| texts.get(row)).unwrap_or_default();
        let mut entries: Vec<(String, Vec<u8>)> =
            attributes::entries(text).map(|(key, raw)| (key.into_owned(), raw.as_bytes().to_vec())).collect();
        for (key, at) in &self.promoted {
            if let Some(raw) = raw_value(self.columns.0.column(*at), row) {
                entries.push(((*key).to_owned(), raw.into_bytes()));
            }
        }
        // The order among attributes is not part of a record, but that of values under one key is: the sort keeps it.
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        for (key, raw) in &entries {
            put(&mut hash, key.as_bytes());
            put(&mut hash, raw);
        }
        hash.digest()
    }
}

/// Hashes a piece with its length, so that pieces cannot run into one another.
fn put(hash: &mut Xxh3, bytes: &[u8]) {
    hash.update(&(bytes.len() as u32).to_le_bytes());
    hash.update(bytes);
}

/// The bytes of a value, if there is one.
fn with_value(column: &arrow::array::ArrayRef, row: usize, mut take: impl FnMut(&[u8])) {
    if column.is_null(row) {
        return;
    }
    match column.data_type() {
        DataType::Utf8 | DataType::Dictionary(..) => {
            if let Some(text) = Texts::of(column).and_then(|texts| texts.get(row)) {
                take(text.as_bytes());
            }
        }
        DataType::FixedSizeBinary(_) => take(column.as_fixed_size_binary().value(row)),
        DataType::Boolean => take(&[u8::from(column.as_boolean().value(row))]),
        DataType::Timestamp(..) => take(&column.as_primitive::<TimestampNanosecondType>().value(row).to_le_bytes()),
        DataType::Int64 => take(&column.as_primitive::<Int64Type>().value(row).to_le_bytes()),
        DataType::Int32 => take(&column.as_primitive::<Int32Type>().value(row).to_le_bytes()),
        DataType::UInt64 => take(&column.as_primitive::<UInt64Type>().value(row).to_le_bytes()),
        DataType::UInt32 => take(&column.as_primitive::<UInt32Type>().value(row).to_le_bytes()),
        DataType::UInt8 => take(&[column.as_primitive::<UInt8Type>().value(row)]),
        DataType::Float64 => take(&column.as_primitive::<Float64Type>().value(row).to_le_bytes()),
        // `logs` has no other types.
        _ => {}
    }
}

/// A promoted value as the canonical text it would have among the attributes.
fn raw_value(column: &arrow::array::ArrayRef, row: usize) -> Option<String> {
    let mut raw = String::new();
    match column.as_primitive_opt::<Int64Type>() {
        Some(integers) if integers.is_valid(row) => attributes::write_int(&mut raw, integers.value(row)),
        Some(_) => return None,
        None => attributes::write_string(&mut raw, Texts::of(column)?.get(row)?),
    }
    Some(raw)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampNanosecondArray};

    use super::*;

    fn hash_of(columns: Vec<(&str, ArrayRef)>) -> u64 {
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)));
        LogHasher::new(&batch.expect("a batch")).hash(0)
    }

    #[test]
    fn the_hash_is_of_the_record_not_of_its_columns() {
        let time = || ("time", Arc::new(TimestampNanosecondArray::from(vec![5])) as ArrayRef);
        let text = |name, value: &str| (name, Arc::new(StringArray::from(vec![value])) as ArrayRef);
        let keyword = |name, value: &str| {
            (name, Arc::new([value].into_iter().collect::<arrow::array::DictionaryArray<Int32Type>>()) as ArrayRef)
        };
        let port = || ("server_port", Arc::new(Int64Array::from(vec![80])) as ArrayRef);
        let all = hash_of(vec![time(), text("body", "x"), text("attributes", r#"{"a":1,"server.port":80}"#)]);
        assert_eq!(hash_of(vec![time(), keyword("body", "x"), text("attributes", r#"{"a":1}"#), port()]), all);
        assert_eq!(hash_of(vec![time(), text("body", "x"), text("attributes", r#"{"server.port":80,"a":1}"#)]), all);
        assert_ne!(hash_of(vec![time(), text("body", "y"), text("attributes", r#"{"a":1,"server.port":80}"#)]), all);
        assert_ne!(hash_of(vec![time(), text("body", "x"), text("attributes", r#"{"a":1,"server.port":81}"#)]), all);
        assert_ne!(hash_of(vec![time(), text("body", "x"), text("attributes", r#"{"a":1}"#)]), all);
    }
}
