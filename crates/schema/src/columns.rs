//! The columns of each table.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use model::Table;

use crate::promoted::{PROMOTED, PROMOTED_RESOURCE, Promoted, PromotedType};

/// The whole schema of a table at [`crate::SCHEMA_VERSION`], columns in the order they are written.
///
/// The tables, all times UTC, all ids raw bytes, all attribute columns canonical JSON text
/// (`model::attributes`):
///
/// - `logs`: `time` is the event time, else the observed, else the arrival time; `time_absent` is true where
///   the event time was zero. `body` is the text, or canonical JSON where `body_type` says the value was no
///   string (1 bool, 2 int, 3 double, 4 bytes, 5 array, 6 key-value list, 7 empty); both are null where no body came.
/// - `spans`: `start_time` like `time` above; `duration_nanos` is the raw end minus the raw start, signed.
/// - `series`: one row per series and segment and hour; `series_id` is a hash of every other column but `time`.
/// - `points`: `value` for doubles, `value_int` for integers, both null under "no recorded value".
/// - `exemplars`: `point_time` and `series_id` say which point they came with.
pub fn schema(table: Table) -> SchemaRef {
    static SCHEMAS: LazyLock<[SchemaRef; 8]> =
        LazyLock::new(|| Table::ALL.map(|table| Arc::new(Schema::new(fields(table)))));
    SCHEMAS[usize::from(table.number())].clone()
}

/// The column that time ranges apply to.
pub fn time_column(table: Table) -> &'static str {
    match table {
        Table::Spans => "start_time",
        _ => "time",
    }
}

/// The column that holds trace ids, where the table has one.
pub fn trace_id_column(table: Table) -> Option<&'static str> {
    matches!(table, Table::Logs | Table::Spans | Table::Exemplars).then_some("trace_id")
}

/// Whether every row holds a value in this column, so that it is never left out.
pub fn is_required(table: Table, column: &str) -> bool {
    schema(table).field_with_name(column).is_ok_and(|field| !field.is_nullable())
}

/// A UTC time in nanoseconds.
fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, None)
}

/// A text with few distinct values.
fn keyword() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn required(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, false)
}

fn optional(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, true)
}

/// A list whose elements are never null.
fn list(name: &str, element: DataType) -> Field {
    optional(name, DataType::List(Arc::new(Field::new("item", element, false))))
}

fn promoted_fields(list: &[Promoted]) -> impl Iterator<Item = Field> {
    list.iter().map(|entry| {
        let kind = match entry.kind {
            PromotedType::Keyword => keyword(),
            PromotedType::Text => DataType::Utf8,
            PromotedType::Int => DataType::Int64,
        };
        Field::new(entry.column, kind, entry.column != "service_name")
    })
}

/// What says where a span or log record came from, and its attributes.
fn origin_and_attributes() -> Vec<Field> {
    let mut fields: Vec<Field> = promoted_fields(PROMOTED_RESOURCE).collect();
    fields.push(optional("resource", keyword()));
    fields.push(optional("scope", keyword()));
    fields.push(optional("attributes", DataType::Utf8));
    fields.push(optional("dropped_attributes_count", DataType::UInt32));
    fields.extend(promoted_fields(PROMOTED));
    fields
}

fn log_fields() -> Vec<Field> {
    let mut fields = vec![
        required("time", timestamp()),
        optional("time_absent", DataType::Boolean),
        optional("observed_time", timestamp()),
        optional("trace_id", DataType::FixedSizeBinary(16)),
        optional("span_id", DataType::FixedSizeBinary(8)),
        optional("flags", DataType::UInt32),
        optional("severity_number", DataType::Int32),
        optional("severity_text", keyword()),
        optional("event_name", keyword()),
        optional("body", DataType::Utf8),
        optional("body_type", DataType::UInt8),
    ];
    fields.extend(origin_and_attributes());
    fields
}

fn event_fields() -> Fields {
    Fields::from(vec![
        required("time", timestamp()),
        required("name", DataType::Utf8),
        optional("attributes", DataType::Utf8),
        optional("dropped_attributes_count", DataType::UInt32),
    ])
}

