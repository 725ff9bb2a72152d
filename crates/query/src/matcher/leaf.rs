//! Tests of one field, over the columns that hold it: the one resolver from names to columns and look-ups.

use std::borrow::Cow;

use api::filter::{Field, Number, Pattern, Severity, Target, Test};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use model::{TraceId, attribute_names, attributes};
use tables::{LogTexts, log_text_columns};
use text_index::TermQuery;

use super::text::TextTest;
use super::values::FieldTest;

/// What a test looks at.
#[derive(Debug, Clone)]
enum Place {
    /// A text column, dictionary or not.
    Text(&'static str),
    /// A column of whole numbers; null counts as this.
    Integer(&'static str, i64),
    /// Number and text of a log's severity.
    Severity,
    /// A column of raw ids, as lowercase hex.
    Id(&'static str, Option<Vec<u8>>),
    /// The name in `scope`.
    ScopeName,
    /// An attribute of the resource.
    Resource(Key),
    /// An attribute of the record, else of its resource.
    Attribute(Key),
}

/// An attribute under all the names it has had: what one of them says counts.
#[derive(Debug, Clone)]
struct Key {
    names: Vec<KeyName>,
}

#[derive(Debug, Clone)]
struct KeyName {
    name: String,
    /// `"name":`, where it can only be found in JSON text like that.
    quoted: Option<String>,
    column: Option<&'static str>,
}

/// A test of one place.
#[derive(Debug, Clone)]
pub(crate) enum Leaf {
    /// Free text in every text of a record, or in the body alone.
    Text { test: TextTest, within: TextPlace },
    /// A field's value.
    Field(Box<FieldLeaf>),
}

#[derive(Debug, Clone)]
pub(crate) struct FieldLeaf {
    place: Place,
    test: FieldTest,
}

/// Where free text is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextPlace {
    Log,
    LogBody,
    Span,
    /// Labels of a series: attributes of its points, and its service.
    Series,
}

impl Leaf {
    pub(crate) fn free_text(pattern: &Pattern, target: Target) -> Leaf {
        let within = match target {
            Target::Logs => TextPlace::Log,
            Target::Spans => TextPlace::Span,
            Target::Metrics => TextPlace::Series,
        };
        Leaf::Text { test: TextTest::new(pattern), within }
    }

    pub(crate) fn new(field: &Field, test: &Test) -> Leaf {
        let place = match (field, test) {
            (Field::Body, Test::Is(pattern)) => {
                return Leaf::Text { test: TextTest::new(pattern), within: TextPlace::LogBody };
            }
            (Field::Body, _) => Place::Text("body"),
            (Field::Service, _) => Place::Text("service_name"),
            (Field::Severity, _) => Place::Severity,
            (Field::SeverityText, _) => Place::Text("severity_text"),
            (Field::TraceId, test) => Place::Id("trace_id", whole_id(test)),
            (Field::SpanId, test) => Place::Id("span_id", whole_id(test)),
            (Field::ParentSpanId, test) => Place::Id("parent_span_id", whole_id(test)),
            (Field::EventName, _) => Place::Text("event_name"),
            (Field::Name, _) => Place::Text("name"),
            (Field::Status, _) => Place::Integer("status_code", 0),
            (Field::StatusMessage, _) => Place::Text("status_message"),
            (Field::Kind, _) => Place::Integer("kind", 0),
            (Field::Duration, _) => Place::Integer("duration_nanos", 0),
            (Field::ScopeName, _) => Place::ScopeName,
            (Field::Resource(key), _) => Place::Resource(Key::new(key)),
            (Field::Attribute(key), _) => Place::Attribute(Key::new(key)),
        };
        Leaf::Field(Box::new(FieldLeaf { place, test: FieldTest::new(test) }))
    }

    pub(crate) fn columns(&self) -> Vec<&'static str> {
        match self {
            Leaf::Text { within: TextPlace::Log, .. } => log_text_columns().collect(),
            Leaf::Text { within: TextPlace::LogBody, .. } => vec!["body"],
            Leaf::Text { within: TextPlace::Series, .. } => vec!["service_name", "attributes"],
            Leaf::Text { within: TextPlace::Span, .. } => ["name", "status_message"]
                .into_iter()
                .chain(log_text_columns().filter(|name| *name != "body"))
                .collect(),
            Leaf::Field(field) => match &field.place {
                Place::Text(column) | Place::Integer(column, _) | Place::Id(column, _) => vec![column],
                Place::Severity => vec!["severity_number", "severity_text"],
                Place::ScopeName => vec!["scope"],
                Place::Resource(_) => vec!["resource"],
                Place::Attribute(key) => ["attributes", "resource"].into_iter().chain(key.columns()).collect(),
            },
        }
    }

    /// How much a row costs, roughly.
    pub(crate) fn effort(&self) -> u32 {
        match self {
            Leaf::Text { within: TextPlace::LogBody, .. } => 30,
            Leaf::Text { .. } => 50,
            Leaf::Field(field) => match &field.place {
                Place::Attribute(_) => 20,
                Place::Text("body" | "status_message") => 10,
                _ => 1,
            },
        }
    }

    pub(crate) fn fallback_keys(&self) -> impl Iterator<Item = &str> {
        let names = match self {
            Leaf::Field(field) => match &field.place {
                Place::Attribute(key) => key.names.as_slice(),
                _ => &[],
            },
            Leaf::Text { .. } => &[],
        };
        names.iter().map(|name| name.name.as_str())
    }

    pub(crate) fn trace_id(&self) -> Option<TraceId> {
        match self {
            Leaf::Field(field) => match &field.place {
                Place::Id("trace_id", Some(bytes)) => TraceId::from_bytes(bytes),
                _ => None,
            },
            Leaf::Text { .. } => None,
        }
    }

    pub(crate) fn terms(&self, resource_keys: &std::collections::BTreeSet<&str>) -> TermQuery {
        match self {
            Leaf::Text { test, .. } => test.terms(),
            Leaf::Field(field) => match &field.place {
                Place::Attribute(key) if !key.names.iter().any(|name| resource_keys.contains(name.name.as_str())) => {
                    field.test.terms()
                }
                _ => TermQuery::All,
            },
        }
    }

    pub(crate) fn matching(&self, batch: &RecordBatch, rows: &[bool]) -> Vec<bool> {
        match self {
            Leaf::Text { test, within } => matching_text(batch, rows, test, *within),
            Leaf::Field(field) => field.matching(batch, rows),
        }
    }
}

/// The id's bytes, where the test names a whole one.
fn whole_id(test: &Test) -> Option<Vec<u8>> {
    let Test::Is(pattern) = test else { return None };
    let digits = pattern.as_literal()?.as_bytes();
    let digit = |byte: u8| (byte as char).to_digit(16);
    digits.chunks_exact(2).map(|pair| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8)).collect()
}

