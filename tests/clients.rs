//! Real OTLP clients against the real server: SDKs of four languages and the Collector, in ordinary use and in trouble.
//!
//! Vocabulary: a *sender* is one client with one exporter; it numbers what it sends, and a *mark* is such a number as
//! it is written in names and bodies. Between each sender and the server stands a relay (`testkit::Relay`) that keeps
//! what was sent and answered, so that what was acknowledged is known from the wire and not from what a client says.
//! Programs of the senders lie in folders of this one; `cargo xtask test` installs and builds what they need.
//!
//! What each client was seen to do is in `docs/clients.md`; these tests print the same table.

mod arrival;
mod collector;
mod senders;
mod trouble;
mod wire;
