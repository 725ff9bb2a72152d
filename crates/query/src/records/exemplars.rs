//! Rows of `exemplars`.

use api::{Exemplar, UnixNano};
use arrow::array::RecordBatch;
use serde_json::Value;

use super::columns::{DoubleColumn, IdColumn, IntColumn, TextColumn, TimeColumn, U64Column};
use super::{double_value, native_attributes};

/// Reads exemplars from one batch.
pub(crate) struct ExemplarRows<'a> {
    metric: TextColumn<'a>,
    series_id: U64Column<'a>,
    time: TimeColumn<'a>,
    trace_id: IdColumn<'a>,
    span_id: IdColumn<'a>,
    value: DoubleColumn<'a>,
    value_int: IntColumn<'a>,
    attributes: TextColumn<'a>,
    service_name: TextColumn<'a>,
}

impl<'a> ExemplarRows<'a> {
    /// Finds the columns.
    pub(crate) fn new(batch: &'a RecordBatch) -> ExemplarRows<'a> {
        ExemplarRows {
            metric: TextColumn::new(batch, "metric"),
            series_id: U64Column::new(batch, "series_id"),
            time: TimeColumn::new(batch, "time"),
            trace_id: IdColumn::new(batch, "trace_id"),
            span_id: IdColumn::new(batch, "span_id"),
            value: DoubleColumn::new(batch, "value"),
            value_int: IntColumn::new(batch, "value_int"),
            attributes: TextColumn::new(batch, "attributes"),
            service_name: TextColumn::new(batch, "service_name"),
        }
    }

    /// The series the exemplar in this row belongs to.
    pub(crate) fn series_id(&self, row: usize) -> u64 {
        self.series_id.get(row).unwrap_or(0)
    }

    /// The exemplar in this row, without the unit, which its series knows.
    pub(crate) fn exemplar(&self, row: usize) -> Exemplar {
        let double = self.value.get(row).map(double_value);
        Exemplar {
            metric: self.metric.text(row),
            time_unix_nano: UnixNano(self.time.get(row).unwrap_or(0)),
            value: self.value_int.get(row).map(Value::from).or(double).unwrap_or(Value::Null),
            trace_id: self.trace_id.hex(row),
            span_id: self.span_id.hex(row),
            attributes: self.attributes.get(row).map(native_attributes).unwrap_or_default(),
            service_name: self.service_name.text(row),
            unit: String::new(),
        }
    }
}
