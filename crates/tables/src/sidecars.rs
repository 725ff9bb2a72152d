//! Blooms, text indexes and rollups in memory, loaded when first asked for.

use std::sync::Arc;

use catalog::LiveFile;
use model::FileId;
use store::rollup::{LogRollup, SpanRollup};
use store::{BoundedCache, Layout, Sidecar, TraceBloom};
use text_index::TextIndex;

use crate::engine::EngineLimits;

/// What an absent sidecar counts for in a cache.
const ABSENT_BYTES: usize = 64;

/// Sidecars by file. That one is absent is remembered too: a file's sidecars are there before it is live.
pub(crate) struct Sidecars {
    layout: Layout,
    blooms: BoundedCache<FileId, Option<Arc<TraceBloom>>>,
    text_indexes: BoundedCache<FileId, Option<Arc<TextIndex>>>,
    /// Of files without a sidecar too: what was counted from their rows.
    pub(crate) span_rollups: BoundedCache<FileId, Arc<SpanRollup>>,
    /// The same of logs; none where there is too much to tell apart.
    pub(crate) log_rollups: BoundedCache<FileId, Option<Arc<LogRollup>>>,
}

impl Sidecars {
    pub(crate) fn new(layout: Layout, limits: &EngineLimits) -> Sidecars {
        Sidecars {
            layout,
            blooms: BoundedCache::new(limits.bloom_bytes_max),
            text_indexes: BoundedCache::new(limits.text_index_bytes_max),
            span_rollups: BoundedCache::new(limits.rollup_bytes_max),
            log_rollups: BoundedCache::new(limits.rollup_bytes_max / 4),
        }
    }

    /// The bytes of a file's rollup.
    pub(crate) fn rollup_bytes(&self, file: &LiveFile) -> Option<Vec<u8>> {
        store::read_sidecar(&self.layout, &file.partition, file.id, Sidecar::Rollup)
    }

    /// The trace bloom of a file, if it has one that is whole and its own; and the bytes read for it.
    pub(crate) fn bloom(&self, file: &LiveFile) -> (Option<Arc<TraceBloom>>, u64) {
        if let Some(known) = self.blooms.get(&file.id) {
            return (known, 0);
        }
        let bloom = store::read_trace_bloom(&self.layout, &file.partition, file.id)
            .filter(|bloom| bloom.rows() == file.rows)
            .map(Arc::new);
        let bytes = bloom.as_ref().map_or(0, |bloom| bloom.memory_bytes());
        self.blooms.insert(file.id, bloom.clone(), bytes + ABSENT_BYTES);
        (bloom, bytes as u64)
    }

    /// The text index of a file, if it has one that is whole and its own; and the bytes read for it.
    pub(crate) fn text_index(&self, file: &LiveFile) -> (Option<Arc<TextIndex>>, u64) {
        if let Some(known) = self.text_indexes.get(&file.id) {
            return (known, 0);
        }
        let bytes = store::read_sidecar(&self.layout, &file.partition, file.id, Sidecar::TextIndex);
        let length = bytes.as_ref().map_or(0, Vec::len);
        let index = bytes.and_then(|bytes| TextIndex::open(bytes).ok());
        let index = index.filter(|index| index.rows() == file.rows).map(Arc::new);
        let held = index.as_ref().map_or(0, |index| index.memory_bytes());
        self.text_indexes.insert(file.id, index.clone(), held + ABSENT_BYTES);
        (index, length as u64)
    }
}
