//! What a read is allowed and what it has cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use api::Stats;
use model::SequenceNumber;

use crate::error::TablesError;

/// Until when a question may run. Clones share the flag that stops it early.
#[derive(Debug, Clone)]
pub struct Deadline {
    at: Instant,
    stopped: Arc<AtomicBool>,
}

impl Deadline {
    /// A deadline at this moment.
    pub fn at(at: Instant) -> Deadline {
        Deadline { at, stopped: Arc::new(AtomicBool::new(false)) }
    }

    /// The moment.
    pub fn instant(&self) -> Instant {
        self.at
    }

    /// Stops the work: nobody waits for it any more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether to go on; asked between blocks of rows.
    ///
    /// # Errors
    /// [`TablesError::Stopped`].
    pub fn check(&self) -> Result<(), TablesError> {
        if self.stopped.load(Ordering::Relaxed) || Instant::now() >= self.at {
            return Err(TablesError::Stopped);
        }
        Ok(())
    }
}

/// What reading has cost so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cost {
    /// Rows whose values were looked at.
    pub rows_scanned: u64,
    /// Bytes read from files and sidecars.
    pub bytes_scanned: u64,
    /// Live files of the tables asked about.
    pub files_total: u64,
    /// Files whose rows were looked at.
    pub files_scanned: u64,
    /// Files ruled out by time.
    pub files_pruned_by_time: u64,
    /// Files ruled out by a trace bloom or a text index.
    pub files_pruned_by_index: u64,
    /// Rows of the tail that were looked at.
    pub journal_rows: u64,
    /// Whether a trace bloom was asked.
    pub used_bloom: bool,
    /// Whether a text index was asked.
    pub used_text_index: bool,
    /// Whether a rollup was asked.
    pub used_rollup: bool,
}

impl Cost {
    /// Adds what another part of the same question has cost.
    pub fn add(&mut self, other: &Cost) {
        self.rows_scanned += other.rows_scanned;
        self.bytes_scanned += other.bytes_scanned;
        self.files_total += other.files_total;
        self.files_scanned += other.files_scanned;
        self.files_pruned_by_time += other.files_pruned_by_time;
        self.files_pruned_by_index += other.files_pruned_by_index;
        self.journal_rows += other.journal_rows;
        self.used_bloom |= other.used_bloom;
        self.used_text_index |= other.used_text_index;
        self.used_rollup |= other.used_rollup;
    }

    /// The cost as answers show it.
    pub fn stats(&self, snapshot: SequenceNumber, elapsed_ms: f64) -> Stats {
        let used = [(self.used_bloom, "bloom"), (self.used_text_index, "text"), (self.used_rollup, "rollup")];
        let used: Vec<&str> = used.iter().filter(|(is_used, _)| *is_used).map(|(_, name)| *name).collect();
        let index_used = if used.is_empty() { "none".to_owned() } else { used.join("+") };
        Stats {
            rows_scanned: self.rows_scanned,
            bytes_scanned: self.bytes_scanned,
            files_total: self.files_total,
            files_scanned: self.files_scanned,
            files_pruned_by_time: self.files_pruned_by_time,
            files_pruned_by_index: self.files_pruned_by_index,
            index_used,
            journal_rows: self.journal_rows,
            snapshot: snapshot.0,
            elapsed_ms,
        }
    }
}

/// One question's run: its deadline, its cost, and what is missing from its answer.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Until when.
    pub deadline: Deadline,
    /// What it has cost.
    pub cost: Cost,
    /// Why the answer may not be all.
    pub incomplete_because: Vec<String>,
}

impl Scan {
    /// A run that has read nothing yet.
    pub fn new(deadline: Deadline) -> Scan {
        Scan { deadline, cost: Cost::default(), incomplete_because: Vec::new() }
    }

    /// A run for a part of the same question, to be joined again.
    pub fn fork(&self) -> Scan {
        Scan::new(self.deadline.clone())
    }

    /// Joins a forked run.
    pub fn join(&mut self, part: Scan) {
        self.cost.add(&part.cost);
        for reason in part.incomplete_because {
            self.note(reason);
        }
    }

    /// Notes, once, why the answer may not be all.
    pub fn note(&mut self, reason: String) {
        if !self.incomplete_because.contains(&reason) {
            self.incomplete_because.push(reason);
        }
    }

    /// Turns damage into a note and no rows; other errors stay.
    pub fn without_damage<T: Default>(&mut self, result: Result<T, TablesError>) -> Result<T, TablesError> {
        match result {
            Err(TablesError::Damaged(reason)) => {
                self.note(reason);
                Ok(T::default())
            }
            other => other,
        }
    }
}
