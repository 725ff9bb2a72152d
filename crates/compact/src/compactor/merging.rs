//! When the compactor merges: once nothing waits to be flushed, one merge a pass, while there is room on the disk.
//!
//! `spyhop compact --now` closes hours early: every file that is live once its flush is done is merged as if its hour
//! were closed. Files flushed after that do not count, so that it ends however much comes in meanwhile.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use catalog::{LiveFile, RequestId};
use model::{FileId, Partition, SequenceNumber};
use tokio::runtime::Handle;

use super::{Change, Compactor, blocking};
use crate::error::CompactError;
use crate::merge::{Merged, merge_files};
use crate::merge_plan::{self, Closing, MergePlan};

/// How long after a look that found nothing to merge, or no room, the next one is taken.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// What merging remembers from pass to pass.
#[derive(Debug, Default)]
pub(super) struct Merging {
    /// Merges planned and not done yet. Only the compactor removes files, so they stay possible.
    planned: VecDeque<Vec<LiveFile>>,
    /// When this process last flushed into a partition, as long as that matters.
    flushed_at: BTreeMap<Partition, i64>,
    /// Live files that cannot be merged, and why.
    left_alone: BTreeMap<FileId, String>,
    /// The catalog's number at the last look.
    looked_at: Option<SequenceNumber>,
    /// When the next hour closes, as far as the last look could tell.
    next_close: Option<i64>,
    look_next: Option<Instant>,
    request: Option<RequestedMerges>,
}

/// Merges that a flush request asked for.
#[derive(Debug)]
struct RequestedMerges {
    request: RequestId,
    /// The files it asked for, as they are now.
    files: BTreeSet<FileId>,
    planned: VecDeque<Vec<LiveFile>>,
}

impl Merging {
    /// Whether there may be something to merge.
    pub fn is_due(&self, sequence: SequenceNumber, steady: Instant, now: i64) -> bool {
        let is_new = self.looked_at != Some(sequence) || self.next_close.is_some_and(|at| at <= now);
        let may_look = self.look_next.is_none_or(|at| steady >= at);
        may_look && (!self.planned.is_empty() || is_new)
    }

    /// Notes a flush into these partitions.
    pub fn note_flush<'a>(&mut self, partitions: impl Iterator<Item = &'a Partition>, now: i64) {
        for partition in partitions {
            self.flushed_at.insert(partition.clone(), now);
        }
    }

    /// Forgets what was planned: the live files have changed otherwise.
    pub fn forget_planned(&mut self) {
        self.planned.clear();
        self.looked_at = None;
        if let Some(request) = &mut self.request {
            request.planned.clear();
        }
    }
}

/// What became of a merge.
enum Outcome {
    /// Its output took the place of these files.
    Done(FileId, Vec<LiveFile>),
    /// One of its files is left alone from now on.
    Changed,
    /// There is no room for it now.
    Held,
    /// The process is to stop.
    Stopped,
}

/// Whether the reserve stays untouched while a merge writes as much again as it reads, with sidecars.
fn has_room(free: u64, reserve: u64, input_bytes: u64) -> bool {
    free >= reserve.saturating_add(input_bytes.saturating_mul(2))
}

impl Compactor {
    /// Does the next merge, where one is due. Says whether there may be more to do at once.
    pub(super) async fn merge_if_due(&mut self, sequence: SequenceNumber) -> Result<bool, CompactError> {
        let steady = Instant::now();
        if !self.merging.is_due(sequence, steady, self.catalog.now()) {
            return Ok(false);
        }
        if self.merging.planned.is_empty() {
            let live = self.catalog.live_files().await?;
            let now = self.catalog.now();
            let plan = self.plan_merges(&live, Closing::At(now));
            let waiting = plan.hours_waiting;
            self.status.change(|status| status.hours_waiting = waiting);
            self.merging.looked_at = Some(sequence);
            self.merging.next_close = plan.next_close;
            self.merging.planned = plan.merges.into();
        }
        let Some(inputs) = self.merging.planned.pop_front() else {
            self.merging.look_next = Some(steady + LOOK_INTERVAL.min(self.limits.close_after));
            return Ok(false);
        };
        self.merging.look_next = None;
        match self.merge(inputs).await? {
            Outcome::Done(..) => Ok(true),
            Outcome::Changed => {
                self.merging.looked_at = None;
                Ok(true)
            }
            Outcome::Stopped => Ok(false),
            Outcome::Held => {
                self.merging.forget_planned();
                self.merging.look_next = Some(steady + LOOK_INTERVAL);
                Ok(false)
            }
        }
    }

