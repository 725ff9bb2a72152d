//! Statements that SQLite and PostgreSQL share. Parameters are `$1`, `$2` …; integers are 64 bits, times Unix
//! nanoseconds. Unsigned numbers are stored by their bits' value as signed ones; they never reach the top bit.
//! Files are live (`state` 0) or removed and kept for their grace (1).

/// Segment states as stored.
pub mod segment_state {
    /// Appended to or kept ahead.
    pub const LISTED: i64 = 0;
    /// Complete and live.
    pub const SEALED: i64 = 1;
    /// Its rows are in files; kept for its grace.
    pub const CONSUMED: i64 = 2;
    /// A copy took its place after a failed sync; kept for its grace.
    pub const REPLACED: i64 = 3;
}

/// The first statement of every write transaction.
pub const NEXT_SEQUENCE: &str = "UPDATE counter SET sequence = sequence + 1 WHERE id = 1 RETURNING sequence";
pub const SEQUENCE: &str = "SELECT sequence FROM counter WHERE id = 1";
pub const DRAW_SEGMENT: &str =
    "UPDATE counter SET segment_next = segment_next + 1 WHERE id = 1 RETURNING segment_next - 1";
pub const SEGMENT_NEXT: &str = "SELECT segment_next FROM counter WHERE id = 1";
pub const DRAW_FILES: &str = "UPDATE counter SET file_next = file_next + $1 WHERE id = 1 RETURNING file_next - $1";

pub const INSERT_SEGMENT: &str = "INSERT INTO segments (id, state, length, row_count, created_at, sealed_at, \
     created_sequence, sealed_sequence) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
pub const SEAL_SEGMENT: &str = "UPDATE segments SET state = 1, length = $2, row_count = $3, sealed_at = $4, \
     sealed_sequence = $5 WHERE id = $1 AND state = 0";
pub const SEGMENT_SEALED_AS: &str = "SELECT length FROM segments WHERE id = $1 AND state IN (1, 2)";
pub const DROP_SEGMENT: &str = "DELETE FROM segments WHERE id = $1 AND (state = 0 OR (state = 1 AND row_count = 0))";
pub const RETIRE_SEGMENT: &str = "UPDATE segments SET state = $2, retired_at = $3, retired_sequence = $4 \
     WHERE id = $1 AND state IN (0, 1)";
pub const CONSUME_SEGMENT: &str = "UPDATE segments SET state = 2, retired_at = $2, retired_sequence = $3, \
     quarantine_reason = $4 WHERE id = $1 AND state = 1";
pub const LIVE_SEGMENTS: &str = "SELECT id, state, length, row_count, created_at, sealed_at, sealed_sequence \
     FROM segments WHERE state IN (0, 1) ORDER BY id";
pub const SEGMENTS_IN_STATE: &str = "SELECT id FROM segments WHERE state = $1 AND retired_at < $2 ORDER BY id";
pub const RETIRED_SEGMENTS: &str = "SELECT id FROM segments WHERE state IN (2, 3) AND retired_at < $1 AND \
     quarantine_reason IS NULL ORDER BY id";
pub const QUARANTINED_SEGMENTS: &str = "SELECT id, quarantine_reason, retired_at FROM segments \
     WHERE quarantine_reason IS NOT NULL ORDER BY id";
pub const KNOWN_SEGMENTS: &str = "SELECT id FROM segments";
pub const FORGET_SEGMENT: &str = "DELETE FROM segments WHERE id = $1 AND state IN (2, 3) AND quarantine_reason IS NULL";

pub const INSERT_FILE: &str = "INSERT INTO files (id, tenant, table_number, hour, row_count, bytes, min_time, \
     max_time, schema_version, state, added_sequence) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10)";
pub const REMOVE_FILE: &str = "UPDATE files SET state = 1, removed_at = $2, removed_sequence = $3 \
     WHERE id = $1 AND state = 0";
pub const LIVE_FILES_OF_TENANT: &str = "SELECT id, tenant, table_number, hour, row_count, bytes, min_time, \
     max_time, schema_version FROM files WHERE tenant = $1 AND state = 0 ORDER BY id";
pub const LIVE_FILES: &str = "SELECT id, tenant, table_number, hour, row_count, bytes, min_time, \
     max_time, schema_version FROM files WHERE state = 0 ORDER BY id";
