//! Spans by minute, service, name and kind, with their durations; and by minute and instance.

use std::collections::HashMap;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::Int64Type;
use model::TimeRange;

use super::RollupLimits;
use super::bits::{BitReader, BitWriter};
use super::cells::{
    Cell, Minutes, Sample, minute_of, read_cells, read_minutes, second_of, time_of, write_cells, write_minutes,
};
use super::durations::duration_bucket;
use super::hash::Folding;
use super::instances::{InstanceColumn, Instances, RollupInstance, read_instances, write_instances};
use super::rows::{Ids, Lookup, Numbered, SmallNumbers, numbers, times};

/// Status code of a failed span.
pub(super) const STATUS_ERROR: i32 = 2;
/// Kinds of spans, as OTLP numbers them.
pub(super) const SERVER: i32 = 2;
pub(super) const CLIENT: i32 = 3;
pub(super) const PRODUCER: i32 = 4;
pub(super) const CONSUMER: i32 = 5;

/// What spans have in common that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operation {
    /// Number of the service in the rollup.
    pub service: u32,
    /// Number of the span name in the rollup.
    pub name: u32,
    /// Kind, as OTLP numbers them; numbers that it does not know are 0.
    pub kind: i32,
    /// Whether they are calls: of kind server or consumer, or without a parent.
    pub is_call: bool,
}

/// Where a failed span lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedRow {
    /// Its time, to the second.
    pub time_unix_nano: i64,
    /// Its row in the unit it was counted from.
    pub row: u64,
}

/// Spans of one instance in one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceCell {
    /// Number of the instance in the rollup.
    pub instance: u32,
    /// The minute, since the Unix epoch.
    pub minute: i64,
    /// Spans.
    pub spans: u64,
    /// Time of the newest, to the second.
    pub newest_unix_nano: i64,
    /// The newest failed one.
    pub newest_failed: Option<FailedRow>,
}

/// Spans counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRollup {
    services: Vec<String>,
    names: Vec<String>,
    operations: Vec<Operation>,
    instances: Vec<RollupInstance>,
    instance_cells: Vec<InstanceCell>,
    /// Cells of the operations, encoded.
    cells: Vec<u8>,
}

impl OperationRollup {
    /// Services that [`Operation`] and [`RollupInstance`] number.
    pub fn services(&self) -> &[String] {
        &self.services
    }

    /// Span names that [`Operation`] numbers.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Instances that [`InstanceCell`] numbers.
    pub fn instances(&self) -> &[RollupInstance] {
        &self.instances
    }

    /// Spans by instance and minute.
    pub fn instance_cells(&self) -> &[InstanceCell] {
        &self.instance_cells
    }

