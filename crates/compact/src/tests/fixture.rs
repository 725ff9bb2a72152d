//! A data folder with a catalog and a journal, and every row that can be read from it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use catalog::{Catalog, LiveFile, SegmentState};
use fastrand::Rng;
use journal::{CommitDraft, End, Journal, JournalLimits, Part, SegmentReader};
use model::{Table, TenantId};
use store::{Layout, MetadataCache, ParquetReader, open_data_folder};
use tokio::runtime::Runtime;

use super::rows::{Multiset, Times, count_rows, random_batch, series_batch};
use crate::{CompactLimits, Compactor, Keep};

/// A time to begin at.
pub(crate) const NOW: i64 = 1_795_289_400_000_000_000;
pub(crate) const SECOND: i64 = 1_000_000_000;

pub(crate) struct Fixture {
    pub layout: Layout,
    pub catalog: Catalog,
    runtime: Runtime,
}

impl Fixture {
    pub fn open(root: &Path) -> Fixture {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let layout = open_data_folder(root).expect("a data folder");
        let catalog = runtime.block_on(Catalog::open(&layout.catalog_path())).expect("a catalog");
        Fixture { layout, catalog, runtime }
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub fn limits() -> CompactLimits {
        // No hour closes and nothing expires by itself: tests of merges and retention have limits of their own.
        let never = Duration::from_secs(100 * 365 * 24 * 3600);
        CompactLimits {
            poll: Duration::from_millis(5),
            close_after: never,
            keep: Keep::all(never),
            disk_reserve_bytes: 0,
            ..CompactLimits::default()
        }
    }

    /// Limits by which every hour that is over is merged at once.
    pub fn merging_limits() -> CompactLimits {
        CompactLimits { close_after: Duration::ZERO, ..Fixture::limits() }
    }

    pub fn compactor(&self) -> Compactor {
        self.compactor_with(Fixture::limits())
    }

    pub fn compactor_with(&self, limits: CompactLimits) -> Compactor {
        Compactor::open(self.layout.clone(), self.catalog.clone(), limits)
    }

    /// Starts a compactor and lets it work until nothing is left to do.
    pub fn compact(&self) -> Compactor {
        self.compact_with(Fixture::limits())
    }

    /// As [`Fixture::compact`], with these limits.
    pub fn compact_with(&self, limits: CompactLimits) -> Compactor {
        let mut compactor = self.compactor_with(limits);
        self.block_on(async {
            compactor.start().await.expect("starts");
            while compactor.pass().await.expect("passes") {}
        });
        compactor
    }

    pub fn journal(&self) -> Journal {
        let handle = self.runtime.handle().clone();
        let folder = self.layout.journal_folder();
        Journal::open(&folder, self.catalog.clone(), handle, JournalLimits::default(), NOW).expect("opens").0
    }

    /// Appends commits of random rows of all tables for two tenants, seals after each `commits_per_segment`, and
    /// gives what was appended. Series rows are not counted.
    pub fn fill(&self, random: &mut Rng, commits: usize, commits_per_segment: usize) -> Multiset {
        let mut journal = self.journal();
        let mut counts = Multiset::new();
        for number in 0..commits {
            let arrival = NOW + number as i64 * SECOND;
            let times = Times { arrival, spread_nanos: 5400 * SECOND };
            let mut parts = Vec::new();
            for tenant in ["default", "other"] {
                let tenant = TenantId::new(tenant).expect("valid");
                parts.push(Part { tenant: tenant.clone(), table: Table::Series, batch: series_batch(times) });
                for table in Table::ALL.into_iter().filter(|table| *table != Table::Series) {
                    if random.u8(..3) == 0 {
                        continue;
                    }
                    let rows = random.usize(1..400);
                    let batch = random_batch(random, table, rows, times);
                    count_rows(&mut counts, tenant.as_str(), table, &batch);
                    parts.push(Part { tenant: tenant.clone(), table, batch });
                }
            }
            let draft = CommitDraft { arrival_unix_nano: arrival, parts, receipts: Vec::new() };
            journal.append(&draft, arrival).expect("appended");
            if (number + 1) % commits_per_segment == 0 {
                journal.seal(arrival).expect("sealed");
            }
        }
        counts
    }

    pub fn live_files(&self) -> Vec<LiveFile> {
        self.block_on(self.catalog.live_files()).expect("read")
    }

    /// Every row that is live: of files, and of segments that no file has taken over. Without series rows.
    pub fn live_rows(&self) -> Multiset {
        let mut counts = Multiset::new();
        for file in self.live_files().iter().filter(|file| file.partition.table != Table::Series) {
            let owner = file.partition.tenant.as_str();
            for batch in self.read(file) {
                count_rows(&mut counts, owner, file.partition.table, &batch);
            }
        }
        for segment in self.block_on(self.catalog.segments()).expect("read") {
            let reader = SegmentReader::open(&self.layout.segment_path(segment.id)).expect("opens");
            let end = match segment.state {
                SegmentState::Listed => End::Live,
                SegmentState::Sealed => End::Sealed(segment.length),
            };
            for commit in reader.read_from(reader.start(), end).expect("reads") {
                for part in commit.expect("a commit").parts().iter().filter(|part| part.table() != Table::Series) {
                    count_rows(&mut counts, part.tenant().as_str(), part.table(), &part.decode().expect("decodes"));
                }
            }
        }
        counts
    }

    pub fn read(&self, file: &LiveFile) -> Vec<arrow::array::RecordBatch> {
        let reader =
            ParquetReader::open(&self.layout, &file.partition, file.id, &MetadataCache::new(1 << 20)).expect("opens");
        let names: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        reader.read(&names, None).expect("reads")
    }

    /// Names below `files/` with this extension.
    pub fn names(&self, extension: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.layout.files_folder()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("lists") {
                let path = entry.expect("an entry").path();
                match path.is_dir() {
                    true => folders.push(path),
                    false if path.extension().is_some_and(|found| found == extension) => found.push(path),
                    false => {}
                }
            }
        }
        found
    }

    pub fn manifests(&self) -> usize {
        std::fs::read_dir(self.layout.manifests_folder()).expect("lists").count()
    }
}
