//! What one question sees.

use std::sync::Arc;

use catalog::{LiveFile, Segment, Snapshot};
use model::{SequenceNumber, Table, TenantId};

use crate::tail::TailChunk;

/// The live files of a tenant and the live segments at one catalog number; shared by all questions pinned to it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) sequence: SequenceNumber,
    /// By table number; newest first by their latest time.
    pub(crate) files: [Vec<LiveFile>; Table::ALL.len()],
    pub(crate) segments: Vec<Segment>,
}

impl Listed {
    pub(crate) fn new(snapshot: Snapshot) -> Listed {
        let mut files: [Vec<LiveFile>; Table::ALL.len()] = Default::default();
        for file in snapshot.files {
            files[usize::from(file.partition.table.number())].push(file);
        }
        for of_table in &mut files {
            of_table.sort_unstable_by(|a, b| b.max_time.cmp(&a.max_time).then(b.id.cmp(&a.id)));
        }
        Listed { sequence: snapshot.sequence, files, segments: snapshot.segments }
    }
}

/// A snapshot of one tenant: its files, and its rows in the journal up to an end that is fixed.
#[derive(Debug, Clone)]
pub struct Pinned {
    pub(crate) tenant: TenantId,
    pub(crate) listed: Arc<Listed>,
    /// By table number; newest segment first.
    pub(crate) tail: Arc<[Vec<Arc<TailChunk>>; Table::ALL.len()]>,
    pub(crate) incomplete_because: Vec<String>,
}

impl Pinned {
    /// Whose records these are.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The catalog number.
    pub fn sequence(&self) -> SequenceNumber {
        self.listed.sequence
    }

    /// Live files of a table, newest first by their latest time.
    pub fn files(&self, table: Table) -> &[LiveFile] {
        &self.listed.files[usize::from(table.number())]
    }

    /// Pieces of the journal's tail of a table.
    pub fn tail(&self, table: Table) -> &[Arc<TailChunk>] {
        &self.tail[usize::from(table.number())]
    }

    /// Why acknowledged records may be missing here.
    pub fn incomplete_because(&self) -> &[String] {
        &self.incomplete_because
    }

    /// Rows of a table, in files and tail.
    pub fn rows(&self, table: Table) -> u64 {
        let in_files: u64 = self.files(table).iter().map(|file| file.rows).sum();
        in_files + self.tail(table).iter().map(|chunk| chunk.batch.num_rows() as u64).sum::<u64>()
    }

    /// The same without what the journal holds.
    #[must_use]
    pub fn without_tail(&self) -> Pinned {
        Pinned { tail: Arc::default(), ..self.clone() }
    }

    /// Earliest and latest time of a table's rows.
    pub fn time_bounds(&self, table: Table) -> Option<(i64, i64)> {
        let files = self.files(table).iter().map(|file| (file.min_time, file.max_time));
        let chunks = self.tail(table).iter().map(|chunk| (chunk.min_time, chunk.max_time));
        files.chain(chunks).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }
}
