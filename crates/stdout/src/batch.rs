//! Records gathered into one export request.
//!
//! Records of one logger lie together, and loggers of one service under its resource. No two requests are alike, since
//! no two records of a stream have the same observed time; so a server takes none for a resend that is not one.

use otlp_wire::{put_bytes, put_message};

use crate::draft::{Draft, OwnService};
use crate::limits::BatchLimits;
use crate::resource::Resource;

/// Records of one logger of one service.
#[derive(Debug, Default)]
struct Loggers {
    service: OwnService,
    scope: String,
    /// `LogRecord` messages with their tags.
    records: Vec<u8>,
}

/// A request while it grows.
#[derive(Debug)]
pub(crate) struct Batch {
    limits: BatchLimits,
    loggers: Vec<Loggers>,
    /// Place of the logger that wrote last, which mostly writes next.
    last: usize,
    records: usize,
    bytes: usize,
    /// When the first record came, in Unix nanoseconds.
    begun: i64,
}

/// An encoded export request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) body: Vec<u8>,
    pub(crate) records: u64,
}

impl Batch {
    pub(crate) fn new(limits: BatchLimits) -> Batch {
        Batch { limits, loggers: Vec::new(), last: 0, records: 0, bytes: 0, begun: 0 }
    }

    /// Adds a record; `now` counts where it is the first.
    pub(crate) fn add(&mut self, draft: &Draft, now: i64) {
        if self.records == 0 {
            self.begun = now;
        }
        let place = self.place(draft);
        let records = &mut self.loggers[place].records;
        let before = records.len();
        draft.record.write(records);
        self.bytes += records.len() - before;
        self.records += 1;
        self.last = place;
    }

    fn place(&mut self, draft: &Draft) -> usize {
        let same = |loggers: &Loggers| loggers.scope == draft.scope && loggers.service == draft.service;
        if self.loggers.get(self.last).is_some_and(same) {
            return self.last;
        }
        self.loggers.iter().position(same).unwrap_or_else(|| {
            self.loggers.push(Loggers {
                service: draft.service.clone(),
                scope: draft.scope.clone(),
                records: Vec::new(),
            });
            self.loggers.len() - 1
        })
    }

    /// Whether it holds as much as a request may.
    pub(crate) fn is_full(&self) -> bool {
        self.records >= self.limits.records_max || self.bytes >= self.limits.bytes_max
    }

    /// When it is sent however small it is, in Unix nanoseconds.
    pub(crate) fn deadline(&self) -> Option<i64> {
        let age = i64::try_from(self.limits.age_max.as_nanos()).unwrap_or(i64::MAX);
        (self.records > 0).then(|| self.begun.saturating_add(age))
    }

    /// Encodes the request and begins the next; nothing where there is no record.
    pub(crate) fn seal(&mut self, resource: &Resource) -> Option<Sealed> {
        if self.records == 0 {
            return None;
        }
        let mut loggers = std::mem::take(&mut self.loggers);
        loggers.sort_by(|a, b| service_key(a).cmp(&service_key(b)));
        let mut body = Vec::with_capacity(self.bytes + 1024);
        for service in loggers.chunk_by(|a, b| a.service == b.service) {
            put_message(&mut body, 1, |out| {
                put_message(out, 1, |out| resource.encode(&service[0].service, out));
                for logger in service {
                    put_message(out, 2, |out| {
                        if !logger.scope.is_empty() {
                            put_message(out, 1, |out| put_bytes(out, 1, logger.scope.as_bytes()));
                        }
                        out.extend_from_slice(&logger.records);
                    });
                }
            });
        }
        let sealed = Sealed { body, records: self.records as u64 };
        (self.last, self.records, self.bytes) = (0, 0, 0);
        Some(sealed)
    }
}

fn service_key(loggers: &Loggers) -> (&str, &str, &str) {
    (&loggers.service.name, &loggers.service.version, &loggers.service.environment)
}
