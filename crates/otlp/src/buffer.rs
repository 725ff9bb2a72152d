//! One tenant's rows between the wire and a commit.

use std::fmt::Write;
use std::ops::Range;

use arrow::array::RecordBatch;
use model::{Signal, Table};

use crate::envelope::{walk_json, walk_protobuf};
use crate::json::Json;
use crate::logs::LogTable;
use crate::metrics::MetricTables;
use crate::notes::{Notes, RejectReason, Warning};
use crate::origin::Origin;
use crate::sample::SampleRate;
use crate::tally::ServiceTally;
use crate::traces::SpanTable;
use crate::{DecodeError, DecodeLimits, Encoding, Stop};

/// Bytes of requests a buffer takes before it must be frozen. Canonical text is at most six times as long as
/// what it came from, and Arrow's offsets reach 2 GiB.
const BUFFER_BYTES_MAX: usize = 256 << 20;

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Spans, log records or data points in the request.
    pub received: u32,
    /// Those that became rows.
    pub stored: u32,
    /// Those that did not, by reason.
    pub rejected: Vec<(RejectReason, u32)>,
    /// The same by service, with samples of what was rejected.
    pub services: Vec<ServiceTally>,
    /// What was put right or cut in those that were stored.
    pub warnings: Vec<Warning>,
    /// Whether some record carries a time of its own: without one, requests alike need not be resends.
    pub has_own_time: bool,
    /// Rows of the frozen batches that are this request's; tables without rows are left out.
    pub rows: Vec<(Table, Range<u32>)>,
}

impl Appended {
    /// Records rejected, all reasons together.
    pub fn rejected_count(&self) -> u32 {
        self.received - self.stored
    }

    /// What to say in a partial success: reasons with counts, or nothing where every record was stored.
    pub fn message(&self) -> String {
        let mut message = String::new();
        for (reason, count) in &self.rejected {
            let separator = if message.is_empty() { "" } else { "; " };
            // Writing to a String cannot fail.
            let _ = write!(message, "{separator}{count} rejected: {}", reason.message());
        }
        message
    }
}

/// Columns for all eight tables of one tenant, filled request by request and frozen once per commit.
pub struct TenantBuffer {
    limits: DecodeLimits,
    origin: Origin,
    spans: SpanTable,
    logs: LogTable,
    metrics: MetricTables,
    /// Bytes of the requests appended since the last freeze.
    bytes: usize,
    sample_rate: SampleRate,
}

impl TenantBuffer {
    /// An empty buffer.
    pub fn new(limits: DecodeLimits) -> TenantBuffer {
        TenantBuffer {
            limits,
            origin: Origin::default(),
            spans: SpanTable::default(),
            logs: LogTable::default(),
            metrics: MetricTables::default(),
            bytes: 0,
            sample_rate: SampleRate::new(limits.samples_per_second_max),
        }
    }

    /// Appends one request, decompressed. Bad records cost themselves (I10); on an error nothing of the request
    /// remains. `arrival_unix_nano` stands in where a record has no time.
    ///
    /// # Errors
    /// [`DecodeError::Malformed`] and [`DecodeError::TooLarge`] are the client's fault and final;
    /// [`DecodeError::BufferFull`] asks for a freeze first.
    pub fn append(
        &mut self,
        signal: Signal,
        encoding: Encoding,
        body: &[u8],
        arrival_unix_nano: i64,
    ) -> Result<Appended, DecodeError> {
        if body.len() > BUFFER_BYTES_MAX {
            return Err(DecodeError::TooLarge("more bytes than a buffer holds"));
        }
        if self.bytes + body.len() > BUFFER_BYTES_MAX {
            return Err(DecodeError::BufferFull);
        }
        let mut notes = Notes::new(self.limits, arrival_unix_nano);
        self.mark(signal);
        match self.walk(signal, encoding, body, &mut notes) {
            Ok(()) => {
                notes.tally.thin(|service, reason| self.sample_rate.admits(signal, service, reason, arrival_unix_nano));
                let appended = self.appended(signal, &mut notes);
                if appended.stored > 0 {
                    self.bytes += body.len();
                } else {
                    // The texts of rejected records need not stay in the dictionaries.
                    self.roll_back(signal);
                }
                Ok(appended)
            }
            Err(error) => {
                self.roll_back(signal);
                Err(error)
            }
        }
    }

