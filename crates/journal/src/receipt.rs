//! Digests and receipts: how a resend is recognised, and what it is answered with.

use std::ops::Range;

use model::{Signal, Table, TenantId};

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

/// What a commit says about one request in it.
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
}

impl Receipt {
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
        let length = (out.len() - start - 4) as u32;
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
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
        Some(Receipt { digest, tenant, signal, response, received, stored, rejected, rows })
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
        };
        check(&plain);
        check(&Receipt {
            digest: Some(Digest::of(&tenant, Signal::Metrics, "json", b"{}")),
            signal: Signal::Metrics,
            response: b"partial".to_vec(),
            received: 7,
            stored: 5,
            rejected: vec![Rejection { reason: "invalid_time".into(), count: 2 }],
            rows: vec![(Table::Points, 3..8), (Table::Series, 0..1)],
            ..plain
        });
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
