//! Columns of many parts, gathered into one array in a given order.

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, NullBufferBuilder, UInt32Array, new_null_array};
use arrow::compute::{concat, take};
use arrow::datatypes::{ArrowPrimitiveType, DataType, FieldRef};
use arrow::error::ArrowError;
use model::Table;

use crate::error::{CompactError, OfTable};
use crate::keywords::KeywordColumn;
use crate::table_rows::TableRows;

/// Every column that some part has, its rows in this order. What the rows were is given away column by column.
///
/// `known` is a keyword column that was merged already, with its name.
pub(crate) fn ordered_columns(
    mut rows: TableRows,
    order: Vec<u32>,
    known: Option<(&str, &KeywordColumn)>,
) -> Result<Vec<(FieldRef, ArrayRef)>, CompactError> {
    let table = rows.table;
    let order = UInt32Array::from(order);
    let mut columns = Vec::new();
    for (place, field) in schema::schema(table).fields().iter().enumerate() {
        let name = field.name().as_str();
        let Some(parts) = rows.take_column_at(place) else {
            if !field.is_nullable() {
                return Err(CompactError::rows(table, format_args!("column {name} is missing")));
            }
            continue;
        };
        let parts = || parts.iter().map(|part| part.as_ref().map_err(|rows| *rows));
        let array = match (field.data_type(), known) {
            (DataType::Dictionary(..), Some((merged, column))) if merged == name => column.ordered(order.values()),
            (DataType::Dictionary(..), _) => {
                KeywordColumn::merge(parts()).and_then(|column| column.ordered(order.values()))
            }
            (DataType::FixedSizeBinary(size), _) => joined_ids(parts(), *size).and_then(|all| take(&all, &order, None)),
            (kind, _) => joined(parts(), kind).and_then(|all| take(&all, &order, None)),
        };
        columns.push((field.clone(), array.of(table)?));
    }
    Ok(columns)
}

/// As [`joined`] for ids, which `concat` copies by way of a slow general builder.
fn joined_ids<'a>(
    parts: impl Iterator<Item = Result<&'a ArrayRef, usize>>,
    size: i32,
) -> Result<FixedSizeBinaryArray, ArrowError> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut valid = NullBufferBuilder::new(0);
    for part in parts {
        match part {
            Ok(array) => {
                let array = array.as_fixed_size_binary_opt().filter(|array| array.value_length() == size);
                let array = array.ok_or_else(|| ArrowError::SchemaError("an id column is of another type".into()))?;
                bytes.extend_from_slice(&array.value_data()[..array.len() * size as usize]);
                match array.nulls() {
                    Some(nulls) => valid.append_buffer(nulls),
                    None => valid.append_n_non_nulls(array.len()),
                }
            }
            Err(rows) => {
                bytes.resize(bytes.len() + rows * size as usize, 0);
                valid.append_n_nulls(rows);
            }
        }
    }
    FixedSizeBinaryArray::try_new(size, bytes.into(), valid.finish())
}

/// The column of all parts, one after another; parts without it are null.
fn joined<'a>(
    parts: impl Iterator<Item = Result<&'a ArrayRef, usize>>,
    kind: &DataType,
) -> Result<ArrayRef, ArrowError> {
    let mut arrays: Vec<ArrayRef> = Vec::new();
    let mut absent = 0;
    for part in parts {
        match part {
            Ok(array) => {
                if absent > 0 {
                    arrays.push(new_null_array(kind, absent));
                    absent = 0;
                }
                arrays.push(array.clone());
            }
            Err(rows) => absent += rows,
        }
    }
    if absent > 0 {
        arrays.push(new_null_array(kind, absent));
    }
    match arrays.as_slice() {
        [only] => Ok(only.clone()),
        _ => concat(&arrays.iter().map(|array| array.as_ref()).collect::<Vec<&dyn Array>>()),
    }
}

/// The values of a primitive column that every row has.
pub(crate) fn native_values<T: ArrowPrimitiveType>(
    rows: &TableRows,
    name: &str,
) -> Result<Vec<T::Native>, CompactError> {
    let mut values = Vec::with_capacity(rows.rows());
    for part in rows.required(name)? {
        let array = part.ok().and_then(|array| array.as_primitive_opt::<T>());
        let array = array.ok_or_else(|| missing(rows.table, name))?;
        values.extend_from_slice(array.values());
    }
    Ok(values)
}

/// The values of a column of 16-byte ids that every row has, as numbers that order like their bytes.
pub(crate) fn id_values(rows: &TableRows, name: &str) -> Result<Vec<u128>, CompactError> {
    let mut values = Vec::with_capacity(rows.rows());
    for part in rows.required(name)? {
        let array = part.ok().and_then(|array| array.as_fixed_size_binary_opt());
        let array = array.ok_or_else(|| missing(rows.table, name))?;
        let ids = array.value_data().as_chunks::<16>().0;
        values.extend(ids[..array.len()].iter().map(|id| u128::from_be_bytes(*id)));
    }
    Ok(values)
}

fn missing(table: Table, name: &str) -> CompactError {
    CompactError::rows(table, format_args!("column {name} is missing or of another type"))
}