    fn walk(&mut self, signal: Signal, encoding: Encoding, body: &[u8], notes: &mut Notes) -> Result<(), DecodeError> {
        let TenantBuffer { origin, spans, logs, metrics, .. } = self;
        let (result, at) = match encoding {
            Encoding::Protobuf => {
                let result = match signal {
                    Signal::Traces => walk_protobuf(body, spans, origin, notes),
                    Signal::Logs => walk_protobuf(body, logs, origin, notes),
                    Signal::Metrics => walk_protobuf(body, metrics, origin, notes),
                };
                (result, None)
            }
            Encoding::Json => {
                let mut json = Json::new(body);
                let result = match signal {
                    Signal::Traces => walk_json(&mut json, spans, origin, notes),
                    Signal::Logs => walk_json(&mut json, logs, origin, notes),
                    Signal::Metrics => walk_json(&mut json, metrics, origin, notes),
                };
                if json.replaced {
                    notes.warn(Warning::TextReplaced);
                }
                if json.snake_case {
                    notes.warn(Warning::SnakeCaseKey);
                }
                (result, Some(json.at()))
            }
        };
        result.map_err(|stop| match stop {
            Stop::Malformed(what) => DecodeError::Malformed { what, at },
            Stop::TooManyRecords => DecodeError::TooLarge("more records than a request may hold"),
        })
    }

    fn mark(&mut self, signal: Signal) {
        match signal {
            Signal::Traces => self.spans.mark(),
            Signal::Logs => self.logs.mark(),
            Signal::Metrics => self.metrics.mark(),
        }
    }

    fn roll_back(&mut self, signal: Signal) {
        match signal {
            Signal::Traces => self.spans.roll_back(),
            Signal::Logs => self.logs.roll_back(),
            Signal::Metrics => self.metrics.roll_back(),
        }
    }

    fn appended(&self, signal: Signal, notes: &mut Notes) -> Appended {
        let mut rows = match signal {
            Signal::Traces => vec![(Table::Spans, self.spans.since_mark())],
            Signal::Logs => vec![(Table::Logs, self.logs.since_mark())],
            Signal::Metrics => self.metrics.since_mark().to_vec(),
        };
        rows.retain(|(_, range)| !range.is_empty());
        let counts = RejectReason::ALL.into_iter().map(|reason| (reason, notes.rejected[reason as usize]));
        let rejected: Vec<_> = counts.filter(|(_, count)| *count > 0).collect();
        Appended {
            received: notes.received,
            stored: notes.received - rejected.iter().map(|(_, count)| count).sum::<u32>(),
            rejected,
            services: notes.tally.take(),
            warnings: notes.warnings(),
            has_own_time: notes.has_own_time,
            rows,
        }
    }

    /// Rows of all tables.
    pub fn rows(&self) -> usize {
        self.spans.rows() + self.logs.rows() + self.metrics.rows().iter().sum::<usize>()
    }

    /// Bytes of the requests in the buffer, which its columns come close to.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Freezes what was appended and empties the buffer, which keeps its capacity. Tables without rows, and
    /// columns without values, are left out; columns are in the order of the schema.
    ///
    /// # Errors
    /// [`DecodeError::Arrow`] where Arrow refuses the columns, which would be a defect here. What was in the
    /// buffer is gone then.
    pub fn freeze(&mut self) -> Result<Vec<(Table, RecordBatch)>, DecodeError> {
        let frozen = self.freeze_tables();
        self.bytes = 0;
        if frozen.is_err() {
            *self = TenantBuffer::new(self.limits);
        }
        frozen
    }

    fn freeze_tables(&mut self) -> Result<Vec<(Table, RecordBatch)>, DecodeError> {
        let mut frozen = Vec::new();
        if self.logs.rows() > 0 {
            frozen.push((Table::Logs, self.logs.freeze()?));
        }
        if self.spans.rows() > 0 {
            frozen.push((Table::Spans, self.spans.freeze()?));
        }
        self.metrics.freeze(&mut frozen)?;
        Ok(frozen)
    }

    /// A new segment begins, or a commit failed: every series is described again when it comes next.
    pub fn forget_series(&mut self) {
        self.metrics.forget_series();
    }
}
