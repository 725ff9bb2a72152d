//! Rows of every table at random, and rows as text to compare multisets of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array,
    ListArray, RecordBatch, StringArray, StructArray, TimestampNanosecondArray, UInt8Array, UInt32Array, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use fastrand::Rng;
use model::Table;

/// When the rows of a part arrive, and how far their times lie from it.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub arrival: i64,
    pub spread_nanos: i64,
}

impl Times {
    fn pick(&self, random: &mut Rng) -> i64 {
        match random.u8(..40) {
            0 => random.i64(..),
            1 => 0,
            _ => self.arrival - random.i64(0..self.spread_nanos.max(1)),
        }
    }
}

/// Rows of a table: required columns, and each other one with a chance of one in two.
pub(crate) fn random_batch(random: &mut Rng, table: Table, rows: usize, times: Times) -> RecordBatch {
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for field in schema::schema(table).fields() {
        if field.is_nullable() && random.bool() {
            continue;
        }
        let array = match field.name().as_str() {
            "series_id" => Arc::new(UInt64Array::from_iter_values((0..rows).map(|_| series_id(random.u64(..20))))) as _,
            "metric" if table == Table::Series => continue,
            _ => random_array(random, field.data_type(), rows, field.is_nullable(), times),
        };
        if array.null_count() < rows {
            fields.push(field.clone());
            arrays.push(array);
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("fits the schema")
}

fn series_id(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The series rows of all ids that random points have.
pub(crate) fn series_batch(times: Times) -> RecordBatch {
    let ids: Vec<u64> = (0..20).map(series_id).collect();
    let keyword = |text: &str| -> ArrayRef {
        Arc::new(ids.iter().map(|_| Some(text)).collect::<DictionaryArray<arrow::datatypes::Int32Type>>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("metric", keyword("m")),
        ("series_id", Arc::new(UInt64Array::from(ids.clone()))),
        ("time", Arc::new(TimestampNanosecondArray::from_iter_values(ids.iter().map(|_| times.arrival)))),
        ("type", keyword("gauge")),
        ("service_name", keyword("shop")),
    ];
    let schema = schema::schema(Table::Series);
    let fields: Vec<_> =
        columns.iter().map(|(name, _)| schema.field_with_name(name).expect("a column").clone()).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("fits the schema")
}

fn random_array(random: &mut Rng, kind: &DataType, rows: usize, nullable: bool, times: Times) -> ArrayRef {
    let nulls = nullable.then(|| NullBuffer::from_iter((0..rows).map(|_| random.u8(..4) > 0)));
    let text = |random: &mut Rng| format!("{{\"k{}\":\"v{}\"}}", random.u8(..3), random.u8(..));
    match kind {
        DataType::Boolean => Arc::new(BooleanArray::new((0..rows).map(|_| random.bool()).collect(), nulls)),
        DataType::UInt8 => Arc::new(UInt8Array::new((0..rows).map(|_| random.u8(..)).collect(), nulls)),
        DataType::UInt32 => Arc::new(UInt32Array::new((0..rows).map(|_| random.u32(..)).collect(), nulls)),
        DataType::UInt64 => Arc::new(UInt64Array::new((0..rows).map(|_| random.u64(..)).collect(), nulls)),
        DataType::Int32 => Arc::new(Int32Array::new((0..rows).map(|_| random.i32(..)).collect(), nulls)),
        DataType::Int64 => Arc::new(Int64Array::new((0..rows).map(|_| random.i64(..)).collect(), nulls)),
        DataType::Float64 => {
            let bits = [f64::NAN, -0.0, f64::INFINITY, 1.5];
            Arc::new(Float64Array::new((0..rows).map(|_| bits[random.usize(..4)]).collect(), nulls))
        }
        DataType::Timestamp(..) => {
            Arc::new(TimestampNanosecondArray::new((0..rows).map(|_| times.pick(random)).collect(), nulls))
        }
        DataType::FixedSizeBinary(size) => {
            let bytes: Vec<u8> = (0..rows).flat_map(|_| vec![random.u8(..30); *size as usize]).collect();
            Arc::new(FixedSizeBinaryArray::new(*size, bytes.into(), nulls))
        }
        DataType::Utf8 => {
            let texts: Vec<String> = (0..rows).map(|_| text(random)).collect();
            let plain = StringArray::from(texts);
            Arc::new(StringArray::new(plain.offsets().clone(), plain.values().clone(), nulls))
        }
        DataType::Dictionary(..) => {
            let words: Vec<String> = (0..random.usize(1..9)).map(|_| text(random)).collect();
            let keys = (0..rows).map(|_| random.i32(0..words.len() as i32)).collect();
            let values = Arc::new(StringArray::from(words));
            Arc::new(DictionaryArray::new(Int32Array::new(keys, nulls), values))
        }
        DataType::List(field) => {
            let lengths: Vec<usize> = (0..rows).map(|_| random.usize(..3)).collect();
            let items = random_array(random, field.data_type(), lengths.iter().sum(), field.is_nullable(), times);
            Arc::new(ListArray::new(field.clone(), OffsetBuffer::from_lengths(lengths), items, nulls))
        }
        DataType::Struct(fields) => {
            let arrays = fields
                .iter()
                .map(|field| random_array(random, field.data_type(), rows, field.is_nullable(), times))
                .collect();
            Arc::new(StructArray::new(fields.clone(), arrays, None))
        }
        other => panic!("no random {other}"),
    }
}

/// Rows as text, with how often each occurs.
pub(crate) type Multiset = BTreeMap<String, usize>;

/// Adds the rows of a batch: the values that are there, by column.
pub(crate) fn count_rows(counts: &mut Multiset, owner: &str, table: Table, batch: &RecordBatch) {
    let options = FormatOptions::default().with_null("∅");
    let schema = schema::schema(table);
    let mut columns: Vec<(&str, ArrayFormatter<'_>, &ArrayRef)> = Vec::new();
    for field in schema.fields() {
        if let Some(array) = batch.column_by_name(field.name()) {
            let formatter = ArrayFormatter::try_new(array.as_ref(), &options).expect("formats");
            columns.push((field.name(), formatter, array));
        }
    }
    for row in 0..batch.num_rows() {
        let mut text = format!("{owner}/{table}");
        for (name, formatter, array) in &columns {
            if array.is_valid(row) {
                text.push_str(&format!(" {name}={}", formatter.value(row)));
            }
        }
        *counts.entry(text).or_default() += 1;
    }
}
