//! What free text is searched in: the one place that says it, for building the text index and for verifying rows.
//!
//! The texts of a log record are its body (canonical JSON where it is no string) and the values of its attributes,
//! those with a column of their own included: strings without quotes, numbers and booleans as JSON has them, bytes
//! as base64, arrays and lists as canonical JSON. Keys, resource and scope are not among them.
//!
//! An index made of these texts may exclude a row for a word that none of them holds (I9).

use std::borrow::Cow;
use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use model::attributes;

/// The columns that hold the texts of a log record.
pub fn log_text_columns() -> impl Iterator<Item = &'static str> {
    ["body", "attributes"].into_iter().chain(schema::PROMOTED.iter().map(|promoted| promoted.column))
}

enum TextColumn<'a> {
    Plain(&'a StringArray),
    Keyword(&'a DictionaryArray<Int32Type>, &'a StringArray),
    Integer(&'a Int64Array),
}

/// The texts of the rows of one batch of `logs` (or the attribute values of one of `spans`).
pub struct LogTexts<'a> {
    body: Option<&'a StringArray>,
    attributes: Option<&'a StringArray>,
    promoted: Vec<TextColumn<'a>>,
}

impl<'a> LogTexts<'a> {
    /// Finds the text columns of a batch; columns it lacks hold no text.
    pub fn new(batch: &'a RecordBatch) -> LogTexts<'a> {
        let text = |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        let promoted =
            schema::PROMOTED.iter().filter_map(|promoted| text_column(batch.column_by_name(promoted.column)?));
        LogTexts { body: text("body"), attributes: text("attributes"), promoted: promoted.collect() }
    }

    /// The body of a row.
    pub fn body(&self, row: usize) -> Option<&'a str> {
        self.body.filter(|body| body.is_valid(row)).map(|body| body.value(row))
    }

    /// Hands each text of a row to `emit`, until it answers true; says whether it did.
    pub fn any(&self, row: usize, mut emit: impl FnMut(&str) -> bool) -> bool {
        if self.body(row).is_some_and(&mut emit) {
            return true;
        }
        if let Some(column) = self.attributes.filter(|column| column.is_valid(row)) {
            for (_, raw) in attributes::entries(column.value(row)) {
                let found = match attributes::native_text(raw) {
                    Cow::Borrowed(text) => emit(text),
                    Cow::Owned(text) => emit(&text),
                };
                if found {
                    return true;
                }
            }
        }
        let mut digits = String::new();
        self.promoted.iter().any(|column| match column {
            TextColumn::Plain(texts) => texts.is_valid(row) && emit(texts.value(row)),
            TextColumn::Keyword(keys, values) => match keys.key(row) {
                Some(key) => values.is_valid(key) && emit(values.value(key)),
                None => false,
            },
            TextColumn::Integer(numbers) if numbers.is_valid(row) => {
                digits.clear();
                // Writing to a String cannot fail.
                let _ = write!(digits, "{}", numbers.value(row));
                emit(&digits)
            }
            TextColumn::Integer(_) => false,
        })
    }

    /// Which of the wanted rows have an attribute value that passes: column by column, each value of a dictionary
    /// tested once. `skip_json` says that no text in a JSON passes, `skip_integers` that no whole number does.
    pub fn attributes_matching(
        &self,
        wanted: &[bool],
        skip_json: impl Fn(&str) -> bool,
        skip_integers: bool,
        mut test: impl FnMut(&str) -> bool,
    ) -> Vec<bool> {
        let mut found = vec![false; wanted.len()];
        let mut left: Vec<usize> = (0..wanted.len()).filter(|row| wanted[*row]).collect();
        let mut narrow = |left: &mut Vec<usize>, is_hit: &mut dyn FnMut(usize) -> bool| {
            left.retain(|row| {
                found[*row] = is_hit(*row);
                !found[*row]
            });
        };
        if let Some(column) = self.attributes {
            narrow(&mut left, &mut |row| {
                let json = if column.is_valid(row) { column.value(row) } else { return false };
                !skip_json(json) && attributes::entries(json).any(|(_, raw)| test(&attributes::native_text(raw)))
            });
        }
        let mut digits = String::new();
        for column in &self.promoted {
            match column {
                TextColumn::Plain(texts) => {
                    narrow(&mut left, &mut |row| texts.is_valid(row) && test(texts.value(row)));
                }
                TextColumn::Keyword(keys, values) => {
                    let mut known: Vec<Option<bool>> = vec![None; values.len()];
                    narrow(&mut left, &mut |row| {
                        let key = keys.key(row).filter(|key| values.is_valid(*key));
                        key.is_some_and(|key| *known[key].get_or_insert_with(|| test(values.value(key))))
                    });
                }
                TextColumn::Integer(_) if skip_integers => {}
                TextColumn::Integer(numbers) => narrow(&mut left, &mut |row| {
                    digits.clear();
                    // Writing to a String cannot fail.
                    let _ = write!(digits, "{}", numbers.value(row));
                    numbers.is_valid(row) && test(&digits)
                }),
            }
        }
        found
    }

    /// Hands each text of a row to `emit`.
    pub fn each(&self, row: usize, mut emit: impl FnMut(&str)) {
        self.any(row, |text| {
            emit(text);
            false
        });
    }
}

fn text_column(column: &ArrayRef) -> Option<TextColumn<'_>> {
    if column.null_count() == column.len() {
        return None;
    }
    match column.data_type() {
        DataType::Utf8 => Some(TextColumn::Plain(column.as_string::<i32>())),
        DataType::Int64 => Some(TextColumn::Integer(column.as_primitive::<Int64Type>())),
        DataType::Dictionary(..) => {
            let keys = column.as_dictionary_opt::<Int32Type>()?;
            Some(TextColumn::Keyword(keys, keys.values().as_string_opt::<i32>()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    #[test]
    fn body_and_every_attribute_value_are_texts() {
        let keyword: DictionaryArray<Int32Type> = vec![Some("GET"), None].into_iter().collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("body", Arc::new(StringArray::from(vec![Some("hello"), None]))),
            ("attributes", Arc::new(StringArray::from(vec![Some(r#"{"a":"x\"y","n":5,"l":[1,"z"]}"#), None]))),
            ("http_request_method", Arc::new(keyword)),
            ("server_port", Arc::new(Int64Array::from(vec![Some(80), None]))),
        ];
        let batch =
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).expect("fits");
        let texts = LogTexts::new(&batch);
        let mut seen = Vec::new();
        texts.each(0, |text| seen.push(text.to_owned()));
        assert_eq!(seen, ["hello", "x\"y", "5", r#"[1,"z"]"#, "GET", "80"]);
        let check = |text: &str, expect: [bool; 2]| {
            let found = texts.attributes_matching(&[true, true], |_| false, false, |value| value == text);
            assert_eq!(found, expect, "{text}");
            let unwanted = texts.attributes_matching(&[false, true], |_| false, false, |value| value == text);
            assert_eq!(unwanted, [false, expect[1]], "{text}");
        };
        for text in ["x\"y", "5", "GET", "80"] {
            check(text, [true, false]);
        }
        check("hello", [false, false]);
        let skipped = |text: &str| texts.attributes_matching(&[true, true], |_| true, true, |value| value == text);
        assert_eq!((skipped("5"), skipped("80"), skipped("GET")), (vec![false; 2], vec![false; 2], vec![true, false]));
        assert!(!texts.any(1, |_| true));
    }
}
