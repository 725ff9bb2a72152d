//! Digests and receipts: how a resend is recognised, what it is answered with, and what became of whose records.
//!
//! A receipt on disk says how long it is, and what it says has grown at its end: a part that counts by service follows
//! the rest, behind a version of its own. Receipts written before it have none, and builds that do not know it pass it
//! over, so that neither needs another format of segments.

use std::ops::Range;
use std::sync::Arc;

use model::{Signal, Table, TenantId};
use schema::OTHER_SERVICES;

use crate::wire::{Take, put_short_text};

/// What a request is recognised by when it is sent again: 128 bits of BLAKE3.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// The digest of a request: who sent it, what it is, and its body after decompression.
    pub fn of(tenant: &TenantId, signal: Signal, content_type: &str, body: &[u8]) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for part in [tenant.as_str(), signal.name(), content_type] {
            hasher.update(&(part.len() as u32).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.update(body);
        let mut digest = [0; 16];
        digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Digest(digest)
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Records of a request that were not stored, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Name of the reason, as the ledger shows it.
    pub reason: String,
    /// How many records.
    pub count: u32,
}

/// Records of one service in a request, or in requests that were sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCounts {
    /// `service.name`, or what stands in for it.
    pub service: Arc<str>,
    /// Records in the request.
    pub received: u32,
    /// Records of it that are in the commit.
    pub stored: u32,
    /// Records that came again, in requests that were recognised; not among the received.
    pub duplicate: u32,
    /// Records that were not stored, by reason.
    pub rejected: Vec<SampledRejection>,
}

/// Records of one service that were not stored, and one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampledRejection {
    /// Name of the reason.
    pub reason: String,
    /// How many records.
    pub count: u32,
    /// One of them, in words for people.
    pub sample: Option<String>,
}

/// What a commit says about one request in it. One that says only how many records came again has nothing but its
/// tenant, its signal and [`Receipt::services`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What a resend of it is recognised by; none where no record carries a time of its own.
    pub digest: Option<Digest>,
    /// Who sent it.
    pub tenant: TenantId,
    /// Which signal.
    pub signal: Signal,
    /// The body it is answered with, and every resend of it; the words of the refusal where no record was stored.
    pub response: Vec<u8>,
    /// Records in the request.
    pub received: u32,
    /// Records of it that are in the commit.
    pub stored: u32,
    /// Records of it that are not.
    pub rejected: Vec<Rejection>,
    /// Its rows in the commit's parts of its tenant.
    pub rows: Vec<(Table, Range<u32>)>,
    /// The counts by service; none in a receipt of a build that did not tell services apart.
    pub services: Vec<ServiceCounts>,
}

/// Whose records a request holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owners {
    /// All are of one service.
    One(Arc<str>),
    /// So many of each.
    Several(Arc<[(Arc<str>, u32)]>),
}

impl Owners {
    /// Each service with its share of a request of so many records.
    pub fn shares(&self, received: u32) -> Vec<(Arc<str>, u32)> {
        match self {
            Owners::One(service) => vec![(Arc::clone(service), received)],
            Owners::Several(shares) => shares.to_vec(),
        }
    }
}

/// What is kept of a receipt as long as a resend may come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReceipt {
    /// The body the request was answered with, as [`Receipt::response`] has it.
    pub response: Vec<u8>,
    /// Records in the request.
    pub received: u32,
    /// Records of it that were stored.
    pub stored: u32,
    /// Whose they are.
    pub owners: Owners,
}

/// What the part by service begins with.
const SERVICES_VERSION: u8 = 1;

impl Receipt {
    /// A receipt for records that came again and were not stored again.
    pub fn of_resends(tenant: TenantId, signal: Signal, services: Vec<ServiceCounts>) -> Receipt {
        Receipt {
            digest: None,
            tenant,
            signal,
            response: Vec::new(),
            received: 0,
            stored: 0,
            rejected: Vec::new(),
            rows: Vec::new(),
            services,
        }
    }

    /// Whose records the request holds.
    pub(crate) fn owners(&self) -> Owners {
        match &self.services[..] {
            [] => Owners::One(OTHER_SERVICES.into()),
            [only] => Owners::One(Arc::clone(&only.service)),
            several => {
                Owners::Several(several.iter().map(|counts| (Arc::clone(&counts.service), counts.received)).collect())
            }
        }
    }

