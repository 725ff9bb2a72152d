//! A log record while it is put together, with what a line says of where it belongs.
//!
//! A draft is used again for every line, so that a line costs no allocation.

use otlp_wire::LogDraft;

/// Name of the attribute that tells stdout from stderr.
const IOSTREAM: &str = "log.iostream";

/// Which of the two streams a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Iostream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Iostream {
    /// The value of `log.iostream`.
    pub fn name(self) -> &'static str {
        match self {
            Iostream::Stdout => "stdout",
            Iostream::Stderr => "stderr",
        }
    }
}

/// What a line says of the service that wrote it; an empty text says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OwnService {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) environment: String,
}

/// One log record, and where it belongs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    pub(crate) record: LogDraft,
    /// Name of the instrumentation scope: the logger.
    pub(crate) scope: String,
    pub(crate) service: OwnService,
}

impl Draft {
    /// Begins a record, the first of whose lines was read then.
    pub(crate) fn begin(&mut self, observed: i64, iostream: Option<Iostream>) {
        self.record.clear();
        self.record.observed = unix_nano(observed);
        self.scope.clear();
        self.service.name.clear();
        self.service.version.clear();
        self.service.environment.clear();
        if let Some(iostream) = iostream {
            self.record.text_attribute(IOSTREAM, iostream.name());
        }
    }
}

/// A time as a record has it: before 1970 there is none.
pub(crate) fn unix_nano(time: i64) -> u64 {
    u64::try_from(time).unwrap_or_default()
}
