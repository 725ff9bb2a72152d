//! Who calls whom among the spans of one file, by minute, and what only other files can tell.
//!
//! A *dangling* span has a parent that is not in its file. Files keep so many of them, those of the smallest trace ids:
//! ids are drawn at random, so this is a fair sample, and the same traces are kept by every file.

use std::collections::HashMap;

use arrow::array::RecordBatch;

use super::RollupLimits;
use super::bits::{BitReader, BitWriter};
use super::cells::{Cell, Minutes, Sample, read_cells, read_minutes, write_cells, write_minutes};
use super::hash::Folding;
use super::links::{LinkedSpan, SpanLinks, is_within_reach};
use super::operations::{CLIENT, CONSUMER, PRODUCER};
use super::targets::CallTarget;

/// A pair that calls are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallPair {
    /// A service calls a service: numbers of both in the rollup.
    Call(u32, u32),
    /// A service reaches a place without telemetry: number of the service, number of the place.
    Reach(u32, u32),
    /// A service takes from a queue: number of the service, number of the place.
    Take(u32, u32),
}

impl CallPair {
    fn parts(self) -> (u64, u32, u32) {
        match self {
            CallPair::Call(a, b) => (0, a, b),
            CallPair::Reach(a, b) => (1, a, b),
            CallPair::Take(a, b) => (2, a, b),
        }
    }
}

/// A span whose parent is not in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DanglingSpan {
    /// Its trace.
    pub trace: u128,
    /// The parent that is looked for.
    pub parent: u64,
    /// The minute it starts in.
    pub minute: i64,
    /// Number of its service in the rollup.
    pub service: u32,
    /// Bucket of its duration.
    pub bucket: u16,
    /// Whether it failed.
    pub is_error: bool,
}

/// Calls between services, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapRollup {
    services: Vec<String>,
    targets: Vec<CallTarget>,
    pairs: Vec<CallPair>,
    /// Calls of pairs that the limit left out.
    left_out: u64,
    dangling: Vec<DanglingSpan>,
    /// Dangling spans that the limit left out.
    dangling_left_out: u64,
    /// Cells of the pairs, encoded.
    cells: Vec<u8>,
}

impl MapRollup {
    /// Services that pairs and dangling spans number.
    pub fn services(&self) -> &[String] {
        &self.services
    }

    /// Places that pairs number.
    pub fn targets(&self) -> &[CallTarget] {
        &self.targets
    }

    /// Calls that are not among the pairs, because there are too many different ones.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Spans whose parents are not in the file, by trace.
    pub fn dangling(&self) -> &[DanglingSpan] {
        &self.dangling
    }

    /// Spans that should be among [`MapRollup::dangling`], but are too many.
    pub fn dangling_left_out(&self) -> u64 {
        self.dangling_left_out
    }

