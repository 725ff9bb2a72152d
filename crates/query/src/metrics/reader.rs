//! Points of chosen series, some series at a time: what functions and, later, other languages are evaluated over.
//!
//! Files are sorted by metric, series and time, so that the points of neighbouring series lie together: what is read at
//! once is a run of series ids, small enough for its points to be held. The plan looks at page indexes alone.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::datatypes::{TimestampNanosecondType, UInt64Type};
use model::{Table, TimeRange};
use tables::{Scan, SeriesKey, TablesError, Unit};

use super::points::Point;
use super::series::Series;
use crate::columns::Columns;
use crate::service::Question;

/// Rows that may be wanted of the series that are read together, about.
const PART_ROWS: u64 = 250_000;

/// Rows below which one thread is enough.
const THREAD_ROWS: u64 = 50_000;

/// Where the points of some series lie.
pub(crate) struct Plan<'a> {
    question: &'a Question<'a>,
    metric: &'a str,
    /// Ascending.
    ids: Vec<u64>,
    range: TimeRange,
    /// Oldest first.
    units: Vec<Unit>,
    rows: u64,
    /// Whether the points' buckets are wanted.
    buckets: bool,
    bytes_max: usize,
}

/// What a read came to.
pub(crate) enum Held<P> {
    /// The points of each series, in order of time.
    All(Vec<Vec<P>>),
    /// They do not fit.
    TooMany,
}

/// What is to be read.
pub(crate) struct Wanted<'a> {
    pub(crate) metric: &'a str,
    pub(crate) table: Table,
    pub(crate) series: &'a [Series],
    pub(crate) range: TimeRange,
    pub(crate) buckets: bool,
    /// Bytes that may be held at once.
    pub(crate) bytes_max: usize,
}

impl<'a> Plan<'a> {
    /// Looks which files and pieces of the tail have points of these series; their pages are not read.
    pub(crate) fn new(
        question: &'a Question<'a>,
        wanted: Wanted<'a>,
        scan: &mut Scan,
    ) -> Result<Plan<'a>, TablesError> {
        let Wanted { metric, table, series, range, buckets, bytes_max } = wanted;
        let ids: Vec<u64> = series.iter().map(|series| series.id).collect();
        let key = SeriesKey { metric, series: Some(&ids), range };
        let (mut units, mut rows) = (Vec::new(), 0);
        for unit in question.engine.units(question.pinned, table, &range, scan) {
            scan.deadline.check()?;
            let opened = question.engine.open_series(&unit, &key, scan);
            if let Some((_, ranges)) = scan.without_damage(opened)? {
                rows += ranges.iter().map(|range| range.len() as u64).sum::<u64>();
                units.push(unit);
            }
        }
        units.reverse();
        Ok(Plan { question, metric, ids, range, units, rows, buckets, bytes_max })
    }

    /// Threads that are worth while.
    pub(crate) fn threads(&self) -> usize {
        let useful = (self.rows / THREAD_ROWS) as usize;
        self.question.engine.limits().partitions.min(useful).min(self.ids.len()).max(1)
    }

    /// Bytes that may be held at once.
    pub(crate) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Runs of series to be read one after the other, or at the same time.
    pub(crate) fn parts(&self) -> Vec<Range<usize>> {
        let by_rows = self.rows.div_ceil(PART_ROWS) as usize;
        let threads = self.threads();
        // With several threads a few parts each, so that they end together.
        let wanted = if threads > 1 { by_rows.max(4 * threads) } else { by_rows };
        let length = self.ids.len().div_ceil(wanted.clamp(1, self.ids.len().max(1))).max(1);
        (0..self.ids.len()).step_by(length).map(|start| start..(start + length).min(self.ids.len())).collect()
    }

    /// The points of a run of series; none of them where they would take more than so many bytes.
    pub(crate) fn read<P: Point>(
        &self,
        part: Range<usize>,
        bytes_max: usize,
        scan: &mut Scan,
    ) -> Result<Held<P>, TablesError> {
        let ids = &self.ids[part];
        let key = SeriesKey { metric: self.metric, series: Some(ids), range: self.range };
        let mut columns = P::columns(self.buckets);
        columns.extend(["metric", "series_id"]);
        let points: Vec<Vec<P>> = ids.iter().map(|_| Vec::new()).collect();
        let mut gathered = Gathered { key, points, bytes: 0, bytes_max };
        for unit in &self.units {
            // Opening was counted when it was planned.
            let mut apart = scan.fork();
            let opened = self.question.engine.open_series(unit, &key, &mut apart);
            let Some((open, ranges)) = scan.without_damage(opened)? else { continue };
            let read = open.read(&columns, &ranges, scan, |batch, _, _| {
                gathered.take(batch);
                Ok(())
            });
            scan.without_damage(read)?;
            if gathered.bytes > bytes_max {
                return Ok(Held::TooMany);
            }
        }
        for points in &mut gathered.points {
            points.sort_by(|a, b| a.time().cmp(&b.time()).then_with(|| a.order(b)));
        }
        Ok(Held::All(gathered.points))
    }
}

/// Points by series, as they come.
struct Gathered<'a, P> {
    key: SeriesKey<'a>,
    points: Vec<Vec<P>>,
    bytes: usize,
    bytes_max: usize,
}

impl<P: Point> Gathered<'_, P> {
    fn take(&mut self, batch: &RecordBatch) {
        if self.bytes > self.bytes_max {
            return;
        }
        let (rows, series) = wanted_rows(batch, &self.key);
        for (point, at) in P::read(batch, &rows).into_iter().zip(series) {
            self.bytes += point.bytes();
            self.points[at].push(point);
        }
    }
}

/// The rows of a batch that are of the metric, of one of the series and inside the range; and which series.
pub(crate) fn wanted_rows(batch: &RecordBatch, key: &SeriesKey<'_>) -> (Vec<usize>, Vec<usize>) {
    let columns = Columns(batch);
    let (mut rows, mut series) = (Vec::new(), Vec::new());
    let (Some(metrics), Some(ids), Some(times)) = (
        columns.texts("metric"),
        columns.numbers::<UInt64Type>("series_id"),
        columns.numbers::<TimestampNanosecondType>("time"),
    ) else {
        return (rows, series);
    };
    let wanted = key.series.unwrap_or_default();
    // Neighbours are often of one series, and names are few: both are looked at once.
    let mut known_names: Vec<Option<bool>> = Vec::new();
    let mut last: Option<(u64, Option<usize>)> = None;
    for (row, id) in ids.values().iter().enumerate() {
        let is_metric = match metrics.key(row) {
            Some(name) => {
                if known_names.len() <= name {
                    known_names.resize(name + 1, None);
                }
                *known_names[name].get_or_insert_with(|| metrics.get(row) == Some(key.metric))
            }
            None => metrics.get(row) == Some(key.metric),
        };
        if !is_metric || !key.range.contains(times.value(row)) {
            continue;
        }
        let place = match last {
            Some((known, place)) if known == *id => place,
            _ => wanted.binary_search(id).ok(),
        };
        last = Some((*id, place));
        if let Some(place) = place {
            rows.push(row);
            series.push(place);
        }
    }
    (rows, series)
}