    /// Goes through the cells of all operations.
    pub fn each_cell(&self, mut take: impl FnMut(&Operation, &Cell<'_>)) {
        // They were read once when the rollup was made, so this goes to their end.
        let _ = read_cells(&self.cells, self.operations.len(), true, |at, cell| take(&self.operations[at], cell));
    }

    /// Bytes in memory.
    pub fn memory_bytes(&self) -> usize {
        let texts = self.services.iter().chain(&self.names).map(|text| text.len() + 24).sum::<usize>();
        let of_instance = |instance: &RollupInstance| 128 + 2 * instance.id.len() + instance.host.len();
        texts
            + self.instances.iter().map(of_instance).sum::<usize>()
            + self.instance_cells.len() * size_of::<InstanceCell>()
            + self.operations.len() * size_of::<Operation>()
            + self.cells.len()
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = BitWriter::default();
        out.texts(self.services.iter().map(String::as_str));
        out.texts(self.names.iter().map(String::as_str));
        out.golomb(self.operations.len() as u64, 4);
        for operation in &self.operations {
            out.golomb(u64::from(operation.service), 4);
            out.golomb(u64::from(operation.name), 6);
            out.bits(operation.kind as u64, 3);
            out.bits(u64::from(operation.is_call), 1);
        }
        write_instances(&mut out, &self.instances);
        write_instance_cells(&mut out, &self.instance_cells);
        let mut bytes = out.finish();
        let head = bytes.len() as u32;
        bytes.extend_from_slice(&self.cells);
        [&head.to_le_bytes()[..], &bytes].concat()
    }

    pub(super) fn read(bytes: &[u8]) -> Option<OperationRollup> {
        let (head, bytes) = bytes.split_first_chunk::<4>()?;
        let (head, cells) = bytes.split_at_checked(u32::from_le_bytes(*head) as usize)?;
        let mut bits = BitReader::new(head);
        let (services, names) = (bits.texts()?, bits.texts()?);
        let count = bits.golomb(4)?;
        let mut operations = Vec::new();
        for _ in 0..count {
            operations.push(Operation {
                service: bits.index(4, services.len())?,
                name: bits.index(6, names.len())?,
                kind: bits.bits(3)? as i32,
                is_call: bits.bits(1)? == 1,
            });
        }
        let instances = read_instances(&mut bits, services.len())?;
        let instance_cells = read_instance_cells(&mut bits, instances.len())?;
        read_cells(cells, operations.len(), true, |_, _| {})?;
        Some(OperationRollup { services, names, operations, instances, instance_cells, cells: cells.to_vec() })
    }
}

fn write_instance_cells(out: &mut BitWriter, cells: &[InstanceCell]) {
    let mut minutes: Vec<i64> = cells.iter().map(|cell| cell.minute).collect();
    minutes.sort_unstable();
    minutes.dedup();
    write_minutes(out, &minutes);
    out.golomb(cells.len() as u64, 4);
    for cell in cells {
        let place = minutes.binary_search(&cell.minute).unwrap_or_default();
        out.golomb(u64::from(cell.instance), 6);
        out.golomb(place as u64, 2);
        out.golomb(cell.spans, 6);
        out.bits(u64::from(second_of(cell.newest_unix_nano)), 6);
        out.bits(u64::from(cell.newest_failed.is_some()), 1);
        if let Some(failed) = cell.newest_failed {
            out.bits(u64::from(second_of(failed.time_unix_nano)), 6);
            out.golomb(failed.row, 14);
        }
    }
}

fn read_instance_cells(bits: &mut BitReader<'_>, instances: usize) -> Option<Vec<InstanceCell>> {
    let minutes = read_minutes(bits)?;
    let count = bits.golomb(4)?;
    let mut cells = Vec::new();
    for _ in 0..count {
        let instance = bits.index(6, instances)?;
        let minute = minutes[bits.index(2, minutes.len())? as usize];
        let spans = bits.golomb(6)?;
        let newest_unix_nano = time_of(minute, bits.bits(6)? as u8);
        let newest_failed = match bits.bits(1)? {
            0 => None,
            _ => Some(FailedRow { time_unix_nano: time_of(minute, bits.bits(6)? as u8), row: bits.golomb(14)? }),
        };
        cells.push(InstanceCell { instance, minute, spans, newest_unix_nano, newest_failed });
    }
    Some(cells)
}

/// A failed span while others may still be newer.
#[derive(Debug, Clone, Copy)]
struct Failed {
    time: i64,
    ids: ([u8; 16], [u8; 8]),
    row: u64,
}

#[derive(Debug, Default)]
struct OfInstance {
    spans: u64,
    second: u8,
    failed: Option<Failed>,
}

/// Counts spans, batch by batch in row order.
#[derive(Debug, Default)]
pub struct OperationBuilder {
    services: Numbered,
    names: Numbered,
    operations: Vec<Operation>,
    numbers: HashMap<u64, u32, Folding>,
    minutes: Minutes,
    samples: Vec<Sample>,
    instances: Instances,
    by_instance: HashMap<u64, OfInstance, Folding>,
}

impl OperationBuilder {
    /// Columns it looks at.
    pub const COLUMNS: [&'static str; 10] = [
        "start_time",
        "duration_nanos",
        "trace_id",
        "span_id",
        "parent_span_id",
        "name",
        "kind",
        "status_code",
        "service_name",
        "resource",
    ];

