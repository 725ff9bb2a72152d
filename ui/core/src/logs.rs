//! The loaded log records: newest first, growing at both ends without a record twice.

use std::collections::HashSet;
use std::sync::Arc;

use api::{LogRecord, LogSearchAnswer};

use crate::colour::fnv1a;
use crate::order;

/// Records kept in memory; older pages are not asked for beyond it.
pub const RECORDS_MAX: usize = 100_000;

/// Identity of a record in a list.
pub type RecordKey = u64;

/// The record's identity: the server's id where it has one, else what it holds.
pub fn key(record: &LogRecord) -> RecordKey {
    match record.id.is_empty() {
        false => fnv1a(&record.id) ^ record.time_unix_nano.0 as u64,
        true => fnv1a(&format!("{} {} {:?}", record.time_unix_nano, record.body, record.span_id)),
    }
}

/// Loaded records, newest first.
#[derive(Debug, Clone, Default)]
pub struct LogList {
    records: Vec<(RecordKey, Arc<LogRecord>)>,
    keys: HashSet<RecordKey>,
    /// Where older records go on; `None` at the end.
    pub cursor: Option<String>,
}

impl LogList {
    /// The first page.
    pub fn first(answer: LogSearchAnswer) -> LogList {
        let mut list = LogList::default();
        list.append_older(answer);
        list
    }

    /// Adds the next page. Says how many records are new.
    pub fn append_older(&mut self, answer: LogSearchAnswer) -> usize {
        let before = self.records.len();
        for record in answer.logs {
            let key = key(&record);
            if self.keys.insert(key) {
                self.records.push((key, Arc::new(record)));
            }
        }
        self.cursor = answer.next_cursor.filter(|_| self.records.len() < RECORDS_MAX);
        self.records.len() - before
    }

    /// Puts newer records, given newest first, in their place by time. Says how many records are new.
    pub fn merge_newer(&mut self, newer: Vec<LogRecord>) -> usize {
        let mut fresh: Vec<(RecordKey, Arc<LogRecord>)> = Vec::new();
        for record in newer {
            let key = key(&record);
            if self.keys.insert(key) {
                fresh.push((key, Arc::new(record)));
            }
        }
        let added = fresh.len();
        if added > 0 {
            fresh.append(&mut self.records);
            let time = |record: &(RecordKey, Arc<LogRecord>)| record.1.time_unix_nano;
            // Stable: late records sink to their time, equals keep the server's order.
            if !fresh.is_sorted_by(|a, b| time(a) >= time(b)) {
                order::sort(&mut fresh, |a, b| time(b).cmp(&time(a)));
            }
            self.records = fresh;
            for (key, _) in self.records.drain(RECORDS_MAX.min(self.records.len())..) {
                self.keys.remove(&key);
            }
        }
        added
    }

    /// Records loaded.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether none is loaded.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The record of a line.
    pub fn get(&self, index: usize) -> Option<&Arc<LogRecord>> {
        self.records.get(index).map(|(_, record)| record)
    }

    /// Identity of the record of a line.
    pub fn key_at(&self, index: usize) -> Option<RecordKey> {
        self.records.get(index).map(|(key, _)| *key)
    }

    /// The line of a record.
    pub fn position(&self, wanted: RecordKey) -> Option<usize> {
        self.records.iter().position(|(key, _)| *key == wanted)
    }

    /// Time of the newest record.
    pub fn newest(&self) -> Option<i64> {
        self.records.first().map(|(_, record)| record.time_unix_nano.0)
    }
}

/// Service of a record.
pub fn service(record: &LogRecord) -> &str {
    record.resource.attributes.get("service.name").and_then(|name| name.as_str()).unwrap_or("unknown_service")
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::UnixNano;

    fn record(time: i64, id: &str) -> LogRecord {
        LogRecord { time_unix_nano: UnixNano(time), id: id.to_owned(), ..Default::default() }
    }

    fn ids(list: &LogList) -> String {
        (0..list.len()).filter_map(|at| list.get(at)).map(|record| record.id.as_str()).collect()
    }

    #[test]
    fn lists_grow_at_both_ends() {
        let page = |logs, cursor: Option<&str>| LogSearchAnswer {
            logs,
            next_cursor: cursor.map(str::to_owned),
            ..Default::default()
        };
        let mut list = LogList::first(page(vec![record(9, "d"), record(8, "c")], Some("x")));
        assert_eq!(list.append_older(page(vec![record(8, "c"), record(5, "a")], None)), 1);
        assert_eq!((ids(&list).as_str(), list.cursor.clone()), ("dca", None));
        assert_eq!(list.merge_newer(vec![record(12, "f"), record(7, "b"), record(9, "d")]), 2);
        assert_eq!(ids(&list), "fdcba");
        assert_eq!(list.merge_newer(Vec::new()), 0);
        let key = list.key_at(2).expect("a line");
        assert_eq!(list.position(key), Some(2));
        assert_eq!(list.newest(), Some(12));
    }

    #[test]
    fn records_without_ids_differ_by_what_they_hold() {
        let mut other = record(1, "");
        other.body = "x".into();
        assert_ne!(key(&record(1, "")), key(&other));
    }
}
