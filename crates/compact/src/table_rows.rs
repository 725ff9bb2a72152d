//! Rows of one tenant and table on their way from parts to sorted columns.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{FieldRef, Schema};
use model::{Hour, Table};

use crate::error::{CompactError, OfTable};

/// Rows of one table in one commit, or in one file.
#[derive(Debug, Clone)]
pub(crate) struct RowPart {
    /// When the commit was made, Unix nanoseconds; of a file, the start of its hour.
    pub arrival: i64,
    /// Columns of the table's schema, those without values left out.
    pub batch: RecordBatch,
}

/// All rows of a table in a flush or merge, in the order they arrived, turned from parts into columns.
#[derive(Debug)]
pub(crate) struct TableRows {
    /// Which table.
    pub table: Table,
    /// Arrival and rows of each part.
    pub parts: Vec<(i64, usize)>,
    /// By place in the table's schema: the column of each part, where it has it; empty where no part does.
    columns: Vec<Vec<Option<ArrayRef>>>,
}

impl TableRows {
    /// Takes parts apart, whose columns are some of the schema's.
    ///
    /// # Errors
    /// [`CompactError::Rows`] for a column that the schema does not have.
    pub fn new(table: Table, parts: Vec<RowPart>) -> Result<TableRows, CompactError> {
        let schema = schema::schema(table);
        let mut columns: Vec<Vec<Option<ArrayRef>>> = vec![Vec::new(); schema.fields().len()];
        let count = parts.len();
        let mut sizes = Vec::with_capacity(count);
        for (number, part) in parts.into_iter().enumerate() {
            sizes.push((part.arrival, part.batch.num_rows()));
            let (of_batch, arrays, _) = part.batch.into_parts();
            // Columns are usually in the schema's order, so the search for each begins behind the last.
            let mut at = 0;
            for (field, array) in of_batch.fields().iter().zip(arrays) {
                let is_it = |place: &usize| schema.field(*place).name() == field.name();
                let place = (at..columns.len()).find(is_it).or_else(|| (0..at).find(is_it));
                at = place.ok_or_else(|| CompactError::rows(table, format_args!("unknown column {}", field.name())))?;
                if columns[at].is_empty() {
                    columns[at].resize(count, None);
                }
                columns[at][number] = Some(array);
            }
        }
        Ok(TableRows { table, parts: sizes, columns })
    }

    /// Rows of all parts.
    pub fn rows(&self) -> usize {
        self.parts.iter().map(|(_, rows)| rows).sum()
    }

    /// The column at this place of the schema, of each part; a part without it gives its length in rows. `None` where
    /// no part has it.
    pub fn column_at(&self, place: usize) -> Option<impl Iterator<Item = Result<&ArrayRef, usize>>> {
        let column = self.columns.get(place).filter(|column| !column.is_empty())?;
        Some(column.iter().zip(&self.parts).map(|(array, (_, rows))| array.as_ref().ok_or(*rows)))
    }

    /// As [`TableRows::column_at`], and gives the column away, so that its memory is free once it has been gathered.
    pub fn take_column_at(&mut self, place: usize) -> Option<Vec<Result<ArrayRef, usize>>> {
        let column = std::mem::take(self.columns.get_mut(place)?);
        let parts = column.into_iter().zip(&self.parts).map(|(array, (_, rows))| array.ok_or(*rows));
        Some(parts.collect::<Vec<_>>()).filter(|parts| !parts.is_empty())
    }

    /// As [`TableRows::column_at`], by name, for a column that must be there.
    pub fn required(&self, name: &str) -> Result<impl Iterator<Item = Result<&ArrayRef, usize>>, CompactError> {
        let place = schema::schema(self.table).index_of(name).ok();
        let column = place.and_then(|place| self.column_at(place));
        column.ok_or_else(|| CompactError::rows(self.table, format_args!("column {name} is missing")))
    }
}

/// Rows of a table, sorted as its files are.
#[derive(Debug)]
pub(crate) struct SortedRows {
    /// Which table.
    pub table: Table,
    /// Columns that some part has, in the schema's order.
    pub columns: Vec<(FieldRef, ArrayRef)>,
    /// Which rows lie in which hour, in order.
    pub hours: Vec<(Hour, Range<usize>)>,
}

impl SortedRows {
    /// A column, if any part had it.
    pub fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.columns.iter().find(|(field, _)| field.name() == name).map(|(_, array)| array)
    }

    /// Some rows as a batch of the columns that hold a value in them.
    pub fn batch(&self, rows: &Range<usize>) -> Result<RecordBatch, CompactError> {
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for (field, array) in &self.columns {
            let array = array.slice(rows.start, rows.len());
            if !field.is_nullable() || array.null_count() < array.len() {
                fields.push(field.clone());
                arrays.push(array);
            }
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).of(self.table)
    }
}

/// Whether rows are what their table's schema says: then nothing later can refuse them.
pub(crate) fn fits(table: Table, version: u16, batch: &RecordBatch) -> Result<(), String> {
    if version != schema::SCHEMA_VERSION {
        return Err(format!("schema version {version} is not known"));
    }
    let schema = schema::schema(table);
    for field in batch.schema_ref().fields() {
        match schema.field_with_name(field.name()) {
            Ok(known) if known.data_type() == field.data_type() => {}
            _ => return Err(format!("column {} is not of this table", field.name())),
        }
    }
    for field in schema.fields().iter().filter(|field| !field.is_nullable()) {
        match batch.column_by_name(field.name()) {
            Some(column) if column.null_count() == 0 => {}
            _ => return Err(format!("column {} is missing or holds nulls", field.name())),
        }
    }
    Ok(())
}
