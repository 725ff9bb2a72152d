//! A group: the requests that go into one commit together.

use std::collections::HashMap;

use journal::{Digest, Receipt, Rejection, SampledRejection, ServiceCounts};
use otlp::{Appended, ServiceTally};
use schema::UNKNOWN_SERVICE;

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
        let noted = self.placed.iter().filter(|placed| placed.receipt.received > 0);
        noted.map(|placed| with_resends(&placed.receipt, placed.followers.len() as u32)).collect()
    }

    pub(crate) fn into_placed(self) -> Vec<Placed> {
        self.placed
    }

    /// All requests, resends behind what they are resends of.
    pub(crate) fn into_jobs(self) -> Vec<Job> {
        self.placed.into_iter().flat_map(|placed| std::iter::once(placed.job).chain(placed.followers)).collect()
    }
}

/// A receipt that says how many records came again.
fn with_resends(receipt: &Receipt, resends: u32) -> Receipt {
    let mut receipt = receipt.clone();
    for counts in &mut receipt.services {
        counts.duplicate = counts.received.saturating_mul(resends);
    }
    receipt
}

/// What became of a service's records.
fn service_counts(tally: &ServiceTally) -> ServiceCounts {
    let rejected = tally.rejected.iter().map(|rejected| SampledRejection {
        reason: rejected.reason.name().to_owned(),
        count: rejected.count,
        sample: rejected.sample.clone(),
    });
    ServiceCounts {
        service: tally.service.as_str().into(),
        received: tally.received,
        stored: tally.stored(),
        duplicate: 0,
        rejected: rejected.collect(),
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
        services: services(job, appended),
    }
}

/// What became of the records, by service. Of those that were turned away nobody knows the service.
fn services(job: &Job, appended: &Appended) -> Vec<ServiceCounts> {
    let mut services: Vec<ServiceCounts> = appended.services.iter().map(service_counts).collect();
    if job.turned_away.is_empty() {
        return services;
    }
    let unknown = services.iter().position(|counts| *counts.service == *UNKNOWN_SERVICE).unwrap_or_else(|| {
        services.push(ServiceCounts {
            service: UNKNOWN_SERVICE.into(),
            received: 0,
            stored: 0,
            duplicate: 0,
            rejected: Vec::new(),
        });
        services.len() - 1
    });
    let counts = &mut services[unknown];
    for (reason, count) in &job.turned_away {
        counts.received = counts.received.saturating_add(*count);
        counts.rejected.push(SampledRejection {
            reason: (*reason).to_owned(),
            count: *count,
            sample: Default::default(),
        });
    }
    services
}