    /// Adds the rows of a batch that start inside the range. `row_of` says which row of the unit a row of the batch is.
    pub fn push(&mut self, batch: &RecordBatch, range: &TimeRange, row_of: impl Fn(usize) -> u64) {
        let (Some(starts), Some(durations)) =
            (times(batch, "start_time"), numbers::<Int64Type>(batch, "duration_nanos"))
        else {
            return;
        };
        let (mut services, mut names) = (Lookup::new(batch, "service_name"), Lookup::new(batch, "name"));
        let (kinds, statuses) = (SmallNumbers::new(batch, "kind"), SmallNumbers::new(batch, "status_code"));
        let parents = Ids::<8>::new(batch, "parent_span_id");
        let (traces, spans) = (Ids::<16>::new(batch, "trace_id"), Ids::<8>::new(batch, "span_id"));
        let mut instances = InstanceColumn::new(batch);
        for (row, start) in starts.iter().enumerate().filter(|(_, start)| range.contains(**start)) {
            let service = services.get(row, |text| self.services.number(text));
            let name = names.get(row, |text| self.names.number(text));
            let kind = Some(kinds.get(row)).filter(|kind| (0..=CONSUMER).contains(kind)).unwrap_or(0);
            let is_call = matches!(kind, SERVER | CONSUMER) || parents.get(row).is_none();
            let key = self.operation(Operation { service, name, kind, is_call });
            let (minute, second) = (self.minutes.number(minute_of(*start)), second_of(*start));
            let duration = if durations.is_valid(row) { durations.value(row) } else { 0 };
            let is_error = statuses.get(row) == STATUS_ERROR;
            self.samples.push(Sample { key, minute, bucket: duration_bucket(duration), second, is_error });
            let instance = instances.number(row, service, &mut self.instances);
            let of_instance = self.by_instance.entry(u64::from(instance) << 32 | u64::from(minute)).or_default();
            of_instance.spans += 1;
            of_instance.second = of_instance.second.max(second);
            if is_error && of_instance.failed.is_none_or(|failed| failed.time <= *start) {
                let ids = (traces.get(row).unwrap_or_default(), spans.get(row).unwrap_or_default());
                let failed = Failed { time: *start, ids, row: row_of(row) };
                // Among failures at the same time the smallest ids win, in whatever order they come.
                if of_instance.failed.is_none_or(|known| (failed.time, known.ids) > (known.time, failed.ids)) {
                    of_instance.failed = Some(failed);
                }
            }
        }
    }

    fn operation(&mut self, operation: Operation) -> u32 {
        let packed = u64::from(operation.service) << 36
            | u64::from(operation.name) << 4
            | (operation.kind as u64) << 1
            | u64::from(operation.is_call);
        *self.numbers.entry(packed).or_insert_with(|| {
            self.operations.push(operation);
            self.operations.len() as u32 - 1
        })
    }

    /// The counts; `None` where there is more to tell apart than the limits let.
    pub fn finish(self, limits: &RollupLimits) -> Option<OperationRollup> {
        if self.operations.len() > limits.operations_max || self.instances.list.len() > limits.instances_max {
            return None;
        }
        let cells = write_cells(&self.samples, self.operations.len(), &self.minutes, true)?;
        let minutes = &self.minutes.list;
        let of_instance = |(key, of_instance): (u64, OfInstance)| {
            let minute = minutes[(key & u64::from(u32::MAX)) as usize];
            let failed =
                |failed: Failed| FailedRow { time_unix_nano: time_of(minute, second_of(failed.time)), row: failed.row };
            InstanceCell {
                instance: (key >> 32) as u32,
                minute,
                spans: of_instance.spans,
                newest_unix_nano: time_of(minute, of_instance.second),
                newest_failed: of_instance.failed.map(failed),
            }
        };
        let mut instance_cells: Vec<InstanceCell> = self.by_instance.into_iter().map(of_instance).collect();
        instance_cells.sort_unstable_by_key(|cell| (cell.instance, cell.minute));
        Some(OperationRollup {
            services: self.services.list,
            names: self.names.list,
            operations: self.operations,
            instances: self.instances.list,
            instance_cells,
            cells,
        })
    }
}