    /// Does the next merge of those that this request asks for, whose flush is done. Says whether it did one.
    pub(super) async fn merge_for_request(&mut self, request: RequestId) -> Result<bool, CompactError> {
        let mut live = None;
        let mut asked = match self.merging.request.take().filter(|asked| asked.request == request) {
            Some(asked) => asked,
            None => {
                let files = live.insert(self.catalog.live_files().await?).iter().map(|file| file.id).collect();
                RequestedMerges { request, files, planned: VecDeque::new() }
            }
        };
        if asked.planned.is_empty() {
            let mut live = match live {
                Some(live) => live,
                None => self.catalog.live_files().await?,
            };
            live.retain(|file| asked.files.contains(&file.id));
            asked.planned = self.plan_merges(&live, Closing::All).merges.into();
        }
        let Some(inputs) = asked.planned.pop_front() else { return Ok(false) };
        // What was planned at leisure may have the same inputs.
        self.merging.forget_planned();
        match self.merge(inputs).await? {
            Outcome::Done(output, inputs) => {
                asked.files.retain(|id| inputs.iter().all(|file| file.id != *id));
                asked.files.insert(output);
            }
            Outcome::Changed | Outcome::Stopped => asked.planned.clear(),
            Outcome::Held => {
                tracing::warn!("a request to compact is fulfilled without its merges");
                return Ok(false);
            }
        }
        self.merging.request = Some(asked);
        Ok(true)
    }

    fn plan_merges(&mut self, live: &[LiveFile], closing: Closing) -> MergePlan {
        let ids: BTreeSet<FileId> = live.iter().map(|file| file.id).collect();
        if closing != Closing::All {
            self.merging.left_alone.retain(|id, _| ids.contains(id));
        }
        let now = self.catalog.now();
        let matters = i64::try_from(self.limits.close_after.as_nanos()).unwrap_or(i64::MAX);
        self.merging.flushed_at.retain(|_, at| now.saturating_sub(*at) <= matters && *at <= now);
        let left_alone = self.merging.left_alone.keys().copied().collect();
        merge_plan::plan(live, closing, &left_alone, &self.merging.flushed_at, &self.limits)
    }

    /// Merges these files of one partition: one swap.
    async fn merge(&mut self, inputs: Vec<LiveFile>) -> Result<Outcome, CompactError> {
        let input_bytes: u64 = inputs.iter().map(|file| file.bytes).sum();
        let free = store::free_bytes(self.layout.root())?;
        let is_held = !has_room(free, self.limits.disk_reserve_bytes, input_bytes);
        if is_held && !self.status.read().merges_held {
            tracing::warn!(free_bytes = free, "merges wait: the disk's reserve is kept for the journal and its flush");
        }
        self.status.change(|status| status.merges_held = is_held);
        if is_held {
            return Ok(Outcome::Held);
        }
        let began = Instant::now();
        let (layout, catalog, settings) = (self.layout.clone(), self.catalog.clone(), self.settings.clone());
        let (limits, stop, runtime) = (self.limits.clone(), self.stop.clone(), Handle::current());
        let merged = blocking(move || {
            let mut draw = |count| Ok(runtime.block_on(catalog.draw_file_ids(count))?);
            merge_files(&layout, &inputs, &limits, &settings, &mut draw, &|| stop.is_cancelled())
        });
        match merged.await? {
            Merged::Stopped => Ok(Outcome::Stopped),
            Merged::LeaveAlone(id, reason) => {
                tracing::warn!(file = %id, reason, "a file is left out of merges");
                self.merging.left_alone.insert(id, reason);
                Ok(Outcome::Changed)
            }
            Merged::Output { output, inputs } => {
                let (partition, rows, bytes) = (output.partition.clone(), output.rows, output.bytes);
                let (id, files) = (output.id, inputs.len() as u64);
                self.commit(Change { add: vec![output], remove: inputs.clone(), ..Change::default() }).await?;
                let micros = began.elapsed().as_micros() as u64;
                self.status.change(|status| {
                    status.merges += 1;
                    status.files_merged += files;
                    status.rows_merged += rows;
                    status.bytes_merged += bytes;
                    status.merge_micros += micros;
                });
                tracing::info!(%partition, files, rows, bytes, milliseconds = micros / 1000, "merged");
                Ok(Outcome::Done(id, inputs))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_not_touched() {
        let check = |free, reserve, inputs, expect| assert_eq!(has_room(free, reserve, inputs), expect, "{free}");
        check(100, 80, 10, true);
        check(99, 80, 10, false);
        check(0, 0, 0, true);
        check(u64::MAX, u64::MAX, 1, true);
        check(u64::MAX - 1, u64::MAX, 1, false);
    }

    #[test]
    fn a_look_is_due_when_something_has_changed() {
        let start = Instant::now();
        let check = |merging: &Merging, sequence: u64, seconds: u64, now: i64, expect: bool| {
            let steady = start + Duration::from_secs(seconds);
            assert_eq!(merging.is_due(SequenceNumber(sequence), steady, now), expect, "{sequence} {seconds} {now}");
        };
        let mut merging = Merging::default();
        check(&merging, 5, 0, 0, true);
        merging.looked_at = Some(SequenceNumber(5));
        merging.look_next = Some(start + Duration::from_secs(5));
        merging.next_close = Some(100);
        check(&merging, 5, 5, 99, false);
        check(&merging, 5, 5, 100, true);
        check(&merging, 6, 4, 99, false);
        check(&merging, 6, 5, 99, true);
        merging.planned.push_back(Vec::new());
        check(&merging, 5, 5, 99, true);
        merging.forget_planned();
        check(&merging, 5, 5, 99, true);
    }
}
