//! Typed views of columns that may be missing, null, or dictionaries.

use arrow::array::{
    Array, AsArray, BooleanArray, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch,
    StructArray, TimestampNanosecondArray, UInt8Array, UInt32Array, UInt64Array,
};

use crate::columns::{Texts, hex};

/// A text column, plain or dictionary.
pub(crate) struct TextColumn<'a>(Option<Texts<'a>>);

impl<'a> TextColumn<'a> {
    pub(crate) fn new(batch: &'a RecordBatch, name: &str) -> TextColumn<'a> {
        TextColumn(batch.column_by_name(name).and_then(Texts::of))
    }

    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        self.0.as_ref()?.get(row)
    }

    /// Number of the value in the batch's dictionary, where the column is one.
    pub(crate) fn key(&self, row: usize) -> Option<usize> {
        self.0.as_ref()?.key(row)
    }

    pub(crate) fn text(&self, row: usize) -> String {
        self.get(row).unwrap_or_default().to_owned()
    }
}

macro_rules! primitive_column {
    ($name:ident, $array:ty, $value:ty) => {
        pub(crate) struct $name<'a>(Option<&'a $array>);

        impl<'a> $name<'a> {
            pub(crate) fn new(batch: &'a RecordBatch, name: &str) -> $name<'a> {
                $name(batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref()))
            }

            pub(crate) fn get(&self, row: usize) -> Option<$value> {
                self.0.filter(|array| array.is_valid(row)).map(|array| array.value(row))
            }
        }
    };
}

primitive_column!(IntColumn, Int64Array, i64);
primitive_column!(I32Column, Int32Array, i32);
primitive_column!(U32Column, UInt32Array, u32);
primitive_column!(U8Column, UInt8Array, u8);
primitive_column!(U64Column, UInt64Array, u64);
primitive_column!(DoubleColumn, Float64Array, f64);
primitive_column!(BoolColumn, BooleanArray, bool);
primitive_column!(TimeColumn, TimestampNanosecondArray, i64);

/// A column of raw ids.
pub(crate) struct IdColumn<'a>(Option<&'a FixedSizeBinaryArray>);

impl<'a> IdColumn<'a> {
    pub(crate) fn new(batch: &'a RecordBatch, name: &str) -> IdColumn<'a> {
        IdColumn(batch.column_by_name(name).and_then(|column| column.as_fixed_size_binary_opt()))
    }

    pub(crate) fn bytes(&self, row: usize) -> Option<&'a [u8]> {
        Some(self.0.filter(|array| array.is_valid(row))?.value(row))
    }

    pub(crate) fn hex(&self, row: usize) -> Option<String> {
        self.bytes(row).map(hex)
    }
}

/// A column of lists of structs.
pub(crate) struct ListColumn<'a>(Option<&'a ListArray>);

impl<'a> ListColumn<'a> {
    pub(crate) fn new(batch: &'a RecordBatch, name: &str) -> ListColumn<'a> {
        ListColumn(batch.column_by_name(name).and_then(|column| column.as_list_opt::<i32>()))
    }

    /// The elements of this row as rows, where there are any.
    pub(crate) fn items(&self, row: usize) -> Option<RecordBatch> {
        let list = self.0.filter(|list| list.is_valid(row) && list.value_length(row) > 0)?;
        list.value(row).as_any().downcast_ref::<StructArray>().map(RecordBatch::from)
    }
}