fn link_fields() -> Fields {
    Fields::from(vec![
        optional("trace_id", DataType::FixedSizeBinary(16)),
        optional("span_id", DataType::FixedSizeBinary(8)),
        optional("trace_state", DataType::Utf8),
        optional("attributes", DataType::Utf8),
        optional("dropped_attributes_count", DataType::UInt32),
        optional("flags", DataType::UInt32),
    ])
}

fn span_fields() -> Vec<Field> {
    let mut fields = vec![
        required("start_time", timestamp()),
        optional("time_absent", DataType::Boolean),
        required("duration_nanos", DataType::Int64),
        required("trace_id", DataType::FixedSizeBinary(16)),
        required("span_id", DataType::FixedSizeBinary(8)),
        optional("parent_span_id", DataType::FixedSizeBinary(8)),
        optional("trace_state", DataType::Utf8),
        optional("flags", DataType::UInt32),
        required("name", keyword()),
        optional("kind", DataType::Int32),
        optional("status_code", DataType::Int32),
        optional("status_message", DataType::Utf8),
        optional("dropped_events_count", DataType::UInt32),
        optional("dropped_links_count", DataType::UInt32),
        list("events", DataType::Struct(event_fields())),
        list("links", DataType::Struct(link_fields())),
    ];
    fields.extend(origin_and_attributes());
    fields
}

fn series_fields() -> Vec<Field> {
    vec![
        required("metric", keyword()),
        required("series_id", DataType::UInt64),
        required("time", timestamp()),
        required("type", keyword()),
        optional("unit", keyword()),
        optional("description", keyword()),
        optional("temporality", DataType::Int32),
        optional("monotonic", DataType::Boolean),
        optional("metadata", keyword()),
        required("service_name", keyword()),
        optional("resource", keyword()),
        optional("scope", keyword()),
        optional("attributes", DataType::Utf8),
    ]
}

/// What every kind of data point begins with.
fn point_head() -> Vec<Field> {
    vec![
        required("metric", keyword()),
        required("series_id", DataType::UInt64),
        required("time", timestamp()),
        optional("start_time", timestamp()),
        optional("flags", DataType::UInt32),
    ]
}

fn with_point_head(rest: Vec<Field>) -> Vec<Field> {
    let mut fields = point_head();
    fields.extend(rest);
    fields
}

fn fields(table: Table) -> Vec<Field> {
    let counts = || DataType::UInt64;
    match table {
        Table::Logs => log_fields(),
        Table::Spans => span_fields(),
        Table::Series => series_fields(),
        Table::Points => {
            with_point_head(vec![optional("value", DataType::Float64), optional("value_int", DataType::Int64)])
        }
        Table::Histograms => with_point_head(vec![
            required("count", counts()),
            optional("sum", DataType::Float64),
            optional("min", DataType::Float64),
            optional("max", DataType::Float64),
            list("bucket_counts", counts()),
            list("explicit_bounds", DataType::Float64),
        ]),
        Table::ExpHistograms => with_point_head(vec![
            required("count", counts()),
            optional("sum", DataType::Float64),
            optional("min", DataType::Float64),
            optional("max", DataType::Float64),
            required("scale", DataType::Int32),
            optional("zero_count", counts()),
            optional("zero_threshold", DataType::Float64),
            optional("positive_offset", DataType::Int32),
            list("positive_counts", counts()),
            optional("negative_offset", DataType::Int32),
            list("negative_counts", counts()),
        ]),
        Table::Summaries => with_point_head(vec![
            required("count", counts()),
            optional("sum", DataType::Float64),
            list("quantiles", DataType::Float64),
            list("quantile_values", DataType::Float64),
        ]),
        Table::Exemplars => vec![
            required("metric", keyword()),
            required("series_id", DataType::UInt64),
            required("time", timestamp()),
            optional("point_time", timestamp()),
            optional("trace_id", DataType::FixedSizeBinary(16)),
            optional("span_id", DataType::FixedSizeBinary(8)),
            optional("value", DataType::Float64),
            optional("value_int", DataType::Int64),
            required("service_name", keyword()),
            optional("attributes", DataType::Utf8),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_its_time_column_and_unique_names() {
        for table in Table::ALL {
            let schema = schema(table);
            assert!(is_required(table, time_column(table)), "{table}");
            let mut names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), schema.fields().len(), "{table}");
        }
    }
}
