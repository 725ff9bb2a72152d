//! Which files are merged next, decided from the live files and the time: no I/O, no clock.
//!
//! Vocabulary: a file of [`CompactLimits::final_rows`] or more is *final* and never touched; the others are *small*.
//! An hour is *over* once its end has passed, and *closed* once that and the last flush into it lie
//! [`CompactLimits::close_after`] back. A *merge* gathers small files of one partition into one file.
//!
//! Late records make small files in hours that were merged already. Waiting for the last flush gathers them first; and
//! files are only merged with files of about their own size or smaller ones, so late ones are merged among themselves
//! and with the hour's file only once they are half of it, or both are next to nothing. So a row is written by its
//! flush, by the merge of its hour, and again only when the file it lies in grows by half. A larger ratio makes no fewer
//! files and more writing; a smaller one leaves files of about one size apart.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use catalog::LiveFile;
use model::{FileId, Hour, Partition, TenantId};

use crate::limits::CompactLimits;

/// How much larger than all smaller ones of a merge together a file may be to be merged with them.
const FOLD_RATIO: u64 = 2;

/// What part of a final file is next to nothing: smaller files count as this large, so a few of them are always merged.
const NOTHING_PART: u64 = 64;

/// So many small files of an hour that is over are merged although it is still flushed into.
const SMALL_FILES_MAX: usize = 32;

/// Which hours are closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Those that are at this time.
    At(i64),
    /// Every one, as if its time had come.
    All,
}

/// Merges to do, and what is still to come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MergePlan {
    /// The files of each merge, in the order of their times; the merges of the newest hours first.
    pub merges: Vec<Vec<LiveFile>>,
    /// Hours of a tenant that are over and have small files to merge, now or once they are closed.
    pub hours_waiting: u64,
    /// When the next hour closes that has more than one small file.
    pub next_close: Option<i64>,
}

/// Decides what to merge among these live files.
///
/// `left_alone` are files that cannot take part; `flushed_at` says when each partition was last flushed into, as far
/// as it is known.
pub fn plan(
    files: &[LiveFile],
    closing: Closing,
    left_alone: &BTreeSet<FileId>,
    flushed_at: &BTreeMap<Partition, i64>,
    limits: &CompactLimits,
) -> MergePlan {
    let mut partitions: BTreeMap<&Partition, Vec<&LiveFile>> = BTreeMap::new();
    for file in files.iter().filter(|file| is_small(file, limits) && !left_alone.contains(&file.id)) {
        partitions.entry(&file.partition).or_default().push(file);
    }
    let mut plan = MergePlan::default();
    let mut waiting: BTreeSet<(&TenantId, Hour)> = BTreeSet::new();
    for (partition, small) in partitions {
        if small.len() < 2 {
            continue;
        }
        let closes_at = closes_at(partition, small.len(), flushed_at.get(partition).copied(), closing, limits);
        let merges = merges_of(small, limits);
        if merges.is_empty() {
            continue;
        }
        if is_over(partition, closing) {
            waiting.insert((&partition.tenant, partition.hour));
        }
        match closes_at {
            Some(at) => plan.next_close = Some(plan.next_close.map_or(at, |next: i64| next.min(at))),
            None => plan.merges.extend(merges),
        }
    }
    plan.hours_waiting = waiting.len() as u64;
    plan.merges.sort_by_key(|merge| Reverse(merge.first().map(|file| file.partition.hour)));
    plan
}

/// Whether merges take the file: it is not final, and this build knows its columns.
fn is_small(file: &LiveFile, limits: &CompactLimits) -> bool {
    file.rows < limits.final_rows && file.schema_version == schema::SCHEMA_VERSION
}

fn is_over(partition: &Partition, closing: Closing) -> bool {
    match closing {
        Closing::At(now) => partition.hour.end_unix_nano() <= now,
        Closing::All => true,
    }
}

/// When the hour closes; `None` where it is closed.
fn closes_at(
    partition: &Partition,
    small_files: usize,
    flushed_at: Option<i64>,
    closing: Closing,
    limits: &CompactLimits,
) -> Option<i64> {
    let Closing::At(now) = closing else { return None };
    // A flush in the future was before the clock jumped back: it says nothing.
    let flushed_at = flushed_at.filter(|at| *at <= now && small_files < SMALL_FILES_MAX);
    let quiet_since = flushed_at.unwrap_or(i64::MIN).max(partition.hour.end_unix_nano());
    let closes_at = quiet_since.saturating_add(i64::try_from(limits.close_after.as_nanos()).unwrap_or(i64::MAX));
    (closes_at > now).then_some(closes_at)
}

/// The merges of a partition's small files.
fn merges_of(mut small: Vec<&LiveFile>, limits: &CompactLimits) -> Vec<Vec<LiveFile>> {
    small.sort_unstable_by_key(|file| (file.rows, file.id));
    let weight = |file: &LiveFile| file.rows.max(limits.final_rows / NOTHING_PART).max(1);
    let mut merges = Vec::new();
    let mut group: Vec<&LiveFile> = Vec::new();
    let mut gathered = 0_u64;
    for file in small {
        if !group.is_empty() && weight(file) > gathered.saturating_mul(FOLD_RATIO) {
            pack(std::mem::take(&mut group), limits, &mut merges);
            gathered = 0;
        }
        gathered = gathered.saturating_add(weight(file));
        group.push(file);
    }
    pack(group, limits, &mut merges);
    merges
}

