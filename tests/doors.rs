//! Real clients of other protocols than OTLP, from the registries of their languages, seen through the API.
//!
//! What they send is in `tests/doors/clients.py`, `winston.js` and `remote_write_v2`; nothing in there knows Spyhop.

mod clients;

pub(crate) use clients::wait_for;
