//! How each column is encoded.
//!
//! Measured on generated spans, logs and points (`tests/measure.rs` prints every column): the notes stand at
//! each rule. Page statistics are kept only for the columns that look-ups skip pages by, since every other one
//! costs bytes in every page index and is never asked.
//!
//! Opening zstd costs 25 µs for each column of a look-up, more than decoding most of its pages. So columns
//! whose dictionary already makes them small stay uncompressed: 0.3 bytes a span for a third of the time of a
//! trace look-up.

use arrow::datatypes::{DataType, Schema};
use model::{Partition, Table};
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::schema::types::{ColumnDescriptor, ColumnPath};

/// Sizes and effort of the files written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParquetSettings {
    /// Effort of zstd, 1 to 22; 1 where the hot path writes.
    pub zstd_level: i32,
    /// Rows of a row group.
    pub row_group_rows: usize,
    /// Rows of a page.
    pub page_rows: usize,
    /// Uncompressed bytes of a page, whichever comes first.
    pub page_bytes_max: usize,
    /// Bytes of a column's dictionary in a row group; what comes after is written plain.
    pub dictionary_bytes_max: usize,
}

impl Default for ParquetSettings {
    fn default() -> ParquetSettings {
        ParquetSettings {
            zstd_level: 1,
            row_group_rows: schema::ROW_GROUP_ROWS,
            page_rows: schema::PAGE_ROWS,
            page_bytes_max: 1 << 20,
            dictionary_bytes_max: 1 << 20,
        }
    }
}

/// Columns whose pages carry their smallest and greatest value.
const PAGE_STATISTICS: &[&str] = &[
    "time",
    "start_time",
    "trace_id",
    "service_name",
    "severity_number",
    "duration_nanos",
    "name",
    "metric",
    "series_id",
];

/// Plain texts that often repeat.
const DICTIONARY_TEXTS: &[&str] =
    &["db_query_text", "url_full", "url_path", "network_peer_address", "enduser_id", "status_message", "trace_state"];

/// Bytes of a dictionary of such texts, and of integers: where they turn out not to repeat, a look-up still decodes it.
const SMALL_DICTIONARY_BYTES_MAX: usize = 32 << 10;

/// Columns whose extremes help nobody: long texts and random bytes.
const NO_STATISTICS: &[&str] =
    &["resource", "scope", "attributes", "body", "db_query_text", "url_full", "span_id", "parent_span_id"];

impl ParquetSettings {
    /// Properties of a file of this partition with these columns.
    pub(crate) fn properties(&self, partition: &Partition, columns: &Schema) -> Result<WriterProperties, ParquetError> {
        let zstd = Compression::ZSTD(ZstdLevel::try_new(self.zstd_level)?);
        let mut builder = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_created_by(format!("spyhop {}", env!("CARGO_PKG_VERSION")))
            .set_compression(zstd)
            .set_max_row_group_row_count(Some(self.row_group_rows))
            .set_data_page_row_count_limit(self.page_rows)
            .set_data_page_size_limit(self.page_bytes_max)
            // Checked between write batches, so a page ends at the row asked for.
            .set_write_batch_size(self.page_rows.clamp(1, 1024))
            .set_dictionary_page_size_limit(self.dictionary_bytes_max)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_statistics_truncate_length(Some(64))
            .set_key_value_metadata(Some(key_values(partition)));
        let parquet_schema = ArrowSchemaConverter::new().convert(columns)?;
        for column in parquet_schema.columns() {
            let rule = self.rule(partition.table, column);
            builder = column_properties(builder, rule, statistics(column.path().parts()), column.path());
        }
        Ok(builder.build())
    }
}

fn key_values(partition: &Partition) -> Vec<KeyValue> {
    let entry = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    vec![
        entry("spyhop.table", partition.table.to_string()),
        entry("spyhop.schema_version", schema::SCHEMA_VERSION.to_string()),
        entry("spyhop.tenant", partition.tenant.to_string()),
        entry("spyhop.hour", partition.hour.0.to_string()),
    ]
}

/// How a leaf column is written.
#[derive(Debug, Clone, Copy)]
struct ColumnRule {
    /// Bytes of its dictionary, where it has one.
    dictionary_bytes_max: Option<usize>,
    /// What follows a full dictionary, or everything.
    encoding: Encoding,
    compressed: bool,
}

impl ColumnRule {
    const fn plain(encoding: Encoding) -> ColumnRule {
        ColumnRule { dictionary_bytes_max: None, encoding, compressed: true }
    }

    const fn uncompressed(self) -> ColumnRule {
        ColumnRule { compressed: false, ..self }
    }
}

fn column_properties(
    builder: WriterPropertiesBuilder,
    rule: ColumnRule,
    statistics: EnabledStatistics,
    path: &ColumnPath,
) -> WriterPropertiesBuilder {
    let builder = builder
        .set_column_dictionary_enabled(path.clone(), rule.dictionary_bytes_max.is_some())
        .set_column_encoding(path.clone(), rule.encoding)
        .set_column_statistics_enabled(path.clone(), statistics);
    let builder = match rule.dictionary_bytes_max {
        Some(bytes) => builder.set_column_dictionary_page_size_limit(path.clone(), bytes),
        None => builder,
    };
    match rule.compressed {
        true => builder,
        false => builder.set_column_compression(path.clone(), Compression::UNCOMPRESSED),
    }
}

