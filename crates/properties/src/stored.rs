//! What holds of rows: every text that claims to be canonical can be read again, so that it can be exported (I11).

use arrow::array::{Array, AsArray, DictionaryArray, ListArray, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{Int32Type, UInt8Type};
use model::Table;
use model::attributes::{parse, parse_key_values};

/// Columns whose texts are key-value lists.
const KEY_VALUES: &[&str] = &["attributes", "metadata"];
/// Columns whose texts are values.
const VALUES: &[&str] = &["resource", "scope"];
/// Columns of structs that have attributes of their own.
const LISTS: &[&str] = &["events", "links"];

/// Checks a batch.
pub(crate) fn check(table: Table, batch: &RecordBatch) {
    assert!(batch.num_rows() > 0, "{table}: a batch of no rows");
    for name in KEY_VALUES {
        each_text(batch.column_by_name(name), |text| key_values(table, name, text));
    }
    for name in VALUES {
        each_text(batch.column_by_name(name), |text| value(table, name, text));
    }
    for name in LISTS {
        let list = batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref::<ListArray>());
        let Some(structs) = list.and_then(|list| list.values().as_any().downcast_ref::<StructArray>()) else {
            continue;
        };
        each_text(structs.column_by_name("attributes"), |text| key_values(table, name, text));
    }
    check_bodies(table, batch);
}

/// What `body_type` says of the empty value, which has no text.
const EMPTY: u8 = 7;

/// A body is text, or canonical where its type says so.
fn check_bodies(table: Table, batch: &RecordBatch) {
    let Some(types) = batch.column_by_name("body_type").map(|types| types.as_primitive::<UInt8Type>()) else { return };
    let bodies = batch.column_by_name("body").map(|bodies| bodies.as_string::<i32>());
    for row in (0..batch.num_rows()).filter(|row| types.is_valid(*row)) {
        let text = bodies.filter(|bodies| bodies.is_valid(row)).map(|bodies| bodies.value(row));
        match text {
            Some(text) => value(table, "body", text),
            None => assert_eq!(types.value(row), EMPTY, "{table}: a body with a type and without a value"),
        }
    }
}

fn each_text(column: Option<&arrow::array::ArrayRef>, mut check: impl FnMut(&str)) {
    let Some(column) = column.map(|column| column.as_any()) else { return };
    let texts = match column.downcast_ref::<DictionaryArray<Int32Type>>() {
        Some(dictionary) => dictionary.values().as_any().downcast_ref::<StringArray>(),
        None => column.downcast_ref::<StringArray>(),
    };
    texts.expect("a column of texts").iter().flatten().for_each(&mut check);
}

fn key_values(table: Table, name: &str, text: &str) {
    assert!(parse_key_values(text).is_ok(), "{table}.{name} is not canonical: {text:?}");
}

fn value(table: Table, name: &str, text: &str) {
    assert!(parse(text).is_ok(), "{table}.{name} is not canonical: {text:?}");
}
