//! Fuzzes `properties::doors::LOKI`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run(&properties::doors::LOKI, input));