pub const REMOVED_FILES: &str =
    "SELECT id, tenant, table_number, hour FROM files WHERE state = 1 AND removed_at < $1 ORDER BY id";
pub const KNOWN_FILES: &str = "SELECT id FROM files";
pub const FORGET_FILE: &str = "DELETE FROM files WHERE id = $1 AND state = 1";

pub const RAISE_LEASE: &str = "INSERT INTO leases (name, epoch, owner, acquired_at) VALUES ($1, 1, $2, $3) \
     ON CONFLICT (name) DO UPDATE SET epoch = leases.epoch + 1, owner = $2, acquired_at = $3 RETURNING epoch";
pub const LEASE_EPOCH: &str = "SELECT epoch FROM leases WHERE name = $1";
pub const INSERT_SWAP: &str = "INSERT INTO swaps (epoch, counter, sequence, committed_at) VALUES ($1, $2, $3, $4)";
pub const SWAP_COMMITTED: &str = "SELECT 1 FROM swaps WHERE epoch = $1 AND counter = $2";
pub const SWAPS: &str = "SELECT epoch, counter FROM swaps";
pub const LAST_SWAP: &str = "SELECT epoch, counter FROM swaps ORDER BY epoch DESC, counter DESC LIMIT 1";

pub const FORGET_SWAP: &str = "DELETE FROM swaps WHERE epoch = $1 AND counter = $2 AND \
     (epoch, counter) <> (SELECT epoch, counter FROM swaps ORDER BY epoch DESC, counter DESC LIMIT 1)";

pub const INSERT_FLUSH_REQUEST: &str = "INSERT INTO flush_requests (id, requested_at, segment_end) VALUES ($1, $2, $3)";
pub const NEXT_FLUSH_REQUEST: &str = "SELECT coalesce(max(id), 0) + 1 FROM flush_requests";
pub const PENDING_FLUSH: &str = "SELECT id, requested_at, segment_end, sealed_sequence FROM flush_requests \
     WHERE finished_sequence IS NULL ORDER BY id DESC LIMIT 1";
pub const FLUSH_TO_SEAL: &str = "SELECT max(id) FROM flush_requests \
     WHERE sealed_sequence IS NULL AND finished_sequence IS NULL";
pub const FLUSH_SEALED: &str =
    "UPDATE flush_requests SET sealed_sequence = $2 WHERE id <= $1 AND sealed_sequence IS NULL";
pub const FINISH_FLUSH: &str =
    "UPDATE flush_requests SET finished_sequence = $2 WHERE id <= $1 AND finished_sequence IS NULL";
/// Old finished requests go when a new one is finished; the newest hundred are kept for those who wait on them.
pub const PRUNE_FLUSH_REQUESTS: &str =
    "DELETE FROM flush_requests WHERE id <= $1 - 100 AND finished_sequence IS NOT NULL";
pub const FLUSH_REQUEST_UNFINISHED: &str =
    "SELECT count(*) FROM flush_requests WHERE id = $1 AND finished_sequence IS NULL";

pub const SETTING: &str = "SELECT value FROM settings WHERE name = $1";
pub const SET_SETTING: &str =
    "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2";

pub const LEDGER_HOURS: &str = "SELECT hour, content FROM ledger WHERE tenant = $1 AND hour > $2 AND hour <= $3 \
     ORDER BY hour LIMIT $4";
pub const LEDGER_HOUR: &str = "SELECT content FROM ledger WHERE tenant = $1 AND hour = $2";
pub const LEDGER_OLDEST: &str = "SELECT min(hour) FROM ledger";
pub const SET_LEDGER_HOUR: &str = "INSERT INTO ledger (tenant, hour, content) VALUES ($1, $2, $3) \
     ON CONFLICT (tenant, hour) DO UPDATE SET content = $3";
pub const FORGET_LEDGER: &str = "DELETE FROM ledger WHERE hour < $1";

/// For a catalog that is made anew.
pub const SET_NUMBERS: &str = "UPDATE counter SET segment_next = $1, file_next = $2 WHERE id = 1";
pub const INSERT_LEASE: &str = "INSERT INTO leases (name, epoch, owner, acquired_at) VALUES ($1, $2, $3, $4)";
