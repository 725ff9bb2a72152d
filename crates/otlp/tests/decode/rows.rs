//! Cells of batches, as plain values.

use arrow::array::{
    Array, AsArray, BooleanArray, DictionaryArray, ListArray, PrimitiveArray, RecordBatch, StringArray, StructArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt8Type, UInt32Type,
    UInt64Type,
};

/// Columns by name, of a batch or of the structs of a list.
pub trait Columns {
    fn column(&self, name: &str) -> Option<&dyn Array>;
}

impl Columns for RecordBatch {
    fn column(&self, name: &str) -> Option<&dyn Array> {
        self.column_by_name(name).map(|array| array.as_ref())
    }
}

impl Columns for StructArray {
    fn column(&self, name: &str) -> Option<&dyn Array> {
        self.column_by_name(name).map(|array| array.as_ref())
    }
}

fn valid<'a>(columns: &'a impl Columns, name: &str, row: usize) -> Option<&'a dyn Array> {
    columns.column(name).filter(|array| array.is_valid(row))
}

fn primitive<P: ArrowPrimitiveType>(columns: &impl Columns, name: &str, row: usize) -> Option<P::Native> {
    let array = valid(columns, name, row)?;
    Some(array.as_any().downcast_ref::<PrimitiveArray<P>>().expect("the type the schema has").value(row))
}

pub fn int(columns: &impl Columns, name: &str, row: usize) -> Option<i64> {
    match valid(columns, name, row)?.data_type() {
        DataType::Int32 => primitive::<Int32Type>(columns, name, row).map(i64::from),
        DataType::UInt32 => primitive::<UInt32Type>(columns, name, row).map(i64::from),
        DataType::UInt8 => primitive::<UInt8Type>(columns, name, row).map(i64::from),
        DataType::Timestamp(..) => primitive::<TimestampNanosecondType>(columns, name, row),
        _ => primitive::<Int64Type>(columns, name, row),
    }
}

pub fn unsigned(columns: &impl Columns, name: &str, row: usize) -> Option<u64> {
    primitive::<UInt64Type>(columns, name, row)
}

pub fn double(columns: &impl Columns, name: &str, row: usize) -> Option<f64> {
    primitive::<Float64Type>(columns, name, row)
}

pub fn boolean(columns: &impl Columns, name: &str, row: usize) -> Option<bool> {
    valid(columns, name, row).and_then(|array| array.as_any().downcast_ref::<BooleanArray>()).map(|a| a.value(row))
}

pub fn text(columns: &impl Columns, name: &str, row: usize) -> Option<String> {
    let array = valid(columns, name, row)?.as_any();
    if let Some(texts) = array.downcast_ref::<StringArray>() {
        return Some(texts.value(row).to_owned());
    }
    let dictionary = array.downcast_ref::<DictionaryArray<Int32Type>>().expect("texts or a dictionary of them");
    let key = dictionary.keys().value(row) as usize;
    Some(dictionary.values().as_string::<i32>().value(key).to_owned())
}

pub fn bytes(columns: &impl Columns, name: &str, row: usize) -> Option<Vec<u8>> {
    valid(columns, name, row).map(|array| array.as_fixed_size_binary().value(row).to_vec())
}

fn list(columns: &impl Columns, name: &str, row: usize) -> Option<arrow::array::ArrayRef> {
    valid(columns, name, row).and_then(|array| array.as_any().downcast_ref::<ListArray>()).map(|list| list.value(row))
}

pub fn unsigned_list(columns: &impl Columns, name: &str, row: usize) -> Vec<u64> {
    list(columns, name, row).map(|list| list.as_primitive::<UInt64Type>().values().to_vec()).unwrap_or_default()
}

pub fn double_list(columns: &impl Columns, name: &str, row: usize) -> Vec<f64> {
    list(columns, name, row).map(|list| list.as_primitive::<Float64Type>().values().to_vec()).unwrap_or_default()
}

pub fn structs(columns: &impl Columns, name: &str, row: usize) -> Option<StructArray> {
    list(columns, name, row).map(|list| list.as_struct().clone())
}