impl Key {
    fn new(name: &str) -> Key {
        let names = match attribute_names::names_of(name) {
            [] => vec![KeyName::new(name)],
            names => names.iter().map(|name| KeyName::new(name)).collect(),
        };
        Key { names }
    }

    fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.names.iter().filter_map(|name| name.column)
    }

    fn may_be_in(&self, text: &str) -> bool {
        self.names.iter().any(|name| name.quoted.as_ref().is_none_or(|quoted| text.contains(quoted.as_str())))
    }

    /// Whether some attribute in the text has one of the names and passes; none where none has.
    fn look_up(&self, text: &str, test: &FieldTest) -> Option<bool> {
        if !self.may_be_in(text) {
            return None;
        }
        let mut found = None;
        for (_, raw) in attributes::entries(text).filter(|(key, _)| self.names.iter().any(|name| name.name == *key)) {
            if test.raw(raw) {
                return Some(true);
            }
            found = Some(false);
        }
        found
    }
}

impl KeyName {
    fn new(name: &str) -> KeyName {
        let column = schema::promoted(name).map(|at| schema::PROMOTED[at].column);
        let is_plain = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
        KeyName { name: name.to_owned(), quoted: is_plain.then(|| format!("\"{name}\":")), column }
    }
}

fn select(rows: &[bool], mut test: impl FnMut(usize) -> bool) -> Vec<bool> {
    rows.iter().enumerate().map(|(row, wanted)| *wanted && test(row)).collect()
}

