//! The bytes of a snapshot's files for DataFusion's Parquet source: found under any of a file's names, kept open
//! while they are read, footers from the engine's cache.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use catalog::LiveFile;
use datafusion::common::DataFusionError;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::{ParquetError, Result as ParquetResult};
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::cost::SqlCost;
use crate::engine::Engine;

/// Which file a [`PartitionedFile`] means.
#[derive(Debug, Clone)]
pub(crate) struct FileOfSnapshot(pub(crate) LiveFile);

/// Opens files of a snapshot.
pub(crate) struct SnapshotReaders {
    pub(crate) engine: Engine,
    pub(crate) cost: Arc<SqlCost>,
}

impl fmt::Debug for SnapshotReaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SnapshotReaders")
    }
}

impl ParquetFileReaderFactory for SnapshotReaders {
    fn create_reader(
        &self,
        _partition_index: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::common::Result<Box<dyn AsyncFileReader + Send>> {
        let external = |error: crate::TablesError| DataFusionError::External(Box::new(error));
        let Some(FileOfSnapshot(live)) = file.extension::<FileOfSnapshot>() else {
            return Err(DataFusionError::Internal("a scan names a file outside its snapshot".into()));
        };
        let reader = self.engine.open(live).map_err(external)?;
        let opened = open_again(&self.engine, live, reader.path()).map_err(DataFusionError::IoError)?;
        SqlCost::count(&self.cost.files_scanned, 1);
        Ok(Box::new(SnapshotReader {
            file: opened,
            metadata: Arc::clone(reader.metadata()),
            cost: Arc::clone(&self.cost),
        }))
    }
}

/// Opens the file at the path it was just found under, or, renamed since, under its next one.
fn open_again(engine: &Engine, live: &LiveFile, path: &std::path::Path) -> io::Result<File> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let layout = &engine.inner.layout;
    let live_path = layout.files_path(&live.partition, live.id, store::Name::Live);
    File::open(live_path).or_else(|_| File::open(layout.files_path(&live.partition, live.id, store::Name::Dead)))
}

struct SnapshotReader {
    file: File,
    metadata: Arc<ParquetMetaData>,
    cost: Arc<SqlCost>,
}

impl SnapshotReader {
    fn read(&self, range: Range<u64>) -> ParquetResult<Bytes> {
        let length = usize::try_from(range.end.saturating_sub(range.start))?;
        let mut bytes = vec![0; length];
        let read = self.file.read_exact_at(&mut bytes, range.start);
        read.map_err(|error| ParquetError::External(Box::new(error)))?;
        SqlCost::count(&self.cost.bytes, length as u64);
        Ok(bytes.into())
    }
}

impl AsyncFileReader for SnapshotReader {
    // Reads are from the page cache or a local disk, and the runtime is the query process' own: they may block.
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        std::future::ready(self.read(range)).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        std::future::ready(ranges.into_iter().map(|range| self.read(range)).collect()).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        std::future::ready(Ok(Arc::clone(&self.metadata))).boxed()
    }
}
