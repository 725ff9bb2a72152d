//! What can be read: the tables of one tenant over a pinned snapshot and the journal's tail.
//!
//! Vocabulary: to *pin* is to fix what a question sees: the live files of one catalog number, and the rows of the
//! segments listed at that number, each up to an end fixed once ([`Pinned`]). A *unit* is a file or a piece of the
//! tail; a *block* is a run of its rows that an index can rule out ([`Unit`], [`Block`]); a *window* is the run of rows
//! of its blocks that are decoded together ([`Window`]). The *tail* is what the
//! journal holds and no file does yet.
//!
//! Five ways in: rows by trace id ([`Engine::trace_rows`]), units and their blocks for scans that stop early
//! ([`Engine::units`]), of those the rows of one metric ([`Engine::open_series`]), what files hold by minute
//! ([`Engine::span_rollup`]), and SQL ([`Engine::session`]).
//! Beside them, whoever wants what comes next follows the journal ([`Engine::follow`]), and receipts are read without rows
//! ([`Engine::ledger`]).
//!
//! Invariants:
//! - A pinned snapshot holds everything that was acknowledged before it was pinned (I5), each record once (I2).
//! - Every read goes through a [`Pinned`], and only [`Engine::pin`] makes one, for one tenant, or through a
//!   [`Follower`], which is made for one tenant (I8); so is a reading of the ledger.
//! - Sidecars and page indexes only rule rows out; without them more rows are looked at and the answer is the same
//!   (I9). What is damaged counts as absent.
//! - Caches, the tail and the SQL memory pool are bounded in bytes (I7). What does not fit is named in
//!   [`Scan::incomplete_because`], never left out silently.

mod engine;
mod error;
mod follow;
mod ledger;
mod log_texts;
mod pinned;
mod rollups;
mod scan;
mod series_rows;
mod sidecars;
mod sql;
mod tail;
mod trace;
mod units;
mod windows;

pub use engine::{Engine, EngineLimits};
pub use error::TablesError;
pub use follow::{Follower, JournalPlace, PlaceError, ReadOn, SegmentList, TailPiece};
pub use ledger::LedgerRead;
pub use log_texts::{LogTexts, log_text_columns};
pub use pinned::Pinned;
pub use scan::{Cost, Deadline, Scan};
pub use series_rows::{SeriesKey, SeriesRows};
pub use sql::SqlCost;
pub use tail::TailChunk;
pub use trace::{TRACE_ROWS_MAX, TraceColumns};
pub use units::{Block, OpenUnit, Unit, UnitSource};
pub use windows::{WINDOW_ROWS, Window};
