//! Sessions: one a question, bounded and closed.

use std::sync::Arc;

use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::object_store::memory::InMemory;
use datafusion::prelude::{SessionConfig, SessionContext};
use model::Table;

use super::cost::SqlCost;
use super::table::SnapshotTable;
use crate::engine::Engine;
use crate::error::TablesError;
use crate::pinned::Pinned;

/// The only store a session knows. It is empty: files are opened by [`super::reader::SnapshotReaders`].
pub(crate) const STORE_URL: &str = "spyhop://files";

/// Name of the catalog and of its schema, as `information_schema` shows them.
const CATALOG: &str = "spyhop";
const SCHEMA: &str = "public";

/// Functions that make values of any size from a number, before anything is counted by the memory pool.
const DENIED: &[&str] = &["range", "generate_series", "array_repeat", "list_repeat", "array_resize", "list_resize"];

impl Engine {
    /// A session over the eight tables of this snapshot, with a memory pool of its own; and what counts its reads.
    ///
    /// # Errors
    /// [`TablesError::Sql`]: a defect.
    pub fn session(&self, pinned: &Arc<Pinned>) -> Result<(SessionContext, Arc<SqlCost>), TablesError> {
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(self.limits().sql_memory_bytes_max)))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
            .build_arc()?;
        // Not having a file system, a plan cannot read or write outside the snapshot.
        let _ = runtime.deregister_object_store(ObjectStoreUrl::local_filesystem().as_ref());
        let store = ObjectStoreUrl::parse(STORE_URL)?;
        runtime.register_object_store(store.as_ref(), Arc::new(InMemory::new()));

        let mut config = SessionConfig::new()
            .with_target_partitions(self.limits().partitions.max(1))
            .with_information_schema(true)
            .with_default_catalog_and_schema(CATALOG, SCHEMA)
            .with_create_default_catalog_and_schema(false);
        let options = config.options_mut();
        options.execution.enable_recursive_ctes = false;
        // On for everything it costs many scans a third (storage_query.md §4.5).
        options.execution.parquet.pushdown_filters = false;

        let context = SessionContext::new_with_config_rt(config, runtime);
        let cost = Arc::new(SqlCost::default());
        let schema = Arc::new(MemorySchemaProvider::new());
        for table in Table::ALL {
            let provider =
                SnapshotTable { engine: self.clone(), pinned: Arc::clone(pinned), table, cost: Arc::clone(&cost) };
            schema.register_table(table.name().into(), Arc::new(provider))?;
        }
        let catalog = Arc::new(MemoryCatalogProvider::new());
        catalog.register_schema(SCHEMA, schema)?;
        context.register_catalog(CATALOG, catalog);
        for name in DENIED {
            context.deregister_udf(name);
        }
        Ok((context, cost))
    }
}