impl ParquetSettings {
    fn rule(&self, table: Table, column: &ColumnDescriptor) -> ColumnRule {
        let name = column.path().parts()[0].as_str();
        let dictionary = |encoding| ColumnRule {
            dictionary_bytes_max: Some(self.dictionary_bytes_max),
            ..ColumnRule::plain(encoding)
        };
        match column.physical_type() {
            Type::BOOLEAN => ColumnRule::plain(Encoding::RLE).uncompressed(),
            // Random bytes; those of traces and parents repeat within a page, which zstd finds.
            Type::FIXED_LEN_BYTE_ARRAY if name == "span_id" => ColumnRule::plain(Encoding::PLAIN).uncompressed(),
            Type::FIXED_LEN_BYTE_ARRAY => ColumnRule::plain(Encoding::PLAIN),
            Type::BYTE_ARRAY => self.text_rule(table, name),
            Type::INT64 => match (table, name) {
                // Jumps from trace to trace: 3.5 bytes this way, 4.9 as differences.
                (Table::Spans, "start_time") => ColumnRule::plain(Encoding::PLAIN),
                // 3.3 bytes this way, 3.6 plain or as differences.
                (_, "duration_nanos") => ColumnRule::plain(Encoding::BYTE_STREAM_SPLIT),
                (Table::Logs, "time" | "observed_time") => {
                    ColumnRule::plain(Encoding::DELTA_BINARY_PACKED).uncompressed()
                }
                // Within a series they rise, or stay.
                (_, "time" | "value_int" | "count" | "bucket_counts") => {
                    ColumnRule::plain(Encoding::DELTA_BINARY_PACKED)
                }
                // Ids of threads may be many: a dictionary of them all cost 10 bytes a span.
                (Table::Spans | Table::Logs, _) => ColumnRule {
                    dictionary_bytes_max: Some(SMALL_DICTIONARY_BYTES_MAX.min(self.dictionary_bytes_max)),
                    ..ColumnRule::plain(Encoding::DELTA_BINARY_PACKED).uncompressed()
                },
                _ => dictionary(Encoding::DELTA_BINARY_PACKED),
            },
            Type::INT32 => dictionary(Encoding::DELTA_BINARY_PACKED).uncompressed(),
            // Few gauges repeat a value, and zstd finds those that do: as small as with a dictionary, and faster.
            Type::DOUBLE | Type::FLOAT | Type::INT96 => ColumnRule::plain(Encoding::PLAIN),
        }
    }

    fn text_rule(&self, table: Table, name: &str) -> ColumnRule {
        let columns = schema::schema(table);
        let is_keyword =
            columns.field_with_name(name).is_ok_and(|field| matches!(field.data_type(), DataType::Dictionary(..)));
        let dictionary = |bytes| ColumnRule { dictionary_bytes_max: Some(bytes), ..ColumnRule::plain(Encoding::PLAIN) };
        match name {
            // The texts of its dictionary are long and alike.
            "resource" => dictionary(self.dictionary_bytes_max),
            _ if is_keyword => dictionary(self.dictionary_bytes_max).uncompressed(),
            _ if DICTIONARY_TEXTS.contains(&name) => {
                dictionary(SMALL_DICTIONARY_BYTES_MAX.min(self.dictionary_bytes_max))
            }
            // JSON of like lengths: 3 % smaller than with the lengths in between. Bodies are 7 % larger so.
            "attributes" => ColumnRule::plain(Encoding::DELTA_LENGTH_BYTE_ARRAY),
            _ => ColumnRule::plain(Encoding::PLAIN),
        }
    }
}

fn statistics(path: &[String]) -> EnabledStatistics {
    match path {
        [name] if PAGE_STATISTICS.contains(&name.as_str()) => EnabledStatistics::Page,
        [name] if NO_STATISTICS.contains(&name.as_str()) => EnabledStatistics::None,
        [_] => EnabledStatistics::Chunk,
        // What lies in lists is not searched by its extremes.
        _ => EnabledStatistics::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Hour, TenantId};

    #[test]
    fn every_column_of_every_table_has_properties() {
        let settings = ParquetSettings::default();
        for table in Table::ALL {
            let partition = Partition { tenant: TenantId::default(), table, hour: Hour(0) };
            let properties = settings.properties(&partition, &schema::schema(table)).expect("valid");
            let time = ColumnPath::from(schema::time_column(table));
            assert_eq!(properties.statistics_enabled(&time), EnabledStatistics::Page, "{table}");
            if let Some(trace_id) = schema::trace_id_column(table) {
                assert_eq!(properties.statistics_enabled(&trace_id.into()), EnabledStatistics::Page, "{table}");
            }
            for name in PAGE_STATISTICS.iter().chain(NO_STATISTICS).chain(DICTIONARY_TEXTS) {
                let is_known = Table::ALL.iter().any(|table| schema::schema(*table).field_with_name(name).is_ok());
                assert!(is_known, "no table has {name}");
            }
        }
    }
}
