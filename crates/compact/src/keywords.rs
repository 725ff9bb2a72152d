//! Dictionary columns of many parts, merged into one dictionary.
//!
//! Arrow's `concat` either keeps every part's values beside each other or goes a slow generic way. Here each part's
//! values are looked up once in a hash table of this column, and its keys are mapped by an array: the cost follows the
//! number of dictionary values, not of rows times their length.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;
use xxhash_rust::xxh3::xxh3_64;

/// The key of a row without a value.
const NULL: i32 = -1;

/// Distinct texts, numbered in the order they came. Open addressing over the hashes.
#[derive(Debug)]
struct Interner {
    /// Number of the text plus one, or 0 where empty; a power of two of them.
    slots: Vec<u32>,
    hashes: Vec<u64>,
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

impl Interner {
    fn new() -> Interner {
        Interner { slots: vec![0; 16], hashes: Vec::new(), ends: Vec::new(), bytes: Vec::new() }
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn text(&self, number: usize) -> &[u8] {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.bytes[start..self.ends[number]]
    }

    fn intern(&mut self, text: &[u8]) -> u32 {
        let hash = xxh3_64(text);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while self.slots[slot] != 0 {
            let number = self.slots[slot] as usize - 1;
            if self.hashes[number] == hash && self.text(number) == text {
                return number as u32;
            }
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = self.len() as u32 + 1;
        self.hashes.push(hash);
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
        if self.len() * 2 > self.slots.len() {
            self.grow();
        }
        self.len() as u32 - 1
    }

    /// The number of a dictionary's value here.
    fn number(&mut self, text: Option<&str>) -> i32 {
        text.map_or(NULL, |text| self.intern(text.as_bytes()) as i32)
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        self.slots = vec![0; mask + 1];
        for (number, hash) in self.hashes.iter().enumerate() {
            let mut slot = *hash as usize & mask;
            while self.slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = number as u32 + 1;
        }
    }

    fn array(&self) -> Result<StringArray, ArrowError> {
        // Checked once for the whole column: later ends are larger.
        i32::try_from(self.bytes.len()).map_err(|_| ArrowError::OffsetOverflowError(self.bytes.len()))?;
        let offsets = OffsetBuffer::from_lengths((0..self.len()).map(|number| self.text(number).len()));
        StringArray::try_new(offsets, Buffer::from_vec(self.bytes.clone()), None)
    }
}

/// A dictionary column of all rows of a table, with one dictionary.
#[derive(Debug)]
pub(crate) struct KeywordColumn {
    values: Interner,
    /// Of each row: number of its value, or [`NULL`].
    keys: Vec<i32>,
}

impl KeywordColumn {
    /// Merges the column of these parts; a part without it has its length in rows instead.
    pub fn merge<'a>(parts: impl Iterator<Item = Result<&'a ArrayRef, usize>>) -> Result<KeywordColumn, ArrowError> {
        let mut column = KeywordColumn { values: Interner::new(), keys: Vec::new() };
        let mut last: Option<&StringArray> = None;
        let mut map: Vec<i32> = Vec::new();
        for part in parts {
            let array = match part {
                Ok(array) => array,
                Err(rows) => {
                    column.keys.resize(column.keys.len() + rows, NULL);
                    continue;
                }
            };
            let array = array.as_dictionary_opt::<Int32Type>();
            let array = array.ok_or_else(|| ArrowError::SchemaError("a keyword column is no dictionary".into()))?;
            let values = array.values().as_string_opt::<i32>();
            let values = values.ok_or_else(|| ArrowError::SchemaError("a dictionary does not hold text".into()))?;
            // Commits of the same senders often have the same values: comparing bytes is cheaper than hashing.
            if !last.is_some_and(|last| is_same(last, values)) {
                map.clear();
                map.extend(values.iter().map(|text| column.values.number(text)));
                last = Some(values);
            }
            column.append(array, &map);
        }
        Ok(column)
    }

    fn append(&mut self, array: &DictionaryArray<Int32Type>, map: &[i32]) {
        let keys = array.keys();
        match keys.nulls() {
            None => self.keys.extend(keys.values().iter().map(|key| map[*key as usize])),
            Some(_) => self.keys.extend(keys.iter().map(|key| key.map_or(NULL, |key| map[key as usize]))),
        }
    }

    /// Of each value: its place in the order of the texts, for sorting by it.
    pub fn ranks(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..self.values.len() as u32).collect();
        numbers.sort_unstable_by(|a, b| self.values.text(*a as usize).cmp(self.values.text(*b as usize)));
        let mut ranks = vec![0; numbers.len()];
        for (rank, number) in numbers.into_iter().enumerate() {
            ranks[number as usize] = rank as u32;
        }
        ranks
    }

