//! What is SQLite's own: the definitions, how a connection is set up, how a write begins, what its codes mean.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::SequenceNumber;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row, Sqlite, Transaction};

use crate::{CatalogError, sql};

/// Newest catalog format this build reads, and the one it writes.
pub const CATALOG_FORMAT: i64 = 1;

/// How long a write waits for another process's write, and a start for another process's migration.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections for reading a process keeps at most; each is a thread and up to [`CACHE_KIB`] of pages.
const READERS_MAX: u32 = 4;

/// Page cache of a connection, in KiB.
const CACHE_KIB: u32 = 1024;

/// Tables of format 1. `format` never changes its shape, so that every later build can read it.
const DEFINITIONS: &str = "
CREATE TABLE format (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL);
INSERT INTO format (id, version) VALUES (1, 1);
CREATE TABLE counter (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    sequence INTEGER NOT NULL,
    segment_next INTEGER NOT NULL,
    file_next INTEGER NOT NULL
);
INSERT INTO counter (id, sequence, segment_next, file_next) VALUES (1, 0, 1, 1);
CREATE TABLE segments (
    id INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,
    length INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    sealed_at INTEGER,
    retired_at INTEGER,
    created_sequence INTEGER NOT NULL,
    sealed_sequence INTEGER,
    retired_sequence INTEGER,
    quarantine_reason TEXT
);
CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    table_number INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    min_time INTEGER NOT NULL,
    max_time INTEGER NOT NULL,
    schema_version INTEGER NOT NULL,
    state INTEGER NOT NULL,
    added_sequence INTEGER NOT NULL,
    removed_at INTEGER,
    removed_sequence INTEGER
);
CREATE INDEX files_live ON files (tenant, id) WHERE state = 0;
CREATE INDEX files_removed ON files (removed_at) WHERE state = 1;
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    owner TEXT NOT NULL,
    acquired_at INTEGER NOT NULL
);
CREATE TABLE swaps (
    epoch INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    committed_at INTEGER NOT NULL,
    PRIMARY KEY (epoch, counter)
) WITHOUT ROWID;
CREATE TABLE flush_requests (
    id INTEGER PRIMARY KEY,
    requested_at INTEGER NOT NULL,
    segment_end INTEGER NOT NULL,
    sealed_sequence INTEGER,
    finished_sequence INTEGER
);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
";

/// The ledger's history. Catalogs of format 1 did not always have it: it is added where it is missing, and builds that
/// do not know it neither read nor harm it (what they flush is not counted), so that it is no other format.
const LEDGER_DEFINITION: &str = "CREATE TABLE ledger (tenant TEXT NOT NULL, hour INTEGER NOT NULL, content TEXT NOT NULL, PRIMARY KEY (tenant, hour))";

/// The catalog of one data folder. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// One connection: writes of this process queue here instead of spinning on SQLite's lock.
    writer: SqlitePool,
    readers: SqlitePool,
    path: Arc<PathBuf>,
}

impl Catalog {
    /// Opens the catalog in the file `path`, made if there is none.
    ///
    /// Several processes may open it at once; the first makes the tables.
    ///
    /// # Errors
    /// [`CatalogError::NewerFormat`] where a newer build wrote it, [`CatalogError::Corrupt`] where it is no catalog,
    /// [`CatalogError::Unavailable`] where it cannot be opened or written.
    pub async fn open(path: &Path) -> Result<Catalog, CatalogError> {
        let began = std::time::Instant::now();
        loop {
            match Catalog::open_once(path).await {
                // Switching a new file to WAL does not wait for its lock, so several first openers may collide.
                Err(CatalogError::Busy) if began.elapsed() < BUSY_TIMEOUT => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                result => return result,
            }
        }
    }

