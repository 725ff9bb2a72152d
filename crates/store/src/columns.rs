//! Fitting batches to a schema: rows are written with only the columns that hold values, so batches of one
//! table differ in their columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Schema, SchemaRef};
use model::Table;

use crate::error::StoreError;

/// The columns of a table that occur in any of these batches, in the table's order.
///
/// # Errors
/// [`StoreError::Rows`] when a batch has a column the table does not know, or of another type.
pub fn union_schema(table: Table, batches: &[RecordBatch]) -> Result<SchemaRef, StoreError> {
    let whole = schema::schema(table);
    let mut present = vec![false; whole.fields().len()];
    for batch in batches {
        for field in batch.schema_ref().fields() {
            let at =
                whole.index_of(field.name()).map_err(|_| rows(table, format!("unknown column {}", field.name())))?;
            let expected = whole.field(at).data_type();
            if expected != field.data_type() {
                let reason = format!("column {} is {}, not {expected}", field.name(), field.data_type());
                return Err(rows(table, reason));
            }
            present[at] = true;
        }
    }
    let fields: Vec<_> =
        whole.fields().iter().zip(&present).filter(|(_, here)| **here).map(|(field, _)| field.clone()).collect();
    Ok(Arc::new(Schema::new(fields)))
}

/// The batch with exactly these columns, in this order; a column it lacks becomes nulls.
///
/// # Errors
/// [`StoreError::Rows`] when types differ, or a column that may not be null is missing.
pub fn conform(batch: &RecordBatch, target: &SchemaRef) -> Result<RecordBatch, StoreError> {
    if batch.schema_ref() == target {
        return Ok(batch.clone());
    }
    let columns: Vec<ArrayRef> = target
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) => column.clone(),
            None => new_null_array(field.data_type(), batch.num_rows()),
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(target.clone(), columns, &options)
        .map_err(|error| StoreError::Rows { what: "the schema".to_owned(), reason: error.to_string() })
}

fn rows(table: Table, reason: String) -> StoreError {
    StoreError::Rows { what: format!("table {table}"), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, StringArray, TimestampNanosecondArray};
    use arrow::datatypes::Field;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        let fields: Vec<Field> =
            columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), *name != "time")).collect();
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("a batch")
    }

    #[test]
    fn columns_of_all_batches_are_gathered_in_table_order() {
        let times = || Arc::new(TimestampNanosecondArray::from(vec![1, 2])) as ArrayRef;
        let body = Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef;
        let severity = Arc::new(Int32Array::from(vec![9, 17])) as ArrayRef;
        let batches = [
            batch(vec![("body", body), ("time", times())]),
            batch(vec![("time", times()), ("severity_number", severity)]),
        ];
        let union = union_schema(Table::Logs, &batches).expect("a schema");
        let names: Vec<&str> = union.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["time", "severity_number", "body"]);
        let fitted = conform(&batches[0], &union).expect("fits");
        assert_eq!(fitted.num_rows(), 2);
        assert_eq!(fitted.column(1).null_count(), 2);
    }

    #[test]
    fn strangers_are_refused() {
        let times = Arc::new(Int32Array::from(vec![1])) as ArrayRef;
        assert!(union_schema(Table::Logs, &[batch(vec![("time", times.clone())])]).is_err());
        assert!(union_schema(Table::Logs, &[batch(vec![("colour", times)])]).is_err());
        let body = batch(vec![("body", Arc::new(StringArray::from(vec!["a"])))]);
        assert!(conform(&body, &schema::schema(Table::Logs)).is_err(), "time may not be null");
    }
}