    /// Goes through the cells of all pairs.
    pub fn each_cell(&self, mut take: impl FnMut(CallPair, &Cell<'_>)) {
        // They were read once when the rollup was made, so this goes to their end.
        let _ = read_cells(&self.cells, self.pairs.len(), false, |at, cell| take(self.pairs[at], cell));
    }

    /// Bytes in memory.
    pub fn memory_bytes(&self) -> usize {
        let services = self.services.iter().map(|text| text.len() + 24).sum::<usize>();
        let targets = self.targets.iter().map(|target| target.name.len() + 32).sum::<usize>();
        services
            + targets
            + self.pairs.len() * size_of::<CallPair>()
            + self.dangling.len() * size_of::<DanglingSpan>()
            + self.cells.len()
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = BitWriter::default();
        out.texts(self.services.iter().map(String::as_str));
        out.texts(self.targets.iter().map(|target| target.name.as_str()));
        self.targets.iter().for_each(|target| out.bits(target.number_of_kind(), 2));
        out.golomb(self.pairs.len() as u64, 4);
        for pair in &self.pairs {
            let (kind, from, to) = pair.parts();
            out.bits(kind, 2);
            out.golomb(u64::from(from), 4);
            out.golomb(u64::from(to), 4);
        }
        out.golomb(self.left_out, 0);
        out.golomb(self.dangling_left_out, 0);
        self.write_dangling(&mut out);
        let mut bytes = out.finish();
        let head = bytes.len() as u32;
        bytes.extend_from_slice(&self.cells);
        [&head.to_le_bytes()[..], &bytes].concat()
    }

    /// Spans of one trace follow each other: its id is written once.
    fn write_dangling(&self, out: &mut BitWriter) {
        let mut minutes: Vec<i64> = self.dangling.iter().map(|span| span.minute).collect();
        minutes.sort_unstable();
        minutes.dedup();
        write_minutes(out, &minutes);
        let traces = self.dangling.chunk_by(|a, b| a.trace == b.trace);
        out.golomb(traces.clone().count() as u64, 4);
        for spans in traces {
            out.bits(spans[0].trace as u64, 64);
            out.bits((spans[0].trace >> 64) as u64, 64);
            out.golomb(spans.len() as u64 - 1, 0);
            for span in spans {
                out.bits(span.parent, 64);
                out.golomb(minutes.binary_search(&span.minute).unwrap_or_default() as u64, 2);
                out.golomb(u64::from(span.service), 4);
                out.bits(u64::from(span.bucket), 9);
                out.bits(u64::from(span.is_error), 1);
            }
        }
    }

    fn read_dangling(bits: &mut BitReader<'_>, services: usize) -> Option<Vec<DanglingSpan>> {
        let minutes = read_minutes(bits)?;
        let traces = bits.golomb(4)?;
        let mut dangling = Vec::new();
        for _ in 0..traces {
            let (low, high) = (bits.bits(64)?, bits.bits(64)?);
            let trace = u128::from(high) << 64 | u128::from(low);
            for _ in 0..=bits.golomb(0)? {
                dangling.push(DanglingSpan {
                    trace,
                    parent: bits.bits(64)?,
                    minute: minutes[bits.index(2, minutes.len())? as usize],
                    service: bits.index(4, services)?,
                    bucket: bits.bits(9)? as u16,
                    is_error: bits.bits(1)? == 1,
                });
            }
        }
        Some(dangling)
    }

    pub(super) fn read(bytes: &[u8]) -> Option<MapRollup> {
        let (head, bytes) = bytes.split_first_chunk::<4>()?;
        let (head, cells) = bytes.split_at_checked(u32::from_le_bytes(*head) as usize)?;
        let mut bits = BitReader::new(head);
        let services = bits.texts()?;
        let names = bits.texts()?;
        let mut targets = Vec::new();
        for name in names {
            targets.push(CallTarget::of_number(bits.bits(2)?, name)?);
        }
        let count = bits.golomb(4)?;
        let mut pairs = Vec::new();
        for _ in 0..count {
            let kind = bits.bits(2)?;
            let from = bits.index(4, services.len())?;
            let to = bits.index(4, if kind == 0 { services.len() } else { targets.len() })?;
            pairs.push(match kind {
                0 => CallPair::Call(from, to),
                1 => CallPair::Reach(from, to),
                _ => CallPair::Take(from, to),
            });
        }
        let (left_out, dangling_left_out) = (bits.golomb(0)?, bits.golomb(0)?);
        let dangling = MapRollup::read_dangling(&mut bits, services.len())?;
        read_cells(cells, pairs.len(), false, |_, _| {})?;
        let cells = cells.to_vec();
        Some(MapRollup { services, targets, pairs, left_out, dangling, dangling_left_out, cells })
    }
}

/// Gathers the spans of a file, or of the journal's tail.
#[derive(Debug, Default)]
pub struct MapBuilder {
    links: SpanLinks,
}

/// Calls while they are counted.
#[derive(Debug, Default)]
struct Calls {
    pairs: Vec<CallPair>,
    numbers: HashMap<(u64, u32, u32), u32, Folding>,
    minutes: Minutes,
    samples: Vec<Sample>,
}

impl Calls {
    fn add(&mut self, pair: CallPair, span: &LinkedSpan) {
        let key = *self.numbers.entry(pair.parts()).or_insert_with(|| {
            self.pairs.push(pair);
            self.pairs.len() as u32 - 1
        });
        let minute = self.minutes.number(span.minute);
        self.samples.push(Sample { key, minute, bucket: span.bucket, second: 0, is_error: span.is_error });
    }

