//! Promoted attributes of a row, on their way back among the others.

use arrow::array::RecordBatch;
use model::attributes::AnyValue;
use schema::{PROMOTED, PromotedType};

use super::columns::{IntColumn, TextColumn};

/// A promoted column.
pub(super) enum PromotedColumn<'a> {
    Text(TextColumn<'a>),
    Int(IntColumn<'a>),
}

/// The promoted columns that a batch has.
pub(crate) struct PromotedColumns<'a>(pub(super) Vec<(&'static str, PromotedColumn<'a>)>);

impl<'a> PromotedColumns<'a> {
    /// Finds the columns.
    pub(crate) fn new(batch: &'a RecordBatch) -> PromotedColumns<'a> {
        let found = PROMOTED.iter().filter_map(|entry| {
            batch.column_by_name(entry.column)?;
            let column = match entry.kind {
                PromotedType::Int => PromotedColumn::Int(IntColumn::new(batch, entry.column)),
                PromotedType::Keyword | PromotedType::Text => {
                    PromotedColumn::Text(TextColumn::new(batch, entry.column))
                }
            };
            Some((entry.key, column))
        });
        PromotedColumns(found.collect())
    }

    /// Keys and values of those that hold a value in this row.
    pub(crate) fn values(&self, row: usize) -> Vec<(&'static str, AnyValue)> {
        let value = |column: &PromotedColumn<'_>| match column {
            PromotedColumn::Text(column) => column.get(row).map(|text| AnyValue::String(text.to_owned())),
            PromotedColumn::Int(column) => column.get(row).map(AnyValue::Int),
        };
        self.0.iter().filter_map(|(key, column)| Some((*key, value(column)?))).collect()
    }
}