impl FieldLeaf {
    fn matching(&self, batch: &RecordBatch, rows: &[bool]) -> Vec<bool> {
        let none = || vec![false; rows.len()];
        match &self.place {
            Place::Text(name) => match batch.column_by_name(name) {
                Some(column) => {
                    by_text(column, rows, |text| Some(self.test.text(text))).into_iter().map(is_true).collect()
                }
                None => none(),
            },
            Place::Integer(name, absent) => match batch.column_by_name(name) {
                Some(column) => match integers(column) {
                    Some(value) => select(rows, |row| self.test.number(Number::Integer(value(row).unwrap_or(*absent)))),
                    None => none(),
                },
                None => select(rows, |_| self.test.number(Number::Integer(*absent))),
            },
            Place::Severity => self.severity(batch, rows),
            Place::Id(name, id) => {
                match batch.column_by_name(name).and_then(|column| column.as_fixed_size_binary_opt()) {
                    Some(ids) => select(rows, |row| {
                        ids.is_valid(row)
                            && match id {
                                Some(id) => ids.value(row) == id.as_slice(),
                                None => self.test.text(&hex(ids.value(row))),
                            }
                    }),
                    None => none(),
                }
            }
            Place::ScopeName => match batch.column_by_name("scope") {
                Some(column) => by_text(column, rows, |text| member(text, "name").map(|raw| self.test.raw(raw)))
                    .into_iter()
                    .map(is_true)
                    .collect(),
                None => none(),
            },
            Place::Resource(key) => match batch.column_by_name("resource") {
                Some(column) => {
                    let found = by_text(column, rows, |text| resource_look_up(text, key, &self.test));
                    found.into_iter().map(is_true).collect()
                }
                None => none(),
            },
            Place::Attribute(key) => self.attribute(key, batch, rows),
        }
    }

    /// A record's severity is a number, or what its text amounts to.
    fn severity(&self, batch: &RecordBatch, rows: &[bool]) -> Vec<bool> {
        let number = batch.column_by_name("severity_number").and_then(integers);
        let by_word: Option<Vec<Option<i32>>> = batch
            .column_by_name("severity_text")
            .map(|column| map_text(column, rows, |text| Some(Severity::number_of(0, text))));
        select(rows, |row| {
            let own = number.as_ref().and_then(|number| number(row)).unwrap_or(0);
            let value = match own {
                1..=24 => own,
                _ => by_word.as_ref().and_then(|words| words[row]).unwrap_or(0).into(),
            };
            match self.test {
                FieldTest::Exists => value != 0,
                _ => self.test.number(Number::Integer(value)),
            }
        })
    }

    /// The record's own attributes first, whichever name they have; its resource's where it has none.
    fn attribute(&self, key: &Key, batch: &RecordBatch, rows: &[bool]) -> Vec<bool> {
        let mut outcome: Vec<Option<bool>> = vec![None; rows.len()];
        // `None` is less than `Some(false)`, and that less than `Some(true)`.
        let merge = |outcome: &mut Vec<Option<bool>>, found: Vec<Option<bool>>| {
            outcome.iter_mut().zip(found).for_each(|(now, found)| *now = (*now).max(found));
        };
        let left = |outcome: &[Option<bool>], is_open: fn(Option<bool>) -> bool| -> Vec<bool> {
            rows.iter().zip(outcome).map(|(wanted, known)| *wanted && is_open(*known)).collect()
        };
        for column in key.columns().filter_map(|column| batch.column_by_name(column)) {
            let found = match integers(column) {
                Some(value) => (0..rows.len())
                    .map(|row| value(row).map(|whole| self.test.number(Number::Integer(whole))))
                    .collect(),
                None => by_text(column, rows, |text| Some(self.test.text(text))),
            };
            merge(&mut outcome, found);
        }
        if let Some(column) = batch.column_by_name("attributes") {
            let left = left(&outcome, |known| known != Some(true));
            merge(&mut outcome, by_text(column, &left, |text| key.look_up(text, &self.test)));
        }
        if let Some(column) = batch.column_by_name("resource") {
            let left = left(&outcome, |known| known.is_none());
            merge(&mut outcome, by_text(column, &left, |text| resource_look_up(text, key, &self.test)));
        }
        rows.iter().zip(outcome).map(|(wanted, found)| *wanted && is_true(found)).collect()
    }
}

