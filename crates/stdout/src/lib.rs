//! Lines in, OTLP log records out: what an app prints on stdout and stderr, without any change to the app.
//!
//! Vocabulary: a *line* is what ends with `\n`; a *group* is lines that are one record, such as a stack trace; a
//! *draft* is a record while it is put together; a *batch* is records that become one export *request*; the *spool*
//! holds requests until the server has answered them; a *pump* reads one stream and passes it on.
//!
//! ```text
//! bytes ─▶ framing ─▶ json | logfmt ─▶ structured ─▶ draft ─▶ batch ─▶ spool ─▶ deliver ─▶ server
//!    └▶ terminal  └─▶ group (stack) ─▶ plain ──────┘
//! ```
//!
//! Invariants:
//! - The app is never blocked by the server, only by whatever its output goes to anyway (a terminal, a pipe).
//! - No line is lost for what it holds: what cannot be read as JSON, logfmt or UTF-8 is the text of a record.
//! - A plain line's text is the record's body, unchanged; of a structured line the body is its message.
//! - A line that is an OTLP/JSON export request is sent as one.
//! - Everything is bounded (I7): a line, a group, a batch, the spool, an attempt, the time after the end of input. What
//!   the bounds cost is counted and said.
//! - A request is sent as the same bytes every time, so that a server that recognises resends stores it once.
//!
//! Everything up to `batch` is pure: bytes and times in, bytes out. [`Shipper`] and [`Pump`] act.

mod access_log;
mod aliases;
mod batch;
mod client;
mod deliver;
mod draft;
mod endpoint;
mod error;
mod exception;
mod framing;
mod group;
mod ids;
mod intake;
mod json;
mod limits;
mod logfmt;
mod native;
mod plain;
mod pump;
mod resource;
mod severity;
mod ship;
mod spool;
mod stack;
mod structured;
mod tape;
mod times;
mod tls;

pub use client::{HttpClient, http_client, in_words, tls_reason};
pub use draft::Iostream;
pub use endpoint::{Endpoint, EndpointFlags, headers};
pub use error::StdoutError;
pub use intake::{ReadOptions, Stream};
pub use limits::{BatchLimits, LineLimits, SendLimits};
pub use pump::{Ending, EndingWatch, Pump};
pub use resource::{Origins, ProcessFacts, Resource, Variables};
pub use ship::{Counts, ShipOptions, Shipper};
pub use spool::WhenFull;
pub use structured::OpenService;
pub use tls::{Tls, TlsFlags};

use batch::Batch;
use intake::Records;

/// Reads a whole input and encodes it into requests without sending them: what the `throughput` example measures.
#[doc(hidden)]
pub fn encode_all(input: &[u8], options: ReadOptions, resource: &Resource, limits: BatchLimits) -> (u64, Vec<Vec<u8>>) {
    struct Gather<'a> {
        batch: Batch,
        resource: &'a Resource,
        requests: Vec<Vec<u8>>,
        records: u64,
    }
    impl Records for Gather<'_> {
        fn take(&mut self, record: &draft::Draft) {
            self.batch.add(record, 0);
            self.records += 1;
            if self.batch.is_full() {
                self.requests.extend(self.batch.seal(self.resource).map(|sealed| sealed.body));
            }
        }

        fn take_native(&mut self, native: native::Native) {
            self.records += native.records();
            self.requests.push(native.finish(self.resource).1.to_vec());
        }
    }
    let mut gather = Gather { batch: Batch::new(limits), resource, requests: Vec::new(), records: 0 };
    let mut stream = Stream::new(Iostream::Stdout, options);
    for chunk in input.chunks(64 << 10) {
        stream.take(chunk, 1, &mut gather);
    }
    stream.end(1, &mut gather);
    gather.requests.extend(gather.batch.seal(resource).map(|sealed| sealed.body));
    (gather.records, gather.requests)
}