    /// Keeps the pairs with the most calls (equal ones in the order of their names); gives how many calls go.
    fn keep(&mut self, pairs_max: usize, name: impl Fn(CallPair) -> (u64, String, String)) -> u64 {
        if self.pairs.len() <= pairs_max {
            return 0;
        }
        let mut calls = vec![0_u64; self.pairs.len()];
        self.samples.iter().for_each(|sample| calls[sample.key as usize] += 1);
        let mut order: Vec<usize> = (0..self.pairs.len()).collect();
        order.sort_by_cached_key(|at| (std::cmp::Reverse(calls[*at]), name(self.pairs[*at])));
        order.truncate(pairs_max);
        let mut places = vec![u32::MAX; self.pairs.len()];
        order.iter().enumerate().for_each(|(place, at)| places[*at] = place as u32);
        self.pairs = order.iter().map(|at| self.pairs[*at]).collect();
        let before = self.samples.len();
        self.samples.retain_mut(|sample| {
            sample.key = places[sample.key as usize];
            sample.key != u32::MAX
        });
        (before - self.samples.len()) as u64
    }
}

impl MapBuilder {
    /// Adds the rows of a batch; their columns are [`SpanLinks::COLUMNS`].
    pub fn push(&mut self, batch: &RecordBatch) {
        self.links.push(batch);
    }

    /// The calls among the spans.
    pub fn finish(mut self, limits: &RollupLimits) -> MapRollup {
        self.links.index();
        let links = &self.links;
        let (mut calls, mut dangling) = count(links);
        let named = |pair: CallPair| {
            let (kind, from, to) = pair.parts();
            let to = match pair {
                CallPair::Call(..) => links.services()[to as usize].clone(),
                _ => links.targets()[to as usize].to_string(),
            };
            (kind, links.services()[from as usize].clone(), to)
        };
        let left_out = calls.keep(limits.pairs_max, named);
        let found = dangling.len();
        let key = |span: &DanglingSpan| {
            let service = links.services()[span.service as usize].as_str();
            (span.trace, span.parent, span.minute, service, span.bucket, span.is_error)
        };
        dangling.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        dangling.truncate(limits.dangling_max);
        let dangling_left_out = (found - dangling.len()) as u64;
        // Pairs are few enough to pack; minutes beyond what packs are as good as left out.
        let cells = write_cells(&calls.samples, calls.pairs.len(), &calls.minutes, false);
        let (cells, pairs, left_out) = match cells {
            Some(cells) => (cells, calls.pairs, left_out),
            None => (Vec::new(), Vec::new(), left_out + calls.samples.len() as u64),
        };
        let (services, targets) = self.links.into_names();
        MapRollup { services, targets, pairs, left_out, dangling, dangling_left_out, cells }
    }
}

/// Calls between spans that are here, and the spans whose parents are not.
fn count(links: &SpanLinks) -> (Calls, Vec<DanglingSpan>) {
    let mut calls = Calls::default();
    let mut dangling = Vec::new();
    let mut has_reached = vec![false; links.spans().len()];
    for span in links.spans() {
        match links.parent_of(span) {
            Some(at) => {
                let parent = &links.spans()[at];
                if parent.service != span.service {
                    calls.add(CallPair::Call(parent.service, span.service), span);
                    has_reached[at] |= is_within_reach(parent.minute, span.minute);
                }
            }
            None if span.parent != 0 && span.parent != span.span => dangling.push(DanglingSpan {
                trace: span.trace,
                parent: span.parent,
                minute: span.minute,
                service: span.service,
                bucket: span.bucket,
                is_error: span.is_error,
            }),
            None => {}
        }
    }
    for (span, has_reached) in links.spans().iter().zip(has_reached) {
        match (span.target(), span.kind) {
            (Some(target), CLIENT | PRODUCER) if !has_reached => {
                calls.add(CallPair::Reach(span.service, target), span);
            }
            (Some(target), CONSUMER) if span.parent == 0 => calls.add(CallPair::Take(span.service, target), span),
            _ => {}
        }
    }
    (calls, dangling)
}
