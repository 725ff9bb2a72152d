//! One table of a snapshot as DataFusion sees it: a union of its files and its tail.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use catalog::LiveFile;
use datafusion::catalog::Session;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::common::stats::Precision;
use datafusion::common::{DataFusionError, Result, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;
use model::Table;

use super::bounds::time_range;
use super::cost::SqlCost;
use super::reader::{FileOfSnapshot, SnapshotReaders};
use super::session::STORE_URL;
use crate::engine::Engine;
use crate::pinned::Pinned;

/// A table of one tenant at one snapshot.
pub(crate) struct SnapshotTable {
    pub(crate) engine: Engine,
    pub(crate) pinned: Arc<Pinned>,
    pub(crate) table: Table,
    pub(crate) cost: Arc<SqlCost>,
}

impl fmt::Debug for SnapshotTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SnapshotTable({} at {})", self.table, self.pinned.sequence().0)
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        schema::schema(self.table)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Filters rule files and pages out; the engine checks every row that is left.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let range = time_range(filters, schema::time_column(self.table));
        let all = self.pinned.files(self.table);
        let files: Vec<&LiveFile> = all.iter().filter(|file| range.overlaps(file.min_time, file.max_time)).collect();
        SqlCost::count(&self.cost.files_total, all.len() as u64);
        SqlCost::count(&self.cost.files_pruned_by_time, (all.len() - files.len()) as u64);
        let partitions = state.config().target_partitions().max(1);
        let chunks = self.pinned.tail(self.table).iter();
        let batches: Vec<&RecordBatch> =
            chunks.filter(|chunk| range.overlaps(chunk.min_time, chunk.max_time)).map(|chunk| &chunk.batch).collect();

        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        if !files.is_empty() {
            inputs.push(self.scan_files(&files, projection, limit, partitions)?);
        }
        if !batches.is_empty() || inputs.is_empty() {
            inputs.push(self.scan_tail(&batches, projection, partitions)?);
        }
        match inputs.len() {
            1 => Ok(inputs.swap_remove(0)),
            _ => UnionExec::try_new(inputs),
        }
    }
}

impl SnapshotTable {
    fn scan_files(
        &self,
        files: &[&LiveFile],
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
        partitions: usize,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let readers = SnapshotReaders { engine: self.engine.clone(), cost: Arc::clone(&self.cost) };
        let source = ParquetSource::new(Arc::clone(&schema)).with_parquet_file_reader_factory(Arc::new(readers));
        // What is counted from the catalog is exact: files never change and each row is in one place (I2).
        let rows: u64 = files.iter().map(|file| file.rows).sum();
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        let statistics = Statistics::new_unknown(&schema)
            .with_num_rows(Precision::Exact(rows as usize))
            .with_total_byte_size(Precision::Inexact(bytes as usize));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE_URL)?, Arc::new(source))
            .with_file_groups(file_groups(files, partitions))
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn scan_tail(
        &self,
        batches: &[&RecordBatch],
        projection: Option<&Vec<usize>>,
        partitions: usize,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let whole = self.schema();
        let projected = match projection {
            Some(columns) => Arc::new(whole.project(columns)?),
            None => whole,
        };
        let mut groups: Vec<Vec<RecordBatch>> = vec![Vec::new(); partitions.min(batches.len()).max(1)];
        let count = groups.len();
        for (at, batch) in batches.iter().enumerate() {
            SqlCost::count(&self.cost.journal_rows, batch.num_rows() as u64);
            let fitted =
                store::conform(batch, &projected).map_err(|error| DataFusionError::External(Box::new(error)))?;
            groups[at % count].push(fitted);
        }
        Ok(MemorySourceConfig::try_new_exec(&groups, projected, None)?)
    }
}

/// The files in about equal groups, largest first.
fn file_groups(files: &[&LiveFile], partitions: usize) -> Vec<FileGroup> {
    let mut by_size: Vec<&&LiveFile> = files.iter().collect();
    by_size.sort_unstable_by_key(|file| std::cmp::Reverse(file.bytes));
    let mut groups: Vec<(u64, Vec<PartitionedFile>)> = vec![(0, Vec::new()); partitions.min(files.len()).max(1)];
    for file in by_size {
        if let Some((bytes, group)) = groups.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            *bytes += file.bytes.max(1);
            group.push(partitioned(file));
        }
    }
    groups.into_iter().map(|(_, group)| FileGroup::new(group)).collect()
}

fn partitioned(file: &LiveFile) -> PartitionedFile {
    let path = format!("{}/{}.parquet", file.partition, file.id);
    PartitionedFile::new(path, file.bytes).with_extension(FileOfSnapshot(file.clone()))
}
