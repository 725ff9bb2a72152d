//! Syslog: messages of RFC 5424 and RFC 3164, and how a stream of bytes is cut into them (RFC 6587).
//!
//! A message that is neither is the body of a record all the same: nothing is lost for its form. `HOSTNAME` and
//! `APP-NAME` are the resource (`host.name`, `service.name`), the rest of the head attributes `syslog.*`; structured
//! data are `syslog.structured_data.<id>.<name>`, except those of the id `opentelemetry`, which are trace and span.
//!
//! Nobody answers syslog, so there are no resends: every record gets the moment at which it was received as its
//! observed time, and [`Batch`] takes care that no two of a process have the same, so that two messages that look the
//! same are two.

mod framing;
mod rfc3164;
mod rfc5424;

use model::Signal;
use otlp_wire::{LogDraft, put_text};

use crate::envelope::Envelope;
use crate::{DoorError, Translation, TurnedAway, severity};

pub use framing::{Framing, Message};

/// Messages gathered into one request.
#[derive(Debug)]
pub struct Batch {
    envelope: Envelope,
    draft: LogDraft,
    origin: Origin,
}

/// Who sent a message.
#[derive(Debug, Default)]
struct Origin {
    host: String,
    app: String,
}

impl Origin {
    fn resource(&self) -> Vec<u8> {
        let mut resource = Vec::new();
        for (name, text) in [("service.name", &self.app), ("host.name", &self.host)] {
            if !text.is_empty() {
                put_text(&mut resource, 1, name, text);
            }
        }
        resource
    }
}

/// Attribute of a message that was cut because it was too long.
const TRUNCATED: &str = "syslog.truncated";

impl Batch {
    /// An empty batch whose request may have so many bytes.
    pub fn new(request_bytes_max: usize) -> Batch {
        Batch { envelope: Envelope::new(request_bytes_max), draft: LogDraft::default(), origin: Origin::default() }
    }

    /// Adds a message that was received at `received`, in Unix nanoseconds, which no other message may have.
    ///
    /// # Errors
    /// [`DoorError::Full`]: the batch is to be thrown away, and the messages to be gathered again in smaller ones.
    pub fn add(&mut self, message: Message<'_>, received: i64) -> Result<(), DoorError> {
        let Batch { envelope, draft, origin } = self;
        draft.clear();
        origin.host.clear();
        origin.app.clear();
        draft.observed = u64::try_from(received).unwrap_or_default();
        let text = String::from_utf8_lossy(message.bytes.trim_ascii_end());
        read(&text, received, draft, origin);
        if message.is_cut {
            draft.text_attribute(TRUNCATED, "true");
        }
        envelope.add(&origin.resource(), &[], |out| draft.write(out))
    }

    /// Messages in it.
    pub fn records(&self) -> u32 {
        self.envelope.records()
    }

    /// The request.
    pub fn finish(self) -> Translation {
        let records = self.envelope.records();
        let turned_away = TurnedAway::default();
        Translation { signal: Signal::Logs, request: self.envelope.finish(), records, turned_away }
    }
}

const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

fn read(text: &str, received: i64, draft: &mut LogDraft, origin: &mut Origin) {
    let Some((priority, rest)) = priority(text) else {
        return draft.text_body(text.as_bytes());
    };
    let (number, name) = severity::of_syslog(priority & 7);
    draft.severity(number, name);
    if let Some(facility) = FACILITIES.get(usize::from(priority >> 3)) {
        draft.text_attribute("syslog.facility", facility);
    }
    let body = match rest.strip_prefix("1 ").and_then(|rest| rfc5424::read(rest, draft, origin)) {
        Some(body) => body,
        None => rfc3164::read(rest, received, draft, origin),
    };
    // A byte order mark only says that the text is UTF-8.
    draft.text_body(body.strip_prefix('\u{feff}').unwrap_or(body).as_bytes());
}

/// The number of `<PRI>`, 0 to 191, and what follows it.
fn priority(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
    let is_number = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok().filter(|number| is_number && *number <= 191)?;
    Some((number, rest))
}

#[cfg(test)]
mod tests;
