//! Fuzzes `properties::codings`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run(&properties::codings::TARGET, input));
