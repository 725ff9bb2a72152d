//! Rates: how much a tenant and a service may send a second, over a burst of a few seconds.
//!
//! Each limit is a bucket of tokens that fills at the limit's rate up to a burst's worth. A request is let in where
//! every bucket it draws from has a whole token in it, and draws what it is; a large one leaves a debt that the next ones
//! wait for, so that no request is too large for ever. One bucket that is empty refuses the request whole, and then
//! nothing is drawn. Time is passed in.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use model::TenantId;

use crate::census::Census;

/// How much may be sent; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Bytes of bodies, inflated, that a tenant may send a second.
    pub tenant_bytes_per_second: u64,
    /// Records that a tenant may send a second.
    pub tenant_records_per_second: u64,
    /// Records that each service of a tenant may send a second.
    pub service_records_per_second: u64,
    /// How long a sender that was silent may send without a limit's worth being exceeded.
    pub burst: Duration,
    /// Services that have a bucket of their own; more share one.
    pub services_max: usize,
}

impl Default for RateLimits {
    fn default() -> RateLimits {
        RateLimits {
            tenant_bytes_per_second: 0,
            tenant_records_per_second: 0,
            service_records_per_second: 0,
            burst: Duration::from_secs(5),
            services_max: 10_000,
        }
    }
}

/// Longest wait that is asked for: exporters give a request up after about ten seconds.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Buckets that are full are looked for once in this time, when there are too many.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// A token, but for what adding up fractions loses.
const WHOLE: f64 = 1.0 - 1e-6;

/// What a full bucket holds: a burst's worth, and never so little that nothing could ever pass.
fn full(per_second: u64, burst: Duration) -> f64 {
    (per_second as f64 * burst.as_secs_f64()).max(1.0)
}

/// What a bucket limits, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Whose {
    TenantBytes(TenantId),
    TenantRecords(TenantId),
    /// Without a name: services beyond those that have a bucket of their own.
    ServiceRecords(TenantId, Option<String>),
}

/// A limit that a request is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Over {
    whose: Whose,
    per_second: u64,
    pub(crate) retry_after: Duration,
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.per_second;
        match &self.whose {
            Whose::TenantBytes(tenant) => {
                write!(f, "tenant '{tenant}' sends more than {rate} bytes a second (limits.tenant_bytes_per_second)")
            }
            Whose::TenantRecords(tenant) => {
                write!(
                    f,
                    "tenant '{tenant}' sends more than {rate} records a second (limits.tenant_records_per_second)"
                )
            }
            Whose::ServiceRecords(_, Some(service)) => {
                write!(
                    f,
                    "service '{service}' sends more than {rate} records a second (limits.service_records_per_second)"
                )
            }
            Whose::ServiceRecords(_, None) => write!(
                f,
                "there are too many services, and those that came last send more than {rate} records a second together \
                 (limits.services_max, limits.service_records_per_second)"
            ),
        }?;
        f.write_str("; send again later")
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    /// Tokens; below nothing is a debt.
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// What is in it by now.
    fn at(self, now: Instant, per_second: u64, burst: Duration) -> f64 {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * per_second as f64;
        (self.tokens + gained).min(full(per_second, burst))
    }
}

/// Every bucket.
#[derive(Debug)]
pub(crate) struct Rates {
    limits: RateLimits,
    buckets: HashMap<Whose, Bucket>,
    services: usize,
    swept: Option<Instant>,
}

impl Rates {
    pub(crate) fn new(limits: RateLimits) -> Rates {
        Rates { limits, buckets: HashMap::new(), services: 0, swept: None }
    }

    /// Lets a request in and draws what it is, or says which limit it is over.
    pub(crate) fn admit(&mut self, tenant: &TenantId, bytes: usize, census: &Census, now: Instant) -> Result<(), Over> {
        let limits = self.limits;
        let mut draws = vec![
            (Whose::TenantBytes(tenant.clone()), limits.tenant_bytes_per_second, bytes as u64),
            (Whose::TenantRecords(tenant.clone()), limits.tenant_records_per_second, census.records()),
        ];
        if limits.service_records_per_second > 0 {
            for (service, records) in &census.services {
                let whose = self.service(tenant, service, now);
                draws.push((whose, limits.service_records_per_second, *records));
            }
        }
        draws.retain(|(_, per_second, amount)| *per_second > 0 && *amount > 0);
        for (whose, per_second, _) in &draws {
            let tokens = self.tokens(whose, *per_second, now);
            if tokens < WHOLE {
                let wait = Duration::from_millis(((1.0 - tokens) / *per_second as f64 * 1000.0).round() as u64);
                return Err(Over { whose: whose.clone(), per_second: *per_second, retry_after: wait.min(WAIT_MAX) });
            }
        }
        for (whose, per_second, amount) in draws {
            // Drawn one after the other: services that share a bucket draw from what the one before has left.
            let tokens = self.tokens(&whose, per_second, now) - amount as f64;
            let is_service = matches!(whose, Whose::ServiceRecords(..));
            let is_new = self.buckets.insert(whose, Bucket { tokens, filled: now }).is_none();
            self.services += usize::from(is_service && is_new);
        }
        Ok(())
    }

    /// What is in a bucket; one that is not kept is full.
    fn tokens(&self, whose: &Whose, per_second: u64, now: Instant) -> f64 {
        let burst = self.limits.burst;
        self.buckets.get(whose).map_or(full(per_second, burst), |bucket| bucket.at(now, per_second, burst))
    }

