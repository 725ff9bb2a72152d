//! Log records by minute, instance and class of severity.

use std::collections::HashMap;

use api::filter::Severity;
use arrow::array::RecordBatch;
use model::TimeRange;

use super::RollupLimits;
use super::bits::{BitReader, BitWriter};
use super::cells::{Minutes, minute_of, read_minutes, second_of, time_of, write_minutes};
use super::hash::Folding;
use super::instances::{InstanceColumn, Instances, RollupInstance, read_instances, write_instances};
use super::rows::{Lookup, Numbered, SmallNumbers, times};

/// Records by class of severity, in the order of [`Severity::ALL`].
pub type SeverityCounts = [u32; Severity::ALL.len()];

/// Log records of one instance in one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogCell {
    /// Number of the instance in the rollup.
    pub instance: u32,
    /// The minute, since the Unix epoch.
    pub minute: i64,
    /// Records by class of severity.
    pub counts: SeverityCounts,
    /// Time of the newest, to the second.
    pub newest_unix_nano: i64,
}

/// Log records counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRollup {
    pub(super) rows: u64,
    services: Vec<String>,
    instances: Vec<RollupInstance>,
    cells: Vec<LogCell>,
}

impl LogRollup {
    /// Rows of the file it was made from.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Services that [`RollupInstance`] numbers.
    pub fn services(&self) -> &[String] {
        &self.services
    }

    /// Instances that [`LogCell`] numbers.
    pub fn instances(&self) -> &[RollupInstance] {
        &self.instances
    }

    /// Records by instance and minute.
    pub fn cells(&self) -> &[LogCell] {
        &self.cells
    }

    /// Bytes in memory.
    pub fn memory_bytes(&self) -> usize {
        let services = self.services.iter().map(|text| text.len() + 24).sum::<usize>();
        let of_instance = |instance: &RollupInstance| 128 + 2 * instance.id.len() + instance.host.len();
        services + self.instances.iter().map(of_instance).sum::<usize>() + self.cells.len() * size_of::<LogCell>()
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = BitWriter::default();
        out.texts(self.services.iter().map(String::as_str));
        write_instances(&mut out, &self.instances);
        let mut minutes: Vec<i64> = self.cells.iter().map(|cell| cell.minute).collect();
        minutes.sort_unstable();
        minutes.dedup();
        write_minutes(&mut out, &minutes);
        let of_instances = self.cells.chunk_by(|a, b| a.instance == b.instance);
        out.golomb(of_instances.clone().count() as u64, 4);
        for cells in of_instances {
            out.golomb(u64::from(cells[0].instance), 4);
            out.golomb(cells.len() as u64 - 1, 2);
            let mut before = None;
            for cell in cells {
                let place = minutes.binary_search(&cell.minute).unwrap_or_default() as u64;
                out.golomb(before.map_or(place, |before| place - before - 1), 0);
                before = Some(place);
                out.bits(u64::from(second_of(cell.newest_unix_nano)), 6);
                cell.counts.iter().for_each(|count| out.bits(u64::from(*count > 0), 1));
                cell.counts.iter().filter(|count| **count > 0).for_each(|count| out.golomb(u64::from(count - 1), 2));
            }
        }
        out.finish()
    }

    pub(super) fn read(rows: u64, bytes: &[u8]) -> Option<LogRollup> {
        let mut bits = BitReader::new(bytes);
        let services = bits.texts()?;
        let instances = read_instances(&mut bits, services.len())?;
        let minutes = read_minutes(&mut bits)?;
        let mut cells = Vec::new();
        for _ in 0..bits.golomb(4)? {
            let instance = bits.index(4, instances.len())?;
            let mut place = 0_u64;
            for at in 0..=bits.golomb(2)? {
                place = place.checked_add(bits.golomb(0)?)?.checked_add(u64::from(at > 0))?;
                let minute = *minutes.get(usize::try_from(place).ok()?)?;
                let newest_unix_nano = time_of(minute, bits.bits(6)? as u8);
                let present = bits.bits(Severity::ALL.len() as u32)?;
                let mut counts = SeverityCounts::default();
                for (class, count) in counts.iter_mut().enumerate().filter(|(class, _)| present >> class & 1 == 1) {
                    debug_assert!(class < Severity::ALL.len());
                    *count = u32::try_from(bits.golomb(2)?).ok()?.checked_add(1)?;
                }
                cells.push(LogCell { instance, minute, counts, newest_unix_nano });
            }
        }
        Some(LogRollup { rows, services, instances, cells })
    }
}

/// Counts log records, batch by batch.
#[derive(Debug, Default)]
pub struct LogRollupBuilder {
    rows: u64,
    services: Numbered,
    minutes: Minutes,
    instances: Instances,
    cells: HashMap<u64, (SeverityCounts, u8), Folding>,
}

impl LogRollupBuilder {
    /// Columns it looks at.
    pub const COLUMNS: [&'static str; 5] = ["time", "service_name", "resource", "severity_number", "severity_text"];

    /// Adds the rows of a batch with a time inside the range.
    pub fn push(&mut self, batch: &RecordBatch, range: &TimeRange) {
        self.rows += batch.num_rows() as u64;
        let Some(times) = times(batch, "time") else { return };
        let mut services = Lookup::new(batch, "service_name");
        let mut meanings = Lookup::new(batch, "severity_text");
        let numbers = SmallNumbers::new(batch, "severity_number");
        let mut instances = InstanceColumn::new(batch);
        let mut last: Option<(u64, (SeverityCounts, u8))> = None;
        for (row, time) in times.iter().enumerate().filter(|(_, time)| range.contains(**time)) {
            let service = services.get(row, |text| self.services.number(text));
            let instance = instances.number(row, service, &mut self.instances);
            let class = match Severity::of_number(numbers.get(row)) {
                Severity::Unknown => meanings.get(row, |text| Severity::of_text(text).unwrap_or(Severity::Unknown)),
                known => known,
            };
            let key = u64::from(instance) << 32 | u64::from(self.minutes.number(minute_of(*time)));
            // Rows of a service follow each other by time: most fall into the cell of the row before.
            if last.as_ref().is_some_and(|last| last.0 != key) {
                self.take(last.take());
            }
            let (_, (counts, second)) = last.get_or_insert((key, Default::default()));
            counts[class as usize] += 1;
            *second = (*second).max(second_of(*time));
        }
        self.take(last);
    }

    fn take(&mut self, counted: Option<(u64, (SeverityCounts, u8))>) {
        let Some((key, (more, newest))) = counted else { return };
        let (counts, second) = self.cells.entry(key).or_default();
        counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
        *second = (*second).max(newest);
    }

    /// The counts; `None` where there are more instances than the limits let.
    pub fn finish(self, limits: &RollupLimits) -> Option<LogRollup> {
        if self.instances.list.len() > limits.instances_max {
            return None;
        }
        let minutes = &self.minutes.list;
        let cell = |(key, (counts, second)): (u64, (SeverityCounts, u8))| {
            let minute = minutes[(key & u64::from(u32::MAX)) as usize];
            LogCell { instance: (key >> 32) as u32, minute, counts, newest_unix_nano: time_of(minute, second) }
        };
        let mut cells: Vec<LogCell> = self.cells.into_iter().map(cell).collect();
        cells.sort_unstable_by_key(|cell| (cell.instance, cell.minute));
        Some(LogRollup { rows: self.rows, services: self.services.list, instances: self.instances.list, cells })
    }
}
