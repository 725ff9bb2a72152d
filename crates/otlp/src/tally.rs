//! The tally: what became of a request's records, service by service, with a sample of what was rejected.
//!
//! Counting costs two copies a resource and nothing a record: what a service sent is what the counts of the request
//! grew by between the beginning and the end of its resource. (In JSON a resource may be named behind its records.)
//! Bounded: so many services are told apart, the rest is counted together; a sample is kept of the first record of a
//! resource that is rejected for a reason, and of so many in a request.

use schema::OTHER_SERVICES;

use crate::notes::RejectReason;
use crate::sample::SampleText;

/// Services of one request that are told apart.
const SERVICES_MAX: usize = 256;

/// Samples of one request.
const SAMPLES_MAX: usize = 16;

type Rejections = [u32; RejectReason::ALL.len()];

/// What became of the records of one service in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceTally {
    /// `service.name`, or what stands in for it.
    pub service: String,
    /// Records in the request.
    pub received: u32,
    /// Those that were not stored, by reason.
    pub rejected: Vec<Rejected>,
}

impl ServiceTally {
    /// Records that were stored.
    pub fn stored(&self) -> u32 {
        self.received - self.rejected.iter().map(|rejected| rejected.count).sum::<u32>()
    }
}

/// Records that were not stored for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The reason.
    pub reason: RejectReason,
    /// How many.
    pub count: u32,
    /// One of them as JSON, as far as it could be read and as much as is kept.
    pub sample: Option<String>,
}

/// The tally while the request is read.
#[derive(Default)]
pub(crate) struct Tally {
    services: Vec<ServiceTally>,
    /// The request's counts when the resource being read began.
    received_before: u32,
    rejected_before: Rejections,
    /// Samples of the resource being read.
    samples: Vec<(RejectReason, String)>,
    samples_kept: usize,
}

impl Tally {
    pub fn begin_resource(&mut self, received: u32, rejected: &Rejections) {
        self.received_before = received;
        self.rejected_before = *rejected;
    }

    pub fn end_resource(&mut self, service: &str, received: u32, rejected: &Rejections) {
        let received = received - self.received_before;
        if received == 0 {
            return;
        }
        let rejected_before = self.rejected_before;
        let mut samples = std::mem::take(&mut self.samples);
        let tally = self.service(service);
        tally.received += received;
        for (reason, (now, before)) in RejectReason::ALL.into_iter().zip(rejected.iter().zip(rejected_before)) {
            if *now > before {
                let sample = samples.iter_mut().find(|(of, _)| *of == reason).map(|(_, text)| std::mem::take(text));
                tally.reject(reason, now - before, sample);
            }
        }
    }

    /// The tally of a service; of the last resource's most often.
    fn service(&mut self, name: &str) -> &mut ServiceTally {
        let find = |services: &[ServiceTally], name: &str| services.iter().rposition(|tally| tally.service == name);
        let at = find(&self.services, name).or_else(|| {
            // One place is kept for the rest.
            (self.services.len() >= SERVICES_MAX - 1).then(|| find(&self.services, OTHER_SERVICES)).flatten()
        });
        let at = at.unwrap_or_else(|| {
            let name = if self.services.len() < SERVICES_MAX - 1 { name } else { OTHER_SERVICES };
            self.services.push(ServiceTally { service: name.to_owned(), received: 0, rejected: Vec::new() });
            self.services.len() - 1
        });
        &mut self.services[at]
    }

    /// Keeps a sample of a record that was rejected, unless there is one of its like.
    pub fn sample(&mut self, reason: RejectReason, bytes_max: usize, write: impl FnOnce(&mut SampleText)) {
        if bytes_max == 0 || self.samples_kept >= SAMPLES_MAX || self.samples.iter().any(|(of, _)| *of == reason) {
            return;
        }
        let mut text = SampleText::new(bytes_max);
        write(&mut text);
        self.samples.push((reason, text.finish()));
        self.samples_kept += 1;
    }

    /// Drops the samples that are not let in.
    pub fn thin(&mut self, mut admits: impl FnMut(&str, RejectReason) -> bool) {
        for ServiceTally { service, rejected, .. } in &mut self.services {
            for Rejected { reason, sample, .. } in rejected {
                sample.take_if(|_| !admits(service, *reason));
            }
        }
    }

    pub fn take(&mut self) -> Vec<ServiceTally> {
        std::mem::take(&mut self.services)
    }
}

impl ServiceTally {
    fn reject(&mut self, reason: RejectReason, count: u32, sample: Option<String>) {
        match self.rejected.iter_mut().find(|rejected| rejected.reason == reason) {
            Some(rejected) => {
                rejected.count += count;
                rejected.sample = sample.or(rejected.sample.take());
            }
            None => self.rejected.push(Rejected { reason, count, sample }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_more_than_is_told_apart_is_counted_together() {
        let mut tally = Tally::default();
        let mut received = 0;
        for round in 0..2 {
            for number in 0..1000 {
                tally.begin_resource(received, &Rejections::default());
                received += 1 + round;
                tally.end_resource(&format!("service-{number}"), received, &Rejections::default());
            }
        }
        let services = tally.take();
        assert_eq!(services.len(), SERVICES_MAX);
        assert_eq!(services.iter().map(|service| service.received).sum::<u32>(), received);
        assert!(services[..255].iter().all(|service| service.received == 3));
        assert_eq!((services[255].service.as_str(), services[255].received), (OTHER_SERVICES, 745 * 3));
    }

    #[test]
    fn a_sample_is_kept_of_each_reason_and_of_so_many_in_all() {
        let mut tally = Tally::default();
        let mut rejected = Rejections::default();
        for resource in 0..20_u32 {
            tally.begin_resource(resource * 4, &rejected);
            for reason in [RejectReason::InvalidTraceId, RejectReason::InvalidSpanId, RejectReason::InvalidSpanId] {
                rejected[reason as usize] += 1;
                tally.sample(reason, 100, |text| text.push(&format!("{resource}")));
            }
            tally.end_resource(&format!("service-{}", resource % 10), resource * 4 + 4, &rejected);
        }
        let services = tally.take();
        assert!(services.iter().all(|service| (service.received, service.stored()) == (8, 2)), "{services:?}");
        assert!(
            services.iter().all(|service| {
                service.rejected.iter().map(|rejected| rejected.count).collect::<Vec<_>>() == [2, 4]
            })
        );
        let samples = services.iter().flat_map(|service| &service.rejected).filter_map(|each| each.sample.as_deref());
        assert_eq!(
            samples.collect::<Vec<_>>(),
            ["0", "0", "1", "1", "2", "2", "3", "3", "4", "4", "5", "5", "6", "6", "7", "7"]
        );
    }
}
