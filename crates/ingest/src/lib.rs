//! Ingest: from a request's first byte to its acknowledgement.
//!
//! Vocabulary: *admission* is room in the one byte budget for all requests in flight; a *group* is the requests of one
//! commit; a *resend* is a request that was stored before, or is being stored; a *refusal* is an answer that asks to
//! send again later.
//!
//! Invariants: success is answered after fdatasync (I1), a refusal means that nothing was stored. Everything is
//! bounded, and beyond a bound there is a refusal, never growth (I7). A request at fault costs itself, never the
//! requests beside it, never the process (I10). No query engine runs here.
//!
//! Layout of the code: [`Ingest`] is what the edges hold; the committer is the one thread that writes; the watch polls
//! the catalog and the disk beside it.

mod admission;
mod census;
mod committer;
mod counters;
mod decompress;
mod export;
mod group;
mod limits;
mod rates;
mod resends;
mod rhythm;
mod watch;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use catalog::Catalog;
use journal::Journal;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

pub use admission::Admission;
pub use census::Census;
pub use counters::{IngestCounters, Refusal, SignalCounters};
pub use decompress::decompress;
pub use export::{ExportError, ExportRequest, ExportResponse, Ingest};
pub use limits::IngestLimits;
pub use rates::RateLimits;

use committer::Committer;
use export::{Message, Shared};

/// The committer while it runs. Dropping it lets it run on until every [`Ingest`] is gone.
#[derive(Debug)]
pub struct Running {
    thread: JoinHandle<Journal>,
    ingest: Ingest,
}

/// Starts ingest on an opened journal: the committer on a thread of its own, the watch on the runtime.
///
/// `folder` is any folder on the data folder's disk.
///
/// # Errors
/// The thread could not be started.
pub fn start(
    journal: Journal,
    catalog: Catalog,
    folder: PathBuf,
    limits: IngestLimits,
    runtime: &Handle,
) -> io::Result<(Ingest, Running)> {
    let (sender, receiver) = mpsc::channel(limits.queue_requests_max.max(1));
    let shared = Arc::new(Shared::new(limits));
    let ingest = Ingest { shared: Arc::clone(&shared), queue: sender };
    let committer = Committer::new(Arc::clone(&shared), journal, catalog.clone(), runtime.clone(), receiver);
    let thread = std::thread::Builder::new().name("committer".into()).spawn(move || committer.run())?;
    runtime.spawn(watch::watch(shared, catalog, folder, ingest.queue.downgrade()));
    Ok((ingest.clone(), Running { thread, ingest }))
}

impl Running {
    /// Ends ingest: refuses what comes from now on, answers everything that was queued before, then returns. Nothing
    /// needs to be sealed for a clean end. Call it once the edges have finished what they had accepted.
    pub async fn drain(self) {
        self.ingest.shared.stopping.store(true, Ordering::Relaxed);
        let _ = self.ingest.queue.send(Message::Wake).await;
        let thread = self.thread;
        // Joining blocks, and so does the end of the journal.
        let joined = tokio::task::spawn_blocking(move || thread.join().map(drop)).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the committer ended badly");
        }
    }
}
