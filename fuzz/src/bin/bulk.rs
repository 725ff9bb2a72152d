//! Fuzzes `properties::doors::BULK`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run(&properties::doors::BULK, input));
