//! Arrow values as JSON: times as RFC 3339 texts, ids and other bytes as hex, whole numbers as JSON integers.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::array_value_to_string;
use model::time::Civil;
use serde_json::{Map, Value};

use crate::columns::hex;
use crate::records::double_value;

/// A value and what it adds to the size of an answer, in bytes, about.
pub(crate) fn json_value(column: &ArrayRef, row: usize, bytes: &mut usize) -> Value {
    if column.is_null(row) {
        *bytes += 4;
        return Value::Null;
    }
    let value = match column.data_type() {
        DataType::Utf8 => text(column.as_string::<i32>().value(row), bytes),
        DataType::LargeUtf8 => text(column.as_string::<i64>().value(row), bytes),
        DataType::Utf8View => text(column.as_string_view().value(row), bytes),
        DataType::Binary => text(&hex(column.as_binary::<i32>().value(row)), bytes),
        DataType::LargeBinary => text(&hex(column.as_binary::<i64>().value(row)), bytes),
        DataType::BinaryView => text(&hex(column.as_binary_view().value(row)), bytes),
        DataType::FixedSizeBinary(_) => text(&hex(column.as_fixed_size_binary().value(row)), bytes),
        DataType::Dictionary(..) => return dictionary_value(column, row, bytes),
        DataType::List(_) => return list(&column.as_list::<i32>().value(row), bytes),
        DataType::LargeList(_) => return list(&column.as_list::<i64>().value(row), bytes),
        DataType::FixedSizeList(..) => return list(&column.as_fixed_size_list().value(row), bytes),
        DataType::Struct(fields) => {
            let of_struct = column.as_struct();
            let mut members = Map::new();
            for (field, column) in fields.iter().zip(of_struct.columns()) {
                *bytes += field.name().len() + 4;
                members.insert(field.name().clone(), json_value(column, row, bytes));
            }
            return Value::Object(members);
        }
        other => {
            *bytes += 8;
            scalar(column, row, other)
        }
    };
    *bytes += 2;
    value
}

fn text(text: &str, bytes: &mut usize) -> Value {
    *bytes += text.len();
    Value::String(text.to_owned())
}

fn dictionary_value(column: &ArrayRef, row: usize, bytes: &mut usize) -> Value {
    match column.as_any_dictionary_opt() {
        Some(dictionary) => {
            let key = dictionary.normalized_keys()[row];
            json_value(dictionary.values(), key, bytes)
        }
        None => Value::Null,
    }
}

fn list(items: &ArrayRef, bytes: &mut usize) -> Value {
    Value::Array((0..items.len()).map(|row| json_value(items, row, bytes)).collect())
}

fn scalar(column: &ArrayRef, row: usize, kind: &DataType) -> Value {
    match kind {
        DataType::Boolean => Value::Bool(column.as_boolean().value(row)),
        DataType::Int8 => column.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => column.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt8 => column.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => column.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Float16 => double_value(column.as_primitive::<Float16Type>().value(row).to_f64()),
        DataType::Float32 => double_value(column.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => double_value(column.as_primitive::<Float64Type>().value(row)),
        DataType::Timestamp(unit, _) => time(column, row, *unit),
        // Dates, intervals, decimals, maps: as Arrow prints them.
        _ => array_value_to_string(column, row).map_or(Value::Null, Value::String),
    }
}

/// A time as RFC 3339; one that nanoseconds cannot hold as its plain number.
fn time(column: &ArrayRef, row: usize, unit: TimeUnit) -> Value {
    let (raw, factor) = match unit {
        TimeUnit::Nanosecond => (column.as_primitive::<TimestampNanosecondType>().value(row), 1),
        TimeUnit::Microsecond => (column.as_primitive::<TimestampMicrosecondType>().value(row), 1_000),
        TimeUnit::Millisecond => (column.as_primitive::<TimestampMillisecondType>().value(row), 1_000_000),
        TimeUnit::Second => (column.as_primitive::<TimestampSecondType>().value(row), 1_000_000_000),
    };
    match raw.checked_mul(factor) {
        Some(nanos) => Value::String(Civil::from_unix_nano(nanos).to_string()),
        None => raw.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        DictionaryArray, FixedSizeBinaryArray, Float64Array, Int64Array, ListArray, TimestampNanosecondArray,
        UInt64Array,
    };

    use super::*;

    #[test]
    fn values_become_json() {
        let check = |column: ArrayRef, expect: Value| {
            let mut bytes = 0;
            assert_eq!(json_value(&column, 0, &mut bytes), expect);
            assert!(bytes > 0);
        };
        check(Arc::new(UInt64Array::from(vec![u64::MAX])), Value::from(u64::MAX));
        check(Arc::new(Int64Array::from(vec![i64::MIN])), Value::from(i64::MIN));
        check(Arc::new(Float64Array::from(vec![f64::NAN])), Value::from("NaN"));
        check(Arc::new(Float64Array::from(vec![0.5])), Value::from(0.5));
        check(
            Arc::new(TimestampNanosecondArray::from(vec![1_795_289_400_000_000_001])),
            Value::from("2026-11-21T19:30:00.000000001Z"),
        );
        let id = FixedSizeBinaryArray::try_from_iter([[0xab_u8, 1]].into_iter()).expect("an id");
        check(Arc::new(id), Value::from("ab01"));
        check(Arc::new(["x"].into_iter().collect::<DictionaryArray<Int32Type>>()), Value::from("x"));
        check(Arc::new([None::<&str>].into_iter().collect::<DictionaryArray<Int32Type>>()), Value::Null);
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), None])]);
        check(Arc::new(list), Value::from(vec![Value::from(1), Value::Null]));
    }
}
