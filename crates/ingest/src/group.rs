//! A group: the requests that go into one commit together.

use std::collections::HashMap;

use journal::{Digest, Receipt, Rejection};
use otlp::Appended;

use crate::export::Job;

/// A request whose rows are in the buffers.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) job: Job,
    pub(crate) receipt: Receipt,
    /// Resends of it that came while it was in flight: they are answered with it.
    pub(crate) followers: Vec<Job>,
}

/// The requests placed so far.
#[derive(Debug, Default)]
pub(crate) struct Group {
    placed: Vec<Placed>,
    by_digest: HashMap<Digest, usize>,
    body_bytes: usize,
}

impl Group {
    pub(crate) fn len(&self) -> usize {
        self.placed.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.placed.is_empty()
    }

    /// Bytes of the bodies.
    pub(crate) fn body_bytes(&self) -> usize {
        self.body_bytes
    }

    /// Puts a request in; it is recognised from now on if its receipt has a digest.
    pub(crate) fn place(&mut self, job: Job, receipt: Receipt) {
        self.body_bytes += job.body.len();
        if let Some(digest) = receipt.digest {
            self.by_digest.insert(digest, self.placed.len());
        }
        self.placed.push(Placed { job, receipt, followers: Vec::new() });
    }

    /// Lets a resend of a request in the group wait for it; gives it back where it is none.
    pub(crate) fn follow(&mut self, job: Job) -> Option<Job> {
        match self.by_digest.get(&job.digest) {
            Some(at) => {
                self.placed[*at].followers.push(job);
                None
            }
            None => Some(job),
        }
    }

    /// What the commit says about its requests. One without a record leaves no trace.
    pub(crate) fn receipts(&self) -> Vec<Receipt> {
        self.placed.iter().map(|placed| &placed.receipt).filter(|receipt| receipt.received > 0).cloned().collect()
    }

    pub(crate) fn into_placed(self) -> Vec<Placed> {
        self.placed
    }

    /// All requests, resends behind what they are resends of.
    pub(crate) fn into_jobs(self) -> Vec<Job> {
        self.placed.into_iter().flat_map(|placed| std::iter::once(placed.job).chain(placed.followers)).collect()
    }
}

/// The receipt of a request that was appended to the buffers.
pub(crate) fn receipt(job: &Job, appended: &Appended, response: Vec<u8>) -> Receipt {
    Receipt {
        // Without a time of its own in any record, two requests may look the same and both be meant.
        digest: appended.has_own_time.then_some(job.digest),
        tenant: job.tenant.clone(),
        signal: job.signal,
        response,
        received: job.turned_away.iter().fold(appended.received, |sum, (_, count)| sum.saturating_add(*count)),
        stored: appended.stored,
        rejected: appended
            .rejected
            .iter()
            .map(|(reason, count)| (reason.name(), *count))
            .chain(job.turned_away.iter().copied())
            .map(|(reason, count)| Rejection { reason: reason.to_owned(), count })
            .collect(),
        rows: appended.rows.clone(),
    }
}