fn is_true(found: Option<bool>) -> bool {
    found == Some(true)
}

/// The raw value of a member of a `resource` or `scope` text.
fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    attributes::entries(text).find(|(key, _)| *key == name).map(|(_, raw)| raw)
}

fn resource_look_up(text: &str, key: &Key, test: &FieldTest) -> Option<bool> {
    key.look_up(member(text, "attributes")?, test)
}

/// The test of each wanted row's text; none where the row has no text or the test says so.
fn by_text(column: &ArrayRef, rows: &[bool], test: impl FnMut(&str) -> Option<bool>) -> Vec<Option<bool>> {
    map_text(column, rows, test)
}

/// What a function makes of each wanted row's text, asked once for each value of a dictionary.
fn map_text<T: Copy>(column: &ArrayRef, rows: &[bool], mut map: impl FnMut(&str) -> Option<T>) -> Vec<Option<T>> {
    let mut found = vec![None; rows.len()];
    let wanted = rows.iter().enumerate().filter(|(_, wanted)| **wanted).map(|(row, _)| row);
    match column.data_type() {
        DataType::Dictionary(..) => {
            let Some(keys) = column.as_dictionary_opt::<Int32Type>() else { return found };
            let Some(values) = keys.values().as_string_opt::<i32>() else { return found };
            let mut known: Vec<Option<Option<T>>> = vec![None; values.len()];
            for row in wanted {
                if let Some(key) = keys.key(row).filter(|key| values.is_valid(*key)) {
                    found[row] = *known[key].get_or_insert_with(|| map(values.value(key)));
                }
            }
        }
        _ => {
            let Some(texts) = column.as_string_opt::<i32>() else { return found };
            for row in wanted.filter(|row| texts.is_valid(*row)) {
                found[row] = map(texts.value(row));
            }
        }
    }
    found
}

/// Access to a column of whole numbers.
fn integers(column: &ArrayRef) -> Option<Box<dyn Fn(usize) -> Option<i64> + '_>> {
    if let Some(values) = column.as_primitive_opt::<Int64Type>() {
        return Some(Box::new(|row| values.is_valid(row).then(|| values.value(row))));
    }
    let values = column.as_primitive_opt::<Int32Type>()?;
    Some(Box::new(|row| values.is_valid(row).then(|| i64::from(values.value(row)))))
}

fn matching_text(batch: &RecordBatch, rows: &[bool], test: &TextTest, within: TextPlace) -> Vec<bool> {
    let texts = LogTexts::new(batch);
    let in_body = || select(rows, |row| texts.body(row).is_some_and(|body| test.matches(body)));
    let mut found = match within {
        TextPlace::LogBody => return in_body(),
        TextPlace::Log => in_body(),
        TextPlace::Span => {
            let mut found = vec![false; rows.len()];
            for name in ["name", "status_message"] {
                if let Some(column) = batch.column_by_name(name) {
                    let hits = by_text(column, rows, |text| test.matches(text).then_some(true));
                    found.iter_mut().zip(hits).for_each(|(now, hit)| *now |= hit.is_some());
                }
            }
            found
        }
        TextPlace::Series => {
            let services = batch.column_by_name("service_name");
            let found = services.map(|column| by_text(column, rows, |text| Some(test.matches(text))));
            select(rows, |row| found.as_ref().is_some_and(|found| is_true(found[row])))
        }
    };
    let left: Vec<bool> = rows.iter().zip(&found).map(|(wanted, found)| *wanted && !found).collect();
    let skip_json = |json: &str| test.rules_out_json(json);
    let by_attribute =
        texts.attributes_matching(&left, skip_json, !test.may_match_integer(), |text| test.matches(text));
    found.iter_mut().zip(by_attribute).for_each(|(now, hit)| *now |= hit);
    found
}

fn hex(bytes: &[u8]) -> Cow<'static, str> {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Cow::Owned(text)
}