    async fn open_once(path: &Path) -> Result<Catalog, CatalogError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .busy_timeout(BUSY_TIMEOUT)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("cache_size", format!("-{CACHE_KIB}"));
        let pool = |connections_max: u32| {
            SqlitePoolOptions::new()
                .max_connections(connections_max)
                .acquire_timeout(BUSY_TIMEOUT + Duration::from_secs(1))
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
        };
        let failed = |error| classify(path, &error);
        let writer = pool(1).connect_with(options.clone()).await.map_err(failed)?;
        // Readers write nothing: what opens next to a catalog of another format must not change it.
        let readers = pool(READERS_MAX).connect_lazy_with(options.create_if_missing(false));
        let catalog = Catalog { writer, readers, path: Arc::new(path.to_owned()) };
        catalog.migrate().await?;
        Ok(catalog)
    }

    /// Makes the tables in an empty file, else checks the format.
    async fn migrate(&self) -> Result<(), CatalogError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'")
            .fetch_all(&mut *transaction)
            .await
            .map_err(|e| self.error(e))?;
        if tables.is_empty() {
            sqlx::raw_sql(DEFINITIONS).execute(&mut *transaction).await.map_err(|e| self.error(e))?;
            self.add_ledger(&mut transaction, true).await?;
            return transaction.commit().await.map_err(|e| self.error(e));
        }
        if !tables.iter().any(|name| name == "format") {
            return Err(self.corrupt("it is no catalog of Spyhop"));
        }
        let found: i64 = sqlx::query_scalar("SELECT version FROM format WHERE id = 1")
            .fetch_one(&mut *transaction)
            .await
            .map_err(|e| self.error(e))?;
        if found > CATALOG_FORMAT {
            return Err(CatalogError::NewerFormat { path: self.path.to_path_buf(), found, known: CATALOG_FORMAT });
        }
        if tables.iter().any(|name| name == "ledger") {
            return transaction.rollback().await.map_err(|e| self.error(e));
        }
        self.add_ledger(&mut transaction, false).await?;
        transaction.commit().await.map_err(|e| self.error(e))
    }

    async fn add_ledger(
        &self,
        transaction: &mut Transaction<'static, Sqlite>,
        is_whole: bool,
    ) -> Result<(), CatalogError> {
        sqlx::raw_sql(LEDGER_DEFINITION).execute(&mut **transaction).await.map_err(|e| self.error(e))?;
        self.begin_ledger(transaction, is_whole).await
    }

    /// Now, by the clock that orders what processes of this catalog do: Unix nanoseconds.
    pub fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }

    /// The number of the last committed write. Cheap: one row of one page.
    pub async fn sequence(&self) -> Result<SequenceNumber, CatalogError> {
        let sequence: i64 =
            sqlx::query_scalar(sql::SEQUENCE).fetch_one(&self.readers).await.map_err(|e| self.error(e))?;
        Ok(SequenceNumber(sequence as u64))
    }

    /// Closes every connection of this process; what was committed stays so.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Brings everything from the write-ahead log into the file, which is synced.
    pub(crate) async fn checkpoint(&self) -> Result<(), CatalogError> {
        let done = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer).await;
        done.map(drop).map_err(|e| self.error(e))
    }

    /// Begins a write: immediate, counter row first.
    pub(crate) async fn begin_write(&self) -> Result<Write<'_>, CatalogError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        let sequence: i64 =
            sqlx::query_scalar(sql::NEXT_SEQUENCE).fetch_one(&mut *transaction).await.map_err(|e| self.error(e))?;
        Ok(Write { catalog: self, transaction, sequence: SequenceNumber(sequence as u64) })
    }

    /// Begins a read whose statements all see one state.
    pub(crate) async fn begin_read(&self) -> Result<Transaction<'static, Sqlite>, CatalogError> {
        self.readers.begin().await.map_err(|e| self.error(e))
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    pub(crate) fn error(&self, error: sqlx::Error) -> CatalogError {
        classify(&self.path, &error)
    }

    pub(crate) fn corrupt(&self, reason: impl Into<String>) -> CatalogError {
        CatalogError::Corrupt { path: self.path.to_path_buf(), reason: reason.into() }
    }

    /// The value of a setting kept in the catalog.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, CatalogError> {
        let row = sqlx::query(sql::SETTING).bind(name).fetch_optional(&self.readers).await;
        row.map_err(|e| self.error(e))?.map(|row| row.try_get(0).map_err(|e| self.error(e))).transpose()
    }

    /// Sets a setting.
    pub async fn set_setting(&self, name: &str, value: &str) -> Result<SequenceNumber, CatalogError> {
        let mut write = self.begin_write().await?;
        write.run(sqlx::query(sql::SET_SETTING).bind(name).bind(value)).await?;
        write.commit().await
    }
}

/// A statement with its parameters.
pub(crate) type Statement<'q> = sqlx::query::Query<'q, Sqlite, sqlx::sqlite::SqliteArguments>;

/// A write transaction that has its number. Dropped without commit it never happened.
pub(crate) struct Write<'c> {
    catalog: &'c Catalog,
    transaction: Transaction<'static, Sqlite>,
    /// The number it will have once committed.
    pub sequence: SequenceNumber,
}

impl Write<'_> {
    /// Runs a statement; says how many rows it changed.
    pub async fn run(&mut self, statement: Statement<'_>) -> Result<u64, CatalogError> {
        let done = statement.execute(&mut *self.transaction).await.map_err(|e| self.catalog.error(e))?;
        Ok(done.rows_affected())
    }

    /// Runs a statement that returns at most one integer.
    pub async fn integer(&mut self, statement: Statement<'_>) -> Result<Option<i64>, CatalogError> {
        let row = statement.fetch_optional(&mut *self.transaction).await.map_err(|e| self.catalog.error(e))?;
        row.map(|row| row.try_get(0).map_err(|e| self.catalog.error(e))).transpose()
    }

    /// Runs a statement that returns one integer.
    pub async fn one_integer(&mut self, statement: Statement<'_>) -> Result<i64, CatalogError> {
        let found = self.integer(statement).await?;
        found.ok_or_else(|| self.catalog.corrupt("the counter row is missing"))
    }

    /// Makes it durable.
    pub async fn commit(self) -> Result<SequenceNumber, CatalogError> {
        self.transaction.commit().await.map_err(|e| self.catalog.error(e))?;
        Ok(self.sequence)
    }
}

/// Sorts an error of the driver by what the caller would do about it.
fn classify(path: &Path, error: &sqlx::Error) -> CatalogError {
    let unavailable = || CatalogError::Unavailable { path: path.to_owned(), reason: error.to_string() };
    let corrupt = || CatalogError::Corrupt { path: path.to_owned(), reason: error.to_string() };
    match error {
        sqlx::Error::PoolTimedOut => CatalogError::Busy,
        sqlx::Error::Database(database) => {
            let code = database.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or_default();
            // The low byte is SQLite's primary result code.
            match code & 0xff {
                5 | 6 => CatalogError::Busy,
                11 | 26 => corrupt(),
                13 => CatalogError::Full,
                _ => unavailable(),
            }
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound => corrupt(),
        _ => unavailable(),
    }
}
