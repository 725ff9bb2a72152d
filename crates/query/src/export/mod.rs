//! Everything stored, as OTLP/JSON lines: what `spyhop export` writes and `spyhop import` reads (I11).
//!
//! Vocabulary: a *line* is one `TracesData`, `LogsData` or `MetricsData` with records of one resource and scope; an
//! *exporter* reads one pinned snapshot, table by table, and hands on lines as they fill.
//!
//! Invariants: every field of every record comes back as it came, in the form OTLP/JSON gives it; only what JSON itself
//! cannot carry is lost, which is the payload of a NaN. Rows are read in batches; what is held at once is a line, the
//! series, and the exemplars, the last two bounded by [`ExportLimits`] (I7). A snapshot that is not complete is an
//! error: half an export would be taken for a whole one.

mod lines;
mod logs;
mod metrics;
mod points;
mod spans;
mod values;

use std::io::Write;

use model::{Signal, Table, TimeRange};
use tables::{Engine, Pinned, Scan, TablesError};

use lines::Lines;

/// Bounds of an export.
#[derive(Debug, Clone)]
pub struct ExportLimits {
    /// Records of a line.
    pub line_records_max: usize,
    /// Bytes after which a line ends.
    pub line_bytes_max: usize,
    /// Series held at once.
    pub series_max: usize,
    /// Exemplars held at once.
    pub exemplars_max: usize,
}

impl Default for ExportLimits {
    fn default() -> ExportLimits {
        ExportLimits {
            line_records_max: 1000,
            line_bytes_max: 1 << 20,
            series_max: 5_000_000,
            exemplars_max: 5_000_000,
        }
    }
}

/// What is exported.
#[derive(Debug, Clone)]
pub struct Export {
    /// Which signals.
    pub signals: Vec<Signal>,
    /// Times of the records.
    pub range: TimeRange,
    /// Bounds.
    pub limits: ExportLimits,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// Spans, log records and data points.
    pub records: u64,
    /// Lines.
    pub lines: u64,
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The rows could not be read: try again.
    #[error(transparent)]
    Read(#[from] TablesError),
    /// The lines could not be written.
    #[error("cannot write the export: {0}")]
    Write(#[from] std::io::Error),
    /// Acknowledged records may be missing from the snapshot.
    #[error("the export would not be complete: {0}")]
    Incomplete(String),
    /// More than may be held at once: export a shorter range.
    #[error("there are more than {max} {what} in the range: export it in parts, with --start and --end")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The bound.
        max: usize,
    },
}

impl Export {
    /// Writes everything that is asked for, in no promised order.
    ///
    /// # Errors
    /// See [`ExportError`]; lines written until then are whole.
    pub fn run(
        &self,
        engine: &Engine,
        pinned: &Pinned,
        scan: &mut Scan,
        out: &mut dyn Write,
    ) -> Result<Exported, ExportError> {
        if let Some(reason) = pinned.incomplete_because().first() {
            return Err(ExportError::Incomplete(reason.clone()));
        }
        let mut exporter = Exporter { ask: self, engine, pinned, scan, out, exported: Exported::default() };
        for signal in &self.signals {
            match signal {
                Signal::Logs => exporter.logs()?,
                Signal::Traces => exporter.spans()?,
                Signal::Metrics => exporter.metrics()?,
            }
        }
        let exported = exporter.exported;
        out.flush()?;
        Ok(exported)
    }
}

/// One export while it runs.
struct Exporter<'a> {
    ask: &'a Export,
    engine: &'a Engine,
    pinned: &'a Pinned,
    scan: &'a mut Scan,
    out: &'a mut dyn Write,
    exported: Exported,
}

impl Exporter<'_> {
    /// Hands every batch of a table's rows within the range to `take`, with which of its rows are inside.
    fn each_batch(
        &mut self,
        table: Table,
        range: TimeRange,
        mut take: impl FnMut(&arrow::array::RecordBatch, &[usize], &mut dyn Write, &mut Exported) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let schema = schema::schema(table);
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let time_column = schema::time_column(table);
        for unit in self.engine.units(self.pinned, table, &range, self.scan) {
            let open = self.engine.open_unit(&unit, self.scan)?;
            // The reader's own error type has no room for ours: it is kept aside, and reading stopped.
            let mut failed = None;
            let is_inside = range.covers(unit.min_time, unit.max_time);
            let read = open.read(&columns, &open.all_rows(), self.scan, |batch, _, _| {
                let rows = rows_inside(batch, time_column, (!is_inside).then_some(&range));
                take(batch, &rows, self.out, &mut self.exported).map_err(|error| {
                    failed = Some(error);
                    TablesError::Stopped
                })
            });
            match (failed, read) {
                (Some(error), _) => return Err(error),
                (None, read) => read?,
            }
        }
        Ok(())
    }

    fn logs(&mut self) -> Result<(), ExportError> {
        let mut lines = Lines::new(Signal::Logs, &self.ask.limits);
        self.each_batch(Table::Logs, self.ask.range, |batch, rows, out, exported| {
            let reader = logs::LogLines::new(batch);
            rows.iter().try_for_each(|row| reader.push(*row, &mut lines, out, exported))
        })?;
        lines.end(self.out, &mut self.exported)
    }

    fn spans(&mut self) -> Result<(), ExportError> {
        let mut lines = Lines::new(Signal::Traces, &self.ask.limits);
        self.each_batch(Table::Spans, self.ask.range, |batch, rows, out, exported| {
            let reader = spans::SpanLines::new(batch);
            rows.iter().try_for_each(|row| reader.push(*row, &mut lines, out, exported))
        })?;
        lines.end(self.out, &mut self.exported)
    }
}

/// Rows whose time lies in the range; all where there is none.
fn rows_inside(batch: &arrow::array::RecordBatch, time_column: &str, range: Option<&TimeRange>) -> Vec<usize> {
    let times = crate::columns::Columns(batch).times(time_column);
    let is_inside = |row: &usize| match (range, times) {
        (Some(range), Some(times)) => range.contains(times.value(*row)),
        _ => true,
    };
    (0..batch.num_rows()).filter(is_inside).collect()
}