    /// Of each row: its number.
    pub fn keys(&self) -> &[i32] {
        &self.keys
    }

    /// The column as an Arrow array, its rows in this order.
    pub fn ordered(&self, order: &[u32]) -> Result<ArrayRef, ArrowError> {
        let keys: Vec<i32> = order.iter().map(|row| self.keys[*row as usize]).collect();
        let nulls = keys.contains(&NULL).then(|| NullBuffer::from_iter(keys.iter().map(|key| *key != NULL)));
        // A null's key must not point outside the dictionary; readers never look at it.
        let keys = match nulls {
            Some(_) => keys.into_iter().map(|key| key.max(0)).collect(),
            None => keys,
        };
        let keys = Int32Array::try_new(ScalarBuffer::from(keys), nulls)?;
        Ok(Arc::new(DictionaryArray::try_new(keys, Arc::new(self.values.array()?))?))
    }
}

fn is_same(a: &StringArray, b: &StringArray) -> bool {
    a.null_count() == 0
        && b.null_count() == 0
        && a.value_offsets() == b.value_offsets()
        && a.value_data() == b.value_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_merge() {
        let part = |texts: &[Option<&str>]| -> ArrayRef {
            Arc::new(texts.iter().copied().collect::<DictionaryArray<Int32Type>>())
        };
        let parts = [
            Ok(part(&[Some("b"), None, Some("a")])),
            Err(2),
            Ok(part(&[Some("b"), Some("a")])),
            Ok(part(&[Some("b"), Some("c"), Some("")])),
        ];
        let merged =
            KeywordColumn::merge(parts.iter().map(|part| part.as_ref().map_err(|rows| *rows))).expect("merges");
        assert_eq!(merged.values.len(), 4);
        let ranks = merged.ranks();
        assert_eq!(merged.values.array().expect("fits").iter().flatten().collect::<Vec<_>>(), ["b", "a", "c", ""]);
        assert_eq!(ranks, [2, 1, 3, 0]);
        let array = merged.ordered(&[9, 0, 1, 2, 3, 4, 5, 6, 7, 8]).expect("ordered");
        let array = array.as_dictionary::<Int32Type>().downcast_dict::<StringArray>().expect("text");
        let texts: Vec<Option<&str>> = array.into_iter().collect();
        let expected = [Some(""), Some("b"), None, Some("a"), None, None, Some("b"), Some("a"), Some("b"), Some("c")];
        assert_eq!(texts, expected);
        let nothing = KeywordColumn::merge([Err(3)].into_iter()).expect("merges");
        assert_eq!(nothing.ordered(&[0, 1, 2]).expect("ordered").null_count(), 3);
    }

    #[test]
    fn many_values_stay_distinct() {
        let mut interner = Interner::new();
        let numbers: Vec<u32> = (0..10_000).map(|i: u32| interner.intern(&i.to_le_bytes())).collect();
        assert_eq!(numbers, (0..10_000).collect::<Vec<_>>());
        assert!((0..10_000_u32).all(|i| interner.intern(&i.to_le_bytes()) == i));
    }
}
