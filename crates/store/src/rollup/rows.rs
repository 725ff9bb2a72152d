//! Columns of a batch as rollups read them: one that the batch lacks is none, texts are numbered as they come.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, DictionaryArray, FixedSizeBinaryArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::datatypes::{ArrowPrimitiveType, Int32Type, TimestampNanosecondType};

/// Distinct texts, numbered in the order they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbered {
    pub(super) list: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Numbered {
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.list.len() as u32;
        self.list.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

/// A text column, a dictionary or not.
pub(super) enum TextColumn<'a> {
    Absent,
    Plain(&'a StringArray),
    Keyword(&'a DictionaryArray<Int32Type>, &'a StringArray),
}

impl<'a> TextColumn<'a> {
    pub(super) fn of(batch: &'a RecordBatch, name: &str) -> TextColumn<'a> {
        let Some(column) = batch.column_by_name(name) else { return TextColumn::Absent };
        if let Some(plain) = column.as_string_opt::<i32>() {
            return TextColumn::Plain(plain);
        }
        let keys = column.as_dictionary_opt::<Int32Type>();
        match keys.and_then(|keys| Some((keys, keys.values().as_string_opt::<i32>()?))) {
            Some((keys, values)) => TextColumn::Keyword(keys, values),
            None => TextColumn::Absent,
        }
    }

    pub(super) fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            TextColumn::Absent => None,
            TextColumn::Plain(texts) => texts.is_valid(row).then(|| texts.value(row)),
            TextColumn::Keyword(keys, values) => {
                keys.key(row).filter(|key| values.is_valid(*key)).map(|key| values.value(key))
            }
        }
    }

    /// Number of the dictionary's value, where it is one.
    pub(super) fn key(&self, row: usize) -> Option<usize> {
        match self {
            TextColumn::Keyword(keys, _) => keys.key(row),
            _ => None,
        }
    }
}

/// A text column whose texts are looked up once for each value of its dictionary.
pub(super) struct Lookup<'a, T> {
    column: TextColumn<'a>,
    known: Vec<Option<T>>,
}

impl<'a, T: Copy> Lookup<'a, T> {
    pub(super) fn new(batch: &'a RecordBatch, name: &str) -> Lookup<'a, T> {
        let column = TextColumn::of(batch, name);
        let values = match &column {
            TextColumn::Keyword(_, values) => values.len(),
            _ => 0,
        };
        Lookup { column, known: vec![None; values] }
    }

    /// What `find` gives for the row's text; no text is an empty one.
    pub(super) fn get(&mut self, row: usize, find: impl FnOnce(&str) -> T) -> T {
        let text = |column: &TextColumn<'a>| column.get(row).unwrap_or_default();
        match self.column.key(row) {
            Some(key) => match self.known[key] {
                Some(known) => known,
                None => *self.known[key].insert(find(text(&self.column))),
            },
            None => find(text(&self.column)),
        }
    }
}

pub(super) fn numbers<'a, T: ArrowPrimitiveType>(batch: &'a RecordBatch, name: &str) -> Option<&'a PrimitiveArray<T>> {
    batch.column_by_name(name)?.as_primitive_opt()
}

pub(super) fn times<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a [i64]> {
    numbers::<TimestampNanosecondType>(batch, name).map(|array| &array.values()[..])
}

/// A column of small numbers; absent and null are 0.
pub(super) struct SmallNumbers<'a>(Option<&'a PrimitiveArray<Int32Type>>);

impl<'a> SmallNumbers<'a> {
    pub(super) fn new(batch: &'a RecordBatch, name: &str) -> SmallNumbers<'a> {
        SmallNumbers(numbers(batch, name))
    }

    pub(super) fn get(&self, row: usize) -> i32 {
        self.0.filter(|array| array.is_valid(row)).map_or(0, |array| array.value(row))
    }
}

/// A column of ids; absent, null and zeros are none.
pub(super) struct Ids<'a, const N: usize>(Option<&'a FixedSizeBinaryArray>);

impl<'a, const N: usize> Ids<'a, N> {
    pub(super) fn new(batch: &'a RecordBatch, name: &str) -> Ids<'a, N> {
        let column = batch.column_by_name(name).and_then(|column| column.as_fixed_size_binary_opt());
        Ids(column.filter(|column| column.value_length() == N as i32))
    }

    pub(super) fn get(&self, row: usize) -> Option<[u8; N]> {
        let array = self.0.filter(|array| array.is_valid(row))?;
        let id: [u8; N] = array.value(row).try_into().ok()?;
        (id != [0; N]).then_some(id)
    }
}
