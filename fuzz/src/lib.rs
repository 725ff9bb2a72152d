//! The properties of `crates/properties` as libFuzzer calls them; each file in `src/bin` is one target.
//!
//! Nothing is decided here: what must hold, the memory it may take and the inputs to begin with are the properties'.

use peak_alloc::PeakAlloc;
use properties::Target;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Checks one input.
pub fn run(target: &Target, input: &[u8]) {
    properties::hold(target, input, &MEMORY);
}
