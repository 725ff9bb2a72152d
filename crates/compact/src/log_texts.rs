//! The texts of log rows for the text index.
//!
//! What counts as a text is said by `tables`, which verifies rows: the body, the value of each attribute (a string
//! without quotes and escapes, anything else as canonical JSON has it), and the value of each promoted attribute
//! column, integers as digits. Here a block's texts are collected at once, so that a value of a keyword or integer
//! column is given once a block, however many of its rows have it.

use std::ops::Range;

use arrow::array::{Array, AsArray, DictionaryArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, Int64Type};
use model::attributes;
use schema::{PROMOTED, PromotedType};

/// The text columns of a batch of `logs`.
pub(crate) struct LogTexts<'a> {
    plain: Vec<&'a StringArray>,
    attributes: Option<&'a StringArray>,
    keywords: Vec<(&'a DictionaryArray<Int32Type>, &'a StringArray)>,
    integers: Vec<&'a Int64Array>,
}

impl<'a> LogTexts<'a> {
    /// Finds the columns; those the batch lacks hold no text.
    pub fn new(batch: &'a RecordBatch) -> LogTexts<'a> {
        let strings = |name: &str| batch.column_by_name(name).and_then(|array| array.as_string_opt::<i32>());
        let mut texts = LogTexts {
            plain: strings("body").into_iter().collect(),
            attributes: strings("attributes"),
            keywords: Vec::new(),
            integers: Vec::new(),
        };
        for promoted in PROMOTED {
            let Some(array) = batch.column_by_name(promoted.column) else { continue };
            match promoted.kind {
                PromotedType::Text => texts.plain.extend(array.as_string_opt::<i32>()),
                PromotedType::Keyword => {
                    let array = array.as_dictionary_opt::<Int32Type>();
                    texts.keywords.extend(array.and_then(|array| Some((array, array.values().as_string_opt()?))));
                }
                PromotedType::Int => texts.integers.extend(array.as_primitive_opt::<Int64Type>()),
            }
        }
        texts
    }

    /// Hands every text of these rows to `emit`, some more than once.
    pub fn each(&self, rows: Range<usize>, mut emit: impl FnMut(&str)) {
        for array in &self.plain {
            values(array, rows.clone()).for_each(&mut emit);
        }
        for text in self.attributes.into_iter().flat_map(|array| values(array, rows.clone())) {
            attributes::entries(text).for_each(|(_, raw)| emit(&attributes::native_text(raw)));
        }
        for (array, dictionary) in &self.keywords {
            let keys = distinct(rows.clone().filter_map(|row| array.key(row)));
            keys.into_iter().for_each(|key| emit(dictionary.value(key)));
        }
        for array in &self.integers {
            let numbers = distinct(rows.clone().filter(|row| array.is_valid(*row)).map(|row| array.value(row)));
            numbers.into_iter().for_each(|number| emit(&number.to_string()));
        }
    }
}

fn values(array: &StringArray, rows: Range<usize>) -> impl Iterator<Item = &str> {
    rows.filter(|row| array.is_valid(*row)).map(|row| array.value(row))
}

/// Each value once. Neighbours are often equal, so most are gone before the sort.
fn distinct<T: Ord + Copy>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    for value in values {
        if found.last() != Some(&value) {
            found.push(value);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use arrow::array::ArrayRef;
    use model::Table;

    use super::*;
    use crate::tests::rows::{Times, random_batch};

    #[test]
    fn every_text_of_a_row_is_given() {
        let keyword: DictionaryArray<Int32Type> = vec![Some("GET"), None, Some("GET")].into_iter().collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("body", Arc::new(StringArray::from(vec![Some("hello"), None, Some("bye")]))),
            ("attributes", Arc::new(StringArray::from(vec![Some(r#"{"a":"x\"y","n":5,"l":[1,"z"]}"#), None, None]))),
            ("http_request_method", Arc::new(keyword)),
            ("server_port", Arc::new(Int64Array::from(vec![Some(80), Some(80), None]))),
            ("url_path", Arc::new(StringArray::from(vec![None, Some("/p"), None]))),
        ];
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("fits");
        let check = |rows: Range<usize>, expect: &[&str]| {
            let mut found: Vec<String> = Vec::new();
            LogTexts::new(&batch).each(rows, |text| found.push(text.to_owned()));
            found.sort_unstable();
            let mut expect = expect.to_vec();
            expect.sort_unstable();
            assert_eq!(found, expect);
        };
        check(0..3, &["hello", "bye", "x\"y", "5", r#"[1,"z"]"#, "GET", "80", "/p"]);
        check(1..2, &["80", "/p"]);
        check(3..3, &[]);
    }

    /// What is indexed here is what `tables` searches, or the index would hide rows (I9).
    #[test]
    fn the_texts_are_those_that_searches_verify() {
        let mut random = fastrand::Rng::with_seed(9);
        for _ in 0..50 {
            let times = Times { arrival: 1_795_289_400_000_000_000, spread_nanos: 1_000_000_000 };
            let batch = random_batch(&mut random, Table::Logs, 40, times);
            let (mut indexed, mut searched) = (BTreeSet::new(), BTreeSet::new());
            LogTexts::new(&batch).each(0..40, |text| {
                indexed.insert(text.to_owned());
            });
            let texts = tables::LogTexts::new(&batch);
            (0..40).for_each(|row| {
                texts.each(row, |text| {
                    searched.insert(text.to_owned());
                });
            });
            assert_eq!(indexed, searched);
            assert!(!searched.is_empty());
        }
    }
}
