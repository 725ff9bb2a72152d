//! The wall clock, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now in Unix nanoseconds.
pub(crate) fn now_unix_nano() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
