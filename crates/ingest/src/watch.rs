//! The watch: what has to be asked for now and then. Requests to flush from the catalog; how much waits to be
//! compacted; how much disk is free.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use catalog::{Catalog, CatalogError};
use tokio::sync::mpsc;

use crate::counters::Refusal;
use crate::export::{Message, Shared};

/// Polls between two looks at backlog and disk; flush requests are looked for at every one.
const POLLS_PER_MEASURE: u32 = 4;

/// Polls until ingest stops.
pub(crate) async fn watch(shared: Arc<Shared>, catalog: Catalog, folder: PathBuf, queue: mpsc::WeakSender<Message>) {
    let mut tick = tokio::time::interval(shared.limits.poll_interval);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut polls = 0_u32;
    loop {
        tick.tick().await;
        let Some(queue) = queue.upgrade() else { return };
        if shared.stopping.load(Ordering::Relaxed) || queue.is_closed() {
            return;
        }
        let is_wanted = match catalog.flush_to_seal().await {
            Ok(Some(request)) => {
                shared.flush_wanted.store(request.0, Ordering::Relaxed);
                true
            }
            Ok(None) => false,
            Err(error) => {
                tracing::warn!(%error, "the catalog could not be asked for requests to flush");
                false
            }
        };
        let is_measure = polls.is_multiple_of(POLLS_PER_MEASURE);
        polls = polls.wrapping_add(1);
        if is_measure {
            measure(&shared, &catalog, &folder).await;
        }
        if is_wanted || is_measure {
            // A full queue means that the committer is awake.
            let _ = queue.try_send(Message::Wake);
        }
    }
}

async fn measure(shared: &Shared, catalog: &Catalog, folder: &Path) {
    let backlog = backlog(shared, catalog).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the catalog could not be asked for the backlog");
        shared.counters().backlog_bytes
    });
    let free = store::free_bytes(folder).unwrap_or_else(|error| {
        tracing::warn!(%error, "the free disk space is unknown");
        u64::MAX
    });
    let refusal = refusal(backlog, free, shared.limits.journal_bytes_max, shared.limits.disk_reserve_bytes);
    let code = match refusal {
        Some(Refusal::Backlog) => 1,
        Some(_) => 2,
        None => 0,
    };
    if shared.watch_refusal.swap(code, Ordering::Relaxed) != code {
        match refusal {
            Some(refusal) => tracing::error!(?refusal, backlog, free, "exports are refused"),
            None => tracing::info!(backlog, free, "exports are taken in again"),
        }
    }
    let mut counters = shared.counters();
    counters.backlog_bytes = backlog;
    counters.free_bytes = free;
}

/// Bytes of the journal that are not in files yet.
async fn backlog(shared: &Shared, catalog: &Catalog) -> Result<u64, CatalogError> {
    let sealed: u64 = catalog.segments().await?.iter().map(|segment| segment.length).sum();
    Ok(sealed + shared.segment_bytes.load(Ordering::Relaxed))
}

/// Why exports are refused at this backlog and with this much disk free, if they are.
fn refusal(backlog: u64, free: u64, journal_bytes_max: u64, disk_reserve_bytes: u64) -> Option<Refusal> {
    if free < disk_reserve_bytes {
        Some(Refusal::DiskReserve)
    } else if backlog > journal_bytes_max {
        Some(Refusal::Backlog)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_refused_beyond_not_at() {
        let check = |backlog, free, expect| assert_eq!(refusal(backlog, free, 100, 10), expect, "{backlog} {free}");
        check(0, 1000, None);
        check(100, 10, None);
        check(101, 10, Some(Refusal::Backlog));
        check(100, 9, Some(Refusal::DiskReserve));
        check(101, 9, Some(Refusal::DiskReserve));
    }
}
