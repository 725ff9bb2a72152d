//! What must hold whatever bytes arrive: properties of everything that reads what strangers send.
//!
//! Vocabulary: a *property* is a function of bytes that panics where something does not hold; a [`Target`] is a
//! property with the memory it may take and *seeds*, inputs to begin with; the *corpus* is a folder of inputs, seeds
//! and what a fuzzer has found to be worth keeping. Many targets read their first byte as a *selector* of what to do
//! with the rest.
//!
//! Invariants: a property depends on its bytes alone, so that what was found once is found again. The corpus in
//! `fuzz/corpus` is replayed by this crate's test on every run of the suite; `cargo xtask fuzz` searches for more.
//!
//! A new target is a module here, its line in [`TARGETS`], and a file of a few lines in `fuzz/src/bin`.

pub mod census;
pub mod codings;
mod decode;
pub mod doors;
pub mod json;
pub mod protobuf;
pub mod same_rows;
mod stored;

use peak_alloc::PeakAlloc;

/// Something that reads what strangers send.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name of the fuzz target and of its folder in the corpus.
    pub name: &'static str,
    /// Panics where something does not hold for these bytes.
    pub check: fn(&[u8]),
    /// Most bytes of memory that checking an input of so many bytes may take at any moment.
    pub memory_bytes_max: fn(usize) -> usize,
    /// Inputs to begin with, by name.
    pub seeds: fn() -> Vec<Seed>,
}

/// An input to begin with, and a name that tells it apart.
pub type Seed = (String, Vec<u8>);

/// Every target.
pub const TARGETS: &[Target] = &[
    protobuf::TARGET,
    json::TARGET,
    codings::TARGET,
    census::TARGET,
    same_rows::TARGET,
    doors::LOKI,
    doors::BULK,
    doors::ZIPKIN,
    doors::REMOTE_WRITE,
    doors::SYSLOG,
];

/// Checks one input, and that no more memory was taken meanwhile than the target may take.
///
/// # Panics
/// Where something does not hold.
pub fn hold(target: &Target, input: &[u8], memory: &PeakAlloc) {
    let before = memory.current_usage();
    memory.reset_peak_usage();
    (target.check)(input);
    let taken = memory.peak_usage().saturating_sub(before);
    let allowed = (target.memory_bytes_max)(input.len());
    assert!(taken <= allowed, "{} bytes of input took {taken} bytes of memory, {allowed} at most", input.len());
}

/// Splits off the selector; nothing where there are no bytes.
fn selected(input: &[u8]) -> Option<(usize, &[u8])> {
    let (selector, rest) = input.split_first()?;
    Some((usize::from(*selector), rest))
}

/// A seed of a target with a selector.
fn seed(name: impl Into<String>, selector: usize, body: &[u8]) -> Seed {
    let selector = u8::try_from(selector).unwrap_or(u8::MAX);
    (name.into(), [&[selector], body].concat())
}
