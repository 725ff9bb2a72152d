//! Rows of the catalog as callers see them. Times are Unix nanoseconds of the catalog's clock.

use model::{FileId, Hour, LeaseEpoch, Partition, SegmentId, SequenceNumber, TenantId};

/// Where a live segment is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentState {
    /// Created and being appended to, or kept ahead empty.
    Listed,
    /// Complete: `length` bytes, never appended to again.
    Sealed,
}

/// A live journal segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its number, which orders segments.
    pub id: SegmentId,
    /// Listed or sealed.
    pub state: SegmentState,
    /// Bytes that count, from the start of the file; 0 until sealed.
    pub length: u64,
    /// When it was listed.
    pub created_at: i64,
    /// When it was sealed.
    pub sealed_at: Option<i64>,
    /// Rows of all tables and tenants; 0 until sealed.
    pub rows: u64,
    /// The write that sealed it.
    pub sealed_sequence: Option<SequenceNumber>,
}

/// A live Parquet file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveFile {
    /// Its number, also its file stem.
    pub id: FileId,
    /// Tenant, table and hour, which make its folder.
    pub partition: Partition,
    /// Rows in it.
    pub rows: u64,
    /// Bytes of the Parquet file, without sidecars.
    pub bytes: u64,
    /// Smallest value of the table's time column.
    pub min_time: i64,
    /// Largest value of the table's time column.
    pub max_time: i64,
    /// Version of the column set it was written with.
    pub schema_version: u16,
}

/// A Parquet file to be added: it has the fields of a live one.
pub type NewFile = LiveFile;

/// What was live at one sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The number this is pinned to.
    pub sequence: SequenceNumber,
    /// Live files of the tenant, by number.
    pub files: Vec<LiveFile>,
    /// Live segments of the whole catalog, by number.
    pub segments: Vec<Segment>,
}

/// Number of a swap: also the name of its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SwapId {
    /// Lease epoch of the owner that made it.
    pub epoch: LeaseEpoch,
    /// Counts the swaps of that epoch.
    pub counter: u64,
}

/// What the ledger's history says of one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerHour {
    /// Whose records.
    pub tenant: TenantId,
    /// Hour of their arrival.
    pub hour: Hour,
    /// What is known of it, all of it.
    pub content: String,
}

/// One replacement of segments and files by files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// Lease that fences it.
    pub lease_name: String,
    /// Epoch the owner acquired.
    pub epoch: LeaseEpoch,
    /// Number within the epoch.
    pub counter: u64,
    /// Files that become live.
    pub add: Vec<NewFile>,
    /// Live files that stop being live.
    pub remove: Vec<FileId>,
    /// Sealed segments whose rows the added files hold.
    pub consume: Vec<SegmentId>,
    /// Those of `consume` that hold damage, and what is wrong: their files are kept for good.
    pub quarantine: Vec<(SegmentId, String)>,
    /// The hours that the receipts of `consume` fall into, with what is known of them from now on.
    pub ledger: Vec<LedgerHour>,
    /// Now, by the catalog's clock.
    pub now: i64,
}

/// A segment taken out of the live set with damage in it; its file stays where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The segment.
    pub id: SegmentId,
    /// What is wrong with it.
    pub reason: String,
    /// When it was taken out.
    pub since: i64,
}

/// Number of a request to flush, growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// An unfinished request that everything acknowledged before it be in files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlushRequest {
    /// Its number; finishing it finishes all below.
    pub id: RequestId,
    /// When it was made.
    pub requested_at: i64,
    /// Segments with a smaller number existed when it was made; only these can hold what it asks for.
    pub segment_end: SegmentId,
    /// The write by which ingest said that it has sealed what the request asks for.
    pub sealed_sequence: Option<SequenceNumber>,
}
