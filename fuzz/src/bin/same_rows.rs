//! Fuzzes `properties::same_rows`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run(&properties::same_rows::TARGET, input));