    /// Appends the receipt; its first four bytes are the length of what follows.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        let signal = Signal::ALL.iter().position(|signal| *signal == self.signal).unwrap_or_default();
        out.push(u8::from(self.digest.is_some()));
        out.push(signal as u8);
        if let Some(digest) = &self.digest {
            out.extend_from_slice(&digest.0);
        }
        put_short_text(out, self.tenant.as_str());
        out.extend_from_slice(&self.received.to_le_bytes());
        out.extend_from_slice(&self.stored.to_le_bytes());
        let kinds = self.rejected.len().min(usize::from(u8::MAX));
        out.push(kinds as u8);
        for rejection in &self.rejected[..kinds] {
            put_short_text(out, &rejection.reason);
            out.extend_from_slice(&rejection.count.to_le_bytes());
        }
        out.push(self.rows.len().min(usize::from(u8::MAX)) as u8);
        for (table, rows) in self.rows.iter().take(usize::from(u8::MAX)) {
            out.push(table.number());
            out.extend_from_slice(&rows.start.to_le_bytes());
            out.extend_from_slice(&rows.end.to_le_bytes());
        }
        out.extend_from_slice(&(self.response.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.response);
        self.encode_services(out);
        let length = (out.len() - start - 4) as u32;
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// Version u8 · services u16 · for each: name · received u32 · stored u32 · duplicate u32 · reasons u8 · for each:
    /// name · count u32 · bytes of the sample u16 · the sample.
    fn encode_services(&self, out: &mut Vec<u8>) {
        let services = self.services.len().min(usize::from(u16::MAX));
        if services == 0 {
            return;
        }
        out.push(SERVICES_VERSION);
        out.extend_from_slice(&(services as u16).to_le_bytes());
        for counts in &self.services[..services] {
            put_short_text(out, &counts.service);
            for count in [counts.received, counts.stored, counts.duplicate] {
                out.extend_from_slice(&count.to_le_bytes());
            }
            let kinds = counts.rejected.len().min(usize::from(u8::MAX));
            out.push(kinds as u8);
            for rejection in &counts.rejected[..kinds] {
                put_short_text(out, &rejection.reason);
                out.extend_from_slice(&rejection.count.to_le_bytes());
                let sample = rejection.sample.as_deref().unwrap_or_default();
                let length = sample.floor_char_boundary(usize::from(u16::MAX));
                out.extend_from_slice(&(length as u16).to_le_bytes());
                out.extend_from_slice(&sample.as_bytes()[..length]);
            }
        }
    }

    fn decode_services(take: &mut Take<'_>) -> Option<Vec<ServiceCounts>> {
        if take.left() == 0 {
            return Some(Vec::new());
        }
        // A later version says the same and more behind it.
        take.u8()?;
        (0..take.u16()?)
            .map(|_| {
                let service = take.short_text()?.into();
                let (received, stored, duplicate) = (take.u32()?, take.u32()?, take.u32()?);
                let rejected = (0..take.u8()?).map(|_| SampledRejection::decode(take)).collect::<Option<Vec<_>>>()?;
                Some(ServiceCounts { service, received, stored, duplicate, rejected })
            })
            .collect()
    }

    /// Reads what [`Receipt::encode`] wrote.
    pub(crate) fn decode(take: &mut Take<'_>) -> Option<Receipt> {
        let length = take.u32()? as usize;
        let mut take = Take::new(take.bytes(length)?);
        let has_digest = take.u8()? != 0;
        let signal = *Signal::ALL.get(usize::from(take.u8()?))?;
        let digest = match has_digest {
            true => Some(Digest(take.bytes(16)?.try_into().ok()?)),
            false => None,
        };
        let tenant = TenantId::new(take.short_text()?).ok()?;
        let (received, stored) = (take.u32()?, take.u32()?);
        let mut rejected = Vec::new();
        for _ in 0..take.u8()? {
            rejected.push(Rejection { reason: take.short_text()?.to_owned(), count: take.u32()? });
        }
        let mut rows = Vec::new();
        for _ in 0..take.u8()? {
            rows.push((Table::from_number(take.u8()?)?, take.u32()?..take.u32()?));
        }
        let response_length = take.u32()? as usize;
        let response = take.bytes(response_length)?.to_vec();
        let services = Receipt::decode_services(&mut take)?;
        Some(Receipt { digest, tenant, signal, response, received, stored, rejected, rows, services })
    }
}

impl SampledRejection {
    fn decode(take: &mut Take<'_>) -> Option<SampledRejection> {
        let reason = take.short_text()?.to_owned();
        let count = take.u32()?;
        let length = usize::from(take.u16()?);
        let sample = std::str::from_utf8(take.bytes(length)?).ok()?;
        Some(SampledRejection { reason, count, sample: (!sample.is_empty()).then(|| sample.to_owned()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_come_back() {
        let tenant = TenantId::new("acme").expect("an id");
        let check = |receipt: &Receipt| {
            let mut out = Vec::new();
            receipt.encode(&mut out);
            assert_eq!(Receipt::decode(&mut Take::new(&out)).as_ref(), Some(receipt));
            for cut in 0..out.len() {
                assert_eq!(Receipt::decode(&mut Take::new(&out[..cut])), None, "cut at {cut}");
            }
        };
        let plain = Receipt {
            digest: None,
            tenant: tenant.clone(),
            signal: Signal::Traces,
            response: Vec::new(),
            received: 0,
            stored: 0,
            rejected: Vec::new(),
            rows: Vec::new(),
            services: Vec::new(),
        };
        check(&plain);
        let cart = ServiceCounts { service: "cart".into(), received: 0, stored: 0, duplicate: 9, rejected: Vec::new() };
        check(&Receipt::of_resends(tenant.clone(), Signal::Logs, vec![cart.clone()]));
        let rejection = |reason: &str, sample: Option<&str>| SampledRejection {
            reason: reason.to_owned(),
            count: 3,
            sample: sample.map(str::to_owned),
        };
        let shop = ServiceCounts {
            service: "é".repeat(100).into(),
            received: 8,
            stored: 2,
            duplicate: 0,
            rejected: vec![rejection("a", Some("{\"é\":1}")), rejection("b", None)],
        };
        check(&Receipt {
            digest: Some(Digest::of(&tenant, Signal::Metrics, "json", b"{}")),
            signal: Signal::Metrics,
            response: b"partial".to_vec(),
            received: 7,
            stored: 5,
            rejected: vec![Rejection { reason: "invalid_time".into(), count: 2 }],
            rows: vec![(Table::Points, 3..8), (Table::Series, 0..1)],
            services: vec![cart, shop],
            ..plain
        });
    }

    /// As builds before the part by service wrote them, and read what is behind the response.
    #[test]
    fn receipts_with_and_without_services_are_read_alike() {
        let tenant = TenantId::new("acme").expect("an id");
        let with = Receipt {
            received: 5,
            stored: 5,
            response: b"{}".to_vec(),
            ..Receipt::of_resends(
                tenant,
                Signal::Logs,
                vec![ServiceCounts { service: "a".into(), received: 5, stored: 5, duplicate: 0, rejected: Vec::new() }],
            )
        };
        let without = Receipt { services: Vec::new(), ..with.clone() };
        let (mut new, mut old) = (Vec::new(), Vec::new());
        with.encode(&mut new);
        without.encode(&mut old);
        assert_eq!(new[4..old.len()], old[4..], "the part by service is behind everything else");
        assert_eq!(without.owners(), Owners::One(OTHER_SERVICES.into()));
        new.extend_from_slice(&old);
        let mut take = Take::new(&new);
        assert_eq!((Receipt::decode(&mut take), Receipt::decode(&mut take)), (Some(with), Some(without)));
    }

    #[test]
    fn digests_tell_requests_apart() {
        let (a, b) = (TenantId::new("a").expect("an id"), TenantId::new("ab").expect("an id"));
        let first = Digest::of(&a, Signal::Logs, "json", b"body");
        assert_eq!(first, Digest::of(&a, Signal::Logs, "json", b"body"));
        for other in [
            Digest::of(&b, Signal::Logs, "json", b"body"),
            Digest::of(&a, Signal::Traces, "json", b"body"),
            Digest::of(&a, Signal::Logs, "protobuf", b"body"),
            Digest::of(&a, Signal::Logs, "json", b"bodY"),
            Digest::of(&a, Signal::Logs, "jso", b"nbody"),
        ] {
            assert_ne!(first, other);
        }
    }
}
