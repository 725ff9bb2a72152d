//! Fuzzes `properties::doors::REMOTE_WRITE`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run(&properties::doors::REMOTE_WRITE, input));