    /// Whose bucket a service's records are drawn from.
    fn service(&mut self, tenant: &TenantId, service: &str, now: Instant) -> Whose {
        let own = Whose::ServiceRecords(tenant.clone(), Some(service.to_owned()));
        if self.buckets.contains_key(&own) {
            return own;
        }
        if self.services >= self.limits.services_max {
            self.sweep(now);
        }
        if self.services < self.limits.services_max { own } else { Whose::ServiceRecords(tenant.clone(), None) }
    }

    /// Forgets services whose bucket is full again: a new one would be as full.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP_INTERVAL) {
            return;
        }
        self.swept = Some(now);
        let RateLimits { service_records_per_second: per_second, burst, .. } = self.limits;
        self.buckets.retain(|whose, bucket| {
            !matches!(whose, Whose::ServiceRecords(..)) || bucket.at(now, per_second, burst) < full(per_second, burst)
        });
        self.services = self.buckets.keys().filter(|whose| matches!(whose, Whose::ServiceRecords(..))).count();
    }
}

impl RateLimits {
    /// Whether anything is limited.
    pub(crate) fn are_on(&self) -> bool {
        self.tenant_bytes_per_second > 0 || self.is_census_needed()
    }

    /// Whether records have to be counted.
    pub(crate) fn is_census_needed(&self) -> bool {
        self.tenant_records_per_second > 0 || self.service_records_per_second > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn census(services: &[(&str, u64)]) -> Census {
        Census {
            services: services.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
            ..Census::default()
        }
    }

    struct Clocked {
        rates: Rates,
        begun: Instant,
    }

    impl Clocked {
        fn new(limits: RateLimits) -> Clocked {
            Clocked { rates: Rates::new(limits), begun: Instant::now() }
        }

        fn send(&mut self, at_ms: u64, bytes: usize, services: &[(&str, u64)], expect: Option<(&str, u64)>) {
            let now = self.begun + Duration::from_millis(at_ms);
            let found = self.rates.admit(&TenantId::default(), bytes, &census(services), now);
            match (found, expect) {
                (Ok(()), None) => {}
                (Err(over), Some((part, retry_ms))) => {
                    assert!(over.to_string().contains(part), "{over} at {at_ms}");
                    assert_eq!(over.retry_after.as_millis() as u64, retry_ms, "{over} at {at_ms}");
                }
                (found, expect) => panic!("{found:?} instead of {expect:?} at {at_ms}"),
            }
        }
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let limits =
            RateLimits { tenant_records_per_second: 100, burst: Duration::from_secs(2), ..RateLimits::default() };
        let mut sender = Clocked::new(limits);
        sender.send(0, 1, &[("a", 199)], None);
        sender.send(0, 1, &[("a", 1)], None);
        sender.send(0, 1, &[("a", 1)], Some(("tenant 'default' sends more than 100 records", 10)));
        sender.send(9, 1, &[("b", 1)], Some(("limits.tenant_records_per_second", 1)));
        sender.send(20, 1, &[("b", 1)], None);
        // However long it was silent, a burst is all that is saved.
        sender.send(60_000, 1, &[("a", 200)], None);
        sender.send(60_000, 1, &[("a", 1)], Some(("tenant", 10)));
        // A request without records draws nothing.
        sender.send(60_000, 1, &[], None);
        sender.send(60_000, 1_000_000, &[], None);
    }

    #[test]
    fn a_request_larger_than_a_burst_passes_and_leaves_a_debt() {
        let limits =
            RateLimits { tenant_bytes_per_second: 1000, burst: Duration::from_secs(1), ..RateLimits::default() };
        let mut sender = Clocked::new(limits);
        sender.send(0, 3000, &[], None);
        sender.send(1999, 1, &[], Some(("sends more than 1000 bytes", 2)));
        sender.send(0, 1, &[], Some(("bytes", 2001)));
        sender.send(2001, 100_000, &[], None);
        // The wait that is asked for stays one that exporters keep.
        sender.send(2001, 1, &[], Some(("bytes", 5000)));
    }

    #[test]
    fn a_request_is_refused_whole_where_one_of_its_services_is_over() {
        let limits = RateLimits {
            service_records_per_second: 10,
            tenant_records_per_second: 1000,
            burst: Duration::from_secs(1),
            ..RateLimits::default()
        };
        let mut sender = Clocked::new(limits);
        sender.send(0, 1, &[("cart", 10)], None);
        sender.send(0, 1, &[("cart", 1), ("shop", 10)], Some(("service 'cart' sends more than 10 records", 100)));
        // Nothing was drawn for the other one.
        sender.send(0, 1, &[("shop", 10)], None);
        sender.send(0, 1, &[("shop", 1)], Some(("service 'shop'", 100)));
    }

    #[test]
    fn services_beyond_the_bound_share_a_bucket() {
        let limits = RateLimits {
            service_records_per_second: 10,
            services_max: 3,
            burst: Duration::from_secs(1),
            ..RateLimits::default()
        };
        let mut sender = Clocked::new(limits);
        for name in ["a", "b", "c"] {
            sender.send(0, 1, &[(name, 5)], None);
        }
        sender.send(0, 1, &[("d", 10)], None);
        sender.send(0, 1, &[("e", 1)], Some(("limits.services_max", 100)));
        sender.send(0, 1, &[("a", 5)], None);
        assert!(sender.rates.buckets.len() <= 4);
        // Once the first ones have been silent, there is room again.
        sender.send(2_000, 1, &[("e", 10)], None);
        sender.send(2_000, 1, &[("f", 10)], None);
        assert!(sender.rates.buckets.len() <= 3, "{:?}", sender.rates.buckets);
    }
}
