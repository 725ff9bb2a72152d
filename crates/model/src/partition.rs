//! Where a row lies: the hour it belongs to and the folder that follows from it.

use std::fmt;

use crate::{Table, TenantId, time};

/// An hour of partition time, counted from the Unix epoch (negative before it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub i64);

impl Hour {
    /// Nanoseconds in an hour.
    pub const NANOS: i64 = 3_600_000_000_000;

    /// The hour that holds this time.
    pub fn of(time_unix_nano: i64) -> Hour {
        Hour(time_unix_nano.div_euclid(Hour::NANOS))
    }

    /// First nanosecond of the hour.
    pub fn start_unix_nano(self) -> i64 {
        self.0.saturating_mul(Hour::NANOS)
    }

    /// First nanosecond after the hour.
    pub fn end_unix_nano(self) -> i64 {
        self.start_unix_nano().saturating_add(Hour::NANOS)
    }
}

/// One tenant, table and hour: the unit of files, merges and retention.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// Whose rows.
    pub tenant: TenantId,
    /// Which kind of row.
    pub table: Table,
    /// Which hour of partition time.
    pub hour: Hour,
}

impl fmt::Display for Partition {
    /// The folder under `files/`: `default/spans/date=2026-11-21/hour=19`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = time::Civil::from_unix_nano(self.hour.start_unix_nano());
        write!(
            f,
            "{}/{}/date={:04}-{:02}-{:02}/hour={:02}",
            self.tenant, self.table, civil.year, civil.month, civil.day, civil.hour
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partition_is_a_readable_folder() {
        let partition =
            Partition { tenant: TenantId::default(), table: Table::Spans, hour: Hour::of(1_795_289_400_000_000_000) };
        assert_eq!(partition.to_string(), "default/spans/date=2026-11-21/hour=19");
        assert_eq!(Hour::of(-1), Hour(-1));
    }
}
