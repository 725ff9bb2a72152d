//! Which files have outlived their retention, decided from the live files and the time: no I/O, no clock.
//!
//! Whole files go, once their newest row is older than its signal is kept. A row's time is its own, or the nearest end
//! of the hour it lies in: a record whose time is years ahead goes with its hour.

use catalog::LiveFile;

use crate::limits::Keep;

/// The files that may go at this time, oldest hour first, as many as one swap takes.
pub fn expired(files: &[LiveFile], now: i64, keep: &Keep, files_max: usize) -> Vec<LiveFile> {
    let mut expired: Vec<LiveFile> = files.iter().filter(|file| is_expired(file, now, keep)).cloned().collect();
    expired.sort_by_key(|file| (file.partition.hour, file.id));
    expired.truncate(files_max);
    expired
}

fn is_expired(file: &LiveFile, now: i64, keep: &Keep) -> bool {
    let kept = i64::try_from(keep.of(file.partition.table).as_nanos()).unwrap_or(i64::MAX);
    let (start, end) = (file.partition.hour.start_unix_nano(), file.partition.hour.end_unix_nano());
    let newest = file.max_time.clamp(start, end.saturating_sub(1).max(start));
    newest < now.saturating_sub(kept)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::{FileId, Hour, Partition, Table, TenantId};

    use super::*;

    fn file(id: u64, table: Table, hour: i64, max_time: i64) -> LiveFile {
        let partition = Partition { tenant: TenantId::default(), table, hour: Hour(hour) };
        LiveFile { id: FileId(id), partition, rows: 1, bytes: 1, min_time: i64::MIN, max_time, schema_version: 1 }
    }

    #[test]
    fn a_file_goes_when_its_newest_row_is_older_than_its_signal_is_kept() {
        let hour = Hour(1_000);
        let (start, end) = (hour.start_unix_nano(), hour.end_unix_nano());
        let keep = Keep {
            logs: Duration::from_nanos(100),
            traces: Duration::from_nanos(200),
            metrics: Duration::from_nanos(u64::MAX),
        };
        let check = |table: Table, max_time: i64, now: i64, expect: bool| {
            let gone = expired(&[file(1, table, hour.0, max_time)], now, &keep, 10);
            assert_eq!(gone.len() == 1, expect, "{table} {} {}", max_time - start, now - start);
        };
        check(Table::Logs, start + 50, start + 150, false);
        check(Table::Logs, start + 50, start + 151, true);
        check(Table::Spans, start + 50, start + 250, false);
        check(Table::Spans, start + 50, start + 251, true);
        for table in [Table::Points, Table::Series, Table::Exemplars] {
            check(table, start + 50, i64::MAX, false);
        }
        // Times outside of the hour count as its ends.
        check(Table::Logs, i64::MAX, end + 99, false);
        check(Table::Logs, i64::MAX, end + 100, true);
        check(Table::Logs, i64::MIN, start + 100, false);
        check(Table::Logs, i64::MIN, start + 101, true);
        // The clock before the epoch.
        check(Table::Logs, start, i64::MIN, false);
    }

    #[test]
    fn the_oldest_hours_go_first_and_so_many_at_a_time() {
        let files = [3, 1, 2].map(|hour| file(10 - hour as u64, Table::Logs, hour, 0));
        let gone = |max| expired(&files, i64::MAX, &Keep::all(Duration::ZERO), max);
        assert_eq!(gone(2).iter().map(|file| file.partition.hour.0).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(gone(9).len(), 3);
    }
}
