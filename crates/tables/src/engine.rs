//! The engine: caches over one data folder, and pinning.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use catalog::{Catalog, LiveFile};
use journal::LedgerLimits;
use model::{FileId, TenantId};
use store::rollup::RollupLimits;
use store::{BoundedCache, Layout, MetadataCache, ParquetReader};

use crate::error::TablesError;
use crate::ledger::LedgerCache;
use crate::pinned::{Listed, Pinned};
use crate::sidecars::Sidecars;
use crate::tail::TailCache;
use crate::windows::WindowCache;

/// Bounds of an [`Engine`].
#[derive(Debug, Clone)]
pub struct EngineLimits {
    /// Decoded rows of the journal's tail.
    pub tail_bytes_max: usize,
    /// Parquet footers and page indexes.
    pub metadata_bytes_max: usize,
    /// Trace blooms.
    pub bloom_bytes_max: usize,
    /// Text indexes.
    pub text_index_bytes_max: usize,
    /// Rollups of spans; those of logs have a quarter of it beside.
    pub rollup_bytes_max: usize,
    /// How much the rollup of a file without a sidecar tells apart: what compact tells apart, too.
    pub rollup: RollupLimits,
    /// Decoded columns of log records and spans that were asked for lately.
    pub window_bytes_max: usize,
    /// What one SQL question may hold in sorts, joins and groups.
    pub sql_memory_bytes_max: usize,
    /// Partitions a SQL question or a count over many files is split into.
    pub partitions: usize,
    /// How much the ledger tells apart; what compact tells apart, too.
    pub ledger: LedgerLimits,
}

impl Default for EngineLimits {
    fn default() -> EngineLimits {
        EngineLimits {
            tail_bytes_max: 256 << 20,
            metadata_bytes_max: 64 << 20,
            bloom_bytes_max: 128 << 20,
            text_index_bytes_max: 128 << 20,
            rollup_bytes_max: 64 << 20,
            rollup: RollupLimits::default(),
            window_bytes_max: 64 << 20,
            sql_memory_bytes_max: 256 << 20,
            partitions: std::thread::available_parallelism().map_or(2, usize::from),
            ledger: LedgerLimits::default(),
        }
    }
}

/// Tenants whose live list is remembered.
const LISTED_MAX: usize = 64;

/// Names of resource attributes, by file.
const RESOURCE_KEYS_BYTES_MAX: usize = 16 << 20;

pub(crate) struct Inner {
    pub(crate) layout: Layout,
    pub(crate) catalog: Catalog,
    pub(crate) limits: EngineLimits,
    pub(crate) metadata: MetadataCache,
    pub(crate) sidecars: Sidecars,
    /// Names of the resource attributes in a file.
    pub(crate) resource_keys: BoundedCache<FileId, Arc<HashSet<String>>>,
    pub(crate) windows: Arc<WindowCache>,
    tail: TailCache,
    pub(crate) ledger: LedgerCache,
    listed: Mutex<HashMap<TenantId, Arc<Listed>>>,
}

/// Reads one data folder. Cheap to clone; clones share their caches.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("root", &self.inner.layout.root()).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine with empty caches.
    pub fn new(layout: Layout, catalog: Catalog, limits: EngineLimits) -> Engine {
        let inner = Inner {
            metadata: MetadataCache::new(limits.metadata_bytes_max),
            sidecars: Sidecars::new(layout.clone(), &limits),
            resource_keys: BoundedCache::new(RESOURCE_KEYS_BYTES_MAX),
            windows: Arc::new(WindowCache::new(limits.window_bytes_max)),
            tail: TailCache::new(layout.journal_folder(), limits.tail_bytes_max),
            ledger: LedgerCache::new(layout.journal_folder(), limits.ledger),
            listed: Mutex::default(),
            layout,
            catalog,
            limits,
        };
        Engine { inner: Arc::new(inner) }
    }

    /// Bounds it was made with.
    pub fn limits(&self) -> &EngineLimits {
        &self.inner.limits
    }

    /// The catalog it reads.
    pub fn catalog(&self) -> &Catalog {
        &self.inner.catalog
    }

    /// Fixes what a question of this tenant sees. Everything acknowledged before the call is in it.
    ///
    /// # Errors
    /// [`TablesError::Missing`] where a segment was gone twice in a row; the catalog's and the system's errors.
    pub async fn pin(&self, tenant: &TenantId) -> Result<Pinned, TablesError> {
        match self.pin_once(tenant).await {
            // A swap came between the catalog and the file: the next snapshot does not name the file any more.
            Err(TablesError::Missing(_)) => {
                self.forget_listed(tenant);
                self.pin_once(tenant).await
            }
            other => other,
        }
    }

    async fn pin_once(&self, tenant: &TenantId) -> Result<Pinned, TablesError> {
        let listed = self.listed(tenant).await?;
        let (engine, owner, segments) = (self.clone(), tenant.clone(), Arc::clone(&listed));
        let read = tokio::task::spawn_blocking(move || engine.inner.tail.read(&owner, &segments.segments));
        let tail =
            read.await.map_err(|error| TablesError::Internal(format!("reading the journal failed: {error}")))??;
        Ok(Pinned {
            tenant: tenant.clone(),
            listed,
            tail: Arc::new(tail.chunks),
            incomplete_because: tail.incomplete_because,
        })
    }

    /// The live list at the catalog's present number: copied out only when the number has changed.
    async fn listed(&self, tenant: &TenantId) -> Result<Arc<Listed>, TablesError> {
        let sequence = self.inner.catalog.sequence().await?;
        if let Some(known) = self.lock_listed().get(tenant).filter(|known| known.sequence == sequence) {
            return Ok(Arc::clone(known));
        }
        let fresh = Arc::new(Listed::new(self.inner.catalog.snapshot(tenant).await?));
        let mut listed = self.lock_listed();
        if listed.len() >= LISTED_MAX && !listed.contains_key(tenant) {
            listed.clear();
        }
        let is_newest = listed.get(tenant).is_none_or(|known| known.sequence < fresh.sequence);
        if is_newest {
            listed.insert(tenant.clone(), Arc::clone(&fresh));
        }
        Ok(fresh)
    }

    fn forget_listed(&self, tenant: &TenantId) {
        self.lock_listed().remove(tenant);
    }

    fn lock_listed(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, Arc<Listed>>> {
        self.inner.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a file of a snapshot under whichever name it has.
    pub(crate) fn open(&self, file: &LiveFile) -> Result<ParquetReader, TablesError> {
        let inner = &self.inner;
        let reader = ParquetReader::open(&inner.layout, &file.partition, file.id, &inner.metadata)?;
        if reader.rows() as u64 != file.rows {
            let (path, rows) = (reader.path().display(), reader.rows());
            return Err(TablesError::Damaged(format!("{path} has {rows} rows, the catalog says {}", file.rows)));
        }
        Ok(reader)
    }
}