/// Cuts a group into merges within the bounds of one, each of files whose times are near each other. A merge ends with
/// the file that makes its output final.
fn pack(mut group: Vec<&LiveFile>, limits: &CompactLimits, merges: &mut Vec<Vec<LiveFile>>) {
    group.sort_unstable_by_key(|file| (file.min_time, file.id));
    let mut merge: Vec<LiveFile> = Vec::new();
    let (mut rows, mut bytes) = (0_u64, 0_u64);
    let mut end = |merge: &mut Vec<LiveFile>| {
        let merge = std::mem::take(merge);
        // A file alone stays as it is.
        if merge.len() > 1 {
            merges.push(merge);
        }
    };
    for file in group {
        if bytes.saturating_add(file.bytes) > limits.merge_bytes_max {
            end(&mut merge);
            (rows, bytes) = (0, 0);
        }
        merge.push(file.clone());
        rows += file.rows;
        bytes = bytes.saturating_add(file.bytes);
        if rows >= limits.final_rows || merge.len() >= limits.merge_files_max.max(2) {
            end(&mut merge);
            (rows, bytes) = (0, 0);
        }
    }
    end(&mut merge);
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Table;
    use std::time::Duration;

    const HOUR: Hour = Hour(498_000);

    fn limits() -> CompactLimits {
        CompactLimits {
            close_after: Duration::from_nanos(100),
            final_rows: 1_000,
            merge_bytes_max: 100_000,
            merge_files_max: 8,
            ..CompactLimits::default()
        }
    }

    /// Files of one partition with these rows, ten bytes each; their numbers and times grow.
    fn files(rows: &[u64]) -> Vec<LiveFile> {
        rows.iter().zip(1..).map(|(rows, id)| file(id, HOUR, *rows, 10 * rows)).collect()
    }

    fn file(id: u64, hour: Hour, rows: u64, bytes: u64) -> LiveFile {
        let partition = Partition { tenant: TenantId::default(), table: Table::Logs, hour };
        let (min_time, max_time) = (hour.start_unix_nano() + id as i64, hour.end_unix_nano() - 1);
        let schema_version = schema::SCHEMA_VERSION;
        LiveFile { id: FileId(id), partition, rows, bytes, min_time, max_time, schema_version }
    }

    fn ids(plan: &MergePlan) -> Vec<Vec<u64>> {
        plan.merges.iter().map(|merge| merge.iter().map(|file| file.id.0).collect()).collect()
    }

    fn plan_at(files: &[LiveFile], now: i64) -> MergePlan {
        plan(files, Closing::At(now), &BTreeSet::new(), &BTreeMap::new(), &limits())
    }

    #[test]
    fn small_files_of_a_closed_hour_are_merged_and_final_ones_never() {
        let check = |rows: &[u64], expect: &[&[u64]]| {
            assert_eq!(ids(&plan_at(&files(rows), i64::MAX)), expect, "{rows:?}");
        };
        check(&[], &[]);
        check(&[5], &[]);
        check(&[5, 5], &[&[1, 2]]);
        check(&[1_000, 5, 2_000, 5], &[&[2, 4]]);
        check(&[1_000, 5], &[]);
        check(&[999, 1_000], &[]);
        check(&[100; 5], &[&[1, 2, 3, 4, 5]]);
        // What becomes final ends a merge; a file that is left over alone stays.
        check(&[600, 600, 600], &[&[1, 2]]);
        check(&[300; 8], &[&[1, 2, 3, 4], &[5, 6, 7, 8]]);
        // So many files are read by one merge.
        check(&[1; 19], &[&[1, 2, 3, 4, 5, 6, 7, 8], &[9, 10, 11, 12, 13, 14, 15, 16], &[17, 18, 19]]);
    }

    #[test]
    fn late_files_are_merged_among_themselves_first_and_with_the_hour_when_it_pays() {
        let check = |rows: &[u64], expect: &[&[u64]]| {
            assert_eq!(ids(&plan_at(&files(rows), i64::MAX)), expect, "{rows:?}");
        };
        check(&[800, 40], &[]);
        check(&[800, 40, 40], &[&[2, 3]]);
        check(&[600, 149, 150], &[&[2, 3]]);
        check(&[600, 150, 150], &[&[1, 2, 3]]);
        check(&[800, 399], &[]);
        check(&[800, 400], &[&[1, 2]]);
        // 15 rows are a sixty-fourth of a final file: next to nothing, as is anything smaller.
        check(&[30, 1], &[&[1, 2]]);
        check(&[31, 1], &[]);
        // What does not reach the large ones still gathers among itself, and so do the large ones.
        check(&[500, 1, 1, 700], &[&[2, 3], &[1, 4]]);
    }

    #[test]
    fn a_merge_stays_within_its_bytes() {
        let merge_of = |bytes: &[u64]| {
            let files: Vec<LiveFile> = bytes.iter().zip(1..).map(|(bytes, id)| file(id, HOUR, 10, *bytes)).collect();
            ids(&plan_at(&files, i64::MAX))
        };
        let check = |bytes: &[u64], expect: &[&[u64]]| assert_eq!(merge_of(bytes), expect, "{bytes:?}");
        check(&[50_000, 50_000, 1], &[&[1, 2]]);
        check(&[50_000, 50_001, 1], &[&[2, 3]]);
        check(&[100_001, 1, 1], &[&[2, 3]]);
        check(&[60_000, 60_000], &[]);
    }

    #[test]
    fn an_hour_closes_after_its_end_and_after_the_last_flush_into_it() {
        let end = HOUR.end_unix_nano();
        let check = |now: i64, flushed_at: Option<i64>, small: usize, expect: (usize, u64, Option<i64>)| {
            let files = files(&vec![5; small]);
            let flushed = flushed_at.map(|at| (files[0].partition.clone(), at)).into_iter().collect();
            let plan = plan(&files, Closing::At(now), &BTreeSet::new(), &flushed, &limits());
            let found = (plan.merges.len(), plan.hours_waiting, plan.next_close);
            assert_eq!(found, expect, "{} {flushed_at:?}", now - end);
        };
        check(end - 1, None, 2, (0, 0, Some(end + 100)));
        check(end, None, 2, (0, 1, Some(end + 100)));
        check(end + 99, None, 2, (0, 1, Some(end + 100)));
        check(end + 100, None, 2, (1, 1, None));
        check(end + 500, Some(end + 450), 2, (0, 1, Some(end + 550)));
        check(end + 550, Some(end + 450), 2, (1, 1, None));
        // Too many to wait for.
        check(end + 500, Some(end + 450), 32, (4, 1, None));
        check(end - 1, None, 32, (0, 0, Some(end + 100)));
        // The clock jumped back since.
        check(end + 500, Some(end + 501), 2, (1, 1, None));
    }

    #[test]
    fn partitions_are_apart_and_the_newest_hour_is_first() {
        let mut live = vec![file(1, HOUR, 5, 50), file(2, Hour(HOUR.0 + 1), 5, 50)];
        assert_eq!(plan_at(&live, i64::MAX), MergePlan::default());
        live.push(file(3, HOUR, 5, 50));
        live.push(file(4, Hour(HOUR.0 + 1), 5, 50));
        let mut other = file(5, HOUR, 5, 50);
        other.partition.table = Table::Spans;
        live.push(other);
        let plan = plan_at(&live, i64::MAX);
        assert_eq!((ids(&plan), plan.hours_waiting), (vec![vec![2, 4], vec![1, 3]], 2));
        let now = HOUR.end_unix_nano() + 100;
        let plan = plan_at(&live, now);
        let next = Some(now + Hour::NANOS);
        assert_eq!((ids(&plan), plan.hours_waiting, plan.next_close), (vec![vec![1, 3]], 1, next));
        let all = super::plan(&live, Closing::All, &BTreeSet::new(), &BTreeMap::new(), &limits());
        assert_eq!(ids(&all).len(), 2);
    }

    #[test]
    fn what_cannot_take_part_is_left_alone() {
        let mut live = files(&[5, 5, 5]);
        let alone = BTreeSet::from([FileId(2)]);
        let plan = plan(&live, Closing::All, &alone, &BTreeMap::new(), &limits());
        assert_eq!(ids(&plan), [[1, 3]]);
        live[0].schema_version += 1;
        assert_eq!(ids(&plan_at(&live, i64::MAX)), [[2, 3]]);
    }

    /// A day of flushes into one hour, planned after each: every row is written a few times, and few files stay.
    #[test]
    fn rows_are_written_a_few_times_however_they_come() {
        let check = |flushes: &[u64], written_max: f64, files_max: usize| {
            let (mut live, mut id, mut written, mut rows) = (Vec::<LiveFile>::new(), 0, 0, 0);
            for flush in flushes {
                id += 1;
                rows += flush;
                live.push(file(id, HOUR, *flush, 10 * flush));
                while let Some(merge) = plan_at(&live, i64::MAX).merges.into_iter().next() {
                    id += 1;
                    let sum: u64 = merge.iter().map(|file| file.rows).sum();
                    written += sum;
                    live.retain(|file| !merge.contains(file));
                    live.push(file(id, HOUR, sum, 10 * sum));
                }
            }
            let amplification = (rows + written) as f64 / rows as f64;
            assert!(amplification <= written_max, "{amplification} for {} flushes", flushes.len());
            assert!(live.len() <= files_max, "{} files", live.len());
        };
        // Planned after every flush, which only `compact --now` does.
        check(&[300; 12], 3.0, 4);
        check(&[30; 48], 5.0, 3);
        check(&[5; 500], 9.0, 3);
        check(&[1_000; 12], 1.0, 12);
        check(&[&[900_u64][..], &[2; 60]].concat(), 2.5, 3);
    }
}
