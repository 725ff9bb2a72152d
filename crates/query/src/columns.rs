//! Columns of a batch by name, for scans over many rows: a column that the batch lacks is none.

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, FixedSizeBinaryArray, PrimitiveArray, RecordBatch, StringArray,
};
use arrow::datatypes::{ArrowPrimitiveType, Int32Type, TimestampNanosecondType};

/// A text column, dictionary or not.
pub(crate) enum Texts<'a> {
    Plain(&'a StringArray),
    Keyword(&'a DictionaryArray<Int32Type>, &'a StringArray),
}

impl<'a> Texts<'a> {
    pub(crate) fn of(column: &'a ArrayRef) -> Option<Texts<'a>> {
        if let Some(plain) = column.as_string_opt::<i32>() {
            return Some(Texts::Plain(plain));
        }
        let keys = column.as_dictionary_opt::<Int32Type>()?;
        Some(Texts::Keyword(keys, keys.values().as_string_opt::<i32>()?))
    }

    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Texts::Plain(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Texts::Keyword(keys, values) => {
                keys.key(row).filter(|key| values.is_valid(*key)).map(|key| values.value(key))
            }
        }
    }

    /// Number of the dictionary's value, where it is one.
    pub(crate) fn key(&self, row: usize) -> Option<usize> {
        match self {
            Texts::Plain(_) => None,
            Texts::Keyword(keys, _) => keys.key(row),
        }
    }
}

/// The columns of a batch by name.
pub(crate) struct Columns<'a>(pub(crate) &'a RecordBatch);

impl<'a> Columns<'a> {
    pub(crate) fn texts(&self, name: &str) -> Option<Texts<'a>> {
        Texts::of(self.0.column_by_name(name)?)
    }

    pub(crate) fn numbers<T: ArrowPrimitiveType>(&self, name: &str) -> Option<&'a PrimitiveArray<T>> {
        self.0.column_by_name(name)?.as_primitive_opt::<T>()
    }

    pub(crate) fn ids(&self, name: &str) -> Option<&'a FixedSizeBinaryArray> {
        self.0.column_by_name(name)?.as_fixed_size_binary_opt()
    }

    pub(crate) fn times(&self, name: &str) -> Option<&'a PrimitiveArray<TimestampNanosecondType>> {
        self.numbers::<TimestampNanosecondType>(name)
    }
}

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Bytes as lowercase hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| HEX_DIGITS[usize::from(digit)] as char).collect()
}

/// Appends bytes as lowercase hex.
pub(crate) fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| HEX_DIGITS[usize::from(digit)]));
}
