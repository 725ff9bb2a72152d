//! Fuzzes `properties::json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run(&properties::json::TARGET, input));
