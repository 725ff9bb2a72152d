//! Zipkin's spans, version 2 in JSON: a list of spans.
//!
//! `localEndpoint` is the resource (its service's name) and the attributes `network.local.*`; `remoteEndpoint` is
//! `network.peer.*` and `service.peer.name`; annotations are events; tags are attributes, except `error` and those that
//! OpenTelemetry's own Zipkin exporters write for status and scope. A span without a kind is internal.
//!
//! A *shared* span, which server and client report under one id, keeps the id that both have, and says so in the
//! attribute `zipkin.shared`: which spans are below which half is known to neither.

mod draft;
mod read;

use model::Signal;

use crate::envelope::Envelope;
use crate::{DoorError, Limits, Translation, TurnedAway};

use draft::SpanDraft;

/// Translates a list of spans.
///
/// # Errors
/// See [`DoorError`]; nothing of the body can be stored.
pub fn translate(body: &[u8], limits: &Limits) -> Result<Translation, DoorError> {
    let mut spans = Spans {
        envelope: Envelope::new(limits.request_bytes_max),
        turned_away: TurnedAway::default(),
        draft: SpanDraft::default(),
    };
    read::read(body, &mut spans)?;
    let Spans { envelope, turned_away, .. } = spans;
    let records = envelope.records();
    Ok(Translation { signal: Signal::Traces, request: envelope.finish(), records, turned_away })
}

/// Spans while they are read.
struct Spans {
    envelope: Envelope,
    turned_away: TurnedAway,
    draft: SpanDraft,
}

impl Spans {
    /// Adds the draft, or turns it away.
    fn settle(&mut self) -> Result<(), DoorError> {
        match self.draft.check() {
            Ok(()) => {
                let (resource, scope) = self.draft.origin();
                self.envelope.add(&resource, &scope, |out| self.draft.write(out))
            }
            Err((reason, detail)) => {
                self.turned_away.add(reason, detail);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
